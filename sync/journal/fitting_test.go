package journal_test

// A ribbon is exchanged as a whole and counted by the machine too: what the ledger says is held against what the machine says.

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// told are the contradictions in the audit chain.
func told(t *testing.T, j *journal.Journal) (all []string) {
	t.Helper()
	records, err := j.Pending(wire.LaneAudit, 1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		var e struct {
			Event  string            `json:"event"`
			Fields map[string]string `json:"fields"`
		}
		if err := json.Unmarshal(r.Body, &e); err != nil {
			t.Fatal(err)
		}
		if e.Event == "stock.meter" {
			all = append(all, e.Fields["what"]+" "+e.Fields["ledger"]+" "+e.Fields["machine"])
		}
	}
	return all
}

func TestARibbonIsExchangedAsAWhole(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	step := func(do func(tx *journal.Tx) error) {
		t.Helper()
		if err := j.Update(do); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want wire.StockBalance) {
		t.Helper()
		b, err := j.StockBalance(journal.StockRibbon)
		if err != nil || b != want {
			t.Fatalf("%+v, expected %+v: %v", b, want, err)
		}
	}
	load := func(n int) {
		t.Helper()
		step(func(tx *journal.Tx) error { _, err := tx.LoadStock(journal.StockRibbon, n, "op.li"); return err })
	}
	var c journal.Case
	step(func(tx *journal.Tx) (err error) { c, err = tx.OpenCase(journal.NewCase{Item: "TID"}); return err })
	if _, err := j.Fitting(journal.StockRibbon); !errors.Is(err, journal.ErrNotFound) {
		t.Error(err)
	}
	load(250)
	step(func(tx *journal.Tx) error {
		return tx.ReserveStock(c.ID, map[string]int{journal.StockRibbon: 1}, time.Now().Add(time.Hour))
	})
	is(wire.StockBalance{Loaded: 250, Reserved: 1, Remaining: 249})
	use := func(n int, to wire.BlankState) {
		t.Helper()
		step(func(tx *journal.Tx) error { return tx.UseStockOf(c.ID, journal.StockRibbon, n, to) })
	}
	use(1, wire.BlankTaken) // what was set aside
	is(wire.StockBalance{Loaded: 250, Issued: 1, Remaining: 249})
	use(2, wire.BlankDoubt)
	use(1, wire.BlankSpoiled)
	step(func(tx *journal.Tx) error {
		return tx.ReserveStock(c.ID, map[string]int{journal.StockRibbon: 1}, time.Now().Add(time.Hour))
	})
	is(wire.StockBalance{Loaded: 250, Issued: 1, Spoiled: 1, InDoubt: 2, Reserved: 1, Remaining: 245})
	if f, err := j.Fitting(journal.StockRibbon); err != nil || f.Left() != 246 || f.Sure != 1 || f.Unsure != 3 || f.By != "op.li" {
		t.Errorf("%+v %v", f, err)
	}
	// Another ribbon takes the place of what was left; what was in doubt went with the old one; who waits has theirs on the new one.
	j.Reopen()
	load(500)
	is(wire.StockBalance{Loaded: 504, Issued: 1, Spoiled: 3, Reserved: 1, Remaining: 499})
	load(-1) // a test card
	is(wire.StockBalance{Loaded: 503, Issued: 1, Spoiled: 3, Reserved: 1, Remaining: 498})
	// The printer's display says 480, with what is set aside.
	step(func(tx *journal.Tx) error { _, err := tx.CountStock(journal.StockRibbon, 480, "op.li"); return err })
	is(wire.StockBalance{Loaded: 484, Issued: 1, Spoiled: 3, Reserved: 1, Remaining: 479})
	step(func(tx *journal.Tx) error { _, err := tx.CloseShift(journal.StockRibbon, "op.li"); return err })
	is(wire.StockBalance{Loaded: 480, Reserved: 1, Remaining: 479})
	step(func(tx *journal.Tx) error { _, err := tx.FreeStock(c.ID); return err })
	is(wire.StockBalance{Loaded: 480, Remaining: 480})
	if all, err := j.Blanks(nil); err != nil || len(all) != 0 {
		t.Errorf("faces that nobody asks for again are kept: %v %v", all, err)
	}
	for what, n := range map[string]uint64{"fewer than is set aside": 0} {
		step(func(tx *journal.Tx) error {
			return tx.ReserveStock(c.ID, map[string]int{journal.StockRibbon: 1}, time.Now().Add(time.Hour))
		})
		if err := j.Update(func(tx *journal.Tx) error { _, err := tx.CountStock(journal.StockRibbon, n, "op.li"); return err }); !errors.Is(err, journal.ErrStock) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTheMachineIsHeldAgainstTheLedger(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	hold := func(left, meter int, want string) {
		t.Helper()
		if what, err := j.HoldStock(journal.StockRibbon, journal.Says{Left: left, Meter: meter}); err != nil || what != want {
			t.Errorf("left %d, meter %d: %q, expected %q: %v", left, meter, what, want, err)
		}
	}
	use := func(n int, to wire.BlankState) {
		t.Helper()
		if err := j.Update(func(tx *journal.Tx) error { return tx.UseStock(journal.StockRibbon, n, to) }); err != nil {
			t.Fatal(err)
		}
	}
	hold(7, 7, "") // nobody noted a ribbon: there is nothing to hold it against
	if err := j.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock(journal.StockRibbon, 200, "op.li"); return err }); err != nil {
		t.Fatal(err)
	}
	hold(-1, -1, "") // a printer that does not say
	hold(200, 5000, "")
	use(3, wire.BlankTaken)
	hold(197, 5003, "")
	use(1, wire.BlankSpoiled) // a torn ribbon may have been counted, or not
	hold(197, 5003, "")
	hold(196, 5004, "")
	use(1, wire.BlankDoubt)
	hold(195, 5005, "")
	hold(194, 5005, journal.SaysLess)
	hold(194, 5005, journal.SaysLess) // told once
	hold(198, 5005, journal.SaysMore)
	hold(196, 5006, journal.SaysUsedMore)
	hold(196, 5002, journal.SaysUsedLess)
	hold(196, 4000, journal.SaysOtherUnit)
	j.Reopen()
	hold(196, 4000, journal.SaysOtherUnit)
	hold(196, 5004, "")
	want := []string{"less 195 194", "more 197 198", "used-more 5 6", "used-less 3 2", "other-unit 5000 4000", "agrees 0 0"}
	if got := told(t, j.Journal); len(got) != len(want) {
		t.Fatalf("%v", got)
	} else {
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("told %q, expected %q", got[i], want[i])
			}
		}
	}
	// Somebody counts: from here on the machine is believed to agree.
	if err := j.Update(func(tx *journal.Tx) error { _, err := tx.CountStock(journal.StockRibbon, 150, "op.li"); return err }); err != nil {
		t.Fatal(err)
	}
	hold(150, 4000, "")
	use(1, wire.BlankTaken)
	hold(149, 4001, "")
	hold(149, 4003, journal.SaysUsedMore)
}

// Over any work of an honest printer, of people and of restarts: the equation holds, no contradiction is told, and what the printer
// used behind the ledger's back is.
func TestAnHonestPrinterNeverContradicts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := journaltest.Open(t, journal.Options{})
		defer j.Shut()
		left, meter := rapid.IntRange(20, 300).Draw(rt, "ribbon"), rapid.IntRange(0, 9000).Draw(rt, "meter")
		do := func(act func(tx *journal.Tx) error) {
			rt.Helper()
			if err := j.Update(act); err != nil {
				rt.Fatal(err)
			}
		}
		var c journal.Case
		do(func(tx *journal.Tx) (err error) {
			if c, err = tx.OpenCase(journal.NewCase{Item: "TID"}); err != nil {
				return err
			}
			_, err = tx.LoadStock(journal.StockRibbon, left, "op.li")
			return err
		})
		hold := func() string {
			rt.Helper()
			what, err := j.HoldStock(journal.StockRibbon, journal.Says{Left: left, Meter: meter})
			if err != nil {
				rt.Fatal(err)
			}
			return what
		}
		hold()
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch act := rapid.IntRange(0, 6).Draw(rt, "act"); {
			case act <= 3 && left > 3: // a print, with all its ends
				to := []wire.BlankState{wire.BlankTaken, wire.BlankTaken, wire.BlankSpoiled, wire.BlankDoubt}[act]
				do(func(tx *journal.Tx) error {
					return tx.ReserveStock(c.ID, map[string]int{journal.StockRibbon: 1}, time.Now().Add(time.Hour))
				})
				do(func(tx *journal.Tx) error { return tx.UseStockOf(c.ID, journal.StockRibbon, 1, to) })
				if to == wire.BlankTaken || rapid.Bool().Draw(rt, "counted") {
					left, meter = left-1, meter+1
				}
			case act == 4:
				left = rapid.IntRange(20, 300).Draw(rt, "ribbon")
				do(func(tx *journal.Tx) error { _, err := tx.LoadStock(journal.StockRibbon, left, "op.li"); return err })
			case act == 5:
				do(func(tx *journal.Tx) error { _, err := tx.CloseShift(journal.StockRibbon, "op.li"); return err })
			default:
				j.Reopen()
			}
			if what := hold(); what != "" {
				rt.Fatalf("an honest printer is said to contradict: %s", what)
			}
			if b, err := j.StockBalance(journal.StockRibbon); err != nil || b.Check() != nil {
				rt.Fatalf("%+v %v", b, err)
			}
		}
		f, err := j.Fitting(journal.StockRibbon)
		if err != nil {
			rt.Fatal(err)
		}
		left -= int(f.Unsure) + 1
		if left >= 0 && hold() != journal.SaysLess {
			rt.Fatal("ribbon that went without the ledger was not told")
		}
	})
}
