package platform

// Cards that nobody comes for. Their terminals end them, and do so first; one that is broken, stolen or without a line does not, and
// its citizens' money must not wait for it.

import (
	"context"
	"errors"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

const (
	unclaimedFor = 3 * 24 * time.Hour
	unfetchedFor = 30 * 24 * time.Hour
)

// endUnclaimed ends approved applications whose time is over: what was paid goes back, and an open bill is closed.
func (s *Server) endUnclaimed(ctx context.Context) error {
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		paid, err := tx.CardsPaid(wire.CardApproved, now.Add(-s.cfg.Pay.Unclaimed), cardsAtOnce)
		if err != nil {
			return err
		}
		unpaid, err := tx.CardsBefore(wire.CardApproved, now.Add(-s.cfg.Pay.Unfetched), cardsAtOnce)
		if err != nil {
			return err
		}
		done := map[string]bool{}
		for _, c := range append(paid, unpaid...) {
			if done[c.Key] {
				continue
			}
			done[c.Key] = true
			if err := s.endIfUnclaimed(tx, c, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Server) endIfUnclaimed(tx Tx, c CardRow, now time.Time) error {
	bills, err := tx.BillsOf(c.Key)
	if err != nil {
		return err
	}
	since, limit := c.Changed, s.cfg.Pay.Unfetched
	is, none := pay.Stands(bills)
	if !none && is.State == pay.BillPaid {
		limit = s.cfg.Pay.Unclaimed
		if is.Paid.After(since) {
			since = is.Paid
		}
	}
	if now.Sub(since) < limit || !none && is.State != pay.BillPaid && is.State != pay.BillOpen {
		return nil // or money is moving
	}
	if !none && is.State == pay.BillOpen {
		a, err := tx.Bill(is.Number)
		if err != nil {
			return err
		}
		s.settler.Rules.End(a, pay.WhyCancelled, now)
		if err := tx.PutBill(a, s.settler.Rules.Wake(a)); err != nil {
			return err
		}
	}
	c.State, c.Ended, c.Changed = wire.CardEnded, true, now
	return errors.Join(tx.PutCard(c), s.returnMoney(tx, []CaseRow{{ID: c.Key, State: wire.CaseRefundDue, Updated: now}}),
		addEvent(tx, SecurityEvent{At: now, Event: "card.unclaimed", Terminal: c.Terminal, Why: about(c.Number, "nobody came for it")}))
}
