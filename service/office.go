package service

import (
	"context"
	"errors"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// An Office decides who gets a card, keeps the applications and allows each card that is printed. cmd/kiosk fits the uplink's
// client to it. Errors are those of [Platform], and the ones below.
type Office interface {
	// Face has a live picture compared with the register: a token that proves the person, or ErrOtherFace. The person agreed
	// to it at the time given.
	Face(ctx context.Context, visit string, who Person, picture []byte, agreed time.Time) (Token, error)
	// Chance tells whether the person whom the token proves may have a card, and what would stand on it.
	Chance(ctx context.Context, q ChanceQuery) (Chance, error)
	// Apply applies for a card. The same key is the same application.
	Apply(ctx context.Context, a Application) (Standing, error)
	// Standing tells where an application stands.
	Standing(ctx context.Context, key string) (Standing, error)
	// StandingAfter is Standing once the state is another, after wait at the latest; a platform that cannot hold an answer back
	// answers at once.
	StandingAfter(ctx context.Context, key string, state StandingState, wait time.Duration) (Standing, error)
	// Permit allows one card on one blank. Its signature was verified; ErrForged otherwise. ErrNoPermit: not now, or never.
	Permit(ctx context.Context, key, kind, blank string) (Permit, error)
	// Resume lets a case go on here that was begun at another terminal, or here: for the person whom the token proves.
	Resume(ctx context.Context, receipt string, token Token) (Resumed, error)
}

// Errors of the office beside those of the platform.
var (
	ErrOtherFace = errors.New("the picture shows somebody else")
	ErrNoPermit  = errors.New("no permit is given")
)

// ChanceQuery asks whether a card may be had. Voucher and Child may be "".
type ChanceQuery struct {
	Kind    string
	Visit   string
	Token   Token
	Voucher string // 22-digit 受理号
	Child   string // the child's number, when a guardian applies
}

// Chance is the answer: refused, under way already, or what would be applied for.
type Chance struct {
	Voucher  string
	Rows     []Row // what will stand on the card, masked
	Phone    string
	Photo    bool // the register holds an accepted picture that may be used
	Refused  string
	Why      Text
	Next     Text
	Window   bool // that is done at a window of the hall
	Existing *Standing
}

// Reasons of [Chance].Refused that a step does something about; every other one is told and ends the item.
const refusedNoVoucher = "no-voucher"

// Application applies for a card.
type Application struct {
	Key, Kind  string
	Token      Token
	Child      string
	Voucher    string
	Receipt    string
	Phone      string
	Photo      []byte // JPEG; empty when the register's is used
	Profile    string
	Checks     []Check
	Signature  []byte // PNG
	Form       [32]byte
	FaceAgreed bool
}

// Check is one measured property of a photo.
type Check struct {
	Name  string
	Value float64
	OK    bool
}

// StandingState is where an application stands.
type StandingState string

// States of an application.
const (
	StandingWaiting  StandingState = "waiting"
	StandingApproved StandingState = "approved"
	StandingRejected StandingState = "rejected"
	StandingPrinting StandingState = "printing" // a permit was given
	StandingIssued   StandingState = "issued"
	StandingDoubt    StandingState = "in-doubt"
	StandingEnded    StandingState = "ended" // no card was made and none will be
)

// Standing is what the office says of an application.
type Standing struct {
	Key     string
	Number  string // of the application
	Receipt string
	State   StandingState
	Why     Text          // rejected: the reviewer's reason
	Wait    time.Duration // until a decision, as a guess; 0 when it cannot be said
}

// Permit allows one card on one blank here until it expires.
type Permit struct {
	ID       string
	Key      string
	Kind     string
	Terminal string // id of the terminal, as the platform knows it
	Blank    string
	Expires  time.Time
	Card     CardFace
	Photo    []byte // JPEG
	Verify   string // text of the code on the card
}

// Wipe forgets whose card it is.
func (p *Permit) Wipe() {
	clear(p.Photo)
	clear(p.Card.NameImage)
	*p = Permit{}
}

// CardFace is what stands on a card. It hides itself when formatted.
type CardFace struct {
	Name                               string
	NameImage                          []byte // PNG, for a character that fonts lack
	Sex, Nation, Born, Address, Number string
	From, Until                        time.Time
	Authority                          string
}

// String hides everything.
func (CardFace) String() string { return "[card]" }

// GoString hides everything.
func (CardFace) GoString() string { return "[card]" }

// Resumed is a case that may go on here.
type Resumed struct {
	Key string
	// Adopt takes the case over within a change of the journal.
	Adopt func(*journal.Tx) (journal.Case, error)
}
