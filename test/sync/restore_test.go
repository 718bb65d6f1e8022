package sync

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// F27: the platform's database was restored from an old copy, with or without its blobs. Zero lost, zero doubled.
func TestAPlatformRestoredFromAnOldCopyGetsEverythingAgain(t *testing.T) {
	for name, parts := range map[string][]string{"the database": {"platform.db"}, "database and pictures": {"platform.db", "blobs"}} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t)
			x, y := newTerminal(t, c, "990000-0003"), newTerminal(t, c, "990000-0004")
			x.run()
			y.run()
			drained := func() {
				t.Helper()
				eventually(t, "outboxes empty", func() bool { return x.waiting() == 0 && y.waiting() == 0 })
			}
			ids := append(x.business(6), y.business(3)...)
			drained()
			c.once(ids...)
			c.stop()
			image := map[string][]byte{}
			for _, p := range parts {
				for f, b := range readTree(t, filepath.Join(c.dir, p)) {
					image[f] = b
				}
			}
			c.start()
			ids = append(ids, x.business(7)...)
			order := func(x *terminal) string {
				t.Helper()
				if _, err := c.Command(t.Context(), x.id.Terminal, wire.Command{Name: "no-op"}, time.Hour, "test"); err == nil {
					t.Fatal("a command that does not exist was sent")
				}
				id, err := c.Command(t.Context(), x.id.Terminal, wire.Command{Name: wire.CommandResync}, time.Hour, "test")
				if err != nil {
					t.Fatal(err)
				}
				return id
			}
			order(x)
			eventually(t, "the order arrives", func() bool { o, err := x.Orders(); return err == nil && len(o) == 1 })
			if end, err := x.orders.Do(t.Context()); end != nil || err != nil {
				t.Fatal(end, err)
			}
			drained()
			c.once(ids...)

			c.stop()
			for _, p := range parts {
				one := map[string][]byte{}
				for f, b := range image {
					if strings.HasPrefix(f, filepath.Join(c.dir, p)) {
						one[f] = b
					}
				}
				writeTree(t, filepath.Join(c.dir, p), one)
			}
			c.start()
			// An order that the restored platform gives under a number which the terminal has seen reaches it all the same.
			id := order(x)
			ids = append(ids, y.business(2)...)
			eventually(t, "the platform has everything again", func() bool {
				n, err := c.Received(t.Context())
				return err == nil && n.Cases == len(ids) && x.waiting() == 0 && y.waiting() == 0
			})
			c.once(ids...)
			eventually(t, "the order arrives under a number of its own", func() bool { o, err := x.Orders(); return err == nil && len(o) == 1 && o[0].ID == id })
			if end, err := x.orders.Do(t.Context()); end != nil || err != nil {
				t.Fatal(end, err)
			}
			eventually(t, "the order is answered", func() bool {
				all, err := c.Orders(t.Context(), x.id.Terminal, 1)
				return err == nil && len(all) == 1 && all[0].Status == wire.OrderUnknown
			})
			if x.epoch() != 1 || y.epoch() != 1 {
				t.Error("a platform that lost records was taken for a fork")
			}
		})
	}
}

// Records of an epoch that is over are lost with a database too, and so is a run in the middle of a lane.
func TestWhatLiesBehindIsRefilled(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	stop := x.run()
	drained := func() { t.Helper(); eventually(t, "outbox empty", func() bool { return x.waiting() == 0 }) }
	ids := x.business(4)
	drained()
	c.stop()
	image := readTree(t, filepath.Join(c.dir, "platform.db"))
	c.start()
	ids = append(ids, x.business(5)...)
	drained()
	if err := x.NewEpoch(2); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, x.business(3)...)
	drained()
	c.once(ids...)
	stop()
	c.stop()
	writeTree(t, filepath.Join(c.dir, "platform.db"), image)
	c.start()
	stop = x.run()
	eventually(t, "everything again, of both epochs", func() bool { n, err := c.Received(t.Context()); return err == nil && n.Cases == len(ids) })
	drained()
	c.once(ids...)
	// Once more, asked for by a person: nothing is doubled.
	x.link.Resync(wire.Range{Epoch: 1, Lane: wire.LaneTx, From: 2, To: 9}, wire.Range{Epoch: 2, Lane: wire.LaneTx, From: 1, To: 4}, wire.Range{Epoch: 7, Lane: wire.LaneTx, From: 1, To: 4})
	ids = append(ids, x.business(1)...)
	drained()
	c.once(ids...)
	stop()
}

// The same while the terminal runs: nobody starts it anew to have it show what it was acknowledged.
func TestWhatLiesBehindIsAskedForFromARunningTerminal(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	x.run()
	drained := func() { t.Helper(); eventually(t, "outbox empty", func() bool { return x.waiting() == 0 }) }
	ids := x.business(2)
	drained()
	c.stop()
	image := readTree(t, filepath.Join(c.dir, "platform.db"))
	c.start()
	for epoch := range uint32(3) {
		if err := x.NewEpoch(x.epoch() + 1 + epoch); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, x.business(2)...)
		drained()
	}
	c.once(ids...)
	c.stop()
	writeTree(t, filepath.Join(c.dir, "platform.db"), image)
	c.start()
	eventually(t, "everything again, of all epochs", func() bool { n, err := c.Received(t.Context()); return err == nil && n.Cases == len(ids) })
	drained()
	c.once(ids...)
}

// Two machines under one name, from one image, each with epochs of its own, and a platform that is set back to before they parted.
// What the platform holds last of a lane is then the one's; that it holds nothing of the other's must show all the same, and
// whatever epoch numbers it gives a second time.
func TestARestoredPlatformAndTwoMachinesUnderOneNameHideNothing(t *testing.T) {
	for name, order := range map[string]string{"the first comes first": "xy", "the second comes first": "yx", "in turn": "xyxy"} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t)
			x := newTerminal(t, c, "990000-0003")
			ids := x.business(2)
			work := func(x *terminal, n int) {
				t.Helper()
				ids = append(ids, x.business(n)...)
				stop := x.run()
				defer stop()
				// What is empty may be an image that has not met the platform yet.
				eventually(t, "outbox empty", func() bool { return x.waiting() == 0 && x.link.State() == uplink.Up })
			}
			work(x, 1)
			c.stop()
			image := readTree(t, filepath.Join(c.dir, "platform.db"))
			c.start()
			y := x.twin(t)
			work(x, 2)
			work(y, 2)
			work(x, 1)
			work(y, 1)
			if x.epoch() < 2 || y.epoch() < 2 {
				t.Errorf("epochs %d and %d: a fork was not noticed", x.epoch(), y.epoch())
			}
			c.once(ids...)
			c.stop()
			writeTree(t, filepath.Join(c.dir, "platform.db"), image)
			c.start()
			for i, who := range order {
				m := map[rune]*terminal{'x': x, 'y': y}[who]
				ids = append(ids, m.business(1)...)
				stop := m.run()
				if i < 2 && len(order) > 2 {
					// Cut off before it has sent everything.
					eventually(t, "something arrives", func() bool { n, err := c.Received(t.Context()); return err == nil && n.Cases > 3 })
					stop()
					continue
				}
				eventually(t, "everything of this one is held", func() bool { return m.waiting() == 0 && m.link.State() == uplink.Up && m.allHeld(c) })
				stop()
			}
			c.once(ids...)
		})
	}
}

// The same, with a machine that runs all the while. The other one is first to find the platform that was set back, and has it order
// the very epoch in which this one is: nothing seems to be amiss, and what was lost of the epoch before must come again all the same.
func TestAMachineThatRanWhileThePlatformWasSetBackShowsWhatItHad(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	ids := x.business(1)
	stop := x.run()
	eventually(t, "outbox empty", func() bool { return x.waiting() == 0 && x.link.State() == uplink.Up })
	stop()
	y := x.twin(t)
	ids = append(ids, y.business(2)...)
	y.show()
	c.stop()
	image := readTree(t, filepath.Join(c.dir, "platform.db"))
	c.start()
	stop = y.run()
	drained := func() bool { return y.waiting() == 0 && y.link.State() == uplink.Up }
	eventually(t, "the second machine's outbox empty", drained)
	stop()
	x.show()
	defer y.run()()
	eventually(t, "the second machine in the epoch that was ordered", func() bool { return drained() && y.epoch() == 2 })
	for range 3 { // hellos, the first of which shows what it had
		at := c.lasted()
		eventually(t, "another hello", func() bool { return c.lasted() > at })
	}
	c.once(ids...)

	c.stop()
	writeTree(t, filepath.Join(c.dir, "platform.db"), image)
	home := c.addr
	c.addr = ""
	c.start()
	away := *x
	var err error
	if away.client, err = uplink.NewClient("https://"+c.addr, x.ca, x.id); err != nil {
		t.Fatal(err)
	}
	defer away.client.Close()
	if w, err := away.hello(); err != nil || w.Epoch != y.epoch() {
		t.Fatalf("epoch %d is ordered, the other machine is in %d: %v", w.Epoch, y.epoch(), err)
	}
	c.stop()
	c.addr = home
	c.start()
	eventually(t, "everything of the second machine is held", func() bool { return drained() && y.allHeld(c) })
	c.once(ids...)
}

// Where files cross the gap, what was lost of earlier epochs comes again as well.
func TestFilesBringBackWhatLiesBehind(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, "990000-0003")
	ids := x.business(2)
	round := func() {
		t.Helper()
		file, _ := export(t, x)
		ack, _ := take(t, c, file)
		again, _ := take(t, c, file)
		bring(t, x, ack)
		bring(t, x, again) // the answer to the same file, once more
	}
	round()
	c.stop()
	image := readTree(t, filepath.Join(c.dir, "platform.db"))
	c.start()
	for range 2 {
		if err := x.NewEpoch(x.epoch() + 1); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, x.business(2)...)
		round()
		round()
	}
	c.once(ids...)
	c.stop()
	writeTree(t, filepath.Join(c.dir, "platform.db"), image)
	c.start()
	ids = append(ids, x.business(1)...)
	for range 4 {
		round()
	}
	// What waits are the audit entries of the last two answers that were brought.
	if n, err := c.Received(t.Context()); err != nil || n.Cases != len(ids) || x.waiting() != 2 {
		t.Errorf("%+v of %d, %d wait, %v", n, len(ids), x.waiting(), err)
	}
	c.once(ids...)
}
