/*
 * The sync protocol of one lane, as a model for Spin. README.md beside it says what is in it, what is not, and what was shown.
 *
 * What may happen; answers may be lost and programs may be started anew at any time, whatever else may:
 *   -DLINE=1     the line keeps a request back and delivers it late, or never
 *   -DDISK=1     the disk is imaged, and the image is put back later; with 2, twice
 *   -DTWIN=1     a second machine is started from an image of the first one's disk; both talk at the same time in one name
 *   -DRECOVER=1  the journal is recovered from its spill and begins an epoch by itself
 *   -DBACKUP=1   the platform is backed up, and set back to that later
 *   -DROWS=1     what the platform knows of the lane and the terminal is set back to a backup, and the records are not
 *   -DDOUBT=1    what the platform committed is in doubt until its standby has it; the standby takes over at any time
 *   -DCHANGES=1  nothing more, but a machine counts the changes of its journal, and a hello shows how many there were; with 2, one
 *                change may happen that is about no record
 * What may be broken:
 *   -DHASH=0     everybody compares sequences only, as most protocols do
 *   -DFORK=0     the platform does not compare the head that a hello shows with what it holds
 *   -DSHOWN=0    the platform does not remember how far a terminal had come
 *   -DLESS=0     of a disk from an earlier epoch it tells only what is missing of the latest
 *   -DUNHEARD=0  of an epoch that it ordered and never heard of it tells nothing when the disk comes back from before it
 *   -DUNSEEN=0   and when it tells that, it takes what the disk shows for compared
 *   -DSURE=0     what a disk shows that was set back is taken for what lay there, although nobody compared
 *   -DCOUNT=0    the platform does not compare the number of changes
 *   -DGROWN=0    of a disk that has fewer changes it takes a lane for what lay there when it shows no less than before
 *   -DRESEND=0   a terminal that begins an epoch which was ordered takes along only what was never acknowledged
 *   -DAWAY=0     it does not show again what was acknowledged when the platform did not answer meanwhile
 *   -DPAST=0     nor before it begins an epoch that was ordered
 *   -DIDS=0      the platform looks for what was acknowledged by its place and not by its id
 *   -DORDERED=0  the platform takes records of an epoch that it never ordered
 *   -DTAKEN=0    the platform acknowledges a record whose place another one has
 *   -DFREE=0     nor orders it an epoch in which there is a place for it
 *   -DDURABLE=0  a push is acknowledged without waiting for the standby
 *   -DAGAIN=0    one that changes nothing is
 *   -DSTALE=0    a hello that the line brought late is taken for one of now
 *   -DUP=0       a terminal goes on sending when its hello was not answered
 * And what is asked:
 *   -DTOLD=0     the third rule is not asked for; with 2, also of a disk that is recovered after it was set back and before it was heard;
 *                with 3, of such a one if it has had fewer changes than were shown
 *
 * A record is a number from 1 that is given once and never again, its id. The hash of a place is the whole history up to it, in base
 * 4. A request and its answer are one step, unless the answer is lost or the line keeps the request back; then nobody waits for it.
 * What happened is printed: pan -i finds a short way to a violation, and spin -t tells it.
 */
#ifndef LINE
#define LINE 0
#endif
#ifndef DISK
#define DISK 0
#endif
#ifndef TWIN
#define TWIN 0
#endif
#ifndef RECOVER
#define RECOVER 0
#endif
#ifndef BACKUP
#define BACKUP 0
#endif
#ifndef ROWS
#define ROWS 0
#endif
#ifndef DOUBT
#define DOUBT 0
#endif
#ifndef CHANGES
#define CHANGES 0
#endif
#ifndef HASH
#define HASH 1
#endif
#ifndef FORK
#define FORK 1
#endif
#ifndef SHOWN
#define SHOWN 1
#endif
#ifndef LESS
#define LESS 1
#endif
#ifndef RESEND
#define RESEND 1
#endif
#ifndef PAST
#define PAST 1
#endif
#ifndef AWAY
#define AWAY 1
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
#ifndef FREE
#define FREE 1
#endif
#ifndef DURABLE
#define DURABLE 1
#endif
#ifndef STALE
#define STALE 1
#endif
#ifndef UP
#define UP 1
#endif
#ifndef AGAIN
#define AGAIN 1
#endif
#ifndef UNHEARD
#define UNHEARD 1
#endif
#ifndef UNSEEN
#define UNSEEN 1
#endif
#ifndef SURE
#define SURE 1
#endif
#ifndef COUNT
#define COUNT 1
#endif
#ifndef GROWN
#define GROWN 1
#endif
#ifndef TOLD
#define TOLD 1
#endif
#ifndef N
#define N 2         /* records that are ever written, at most 3 */
#endif
#ifndef EPOCHS
#define EPOCHS 3    /* epochs before a run of the model is over */
#endif
#ifndef CALM
#define CALM 2      /* epochs that may begin after trouble ends, until all is well */
#endif
#ifndef HELLOS
#define HELLOS 5    /* and hellos */
#endif
#define MOST (EPOCHS + CALM)
#define OTHERS (DISK || TWIN)   /* another disk than the terminal's own has spoken in its name */

#if N == 1
#define LAST(l) (l.id[1] > 0 -> 1 : 0)
#define HIST(l, k) ((k) == 0 -> 0 : l.id[1])
#elif N == 2
#define LAST(l) (l.id[2] > 0 -> 2 : (l.id[1] > 0 -> 1 : 0))
#define HIST(l, k) ((k) == 0 -> 0 : ((k) == 1 -> l.id[1] : l.id[1] * 4 + l.id[2]))
#else
#define LAST(l) (l.id[3] > 0 -> 3 : (l.id[2] > 0 -> 2 : (l.id[1] > 0 -> 1 : 0)))
#define HIST(l, k) ((k) == 0 -> 0 : ((k) == 1 -> l.id[1] : ((k) == 2 -> l.id[1] * 4 + l.id[2] : (l.id[1] * 4 + l.id[2]) * 4 + l.id[3])))
#endif
#define same(x, y) (!HASH || (x) == (y))
#define least(x, y) ((x) < (y) -> (x) : (y))
#define most(x, y) ((x) > (y) -> (x) : (y))

#if CHANGES
#define changes(D) D.change
#define changed(D) D.change++
#define fewer(S, K) (COUNT && (K) > 0 && (K) < S.sc)
#define thenof(D, E) had = D.then[E]
#define shownof(S) S.sc = ac
#define leaves(D) D.then[D.epoch] = D.change; D.change++
#else
#define changes(D) 0
#define changed(D) skip
#define fewer(S, K) false
#define thenof(D, E) skip
#define shownof(S) skip
#define leaves(D) skip
#endif

typedef list { byte id[N + 1] }

/* A machine: what is on its disk, and in its memory, which a crash empties. */
typedef machine {
	byte epoch; byte head; byte acked;
	list rec;                        /* the lane's records in this epoch */
	list old[MOST + 1];              /* what was acknowledged in earlier epochs */
	byte left[MOST + 1];             /* one more than where it ended in an epoch that it left, 0 if it was never there */
#if CHANGES
	byte change; byte then[MOST + 1];   /* how many changes the journal has had, and had had when it left an epoch */
#endif
	bool greeted; bool up; bool past; bool stop   /* memory: has compared, was answered, has shown its past, stands still */
}

/* The platform's store. */
typedef store {
	byte epoch;                      /* ordered */
	byte row; byte seq; byte hash;   /* the lane's place */
	list at[MOST + 1]; list upto[MOST + 1];   /* the records by epoch and place, and the hashes there */
	bool holds[N + 1];               /* by id */
	byte se; byte ss; byte sh;       /* what was shown or delivered last: epoch, place, hash there */
#if CHANGES
	byte sc;                         /* and the number of changes that was shown */
#endif
	byte boot                        /* the run of the latest hello: 1 and 2 are the machines', 3 is one that is over, 0 is none */
}

/* For the rules only: the epoch and place in which a record was written, whether the platform heard of it, whether it was lost with a whole
 * epoch that the platform had ordered and never heard of, and whether it was told to be lost. */
typedef book { byte epoch[N + 1]; byte place[N + 1]; bool heard[N + 1]; bool whole[N + 1]; bool told[N + 1] }

machine d[2], image;
store s, backup;                         /* with DOUBT, backup is the standby */
book b;
byte fresh = 1;                          /* the next record */
byte m;                                  /* the machine that acts */
bool twin, imaged, recovered, backed, setback, over;
byte restored;                           /* how often the image was put back */
#if CHANGES > 1
byte besides;                            /* changes that were about no record */
#endif
bool stale, crossed;                     /* of the request that the line keeps back */
chan late = [1] of { bool, byte, byte, byte, byte }   /* a push or a hello: epoch, place, record or hash there; hash before it, or compared and changes */

/* Scratch: no step leaves anything here. */
hidden machine cd, nomachine;
hidden store cs, nostore;
hidden book cb, nobook;
hidden byte i, k, n, q, x, y, z, te, tq, to, count, round, ae, aq, ar, ap, ac, ours, had, we, wn, wh, ws, wsh;
hidden list was;
hidden byte wanted[MOST + 1], wanted_h[MOST + 1];
hidden byte answered, showing, compared, ok, twice, forked, less, known, earlier, foreign, again, away, beyond, missed;

inline copymachine(X, Y) {
	X.epoch = Y.epoch; X.head = Y.head; X.acked = Y.acked; X.greeted = Y.greeted; X.up = Y.up; X.past = Y.past; X.stop = Y.stop;
	for (x : 1 .. N) { X.rec.id[x] = Y.rec.id[x] }
	for (y : 1 .. MOST) { X.left[y] = Y.left[y]; for (x : 1 .. N) { X.old[y].id[x] = Y.old[y].id[x] } }
#if CHANGES
	X.change = Y.change; for (y : 1 .. MOST) { X.then[y] = Y.then[y] }
#endif
}

inline copystore(X, Y) {
	X.epoch = Y.epoch; X.row = Y.row; X.seq = Y.seq; X.hash = Y.hash; X.se = Y.se; X.ss = Y.ss; X.sh = Y.sh; X.boot = Y.boot;
#if CHANGES
	X.sc = Y.sc;
#endif
	for (x : 1 .. N) { X.holds[x] = Y.holds[x] }
	for (y : 1 .. MOST) { for (x : 1 .. N) { X.at[y].id[x] = Y.at[y].id[x]; X.upto[y].id[x] = Y.upto[y].id[x] } }
}

inline copybook(X, Y) {
	for (x : 1 .. N) { X.epoch[x] = Y.epoch[x]; X.place[x] = Y.place[x]; X.heard[x] = Y.heard[x]; X.whole[x] = Y.whole[x]; X.told[x] = Y.told[x] }
}

/* The platform did not answer. */
inline miss(D) { D.up = false; if :: AWAY -> D.past = false :: else fi }

/* Crash: what is in memory is gone. */
inline forget(D) { D.greeted = false; D.up = false; D.past = false; D.stop = false }

/* Records that were written at a place of an epoch, or behind it, are told to be lost. */
inline tell(B, TE, FROM) {
	for (x : 1 .. N) { if :: B.epoch[x] == TE && B.place[x] >= FROM -> B.told[x] = true :: else fi }
}

/* The platform takes one record (ar), for a place (ae, aq) behind a history (ap): ok says that it holds it then, twice that it did before. */
inline take(S) {
	ok = false; twice = false; q = (ae > S.row -> 0 : S.seq); y = (ae > S.row -> 0 : S.hash);
	if
	:: (ORDERED && ae != S.epoch) || ae < S.row || ae < S.epoch || aq > q + 1 -> skip
	:: else ->
		if
		:: aq == q + 1 && !same(y, ap) -> skip
		:: aq == q + 1 && same(y, ap) ->
			if
			:: S.holds[ar] -> ok = true                         /* it keeps the place that it has */
			:: !S.holds[ar] && S.at[ae].id[aq] == 0 -> ok = true; S.holds[ar] = true; S.at[ae].id[aq] = ar; S.upto[ae].id[aq] = ap * 4 + ar
			:: else -> ok = !TAKEN; if :: TAKEN && FREE -> S.epoch++ :: else fi   /* another record has this place: a fork */
			fi;
			if
			:: ok -> S.row = ae; S.epoch = most(S.epoch, ae); S.seq = aq; S.hash = ap * 4 + ar
			:: else
			fi
		:: else -> twice = true; ok = S.at[ae].id[aq] == 0 || same(S.upto[ae].id[aq], ap * 4 + ar)
		fi
	fi;
	if
	:: ok && (S.se == ae && S.ss < S.seq || S.se > 0 && S.se < ae) -> S.se = ae; S.ss = S.seq; S.sh = S.hash
	:: else
	fi;
	if :: LINE && ok && crossed -> stale = true :: else fi
}

/* The platform hears a hello (epoch ae, place aq, hash ap, ac changes) of a machine, with what it shows of its past, or one that came
 * late and shows none, and answers. */
inline greet(S, D, B, SHOWS, LATE) {
	less = false; earlier = false; forked = false; known = false; missed = false; ours = 0; had = ac;
	if
	:: SHOWN && !LATE && S.se > 0 ->
		known = true;
		if
		:: S.se == ae -> ours = aq
		:: S.se < ae && SHOWS && D.left[S.se] > 0 -> ours = D.left[S.se] - 1; thenof(D, S.se)
		:: S.se < ae && (!SHOWS || D.left[S.se] == 0) ->
			/* It went past that epoch without ever having been in it, or nobody knows. */
			known = false; had = 0;
			if
			:: SHOWS -> for (x : 1 .. MOST) { if :: D.left[x] > 0 -> known = x < S.se :: else fi }
			:: else
			fi
		:: else
		fi;
		less = known && (ours < S.ss || fewer(S, had));
		if
		:: less && OTHERS ->
			/* What it SHOWS may be another's from where on nothing is held. */
			z = LAST(S.at[S.se]); z = (SURE && (GROWN || ours < S.ss) -> least(z, ours) : ours) + 1; tell(B, S.se, z);
			for (y : 1 .. MOST) {
				if
				:: LESS && y >= ae && y < S.se -> z = LAST(S.at[y]); z = (y == ae -> (SURE -> least(z, aq) : aq) + 1 : 1); tell(B, y, z)
				:: else
				fi
			}
		:: else
		fi;
		/* Another run, from before an epoch that was ordered and of which nothing was ever heard: its disk may have been there. */
		z = most(S.se, ae);
		missed = UNHEARD && known && S.boot > 0 && S.boot != m + 1 && z < S.epoch;
		if
		:: missed && OTHERS -> for (y : 1 .. MOST) { if :: y > z && y <= S.epoch -> tell(B, y, 1) :: else fi }
		:: else
		fi
	:: else
	fi;
	for (i : 1 .. MOST) {
		wanted[i] = 0; wanted_h[i] = 0;
		if
		:: SHOWS ->
			n = (i == D.epoch -> D.acked : (i < D.epoch -> LAST(D.old[i]) : 0));
			if
			:: n > 0 ->
				k = (i == D.epoch -> D.rec.id[n] : D.old[i].id[n]);
				if
				:: (IDS -> S.holds[k] : S.at[i].id[n] > 0) -> skip
				:: else ->
					q = LAST(S.at[i]); q = least(q, n);
					if :: q > 0 && S.at[i].id[q] == 0 -> q = 0 :: else fi;
					wanted[i] = q + 1; wanted_h[i] = (q == 0 -> 0 : S.upto[i].id[q]);
					if :: i != ae -> earlier = true :: else fi
				fi
			:: else
			fi
		:: else
		fi
	}
	forked = FORK && !LATE && ((S.seq > 0 && S.row > ae) || (S.seq > 0 && S.row == ae && (aq < S.seq || (aq == S.seq && !same(ap, S.hash)))));
	/* The fifth rule: as long as no other disk speaks, nobody says that one does. */
	assert(OTHERS || ROWS || !(forked || less));
	forked = forked || less;
	ws = (SHOWN && !LATE && S.se == ae -> S.ss : 0); wsh = (SHOWN && !LATE && S.se == ae -> S.sh : 0);
	if :: !LATE && (forked || earlier || ae > S.epoch) -> S.epoch = most(S.epoch, ae) + 1 :: else fi;
	we = S.epoch; wn = (S.row == ae -> S.seq : 0); wh = (S.row == ae -> S.hash : 0);
	if :: !LATE && (compared || less || (missed && !UNSEEN) || S.se == 0) -> S.se = ae; S.ss = aq; S.sh = ap; shownof(S) :: else fi;   /* until it has compared, the same is shown again */
	stale = LINE && STALE && nempty(late)
}

/* A new epoch: what the platform wants again first, then what was never acknowledged, ids kept. */
inline renew(D, WANTS) {
	D.left[D.epoch] = D.head + 1; leaves(D); count = 0;
	for (i : 1 .. MOST) {
		if
		:: WANTS && wanted[i] > 0 && i == D.epoch && wanted[i] - 1 <= D.head ->
			q = wanted[i] - 1;
			if :: !same(HIST(D.rec, q), wanted_h[i]) -> q = 0 :: else fi;
			D.acked = least(D.acked, q)
		:: WANTS && wanted[i] > 0 && i < D.epoch ->
			q = wanted[i] - 1; n = LAST(D.old[i]);
			if :: q <= n && !same(HIST(D.old[i], q), wanted_h[i]) -> q = 0 :: else fi;
			for (k : 1 .. N) {
				if :: k > q && k <= n -> count++; was.id[count] = D.old[i].id[k]; D.old[i].id[k] = 0 :: else fi
			}
		:: else
		fi
	}
	for (k : 1 .. N) {
		if
		:: k > D.acked && k <= D.head -> count++; was.id[count] = D.rec.id[k]
		:: k <= D.acked -> D.old[D.epoch].id[k] = D.rec.id[k]
		:: else
		fi
	}
	D.epoch = to; D.acked = 0; D.head = count; D.past = false;
	for (k : 1 .. N) { D.rec.id[k] = (k <= count -> was.id[k] : 0) }
}

/* The machine begins an epoch by itself. */
inline begin(D, B, LIMIT) {
	assert(OTHERS || ROWS || !foreign);
	if :: foreign && OTHERS -> te = least(D.acked, wn); tell(B, D.epoch, te + 1) :: else fi;
	if
	:: D.epoch >= LIMIT -> beyond = true
	:: else -> to = D.epoch + 1; renew(D, false); D.greeted = true
	fi
}

/* The machine's part of a hello that was answered. */
inline compare(D, B, LIMIT) {
	printf("  is answered: epoch %d, held up to %d, shown before %d, fork %d, less %d\n", we, wn, ws, forked, less);
	D.up = true;
	foreign = wn > D.head || (wn <= D.head && !same(HIST(D.rec, wn), wh)) || (ws <= D.head && !same(HIST(D.rec, ws), wsh));
	if
	:: we > D.epoch && PAST && !showing -> D.past = false      /* it asks again, showing its past */
	:: we > D.epoch && !(PAST && !showing) ->
		if :: foreign && OTHERS -> te = least(D.acked, wn); tell(B, D.epoch, te + 1) :: else fi;
		to = we; again = D.past || showing; renew(D, RESEND); D.greeted = true; if :: !PAST -> D.past = again :: else fi
	:: else ->
		D.past = true;
		if
		:: we < D.epoch || forked -> D.stop = forked; D.greeted = true
		:: else ->
			if
			:: ws <= D.head && !same(HIST(D.rec, ws), wsh) -> begin(D, B, LIMIT)
			:: else ->
				if
				:: wn == D.acked && wn < D.head && !same(HIST(D.rec, wn), wh) -> begin(D, B, LIMIT)
				:: wn > D.head || (wn == D.head && !same(HIST(D.rec, wn), wh)) -> D.stop = true; D.greeted = true
				:: wn > D.acked && wn < D.head && !same(HIST(D.rec, wn), wh) -> begin(D, B, LIMIT)
				:: wn < D.acked && wn <= D.head && same(HIST(D.rec, wn), wh) -> D.stop = false; D.acked = wn; changed(D); D.greeted = true
				:: wn < D.acked && wn < D.head && !same(HIST(D.rec, wn), wh) -> begin(D, B, LIMIT)
				:: else -> D.stop = false; D.greeted = true
				fi
			fi
		fi
	fi
}

/* A machine says hello and hears the answer, or not. */
inline hello(S, D, B, LIMIT) {
	if :: OTHERS && D.greeted && (answered || !DOUBT) -> for (i : 1 .. N) { if :: i <= D.head -> B.heard[D.rec.id[i]] = true :: else fi } :: else fi;
	showing = !D.past; ae = D.epoch; aq = D.head; ap = HIST(D.rec, D.head); ac = changes(D); compared = D.greeted;
	greet(S, D, B, showing, false);
	if :: LINE || DISK -> S.boot = m + 1 :: else fi;
	if :: S.epoch > LIMIT -> beyond = true :: else fi;
	if
	:: answered && !beyond -> compare(D, B, LIMIT)
	:: else -> miss(D)
	fi
}

/* A machine sends its next record. */
inline push(S, D) {
	aq = D.acked + 1; ae = D.epoch; ar = D.rec.id[aq]; ap = HIST(D.rec, D.acked);
	take(S)
}

/* And hears the answer. */
inline ack(S, D) {
	if
	:: ok && answered && S.seq <= D.head && S.row == D.epoch && same(HIST(D.rec, S.seq), S.hash) ->
		/* The first rule: what the terminal counts as delivered, the platform holds; that and not another at its place. */
		for (i : 1 .. N) { if :: i >= aq && i <= S.seq -> assert(S.holds[D.rec.id[i]] && (!DOUBT || backup.holds[D.rec.id[i]])) :: else fi }
		if :: S.seq > D.acked -> D.acked = S.seq; changed(D) :: else fi
	:: ok && answered && (S.row != D.epoch || S.seq > D.head || !same(HIST(D.rec, S.seq), S.hash)) -> D.stop = true
	:: else
	fi;
	if :: !answered -> miss(D) :: else fi
}

#define agreed (!cd.stop && cd.past && cs.epoch == cd.epoch && cd.acked == cd.head && \
	((cs.row == cd.epoch && cs.seq == cd.head && same(cs.hash, HIST(cd.rec, cd.head))) || (cs.row < cd.epoch && cd.head == 0)))


/* From wherever they stand: when a machine and the platform talk and nothing goes wrong any more, they soon agree that nothing is
 * left to send, and then what must hold holds. This looks, on copies, and changes nothing. */
inline settle() {
	printf("settling machine %d\n", m);
	copymachine(cd, d[m]); copystore(cs, s);
	if :: OTHERS -> copybook(cb, b) :: else fi;
	answered = true; round = 0; beyond = false;
	do
	:: cd.greeted && cd.up && agreed && round > 0 -> break
	:: else ->
		/* The fourth rule: they come to agree. */
		round++; assert(round <= HELLOS);
		hello(cs, cd, cb, MOST);
		assert(!beyond);
		for (n : 1 .. N) {
			if
			:: cd.greeted && !cd.stop && cd.acked < cd.head && cd.up -> push(cs, cd); assert(cs.epoch <= MOST);
				if
				:: ok && cs.seq <= cd.head && cs.row == cd.epoch && same(HIST(cd.rec, cs.seq), cs.hash) ->
					if :: cs.seq > cd.acked -> cd.acked = cs.seq; changed(cd) :: else fi
				:: ok && !(cs.seq <= cd.head && cs.row == cd.epoch && same(HIST(cd.rec, cs.seq), cs.hash)) -> cd.stop = true
				:: else
				fi
			:: else
			fi
		}
	od;
	/* The second: everything on its disk is held. */
	for (i : 1 .. N) {
		for (k : 1 .. MOST) { assert(cd.old[k].id[i] == 0 || cs.holds[cd.old[k].id[i]]) }
		assert(i > cd.head || cs.holds[cd.rec.id[i]]);
	}
	/* The third: what the platform had heard of, or what lay in an epoch that it had ordered, and nobody has any more was told, unless the platform lost something itself. */
	for (i : 1 .. N) {
		if
		:: TOLD && OTHERS && !BACKUP && !ROWS && (cb.heard[i] || cb.whole[i]) && !cs.holds[i] && !cb.told[i] ->
			away = true;
			for (x : 1 .. N) {
				if :: cd.rec.id[x] == i || (twin && d[1 - m].rec.id[x] == i) -> away = false :: else fi;
				for (y : 1 .. MOST) { if :: cd.old[y].id[x] == i || (twin && d[1 - m].old[y].id[x] == i) -> away = false :: else fi }
			}
			assert(!away)
		:: else
		fi
	}
}

/* The run is over; so that all ends are one state. */
inline end() {
	copymachine(d[0], nomachine); copymachine(d[1], nomachine); copymachine(image, nomachine); copystore(s, nostore); copystore(backup, nostore);
	copybook(b, nobook);
	fresh = 1; twin = false; imaged = false; restored = 0; recovered = false; backed = false; setback = false; stale = false; crossed = false;
#if CHANGES > 1
	besides = 0;
#endif
	if :: nempty(late) -> late?_, _, _, _, _ :: empty(late) fi;
	over = true
}
#define enough if :: beyond -> beyond = false; end() :: else fi

/* What a new run of a machine makes of the latest one that said hello. */
#define ended(K) if :: (LINE || DISK) && s.boot == K + 1 -> s.boot = 3 :: else fi
/* A disk that was set back gives itself away, whatever its lanes show. */
#if CHANGES
#define gives (TOLD == 3 && d[0].change < s.sc)
#else
#define gives false
#endif
#define sends (d[m].greeted && (d[m].up || !UP) && !d[m].stop && d[m].acked < d[m].head)

active proctype world() {
	d_step { s.epoch = 1; s.row = 1; d[0].epoch = 1; changed(d[0]); if :: DOUBT -> copystore(backup, s) :: else fi }
	do
	:: over -> break
	:: else -> atomic {
		if
		:: m = 0
		:: twin -> m = 1
		fi;
		if
		/* A citizen is promised something: the record is on disk before the promise. */
		:: d_step { fresh <= N && d[m].head < N -> d[m].head++; d[m].rec.id[d[m].head] = fresh; changed(d[m]);
			if :: OTHERS -> b.epoch[fresh] = d[m].epoch; b.place[fresh] = d[m].head :: else fi;
			printf("machine %d writes record %d at %d/%d\n", m, fresh, d[m].epoch, d[m].head); fresh++; m = 0 }

		/* Hello, answered or not; an answer waits until what it is an answer to is durable. */
		:: d_step { printf("machine %d says hello at %d/%d\n", m, d[m].epoch, d[m].head);
			answered = true; beyond = false; hello(s, d[m], b, EPOCHS);
			if :: DOUBT -> copystore(backup, s) :: else fi;
			enough; m = 0 }
		:: d_step { printf("machine %d says hello at %d/%d, the answer is lost\n", m, d[m].epoch, d[m].head);
			answered = false; beyond = false; hello(s, d[m], b, EPOCHS); enough; m = 0 }

		/* A record goes, answered or not. */
		:: d_step { sends -> printf("machine %d sends %d/%d\n", m, d[m].epoch, d[m].acked + 1);
			answered = true; push(s, d[m]);
			if :: DOUBT && ok && DURABLE && (AGAIN || !twice) -> copystore(backup, s) :: else fi;
			ack(s, d[m]); beyond = s.epoch > EPOCHS; enough; m = 0 }
		:: d_step { sends -> printf("machine %d sends %d/%d, the answer is lost\n", m, d[m].epoch, d[m].acked + 1);
			answered = false; push(s, d[m]); ack(s, d[m]); beyond = s.epoch > EPOCHS; enough; m = 0 }

		/* A crash, or a program that is started anew. */
		:: d_step { d[m].greeted || d[m].past || d[m].stop -> printf("machine %d is started anew\n", m); forget(d[m]); ended(m); m = 0 }
#if CHANGES > 1
		:: d_step { besides + 1 < CHANGES -> printf("machine %d changes what is about no record\n", m); besides++; changed(d[m]); m = 0 }
#endif
#if LINE
		/* The line keeps a request back; nobody waits for its answer. */
		:: d_step { sends && empty(late) -> printf("machine %d sends %d/%d, the line keeps it back\n", m, d[m].epoch, d[m].acked + 1);
			late!true, d[m].epoch, d[m].acked + 1, d[m].rec.id[d[m].acked + 1], HIST(d[m].rec, d[m].acked); miss(d[m]); m = 0 }
		:: d_step { empty(late) -> printf("machine %d says hello at %d/%d, the line keeps it back\n", m, d[m].epoch, d[m].head);
			late!false, d[m].epoch, d[m].head, HIST(d[m].rec, d[m].head), 2 * changes(d[m]) + d[m].greeted; miss(d[m]);
			crossed = s.boot > 0 && s.boot != m + 1; m = 0 }
		:: d_step { m == 0 && nempty(late) -> printf("what was kept back is delivered\n");
			if
			:: late?true, ae, aq, ar, ap -> crossed = false; take(s)
			:: late?false, ae, aq, ap, ac -> compared = ac % 2; ac = ac / 2; showing = stale; greet(s, d[0], b, false, showing);
				if
				:: !showing -> s.boot = 3;
					/* It heard of that epoch now: what was lost of it the number of changes tells, which is not asked for here. */
					for (x : 1 .. N) { if :: b.epoch[x] == ae -> b.whole[x] = false :: else fi }
				:: else
				fi
			fi;
			beyond = s.epoch > EPOCHS; stale = false; crossed = false; enough; m = 0 }
		:: d_step { m == 0 && nempty(late) -> late?_, _, _, _, _; stale = false; crossed = false; m = 0 }
#endif
#if DISK || TWIN
		:: d_step { !imaged && m == 0 -> printf("the disk is imaged\n"); imaged = true; copymachine(image, d[0]); forget(image); m = 0 }
#endif
#if DISK
		:: d_step { imaged && restored < DISK && m == 0 -> printf("the disk is set back\n"); restored++;
			for (x : 1 .. N) {
				for (k : 1 .. N) {
					if
					:: k <= d[0].head && d[0].rec.id[k] == x && b.epoch[x] > image.epoch && b.epoch[x] > s.se && b.epoch[x] <= s.epoch -> b.whole[x] = true
					:: else
					fi
				}
			}
			copymachine(d[0], image); if :: restored == DISK -> copymachine(image, nomachine) :: else fi; ended(0); m = 0 }
#endif
#if TWIN
		:: d_step { imaged && restored < most(DISK, 1) && !twin && m == 0 -> printf("a second machine is started from the image\n"); twin = true;
			copymachine(d[1], image); if :: !DISK -> copymachine(image, nomachine) :: else fi; m = 0 }
#endif
#if RECOVER
		/* Unless it is asked for not on a disk that was set back and has not been heard yet: nobody tells all that one lacks. */
		:: d_step { !recovered && m == 0 && (TOLD == 0 || TOLD == 2 || !restored || d[0].greeted || gives) -> printf("the journal is recovered\n"); recovered = true; beyond = false;
			if :: d[0].epoch >= EPOCHS -> beyond = true :: else -> forget(d[0]); to = d[0].epoch + 1; renew(d[0], false); ended(0) fi;
			enough; m = 0 }
#endif
#if BACKUP || ROWS
		:: d_step { !backed && m == 0 -> printf("the platform is backed up\n"); backed = true; copystore(backup, s); m = 0 }
		/* Setting it back takes longer than the 180 s for which a request is good: nothing under way survives it, and no terminal was answered. */
		:: d_step { backed && !setback && empty(late) && m == 0 -> printf("the platform is set back\n"); setback = true;
			if
			:: BACKUP -> copystore(s, backup)
			:: else -> s.epoch = backup.epoch; s.row = backup.row; s.seq = backup.seq; s.hash = backup.hash;
				s.se = backup.se; s.ss = backup.ss; s.sh = backup.sh
			fi;
			copystore(backup, nostore); miss(d[0]); miss(d[1]); if :: s.boot > 0 -> s.boot = 3 :: else fi; m = 0 }
#endif
#if DOUBT
		:: d_step { m == 0 -> printf("the standby has everything\n"); copystore(backup, s); m = 0 }
		:: d_step { m == 0 -> printf("the standby takes over\n"); copystore(s, backup); if :: s.boot > 0 -> s.boot = 3 :: else fi; m = 0 }
#endif
		:: d_step { settle(); m = 0 }
		fi }
	od
}
