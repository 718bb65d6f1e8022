package platform

// What every store promises of accounts and sessions.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/staff"
)

func accountSuite(t *testing.T, e anEngine) {
	ctx := context.Background()
	place := e.place(t)
	s := e.open(t, place)
	a := Account{Name: "chen", Role: staff.Clerk, Password: "$argon2id$'; DROP TABLE accounts;--", MustChange: true, Made: moment, MadeBy: "shell:root", Changed: moment}
	b := Account{Name: "bai", Role: staff.Administrator, Password: "p", Off: true, Made: moment, Changed: moment}
	in := Session{Hash: "h1", Account: "chen", Peer: "::1", Made: moment, Seen: moment, Until: moment.Add(time.Hour)}
	other := in
	other.Hash, other.Until = "h2", moment.Add(2*time.Hour)
	update := func(fn func(Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	same := func(what string, got any, err error, want any) {
		t.Helper()
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); err != nil || g != w {
			t.Errorf("%s: %v: %s, want %s", what, err, g, w)
		}
	}
	update(func(tx Tx) error {
		_, e1 := tx.Account("chen")
		_, e2 := tx.Session("h1")
		_, e3 := tx.Hotline("r")
		if !errors.Is(e1, ErrNoRow) || !errors.Is(e2, ErrNoRow) || !errors.Is(e3, ErrNoRow) {
			t.Errorf("%v %v %v", e1, e2, e3)
		}
		return errors.Join(tx.PutAccount(a), tx.PutAccount(b), tx.PutSession(in), tx.PutSession(other),
			tx.PutHotlines([]HotlineRow{{Record: "1", Phone: "13800000001", At: moment}, {Record: "2", LocalNo: "n", At: moment.Add(time.Second)}}))
	})
	if err := s.Update(ctx, func(tx Tx) error { return tx.PutSession(in) }); !errors.Is(err, ErrHeld) {
		t.Errorf("a cookie was given twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = e.open(t, place)
	defer s.Close()
	a.Role, a.MustChange, a.Password = staff.Viewer, false, "q"
	update(func(tx Tx) error {
		all, err := tx.Accounts()
		same("accounts", all, err, []Account{b, {Name: "chen", Role: staff.Clerk, Password: "$argon2id$'; DROP TABLE accounts;--", MustChange: true, Made: moment, MadeBy: "shell:root", Changed: moment}})
		return errors.Join(tx.PutAccount(a), tx.SeenSession("h1", moment.Add(time.Minute)), tx.SeenSession("none", moment))
	})
	in.Seen = moment.Add(time.Minute)
	update(func(tx Tx) error {
		got, err := tx.Account("chen")
		same("account", got, err, a)
		x, err := tx.Session("h1")
		same("session", x, err, in)
		all, err := tx.Hotlines(1)
		same("requests", all, err, []HotlineRow{{Record: "2", LocalNo: "n", At: moment.Add(time.Second)}})
		one, err := tx.Hotline("1")
		same("request", one, err, HotlineRow{Record: "1", Phone: "13800000001", At: moment})
		if _, err := tx.Session("none"); !errors.Is(err, ErrNoRow) {
			t.Errorf("a session that was never begun was seen: %v", err)
		}
		return tx.Sweep(moment.Add(90 * time.Minute))
	})
	update(func(tx Tx) error {
		if _, err := tx.Session("h1"); !errors.Is(err, ErrNoRow) {
			t.Errorf("an ended session was not swept: %v", err)
		}
		x, err := tx.Session("h2")
		same("session", x, err, other)
		return tx.DropSessions("chen")
	})
	update(func(tx Tx) error {
		if _, err := tx.Session("h2"); !errors.Is(err, ErrNoRow) {
			t.Errorf("a session outlived its account's: %v", err)
		}
		for i := range 3 {
			if n, err := tx.Hit("k", moment, moment.Add(time.Hour)); err != nil || n != i+1 {
				t.Errorf("hit %d: %d %v", i, n, err)
			}
		}
		if err := errors.Join(tx.Unhit("k"), tx.Unhit("none"), tx.Forgive("none")); err != nil {
			return err
		}
		if n, err := tx.Hit("k", moment, moment.Add(time.Hour)); err != nil || n != 3 {
			t.Errorf("after one was taken back: %d %v", n, err)
		}
		if err := tx.Forgive("k"); err != nil {
			return err
		}
		n, err := tx.Hit("k", moment, moment.Add(time.Hour))
		if n != 1 {
			t.Errorf("after all were forgiven: %d", n)
		}
		return err
	})
}
