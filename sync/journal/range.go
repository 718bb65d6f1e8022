package journal

// Ranges: records that lie here, whether they wait or were acknowledged, of this epoch or an earlier one.

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// Range returns records of a lane from one sequence to another, both included, with their bodies opened: a contiguous run of at
// most so many, and no more than so many bytes of bodies (but always one). It begins at the first one of them that is here;
// destroyed counts those before it that cannot be sent any more, because they were forgotten or the key to their body was
// destroyed. Nothing at all means that none is left.
func (j *Journal) Range(epoch uint32, lane wire.Lane, from, to uint64, records, size int) (all []wire.Record, destroyed uint64, err error) {
	err = j.settled(func(tx *bolt.Tx) error {
		st, err := readLane(tx, lane)
		if err != nil {
			return err
		}
		b := tx.Bucket(bucketRecords).Bucket([]byte(lane))
		if epoch != st.Epoch {
			if b = tx.Bucket(bucketArchive).Bucket(archiveKey(lane, epoch)); b == nil {
				return fmt.Errorf("lane %s: epoch %d: %w", lane, epoch, ErrNotFound)
			}
		}
		total, next := 0, from
		c := b.Cursor()
		for k, v := c.Seek(seqKey(from)); k != nil && bytes.Compare(k, seqKey(to)) <= 0 && len(all) < records; k, v = c.Next() {
			var s stored
			if err := decode(v, &s); err != nil {
				return fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
			}
			r, err := j.openRecord(tx, s)
			switch {
			case errors.Is(err, ErrNotFound) && len(all) > 0:
				return nil
			case errors.Is(err, ErrNotFound):
				continue
			case err != nil:
				return fmt.Errorf("lane %s/%d: %w", lane, s.Seq, err)
			}
			if len(all) == 0 {
				destroyed, next = s.Seq-from, s.Seq
			}
			if total += len(r.Body) + 600; s.Seq != next || total > size && len(all) > 0 {
				return nil
			}
			all, next = append(all, r), next+1
		}
		if len(all) == 0 && to >= from {
			destroyed = to - from + 1
		}
		return nil
	})
	return all, destroyed, err
}

// Past are the last acknowledged records of every lane, in this epoch and in earlier ones as far as those are still here,
// newest first, at most so many.
func (j *Journal) Past(most int) (all []wire.Place, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		for _, lane := range wire.Lanes {
			st, err := readLane(tx, lane)
			if err != nil {
				return err
			}
			if v := tx.Bucket(bucketRecords).Bucket([]byte(lane)).Get(seqKey(st.Acked)); v != nil {
				p, err := placeOf(v)
				if err != nil {
					return err
				}
				all = append(all, p)
			}
		}
		acked, err := ackedOf(tx)
		if err != nil {
			return err
		}
		archives := tx.Bucket(bucketArchive)
		for _, p := range acked {
			if archives.Bucket(archiveKey(p.Lane, p.Epoch)) == nil {
				all = append(all, p)
			}
		}
		return archives.ForEachBucket(func(name []byte) error {
			_, v := archives.Bucket(name).Cursor().Last()
			if v == nil {
				return nil
			}
			p, err := placeOf(v)
			all = append(all, p)
			return err
		})
	})
	slices.SortStableFunc(all, func(a, b wire.Place) int { return cmp.Compare(b.Epoch, a.Epoch) })
	return all[:min(len(all), most)], err
}

func placeOf(v []byte) (wire.Place, error) {
	var s stored
	if err := decode(v, &s); err != nil {
		return wire.Place{}, fmt.Errorf("past: %w", errors.Join(ErrDamaged, err))
	}
	return wire.Place{Epoch: s.Epoch, Lane: s.Lane, LanePoint: wire.LanePoint{Seq: s.Seq, Hash: s.Header.Hash()}, ID: s.ID}, nil
}
