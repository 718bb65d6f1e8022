package platform

// The store port for bills and what belongs to them (platform/pay).

import (
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

// BillRows are the accounts of bills. An account is read and written as a whole.
type BillRows interface {
	// AddBill keeps a new account. ErrHeld when its number is.
	AddBill(a *pay.Account, due time.Time) error
	// Bill reads an account. ErrNoRow.
	Bill(number string) (*pay.Account, error)
	// PutBill writes what changed. ErrHeld when a payment or an order of it is booked for another bill. due is when somebody must
	// look next; the zero time means never.
	PutBill(a *pay.Account, due time.Time) error
	// BillsOf are a case's bills, oldest first.
	BillsOf(caseID string) ([]pay.Bill, error)
	// TakeBills leases bills whose time has come to owner, the most overdue first; a lease that ran out is anybody's. The time of a
	// bill's e-bill counts too, whatever due says: an older server knows nothing of it.
	TakeBills(owner string, now, until time.Time, most int) ([]string, error)
	GiveBill(owner, number string) error
	// BillsPaid are those that cost something and were paid from one time until before another, the oldest payment first.
	BillsPaid(from, until time.Time) ([]string, error)
	// EBillsIssued are the e-bills and red ones that were issued from one time until before another, by bill, an e-bill before its red one.
	EBillsIssued(from, until time.Time) ([]pay.EBillLine, error)
	// PaymentsOf are a channel's payments of a day.
	PaymentsOf(channel, day string) ([]pay.Line, error)
	// BillOfPayment is where a channel's payment is booked. ErrNoRow.
	BillOfPayment(channel, transaction string) (number string, err error)
	// BillsOnDesk are the bills with open matters, the oldest matter first.
	BillsOnDesk(most int) ([]string, error)

	// PutBlank keeps where a numbered blank stands. ErrHeld when the number is another blank's: nothing is changed.
	PutBlank(BlankRow) error
	Blank(kind, number string) (BlankRow, error)

	Statement(channel, day string) (StatementRow, error)
	PutStatement(StatementRow) error
}

// StatementRow is what the comparison with a channel's book of a day came to.
type StatementRow struct {
	Channel, Day string
	Made         time.Time
	Differences  []pay.Difference
}

// BlankRow is a numbered blank as its terminal tells of it.
type BlankRow struct {
	Kind, Number, Terminal, ID, Case, State string
	At                                      time.Time
}
