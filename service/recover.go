// After a restart: every effect without an outcome is settled by asking, every open case gets its place, and nothing is
// done a second time.

package service

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
)

// Report is what [Engine.Recover] found.
type Report struct {
	Settled []journal.Settled // effects that had an intent and no outcome
	Moved   []Moved           // changes of state of open cases
	Desk    int               // cases that a person must look at
}

// Moved is one open case put where it belongs.
type Moved struct {
	Case        string
	ReceiptCode string
	From, To    journal.State
	Why         string
}

// Recover classifies what a crash or a power cut left. It asks devices, waiting for them to come up for at most
// Timeouts.DeviceUp, shows nothing and prints nothing. Call it before Serve.
func (e *Engine) Recover(ctx context.Context) (Report, error) {
	// One wait for all devices together: however many effects there are, the terminal opens in time.
	up, stop := context.WithTimeout(ctx, e.t.DeviceUp)
	defer stop()
	// And one for all their answers: what no device has said by then, a person finds out.
	asked, enough := context.WithTimeout(ctx, e.t.DeviceUp+e.t.DeviceUp/2)
	defer enough()
	settled, err := e.cfg.Journal.Settle(ctx, map[string]journal.Settler{
		kindDocument:  func(_ context.Context, ef journal.Effect) journal.Outcome { return e.settleDocument(asked, up, ef) },
		kindMoveCard:  func(_ context.Context, ef journal.Effect) journal.Outcome { return e.settleMove(asked, up, ef) },
		kindPrintCard: func(_ context.Context, ef journal.Effect) journal.Outcome { return e.settleCard(asked, up, ef) },
		kindPay:       func(ctx context.Context, ef journal.Effect) journal.Outcome { return e.settlePay(asked, ef) },
		kindReceipt:   func(_ context.Context, ef journal.Effect) journal.Outcome { return e.settleReceipt(asked, up, ef) },
	})
	report := Report{Settled: settled}
	if err != nil {
		return report, fmt.Errorf("recover: %w", err)
	}
	// What was drawn, printed or presented may be anywhere now.
	if err := e.cfg.Journal.Update(func(tx *journal.Tx) error { _, err := tx.DoubtStock(); return err }); err != nil {
		return report, fmt.Errorf("recover: stock: %w", err)
	}
	open, err := e.cfg.Journal.Cases(func(c journal.Case) bool { return !c.State.Final() })
	if err != nil {
		return report, fmt.Errorf("recover: %w", err)
	}
	for ; len(open) > 0; open = open[min(len(open), recoverBatch):] {
		if err := e.placeAll(ctx, open[:min(len(open), recoverBatch)], &report); err != nil {
			return report, fmt.Errorf("recover: %w", err)
		}
	}
	return report, nil
}

// recoverBatch is how many cases are put where they belong in one change: on a slow disk a change costs ten milliseconds,
// and thousands of cases may have been left.
const recoverBatch = 100

// placeAll puts cases where they belong, all of them in one change.
func (e *Engine) placeAll(ctx context.Context, open []journal.Case, report *Report) error {
	var moved []Moved
	for _, c := range open {
		for {
			next, why := e.place(ctx, c)
			if next == c.State {
				break
			}
			moved = append(moved, Moved{Case: c.ID, ReceiptCode: c.ReceiptCode, From: c.State, To: next, Why: why})
			c.State = next
		}
		if desk.Waits(c) {
			report.Desk++
		}
	}
	if len(moved) == 0 {
		return nil
	}
	err := e.cfg.Journal.Update(func(tx *journal.Tx) error {
		for _, m := range moved {
			if err := tx.SetState(m.Case, m.To, m.Why); err != nil {
				return fmt.Errorf("case %s: %w", m.ReceiptCode, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	report.Moved = append(report.Moved, moved...)
	ended := map[string]bool{}
	for _, m := range moved {
		ended[m.Case] = m.To == journal.Closed
	}
	for _, c := range open {
		if ended[c.ID] {
			e.dropDocument(c)
		}
	}
	return nil
}

// place says where a case belongs that a restart interrupted.
func (e *Engine) place(ctx context.Context, c journal.Case) (journal.State, string) {
	_, issued := c.Steps["issue"]
	switch c.State {
	case journal.Submitted:
		return journal.Cancelled, "interrupted before anything was done"
	case journal.Accepted:
		if it, known := e.Items().Item(c.Item); known && it.makesCard() {
			return c.State, "" // adopted, and goes on when its citizen comes
		}
		if issued {
			return journal.Manual, "interrupted after the document was issued, before it was printed"
		}
		return journal.Closed, "interrupted when all was done"
	case journal.Printing:
		return journal.PrintUnknown, "interrupted while printing"
	case journal.Printed:
		if it, known := e.Items().Item(c.Item); known && it.makesCard() {
			return journal.Manual, "interrupted after the card was printed"
		}
		switch e.mouth(ctx, devices.RoleDocumentPrinter) {
		case devices.MediaPresent:
			return journal.Retained, "interrupted, paper still at the mouth"
		case devices.MediaNotPresent:
			return journal.Delivered, "interrupted, paper gone from the mouth"
		}
		return journal.Manual, "interrupted after printing, nobody saw the paper taken"
	case journal.Delivered, journal.Acked:
		return journal.Closed, "interrupted after delivery"
	case journal.BillCreated:
		return journal.Cancelled, "interrupted before the bill was shown"
	case journal.PayPending:
		return journal.PayUnknown, "interrupted while paying"
	case journal.PayFailed:
		return journal.Cancelled, "interrupted, not paid"
	case journal.Paid:
		switch it, known := e.Items().Item(c.Item); {
		case known && it.makesCard():
			return c.State, "" // they come back with the code
		case known && !it.makes():
			return journal.Closed, "interrupted after the payment"
		}
		return journal.Manual, "interrupted with money of the citizen's"
	case journal.Bound, journal.Refunding:
		return journal.Manual, "interrupted with money or a blank of the citizen's"
	case journal.Refunded:
		return journal.Closed, "interrupted after the refund"
	}
	return c.State, ""
}

// settleDocument asks the printer what became of a job.
func (e *Engine) settleDocument(ctx, up context.Context, ef journal.Effect) journal.Outcome {
	var in printIntent
	if err := json.Unmarshal(ef.Intent, &in); err != nil {
		return documentOutcome(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: "intent cannot be read"}, "")
	}
	dev, release, err := e.awaitDevice(up, devices.RoleDocumentPrinter)
	if err != nil {
		return documentOutcome(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: err.Error()}, in.Number)
	}
	defer release()
	p, ok := dev.(devices.DocumentPrinter)
	if !ok {
		return documentOutcome(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: "device prints no documents"}, in.Number)
	}
	ctx, stop := context.WithTimeout(ctx, e.t.DeviceUp)
	defer stop()
	res := p.Settle(ctx, in.Name, in.Sheets, ef.Notes)
	out := documentOutcome(res, in.Number)
	out.Also = used(journal.StockSheet, in.Sheets, res)
	return out
}

// settleReceipt asks the slip printer; whatever it says, the case goes its way.
func (e *Engine) settleReceipt(ctx, up context.Context, ef journal.Effect) journal.Outcome {
	res := devices.PrintResult{Outcome: devices.PrintUnknown, Detail: "slip printer did not come up"}
	if dev, release, err := e.awaitDevice(up, devices.RoleReceiptPrinter); err == nil {
		defer release()
		if p, ok := dev.(devices.ReceiptPrinter); ok {
			ctx, stop := context.WithTimeout(ctx, e.t.DeviceUp)
			defer stop()
			res = p.Settle(ctx, ef.EffectName.String())
		}
	}
	out := documentOutcome(res, "")
	out.Case, out.Why, out.Also = "", "", used(journal.StockSlip, 1, res)
	return out
}

// awaitDevice uses a device that may still be coming up. A device that is not there at all is waited for as well: at boot
// the bus may be slower than the program.
func (e *Engine) awaitDevice(up context.Context, role devices.Role) (devices.Device, func(), error) {
	for {
		changed := e.cfg.Devices.Changed()
		dev, release, err := e.cfg.Devices.Use(role)
		if err == nil {
			return dev, release, nil
		}
		select {
		case <-changed:
		case <-up.Done():
			return nil, nil, fmt.Errorf("wait for %s: %w", role, err)
		}
	}
}
