/*
 * The sync protocol of one lane, as a model for Spin. README.md beside it says what is in it and what is not.
 *
 * What may happen:
 *   -DDISK=1     the disk is imaged, and the image is put back later
 *   -DTWIN=1     a second machine is started from an image of the first one's disk; both talk at the same time in one name
 *   -DBACKUP=1   the platform is backed up, and set back to that later
 * What may be broken:
 *   -DHASH=0     everybody compares sequences only, as most protocols do
 *   -DRESEND=0   a terminal that begins a new epoch takes along only what was never acknowledged
 *   -DIDS=0      the platform looks for what was acknowledged by its place and not by its id
 *   -DORDERED=0  the platform takes records of an epoch that it never ordered
 *   -DTAKEN=0    the platform acknowledges a record whose place another one has
 *   -DSHOWN=0    nobody remembers how far a terminal had come
 *
 * A record is a number from 1 that is given once and never again, its id. The hash of a place is the whole history up to it,
 * in base 4. A request and its answer are one step, unless the answer is lost; a request that the line brings late is answered
 * to nobody, for its sender has given up.
 */
#ifndef DISK
#define DISK 0
#endif
#ifndef TWIN
#define TWIN 0
#endif
#ifndef BACKUP
#define BACKUP 0
#endif
#ifndef HASH
#define HASH 1
#endif
#ifndef RESEND
#define RESEND 1
#endif
#ifndef IDS
#define IDS 1
#endif
#ifndef ORDERED
#define ORDERED 1
#endif
#ifndef TAKEN
#define TAKEN 1
#endif
#ifndef SHOWN
#define SHOWN 1
#endif
#ifndef N
#define N 3         /* records that are ever written, at most 3 */
#endif
#ifndef EPOCHS
#define EPOCHS 3    /* epochs before a run of the model is over, at most 3 */
#endif

typedef list { byte id[4] }

/* A machine: what is on its disk, and in its memory, which a crash empties. */
typedef disk {
	byte epoch; byte head; byte acked;
	byte rec[4];                     /* the lane's records in this epoch */
	list old[4]; byte held[4];       /* what was acknowledged in earlier epochs, and how many those are */
	byte left[4];                    /* one more than where it ended in an epoch that it left, 0 if it was never there */
	bool greeted; bool past; bool stop   /* memory: has met the platform, has shown its past, stands still */
}
disk d[2], image;
bool twin, imaged, restored;
byte fresh = 1;                          /* the next record */

/* The platform's store. */
typedef store {
	byte epoch;                      /* ordered */
	byte row; byte seq; byte hash;   /* the lane's place */
	list at[4]; list hash_at[4];     /* by epoch and place */
	bool holds[4];                   /* by id */
	byte se; byte ss; byte sh        /* what was shown or delivered last: epoch, place, hash there */
}
store s, backup;
bool backed, setback, met[2];            /* met: has said hello since the platform was set back */

/* For the rules only: the place that a record had in each epoch, whether the platform heard of it, and whether it was told to be lost. */
list places[4];
bool heard[4], told[4];

bool over;

/* Scratch. */
byte i, k, m, e, n, we, wn, wh, ws, wsh, q, ours, count, ae, aq, ar, ap, te, tq, was[4], want[4], want_h[4];
bool compared, ok, fork, less, known, earlier, foreign, answered, showing, away;

#define H(a, k) ((k) == 0 -> 0 : ((k) == 1 -> a[1] : ((k) == 2 -> a[1] * 4 + a[2] : (a[1] * 4 + a[2]) * 4 + a[3])))
#define same(x, y) (!HASH || (x) == (y))
#define least(x, y) ((x) < (y) -> (x) : (y))
#define most(x, y) ((x) > (y) -> (x) : (y))
#define last(e) (s.at[e].id[3] > 0 -> 3 : (s.at[e].id[2] > 0 -> 2 : (s.at[e].id[1] > 0 -> 1 : 0)))

#define copylist(x, y) x.id[1] = y.id[1]; x.id[2] = y.id[2]; x.id[3] = y.id[3]
#define copythree(x, y) x[1] = y[1]; x[2] = y[2]; x[3] = y[3]
#define copydisk(x, y) x.epoch = y.epoch; x.head = y.head; x.acked = y.acked; copythree(x.rec, y.rec); \
	copylist(x.old[1], y.old[1]); copylist(x.old[2], y.old[2]); copylist(x.old[3], y.old[3]); \
	copythree(x.held, y.held); copythree(x.left, y.left); x.greeted = false; x.past = false; x.stop = false
#define copystore(x, y) x.epoch = y.epoch; x.row = y.row; x.seq = y.seq; x.hash = y.hash; \
	copylist(x.at[1], y.at[1]); copylist(x.at[2], y.at[2]); copylist(x.at[3], y.at[3]); \
	copylist(x.hash_at[1], y.hash_at[1]); copylist(x.hash_at[2], y.hash_at[2]); copylist(x.hash_at[3], y.hash_at[3]); \
	copythree(x.holds, y.holds); x.se = y.se; x.ss = y.ss; x.sh = y.sh

chan late = [1] of { bool, byte, byte, byte, byte }   /* a push or a hello: epoch, place, record or hash there, hash before it */

inline clear() {
	i = 0; k = 0; m = 0; e = 0; n = 0; we = 0; wn = 0; wh = 0; ws = 0; wsh = 0; q = 0; ours = 0; count = 0; ae = 0; aq = 0; ar = 0; ap = 0; te = 0; tq = 0;
	was[1] = 0; was[2] = 0; was[3] = 0; want[1] = 0; want[2] = 0; want[3] = 0; want_h[1] = 0; want_h[2] = 0; want_h[3] = 0;
	compared = false; ok = false; fork = false; less = false; known = false; earlier = false; foreign = false; answered = false; showing = false; away = false
}

/* Records that lay at a place of an epoch, or behind it, are told to be lost. */
inline tell() {
	k = 1; do
	:: k <= N -> if :: places[k].id[te] > 0 && places[k].id[te] >= tq -> told[k] = true :: else fi; k++
	:: else -> break
	od; k = 0
}

/* The platform takes one record (ar), for a place (ae, aq) behind a history (ap): ok says that it holds it then. */
inline take() {
	ok = false; q = (ae > s.row -> 0 : s.seq); wh = (ae > s.row -> 0 : s.hash);
	if
	:: (ORDERED && ae != s.epoch) || ae < s.row || ae < s.epoch || aq > q + 1 -> skip
	:: else ->
		if
		:: aq == q + 1 ->
			if
			:: !same(wh, ap) -> skip
			:: else ->
				if
				:: s.holds[ar] -> ok = true                 /* it keeps the place that it has */
				:: !s.holds[ar] && s.at[ae].id[aq] == 0 -> ok = true; s.holds[ar] = true; s.at[ae].id[aq] = ar; s.hash_at[ae].id[aq] = ap * 4 + ar
				:: else -> ok = !TAKEN                      /* another record has this place: a fork */
				fi;
				if
				:: ok -> s.row = ae; s.epoch = most(s.epoch, ae); s.seq = aq; s.hash = ap * 4 + ar;
					if
					:: s.se == ae && s.ss < aq || s.se > 0 && s.se < ae -> s.se = ae; s.ss = aq; s.sh = s.hash
					:: else
					fi
				:: else
				fi
			fi
		:: else -> ok = s.at[ae].id[aq] == 0 || same(s.hash_at[ae].id[aq], ap * 4 + ar)
		fi
	fi
}

/* The platform hears a hello (epoch ae, place aq, hash ap) of machine m, with what it shows of its past, or one that came late and
 * shows none. */
inline greet(shows) {
	less = false; earlier = false;
	if
	:: SHOWN && s.se > 0 ->
		known = true; ours = 0;
		if
		:: s.se == ae -> ours = aq
		:: s.se < ae && shows && d[m].left[s.se] > 0 -> ours = d[m].left[s.se] - 1
		:: s.se < ae && (!shows || d[m].left[s.se] == 0) ->
			known = shows && d[m].left[3] == 0 && (s.se == 2 -> d[m].left[1] > 0 && d[m].left[2] == 0 : false)
		:: else
		fi;
		if :: known && ours < s.ss -> less = true; te = s.se; tq = ours + 1; tell() :: else fi
	:: else
	fi;
	want[1] = 0; want[2] = 0; want[3] = 0;
	if
	:: shows ->
		i = 1; do
		:: i <= EPOCHS ->
			n = (i == d[m].epoch -> d[m].acked : (i < d[m].epoch -> d[m].held[i] : 0));
			if
			:: n > 0 ->
				k = (i == d[m].epoch -> d[m].rec[n] : d[m].old[i].id[n]);
				if
				:: (IDS -> s.holds[k] : s.at[i].id[n] > 0) -> skip
				:: else ->
					q = last(i); q = least(q, n);
					if :: q > 0 && s.at[i].id[q] == 0 -> q = 0 :: else fi;
					want[i] = q + 1; want_h[i] = (q == 0 -> 0 : s.hash_at[i].id[q]);
					if :: i != ae -> earlier = true :: else fi
				fi
			:: else
			fi; i++
		:: else -> break
		od; i = 0; k = 0; n = 0
	:: else
	fi;
	fork = (s.seq > 0 && s.row != ae && s.row > ae) || (s.seq > 0 && s.row == ae && (aq < s.seq || (aq == s.seq && !same(ap, s.hash))));
	if :: fork || less || earlier || ae > s.epoch -> s.epoch = most(s.epoch, ae) + 1 :: else fi;
	if :: s.epoch > EPOCHS -> over = true :: else fi;
	we = s.epoch; wn = (s.row == ae -> s.seq : 0); wh = (s.row == ae -> s.hash : 0);
	ws = (SHOWN && s.se == ae -> s.ss : 0); wsh = (SHOWN && s.se == ae -> s.sh : 0);
	if :: compared || less || s.se == 0 -> s.se = ae; s.ss = aq; s.sh = ap :: else fi      /* until it has compared, the same is shown again */
}

/* A new epoch: what the platform wants again first, then what was never acknowledged, ids kept. */
inline renew(to, wanted) {
	d[m].left[d[m].epoch] = d[m].head + 1; count = 0;
	i = 1; do
	:: i <= EPOCHS ->
		if
		:: wanted && want[i] > 0 && i == d[m].epoch && want[i] - 1 <= d[m].head ->
			q = want[i] - 1;
			if :: !same(H(d[m].rec, q), want_h[i]) -> q = 0 :: else fi;
			d[m].acked = least(d[m].acked, q)
		:: wanted && want[i] > 0 && i < d[m].epoch ->
			q = want[i] - 1;
			if :: q <= d[m].held[i] && !same(H(d[m].old[i].id, q), want_h[i]) -> q = 0 :: else fi;
			k = q + 1; do
			:: k <= d[m].held[i] -> count++; was[count] = d[m].old[i].id[k]; d[m].old[i].id[k] = 0; k++
			:: else -> break
			od;
			d[m].held[i] = least(d[m].held[i], q)
		:: else
		fi; i++
	:: else -> break
	od;
	k = d[m].acked + 1; do
	:: k <= d[m].head -> count++; was[count] = d[m].rec[k]; k++
	:: else -> break
	od;
	k = 1; do
	:: k <= d[m].acked -> d[m].old[d[m].epoch].id[k] = d[m].rec[k]; k++
	:: else -> break
	od;
	d[m].held[d[m].epoch] = d[m].acked;
	d[m].epoch = to; d[m].acked = 0; d[m].head = count; d[m].past = false;
	k = 1; do
	:: k <= N -> d[m].rec[k] = (k <= count -> was[k] : 0);
		if :: k <= count -> places[was[k]].id[to] = k :: else fi; k++
	:: else -> break
	od; k = 0; i = 0
}

/* The machine begins an epoch by itself, if the model has another. */
inline begin() {
	if
	:: d[m].epoch >= EPOCHS -> over = true
	:: else ->
		if :: foreign -> te = d[m].epoch; tq = wn + 1; tell() :: else fi;
		e = d[m].epoch + 1; renew(e, false); d[m].greeted = true
	fi
}

/* The machine's part of a hello that was answered. */
inline compare() {
	foreign = wn > d[m].head || (wn <= d[m].head && !same(H(d[m].rec, wn), wh)) || (ws <= d[m].head && !same(H(d[m].rec, ws), wsh));
	if
	:: we > d[m].epoch && !showing -> d[m].past = false     /* it asks again, showing its past */
	:: we > d[m].epoch && showing ->
		if :: foreign -> te = d[m].epoch; tq = wn + 1; tell() :: else fi;
		renew(we, RESEND); d[m].greeted = true; d[m].stop = false
	:: else ->
		d[m].past = true; d[m].stop = fork;
		if
		:: we < d[m].epoch || fork -> d[m].greeted = true
		:: else ->
			if
			:: ws <= d[m].head && !same(H(d[m].rec, ws), wsh) -> begin()
			:: else ->
				if
				:: wn == d[m].acked && wn < d[m].head && !same(H(d[m].rec, wn), wh) -> begin()
				:: wn > d[m].head || (wn == d[m].head && !same(H(d[m].rec, wn), wh)) -> d[m].stop = true; d[m].greeted = true
				:: wn > d[m].acked && wn < d[m].head && !same(H(d[m].rec, wn), wh) -> begin()
				:: wn < d[m].acked && same(H(d[m].rec, wn), wh) -> d[m].acked = wn; d[m].greeted = true
				:: wn < d[m].acked && !same(H(d[m].rec, wn), wh) -> begin()
				:: else -> d[m].greeted = true
				fi
			fi
		fi
	fi
}

/* What must hold once a machine and the platform agree that nothing is left to send. */
inline rules() {
	i = 1; do
	:: i <= N ->
		k = 1; do
		:: k <= EPOCHS -> assert(i > d[m].held[k] || s.holds[d[m].old[k].id[i]]); k++
		:: else -> break
		od;
		assert(i > d[m].head || s.holds[d[m].rec[i]]);
		/* What the platform had heard of and nobody has any more was told. */
		away = true; k = 1; do
		:: k <= N ->
			if
			:: d[0].rec[k] == i || d[0].old[1].id[k] == i || d[0].old[2].id[k] == i || d[0].old[3].id[k] == i -> away = false
			:: twin && (d[1].rec[k] == i || d[1].old[1].id[k] == i || d[1].old[2].id[k] == i || d[1].old[3].id[k] == i) -> away = false
			:: else
			fi; k++
		:: else -> break
		od;
		assert(setback || !heard[i] || s.holds[i] || !away || told[i]);
		i++
	:: else -> break
	od
}

active proctype world() {
	bool push; byte ep, sq, id, pv;
	d_step { s.epoch = 1; s.row = 1; d[0].epoch = 1; met[0] = true; met[1] = true; d[0].stop = false }
	do
	:: over -> break
	:: else ->
		if
		:: m = 0
		:: twin -> m = 1
		fi;
		if
		/* A citizen is promised something: the record is on disk before the promise. */
		:: d_step { fresh <= N && d[m].head < N -> d[m].head++; d[m].rec[d[m].head] = fresh; places[fresh].id[d[m].epoch] = d[m].head;
			fresh++; clear() }

		/* Hello, answered or not. */
		:: if :: answered = true :: answered = false fi;
			d_step {
			showing = !d[m].past;
			i = 1; do :: d[m].greeted && i <= d[m].head -> heard[d[m].rec[i]] = true; i++ :: else -> break od; i = 0;
			ae = d[m].epoch; aq = d[m].head; ap = H(d[m].rec, d[m].head); compared = d[m].greeted; greet(showing); met[m] = met[m] || (answered && !over);
			if :: answered && !over -> compare() :: else fi;
			clear() }

		/* A record goes, answered or not. */
		:: d[m].greeted && !d[m].stop && d[m].acked < d[m].head ->
			if :: answered = true :: answered = false fi;
			d_step {
			n = d[m].acked + 1; e = d[m].rec[n];
			ae = d[m].epoch; aq = n; ar = e; ap = H(d[m].rec, d[m].acked); take();
			if
			:: ok && answered && s.seq <= d[m].head && s.row == d[m].epoch && same(H(d[m].rec, s.seq), s.hash) ->
				/* The first rule: what the terminal counts as delivered, the platform holds; that and not another at its place. */
				do :: n <= s.seq -> assert(s.holds[d[m].rec[n]]); n++ :: else -> break od;
				d[m].acked = most(d[m].acked, s.seq)
			:: ok && answered && (s.row != d[m].epoch || s.seq > d[m].head || !same(H(d[m].rec, s.seq), s.hash)) -> d[m].stop = true
			:: else
			fi;
			clear() }

		/* The same, brought late. */
		:: d_step { d[m].greeted && !d[m].stop && d[m].acked < d[m].head && empty(late) ->
			late!true, d[m].epoch, d[m].acked + 1, d[m].rec[d[m].acked + 1], H(d[m].rec, d[m].acked); clear() }
		:: d_step { empty(late) -> late!false, d[m].epoch, d[m].head, H(d[m].rec, d[m].head), d[m].greeted; clear() }
		:: atomic { late?push, ep, sq, id, pv ->
			d_step {
			if :: push -> ae = ep; aq = sq; ar = id; ap = pv; take() :: else -> ae = ep; aq = sq; ap = id; compared = pv > 0; greet(false) fi;
			clear(); push = false; ep = 0; sq = 0; id = 0; pv = 0 } }
		:: d_step { nempty(late) -> late?push, ep, sq, id, pv; push = false; ep = 0; sq = 0; id = 0; pv = 0; clear() }

		/* A crash, or a program that is started anew. */
		:: d_step { d[m].greeted -> d[m].greeted = false; d[m].past = false; d[m].stop = false; clear() }

#if DISK || TWIN
		:: d_step { !imaged && m == 0 -> imaged = true; copydisk(image, d[0]); clear() }
#endif
#if DISK
		:: d_step { imaged && !restored && m == 0 -> restored = true; copydisk(d[0], image); clear() }
#endif
#if TWIN
		:: d_step { imaged && !twin && m == 0 -> twin = true; copydisk(d[1], image); clear() }
#endif
#if BACKUP
		:: d_step { !backed -> backed = true; copystore(backup, s); clear() }
		/* That takes longer than the 180 s for which a request is good, so that nothing under way survives it. */
		:: d_step { backed && !setback && empty(late) -> setback = true; copystore(s, backup); met[0] = false; met[1] = false; clear() }
#endif

		:: d_step { met[m] && d[m].greeted && !d[m].stop && d[m].past && empty(late) && s.epoch == d[m].epoch && d[m].acked == d[m].head &&
				((s.row == d[m].epoch && s.seq == d[m].head && same(s.hash, H(d[m].rec, d[m].head))) || (s.row < d[m].epoch && d[m].head == 0)) ->
			rules(); clear() }
		fi
	od
}
