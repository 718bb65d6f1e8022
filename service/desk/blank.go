package desk

// What two people at the platform say of a blank: the ledger and the case move in one change.

import (
	"errors"
	"fmt"

	"github.com/budayang/kiosk/sync/journal"
)

// ErrBlank: there is no such blank, or it stands elsewhere meanwhile.
var ErrBlank = errors.New("the blank does not stand where it was seen")

// Verdict says what became of a blank that is in doubt or kept in the bin, and of its case.
type Verdict struct {
	ID     string // of the decision: the same again changes nothing
	Kind   string // of the blank
	Blank  string // its id here, "" for the one that has the number
	Number string // "" when nobody read it
	Case   string
	To     journal.BlankState
	Money  string // "", "again", "return", "end": of a blank that carries no card
	By     string
	Second string
	Why    []byte // at most journal.MaxNote bytes; sealed
}

// kindCard is the kind of the effects of which a blank's fate tells the outcome.
const kindCard = "print-card"

// fate is what a verdict makes of a case: the desk's action for the record, and the way from where it stands.
type fate struct {
	action Action
	judge  journal.EffectState
	to     map[journal.State][]journal.State
}

var fates = map[string]fate{
	"taken": {HandOver, journal.EffectDone, ways(
		way(states{journal.Printed, journal.Delivered, journal.Closed}, journal.PrintUnknown),
		way(states{journal.Delivered, journal.Closed}, journal.Retained, journal.ReissueDue, journal.Manual, journal.Printed))},
	"retained": {Printed, journal.EffectDone, way(states{journal.Printed, journal.Retained}, journal.PrintUnknown, journal.Manual)},
	"again": {NotPrinted, journal.EffectFailed, ways(
		way(states{journal.ReissueDue}, journal.PrintUnknown, journal.PrintFailed, journal.Spoiled, journal.Manual),
		way(states{journal.Spoiled, journal.ReissueDue}, journal.Retained))},
	"return": {Refund, journal.EffectFailed, ways(
		way(states{journal.PrintFailed, journal.RefundDue}, journal.PrintUnknown),
		way(states{journal.Spoiled, journal.RefundDue}, journal.Retained),
		way(states{journal.RefundDue}, journal.PrintFailed, journal.Spoiled, journal.ReissueDue, journal.Manual))},
	"end": {Void, journal.EffectFailed, ways(
		way(states{journal.PrintFailed, journal.Cancelled}, journal.PrintUnknown),
		way(states{journal.Cancelled}, journal.PrintFailed, journal.Spoiled, journal.Retained, journal.ReissueDue, journal.Manual))},
}

// Blank carries a verdict out. A case that stands where the verdict leads, or where no person decides, stays; told says so. [ErrBlank].
func Blank(tx *journal.Tx, v Verdict) (told string, err error) {
	name := v.Money
	if name == "" {
		name = string(v.To)
	}
	f, known := fates[name]
	if !known || (v.Money != "") != (v.To == "spoiled" || v.To == "back") {
		return "", fmt.Errorf("blank %.20q, money %.20q: %w", v.To, v.Money, ErrNotNow)
	}
	var b journal.Blank
	if v.Blank == "" && v.Number != "" { // the platform knows it by its permit alone
		b, err = tx.BlankNumbered(v.Kind, v.Number)
		v.Blank = b.ID
	} else {
		b, err = tx.Blank(v.Kind, v.Blank)
	}
	if errors.Is(err, journal.ErrNotFound) || err == nil && (b.Number != v.Number || b.Case != v.Case) {
		return "", ErrBlank
	}
	if err != nil {
		return "", err
	}
	if b.State == v.To {
		return "the blank was " + string(v.To) + " before", nil
	}
	if b.State != "in-doubt" && b.State != "retained" {
		return "", fmt.Errorf("%w: it is %s", ErrBlank, b.State)
	}
	if _, err := tx.MoveBlank(v.Kind, v.Blank, v.To, journal.BlankMove{Why: "desk", By: v.By, Second: v.Second}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrBlank, err)
	}
	c, err := tx.Case(v.Case)
	if errors.Is(err, journal.ErrNotFound) {
		return "its case is not here", nil
	}
	if err != nil {
		return "", err
	}
	path, may := f.to[c.State]
	if !may {
		return "its case is " + string(c.State), nil
	}
	_, err = tx.Decide(c.ID, journal.Decision{ID: v.ID, Action: string(f.action), Operator: v.By, Second: v.Second, Reason: string(Other)}, path,
		journal.Judgement{Kind: kindCard, State: f.judge}, v.Why)
	return string(f.action), err
}
