package nontax

// E-bills over the same connection, keys and shape as payments.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

type paper struct {
	Batch  string    `json:"batch"`
	Serial string    `json:"serial"`
	Check  string    `json:"check"`
	At     time.Time `json:"at"`
	URL    string    `json:"url"`
}

func (p *paper) issued() (i pay.Issued, ok bool) {
	if p == nil {
		return i, false
	}
	i = pay.Issued{Code: p.Batch, Number: p.Serial, Check: p.Check, At: p.At, URL: p.URL}
	return i, i.Plain()
}

type ebill struct {
	Number string `json:"number"`
	Amount int64  `json:"amount"`
	State  string `json:"state"`
	Issued *paper `json:"issued"`
	Red    *paper `json:"red"`
}

// standing believes an e-bill only when it is of this bill and its amount, and can be shown.
func (e ebill) standing(number string, amount pay.Fen) (s pay.EBillStanding, err error) {
	s.State = pay.EBillWord(e.State)
	var ok bool
	switch {
	case e.Number != number:
		return pay.EBillStanding{}, errors.New("nontax: the answer is about another e-bill")
	case s.State == pay.EBillWorking:
		return s, nil
	case s.State != pay.EBillMade && s.State != pay.EBillCanceled:
		return pay.EBillStanding{}, fmt.Errorf("nontax: e-bill's state %.20q", e.State)
	case e.Amount != int64(amount):
		return pay.EBillStanding{}, errors.New("nontax: the e-bill is of another amount")
	}
	if s.Issued, ok = e.Issued.issued(); !ok {
		return pay.EBillStanding{}, errors.New("nontax: e-bill without code, number, check code or time that can be shown")
	}
	if s.State == pay.EBillCanceled {
		if s.Red, ok = e.Red.issued(); !ok {
			return pay.EBillStanding{}, errors.New("nontax: red e-bill without code, number, check code or time that can be shown")
		}
	}
	return s, nil
}

func (c *Channel) askEBill(ctx context.Context, act string, in map[string]any, o pay.EBillOrder) (pay.EBillStanding, error) {
	var got ebill
	if err := c.ask(ctx, act, in, o.Number, "", &got, maxAnswer); err != nil {
		return pay.EBillStanding{}, err
	}
	return got.standing(o.Number, o.Amount)
}

// IssueEBill implements [pay.EBillIssuer].
func (c *Channel) IssueEBill(ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
	in := map[string]any{"number": o.Number, "order": o.Attempt, "transaction": o.Transaction, "amount": o.Amount, "subject": o.Subject, "paid": o.Paid}
	if name := o.Payer.Reveal(); name != "" {
		in["payer"] = name
	}
	return c.askEBill(ctx, "ebill", in, o)
}

// QueryEBill implements [pay.EBillIssuer].
func (c *Channel) QueryEBill(ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
	return c.askEBill(ctx, "query-ebill", nil, o)
}

// CancelEBill implements [pay.EBillIssuer].
func (c *Channel) CancelEBill(ctx context.Context, o pay.EBillOrder, why string) (pay.EBillStanding, error) {
	return c.askEBill(ctx, "red-ebill", map[string]any{"number": o.Number, "reason": why}, o)
}

// book is an issuer's book of a day. A line holds the e-bill, or the red one, that was issued on that day.
type book struct {
	Day    string  `json:"day"`
	EBills []ebill `json:"ebills"`
}

// lines believes a book only when it is of that day and each line can be booked.
func (b book) lines(day string) (all []pay.EBillLine, err error) {
	if b.Day != day {
		return nil, errors.New("nontax: book of e-bills of another day")
	}
	for _, e := range b.EBills {
		l := pay.EBillLine{Bill: e.Number, Amount: pay.Fen(e.Amount), Red: pay.EBillWord(e.State) == pay.EBillCanceled}
		paper := e.Issued
		if l.Red {
			paper = e.Red
		}
		var ok bool
		l.Paper, ok = paper.issued()
		l.Paper.URL = ""
		if !ok || !l.Red && pay.EBillWord(e.State) != pay.EBillMade || !pay.Plain(l.Bill, 64) || l.Amount <= 0 || l.Amount > pay.MaxAmount {
			return nil, errors.New("nontax: line of a book of e-bills without bill, amount, state or what is on the e-bill")
		}
		all = append(all, l)
	}
	return all, nil
}

// EBillsOf implements [pay.EBillBook].
func (c *Channel) EBillsOf(ctx context.Context, day string) ([]pay.EBillLine, error) {
	var got book
	if err := c.ask(ctx, "ebill-book", nil, "", day, &got, maxStatement); err != nil {
		return nil, err
	}
	return got.lines(day)
}
