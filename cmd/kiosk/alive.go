package main

// Whether the terminal is alive: the parts that it cannot serve without must answer again and again, or the service manager
// ends the program and starts it anew. A program whose screen stands still looks the same to a citizen as one that is off.

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/budayang/kiosk/sync/journal"
)

// defaultWatchdog is the time without an answer after which a part is called stuck where no service manager said otherwise.
const defaultWatchdog = 20 * time.Second

// A vital is a part that must answer. Its question may block; it is not asked again before it has answered.
type vital struct {
	name string
	ask  func(context.Context) error
}

// alive asks every vital part four times within limit, and tells manager as long as each has answered within half of it.
type alive struct {
	vitals []vital
	limit  time.Duration      // 0 means what the service manager says, else [defaultWatchdog]
	notify func(state string) // to the service manager
	status func() string      // one line for whoever asks the service manager; nil says nothing
	log    *slog.Logger
}

// vitals are the parts of this terminal without which it serves nobody.
func (t *terminal) vitals() []vital {
	return []vital{
		{"screen", func(context.Context) error { fyne.DoAndWait(func() {}); return nil }},
		// Nothing is written: that a change can begin shows that the one before it ended and that the disk takes more.
		{"journal", func(context.Context) error { return t.journal.Update(func(*journal.Tx) error { return nil }) }},
		{"devices", t.sup.Answer},
	}
}

// tellManager speaks to systemd; without one it does nothing.
func tellManager(log *slog.Logger) func(string) {
	return func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn("service manager", "error", err)
		}
	}
}

// run watches until ctx ends.
func (a alive) run(ctx context.Context) error {
	limit := a.limit
	if limit <= 0 {
		limit = defaultWatchdog
		if d, err := daemon.SdWatchdogEnabled(false); err == nil && d > 0 {
			limit = d
		}
	}
	var mu sync.Mutex
	last := make([]time.Time, len(a.vitals)) // of the last good answer; zero before the first
	fault := make([]error, len(a.vitals))
	for i, v := range a.vitals {
		go func() { // ends with its question; a part that is stuck holds it for ever, and the program ends soon
			tick := time.NewTicker(limit / 4)
			defer tick.Stop()
			for ctx.Err() == nil {
				err := v.ask(ctx)
				mu.Lock()
				if fault[i] = err; err == nil {
					last[i] = time.Now()
				}
				mu.Unlock()
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		}()
	}
	began := time.Now()
	ready, said := false, ""
	tick := time.NewTicker(limit / 4)
	defer tick.Stop()
	first := time.NewTicker(50 * time.Millisecond)
	defer first.Stop()
	for {
		var silent []string
		mu.Lock()
		for i, v := range a.vitals {
			switch {
			case last[i].IsZero() && time.Since(began) < limit/2:
				silent = append(silent, "") // not yet
			case time.Since(last[i]) > limit/2 && fault[i] != nil:
				silent = append(silent, fmt.Sprintf("%s: %v", v.name, fault[i]))
			case time.Since(last[i]) > limit/2:
				silent = append(silent, v.name)
			}
		}
		mu.Unlock()
		switch why := strings.Join(silent, "; "); {
		case len(silent) == 0:
			state := daemon.SdNotifyWatchdog
			if !ready {
				ready, state = true, daemon.SdNotifyReady+"\n"+state
				first.Stop()
			}
			if a.status != nil {
				state += "\nSTATUS=" + a.status()
			}
			a.notify(state)
			said = ""
		case strings.Trim(why, "; ") != "" && why != said:
			said = why
			a.log.Error("parts do not answer", "parts", why, "for", limit/2)
		}
		again := tick.C
		if !ready {
			again = first.C
		}
		select {
		case <-again:
		case <-ctx.Done():
			a.notify(daemon.SdNotifyStopping)
			return nil
		}
	}
}
