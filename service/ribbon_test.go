package service_test

// The ribbon is counted like the blanks: what a print used stands in the ledger with its outcome, and the printer is held against it.

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// ribbon is its balance.
func (w *world) ribbon() wire.StockBalance {
	w.t.Helper()
	b, err := w.journal.StockBalance(journal.StockRibbon)
	if err != nil || b.Check() != nil {
		w.t.Errorf("ribbon %+v, %v", b, err)
	}
	return b
}

// ribbonCounted wants as much ribbon to be left as the ledger allows.
func (w *world) ribbonCounted() {
	w.t.Helper()
	w.ribbon()
	f, err := w.journal.Fitting(journal.StockRibbon)
	if err != nil {
		w.t.Error(err)
	}
	w.booth.printer.mu.Lock()
	printed := w.booth.printer.printed
	w.booth.printer.mu.Unlock()
	if uint64(printed) < f.Sure || uint64(printed) > f.Sure+f.Unsure {
		w.t.Errorf("%d faces printed, the ledger has %+v", printed, f)
	}
}

// contradictions are those of the ribbon in the audit chain, acknowledged or not.
func (w *world) contradictions() (all []string) {
	w.t.Helper()
	records, _, err := w.journal.Range(1, wire.LaneAudit, 1, 1<<32, 1000, 1<<22)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		var e struct {
			Event  string            `json:"event"`
			Fields map[string]string `json:"fields"`
		}
		if err := json.Unmarshal(r.Body, &e); err != nil {
			w.t.Fatal(err)
		}
		if e.Event == "stock.meter" {
			all = append(all, e.Fields["kind"]+" "+e.Fields["what"]+" "+e.Fields["ledger"]+" "+e.Fields["machine"])
		}
	}
	return all
}

func TestACardTakesRibbon(t *testing.T) {
	makingCards(t, "one face, and nothing to tell", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
		if r := w.ribbon(); r != (wire.StockBalance{Loaded: 100, Issued: 1, Remaining: 99}) {
			t.Errorf("%+v", r)
		}
		if all := w.contradictions(); len(all) != 0 {
			t.Error(all)
		}
	})
	makingCards(t, "a spoiled one too", func(t *testing.T, w *world) {
		w.booth.printer.print = func(n int) (devices.PrintResult, bool) {
			return devices.PrintResult{Outcome: devices.PrintFailed, Detail: "ribbon"}, n == 1
		}
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
		if r := w.ribbon(); r != (wire.StockBalance{Loaded: 100, Issued: 1, Spoiled: 1, Remaining: 98}) {
			t.Errorf("%+v", r)
		}
	})
	makingCards(t, "one of which nobody knows is in doubt", func(t *testing.T, w *world) {
		w.booth.printer.print = func(int) (devices.PrintResult, bool) { return devices.PrintResult{Outcome: devices.PrintUnknown}, true }
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		if r := w.ribbon(); r != (wire.StockBalance{Loaded: 100, InDoubt: 1, Remaining: 99}) {
			t.Errorf("%+v", r)
		}
	})
	makingCards(t, "what was never sent took none", func(t *testing.T, w *world) {
		w.booth.printer.print = func(int) (devices.PrintResult, bool) {
			return devices.PrintResult{Outcome: devices.PrintNotSent, Detail: "cover"}, true
		}
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		if r := w.ribbon(); r.Issued+r.Spoiled+r.InDoubt != 0 || r.Loaded != 100 {
			t.Errorf("%+v", r)
		}
	})
}

// tid is the tile of the item that makes cards.
func (w *world) tid() service.Tile {
	w.t.Helper()
	for _, tile := range w.engine.Tiles() {
		if tile.Code == "TID" {
			return tile
		}
	}
	w.t.Fatal("no tile")
	return service.Tile{}
}

func TestCardsNeedRibbonBeforeTheyAreOffered(t *testing.T) {
	count := func(t *testing.T, w *world, n uint64) {
		t.Helper()
		if err := w.journal.Update(func(tx *journal.Tx) error { _, err := tx.CountStock(journal.StockRibbon, n, "chen"); return err }); err != nil {
			t.Fatal(err)
		}
	}
	makingCards(t, "by the ledger", func(t *testing.T, w *world) {
		for n, ready := range []bool{false, false, true} {
			count(t, w, uint64(n))
			if tile := w.tid(); tile.Ready != ready || !ready && tile.Why.ID != "svc.why.no-stock" {
				t.Errorf("%d faces: %+v", n, tile)
			}
		}
	})
	makingCards(t, "and by the printer", func(t *testing.T, w *world) {
		for n, ready := range map[int]bool{1: false, 2: true, 0: true} { // 0: it does not count
			w.set.change(devices.RoleCardPrinter, func(s *devices.Status) { s.TonerLeft = n })
			if tile := w.tid(); tile.Ready != ready || !ready && tile.Why.ID != "svc.why.no-stock" {
				t.Errorf("%d faces: %+v", n, tile)
			}
		}
	})
	makingCards(t, "and whose ribbon is used up by a spoiled card keeps what they paid", func(t *testing.T, w *world) {
		w.booth.printer.print = func(int) (devices.PrintResult, bool) {
			count(t, w, 1) // what is set aside for this card
			return devices.PrintResult{Outcome: devices.PrintFailed, Detail: "ribbon"}, true
		}
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.ReissueDue)
		if !strings.Contains(seen.Code, "E-NO-RIBBON") || w.blank("spoiled") != 1 || len(w.booth.printer.jobs) != 1 || w.ribbon().Remaining != 0 {
			t.Errorf("told %+v, %d spoiled, jobs %v, ribbon %+v", seen, w.blank("spoiled"), w.booth.printer.jobs, w.ribbon())
		}
	})
}

func TestThePrinterContradictsTheLedgerOfItsRibbon(t *testing.T) {
	makingCards(t, "it has less: somebody used it", func(t *testing.T, w *world) {
		w.booth.printer.ribbon = 60
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
		if all := w.contradictions(); !slices.Equal(all, []string{"ribbon less 100 60"}) {
			t.Errorf("%v", all) // told once, before the card
		}
		if r := w.ribbon(); r.Remaining != 99 || !w.tid().Ready {
			t.Errorf("the ledger took what the printer said: %+v", r)
		}
	})
	makingCards(t, "it printed without the ledger", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), w.done())...)
		w.booth.printer.printed, w.booth.printer.ribbon = w.booth.printer.printed+3, w.booth.printer.ribbon-3
		w.set.change(devices.RoleCardPrinter, func(s *devices.Status) { s.TonerLeft = 96 })
		// Nobody comes, and it is seen all the same.
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		if err := w.engine.Serve(ctx, script.New(script.On("attract", script.Wait()))); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if all := w.contradictions(); !slices.Equal(all, []string{"ribbon less 99 96"}) {
			t.Errorf("%v", all)
		}
		w.booth.printer.printed -= 3 // for the count at the end
	})
}
