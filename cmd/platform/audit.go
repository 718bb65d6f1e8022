package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/platform"
)

// auditCmd is `platform audit`.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Verify the audit chains of all terminals, and the daily roots over them, as they lie in the store."`
	Roots  auditRootsCmd  `cmd:"" help:"Print the daily roots over all audit chains, to be kept elsewhere."`
}

// auditRootsCmd is `platform audit roots`.
type auditRootsCmd struct {
	theStore
	Last int `default:"31" help:"How many days."`
}

// Run prints one line a day.
func (c auditRootsCmd) Run(ctx context.Context, io stdio) error {
	store, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := platform.AuditRoots(ctx, store, min(max(1, c.Last), 3660))
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	for _, r := range all {
		fmt.Fprintln(io.out, r.Line())
	}
	return nil
}

// auditVerifyCmd is `platform audit verify`.
type auditVerifyCmd struct{ data }

// Run walks every chain: places, hashes, bodies, the terminals' signatures and our own acknowledgements. It may run beside
// the server.
func (c auditVerifyCmd) Run(ctx context.Context, io stdio) error {
	keys, err := platform.SigningKeys(c.Data)
	if err != nil {
		return err
	}
	store, err := theStore{Data: c.Data, place: c.place}.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	all, err := platform.VerifyAudit(ctx, store, keys)
	if err != nil {
		return err
	}
	wrong := 0
	for _, a := range all {
		last := "never signed"
		if !a.LastHead.IsZero() {
			last = "last signed " + a.LastHead.Local().Format(time.DateTime)
		}
		grade := "ok   "
		if len(a.Problems) > 0 {
			grade = "bad  "
		}
		fmt.Fprintf(io.out, "%s %s: %d entries in %d epochs, %d signed heads, %s\n", grade, a.Terminal, a.Entries, a.Epochs, a.Heads, last)
		for _, p := range a.Problems {
			fmt.Fprintf(io.out, "      %s\n", p)
			wrong++
		}
	}
	days, problems, err := platform.VerifyAuditRoots(ctx, store, keys)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintf(io.out, "bad   %s\n", p)
	}
	wrong += len(problems)
	fmt.Fprintf(io.out, "%d terminals, %d daily roots, %d findings\n", len(all), days, wrong)
	if wrong > 0 {
		return fmt.Errorf("audit chains: %d findings", wrong)
	}
	return nil
}
