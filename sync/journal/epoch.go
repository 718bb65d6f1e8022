package journal

// Epochs: beginning the lanes anew after a fork, and forgetting what the platform has held for long enough.

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// codeGap is what a new epoch leaves out of the receipt codes: the image that the disk was restored from may be older than
// codes that were printed.
const codeGap = 1000

// NewEpoch chains all unacknowledged records anew under a higher epoch, from sequence 1, keeping their ids. Acknowledged
// ones are kept aside as the epoch's archive. Records whose bodies were destroyed, which only a platform that lost what it had
// acknowledged asks for again, cannot be sent any more and are left out; the audit entry counts them.
func (j *Journal) NewEpoch(epoch uint32) error { return j.NewEpochAfter(epoch, nil) }

// NewEpochAfter is NewEpoch when the platform has told what it lost, because it was set back to an old backup: acknowledged
// records beyond the places of want, each in its own epoch, come along as well, in the order in which they were written. They
// are recognised by their ids if it holds them after all. Of those that are here no more an audit entry tells the places.
func (j *Journal) NewEpochAfter(epoch uint32, want []wire.Place) error {
	return j.NewEpochForked(epoch, want, nil)
}

// NewEpochForked is NewEpochAfter when the platform's history was found to be another one: held says how far it goes in the epoch
// that ends, lane by lane, and the audit chain tells that, for what lay behind it on another disk is lost.
func (j *Journal) NewEpochForked(epoch uint32, want []wire.Place, held map[wire.Lane]uint64) error {
	return j.Update(func(tx *Tx) error {
		gone := 0
		left, err := tx.leave()
		if err != nil {
			return err
		}
		agreed := map[wire.Lane]uint64{}
		for _, lane := range wire.Lanes {
			st, err := readLane(tx.tx, lane)
			if err != nil {
				return err
			}
			agreed[lane] = min(st.Acked, held[lane])
			again, err := tx.unhold(lane, want)
			if err != nil {
				return err
			}
			n, err := tx.rechain(lane, epoch, again)
			if err != nil {
				return err
			}
			gone += n
		}
		n, err := tx.skipCodes(codeGap)
		if err != nil {
			return err
		}
		err = tx.Audit(EventEpochBegan, wire.WhoSystem, map[string]string{"epoch": fmt.Sprint(epoch), "codes_after": fmt.Sprint(n),
			"destroyed": fmt.Sprint(gone)})
		if err != nil {
			return err
		}
		for _, lane := range wire.Lanes {
			if _, forked := held[lane]; !forked {
				continue
			}
			err := tx.Audit(EventLaneForked, wire.WhoPlatform, map[string]string{"lane": string(lane), "epoch": fmt.Sprint(left),
				"from": fmt.Sprint(agreed[lane] + 1), "held": fmt.Sprint(held[lane])})
			if err != nil {
				return err
			}
		}
		j.crash(crashEpoch)
		return nil
	})
}

// rechain begins one lane anew and tells how many records could not come along.
func (tx *Tx) rechain(lane wire.Lane, epoch uint32, again []stored) (gone int, err error) {
	st, err := readLane(tx.tx, lane)
	if err != nil {
		return 0, err
	}
	if epoch > wire.MaxEpoch {
		return 0, fmt.Errorf("epoch %d of %s is beyond the last, %d: %w", epoch, lane, uint32(wire.MaxEpoch), ErrState)
	}
	if epoch <= st.Epoch {
		return 0, fmt.Errorf("epoch %d of %s after %d: %w", epoch, lane, st.Epoch, ErrState)
	}
	records := tx.tx.Bucket(bucketRecords)
	var unsent []wire.Record
	for _, s := range again {
		switch r, err := tx.j.openRecord(tx.tx, s); {
		case errors.Is(err, ErrNotFound):
			gone++
		case err != nil:
			return 0, fmt.Errorf("archive of %s/%d: %w", lane, s.Seq, err)
		default:
			unsent = append(unsent, r)
			if err := tx.addWaiting(s.Case, 1); err != nil {
				return 0, err
			}
		}
	}
	c := records.Bucket([]byte(lane)).Cursor()
	for k, v := c.Seek(seqKey(st.Acked + 1)); k != nil; k, v = c.Next() {
		var s stored
		if err := decode(v, &s); err != nil {
			return 0, fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
		}
		r, err := tx.j.openRecord(tx.tx, s)
		if errors.Is(err, ErrNotFound) {
			gone++
			if err := tx.addWaiting(s.Case, -1); err != nil {
				return 0, err
			}
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("lane %s/%d: %w", lane, s.Seq, err)
		}
		unsent = append(unsent, r)
	}
	if err := tx.archive(lane, st); err != nil {
		return 0, err
	}
	now := laneState{Epoch: epoch, Wall: st.Wall}
	for _, r := range unsent {
		r.Epoch, r.Seq, r.Prev = epoch, now.Head+1, now.HeadHash
		if err := tx.putRecord(r); err != nil {
			return 0, err
		}
		now.Head, now.HeadHash = r.Seq, r.Header.Hash()
		now.Bytes += weight(len(r.Body))
	}
	return gone, tx.writeLane(lane, now)
}

// unhold takes back what was acknowledged in a lane and the platform lost: in this epoch by moving the acknowledged place back,
// of earlier epochs by taking the records out of their archives.
func (tx *Tx) unhold(lane wire.Lane, want []wire.Place) (again []stored, err error) {
	want = slices.DeleteFunc(slices.Clone(want), func(p wire.Place) bool { return p.Lane != lane })
	slices.SortFunc(want, func(a, b wire.Place) int { return cmp.Compare(a.Epoch, b.Epoch) })
	for _, p := range want {
		st, err := readLane(tx.tx, lane)
		if err != nil {
			return nil, err
		}
		switch {
		case p.Epoch == st.Epoch:
			hash, err := tx.hashAt(lane, p.Seq)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			if err == nil && !wire.SameHistory(hash, p.Hash) {
				p.Seq = 0
			}
			if p.Seq >= st.Acked {
				continue
			}
			if errors.Is(err, ErrNotFound) {
				if err := tx.keepHeld(p); err != nil {
					return nil, err
				}
			}
			if err := tx.unack(lane, st, p.Seq); err != nil {
				return nil, err
			}
		case p.Epoch < st.Epoch:
			some, err := tx.unarchive(lane, p)
			if err != nil {
				return nil, err
			}
			again = append(again, some...)
		}
	}
	return again, nil
}

// unarchive takes records beyond a place out of their epoch's archive. Where the platform holds another history than ours at that
// place, nothing of ours is known to be held.
func (tx *Tx) unarchive(lane wire.Lane, p wire.Place) (again []stored, err error) {
	name := string(archiveKey(lane, p.Epoch))
	archives := tx.tx.Bucket(bucketArchive)
	was, err := tx.forgetAcked(lane, p.Epoch)
	if err != nil {
		return nil, err
	}
	if archives.Bucket([]byte(name)) == nil {
		err := tx.keepHeld(p)
		if was > p.Seq { // a journal that was recovered knows no more than that
			err = errors.Join(err, tx.auditLost(wire.Range{Epoch: p.Epoch, Lane: lane, From: p.Seq + 1, To: was}))
		}
		return nil, err
	}
	b, from := tx.bucket(bucketArchive).inner(name), p.Seq
	if v := b.Get(seqKey(p.Seq)); v != nil {
		var s stored
		if err := decode(v, &s); err != nil {
			return nil, fmt.Errorf("archive of %s: %w", lane, errors.Join(ErrDamaged, err))
		}
		if !wire.SameHistory(s.Header.Hash(), p.Hash) {
			from = 0
		}
	}
	if b.Get(seqKey(p.Seq)) == nil {
		if err := tx.keepHeld(p); err != nil {
			return nil, err
		}
	}
	var taken [][]byte
	c := b.Cursor()
	if first := firstOf(b.Bucket); first > from+1 {
		if err := tx.auditLost(wire.Range{Epoch: p.Epoch, Lane: lane, From: from + 1, To: first - 1}); err != nil {
			return nil, err
		}
	}
	for k, v := c.Seek(seqKey(from + 1)); k != nil; k, v = c.Next() {
		var s stored
		if err := decode(v, &s); err != nil {
			return nil, fmt.Errorf("archive of %s: %w", lane, errors.Join(ErrDamaged, err))
		}
		again, taken = append(again, s), append(taken, bytes.Clone(k))
	}
	for _, k := range taken {
		if err := b.Delete(k); err != nil {
			return nil, err
		}
	}
	if k, _ := b.Cursor().First(); k == nil {
		return again, tx.dropArchive(name)
	}
	return again, nil
}

// unack moves a lane's acknowledged place back, as far as its records are still here.
func (tx *Tx) unack(lane wire.Lane, st laneState, keep uint64) error {
	b := tx.tx.Bucket(bucketRecords).Bucket([]byte(lane))
	if k, _ := b.Cursor().First(); k != nil {
		if first := binary.BigEndian.Uint64(k); first > keep+1 {
			if err := tx.auditLost(wire.Range{Epoch: st.Epoch, Lane: lane, From: keep + 1, To: first - 1}); err != nil {
				return err
			}
			keep = first - 1
		}
	}
	for seq := keep + 1; seq <= st.Acked; seq++ {
		var s stored
		if err := decode(b.Get(seqKey(seq)), &s); err != nil {
			return fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
		}
		if err := tx.addWaiting(s.Case, 1); err != nil {
			return err
		}
	}
	hash, err := tx.hashAt(lane, keep)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	st.Acked, st.AckedHash = keep, hash
	return tx.writeLane(lane, st)
}

// metaAcked is the last acknowledged record of each lane in the last epochs that were left. It outlives the archives, which a
// recovered journal lacks, so that a platform that was set back can still be asked whether it holds them.
const metaAcked = "epoch.acked"

// mostAcked is how many of them are remembered, of at least 50 epochs; a hello shows the newest [wire.MaxPast], and older ones once the
// platform had what it lacked of those.
const mostAcked = 256

func ackedOf(tx *bolt.Tx) (all []wire.Place, err error) {
	if b := tx.Bucket(bucketMeta).Get([]byte(metaAcked)); b != nil {
		if err := json.Unmarshal(b, &all); err != nil {
			return nil, fmt.Errorf("what was acknowledged in earlier epochs: %w", errors.Join(ErrDamaged, err))
		}
	}
	return all, nil
}

func (tx *Tx) putAcked(all []wire.Place) error {
	b, err := json.Marshal(all[:min(len(all), mostAcked)])
	if err != nil {
		return err
	}
	return tx.bucket(bucketMeta).Put([]byte(metaAcked), b)
}

// noteAcked remembers the last acknowledged record of a lane whose epoch ends.
func (tx *Tx) noteAcked(lane wire.Lane, st laneState) error {
	v := tx.tx.Bucket(bucketRecords).Bucket([]byte(lane)).Get(seqKey(st.Acked))
	if v == nil {
		return nil
	}
	p, err := placeOf(v)
	if err != nil {
		return err
	}
	all, err := ackedOf(tx.tx)
	if err != nil {
		return err
	}
	return tx.putAcked(append([]wire.Place{p}, all...))
}

// forgetAcked tells how far a lane was acknowledged in an epoch, once.
func (tx *Tx) forgetAcked(lane wire.Lane, epoch uint32) (seq uint64, err error) {
	all, err := ackedOf(tx.tx)
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(all, func(p wire.Place) bool { return p.Lane == lane && p.Epoch == epoch })
	if at < 0 {
		return 0, nil
	}
	seq = all[at].Seq
	return seq, tx.putAcked(slices.Delete(all, at, at+1))
}

// keepHeld remembers a place that the platform holds and whose record is here no more: set back once more, to before it, the platform
// can only be told of the loss by one who knows that there was anything.
func (tx *Tx) keepHeld(p wire.Place) error {
	if p.Seq == 0 {
		return nil
	}
	all, err := ackedOf(tx.tx)
	if err != nil {
		return err
	}
	return tx.putAcked(append([]wire.Place{p}, all...))
}

// archive moves a lane's acknowledged records aside and leaves the lane empty.
func (tx *Tx) archive(lane wire.Lane, st laneState) error {
	if err := tx.noteAcked(lane, st); err != nil {
		return err
	}
	to, last := archiveKey(lane, st.Epoch), seqKey(st.Acked)
	tx.note(op{opMove, tx.bucket(bucketRecords).no, string(lane), to, last})
	both := func() (sum uint64, err error) {
		if sum, err = tx.j.sums.inner(tx.tx, bucketRecords, string(lane)); err != nil {
			return 0, err
		}
		part, err := tx.j.sums.inner(tx.tx, bucketArchive, string(to))
		return sum + part, err
	}
	before, err := both()
	if err != nil {
		return err
	}
	if err := moveToArchive(tx.tx, string(lane), to, last); err != nil {
		return err
	}
	after, err := both()
	tx.sum += after - before
	return err
}

// dropArchive forgets what is left of an archive.
func (tx *Tx) dropArchive(name string) error {
	part, err := tx.j.sums.inner(tx.tx, bucketArchive, name)
	if err != nil {
		return err
	}
	tx.sum -= part
	tx.note(op{kind: opDrop, bucket: tx.bucket(bucketArchive).no, sub: name})
	return tx.tx.Bucket(bucketArchive).DeleteBucket([]byte(name))
}

// auditLost tells that records are here no more and are wanted, or may be.
func (tx *Tx) auditLost(r wire.Range) error {
	fields := map[string]string{"lane": string(r.Lane), "epoch": fmt.Sprint(r.Epoch), "from": fmt.Sprint(r.From)}
	if r.To > 0 {
		fields["to"] = fmt.Sprint(r.To)
	}
	return tx.Audit(EventRecordsLost, wire.WhoSystem, fields)
}

// metaLeft is where the lanes ended in the last few epochs that were left.
const metaLeft = "epoch.left"

// mostLeft is how many epochs are remembered. A platform compares them with what it was shown last, and it hears of an epoch
// within seconds while there is a line.
const mostLeft = 4

// leave notes where the lanes end in the epoch that is left, and tells which one that is.
func (tx *Tx) leave() (epoch uint32, err error) {
	var left []wire.Left
	for _, lane := range wire.Lanes {
		st, err := readLane(tx.tx, lane)
		if err != nil {
			return 0, err
		}
		epoch = max(epoch, st.Epoch)
		left = append(left, wire.Left{Epoch: st.Epoch, Lane: lane, Seq: st.Head, Change: tx.tx.Bucket(bucketChange).Sequence()})
	}
	earlier, err := leftOf(tx.tx)
	if err != nil {
		return 0, err
	}
	left = append(left, earlier...)
	b, err := json.Marshal(left[:min(len(left), mostLeft*len(wire.Lanes))])
	if err != nil {
		return 0, err
	}
	return epoch, tx.bucket(bucketMeta).Put([]byte(metaLeft), b)
}

func leftOf(tx *bolt.Tx) (left []wire.Left, err error) {
	if b := tx.Bucket(bucketMeta).Get([]byte(metaLeft)); b != nil {
		if err := json.Unmarshal(b, &left); err != nil {
			return nil, fmt.Errorf("epochs that were left: %w", errors.Join(ErrDamaged, err))
		}
	}
	return left, nil
}

// Left is where the lanes ended in the last epochs before this one, newest first.
func (j *Journal) Left() (left []wire.Left, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		left, err = leftOf(tx)
		return err
	})
	return left, err
}

// Change is how many changes the journal has had.
func (j *Journal) Change() (n uint64, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		n = tx.Bucket(bucketChange).Sequence()
		return nil
	})
	return n, err
}

// Boot names this run of the program and tells how long it has lasted.
func (j *Journal) Boot() (id string, past time.Duration) { return j.opt.Boot, j.past() }

func archiveKey(lane wire.Lane, epoch uint32) []byte {
	return fmt.Appendf(nil, "%s/%010d", lane, epoch)
}

// Trim forgets acknowledged records that were written before a time, archives that hold nothing else, and ended cases
// that last changed before it and were shredded or never held anything. The last acknowledged record of a lane stays, so
// that its hash can always be compared. It tells how many records and cases went.
func (j *Journal) Trim(before time.Time) (records, cases int, err error) {
	err = j.Update(func(tx *Tx) error {
		records, cases = 0, 0
		for _, lane := range wire.Lanes {
			st, err := readLane(tx.tx, lane)
			if err != nil {
				return err
			}
			n, err := trimRecords(tx.records(string(lane)), forgettable(tx.tx, st), before)
			if err != nil {
				return err
			}
			records += n
		}
		n, err := tx.trimArchives(before)
		if err != nil {
			return err
		}
		records += n
		if cases, err = tx.trimCases(before); err != nil || records+cases == 0 {
			return err
		}
		epoch, from, err := tx.auditFrom()
		if err != nil {
			return err
		}
		return tx.Audit(EventJournalTrimmed, wire.WhoSystem, map[string]string{"before": before.UTC().Format(time.RFC3339),
			"records": fmt.Sprint(records), "cases": fmt.Sprint(cases), "audit_epoch": fmt.Sprint(epoch), "audit_from": fmt.Sprint(from)})
	})
	if err == nil {
		err = j.tidySpill()
	}
	if err == nil {
		err = j.keepEmergency()
	}
	if err == nil && j.worthCompacting() {
		_, _, err = j.Compact()
	}
	return records, cases, err
}

// deleter is a bucket whose records can be trimmed.
type deleter interface {
	Cursor() *bolt.Cursor
	Delete(key []byte) error
}

// trimRecords deletes from a lane's beginning: old records before seq last.
func trimRecords(b deleter, last uint64, before time.Time) (int, error) {
	var gone [][]byte
	c := b.Cursor()
	for k, v := c.First(); k != nil && bytes.Compare(k, seqKey(last)) < 0; k, v = c.Next() {
		var s stored
		if err := decode(v, &s); err != nil {
			return 0, fmt.Errorf("trim: %w", errors.Join(ErrDamaged, err))
		}
		if !s.Wall.Before(before) {
			break
		}
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}

func (tx *Tx) trimArchives(before time.Time) (n int, err error) {
	archives := tx.tx.Bucket(bucketArchive)
	var empty [][]byte
	err = archives.ForEachBucket(func(name []byte) error {
		b := tx.bucket(bucketArchive).inner(string(name))
		gone, err := trimRecords(b, ^uint64(0), before)
		n += gone
		if k, _ := b.Cursor().First(); err == nil && k == nil {
			empty = append(empty, bytes.Clone(name))
		}
		return err
	})
	for _, name := range empty {
		err = errors.Join(err, tx.dropArchive(string(name)))
	}
	return n, err
}

// trimCases forgets ended cases whose key is gone and of which nothing waits.
func (tx *Tx) trimCases(before time.Time) (int, error) {
	var old []Case
	err := tx.tx.Bucket(bucketCases).ForEach(func(k, _ []byte) error {
		c, err := readCase(tx.tx, string(k))
		if err != nil {
			return err
		}
		shredded := len(tx.tx.Bucket(bucketKeys).Get(k)) <= 4
		if c.State.Final() && c.Updated.Before(before) && shredded && tx.waiting(c.ID) == 0 {
			old = append(old, c)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, c := range old {
		var effects [][]byte
		cur := tx.tx.Bucket(bucketEffects).Cursor()
		prefix := []byte(c.ID + "/")
		for k, _ := cur.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = cur.Next() {
			effects = append(effects, bytes.Clone(k))
		}
		for _, k := range effects {
			if err := tx.bucket(bucketEffects).Delete(k); err != nil {
				return 0, err
			}
		}
		if err := tx.dropEscrow(c.ID); err != nil {
			return 0, err
		}
		err := errors.Join(tx.bucket(bucketCodes).Delete([]byte(c.ReceiptCode)), tx.bucket(bucketKeys).Delete([]byte(c.ID)),
			tx.bucket(bucketCases).Delete([]byte(c.ID)))
		if err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// skipCodes moves the receipt counter on.
func (tx *Tx) skipCodes(by uint64) (uint64, error) {
	meta := tx.bucket(bucketMeta)
	var n uint64
	if b := meta.Get([]byte(metaReceipts)); len(b) == 8 {
		n = binary.BigEndian.Uint64(b)
	}
	n += by
	return n, meta.Put([]byte(metaReceipts), binary.BigEndian.AppendUint64(nil, n))
}
