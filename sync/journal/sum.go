package journal

// The sum: one number over everything that the database holds, by which it proves that it is what its changes left.

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// bucketSum's sequence is the sum. A disk that confirms a page and does not keep it leaves the page's older self, which is as sound
// as any: checksums of values, chains and ledgers need not notice that an entry is the one of yesterday, or is not there. The sum
// does. Every entry of the buckets of [spilled], its place included, and the two counters are hashed with a key of the journal's, and the
// first 64 bits of all hashes are added up, so that a change takes out what it overwrites, adds what it puts, and reads nothing
// else. What a database holds is then either exactly what some change left, or the sum differs, but once in 2⁶⁴.
//
// Whoever edits the database without the journal's key cannot make the sum agree either. That is told, and does not close the journal:
// what was edited is found by the audit chain and its witnesses.
var bucketSum = []byte("sum")

// metaSum names the entry in which a frame of the spill, or its checkpoint, tells the sum at its change: the change's number, the sum,
// and one byte more while the sum is in doubt. It lies in no database, but for what an older program replayed. Frames without it are an
// older program's, which does not keep the sum.
const metaSum = "sum"

// summer adds up entries. It is one goroutine's.
type summer struct {
	key [sha256.Size]byte
	buf []byte
}

func (j *Journal) summer() *summer {
	m := hmac.New(sha256.New, j.key.raw[:])
	m.Write([]byte("sum"))
	return &summer{key: [sha256.Size]byte(m.Sum(nil))}
}

// of is one entry's part of the sum. An entry without a key is a bucket inside a bucket.
func (s *summer) of(no byte, sub string, k, v []byte) uint64 {
	s.buf = appendOp(append(s.buf[:0], s.key[:]...), op{opPut, no, sub, k, v})
	h := sha256.Sum256(s.buf)
	return binary.BigEndian.Uint64(h[:])
}

// counters is the part of the change's number and of the one that the spill had surely kept.
func (s *summer) counters(change, sure uint64) uint64 {
	return s.of(byte(len(spilled)), "", binary.BigEndian.AppendUint64(nil, change), binary.BigEndian.AppendUint64(nil, sure))
}

// inner is the part of a bucket inside another one, 0 when it is not there.
func (s *summer) inner(tx *bolt.Tx, name []byte, sub string) (sum uint64, err error) {
	no := numberOf(name)
	b := tx.Bucket(name).Bucket([]byte(sub))
	if b == nil {
		return 0, nil
	}
	sum = s.of(no, sub, nil, nil)
	err = b.ForEach(func(k, v []byte) error {
		sum += s.of(no, sub, k, v)
		return nil
	})
	return sum, err
}

// all is the sum over everything.
func (s *summer) all(tx *bolt.Tx) (sum uint64, err error) {
	sum = s.counters(tx.Bucket(bucketChange).Sequence(), tx.Bucket(bucketSure).Sequence())
	for no, name := range spilled {
		err := tx.Bucket(name).ForEach(func(k, v []byte) error {
			if v != nil {
				sum += s.of(byte(no), "", k, v)
				return nil
			}
			part, err := s.inner(tx, name, string(k))
			sum += part
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// set makes the sum anew.
func (s *summer) set(tx *bolt.Tx) error {
	sum, err := s.all(tx)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketSum).SetSequence(sum)
}

// add notes in the sum what a put or, without a value, a deletion does to an entry. It is called before that.
func (b bucket) add(k, v []byte) {
	key, was := b.Bucket.Cursor().Seek(k)
	there := bytes.Equal(key, k)
	if there && v != nil && bytes.Equal(was, v) {
		return
	}
	if there {
		b.tx.sum -= b.tx.j.sums.of(b.no, b.sub, k, was)
	}
	if v != nil {
		b.tx.sum += b.tx.j.sums.of(b.no, b.sub, k, v)
	}
}

// addUp ends a change's sum, and has the spill tell it.
func (t *Tx) addUp(changeWas, sureWas uint64) error {
	sure := t.tx.Bucket(bucketSure).Sequence()
	at := t.tx.Bucket(bucketSum)
	sum := at.Sequence() + t.sum - t.j.sums.counters(changeWas, sureWas) + t.j.sums.counters(t.number, sure)
	if t.anew {
		var err error
		if sum, err = t.j.sums.all(t.tx); err != nil {
			return err
		}
	}
	t.log = appendOp(t.log, label(t.number, sum))
	return at.SetSequence(sum)
}

// labelRoom is more than a label takes.
const labelRoom = 64

func label(change, sum uint64, doubt ...byte) op {
	v := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, change), sum)
	return op{opPut, numberOf(bucketMeta), "", []byte(metaSum), append(v, doubt...)}
}

// isLabel says that an operation only tells a sum.
func (o op) isLabel() bool {
	return o.kind == opPut && o.bucket == numberOf(bucketMeta) && o.sub == "" && string(o.key) == metaSum
}

// Why a database is not what its changes left, as far as anybody can tell.
const (
	byHand    = "hand"    // it was changed after its last change, and not by the journal
	byUnknown = "unknown" // no spill is left that could tell
)

var doubts = map[byte]string{'h': byHand, 'u': byUnknown}

// labelAt looks for the sum that the spill tells of the latest change up to one. marked is false when that change was an
// older program's, or when the spill knows of none; bolt is bbolt's transaction at it.
func (s *spillScan) labelAt(r io.ReaderAt, change uint64) (doubt string, marked bool, bolt uint64, err error) {
	at, some := s.base, s.parts
	bolt = s.baseBolt
	for _, f := range s.changes {
		if f.change <= change {
			at, some, bolt = f.change, []frame{f}, f.bolt
		}
	}
	for _, f := range some {
		_, payload, err := readFrame(r, f.at, maxSpill)
		if err != nil {
			return "", false, 0, fmt.Errorf("spill: %w", err)
		}
		err = eachOp(payload, func(o op) error {
			if o.isLabel() && len(o.value) >= 16 && binary.BigEndian.Uint64(o.value) == at {
				marked = true
				if len(o.value) > 16 {
					doubt = doubts[o.value[16]]
				}
			}
			return nil
		})
		if err != nil {
			return "", false, 0, err
		}
	}
	return doubt, marked, bolt, nil
}

// explain says why a database whose sum differs is not what its changes left. [ErrDamaged] when only the disk can have done it and there is
// a spill from which it can be made anew; nothing when an older program, which kept no sum, made the latest change.
func (j *Journal) explain(scan *spillScan, change, txid uint64) (by string, lost []wire.Range, err error) {
	if scan == nil || !scan.whole && scan.last <= change {
		lost, err = j.lostBehind(nil)
		return byUnknown, lost, err
	}
	worn := damaged(j.path, fmt.Sprintf("it does not hold what its changes put into it (change %d; its spill goes from %d to %d)", change, scan.base, scan.last))
	if !scan.whole {
		return "", nil, worn
	}
	f, err := os.Open(spillPath(j.path))
	if err != nil {
		return "", nil, fmt.Errorf("spill: %w", err)
	}
	defer f.Close()
	doubt, marked, bolt, err := scan.labelAt(f, change)
	switch {
	case err != nil:
		return "", nil, err
	case doubt != "" && scan.base == change && scan.last <= change+1: // the power went when it was about to be told
		lost, err = j.lostBehind(nil)
		return doubt, lost, err
	case scan.last == change && txid > bolt: // every transaction of ours is in the spill, and this one is not
		lanes, err := scan.lanes(f)
		if err == nil {
			lost, err = j.lostBehind(lanes)
		}
		return byHand, lost, err
	case scan.base <= change && !marked:
		return "", nil, nil
	}
	return "", nil, worn
}

// lanes is where the lanes stood after everything that a spill tells.
func (s *spillScan) lanes(r io.ReaderAt) (map[wire.Lane]laneState, error) {
	all := map[wire.Lane]laneState{}
	for _, some := range [][]frame{s.parts, s.changes} {
		for _, f := range some {
			_, payload, err := readFrame(r, f.at, maxSpill)
			if err != nil {
				return nil, fmt.Errorf("spill: %w", err)
			}
			err = eachOp(payload, func(o op) error {
				var st laneState
				if o.kind == opPut && o.bucket == numberOf(bucketLanes) && decode(o.value, &st) == nil {
					all[wire.Lane(o.key)] = st
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// lostBehind says which places behind the ends of the lanes may have been written: as far as a spill knows that, or without an end.
func (j *Journal) lostBehind(known map[wire.Lane]laneState) (lost []wire.Range, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		for _, lane := range wire.Lanes {
			st, err := readLane(tx, lane)
			if err != nil {
				return err
			}
			was, is := known[lane]
			switch {
			case known == nil:
				lost = append(lost, wire.Range{Epoch: st.Epoch, Lane: lane, From: st.Head + 1})
			case is && was.Epoch == st.Epoch && was.Head > st.Head:
				lost = append(lost, wire.Range{Epoch: st.Epoch, Lane: lane, From: st.Head + 1, To: was.Head})
			case is && was.Epoch != st.Epoch && was.Head > 0:
				lost = append(lost, wire.Range{Epoch: was.Epoch, Lane: lane, From: 1, To: was.Head})
			}
		}
		return nil
	})
	return lost, err
}

// tellDiffers goes on with what there is, begins the spill anew beside it, and says so.
func (j *Journal) tellDiffers(by string, lost []wire.Range, change uint64) error {
	if err := keepAside(spillPath(j.path), j.opt.Now()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	j.doubt = by
	if err := j.checkpoint(); err != nil {
		return err
	}
	j.opt.Log.Error("the journal's database is not what its last change left: somebody edited it, or the disk did not keep pages", "by", by, "change", change)
	err := j.Update(func(tx *Tx) error {
		tx.anew = true
		err := tx.Audit(EventJournalDiffers, wire.WhoSystem, map[string]string{"by": by, "change": fmt.Sprint(change)})
		for _, l := range lost {
			err = errors.Join(err, tx.auditLost(l))
		}
		return err
	})
	if err == nil {
		j.doubt = ""
	}
	return err
}
