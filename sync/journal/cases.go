package journal

// Cases: opening, states, recorded steps.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// OpenCase turns a visit's answers into a case: the commit point.
func (tx *Tx) OpenCase(n NewCase) (Case, error) {
	if tx.j.full(tx.tx) {
		return Case{}, ErrFull
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Case{}, err
	}
	at := tx.j.now()
	code, err := tx.receiptCode(at)
	if err != nil {
		return Case{}, err
	}
	c := Case{ID: id.String(), Item: n.Item, ItemHash: n.ItemHash, Schema: n.Schema, Visit: n.Visit, ReceiptCode: code,
		State: Submitted, Person: n.Person, Last4: n.Last4, Opened: at, Updated: at,
		History: []CaseEvent{{State: Submitted, At: at}}}
	if err := tx.putCase(c); err != nil {
		return Case{}, err
	}
	if err := tx.bucket(bucketCodes).Put([]byte(code), []byte(c.ID)); err != nil {
		return Case{}, err
	}
	_, err = tx.Emit(wire.LaneTx, c.ID, wire.TypeCaseOpened, 1, wire.CaseOpened{Item: c.Item, ItemHash: c.ItemHash,
		Schema: c.Schema, ReceiptCode: code, State: string(Submitted), At: at, Person: c.Person, Last4: c.Last4, Details: n.Details})
	if err != nil {
		return Case{}, err
	}
	if err := tx.Audit(EventCaseOpened, wire.WhoCitizen, map[string]string{"case": c.ID, "item": c.Item}); err != nil {
		return Case{}, err
	}
	tx.j.crash(crashCaseOpened)
	return c, nil
}

// receiptCode counts up for ever: a clock set back changes the date in the code, never makes a code twice.
func (tx *Tx) receiptCode(at time.Time) (string, error) {
	n, err := tx.skipCodes(1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%s-%06d", tx.j.opt.No, at.Local().Format("20060102"), n), nil
}

// SetState moves a case on, if its state allows that.
func (tx *Tx) SetState(caseID string, to State, why string) error {
	c, err := tx.Case(caseID)
	if err != nil {
		return err
	}
	if c.State == to {
		return nil
	}
	if !c.State.May(to) {
		return fmt.Errorf("case %s from %s to %s: %w", c.ReceiptCode, c.State, to, ErrState)
	}
	at := tx.j.now()
	c.State, c.Updated = to, at
	c.History = append(c.History, CaseEvent{to, why, at})
	if err := tx.putCase(c); err != nil {
		return err
	}
	_, err = tx.Emit(wire.LaneTx, c.ID, wire.TypeCaseState, 1, wire.CaseState{State: string(to), Why: why, At: at})
	if err != nil {
		return err
	}
	tx.j.crash(crashStateSet)
	return nil
}

// RecordStep keeps a step's result with its case, so that a resumed case does not ask twice. No personal data.
func (tx *Tx) RecordStep(caseID, step string, result any) error {
	c, err := tx.Case(caseID)
	if err != nil {
		return err
	}
	b, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("step %s: %w", step, err)
	}
	if c.Steps == nil {
		c.Steps = map[string]json.RawMessage{}
	}
	c.Steps[step] = b
	c.Updated = tx.j.now()
	return tx.putCase(c)
}

// Case is a case as this change sees it.
func (tx *Tx) Case(id string) (Case, error) {
	raw := tx.tx.Bucket(bucketCases).Get([]byte(id))
	c, known := tx.j.latest.is(id, raw)
	if !known {
		var err error
		if c, err = readCase(tx.tx, id); err != nil {
			return c, err
		}
		tx.j.latest.note(c, raw)
	}
	tx.leases[id] = c.Lease
	return c, nil
}

func (tx *Tx) putCase(c Case) error {
	tx.leases[c.ID] = c.Lease
	b, err := encode(c)
	if err != nil {
		return err
	}
	tx.j.latest.note(c, b)
	return tx.bucket(bucketCases).Put([]byte(c.ID), b)
}

// latestCase is the case that changes were last about, as it was read from its bytes or put as them: a visit's changes are
// about one case, and reading it anew for each costs more than all else that they compute.
type latestCase struct {
	c   Case
	raw []byte
}

// is returns the case if these are still its bytes.
func (l *latestCase) is(id string, raw []byte) (Case, bool) {
	if raw == nil || l.c.ID != id || !bytes.Equal(l.raw, raw) {
		return Case{}, false
	}
	return cloneCase(l.c), true
}

func (l *latestCase) note(c Case, raw []byte) {
	l.c, l.raw = cloneCase(c), append(l.raw[:0], raw...)
}

func cloneCase(c Case) Case {
	c.History, c.Steps, c.Decisions = slices.Clone(c.History), maps.Clone(c.Steps), slices.Clone(c.Decisions)
	return c
}

func readCase(tx *bolt.Tx, id string) (Case, error) {
	b := tx.Bucket(bucketCases).Get([]byte(id))
	if b == nil {
		return Case{}, fmt.Errorf("case: %w", ErrNotFound)
	}
	var c Case
	if err := decode(b, &c); err != nil {
		return Case{}, fmt.Errorf("case %s: %w", id, errors.Join(ErrDamaged, err))
	}
	return c, nil
}

// Case returns a case by its id.
func (j *Journal) Case(id string) (c Case, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		c, err = readCase(tx, id)
		return err
	})
	return c, err
}

// CaseByReceipt returns the case that a receipt code names. Spaces and letter case do not matter.
func (j *Journal) CaseByReceipt(code string) (c Case, err error) {
	code = strings.ToUpper(strings.ReplaceAll(code, " ", ""))
	err = j.view(func(tx *bolt.Tx) error {
		id := tx.Bucket(bucketCodes).Get([]byte(code))
		if id == nil {
			return fmt.Errorf("receipt code: %w", ErrNotFound)
		}
		c, err = readCase(tx, string(id))
		return err
	})
	return c, err
}

// Cases returns the cases that match, oldest first; nil matches all.
func (j *Journal) Cases(match func(Case) bool) (all []Case, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketCases).ForEach(func(k, _ []byte) error {
			c, err := readCase(tx, string(k))
			if err != nil {
				return err
			}
			if match == nil || match(c) {
				all = append(all, c)
			}
			return nil
		})
	})
	return all, err
}
