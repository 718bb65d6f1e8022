package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/wire"
)

// withUPS puts a UPS beside the hall's terminal.
func (h *hall) withUPS() *sim.UPS {
	h.t.Helper()
	u, err := sim.StartUPS(sim.LineOptions{})
	h.must(err)
	h.t.Cleanup(func() { _ = u.Close() })
	h.cfg.Device[devices.RoleUPS] = config.Device{URI: u.URI(), Driver: "megatec"}
	return u
}

// On the battery nothing is begun that opens a case, whoever is served is served to the end, and near its end the terminal closes.
func TestPowerCutOnTheBattery(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	u := h.withUPS()
	mains, battery := sim.Supply{Input: 226, Battery: 27.5, Load: 14}, sim.Supply{Battery: 24, Load: 14, UtilityFailed: true}
	empty := sim.Supply{Battery: 21, Load: 14, UtilityFailed: true, BatteryLow: true}

	// The mains go in the middle of a visit: it goes on, to the paper in the hand.
	lines := slices.Concat(h.certificate(), []script.Line{h.paper(), h.thanks()}, gone())
	i := slices.IndexFunc(lines, func(l script.Line) bool { return l.Prompt == "review" })
	lines[i].Do = script.Then(func() {
		u.Set(battery)
		h.until("the terminal knows", 20*time.Second, func() bool { return h.log.says("on the battery") })
	}, script.Next())
	c := script.New(lines...)
	s := h.play(c)
	h.expect(s, 1, 1, 1)

	attract := func() (closed []string, open int) {
		asked := c.Asked()
		a, ok := asked[len(asked)-1].(service.Attract)
		if !ok {
			return nil, 0
		}
		for _, tile := range a.Tiles {
			if tile.Ready {
				open++
			} else if tile.Why.ID == "svc.why.battery" {
				closed = append(closed, tile.Code)
			}
		}
		return closed, open
	}
	h.until("only what opens no case is offered", 20*time.Second, func() bool {
		closed, open := attract()
		return slices.Contains(closed, "SB-P") && slices.Contains(closed, "TID") && open > 0
	})

	u.Set(empty)
	h.shows(c, "out-of-service")
	told := c.Told()
	if out := told[len(told)-1].(service.OutOfService); out.Code != "E-POWER" {
		t.Errorf("%+v", out)
	}
	// The chain's head was signed, so that whatever the cut takes is seen.
	h.until("the head is signed", 20*time.Second, func() bool { return slices.Contains(h.heads(s), "battery") })

	// A UPS that is lost says nothing, and nothing changes.
	h.must(u.Fault("unplug", ""))
	h.until("the UPS is gone", 20*time.Second, func() bool { return s.sup.Status(devices.RoleUPS).Unready() == devices.UnreadyNoDevice })
	if seen := c.Seen(); seen[len(seen)-1] != "out-of-service" {
		t.Errorf("served without knowing of the power: %v", seen)
	}
	u.Set(mains)
	h.must(u.Clear("unplug"))
	h.shows(c, "attract")
	h.until("all is offered again", 20*time.Second, func() bool { closed, open := attract(); return len(closed) == 0 && open > 3 })
	s.end()
}

// heads are why heads of the audit chain were signed.
func (h *hall) heads(s *session) (why []string) {
	h.t.Helper()
	rs, _, err := s.journal.Range(1, wire.LaneAudit, 1, 1<<30, 10_000, 1<<30)
	h.must(err)
	for _, r := range rs {
		if r.Type == wire.TypeAuditHead {
			var a wire.AuditHead
			h.must(json.Unmarshal(r.Body, &a))
			why = append(why, a.Why)
		}
	}
	return why
}
