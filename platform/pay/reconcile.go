package pay

// The daily comparison with a channel's own book.

import (
	"slices"
	"strings"
	"time"
)

// Kinds of [Difference].
const (
	DiffTheirs  = "theirs"  // in the statement, not booked here (长款 for a payment)
	DiffOurs    = "ours"    // booked here, not in the statement (短款 for a payment)
	DiffAmount  = "amount"  // booked with another amount
	DiffDoubled = "doubled" // twice in the statement
	DiffOdd     = "odd"     // a line of the statement of a kind that is not known: nothing is booked by it
)

// A Difference is one line of the list that operators get.
type Difference struct {
	Kind   string `json:"kind"`
	Line   Line   `json:"line"`   // the statement's, or ours when it has none
	Booked Fen    `json:"booked"` // our amount; 0 when we have none

	EBill *EBillLine `json:"ebill,omitempty"` // in place of Line where the book is of e-bills
}

// key names the same thing in both books.
func (l Line) key() string {
	if l.Refund != "" {
		return "refund " + l.Refund
	}
	return "payment " + l.Transaction
}

// Lines are an account's payments of a day.
func (a *Account) Lines(day string) (all []Line) {
	for _, p := range a.Payments {
		if Day(p.At) == day {
			all = append(all, Line{Attempt: p.Attempt, Transaction: p.Transaction, Amount: p.Amount, At: p.At})
		}
	}
	return all
}

// Booked finds the account's line for one of a statement. A refund is booked when it is confirmed: whoever asked for one that
// the statement holds learns by it that it was done.
func (a *Account) Booked(l Line) (Line, bool) {
	if l.Refund == "" {
		p := a.Payment(l.Transaction)
		if a.Attempt(l.Attempt) != nil {
			p = a.paymentAt(l.Attempt, l.Transaction)
		}
		if p == nil {
			return Line{}, false
		}
		return Line{Attempt: p.Attempt, Transaction: p.Transaction, Amount: p.Amount, At: p.At}, true
	}
	f := a.Refund(l.Refund)
	if f == nil || f.State != RefundDone {
		return Line{}, false
	}
	return Line{Refund: f.Number, Attempt: f.Attempt, Transaction: f.Transaction, Amount: f.Amount}, true
}

// Reconcile compares what is booked for a day with the channel's statement of it. known finds our line for one of theirs, on
// whatever day it is booked; ours are the lines that the statement must hold.
func Reconcile(statement, ours []Line, known func(Line) (Line, bool)) (list []Difference) {
	there := map[string]bool{}
	for _, l := range statement {
		if l.Odd != "" {
			list = append(list, Difference{Kind: DiffOdd, Line: l})
			continue
		}
		k := l.key()
		if there[k] {
			list = append(list, Difference{Kind: DiffDoubled, Line: l})
			continue
		}
		there[k] = true
		switch is, ok := known(l); {
		case !ok:
			list = append(list, Difference{Kind: DiffTheirs, Line: l})
		case is.Amount != l.Amount:
			list = append(list, Difference{Kind: DiffAmount, Line: l, Booked: is.Amount})
		}
	}
	for _, l := range ours {
		if !there[l.key()] {
			list = append(list, Difference{Kind: DiffOurs, Line: l, Booked: l.Amount})
		}
	}
	slices.SortStableFunc(list, func(a, b Difference) int { return strings.Compare(a.Line.key(), b.Line.key()) })
	return list
}

// Differs books a difference in the account it belongs to: what the channel took without our knowing is booked as a payment,
// what it paid back is a refund done; the rest is for a person.
func (r Rules) Differs(a *Account, d Difference, now time.Time) {
	l := d.Line
	switch {
	case d.Kind == DiffTheirs && l.Refund == "" && a.Attempt(l.Attempt) != nil:
		r.Receive(a, l.Attempt, Received{l.Transaction, l.Amount, l.At}, now)
	case d.Kind == DiffTheirs && a.Refund(l.Refund) != nil && a.Refund(l.Refund).Amount == l.Amount: // another amount is no refund of ours
		r.RefundStood(a, l.Refund, eventMade, now)
	case d.Kind == DiffOurs:
		a.matter(MatterStatement, l.Transaction, now)
	default:
		ref := l.Refund
		if ref == "" {
			ref = l.Transaction
		}
		a.matter(MatterAgainst, ref, now)
	}
	r.remind(a, now)
}
