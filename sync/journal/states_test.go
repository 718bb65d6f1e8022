package journal_test

// The table of states: every change in the journal is held to it.

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// A case walks at random; whatever the table allows happens, whatever it does not is refused and leaves the case as it was.
func TestStatesFollowTheTable(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	all := journal.States()
	rapid.Check(t, func(t *rapid.T) {
		var c journal.Case
		err := j.Update(func(tx *journal.Tx) (err error) {
			c, err = tx.OpenCase(journal.NewCase{Item: "X"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		at := c.State
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			to := rapid.SampledFrom(all).Draw(t, "to")
			if next := at.Next(); len(next) > 0 && rapid.IntRange(0, 2).Draw(t, "legal") > 0 {
				to = rapid.SampledFrom(next).Draw(t, "next")
			}
			err := set(j.Journal, c.ID, to)
			switch may := at.May(to) || at == to; {
			case may && err != nil:
				t.Fatalf("%s to %s: %v", at, to, err)
			case !may && !errors.Is(err, journal.ErrState):
				t.Fatalf("%s to %s: %v, expected a refusal", at, to, err)
			case may:
				at = to
			}
			if now, err := j.Case(c.ID); err != nil || now.State != at || now.History[len(now.History)-1].State != at {
				t.Fatalf("state %s, expected %s, %v", now.State, at, err)
			}
		}
	})
}

func TestAStateOutsideTheTableIsRefused(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	var c journal.Case
	err := j.Update(func(tx *journal.Tx) (err error) {
		c, err = tx.OpenCase(journal.NewCase{Item: "X"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []journal.State{"DRAFT", "", "accepted"} {
		if err := set(j.Journal, c.ID, to); !errors.Is(err, journal.ErrState) {
			t.Errorf("%q: %v", to, err)
		}
	}
	// Late money is the one thing that leads out of an end.
	for _, s := range journal.States() {
		for _, to := range s.Next() {
			if s.Final() && to != journal.PaidLate {
				t.Errorf("%s, an end, leads to %s", s, to)
			}
		}
	}
}

// An entry that the catalogue does not hold takes the change that it belongs to with it.
func TestAnUnknownEventTakesNothingAlong(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	err := j.Update(func(tx *journal.Tx) error {
		if _, err := tx.OpenCase(journal.NewCase{Item: "X"}); err != nil {
			return err
		}
		return tx.Audit("case.opend", "system", nil)
	})
	if !errors.Is(err, wire.ErrEvent) {
		t.Errorf("%v", err)
	}
	if all, err := j.Cases(nil); err != nil || len(all) != 0 {
		t.Errorf("%d cases, %v", len(all), err)
	}
}
