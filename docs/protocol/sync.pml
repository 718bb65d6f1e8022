/*
 * The sync protocol of one lane, as a model for Spin. README.md beside it says what is in it and what is not.
 *
 *   -DHASH=0     everybody compares sequences only, as most protocols do
 *   -DRESEND=0   a terminal that is told to begin a new epoch takes along only what was never acknowledged
 *   -DDISK=0     no disk is set back or cloned         -DBACKUP=0  the platform is not set back
 *
 * With all of them as they are, no assertion fails; with HASH or RESEND 0 one does.
 *
 * A record is a number from 1 that is given once and never again, its id. The hash of a place is stood for by the record
 * there: within one epoch two histories that agree on the record at a place agree on all before it.
 */
#ifndef HASH
#define HASH 1
#endif
#ifndef RESEND
#define RESEND 1
#endif
#ifndef DISK
#define DISK 1
#endif
#ifndef BACKUP
#define BACKUP 1
#endif

#define N 3         /* records that are ever written, and places in a lane */
#define EPOCHS 3    /* epochs before a run of the model is over */

mtype = { hello, push, welcome, ack };

chan up   = [2] of { mtype, byte, byte, byte, byte }        /* kind, epoch, place, record, record before it */
chan down = [1] of { mtype, byte, byte, byte, byte }  /* kind, epoch, place, record; a welcome's row has an epoch of its own */

/* The terminal's disk: the lane's epoch, its places, and what was acknowledged in earlier epochs. */
typedef disk { byte epoch; byte head; byte acked; byte rec[4]; bool old[4]; }
disk t, image;
byte fresh = 1;          /* the next record */
bool imaged, restored;
bool greeted;            /* in memory: gone at a crash */

/* The platform's store: the epoch it ordered or took, the lane's row, the record at each place of the row's epoch, all ids. */
typedef store { byte epoch; byte row; byte seq; byte at[4]; bool holds[4] }
store s, backup;
bool backed, setback;

byte i, k, m, a, keep, was[4];

#define copydisk(x, y) x.epoch = y.epoch; x.head = y.head; x.acked = y.acked; \
	x.rec[1] = y.rec[1]; x.rec[2] = y.rec[2]; x.rec[3] = y.rec[3]; \
	x.old[1] = y.old[1]; x.old[2] = y.old[2]; x.old[3] = y.old[3]
#define copystore(x, y) x.epoch = y.epoch; x.row = y.row; x.seq = y.seq; \
	x.at[1] = y.at[1]; x.at[2] = y.at[2]; x.at[3] = y.at[3]; \
	x.holds[1] = y.holds[1]; x.holds[2] = y.holds[2]; x.holds[3] = y.holds[3]
#define same(x, y) (!HASH || (x) == (y))

/* What the platform does not show to hold is chained anew under a higher epoch, ids kept: what comes after `keep`
 * places, and with `again` also what earlier epochs archived. The rest of what was acknowledged is archived. */
inline renew(e, again) {
	d_step {
		m = t.head; a = keep; k = 0;
		i = 1; do :: i <= N -> was[i] = t.rec[i]; t.rec[i] = 0; i++ :: else -> break od;
		i = 1; do :: i <= a -> t.old[was[i]] = true; i++ :: else -> break od;
		if
		:: again ->
			i = 1; do
			:: i <= N ->
				if :: t.old[i] -> k++; t.rec[k] = i; t.old[i] = false :: else fi;
				i++
			:: else -> break od
		:: else
		fi;
		i = a + 1; do
		:: i <= m -> k++; t.rec[k] = was[i]; i++
		:: else -> break od;
		t.head = k; t.acked = 0; t.epoch = e;
		m = 0; a = 0; k = 0; keep = 0; i = 0; was[1] = 0; was[2] = 0; was[3] = 0
	}
}

active proctype terminal() {
	byte e, n, r, re;
	t.epoch = 1;
	do
	/* A citizen is promised something: the record is on disk before the promise. */
	:: atomic { fresh <= N && t.head < N -> t.head++; t.rec[t.head] = fresh; fresh++ }

	/* Hello and push go out at any time, again and again: a time-out is no different, and a crash loses what is in memory. */
	:: atomic { t.epoch < EPOCHS && nfull(up) -> up!!hello, t.epoch, t.head, t.rec[t.head], 0 }
	:: atomic { greeted && t.acked < t.head && nfull(up) -> up!!push, t.epoch, t.acked + 1, t.rec[t.acked + 1], t.rec[t.acked] }
	:: greeted -> greeted = false

	:: atomic { down?? <welcome, e, n, r, re> ->
		if
		:: e > t.epoch && !RESEND -> keep = t.acked; renew(e, false); greeted = true
		:: e > t.epoch && RESEND && re == t.epoch && n <= t.head && (n == 0 || same(t.rec[n], r)) -> keep = (n < t.acked -> n : t.acked); renew(e, false); greeted = true
		:: e > t.epoch && RESEND && re == t.epoch && !(n <= t.head && (n == 0 || same(t.rec[n], r))) -> keep = (n >= t.acked -> t.acked : 0); renew(e, false); greeted = true
		:: e > t.epoch && RESEND && re < t.epoch -> keep = 0; renew(e, true); greeted = true
		:: e > t.epoch && RESEND && re > t.epoch -> keep = t.acked; renew(e, false); greeted = true
		:: e == t.epoch && re == e && n < t.acked ->      /* the platform was set back */
			if :: n == 0 || same(t.rec[n], r) -> t.acked = n; greeted = true :: else fi
		:: e == t.epoch && re < e && t.acked > 0 -> t.acked = 0; greeted = true
		:: e == t.epoch && re == e && n > t.acked && n < t.head && !same(t.rec[n], r) -> keep = t.acked; renew(e + 1, false); greeted = false
		:: e == t.epoch && re == e && (n > t.head || (n > 0 && n == t.head && !same(t.rec[n], r))) -> skip
		:: else -> if :: e == t.epoch -> greeted = true :: else fi
		fi; e = 0; n = 0; r = 0; re = 0 }

	:: atomic { down?? <ack, e, n, r, re> ->
		if
		:: e == t.epoch && n > t.acked && n <= t.head && same(t.rec[n], r) ->
			/* The invariant: what the terminal forgets, the platform has held; the same, not another at its place. */
			i = t.acked + 1;
			do :: i <= n -> assert(s.holds[t.rec[i]] || setback); i++ :: else -> break od;
			t.acked = n
		:: else
		fi; e = 0; n = 0; r = 0; re = 0 }

#if DISK
	/* Somebody images the disk, and later puts the image back, or starts a clone of the machine from it. */
	:: atomic { !imaged -> imaged = true; copydisk(image, t) }
	:: atomic { imaged && !restored -> restored = true; copydisk(t, image); greeted = false }
#endif

	/* When both sides agree that nothing is to be sent, everything on the disk is held. */
	:: atomic { greeted && len(up) == 0 && len(down) == 0 && s.epoch == t.epoch && t.acked == t.head &&
			((s.row == t.epoch && s.seq == t.head && same(s.at[s.seq], t.rec[t.head])) || (s.row < t.epoch && t.head == 0)) ->
		i = 1;
		do :: i <= N -> assert(!t.old[i] || s.holds[i]); i++ :: else -> break od;
		i = 1;
		do :: i <= t.head -> assert(s.holds[t.rec[i]]); i++ :: else -> break od }
	od
}

active proctype platform() {
	byte e, n, r, p;
	s.epoch = 1; s.row = 1;
	do
	:: atomic { up?? <hello, e, n, r, p> ->
		if
		:: e > s.epoch -> s.epoch = (RESEND -> e + 1 : e)      /* an epoch that the store does not know: it was set back */
		:: e <= s.epoch && HASH && s.seq > 0 && (s.row > e || (s.row == e && (n < s.seq || (n == s.seq && r != s.at[n])))) ->
			if :: e == s.epoch || s.row == s.epoch -> s.epoch++ :: else fi
		:: else
		fi;
		if
		:: s.epoch > EPOCHS -> break
		:: else -> if :: nfull(down) -> down!!welcome, s.epoch, s.seq, s.at[s.seq], s.row :: full(down) -> skip fi
		fi; e = 0; n = 0; r = 0; p = 0 }

	/* A batch of one record: check, hold and acknowledge in one transaction. What is refused is as good as lost. */
	:: atomic { up?? <push, e, n, r, p> ->
		if
		:: e == s.epoch && e > s.row && n == 1 -> s.row = e; s.seq = 1; s.at[1] = r; s.at[2] = 0; s.at[3] = 0; s.holds[r] = true; k = 1
		:: e == s.row && e == s.epoch && n == s.seq + 1 && (s.seq == 0 || same(p, s.at[s.seq])) -> s.seq = n; s.at[n] = r; s.holds[r] = true; k = 1
		:: e == s.row && e == s.epoch && n <= s.seq && same(r, s.at[n]) -> k = 1
		:: else -> k = 0
		fi;
		if
		:: k == 1 && nfull(down) -> down!!ack, e, s.seq, s.at[s.seq], 0
		:: k == 0 || full(down) -> skip
		fi; e = 0; n = 0; r = 0; p = 0; k = 0 }

#if BACKUP
	:: atomic { !backed -> backed = true; copystore(backup, s) }
	/* That takes longer than the 180 s for which a request is good, so that nothing under way survives it. */
	:: atomic { backed && !setback -> setback = true; copystore(s, backup);
		do :: nempty(up) -> up?_, _, _, _, _ :: empty(up) -> break od;
		do :: nempty(down) -> down?_, _, _, _, _ :: empty(down) -> break od }
#endif
	od
}

/* The line loses. It delivers twice by itself, since receiving leaves a message where it is, and in any order, since any
 * message may be received. Messages are sorted, so that the same ones in another order are not another state. */
active proctype line() {
	do
	:: up??_, _, _, _, _
	:: down??_, _, _, _, _
	od
}
