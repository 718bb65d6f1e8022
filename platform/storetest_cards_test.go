package platform

// What every store promises of cards.

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func cardSuite(t *testing.T, e anEngine) {
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
	view := func(t *testing.T, s Store, fn func(Tx) error) {
		t.Helper()
		if err := s.View(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	card := func(key string, after time.Duration) CardRow {
		return CardRow{Key: key, Kind: "TID", Number: "TID-" + key, Receipt: "01-1", Terminal: "T1", Person: "p", Applicant: "q", Masked: "'; DROP TABLE cards;-- 𠮷", Request: wire.Hash{7},
			State: wire.CardWaiting, Rev: 1, Why: both("原因", "why"), By: "bai", Checks: []wire.CardCheck{{Name: "eyes", Value: 0.25, OK: true}}, Profile: "id-card", Agreed: true,
			Made: moment.Add(after), Changed: moment.Add(after)}
	}

	t.Run("what is not there", func(t *testing.T) {
		view(t, a, func(tx Tx) error {
			_, e1 := tx.Card("x")
			_, e2 := tx.CardByNumber("x")
			_, e3 := tx.CardSecret("x", "photo")
			_, e4 := tx.Permit("card", "x")
			for i, err := range []error{e1, e2, e3, e4} {
				if !errors.Is(err, ErrNoRow) {
					t.Errorf("%d: %v", i, err)
				}
			}
			for _, ids := range [][]string{nil, {"x"}} {
				if all, err := tx.CardsAmong(ids); err != nil || len(all) != 0 {
					t.Errorf("%v %v", all, err)
				}
			}
			return nil
		})
		if err := a.Update(ctx, func(tx Tx) error { return tx.PutCard(card("x", 0)) }); !errors.Is(err, ErrNoRow) {
			t.Errorf("an application that is not there is written: %v", err)
		}
	})

	t.Run("keeps all of an application", func(t *testing.T) {
		x := card("c1", 0)
		update(t, a, func(tx Tx) error { return tx.AddCard(x) })
		for what, y := range map[string]CardRow{"key": {Key: "c1", Number: "other"}, "number": {Key: "other", Number: x.Number}} {
			if err := a.Update(ctx, func(tx Tx) error { return tx.AddCard(y) }); !errors.Is(err, ErrHeld) {
				t.Errorf("a held %s was given again: %v", what, err)
			}
		}
		same := func(got CardRow, err error) {
			t.Helper()
			if err != nil || !reflect.DeepEqual(got, x) {
				t.Errorf("%v\n%+v\n%+v", err, got, x)
			}
		}
		view(t, b, func(tx Tx) error {
			same(tx.Card("c1"))
			same(tx.CardByNumber(x.Number))
			return nil
		})
		x.State, x.Ended, x.Why, x.By, x.Blank, x.Terminal = wire.CardIssued, true, nil, "chen", "B1", "T2"
		x.Decided, x.Changed, x.Until, x.Erased = moment.Add(time.Minute), moment.Add(time.Hour), moment.AddDate(0, 3, 0), moment.Add(2*time.Hour)
		update(t, b, func(tx Tx) error { return tx.PutCard(x) })
		x.Rev++
		view(t, a, func(tx Tx) error { same(tx.Card("c1")); return nil })
	})

	t.Run("lists", func(t *testing.T) {
		update(t, a, func(tx Tx) error {
			two, three := card("c2", time.Minute), card("c3", -time.Minute)
			three.By, three.Decided = byPolicy, moment // no person
			two.Decided = moment.Add(3 * time.Minute)
			childs := card("c4", 2*time.Minute)
			childs.Person, childs.Applicant, childs.State = "child", "guardian", wire.CardRejected
			return errors.Join(tx.AddCard(two), tx.AddCard(three), tx.AddCard(childs), tx.PutCard(two))
		})
		keys := func(all []CardRow, err error) (out []string) {
			if err != nil {
				t.Error(err)
			}
			for _, c := range all {
				out = append(out, c.Key)
			}
			return out
		}
		view(t, b, func(tx Tx) error {
			for what, got := range map[string][2][]string{
				"a person's, newest first": {keys(tx.CardsOf("TID", "p")), {"c2", "c1", "c3"}},
				"of another kind":          {keys(tx.CardsOf("X", "p")), nil},
				"a guardian's for a child": {keys(tx.CardsBy("TID", "guardian")), {"c4"}},
				"a child applies for none": {keys(tx.CardsBy("TID", "child")), nil},
				"applied for, of a kind":   {keys(tx.CardsBy("X", "guardian")), nil},
				"in a state, oldest first": {keys(tx.CardsIn(wire.CardWaiting, 9)), {"c3", "c2"}},
				"no more than asked for":   {keys(tx.CardsIn(wire.CardWaiting, 1)), {"c3"}},
				"erased is not kept":       {keys(tx.CardsKept(wire.CardIssued, moment.AddDate(1, 0, 0), 9)), nil},
				"kept, the stalest first":  {keys(tx.CardsKept(wire.CardWaiting, moment.AddDate(1, 0, 0), 9)), {"c3", "c2"}},
				"changed since":            {keys(tx.CardsKept(wire.CardWaiting, moment, 9)), {"c3"}},
			} {
				if !reflect.DeepEqual(got[0], got[1]) {
					t.Errorf("%s: %v, want %v", what, got[0], got[1])
				}
			}
			if all, err := tx.CardsAmong([]string{"c3", "none", "c1"}); err != nil || len(all) != 2 {
				t.Errorf("%v %v", all, err)
			}
			waits, err := tx.CardWaits(9)
			if err != nil || !reflect.DeepEqual(waits, []time.Duration{2 * time.Minute, time.Minute}) {
				t.Errorf("%v %v", waits, err)
			}
			return nil
		})
	})

	t.Run("secrets", func(t *testing.T) {
		sealed := bytes.Repeat([]byte{0, 0xff, 7}, 40_000)
		update(t, a, func(tx Tx) error {
			return errors.Join(tx.PutCardSecret("c1", "photo", []byte("old")), tx.PutCardSecret("c1", "photo", sealed), tx.PutCardSecret("c1", "ink", []byte{1}))
		})
		view(t, b, func(tx Tx) error {
			if got, err := tx.CardSecret("c1", "photo"); err != nil || !bytes.Equal(got, sealed) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			return nil
		})
		update(t, b, func(tx Tx) error {
			return errors.Join(tx.DropCardSecret("c1", "photo"), tx.DropCardSecret("none", "photo"))
		})
		view(t, a, func(tx Tx) error {
			if _, err := tx.CardSecret("c1", "photo"); !errors.Is(err, ErrNoRow) {
				t.Errorf("%v", err)
			}
			if got, err := tx.CardSecret("c1", "ink"); err != nil || !bytes.Equal(got, []byte{1}) {
				t.Errorf("%v %v", got, err)
			}
			return nil
		})
	})

	t.Run("a blank is one case's", func(t *testing.T) {
		p := PermitRow{Kind: "card", Blank: "B1", Card: "c1", ID: "i", Terminal: "T1", Given: moment, Expires: moment.Add(time.Minute), Starts: moment.Add(-time.Hour)}
		update(t, a, func(tx Tx) error { return tx.PutPermit(p) })
		other := p
		other.Card = "c2"
		if err := b.Update(ctx, func(tx Tx) error { return tx.PutPermit(other) }); !errors.Is(err, ErrHeld) {
			t.Errorf("%v", err)
		}
		p.ID, p.Terminal, p.Expires = "j", "T2", moment.Add(time.Hour)
		update(t, b, func(tx Tx) error { return tx.PutPermit(p) })
		other.Kind = "ribbon"
		update(t, b, func(tx Tx) error { return tx.PutPermit(other) })
		view(t, a, func(tx Tx) error {
			if got, err := tx.Permit("card", "B1"); err != nil || got != p {
				t.Errorf("%+v %v", got, err)
			}
			return nil
		})
	})
}
