package main

// Numbers of the hall's queue with the whole terminal: over the line, and of its own while there is none.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
)

// F49: numbers that a terminal gives without a link are its own, do not repeat after a restart, and stand in the queue, each once, when the
// link is back.
func TestNumbersWithoutALink(t *testing.T) {
	h := newHall(t)
	ready := make(chan struct{})
	take := func(got *service.Ticket) []script.Line {
		return []script.Line{script.On("attract", script.Then(func() { <-ready }, script.Next())), script.On("home", script.Item("QUEUE")), script.On("choose", script.Choose("household")),
			script.On("ticket", script.Look(func(p service.Prompt) { *got = p.(service.Queued).Ticket }, script.Next())), script.On("home", script.Leave())}
	}
	idle := func() *script.Citizen { return script.New(script.On("attract", script.Wait())) }
	s := h.start(idle(), nil)
	h.until("the queues are known", 90*time.Second, func() bool { return len(s.windows.Known()) == 2 })
	online, err := s.windows.Take(t.Context(), service.TicketQuery{Business: "household", Visit: "visit-0001"})
	if err != nil || online.Number != "A001" || online.Own {
		t.Fatalf("%+v %v", online, err)
	}
	h.Link.Cut()
	h.until("the link is down", 90*time.Second, func() bool { return s.windows.Link() == service.LinkDown })
	var own []string
	give := func(s *session, visit string) string {
		t.Helper()
		got, err := s.windows.Take(t.Context(), service.TicketQuery{Business: "household", Visit: visit})
		if err != nil || !got.Own || !strings.HasPrefix(got.Number, "A03-") || got.Ahead != -1 || !slices.Equal(got.Windows, []string{"3", "4"}) {
			t.Fatalf("%+v %v", got, err)
		}
		return got.Number
	}
	for _, visit := range []string{"visit-0002", "visit-0003", "visit-0004"} {
		own = append(own, give(s, visit))
	}
	if give(s, "visit-0003") != own[1] {
		t.Error("the same visit has another number")
	}
	s.end()

	// Another life, which has heard nothing of the platform: the citizen takes a number at the screen.
	var got service.Ticket
	c := script.New(take(&got)...)
	ended := make(chan struct{})
	c.Done = func() { close(ended) }
	s = h.start(c, nil)
	h.until("the slip printer works", 30*time.Second, func() bool { return s.sup.Status(devices.RoleReceiptPrinter).Unready() == devices.UnreadyNot })
	close(ready)
	<-ended
	own = append(own, got.Number)
	if give(s, "visit-0002") != own[0] {
		t.Error("after a restart the visit has another number")
	}
	if slices.Sort(own); len(slices.Compact(slices.Clone(own))) != 4 {
		t.Fatalf("%q", own)
	}
	paper := h.Props.Receipt.Slips()
	if len(paper) != 1 || !strings.Contains(paper[0].Text, got.Number) || !strings.Contains(paper[0].Text, "断网时取的号") {
		t.Errorf("%+v", paper)
	}
	h.Link.Restore()
	h.until("the numbers are told", 90*time.Second, func() bool {
		s.windows.mu.Lock()
		defer s.windows.mu.Unlock()
		return len(s.windows.state.Own) == 0
	})
	s.end()
	w, err := h.NewWindow(t.Context(), "window3", "3")
	if err != nil {
		t.Fatal(err)
	}
	var called []string
	for range 6 {
		number, _, err := w.Press(t.Context(), "next")
		if err != nil {
			t.Fatal(err)
		}
		called = append(called, number)
	}
	if want := append(append([]string{"A001"}, own...), ""); !slices.Equal(called, want) {
		t.Errorf("the window called %q, expected %q", called, want)
	}
}
