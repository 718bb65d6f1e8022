package desk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
)

// lost is a case that stands somewhere, with a blank of which nobody knows. number "": nobody read it.
func lost(t *testing.T, j *journal.Journal, number string, way ...journal.State) (journal.Case, string) {
	t.Helper()
	c := stand(t, j, journal.Accepted)
	var id string
	err := j.Update(func(tx *journal.Tx) error {
		if _, err := tx.LoadStock("card", 5, "op.bai"); err != nil {
			return err
		}
		return tx.ReserveStock(c.ID, map[string]int{"card": 1}, time.Now().Add(time.Hour))
	})
	if err == nil {
		err = j.Update(func(tx *journal.Tx) error {
			all, err := j.Blanks(func(b journal.Blank) bool { return b.Case == c.ID })
			if err != nil {
				return err
			}
			id = all[0].ID
			steps := []journal.BlankState{"drawn", "in-doubt"}
			if number != "" {
				steps = []journal.BlankState{"bound", "sent", "in-doubt"}
			}
			for _, to := range steps {
				m := journal.BlankMove{}
				if to == "bound" {
					m.Number = number
				}
				if _, err := tx.MoveBlank("card", id, to, m); err != nil {
					return err
				}
			}
			for _, s := range way {
				if err := tx.SetState(c.ID, s, "test"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, id
}

func settle(j *journal.Journal, v desk.Verdict) (told string, err error) {
	err = j.Update(func(tx *journal.Tx) (err error) { told, err = desk.Blank(tx, v); return err })
	return told, err
}

func TestAVerdictMovesLedgerAndCase(t *testing.T) {
	manual := []journal.State{journal.BillCreated, journal.Paid, journal.Bound, journal.Printing, journal.Manual}
	unknown := []journal.State{journal.BillCreated, journal.Paid, journal.Bound, journal.Printing, journal.PrintUnknown}
	closed := []journal.State{journal.BillCreated, journal.Paid, journal.Closed}
	for name, x := range map[string]struct {
		number string
		way    []journal.State
		to     journal.BlankState
		money  string
		state  journal.State
	}{
		"the citizen has it":                 {"B1", manual, "taken", "", journal.Closed},
		"the citizen has it, print unknown":  {"B1", unknown, "taken", "", journal.Closed},
		"it is in the bin":                   {"B1", manual, "retained", "", journal.Retained},
		"it is in the bin, print unknown":    {"B1", unknown, "retained", "", journal.Retained},
		"spoiled, another is made":           {"B1", manual, "spoiled", "again", journal.ReissueDue},
		"spoiled, money back":                {"B1", manual, "spoiled", "return", journal.RefundDue},
		"spoiled, money back, print unknown": {"B1", unknown, "spoiled", "return", journal.RefundDue},
		"spoiled, nothing was paid":          {"B1", []journal.State{journal.Manual}, "spoiled", "end", journal.Cancelled},
		"never came out, another is made":    {"", manual, "back", "again", journal.ReissueDue},
		"never came out, money back":         {"", manual, "back", "return", journal.RefundDue},
		"its case has ended":                 {"B1", closed, "spoiled", "again", journal.Closed},
		"its case was decided upon before":   {"B1", append(manual, journal.RefundDue), "spoiled", "return", journal.RefundDue},
	} {
		t.Run(name, func(t *testing.T) {
			j := journaltest.Open(t, journal.Options{}).Journal
			c, id := lost(t, j, x.number, x.way...)
			v := desk.Verdict{ID: "m1", Kind: "card", Blank: id, Number: x.number, Case: c.ID, To: x.to, Money: x.money, By: "op.chen", Second: "op.bai", Why: []byte("in the bin")}
			for what, bad := range map[string]func(*desk.Verdict){
				"one person":     func(v *desk.Verdict) { v.Second = v.By },
				"nobody":         func(v *desk.Verdict) { v.By, v.Second = "", "" },
				"another number": func(v *desk.Verdict) { v.Number += "9" },
				"another case":   func(v *desk.Verdict) { v.Case = "x" },
				"another blank":  func(v *desk.Verdict) { v.Blank = "x" },
				"unknown money":  func(v *desk.Verdict) { v.Money = "x" },
				"no such end":    func(v *desk.Verdict) { v.To = "reserved" },
			} {
				w := v
				bad(&w)
				if _, err := settle(j, w); !errors.Is(err, desk.ErrBlank) && !errors.Is(err, desk.ErrNotNow) {
					t.Errorf("%s: %v", what, err)
				}
			}
			for range 2 { // a message that comes again
				if _, err := settle(j, v); err != nil {
					t.Fatal(err)
				}
			}
			now, err := j.Case(c.ID)
			if err != nil || now.State != x.state {
				t.Errorf("case is %s, %v", now.State, err)
			}
			if n := len(now.Decisions); n > 1 || n == 1 && (now.Decisions[0].Second != "op.bai" || now.Decisions[0].ID != "m1") {
				t.Errorf("%+v", now.Decisions)
			}
			all, err := j.Blanks(func(b journal.Blank) bool { return b.ID == id })
			if err != nil || all[0].State != x.to {
				t.Errorf("%+v %v", all, err)
			}
			if b, err := j.StockBalance("card"); err != nil || b.InDoubt != 0 || b.Check() != nil {
				t.Errorf("%+v %v", b, err)
			}
			if x.to == "retained" { // and is fetched at the counter
				v.ID, v.To = "m2", "taken"
				if _, err := settle(j, v); err != nil {
					t.Fatal(err)
				}
				if now, err := j.Case(c.ID); err != nil || now.State != journal.Closed {
					t.Errorf("%s %v", now.State, err)
				}
			} else if v.To = "spoiled"; x.to != "spoiled" { // it stands elsewhere
				v.Money = "again"
				if _, err := settle(j, v); !errors.Is(err, desk.ErrBlank) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// The platform knows a blank by its permit alone where the terminal died before it told of it.
func TestAVerdictNamesABlankByItsNumber(t *testing.T) {
	j := journaltest.Open(t, journal.Options{}).Journal
	c, id := lost(t, j, "B1", journal.BillCreated, journal.Paid, journal.Bound, journal.Printing, journal.PrintUnknown)
	v := desk.Verdict{ID: "m1", Kind: "card", Number: "B9", Case: c.ID, To: "spoiled", Money: "again", By: "op.chen", Second: "op.bai"}
	if _, err := settle(j, v); !errors.Is(err, desk.ErrBlank) {
		t.Errorf("a number that nobody read: %v", err)
	}
	v.Number = "B1"
	if _, err := settle(j, v); err != nil {
		t.Fatal(err)
	}
	all, err := j.Blanks(func(b journal.Blank) bool { return b.ID == id })
	if err != nil || len(all) != 1 || all[0].State != "spoiled" {
		t.Errorf("%+v %v", all, err)
	}
	if c, err := j.Case(c.ID); err != nil || c.State != journal.ReissueDue {
		t.Errorf("%+v %v", c, err)
	}
}
