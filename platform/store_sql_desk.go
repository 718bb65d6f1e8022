package platform

// The store's SQL for the desk.

import "github.com/budayang/kiosk/sync/wire"

// openDoubts are the states of a blank that somebody must look for.
const openDoubts = `('` + string(wire.BlankDoubt) + `', '` + string(wire.BlankRetained) + `')`

func (t *sqlTx) FollowDoubt(d DoubtRow) error {
	if d.State != string(wire.BlankDoubt) && d.State != string(wire.BlankRetained) {
		return t.exec(`UPDATE blank_doubts SET state = ?, number = ?, since = ? WHERE terminal = ? AND kind = ? AND id = ? AND since <= ?`,
			d.State, d.Number, when(d.Since), d.Terminal, d.Kind, d.ID, when(d.Since))
	}
	return t.exec(`INSERT INTO blank_doubts (terminal, kind, id, number, case_id, state, since) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (terminal, kind, id) DO UPDATE SET state = excluded.state, number = excluded.number, since = excluded.since
		WHERE blank_doubts.since <= excluded.since`, d.Terminal, d.Kind, d.ID, d.Number, d.Case, d.State, when(d.Since))
}

const doubtColumns = `terminal, kind, id, number, case_id, state, since`

func scanDoubt(scan func(...any) error) (d DoubtRow, err error) {
	var since string
	err = scan(&d.Terminal, &d.Kind, &d.ID, &d.Number, &d.Case, &d.State, &since)
	d.Since = at(since)
	return d, err
}

func (t *sqlTx) Doubt(terminal, kind, id string) (d DoubtRow, err error) {
	err = ErrNoRow
	if rerr := t.rows(`SELECT `+doubtColumns+` FROM blank_doubts WHERE terminal = ? AND kind = ? AND id = ?`, []any{terminal, kind, id}, func(scan func(...any) error) error {
		d, err = scanDoubt(scan)
		return err
	}); rerr != nil {
		return d, rerr
	}
	return d, err
}

func (t *sqlTx) Doubts(most int) (all []DoubtRow, err error) {
	err = t.rows(`SELECT `+doubtColumns+` FROM blank_doubts WHERE state IN `+openDoubts+` ORDER BY since, id LIMIT ?`, []any{most}, func(scan func(...any) error) error {
		d, err := scanDoubt(scan)
		all = append(all, d)
		return err
	})
	return all, err
}

const verdictColumns = `id, kind, ref, seen, act, money, why, by_whom, made, second, ended, state, message`

func (t *sqlTx) AddVerdict(v VerdictRow) error {
	return t.once(`INSERT INTO verdicts (`+verdictColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`, v.ID, v.Kind, v.Ref, v.Seen, v.Act, v.Money, v.Why, v.By,
		when(v.Made), v.Second, maybe(v.Ended), v.State, v.Message)
}

func (t *sqlTx) PutVerdict(v VerdictRow) error {
	n, err := t.affected(`UPDATE verdicts SET second = ?, ended = ?, state = ?, message = ? WHERE id = ?`, v.Second, maybe(v.Ended), v.State, v.Message, v.ID)
	if err == nil && n == 0 {
		err = ErrNoRow
	}
	return err
}

func (t *sqlTx) verdicts(q string, args ...any) (all []VerdictRow, err error) {
	err = t.rows(`SELECT `+verdictColumns+` FROM verdicts `+q, args, func(scan func(...any) error) error {
		var v VerdictRow
		var made, ended string
		err := scan(&v.ID, &v.Kind, &v.Ref, &v.Seen, &v.Act, &v.Money, &v.Why, &v.By, &made, &v.Second, &ended, &v.State, &v.Message)
		v.Made, v.Ended = at(made), at(ended)
		all = append(all, v)
		return err
	})
	return all, err
}

func (t *sqlTx) Verdict(id string) (v VerdictRow, err error) {
	all, err := t.verdicts(`WHERE id = ?`, id)
	if err == nil && len(all) == 0 {
		err = ErrNoRow
	}
	if err != nil {
		return v, err
	}
	return all[0], nil
}

func (t *sqlTx) OpenVerdicts(most int) ([]VerdictRow, error) {
	return t.verdicts(`WHERE state = 'open' ORDER BY made, id LIMIT ?`, most)
}

func (t *sqlTx) VerdictsAbout(kind, ref string, most int) ([]VerdictRow, error) {
	return t.verdicts(`WHERE kind = ? AND ref = ? ORDER BY made DESC, id DESC LIMIT ?`, kind, ref, most)
}

func (t *sqlTx) Verdicts(most int) ([]VerdictRow, error) {
	return t.verdicts(`WHERE state <> 'open' ORDER BY ended DESC, id DESC LIMIT ?`, most)
}
