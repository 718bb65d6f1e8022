// The voucher of an application for an identity card (领取凭证), as its holder shows it to the code scanner.

package service

import (
	"context"
	"errors"
	"strings"

	"github.com/budayang/kiosk/devices"
)

// NotVoucher is the event of a [CardNote] when a code was shown that is no voucher's.
const NotVoucher = "not-voucher"

// canScan tells whether asking for a code is honest.
func (e *Engine) canScan() bool {
	return e.cfg.Devices.Status(devices.RoleCodeScanner).Unready() == devices.UnreadyNot
}

// scanVoucher waits for a voucher's code until ctx ends: its 22 digits, or "". Whatever else is shown is told, and forgotten.
func (j *Journey) scanVoucher(ctx context.Context) string {
	dev, release, err := j.e.cfg.Devices.Use(devices.RoleCodeScanner)
	if err != nil {
		return ""
	}
	defer release()
	scanner, ok := dev.(devices.CodeScanner)
	if !ok {
		return ""
	}
	for {
		code, err := scanner.Scan(ctx)
		text := strings.TrimSpace(string(code.Data))
		code.Wipe()
		switch {
		case ctx.Err() != nil:
			return ""
		case err == nil && voucherForm.MatchString(text):
			return text
		case err == nil, errors.Is(err, devices.ErrCodeUnreadable), errors.Is(err, devices.ErrCodeTooLong):
			j.c.Tell(CardNote{Event: NotVoucher})
		default:
			return "" // it is gone; there are other ways
		}
	}
}
