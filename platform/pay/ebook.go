package pay

// The daily comparison with the book of whoever issues e-bills.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An EBillBook is an [EBillIssuer] that tells what it issued on a day.
type EBillBook interface {
	// EBillsOf are the e-bills and the red ones of a day of China, in any order, those among them that are cancelled by now too.
	// ErrAbsent: the book of that day is not made yet.
	EBillsOf(ctx context.Context, day string) ([]EBillLine, error)
}

// EBillLine is an e-bill, or a red one, in a book.
type EBillLine struct {
	Bill   string `json:"bill"`
	Amount Fen    `json:"amount"`
	Red    bool   `json:"red"`
	Paper  Issued `json:"paper"` // without the address of its picture
}

// DiffPaper is a [Difference] of e-bills alone: another code, number or check code than is booked.
const DiffPaper = "paper"

func (l EBillLine) key() string {
	if l.Red {
		return l.Bill + " red"
	}
	return l.Bill
}

// EBillLines are an account's e-bill and red one, as far as they are issued; one that a person had made elsewhere is in no book.
func (a *Account) EBillLines() (all []EBillLine) {
	e := a.EBill
	if e == nil || e.Issued.Number == "" {
		return nil
	}
	for _, p := range []struct {
		red   bool
		paper Issued
	}{{false, e.Issued}, {true, e.Red}} {
		if p.paper.Number != "" {
			p.paper.URL = ""
			all = append(all, EBillLine{a.Bill.Number, a.Bill.Amount, p.red, p.paper})
		}
	}
	return all
}

// BookedEBill finds the account's line for one of a book.
func (a *Account) BookedEBill(l EBillLine) (is EBillLine, ok bool) {
	all := a.EBillLines()
	i := slices.IndexFunc(all, func(o EBillLine) bool { return o.key() == l.key() })
	if i < 0 {
		return is, false
	}
	return all[i], true
}

// reconcileEBills compares what is booked for a day with the issuer's book of it, as [Reconcile] does for money.
func reconcileEBills(book, ours []EBillLine, known func(EBillLine) (EBillLine, bool)) (list []Difference) {
	there := map[string]bool{}
	add := func(kind string, l EBillLine, booked Fen) {
		list = append(list, Difference{Kind: kind, EBill: &l, Booked: booked})
	}
	for _, l := range book {
		if there[l.key()] {
			add(DiffDoubled, l, 0)
			continue
		}
		there[l.key()] = true
		switch is, ok := known(l); {
		case !ok:
			add(DiffTheirs, l, 0)
		case is.Amount != l.Amount:
			add(DiffAmount, l, is.Amount)
		case !is.Paper.same(l.Paper):
			add(DiffPaper, l, is.Amount)
		}
	}
	for _, l := range ours {
		if !there[l.key()] {
			add(DiffOurs, l, l.Amount)
		}
	}
	slices.SortStableFunc(list, func(a, b Difference) int { return strings.Compare(a.EBill.key(), b.EBill.key()) })
	return list
}

// DiffersEBill books a difference in the account it belongs to: what the issuer made without our knowing is booked as if it had been
// asked, the rest is for a person.
func (r Rules) DiffersEBill(a *Account, d Difference, now time.Time) {
	l, e := d.EBill, a.EBill
	stood := EBillStanding{State: EBillMade, Issued: l.Paper}
	if l.Red && e != nil {
		stood = EBillStanding{State: EBillCanceled, Issued: e.Issued, Red: l.Paper}
	}
	switch {
	case d.Kind == DiffTheirs && e != nil && l.Amount == a.Bill.Amount && stood.Issued.Number != "":
		r.ebillStood(a, stood, true, now)
		r.followEBill(a, now)
	case d.Kind == DiffOurs:
		a.matter(MatterEBook, a.Bill.Number, now)
	default:
		a.matter(MatterAgainst, a.Bill.Number, now)
	}
	r.remind(a, now)
}

// ReconcileEBills compares the issuer's book of a day with the accounts and books what differs. It may be run again: what was booked
// is no difference any more. ErrAbsent: there is no book yet.
func (s *Settler) ReconcileEBills(ctx context.Context, day string) ([]Difference, error) {
	issuer, keeps := s.EBills.(EBillBook)
	if !keeps {
		return nil, errors.New("the issuer of e-bills shows no book")
	}
	book, err := issuer.EBillsOf(ctx, day)
	if err != nil {
		return nil, fmt.Errorf("book of e-bills of %s: %w", day, err)
	}
	ours, err := s.Accounts.EBillLines(ctx, day)
	if err != nil {
		return nil, err
	}
	var failed error
	list := reconcileEBills(book, ours, func(l EBillLine) (EBillLine, bool) {
		is, ok, err := s.Accounts.BookedEBill(ctx, l)
		failed = errors.Join(failed, err)
		return is, ok
	})
	if failed != nil {
		return nil, failed
	}
	for _, d := range list {
		err := s.change(ctx, d.EBill.Bill, func(a *Account) error {
			s.Rules.DiffersEBill(a, d, s.Now())
			return nil
		})
		if err != nil && !errors.Is(err, ErrNoBill) { // else only the list tells of it
			failed = errors.Join(failed, err)
		}
	}
	return list, failed
}
