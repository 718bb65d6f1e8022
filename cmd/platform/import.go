package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/platform"
)

// importCmd is `platform import`.
type importCmd struct {
	data
	Files []string `arg:"" help:"Batch files that terminals exported." type:"path"`
	Acks  string   `help:"Directory for the ack files; default beside each batch file." type:"path"`
}

// Run takes the files and writes for each NAME.ack, to be carried back. A file that is refused does not hold up the others.
func (c importCmd) Run(ctx context.Context, io stdio) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var failed []error
	for _, path := range c.Files {
		if err := c.one(ctx, s, path, io); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(failed...)
}

func (c importCmd) one(ctx context.Context, s *platform.Server, path string, io stdio) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	var ack bytes.Buffer
	r, err := s.Import(ctx, in, &ack)
	if err != nil {
		return err
	}
	to := strings.TrimSuffix(path, filepath.Ext(path)) + ".ack"
	if c.Acks != "" {
		to = filepath.Join(c.Acks, filepath.Base(to))
	}
	if err := os.WriteFile(to, ack.Bytes(), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s: terminal %s, file %d: %d accepted, %d held already, %d quarantined, %d blobs; ack in %s\n",
		filepath.Base(path), r.Terminal, r.No, r.Accepted, r.Duplicate, r.Quarantined, r.Blobs, to)
	for _, lane := range r.Gap {
		fmt.Fprintf(io.out, "  lane %s: records before this file are missing here; the ack asks for them\n", lane)
	}
	if r.Kept > 0 {
		fmt.Fprintf(io.out, "  %d of the accepted do not continue what is held here: kept, for the file may be their only copy\n", r.Kept)
	}
	if r.Fork {
		fmt.Fprintln(io.out, "  the terminal's history differs from ours (a disk restored or cloned?); the ack orders a new epoch")
	}
	if r.Outdated {
		fmt.Fprintln(io.out, "  written before the terminal began its present epoch; it moves no lane")
	}
	return nil
}
