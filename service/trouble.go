// Telling a citizen that something went wrong: on the screen always, on paper when a case stands behind it.

package service

import (
	"context"
	"errors"
)

// trouble shows a referral. After the commit point it leaves a slip with the receipt code, or code and QR on the screen.
func (j *Journey) trouble(ctx context.Context, r *Referral) error {
	p := j.page()
	p.Back = false
	t := Trouble{Page: p, What: r.What, Means: r.Means, Do: r.Do, Code: r.Code}
	if j.opened {
		t.Code = j.kase.ReceiptCode + " " + r.Code
		if j.e.canPrintSlip() {
			t.Printed = j.printSlip(ctx, "trouble", j.troubleSlip(r))
		}
		if !t.Printed {
			t.QR = j.kase.ReceiptCode
		}
	}
	_, err := ask[Next](ctx, j, t)
	if errors.Is(err, ErrBack) {
		return nil
	}
	return err
}
