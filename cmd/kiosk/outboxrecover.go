package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
)

// outboxRecoverCmd is `kiosk outbox recover`.
type outboxRecoverCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
	JSON   bool   `help:"Print JSON."`
	Force  bool   `help:"Also replace a database that opens and verifies."`
}

// Run makes the journal anew from its spill. A journal that opens is left alone: there is nothing to recover.
func (o outboxRecoverCmd) Run(ctx context.Context, io stdio) error {
	c, err := config.Load(o.Config)
	if err != nil {
		return err
	}
	path, opt := journalPath(c), journalOptions(c)
	if !there(path) && !there(path+journal.SpillSuffix) {
		return errors.New("no journal yet: there is nothing to recover")
	}
	if !o.Force && there(path) {
		sound, err := opens(ctx, path, opt)
		if err != nil {
			return err
		}
		if sound {
			fmt.Fprintln(io.out, "the journal is sound; nothing was changed")
			return nil
		}
	}
	r, err := journal.Recover(ctx, path, opt)
	if errors.Is(err, journal.ErrLocked) {
		return errors.New("the terminal is running and holds its journal; stop it first (systemctl stop budayang)")
	}
	if err != nil {
		return err
	}
	if o.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(io.out, "recovered %d cases, %d records wait for the platform\n", r.Cases, r.Waiting)
	fmt.Fprintf(io.out, "the last thing found was written at %s\n", r.Last.Local().Format("2006-01-02 15:04:05"))
	for _, k := range r.Kept {
		fmt.Fprintln(io.out, "kept", k)
	}
	if r.Whole {
		fmt.Fprintln(io.out, "nothing points to a loss")
		return nil
	}
	fmt.Fprintln(io.out, "SOMETHING WAS LOST:")
	if len(r.Missing) > 0 {
		fmt.Fprintf(io.out, "  changes %v are missing\n", r.Missing)
	}
	if r.Behind {
		fmt.Fprintln(io.out, "  the database had gone on after the spill's last change")
	}
	if r.Torn {
		fmt.Fprintln(io.out, "  a part of the spill cannot be read")
	}
	if r.Dropped > 0 {
		fmt.Fprintf(io.out, "  %d entries could not be used\n", r.Dropped)
	}
	for id, n := range r.Damaged {
		fmt.Fprintf(io.out, "  case %s: %d entries could not be used\n", id, n)
	}
	for _, l := range r.Lost {
		if l.To == 0 {
			fmt.Fprintf(io.out, "  lane %s, epoch %d: whatever was written from %d on\n", l.Lane, l.Epoch, l.From)
		} else {
			fmt.Fprintf(io.out, "  lane %s, epoch %d: records %d to %d\n", l.Lane, l.Epoch, l.From, l.To)
		}
	}
	fmt.Fprintln(io.out, "the platform is told; compare the slips of that day with its list, and replace this disk")
	return nil
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// opens says whether the journal opens and verifies; an error is one that recovering would not mend.
func opens(ctx context.Context, path string, opt journal.Options) (bool, error) {
	j, err := journal.Open(path, opt)
	switch {
	case errors.Is(err, journal.ErrDamaged):
		return false, nil
	case errors.Is(err, journal.ErrLocked):
		return false, errors.New("the terminal is running and holds its journal; stop it first (systemctl stop budayang)")
	case err != nil:
		return false, err
	}
	defer j.Close()
	r, err := j.Verify(ctx)
	return err == nil && len(r.Problems) == 0, err
}
