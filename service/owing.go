package service

// Bills after the visit: those that may still be paid or must go back, and cards that nobody comes for, in the background.

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
)

// owing are the cases whose bills are asked about though nobody waits for them here.
type owing struct {
	mu   sync.Mutex
	ids  map[string]bool
	read time.Time // when the journal was last read for them
	// given is when it was last read for cards that nobody came for.
	given time.Time
	asked time.Time // and for cases that may have gone on at another terminal
	daily time.Time // and for those of them that nobody here waits for
}

func (o *owing) add(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids == nil {
		o.ids = map[string]bool{}
	}
	o.ids[id] = true
}

func (o *owing) drop(id string) { o.mu.Lock(); defer o.mu.Unlock(); delete(o.ids, id) }

func (o *owing) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.ids))
}

// owingEvery is how often the journal is read for bills to ask about: people at the desk change cases too.
const owingEvery = 10 * time.Minute

// movedEvery is how often the platform is asked whether those who left their case here went on at another terminal, while nothing here
// waits for the answer but the end of their personal data.
const movedEvery = 24 * time.Hour

// askBills asks about bills that nobody waits for, until ctx ends.
func (e *Engine) askBills(ctx context.Context) {
	for {
		e.AskBills(ctx)
		e.freeOld()
		e.leaveMoved(ctx)
		e.giveBack(ctx)
		if !pause(ctx, e.t.PayAgain) {
			return
		}
	}
}

// freeOld gives back what was set aside for cases that did not come that far. Most of the time there is nothing.
func (e *Engine) freeOld() {
	now := e.now()
	old, err := e.cfg.Journal.Blanks(func(b journal.Blank) bool { return b.State == "reserved" && b.Until.Before(now) })
	if err == nil && len(old) > 0 {
		err = e.cfg.Journal.Update(func(tx *journal.Tx) error { _, err := tx.FreeStock(""); return err })
	}
	if err != nil {
		e.log.Error("stock", "err", err)
	}
}

// giveBack ends the cards that nobody came for: the money of a paid one goes back (the platform pays when it hears of it), and what
// was approved and not paid ends. A case that went on at another terminal is that terminal's.
func (e *Engine) giveBack(ctx context.Context) {
	if e.cfg.Office == nil || e.cfg.Platform.Link() != LinkUp || e.cfg.Journal.ClockUnsure() || e.now().Sub(e.owing.given) < owingEvery {
		return
	}
	e.owing.given = e.now()
	late, err := e.cfg.Journal.Cases(func(c journal.Case) bool {
		limit, waits := e.waitsFor(c.State)
		return waits && !desk.HasMoved(c) && e.now().Sub(c.Updated) >= limit
	})
	if err != nil {
		e.log.Error("unclaimed", "err", err)
		return
	}
	for _, c := range late {
		if it, known := e.Items().Item(c.Item); !known || !it.makesCard() {
			continue
		}
		st, err := e.cfg.Office.Standing(ctx, c.ID)
		if err != nil {
			continue // another terminal's
		}
		bill, known := e.keptFor(ctx, c)
		if !known {
			continue // it is asked again
		}
		path, why := endOf(c.State, st.State, bill.Amount > 0)
		if len(path) == 0 {
			continue
		}
		err = e.cfg.Journal.Update(func(tx *journal.Tx) error {
			now, err := tx.Case(c.ID)
			if err != nil || now.State != c.State || now.Updated != c.Updated {
				return err // its citizen came in this moment
			}
			if bill.Number != "" { // by it the money is followed
				if err := tx.RecordStep(c.ID, kindPay, bill); err != nil {
					return err
				}
			}
			for _, to := range path {
				if err := tx.SetState(c.ID, to, why); err != nil {
					return err
				}
			}
			_, err = tx.FreeStock(c.ID)
			return err
		})
		if err != nil {
			e.log.Error("unclaimed", "case", c.ID, "err", err)
			continue
		}
		e.owing.add(c.ID)
	}
}

// leaveMoved asks the platform about cases that wait here for a person, or for news of a payment, and once a day about those that wait for
// their citizen, whether they went on at another terminal: they are that terminal's then, and what is known of the citizen here ends with
// the item's retention ([Engine.Sweep]). What lies in this machine stays on this list.
func (e *Engine) leaveMoved(ctx context.Context) {
	if e.cfg.Office == nil || e.cfg.Platform.Link() != LinkUp || e.now().Sub(e.owing.asked) < owingEvery {
		return
	}
	e.owing.asked = e.now()
	daily := e.now().Sub(e.owing.daily) >= movedEvery
	if daily {
		e.owing.daily = e.now()
	}
	all, err := e.cfg.Journal.Cases(func(c journal.Case) bool {
		_, waits := e.waitsFor(c.State)
		return (c.State == journal.PayUnknown || c.State == journal.ReissueDue || waits && daily) && !desk.HasMoved(c)
	})
	if err != nil {
		e.log.Error("cases of other terminals", "err", err)
		return
	}
	for _, c := range all {
		if it, known := e.Items().Item(c.Item); !known || !it.makesCard() {
			continue
		}
		if _, err := e.cfg.Office.Standing(ctx, c.ID); !errors.Is(err, ErrMoved) {
			continue
		}
		err := e.cfg.Journal.Update(func(tx *journal.Tx) error {
			now, err := tx.Case(c.ID)
			if err != nil || now.Lease != c.Lease {
				return err // it came back in this moment
			}
			if err := tx.RecordStep(c.ID, desk.StepMoved, desk.Moved{Lease: c.Lease}); err != nil {
				return err
			}
			if _, err := tx.FreeStock(c.ID); err != nil {
				return err
			}
			return tx.Audit(journal.EventCaseMoved, "platform", map[string]string{"case": c.ID})
		})
		if err != nil {
			e.log.Error("case of another terminal", "case", c.ID, "err", err)
			continue
		}
		e.owing.drop(c.ID)
	}
}

// waitsFor is how long a case waits for its citizen where it stands.
func (e *Engine) waitsFor(s journal.State) (time.Duration, bool) {
	switch s {
	case journal.Paid, journal.ReissueDue:
		return e.t.Unclaimed, true
	case journal.AuditWait, journal.Approved, journal.Reserved, journal.BillCreated:
		return e.t.Unfetched, true
	}
	return 0, false
}

// endOf is how a case ends that nobody came for, by where it stands, what the office says of its application, and whether money of its
// citizen's is kept; no way: it waits on.
func endOf(at journal.State, st StandingState, paid bool) (path []journal.State, why string) {
	if st != StandingApproved && st != StandingRejected && st != StandingEnded {
		return nil, "" // an official looks at it, or a card is being made
	}
	switch {
	case (at == journal.Paid || at == journal.ReissueDue) && paid:
		return []journal.State{journal.RefundDue}, "paid, and nobody came for the card"
	case at == journal.Paid:
		return []journal.State{journal.ReissueDue, journal.Cancelled}, "nobody came for the card"
	case at == journal.ReissueDue:
		return []journal.State{journal.Cancelled}, "nobody came for the card"
	case at == journal.AuditWait && st == StandingRejected:
		return []journal.State{journal.Rejected}, "rejected, and nobody came"
	}
	return []journal.State{journal.Expired}, "nobody came for the card"
}

// keptFor is the bill by which money of the citizen's is kept for a case, zero where none is. Of a case that was resumed the platform is
// asked: it may have been paid at another terminal, of whose bill nothing stands here. known: it could be said.
func (e *Engine) keptFor(ctx context.Context, c journal.Case) (b billStep, known bool) {
	if c.State != journal.Paid && c.State != journal.ReissueDue {
		return b, true
	}
	if c.Lease == 0 {
		_ = json.Unmarshal(c.Steps[kindPay], &b) // damaged: nothing is known
		return b, true
	}
	now, err := e.cfg.Cashier.Bill(ctx, c.ID, c.Item, Token{})
	switch {
	case errors.Is(err, ErrNoPermit):
		return b, true // the application has ended, and no bill of it counts
	case err != nil:
		return b, false
	case now.State == BillOpen, now.State == BillClosed, now.State == BillReturned:
		return b, true // one that nobody paid: what was paid before has gone back
	}
	return now.step(), true
}

// billOf is the bill of a case that goes on here, as the platform has it. The case keeps it, so that it is followed when its citizen
// leaves again: it may be another terminal's, or another than the last one here.
func (e *Engine) billOf(ctx context.Context, c journal.Case, token Token) (Bill, error) {
	b, err := e.cfg.Cashier.Bill(ctx, c.ID, c.Item, token)
	if err != nil || b.State != BillPaid && c.State != journal.PayUnknown {
		return b, err
	}
	var has billStep
	if json.Unmarshal(c.Steps[kindPay], &has) == nil && has.Number == b.Number {
		return b, nil
	}
	return b, e.cfg.Journal.Update(func(tx *journal.Tx) error { return tx.RecordStep(c.ID, kindPay, b.step()) })
}

// payable says whether a bill's code may be shown again: it is open, and no other bill's code was on this terminal's screen of which
// nobody knows.
func (e *Engine) payable(caseID string, b Bill) bool {
	number, waits := e.unsettled(caseID)
	return b.State == BillOpen && b.QR != "" && e.now().Before(b.Expires) && (!waits || number == b.Number)
}

// unsettled is the bill of the payment of a case of which this terminal does not know what became of it.
func (e *Engine) unsettled(caseID string) (number string, waits bool) {
	all, err := e.cfg.Journal.Effects(caseID)
	if err != nil {
		return "", true
	}
	for _, ef := range all {
		if ef.Kind == kindPay && (ef.State == journal.EffectUnknown || ef.State == journal.EffectIntended) {
			return ef.Notes[billNote], true
		}
	}
	return "", false
}

// AskBills asks once about every bill whose end matters and is not known, and writes down what it hears. It never pays, and
// moves no money: the platform does.
func (e *Engine) AskBills(ctx context.Context) {
	if e.cfg.Platform.Link() != LinkUp {
		return
	}
	if now := e.now(); now.Sub(e.owing.read) >= owingEvery {
		all, err := e.cfg.Journal.Cases(func(c journal.Case) bool { _, owes := e.owes(c); return owes })
		if err != nil {
			e.log.Error("bills", "err", err)
			return
		}
		for _, c := range all {
			e.owing.add(c.ID)
		}
		e.owing.read = now
	}
	ids := e.owing.all()
	if len(ids) == 0 {
		return
	}
	settled, err := e.cfg.Journal.Resettle(ctx, kindPay, func(ctx context.Context, ef journal.Effect) journal.Outcome {
		if c, err := e.cfg.Journal.Case(ef.Case); err != nil || c.State != journal.PayUnknown || desk.HasMoved(c) {
			return journal.Outcome{} // a person decided, or another terminal asks
		}
		return e.settlePay(ctx, ef)
	})
	if err != nil && ctx.Err() == nil {
		e.log.Error("bills", "err", err)
	}
	for _, s := range settled {
		if err := e.paidAlone(s); err != nil {
			e.log.Error("bill", "case", s.Effect.Case, "err", err)
		}
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		c, err := e.cfg.Journal.Case(id)
		if err != nil {
			e.owing.drop(id)
			continue
		}
		b, owes := e.owes(c)
		if !owes {
			e.owing.drop(id)
			continue
		}
		if _, waits := e.unsettled(id); waits && c.State == journal.PayUnknown {
			continue // asked above
		}
		now, err := e.cfg.Cashier.BillNow(ctx, b.Number)
		if err != nil {
			continue
		}
		if err := e.heard(c, now); err != nil {
			e.log.Error("bill", "case", c.ID, "err", err)
		}
	}
}

// paidAlone puts a case where it belongs whose payment was found when nobody was there: done, or with a person.
func (e *Engine) paidAlone(s journal.Settled) error {
	if s.Case != journal.Paid {
		return nil
	}
	return e.cfg.Journal.Update(func(tx *journal.Tx) error {
		c, err := tx.Case(s.Effect.Case)
		if err != nil || c.State != journal.Paid {
			return err
		}
		switch it, known := e.Items().Item(c.Item); {
		case known && it.makesCard():
			return nil // they come back with the code
		case known && !it.makes():
			return tx.SetState(c.ID, journal.Closed, "paid after the citizen had left")
		}
		return tx.SetState(c.ID, journal.Manual, "paid after the citizen had left")
	})
}

// owes says whether the end of a case's bill still matters here.
func (e *Engine) owes(c journal.Case) (b billStep, owes bool) {
	raw, has := c.Steps[kindPay]
	if desk.HasMoved(c) || !has || json.Unmarshal(raw, &b) != nil || b.Number == "" || b.Amount == 0 {
		return b, false
	}
	switch c.State {
	case journal.PayUnknown, journal.PayFailed, journal.PaidLate, journal.RefundDue, journal.Refunding:
		return b, true
	case journal.Cancelled, journal.Expired:
		return b, e.now().Before(b.Expires.Add(e.t.PayLate))
	}
	return b, false
}

// moved is a state that a case comes to, and why.
type moved struct {
	to  journal.State
	why string
}

// after are the states that follow one by what is known of the bill.
func (b Bill) after(at journal.State) []moved {
	back := func(why ...string) (state string) {
		for _, f := range b.Refunds {
			if slices.Contains(why, f.Why) {
				state = f.State
			}
		}
		return state
	}
	switch at {
	case journal.PayUnknown: // of a payment that was begun at another terminal
		switch b.State {
		case BillPaid:
			return []moved{{journal.Paid, "bill " + b.Number}}
		case BillClosed:
			return []moved{{journal.PayFailed, ascii(b.Why)}}
		}
	case journal.PayFailed:
		return []moved{{journal.Expired, "not paid"}}
	case journal.Cancelled, journal.Expired:
		if back("late") != "" {
			return []moved{{journal.PaidLate, "paid after the case had ended"}}
		}
	case journal.PaidLate:
		if back("late") != "" {
			return []moved{{journal.RefundDue, "paid late"}}
		}
	case journal.RefundDue:
		// The platform has heard of it by the case's own record, or ordered it itself.
		if back("late", "unissued") != "" {
			return []moved{{journal.Refunding, "the platform pays back"}}
		}
	case journal.Refunding:
		switch back("late", "unissued") {
		case "done", "by-hand":
			return []moved{{journal.Refunded, "paid back"}, {journal.Closed, "paid back"}}
		case "refused":
			return []moved{{journal.RefundFailed, "the channel does not pay back"}}
		}
	}
	return nil
}

// heard writes down what the platform says of the bill of a case that nobody waits for, as far as it goes.
func (e *Engine) heard(c journal.Case, b Bill) error {
	var way []moved
	for at := c.State; ; {
		next := b.after(at)
		if way = append(way, next...); len(next) == 0 {
			break
		}
		at = next[len(next)-1].to
	}
	if len(way) == 0 {
		return nil
	}
	return e.cfg.Journal.Update(func(tx *journal.Tx) error {
		now, err := tx.Case(c.ID)
		if err != nil || now.State != c.State {
			return err // somebody else moved it
		}
		for _, m := range way {
			if err := tx.SetState(c.ID, m.to, m.why); err != nil {
				return err
			}
		}
		return nil
	})
}
