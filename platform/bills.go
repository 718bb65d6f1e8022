package platform

// Bills for terminals: what they cost, how they are made, told, ended, and given back. What money means is in platform/pay; how they are
// settled, in settling.go.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// PayConfig says what costs how much, and who takes the money.
type PayConfig struct {
	Channels map[string]pay.Channel // by the name in notices' addresses
	Use      string                 // channel of new bills
	Offer    []Way                  // channels between which a citizen may choose; fewer than two: there is no choice
	District string                 // first six digits of bills; "" is 990000
	Life     time.Duration          // for how long a bill can be paid; 0 is five minutes
	Tariff   Tariff                 // nil: nothing has a price, and no bill is made
	Cash     map[string]string      // where cash is taken, in Chinese and English
	EBills   pay.EBillIssuer        // of e-bills for what was paid; nil: none is issued
	EBooks   bool                   // the issuer shows its book of a day ([pay.EBillBook]), and it is compared
	Site     string                 // where an e-bill is looked up, as people type it; "" where there is none
	inTurn   bool                   // for tests whose clock runs ahead of what is under way: nothing is done beside
	// For how long an approved card waits for its citizen after it was paid, and without: then it ends here too, if its terminal did not
	// end it before. 0 is three days, and thirty.
	Unclaimed, Unfetched time.Duration
	// For how long a terminal may say nothing of a card that it was permitted to print, until its blank stands on the desk; 0 is an hour.
	Silent time.Duration
}

// Way is a channel that citizens may choose.
type Way struct {
	Channel string
	Words   map[string]string // its name on the screen, in Chinese and English
}

// A Tariff says what an item costs a person. The terminal never decides it.
type Tariff interface {
	// Fee returns the amount, and its reason as one of "standard", "half", "exempt". who is the zero row when no person is proven.
	// ErrNoRow: the item has no price.
	Fee(ctx context.Context, item string, who CitizenRow) (pay.Fen, string, error)
}

// Prices is a Tariff of fixed prices, with people who pay half or nothing.
type Prices struct {
	Items  map[string]pay.Fen
	Half   []string // identity numbers
	Exempt []string
}

// Fee implements Tariff.
func (p Prices) Fee(_ context.Context, item string, who CitizenRow) (pay.Fen, string, error) {
	amount, known := p.Items[item]
	switch {
	case !known:
		return 0, "", ErrNoRow
	case who.Number != "" && slices.Contains(p.Exempt, who.Number):
		return 0, "exempt", nil
	case who.Number != "" && slices.Contains(p.Half, who.Number):
		return amount / 2, "half", nil
	}
	return amount, "standard", nil
}

const codeWait = 3 * time.Second // for the channel's code, before a terminal is answered without one

// mayBill says whether a terminal may ask about a case: it opened it, or holds it by a lease, or its records have not come yet. Of one that
// another terminal holds it is told so: it may have had it before.
func mayBill(tx Tx, caseID, terminal string) error {
	l, err := tx.Lease(caseID)
	if err == nil {
		if l.Terminal != terminal {
			return errMoved
		}
		return nil
	}
	if !errors.Is(err, ErrNoRow) {
		return err
	}
	c, err := tx.Case(caseID)
	if errors.Is(err, ErrNoRow) || err == nil && c.Terminal == terminal {
		return nil
	}
	return cmp.Or(err, error(errNotFound))
}

func (s *Server) makeBill(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.BillRequest
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	if q.Case == "" || len(q.Case) > 64 || q.Item == "" || len(q.Item) > 64 {
		s.refuse(w, errMalformed, "case or item is not as it must be")
		return
	}
	var who CitizenRow
	if q.Token != "" {
		var err error
		if who, err = s.citizenOf(r.Context(), q.Token); err != nil {
			s.fail(w, err)
			return
		}
	}
	if s.cfg.Pay.Tariff == nil {
		s.fail(w, errNotFound)
		return
	}
	// A card is paid for the person who will have it, and only when it was approved.
	is, err := s.billedCard(r.Context(), q)
	if err == nil && is != nil {
		who = *is
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	amount, reason, err := s.cfg.Pay.Tariff.Fee(r.Context(), q.Item, who)
	if errors.Is(err, ErrNoRow) {
		err = errNotFound
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	a, fresh, err := s.billFor(r.Context(), q, terminalOf(r.Context()), amount, reason)
	if err != nil {
		s.fail(w, err)
		return
	}
	if fresh && a.Bill.State == pay.BillOpen {
		// The citizen stands there: the code is fetched at once. What is not done in time the job does.
		ctx, cancel := context.WithTimeout(r.Context(), codeWait)
		defer cancel()
		if _, err := s.settler.One(ctx, a.Bill.Number); err != nil {
			s.cfg.Log.Warn("code of a new bill", "bill", a.Bill.Number, "error", err)
		}
		if err := s.store.View(r.Context(), func(tx Tx) (err error) { a, err = tx.Bill(a.Bill.Number); return err }); err != nil {
			s.fail(w, err)
			return
		}
	}
	answer(w, http.StatusOK, s.billWire(a))
}

// billedCard is the person for whom an application's case is billed; nil when the case is no application.
func (s *Server) billedCard(ctx context.Context, q wire.BillRequest) (who *CitizenRow, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		who = nil
		c, err := tx.Card(q.Case)
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		if err == nil {
			err = holdsCard(tx, c, terminalOf(ctx))
		}
		if err != nil {
			return err
		}
		bills, err := tx.BillsOf(q.Case)
		if err != nil {
			return err
		}
		if _, none := pay.Stands(bills); none && (c.State != wire.CardApproved || c.Ended) {
			return errCardState
		}
		p, err := s.openPerson(tx, c.Key)
		who = &CitizenRow{Number: p.Card.Number, Name: p.Card.Name}
		return err
	})
	return who, err
}

// billFor finds or makes the bill of a case.
func (s *Server) billFor(ctx context.Context, q wire.BillRequest, terminal string, amount pay.Fen, reason string) (a *pay.Account, fresh bool, err error) {
	now := s.now()
	err = s.store.Update(ctx, func(tx Tx) error {
		a, fresh = nil, false
		if err := mayBill(tx, q.Case, terminal); err != nil {
			return err
		}
		before, err := tx.BillsOf(q.Case)
		if err != nil {
			return err
		}
		if is, free := pay.Stands(before); !free {
			if is.Item != q.Item {
				return errKeyReused
			}
			if a, err = tx.Bill(is.Number); err != nil {
				return err
			}
			if a.Bill.State == pay.BillOpen && a.Bill.Amount != amount {
				s.settler.Rules.End(a, pay.WhyAmount, now)
				return tx.PutBill(a, s.settler.Rules.Wake(a))
			}
			return nil
		}
		if amount > 0 && s.cfg.Pay.Use == "" {
			return errNoChannel
		}
		n, err := tx.Next("bill")
		if err != nil {
			return err
		}
		b := pay.Bill{Number: pay.BillNumber(s.cfg.Pay.District, now, n), Case: q.Case, Terminal: terminal, Item: q.Item, Amount: amount,
			Reason: reason, Expires: now.Add(s.cfg.Pay.Life)}
		if amount > 0 {
			b.Channel = s.cfg.Pay.Use
		}
		if a, err = s.settler.Rules.NewAccount(b, now); err != nil {
			return err
		}
		fresh = true
		return tx.AddBill(a, s.settler.Rules.Wake(a))
	})
	return a, fresh, err
}

// bill reads a bill for the terminal that may see it.
func (s *Server) bill(tx Tx, r *http.Request) (*pay.Account, error) {
	a, err := tx.Bill(r.PathValue("number"))
	if errors.Is(err, ErrNoRow) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	terminal := terminalOf(r.Context())
	l, err := tx.Lease(a.Bill.Case)
	switch {
	case err == nil && l.Terminal == terminal, errors.Is(err, ErrNoRow) && a.Bill.Terminal == terminal:
		return a, nil
	case err != nil && !errors.Is(err, ErrNoRow):
		return nil, err
	case err == nil && a.Bill.Terminal == terminal:
		return nil, errMoved
	}
	return nil, errNotFound
}

func (s *Server) getBill(w http.ResponseWriter, r *http.Request, _ []byte) {
	var a *pay.Account
	err := s.held(r, r.PathValue("number"), func(tx Tx) (state string, err error) {
		if a, err = s.bill(tx, r); err != nil {
			return "", err
		}
		return string(a.Bill.State), nil
	})
	if wentAway(r, err) {
		return
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, s.billWire(a))
}

func (s *Server) cancelBill(w http.ResponseWriter, r *http.Request, _ []byte) {
	var a *pay.Account
	if err := s.store.Update(r.Context(), func(tx Tx) (err error) {
		if a, err = s.bill(tx, r); err != nil {
			return err
		}
		s.settler.Rules.End(a, pay.WhyCancelled, s.now())
		return tx.PutBill(a, s.settler.Rules.Wake(a))
	}); err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, s.billWire(a))
}

// overBill gives a citizen who wants to pay through another channel an order there.
func (s *Server) overBill(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.BillWay
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	if !slices.ContainsFunc(s.cfg.Pay.Offer, func(x Way) bool { return x.Channel == q.Way }) {
		s.fail(w, errNotFound)
		return
	}
	var a *pay.Account
	change := func(tx Tx) (err error) {
		if a, err = s.bill(tx, r); err != nil {
			return err
		}
		if err := s.settler.Rules.Over(a, q.Way, s.now()); err != nil {
			return nil // the bill as it stands says why
		}
		return tx.PutBill(a, s.settler.Rules.Wake(a))
	}
	if err := s.store.Update(r.Context(), change); err != nil {
		s.fail(w, err)
		return
	}
	if t := a.Live(); t != nil && t.QR == "" {
		ctx, cancel := context.WithTimeout(r.Context(), codeWait)
		defer cancel()
		if _, err := s.settler.One(ctx, a.Bill.Number); err != nil {
			s.cfg.Log.Warn("code of a bill at another channel", "bill", a.Bill.Number, "error", err)
		}
		if err := s.store.View(r.Context(), func(tx Tx) (err error) { a, err = tx.Bill(a.Bill.Number); return err }); err != nil {
			s.fail(w, err)
			return
		}
	}
	answer(w, http.StatusOK, s.billWire(a))
}

func (s *Server) billWire(a *pay.Account) wire.Bill {
	b := a.Bill
	out := wire.Bill{Number: b.Number, Case: b.Case, Item: b.Item, Amount: int64(b.Amount), Reason: b.Reason, State: wire.BillState(b.State), Why: b.Why,
		Expires: b.Expires, Paid: b.Paid, Cash: s.cfg.Pay.Cash}
	if t := a.Live(); t != nil && b.State == pay.BillOpen && t.State == pay.AttemptOpen {
		out.QR = t.QR
	}
	if t := a.Live(); t != nil && b.State == pay.BillOpen && len(s.cfg.Pay.Offer) > 1 {
		out.Way = a.ChannelOf(t.Number)
		for _, w := range s.cfg.Pay.Offer {
			out.Ways = append(out.Ways, wire.PayWay{Way: w.Channel, Words: w.Words})
		}
	}
	for _, m := range a.Matters {
		out.Unknown = out.Unknown || m.Kind == pay.MatterUnknown && m.Ended.IsZero()
	}
	out.EBill = s.ebillWire(a.EBill)
	for _, f := range a.Refunds {
		out.Refunds = append(out.Refunds, wire.BillRefund{Number: f.Number, Why: f.Why, Amount: int64(f.Amount), State: string(f.State)})
	}
	return out
}

// ebillWire is what a terminal hears of an e-bill. One that is about to be cancelled is there yet.
func (s *Server) ebillWire(e *pay.EBill) *wire.EBill {
	if e == nil || e.State == pay.EBillDropped {
		return nil
	}
	out := &wire.EBill{State: wire.EBillComing, Site: s.cfg.Pay.Site}
	switch e.State {
	case pay.EBillRefused, pay.EBillByHand:
		out.State = wire.EBillDesk
	case pay.EBillRed:
		out.State = wire.EBillRed
	case pay.EBillIssued, pay.EBillRedDue, pay.EBillRedAsked, pay.EBillRedRefused:
		out.State = wire.EBillIssued
	}
	if is := e.Issued; is.Number != "" {
		out.Code, out.Number, out.Check, out.Issued, out.QR = is.Code, is.Number, is.Check, is.At, is.URL
	} else if out.State == wire.EBillIssued || out.State == wire.EBillRed { // what a person had made elsewhere
		out.State = wire.EBillDesk
	}
	return out
}

// returnMoney orders back what was paid for cases whose record says so: nothing will be issued for it.
func (s *Server) returnMoney(tx Tx, moved []CaseRow) error {
	for _, c := range moved {
		if c.State != wire.CaseRefundDue {
			continue
		}
		all, err := tx.BillsOf(c.ID)
		if err != nil {
			return err
		}
		for _, b := range all {
			if b.State != pay.BillPaid || b.Amount == 0 {
				continue
			}
			if err := s.returnBill(tx, b.Number); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Server) returnBill(tx Tx, number string) error {
	a, err := tx.Bill(number)
	if err != nil {
		return err
	}
	kept := a.Kept()
	if kept == nil {
		return fmt.Errorf("bill %s is paid, and by nothing", number)
	}
	if err := s.settler.Rules.Return(a, kept.Transaction, "unissued", "", s.now()); err != nil {
		return err
	}
	return tx.PutBill(a, s.settler.Rules.Wake(a))
}

// endBills sees to the money of applications, among the keys, that ended without a card: nothing will be issued for it. What nobody paid
// cannot be paid any more, what still comes goes back, and what was paid meanwhile too.
func (s *Server) endBills(tx Tx, keys []string) error {
	cards, err := tx.CardsAmong(keys)
	if err != nil {
		return err
	}
	for _, c := range cards {
		if !c.Ended || c.State != wire.CardEnded {
			continue
		}
		all, err := tx.BillsOf(c.Key)
		if err != nil {
			return err
		}
		for _, b := range all {
			switch {
			case b.State == pay.BillPaid && b.Amount > 0:
				if err := s.returnBill(tx, b.Number); err != nil {
					return err
				}
			case b.State == pay.BillOpen || b.State == pay.BillClosing:
				a, err := tx.Bill(b.Number)
				if err != nil {
					return err
				}
				s.settler.Rules.End(a, pay.WhyCancelled, s.now())
				if err := tx.PutBill(a, s.settler.Rules.Wake(a)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
