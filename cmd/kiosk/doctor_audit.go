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
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
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
		return refuseBy(err, "audit.no-key")
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
		fmt.Fprintf(io.out, "bad   %s\n", io.word(chainFinding(p)))
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(io.out, "      → %s\n", io.say("audit.keep"))
		return refuse("audit.findings", "count", len(r.Problems))
	}
	last := io.say("audit.never-signed")
	if !r.LastHead.IsZero() {
		last = io.say("audit.last-signed", "time", r.LastHead.Local().Format(time.DateTime))
	}
	fmt.Fprintf(io.out, "ok    %s\n", io.say("audit.whole", "epoch", r.Epoch, "end", r.Head.Seq, "entries", r.Entries, "heads", r.Heads, "last", last))
	return nil
}

// openStopped opens the journal of a terminal that is not running, and never makes one.
func openStopped(c config.Config) (*journal.Journal, error) {
	if _, err := os.Stat(journalPath(c)); err != nil {
		return nil, refuseBy(err, "no-journal")
	}
	j, err := journal.Open(journalPath(c), journalOptions(c))
	if errors.Is(err, journal.ErrLocked) {
		return nil, refuse("running")
	}
	return j, err
}
