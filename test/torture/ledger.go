package main

// What the platform holds, read from its store behind its back.

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/budayang/kiosk/platform" // brings the drivers of its stores too
	"github.com/budayang/kiosk/sync/wire"
)

// held is one record at the platform.
type held struct {
	wire.Record
	hash    string
	outcome string
}

// ledger is everything that the oracle compares.
type ledger struct {
	records []held
	ids     map[string]bool
	inks    map[string]bool   // pictures that records name: the platform sees which of them it lacks
	times   map[string]int    // case id → how often it was opened
	effects map[string]string // effect → state
	epochs  map[string]uint32 // terminal → epoch
}

// database is the store, for reading behind the platform's back.
func (c *city) database() (*sql.DB, error) {
	if strings.HasPrefix(c.store, "postgres") {
		return sql.Open("pgx", c.store)
	}
	return sql.Open("sqlite", "file:"+filepath.Join(c.dir, sqliteFiles[0])+"?_pragma=busy_timeout(10000)")
}

// readNotices reads who said that records are lost: the platform's events, and the terminals' audit chains. SQLite's servers must
// be dead.
func readNotices(ctx context.Context, c *city) (all []notice, damaged []string, err error) {
	db, err := c.database()
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	number := func(s string) uint64 { n, _ := strconv.ParseUint(s, 10, 64); return n }
	err = each(ctx, db, "security_events", func(row map[string]string) error {
		if row["event"] != platform.EventGone {
			return nil
		}
		n := notice{terminal: row["terminal"], what: row["event"]}
		var known, held uint64
		why := strings.ReplaceAll(row["why"], ",", "")
		if _, err := fmt.Sscanf(why, "lane %s epoch %d: from %d on gone from the terminal known up to %d held up to %d", &n.lane, &n.epoch, &n.from, &known, &held); err != nil {
			return fmt.Errorf("event %q: %w", row["why"], err)
		}
		if _, perhaps, is := strings.Cut(why, "perhaps also from "); is {
			n.from = min(n.from, number(strings.TrimSuffix(perhaps, " on")))
		}
		all = append(all, n)
		return nil
	})
	return all, damaged, errors.Join(err, each(ctx, db, "records WHERE type = '"+wire.TypeAudit+"'", func(row map[string]string) error {
		var a wire.AuditEntry
		if err := json.Unmarshal([]byte(row["body"]), &a); err != nil {
			return err
		}
		n := notice{terminal: row["terminal"], lane: a.Fields["lane"], epoch: number(a.Fields["epoch"]), from: number(a.Fields["from"]), to: number(a.Fields["to"]), what: string(a.Event)}
		switch a.Event {
		case wire.EventLaneForked:
			all = append(all, n)
		case wire.EventRecordsLost:
			all = append(all, n)
		case wire.EventCaseDamaged:
			damaged = append(damaged, a.Fields["case"])
		}
		return nil
	}))
}

// readLedger reads the store; SQLite's servers must be dead.
func readLedger(ctx context.Context, c *city) (l ledger, err error) {
	db, err := c.database()
	if err != nil {
		return l, err
	}
	defer db.Close()
	l = ledger{ids: map[string]bool{}, inks: map[string]bool{}, times: map[string]int{}, effects: map[string]string{}, epochs: map[string]uint32{}}
	err = each(ctx, db, "records ORDER BY terminal, lane, epoch, seq", func(row map[string]string) error {
		var h held
		if err := json.Unmarshal([]byte(row["raw"]), &h.Record); err != nil {
			return fmt.Errorf("record %s: %w", row["id"], err)
		}
		if b := row["body"]; b != "" {
			h.Body = json.RawMessage(b)
		}
		h.hash, h.outcome = row["hash"], row["outcome"]
		l.records, l.ids[h.ID] = append(l.records, h), true
		return nil
	})
	return l, errors.Join(err,
		each(ctx, db, "cases", func(row map[string]string) (err error) {
			l.times[row["id"]], err = strconv.Atoi(row["times"])
			return err
		}),
		each(ctx, db, "hotline", func(row map[string]string) error { l.inks[row["ink"]] = true; return nil }),
		each(ctx, db, "effects", func(row map[string]string) error { l.effects[row["name"]] = row["state"]; return nil }),
		each(ctx, db, "terminals", func(row map[string]string) error {
			n, err := strconv.ParseUint(row["epoch"], 10, 32)
			l.epochs[row["id"]] = uint32(n)
			return err
		}))
}

// each reads a table with whatever columns it has.
func each(ctx context.Context, db *sql.DB, table string, do func(map[string]string) error) error {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = values[i].String
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// broken lists what is wrong with the records by themselves: hashes, bodies, chains.
func (l ledger) broken() (bad []string) {
	ids := map[string]bool{}
	for i, r := range l.records {
		at := fmt.Sprintf("%s/%d/%s/%d", r.Terminal, r.Epoch, r.Lane, r.Seq)
		if ids[r.ID] {
			bad = append(bad, "record id held twice: "+at)
		}
		ids[r.ID] = true
		if r.Hash().String() != r.hash {
			bad = append(bad, "hash of the header is another: "+at)
		}
		if wire.HashBody(r.Salt, r.Body) != r.BodyHash {
			bad = append(bad, "body is not what was chained: "+at)
		}
		if i == 0 {
			continue
		}
		p := l.records[i-1]
		if p.Terminal == r.Terminal && p.Epoch == r.Epoch && p.Lane == r.Lane && p.Seq+1 == r.Seq && p.Hash() != r.Prev {
			bad = append(bad, "chain breaks: "+at)
		}
	}
	return bad
}
