package platform

// The store's SQL for the people who run the platform.

import (
	"time"

	"github.com/budayang/kiosk/platform/staff"
)

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const accountColumns = `name, role, password, must_change, off, made, made_by, changed`

func scanAccount(scan func(...any) error) (a Account, err error) {
	var role, made, changed string
	var must, off int64
	err = scan(&a.Name, &role, &a.Password, &must, &off, &made, &a.MadeBy, &changed)
	a.Role, a.MustChange, a.Off, a.Made, a.Changed = staff.Role(role), must != 0, off != 0, at(made), at(changed)
	return a, err
}

func (t *sqlTx) Account(name string) (Account, error) {
	return scanAccount(func(into ...any) error {
		return t.row(`SELECT `+accountColumns+` FROM accounts WHERE name = ?`, []any{name}, into...)
	})
}

func (t *sqlTx) PutAccount(a Account) error {
	return t.exec(`INSERT INTO accounts (`+accountColumns+`) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (name) DO UPDATE SET
		role = excluded.role, password = excluded.password, must_change = excluded.must_change, off = excluded.off,
		changed = excluded.changed`,
		a.Name, string(a.Role), a.Password, number(a.MustChange), number(a.Off), when(a.Made), a.MadeBy, when(a.Changed))
}

func (t *sqlTx) Accounts() (all []Account, err error) {
	err = t.rows(`SELECT `+accountColumns+` FROM accounts ORDER BY name`, nil, func(scan func(...any) error) error {
		a, err := scanAccount(scan)
		all = append(all, a)
		return err
	})
	return all, err
}

func (t *sqlTx) Session(hash string) (s Session, err error) {
	var made, seen, until string
	err = t.row(`SELECT hash, account, peer, made, seen, until FROM sessions WHERE hash = ?`, []any{hash},
		&s.Hash, &s.Account, &s.Peer, &made, &seen, &until)
	s.Made, s.Seen, s.Until = at(made), at(seen), at(until)
	return s, err
}

func (t *sqlTx) PutSession(s Session) error {
	return t.once(`INSERT INTO sessions (hash, account, peer, made, seen, until) VALUES (?,?,?,?,?,?)`,
		s.Hash, s.Account, s.Peer, when(s.Made), when(s.Seen), when(s.Until))
}

func (t *sqlTx) SeenSession(hash string, seen time.Time) error {
	return t.exec(`UPDATE sessions SET seen = ? WHERE hash = ?`, when(seen), hash)
}

func (t *sqlTx) DropSession(hash string) error {
	return t.exec(`DELETE FROM sessions WHERE hash = ?`, hash)
}

func (t *sqlTx) DropSessions(account string) error {
	return t.exec(`DELETE FROM sessions WHERE account = ?`, account)
}

const hotlineColumns = `record_id, case_id, local_no, category, phone, ink, at`

func scanHotline(scan func(...any) error) (h HotlineRow, err error) {
	var moment string
	err = scan(&h.Record, &h.Case, &h.LocalNo, &h.Category, &h.Phone, &h.Ink, &moment)
	h.At = at(moment)
	return h, err
}

func (t *sqlTx) Hotlines(newest int) (all []HotlineRow, err error) {
	err = t.rows(`SELECT `+hotlineColumns+` FROM hotline ORDER BY at DESC, record_id DESC LIMIT ?`, []any{newest}, func(scan func(...any) error) error {
		h, err := scanHotline(scan)
		all = append(all, h)
		return err
	})
	return all, err
}

func (t *sqlTx) Hotline(record string) (HotlineRow, error) {
	return scanHotline(func(into ...any) error {
		return t.row(`SELECT `+hotlineColumns+` FROM hotline WHERE record_id = ?`, []any{record}, into...)
	})
}
