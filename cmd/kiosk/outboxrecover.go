package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
)

// outboxRecoverCmd is `kiosk outbox recover`.
type outboxRecoverCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	JSON   bool
	Force  bool
}

// Run makes the journal anew from its spill. A journal that opens is left alone: there is nothing to recover.
func (o outboxRecoverCmd) Run(ctx context.Context, io stdio) error {
	c, err := config.Load(o.Config)
	if err != nil {
		return err
	}
	path, opt := journalPath(c), journalOptions(c)
	if !there(path) && !there(path+journal.SpillSuffix) {
		return refuse("recover.nothing")
	}
	if !o.Force && there(path) {
		sound, err := opens(ctx, path, opt)
		if err != nil {
			return err
		}
		if sound {
			io.tell("recover.sound")
			return nil
		}
	}
	r, err := journal.Recover(ctx, path, opt)
	if errors.Is(err, journal.ErrLocked) {
		return refuse("running")
	}
	if err != nil {
		return err
	}
	if o.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	io.tell("recover.done", "cases", r.Cases, "records", r.Waiting)
	io.tell("recover.last", "time", r.Last.Local().Format(time.DateTime))
	for _, k := range r.Kept {
		io.tell("recover.kept", "file", k)
	}
	if r.Whole {
		io.tell("recover.whole")
		return nil
	}
	io.tell("recover.lost")
	if len(r.Missing) > 0 {
		io.tell("recover.missing", "changes", r.Missing)
	}
	if r.Behind {
		io.tell("recover.behind")
	}
	if r.Torn {
		io.tell("recover.torn")
	}
	if r.Dropped > 0 {
		io.tell("recover.dropped", "count", r.Dropped)
	}
	for id, n := range r.Damaged {
		io.tell("recover.damaged", "case", id, "count", n)
	}
	for _, l := range r.Lost {
		if l.To == 0 {
			io.tell("recover.from", "lane", l.Lane, "epoch", l.Epoch, "from", l.From)
		} else {
			io.tell("recover.range", "lane", l.Lane, "epoch", l.Epoch, "from", l.From, "to", l.To)
		}
	}
	io.tell("recover.then")
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
		return false, refuse("running")
	case err != nil:
		return false, err
	}
	defer j.Close()
	r, err := j.Verify(ctx)
	return err == nil && len(r.Problems) == 0, err
}
