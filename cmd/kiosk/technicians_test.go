//go:build !release

package main

// A technician's card over the wire of a reader: given in a shell, shown at the screen.

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/sync/wire"
)

// entered is what the audit chain says of technicians who came in: who, and by what.
func (h *hall) entered(s *session) (all []string) {
	h.t.Helper()
	rs, _, err := s.journal.Range(1, wire.LaneAudit, 1, 1<<30, 10_000, 1<<30)
	h.must(err)
	for _, r := range rs {
		if text := string(r.Body); strings.Contains(text, "technician.entered") {
			for _, who := range []string{"op.zhang", "op.chen"} {
				for _, by := range []string{"card", "code"} {
					if strings.Contains(text, who) && strings.Contains(text, `"`+by+`"`) {
						all = append(all, who+" "+by)
					}
				}
			}
		}
	}
	return all
}

// shower is a technician who puts their card on the reader where a code is asked for, gives the PIN, and resumes.
type shower struct {
	h    *hall
	in   bool
	over chan struct{}
}

func (*shower) Tell(service.View) {}

func (c *shower) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	switch p := p.(type) {
	case service.Form:
		if len(p.Fields) == 1 {
			c.h.takeCard()
			return service.Filled{Values: map[string]string{"pin": "481516"}}, nil
		}
		c.h.putCard()
	case maintain.Panel:
		c.in = true
		return service.Chosen{ID: "resume"}, nil
	case service.Attract:
		if c.in {
			c.in = false
			close(c.over)
		}
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestATechniciansCardAtTheReader(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	file := h.cfg.Path
	var out strings.Builder
	shell := func(run func(stdio) error, typed string) string {
		t.Helper()
		out.Reset()
		h.must(run(stdio{in: strings.NewReader(typed), out: &out, err: &out}))
		return out.String()
	}
	flags := technicianFlags{Config: file}
	shell(func(io stdio) error {
		return technicianAddCmd{flags, "1001", "op.zhang", "张工"}.Run(t.Context(), io)
	}, "481516\n")
	h.putCard()
	said := shell(func(io stdio) error {
		return technicianCardCmd{technicianFlags: flags, Code: "1001", Reader: devices.RoleIDReader, Wait: 10 * time.Second}.Run(t.Context(), io)
	}, "")
	h.takeCard()
	// The same card as the platform's configuration names it, for another technician.
	h.putCard()
	part := shell(func(io stdio) error {
		return technicianShowCmd{technicianFlags: flags, Code: "1001", Card: true, Reader: devices.RoleIDReader, Wait: 10 * time.Second}.Run(t.Context(), io)
	}, "")
	h.takeCard()
	number := "990000" // every synthetic number begins so
	for _, text := range []string{said, part} {
		if strings.Contains(text, number) || strings.Contains(text, "481516") {
			t.Errorf("shown: %s", text)
		}
	}
	part = part[strings.Index(part, "[technicians]"):]
	text, err := os.ReadFile(file)
	h.must(err)
	named, err := config.Parse(file, []byte(string(text)+"\n"+strings.NewReplacer("1001", "2001", "op.zhang", "op.chen").Replace(part)))
	h.must(err)
	if len(named.Technicians.Person) != 1 || named.Technicians.CardKey == "" {
		t.Fatalf("%+v of %s", named.Technicians, part)
	}
	for _, x := range []struct {
		want string
		set  func()
	}{
		{"op.zhang card", func() {}},
		{"op.chen card", func() { // only the configuration names them now
			h.cfg.Technicians = named.Technicians
			shell(func(io stdio) error {
				return technicianCardCmd{technicianFlags: flags, Code: "1001", Remove: true}.Run(t.Context(), io)
			}, "")
		}},
	} {
		x.set()
		c := &shower{h: h, over: make(chan struct{})}
		s := h.start(c, nil)
		h.until("the reader is there", 20*time.Second, func() bool { return s.sup.Status(devices.RoleIDReader).Unready() == devices.UnreadyNot })
		s.askConsole()
		select {
		case <-c.over:
		case <-time.After(40 * time.Second):
			t.Fatal("the technician did not come in and go")
		}
		if got := h.entered(s); len(got) == 0 || got[len(got)-1] != x.want {
			t.Errorf("%v, wanted %s", got, x.want)
		}
		s.end()
	}
}
