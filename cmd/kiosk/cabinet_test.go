package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// cabinetLines are what the audit chain says of the cabinet, with the field visit.
func (h *hall) cabinetLines(s *session) (all []string) {
	h.t.Helper()
	rs, _, err := s.journal.Range(1, wire.LaneAudit, 1, 1<<30, 10_000, 1<<30)
	h.must(err)
	for _, r := range rs {
		var a wire.AuditEntry
		h.must(json.Unmarshal(r.Body, &a))
		switch a.Event {
		case journal.EventDoorOpened, journal.EventDoorClosed, journal.EventCabinetTampered:
			line := string(a.Event)
			if v := a.Fields["visit"]; v != "" {
				line += " visit=" + v
			}
			all = append(all, line)
		}
	}
	return all
}

func TestNobodyIsServedWhileTheCabinetIsOpen(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	board := h.Props.Cabinet
	s := h.start(c, nil)
	h.shows(c, "attract")
	board.Input(0, false)
	h.shows(c, "out-of-service")
	told := c.Told()
	if out := told[len(told)-1].(service.OutOfService); out.Code != "E-DOOR" {
		t.Errorf("%+v", out)
	}
	if st := s.sup.Status(devices.RoleDoor); st.Unready() != devices.UnreadyCoverOpen {
		t.Errorf("%+v", st)
	}
	// The board is lost while the door is open: nobody says that it was closed.
	h.must(board.Fault("unplug", ""))
	h.until("the board is gone", 20*time.Second, func() bool { return s.sup.Status(devices.RoleDoor).Unready() == devices.UnreadyNoDevice })
	board.Input(0, true)
	if seen := c.Seen(); seen[len(seen)-1] != "out-of-service" {
		t.Errorf("served without knowing of the door: %v", seen)
	}
	h.must(board.Clear("unplug"))
	h.shows(c, "attract")
	// Moved while nobody is there: it is said, and the terminal goes on.
	board.Input(1, true)
	h.until("it is said", 20*time.Second, func() bool { return len(h.cabinetLines(s)) == 3 })
	if got := h.cabinetLines(s); !slices.Equal(got, []string{"door.opened visit=no", "door.closed", "cabinet.tampered visit=no"}) {
		t.Errorf("%v", got)
	}
	s.end()
}

func TestACabinetThatIsOpenedInAVisitEndsItAndLeavesNothing(t *testing.T) {
	for name, act := range map[string]func(*sim.IOBoard){
		"opened": func(b *sim.IOBoard) { b.Input(0, false) },
		"moved":  func(b *sim.IOBoard) { b.Input(1, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			board := h.Props.Cabinet
			at := make(chan struct{})
			c := script.New(slices.Concat(arrive("SB-P"), h.identified(), []script.Line{
				script.On("form", script.Then(func() { close(at) }, script.Wait())),
			})...)
			s := h.start(c, nil)
			select {
			case <-at:
			case <-time.After(60 * time.Second):
				t.Fatal("the form was not reached")
			}
			act(board)
			select {
			case err := <-s.done:
				var out bytes.Buffer
				if !errors.Is(err, errRestart) || exitCode(stdio{err: &out}, err) != exitRestart {
					t.Errorf("the terminal ended with %v: %s", err, out.String())
				}
			case <-time.After(40 * time.Second):
				t.Fatal("the visit went on")
			}
			if seen := c.Seen(); slices.Contains(seen, "review") {
				t.Errorf("%v", seen)
			}
			s.client.Close()
			h.must(s.journal.Close())
			h.takeCard()
			c = script.New()
			s = h.start(c, nil)
			if name == "opened" {
				h.shows(c, "out-of-service")
				board.Input(0, true)
			}
			h.shows(c, "attract")
			want := map[string]string{"opened": "door.opened visit=yes", "moved": "cabinet.tampered visit=yes"}[name]
			if got := h.cabinetLines(s); len(got) == 0 || got[0] != want {
				t.Errorf("%v", got)
			}
			s.end()
		})
	}
}

func TestATechnicianWhoIsLoggedInOpensTheDoor(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	at := make(chan struct{})
	c := script.New(slices.Concat(arrive("SB-P"), h.identified(), []script.Line{
		script.On("form", script.Then(func() { close(at) }, script.Wait())),
	})...)
	s := h.start(c, nil)
	<-at
	if s.cabinet.attended == nil || s.cabinet.attended() {
		t.Error("a technician is in the console, or nobody asks")
	}
	open, shut := devices.Status{Role: devices.RoleDoor, Cover: devices.CoverOpen}, devices.Status{Role: devices.RoleDoor, Cover: devices.CoverClosed}
	for _, in := range []bool{true, false} {
		own := cabinet{breach: make(chan struct{}, 1), attended: func() bool { return in }}
		own.noted(s.terminal, shut, open)
		if ends := len(own.breach) == 1; ends == in {
			t.Errorf("technician %v: the visit ends %v", in, ends)
		}
	}
	s.end()
}

func TestADoorThatChattersDoesNotFillTheChain(t *testing.T) {
	h := newHall(t)
	s := h.start(script.New(), nil)
	defer s.end()
	open, shut := devices.Status{Role: devices.RoleDoor, Cover: devices.CoverOpen}, devices.Status{Role: devices.RoleDoor, Cover: devices.CoverClosed}
	own := &cabinet{breach: make(chan struct{}, 1)} // the terminal's hears of its door from another goroutine
	for range 200 {
		own.noted(s.terminal, shut, open)
		own.noted(s.terminal, open, shut)
	}
	if n := len(h.cabinetLines(s)); n != cabinetEvents {
		t.Errorf("%d events", n)
	}
}
