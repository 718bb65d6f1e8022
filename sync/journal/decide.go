package journal

// Decisions: what a person found out about a case. The case's way, its effects, the note and the audit line are one change.

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Decision is what a person decided about a case. It carries no personal data; a note goes sealed beside it.
type Decision struct {
	ID       string    `json:"id"`     // unique for ever; deciding again under it changes nothing
	Action   string    `json:"action"` // a word of the desk's
	Operator string    `json:"operator"`
	Second   string    `json:"second,omitempty"` // the other person, where two are needed
	Reason   string    `json:"reason"`           // a word of the desk's
	From     State     `json:"from"`
	To       State     `json:"to"`
	Note     string    `json:"note,omitempty"` // salted hash of the sealed note, hex
	At       time.Time `json:"at"`
}

// MaxNote bounds a note, in bytes.
const MaxNote = 4 << 10

// Judgement gives an outcome to a case's effects of one kind that nobody knew the outcome of.
type Judgement struct {
	Kind  string      // "" judges nothing
	State EffectState // EffectDone or EffectFailed
}

// Decide writes a decision: the case goes along path, unknown effects get the outcome that the person saw, the note is sealed
// with the case's key, and one line of the audit chain tells of it. An empty path leaves the state. Effects without any
// outcome forbid a judgement ([ErrUnsettled]): they are settled by asking first.
func (tx *Tx) Decide(caseID string, d Decision, path []State, judge Judgement, note []byte) (Case, error) {
	c, err := tx.Case(caseID)
	if err != nil {
		return c, err
	}
	if len(note) > MaxNote {
		return c, fmt.Errorf("note of %d bytes, limit %d: %w", len(note), MaxNote, ErrState)
	}
	d.From, d.To, d.At = c.State, c.State, tx.j.now()
	if judge.Kind != "" {
		if err := tx.judge(caseID, judge, d); err != nil {
			return c, err
		}
	}
	for _, to := range path {
		if err := tx.SetState(caseID, to, "desk: "+d.Reason); err != nil {
			return c, err
		}
		d.To = to
	}
	fields := map[string]string{"case": caseID, "action": d.Action, "from": string(d.From), "to": string(d.To), "reason": d.Reason, "decision": d.ID}
	if len(note) > 0 {
		sealed := make([]byte, 32, 32+len(note))
		if _, err := rand.Read(sealed); err != nil {
			return c, err
		}
		d.Note = wire.HashBody(wire.Hash(sealed), note).String()
		fields["note"] = d.Note
		if err := tx.Seal(caseID, noteName(d.ID), append(sealed, note...)); err != nil {
			return c, err
		}
	}
	if d.Second != "" {
		fields["second"] = d.Second
	}
	if c, err = tx.Case(caseID); err != nil {
		return c, err
	}
	c.Decisions, c.Updated = append(c.Decisions, d), d.At
	if err := tx.putCase(c); err != nil {
		return c, err
	}
	return c, tx.Audit(EventDeskDecided, d.Operator, fields)
}

func noteName(decision string) string { return "note-" + decision }

// judge ends a case's unknown effects of a kind with what a person saw.
func (tx *Tx) judge(caseID string, judge Judgement, d Decision) error {
	if judge.State != EffectDone && judge.State != EffectFailed {
		return fmt.Errorf("judgement %q: %w", judge.State, ErrState)
	}
	all, err := effectsOf(tx.tx, caseID)
	if err != nil {
		return err
	}
	for _, e := range all {
		switch {
		case e.Kind != judge.Kind:
			continue
		case e.State == EffectIntended:
			return fmt.Errorf("effect %s: %w", e.EffectName, ErrUnsettled)
		case e.State != EffectUnknown:
			continue
		}
		e.State, e.Settled, e.Ended = judge.State, true, d.At
		e.Detail = strings.TrimSpace("desk " + d.ID)
		if err := tx.putEffect(e); err != nil {
			return err
		}
		_, err := tx.Emit(wire.LaneTx, caseID, wire.TypeEffect, 1, wire.EffectOutcome{Effect: e.EffectName.String(), Kind: e.Kind,
			State: string(e.State), Detail: e.Detail, Number: e.Number, Settled: true, At: e.Ended})
		if err != nil {
			return err
		}
	}
	return nil
}

// Note opens the note that a person left with a decision. [ErrNotFound] when there is none, or the case's key was destroyed.
func (j *Journal) Note(caseID, decision string) ([]byte, error) {
	b, err := j.Sealed(caseID, noteName(decision))
	if err != nil {
		return nil, err
	}
	if len(b) < 32 {
		return nil, fmt.Errorf("note of decision %s: %w", decision, ErrDamaged)
	}
	return b[32:], nil
}

// Operator says whether a text can be an operator's id: letters first, then letters, digits, ". _ -", at most 32.
func Operator(id string) bool { return wire.Operator(id) }
