package platform

// The connections to a PostgreSQL that may fail over: a host that vanished is noticed, a server that only reads is not taken
// for the primary, and a commit of which the engine says afterwards that no standby confirmed it is not believed.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Bounds of a connection to a host that a partition or a power cut took away: nobody says that it is gone.
const (
	dialTime = 5 * time.Second  // TCP's part of it; TLS and the password may take as long again
	lineDead = 15 * time.Second // without a sign of the other side
)

// arrange sets up the pool's connections. What the address says of connect_timeout is obeyed.
func arrange(cfg *pgxpool.Config) {
	c := &cfg.ConnConfig.Config
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 2 * dialTime
	}
	d := &net.Dialer{Timeout: min(dialTime, c.ConnectTimeout), Control: givesUp,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: lineDead / 3, Interval: lineDead / 3, Count: 2}}
	c.DialFunc = d.DialContext
	c.OnNotice = noteWarning
	cfg.AfterConnect = prepareSession
	cfg.PingTimeout = dialTime
}

// warning is where a connection keeps the last warning of its engine.
const warning = "budayang.warning"

// noteWarning keeps a warning for whoever waits for the end of a statement. The severity is the one that no language changes.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" || n.SeverityUnlocalized == "" && n.Severity == "WARNING" {
		c.CustomData()[warning] = n
	}
}

// commit commits. When a commit's wait for its standbys is cancelled — by an operator, a statement timeout, a shutdown, or our own
// side giving up — PostgreSQL says that it succeeded and warns that it may be on this one disk only (src/backend/replication/syncrep.c,
// SyncRepWaitForLSN): the next failover may take it back. The warning has the class 01000 of all warnings and its text a language, so
// any warning in answer to a commit counts; there is no other that our transactions could cause.
func commit(ctx context.Context, conn *pgx.Conn, tx pgx.Tx) error {
	said := conn.PgConn().CustomData()
	delete(said, warning)
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	if n, warned := said[warning].(*pgconn.Notice); warned {
		delete(said, warning)
		return fmt.Errorf("committed with a warning: %w", (*pgconn.PgError)(n))
	}
	return nil
}

var errReadOnly = errors.New("this PostgreSQL only reads: it is a standby, or was told to")

// prepareSession sets what this store needs of a connection. A distributed engine may not know a setting; it then has no
// use for it either.
func prepareSession(ctx context.Context, c *pgx.Conn) error {
	var durable, sync, reads *string
	err := c.QueryRow(ctx, `SELECT current_setting('synchronous_commit', true), current_setting('fsync', true), current_setting('transaction_read_only', true)`).Scan(&durable, &sync, &reads)
	if err != nil {
		return err
	}
	if reads != nil && *reads == "on" {
		return errReadOnly
	}
	if sync != nil && *sync == "off" {
		return errors.New("this PostgreSQL runs with fsync = off and would lose acknowledged records at a power cut")
	}
	// Weaker settings acknowledge what a power cut ("off") or a failover ("local", "remote_write") may take back.
	if durable != nil && *durable != "on" && *durable != "remote_apply" {
		if _, err := c.Exec(ctx, `SET synchronous_commit = on`); err != nil {
			return err
		}
	}
	for _, q := range []string{
		// A sequential scan of a small table makes a serialisable transaction depend on all of it, and on everybody.
		`SET enable_seqscan = off`,
		// A server that freezes within a transaction must not hold a terminal's row for ever.
		`SET idle_in_transaction_session_timeout = '60s'`,
	} {
		var said *pgconn.PgError
		if _, err := c.Exec(ctx, q); err != nil && !errors.As(err, &said) {
			return err
		}
	}
	return nil
}
