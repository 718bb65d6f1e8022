package service

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Platform is the city's central platform in the service's own words. cmd/kiosk fits the uplink's client to it.
// Every call is bounded by ctx. Errors are one of the sentinels below, wrapped with a code for the desk ([PlatformError]).
type Platform interface {
	// Link says how the link is; it never blocks. Changed is closed at the next change of Link or Catalogue.
	Link() Link
	Changed() <-chan struct{}
	// Catalogue is the last one received, or the one built in.
	Catalogue() Catalogue
	// SendCode has a one-time code sent to the phone registered for the person.
	SendCode(ctx context.Context, visit string, who Person) (Challenge, error)
	// CheckCode tries a code: a token that proves the person, or ErrWrongCode, ErrLocked.
	CheckCode(ctx context.Context, challenge, code string) (Token, error)
	// Query asks a back end. A zero token is allowed for items that need no verified person.
	Query(ctx context.Context, service, visit string, token Token, params map[string]string) (Found, error)
	// Issue has a document issued. key is the case's id: asking again gives the same document.
	// The document's signature and hash were verified; ErrForged otherwise.
	Issue(ctx context.Context, kind, key string, token Token, params map[string]string) (Document, error)
}

// Link is the state of the link to the platform.
type Link string

// Link states.
const (
	LinkUp      Link = "up"
	LinkDown    Link = "down"
	LinkUnknown Link = "unknown" // not yet tried since start
)

// Errors of the platform, as a citizen's journey must tell them apart.
var (
	ErrLinkDown     = errors.New("the platform cannot be reached")
	ErrPlatformBusy = errors.New("the platform is busy")     // 429, 503
	ErrBackendDown  = errors.New("the back end is down")     // this item does not work now
	ErrPlatform     = errors.New("the platform failed")      // 5xx, HTML, half a body
	ErrRefused      = errors.New("the platform refused")     // 4xx: will not change by itself
	ErrNoRecord     = errors.New("no record of this person") // the back end does not know the person
	ErrNoPhone      = errors.New("no registered phone")
	ErrWrongCode    = errors.New("wrong code")
	ErrLocked       = errors.New("too many tries")
	ErrForged       = errors.New("signature or hash does not verify")
	ErrInProgress   = errors.New("still being worked on")
	ErrMoved        = fmt.Errorf("the case went on at another terminal: %w", ErrRefused)
)

// A PlatformError adds the platform's error code to one of the sentinels.
type PlatformError struct {
	Err  error
	Code string // "E-…" from docs/error-codes.md, for the desk
}

func (e *PlatformError) Error() string { return e.Err.Error() + " (" + e.Code + ")" }
func (e *PlatformError) Unwrap() error { return e.Err }

// Person names a citizen to the platform. It hides itself when formatted.
type Person struct{ name, number, voucher string }

// NewPerson is a person by name and identity number.
func NewPerson(name, number string) Person { return Person{name: name, number: number} }

// NewHolder is a person of whom nothing is known but the number on their voucher, 22 digits.
func NewHolder(voucher string) Person { return Person{voucher: voucher} }

// Reveal gives the fields to the one place that sends them.
func (p Person) Reveal() (name, number string) { return p.name, p.number }

// Voucher is the number of the voucher by which alone the person is known, or "".
func (p Person) Voucher() string { return p.voucher }

// String hides everything.
func (Person) String() string { return "[person]" }

// GoString hides everything.
func (Person) GoString() string { return "[person]" }

// Token proves that a person was verified in this visit; it is good until Until.
type Token struct {
	Value string
	Until time.Time
}

// Challenge is a code on its way.
type Challenge struct {
	ID    string
	Phone string // masked
	Until time.Time
	Tries int
}

// Found is what a query found.
type Found struct {
	Title    Text
	AsOf     time.Time
	Sections []Section
	Note     Text // what a slip of it says of itself; zero: that it is for reference only
}

// Document is an issued, verified document.
type Document struct {
	Number string
	Pages  int
	SHA256 string
	PDF    []byte
	Verify string
}

// Catalogue is what the platform says about its items and forms.
type Catalogue struct {
	Revision int64
	// Unavailable back ends by item code, with the platform's wording (which may be the zero Text).
	Unavailable map[string]Text
	RatingForm  string
	Levels      []Option
	Hotline     []Option
	Notices     []Text
	Phone       string // the city's hotline number
}
