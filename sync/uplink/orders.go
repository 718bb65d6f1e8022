package uplink

// Orders: the platform's messages, kept in the journal when they arrive and done when their time has come.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// Doing is what a handler made of an order.
type Doing struct {
	Result wire.OrderResult // Status, Detail, Revision, Blob; the rest is filled in
	// Also runs in the transaction that writes the result; may be nil.
	Also func(*journal.Tx) error
	// Later leaves the order waiting: the result is not known yet, and the handler is asked again.
	Later bool
	// End, when not nil, is returned by [Orders.Do] once the result is on disk, or at once when Later is set: the
	// program is to end.
	End error
}

// Handler does one order. It is asked again after a crash until its result is on disk, so that doing twice must be the same
// as doing once. An error is a failure to be tried again later, not an answer.
type Handler func(ctx context.Context, m wire.Message) (Doing, error)

// Orders does what the platform says. Handle gives every known type (or "command/NAME") its handler.
type Orders struct {
	Journal *journal.Journal
	Handle  map[string]Handler
	Now     func() time.Time // the platform's clock as it is known here; nil means time.Now
	Log     *slog.Logger     // nil means discard

	mu    sync.Mutex
	due   chan struct{}
	again *time.Timer
}

// Message keeps a message; it fits [Options].Message.
func (o *Orders) Message(_ context.Context, m wire.Message) error {
	var fresh bool
	err := o.Journal.Update(func(tx *journal.Tx) (err error) {
		fresh, err = tx.TakeOrder(m)
		return err
	})
	if errors.Is(err, journal.ErrState) {
		o.log().Error("a message of the platform is malformed and was left", "no", m.No, "error", err)
		return nil
	}
	if err == nil && fresh {
		o.ring()
	}
	return err
}

// Expired answers a message that arrived after its time; it fits [Options].Expired.
func (o *Orders) Expired(_ context.Context, m wire.Message) error {
	return o.Journal.Update(func(tx *journal.Tx) error {
		fresh, err := tx.TakeOrder(m)
		if err != nil || !fresh {
			return err
		}
		return tx.EndOrder(m.ID, wire.OrderResult{Name: nameOf(m), Status: wire.OrderExpired, Detail: "arrived after its time"})
	})
}

// Due is closed when the next message arrives. Take it before Do, so that none is missed.
func (o *Orders) Due() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.due == nil {
		o.due = make(chan struct{})
	}
	return o.due
}

// Again makes Due ring after a while, for what could not be done. A later call replaces an earlier one.
func (o *Orders) Again(after time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.again != nil {
		o.again.Stop()
	}
	o.again = time.AfterFunc(after, o.ring)
}

func (o *Orders) ring() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.due != nil {
		close(o.due)
	}
	o.due = make(chan struct{})
}

// Do does everything that waits, in order. What cannot be done yet holds up only itself. It returns the End of a handler
// that wants the program to end, and otherwise what failed.
func (o *Orders) Do(ctx context.Context) (end, failed error) {
	waiting, err := o.Journal.Orders()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, w := range waiting {
		if ctx.Err() != nil {
			break
		}
		end, err := o.one(ctx, w.Message)
		if err != nil {
			errs = append(errs, fmt.Errorf("order %s: %w", w.ID, err))
		}
		if end != nil {
			return end, errors.Join(errs...)
		}
	}
	return nil, errors.Join(errs...)
}

func (o *Orders) one(ctx context.Context, m wire.Message) (end, err error) {
	var d Doing
	name := nameOf(m)
	handle := o.Handle[m.Type]
	if m.Type == wire.MessageCommand {
		handle = o.Handle[m.Type+"/"+name]
	}
	switch {
	case !m.Expires.IsZero() && !o.now().Before(m.Expires):
		d.Result = wire.OrderResult{Status: wire.OrderExpired, Detail: "could not be done in its time"}
	case handle == nil:
		d.Result = wire.OrderResult{Status: wire.OrderUnknown, Detail: "not known to this program"}
	default:
		if d, err = handle(ctx, m); err != nil {
			return nil, err
		}
		if d.Later {
			return d.End, nil
		}
	}
	d.Result.Name = name
	err = o.Journal.Update(func(tx *journal.Tx) error {
		if d.Also != nil {
			if err := d.Also(tx); err != nil {
				return err
			}
		}
		return tx.EndOrder(m.ID, d.Result)
	})
	if err != nil {
		return nil, err
	}
	o.log().Info("order of the platform", "id", m.ID, "type", m.Type, "name", name, "status", d.Result.Status, "detail", d.Result.Detail)
	return d.End, nil
}

// nameOf is a command's name as far as it can be read.
func nameOf(m wire.Message) string {
	var c wire.Command
	if m.Type != wire.MessageCommand || json.Unmarshal(m.Body, &c) != nil || len(c.Name) > 32 {
		return ""
	}
	return c.Name
}

func (o *Orders) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o *Orders) log() *slog.Logger {
	if o.Log != nil {
		return o.Log
	}
	return slog.New(slog.DiscardHandler)
}
