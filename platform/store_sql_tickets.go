package platform

// The store's SQL for the hall's queue.

import (
	"errors"
	"time"
)

const ticketColumns = `site, day, number, business, terminal, visit, reason, state, counter, by_whom, calls, taken, called, ended`

func (t *sqlTx) AddTicket(r TicketRow) error {
	return t.once(`INSERT INTO tickets (`+ticketColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, r.Site, r.Day, r.Number, r.Business, r.Terminal, r.Visit, r.Reason,
		r.State, r.Window, r.By, r.Calls, when(r.Taken), maybe(r.Called), maybe(r.Ended))
}

func (t *sqlTx) PutTicket(r TicketRow) error {
	n, err := t.affected(`UPDATE tickets SET state = ?, counter = ?, by_whom = ?, calls = ?, called = ?, ended = ? WHERE site = ? AND day = ? AND number = ?`,
		r.State, r.Window, r.By, r.Calls, maybe(r.Called), maybe(r.Ended), r.Site, r.Day, r.Number)
	if err == nil && n == 0 {
		err = ErrNoRow
	}
	return err
}

func (t *sqlTx) RenameTicket(old TicketRow, number string, taken time.Time) error {
	if _, err := t.Ticket(old.Site, old.Day, number); err == nil {
		return ErrHeld
	} else if !errors.Is(err, ErrNoRow) {
		return err
	}
	return t.exec(`UPDATE tickets SET number = ?, taken = ?, state = ?, called = '', ended = '', counter = '', by_whom = '', calls = 0 WHERE site = ? AND day = ? AND number = ?`,
		number, when(taken), ticketWaiting, old.Site, old.Day, old.Number)
}

func (t *sqlTx) tickets(q string, args ...any) (all []TicketRow, err error) {
	err = t.rows(`SELECT `+ticketColumns+` FROM tickets `+q, args, func(scan func(...any) error) error {
		var r TicketRow
		var taken, called, ended string
		err := scan(&r.Site, &r.Day, &r.Number, &r.Business, &r.Terminal, &r.Visit, &r.Reason, &r.State, &r.Window, &r.By, &r.Calls, &taken, &called, &ended)
		r.Taken, r.Called, r.Ended = at(taken), at(called), at(ended)
		all = append(all, r)
		return err
	})
	return all, err
}

func (t *sqlTx) Ticket(site, day, number string) (r TicketRow, err error) {
	all, err := t.tickets(`WHERE site = ? AND day = ? AND number = ?`, site, day, number)
	if err == nil && len(all) == 0 {
		err = ErrNoRow
	}
	if err != nil {
		return r, err
	}
	return all[0], nil
}

func (t *sqlTx) TicketsOfVisit(day, terminal, visit string) ([]TicketRow, error) {
	return t.tickets(`WHERE day = ? AND terminal = ? AND visit = ? ORDER BY number`, day, terminal, visit)
}

func (t *sqlTx) TicketsOf(day, terminal string) (n int, err error) {
	err = t.row(`SELECT COUNT(*) FROM tickets WHERE day = ? AND terminal = ?`, []any{day, terminal}, &n)
	return n, err
}

func (t *sqlTx) Tickets(site, day, state string, most int) ([]TicketRow, error) {
	if state == "" {
		return t.tickets(`WHERE site = ? AND day = ? ORDER BY taken, number LIMIT ?`, site, day, most)
	}
	return t.tickets(`WHERE site = ? AND day = ? AND state = ? ORDER BY taken, number LIMIT ?`, site, day, state, most)
}

func (t *sqlTx) CalledLately(site, day, business string, most int) ([]TicketRow, error) {
	return t.tickets(`WHERE site = ? AND day = ? AND business = ? AND called <> '' ORDER BY called DESC, number DESC LIMIT ?`, site, day, business, most)
}

func (t *sqlTx) DropTickets(before string) error {
	return t.exec(`DELETE FROM tickets WHERE day < ?`, before)
}
