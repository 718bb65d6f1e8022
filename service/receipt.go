// The step that prints the receipt, and every other slip of a case or of nobody.

package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/slip"
	"github.com/budayang/kiosk/sync/journal"
)

// receiptStep prints the receipt. A case does not fail for want of its slip: then code and QR stand on the screen.
type receiptStep struct {
	Settings `yaml:",inline"`
}

// Ready: a receipt is a courtesy; its printer hinders nothing.
func (s *receiptStep) Ready(Scene) Text { return Text{} }

// Run prints, and shows what could not be printed.
func (s *receiptStep) Run(ctx context.Context, j *Journey) error {
	j.stage("receipt", StageRunning, Text{})
	j.show(Text{})
	j.askBill(ctx)
	if j.printSlip(ctx, "receipt", j.receiptSlip()) {
		j.stage("receipt", StageDone, Text{})
		j.show(Text{})
		return nil
	}
	j.stage("receipt", StageFailed, Text{})
	j.show(Text{})
	return j.slipMissing(ctx)
}

// slipMissing shows code and QR instead of paper. Whoever leaves here has their case done all the same.
func (j *Journey) slipMissing(ctx context.Context) error {
	p := j.page()
	p.Back = false
	_, err := ask[Next](ctx, j, Trouble{
		Page: p, What: T("svc.trouble.no-slip.what"), Means: T("svc.trouble.no-slip.means"), Do: T("svc.trouble.no-slip.do"),
		Code: j.kase.ReceiptCode, QR: j.kase.ReceiptCode,
	})
	if errors.Is(err, ErrLeft) || errors.Is(err, ErrTimedOut) {
		j.gone = err
		return nil
	}
	if errors.Is(err, ErrBack) {
		return nil
	}
	return err
}

// canPrintSlip tells whether offering a slip is honest.
func (e *Engine) canPrintSlip() bool {
	return e.cfg.Devices.Status(devices.RoleReceiptPrinter).Unready() == devices.UnreadyNot
}

// printSlip prints one slip of the case as an effect; a slip of which nothing was sent is tried once more. It tells
// whether the slip is on paper, as far as anybody knows.
func (j *Journey) printSlip(ctx context.Context, step string, s slip.Slip) bool {
	ctx, stop := graceful(ctx, j.e.t.Receipt, j.e.t.Grace)
	defer stop()
	for attempt := 1; attempt <= 2; attempt++ {
		var res devices.PrintResult
		name := journal.EffectName{Case: j.kase.ID, Step: step, Attempt: attempt}
		_, err := j.e.cfg.Journal.Do(ctx, journal.Intent{
			EffectName: name, Kind: kindReceipt, Body: map[string]string{"id": name.String()},
		}, func(ctx context.Context, _ func(k, v string) error) journal.Outcome {
			res = j.e.printReceipt(ctx, devices.ReceiptJob{ID: name.String(), Slip: s})
			j.e.reached("receipt.acted")
			out := documentOutcome(res, "")
			out.Case, out.Why, out.Also = "", "", used(journal.StockSlip, 1, res)
			return out
		})
		if err != nil {
			j.e.log.ErrorContext(ctx, "slip", "case", j.kase.ID, "step", step, "err", err)
			return false
		}
		switch res.Outcome {
		case devices.PrintConfirmed:
			return true
		case devices.PrintNotSent:
			continue
		}
		return false
	}
	return false
}

// plainSlip prints a slip that belongs to nobody and may be printed any number of times.
func (e *Engine) plainSlip(ctx context.Context, s slip.Slip) bool {
	ctx, stop := graceful(ctx, e.t.Receipt, e.t.Grace)
	defer stop()
	res := e.printReceipt(ctx, devices.ReceiptJob{ID: fmt.Sprintf("plain/%d", e.now().UnixNano()), Slip: s})
	if count := used(journal.StockSlip, 1, res); count != nil {
		if err := e.cfg.Journal.Update(count); err != nil {
			e.log.ErrorContext(ctx, "slip was not counted", "err", err)
		}
	}
	return res.Outcome == devices.PrintConfirmed
}

// printReceipt uses the slip printer for one job.
func (e *Engine) printReceipt(ctx context.Context, job devices.ReceiptJob) devices.PrintResult {
	dev, release, err := e.cfg.Devices.Use(devices.RoleReceiptPrinter)
	if err != nil {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyNoDevice, Detail: err.Error()}
	}
	defer release()
	p, ok := dev.(devices.ReceiptPrinter)
	if !ok {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyFraud, Detail: "device prints no slips"}
	}
	return p.Print(ctx, job)
}
