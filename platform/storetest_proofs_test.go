package platform

// What every store promises of members of staff who vouch for a person.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func proofSuite(t *testing.T, e anEngine) {
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
	row := func(id, site, terminal, code string) ProofRow {
		return ProofRow{ID: id, Site: site, Terminal: terminal, Visit: "v-" + terminal, Citizen: "n", Masked: "王*国", Shown: wire.ShownCard, Code: code,
			Made: moment, Until: moment.Add(5 * time.Minute), Tries: 3, State: wire.ProofOpen}
	}
	t.Run("all of a row, and of its end", func(t *testing.T) {
		p := row("p0", "'; DROP TABLE proofs;--", "T0", "c0")
		update(t, a, func(tx Tx) error { return tx.AddProof(p) })
		p.Tries, p.State, p.Ended, p.By, p.Document, p.Reason = 1, wire.ProofRefused, moment.Add(time.Minute), "chen", "passport", "expired"
		update(t, b, func(tx Tx) error { return tx.PutProof(p) })
		update(t, a, func(tx Tx) error {
			got, err := tx.Proof("p0")
			if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", p) {
				t.Errorf("%+v %v", got, err)
			}
			_, err = tx.Proof("none")
			if !errors.Is(err, ErrNoRow) || !errors.Is(tx.PutProof(ProofRow{ID: "none"}), ErrNoRow) {
				t.Errorf("%v", err)
			}
			return nil
		})
	})
	t.Run("a number is one open call's of a site, a terminal has one", func(t *testing.T) {
		add := func(s Store, p ProofRow, want error) {
			t.Helper()
			if err := s.Update(ctx, func(tx Tx) error { return tx.AddProof(p) }); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", p.ID, err, want)
			}
		}
		add(a, row("p1", "s", "T1", "c1"), nil)
		add(b, row("p2", "s", "T2", "c1"), ErrHeld) // the number
		add(b, row("p2", "s", "T1", "c2"), ErrHeld) // the terminal
		add(b, row("p1", "s", "T3", "c3"), ErrHeld) // the id
		add(b, row("p3", "other", "T3", "c1"), nil)
		update(t, a, func(tx Tx) error {
			p := row("p1", "s", "T1", "c1")
			p.State, p.Ended = wire.ProofCancelled, moment
			return tx.PutProof(p)
		})
		add(b, row("p4", "s", "T1", "c1"), nil)
		update(t, a, func(tx Tx) error {
			open, err := tx.OpenProof("T1")
			_, none := tx.OpenProof("T9")
			if err != nil || open.ID != "p4" || !errors.Is(none, ErrNoRow) {
				t.Errorf("%+v %v %v", open, err, none)
			}
			at, err := tx.ProofsAt("s", 9)
			if err != nil || len(at) != 2 || at[0].ID != "p4" {
				t.Errorf("%+v %v", at, err)
			}
			of, err := tx.ProofsOf("T1", "v-T1")
			if err != nil || len(of) != 2 {
				t.Errorf("%+v %v", of, err)
			}
			soon, err := tx.OverdueProofs("s", moment.Add(4*time.Minute))
			late, lerr := tx.OverdueProofs("s", moment.Add(5*time.Minute))
			if len(soon) != 0 || len(late) != 1 || late[0].ID != "p4" {
				t.Errorf("%v %v", soon, late)
			}
			return errors.Join(err, lerr)
		})
	})
	t.Run("duties", func(t *testing.T) {
		d := DutyRow{Account: "chen", Site: "s", Since: moment, Seen: moment, Until: moment.Add(time.Hour)}
		update(t, a, func(tx Tx) error {
			return errors.Join(tx.PutDuty(DutyRow{Account: "chen", Site: "other", Since: moment, Seen: moment, Until: moment}), tx.PutDuty(d))
		})
		update(t, b, func(tx Tx) error {
			return errors.Join(tx.SeenDuty("chen", moment.Add(time.Minute)), tx.SeenDuty("nobody", moment))
		})
		d.Seen = moment.Add(time.Minute)
		update(t, a, func(tx Tx) error {
			got, err := tx.Duty("chen")
			_, none := tx.Duty("nobody")
			all, aerr := tx.Duties("s")
			if err != nil || got != d || !errors.Is(none, ErrNoRow) || aerr != nil || len(all) != 1 || all[0] != d {
				t.Errorf("%+v %v %v %v", got, all, err, none)
			}
			return tx.DropDuty("chen")
		})
		update(t, b, func(tx Tx) error {
			if _, err := tx.Duty("chen"); !errors.Is(err, ErrNoRow) {
				t.Error(err)
			}
			return nil
		})
	})
	t.Run("how a case's person was proved, each way once", func(t *testing.T) {
		first, second := ProvenRow{Case: "c", Way: WayStaff, By: "chen", At: moment}, ProvenRow{Case: "c", Way: WayCode, At: moment.Add(time.Second)}
		third := ProvenRow{Case: "c", Way: WayStaff, By: "bai", At: moment.Add(time.Minute)}
		again := first
		again.At = moment.Add(time.Hour)
		update(t, a, func(tx Tx) error {
			return errors.Join(tx.PutProven(third), tx.PutProven(first), tx.PutProven(second), tx.PutProven(again))
		})
		update(t, b, func(tx Tx) error {
			got, err := tx.Proven("c")
			none, nerr := tx.Proven("d")
			if !slices.Equal(got, []ProvenRow{first, second, third}) || len(none) != 0 {
				t.Errorf("%+v %+v", got, none)
			}
			return errors.Join(err, nerr)
		})
	})
	t.Run("swept with what ran out", func(t *testing.T) {
		update(t, a, func(tx Tx) error {
			return errors.Join(tx.PutDuty(DutyRow{Account: "old", Site: "z", Until: moment}), tx.PutDuty(DutyRow{Account: "new", Site: "z", Until: moment.Add(2 * time.Hour)}),
				tx.Sweep(moment.Add(time.Hour)))
		})
		update(t, b, func(tx Tx) error {
			all, err := tx.Duties("z")
			_, gone := tx.Proof("p4")
			if len(all) != 1 || all[0].Account != "new" || !errors.Is(gone, ErrNoRow) {
				t.Errorf("%+v %v", all, gone)
			}
			return err
		})
	})
}
