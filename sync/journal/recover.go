package journal

// Recovering: a record made anew from the spill when the database is lost.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// Recovered says what [Recover] found and what it could not find.
type Recovered struct {
	Kept    []string  `json:"kept"`    // where the files that were found lie
	Changes int       `json:"changes"` // taken from the spill, beside its checkpoint
	Last    time.Time `json:"last"`    // wall time of the last thing found
	Epoch   uint32    `json:"epoch"`   // the lanes go on in this one
	Waiting int       `json:"waiting"` // records for the platform
	Cases   int       `json:"cases"`

	// Whole says that nothing points to a loss. What the disk lost without any trace shows when the platform, to which more was
	// shown, compares lanes.
	Whole   bool     `json:"whole"`
	Missing []uint64 `json:"missing,omitempty"` // numbers of lost changes, the first few
	Behind  bool     `json:"behind,omitempty"`  // the database had gone on after the spill's last change
	Torn    bool     `json:"torn,omitempty"`    // the spill holds something that cannot be read
	Dropped int      `json:"dropped,omitempty"` // records, effects and values whose case or key is lost
	// Lost are places of records that are here no more and were not known to be held by the platform. To is 0 where nobody knows
	// how far it went: everything of that lane and epoch from there on.
	Lost []wire.Range `json:"lost,omitempty"`
	// Damaged are cases of which entries were dropped, with how many.
	Damaged map[string]int `json:"damaged,omitempty"`
}

// ErrNoSpill: there is nothing to recover from.
var ErrNoSpill = errors.New("no spill with anything in it")

// Recover makes the journal at path anew from its spill, whatever state the database is in, and keeps the files that were
// there under names that begin with theirs. The lanes begin a new epoch, with all unsent records under their old ids, so that
// the platform takes none twice; audit entries tell it what was lost. What was acknowledged and is still in the spill is kept
// too, for a platform that is set back. Whoever calls it has seen [ErrDamaged], or does so
// again after a recovery that was cut off. [ErrLocked] when a process holds the journal.
func Recover(ctx context.Context, path string, opt Options) (r Recovered, err error) {
	if opt, err = opt.filled(path); err != nil {
		return r, err
	}
	held, err := holdFile(path)
	if err != nil {
		return r, err
	}
	defer release(held)
	scan, err := readSpill(spillPath(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err != nil || len(scan.parts)+len(scan.changes) == 0 {
		return r, fmt.Errorf("%w: %s", ErrNoSpill, spillPath(path))
	}
	if scan.terminal != "" && scan.terminal != opt.Terminal {
		return r, fmt.Errorf("%w: the spill is terminal %.40q's", ErrKey, scan.terminal)
	}
	key, err := openKey(opt, false)
	if err != nil {
		return r, err
	}
	if err := os.MkdirAll(opt.BlobDir, 0o700); err != nil {
		return r, fmt.Errorf("journal: %w", err)
	}
	r = scan.report(path)
	fresh := path + ".recovered"
	for _, old := range []string{fresh, spillPath(fresh), spillPath(fresh) + ".new"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return r, fmt.Errorf("journal: %w", err)
		}
	}
	j := newJournal(fresh, key, opt)
	if err := j.rebuild(ctx, scan, path, &r); err != nil {
		return r, errors.Join(err, os.Remove(fresh))
	}
	at := opt.Now()
	for _, old := range []string{path, spillPath(path)} {
		if _, err := os.Stat(old); err != nil {
			continue
		}
		if err := keepAside(old, at); err != nil {
			return r, err
		}
		r.Kept = append(r.Kept, asideName(old, at))
	}
	// A crash between the two leaves a database and a spill that do not belong together, which opens as damage and is
	// recovered again.
	err = os.Rename(fresh, path)
	if err == nil {
		err = os.Rename(spillPath(fresh), spillPath(path))
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return r, fmt.Errorf("journal: %w", err)
	}
	return r, nil
}

// report is what the scan alone tells.
func (s *spillScan) report(path string) Recovered {
	gaps, bulk := s.missing(s.base)
	txid, change := came(path)
	r := Recovered{Changes: len(s.changes), Last: time.UnixMilli(s.wall).UTC(), Missing: gaps, Torn: s.torn,
		Behind: txid > s.bolt || change > s.last}
	r.Whole = s.whole && len(gaps) == 0 && !bulk && !s.torn && !r.Behind
	return r
}

// came is how far a database had come by its meta pages, of which nothing else need be readable, and by what is left of its root: a disk
// that did not keep the latest meta pages may have kept pages that were written after them.
func came(path string) (txid, change uint64) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, 0
	}
	return boltTxid(f), sequenceOf(f, st.Size(), bucketChange)
}

// rebuild fills a new database from the spill, mends what does not hold together, and begins a new epoch.
func (j *Journal) rebuild(ctx context.Context, scan *spillScan, from string, r *Recovered) (err error) {
	if j.db, err = openBolt(j.path, j.opt.MaxSize); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, j.shut())
	}()
	if err := j.db.Update(j.furnish); err != nil {
		return err
	}
	lineage, proof, err := j.identity()
	if err != nil {
		return err
	}
	f, err := os.Open(spillPath(from))
	if err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	defer f.Close()
	for _, some := range [][]frame{scan.parts, scan.changes} {
		for len(some) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(len(some), 64)
			err := j.db.Update(func(tx *bolt.Tx) error {
				for _, fr := range some[:n] {
					if fr.kind == frameBulk {
						continue
					}
					if err := replay(tx, f, fr); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			some = some[n:]
		}
	}
	if err := j.db.Update(func(tx *bolt.Tx) error { return j.mend(tx, scan, lineage, proof, r) }); err != nil {
		return err
	}
	if err := j.checkpoint(); err != nil {
		return err
	}
	if err := j.NewEpoch(r.Epoch); err != nil {
		return err
	}
	fields := map[string]string{"changes": fmt.Sprint(r.Changes), "last": r.Last.UTC().Format(time.RFC3339), "whole": fmt.Sprint(r.Whole),
		"missing": wire.Word(strings.Join(strings.Fields(strings.Trim(fmt.Sprint(r.Missing), "[]")), "+")), "behind": fmt.Sprint(r.Behind), "torn": fmt.Sprint(r.Torn), "dropped": fmt.Sprint(r.Dropped)}
	err = j.Update(func(tx *Tx) error {
		if epoch, from := tx.auditArchived(); from > 1 {
			fields["audit_epoch"], fields["audit_from"] = fmt.Sprint(epoch), fmt.Sprint(from)
		}
		err := tx.Audit(EventJournalRecovered, wire.WhoTechnician, fields)
		for _, l := range r.Lost {
			err = errors.Join(err, tx.auditLost(l))
		}
		for id, n := range r.Damaged {
			err = errors.Join(err, tx.Audit(EventCaseDamaged, wire.WhoSystem, map[string]string{"case": id, "entries": fmt.Sprint(n)}))
		}
		return err
	})
	if err != nil {
		return err
	}
	report, err := j.Verify(ctx)
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("%w: what was recovered does not hold together: %s", ErrDamaged, report.Problems[0])
	}
	all, err := j.Lanes()
	if err != nil {
		return err
	}
	for _, l := range all {
		r.Waiting += int(l.Waiting)
	}
	r.Cases = report.Cases
	return nil
}

// identity is what tells the new database from the old one, and proves its key.
func (j *Journal) identity() (lineage, proof []byte, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		lineage = bytes.Clone(tx.Bucket(bucketMeta).Get([]byte(metaLineage)))
		proof = bytes.Clone(tx.Bucket(bucketMeta).Get([]byte(metaKeyProof)))
		return nil
	})
	return lineage, proof, err
}

// mend makes what the spill gave hold together, leaving out only what nobody could use.
func (j *Journal) mend(tx *bolt.Tx, scan *spillScan, lineage, proof []byte, r *Recovered) error {
	meta := tx.Bucket(bucketMeta)
	if sealed := meta.Get([]byte(metaKeyProof)); !bytes.Equal(sealed, proof) {
		if _, err := j.key.open(sealed, []byte(j.opt.Terminal)); err != nil {
			return fmt.Errorf("%w: %s is not the one that the spill was sealed with", ErrKey, j.opt.Vault)
		}
	}
	err := errors.Join(meta.Put([]byte(metaLineage), lineage), meta.Put([]byte(metaKeyProof), proof),
		tx.Bucket(bucketChange).SetSequence(scan.last))
	if err != nil {
		return err
	}
	waiting := map[string]uint64{}
	for _, lane := range wire.Lanes {
		if err := j.mendLane(tx, lane, waiting, r); err != nil {
			return err
		}
	}
	if err := j.mendCases(tx, waiting, r); err != nil {
		return err
	}
	for _, b := range [][]byte{bucketEffects, bucketSealed, bucketOwned, bucketBlobs} {
		err := sift(tx, b, func(k, v []byte) bool { return j.usable(tx, b, k, v) }, r)
		if err != nil {
			return err
		}
	}
	r.Whole = r.Whole && len(r.Lost)+len(r.Damaged) == 0
	if err := j.mendEffects(tx); err != nil {
		return err
	}
	return j.sums.set(tx)
}

// mendEffects concludes from a later attempt, which is made only after the one before came to nothing, what the lost outcome
// of that one was.
func (j *Journal) mendEffects(tx *bolt.Tx) error {
	var all []Effect
	err := tx.Bucket(bucketEffects).ForEach(func(_, v []byte) error {
		var e Effect
		if decode(v, &e) == nil && e.Attempt > 1 {
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, later := range all {
		for n := later.Attempt - 1; n > 0; n-- {
			e, err := readEffect(tx, EffectName{later.Case, later.Step, n})
			switch {
			case errors.Is(err, ErrNotFound):
				e = Effect{EffectName: EffectName{later.Case, later.Step, n}, Kind: later.Kind, Intended: later.Intended}
			case err != nil:
				return err
			case e.State == EffectNotSent || e.State == EffectFailed:
				continue
			}
			e.State, e.Detail, e.Ended, e.Settled = EffectFailed, "outcome lost; it was tried again", later.Intended, true
			raw, err := encode(e)
			if err != nil {
				return err
			}
			if err := tx.Bucket(bucketEffects).Put([]byte(e.EffectName.String()), raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// mendLane keeps every record whose body can be opened and numbers them so that none is missing; the epoch that follows
// chains them anew. What was acknowledged goes where acknowledged records of earlier epochs lie.
func (j *Journal) mendLane(tx *bolt.Tx, lane wire.Lane, waiting map[string]uint64, r *Recovered) error {
	st, err := readLane(tx, lane)
	if err != nil {
		st = laneState{Epoch: 1}
	}
	all, err := gather(tx.Bucket(bucketRecords).Bucket([]byte(lane)), lane, r)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Epoch > st.Epoch { // what was acknowledged of it is not known
			st = laneState{Epoch: s.Epoch, Wall: st.Wall}
		}
	}
	var keep, held []stored
	for _, s := range all {
		if s.Epoch == st.Epoch && s.Seq <= st.Acked {
			held = append(held, s)
		} else if _, err := j.openRecord(tx, s); err != nil {
			r.Dropped++
		} else {
			keep = append(keep, s)
		}
	}
	r.Lost = append(r.Lost, lostOf(lane, st, keep, held, r.Whole)...)
	if err := j.mendArchives(tx, lane, st.Epoch, held); err != nil {
		return err
	}
	records := tx.Bucket(bucketRecords)
	if err := records.DeleteBucket([]byte(lane)); err != nil {
		return err
	}
	b, err := records.CreateBucket([]byte(lane))
	if err != nil {
		return err
	}
	r.Epoch = max(r.Epoch, st.Epoch+1)
	for _, s := range keep {
		if s.Case != "" {
			waiting[s.Case]++
		}
		if err := putStored(b, s); err != nil {
			return err
		}
	}
	if len(held) > 0 {
		if err := j.mendAcked(tx, held[len(held)-1]); err != nil {
			return err
		}
	}
	st.Acked, st.AckedHash = 0, wire.Hash{}
	if len(keep) > 0 {
		last := keep[len(keep)-1]
		st.Head, st.HeadHash = last.Seq, last.Header.Hash()
	}
	raw, err := encode(st)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketLanes).Put([]byte(lane), raw)
}

// mendAcked remembers the last acknowledged record of the epoch in which the database was lost.
func (j *Journal) mendAcked(tx *bolt.Tx, s stored) error {
	all, err := ackedOf(tx)
	if err != nil {
		all = nil
	}
	b, err := json.Marshal(append([]wire.Place{{Epoch: s.Epoch, Lane: s.Lane, LanePoint: wire.LanePoint{Seq: s.Seq, Hash: s.Header.Hash()}, ID: s.ID}}, all...))
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put([]byte(metaAcked), b)
}

// gather reads the records of a bucket in the order of their numbers, leaving out what is none of this lane.
func gather(b *bolt.Bucket, lane wire.Lane, r *Recovered) (all []stored, err error) {
	err = b.ForEach(func(_, v []byte) error {
		var s stored
		if decode(v, &s) != nil || s.Lane != lane {
			r.Dropped++
			return nil
		}
		all = append(all, s)
		return nil
	})
	slices.SortStableFunc(all, func(a, b stored) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, err
}

func putStored(b *bolt.Bucket, s stored) error {
	raw, err := encode(s)
	if err != nil {
		return err
	}
	return b.Put(seqKey(s.Seq), raw)
}

// lostOf says which places of a lane's epoch are known to have been written, or may have been when not all was found, and are
// neither here nor known to be held.
func lostOf(lane wire.Lane, st laneState, keep, held []stored, whole bool) (lost []wire.Range) {
	add := func(from, to uint64) {
		lost = append(lost, wire.Range{Epoch: st.Epoch, Lane: lane, From: from, To: to})
	}
	if len(held) == 0 && st.Acked > 0 { // nothing is left by which the platform could be asked whether it holds them
		add(1, st.Acked)
	}
	next, most := st.Acked+1, 16
	for _, s := range keep {
		if s.Epoch != st.Epoch || s.Seq < next {
			continue
		}
		if s.Seq > next && len(lost) < most {
			add(next, s.Seq-1)
		}
		next = s.Seq + 1
	}
	switch {
	case !whole:
		add(next, 0)
	case next <= st.Head:
		add(next, st.Head)
	}
	return lost
}

// mendArchives keeps of every epoch's acknowledged records the last ones that hang together: they need not be whole, for the
// platform has them, and it may want them again.
func (j *Journal) mendArchives(tx *bolt.Tx, lane wire.Lane, epoch uint32, held []stored) error {
	archives := tx.Bucket(bucketArchive)
	found := map[string][]stored{string(archiveKey(lane, epoch)): held}
	var names []string
	err := archives.ForEachBucket(func(name []byte) error {
		if of, _, _ := strings.Cut(string(name), "/"); of != string(lane) {
			return nil
		}
		some, err := gather(archives.Bucket(name), lane, &Recovered{})
		found[string(name)] = append(some, found[string(name)]...)
		names = append(names, string(name))
		return err
	})
	for _, name := range names {
		err = errors.Join(err, archives.DeleteBucket([]byte(name)))
	}
	if err != nil {
		return err
	}
	for name, all := range found {
		if all = j.lastRun(tx, name, all); len(all) == 0 {
			continue
		}
		b, err := archives.CreateBucket([]byte(name))
		if err != nil {
			return err
		}
		for _, s := range all {
			if err := putStored(b, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastRun is the longest chain at the end of an archive's records, each either readable or with a key that was destroyed.
func (j *Journal) lastRun(tx *bolt.Tx, archive string, all []stored) []stored {
	sound := func(s stored) bool {
		full, err := j.openRecord(tx, s)
		return string(archiveKey(s.Lane, s.Epoch)) == archive && (errors.Is(err, ErrNotFound) || err == nil && wire.HashBody(full.Salt, full.Body) == s.BodyHash)
	}
	for first := len(all); ; first-- {
		if first == 0 || !sound(all[first-1]) ||
			first < len(all) && (all[first-1].Seq+1 != all[first].Seq || all[first-1].Header.Hash() != all[first].Prev) {
			return all[first:]
		}
	}
}

func (j *Journal) mendCases(tx *bolt.Tx, waiting map[string]uint64, r *Recovered) error {
	codes := map[string]string{}
	err := sift(tx, bucketCases, func(k, _ []byte) bool {
		c, err := readCase(tx, string(k))
		if err == nil {
			codes[c.ReceiptCode] = c.ID
		}
		return err == nil
	}, r)
	if err != nil {
		return err
	}
	for _, b := range [][]byte{bucketCodes, bucketWaiting} {
		if err := tx.DeleteBucket(b); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(b); err != nil {
			return err
		}
	}
	for code, id := range codes {
		if err := tx.Bucket(bucketCodes).Put([]byte(code), []byte(id)); err != nil {
			return err
		}
	}
	for id, n := range waiting {
		if err := tx.Bucket(bucketWaiting).Put([]byte(id), binary.BigEndian.AppendUint64(nil, n)); err != nil {
			return err
		}
	}
	return nil
}

// usable says whether an entry belongs to something that is there and can be opened.
func (j *Journal) usable(tx *bolt.Tx, name, k, v []byte) bool {
	id := caseOf(name, k, v)
	if tx.Bucket(bucketCases).Get([]byte(id)) == nil {
		return false
	}
	switch string(name) {
	case string(bucketSealed):
		key, err := j.currentKey(tx, id)
		if err == nil {
			_, err = key.open(v, []byte("value "+string(k)))
		}
		return err == nil
	case string(bucketOwned):
		e, err := readOwned(tx, string(k))
		if err == nil {
			var raw [32]byte
			var h wire.Hash
			if raw, h, err = j.openEntry(tx, string(k), e); err == nil {
				_, err = j.readBlob(e.File, raw, h)
			}
		}
		return err == nil
	case string(bucketBlobs):
		_, owned, _ := bytes.Cut(k, []byte("/"))
		return tx.Bucket(bucketOwned).Get(owned) != nil
	}
	var e Effect
	return decode(v, &e) == nil
}

// sift deletes what is of no use.
func sift(tx *bolt.Tx, name []byte, good func(k, v []byte) bool, r *Recovered) error {
	var gone [][]byte
	err := tx.Bucket(name).ForEach(func(k, v []byte) error {
		if !good(k, v) {
			gone = append(gone, bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range gone {
		r.Dropped++
		if id := caseOf(name, k, tx.Bucket(name).Get(k)); id != "" && tx.Bucket(bucketCases).Get([]byte(id)) != nil {
			if r.Damaged == nil {
				r.Damaged = map[string]int{}
			}
			r.Damaged[id]++
		}
		if err := tx.Bucket(name).Delete(k); err != nil {
			return err
		}
	}
	return nil
}
