package platform

// The embedded store: SQLite in the process, without cgo.

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver
)

type sqliteStore struct{ db *sql.DB }

// OpenSQLite opens or makes the store in a file. Every commit is synced to the disk before it is acknowledged.
func OpenSQLite(ctx context.Context, path string) (Store, error) {
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("?", "%3f", "#", "%23").Replace(path)+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// One connection: SQLite has one writer, and waiting in Go is fairer than its busy handler.
	db.SetMaxOpenConns(1)
	if err := migrateSQLite(ctx, db); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return &sqliteStore{db}, nil
}

// migrateSQLite brings the tables up to date. Another process may do the same at the same moment, a command beside a server
// that starts: each step is one transaction, so whoever comes second fails at a step that is done, and looks again.
func migrateSQLite(ctx context.Context, db *sql.DB) error {
	sub, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	for try := range 10 {
		var p *goose.Provider
		if p, err = goose.NewProvider(goose.DialectSQLite3, db, sub, goose.WithAllowOutofOrder(true)); err == nil {
			_, err = p.Up(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return err
}

func (s *sqliteStore) Close() error { return s.db.Close() }

func (s *sqliteStore) Update(ctx context.Context, fn func(Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := fn(&sqlTx{ctx, sqliteTx{tx}}); err != nil {
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *sqliteStore) View(ctx context.Context, fn func(Tx) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	return fn(&sqlTx{ctx, sqliteTx{tx}})
}

// sqliteTx implements engine.
type sqliteTx struct{ tx *sql.Tx }

func (e sqliteTx) exec(ctx context.Context, q string, args []any) (int64, error) {
	r, err := e.tx.ExecContext(ctx, q, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (e sqliteTx) query(ctx context.Context, q string, args []any, each func(scan func(...any) error) error) error {
	r, err := e.tx.QueryContext(ctx, q, args...)
	if err != nil {
		return err
	}
	return eachRow(r, each)
}

func eachRow(r *sql.Rows, each func(scan func(...any) error) error) error {
	defer func() { _ = r.Close() }()
	for r.Next() {
		if err := each(r.Scan); err != nil {
			return err
		}
	}
	return r.Err()
}

// many runs one statement for each row: in the process that costs no round trip.
func (e sqliteTx) many(ctx context.Context, b bulk, rows [][]any, each func(scan func(...any) error) error) error {
	st, err := e.tx.PrepareContext(ctx, `INSERT INTO `+b.table+` (`+b.columns+`) VALUES (?`+strings.Repeat(",?", len(b.types)-1)+`) `+b.tail)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	for _, row := range rows {
		r, err := st.QueryContext(ctx, row...)
		if err == nil {
			err = eachRow(r, each)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
