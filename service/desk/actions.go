package desk

// Actions: what a person may decide, from which states, and where it leads.

import (
	"slices"

	"github.com/budayang/kiosk/sync/journal"
)

// Action is what a person decides.
type Action string

// Actions.
const (
	Printed    Action = "printed"     // the output exists and is kept here
	NotPrinted Action = "not-printed" // it does not exist: it may be made once more
	Spoiled    Action = "spoiled"     // it exists and nobody can use it
	HandOver   Action = "hand-over"   // the citizen has it
	Void       Action = "void"        // the case ends without output
	WasPaid    Action = "paid"        // the channel's statement shows the money
	NotPaid    Action = "not-paid"    // the channel's statement shows none
	Refund     Action = "refund"      // money must go back
	WasRefund  Action = "refunded"    // money went back, by hand or as the statement shows
	Note       Action = "note"        // nothing changes but what is known
)

// Reason is why, in a word.
type Reason string

// Reasons. Other needs a note.
const (
	PaperInTray      Reason = "paper-in-tray"
	PaperWithCitizen Reason = "paper-with-citizen"
	TrayEmpty        Reason = "tray-empty"
	PaperJammed      Reason = "paper-jammed"
	PaperDamaged     Reason = "paper-damaged"
	CitizenCame      Reason = "citizen-came"
	CitizenAbsent    Reason = "citizen-absent"
	CitizenGaveUp    Reason = "citizen-gave-up"
	DoneElsewhere    Reason = "done-elsewhere"
	StatementChecked Reason = "statement-checked"
	Other            Reason = "other"
)

// kindDocument is the kind of the effects that the desk judges.
const kindDocument = "print-document"

// rule is one action's line of the table.
type rule struct {
	// to is the way from each state in which the action is possible.
	to      map[journal.State][]journal.State
	judge   journal.EffectState // what unknown prints turn out to be; "" leaves them
	reasons []Reason
	output  bool // decides about output: two people for controlled stock
	money   bool // decides about money: two people always
	open    bool // possible in every state that is no end
}

// path is the way from a state.
func (r rule) path(from journal.State) ([]journal.State, bool) {
	if r.open {
		return nil, !from.Final()
	}
	p, ok := r.to[from]
	return p, ok
}

// way leads from several states over the same path.
func way(path []journal.State, from ...journal.State) map[journal.State][]journal.State {
	out := map[journal.State][]journal.State{}
	for _, s := range from {
		out[s] = path
	}
	return out
}

func ways(all ...map[journal.State][]journal.State) map[journal.State][]journal.State {
	out := map[journal.State][]journal.State{}
	for _, m := range all {
		for s, p := range m {
			out[s] = p
		}
	}
	return out
}

type states = []journal.State

var rules = map[Action]rule{
	Printed: {to: way(states{journal.Printed, journal.Retained}, journal.PrintUnknown, journal.Manual),
		judge: journal.EffectDone, output: true, reasons: []Reason{PaperInTray, Other}},
	NotPrinted: {to: way(states{journal.ReissueDue}, journal.PrintUnknown, journal.PrintFailed, journal.Manual),
		judge: journal.EffectFailed, output: true, reasons: []Reason{TrayEmpty, PaperJammed, Other}},
	Spoiled: {to: way(states{journal.Spoiled}, journal.PrintUnknown, journal.PrintFailed, journal.Retained, journal.Manual),
		judge: journal.EffectFailed, output: true, reasons: []Reason{PaperJammed, PaperDamaged, Other}},
	HandOver: {to: ways(
		way(states{journal.Printed, journal.Delivered, journal.Closed}, journal.PrintUnknown),
		way(states{journal.Delivered, journal.Closed}, journal.Retained, journal.ReissueDue, journal.Manual)),
		judge: journal.EffectDone, output: true, reasons: []Reason{CitizenCame, PaperWithCitizen, DoneElsewhere, Other}},
	Void: {to: way(states{journal.Cancelled}, journal.PrintFailed, journal.Spoiled, journal.Retained, journal.ReissueDue, journal.Manual),
		judge: journal.EffectFailed, output: true, reasons: []Reason{CitizenAbsent, CitizenGaveUp, DoneElsewhere, Other}},
	WasPaid: {to: way(states{journal.Paid, journal.Manual}, journal.PayUnknown, journal.PaidLate),
		money: true, reasons: []Reason{StatementChecked, Other}},
	NotPaid: {to: way(states{journal.PayFailed, journal.Cancelled}, journal.PayUnknown),
		money: true, reasons: []Reason{StatementChecked, Other}},
	Refund: {to: way(states{journal.RefundDue}, journal.PaidLate, journal.PaidTwice, journal.RefundFailed, journal.PrintFailed,
		journal.Spoiled, journal.ReissueDue, journal.Manual),
		money: true, reasons: []Reason{StatementChecked, CitizenGaveUp, CitizenAbsent, Other}},
	WasRefund: {to: ways(
		way(states{journal.Refunding, journal.Refunded, journal.Closed}, journal.RefundDue),
		way(states{journal.Refunded, journal.Closed}, journal.RefundFailed)),
		money: true, reasons: []Reason{StatementChecked, CitizenCame, Other}},
	Note: {open: true, reasons: []Reason{Other, CitizenCame, CitizenAbsent, StatementChecked}},
}

// Actions are all actions, in the order in which a person is offered them.
func Actions() []Action {
	return []Action{Printed, HandOver, NotPrinted, Spoiled, WasPaid, NotPaid, Refund, WasRefund, Void, Note}
}

// Reasons are those that an action takes.
func Reasons(a Action) []Reason { return slices.Clone(rules[a].reasons) }
