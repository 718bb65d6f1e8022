package platform

// The store's SQL for cards.

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

const cardColumns = `key, kind, number, receipt, terminal, person, applicant, masked, request, state, rev, ended, why, by_whom, checks, profile, agreed, blank,
	made, decided, changed, valid_until, erased`

func scanCard(scan func(...any) error) (c CardRow, err error) {
	var request, state, why, checks, made, decided, changed, until, erased string
	var ended, agreed int64
	if err := scan(&c.Key, &c.Kind, &c.Number, &c.Receipt, &c.Terminal, &c.Person, &c.Applicant, &c.Masked, &request, &state, &c.Rev, &ended, &why, &c.By, &checks,
		&c.Profile, &agreed, &c.Blank, &made, &decided, &changed, &until, &erased); err != nil {
		return c, err
	}
	c.Request, c.State, c.Ended, c.Agreed = hash(request), wire.CardState(state), ended != 0, agreed != 0
	c.Made, c.Decided, c.Changed, c.Until, c.Erased = at(made), at(decided), at(changed), at(until), at(erased)
	return c, errors.Join(json.Unmarshal([]byte(why), &c.Why), json.Unmarshal([]byte(checks), &c.Checks))
}

func (t *sqlTx) cards(where string, args ...any) (all []CardRow, err error) {
	err = t.rows(`SELECT `+cardColumns+` FROM cards WHERE `+where, args, func(scan func(...any) error) error {
		c, err := scanCard(scan)
		all = append(all, c)
		return err
	})
	return all, err
}

func (t *sqlTx) card(where string, args ...any) (CardRow, error) {
	all, err := t.cards(where, args...)
	if err == nil && len(all) == 0 {
		err = ErrNoRow
	}
	if err != nil {
		return CardRow{}, err
	}
	return all[0], nil
}

func (t *sqlTx) AddCard(c CardRow) error {
	why, err := json.Marshal(c.Why)
	if err != nil {
		return err
	}
	checks, err := json.Marshal(c.Checks)
	if err != nil {
		return err
	}
	return t.once(`INSERT INTO cards (`+cardColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, c.Key, c.Kind, c.Number, c.Receipt, c.Terminal,
		c.Person, c.Applicant, c.Masked, c.Request.String(), string(c.State), c.Rev, number(c.Ended), string(why), c.By, string(checks), c.Profile, number(c.Agreed),
		c.Blank, when(c.Made), maybe(c.Decided), when(c.Changed), maybe(c.Until), maybe(c.Erased))
}

func (t *sqlTx) PutCard(c CardRow) error {
	why, err := json.Marshal(c.Why)
	if err != nil {
		return err
	}
	n, err := t.affected(`UPDATE cards SET terminal = ?, state = ?, rev = rev + 1, ended = ?, why = ?, by_whom = ?, blank = ?, decided = ?, changed = ?,
		valid_until = ?, erased = ? WHERE key = ?`, c.Terminal, string(c.State), number(c.Ended), string(why), c.By, c.Blank, maybe(c.Decided), when(c.Changed),
		maybe(c.Until), maybe(c.Erased), c.Key)
	if err == nil && n == 0 {
		err = ErrNoRow
	}
	return err
}

func (t *sqlTx) Card(key string) (CardRow, error) { return t.card(`key = ?`, key) }

func (t *sqlTx) CardByNumber(number string) (CardRow, error) { return t.card(`number = ?`, number) }

func (t *sqlTx) CardsAmong(keys []string) ([]CardRow, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	where, args := listed(`key IN `, keys)
	return t.cards(where, args...)
}

func (t *sqlTx) CardsOf(kind, person string) ([]CardRow, error) {
	return t.cards(`kind = ? AND person = ? ORDER BY made DESC, key`, kind, person)
}

func (t *sqlTx) CardsBy(kind, applicant string) ([]CardRow, error) {
	return t.cards(`kind = ? AND applicant = ? ORDER BY made DESC, key`, kind, applicant)
}

func (t *sqlTx) CardsIn(state wire.CardState, most int) ([]CardRow, error) {
	return t.cards(`state = ? ORDER BY made, key LIMIT ?`, string(state), most)
}

func (t *sqlTx) CardsBefore(state wire.CardState, before time.Time, most int) ([]CardRow, error) {
	return t.cards(`state = ? AND changed < ? ORDER BY changed, key LIMIT ?`, string(state), when(before), most)
}

func (t *sqlTx) CardsPaid(state wire.CardState, before time.Time, most int) ([]CardRow, error) {
	return t.cards(`state = ? AND changed < ? AND EXISTS (SELECT 1 FROM bills WHERE bills.case_id = cards.key AND bills.state = 'paid' AND bills.paid < ?)
		ORDER BY changed, key LIMIT ?`, string(state), when(before), when(before), most)
}

func (t *sqlTx) CardsKept(state wire.CardState, before time.Time, most int) ([]CardRow, error) {
	return t.cards(`state = ? AND erased = '' AND changed < ? ORDER BY changed, key LIMIT ?`, string(state), when(before), most)
}

func (t *sqlTx) CardWaits(most int) (all []time.Duration, err error) {
	err = t.rows(`SELECT made, decided FROM cards WHERE decided <> '' AND by_whom <> ? ORDER BY decided DESC LIMIT ?`, []any{byPolicy, most}, func(scan func(...any) error) error {
		var made, decided string
		err := scan(&made, &decided)
		all = append(all, at(decided).Sub(at(made)))
		return err
	})
	return all, err
}

func (t *sqlTx) CardSecret(key, what string) (sealed []byte, err error) {
	err = t.row(`SELECT sealed FROM card_secrets WHERE key = ? AND what = ?`, []any{key, what}, &sealed)
	return sealed, err
}

func (t *sqlTx) PutCardSecret(key, what string, sealed []byte) error {
	return t.exec(`INSERT INTO card_secrets (key, what, sealed) VALUES (?,?,?) ON CONFLICT (key, what) DO UPDATE SET sealed = excluded.sealed`, key, what, sealed)
}

func (t *sqlTx) DropCardSecret(key, what string) error {
	return t.exec(`DELETE FROM card_secrets WHERE key = ? AND what = ?`, key, what)
}

func (t *sqlTx) Permit(kind, blank string) (p PermitRow, err error) {
	var given, expires, starts string
	err = t.row(`SELECT kind, blank, card, id, terminal, given, expires, starts FROM permits WHERE kind = ? AND blank = ?`, []any{kind, blank},
		&p.Kind, &p.Blank, &p.Card, &p.ID, &p.Terminal, &given, &expires, &starts)
	p.Given, p.Expires, p.Starts = at(given), at(expires), at(starts)
	return p, err
}

func (t *sqlTx) PutPermit(p PermitRow) error {
	n, err := t.affected(`INSERT INTO permits (kind, blank, card, id, terminal, given, expires, starts) VALUES (?,?,?,?,?,?,?,?)
		ON CONFLICT (kind, blank) DO UPDATE SET id = excluded.id, terminal = excluded.terminal, given = excluded.given, expires = excluded.expires,
		starts = excluded.starts WHERE permits.card = excluded.card`, p.Kind, p.Blank, p.Card, p.ID, p.Terminal, when(p.Given), when(p.Expires), when(p.Starts))
	if err == nil && n == 0 {
		err = ErrHeld
	}
	return err
}
