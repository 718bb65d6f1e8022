package service_test

import (
	"strings"
	"testing"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/cardface"
	"github.com/budayang/kiosk/sync/journal"
)

func TestAPrintedCardIsReadBeforeItIsHandedOut(t *testing.T) {
	// kept wants the card inside, in doubt, and printed once.
	kept := func(t *testing.T, w *world, seen service.Trouble) {
		t.Helper()
		w.one(journal.Manual)
		if w.blank("in-doubt") != 1 || len(w.booth.cards.taken) != 0 || len(w.booth.cards.bin) != 1 || len(w.booth.printer.jobs) != 1 || !strings.Contains(seen.Code, "E-CARD-CODE") {
			t.Errorf("%d in doubt, %v taken, bin %v, jobs %v, told %+v", w.blank("in-doubt"), w.booth.cards.taken, w.booth.cards.bin, w.booth.printer.jobs, seen)
		}
		for _, tile := range w.engine.Tiles() {
			if tile.Code == "TID" && (tile.Ready || tile.Why.ID != "svc.why.card-doubt") {
				t.Errorf("tile %+v", tile)
			}
		}
	}
	makingCards(t, "as it was drawn", func(t *testing.T, w *world) {
		w.booth.eye.read = func(int, string) (string, error) {
			w.booth.printer.mu.Lock()
			defer w.booth.printer.mu.Unlock()
			return cardface.ReadCode(w.booth.printer.faces[len(w.booth.printer.faces)-1])
		}
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
		if w.booth.eye.reads != 1 {
			t.Errorf("read %d times", w.booth.eye.reads)
		}
	})
	makingCards(t, "at the third look", func(t *testing.T, w *world) {
		w.booth.eye.read = func(n int, text string) (string, error) {
			if n < 3 {
				return "", devices.ErrCodeUnreadable
			}
			return text + "\r\n", nil
		}
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
		if len(w.booth.printer.jobs) != 1 || w.blank("taken") != 1 {
			t.Errorf("jobs %v, %d taken", w.booth.printer.jobs, w.blank("taken"))
		}
	})
	makingCards(t, "never: it stays inside, and the desk decides", func(t *testing.T, w *world) {
		w.booth.eye.read = func(int, string) (string, error) { return "", devices.ErrCodeUnreadable }
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		kept(t, w, seen)
		if w.booth.eye.reads != 3 {
			t.Errorf("read %d times", w.booth.eye.reads)
		}
	})
	makingCards(t, "with another card's code: it stays inside, and is not read again", func(t *testing.T, w *world) {
		w.booth.eye.read = func(_ int, text string) (string, error) { return text + "7", nil }
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		kept(t, w, seen)
		if w.booth.eye.reads != 1 || len(w.records("audit")) == 0 {
			t.Errorf("read %d times", w.booth.eye.reads)
		}
	})
	makingCards(t, "and stays inside when the reader is gone", func(t *testing.T, w *world) {
		w.booth.eye.read = func(int, string) (string, error) {
			w.set.change(devices.RoleCardCheck, func(s *devices.Status) { s.Connection = devices.ConnectionNoDevice })
			return "", devices.ErrNoDevice
		}
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		kept(t, w, seen)
	})
	makingCards(t, "or the item is not offered", func(t *testing.T, w *world) {
		w.set.change(devices.RoleCardCheck, func(s *devices.Status) { s.Connection = devices.ConnectionNoDevice })
		for _, tile := range w.engine.Tiles() {
			if tile.Code == "TID" && (tile.Ready || tile.Why.ID != "svc.why.card-check.no-device") {
				t.Errorf("tile %+v", tile)
			}
		}
	})
	makingCards(t, "where a device can", func(t *testing.T, w *world) {
		if err := w.journal.Close(); err != nil {
			t.Fatal(err)
		}
		w.booth.eye = nil
		w.start()
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
	})
}
