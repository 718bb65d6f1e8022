package platform

// What every store promises of identities.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func identitySuite(t *testing.T, e anEngine) {
	ctx := context.Background()
	place := e.place(t)
	s := e.open(t, place)
	code := EnrolCode{Terminal: "T1", Key: []byte{0, 255}, Made: moment, Until: moment.Add(time.Hour), Tries: 3, Who: "陈"}
	st := Standing{Terminal: "T1", State: Active, Profile: wire.SM2, Since: moment, Who: "陈", Why: "'; DROP TABLE standings;--"}
	first := CertificateRow{Fingerprint: "f1", Terminal: "T1", Keys: "k", From: moment, Until: moment.Add(time.Hour)}
	second := CertificateRow{Fingerprint: "f2", Terminal: "T1", Keys: "k", From: moment.Add(time.Minute), Until: moment.Add(2 * time.Hour)}
	ev := func(n int) SecurityEvent {
		return SecurityEvent{ID: fmt.Sprintf("e%03d", n), At: moment, Event: "refused", Terminal: "T1", Peer: "::1", Code: "E-CERT", Route: "POST /v1/hello", Who: "w", Why: "y", Count: n}
	}
	view := func(fn func(Tx) error) {
		t.Helper()
		if err := s.View(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
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
	view(func(tx Tx) error {
		_, e1 := tx.EnrolCode("T1")
		_, e2 := tx.Standing("T1")
		_, e3 := tx.Certificate("f1")
		all, e4 := tx.Certificates("T1")
		events, e5 := tx.SecurityEvents(10)
		if !errors.Is(e1, ErrNoRow) || !errors.Is(e2, ErrNoRow) || !errors.Is(e3, ErrNoRow) || e4 != nil || e5 != nil || len(all)+len(events) != 0 {
			t.Errorf("%v %v %v %v %v", e1, e2, e3, e4, e5)
		}
		return nil
	})
	update(func(tx Tx) error {
		return errors.Join(tx.PutEnrolCode(code), tx.PutStanding(st), tx.PutCertificate(second), tx.PutCertificate(first),
			tx.AddSecurityEvent(ev(1)), tx.AddSecurityEvent(ev(2)), tx.AddSecurityEvent(ev(3)))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = e.open(t, place)
	defer s.Close()
	view(func(tx Tx) error {
		gotCode, err := tx.EnrolCode("T1")
		same("code", gotCode, err, code)
		gotSt, err := tx.Standing("T1")
		st.NextKey = []byte{}
		same("standing", gotSt, err, st)
		c, err := tx.Certificate("f2")
		same("certificate", c, err, second)
		all, err := tx.Certificates("T1")
		same("certificates", all, err, []CertificateRow{first, second})
		events, err := tx.SecurityEvents(2)
		same("events", events, err, []SecurityEvent{ev(3), ev(2)})
		return nil
	})
	// Events are forgotten by age and by number, refusals apart from others.
	other := func(n int, at time.Time) SecurityEvent {
		e := ev(n)
		e.Event, e.At = "terminal.enrolled", at
		return e
	}
	update(func(tx Tx) error {
		return errors.Join(tx.AddSecurityEvent(other(4, moment.Add(-time.Hour))), tx.AddSecurityEvent(other(5, moment)), tx.AddSecurityEvent(other(6, moment)))
	})
	view(func(tx Tx) error {
		refusals, others, err := tx.CountSecurityEvents()
		same("counts", []int{refusals, others}, err, []int{3, 3})
		return nil
	})
	for _, drop := range []struct {
		before           time.Time
		refusals, others int
		gone             int
		left             []SecurityEvent
	}{
		{moment.Add(-2 * time.Hour), 0, 0, 0, []SecurityEvent{other(6, moment), other(5, moment), other(4, moment.Add(-time.Hour)), ev(3), ev(2), ev(1)}},
		{moment, 2, 0, 3, []SecurityEvent{other(6, moment), other(5, moment), ev(3)}},
		{moment, 0, 1, 1, []SecurityEvent{other(6, moment), ev(3)}},
	} {
		gone := 0
		update(func(tx Tx) (err error) {
			gone, err = tx.DropSecurityEvents(drop.before, drop.refusals, drop.others)
			return err
		})
		view(func(tx Tx) error {
			events, err := tx.SecurityEvents(10)
			same("events left", events, err, drop.left)
			return nil
		})
		if gone != drop.gone {
			t.Errorf("%d went, want %d", gone, drop.gone)
		}
	}
	code.Tries, code.UsedBy, code.Key = 0, "k", []byte{1}
	st.State, st.NextKey, st.NextProfile, st.NextCert = Revoked, []byte{7}, wire.SM2, "f2"
	first.Withdrawn, first.Why = moment, "rotated"
	update(func(tx Tx) error {
		return errors.Join(tx.PutEnrolCode(code), tx.PutStanding(st), tx.PutCertificate(first))
	})
	view(func(tx Tx) error {
		gotCode, err := tx.EnrolCode("T1")
		same("code", gotCode, err, code)
		gotSt, err := tx.Standing("T1")
		same("standing", gotSt, err, st)
		c, err := tx.Certificate("f1")
		same("certificate", c, err, first)
		return nil
	})
}

// A server and operators' commands open a new store at the same time.
func TestStoreIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.db")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := OpenSQLite(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Update(context.Background(), func(tx Tx) error { return tx.PutSetting("a", "b") }); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
