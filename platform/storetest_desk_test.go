package platform

// What every store promises of the desk.

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func deskSuite(t *testing.T, e anEngine) {
	ctx := context.Background()
	place := e.place(t)
	a, b := e.open(t, place), e.open(t, place) // two servers
	t.Cleanup(func() { _ = errors.Join(a.Close(), b.Close()) })
	update := func(t *testing.T, s Store, fn func(Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("doubts come and go by time", func(t *testing.T) {
		at := func(n int) time.Time { return moment.Add(time.Duration(n) * time.Second) }
		row := func(state string, n int) DoubtRow {
			return DoubtRow{Terminal: "T1", Kind: "card", ID: "1", Number: "B1", Case: "'; DROP TABLE blank_doubts;--", State: state, Since: at(n)}
		}
		open := func(want int) {
			t.Helper()
			update(t, b, func(tx Tx) error {
				all, err := tx.Doubts(9)
				if err != nil || len(all) != want {
					t.Errorf("%+v %v", all, err)
				}
				return nil
			})
		}
		update(t, a, func(tx Tx) error { return tx.FollowDoubt(row("sent", 1)) })
		open(0)
		update(t, a, func(tx Tx) error { return tx.FollowDoubt(row("in-doubt", 2)) })
		open(1)
		update(t, b, func(tx Tx) error { return tx.FollowDoubt(row("retained", 4)) })
		update(t, b, func(tx Tx) error { return tx.FollowDoubt(row("in-doubt", 3)) }) // comes late
		update(t, a, func(tx Tx) error {
			d, err := tx.Doubt("T1", "card", "1")
			if err != nil || d != row("retained", 4) {
				t.Errorf("%+v %v", d, err)
			}
			_, err = tx.Doubt("T1", "card", "2")
			if !errors.Is(err, ErrNoRow) {
				t.Error(err)
			}
			return nil
		})
		update(t, a, func(tx Tx) error { return tx.FollowDoubt(row("taken", 5)) })
		update(t, a, func(tx Tx) error { return tx.FollowDoubt(row("retained", 4)) })
		open(0)
	})
	t.Run("a silent terminal's card", func(t *testing.T) {
		given := moment.Add(time.Hour)
		add := func(key, blank string, changed time.Time) CardRow {
			t.Helper()
			c := CardRow{Key: key, Kind: "TID", Number: "TID-" + key, Receipt: "01-" + key, Terminal: "T9", Person: key, Applicant: key, Masked: "李*雯", Request: wire.Hash{9},
				State: wire.CardPrinting, Rev: 1, Blank: blank, Made: moment, Changed: changed}
			update(t, a, func(tx Tx) error { return errors.Join(tx.AddCard(c), tx.PutCard(c)) })
			return c
		}
		heard, unheardOf, fresh := add("s1", "S1", given), add("s2", "S2", given), add("s3", "S3", given.Add(2*time.Hour))
		update(t, a, func(tx Tx) error {
			return tx.PutBlank(BlankRow{Kind: "card", Number: "S1", Terminal: "T9", ID: "id-S1", Case: "s1", State: "bound", At: given.Add(-time.Second)})
		})
		for _, s := range []Store{a, b} { // two servers sweep: the second finds nothing
			update(t, s, func(tx Tx) error {
				late, err := tx.CardsBefore(wire.CardPrinting, given.Add(time.Hour), 9)
				if err != nil || (s == a) != (len(late) == 2) {
					t.Errorf("%+v %v", late, err)
				}
				for _, c := range late {
					if c.Key == fresh.Key {
						t.Error("one of which was heard just now")
					}
					err = errors.Join(err, doubtCard(tx, c, given.Add(time.Hour), "test"))
				}
				return err
			})
		}
		stands := func(id, state string) {
			t.Helper()
			update(t, b, func(tx Tx) error {
				d, err := tx.Doubt("T9", "card", id)
				if err != nil || d.State != state {
					t.Errorf("%s is %+v, expected %s: %v", id, d, state, err)
				}
				return nil
			})
		}
		stands("id-"+heard.Blank, "in-doubt")
		stands(unheard+unheardOf.Blank, "in-doubt")
		late := func(number, state string, at time.Time) (late bool) {
			t.Helper()
			update(t, b, func(tx Tx) (err error) {
				w := BlankRow{Kind: "card", Number: number, Terminal: "T9", ID: "id-" + number, Case: "s", State: state, At: at}
				if late, err = overruled(tx, w); err != nil || late {
					return err
				}
				return followDoubt(tx, w)
			})
			return late
		}
		// One terminal comes back before anybody decided, the other afterwards.
		if late("S2", "sent", given.Add(time.Minute)) {
			t.Error("nobody decided, and its word does not count")
		}
		stands(unheard+"S2", toldByItsID)
		update(t, a, func(tx Tx) error {
			d, err := tx.Doubt("T9", "card", "id-S1")
			d.State, d.Since = "spoiled", given.Add(5*time.Hour)
			return errors.Join(err, tx.FollowDoubt(d))
		})
		for state, want := range map[string]bool{"sent": true, "in-doubt": true, "taken": false} {
			if late("S1", state, given.Add(time.Minute)) != want {
				t.Errorf("%s, told after it was decided that it is spoiled: late %v, expected %v", state, !want, want)
			}
		}
		if late("S1", "in-doubt", given.Add(6*time.Hour)) {
			t.Error("what happened after the verdict does not count")
		}
		stands("id-S1", "in-doubt")
		update(t, a, func(tx Tx) error { // for the suites that follow
			return errors.Join(tx.FollowDoubt(DoubtRow{Terminal: "T9", Kind: "card", ID: "id-S1", Number: "S1", Case: "s", State: "spoiled", Since: given.Add(7 * time.Hour)}))
		})
	})
	t.Run("one proposal about a thing at a time", func(t *testing.T) {
		v := VerdictRow{ID: "1", Kind: "blank", Ref: "T1/card/1", Seen: "s", Act: "taken", Why: "w", By: "chen", Made: moment, State: verdictOpen}
		update(t, a, func(tx Tx) error { return tx.AddVerdict(v) })
		v2 := v
		v2.ID = "2"
		if err := b.Update(ctx, func(tx Tx) error { return tx.AddVerdict(v2) }); !errors.Is(err, ErrHeld) {
			t.Errorf("%v", err)
		}
		v.State, v.Second, v.Ended, v.Message = verdictConfirmed, "bai", moment.Add(time.Minute), "m"
		update(t, b, func(tx Tx) error { return tx.PutVerdict(v) })
		update(t, a, func(tx Tx) error {
			got, err := tx.Verdict("1")
			if err != nil || got != v {
				t.Errorf("%+v %v", got, err)
			}
			return tx.AddVerdict(v2) // now it may
		})
		update(t, b, func(tx Tx) error {
			open, e1 := tx.OpenVerdicts(9)
			done, e2 := tx.Verdicts(9)
			about, e4 := tx.VerdictsAbout("blank", "T1/card/1", 9)
			other, e5 := tx.VerdictsAbout("money", "T1/card/1", 9)
			if e4 != nil || e5 != nil || len(about) != 2 || about[0].ID != "2" || about[1] != v || len(other) != 0 {
				t.Errorf("%+v %+v %v %v", about, other, e4, e5)
			}
			if e1 != nil || e2 != nil || len(open) != 1 || open[0].ID != "2" || len(done) != 1 || done[0].ID != "1" {
				t.Errorf("%+v %+v %v %v", open, done, e1, e2)
			}
			_, e3 := tx.Verdict("9")
			if !errors.Is(e3, ErrNoRow) || !errors.Is(tx.PutVerdict(VerdictRow{ID: "9"}), ErrNoRow) {
				t.Error(e3)
			}
			return nil
		})
	})
}
