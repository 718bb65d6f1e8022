package main

// The cabinet: its door and tamper sensor, in the audit chain and before the citizens' eyes.

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/ioboard"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// doorEvery is how often the door is asked: shorter openings may be missed.
const doorEvery = 250 * time.Millisecond

// Bounds of what a switch that chatters may write.
const (
	cabinetEvents = 40
	cabinetWithin = time.Hour
)

// cabinet is what is known of the door. While it is open nobody is served. When it is opened, or the cabinet moved, under a
// citizen's hands and no technician is logged in, the program ends in good order and is started anew: nothing of the visit is left
// in memory, and what was under way is classified as after every start.
type cabinet struct {
	open   atomic.Bool
	breach chan struct{} // capacity 1
	// attended tells whether a technician is in the console; nil means never.
	attended func() bool

	// Of the last events, and whether some were not kept since; the supervisor's goroutine only.
	written []time.Time
	dropped bool
}

// noted hears of every change of the door's status, in the order of the changes.
func (c *cabinet) noted(t *terminal, old, now devices.Status) {
	attended, visit := c.attended != nil && c.attended(), t.engine != nil && t.engine.Visiting()
	was := c.open.Load()
	switch now.Cover { // Unknown is neither: what was open stays so until the switch says otherwise
	case devices.CoverOpen:
		c.open.Store(true)
		if !was {
			c.write(t, journal.EventDoorOpened, map[string]string{"attended": yesNo(attended), "visit": yesNo(visit)})
		}
	case devices.CoverClosed:
		c.open.Store(false)
		if was {
			c.write(t, journal.EventDoorClosed, nil)
		}
	}
	opened := c.open.Load() && !was
	tampered := slices.Contains(now.Reasons, ioboard.ReasonTamper) && !slices.Contains(old.Reasons, ioboard.ReasonTamper)
	if tampered {
		c.write(t, journal.EventCabinetTampered, map[string]string{"visit": yesNo(visit)})
	}
	if (opened || tampered) && visit && !attended {
		select {
		case c.breach <- struct{}{}:
		default:
		}
	}
	if was != c.open.Load() && t.orders != nil {
		t.orders.Again(0) // Tend says otherwise from here on
	}
}

// write keeps an event, as long as the switch does not chatter.
func (c *cabinet) write(t *terminal, event journal.Event, fields map[string]string) {
	now := time.Now()
	c.written = slices.DeleteFunc(c.written, func(at time.Time) bool { return now.Sub(at) > cabinetWithin })
	if len(c.written) >= cabinetEvents {
		if !c.dropped {
			t.log.Warn("the cabinet's switches chatter; events are not kept for a while", "event", string(event), "kept", cabinetEvents, "within", cabinetWithin)
		}
		c.dropped = true
		return
	}
	c.dropped = false
	c.written = append(c.written, now)
	if err := t.journal.Update(func(tx *journal.Tx) error { return tx.Audit(event, wire.WhoSystem, fields) }); err != nil {
		t.log.Error("the cabinet's state could not be recorded", "error", err)
	}
}

// run ends the program at a breach.
func (c *cabinet) run(ctx context.Context) error {
	select {
	case <-c.breach:
		return fmt.Errorf("the cabinet was opened or moved in a visit: %w", errRestart)
	case <-ctx.Done():
		return nil
	}
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
