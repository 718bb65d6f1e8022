package platform

// The store port for members of staff who vouch for a person.

import (
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// ProofRows are calls for staff, who can be called, and how the person of a case was proved.
type ProofRows interface {
	// AddProof keeps a new call. ErrHeld: its code is that of another open one of the site, or its terminal has one open.
	AddProof(ProofRow) error
	Proof(id string) (ProofRow, error)
	// PutProof writes tries and how it ended.
	PutProof(ProofRow) error
	// OpenProof is the one that is open at a terminal.
	OpenProof(terminal string) (ProofRow, error)
	// ProofsAt are a site's newest.
	ProofsAt(site string, newest int) ([]ProofRow, error)
	// ProofsOf are those of one visit at one terminal.
	ProofsOf(terminal, visit string) ([]ProofRow, error)
	// OverdueProofs are open ones of a site whose time is over.
	OverdueProofs(site string, now time.Time) ([]ProofRow, error)

	// Duty is where an account can be called; one at a time.
	Duty(account string) (DutyRow, error)
	PutDuty(DutyRow) error
	// SeenDuty notes that an account looked; a duty that ended meanwhile stays ended.
	SeenDuty(account string, seen time.Time) error
	DropDuty(account string) error
	// Duties are those of a site.
	Duties(site string) ([]DutyRow, error)

	// PutProven keeps how the person of a case was proved; each way, and each account that vouched, once.
	PutProven(ProvenRow) error
	Proven(caseID string) ([]ProvenRow, error) // the first first
}

// ProofRow is one call for a member of staff.
type ProofRow struct {
	ID, Site, Terminal, Visit string
	Citizen                   string // identity number, until it is swept
	Masked                    string // name
	Shown                     string // to the terminal
	Code                      string // stands for the number on the screen; nobody can try numbers without seal.key
	Made, Until               time.Time
	Tries                     int // left
	State                     wire.ProofState
	Ended                     time.Time
	By                        string // the account that answered
	Document, Reason          string // what was seen; why it was refused
}

// DutyRow says that an account can be called at a site.
type DutyRow struct {
	Account, Site      string
	Since, Seen, Until time.Time
}

// ProvenRow is how the person of a case was proved, when the case began or when it went on.
type ProvenRow struct {
	Case, Way, By string
	At            time.Time
}
