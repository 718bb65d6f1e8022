//go:build !release

package main

// The way down on the whole terminal: what the platform orders happens in front of the citizen, once, and is answered.

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// enrolled waits until the platform knows the terminal.
func (h *hall) enrolled() {
	h.t.Helper()
	h.until("the platform knows the terminal", 30*time.Second, func() bool {
		all, err := h.Platform.Terminals(h.t.Context())
		return err == nil && len(all) == 1
	})
}

func (h *hall) order(c wire.Command) string {
	h.t.Helper()
	id, err := h.Platform.Command(h.t.Context(), h.cfg.Terminal.ID, c, time.Hour, "test")
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

// answer waits for the answer to an order.
func (h *hall) answer(id string) (o platform.OrderRow) {
	h.t.Helper()
	h.until("an answer to the order", 40*time.Second, func() bool {
		all, err := h.Platform.Orders(h.t.Context(), h.cfg.Terminal.ID, 100)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, o = range all {
			if o.ID == id && o.Status != "" {
				return true
			}
		}
		return false
	})
	return o
}

// shows waits until the citizen last saw this.
func (h *hall) shows(c *script.Citizen, name string) {
	h.t.Helper()
	h.until("the screen shows "+name, 40*time.Second, func() bool {
		seen := c.Seen()
		return len(seen) > 0 && seen[len(seen)-1] == name
	})
}

func TestAnOrderedPauseClosesAndResumeOpens(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	h.enrolled()
	h.shows(c, "attract")
	id := h.order(wire.Command{Name: wire.CommandPause, Why: map[string]string{"zh": "停电检修", "en": "Maintenance"}})
	h.shows(c, "out-of-service")
	if o := h.answer(id); o.Status != wire.OrderDone {
		t.Errorf("%+v", o)
	}
	told := c.Told()
	if out := told[len(told)-1].(service.OutOfService); out.Why.Words["zh"] != "停电检修" || out.Code != "E-PAUSED" {
		t.Errorf("%+v", out)
	}
	h.until("the platform knows that it is closed", 20*time.Second, func() bool {
		w, err := h.Platform.Working(t.Context(), h.cfg.Terminal.ID)
		return err == nil && w.Paused
	})
	// A pause outlives a restart.
	s.end()
	c = script.New()
	s = h.start(c, nil)
	h.shows(c, "out-of-service")
	if o := h.answer(h.order(wire.Command{Name: wire.CommandResume})); o.Status != wire.OrderDone {
		t.Errorf("%+v", o)
	}
	h.shows(c, "attract")
	s.end()
	if slices.Contains(c.Seen()[:1], "attract") {
		t.Error("a closed terminal invited somebody")
	}
}

func TestAnOrderedRestartHappensOnce(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	h.enrolled()
	h.shows(c, "attract")
	id := h.order(wire.Command{Name: wire.CommandRestart})
	select {
	case err := <-s.done:
		var out bytes.Buffer
		if !errors.Is(err, errRestart) || exitCode(stdio{err: &out}, err) != exitRestart || out.Len() > 0 {
			t.Errorf("the terminal ended with %v: %s", err, out.String())
		}
	case <-time.After(40 * time.Second):
		t.Fatal("the terminal did not end")
	}
	s.client.Close()
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	// The answer was on disk before the end, so that it comes now, and the program stays.
	c = script.New()
	s = h.start(c, nil)
	if o := h.answer(id); o.Status != wire.OrderDone {
		t.Errorf("%+v", o)
	}
	h.shows(c, "attract")
	if o := h.answer(h.order(wire.Command{Name: wire.CommandResync})); o.Status != wire.OrderDone {
		t.Errorf("%+v", o)
	}
	h.settled(s)
	s.end()
}

func TestOrdersThatCannotBeDoneAreAnswered(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	defer s.end()
	h.enrolled()
	h.shows(c, "attract")
	for want, send := range map[wire.OrderStatus]func() error{
		wire.OrderExpired: func() error {
			_, err := h.Platform.Command(t.Context(), h.cfg.Terminal.ID, wire.Command{Name: wire.CommandPause}, time.Millisecond, "test")
			return err
		},
		wire.OrderRefused: func() error {
			_, err := h.Platform.Command(t.Context(), h.cfg.Terminal.ID, wire.Command{Name: wire.CommandPause, Why: map[string]string{"zh": strings.Repeat("长", 500)}}, time.Hour, "test")
			return err
		},
	} {
		if err := send(); err != nil {
			t.Fatal(err)
		}
		h.until(fmt.Sprintf("an order is answered %s", want), 40*time.Second, func() bool {
			all, err := h.Platform.Orders(t.Context(), h.cfg.Terminal.ID, 1)
			return err == nil && len(all) == 1 && all[0].Status == want
		})
	}
	if slices.Contains(c.Seen(), "out-of-service") {
		t.Error("an expired pause closed the terminal")
	}
}

// TestAVerdictOfTheDeskFreesATerminal: a blank in doubt closes the item; two people at the platform say that it is spoiled, the terminal
// moves its ledger and the case, and both are at the platform.
func TestAVerdictOfTheDeskFreesATerminal(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	h.enrolled()
	h.shows(c, "attract")
	var k journal.Case
	var blank string
	if err := s.journal.Update(func(tx *journal.Tx) (err error) {
		if k, err = tx.OpenCase(journal.NewCase{Item: "TID"}); err != nil {
			return err
		}
		if _, err := tx.LoadStock("card", 5, "chen"); err != nil {
			return err
		}
		return tx.ReserveStock(k.ID, map[string]int{"card": 1}, time.Now().Add(time.Hour))
	}); err != nil {
		t.Fatal(err)
	}
	all, err := s.journal.Blanks(func(b journal.Blank) bool { return b.Case == k.ID })
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	blank = all[0].ID
	if err := s.journal.Update(func(tx *journal.Tx) error {
		for _, m := range []struct {
			to     wire.BlankState
			number string
		}{{wire.BlankBound, "B-1"}, {wire.BlankSent, ""}, {wire.BlankDoubt, ""}} {
			if _, err := tx.MoveBlank("card", blank, m.to, journal.BlankMove{Number: m.number}); err != nil {
				return err
			}
		}
		return tx.SetState(k.ID, journal.Manual, "test")
	}); err != nil {
		t.Fatal(err)
	}
	ref := h.cfg.Terminal.ID + "/card/" + blank
	var id string
	h.until("the doubt is on the desk", 40*time.Second, func() bool {
		id, err = h.Platform.Propose(t.Context(), platform.VerdictRow{Kind: "blank", Ref: ref, Act: "spoiled", Money: wire.VerdictEnd}, platform.Operator{Who: "chen", Why: "found torn in the path"})
		return err == nil
	})
	if err := h.Platform.Confirm(t.Context(), id, platform.Operator{Who: "chen"}); !errors.Is(err, platform.ErrSecond) {
		t.Errorf("the same person: %v", err)
	}
	if err := h.Platform.Confirm(t.Context(), id, platform.Operator{Who: "bai"}); err != nil {
		t.Fatal(err)
	}
	var o platform.OrderRow
	h.until("the order", 10*time.Second, func() bool {
		orders, err := h.Platform.Orders(t.Context(), h.cfg.Terminal.ID, 9)
		if err != nil {
			t.Fatal(err)
		}
		for _, o = range orders {
			if o.Type == wire.MessageBlank {
				return true
			}
		}
		return false
	})
	if o = h.answer(o.ID); o.Status != wire.OrderDone {
		t.Fatalf("%+v", o)
	}
	if b, err := s.journal.StockBalance("card"); err != nil || b.InDoubt != 0 || b.Spoiled != 1 || b.Remaining != 4 {
		t.Errorf("%+v %v", b, err)
	}
	if now, err := s.journal.Case(k.ID); err != nil || now.State != journal.Cancelled || len(now.Decisions) != 1 || now.Decisions[0].Second != "bai" {
		t.Errorf("%+v %v", now, err)
	}
	h.until("the platform heard", 40*time.Second, func() bool {
		_, err := h.Platform.Propose(t.Context(), platform.VerdictRow{Kind: "blank", Ref: ref, Act: "spoiled", Money: wire.VerdictEnd}, platform.Operator{Who: "chen", Why: "again and again"})
		return errors.Is(err, platform.ErrDecision)
	})
	h.settled(s)
	s.end()
}
