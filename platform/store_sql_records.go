package platform

// The store's SQL for records, lanes and cases.

import (
	"encoding/json"
	"errors"
	"math/bits"
	"slices"
	"strings"

	"github.com/budayang/kiosk/sync/wire"
)

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

// envelope is a record without its body, which is kept beside it byte for byte: JSON written again would not hash to the
// same.
type envelope struct {
	wire.Header
	Salt wire.Hash `json:"salt"`
}

var insertRecords = bulk{"records", "id, terminal, epoch, lane, seq, case_id, type, raw, body, hash, outcome, reason, received", "ttitittbbtttt",
	"ON CONFLICT DO NOTHING RETURNING terminal, epoch, lane, seq"}

func (t *sqlTx) AddRecords(rs []RecordRow) ([]bool, error) {
	type place struct {
		terminal string
		epoch    uint32
		lane     string
		seq      uint64
	}
	rows := make([][]any, len(rs))
	first, added := map[place]int{}, make([]bool, len(rs))
	for i, r := range rs {
		raw, err := json.Marshal(envelope{r.Header, r.Salt})
		if err != nil {
			return nil, err
		}
		body := []byte(r.Body)
		if body == nil {
			body = []byte{}
		}
		lane := string(r.Lane)
		if r.Beside {
			lane += "/" + r.ID // no lane's name, and nobody else's place
		}
		rows[i] = []any{r.ID, r.Terminal, int64(r.Epoch), lane, int64(r.Seq), r.Case, r.Type, raw, body,
			r.Hash.String(), string(r.Outcome), r.Reason, when(r.Received)}
		p := place{r.Terminal, r.Epoch, lane, r.Seq}
		if _, twice := first[p]; !twice {
			first[p] = i
		}
	}
	err := t.manyReturning(insertRecords, rows, func(scan func(...any) error) error {
		var p place
		if err := scan(&p.terminal, &p.epoch, &p.lane, &p.seq); err != nil {
			return err
		}
		added[first[p]] = true
		return nil
	})
	return added, err
}

func (t *sqlTx) RecordAt(terminal string, epoch uint32, lane wire.Lane, seq uint64) (r RecordRow, err error) {
	var raw, body []byte
	var h, outcome, received string
	err = t.row(`SELECT raw, body, hash, outcome, reason, received FROM records WHERE terminal = ? AND epoch = ? AND lane = ? AND seq = ?`,
		[]any{terminal, epoch, string(lane), seq}, &raw, &body, &h, &outcome, &r.Reason, &received)
	if err != nil {
		return r, err
	}
	r.Hash, r.Outcome, r.Received = hash(h), wire.RecordOutcome(outcome), at(received)
	if err := json.Unmarshal(raw, &r.Record); err != nil {
		return r, err
	}
	if body != nil {
		r.Body = body
	}
	return r, nil
}

func (t *sqlTx) CaseRecords(cases []string) (all []RecordRow, err error) {
	if len(cases) == 0 {
		return nil, nil
	}
	q, args := listed(`SELECT raw, body, hash FROM records WHERE outcome = 'accepted' AND type IN ('`+wire.TypeCaseState+`', '`+wire.TypeEffect+`') AND case_id IN `, cases)
	err = t.rows(q, args, func(scan func(...any) error) error {
		r, h := RecordRow{Outcome: wire.Accepted}, ""
		var raw, body []byte
		if err := scan(&raw, &body, &h); err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &r.Record); err != nil {
			return err
		}
		if body != nil {
			r.Body = body
		}
		r.Hash = hash(h)
		all = append(all, r)
		return nil
	})
	return all, err
}

func (t *sqlTx) Held(terminal string, epoch uint32, lane wire.Lane, first, last uint64) (map[uint64]wire.Hash, error) {
	all := map[uint64]wire.Hash{}
	err := t.rows(`SELECT seq, hash FROM records WHERE terminal = ? AND epoch = ? AND lane = ? AND seq >= ? AND seq <= ?`,
		[]any{terminal, epoch, string(lane), first, last}, func(scan func(...any) error) error {
			var seq uint64
			var h string
			err := scan(&seq, &h)
			all[seq] = hash(h)
			return err
		})
	return all, err
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

func (t *sqlTx) CaseOwners(ids []string) (map[string]string, error) {
	return t.terminalsOf(`SELECT id, terminal FROM cases WHERE id IN `, ids)
}

func (t *sqlTx) Known(ids []string) (map[string]string, error) {
	return t.terminalsOf(`SELECT id, terminal FROM records WHERE id IN `, ids)
}

func (t *sqlTx) terminalsOf(q string, ids []string) (map[string]string, error) {
	all := map[string]string{}
	if len(ids) == 0 {
		return all, nil
	}
	q, args := listed(q, ids)
	err := t.rows(q, args, func(scan func(...any) error) error {
		var id, terminal string
		err := scan(&id, &terminal)
		all[id] = terminal
		return err
	})
	return all, err
}

// listed ends a statement with a list that is not empty. It is filled up to a power of two, so that engines see few different
// statements.
func listed(q string, ids []string) (string, []any) {
	args := make([]any, 0, 2*len(ids))
	for _, id := range ids {
		args = append(args, id)
	}
	for bits.OnesCount(uint(len(args))) != 1 {
		args = append(args, ids[0])
	}
	return q + `(?` + strings.Repeat(",?", len(args)-1) + `)`, args
}

// folded keeps one row for each key, in the order of keys, so that transactions meet their rows in the same order.
func folded[R any](rows []R, key func(R) string, fold func(earlier, later R) R) []R {
	by := map[string]R{}
	for _, r := range rows {
		if e, twice := by[key(r)]; twice {
			r = fold(e, r)
		}
		by[key(r)] = r
	}
	out := make([]R, 0, len(by))
	for _, r := range by {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b R) int { return strings.Compare(key(a), key(b)) })
	return out
}

const caseColumns = "id, terminal, item, receipt_code, state, person, last4, opened, updated, times"

var openCases = bulk{"cases", caseColumns, "ttttttttti", `ON CONFLICT (id) DO UPDATE SET terminal = excluded.terminal, item = excluded.item,
	receipt_code = excluded.receipt_code, person = excluded.person, last4 = excluded.last4, opened = excluded.opened,
	times = cases.times + excluded.times`}

var moveCases = bulk{"cases", caseColumns, "ttttttttti", `ON CONFLICT (id) DO UPDATE SET state = excluded.state, updated = excluded.updated`}

func (t *sqlTx) putCases(b bulk, cs []CaseRow) error {
	rows := make([][]any, len(cs))
	for i, c := range cs {
		rows[i] = []any{c.ID, c.Terminal, c.Item, c.ReceiptCode, c.State, c.Person, c.Last4, when(c.Opened), when(c.Updated), int64(c.Times)}
	}
	return t.many(b, rows)
}

func caseID(c CaseRow) string { return c.ID }

func (t *sqlTx) OpenCases(cs []CaseRow) error {
	return t.putCases(openCases, folded(cs, caseID, func(e, l CaseRow) CaseRow {
		l.Times += e.Times
		l.State, l.Updated = e.State, e.Updated
		return l
	}))
}

func (t *sqlTx) MoveCases(cs []CaseRow) error {
	return t.putCases(moveCases, folded(cs, caseID, func(e, l CaseRow) CaseRow {
		e.State, e.Updated = l.State, l.Updated
		return e
	}))
}

var putEffects = bulk{"effects", "name, case_id, kind, state, detail, number, at", "ttttttt",
	`ON CONFLICT (name) DO UPDATE SET state = excluded.state, detail = excluded.detail, number = excluded.number, at = excluded.at`}

func (t *sqlTx) PutEffects(es []EffectRow) error {
	es = folded(es, func(e EffectRow) string { return e.Name }, func(_, later EffectRow) EffectRow { return later })
	rows := make([][]any, len(es))
	for i, e := range es {
		rows[i] = []any{e.Name, e.Case, e.Kind, e.State, e.Detail, e.Number, when(e.At)}
	}
	return t.many(putEffects, rows)
}

var putRatings = bulk{"ratings", "record_id, case_id, terminal, item, version, level, at", "ttttttt", `ON CONFLICT (record_id) DO NOTHING`}

func (t *sqlTx) PutRatings(rs []RatingRow) error {
	rows := make([][]any, len(rs))
	for i, r := range rs {
		rows[i] = []any{r.Record, r.Case, r.Terminal, r.Item, r.Version, r.Level, when(r.At)}
	}
	return t.many(putRatings, rows)
}

var putHotlines = bulk{"hotline", "record_id, case_id, local_no, category, phone, ink, at", "ttttttt", `ON CONFLICT (record_id) DO NOTHING`}

func (t *sqlTx) PutHotlines(hs []HotlineRow) error {
	rows := make([][]any, len(hs))
	for i, h := range hs {
		rows[i] = []any{h.Record, h.Case, h.LocalNo, h.Category, h.Phone, h.Ink, when(h.At)}
	}
	return t.many(putHotlines, rows)
}
