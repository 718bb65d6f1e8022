package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestManagerHearsOnlyOfWhatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck, failing atomic.Bool
		release := make(chan struct{})
		var mu sync.Mutex
		var told []string
		all := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(told) }
		heard := func() int { return len(all()) }
		var log logged
		a := alive{limit: 20 * time.Second,
			vitals: []vital{
				{"screen", func(context.Context) error {
					if stuck.Load() {
						<-release
					}
					return nil
				}},
				{"journal", func(context.Context) error {
					if failing.Load() {
						return errors.New("disk failed")
					}
					return nil
				}},
			},
			notify: func(s string) { mu.Lock(); defer mu.Unlock(); told = append(told, s) },
			status: func() string { return "serving" },
			log:    slog.New(slog.NewTextHandler(&log, nil)),
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.run(ctx) }()
		time.Sleep(time.Minute)
		if n := heard(); n < 10 {
			t.Fatalf("told %d times in a minute", n)
		}
		if first := all(); first[0] != "READY=1\nWATCHDOG=1\nSTATUS=serving" || strings.Contains(first[1], "READY") {
			t.Errorf("told first %q, then %q", first[0], first[1])
		}

		stuck.Store(true)
		time.Sleep(15 * time.Second) // what was answered just before still counts for half the limit
		n := heard()
		time.Sleep(time.Minute)
		if m := heard(); m != n {
			t.Errorf("told %d times although the screen stood still", m-n)
		}
		if got := log.String(); !strings.Contains(got, "screen") || strings.Count(got, "parts do not answer") != 1 {
			t.Errorf("log: %s", got)
		}

		stuck.Store(false)
		close(release)
		time.Sleep(10 * time.Second)
		if heard() == n {
			t.Error("not told that it goes on")
		}

		failing.Store(true)
		time.Sleep(15 * time.Second)
		n = heard()
		time.Sleep(time.Minute)
		if m := heard(); m != n {
			t.Errorf("told %d times although the journal refuses", m-n)
		}
		if !strings.Contains(log.String(), "disk failed") {
			t.Errorf("log: %s", log.String())
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if last := all(); last[len(last)-1] != "STOPPING=1" {
			t.Errorf("last word %q", last[len(last)-1])
		}
	})
}

// logged is a log that is read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestAPartThatNeverAnswersIsNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		a := alive{limit: 20 * time.Second, vitals: []vital{{"screen", func(context.Context) error { <-release; return nil }}},
			notify: func(s string) {
				if s != "STOPPING=1" {
					t.Errorf("told %q", s)
				}
			}, log: slog.New(slog.DiscardHandler)}
		ended := make(chan error)
		go func() { ended <- a.run(ctx) }()
		time.Sleep(5 * time.Minute)
		stop()
		<-ended
		close(release)
	})
}

func TestWhyItStarts(t *testing.T) {
	for _, c := range []struct {
		name, before, result, boot, want string
	}{
		{"never", "", "", "b1", "first"},
		{"in good order", `{"boot":"b1","ended":"stopped"}`, "success exited 0", "b1", "stopped"},
		{"to be started again", `{"boot":"b1","ended":"restart"}`, "success exited 75", "b1", "restart"},
		{"machine started anew", `{"boot":"b1","ended":"stopped"}`, "success exited 0", "b2", "rebooted"},
		{"killed", `{"boot":"b1"}`, "signal killed KILL", "b1", "died-signal"},
		{"stuck", `{"boot":"b1"}`, "watchdog dumped ABRT", "b1", "died-watchdog"},
		{"out of memory", `{"boot":"b1"}`, "oom-kill killed KILL", "b1", "died-oom-kill"},
		{"no service manager", `{"boot":"b1"}`, "", "b1", "died"},
		{"a word that systemd has not", `{"boot":"b1"}`, "990000199001011234 exited", "b1", "died"},
		{"endless", `{"boot":"b1"}`, strings.Repeat("signal", 1<<16), "b1", "died"},
		{"power cut", `{"boot":"b1"}`, "", "b2", "power"},
		{"power cut, a word from before", `{"boot":"b1"}`, "signal killed KILL", "b2", "power"},
		{"spoiled", `{"boot":`, "", "b1", "died"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lives{t.TempDir(), c.boot}
			if c.before != "" {
				if err := os.WriteFile(l.path(), []byte(c.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.result != "" {
				if err := os.WriteFile(l.result(), []byte(c.result), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := l.begin(); err != nil || got != c.want {
				t.Fatalf("%q, %v; want %q", got, err, c.want)
			}
			// Whatever came before: from here on it runs, and a death now is one without a word.
			if got := l.cause(); got != "died" {
				t.Errorf("while it runs: %q", got)
			}
			if err := l.end(false); err != nil {
				t.Fatal(err)
			}
			if got := l.cause(); got != "stopped" {
				t.Errorf("after a good end: %q", got)
			}
			if err := l.end(true); err != nil {
				t.Fatal(err)
			}
			if got := l.cause(); got != "restart" {
				t.Errorf("after a good end to start again: %q", got)
			}
		})
	}
}
