package main

import (
	"encoding/json"
	"errors"
	"os"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// outboxSalvageCmd is `kiosk outbox salvage`.
type outboxSalvageCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	Out    string `required:""`
}

// Run writes what waits for the platform into a file that only the platform can open. It needs neither journal.key nor the
// board that the journal was written on, and changes nothing.
func (o outboxSalvageCmd) Run(io stdio) error {
	c, err := config.Load(o.Config)
	if err != nil {
		return err
	}
	return outboxSalvage(io, journalPath(c), o.Out)
}

// outboxSalvage writes what waits in a journal, each record sealed to the platform.
func outboxSalvage(io stdio, path, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n := 0
	lines := json.NewEncoder(f)
	left, err := journal.Salvage(path, func(r wire.SealedRecord) error {
		n++
		return lines.Encode(r)
	})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(to)
		return err
	}
	io.tell("salvage.done", "count", n, "file", to)
	if left > 0 {
		return refuse("salvage.left", "count", left)
	}
	return nil
}
