package platform

// PostgreSQL behind the store's port.

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/budayang/kiosk/platform/pgtest"
)

// anEngine is a kind of store that tests run over. open with the same place opens the same store.
type anEngine struct {
	name  string
	place func(t testing.TB) string
	open  func(t testing.TB, place string) Store
}

// engines are both kinds; PostgreSQL is started once for the caller's subtests.
func engines(t testing.TB) []anEngine {
	lite := anEngine{"sqlite", func(t testing.TB) string { return filepath.Join(t.TempDir(), "a?b #store.db") },
		func(t testing.TB, place string) Store { return opened(t, OpenSQLite, place) }}
	// Every store is a copy of one whose tables are made: hundreds of them make the tests slow.
	var c *pgtest.Cluster
	ready := sync.OnceValue(func() string {
		c = pgtest.Start(t)
		name := c.Create(t)
		if err := opened(t, OpenPostgres, c.URL(name)).Close(); err != nil {
			t.Fatal(err)
		}
		return name
	})
	pg := anEngine{"postgres", func(t testing.TB) string {
		pgtest.Need(t)
		like := ready()
		return c.URL(c.Copy(t, like))
	},
		func(t testing.TB, place string) Store { return opened(t, OpenPostgres, place) }}
	return []anEngine{lite, pg}
}

func opened(t testing.TB, open func(context.Context, string) (Store, error), place string) Store {
	t.Helper()
	s, err := open(context.Background(), place)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// storeOfTests is what newServer stands on; nil is the embedded store.
var storeOfTests func(testing.TB) Store

// The whole contract with terminals once more, over PostgreSQL.
func TestContractOverPostgres(t *testing.T) {
	c := pgtest.Start(t)
	storeOfTests = func(t testing.TB) Store { return opened(t, OpenPostgres, c.Database(t)) }
	defer func() { storeOfTests = nil }()
	t.Run("answers", TestAnswersAreAsDescribed)
	t.Run("hostile", TestHostileRequests)
	t.Run("once", TestPushIsExactlyOnce)
	t.Run("codes", TestCodesLetInOnce)
	t.Run("certificates", TestOnlyTheOwnCertificateComesIn)
	t.Run("rotation", TestRotation)
	t.Run("another terminal", TestNothingOfAnotherTerminal)
	t.Run("refusals", TestRefusalsAreSummedUp)
	t.Run("seen once", TestARequestIsSeenOnce)
	t.Run("telemetry", TestTelemetryIsTakenAndItsLossCounted)
	t.Run("cards", TestACardFromApplyingToTaken)
	t.Run("cards that end", TestACaseThatEndsEndsItsApplication)
	t.Run("two people", TestTwoPeopleSayWhatBecameOfABlank)
	t.Run("many second people", TestOneOfManySecondsDecides)
	t.Run("signing in", TestSigningIn)
	t.Run("sessions", TestSessionsEnd)
	t.Run("roles", TestRolesAtThePages)
	t.Run("intruders at the pages", TestIntrudersAtThePages)
}

func TestPasswordsStayOutOfAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"postgres://u@h/db":                        false,
		"postgres://u:s3cret@h/db":                 true,
		"postgresql://u:s3cret@h:5432/db":          true,
		"postgres://h/db?user=u&password=s3cret":   true,
		"host=h user=u PASSWORD=s3cret":            true,
		"host=h user=u passfile=/etc/b.pgpass":     false,
		"postgres://u@[::1]:5432/db?passfile=/a:b": false,
	} {
		if got := passwordIn(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
		if want {
			if _, err := OpenPostgres(t.Context(), address); err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}

func TestPostgresThatDoesNotSyncIsRefused(t *testing.T) {
	c := pgtest.Start(t, "fsync=off")
	if _, err := OpenPostgres(t.Context(), c.Database(t)); err == nil || !strings.Contains(err.Error(), "fsync") {
		t.Errorf("%v", err)
	}
}

func TestServersThatStartTogetherShareOneSchema(t *testing.T) {
	c := pgtest.Start(t)
	place := c.Database(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := OpenPostgres(context.Background(), place)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Update(context.Background(), func(tx Tx) error { _, err := tx.Next("n"); return err }); err != nil {
				t.Error(err)
			}
			_ = s.Close()
		})
	}
	wg.Wait()
	s := opened(t, OpenPostgres, place)
	defer s.Close()
	if err := s.Update(t.Context(), func(tx Tx) error {
		n, err := tx.Next("n")
		if n != 5 {
			t.Errorf("counted to %d", n)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestPostgresDies(t *testing.T) {
	c := pgtest.Start(t)
	s := opened(t, OpenPostgres, c.Database(t))
	defer s.Close()
	count := func(ctx context.Context) (n uint64, err error) {
		err = s.Update(ctx, func(tx Tx) (err error) { n, err = tx.Next("n"); return err })
		return n, err
	}
	if n, err := count(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	c.Kill(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := count(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	// The change is asked for while nobody answers, and passes once the server is back.
	got := make(chan error, 1)
	var n uint64
	go func() {
		var err error
		for range 20 { // each try of the store has its own bound
			if n, err = count(context.Background()); !errors.Is(err, ErrUnreachable) {
				break
			}
		}
		got <- err
	}()
	c.Resume(t)
	if err := <-got; err != nil || n != 2 {
		t.Errorf("after the restart: %d, %v", n, err)
	}
}
