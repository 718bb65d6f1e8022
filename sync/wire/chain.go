package wire

// The audit chain seen from outside: signed heads, and a walk that finds every cut, edit, swap and reordering.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// AuditHead is where the audit chain ended when it was signed, every hour and when the program ends. It lies in the chain
// itself, right behind the record that it names.
type AuditHead struct {
	Terminal  string    `json:"terminal"`
	Epoch     uint32    `json:"epoch"`
	Seq       uint64    `json:"seq"`
	Hash      Hash      `json:"hash"`
	Why       string    `json:"why"` // "start", "hour", "stop"
	At        time.Time `json:"at"`
	Signature []byte    `json:"signature"` // by the terminal's key, over SigningBytes
}

// SigningBytes is what the terminal signs.
func (h AuditHead) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-audit-head-v1\n%s\n%d\n%d\n%s\n%s\n%d\n", h.Terminal, h.Epoch, h.Seq, h.Hash, h.Why, h.At.UnixMilli())
}

// A Claim is what somebody who can be believed said of a chain: its hash at a place. By says who, for the report.
type Claim struct {
	Epoch uint32
	Seq   uint64
	Hash  Hash
	By    string
}

// AuditWalk verifies one epoch of one terminal's audit lane: Add every record in the order in which it lies there, then End.
type AuditWalk struct {
	Terminal string
	Epoch    uint32
	// From is the sequence with which the chain begins: 1, or later when what lay before was trimmed.
	From uint64
	// Signed verifies a head's signature; nil leaves signatures unverified.
	Signed func(AuditHead) error
	Claims []Claim

	Entries  int       // lines of audit seen
	Heads    int       // signed heads seen
	LastHead time.Time // when the chain was last signed; zero when it never was
	Last     LanePoint // where the walk is
	Problems []string  // at most 100

	begun bool
}

func (w *AuditWalk) bad(format string, a ...any) {
	if len(w.Problems) < 100 {
		w.Problems = append(w.Problems, fmt.Sprintf("epoch %d: ", w.Epoch)+fmt.Sprintf(format, a...))
	}
}

// Unreadable notes a record that could not be read at all.
func (w *AuditWalk) Unreadable(seq uint64, why error) {
	w.bad("record %d cannot be read: %v", seq, why)
}

// Add takes the next record.
func (w *AuditWalk) Add(r Record) {
	if !w.begun {
		w.begun = true
		w.Last = LanePoint{Seq: max(w.From, 1) - 1}
		if w.From > 1 {
			w.Last.Hash = r.Prev
		}
	}
	if r.Seq != w.Last.Seq+1 {
		w.bad("record %d follows %d: entries are missing or out of order", r.Seq, w.Last.Seq)
	}
	if r.Prev != w.Last.Hash {
		w.bad("record %d does not continue the chain", r.Seq)
	}
	if r.Terminal != w.Terminal || r.Epoch != w.Epoch || r.Lane != LaneAudit {
		w.bad("record %d says that it is %.40q, epoch %d, lane %.10q", r.Seq, r.Terminal, r.Epoch, r.Lane)
	}
	if HashBody(r.Salt, r.Body) != r.BodyHash {
		w.bad("record %d: its body is not what was chained", r.Seq)
	}
	switch r.Type {
	case TypeAudit:
		w.Entries++
	case TypeAuditHead:
		w.head(r)
	}
	w.Last = LanePoint{Seq: r.Seq, Hash: r.Header.Hash()}
	for _, c := range w.Claims {
		if c.Epoch == w.Epoch && c.Seq == r.Seq && c.Hash != w.Last.Hash {
			w.bad("record %d is another than %s", r.Seq, c.By)
		}
	}
}

func (w *AuditWalk) head(r Record) {
	var h AuditHead
	if err := json.Unmarshal(r.Body, &h); err != nil {
		w.bad("record %d: the signed head cannot be read", r.Seq)
		return
	}
	w.Heads++
	if h.At.After(w.LastHead) {
		w.LastHead = h.At
	}
	if w.Signed != nil {
		if err := w.Signed(h); err != nil {
			w.bad("record %d: the signed head: %v", r.Seq, err)
		}
	}
	// A head that was not acknowledged when a new epoch began was chained anew, and speaks of where it first lay.
	if h.Terminal != w.Terminal || h.Epoch > w.Epoch || h.Epoch == w.Epoch && (h.Seq+1 != r.Seq || h.Hash != r.Prev) {
		w.bad("record %d: the signed head belongs to another place: something was inserted or exchanged", r.Seq)
	}
}

// End compares where the chain ends with where it should: what the store's ledger says, and what was claimed.
func (w *AuditWalk) End(ledger LanePoint) {
	if ledger.Seq != w.Last.Seq || ledger.Seq > 0 && ledger.Hash != w.Last.Hash {
		w.bad("ends at %d, the ledger says %d", w.Last.Seq, ledger.Seq)
	}
	w.Reached()
}

// Reached compares with the claims only.
func (w *AuditWalk) Reached() {
	for _, c := range w.Claims {
		if c.Epoch == w.Epoch && c.Seq > w.Last.Seq {
			w.bad("ends at %d, but %s went to %d: entries were cut off", w.Last.Seq, c.By, c.Seq)
		}
	}
}

// ErrHead: a signed head cannot be read.
var ErrHead = errors.New("not a signed head")

// Witness is what a terminal keeps beside its journal: the last head it signed, and the platform's last acknowledgement of
// the audit lane. A journal that does not go as far was cut or is an older copy.
type Witness struct {
	Head AuditHead `json:"head"`
	Ack  *Ack      `json:"ack,omitempty"`
}

// MaxWitnessBytes bounds a witness's file.
const MaxWitnessBytes = 16 << 10

// ReadWitness reads a witness as it lies in a file.
func ReadWitness(raw []byte) (w Witness, err error) {
	if len(raw) > MaxWitnessBytes {
		return w, fmt.Errorf("%w: %d bytes", ErrHead, len(raw))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Witness{}, fmt.Errorf("%w: %v", ErrHead, err)
	}
	if w.Head.Epoch == 0 || len(w.Head.Signature) == 0 {
		return Witness{}, fmt.Errorf("%w: no head in it", ErrHead)
	}
	return w, nil
}
