package platform

// The store of a city: PostgreSQL 15 or what speaks its wire. Transactions are serialisable and run again when the engine
// says that they met others; there is no LISTEN, no advisory lock and no sequence, so that a distributed engine can take
// its place. What the engine acknowledges is on its disk, and on a standby's where it has a synchronous one: a server that is set
// up otherwise is refused.

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Bounds of running a transaction again. A conflict passes within milliseconds; a failover takes longer than anybody
// waits for an answer, so the caller is told and comes again.
const (
	retryFor  = 10 * time.Second
	retryBase = 2 * time.Millisecond
	retryCap  = 250 * time.Millisecond
)

type pgStore struct {
	pool    *pgxpool.Pool
	clauses sync.Map // statement with "?" → statement with "$1"
}

// OpenPostgres opens the store behind a connection string, such as "postgres://user@host/db?sslmode=verify-full", and
// brings its tables up to date. Passwords come from PGPASSFILE or a passfile parameter, never from the string. Settings
// of libpq (sslrootcert, target_session_attrs, several hosts, connect_timeout, pool_max_conns) are obeyed.
func OpenPostgres(ctx context.Context, url string) (Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("store: the PostgreSQL address cannot be read") // pgx's own words would repeat it
	}
	if passwordIn(url) {
		return nil, errors.New("store: the PostgreSQL address contains a password, which others can read: put it into a file of mode 0600 and name that in PGPASSFILE")
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = 16
	}
	arrange(cfg)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &pgStore{pool: pool}
	if err := s.ready(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("store %s/%s: %w", cfg.ConnConfig.Host, cfg.ConnConfig.Database, err)
	}
	return s, nil
}

// passwordIn looks for a password in an address of either form that libpq knows.
func passwordIn(url string) bool {
	rest, isURL := strings.CutPrefix(url, "postgres://")
	if !isURL {
		rest, isURL = strings.CutPrefix(url, "postgresql://")
	}
	if isURL {
		authority, _, _ := strings.Cut(rest, "/")
		if user, _, named := strings.Cut(authority, "@"); named && strings.Contains(user, ":") {
			return true
		}
	}
	return strings.Contains(strings.ToLower(url), "password")
}

// ready brings the tables up to date. Servers that start together take turns by a row in a table of goose's, with a lease.
func (s *pgStore) ready(ctx context.Context) error {
	sub, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return err
	}
	turn, err := lock.NewPostgresTableLocker(lock.WithTableLeaseDuration(15*time.Second), lock.WithTableHeartbeatInterval(3*time.Second),
		lock.WithTableLockTimeout(300*time.Millisecond, 200), lock.WithTableUnlockTimeout(300*time.Millisecond, 20))
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer func() { _ = db.Close() }()
	for try := range 10 {
		if err = migrate(ctx, db, sub, turn); err == nil || ctx.Err() != nil || !raced(err) {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return err
}

// raced: goose makes its own two tables before anybody has a turn.
func raced(err error) bool {
	switch sqlState(err) {
	case "23505", "42P07", "40001", "40P01", "42P01":
		return true
	}
	return false
}

func migrate(ctx context.Context, db *sql.DB, files fs.FS, turn lock.Locker) error {
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithAllowOutofOrder(true), goose.WithLocker(turn))
	if err != nil {
		return err
	}
	if pending, err := p.HasPending(ctx); err != nil || !pending {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

func (s *pgStore) Close() error { s.pool.Close(); return nil }

func (s *pgStore) Update(ctx context.Context, fn func(Tx) error) error {
	return s.again(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, fn)
}

// View reads one snapshot, which meets nobody.
func (s *pgStore) View(ctx context.Context, fn func(Tx) error) error {
	return s.again(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

// again runs a transaction until it passes, fails for a reason of its own, or time is up.
func (s *pgStore) again(ctx context.Context, opt pgx.TxOptions, fn func(Tx) error) error {
	began := time.Now()
	for try := 0; ; try++ {
		err := s.once(ctx, opt, fn)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnreachable) || time.Since(began) > retryFor {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, try int) error {
	most := min(retryCap, retryBase<<min(try, 20))
	t := time.NewTimer(rand.N(most) + time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *pgStore) once(ctx context.Context, opt pgx.TxOptions, fn func(Tx) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() != nil || sqlState(err) == "28P01" || sqlState(err) == "3D000" {
			return fmt.Errorf("store: %w", err)
		}
		return fmt.Errorf("store: %w: %w", ErrUnreachable, err)
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, opt)
	if err != nil {
		return s.judged(ctx, conn, err, err)
	}
	e := &pgTx{tx: tx, clauses: &s.clauses}
	if err := fn(&sqlTx{ctx, e}); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = tx.Rollback(undo)
		return s.judged(ctx, conn, err, e.failed)
	}
	if opt.AccessMode == pgx.ReadOnly {
		_ = tx.Rollback(ctx)
		return nil
	}
	if err := commit(ctx, conn.Conn(), tx); err != nil {
		switch sqlState(err) {
		case "40001", "40P01":
			return fmt.Errorf("store: %w: %w", ErrConflict, err)
		}
		if errors.Is(err, pgx.ErrTxCommitRollback) {
			return s.judged(ctx, conn, err, e.failed)
		}
		return fmt.Errorf("store: %w: %w", ErrInDoubt, err)
	}
	return nil
}

// judged says what a failure before the commit means: cause is what the engine said, err what fn made of it.
func (s *pgStore) judged(ctx context.Context, conn *pgxpool.Conn, err, cause error) error {
	if cause == nil || ctx.Err() != nil {
		return err
	}
	switch state := sqlState(cause); {
	case state == "40001", state == "40P01":
		return fmt.Errorf("store: %w: %w", ErrConflict, cause)
	case state == "25006": // a primary that became a standby
		_ = conn.Conn().Close(ctx)
		return fmt.Errorf("store: %w: %w", ErrUnreachable, cause)
	case strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "08"), state == "" && conn.Conn().IsClosed():
		return fmt.Errorf("store: %w: %w", ErrUnreachable, cause)
	}
	return err
}

func sqlState(err error) string {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return said.Code
	}
	return ""
}

// pgTx implements engine. failed is the first thing that went wrong, whatever the caller makes of it.
type pgTx struct {
	tx      pgx.Tx
	clauses *sync.Map
	failed  error
}

func (e *pgTx) note(err error) error {
	if err != nil && e.failed == nil {
		e.failed = err
	}
	return err
}

// numbered writes "$1" for "?". No statement of the store has a question mark of another kind.
func (e *pgTx) numbered(q string) string {
	if v, ok := e.clauses.Load(q); ok {
		return v.(string)
	}
	var b strings.Builder
	n := 0
	for _, r := range q {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	e.clauses.Store(q, b.String())
	return b.String()
}

// storable makes text that the engine takes: it has no place for NUL, nor for what is not UTF-8. What came is kept byte
// for byte in the record; only its copies in columns are made to fit, in the same way each time.
func storable(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (e *pgTx) fit(args []any) []any {
	for i, a := range args {
		if s, is := a.(string); is {
			args[i] = storable(s)
		}
	}
	return args
}

func (e *pgTx) exec(ctx context.Context, q string, args []any) (int64, error) {
	tag, err := e.tx.Exec(ctx, e.numbered(q), e.fit(args)...)
	return tag.RowsAffected(), e.note(err)
}

func (e *pgTx) query(ctx context.Context, q string, args []any, each func(scan func(...any) error) error) error {
	r, err := e.tx.Query(ctx, e.numbered(q), e.fit(args)...)
	if err != nil {
		return e.note(err)
	}
	defer r.Close()
	for r.Next() {
		if err := each(r.Scan); err != nil {
			return err
		}
	}
	return e.note(r.Err())
}

// many sends a list as one array for each column: one statement and one round trip, whatever the length.
func (e *pgTx) many(ctx context.Context, b bulk, rows [][]any, each func(scan func(...any) error) error) error {
	args, from := make([]any, len(b.types)), make([]string, len(b.types))
	for i, t := range b.types {
		from[i] = "?::" + map[rune]string{'t': "text[]", 'i': "bigint[]", 'b': "bytea[]"}[t]
		switch t {
		case 't':
			args[i] = column(rows, i, storable)
		case 'i':
			args[i] = column(rows, i, func(n int64) int64 { return n })
		case 'b':
			args[i] = column(rows, i, func(b []byte) []byte { return b })
		}
	}
	return e.query(ctx, `INSERT INTO `+b.table+` (`+b.columns+`) SELECT * FROM unnest(`+strings.Join(from, ", ")+`) `+b.tail, args, each)
}

func column[T any](rows [][]any, i int, fit func(T) T) []T {
	out := make([]T, len(rows))
	for n, row := range rows {
		out[n] = fit(row[i].(T))
	}
	return out
}
