package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// salvageCmd is `platform salvage`.
type salvageCmd struct {
	operator
	File string `arg:"" help:"What kiosk outbox salvage wrote." type:"path"`
}

// Run takes what a lost board had not delivered.
func (c salvageCmd) Run(ctx context.Context, io stdio) (err error) {
	in, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	s, by, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r, err := s.Salvage(ctx, in, by)
	if r.Terminal == "" {
		return err // nothing was read
	}
	fmt.Fprintf(io.out, "terminal %s: %d accepted, %d held already, %d quarantined\n", r.Terminal, r.Accepted, r.Duplicate, r.Quarantined)
	for _, lane := range r.Gap {
		fmt.Fprintf(io.out, "  lane %s: records before these are missing, or it has gone on in another epoch; these were kept\n", lane)
	}
	if r.Unopened > 0 {
		err = errors.Join(err, fmt.Errorf("%d records do not open with this platform's seal.key", r.Unopened))
	}
	return err
}
