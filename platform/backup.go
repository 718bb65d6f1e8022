package platform

// Backups: reading one back, comparing it with what is held, and telling terminals how far it reaches. Only then do they
// forget the last copies of what they were told was acknowledged.

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// ErrBackup: a backup is none of this platform's, or cannot be read back. No terminal was told anything.
var ErrBackup = errors.New("backup refused")

// OpenSQLiteBackup opens a copy of the embedded store to be read and nothing else, after SQLite has looked through its pages.
func OpenSQLiteBackup(ctx context.Context, path string) (Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("?", "%3f", "#", "%23").Replace(path)+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	db.SetMaxOpenConns(1)
	var sound string
	if err = db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&sound); err == nil && sound != "ok" {
		err = errors.New(sound)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrBackup, path, err)
	}
	return &sqliteStore{db}, nil
}

// BackUp writes a copy of the embedded store, as of one moment, into a file that must not exist. It may run beside a server.
// Keys and blobs lie in files of their own.
func BackUp(ctx context.Context, store Store, path string) error {
	s, is := store.(*sqliteStore)
	if !is {
		return fmt.Errorf("%w: PostgreSQL is backed up with its own tools (pg_dump, pg_basebackup)", ErrBackup)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// SQLite fills an empty file and leaves it synced.
	if _, err := s.db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return errors.Join(fmt.Errorf("store: %w", err), os.Remove(path))
	}
	return nil
}

// backupAsked is the setting that shows whether a store is a backup or the live one, or one that follows it.
const backupAsked = "backup/asked"

// backupTold is the setting that holds what a terminal was told last of the backup.
func backupTold(terminal string) string { return "backup/" + terminal }

// BackupReport says how far a backup reaches.
type BackupReport struct {
	Taken     time.Time // when the newest record in it had come; zero when it holds none
	Terminals int       // in it
	Told      int       // for whom it reaches further than the one before
	Differs   []string  // "terminal/lane" whose history in it is not the one held here; of these nothing was told
}

// AnnounceBackup reads a backup, compares it record by record with what is held, from where the last one ended, and tells
// every terminal how far it reaches. It must have been read back from where backups lie: the live store and what follows it
// at once are refused, because whatever befalls the one befalls the other.
func (s *Server) AnnounceBackup(ctx context.Context, backup Store, by string) (r BackupReport, err error) {
	if err := s.apart(ctx, backup); err != nil {
		return r, err
	}
	var all []Terminal
	if err := backup.View(ctx, func(tx Tx) (err error) { all, err = tx.Terminals(); return err }); err != nil {
		return r, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	r.Terminals = len(all)
	said := make([]wire.BackedUp, len(all))
	for i, t := range all {
		if said[i], err = s.inBackup(ctx, backup, t.ID, &r); err != nil {
			return r, err
		}
		if said[i].Taken.After(r.Taken) {
			r.Taken = said[i].Taken
		}
	}
	for i, t := range all {
		told, err := s.tellBackup(ctx, t.ID, said[i], by)
		if err != nil {
			return r, err
		}
		if told {
			r.Told++
		}
	}
	return r, nil
}

// apart makes sure that a backup is of this platform and not the store itself.
func (s *Server) apart(ctx context.Context, backup Store) error {
	mark, held := token(), ""
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		if held, err = tx.Setting(platformKeySetting); err != nil {
			return err
		}
		return tx.PutSetting(backupAsked, mark)
	})
	if err != nil {
		return err
	}
	err = backup.View(ctx, func(tx Tx) error {
		key, err := tx.Setting(platformKeySetting)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		if key != held {
			return fmt.Errorf("it belongs to the platform with keys %q, this one has keys %q", key, held)
		}
		seen, err := tx.Setting(backupAsked)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		if seen == mark {
			return errors.New("it is the store in use, or follows it: read a backup back and name that")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return nil
}

// inBackup finds how far a backup reaches for one terminal, as far as it is the same as here.
func (s *Server) inBackup(ctx context.Context, backup Store, terminal string, r *BackupReport) (b wire.BackedUp, err error) {
	b.Lanes = map[wire.Lane]wire.EpochPoint{}
	var before wire.BackedUp
	if err := s.store.View(ctx, func(tx Tx) (err error) { before, err = toldOf(tx, terminal); return err }); err != nil {
		return b, err
	}
	for _, lane := range wire.Lanes {
		var row LaneRow
		if err := backup.View(ctx, func(tx Tx) (err error) { row, err = tx.Lane(terminal, lane); return err }); err != nil {
			return b, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		if row.Seq == 0 {
			continue
		}
		from := uint64(1)
		if was := before.Lanes[lane]; was.Epoch == row.Epoch && was.Seq <= row.Seq {
			from = max(was.Seq, 1)
		}
		same, newest, err := s.sameIn(ctx, backup, terminal, lane, row, from)
		if err != nil {
			return b, err
		}
		if !same {
			r.Differs = append(r.Differs, terminal+"/"+string(lane))
			continue
		}
		if newest.After(b.Taken) {
			b.Taken = newest
		}
		b.Lanes[lane] = wire.EpochPoint{Epoch: row.Epoch, LanePoint: wire.LanePoint{Seq: row.Seq, Hash: row.Hash}}
	}
	return b, nil
}

// sameIn compares a lane's records in a backup with those held here, page by page, and reads the last one back whole.
func (s *Server) sameIn(ctx context.Context, backup Store, terminal string, lane wire.Lane, row LaneRow, from uint64) (same bool, newest time.Time, err error) {
	var here LaneRow
	if err := s.store.View(ctx, func(tx Tx) (err error) { here, err = tx.Lane(terminal, lane); return err }); err != nil {
		return false, newest, err
	}
	if here.Epoch < row.Epoch || here.Epoch == row.Epoch && (here.Seq < row.Seq || here.Seq == row.Seq && here.Hash != row.Hash) {
		return false, newest, nil
	}
	for ; from <= row.Seq; from += auditPage {
		to := min(row.Seq, from+auditPage-1)
		var theirs, ours map[uint64]wire.Hash
		if err := backup.View(ctx, func(tx Tx) (err error) { theirs, err = tx.Held(terminal, row.Epoch, lane, from, to); return err }); err != nil {
			return false, newest, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		if err := s.store.View(ctx, func(tx Tx) (err error) { ours, err = tx.Held(terminal, row.Epoch, lane, from, to); return err }); err != nil {
			return false, newest, err
		}
		if !maps.Equal(theirs, ours) {
			return false, newest, nil
		}
	}
	err = backup.View(ctx, func(tx Tx) error {
		last, err := tx.RecordAt(terminal, row.Epoch, lane, row.Seq)
		if errors.Is(err, ErrNoRow) {
			return nil // held under an earlier epoch, by its id
		}
		if err != nil {
			return err
		}
		if last.Header.Hash() != row.Hash || wire.HashBody(last.Salt, last.Body) != last.BodyHash {
			return fmt.Errorf("record %s/%d of %s is not what was written", lane, row.Seq, terminal)
		}
		newest = last.Received
		return nil
	})
	if err != nil {
		return false, newest, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return true, newest, nil
}

func toldOf(tx Tx, terminal string) (b wire.BackedUp, err error) {
	v, err := tx.Setting(backupTold(terminal))
	if errors.Is(err, ErrNoRow) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal([]byte(v), &b); err != nil {
		return b, fmt.Errorf("what %s was told of the backup: %w", terminal, err)
	}
	return b, nil
}

// tellBackup tells a terminal, unless the backup reaches no further than what it was told before.
func (s *Server) tellBackup(ctx context.Context, terminal string, b wire.BackedUp, by string) (told bool, err error) {
	if len(b.Lanes) == 0 {
		return false, nil
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return false, err
	}
	err = s.telling(ctx, func(tx Tx) error {
		told = false
		before, err := toldOf(tx, terminal)
		if err != nil || maps.Equal(before.Lanes, b.Lanes) {
			return err
		}
		if err := tx.PutSetting(backupTold(terminal), string(raw)); err != nil {
			return err
		}
		_, err = s.send(tx, OrderRow{Terminal: terminal, Type: wire.MessageBackup, By: by}, json.RawMessage(raw))
		told = err == nil
		return err
	})
	return told, err
}
