// Between visits: what must never happen under a citizen's hands has its turn while nobody is served.

package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// A Caretaker does what the terminal's owner wants done between two visits: exchanging items, closing for a while, ending
// the program.
type Caretaker interface {
	// Due is closed at the next moment at which Tend has something to do or would answer otherwise. The engine takes it
	// before it calls Tend, so that nothing is missed. It ends the attract screen, never a visit.
	Due() <-chan struct{}
	// Tend does what waits, with nobody in front, and says whether the terminal is closed: nil serves, anything else is
	// shown until Due. An error ends Serve with it.
	Tend(ctx context.Context) (*OutOfService, error)
}

// A Technician is whoever looks after the machine, at its screen.
type Technician interface {
	// Asked says whether somebody asked for the terminal since the last time.
	Asked() bool
	// Attend hands the terminal over, until the technician has left it or nobody came in. An error ends Serve with it.
	Attend(ctx context.Context, c Citizen) error
	// Closed is shown instead of the services when a technician left the terminal closed; nil when they did not.
	Closed() (*OutOfService, error)
}

// errDue ends the attract screen because something is to be done.
var errDue = errors.New("something is to be done between visits")

// between lets the caretaker have its turn, for as long as the terminal is closed, or a card lies in the dispenser's mouth. The channel it returns says when the
// next turn is due; nil without a caretaker.
func (e *Engine) between(ctx context.Context, c Citizen) (<-chan struct{}, error) {
	for mouth := false; ; {
		var due <-chan struct{}
		var closed *OutOfService
		var err error
		if e.cfg.Caretaker != nil {
			due = e.cfg.Caretaker.Due()
			closed, err = e.cfg.Caretaker.Tend(ctx)
		}
		if t := e.cfg.Technician; t != nil && err == nil && ctx.Err() == nil {
			if t.Asked() {
				err = t.Attend(ctx, c)
				c.Tell(Ended{})
				if err == nil {
					continue // what was due before may be so again, and what is shown may have changed
				}
			}
			if closed == nil && err == nil {
				closed, err = t.Closed()
			}
		}
		lies := false
		if closed == nil && err == nil && ctx.Err() == nil {
			closed = e.mouthClosed(ctx)
			lies = closed != nil
		}
		if mouth && !lies && err == nil && e.mouthClosed(ctx) == nil {
			mouth = false
			e.audit(journal.EventCardMouth, "system", map[string]string{"what": "gone"})
		} else if lies && !mouth {
			mouth = true
			e.audit(journal.EventCardMouth, "system", map[string]string{"what": "closed"})
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, fmt.Errorf("between visits: %w", err)
		case closed == nil:
			return due, nil
		}
		closed.Page = Page{At: -1}
		c.Tell(*closed)
		if lies {
			for e.mouthClosed(ctx) != nil && !isClosed(due) && pause(ctx, time.Second) {
			}
			continue
		}
		select {
		case <-due:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// until makes a context that ends with errDue when due is closed. stop must be called.
func until(ctx context.Context, due <-chan struct{}) (_ context.Context, stop func()) {
	if due == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-due:
			cancel(errDue)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

// catalogue is what the engine offers, and what cases of earlier times were begun with.
type catalogue struct {
	items  Items
	former map[[32]byte]*Item
}

// SetItems exchanges the items. A case that is running keeps the item it was begun with; former are items that are no
// longer offered and that cases still pin by their hash. It is an error to offer nothing.
func (e *Engine) SetItems(items, former Items) error {
	if len(items) == 0 {
		return errors.New("engine without items")
	}
	c := &catalogue{items: items, former: map[[32]byte]*Item{}}
	for _, it := range former {
		c.former[it.Hash] = it
	}
	for _, it := range items {
		c.former[it.Hash] = it
	}
	e.offered.Store(c)
	e.announce()
	return nil
}

// Items are those that are offered.
func (e *Engine) Items() Items { return e.offered.Load().items }

// pinned is the item that a case was begun with: the very file, or else the one that has its code now.
func (e *Engine) pinned(code string, hash [32]byte) (*Item, bool) {
	c := e.offered.Load()
	if it, ok := c.former[hash]; ok {
		return it, true
	}
	return c.items.Item(code)
}

// DoorOpen closes the terminal while its cabinet is open.
func DoorOpen() *OutOfService { return &OutOfService{Why: T("svc.out.door"), Code: "E-DOOR"} }

// BatteryLow closes the terminal before its UPS gives out.
func BatteryLow() *OutOfService { return &OutOfService{Why: T("svc.out.battery"), Code: "E-POWER"} }

// Visiting tells whether somebody is served now.
func (e *Engine) Visiting() bool { return e.visiting.Load() }

// Paused closes the terminal because its owner said so. why is the owner's wording by language; without one there is a
// sentence of our own.
func Paused(why Words) *OutOfService {
	t := T("svc.out.paused")
	if len(why) > 0 {
		t = why.Text()
	}
	return &OutOfService{Why: t, Code: "E-PAUSED"}
}
