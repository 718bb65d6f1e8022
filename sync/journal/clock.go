package journal

// The clock: what is written as time when the machine's clock cannot be relied on.
//
// The floor is the latest time that was written, or that the platform signed. A machine whose clock is behind it (a dead
// battery begins in 1970) goes on from the floor by what has gone by since it was opened, and a clock that jumps either way
// while the journal is open is noticed against the time that does not jump. From then on every record says that its time is
// uncertain, until a time that the platform signed arrives: it sets the floor, also back when the machine had been ahead, and
// the audit chain says what was written before and what it was in truth. Order is by sequence; nothing here decides about it.
//
// Where no line crosses the gap, a signed time is days old when it comes: it has certainly been, and what it is now it does not
// say. Such a time is a floor ([Journal.TrustFloor]): it lifts what is written from a clock that is behind it, and never makes the
// clock certain, and never takes the time back. That a clock is right is said there by a person ([Journal.ConfirmTime]).

import (
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// jump is how far the machine's clock may be set in one step before it counts as uncertain.
const jump = time.Minute

// knownEvery is how often a signed time is put down that changes nothing.
const knownEvery = 24 * time.Hour

const (
	// metaKnown is the latest time that the platform signed, in ms.
	metaKnown = "clock.known"
	// metaFix is by how much the machine's clock was wrong then, in ms; absent or empty when it was right.
	metaFix = "clock.fix"
)

// clock is under the journal's mu.
type clock struct {
	at      time.Time     // what was said last, or the floor
	since   time.Duration // when, by the time that does not jump
	running bool          // at was said by this process
	fix     time.Duration // what the machine's clock lacks, by a signed time; 0 when that is less than a jump
	offset  time.Duration // the platform's clock minus the machine's, as estimated
	asked   bool          // offset is known
	unsure  bool
	told    bool // the audit chain says so
	known   time.Time
}

// past is how long the journal has been open, by a clock that does not jump.
func (j *Journal) past() time.Duration {
	if j.opt.Mono != nil {
		return j.opt.Mono()
	}
	return time.Since(j.started)
}

// stamp is the time to write, by how much the platform's clock is estimated to be ahead of that, and whether it is uncertain.
func (j *Journal) stamp() (wall time.Time, off time.Duration, unsure bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &j.clock
	machine := j.opt.Now().UTC().Truncate(time.Millisecond)
	past := j.past()
	expected := c.at
	if c.running {
		expected = c.at.Add(past - c.since)
	}
	t := machine.Add(c.fix)
	if c.fix != 0 && t.Sub(expected).Abs() > jump && machine.Sub(expected).Abs() <= jump {
		c.fix, t = 0, machine // somebody has set the machine's clock right
	}
	switch {
	case t.Before(expected.Add(-jump)):
		c.unsure = true
		t = expected
	case c.running && t.After(expected.Add(jump)):
		c.unsure = true
	case t.Before(c.at):
		t = c.at
	}
	t = t.Truncate(time.Millisecond)
	c.at, c.since, c.running = t, past, true
	if c.asked {
		off = (c.offset - t.Sub(machine)).Truncate(time.Millisecond)
	}
	return t, off, c.unsure
}

// now is the best that is known of the time, at the resolution of the wire.
func (j *Journal) now() time.Time {
	t, _, _ := j.stamp()
	return t
}

// Now is the best that is known of the time: the machine's clock, unless that is known to be wrong.
func (j *Journal) Now() time.Time { return j.now().Local() }

// ClockUnsure says that what the machine's clock shows contradicts what is known of the time, and no signed time has come
// since.
func (j *Journal) ClockUnsure() bool {
	_, _, unsure := j.stamp()
	return unsure
}

// Certain is the latest time that has certainly been: now, or what the platform signed last while the clock is unsure; zero when it
// never did. What is destroyed for its age is measured by it: a clock that may be ahead makes nothing old.
func (j *Journal) Certain() time.Time {
	t, _, unsure := j.stamp()
	if unsure {
		t = j.Known()
	}
	if t.IsZero() {
		return t
	}
	return t.Local()
}

// Known is the latest time that the platform signed; zero when it never did. It has certainly been.
func (j *Journal) Known() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.clock.known
}

// SetClockOffset says how far the platform's clock is estimated to be ahead of this machine's; records carry it.
func (j *Journal) SetClockOffset(d time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.clock.offset, j.clock.asked = d, true
}

// TrustTime says what time it is by a time that the platform signed, as the clock that does not jump has it now. What is written
// from here on has the right time, whatever the machine's clock shows; when that is another than what was written before, the
// audit chain tells both. It is a time and not a difference to the machine's clock, which may have been set since it was compared:
// added to that, the difference would make a time that has not been, and a floor that no true time gets over.
func (j *Journal) TrustTime(signed time.Time) error {
	was, _, unsure := j.stamp()
	signed = signed.UTC().Truncate(time.Millisecond)
	j.mu.Lock()
	c := &j.clock
	old := *c
	machine := j.opt.Now().UTC().Truncate(time.Millisecond)
	d := signed.Sub(machine)
	c.offset, c.asked, c.fix, c.unsure, c.told = d, true, 0, false, false
	if d.Abs() > jump {
		c.fix = d
	}
	is := machine.Add(c.fix)
	c.at, c.since = is, j.past()
	changed := unsure || old.fix != c.fix || is.Sub(was).Abs() > jump
	known, fixed := c.known, c.fix
	j.mu.Unlock()
	if !changed && signed.Before(known.Add(knownEvery)) {
		return nil
	}
	err := j.Update(func(tx *Tx) error {
		meta := tx.bucket(bucketMeta)
		if err := meta.Put([]byte(metaKnown), fmt.Append(nil, signed.UnixMilli())); err != nil {
			return err
		}
		fix := ""
		if fixed != 0 {
			fix = fmt.Sprint(fixed.Milliseconds())
		}
		if err := meta.Put([]byte(metaFix), []byte(fix)); err != nil || !changed {
			return err
		}
		if err := tx.lowerFloor(is); err != nil {
			return err
		}
		return tx.Audit(EventClockSet, wire.WhoPlatform, map[string]string{"was": was.Format(time.RFC3339), "is": is.Format(time.RFC3339)})
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		*c = old // it is put down first, or a restart would not know
		return err
	}
	if signed.After(c.known) {
		c.known = signed
	}
	return nil
}

// TrustFloor takes a time that the platform signed at some time before now: in a file, which may have lain in a drawer. What is
// written from here on is not before it. One that is not later than what was signed before changes nothing.
func (j *Journal) TrustFloor(signed time.Time) error {
	j.stamp()
	signed = signed.UTC().Truncate(time.Millisecond)
	j.mu.Lock()
	c := &j.clock
	old, later := *c, signed.After(c.known)
	if later {
		c.known = signed
		if signed.After(c.at) {
			c.at, c.since, c.running = signed, j.past(), true
		}
	}
	j.mu.Unlock()
	if !later {
		return nil
	}
	err := j.Update(func(tx *Tx) error {
		return tx.bucket(bucketMeta).Put([]byte(metaKnown), fmt.Append(nil, signed.UnixMilli()))
	})
	if err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.clock = old
	}
	return err
}

// confirmWithin is how far a person's watch and the machine's clock may lie apart when one confirms the other.
const confirmWithin = 2 * time.Minute

// ConfirmTime says that the machine's clock shows the right time, by a person who reads it from another clock. What is written
// from here on has the machine's time, also when that is before what was written; the audit chain tells who said so and both
// times. It errs with [ErrClock] when the machine shows another time than the person's clock, and when that time cannot be: it is
// before one that the platform signed, or before the program was built.
func (j *Journal) ConfirmTime(who string, watch time.Time) error {
	was, _, _ := j.stamp()
	j.mu.Lock()
	c := &j.clock
	old := *c
	is := j.opt.Now().UTC().Truncate(time.Millisecond)
	low := c.known
	if j.opt.Floor.After(low) {
		low = j.opt.Floor.UTC()
	}
	if watch.Sub(is).Abs() > confirmWithin {
		j.mu.Unlock()
		return fmt.Errorf("%w: the machine shows %s, which is not within %v of %s", ErrClock, is.Format(time.RFC3339), confirmWithin, watch.UTC().Format(time.RFC3339))
	}
	if is.Before(low.Add(-jump)) {
		j.mu.Unlock()
		return fmt.Errorf("%w: the machine shows %s, and %s has certainly been", ErrClock, is.Format(time.RFC3339), low.Format(time.RFC3339))
	}
	c.at, c.since, c.running = is, j.past(), true
	c.fix, c.unsure, c.told = 0, false, false
	j.mu.Unlock()
	err := j.Update(func(tx *Tx) error {
		if err := tx.bucket(bucketMeta).Put([]byte(metaFix), nil); err != nil {
			return err
		}
		if err := tx.lowerFloor(is); err != nil {
			return err
		}
		return tx.Audit(EventClockConfirmed, who, map[string]string{"was": was.Format(time.RFC3339), "is": is.Format(time.RFC3339)})
	})
	if err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.clock = old // it is put down first, or a restart would not know
	}
	return err
}

// lowerFloor takes the floor back to a time that was signed: what was written beyond it was written by a clock that was ahead.
func (tx *Tx) lowerFloor(to time.Time) error {
	for _, lane := range wire.Lanes {
		st, err := readLane(tx.tx, lane)
		if err != nil {
			return err
		}
		if st.Wall <= to.UnixMilli() {
			continue
		}
		st.Wall = to.UnixMilli()
		if err := tx.writeLane(lane, st); err != nil {
			return err
		}
	}
	return nil
}

// tellClock writes once, beside the first change under an uncertain clock, that it is. It writes nothing by itself.
func (tx *Tx) tellClock() error {
	j := tx.j
	j.mu.Lock()
	c := j.clock
	j.mu.Unlock()
	if !c.unsure || c.told {
		return nil
	}
	tx.tx.OnCommit(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.clock.told = true
	})
	return tx.Audit(EventClockUnsure, wire.WhoSystem, map[string]string{"machine": j.opt.Now().UTC().Format(time.RFC3339), "written": c.at.Format(time.RFC3339)})
}

// readFloor finds the floor in what was opened.
func (j *Journal) readFloor() error {
	return j.view(func(tx *bolt.Tx) error {
		c := clock{at: j.opt.Floor.UTC()}
		for _, lane := range wire.Lanes {
			st, err := readLane(tx, lane)
			if err != nil {
				return err
			}
			if t := time.UnixMilli(st.Wall).UTC(); st.Wall > 0 && t.After(c.at) {
				c.at = t
			}
		}
		var ms int64
		meta := tx.Bucket(bucketMeta)
		if _, err := fmt.Sscan(string(meta.Get([]byte(metaKnown))), &ms); err == nil {
			if c.known = time.UnixMilli(ms).UTC(); c.known.After(c.at) {
				c.at = c.known
			}
		}
		// A clock that was wrong when the platform was last asked is not relied on until it is asked again.
		c.unsure = len(meta.Get([]byte(metaFix))) > 0
		j.mu.Lock()
		defer j.mu.Unlock()
		j.clock = c
		return nil
	})
}
