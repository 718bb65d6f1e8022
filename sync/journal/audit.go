package journal

// The audit chain: what may be written into it, its signed heads, and whether it is whole.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// Event names one kind of line of the audit chain; the constants are in events_gen.go.
type Event = wire.Event

// metaAuditAck is the platform's last signed acknowledgement of the audit lane.
const metaAuditAck = "audit.ack"

// Audit adds a line to the audit chain. who is an operator's id, "citizen", "system", "platform" or "technician". What the
// event catalogue does not hold, or not with such fields, is refused with [wire.ErrEvent]: there is no field into which
// personal data would fit.
func (tx *Tx) Audit(event Event, who string, fields map[string]string) error {
	entry := wire.AuditEntry{Event: event, Who: who, Fields: fields, At: tx.j.now()}
	if err := entry.Check(); err != nil {
		return err
	}
	_, err := tx.Emit(wire.LaneAudit, fields["case"], wire.TypeAudit, 1, entry)
	return err
}

// SignHead signs where the audit chain ends and chains the signature. It returns the head, to be kept outside the journal
// as well.
func (j *Journal) SignHead(why string, sign func([]byte) ([]byte, error)) (h wire.AuditHead, err error) {
	err = j.Update(func(tx *Tx) error {
		st, err := readLane(tx.tx, wire.LaneAudit)
		if err != nil {
			return err
		}
		h = wire.AuditHead{Terminal: j.opt.Terminal, Epoch: st.Epoch, Seq: st.Head, Hash: st.HeadHash, Why: why, At: j.now()}
		if h.Signature, err = sign(h.SigningBytes()); err != nil {
			return fmt.Errorf("sign the audit chain's head: %w", err)
		}
		_, err = tx.Emit(wire.LaneAudit, "", wire.TypeAuditHead, 1, h)
		return err
	})
	return h, err
}

// keepAck keeps an acknowledgement of the audit lane as the platform signed it: whoever holds this machine cannot make one.
func (tx *Tx) keepAck(a wire.Ack) error {
	if a.Lane != wire.LaneAudit || len(a.Signature) == 0 {
		return nil
	}
	a.Outcomes = nil
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return tx.SetMeta(metaAuditAck, b)
}

// AuditAck is the platform's last signed acknowledgement of the audit lane; [ErrNotFound] when there is none.
func (j *Journal) AuditAck() (a wire.Ack, err error) {
	b, err := j.Meta(metaAuditAck)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("acknowledgement of the audit lane: %w", errors.Join(ErrDamaged, err))
	}
	return a, nil
}

// AuditReport is what [Journal.VerifyAudit] found.
type AuditReport struct {
	Epochs, Entries, Heads int
	LastHead               time.Time // when the chain was last signed
	Head                   wire.LanePoint
	Epoch                  uint32
	Problems               []string
}

// VerifyAudit walks the audit chain through all epochs that are here: places, hashes, bodies, signed heads, what was trimmed,
// and what was claimed of it from outside. signed verifies a head's signature. Problems are listed; an error means that the
// walk itself could not go on.
func (j *Journal) VerifyAudit(ctx context.Context, signed func(wire.AuditHead) error, claims []wire.Claim) (r AuditReport, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		st, err := readLane(tx, wire.LaneAudit)
		if err != nil {
			return err
		}
		trims := map[uint32]uint64{}
		walk := func(b *bolt.Bucket, epoch uint32) (*wire.AuditWalk, error) {
			w := &wire.AuditWalk{Terminal: j.opt.Terminal, Epoch: epoch, Signed: signed, From: firstOf(b)}
			for _, c := range claims {
				// What an earlier epoch did not get acknowledged was chained anew and lies in a later one.
				if epoch == st.Epoch || c.Seq <= lastOf(b) {
					w.Claims = append(w.Claims, c)
				}
			}
			err := b.ForEach(func(k, v []byte) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				var s stored
				if err := decode(v, &s); err != nil {
					w.Unreadable(seqOf(k), errors.New("not a record"))
					return nil
				}
				full, err := j.openRecord(tx, s)
				if err != nil {
					w.Unreadable(seqOf(k), err)
					return nil
				}
				if s.Seq != seqOf(k) {
					w.Unreadable(seqOf(k), fmt.Errorf("it says that it is %d", s.Seq))
				}
				w.Add(full)
				noteTrim(full, trims)
				return nil
			})
			r.Epochs++
			return w, err
		}
		var walks []*wire.AuditWalk
		archives := tx.Bucket(bucketArchive)
		err = archives.ForEachBucket(func(name []byte) error {
			lane, number, _ := strings.Cut(string(name), "/")
			n, err := strconv.ParseUint(number, 10, 32)
			if err != nil || lane != string(wire.LaneAudit) {
				return nil
			}
			w, err := walk(archives.Bucket(name), uint32(n))
			w.Reached()
			walks = append(walks, w)
			return err
		})
		if err != nil {
			return err
		}
		w, err := walk(tx.Bucket(bucketRecords).Bucket([]byte(wire.LaneAudit)), st.Epoch)
		if err != nil {
			return err
		}
		w.End(wire.LanePoint{Seq: st.Head, Hash: st.HeadHash})
		walks = append(walks, w)
		r.Head, r.Epoch = w.Last, st.Epoch
		for _, w := range walks {
			r.Entries, r.Heads = r.Entries+w.Entries, r.Heads+w.Heads
			if w.LastHead.After(r.LastHead) {
				r.LastHead = w.LastHead
			}
			r.Problems = append(r.Problems, w.Problems...)
			// The beginning may be missing only where a trim is written down, and no further than that.
			from, trimmed := trims[w.Epoch]
			if w.From > 1 && (w.Epoch == st.Epoch && w.From > from || !trimmed && len(trims) == 0) {
				r.Problems = append(r.Problems, fmt.Sprintf("epoch %d: begins at %d, trimmed was up to %d: entries were cut off at the beginning", w.Epoch, w.From, max(from, 1)))
			}
		}
		return nil
	})
	return r, err
}

// noteTrim reads from a line of the chain how far an epoch was trimmed, or how much of it was found when the journal was recovered.
func noteTrim(r wire.Record, trims map[uint32]uint64) {
	var a wire.AuditEntry
	if r.Type != wire.TypeAudit || json.Unmarshal(r.Body, &a) != nil || a.Event != EventJournalTrimmed && a.Event != EventJournalRecovered {
		return
	}
	epoch, err := strconv.ParseUint(a.Fields["audit_epoch"], 10, 32)
	from, err2 := strconv.ParseUint(a.Fields["audit_from"], 10, 64)
	if err != nil || err2 != nil {
		return
	}
	trims[uint32(epoch)] = max(trims[uint32(epoch)], from)
}

// auditFrom is the oldest record of the audit lane's epoch that is still here.
func (tx *Tx) auditFrom() (epoch uint32, seq uint64, err error) {
	st, err := readLane(tx.tx, wire.LaneAudit)
	return st.Epoch, firstOf(tx.tx.Bucket(bucketRecords).Bucket([]byte(wire.LaneAudit))), err
}

// auditArchived is the oldest epoch of the audit lane that is here, and the first of its records.
func (tx *Tx) auditArchived() (epoch uint32, from uint64) {
	archives := tx.tx.Bucket(bucketArchive)
	_ = archives.ForEachBucket(func(name []byte) error {
		lane, number, _ := strings.Cut(string(name), "/")
		n, err := strconv.ParseUint(number, 10, 32)
		if err == nil && lane == string(wire.LaneAudit) && epoch == 0 {
			epoch, from = uint32(n), firstOf(archives.Bucket(name))
		}
		return nil
	})
	return epoch, from
}

func firstOf(b *bolt.Bucket) uint64 {
	k, _ := b.Cursor().First()
	return max(seqOf(k), 1)
}

func lastOf(b *bolt.Bucket) uint64 {
	k, _ := b.Cursor().Last()
	return seqOf(k)
}

func seqOf(k []byte) (n uint64) {
	for _, c := range k {
		n = n<<8 | uint64(c)
	}
	return n
}
