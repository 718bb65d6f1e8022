package platform

// The store's SQL, the same for every engine: what differs (placeholders, lists, types) lies behind engine.

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// engine runs statements inside one transaction. Placeholders are "?".
type engine interface {
	exec(ctx context.Context, q string, args []any) (affected int64, err error)
	query(ctx context.Context, q string, args []any, each func(scan func(...any) error) error) error
	// many inserts a list, in order; each gets what the statement's tail returns.
	many(ctx context.Context, b bulk, rows [][]any, each func(scan func(...any) error) error) error
}

// bulk is the insertion of a list. types has a letter for each column: t text, i integer, b bytes.
type bulk struct {
	table, columns, types, tail string
}

type sqlTx struct {
	ctx context.Context
	on  engine
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
	_, err := t.affected(q, args...)
	return err
}

func (t *sqlTx) affected(q string, args ...any) (int64, error) {
	n, err := t.on.exec(t.ctx, q, args)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return n, nil
}

// once runs an insertion that a held key turns into nothing.
func (t *sqlTx) once(q string, args ...any) error {
	n, err := t.affected(q+` ON CONFLICT DO NOTHING`, args...)
	if err == nil && n == 0 {
		return ErrHeld
	}
	return err
}

func (t *sqlTx) row(q string, args []any, into ...any) error {
	err := ErrNoRow
	if rerr := t.rows(q, args, func(scan func(...any) error) error {
		err = nil
		return scan(into...)
	}); rerr != nil {
		return rerr
	}
	return err
}

func (t *sqlTx) rows(q string, args []any, each func(scan func(...any) error) error) error {
	if err := t.on.query(t.ctx, q, args, each); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (t *sqlTx) many(b bulk, rows [][]any) error {
	return t.manyReturning(b, rows, func(func(...any) error) error { return nil })
}

func (t *sqlTx) manyReturning(b bulk, rows [][]any, each func(scan func(...any) error) error) error {
	if len(rows) == 0 {
		return nil
	}
	if err := t.on.many(t.ctx, b, rows, each); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

const terminalColumns = `id, site, name, public_key, epoch, enrolled, seen, software, status, shown, filled`

func scanTerminal(scan func(...any) error) (x Terminal, err error) {
	var enrolled, seen, status, shown string
	var filled int64
	if err := scan(&x.ID, &x.Site, &x.Name, &x.PublicKey, &x.Epoch, &enrolled, &seen, &x.Software, &status, &shown, &filled); err != nil {
		return x, err
	}
	x.Enrolled, x.Seen, x.Filled = at(enrolled), at(seen), filled != 0
	return x, errors.Join(json.Unmarshal([]byte(status), &x.Status), json.Unmarshal([]byte(shown), &x.Shown))
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
	shown, err := json.Marshal(x.Shown)
	if err != nil {
		return err
	}
	filled := int64(0)
	if x.Filled {
		filled = 1
	}
	return t.exec(`INSERT INTO terminals (`+terminalColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET site = excluded.site, name = excluded.name, public_key = excluded.public_key,
		epoch = excluded.epoch, enrolled = excluded.enrolled, seen = excluded.seen, software = excluded.software, status = excluded.status,
		shown = excluded.shown, filled = excluded.filled`,
		x.ID, x.Site, x.Name, x.PublicKey, x.Epoch, when(x.Enrolled), when(x.Seen), x.Software, string(status), string(shown), filled)
}

func (t *sqlTx) Terminals() (all []Terminal, err error) {
	err = t.rows(`SELECT `+terminalColumns+` FROM terminals ORDER BY id`, nil, func(scan func(...any) error) error {
		x, err := scanTerminal(scan)
		all = append(all, x)
		return err
	})
	return all, err
}

func (t *sqlTx) Count() (c Counts, err error) {
	err = t.row(`SELECT (SELECT COUNT(*) FROM terminals), (SELECT COUNT(*) FROM cases), (SELECT COUNT(*) FROM records),
		(SELECT COUNT(*) FROM cases WHERE times > 1), (SELECT COUNT(*) FROM records WHERE outcome = 'quarantined'),
		(SELECT COUNT(*) FROM documents), (SELECT COUNT(*) FROM ratings WHERE level <> ''), (SELECT COUNT(*) FROM hotline)`, nil,
		&c.Terminals, &c.Cases, &c.Records, &c.Duplicates, &c.Quarantined, &c.Documents, &c.Ratings, &c.Hotline)
	return c, err
}

func (t *sqlTx) Tally(terminal string, add Tally) error {
	if add == (Tally{}) {
		return nil
	}
	return t.exec(`INSERT INTO tallies (terminal, records, quarantined, cases, ratings, documents) VALUES (?,?,?,?,?,?)
		ON CONFLICT (terminal) DO UPDATE SET records = tallies.records + excluded.records,
		quarantined = tallies.quarantined + excluded.quarantined, cases = tallies.cases + excluded.cases,
		ratings = tallies.ratings + excluded.ratings, documents = tallies.documents + excluded.documents`,
		terminal, add.Records, add.Quarantined, add.Cases, add.Ratings, add.Documents)
}

func (t *sqlTx) Tallies() (s Tally, err error) {
	var records, quarantined, cases, ratings, documents *int64
	err = t.row(`SELECT CAST(SUM(records) AS BIGINT), CAST(SUM(quarantined) AS BIGINT), CAST(SUM(cases) AS BIGINT),
		CAST(SUM(ratings) AS BIGINT), CAST(SUM(documents) AS BIGINT) FROM tallies`, nil, &records, &quarantined, &cases, &ratings, &documents)
	if err == nil && records != nil {
		s = Tally{*records, *quarantined, *cases, *ratings, *documents}
	}
	return s, err
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
	return t.once(`INSERT INTO documents (key, request, number, kind, pages, sha256, pdf, verify, issued, signature, person, terminal)
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
	err = t.row(`SELECT token, terminal, visit, number, until, way, by_whom FROM tokens WHERE token = ?`, []any{h}, &x.Token, &x.Terminal, &x.Visit, &x.Number, &until, &x.Way, &x.By)
	x.Until = at(until)
	return x, err
}

func (t *sqlTx) PutToken(x TokenRow) error {
	return t.once(`INSERT INTO tokens (token, terminal, visit, number, until, way, by_whom) VALUES (?,?,?,?,?,?,?)`, x.Token, x.Terminal, x.Visit, x.Number, when(x.Until), x.Way, x.By)
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
	return t.once(`INSERT INTO inbox (terminal, no, id, type, expires, body, signature, told) VALUES (?,?,?,?,?,?,?,?)`,
		terminal, m.No, m.ID, m.Type, when(m.Expires), string(m.Body), m.Signature, when(time.Now()))
}

func (t *sqlTx) Setting(name string) (v string, err error) {
	err = t.row(`SELECT value FROM settings WHERE name = ?`, []any{name}, &v)
	return v, err
}

func (t *sqlTx) PutSetting(name, value string) error {
	return t.exec(`INSERT INTO settings (name, value) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}
