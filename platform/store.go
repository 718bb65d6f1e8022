package platform

// The store port: what the platform asks of a database, in its own words. Every implementation passes the suite in
// storetest_test.go. SQL stays portable, so that PostgreSQL can stand behind the same port.

import (
	"context"
	"errors"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// ErrNoRow: the store has no such thing.
var ErrNoRow = errors.New("not in the store")

// A Store keeps the platform's data. Update is one serialisable transaction: all of fn, or nothing; when it returns nil the
// change is durable. fn may be run again after a conflict, so it has no effects outside its Tx.
type Store interface {
	Update(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
	Close() error
}

// Tx is one transaction.
type Tx interface {
	OrderRows
	LeaseRows

	Terminal(id string) (Terminal, error)
	PutTerminal(Terminal) error
	Terminals() ([]Terminal, error)

	Lane(terminal string, lane wire.Lane) (LaneRow, error) // the zero row of epoch 1 when nothing came yet
	PutLane(terminal string, lane wire.Lane, r LaneRow) error

	// AddRecord keeps a record for ever. It reports false, and the hash that is held, when its id or its place is held
	// already.
	AddRecord(r RecordRow) (added bool, held wire.Hash, err error)
	RecordAt(terminal string, epoch uint32, lane wire.Lane, seq uint64) (RecordRow, error)

	Case(id string) (CaseRow, error)
	PutCase(CaseRow) error
	Cases(newest int) ([]CaseRow, error)
	PutEffect(EffectRow) error
	PutRating(RatingRow) error
	PutHotline(HotlineRow) error
	Count() (Counts, error)

	Document(key string) (DocumentRow, error)
	DocumentByNumber(number string) (DocumentRow, error)
	PutDocument(DocumentRow) error

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
	PutMessage(terminal string, m wire.Message) error

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
}

// Counts are totals for the page and the dock.
type Counts struct {
	Terminals, Cases, Records, Duplicates, Quarantined, Documents, Ratings, Hotline int
}
