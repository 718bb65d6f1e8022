package journal

// Shifts: the balance of all that is counted when one ends, and what became of its slip. They lie in the meta bucket under
// "stock/shift/", the newest [MostShifts] of them.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// MostShifts are kept.
const MostShifts = 100

// SlipState is what is known of a shift's slip.
type SlipState string

// States of a shift's slip.
const (
	SlipDue     SlipState = "due" // certainly not printed yet
	SlipPrinted SlipState = "printed"
	SlipUnknown SlipState = "unknown" // it may have come out: what is printed from here on is a copy
)

// A Shift is one that ended.
type Shift struct {
	No    uint64       `json:"no"` // 1 is the first
	Began time.Time    `json:"began,omitzero"`
	Ended time.Time    `json:"ended"`
	By    string       `json:"by"`
	Stock []ShiftStock `json:"stock"` // of every kind that is counted
	Cases ShiftCases   `json:"cases"` // those that were opened in it
	Slip  SlipState    `json:"slip"`
	// Sending: the printer was told to print its slip, and nobody has said what became of that. Tries is how often it was told.
	Sending bool `json:"sending,omitempty"`
	Tries   int  `json:"tries,omitempty"`
}

// ShiftStock is one kind's balance at a shift's end.
type ShiftStock struct {
	Kind    string            `json:"kind"`
	Balance wire.StockBalance `json:"balance"`
	Told    string            `json:"told,omitempty"` // the machine's contradiction that stood then
}

// ShiftCases counts cases.
type ShiftCases struct {
	All      int `json:"all"`
	Closed   int `json:"closed"`
	Desk     int `json:"desk"` // those that wait here for a person; one that went on at another terminal is that terminal's
	Paid     int `json:"paid"`
	Refunded int `json:"refunded"`
}

// Copy says whether the next slip of the shift is a copy: the first may be on paper.
func (s Shift) Copy() bool { return s.Slip != SlipDue }

// Job is the printer's name for the slip that it was told to print last.
func (s Shift) Job() string { return fmt.Sprintf("shift/%d/%d", s.No, s.Tries) }

const metaShift = metaStock + "shift/"

func shiftKey(no uint64) []byte { return fmt.Appendf(nil, "%s%08d", metaShift, no) }

// EndShift ends the shift of everything that is counted and keeps its balance; its slip is due. waits says which cases wait here for a
// person. [ErrStock]: nothing is counted.
func (tx *Tx) EndShift(by string, waits func(Case) bool) (s Shift, err error) {
	all, err := shiftsOf(tx.tx)
	if err != nil {
		return s, err
	}
	s = Shift{No: 1, Ended: tx.j.now(), By: by, Slip: SlipDue}
	if n := len(all); n > 0 {
		s.No, s.Began = all[n-1].No+1, all[n-1].Ended
	}
	kinds, err := stockKinds(tx.tx)
	if err != nil {
		return s, err
	}
	for _, kind := range kinds {
		ended, err := tx.CloseShift(kind, by)
		if err != nil {
			return s, err
		}
		f, err := readFitting(tx.tx, kind)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return s, err
		}
		s.Stock = append(s.Stock, ShiftStock{kind, ended, f.Told})
	}
	if len(s.Stock) == 0 {
		return s, fmt.Errorf("nothing is counted: %w", ErrStock)
	}
	if s.Cases, err = casesSince(tx.tx, s.Began, waits); err != nil {
		return s, err
	}
	for _, old := range all[:max(0, len(all)-MostShifts+1)] {
		if err := tx.bucket(bucketMeta).Delete(shiftKey(old.No)); err != nil {
			return s, err
		}
	}
	return s, tx.putStock(shiftKey(s.No), s)
}

// stockKinds are the kinds of which something was loaded.
func stockKinds(tx *bolt.Tx) (all []string, err error) {
	prefix := []byte(metaStock + "total/")
	c := tx.Bucket(bucketMeta).Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		kind := strings.TrimPrefix(string(k), string(prefix))
		b, err := readBalance(tx, kind)
		if err != nil {
			return nil, err
		}
		if b.Loaded > 0 {
			all = append(all, kind)
		}
	}
	return all, nil
}

// casesSince counts the cases that were opened from a time on, and how many of them wait for a person.
func casesSince(tx *bolt.Tx, from time.Time, waits func(Case) bool) (n ShiftCases, err error) {
	err = tx.Bucket(bucketCases).ForEach(func(k, _ []byte) error {
		c, err := readCase(tx, string(k))
		if err != nil || c.Opened.Before(from) {
			return err
		}
		n.All++
		if c.State == Closed {
			n.Closed++
		}
		if waits(c) {
			n.Desk++
		}
		paid, refunded := false, false
		for _, h := range c.History {
			paid, refunded = paid || h.State == Paid, refunded || h.State == Refunded
		}
		if paid {
			n.Paid++
		}
		if refunded {
			n.Refunded++
		}
		return nil
	})
	return n, err
}

func shiftsOf(tx *bolt.Tx) (all []Shift, err error) {
	c := tx.Bucket(bucketMeta).Cursor()
	for k, v := c.Seek([]byte(metaShift)); k != nil && bytes.HasPrefix(k, []byte(metaShift)); k, v = c.Next() {
		var s Shift
		if err := json.Unmarshal(v, &s); err != nil {
			return nil, fmt.Errorf("shift: %w", errors.Join(ErrDamaged, err))
		}
		all = append(all, s)
	}
	return all, nil
}

func (tx *Tx) shift(no uint64) (s Shift, err error) {
	raw := tx.tx.Bucket(bucketMeta).Get(shiftKey(no))
	if raw == nil {
		return s, fmt.Errorf("shift %d: %w", no, ErrNotFound)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("shift %d: %w", no, errors.Join(ErrDamaged, err))
	}
	return s, nil
}

// PrintShift notes that the printer is about to be told to print a shift's slip, and returns the shift. [ErrState]: it was told to before,
// and nobody has said what became of that.
func (tx *Tx) PrintShift(no uint64) (s Shift, err error) {
	if s, err = tx.shift(no); err != nil {
		return s, err
	}
	if s.Sending {
		return s, fmt.Errorf("slip of shift %d is being printed: %w", no, ErrState)
	}
	s.Sending, s.Tries = true, s.Tries+1
	return s, tx.putStock(shiftKey(no), s)
}

// ShiftPrinted notes what became of a shift's slip that was sent to the printer: [SlipPrinted], [SlipDue] where certainly none came out,
// [SlipUnknown]. It stands in the audit chain.
func (tx *Tx) ShiftPrinted(no uint64, slip SlipState, by string) error {
	s, err := tx.shift(no)
	if err != nil {
		return err
	}
	if !s.Sending {
		return fmt.Errorf("slip of shift %d is not being printed: %w", no, ErrState)
	}
	what := "slip"
	if s.Slip != SlipDue {
		what = "copy"
	}
	s.Sending = false
	if slip == SlipPrinted || slip == SlipUnknown && s.Slip == SlipDue {
		s.Slip = slip
	}
	if err := tx.putStock(shiftKey(no), s); err != nil {
		return err
	}
	return tx.Audit(EventShiftSlip, by, map[string]string{"shift": fmt.Sprint(no), "what": what, "result": string(slip)})
}

// Shifts are those that are kept, the oldest first.
func (j *Journal) Shifts() (all []Shift, err error) {
	err = j.view(func(tx *bolt.Tx) error { all, err = shiftsOf(tx); return err })
	return all, err
}
