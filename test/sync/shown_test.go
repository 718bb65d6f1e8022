package sync

// The platform as second witness of a disk: what a terminal had shown, and not delivered, when its disk was set back.

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// show says hello and delivers nothing.
func (x *terminal) show() {
	x.t.Helper()
	if _, err := x.hello(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *terminal) hello() (wire.Welcome, error) {
	x.t.Helper()
	lanes, err := x.Lanes()
	if err != nil {
		x.t.Fatal(err)
	}
	change, err := x.Change()
	if err != nil {
		x.t.Fatal(err)
	}
	boot, lasted := x.Boot()
	h := wire.Hello{Terminal: x.id.Terminal, Epoch: lanes[0].Epoch, Lanes: map[wire.Lane]wire.LanePoint{}, Compared: true, Boot: boot, MS: lasted.Milliseconds(), Change: change}
	for _, l := range lanes {
		h.Lanes[l.Lane] = wire.LanePoint{Seq: l.Head, Hash: l.HeadHash}
	}
	return x.client.Hello(context.Background(), h)
}

// told counts what was said of lost records: the platform's events, and lines of the terminal's audit chain that have arrived. from is the
// first place of each lane in epoch 1 that they tell of.
func (c *city) told() (gone, forked int, from map[string]uint64) {
	c.t.Helper()
	from = map[string]uint64{}
	tell := func(lane string, at uint64) {
		if was, is := from[lane]; !is || at < was {
			from[lane] = at
		}
	}
	events, err := c.SecurityEvents(context.Background(), 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range events {
		if e.Event != platform.EventGone {
			continue
		}
		gone++
		for _, m := range regexp.MustCompile(`lane (\w+), epoch 1: from (\d+) on`).FindAllStringSubmatch(e.Why, -1) {
			at, _ := strconv.ParseUint(m[2], 10, 64)
			tell(m[1], at)
		}
		if m := regexp.MustCompile(`lane (\w+), epoch 1: .*perhaps also from (\d+) on`).FindStringSubmatch(e.Why); m != nil {
			at, _ := strconv.ParseUint(m[2], 10, 64)
			tell(m[1], at)
		}
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.dir, "platform.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT body FROM records WHERE lane = 'audit'`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			c.t.Fatal(err)
		}
		var a wire.AuditEntry
		if err := json.Unmarshal(b, &a); err != nil {
			c.t.Fatal(err)
		}
		if a.Event == wire.EventLaneForked {
			forked++
			at, _ := strconv.ParseUint(a.Fields["from"], 10, 64)
			tell(a.Fields["lane"], at)
		}
	}
	return gone, forked, from
}

func TestADiskThatWasSetBackBehindWhatItHadShownIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		grows        int // cases after the image was put back, before the line is there again
		gone, forked int
	}{
		"at once":                       {0, 4, 0},
		"when it has not grown past it": {1, 4, 0},
		"when it has grown just as far": {2, 0, 4},
		"when it has grown past it":     {3, 0, 4},
		"when it has grown far past it": {30, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			city := newCity(t)
			x := newTerminal(t, city, "990000-0003")
			ids := x.business(2)
			stop := x.run()
			drained := func() {
				t.Helper()
				eventually(t, "outbox empty", func() bool { return x.waiting() == 0 && x.link.State() == uplink.Up })
			}
			drained()
			stop()
			image := copyJournal(t, x)
			x.business(2)
			x.show()
			lost, err := x.Lanes()
			if err != nil {
				t.Fatal(err)
			}
			x.restore(image)
			ids = append(ids, x.business(c.grows)...)
			stop = x.run()
			eventually(t, "a new epoch", func() bool { return x.epoch() > 1 })
			drained()
			stop()
			city.once(ids...)
			gone, forked, from := city.told()
			if gone != c.gone || forked != c.forked {
				t.Errorf("%d events and %d lines, want %d and %d", gone, forked, c.gone, c.forked)
			}
			for _, l := range lost {
				if at := from[string(l.Lane)]; l.Acked < l.Head && (at == 0 || at > l.Acked+1) {
					t.Errorf("lane %s: told from %d on, lost from %d on", l.Lane, at, l.Acked+1)
				}
			}
		})
	}
}
