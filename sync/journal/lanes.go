package journal

// Lanes: what waits for the platform, in order, chained, sealed until it is sent.

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// laneState is one lane's durable place.
type laneState struct {
	Epoch     uint32    `json:"epoch"`
	Head      uint64    `json:"head"`
	HeadHash  wire.Hash `json:"head_hash"`
	Acked     uint64    `json:"acked"`
	AckedHash wire.Hash `json:"acked_hash"`
	Backed    uint64    `json:"backed,omitempty"` // up to here the platform's backup holds it
	Bytes     int64     `json:"bytes,omitempty"`  // about what the records that wait take
	Wall      int64     `json:"wall,omitempty"`   // time of the last record, ms: a clock that is behind it is not believed
}

// stored is a record as it lies in the file: its header in the open, its salted body sealed.
type stored struct {
	wire.Header
	Gen    uint32 `json:"gen,omitempty"` // generation of the data key
	Sealed []byte `json:"sealed"`        // salt (32 bytes) and body
}

// keyID says which data key seals a record's body. The audit chain outlives the cases it tells of.
func keyID(h wire.Header) string {
	if h.Case == "" || h.Lane == wire.LaneAudit {
		return epochKey(h.Epoch)
	}
	return h.Case
}

// weight is about what a record takes in the file: its body in base 64, and its header.
func weight(body int) int64 { return int64(body)*4/3 + 700 }

// Emit writes a record for the platform. Its body is JSON, at most 64 KiB.
func (tx *Tx) Emit(lane wire.Lane, caseID, typ string, schema int, body any) (string, error) {
	plain, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("record %s: %w", typ, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	st, err := readLane(tx.tx, lane)
	if err != nil {
		return "", err
	}
	wall, off, unsure := tx.j.stamp()
	r := wire.Record{Header: wire.Header{V: wire.Version, Terminal: tx.j.opt.Terminal, Epoch: st.Epoch, Lane: lane, Seq: st.Head + 1,
		ID: id.String(), Case: caseID, Lease: tx.leaseOf(caseID), Type: typ, Schema: schema, Wall: wall, Mono: tx.j.past().Milliseconds(),
		Boot: tx.j.opt.Boot, ClockOff: off.Milliseconds(), ClockUnsure: unsure, Prev: st.HeadHash}, Body: plain}
	if _, err := rand.Read(r.Salt[:]); err != nil {
		return "", err
	}
	r.BodyHash = wire.HashBody(r.Salt, r.Body)
	if err := r.Check(st.HeadHash); err != nil {
		return "", err
	}
	if err := tx.putRecord(r); err != nil {
		return "", err
	}
	st.Head, st.HeadHash, st.Wall = r.Seq, r.Header.Hash(), wall.UnixMilli()
	st.Bytes += weight(len(r.Body))
	if err := tx.writeLane(lane, st); err != nil {
		return "", err
	}
	return r.ID, tx.addWaiting(caseID, 1)
}

func (tx *Tx) putRecord(r wire.Record) error {
	k, gen, err := tx.dataKey(keyID(r.Header))
	if err != nil {
		return err
	}
	sealed, err := k.seal(append(append([]byte(nil), r.Salt[:]...), r.Body...), wire.RecordAAD(r.Header))
	if err != nil {
		return err
	}
	b, err := encode(stored{r.Header, gen, sealed})
	if err != nil {
		return err
	}
	lane := tx.records(string(r.Lane))
	lane.FillPercent = 0.95
	return lane.Put(seqKey(r.Seq), b)
}

// openRecord unseals a stored record. A body whose key was destroyed is ErrNotFound.
func (j *Journal) openRecord(tx *bolt.Tx, s stored) (wire.Record, error) {
	k, err := j.keyOf(tx, keyID(s.Header), s.Gen)
	if err != nil {
		return wire.Record{}, err
	}
	plain, err := k.open(s.Sealed, wire.RecordAAD(s.Header))
	if err != nil {
		return wire.Record{}, err
	}
	if len(plain) < 32 {
		return wire.Record{}, fmt.Errorf("record %s/%d: %w", s.Lane, s.Seq, ErrDamaged)
	}
	r := wire.Record{Header: s.Header, Body: plain[32:]}
	copy(r.Salt[:], plain)
	return r, nil
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func readLane(tx *bolt.Tx, lane wire.Lane) (laneState, error) {
	st := laneState{Epoch: 1}
	if tx.Bucket(bucketRecords).Bucket([]byte(lane)) == nil {
		return st, fmt.Errorf("lane %q: %w", lane, ErrNotFound)
	}
	if b := tx.Bucket(bucketLanes).Get([]byte(lane)); b != nil {
		if err := decode(b, &st); err != nil {
			return st, fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
		}
	}
	return st, nil
}

func (tx *Tx) writeLane(lane wire.Lane, st laneState) error {
	b, err := encode(st)
	if err != nil {
		return err
	}
	return tx.bucket(bucketLanes).Put([]byte(lane), b)
}

func (tx *Tx) waiting(caseID string) uint64 { return waitingOf(tx.tx, caseID) }

func waitingOf(tx *bolt.Tx, caseID string) uint64 {
	if b := tx.Bucket(bucketWaiting).Get([]byte(caseID)); len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (tx *Tx) addWaiting(caseID string, n int) error {
	if caseID == "" {
		return nil
	}
	now := uint64(max(0, int64(tx.waiting(caseID))+int64(n)))
	if now == 0 {
		return tx.bucket(bucketWaiting).Delete([]byte(caseID))
	}
	return tx.bucket(bucketWaiting).Put([]byte(caseID), binary.BigEndian.AppendUint64(nil, now))
}

// Lanes shows every lane, in sending order.
func (j *Journal) Lanes() (all []LaneStatus, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		for _, lane := range wire.Lanes {
			st, err := readLane(tx, lane)
			if err != nil {
				return err
			}
			s := LaneStatus{Lane: lane, Epoch: st.Epoch, Head: st.Head, HeadHash: st.HeadHash, Acked: st.Acked,
				AckedHash: st.AckedHash, Waiting: st.Head - st.Acked}
			if b := tx.Bucket(bucketRecords).Bucket([]byte(lane)).Get(seqKey(st.Acked + 1)); b != nil {
				var r stored
				if err := decode(b, &r); err != nil {
					return fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
				}
				s.Oldest = r.Wall
			}
			all = append(all, s)
		}
		return nil
	})
	return all, err
}

// Pending returns the next records of a lane, with their bodies opened: at most so many, and no more than so many bytes of
// bodies (but always at least one). [ErrNotFound] says that the next one's body was destroyed: the platform held it once and
// has lost it; only a new epoch goes on from there. It waits for a change under way, and after a disk error there is nothing.
func (j *Journal) Pending(lane wire.Lane, records, size int) (all []wire.Record, err error) {
	err = j.settled(func(tx *bolt.Tx) error {
		st, err := readLane(tx, lane)
		if err != nil {
			return err
		}
		total := 0
		c := tx.Bucket(bucketRecords).Bucket([]byte(lane)).Cursor()
		for k, v := c.Seek(seqKey(st.Acked + 1)); k != nil && len(all) < records; k, v = c.Next() {
			var s stored
			if err := decode(v, &s); err != nil {
				return fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
			}
			r, err := j.openRecord(tx, s)
			if errors.Is(err, ErrNotFound) && len(all) > 0 {
				return nil
			}
			if err != nil {
				return fmt.Errorf("lane %s/%d: %w", lane, s.Seq, err)
			}
			total += len(r.Body) + 600
			if total > size && len(all) > 0 {
				return nil
			}
			all = append(all, r)
		}
		return nil
	})
	return all, err
}

// Acked notes what the platform holds durably. The lane moves only when our hash at the acknowledged place is the
// platform's; otherwise [ErrFork]. An ack that came twice or late changes nothing; one of an earlier epoch, or of another
// terminal, is [ErrState]. The signature is the caller's to verify.
func (j *Journal) Acked(a wire.Ack) error {
	return j.Update(func(tx *Tx) error {
		st, err := readLane(tx.tx, a.Lane)
		if err != nil {
			return err
		}
		switch {
		case a.Terminal != "" && a.Terminal != j.opt.Terminal:
			return fmt.Errorf("ack for terminal %.40q: %w", a.Terminal, ErrState)
		case a.Epoch < st.Epoch:
			return fmt.Errorf("ack of %s for epoch %d, which epoch %d followed: %w", a.Lane, a.Epoch, st.Epoch, ErrState)
		case a.Epoch > st.Epoch || a.High > st.Head:
			return fmt.Errorf("ack of %s epoch %d up to %d, ours is epoch %d up to %d: %w", a.Lane, a.Epoch, a.High, st.Epoch, st.Head, ErrFork)
		}
		hash, err := tx.hashAt(a.Lane, a.High)
		if errors.Is(err, ErrNotFound) && a.High < st.Acked {
			return nil // trimmed: it was compared when it was acknowledged
		}
		if err != nil {
			return err
		}
		if !wire.SameHistory(hash, a.Hash) {
			return fmt.Errorf("ack of %s at %d: %w", a.Lane, a.High, ErrFork)
		}
		if a.High <= st.Acked {
			return nil
		}
		c := tx.tx.Bucket(bucketRecords).Bucket([]byte(a.Lane)).Cursor()
		for k, v := c.Seek(seqKey(st.Acked + 1)); k != nil && bytes.Compare(k, seqKey(a.High)) <= 0; k, v = c.Next() {
			var s stored
			if err := decode(v, &s); err != nil {
				return fmt.Errorf("lane %s: %w", a.Lane, errors.Join(ErrDamaged, err))
			}
			if err := tx.addWaiting(s.Case, -1); err != nil {
				return err
			}
			st.Bytes = max(0, st.Bytes-weight(len(s.Sealed)))
		}
		if a.High == st.Head {
			st.Bytes = 0
		}
		st.Acked, st.AckedHash = a.High, a.Hash
		if err := tx.writeLane(a.Lane, st); err != nil {
			return err
		}
		if err := tx.keepAck(a); err != nil {
			return err
		}
		tx.j.spill.drained = drained(tx.tx)
		tx.j.crash(crashAcked)
		return nil
	})
}

// drained says that nothing waits for the platform.
func drained(tx *bolt.Tx) bool {
	for _, lane := range wire.Lanes {
		if st, err := readLane(tx, lane); err != nil || st.Acked < st.Head {
			return false
		}
	}
	return true
}

// HashAt is the hash of a record that is held in a lane's epoch; of seq 0 the zero hash. [ErrNotFound] when it is not held.
func (j *Journal) HashAt(lane wire.Lane, seq uint64) (h wire.Hash, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		if _, err := readLane(tx, lane); err != nil {
			return err
		}
		h, err = (&Tx{j: j, tx: tx}).hashAt(lane, seq)
		return err
	})
	return h, err
}

// hashAt is the hash of a lane's record; of seq 0 the zero hash.
func (tx *Tx) hashAt(lane wire.Lane, seq uint64) (wire.Hash, error) {
	if seq == 0 {
		return wire.Hash{}, nil
	}
	b := tx.tx.Bucket(bucketRecords).Bucket([]byte(lane)).Get(seqKey(seq))
	if b == nil {
		return wire.Hash{}, fmt.Errorf("lane %s: record %d: %w", lane, seq, ErrNotFound)
	}
	var s stored
	if err := decode(b, &s); err != nil {
		return wire.Hash{}, fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
	}
	return s.Header.Hash(), nil
}

// Rewind begins a lane again from what the platform holds, after the platform lost records: they are still here.
// [ErrFork] when our hash at that place is another.
func (j *Journal) Rewind(lane wire.Lane, p wire.LanePoint) error {
	return j.Update(func(tx *Tx) error {
		st, err := readLane(tx.tx, lane)
		if err != nil {
			return err
		}
		if p.Seq >= st.Acked {
			return nil
		}
		hash, err := tx.hashAt(lane, p.Seq)
		if err != nil {
			return err
		}
		if !wire.SameHistory(hash, p.Hash) {
			return fmt.Errorf("rewind of %s to %d: %w", lane, p.Seq, ErrFork)
		}
		for seq := p.Seq + 1; seq <= st.Acked; seq++ {
			var s stored
			if b := tx.tx.Bucket(bucketRecords).Bucket([]byte(lane)).Get(seqKey(seq)); b == nil {
				return fmt.Errorf("rewind of %s: record %d: %w", lane, seq, ErrNotFound)
			} else if err := decode(b, &s); err != nil {
				return fmt.Errorf("lane %s: %w", lane, errors.Join(ErrDamaged, err))
			}
			if err := tx.addWaiting(s.Case, 1); err != nil {
				return err
			}
			st.Bytes += weight(len(s.Sealed))
		}
		st.Acked, st.AckedHash = p.Seq, p.Hash
		if err := tx.writeLane(lane, st); err != nil {
			return err
		}
		tx.j.crash(crashRewound)
		return nil
	})
}

// CaseAcked says whether the platform holds all records of a case.
func (j *Journal) CaseAcked(caseID string) (acked bool, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		if _, err := readCase(tx, caseID); err != nil {
			return err
		}
		acked = waitingOf(tx, caseID) == 0
		return nil
	})
	return acked, err
}
