package platform

// The desk's verdicts about money at a shell beside the store, without a server: the same rows, the same two people.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// matterKept is no matter of a bill's: the payment that pays it, which nobody need look at, and which two people may order back.
const matterKept = "kept"

// keptMatter is the payment that pays a bill as something that is decided about.
func keptMatter(a *pay.Account, transaction string) (pay.Matter, bool) {
	k := a.Kept()
	if k == nil || k.Transaction != transaction {
		return pay.Matter{}, false
	}
	return pay.Matter{Kind: matterKept, Ref: transaction, Opened: k.At}, true
}

// MoneyDesk decides about money beside the store.
type MoneyDesk struct{ s *Server }

// NewMoneyDesk makes one; now is for tests, nil takes the machine's.
func NewMoneyDesk(store Store, now func() time.Time) MoneyDesk {
	if now == nil {
		now = time.Now
	}
	return MoneyDesk{&Server{store: store, cfg: Config{Now: now}, settler: &pay.Settler{Rules: pay.House()}}}
}

func (d MoneyDesk) operator(who, why string) (Operator, error) {
	if !wire.Operator(who) {
		return Operator{}, fmt.Errorf("operator %.40q is not a name", who)
	}
	return Operator{Who: who, Why: why}, nil
}

// ProposeReturn proposes that a payment goes back: one of a wrong amount, one whose refund was refused, or the one that pays its bill.
// id is what a second person confirms, here or at the desk's page. [ErrNoRow]: there is no such payment to order back.
func (d MoneyDesk) ProposeReturn(ctx context.Context, bill, transaction, who, why string) (id string, err error) {
	ref := ""
	err = d.s.store.View(ctx, func(tx Tx) error {
		a, err := tx.Bill(bill)
		if err != nil {
			return err
		}
		for _, m := range a.Matters {
			f := a.Refund(m.Ref)
			if m.Ended.IsZero() && (m.Kind == pay.MatterAmount && m.Ref == transaction || m.Kind == pay.MatterRefund && f != nil && f.Transaction == transaction) {
				ref = matterRef(bill, m)
				return nil
			}
		}
		m, kept := keptMatter(a, transaction)
		if !kept {
			return ErrNoRow
		}
		ref = matterRef(bill, m)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("payment %.40q of bill %.40q: %w", transaction, bill, err)
	}
	return d.propose(ctx, ref, actReturn, who, why)
}

// ProposeByHand proposes that a refund which the channel refused was paid by hand.
func (d MoneyDesk) ProposeByHand(ctx context.Context, refund, who, how string) (id string, err error) {
	bill, ours := pay.BillOf(refund)
	if !ours {
		return "", fmt.Errorf("refund %.40q is not a number of ours", refund)
	}
	return d.propose(ctx, matterRef(bill, pay.Matter{Kind: pay.MatterRefund, Ref: refund}), actByHand, who, how)
}

func (d MoneyDesk) propose(ctx context.Context, ref, act, who, why string) (string, error) {
	by, err := d.operator(who, why)
	if err != nil {
		return "", err
	}
	id, err := d.s.Propose(ctx, VerdictRow{Kind: aboutMoney, Ref: ref, Act: act}, by)
	if errors.Is(err, ErrNoRow) {
		return "", fmt.Errorf("%s is not on the desk: %w", ref, err)
	}
	return id, err
}

// Confirm carries out what another person proposed. [ErrSecond] to whoever proposed it. What is not about money is for the page.
func (d MoneyDesk) Confirm(ctx context.Context, id, who string) error {
	by, err := d.money(ctx, id, who, "")
	if err != nil {
		return err
	}
	return d.s.Confirm(ctx, id, by)
}

// Refuse ends a proposal; whoever proposed may take it back.
func (d MoneyDesk) Refuse(ctx context.Context, id, who, why string) error {
	by, err := d.money(ctx, id, who, why)
	if err != nil {
		return err
	}
	return d.s.Refuse(ctx, id, by)
}

// money wants a proposal to be one about money.
func (d MoneyDesk) money(ctx context.Context, id, who, why string) (by Operator, err error) {
	if by, err = d.operator(who, why); err != nil {
		return by, err
	}
	err = d.s.store.View(ctx, func(tx Tx) error {
		v, err := tx.Verdict(id)
		if err == nil && v.Kind != aboutMoney {
			return ErrNoRow
		}
		return err
	})
	if err != nil {
		return by, fmt.Errorf("proposal %.40q about money: %w", id, err)
	}
	return by, nil
}

// Open are the proposals about money that wait for a second person.
func (d MoneyDesk) Open(ctx context.Context) (open []VerdictRow, err error) {
	err = d.s.store.View(ctx, func(tx Tx) error {
		open = nil
		all, err := tx.OpenVerdicts(deskShown)
		for _, v := range all {
			if v.Kind == aboutMoney {
				open = append(open, v)
			}
		}
		return err
	})
	return open, err
}
