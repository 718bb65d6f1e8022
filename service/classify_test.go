package service_test

// Every open case has its place soon after the start, however many there are.

import (
	"slices"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// wayTo leads a case from its beginning to a state, by the table.
func wayTo(to journal.State) []journal.State {
	ways := map[journal.State][]journal.State{journal.Submitted: {}}
	todo := []journal.State{journal.Submitted}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, n := range at.Next() {
			if _, seen := ways[n]; !seen {
				ways[n] = append(slices.Clone(ways[at]), n)
				todo = append(todo, n)
			}
		}
	}
	return ways[to]
}

// leave leaves n cases in a state, in one change.
func (w *world) leave(n int, at journal.State) (ids []string) {
	w.t.Helper()
	err := w.journal.Update(func(tx *journal.Tx) error {
		for range n {
			c, err := tx.OpenCase(journal.NewCase{Item: "SB-P"})
			if err != nil {
				return err
			}
			for _, s := range wayTo(at) {
				if err := tx.SetState(c.ID, s, ""); err != nil {
					return err
				}
			}
			ids = append(ids, c.ID)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

// waits are the states in which a case may rightly wait for somebody else: an official, or the citizen who comes back.
var waits = []journal.State{journal.AuditWait, journal.Approved, journal.Reserved}

func TestEveryOpenCaseIsClassified(t *testing.T) {
	each(t, "one of each", func(t *testing.T, w *world) {
		left := map[string]journal.State{}
		for _, s := range journal.States() {
			for _, id := range w.leave(1, s) {
				left[id] = s
			}
		}
		began := time.Now()
		report, err := w.engine.Recover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %v, every open case must be classified within 60 s", took)
		}
		desk := 0
		for _, c := range w.cases() {
			was := left[c.ID]
			if c.State.Desk() {
				desk++
			}
			if !c.State.Final() && !c.State.Desk() && !slices.Contains(waits, c.State) {
				t.Errorf("a case left %s stands %s, where nobody looks", was, c.State)
			}
			if (was.Final() || was.Desk()) && c.State != was {
				t.Errorf("a case left %s was moved to %s", was, c.State)
			}
			// Money and numbered stock never move by themselves.
			for _, e := range c.History[len(wayTo(was))+1:] {
				if e.State == journal.PayPending || e.State == journal.Refunding || e.State == journal.Printing {
					t.Errorf("a case left %s went on by itself to %s", was, e.State)
				}
			}
		}
		if desk != report.Desk {
			t.Errorf("%d cases for the desk, %d reported", desk, report.Desk)
		}
		again, err := w.engine.Recover(t.Context())
		if err != nil || len(again.Moved) != 0 || again.Desk != desk {
			t.Errorf("a second time: %+v %v", again, err)
		}
	})
}

// BenchmarkRecover classifies what seven days without a link and without a desk would leave at 300 cases a day; its limit is
// the 60 s in which every open case must have its place (domain.md 6.3).
func BenchmarkRecover(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		for range 21 {
			w.leave(100, journal.Printing)
		}
		b.StartTimer()
		report, err := w.engine.Recover(b.Context())
		if err != nil || report.Desk != 2100 {
			b.Fatal(report.Desk, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Minute), "of-60-s-limit")
}
