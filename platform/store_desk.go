package platform

// The store port for the desk: what a person must look at, and what two people decided.

import "time"

// DeskRows are blanks of which nobody knows, and verdicts.
type DeskRows interface {
	// FollowDoubt notes where a blank stands: one that nobody knows of, or is kept in the bin, is kept as a doubt, and any other
	// ends the doubt there is. What is older than what is held changes nothing.
	FollowDoubt(DoubtRow) error
	Doubt(terminal, kind, id string) (DoubtRow, error)
	// Doubts are the open ones, the oldest first.
	Doubts(most int) ([]DoubtRow, error)

	// AddVerdict keeps a proposal. ErrHeld when one about the same thing is open.
	AddVerdict(VerdictRow) error
	Verdict(id string) (VerdictRow, error)
	// PutVerdict writes how it ended.
	PutVerdict(VerdictRow) error
	// OpenVerdicts are those that wait for a second person.
	OpenVerdicts(most int) ([]VerdictRow, error)
	// VerdictsAbout are those about one thing, open ones among them, the newest first.
	VerdictsAbout(kind, ref string, most int) ([]VerdictRow, error)
	// Verdicts are the newest that ended.
	Verdicts(most int) ([]VerdictRow, error)
}

// DoubtRow is a blank that somebody must look for.
type DoubtRow struct {
	Terminal, Kind, ID, Number, Case, State string
	Since                                   time.Time
}

// VerdictRow is what one person proposes, and a second one says to it.
type VerdictRow struct {
	ID, Kind, Ref, Seen, Act, Money, Why, By string
	Made                                     time.Time
	Second                                   string
	Ended                                    time.Time
	State                                    string
	Message                                  string // id of the order that carries it out
}
