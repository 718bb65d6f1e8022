package main

import (
	"context"
	"fmt"
	"time"

	"github.com/budayang/kiosk/platform"
)

// auditCmd is `platform audit`.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Verify the audit chains of all terminals as they lie in the store."`
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
	fmt.Fprintf(io.out, "%d terminals, %d findings\n", len(all), wrong)
	if wrong > 0 {
		return fmt.Errorf("audit chains: %d findings", wrong)
	}
	return nil
}
