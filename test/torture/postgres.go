package main

// A PostgreSQL of the run's own, which dies as the servers do.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/budayang/kiosk/platform/pgtest"
)

// tortureOn runs once over the store that was asked for.
func tortureOn(ctx context.Context, o options, out io.Writer) (n int, err error) {
	switch {
	case o.store == "cluster", o.houses && o.store == "":
		return tortureSite(ctx, o, out)
	case o.store == "postgres":
	default:
		return torture(ctx, o, out)
	}
	h := &host{}
	defer func() {
		if failed, is := recover().(hostError); is {
			err = errors.Join(err, failed.error)
		}
		for i := len(h.after) - 1; i >= 0; i-- {
			h.after[i]()
		}
	}()
	pg := pgtest.Start(h)
	if err := os.Setenv("PGPASSFILE", pg.PassFile()); err != nil {
		return 0, err
	}
	o.store = pg.Address(pg.Create(h))
	o.outage = func() { pg.Kill(h); pg.Resume(h) }
	return torture(ctx, o, out)
}

// host lets a program use what is made for tests: what would fail a test ends the run.
type host struct {
	testing.TB
	after []func()
}

type hostError struct{ error }

func (h *host) Helper()          {}
func (h *host) Cleanup(f func()) { h.after = append(h.after, f) }
func (h *host) Fatal(a ...any)   { panic(hostError{errors.New(fmt.Sprint(a...))}) }
func (h *host) Skip(a ...any)    { h.Fatal(a...) }
func (h *host) Fatalf(format string, a ...any) {
	panic(hostError{fmt.Errorf(format, a...)})
}
func (h *host) Errorf(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }
