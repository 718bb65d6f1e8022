package journal

// Telemetry: a ring that forgets its oldest, beside the lanes that forget nothing.

import (
	"math"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// bucketTel: seq → record. It is not in the spill: nobody promised anything about it.
var bucketTel = []byte("tel")

// telMost samples are kept: three days and a half of one every five minutes.
const telMost = 1000

// Tell keeps a look at the terminal until it is sent or newer ones push it out. It holds numbers and words of a fixed list, so
// nothing personal can be in it.
func (tx *Tx) Tell(t wire.Telemetry) error {
	ring, err := tx.tx.CreateBucketIfNotExists(bucketTel)
	if err != nil {
		return err
	}
	seq, err := ring.NextSequence()
	if err != nil {
		return err
	}
	wall, _, _ := tx.j.stamp()
	b, err := encode(wire.Sample{Seq: seq, Wall: wall, Telemetry: t})
	if err != nil {
		return err
	}
	tx.touched = true
	if seq > telMost {
		if err := forgetTold(ring, seq-telMost); err != nil {
			return err
		}
	}
	return ring.Put(seqKey(seq), b)
}

// Told returns the oldest telemetry, at most so many samples.
func (j *Journal) Told(most int) (all []wire.Sample, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		ring := tx.Bucket(bucketTel)
		if ring == nil {
			return nil
		}
		c := ring.Cursor()
		for k, v := c.First(); k != nil && len(all) < most; k, v = c.Next() {
			var x wire.Sample
			if decode(v, &x) == nil { // one that a disk spoilt is lost, as any may be
				all = append(all, x)
			}
		}
		return nil
	})
	return all, err
}

// Forget drops telemetry up to a sequence: it was sent.
func (j *Journal) Forget(seq uint64) error {
	return j.Update(func(tx *Tx) error {
		ring := tx.tx.Bucket(bucketTel)
		if ring == nil {
			return nil
		}
		tx.touched = true
		return forgetTold(ring, seq)
	})
}

// Gauge is what the journal says of itself for telemetry: numbers only.
type Gauge struct {
	Waiting, Pictures uint64
	Oldest            time.Duration // age of the oldest record that waits
	Used, Quota       int64         // bytes
	Disk              int64         // free beside the database, bytes; 0 when it is not known
}

// Gauge looks at what waits and at the room there is.
func (j *Journal) Gauge() (g Gauge, err error) {
	lanes, err := j.Lanes()
	if err != nil {
		return g, err
	}
	now := j.Now()
	for _, l := range lanes {
		g.Waiting += l.Waiting
		if !l.Oldest.IsZero() {
			g.Oldest = max(g.Oldest, now.Sub(l.Oldest))
		}
	}
	pictures, err := j.PendingBlobs()
	if err != nil {
		return g, err
	}
	g.Pictures = uint64(len(pictures))
	g.Used, g.Quota = j.Size()
	if free := freeRoom(filepath.Dir(j.path)); free != math.MaxInt64 {
		g.Disk = free
	}
	return g, nil
}

func forgetTold(ring *bolt.Bucket, seq uint64) error {
	var gone [][]byte
	c := ring.Cursor()
	for k, _ := c.First(); k != nil && string(k) <= string(seqKey(seq)); k, _ = c.Next() {
		gone = append(gone, append([]byte(nil), k...))
	}
	for _, k := range gone {
		if err := ring.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
