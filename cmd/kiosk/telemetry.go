package main

// Telemetry of this terminal: a look every five minutes, kept in the journal's ring until the uplink has nothing better to do.

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

const tellEvery = 5 * time.Minute

// tell looks at the terminal until ctx ends, for the first time when its devices had time to open.
func (t *terminal) tell(ctx context.Context) error {
	began := time.Now()
	next := time.NewTimer(30 * time.Second)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		next.Reset(tellEvery)
		look, err := t.look(began)
		if err == nil {
			err = t.journal.Update(func(tx *journal.Tx) error { return tx.Tell(look) })
		}
		if err != nil && ctx.Err() == nil {
			t.log.Warn("telemetry", "error", err) // it is not worth ending for
		}
	}
}

// look is how the terminal is now.
func (t *terminal) look(began time.Time) (wire.Telemetry, error) {
	g, err := t.journal.Gauge()
	if err != nil {
		return wire.Telemetry{}, err
	}
	heap := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(heap)
	out := wire.Telemetry{Devices: map[wire.Term]wire.Term{}, Waiting: g.Waiting, Pictures: g.Pictures, Oldest: int64(max(0, g.Oldest).Seconds()),
		Journal: g.Used, Quota: g.Quota, Disk: g.Disk, Memory: int64(heap[0].Value.Uint64() - heap[1].Value.Uint64()),
		Up: int64(time.Since(began).Seconds()), Routines: uint64(runtime.NumGoroutine()), ClockOff: t.client.Offset().Milliseconds()}
	for _, s := range t.status() {
		out.Devices[wire.TermOf(s.Role)] = wire.TermOf(s.Unready)
	}
	for _, kind := range lockable {
		if d, err := service.DriftOf(t.journal, kind); err != nil || d.Locked {
			out.Locked = append(out.Locked, wire.TermOf(kind))
		}
	}
	return out, nil
}
