package sync

import (
	"testing"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

func (x *terminal) tell(n int) {
	x.t.Helper()
	err := x.Update(func(tx *journal.Tx) error {
		for range n {
			if err := tx.Tell(wire.Telemetry{Waiting: 7}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

// Telemetry is a ring: it goes when nothing else waits, what was pushed out meanwhile is counted at the platform, and it is not
// sent twice.
func TestTelemetryGoesLastAndItsLossIsKnown(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	x.tell(3)
	stop := x.run()
	eventually(t, "the first samples came", func() bool {
		all, err := c.Telemetry(t.Context(), "990000-0003", 10)
		return err == nil && len(all) == 3
	})
	stop()
	// Three and a half days without a line, and more: the oldest are pushed out.
	for range 12 {
		x.tell(100)
	}
	cases := x.business(40)
	stop = x.run()
	defer stop()
	eventually(t, "all samples came", func() bool {
		all, err := c.Telemetry(t.Context(), "990000-0003", 1)
		return err == nil && len(all) == 1 && all[0].Seq == 1203
	})
	if n := x.waiting(); n != 0 {
		t.Errorf("telemetry came although %d records wait", n)
	}
	c.once(cases...)
	all, err := c.Telemetry(t.Context(), "990000-0003", 1)
	if err != nil || all[0].Lost != 200 || all[0].Telemetry.Waiting != 7 {
		t.Errorf("%+v %v", all, err)
	}
	eventually(t, "the ring is empty", func() bool { left, err := x.Told(10); return err == nil && len(left) == 0 })
}
