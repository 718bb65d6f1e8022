package platform

// The embedded store: SQLite in the process, without cgo.

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/budayang/kiosk/sync/wire"
)

//go:embed migrations/*.sql
var migrations embed.FS

type sqlStore struct{ db *sql.DB }

// OpenSQLite opens or makes the store in a file. Every commit is synced to the disk before it is acknowledged.
func OpenSQLite(ctx context.Context, path string) (Store, error) {
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("?", "%3f", "#", "%23").Replace(path)+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// One connection: SQLite has one writer, and waiting in Go is fairer than its busy handler.
	db.SetMaxOpenConns(1)
	sub, err := fs.Sub(migrations, "migrations")
	if err == nil {
		err = migrate(ctx, db, sub)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return &sqlStore{db}, nil
}

// migrate brings the schema up to date. A server and an operator's command may both be at it for the first time: whoever was
// slower finds it done at the next look.
func migrate(ctx context.Context, db *sql.DB, files fs.FS) error {
	for n := 0; ; n++ {
		p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
		if err == nil {
			_, err = p.Up(ctx)
		}
		if err == nil || n == 20 || ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *sqlStore) Close() error { return s.db.Close() }

func (s *sqlStore) Update(ctx context.Context, fn func(Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := fn(&sqlTx{ctx, tx}); err != nil {
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *sqlStore) View(ctx context.Context, fn func(Tx) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	return fn(&sqlTx{ctx, tx})
}

type sqlTx struct {
	ctx context.Context
	tx  *sql.Tx
}

const stamp = "2006-01-02T15:04:05.000Z"

func when(t time.Time) string { return t.UTC().Format(stamp) }

func at(s string) time.Time {
	t, _ := time.Parse(stamp, s)
	return t
}

func hash(s string) (h wire.Hash) {
	_ = h.UnmarshalText([]byte(s))
	return h
}

func (t *sqlTx) exec(q string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, q, args...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (t *sqlTx) row(q string, args []any, into ...any) error {
	err := t.tx.QueryRowContext(t.ctx, q, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoRow
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (t *sqlTx) rows(q string, args []any, each func(scan func(...any) error) error) error {
	r, err := t.tx.QueryContext(t.ctx, q, args...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer r.Close()
	for r.Next() {
		if err := each(r.Scan); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

const terminalColumns = `id, site, name, public_key, epoch, enrolled, seen, software, status`

func scanTerminal(scan func(...any) error) (x Terminal, err error) {
	var enrolled, seen, status string
	if err := scan(&x.ID, &x.Site, &x.Name, &x.PublicKey, &x.Epoch, &enrolled, &seen, &x.Software, &status); err != nil {
		return x, err
	}
	x.Enrolled, x.Seen = at(enrolled), at(seen)
	return x, json.Unmarshal([]byte(status), &x.Status)
}

func (t *sqlTx) Terminal(id string) (Terminal, error) {
	var x Terminal
	err := ErrNoRow
	rerr := t.rows(`SELECT `+terminalColumns+` FROM terminals WHERE id = ?`, []any{id}, func(scan func(...any) error) error {
		x, err = scanTerminal(scan)
		return err
	})
	if rerr != nil {
		return x, rerr
	}
	return x, err
}

func (t *sqlTx) PutTerminal(x Terminal) error {
	status, err := json.Marshal(x.Status)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO terminals (`+terminalColumns+`) VALUES (?,?,?,?,?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET site = excluded.site, name = excluded.name, public_key = excluded.public_key,
		epoch = excluded.epoch, enrolled = excluded.enrolled, seen = excluded.seen, software = excluded.software, status = excluded.status`,
		x.ID, x.Site, x.Name, x.PublicKey, x.Epoch, when(x.Enrolled), when(x.Seen), x.Software, string(status))
}

func (t *sqlTx) Terminals() (all []Terminal, err error) {
	err = t.rows(`SELECT `+terminalColumns+` FROM terminals ORDER BY id`, nil, func(scan func(...any) error) error {
		x, err := scanTerminal(scan)
		all = append(all, x)
		return err
	})
	return all, err
}

func (t *sqlTx) Lane(terminal string, lane wire.Lane) (LaneRow, error) {
	r, h := LaneRow{}, ""
	err := t.row(`SELECT epoch, seq, hash FROM lanes WHERE terminal = ? AND lane = ?`, []any{terminal, string(lane)}, &r.Epoch, &r.Seq, &h)
	if errors.Is(err, ErrNoRow) {
		return LaneRow{Epoch: 1}, nil
	}
	r.Hash = hash(h)
	return r, err
}

func (t *sqlTx) PutLane(terminal string, lane wire.Lane, r LaneRow) error {
	return t.exec(`INSERT INTO lanes (terminal, lane, epoch, seq, hash) VALUES (?,?,?,?,?)
		ON CONFLICT (terminal, lane) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash`,
		terminal, string(lane), r.Epoch, r.Seq, r.Hash.String())
}

func (t *sqlTx) AddRecord(r RecordRow) (bool, wire.Hash, error) {
	raw, err := json.Marshal(r.Record)
	if err != nil {
		return false, wire.Hash{}, err
	}
	var held string
	err = t.row(`SELECT hash FROM records WHERE id = ? OR (terminal = ? AND epoch = ? AND lane = ? AND seq = ?)`,
		[]any{r.ID, r.Terminal, r.Epoch, string(r.Lane), r.Seq}, &held)
	if err == nil {
		return false, hash(held), nil
	}
	if !errors.Is(err, ErrNoRow) {
		return false, wire.Hash{}, err
	}
	return true, r.Hash, t.exec(`INSERT INTO records (id, terminal, epoch, lane, seq, case_id, type, raw, hash, outcome, reason, received)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`, r.ID, r.Terminal, r.Epoch, string(r.Lane), r.Seq, r.Case, r.Type, string(raw),
		r.Hash.String(), string(r.Outcome), r.Reason, when(r.Received))
}

func (t *sqlTx) RecordAt(terminal string, epoch uint32, lane wire.Lane, seq uint64) (r RecordRow, err error) {
	var raw, h, outcome, received string
	err = t.row(`SELECT raw, hash, outcome, reason, received FROM records WHERE terminal = ? AND epoch = ? AND lane = ? AND seq = ?`,
		[]any{terminal, epoch, string(lane), seq}, &raw, &h, &outcome, &r.Reason, &received)
	if err != nil {
		return r, err
	}
	r.Hash, r.Outcome, r.Received = hash(h), wire.RecordOutcome(outcome), at(received)
	return r, json.Unmarshal([]byte(raw), &r.Record)
}

func (t *sqlTx) Case(id string) (c CaseRow, err error) {
	var opened, updated string
	err = t.row(`SELECT id, terminal, item, receipt_code, state, person, last4, opened, updated, times FROM cases WHERE id = ?`, []any{id},
		&c.ID, &c.Terminal, &c.Item, &c.ReceiptCode, &c.State, &c.Person, &c.Last4, &opened, &updated, &c.Times)
	c.Opened, c.Updated = at(opened), at(updated)
	return c, err
}

func (t *sqlTx) PutCase(c CaseRow) error {
	return t.exec(`INSERT INTO cases (id, terminal, item, receipt_code, state, person, last4, opened, updated, times)
		VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET terminal = excluded.terminal, item = excluded.item,
		receipt_code = excluded.receipt_code, state = excluded.state, person = excluded.person, last4 = excluded.last4,
		opened = excluded.opened, updated = excluded.updated, times = excluded.times`,
		c.ID, c.Terminal, c.Item, c.ReceiptCode, c.State, c.Person, c.Last4, when(c.Opened), when(c.Updated), c.Times)
}

func (t *sqlTx) Cases(newest int) (all []CaseRow, err error) {
	err = t.rows(`SELECT c.id, c.terminal, c.item, c.receipt_code, c.state, c.person, c.last4, c.opened, c.updated, c.times,
		COALESCE((SELECT MAX(r.level) FROM ratings r WHERE r.case_id = c.id), '') FROM cases c ORDER BY c.opened DESC, c.id DESC LIMIT ?`,
		[]any{newest}, func(scan func(...any) error) error {
			var c CaseRow
			var opened, updated string
			err := scan(&c.ID, &c.Terminal, &c.Item, &c.ReceiptCode, &c.State, &c.Person, &c.Last4, &opened, &updated, &c.Times, &c.Rating)
			c.Opened, c.Updated = at(opened), at(updated)
			all = append(all, c)
			return err
		})
	return all, err
}

func (t *sqlTx) PutEffect(e EffectRow) error {
	return t.exec(`INSERT INTO effects (name, case_id, kind, state, detail, number, at) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (name) DO UPDATE SET state = excluded.state, detail = excluded.detail, number = excluded.number, at = excluded.at`,
		e.Name, e.Case, e.Kind, e.State, e.Detail, e.Number, when(e.At))
}

func (t *sqlTx) PutRating(r RatingRow) error {
	return t.exec(`INSERT INTO ratings (record_id, case_id, terminal, item, version, level, at) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (record_id) DO NOTHING`, r.Record, r.Case, r.Terminal, r.Item, r.Version, r.Level, when(r.At))
}

func (t *sqlTx) PutHotline(h HotlineRow) error {
	return t.exec(`INSERT INTO hotline (record_id, case_id, local_no, category, phone, ink, at) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (record_id) DO NOTHING`, h.Record, h.Case, h.LocalNo, h.Category, h.Phone, h.Ink, when(h.At))
}

func (t *sqlTx) Count() (c Counts, err error) {
	err = t.row(`SELECT (SELECT COUNT(*) FROM terminals), (SELECT COUNT(*) FROM cases), (SELECT COUNT(*) FROM records),
		(SELECT COUNT(*) FROM cases WHERE times > 1), (SELECT COUNT(*) FROM records WHERE outcome = 'quarantined'),
		(SELECT COUNT(*) FROM documents), (SELECT COUNT(*) FROM ratings WHERE level <> ''), (SELECT COUNT(*) FROM hotline)`, nil,
		&c.Terminals, &c.Cases, &c.Records, &c.Duplicates, &c.Quarantined, &c.Documents, &c.Ratings, &c.Hotline)
	return c, err
}

func (t *sqlTx) document(where string, arg string) (d DocumentRow, err error) {
	var request, sum, issued string
	err = t.row(`SELECT key, request, number, kind, pages, sha256, pdf, verify, issued, signature, person, terminal FROM documents WHERE `+where,
		[]any{arg}, &d.Key, &request, &d.Number, &d.Kind, &d.Pages, &sum, &d.PDF, &d.Verify, &issued, &d.Signature, &d.Person, &d.Terminal)
	d.Request, d.SHA256, d.Issued = hash(request), hash(sum), at(issued)
	return d, err
}

func (t *sqlTx) Document(key string) (DocumentRow, error) { return t.document(`key = ?`, key) }
func (t *sqlTx) DocumentByNumber(number string) (DocumentRow, error) {
	return t.document(`number = ?`, number)
}

func (t *sqlTx) PutDocument(d DocumentRow) error {
	return t.exec(`INSERT INTO documents (key, request, number, kind, pages, sha256, pdf, verify, issued, signature, person, terminal)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`, d.Key, d.Request.String(), d.Number, d.Kind, d.Pages, d.SHA256.String(), d.PDF, d.Verify,
		when(d.Issued), d.Signature, d.Person, d.Terminal)
}

func (t *sqlTx) Next(counter string) (n uint64, err error) {
	err = t.row(`INSERT INTO counters (name, n) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET n = counters.n + 1 RETURNING n`, []any{counter}, &n)
	return n, err
}

func (t *sqlTx) Citizen(number string) (c CitizenRow, err error) {
	err = t.row(`SELECT number, name, phone FROM citizens WHERE number = ?`, []any{number}, &c.Number, &c.Name, &c.Phone)
	return c, err
}

func (t *sqlTx) PutCitizen(c CitizenRow) error {
	return t.exec(`INSERT INTO citizens (number, name, phone) VALUES (?,?,?) ON CONFLICT (number) DO NOTHING`, c.Number, c.Name, c.Phone)
}

func (t *sqlTx) Code(challenge string) (c CodeRow, err error) {
	var until, made string
	err = t.row(`SELECT challenge, terminal, visit, number, code, until, tries, made FROM codes WHERE challenge = ?`, []any{challenge},
		&c.Challenge, &c.Terminal, &c.Visit, &c.Number, &c.Code, &until, &c.Tries, &made)
	c.Until, c.Made = at(until), at(made)
	return c, err
}

func (t *sqlTx) PutCode(c CodeRow) error {
	return t.exec(`INSERT INTO codes (challenge, terminal, visit, number, code, until, tries, made) VALUES (?,?,?,?,?,?,?,?)
		ON CONFLICT (challenge) DO UPDATE SET tries = excluded.tries, code = excluded.code`,
		c.Challenge, c.Terminal, c.Visit, c.Number, c.Code, when(c.Until), c.Tries, when(c.Made))
}

func (t *sqlTx) CodesSince(number string, since time.Time) (n int, err error) {
	err = t.row(`SELECT COUNT(*) FROM codes WHERE number = ? AND made > ?`, []any{number, when(since)}, &n)
	return n, err
}

func (t *sqlTx) Token(h string) (x TokenRow, err error) {
	var until string
	err = t.row(`SELECT token, terminal, visit, number, until FROM tokens WHERE token = ?`, []any{h}, &x.Token, &x.Terminal, &x.Visit, &x.Number, &until)
	x.Until = at(until)
	return x, err
}

func (t *sqlTx) PutToken(x TokenRow) error {
	return t.exec(`INSERT INTO tokens (token, terminal, visit, number, until) VALUES (?,?,?,?,?)`, x.Token, x.Terminal, x.Visit, x.Number, when(x.Until))
}

func (t *sqlTx) Inbox(terminal string, after uint64, most int) (all []wire.Message, err error) {
	err = t.rows(`SELECT no, id, type, expires, body, signature FROM inbox WHERE terminal = ? AND no > ? ORDER BY no LIMIT ?`,
		[]any{terminal, after, most}, func(scan func(...any) error) error {
			var m wire.Message
			var expires, body string
			err := scan(&m.No, &m.ID, &m.Type, &expires, &body, &m.Signature)
			m.Expires, m.Body = at(expires), json.RawMessage(body)
			all = append(all, m)
			return err
		})
	return all, err
}

func (t *sqlTx) InboxLast(terminal string) (n uint64, err error) {
	err = t.row(`SELECT COALESCE(MAX(no), 0) FROM inbox WHERE terminal = ?`, []any{terminal}, &n)
	return n, err
}

func (t *sqlTx) PutMessage(terminal string, m wire.Message) error {
	return t.exec(`INSERT INTO inbox (terminal, no, id, type, expires, body, signature) VALUES (?,?,?,?,?,?,?)`,
		terminal, m.No, m.ID, m.Type, when(m.Expires), string(m.Body), m.Signature)
}

func (t *sqlTx) Setting(name string) (v string, err error) {
	err = t.row(`SELECT value FROM settings WHERE name = ?`, []any{name}, &v)
	return v, err
}

func (t *sqlTx) PutSetting(name, value string) error {
	return t.exec(`INSERT INTO settings (name, value) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}
