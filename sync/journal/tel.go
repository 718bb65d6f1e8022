package journal

// Telemetry: a ring that forgets its oldest, beside the lanes that forget nothing.

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// bucketTel: seq → record. It is not in the spill: nobody promised anything about it.
var bucketTel = []byte("tel")

// telMost records, each of at most telBody bytes, are kept.
const (
	telMost = 1000
	telBody = 4 << 10
)

// Tell keeps a piece of telemetry until it is sent or newer ones push it out. body is JSON without personal data, at most
// 4 KiB.
func (tx *Tx) Tell(typ string, schema int, body any) error {
	plain, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("telemetry %s: %w", typ, err)
	}
	if len(plain) > telBody {
		return fmt.Errorf("telemetry %s: %d bytes, limit %d", typ, len(plain), telBody)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	ring, err := tx.tx.CreateBucketIfNotExists(bucketTel)
	if err != nil {
		return err
	}
	seq, err := ring.NextSequence()
	if err != nil {
		return err
	}
	wall, off, unsure := tx.j.stamp()
	r := wire.Record{Header: wire.Header{V: wire.Version, Terminal: tx.j.opt.Terminal, Lane: wire.LaneTel, Seq: seq, ID: id.String(),
		Type: typ, Schema: schema, Wall: wall, Mono: tx.j.past().Milliseconds(), Boot: tx.j.opt.Boot,
		ClockOff: off.Milliseconds(), ClockUnsure: unsure}, Body: plain}
	r.BodyHash = wire.HashBody(r.Salt, r.Body)
	b, err := encode(r)
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

// Told returns the oldest telemetry, at most so many records.
func (j *Journal) Told(most int) (all []wire.Record, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		ring := tx.Bucket(bucketTel)
		if ring == nil {
			return nil
		}
		c := ring.Cursor()
		for k, v := c.First(); k != nil && len(all) < most; k, v = c.Next() {
			var r wire.Record
			if decode(v, &r) == nil { // one that a disk spoilt is lost, as any may be
				all = append(all, r)
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
