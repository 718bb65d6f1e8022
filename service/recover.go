// After a restart: every effect without an outcome is settled by asking, every open case gets its place, and nothing is
// done a second time.

package service

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/budayang/kiosk/devices"
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
	settled, err := e.cfg.Journal.Settle(ctx, map[string]journal.Settler{
		kindDocument: func(ctx context.Context, ef journal.Effect) journal.Outcome { return e.settleDocument(ctx, up, ef) },
		kindReceipt:  func(ctx context.Context, ef journal.Effect) journal.Outcome { return e.settleReceipt(ctx, up, ef) },
	})
	report := Report{Settled: settled}
	if err != nil {
		return report, fmt.Errorf("recover: %w", err)
	}
	open, err := e.cfg.Journal.Cases(func(c journal.Case) bool { return !c.State.Final() })
	if err != nil {
		return report, fmt.Errorf("recover: %w", err)
	}
	for _, c := range open {
		from, to := c.State, c.State
		for {
			next, why := e.place(ctx, c)
			if next == c.State {
				break
			}
			err := e.cfg.Journal.Update(func(tx *journal.Tx) error { return tx.SetState(c.ID, next, why) })
			if err != nil {
				return report, fmt.Errorf("recover case %s: %w", c.ID, err)
			}
			c.State, to = next, next
			report.Moved = append(report.Moved, Moved{Case: c.ID, ReceiptCode: c.ReceiptCode, From: from, To: to, Why: why})
			from = to
		}
		if to == journal.Closed {
			e.dropDocument(c)
		}
		if to.Desk() {
			report.Desk++
		}
	}
	return report, nil
}

// place says where a case belongs that a restart interrupted.
func (e *Engine) place(ctx context.Context, c journal.Case) (journal.State, string) {
	_, issued := c.Steps["issue"]
	switch c.State {
	case journal.Submitted:
		return journal.Cancelled, "interrupted before anything was done"
	case journal.Accepted:
		if issued {
			return journal.Manual, "interrupted after the document was issued, before it was printed"
		}
		return journal.Closed, "interrupted when all was done"
	case journal.Printing:
		return journal.PrintUnknown, "interrupted while printing"
	case journal.Printed:
		switch e.mouth(ctx, devices.RoleDocumentPrinter) {
		case devices.MediaPresent:
			return journal.Retained, "interrupted, paper still at the mouth"
		case devices.MediaNotPresent:
			return journal.Delivered, "interrupted, paper gone from the mouth"
		}
		return journal.Manual, "interrupted after printing, nobody saw the paper taken"
	case journal.Delivered:
		return journal.Closed, "interrupted after delivery"
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
	return documentOutcome(p.Settle(ctx, in.Name, in.Sheets, ef.Notes), in.Number)
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
	out.Case, out.Why = "", ""
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
