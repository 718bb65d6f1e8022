package service_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// crash plays a certificate's journey whose goroutine dies at a point, as the process would; then the journal is opened
// again.
func (w *world) crash(point string) {
	w.t.Helper()
	w.reached = func(p string) {
		if p == point {
			runtime.Goexit()
		}
	}
	c := script.New(append(w.certificate(), script.On("done", script.Rate("5")))...)
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	died, ended := true, make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.engine.Serve(ctx, c)
		died = false
	}()
	<-ended
	if !died {
		w.t.Fatalf("the journey did not come by %s; seen %v", point, c.Seen())
	}
	w.reached = nil
	if err := w.journal.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

func TestCrashThenRecover(t *testing.T) {
	tests := []struct {
		point  string
		settle devices.PrintOutcome // what the printer says when asked
		state  journal.State        // "" when there is no case
		prints int
		asked  int
	}{
		{point: "commit.before", state: ""},
		{point: "commit.after", state: journal.Cancelled},
		{point: "issue.before", state: journal.Cancelled},
		{point: "issue.after", state: journal.Cancelled},
		{point: "keep.after", state: journal.Manual},
		{point: "print.acted", settle: devices.PrintConfirmed, state: journal.Manual, prints: 1, asked: 1},
		{point: "print.acted", settle: devices.PrintFailed, state: journal.PrintFailed, prints: 1, asked: 1},
		{point: "print.acted", settle: devices.PrintNotSent, state: journal.PrintFailed, prints: 1, asked: 1},
		{point: "print.acted", settle: devices.PrintUnknown, state: journal.PrintUnknown, prints: 1, asked: 1},
		{point: "receipt.acted", state: journal.Manual, prints: 1},
		{point: "deliver.before", state: journal.Manual, prints: 1},
		{point: "rate.after", state: journal.Closed, prints: 1},
	}
	seen := map[string]bool{}
	for _, tc := range tests {
		seen[tc.point] = true
		each(t, fmt.Sprintf("%s %s", tc.point, tc.settle), func(t *testing.T, w *world) {
			w.crash(tc.point)
			w.pages.settle = devices.PrintResult{Outcome: tc.settle, Sheets: 3}
			report, err := w.engine.Recover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tc.state == "" {
				if n := len(w.cases()); n != 0 {
					t.Errorf("%d cases before the commit point", n)
				}
				return
			}
			k := w.one(tc.state)
			if w.pages.count() != tc.prints || len(w.pages.asked) != tc.asked {
				t.Errorf("%d prints, %d questions to the printer", w.pages.count(), len(w.pages.asked))
			}
			if tc.asked > 0 && w.pages.asked[0] != w.pages.jobs[0]+" job 17" {
				t.Errorf("asked about %q", w.pages.asked[0])
			}
			if (report.Desk == 1) != tc.state.Desk() {
				t.Errorf("report %+v", report)
			}
			again, err := w.engine.Recover(t.Context())
			if err != nil || len(again.Settled) != 0 || len(again.Moved) != 0 {
				t.Errorf("recovering twice moves something: %+v, %v", again, err)
			}
			if v, err := w.journal.Verify(t.Context()); err != nil || v.Unsettled != 0 {
				t.Errorf("%d effects unsettled after recovery, %v", v.Unsettled, err)
			}
			if k2 := w.one(tc.state); k2.ReceiptCode != k.ReceiptCode || w.pages.count() != tc.prints {
				t.Error("something was printed by recovering")
			}
		})
	}
	for _, p := range service.Points {
		if !seen[p] {
			t.Errorf("no test crashes at %s", p)
		}
	}
}

// TestRecoverWaitsForDevices: at boot the bus may be slower than the program, but the terminal must open in time.
func TestRecoverWaitsForDevices(t *testing.T) {
	for _, late := range []time.Duration{10 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.crash("print.acted")
			w.pages.settle = devices.PrintResult{Outcome: devices.PrintConfirmed}
			w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Connection = devices.ConnectionStarting })
			timer := time.AfterFunc(late, func() {
				w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Connection = devices.ConnectionOnline })
			})
			defer timer.Stop()
			began := time.Now()
			if _, err := w.engine.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			want := journal.Manual
			if late == time.Hour {
				want = journal.PrintUnknown
			}
			w.one(want)
			if took > time.Minute {
				t.Errorf("took %v, every open case must be classified within 60 s", took)
			}
		})
	}
}

// TestRecoveredPaper: where the mouth has a sensor, nobody need look.
func TestRecoveredPaper(t *testing.T) {
	for media, want := range map[devices.Media]journal.State{
		devices.MediaPresent: journal.Retained, devices.MediaNotPresent: journal.Closed, devices.MediaUnknown: journal.Manual,
	} {
		each(t, string(media), func(t *testing.T, w *world) {
			w.crash("deliver.before")
			w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Media = media })
			if _, err := w.engine.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.one(want)
		})
	}
}

// TestStopWhilePrinting: a program that is told to stop lets the print end, and writes down how.
func TestStopWhilePrinting(t *testing.T) {
	each(t, "stop", func(t *testing.T, w *world) {
		c := script.New(append(w.certificate(), script.On("done", script.Wait()))...)
		ctx, stop := context.WithCancel(t.Context())
		w.pages.print = func(int, devices.DocumentJob) devices.PrintResult {
			stop()
			time.Sleep(5 * time.Second)
			return devices.PrintResult{Outcome: devices.PrintConfirmed}
		}
		if err := w.engine.Serve(ctx, c); err == nil {
			t.Error("serve ended without an error")
		}
		if w.one(journal.Closed); w.pages.count() != 1 {
			t.Errorf("%d prints", w.pages.count())
		}
	})
}

func TestServeOnlyOne(t *testing.T) {
	each(t, "two", func(t *testing.T, w *world) {
		w.play(script.On("attract", script.Then(func() {
			if err := w.engine.Serve(t.Context(), script.New()); err == nil || !strings.Contains(err.Error(), "already") {
				t.Errorf("a second citizen: %v", err)
			}
		}, script.Next())), script.On("home", script.Leave()))
	})
}
