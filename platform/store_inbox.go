package platform

// The store port for the way down: orders, releases, what terminals say they work with, and leases.

import (
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// OrderRows keeps what terminals were told and what they answered.
type OrderRows interface {
	Order(terminal, id string) (OrderRow, error)
	PutOrder(OrderRow) error                                // new, or in place of the one with its terminal and id
	Orders(terminal string, newest int) ([]OrderRow, error) // newest first; "" is every terminal
	OpenOrders(terminal string) ([]OrderRow, error)         // without an answer, oldest first

	ReleaseOf(kind, terminal string, revision int64) (ReleaseRow, error)
	PutRelease(ReleaseRow) error

	// LastRecord is the highest sequence held of a lane in an epoch, 0 when there is none.
	LastRecord(terminal string, epoch uint32, lane wire.Lane) (uint64, error)

	// Working is what a terminal last said of itself; the zero row when it said nothing yet.
	Working(terminal string) (WorkingRow, error)
	PutWorking(terminal string, r WorkingRow) error
}

// LeaseRows keeps who may write of a case.
type LeaseRows interface {
	Lease(caseID string) (LeaseRow, error)
	// Leases are those of cases that have one.
	Leases(cases []string) (map[string]LeaseRow, error)
	PutLease(LeaseRow) error
	// CaseByReceipt is the case that a receipt code names, and CaseBegun the record with which it began.
	CaseByReceipt(code string) (CaseRow, error)
	CaseBegun(caseID string) (RecordRow, error)
}

// PartRows keeps large blobs that arrive in parts until they are whole, so that whichever server is asked goes on with them.
type PartRows interface {
	PartsHeld(terminal string, h wire.Hash) (bytes int64, err error)
	PutPart(terminal string, h wire.Hash, begins int64, body []byte, now time.Time) error // ErrHeld when its place is
	Parts(terminal string, h wire.Hash) ([]byte, error)
	PartsBegun(terminal string) ([]wire.Hash, error) // the one touched longest ago first
	DropParts(terminal string, h wire.Hash) error
}

// OrderRow is one message of a terminal's inbox, and its answer.
type OrderRow struct {
	Terminal, ID, Type, Name string
	No                       uint64 // of the message that carries it; a later one when it was sent again
	By                       string // who sent it
	Sent, Expires            time.Time
	Revision                 int64 // that was sent

	Status wire.OrderStatus // "" while there is no answer
	Detail string
	Blob   wire.Hash
	Ended  time.Time
}

// ReleaseRow is a revision of a configuration (of one terminal), of the items or of the notices (of all: Terminal "").
type ReleaseRow struct {
	Kind, Terminal string
	Revision       int64
	Body           string // the message's body
	By             string
	Made           time.Time
}

// WorkingRow is what a terminal said in its last hello.
type WorkingRow struct {
	wire.Applied
	Paused bool
	Inbox  uint64 // the last message it took
}

// LeaseRow says that one terminal holds a case.
type LeaseRow struct {
	Case, Terminal string
	Token          uint64
	Granted        time.Time
}
