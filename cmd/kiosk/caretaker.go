package main

// The caretaker: what the platform orders is done here, between two visits.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// exitRestart is the exit code that asks the service manager to start the program again (EX_TEMPFAIL):
// RestartForceExitStatus=75 in the unit.
const exitRestart = 75

// errRestart ends the program in good order, to be started again.
var errRestart = errors.New("restart was ordered")

// retryOrders is how soon an order that could not be done is tried again.
const retryOrders = 30 * time.Second

// metaPaused keeps a pause over restarts: JSON of the wording, absent or empty when the terminal serves.
const metaPaused = "terminal.paused"

// Due implements service.Caretaker.
func (t *terminal) Due() <-chan struct{} { return t.orders.Due() }

// Tend implements service.Caretaker: it does what the platform ordered, and says whether the terminal is closed.
func (t *terminal) Tend(ctx context.Context) (*service.OutOfService, error) {
	end, err := t.orders.Do(ctx)
	if end == nil && t.again.Load() {
		end = errRestart
	}
	if end != nil {
		return nil, end
	}
	if err != nil {
		// The order stays; a terminal does not close because one cannot be done.
		t.log.Error("orders", "error", err)
		t.orders.Again(retryOrders)
	}
	why, paused, err := t.paused()
	switch {
	case err != nil:
		return nil, err
	case paused:
		return service.Paused(why), nil
	case t.cabinet.open.Load():
		return service.DoorOpen(), nil
	case t.power.low.Load():
		return service.BatteryLow(), nil
	}
	return nil, nil
}

// paused tells whether the terminal is closed by an order, and with which wording.
func (t *terminal) paused() (why service.Words, paused bool, err error) {
	b, err := t.journal.Meta(metaPaused)
	if errors.Is(err, journal.ErrNotFound) || err == nil && len(b) == 0 {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if err := json.Unmarshal(b, &why); err != nil {
		return nil, true, nil // closed, with the general wording
	}
	return why, true, nil
}

// handlers are what this program can do for the platform.
func (t *terminal) handlers() map[string]uplink.Handler {
	command := func(do func(context.Context, wire.Command) (uplink.Doing, error)) uplink.Handler {
		return func(ctx context.Context, m wire.Message) (uplink.Doing, error) {
			var c wire.Command
			if err := json.Unmarshal(m.Body, &c); err != nil {
				return refusedOrder("body cannot be read"), nil
			}
			return do(ctx, c)
		}
	}
	return map[string]uplink.Handler{
		wire.MessageConfig:                 t.configure,
		wire.MessageItems:                  t.items,
		wire.MessageNotices:                t.notices,
		wire.MessageBackup:                 uplink.BackedUp(t.journal),
		wire.MessageBlank:                  t.blank,
		"command/" + wire.CommandPause:     command(t.pause),
		"command/" + wire.CommandResume:    command(t.resume),
		"command/" + wire.CommandRestart:   command(t.restart),
		"command/" + wire.CommandLogs:      t.logs,
		"command/" + wire.CommandRotateKey: command(t.rotate),
		"command/" + wire.CommandResync:    command(t.resync),
	}
}

func refusedOrder(format string, a ...any) uplink.Doing {
	return uplink.Doing{Result: wire.OrderResult{Status: wire.OrderRefused, Detail: fmt.Sprintf(format, a...)}}
}

func doneOrder(detail string) uplink.Doing {
	return uplink.Doing{Result: wire.OrderResult{Status: wire.OrderDone, Detail: detail}}
}

// maxWords bounds the wording that a command may put on the screen, in bytes.
const maxWords = 400

func (t *terminal) pause(_ context.Context, c wire.Command) (uplink.Doing, error) {
	for language, words := range c.Why {
		if len(language) > 8 || len(words) > maxWords {
			return refusedOrder("wording of more than %d bytes", maxWords), nil
		}
	}
	why := c.Why
	if why == nil {
		why = map[string]string{}
	}
	b, err := json.Marshal(why)
	if err != nil {
		return uplink.Doing{}, err
	}
	d := doneOrder("closed")
	d.Also = func(tx *journal.Tx) error { return tx.SetMeta(metaPaused, b) }
	return d, nil
}

func (t *terminal) resume(context.Context, wire.Command) (uplink.Doing, error) {
	d := doneOrder("serving")
	d.Also = func(tx *journal.Tx) error { return tx.SetMeta(metaPaused, nil) }
	return d, nil
}

// restart is answered before it happens: a program that comes back must not find the order still waiting.
func (t *terminal) restart(context.Context, wire.Command) (uplink.Doing, error) {
	d := doneOrder("ending, to be started again")
	d.End = errRestart
	return d, nil
}

// resync compares everything with the platform anew.
func (t *terminal) resync(_ context.Context, c wire.Command) (uplink.Doing, error) {
	if len(c.Ranges) > wire.MaxPast {
		return refusedOrder("%d ranges, limit %d", len(c.Ranges), wire.MaxPast), nil
	}
	t.link.Resync(c.Ranges...)
	return doneOrder(fmt.Sprintf("comparing anew, sending %d ranges again", len(c.Ranges))), nil
}

// rotate announces that a new key is wanted. How a key is made and certified is rotateKey's to know.
func (t *terminal) rotate(ctx context.Context, _ wire.Command) (uplink.Doing, error) {
	if t.rotateKey == nil {
		return uplink.Doing{Result: wire.OrderResult{Status: wire.OrderUnknown, Detail: "this program does not rotate its key"}}, nil
	}
	detail, err := t.rotateKey(ctx)
	if err != nil {
		return uplink.Doing{}, err
	}
	return doneOrder(detail), nil
}

// describe adds to a hello what only this program knows.
func (t *terminal) describe(h *wire.Hello) {
	_, h.Paused, _ = t.paused()
	h.Applied = &wire.Applied{Config: t.cfg.Revision, Items: t.itemsRevision.Load()}
	if n := t.noticesNow.Load(); n != nil {
		h.Applied.Notices = n.Revision
	}
}
