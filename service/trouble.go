// Telling a citizen that something went wrong: on the screen always, on paper when a case stands behind it.

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/budayang/kiosk/sync/journal"
)

// trouble shows a referral. After the commit point it leaves a slip with the receipt code, or code and QR on the screen.
func (j *Journey) trouble(ctx context.Context, r *Referral) error {
	p := j.page()
	p.Back = false
	t := Trouble{Page: p, What: r.What, Means: r.Means, Do: r.Do, Code: r.Code}
	if j.opened {
		t.Code = j.kase.ReceiptCode + " " + r.Code
		if j.e.canPrintSlip() {
			t.Printed = j.printSlip(ctx, j.oneMore("trouble"), j.troubleSlip(r))
		}
		if !t.Printed {
			t.QR = j.kase.ReceiptCode
		}
	}
	t.Queue = j.queue(ctx, r)
	for {
		a, err := ask[Answer](ctx, j, t)
		if errors.Is(err, ErrBack) {
			return nil
		}
		if err != nil {
			return err
		}
		switch a.(type) {
		case Next:
			return nil
		case TakeTicket:
			if t.Queue == nil || t.NoTicket {
				return fmt.Errorf("%w: no number was offered", ErrAnswer)
			}
			if taken, err := j.takeTicket(ctx, *t.Queue, r); taken || err != nil {
				return err
			}
			t.NoTicket = true
		default:
			return fmt.Errorf("%w: %T to trouble", ErrAnswer, a)
		}
	}
}

// oneMore is the name of a step by which a slip is printed that a case may have more than one of: whoever comes back and is turned away again
// gets another one. An effect that has an outcome is never done again.
func (j *Journey) oneMore(step string) string {
	all, err := j.e.cfg.Journal.Effects(j.kase.ID)
	if err != nil {
		return step // it is refused, and the code stands on the screen
	}
	name := step
	for n := 2; slices.ContainsFunc(all, func(e journal.Effect) bool { return e.Step == name }); n++ {
		name = fmt.Sprintf("%s-%d", step, n)
	}
	return name
}
