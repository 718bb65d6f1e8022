package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform"
)

// backupCmd is `platform backup`.
type backupCmd struct {
	Make     backupMakeCmd     `cmd:"" help:"Copy the embedded store into a file."`
	Announce backupAnnounceCmd `cmd:"" help:"Tell terminals what a backup holds, after reading it back; they then forget their last copies."`
}

// backupMakeCmd is `platform backup make`.
type backupMakeCmd struct {
	Data string `required:"" help:"The platform's data directory." type:"path"`
	To   string `arg:"" help:"File to write; it must not exist." type:"path"`
}

// Run copies the store as of one moment, beside a running server.
func (c backupMakeCmd) Run(ctx context.Context, io stdio) (err error) {
	store, err := theStore{Data: c.Data}.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := platform.BackUp(ctx, store, c.To); err != nil {
		return err
	}
	st, err := os.Stat(c.To)
	if err == nil {
		fmt.Fprintf(io.out, "%s: %d bytes; the keys and blobs in %s are to be kept as well\n", filepath.Base(c.To), st.Size(), c.Data)
	}
	return err
}

// backupAnnounceCmd is `platform backup announce`.
type backupAnnounceCmd struct {
	data
	Backup string `arg:"" help:"The backup, read back: a file that platform backup make wrote, or the address of a PostgreSQL into which it was restored."`
}

// Run compares the backup with the store and tells every terminal how far it reaches.
func (c backupAnnounceCmd) Run(ctx context.Context, io stdio) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var backup platform.Store
	if strings.HasPrefix(c.Backup, "postgres://") || strings.HasPrefix(c.Backup, "postgresql://") {
		backup, err = platform.OpenPostgres(ctx, c.Backup)
	} else {
		backup, err = platform.OpenSQLiteBackup(ctx, c.Backup)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	r, err := s.AnnounceBackup(ctx, backup, shell())
	if err != nil {
		return err
	}
	upTo := "nothing that came from terminals"
	if !r.Taken.IsZero() {
		upTo = "what came until " + r.Taken.Local().Format(time.DateTime)
	}
	fmt.Fprintf(io.out, "the backup holds %s; %d of %d terminals told\n", upTo, r.Told, r.Terminals)
	for _, d := range r.Differs {
		fmt.Fprintf(io.out, "  %s: not the history that is held; nothing was told of it\n", d)
	}
	if len(r.Differs) > 0 {
		return fmt.Errorf("%d lanes differ from the backup", len(r.Differs))
	}
	return nil
}
