package journal

// A change: one bbolt transaction, written to the spill on the way.

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Two counters in the sequences of empty buckets, which lie inside the root page that every change writes anyway:
// bucketChange counts changes; bucketSure is the last change of which the disk had confirmed the spill's frame when the
// latest change was made. [bucketSum] lies beside them.
var (
	bucketChange = []byte("change")
	bucketSure   = []byte("sure")
)

// Tx is one change of the record. It is good only inside [Journal.Update].
type Tx struct {
	j       *Journal
	tx      *bolt.Tx
	log     []byte // what was put and deleted, as the spill keeps it
	bulk    bool   // more than a frame holds
	touched bool
	leases  map[string]uint64 // of the cases that were read or put
	worldly bool              // about something outside: its frame is durable too before anybody acts on it
	number  uint64
	sum     uint64 // what the change adds to the sum
	anew    bool   // the sum is made anew
}

// bucket is a bucket whose changes go to the spill too.
type bucket struct {
	*bolt.Bucket
	tx  *Tx
	no  byte
	sub string
}

func (tx *Tx) bucket(name []byte) bucket {
	return bucket{tx.tx.Bucket(name), tx, numberOf(name), ""}
}

// numberOf is a bucket's number in the spill.
func numberOf(name []byte) byte {
	return byte(slices.IndexFunc(spilled, func(b []byte) bool { return string(b) == string(name) }))
}

// records is a lane's bucket of records.
func (tx *Tx) records(lane string) bucket { return tx.bucket(bucketRecords).inner(lane) }

// inner is a bucket inside a bucket.
func (b bucket) inner(name string) bucket {
	b.Bucket, b.sub = b.Bucket.Bucket([]byte(name)), name
	return b
}

// Put puts; bbolt's own Put stays reachable only where the spill is meant not to know.
func (b bucket) Put(k, v []byte) error {
	if v == nil {
		v = []byte{}
	}
	b.tx.note(op{opPut, b.no, b.sub, k, v})
	b.add(k, v)
	return b.Bucket.Put(k, v)
}

// Delete deletes.
func (b bucket) Delete(k []byte) error {
	b.tx.note(op{opDel, b.no, b.sub, k, nil})
	b.add(k, nil)
	return b.Bucket.Delete(k)
}

func (tx *Tx) note(o op) {
	tx.touched = true
	tx.worldly = tx.worldly || bytes.Equal(spilled[o.bucket], bucketEffects)
	if tx.bulk {
		return
	}
	tx.log = appendOp(tx.log, o)
	if len(tx.log) > maxFrame-labelRoom {
		tx.bulk, tx.log = true, nil
	}
}

// Update makes one change: all of fn, or nothing. When it returns nil, the change is on disk in the database; in the spill
// it is on disk too if it is about an effect, and within [spillLag] otherwise. [ErrFull] when the quota or the disk is,
// [ErrDisk] when the disk failed: then nobody can say whether the change is there, and the journal takes no other until it is
// opened again.
func (j *Journal) Update(fn func(tx *Tx) error) error {
	err := j.update(fn)
	if err == nil {
		j.payOwed()
	}
	return err
}

func (j *Journal) update(fn func(tx *Tx) error) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.writable(); err != nil {
		return err
	}
	j.breathe()
	t := &Tx{j: j, leases: map[string]uint64{}}
	var synced <-chan error
	spilled := false
	err := j.db.Update(func(tx *bolt.Tx) (err error) {
		t.tx = tx
		if err := fn(t); err != nil {
			return err
		}
		if !t.touched {
			return errUntouched
		}
		if err := t.tellClock(); err != nil {
			return err
		}
		changes, sure := tx.Bucket(bucketChange), tx.Bucket(bucketSure)
		changeWas, sureWas := changes.Sequence(), sure.Sequence()
		if t.number, err = changes.NextSequence(); err != nil {
			return err
		}
		if err := sure.SetSequence(j.spill.sure); err != nil {
			return err
		}
		if err := t.addUp(changeWas, sureWas); err != nil {
			return err
		}
		if err := j.spill.write(t); err != nil {
			return err
		}
		spilled = true
		if t.worldly {
			synced = j.spill.begin()
		}
		j.crash(crashSpilled)
		return nil
	})
	if errors.Is(err, errUntouched) {
		return nil
	}
	if err != nil {
		return j.undone(err, t, spilled, synced)
	}
	if t.worldly {
		j.spill.synced(<-synced, t.number)
	} else {
		j.syncLater()
	}
	j.crash(crashCommitted)
	if t.bulk || j.spill.due() {
		if err := j.checkpoint(); err != nil {
			j.opt.Log.Error("the spill could not be begun anew", "error", err)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
	j.changed = make(chan struct{})
	return nil
}

// errUntouched rolls back a change that changed nothing.
var errUntouched = errors.New("nothing changed")

// writable says whether a change may begin.
func (j *Journal) writable() error {
	if j.failed != nil {
		return j.failed
	}
	if !j.spill.broken {
		return nil
	}
	if err := j.checkpoint(); err != nil {
		return fmt.Errorf("the spill is broken: %w", err)
	}
	return nil
}

// shows says whether the database shows a change as one that happened, or cannot be read.
func (j *Journal) shows(change uint64) (is bool) {
	err := j.db.View(func(tx *bolt.Tx) error {
		is = tx.Bucket(bucketChange).Sequence() >= change
		return nil
	})
	return is || err != nil
}

// undone is what follows a change that was not committed.
func (j *Journal) undone(err error, t *Tx, spilled bool, synced <-chan error) error {
	// Room is asked for before anything that counts is overwritten: such a change certainly did not happen.
	full := errors.Is(err, bolterrors.ErrMaxSizeReached) || noRoom(err)
	if spilled {
		if synced != nil {
			j.spill.synced(<-synced, t.number-1)
		}
		switch {
		case full && j.shows(t.number):
			// The disk refused the very page that makes it so, and shows it all the same, from a cache that no disk has.
			j.failed = fmt.Errorf("%w: refused, and to be read: %w", ErrDisk, err)
			return j.failed
		case full:
			if verr := j.spill.void(t.number); verr != nil {
				// The change's frame may still be read as one that happened, and nobody may say that it did not.
				j.failed = fmt.Errorf("%w: what did not happen stays written: %w, after %w", ErrDisk, verr, err)
				return j.failed
			}
		default:
			// bbolt wrote some of it, perhaps all. What it holds in memory need not be what the file says.
			j.failed = fmt.Errorf("%w: %w", ErrDisk, err)
			return j.failed
		}
	}
	if full {
		return fmt.Errorf("%w: %v", ErrFull, err)
	}
	return err
}
