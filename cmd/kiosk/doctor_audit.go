package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
)

// auditCmd is `kiosk doctor audit`.
type auditCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
}

// Run verifies the audit chain of a terminal that is not running: every place, hash, body and signature, and where it ends
// against the head signed last and the platform's acknowledgement.
func (d auditCmd) Run(ctx context.Context, io stdio) error {
	c, err := config.Load(d.Config)
	if err != nil {
		return err
	}
	j, err := openStopped(c)
	if err != nil {
		return err
	}
	defer j.Close()
	// Looking never makes a key.
	if _, err := os.Stat(filepath.Join(c.Terminal.Data, uplink.IdentityFile)); err != nil {
		return fmt.Errorf("no terminal key: %w", err)
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	if err != nil {
		return err
	}
	r, err := auditor{j, id, witnessPath(c), slog.New(slog.DiscardHandler)}.verify(ctx)
	if err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintf(io.out, "bad   %s\n", p)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintln(io.out, "      → keep the data directory as it is and call support; the platform's copy (platform audit verify) tells what is missing")
		return fmt.Errorf("audit chain: %d findings", len(r.Problems))
	}
	last := "never signed"
	if !r.LastHead.IsZero() {
		last = "last signed " + r.LastHead.Local().Format(time.DateTime)
	}
	fmt.Fprintf(io.out, "ok    audit chain whole: epoch %d up to %d, %d entries, %d signed heads, %s\n", r.Epoch, r.Head.Seq, r.Entries, r.Heads, last)
	return nil
}

// openStopped opens the journal of a terminal that is not running, and never makes one.
func openStopped(c config.Config) (*journal.Journal, error) {
	if _, err := os.Stat(journalPath(c)); err != nil {
		return nil, fmt.Errorf("no journal yet: %w", err)
	}
	j, err := journal.Open(journalPath(c), journalOptions(c))
	if errors.Is(err, journal.ErrLocked) {
		return nil, errors.New("the terminal is running and holds its journal; stop it first (systemctl stop budayang)")
	}
	return j, err
}
