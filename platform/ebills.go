package platform

// A person's e-bills, for whoever comes back for one: at any terminal, after proving who they are.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// ebillService is the query that answers a person's e-bills.
const ebillService = "ebills"

// ebillItem is the item that asks it: greyed where nobody issues e-bills.
const ebillItem = "EBILL"

// ebillsShown is how many bills of a person are shown, the newest.
const ebillsShown = 10

func (s *Server) queryEBills(w http.ResponseWriter, r *http.Request, q wire.Query) {
	if s.cfg.Pay.EBills == nil {
		s.refuse(w, errNotFound, "nobody issues e-bills")
		return
	}
	c, err := s.citizenOf(r.Context(), q.Token, q.Visit)
	var a wire.Answer
	if err == nil {
		a, err = s.ebillAnswer(r.Context(), c.Number)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, a)
}

// payer is who will have the card that a bill is for. It is read off the application when the issuer is asked, and kept nowhere else; where
// there is no application, or what is sealed of it was erased, nobody is named.
func (s *Server) payer(ctx context.Context, bill string) (p pay.Payer, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		p = pay.Payer{}
		a, err := tx.Bill(bill)
		if err != nil {
			return err
		}
		is, err := s.openPerson(tx, a.Bill.Case)
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		p = pay.PayerOf(is.Card.Name)
		return err
	})
	return p, err
}

// ebillAnswer are the e-bills of cards that a person has or applied for, a child's guardian for instance, the newest first.
func (s *Server) ebillAnswer(ctx context.Context, number string) (a wire.Answer, err error) {
	type paid struct {
		card CardRow
		*pay.Account
	}
	var all []paid
	err = s.store.View(ctx, func(tx Tx) error {
		all = nil
		for _, kind := range slices.Sorted(maps.Keys(cardKinds)) {
			own, err := tx.CardsOf(kind, s.keys.pseudonym(number))
			if err != nil {
				return err
			}
			applied, err := tx.CardsBy(kind, s.keys.pseudonym(number))
			if err != nil {
				return err
			}
			applied = slices.DeleteFunc(applied, func(c CardRow) bool { return c.Person == c.Applicant }) // among the own
			for _, c := range slices.Concat(own, applied) {
				bills, err := tx.BillsOf(c.Key)
				if err != nil {
					return err
				}
				for _, b := range bills {
					if b.Paid.IsZero() || b.Amount == 0 {
						continue
					}
					is, err := tx.Bill(b.Number)
					if err != nil {
						return err
					}
					all = append(all, paid{c, is})
				}
			}
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	slices.SortFunc(all, func(x, y paid) int {
		return cmp.Or(y.Bill.Paid.Compare(x.Bill.Paid), cmp.Compare(y.Bill.Number, x.Bill.Number))
	})
	a = wire.Answer{Title: both("电子票据", "E-bills"), AsOf: s.now(),
		Note: both("凭票据代码、号码和校验码查验、下载电子票据；本凭条不是票据。", "With code, number and check code the e-bill can be checked and fetched; this slip is not a bill itself.")}
	for _, x := range all[:min(len(all), ebillsShown)] {
		section := wire.AnswerSection{Title: paidTitle(x.Bill), Rows: s.ebillRows(x.card, x.Account)}
		if e := s.ebillWire(x.EBill); e != nil {
			section.QR = e.QR
		}
		a.Sections = append(a.Sections, section)
	}
	if len(all) == 0 {
		a.Note, a.Sections = nil, []wire.AnswerSection{{Rows: []wire.AnswerRow{{Label: both("电子票据", "E-bills"), Value: "无 none"}}}}
	}
	return a, nil
}

// paidTitle is what was paid for, and when.
func paidTitle(b pay.Bill) map[string]string {
	day := b.Paid.In(pay.China).Format("2006-01-02")
	for _, n := range itemNames() {
		if n[0] == b.Item {
			return both(n[1]+" "+day, n[2]+" "+day)
		}
	}
	return both(b.Item+" "+day, b.Item+" "+day)
}

func (s *Server) ebillRows(c CardRow, a *pay.Account) (rows []wire.AnswerRow) {
	if c.Masked != "" {
		rows = []wire.AnswerRow{{Label: both("持证人", "Card holder"), Value: c.Masked}}
	}
	rows = append(rows, []wire.AnswerRow{
		{Label: both("受理号", "Receipt code"), Value: c.Receipt},
		{Label: both("已缴工本费", "Fee paid"), Value: fmt.Sprintf("¥ %s", a.Bill.Amount)},
		{Label: both("缴款码", "Bill no."), Value: a.Bill.Number},
	}...)
	state := func(zh, en string) {
		rows = append(rows, wire.AnswerRow{Label: both("电子票据", "E-bill"), Value: zh + " " + en})
	}
	e := s.ebillWire(a.EBill)
	switch {
	case e == nil:
		state("无", "none")
		return rows
	case e.State == wire.EBillComing:
		state("资金到账后开具", "later")
		return rows
	case e.State == wire.EBillDesk:
		state("请到人工窗口领取", "at the counter")
		return rows
	}
	for _, p := range []struct {
		zh, en string
		is     pay.Issued
	}{{"", "", a.EBill.Issued}, {"红字", "Red ", a.EBill.Red}} {
		if p.is.Number == "" {
			continue
		}
		rows = append(rows,
			wire.AnswerRow{Label: both(p.zh+"票据代码", p.en+"e-bill code"), Value: p.is.Code},
			wire.AnswerRow{Label: both(p.zh+"票据号码", p.en+"e-bill no."), Value: p.is.Number},
			wire.AnswerRow{Label: both(p.zh+"校验码", p.en+"check code"), Value: p.is.Check})
	}
	if e.Site != "" {
		rows = append(rows, wire.AnswerRow{Label: both("查验网址", "Look it up at"), Value: e.Site})
	}
	return rows
}
