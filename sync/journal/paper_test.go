package journal_test

// Paper is counted as a whole: whatever happens, what was loaded is what became of it.

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

func TestPaperIsWhereItWent(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	step := func(do func(tx *journal.Tx) error) {
		t.Helper()
		if err := j.Update(do); err != nil {
			t.Fatal(err)
		}
	}
	use := func(n int, to wire.BlankState) {
		t.Helper()
		step(func(tx *journal.Tx) error { return tx.UseStock(journal.StockSheet, n, to) })
	}
	is := func(want wire.StockBalance) {
		t.Helper()
		b, err := j.StockBalance(journal.StockSheet)
		if err != nil || b != want {
			t.Fatalf("%+v, expected %+v: %v", b, want, err)
		}
	}
	use(3, wire.BlankTaken) // nobody ever loaded: not counted
	is(wire.StockBalance{})
	step(func(tx *journal.Tx) error { _, err := tx.LoadStock(journal.StockSheet, 10, "op.li"); return err })
	use(2, wire.BlankTaken)
	use(1, wire.BlankSpoiled)
	use(3, wire.BlankDoubt)
	is(wire.StockBalance{Loaded: 10, Issued: 2, Spoiled: 1, InDoubt: 3, Remaining: 4})
	j.Reopen()
	is(wire.StockBalance{Loaded: 10, Issued: 2, Spoiled: 1, InDoubt: 3, Remaining: 4})
	// five lie in the tray: of the three in doubt two came out
	step(func(tx *journal.Tx) error { _, err := tx.CountStock(journal.StockSheet, 5, "op.li"); return err })
	is(wire.StockBalance{Loaded: 10, Issued: 4, Spoiled: 1, Remaining: 5})
	use(7, wire.BlankTaken) // two more than were noted
	is(wire.StockBalance{Loaded: 12, Issued: 11, Spoiled: 1})
	for name, bad := range map[string]func(tx *journal.Tx) error{
		"cards one by one only": func(tx *journal.Tx) error { return tx.UseStock(journal.StockCard, 1, wire.BlankTaken) },
		"fewer than none":       func(tx *journal.Tx) error { return tx.UseStock(journal.StockSheet, -1, wire.BlankTaken) },
		"another state":         func(tx *journal.Tx) error { return tx.UseStock(journal.StockSheet, 1, wire.BlankReserved) },
	} {
		if err := j.Update(bad); !errors.Is(err, journal.ErrStock) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The equation holds over any work, and what people counted is what is free.
func TestPaperAlwaysBalances(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		do := rapid.IntRange(0, 5).Draw(t, "do")
		err := j.Update(func(tx *journal.Tx) (err error) {
			switch do {
			case 0:
				_, err = tx.LoadStock(journal.StockSlip, n+1, "op.li")
			case 1:
				_, err = tx.CountStock(journal.StockSlip, uint64(n), "op.li")
			case 2:
				_, err = tx.CloseShift(journal.StockSlip, "op.li")
			default:
				err = tx.UseStock(journal.StockSlip, n, []wire.BlankState{wire.BlankTaken, wire.BlankSpoiled, wire.BlankDoubt}[do-3])
			}
			return err
		})
		b, berr := j.StockBalance(journal.StockSlip)
		if err != nil || berr != nil || b.Check() != nil {
			t.Fatalf("%v %v %v", err, berr, b.Check())
		}
		if do == 1 && (b.Remaining != uint64(n) || b.InDoubt != 0) {
			t.Fatalf("counted %d: %+v", n, b)
		}
	})
}
