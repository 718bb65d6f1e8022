package journal

// The spill: an append-only log beside the database, from which the record can be made anew.

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// step is how much of the spill is filled with zeros ahead, so that writing into it changes no metadata of the file.
const step = 256 << 10

// spillFloor is the size below which a spill is never too big.
const spillFloor = 4 << 20

// drainedFloor is the size from which a spill is begun anew when nothing waits for the platform.
const drainedFloor = 512 << 10

// spill is the open log. Its owner serialises all calls.
type spill struct {
	path  string
	log   *slog.Logger
	now   func() time.Time
	file  *os.File
	id    uint64
	end   int64  // where the next frame goes
	zeros int64  // up to here the file is filled
	start int64  // size of the checkpoint
	last  uint64 // change of the last frame
	began int64  // where that frame begins
	sure  uint64 // the disk confirmed all frames up to this change's
	// broken: the disk refused something that may be half there. A new file takes this one's place before the next change.
	broken  bool
	drained bool // nothing waits for the platform: a small spill is enough
	stale   bool // holds a copy of a data key that was destroyed since
}

// SpillSuffix is what the spill's name has behind its database's.
const SpillSuffix = ".spill"

func spillPath(path string) string { return path + SpillSuffix }

// write appends a change's frame.
func (s *spill) write(t *Tx) error {
	kind := frameChange
	if t.bulk {
		kind = frameBulk
	}
	began := s.end
	if err := s.append(frame{kind: kind, change: t.number, bolt: uint64(t.tx.ID())}, t.log); err != nil {
		return err
	}
	s.last, s.began = t.number, began
	return nil
}

// begin begins to make what was written durable; the answer comes through the channel.
func (s *spill) begin() <-chan error {
	synced, file := make(chan error, 1), s.file
	go func() { synced <- datasync(file) }()
	return synced
}

// synced takes the disk's answer for what was written up to a change. A disk that could not make it durable is not trusted
// with this file any more.
func (s *spill) synced(err error, change uint64) {
	if err != nil {
		s.broken = true
		s.log.Error("the spill could not be made durable; it is begun anew before the next change", "error", err)
		return
	}
	s.sure = max(s.sure, change)
}

// spillLag is how long a frame that nobody waits for may stay where a power cut would lose it, beside a database that has it.
const spillLag = 100 * time.Millisecond

// syncLater makes the spill durable soon, without holding up changes. Its caller holds j.writing.
func (j *Journal) syncLater() {
	if j.lagging {
		return
	}
	j.lagging = true
	time.AfterFunc(spillLag, func() {
		j.writing.Lock()
		j.lagging = false
		s, last := j.spill, j.spill.last
		if j.closed || s.broken || s.sure >= last {
			j.writing.Unlock()
			return
		}
		synced := s.begin()
		j.writing.Unlock()
		err := <-synced
		j.writing.Lock()
		defer j.writing.Unlock()
		if j.spill == s && !j.closed { // else another file, already durable, has taken its place
			s.synced(err, last)
		}
	})
}

// void says that the last change was not committed. A disk that takes no word any more, as one that copies on write does when it is full,
// has the change's frame cut off instead.
func (s *spill) void(change uint64) error {
	err := s.append(frame{kind: frameVoid, change: change}, nil)
	if err == nil {
		err = datasync(s.file)
	}
	if err != nil {
		s.broken = true
		if cerr := s.file.Truncate(s.began); cerr != nil {
			return errors.Join(err, cerr)
		}
		if cerr := s.file.Sync(); cerr != nil {
			return errors.Join(err, cerr)
		}
		s.end, s.zeros = s.began, s.began
		s.log.Error("spill: what did not happen was cut off", "error", err)
	}
	s.last = change - 1
	s.sure = max(s.sure, s.last)
	return nil
}

func (s *spill) append(f frame, payload []byte) error {
	f.log, f.wall = s.id, s.now().UnixMilli()
	b := appendFrame(make([]byte, 0, frameHeader+padded(len(payload))), f, payload)
	// What voids a change always finds room.
	if err := s.fill(s.end + int64(len(b)) + frameHeader); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(b, s.end); err != nil {
		return s.refused(err)
	}
	s.end += int64(len(b))
	return nil
}

// fill writes zeros so that frames up to a place fit.
func (s *spill) fill(to int64) error {
	// Page by page: after one big write the page cache would hold, and count as written, all of it as one piece at every
	// small write into it.
	var page [4096]byte
	for s.zeros < to {
		for goal := s.zeros + step; s.zeros < goal; s.zeros += int64(len(page)) {
			if _, err := s.file.WriteAt(page[:], s.zeros); err != nil {
				return s.refused(err)
			}
		}
	}
	return nil
}

func (s *spill) refused(err error) error {
	s.broken = true
	if noRoom(err) {
		return fmt.Errorf("%w: spill: %v", ErrFull, err)
	}
	return fmt.Errorf("%w: spill: %w", ErrDisk, err)
}

// due says whether a new checkpoint would make the spill much smaller.
func (s *spill) due() bool {
	return s.end > spillFloor && s.end > 2*s.start || s.drained && s.end > drainedFloor && s.end > 2*s.start
}

func (s *spill) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	var err error
	if !s.broken && s.sure < s.last {
		err = datasync(s.file)
	}
	return errors.Join(err, s.file.Close())
}

// checkpoint begins the spill anew with everything that still matters, and puts it in the old one's place whole.
func (j *Journal) checkpoint() error {
	path := spillPath(j.path)
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if noRoom(err) {
		return fmt.Errorf("spill: %w: %w", ErrFull, err)
	}
	if err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	s := &spill{path: path, log: j.opt.Log, now: j.opt.Now, file: f}
	var id [8]byte
	_, err = rand.Read(id[:])
	s.id = binary.BigEndian.Uint64(id[:])
	if err == nil {
		err = j.view(func(tx *bolt.Tx) error { return j.writeCheckpoint(tx, s) })
	}
	if err == nil {
		s.start = s.end
		err = s.fill(s.end + step/2)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path + ".new")
		if noRoom(err) && !errors.Is(err, ErrFull) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return fmt.Errorf("spill: %w", err)
	}
	s.sure = s.last
	if j.spill != nil {
		_ = j.spill.file.Close()
	}
	j.spill = s
	if err := syncDir(filepath.Dir(path)); err != nil {
		s.broken = true
		return fmt.Errorf("spill: %w", err)
	}
	return nil
}

// tidySpill lets go of copies of destroyed keys.
func (j *Journal) tidySpill() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.spill == nil || !j.spill.stale || j.failed != nil {
		return nil
	}
	return j.checkpoint()
}

// part gathers operations into frames.
type part struct {
	s      *spill
	n      uint64
	change uint64
	log    []byte
}

func (p *part) put(no int, sub string, k, v []byte) error {
	p.log = appendOp(p.log, op{opPut, byte(no), sub, k, v})
	if len(p.log) < step {
		return nil
	}
	return p.flush()
}

func (p *part) flush() error {
	if len(p.log) == 0 {
		return nil
	}
	err := p.s.append(frame{kind: framePart, change: p.change, bolt: p.n}, p.log)
	p.n, p.log = p.n+1, p.log[:0]
	return err
}

// writeCheckpoint writes what a record made anew must have: settings, lanes with what waits, and every case of which
// something is open, waits or is still held, with all that belongs to it. What was acknowledged and ended is the platform's.
func (j *Journal) writeCheckpoint(tx *bolt.Tx, s *spill) error {
	change := tx.Bucket(bucketChange).Sequence()
	lineage := tx.Bucket(bucketMeta).Get([]byte(metaLineage))
	s.last = change
	head := append(append([]byte{spillVersion}, lineage...), j.opt.Terminal...)
	if err := s.append(frame{kind: frameHead, change: change}, head); err != nil {
		return err
	}
	p := &part{s: s, change: change}
	for no, name := range spilled {
		switch string(name) {
		case string(bucketArchive), string(bucketEscrow): // all of it is acknowledged
			continue
		case string(bucketRecords):
			if err := checkpointRecords(tx, p, no, s); err != nil {
				return err
			}
			continue
		}
		live := map[string]bool{}
		err := tx.Bucket(name).ForEach(func(k, v []byte) error {
			if id := caseOf(name, k, v); id != "" {
				is, known := live[id]
				if !known {
					is = living(tx, id)
					live[id] = is
				}
				if !is {
					return nil
				}
			}
			return p.put(no, "", k, v)
		})
		if err != nil {
			return err
		}
	}
	mark := label(change, tx.Bucket(bucketSum).Sequence())
	for letter, by := range doubts {
		if by == j.doubt {
			mark.value = append(mark.value, letter)
		}
	}
	if err := p.put(int(mark.bucket), "", mark.key, mark.value); err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return err
	}
	return s.append(frame{kind: frameEnd, change: change, bolt: uint64(tx.ID())}, binary.BigEndian.AppendUint64(nil, p.n))
}

func checkpointRecords(tx *bolt.Tx, p *part, no int, s *spill) error {
	s.drained = true
	for _, lane := range wire.Lanes {
		st, err := readLane(tx, lane)
		if err != nil {
			return err
		}
		s.drained = s.drained && st.Acked == st.Head
		c := tx.Bucket(bucketRecords).Bucket([]byte(lane)).Cursor()
		for k, v := c.Seek(seqKey(st.Acked)); k != nil; k, v = c.Next() {
			if err := p.put(no, string(lane), k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// caseOf says whose an entry is, "" for nobody's.
func caseOf(bucket, k, v []byte) string {
	switch string(bucket) {
	case string(bucketCases), string(bucketWaiting):
		return string(k)
	case string(bucketKeys):
		if strings.HasPrefix(string(k), "epoch-") {
			return ""
		}
		return string(k)
	case string(bucketCodes):
		return string(v)
	case string(bucketSealed), string(bucketEffects), string(bucketOwned):
		id, _, _ := strings.Cut(string(k), "/")
		return id
	case string(bucketBlobs):
		_, owned, _ := strings.Cut(string(k), "/")
		id, _, _ := strings.Cut(owned, "/")
		return id
	}
	return ""
}

// living says whether a case is more than a memory of what the platform has.
func living(tx *bolt.Tx, id string) bool {
	if waitingOf(tx, id) > 0 || len(tx.Bucket(bucketKeys).Get([]byte(id))) > 4 {
		return true
	}
	c, err := readCase(tx, id)
	return err == nil && !c.State.Final()
}

// openSpill compares the spill with the database and makes them agree, or says why they do not.
func (j *Journal) openSpill() error {
	path := spillPath(j.path)
	var lineage []byte
	var change, sure, sum, sumIs, txid uint64
	err := j.view(func(tx *bolt.Tx) (err error) {
		sure = tx.Bucket(bucketSure).Sequence()
		change = tx.Bucket(bucketChange).Sequence()
		lineage = append(lineage, tx.Bucket(bucketMeta).Get([]byte(metaLineage))...)
		sum, txid = tx.Bucket(bucketSum).Sequence(), uint64(tx.ID())
		sumIs, err = j.sums.all(tx)
		return err
	})
	if err != nil {
		return err
	}
	scan, err := readSpill(path)
	if sum != sumIs && (err == nil || errors.Is(err, fs.ErrNotExist)) && (scan == nil || scan.lineage == nil || string(scan.lineage) == string(lineage)) {
		by, lost, err := j.explain(scan, change, txid)
		switch {
		case err != nil:
			return err
		case by != "":
			return j.tellDiffers(by, lost, change)
		}
		// an older program
		if err := j.db.Update(j.sums.set); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if scan.last == change {
			return j.checkpoint()
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return j.beginSpill(change, map[string]string{"spill": "missing"})
	case err != nil:
		return fmt.Errorf("journal: %w", err)
	case scan.lineage != nil && string(scan.lineage) != string(lineage):
		return damaged(path, "it belongs to another journal than "+filepath.Base(j.path)+", and holds what that one had not sent")
	case !scan.whole && scan.last <= change:
		if err := keepAside(path, j.opt.Now()); err != nil {
			return err
		}
		return j.beginSpill(change, map[string]string{"spill": "damaged"})
	case scan.last < sure:
		return j.beginSpill(change, map[string]string{"spill": "behind", "spill_change": fmt.Sprint(scan.last)})
	case scan.last < change || // a power cut took what nobody had waited for
		len(scan.changes) > 0 && scan.last == change || scan.torn && scan.last == change:
		return j.checkpoint()
	case scan.last == change:
		return j.goOn(scan)
	}
	if gaps, bulk := scan.missing(change); scan.lineage == nil || scan.base > change || len(gaps) > 0 || bulk {
		return damaged(j.path, fmt.Sprintf("it is an older copy (change %d; its spill goes from %d to %d)", change, scan.base, scan.last))
	}
	return j.rollForward(scan, change)
}

// beginSpill begins anew beside a sound database, and says so when there should have been a spill that agrees with it.
func (j *Journal) beginSpill(change uint64, found map[string]string) error {
	if err := j.checkpoint(); err != nil || change == 0 {
		return err
	}
	found["change"] = fmt.Sprint(change)
	j.opt.Log.Error("the spill does not keep up with the journal: the disk may not keep what it confirms", "found", found["spill"], "change", change)
	return j.Update(func(tx *Tx) error { return tx.Audit(EventSpillDiffers, wire.WhoSystem, found) })
}

// goOn appends to the spill that is there; it has nothing but its checkpoint.
func (j *Journal) goOn(scan *spillScan) error {
	f, err := os.OpenFile(spillPath(j.path), os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("spill: %w", err)
	}
	j.spill = &spill{path: f.Name(), log: j.opt.Log, now: j.opt.Now, file: f, id: scan.log, end: scan.end, zeros: st.Size(), start: scan.end,
		last: scan.last, sure: scan.last}
	return nil
}

// rollForward does again what the database lost. One change is what a power cut may leave; more means that the disk, or
// whoever put an older copy here, lost what was confirmed, and the platform is told.
func (j *Journal) rollForward(scan *spillScan, from uint64) error {
	f, err := os.Open(spillPath(j.path))
	if err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	defer f.Close()
	err = j.db.Update(func(tx *bolt.Tx) error {
		for _, fr := range scan.changes {
			if fr.change <= from {
				continue
			}
			if err := replay(tx, f, fr); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketChange).SetSequence(scan.last); err != nil {
			return err
		}
		return j.sums.set(tx)
	})
	if err != nil {
		return fmt.Errorf("journal: spill: %w", err)
	}
	if err := j.checkpoint(); err != nil {
		return err
	}
	if scan.last == from+1 {
		j.opt.Log.Info("the last change was taken from the spill", "change", scan.last)
		return nil
	}
	j.opt.Log.Error("the database was older than its spill: changes were taken from there", "from", from+1, "to", scan.last)
	return j.Update(func(tx *Tx) error {
		return tx.Audit(EventJournalRolledForward, wire.WhoSystem, map[string]string{"from": fmt.Sprint(from + 1), "to": fmt.Sprint(scan.last)})
	})
}

// replay does one frame's operations.
func replay(tx *bolt.Tx, f *os.File, fr frame) error {
	_, payload, err := readFrame(f, fr.at, maxSpill)
	if err != nil {
		return err
	}
	return eachOp(payload, func(o op) error { return o.apply(tx) })
}

func readSpill(path string) (*spillScan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return scanSpill(f, st.Size())
}

// keepAside gives a file that is no longer used a second name, under which it is kept.
func keepAside(path string, at time.Time) error {
	if err := os.Link(path, asideName(path, at)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func asideName(path string, at time.Time) string {
	return fmt.Sprintf("%s.damaged-%s", path, at.UTC().Format("20060102T150405.000"))
}
