//go:build !release

package journey

// The stand-in: a citizen behind a UNIX socket, in place of a window. The terminal asks in one process, whoever answers sits in
// another, with the peripherals and the platform; so what is measured of the terminal's process is the terminal's.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/budayang/kiosk/service"
)

// An Asking is a line from the terminal: a prompt, a view (N is 0), or that a prompt no longer stands (Over).
type Asking struct {
	N         uint64        `json:"n"`
	Name      string        `json:"name"`
	Over      bool          `json:"over,omitempty"`
	Tiles     []string      `json:"tiles,omitempty"`   // those that are ready
	Options   []string      `json:"options,omitempty"` // of a choice, a rating
	Fields    []AskingField `json:"fields,omitempty"`
	Receipt   string        `json:"receipt,omitempty"` // the code that the screen shows at the end of a case
	Trouble   string        `json:"trouble,omitempty"` // the code of a trouble
	Wrong     bool          `json:"wrong,omitempty"`   // the last code was
	Otherwise bool          `json:"otherwise,omitempty"`
	CanPrint  bool          `json:"can_print,omitempty"`
	Status    []string      `json:"status,omitempty"` // "role=why" of roles that are not ready, for the question "status"
}

// AskingField is a field of a form.
type AskingField struct {
	ID      string   `json:"id"`
	Value   string   `json:"value,omitempty"`
	Options []string `json:"options,omitempty"`
	Must    bool     `json:"must,omitempty"`
}

// A Saying is a line to the terminal: what the citizen does at prompt N. How is next, print, cancelled, again, item, chosen,
// entered, filled, drawn, rated, back, left or timed-out; with N 0 it is "status".
type Saying struct {
	N      uint64            `json:"n"`
	How    string            `json:"how"`
	Value  string            `json:"value,omitempty"`
	Values map[string]string `json:"values,omitempty"`
	PNG    []byte            `json:"png,omitempty"`
}

// answer is a Saying in the engine's words.
func (s Saying) answer() (service.Answer, error) {
	switch s.How {
	case "next":
		return service.Next{}, nil
	case "print":
		return service.PrintSlip{}, nil
	case "cancelled":
		return service.Cancelled{}, nil
	case "again":
		return service.Again{}, nil
	case "item":
		return service.ItemChosen{Code: s.Value}, nil
	case "chosen":
		return service.Chosen{ID: s.Value}, nil
	case "entered":
		return service.Entered{Value: s.Value}, nil
	case "filled":
		return service.Filled{Values: s.Values}, nil
	case "drawn":
		return service.Drawn{PNG: s.PNG, Strokes: 3}, nil
	case "rated":
		return service.Rated{Level: s.Value}, nil
	case "back":
		return nil, service.ErrBack
	case "left":
		return nil, service.ErrLeft
	case "timed-out":
		return nil, service.ErrTimedOut
	}
	return nil, fmt.Errorf("stand-in: nobody can do %q", s.How)
}

// asking is what a stand-in needs of a prompt.
func asking(p service.Prompt) Asking {
	a := Asking{Name: p.Name()}
	ids := func(all []service.Option) (out []string) {
		for _, o := range all {
			out = append(out, o.ID)
		}
		return out
	}
	switch p := p.(type) {
	case service.Home:
		for _, t := range p.Tiles {
			if t.Ready {
				a.Tiles = append(a.Tiles, t.Code)
			}
		}
	case service.Choose:
		a.Options = ids(p.Options)
	case service.Form:
		for _, f := range p.Fields {
			a.Fields = append(a.Fields, AskingField{ID: f.ID, Value: f.Value, Options: ids(f.Options), Must: f.Required})
		}
	case service.EnterCode:
		a.Wrong = p.Wrong
	case service.Consent:
		a.Otherwise = !p.Otherwise.IsZero()
	case service.Result:
		a.CanPrint = p.CanPrint
	case service.Guide:
		a.CanPrint = p.CanPrint
	case service.AwaitDecision:
		a.Receipt = p.Receipt
	case service.Done:
		a.Options = ids(p.Levels)
		for _, r := range p.Rows {
			if r.Label.ID == "svc.row.receipt" {
				a.Receipt = r.Plain
			}
		}
	case service.Trouble:
		a.Trouble = p.Code
	}
	return a
}

// Remote is the terminal's side: a [service.Citizen] whose answers come through a socket.
type Remote struct {
	conn   net.Conn
	status func() []string
	broken chan struct{}

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan Saying
}

// DialStandIn connects to whoever stands in. status tells what is not ready, when the other side asks.
func DialStandIn(path string, status func() []string) (*Remote, error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	r := &Remote{conn: c, status: status, broken: make(chan struct{}), waiting: map[uint64]chan Saying{}}
	go r.listen()
	return r, nil
}

func (r *Remote) listen() {
	defer close(r.broken)
	in := json.NewDecoder(bufio.NewReader(io.LimitReader(r.conn, 1<<40)))
	for {
		var s Saying
		if in.Decode(&s) != nil {
			return
		}
		if s.N == 0 && s.How == "status" {
			r.send(Asking{Name: "status", Status: r.status()})
			continue
		}
		r.mu.Lock()
		to := r.waiting[s.N]
		delete(r.waiting, s.N)
		r.mu.Unlock()
		if to != nil {
			to <- s
		}
	}
}

func (r *Remote) send(a Asking) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = json.NewEncoder(r.conn).Encode(a)
}

// Ask implements [service.Citizen].
func (r *Remote) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	answer := make(chan Saying, 1)
	a := asking(p)
	r.mu.Lock()
	r.last++
	a.N = r.last
	r.waiting[a.N] = answer
	r.mu.Unlock()
	r.send(a)
	select {
	case s := <-answer:
		return s.answer()
	case <-ctx.Done():
	case <-r.broken:
		return nil, errors.New("stand-in: nobody is there any more")
	}
	r.mu.Lock()
	delete(r.waiting, a.N)
	r.mu.Unlock()
	r.send(Asking{N: a.N, Name: a.Name, Over: true})
	return nil, context.Cause(ctx)
}

// Tell implements [service.Citizen].
func (r *Remote) Tell(v service.View) { r.send(Asking{Name: v.Name()}) }

// Language implements [service.Speaker].
func (r *Remote) Language() string { return "zh" }

// Close hangs up.
func (r *Remote) Close() error { return r.conn.Close() }
