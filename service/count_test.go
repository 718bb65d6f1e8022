package service_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
)

// audited counts lines of the audit chain.
func (w *world) audited(event journal.Event) (n int) {
	w.t.Helper()
	all, err := w.journal.Pending("audit", 1000, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		var e struct {
			Event journal.Event `json:"event"`
		}
		if json.Unmarshal(r.Body, &e) == nil && e.Event == event {
			n++
		}
	}
	return n
}

// TestACountThatIsOffClosesTheBooth: F21. The ledger is corrected, and no card is made until two people cleared it.
func TestACountThatIsOffClosesTheBooth(t *testing.T) {
	count := func(w *world, kind string, found uint64, tol service.Tolerances) service.Drift {
		w.t.Helper()
		d, err := service.CountStock(w.journal, kind, found, "chen", tol)
		if err != nil {
			w.t.Fatal(err)
		}
		return d
	}
	open := func(w *world, why string) {
		w.t.Helper()
		if tile := w.tid(); tile.Ready != (why == "") || tile.Why.ID != why {
			w.t.Errorf("tile %+v, expected %q", tile, why)
		}
	}
	makingCards(t, "a blank is missing", func(t *testing.T, w *world) {
		count(w, "card", 5, nil)
		open(w, "")
		if d := count(w, "card", 4, nil); !d.Locked || d.Apart != -1 || d.Ledger != 5 || d.Found != 4 || d.By != "chen" {
			t.Errorf("%+v", d)
		}
		open(w, "svc.why.card-count")
		// What is found again does not open it either: somebody must say what happened.
		if d := count(w, "card", 5, nil); !d.Locked || d.Apart != 0 {
			t.Errorf("%+v", d)
		}
		open(w, "svc.why.card-count")
		for _, bad := range [][2]string{{"chen", "chen"}, {"chen", ""}, {"", "li"}, {"citizen", "li"}} {
			if err := service.ClearCount(w.journal, "card", bad[0], bad[1], service.CountWrong); !errors.Is(err, journal.ErrState) {
				t.Errorf("cleared by %v: %v", bad, err)
			}
		}
		if err := service.ClearCount(w.journal, "card", "chen", "li", "because"); !errors.Is(err, journal.ErrState) {
			t.Errorf("cleared for no reason: %v", err)
		}
		open(w, "svc.why.card-count")
		if err := service.ClearCount(w.journal, "card", "chen", "li", service.CountWrong); err != nil {
			t.Fatal(err)
		}
		open(w, "")
		if err := service.ClearCount(w.journal, "card", "chen", "li", service.CountWrong); !errors.Is(err, journal.ErrState) {
			t.Errorf("cleared twice: %v", err)
		}
		if w.audited(journal.EventStockLocked) != 1 || w.audited(journal.EventStockCleared) != 1 {
			t.Errorf("locked %d times, cleared %d times", w.audited(journal.EventStockLocked), w.audited(journal.EventStockCleared))
		}
	})
	makingCards(t, "one at a time, within what may be", func(t *testing.T, w *world) {
		tol := service.Tolerances{"card": 2}
		if err := w.journal.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock("card", 5, "chen"); return err }); err != nil {
			t.Fatal(err)
		}
		count(w, "card", 9, tol)
		count(w, "card", 8, tol)
		open(w, "")
		if d := count(w, "card", 7, tol); !d.Locked || d.Apart != -3 || d.Tolerance != 2 {
			t.Errorf("%+v", d)
		}
		open(w, "svc.why.card-count")
	})
	makingCards(t, "more than there were, and ribbon", func(t *testing.T, w *world) {
		b, err := w.journal.StockBalance(journal.StockRibbon)
		if err != nil {
			t.Fatal(err)
		}
		count(w, journal.StockRibbon, b.Remaining-7, nil)
		open(w, "") // nobody named a tolerance for it
		if d := count(w, journal.StockRibbon, b.Remaining-12, service.Tolerances{journal.StockRibbon: 10}); !d.Locked || d.Apart != -12 {
			t.Errorf("%+v", d)
		}
		open(w, "svc.why.card-count")
		if err := service.ClearCount(w.journal, journal.StockRibbon, "chen", "li", service.CountReported); err != nil {
			t.Fatal(err)
		}
		open(w, "")
		if d := count(w, "card", 6, nil); !d.Locked || d.Apart != 1 {
			t.Errorf("%+v", d)
		}
		open(w, "svc.why.card-count")
	})
	makingCards(t, "paper in doubt is found or not", func(t *testing.T, w *world) {
		if err := w.journal.Update(func(tx *journal.Tx) error {
			_, err := tx.LoadStock(journal.StockSheet, 100, "chen")
			return errors.Join(err, tx.UseStock(journal.StockSheet, 3, "in-doubt"))
		}); err != nil {
			t.Fatal(err)
		}
		if d := count(w, journal.StockSheet, 98, service.Tolerances{journal.StockSheet: 0}); d.Apart != 0 || d.Locked {
			t.Errorf("%+v", d)
		}
		if d := count(w, journal.StockSheet, 90, nil); d.Apart != -8 || d.Locked {
			t.Errorf("%+v", d)
		}
	})
}

// TestALockedCountOutlivesARestart, and one that differed less still counts with the next.
func TestALockedCountOutlivesARestart(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	if err := j.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock("card", 50, "chen"); return err }); err != nil {
		t.Fatal(err)
	}
	for _, found := range []uint64{49, 48} {
		if d, err := service.CountStock(j.Journal, "card", found, "chen", service.Tolerances{"card": 1}); err != nil || d.Locked != (found == 48) {
			t.Errorf("%+v %v", d, err)
		}
		j.Reopen()
	}
	if d, err := service.DriftOf(j.Journal, "card"); err != nil || !d.Locked || d.Apart != -2 || d.Tolerance != 1 {
		t.Errorf("%+v %v", d, err)
	}
}

// TestNobodyPaysForACardThatIsNotMadeNow: the count came between the application and the official's word.
func TestNobodyPaysForACardThatIsNotMadeNow(t *testing.T) {
	makingCards(t, "and the application waits", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		var seen service.Trouble
		w.play(lines(w.applies(), []script.Line{
			script.On("decision", after(time.Minute, func() {
				if _, err := service.CountStock(w.journal, "card", 3, "chen", nil); err != nil {
					t.Error(err)
				}
				w.booth.office.decide(service.StandingApproved, "")
			})),
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))}, leave())...)
		w.one(journal.Approved)
		if len(w.till.bills) != 0 || len(w.booth.printer.jobs) != 0 || seen.What.ID != "svc.why.card-count" {
			t.Errorf("%d bills, %d cards, told %+v", len(w.till.bills), len(w.booth.printer.jobs), seen)
		}
		if err := service.ClearCount(w.journal, "card", "chen", "li", service.CountUnnoted); err != nil {
			t.Fatal(err)
		}
		w.play(lines(w.again(), w.done())...)
		w.one(journal.Closed)
	})
}
