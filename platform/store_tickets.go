package platform

// The store port for the hall's queue.

import "time"

// TicketRows are the numbers that were taken. A day is that of China, 2006-01-02.
type TicketRows interface {
	// AddTicket keeps one. ErrHeld: its number is held at that site on that day, or the visit holds one for the business.
	AddTicket(TicketRow) error
	// PutTicket writes how it goes on: State, Window, By, Calls, Called, Ended. ErrNoRow: there is no such number.
	PutTicket(TicketRow) error
	// RenameTicket gives one another number and time, and lets it wait. ErrHeld: the number is held.
	RenameTicket(old TicketRow, number string, taken time.Time) error
	Ticket(site, day, number string) (TicketRow, error)
	// TicketsOfVisit are those that a visit took on a day, in the order of their numbers.
	TicketsOfVisit(day, terminal, visit string) ([]TicketRow, error)
	// TicketsOf counts what a terminal gave on a day.
	TicketsOf(day, terminal string) (int, error)
	// Tickets are those of a site and a day in one state, in the order in which they were taken; in any state when state is "".
	Tickets(site, day, state string, most int) ([]TicketRow, error)
	// CalledLately are the newest that were called for a business, whatever became of them, the newest first.
	CalledLately(site, day, business string, most int) ([]TicketRow, error)
	// DropTickets forgets those of days before one.
	DropTickets(before string) error
}

// TicketRow is one number of the queue. It names nobody.
type TicketRow struct {
	Site, Day, Number, Business string
	Terminal, Visit, Reason     string
	State                       string
	Window, By                  string // where and by whom it was called last
	Calls                       int
	Taken, Called, Ended        time.Time // Called: the first time
}
