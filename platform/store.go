package platform

// The store port: what the platform asks of a database, in its own words. Every implementation passes the suite in
// storetest_test.go. SQL stays portable: SQLite and PostgreSQL stand behind the same port, and whatever speaks
// PostgreSQL's wire and its serialisable transactions may take over.

import (
	"context"
	"errors"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Errors of a store.
var (
	// ErrNoRow: the store has no such thing.
	ErrNoRow = errors.New("not in the store")
	// ErrHeld: a key that is given once is given already.
	ErrHeld = errors.New("held in the store already")
	// ErrConflict: other transactions were in the way again and again; nothing was changed, and a later try may pass.
	ErrConflict = errors.New("the store is too busy with others' changes")
	// ErrUnreachable: the store cannot be reached; nothing was changed.
	ErrUnreachable = errors.New("the store cannot be reached")
	// ErrInDoubt: the link to the store broke while it committed, so the change may be whole there or not at all; or it is there
	// and no standby has confirmed it, so that a failover may take it back. Who repeats it must do so under a key that the store
	// holds once, and may rely on what is held already only after a change of its own is durable.
	ErrInDoubt = errors.New("the store did not say whether the change was made")
)

// A Store keeps the platform's data. Update is one serialisable transaction: all of fn, or nothing; when it returns nil the
// change is durable. View sees one state. Either may run fn again after a conflict or a lost connection, so fn has no
// effects outside its Tx but values that it sets anew each time; and when a call of the Tx fails, fn returns that error.
// Several servers may use one store at the same time.
type Store interface {
	Update(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
	Close() error
}

// Tx is one transaction.
type Tx interface {
	RecordRows
	CaseRows
	ServerRows
	IdentityTx
	OrderRows
	LeaseRows
	PartRows
	AccountRows
	TelemetryRows
	BillRows
	CardRows
	DeskRows
	ProofRows
	TicketRows

	Terminal(id string) (Terminal, error)
	PutTerminal(Terminal) error
	Terminals() ([]Terminal, error)

	Count() (Counts, error) // looks at whole tables
	// Tally adds to what is counted of a terminal, and Tallies is the sum over all.
	Tally(terminal string, add Tally) error
	Tallies() (Tally, error)

	Document(key string) (DocumentRow, error)
	DocumentByNumber(number string) (DocumentRow, error)
	PutDocument(DocumentRow) error // ErrHeld when its key or number is

	// Next counts up a named counter, from 1.
	Next(counter string) (uint64, error)

	Citizen(number string) (CitizenRow, error)
	PutCitizen(CitizenRow) error

	Code(challenge string) (CodeRow, error)
	PutCode(CodeRow) error
	CodesSince(number string, since time.Time) (int, error)
	Token(hash string) (TokenRow, error)
	PutToken(TokenRow) error

	Inbox(terminal string, after uint64, most int) ([]wire.Message, error)
	InboxLast(terminal string) (uint64, error)
	PutMessage(terminal string, m wire.Message) error // ErrHeld when its number is

	Setting(name string) (string, error)
	PutSetting(name, value string) error
}

// Terminal is one machine.
type Terminal struct {
	ID, Site, Name string
	PublicKey      []byte
	Epoch          uint32
	Enrolled, Seen time.Time
	Software       string
	Status         []wire.TerminalRoleStatus
	Shown          Shown
	// Filled says that records were taken out of their order: one that continues a lane may be older than what is held of its case.
	Filled bool
}

// LaneRow is what the platform holds of a lane.
type LaneRow struct {
	Epoch uint32
	Seq   uint64
	Hash  wire.Hash
}

// RecordRow is a record as it came.
type RecordRow struct {
	wire.Record
	Hash     wire.Hash
	Outcome  wire.RecordOutcome
	Reason   string
	Received time.Time
	// Beside is set for a record of a history that is not the one held at its place: it is kept under its id alone, and no place
	// of its lane holds it.
	Beside bool
}

// CaseRow is a case as its records tell it. Times counts how often it was opened: 1.
type CaseRow struct {
	ID, Terminal, Item, ReceiptCode, State, Person, Last4 string
	Opened, Updated                                       time.Time
	Times                                                 int
	Rating                                                string // "" not rated; filled by Cases only
}

// EffectRow is what one act came to.
type EffectRow struct {
	Name, Case, Kind, State, Detail, Number string
	At                                      time.Time
}

// RatingRow is one evaluation.
type RatingRow struct {
	Record, Case, Terminal, Item, Version, Level string
	At                                           time.Time
}

// HotlineRow is one request to 12345.
type HotlineRow struct {
	Record, Case, LocalNo, Category, Phone, Ink string
	At                                          time.Time
}

// DocumentRow is an issued document.
type DocumentRow struct {
	wire.Document
	Request  wire.Hash // of what was asked, so that the same key with another request is noticed
	Person   string    // masked
	Terminal string
}

// CitizenRow is a synthetic citizen.
type CitizenRow struct{ Number, Name, Phone string }

// CodeRow is a one-time code on its way; Code is a hash.
type CodeRow struct {
	Challenge, Terminal, Visit, Number, Code string
	Until, Made                              time.Time
	Tries                                    int // left
}

// TokenRow proves a person for one visit at one terminal.
type TokenRow struct {
	Token, Terminal, Visit, Number string
	Until                          time.Time
	Way                            string // in which the person was proved, one of the words Way…; "" by a server of before
	By                             string // the account that vouched for the person
}

// Ways in which a person is proved.
const (
	WayCode   = "code"
	WayFace   = "face"
	WayFinger = "fingerprint"
	WayStaff  = "staff"
)

// Tally is what the overview counts. Cases are openings that were accepted, ratings those with a level.
type Tally struct{ Records, Quarantined, Cases, Ratings, Documents int64 }

// Counts are totals for the dock and for tests.
type Counts struct {
	Terminals, Cases, Records, Duplicates, Quarantined, Documents, Ratings, Hotline int
}
