package main

// The worker: a process that carries some twenty terminals and can be killed at any moment. What it says on standard output
// is what a screen would have said; its parent remembers.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// order is what the parent tells a worker, one JSON line each.
type order struct {
	Do      string        `json:"do"` // start, recover, stop, clock, calm, pause, resume, report, verify, keeps
	Machine string        `json:"machine,omitempty"`
	Start   *start        `json:"start,omitempty"`
	Clock   time.Duration `json:"clock,omitempty"`
}

// start is everything a machine needs.
type start struct {
	Terminal string        `json:"terminal"`
	No       string        `json:"no"`
	Dir      string        `json:"dir"`      // on the disk that may fail
	Identity string        `json:"identity"` // on a medium that does not
	World    string        `json:"world"`    // what really happened: one line for every act
	URL      string        `json:"url"`
	CA       string        `json:"ca"`
	Code     string        `json:"code"` // lets the terminal in, once
	Software string        `json:"software"`
	Old      bool          `json:"old"`     // an earlier program, whose records the platform does not know
	Offline  time.Duration `json:"offline"` // before the link is tried
	Clock    time.Duration `json:"clock"`
	Every    time.Duration `json:"every"` // mean time between cases
	Calm     bool          `json:"calm"`  // no new cases
	Fresh    bool          `json:"fresh"` // a new disk was put in; otherwise there must be a journal
}

// worker carries machines.
type worker struct {
	ctx      context.Context
	said     *bufio.Writer
	mu       sync.Mutex
	machines map[string]*machine
}

// say writes one line at once: a promise that stays in a buffer when the process dies was never made, but one that was made
// must not stay in it.
func (w *worker) say(word ...any) {
	line := fmt.Sprintln(word...)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.said.WriteString(line)
	_ = w.said.Flush()
}

// runWorker obeys until its orders end.
func runWorker(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &worker{ctx: ctx, said: bufio.NewWriter(out), machines: map[string]*machine{}}
	w.say("worker", os.Getpid())
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return fmt.Errorf("order: %w", err)
		}
		w.obey(o)
	}
	for _, m := range w.machines {
		m.stop()
	}
	return lines.Err()
}

func (w *worker) obey(o order) {
	m := w.machines[o.Machine]
	if o.Do == "start" {
		if m != nil {
			m.stop()
		}
		if m = w.begin(o.Machine, *o.Start); m != nil {
			w.machines[o.Machine] = m
		}
		return
	}
	if o.Do == "recover" {
		w.recover(o.Machine, *o.Start)
		return
	}
	if m == nil {
		w.say("absent", o.Machine, o.Do)
		return
	}
	switch o.Do {
	case "stop":
		m.stop()
		delete(w.machines, o.Machine)
	case "clock":
		m.clock.Store(int64(o.Clock))
	case "calm":
		m.calm.Store(true)
	case "pause", "resume":
		m.pause(o.Do == "pause")
	case "report":
		m.report()
	case "verify":
		m.verify()
	case "keeps":
		m.keeps()
	}
}

// oneWord makes an error fit for a line of words.
func oneWord(err error) string { return strings.Join(strings.Fields(err.Error()), "_") }
