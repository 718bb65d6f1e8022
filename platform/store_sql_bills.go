package platform

// The store's SQL for bills.

import (
	"encoding/json"
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

// maybe is a time that may be none.
func maybe(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return when(t)
}

const billColumns = `number, case_id, terminal, item, channel, amount, reason, state, why, made, expires, paid`

func scanBill(scan func(...any) error) (b pay.Bill, err error) {
	var amount int64
	var state, made, expires, paid string
	err = scan(&b.Number, &b.Case, &b.Terminal, &b.Item, &b.Channel, &amount, &b.Reason, &state, &b.Why, &made, &expires, &paid)
	b.Amount, b.State, b.Made, b.Expires, b.Paid = pay.Fen(amount), pay.BillState(state), at(made), at(expires), at(paid)
	return b, err
}

func (t *sqlTx) AddBill(a *pay.Account, due time.Time) error {
	b := a.Bill
	if err := t.once(`INSERT INTO bills (`+billColumns+`, due) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`, b.Number, b.Case, b.Terminal, b.Item, b.Channel,
		int64(b.Amount), b.Reason, string(b.State), b.Why, when(b.Made), when(b.Expires), maybe(b.Paid), maybe(due)); err != nil {
		return err
	}
	return t.putBillParts(a)
}

func (t *sqlTx) PutBill(a *pay.Account, due time.Time) error {
	b := a.Bill
	n, err := t.affected(`UPDATE bills SET state = ?, why = ?, paid = ?, due = ? WHERE number = ?`, string(b.State), b.Why, maybe(b.Paid), maybe(due), b.Number)
	if err == nil && n == 0 {
		err = ErrNoRow
	}
	if err != nil {
		return err
	}
	return t.putBillParts(a)
}

// putBillParts writes rows that may be there; one that is there for another bill is held.
func (t *sqlTx) putBillParts(a *pay.Account) error {
	bill := a.Bill.Number
	put := func(q string, args ...any) error {
		n, err := t.affected(q, args...)
		if err == nil && n == 0 {
			err = ErrHeld
		}
		return err
	}
	for _, x := range a.Attempts {
		if err := put(`INSERT INTO bill_attempts (number, bill, state, qr, doubt, acts, looks, due, made, code, channel) VALUES (?,?,?,?,?,?,?,?,?,?,?)
			ON CONFLICT (number) DO UPDATE SET state = excluded.state, qr = excluded.qr, doubt = excluded.doubt, acts = excluded.acts,
			looks = excluded.looks, due = excluded.due, code = excluded.code WHERE bill_attempts.bill = excluded.bill`,
			x.Number, bill, string(x.State), x.QR, number(x.Doubt), x.Acts, x.Looks, maybe(x.Due), when(x.Made), x.Code, x.Channel); err != nil {
			return err
		}
	}
	for i, x := range a.Payments {
		if err := put(`INSERT INTO bill_payments (channel, txn, bill, n, attempt, amount, at, day, seen, used) VALUES (?,?,?,?,?,?,?,?,?,?)
			ON CONFLICT (channel, txn) DO UPDATE SET used = excluded.used WHERE bill_payments.bill = excluded.bill`,
			a.ChannelOf(x.Attempt), x.Transaction, bill, i, x.Attempt, int64(x.Amount), when(x.At), pay.Day(x.At), when(x.Seen), string(x.Use)); err != nil {
			return err
		}
	}
	for i, x := range a.Refunds {
		if err := put(`INSERT INTO bill_refunds (number, bill, n, txn, attempt, amount, why, state, doubt, acts, looks, due, made, code)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (number) DO UPDATE SET state = excluded.state, doubt = excluded.doubt,
			acts = excluded.acts, looks = excluded.looks, due = excluded.due, code = excluded.code WHERE bill_refunds.bill = excluded.bill`,
			x.Number, bill, i, x.Transaction, x.Attempt, int64(x.Amount), x.Why, string(x.State), number(x.Doubt), x.Acts, x.Looks,
			maybe(x.Due), when(x.Made), x.Code); err != nil {
			return err
		}
	}
	for i, x := range a.Matters {
		if err := put(`INSERT INTO bill_matters (bill, n, kind, ref, opened, ended, how, by_whom) VALUES (?,?,?,?,?,?,?,?)
			ON CONFLICT (bill, n) DO UPDATE SET ended = excluded.ended, how = excluded.how, by_whom = excluded.by_whom`,
			bill, i, x.Kind, x.Ref, when(x.Opened), maybe(x.Ended), x.How, x.By); err != nil {
			return err
		}
	}
	e := a.EBill
	if e == nil {
		return nil
	}
	return put(`INSERT INTO bill_ebills (bill, state, code, number, mark, at, url, red_code, red_number, red_mark, red_at, red_url, doubt, acts, looks, due,
		since, heard, refusal) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (bill) DO UPDATE SET state = excluded.state, code = excluded.code,
		number = excluded.number, mark = excluded.mark, at = excluded.at, url = excluded.url, red_code = excluded.red_code, red_number = excluded.red_number,
		red_mark = excluded.red_mark, red_at = excluded.red_at, red_url = excluded.red_url, doubt = excluded.doubt, acts = excluded.acts,
		looks = excluded.looks, due = excluded.due, since = excluded.since, heard = excluded.heard, refusal = excluded.refusal`,
		bill, string(e.State), e.Issued.Code, e.Issued.Number, e.Issued.Check, maybe(e.Issued.At), e.Issued.URL, e.Red.Code, e.Red.Number, e.Red.Check,
		maybe(e.Red.At), e.Red.URL, number(e.Doubt), e.Acts, e.Looks, maybe(e.Due), maybe(e.Since), maybe(e.Heard), e.Code)
}

func (t *sqlTx) Bill(number string) (*pay.Account, error) {
	a, err := &pay.Account{}, ErrNoRow
	if rerr := t.rows(`SELECT `+billColumns+` FROM bills WHERE number = ?`, []any{number}, func(scan func(...any) error) error {
		a.Bill, err = scanBill(scan)
		return err
	}); rerr != nil {
		return nil, rerr
	}
	if err != nil {
		return nil, err
	}
	for _, q := range []struct {
		sql  string
		each func(scan func(...any) error) error
	}{
		{`SELECT number, state, qr, doubt, acts, looks, due, made, code, channel FROM bill_attempts WHERE bill = ? ORDER BY number`, func(scan func(...any) error) error {
			var x pay.Attempt
			var state, due, made string
			var doubt int64
			err := scan(&x.Number, &state, &x.QR, &doubt, &x.Acts, &x.Looks, &due, &made, &x.Code, &x.Channel)
			x.State, x.Doubt, x.Due, x.Made = pay.AttemptState(state), doubt != 0, at(due), at(made)
			a.Attempts = append(a.Attempts, x)
			return err
		}},
		{`SELECT txn, attempt, amount, at, seen, used FROM bill_payments WHERE bill = ? ORDER BY n`, func(scan func(...any) error) error {
			var x pay.Payment
			var amount int64
			var when, seen, use string
			err := scan(&x.Transaction, &x.Attempt, &amount, &when, &seen, &use)
			x.Amount, x.At, x.Seen, x.Use = pay.Fen(amount), at(when), at(seen), pay.Use(use)
			a.Payments = append(a.Payments, x)
			return err
		}},
		{`SELECT number, txn, attempt, amount, why, state, doubt, acts, looks, due, made, code FROM bill_refunds WHERE bill = ? ORDER BY n`, func(scan func(...any) error) error {
			var x pay.Refund
			var amount, doubt int64
			var state, due, made string
			err := scan(&x.Number, &x.Transaction, &x.Attempt, &amount, &x.Why, &state, &doubt, &x.Acts, &x.Looks, &due, &made, &x.Code)
			x.Amount, x.State, x.Doubt, x.Due, x.Made = pay.Fen(amount), pay.RefundState(state), doubt != 0, at(due), at(made)
			a.Refunds = append(a.Refunds, x)
			return err
		}},
		{`SELECT kind, ref, opened, ended, how, by_whom FROM bill_matters WHERE bill = ? ORDER BY n`, func(scan func(...any) error) error {
			var x pay.Matter
			var opened, ended string
			err := scan(&x.Kind, &x.Ref, &opened, &ended, &x.How, &x.By)
			x.Opened, x.Ended = at(opened), at(ended)
			a.Matters = append(a.Matters, x)
			return err
		}},
		{`SELECT state, code, number, mark, at, url, red_code, red_number, red_mark, red_at, red_url, doubt, acts, looks, due, since, heard, refusal
			FROM bill_ebills WHERE bill = ?`, func(scan func(...any) error) error {
			var x pay.EBill
			var state, issued, red, due, since, heard string
			var doubt int64
			err := scan(&state, &x.Issued.Code, &x.Issued.Number, &x.Issued.Check, &issued, &x.Issued.URL, &x.Red.Code, &x.Red.Number, &x.Red.Check, &red,
				&x.Red.URL, &doubt, &x.Acts, &x.Looks, &due, &since, &heard, &x.Code)
			x.State, x.Doubt, x.Issued.At, x.Red.At = pay.EBillState(state), doubt != 0, at(issued), at(red)
			x.Due, x.Since, x.Heard = at(due), at(since), at(heard)
			a.EBill = &x
			return err
		}},
	} {
		if err := t.rows(q.sql, []any{number}, q.each); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (t *sqlTx) BillsOf(caseID string) (all []pay.Bill, err error) {
	err = t.rows(`SELECT `+billColumns+` FROM bills WHERE case_id = ? ORDER BY made, number`, []any{caseID}, func(scan func(...any) error) error {
		b, err := scanBill(scan)
		all = append(all, b)
		return err
	})
	return all, err
}

func (t *sqlTx) numbers(q string, args ...any) (all []string, err error) {
	err = t.rows(q, args, func(scan func(...any) error) error {
		var n string
		err := scan(&n)
		all = append(all, n)
		return err
	})
	return all, err
}

func (t *sqlTx) TakeBills(owner string, now, until time.Time, most int) ([]string, error) {
	// An older server that writes a bill leaves its e-bill out of the bill's due.
	all, err := t.numbers(`SELECT number FROM (
		SELECT * FROM (SELECT number, due FROM bills WHERE due <> '' AND due <= ? AND until <= ? ORDER BY due, number LIMIT ?) AS b
		UNION ALL SELECT * FROM (SELECT bills.number, bill_ebills.due FROM bill_ebills JOIN bills ON bills.number = bill_ebills.bill
			WHERE bill_ebills.due <> '' AND bill_ebills.due <= ? AND bills.until <= ? ORDER BY bill_ebills.due, bills.number LIMIT ?) AS e
		) AS d GROUP BY number ORDER BY MIN(due), number LIMIT ?`, when(now), when(now), most, when(now), when(now), most, most)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if err := t.exec(`UPDATE bills SET owner = ?, until = ? WHERE number = ?`, owner, when(until), n); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (t *sqlTx) GiveBill(owner, number string) error {
	return t.exec(`UPDATE bills SET owner = '', until = '' WHERE number = ? AND owner = ?`, number, owner)
}

func (t *sqlTx) BillsPaid(from, until time.Time) ([]string, error) {
	return t.numbers(`SELECT number FROM bills WHERE paid <> '' AND paid >= ? AND paid < ? AND amount > 0 ORDER BY paid, number`, when(from), when(until))
}

func (t *sqlTx) EBillsIssued(from, until time.Time) (all []pay.EBillLine, err error) {
	err = t.rows(`SELECT bill, amount, 0 AS red, e.code, e.number, e.mark, e.at FROM bill_ebills AS e JOIN bills ON bills.number = e.bill
			WHERE e.at >= ? AND e.at < ? AND e.number <> ''
		UNION ALL SELECT bill, amount, 1, e.red_code, e.red_number, e.red_mark, e.red_at FROM bill_ebills AS e JOIN bills ON bills.number = e.bill
			WHERE e.red_at >= ? AND e.red_at < ? AND e.red_number <> '' ORDER BY bill, red`,
		[]any{when(from), when(until), when(from), when(until)}, func(scan func(...any) error) error {
			var l pay.EBillLine
			var amount, red int64
			var issued string
			err := scan(&l.Bill, &amount, &red, &l.Paper.Code, &l.Paper.Number, &l.Paper.Check, &issued)
			l.Amount, l.Red, l.Paper.At = pay.Fen(amount), red != 0, at(issued)
			all = append(all, l)
			return err
		})
	return all, err
}

func (t *sqlTx) PaymentsOf(channel, day string) (all []pay.Line, err error) {
	err = t.rows(`SELECT attempt, txn, amount, at FROM bill_payments WHERE day = ? AND channel = ? ORDER BY txn`, []any{day, channel}, func(scan func(...any) error) error {
		var l pay.Line
		var amount int64
		var when string
		err := scan(&l.Attempt, &l.Transaction, &amount, &when)
		l.Amount, l.At = pay.Fen(amount), at(when)
		all = append(all, l)
		return err
	})
	return all, err
}

func (t *sqlTx) BillOfPayment(channel, transaction string) (number string, err error) {
	err = t.row(`SELECT bill FROM bill_payments WHERE channel = ? AND txn = ?`, []any{channel, transaction}, &number)
	return number, err
}

func (t *sqlTx) BillsOnDesk(most int) ([]string, error) {
	return t.numbers(`SELECT bill FROM bill_matters WHERE ended = '' GROUP BY bill ORDER BY MIN(opened), bill LIMIT ?`, most)
}

func (t *sqlTx) Statement(channel, day string) (s StatementRow, err error) {
	var made, differences string
	s.Channel, s.Day = channel, day
	if err = t.row(`SELECT made, differences FROM statements WHERE channel = ? AND day = ?`, []any{channel, day}, &made, &differences); err != nil {
		return s, err
	}
	s.Made = at(made)
	return s, json.Unmarshal([]byte(differences), &s.Differences)
}

func (t *sqlTx) PutStatement(s StatementRow) error {
	b, err := json.Marshal(s.Differences)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO statements (channel, day, made, differences) VALUES (?,?,?,?)
		ON CONFLICT (channel, day) DO UPDATE SET made = excluded.made, differences = excluded.differences`, s.Channel, s.Day, when(s.Made), string(b))
}

func (t *sqlTx) PutBlank(b BlankRow) error {
	n, err := t.affected(`INSERT INTO blanks (kind, number, terminal, id, case_id, state, at) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (kind, number) DO UPDATE SET state = excluded.state, at = excluded.at
		WHERE blanks.terminal = excluded.terminal AND blanks.id = excluded.id`, b.Kind, b.Number, b.Terminal, b.ID, b.Case, b.State, when(b.At))
	if err == nil && n == 0 {
		err = ErrHeld
	}
	return err
}

func (t *sqlTx) Blank(kind, number string) (b BlankRow, err error) {
	var told string
	err = t.row(`SELECT kind, number, terminal, id, case_id, state, at FROM blanks WHERE kind = ? AND number = ?`, []any{kind, number},
		&b.Kind, &b.Number, &b.Terminal, &b.ID, &b.Case, &b.State, &told)
	b.At = at(told)
	return b, err
}
