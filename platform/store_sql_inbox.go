package platform

// The store's SQL for the way down, leases and parts of blobs.

import (
	"errors"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

const orderColumns = `terminal, id, type, name, no, sent_by, sent, expires, revision, status, detail, blob, ended`

func scanOrder(scan func(...any) error) (o OrderRow, err error) {
	var sent, expires, status, blob, ended string
	err = scan(&o.Terminal, &o.ID, &o.Type, &o.Name, &o.No, &o.By, &sent, &expires, &o.Revision, &status, &o.Detail, &blob, &ended)
	o.Sent, o.Expires, o.Ended, o.Status, o.Blob = at(sent), at(expires), at(ended), wire.OrderStatus(status), hash(blob)
	return o, err
}

func (t *sqlTx) orders(where string, args ...any) (all []OrderRow, err error) {
	err = t.rows(`SELECT `+orderColumns+` FROM orders WHERE `+where, args, func(scan func(...any) error) error {
		o, err := scanOrder(scan)
		all = append(all, o)
		return err
	})
	return all, err
}

func (t *sqlTx) Order(terminal, id string) (OrderRow, error) {
	all, err := t.orders(`terminal = ? AND id = ?`, terminal, id)
	if err != nil || len(all) == 0 {
		return OrderRow{}, errors.Join(err, ErrNoRow)
	}
	return all[0], nil
}

func (t *sqlTx) PutOrder(o OrderRow) error {
	return t.exec(`INSERT INTO orders (`+orderColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (terminal, id) DO UPDATE SET no = excluded.no, status = excluded.status, detail = excluded.detail,
		blob = excluded.blob, ended = excluded.ended`,
		o.Terminal, o.ID, o.Type, o.Name, o.No, o.By, when(o.Sent), when(o.Expires), o.Revision, string(o.Status), o.Detail, o.Blob.String(), when(o.Ended))
}

func (t *sqlTx) Orders(terminal string, newest int) ([]OrderRow, error) {
	if terminal == "" {
		return t.orders(`1 = 1 ORDER BY sent DESC, id DESC LIMIT ?`, newest)
	}
	return t.orders(`terminal = ? ORDER BY no DESC, id DESC LIMIT ?`, terminal, newest)
}

func (t *sqlTx) OpenOrders(terminal string) ([]OrderRow, error) {
	return t.orders(`terminal = ? AND status = '' ORDER BY no, id`, terminal)
}

func (t *sqlTx) ReleaseOf(kind, terminal string, revision int64) (r ReleaseRow, err error) {
	var made string
	err = t.row(`SELECT kind, terminal, revision, body, made_by, made FROM releases WHERE kind = ? AND terminal = ? AND revision = ?`,
		[]any{kind, terminal, revision}, &r.Kind, &r.Terminal, &r.Revision, &r.Body, &r.By, &made)
	r.Made = at(made)
	return r, err
}

func (t *sqlTx) PutRelease(r ReleaseRow) error {
	return t.exec(`INSERT INTO releases (kind, terminal, revision, body, made_by, made) VALUES (?,?,?,?,?,?)`,
		r.Kind, r.Terminal, r.Revision, r.Body, r.By, when(r.Made))
}

func (t *sqlTx) Working(terminal string) (r WorkingRow, err error) {
	var paused int64
	err = t.row(`SELECT config, items, notices, paused, inbox FROM working WHERE terminal = ?`, []any{terminal},
		&r.Config, &r.Items, &r.Notices, &paused, &r.Inbox)
	r.Paused = paused != 0
	if errors.Is(err, ErrNoRow) {
		return WorkingRow{}, nil
	}
	return r, err
}

func (t *sqlTx) PutWorking(terminal string, r WorkingRow) error {
	paused := int64(0)
	if r.Paused {
		paused = 1
	}
	return t.exec(`INSERT INTO working (terminal, config, items, notices, paused, inbox) VALUES (?,?,?,?,?,?)
		ON CONFLICT (terminal) DO UPDATE SET config = excluded.config, items = excluded.items, notices = excluded.notices,
		paused = excluded.paused, inbox = excluded.inbox`, terminal, r.Config, r.Items, r.Notices, paused, r.Inbox)
}

func (t *sqlTx) Lease(caseID string) (l LeaseRow, err error) {
	var granted string
	err = t.row(`SELECT case_id, terminal, token, granted FROM leases WHERE case_id = ?`, []any{caseID}, &l.Case, &l.Terminal, &l.Token, &granted)
	l.Granted = at(granted)
	return l, err
}

func (t *sqlTx) Leases(cases []string) (map[string]LeaseRow, error) {
	all := map[string]LeaseRow{}
	if len(cases) == 0 {
		return all, nil
	}
	q, args := listed(`SELECT case_id, terminal, token, granted FROM leases WHERE case_id IN `, cases)
	err := t.rows(q, args, func(scan func(...any) error) error {
		var l LeaseRow
		var granted string
		err := scan(&l.Case, &l.Terminal, &l.Token, &granted)
		l.Granted = at(granted)
		all[l.Case] = l
		return err
	})
	return all, err
}

func (t *sqlTx) PutLease(l LeaseRow) error {
	return t.exec(`INSERT INTO leases (case_id, terminal, token, granted) VALUES (?,?,?,?)
		ON CONFLICT (case_id) DO UPDATE SET terminal = excluded.terminal, token = excluded.token, granted = excluded.granted`,
		l.Case, l.Terminal, l.Token, when(l.Granted))
}

func (t *sqlTx) CaseByReceipt(code string) (CaseRow, error) {
	var id string
	if err := t.row(`SELECT id FROM cases WHERE receipt_code = ? ORDER BY id LIMIT 1`, []any{code}, &id); err != nil {
		return CaseRow{}, err
	}
	return t.Case(id)
}

func (t *sqlTx) CaseBegun(caseID string) (r RecordRow, err error) {
	var terminal, lane string
	var epoch uint32
	var seq uint64
	err = t.row(`SELECT terminal, epoch, lane, seq FROM records WHERE case_id = ? AND type = ? AND outcome <> ? ORDER BY received, id LIMIT 1`,
		[]any{caseID, wire.TypeCaseOpened, string(wire.Quarantined)}, &terminal, &epoch, &lane, &seq)
	if err != nil {
		return r, err
	}
	return t.RecordAt(terminal, epoch, wire.Lane(lane), seq)
}

func (t *sqlTx) LastRecord(terminal string, epoch uint32, lane wire.Lane) (seq uint64, err error) {
	err = t.row(`SELECT COALESCE(MAX(seq), 0) FROM records WHERE terminal = ? AND epoch = ? AND lane = ?`, []any{terminal, epoch, string(lane)}, &seq)
	return seq, err
}

func (t *sqlTx) PartsHeld(terminal string, h wire.Hash) (n int64, err error) {
	err = t.row(`SELECT COALESCE(SUM(length), 0) FROM parts WHERE terminal = ? AND hash = ?`, []any{terminal, h.String()}, &n)
	return n, err
}

func (t *sqlTx) PutPart(terminal string, h wire.Hash, begins int64, body []byte, now time.Time) error {
	return t.once(`INSERT INTO parts (terminal, hash, begins, body, length, touched) VALUES (?,?,?,?,?,?)`,
		terminal, h.String(), begins, body, int64(len(body)), when(now))
}

func (t *sqlTx) Parts(terminal string, h wire.Hash) (whole []byte, err error) {
	err = t.rows(`SELECT body FROM parts WHERE terminal = ? AND hash = ? ORDER BY begins`, []any{terminal, h.String()}, func(scan func(...any) error) error {
		var b []byte
		err := scan(&b)
		whole = append(whole, b...)
		return err
	})
	return whole, err
}

func (t *sqlTx) PartsBegun(terminal string) (all []wire.Hash, err error) {
	err = t.rows(`SELECT hash FROM parts WHERE terminal = ? GROUP BY hash ORDER BY MAX(touched), hash`, []any{terminal}, func(scan func(...any) error) error {
		var h string
		err := scan(&h)
		all = append(all, hash(h))
		return err
	})
	return all, err
}

func (t *sqlTx) DropParts(terminal string, h wire.Hash) error {
	return t.exec(`DELETE FROM parts WHERE terminal = ? AND hash = ?`, terminal, h.String())
}
