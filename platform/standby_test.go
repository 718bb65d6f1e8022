package platform

// PostgreSQL with a standby: what is acknowledged is there when the primary is gone.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/sync/wire"
)

// serverOver is a platform with an enrolled terminal.
func serverOver(t *testing.T, place string) (*Server, *peer) {
	t.Helper()
	storeOfTests = func(t testing.TB) Store { return opened(t, OpenPostgres, place) }
	defer func() { storeOfTests = nil }()
	s, _ := newServer(t)
	return s, enrolled(t, s, "990000-0001")
}

// disturbed does something while an operator ends every wait for the standby: other parts of the server wait too.
func disturbed[T any](t *testing.T, place, how string, do func() T) T {
	t.Helper()
	done := make(chan T, 1)
	go func() { done <- do() }()
	for {
		operator(t, place, `SELECT true FROM (`+how+`) x`)
		select {
		case got := <-done:
			return got
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// operator asks the database by itself, until the answer is yes.
func operator(t *testing.T, place, question string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var yes bool
		if err := conn.QueryRow(t.Context(), question).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		if yes {
			return
		}
	}
	t.Fatalf("never: %s", question)
}

const (
	waitIsCancelled  = `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
	waitIsTerminated = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
	// A standby that was killed may confirm what it got before; the primary has to have noticed.
	standbyIsGone  = `SELECT count(*) = 0 FROM pg_stat_replication`
	standbyIsThere = `SELECT COALESCE(bool_or(sync_state = 'sync'), false) FROM pg_stat_replication`
)

func ackOf(t *testing.T, w *httptest.ResponseRecorder) (a wire.Ack) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &a); w.Code != 200 || err != nil {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	return a
}

func TestWhatNoStandbyConfirmedIsNotAcknowledged(t *testing.T) {
	c := pgtest.Start(t, "synchronous_standby_names=b")
	b := c.Standby(t, "b")
	place := c.Database(t)
	s, p := serverOver(t, place)
	id := uuid.NewString()
	first := p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: time.Now()}))
	if a := ackOf(t, p.do("POST", wire.PathPush, first)); a.High != 1 {
		t.Fatalf("%+v", a)
	}

	b.Kill(t)
	operator(t, place, standbyIsGone)
	second := p.batch(p.record(wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: time.Now()}))
	for _, how := range []string{waitIsCancelled, waitIsTerminated} {
		if err := disturbed(t, place, how, func() error { _, err := s.apply(context.Background(), second); return err }); !errors.Is(err, ErrInDoubt) {
			t.Fatalf("%s: %v", how, err)
		}
	}
	// The change is there to be seen, on one disk; a terminal that sends the batch again hears nothing good of it.
	var row LaneRow
	if err := s.store.View(t.Context(), func(tx Tx) (err error) { row, err = tx.Lane(p.id, wire.LaneTx); return err }); err != nil || row.Seq != 2 {
		t.Errorf("%+v %v", row, err)
	}
	push := func() *httptest.ResponseRecorder { return p.do("POST", wire.PathPush, second) }
	if w := disturbed(t, place, waitIsCancelled, push); w.Code != 503 || code(w) != "E-BUSY" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}

	b.Resume(t)
	operator(t, place, standbyIsThere)
	for range 2 {
		if a := ackOf(t, p.do("POST", wire.PathPush, second)); a.High != 2 || a.Outcomes[0].Status != wire.Duplicate {
			t.Errorf("%+v", a)
		}
	}
	c.Kill(t)
	b.Promote(t)
	conn, err := pgx.Connect(t.Context(), strings.ReplaceAll(place, c.Dir, b.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var records, closed int
	if err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM cases WHERE state = 'CLOSED' AND times = 1)`).Scan(&records, &closed); err != nil || records != 2 || closed != 1 {
		t.Errorf("the standby has %d records, %d closed cases: %v", records, closed, err)
	}
}

// A claim of which nobody knows whether it was made is given back; that may be in doubt as well, but is made all the same.
func TestAClaimInDoubtIsGivenBack(t *testing.T) {
	c := pgtest.Start(t, "synchronous_standby_names=b")
	b := c.Standby(t, "b")
	place := c.Database(t)
	s, _ := serverOver(t, place)
	b.Kill(t)
	operator(t, place, standbyIsGone)
	claim := func() error { _, _, err := s.claim(context.Background(), "document k"); return err }
	if err := disturbed(t, place, waitIsCancelled, claim); !errors.Is(err, ErrInDoubt) {
		t.Fatal(err)
	}
	b.Resume(t)
	ok, release, err := s.claim(t.Context(), "document k")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	release()
}

// A balancer that is late leads to the standby: nothing is asked of it, and after the promotion everything goes on.
func TestFailover(t *testing.T) {
	c := pgtest.Start(t, "synchronous_standby_names=b")
	b := c.Standby(t, "b")
	door := filepath.Join(t.TempDir(), "door")
	lead := func(to *pgtest.Cluster) {
		t.Helper()
		_ = os.Remove(door)
		if err := os.Symlink(to.Dir, door); err != nil {
			t.Fatal(err)
		}
	}
	lead(c)
	s, p := serverOver(t, strings.Replace(c.Database(t), "host="+c.Dir, "host="+door, 1))
	id := uuid.NewString()
	first := p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: time.Now()}))
	if a := ackOf(t, p.do("POST", wire.PathPush, first)); a.High != 1 {
		t.Fatalf("%+v", a)
	}
	c.Kill(t)
	lead(b)
	second := p.batch(p.record(wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: time.Now()}))
	if w := p.do("POST", wire.PathPush, second); w.Code != 503 || code(w) != "E-BUSY" || w.Header().Get("Retry-After") == "" {
		t.Errorf("from a standby: %d %s", w.Code, w.Body)
	}
	b.Promote(t)
	for i, batch := range []wire.Batch{first, second} {
		if a := ackOf(t, p.do("POST", wire.PathPush, batch)); a.High != uint64(i+1) {
			t.Errorf("%+v", a)
		}
	}
	all, err := s.Cases(t.Context(), 10)
	if err != nil || len(all) != 1 || all[0].Times != 1 || all[0].State != "CLOSED" {
		t.Errorf("%+v %v", all, err)
	}
}

func TestASessionThatOnlyReadsIsLeft(t *testing.T) {
	c := pgtest.Start(t)
	place := c.Database(t)
	s := opened(t, OpenPostgres, place)
	defer s.Close()
	var counted []uint64
	count := func() error {
		var n uint64
		err := s.Update(context.Background(), func(tx Tx) (err error) { n, err = tx.Next("n"); return err })
		counted = append(counted, n)
		return err
	}
	if err := count(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	tell := func(q string) {
		t.Helper()
		for _, q := range []string{q, `SELECT pg_reload_conf()`} {
			if _, err := conn.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	tell(`ALTER SYSTEM SET default_transaction_read_only = on`)
	operator(t, place, `SELECT current_setting('transaction_read_only') = 'on'`)
	done := make(chan error, 1)
	go func() { done <- count() }()
	time.Sleep(500 * time.Millisecond)
	tell(`ALTER SYSTEM RESET default_transaction_read_only`)
	if err := <-done; err != nil || !slices.Equal(counted, []uint64{1, 2}) {
		t.Errorf("%v %v", counted, err)
	}
	// Sessions that are ended from outside, as at a shutdown (57P01), are opened anew.
	operator(t, place, `SELECT bool_and(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if err := count(); err != nil || counted[2] != 3 {
		t.Errorf("%v %v", counted, err)
	}
}

func TestAStandbyIsNoStore(t *testing.T) {
	c := pgtest.Start(t)
	b := c.Standby(t, "b")
	if s, err := OpenPostgres(t.Context(), strings.ReplaceAll(c.URL("postgres"), c.Dir, b.Dir)); !errors.Is(err, errReadOnly) {
		t.Errorf("%v", err)
		if s != nil {
			_ = s.Close()
		}
	}
}
