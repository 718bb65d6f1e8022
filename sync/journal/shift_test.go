package journal_test

// Shifts that ended: their balance, their cases, and what is known of their slips.

import (
	"errors"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

func TestAShiftIsBookedAndItsSlipIsDue(t *testing.T) {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	j := journaltest.Open(t, journal.Options{Now: func() time.Time { return now }})
	elsewhere := "" // the case that another terminal has
	waits := func(c journal.Case) bool { return c.State.Desk() && c.ID != elsewhere }
	end := func() (s journal.Shift, err error) {
		err = j.Update(func(tx *journal.Tx) (err error) { s, err = tx.EndShift("op.li", waits); return err })
		return s, err
	}
	if _, err := end(); !errors.Is(err, journal.ErrStock) {
		t.Errorf("a shift of nothing: %v", err)
	}
	use := func(do func(tx *journal.Tx) error) {
		t.Helper()
		if err := j.Update(do); err != nil {
			t.Fatal(err)
		}
	}
	use(func(tx *journal.Tx) error {
		_, err := tx.LoadStock(journal.StockSheet, 500, "op.li")
		_, rerr := tx.LoadStock(journal.StockRibbon, 250, "op.li")
		return errors.Join(err, rerr, tx.UseStock(journal.StockSheet, 7, wire.BlankTaken), tx.UseStock(journal.StockRibbon, 2, wire.BlankTaken))
	})
	if _, err := j.HoldStock(journal.StockRibbon, journal.Says{Left: 200, Meter: -1}); err != nil {
		t.Fatal(err)
	}
	work := func(to ...journal.State) (id string) {
		t.Helper()
		use(func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "TID"})
			id = c.ID
			for _, s := range to {
				err = errors.Join(err, tx.SetState(c.ID, s, "test"))
			}
			return err
		})
		return id
	}
	now = now.Add(time.Hour)
	work(journal.Accepted, journal.BillCreated, journal.Paid, journal.Closed)
	work(journal.Accepted, journal.Manual)
	elsewhere = work(journal.Accepted, journal.Manual)
	now = now.Add(time.Hour)
	one, err := end()
	if err != nil || one.No != 1 || one.Slip != journal.SlipDue || !one.Ended.Equal(now) || one.Cases != (journal.ShiftCases{All: 3, Closed: 1, Desk: 1, Paid: 1}) {
		t.Errorf("%+v %v", one, err)
	}
	for _, k := range one.Stock {
		want := map[string]journal.ShiftStock{
			journal.StockSheet:  {Kind: "sheet", Balance: wire.StockBalance{Loaded: 500, Issued: 7, Remaining: 493}},
			journal.StockRibbon: {Kind: "ribbon", Balance: wire.StockBalance{Loaded: 250, Issued: 2, Remaining: 248}, Told: journal.SaysLess}}[k.Kind]
		if k != want {
			t.Errorf("%+v, expected %+v", k, want)
		}
	}
	// The next one has what is left, and the cases that came after.
	now = now.Add(time.Hour)
	work(journal.Accepted)
	j.Reopen()
	two, err := end()
	if err != nil || two.No != 2 || !two.Began.Equal(one.Ended) || two.Cases != (journal.ShiftCases{All: 1}) || two.Stock[1].Balance != (wire.StockBalance{Loaded: 493, Remaining: 493}) {
		t.Errorf("%+v %v", two, err)
	}
	said := func(no uint64, slip journal.SlipState) error {
		return j.Update(func(tx *journal.Tx) error { return tx.ShiftPrinted(no, slip, "op.li") })
	}
	begin := func(no uint64) (s journal.Shift, err error) {
		err = j.Update(func(tx *journal.Tx) (err error) { s, err = tx.PrintShift(no); return err })
		return s, err
	}
	if err := said(1, journal.SlipPrinted); !errors.Is(err, journal.ErrState) {
		t.Errorf("printed and never sent: %v", err)
	}
	for i, step := range []struct{ came, is journal.SlipState }{{journal.SlipDue, journal.SlipDue}, {journal.SlipUnknown, journal.SlipUnknown},
		{journal.SlipDue, journal.SlipUnknown}, {journal.SlipPrinted, journal.SlipPrinted}, {journal.SlipUnknown, journal.SlipPrinted}} {
		s, err := begin(1)
		if err != nil || s.Tries != i+1 || s.Copy() != (i > 1) {
			t.Errorf("try %d: %+v %v", i+1, s, err)
		}
		j.Reopen() // a restart does not let it be sent twice without a word
		if _, err := begin(1); !errors.Is(err, journal.ErrState) {
			t.Errorf("sent twice: %v", err)
		}
		if err := said(1, step.came); err != nil {
			t.Fatal(err)
		}
		all, err := j.Shifts()
		if err != nil || all[0].Slip != step.is || all[0].Sending {
			t.Errorf("try %d: %+v %v", i+1, all[0], err)
		}
	}
	if _, err := begin(9); !errors.Is(err, journal.ErrNotFound) {
		t.Error(err)
	}
	for range journal.MostShifts {
		if _, err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := j.Shifts(); err != nil || len(all) != journal.MostShifts || all[0].No != 3 || all[len(all)-1].No != journal.MostShifts+2 {
		t.Errorf("%d shifts, %v", len(all), err)
	}
}
