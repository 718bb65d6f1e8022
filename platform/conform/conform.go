// Package conform holds any city's platform to the contract that terminals rely on (docs/protocol.md). It speaks as test
// terminals do, over the line only, and shares no code with our server: what it knows of a platform it knows from the
// protocol's document, so a city that builds its own is measured by the same rod as ours.
//
// # How it is used
//
// The city's operator makes one-time codes for two terminal ids that nothing else uses; [Run] enrols both, runs the checks in
// the order of [Checks], and returns what became of each: ok, failed with what came instead, or skipped with why. A check
// fails on its own account: each builds on the enrolment and on the lane's present place, not on what the one before it saw.
//
//	report, err := conform.Run(ctx, conform.Config{URL: url, Roots: pool, Enrolments: two}, func(r conform.Result) { … })
//
// # What it leaves behind
//
// Two terminals with a few dozen records, cases of an item named CONFORM, a few blobs of random bytes and, when a person is named,
// a few issued documents and applications for cards that have ended; for ten minutes no more pictures are compared with that person. Run
// it against a trial platform, or reset both terminals afterwards. It sends nothing of any real person: the person it asks about, and the
// pictures that show them, are those that it is given.
//
// # What it cannot see
//
// Whether an acknowledgement was durable, and whether two servers agree: those need the machine, not the line.
package conform

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"image"
	"net"
	"net/url"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Config is what a run needs. The zero value of what is optional leaves out the checks that need it.
type Config struct {
	URL        string         // of the platform, "https://…"
	Roots      *x509.CertPool // authorities: of the platform's TLS and of its signing certificate
	Profile    wire.Profile   // of the test terminals' keys; "" is [wire.P256]
	Enrolments []Enrolment    // two, of unused terminals

	// Person is one whom the platform knows and whose phone's messages Code reads; optional.
	Person wire.PersonRef
	// Code returns the one-time code that was sent for a challenge. Begin is called before it is asked for.
	Code interface {
		Begin() error
		Read(ctx context.Context, sent wire.CodeSent) (string, error)
	}
	Service string            // a query that needs a verified person; "" is "sb-info"
	Kind    string            // of a document; "" is "SB-P"
	Priced  string            // an item with a price; "" skips the bill
	Card    string            // a kind of card that terminals make and that the person may have; "" skips cards
	Params  map[string]string // of the document
	Face    []byte            // a JPEG that shows the person, as a camera of a terminal takes one; nil skips what needs one
	Finger  image.Image       // a finger of the person in grey, dark ridges, 500 pixels an inch, 64 to 512 a side; nil skips what needs one

	// Revoke puts a terminal out, as an operator does; optional.
	Revoke func(ctx context.Context, terminal string) error
	// Dial opens a line to the platform, through a tunnel for instance; nil dials the address in URL.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Patience bounds every single answer; 0 is a minute.
	Patience time.Duration
}

// Enrolment is a terminal id with its one-time code.
type Enrolment struct{ Terminal, Code string }

// A Check is one promise of the protocol.
type Check struct {
	Name   string
	Expect string // what must be seen
	Where  string // the heading of docs/protocol.md that says so

	run func(context.Context, *session) error
}

// Outcome is what became of a check.
type Outcome string

// Outcomes.
const (
	OK      Outcome = "ok"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Result is one check's.
type Result struct {
	Check   string  `json:"check"`
	Outcome Outcome `json:"outcome"`
	Expect  string  `json:"expect"`
	Where   string  `json:"where"`
	Came    string  `json:"came,omitempty"` // what came instead; of a skipped one, why it was skipped
}

// ErrConfig: the run could not begin.
var ErrConfig = errors.New("conformance run")

// skip is why a check was not run.
type skip string

func (s skip) Error() string { return string(s) }

// Checks are all, in the order in which they run.
func Checks() []Check {
	var all []Check
	for _, part := range [][]Check{identityChecks, requestChecks, recordChecks, kindChecks, sizeChecks, inboxChecks, blobChecks, partChecks, telemetryChecks, catalogueChecks, citizenChecks, leaseChecks, billChecks, cardChecks, proofChecks, pictureChecks, ticketChecks, lastChecks} {
		all = append(all, part...)
	}
	return all
}

// Run runs every check and tells each result as it comes. An error means that nothing was run, or that ctx ended.
func Run(ctx context.Context, c Config, tell func(Result)) ([]Result, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Scheme != "https" || base.Host == "":
		return nil, fmt.Errorf("%w: the platform's address begins with https://", ErrConfig)
	case c.Roots == nil:
		return nil, fmt.Errorf("%w: no authority to believe", ErrConfig)
	case len(c.Enrolments) != 2 || c.Enrolments[0].Terminal == c.Enrolments[1].Terminal:
		return nil, fmt.Errorf("%w: two terminals with a code each are needed", ErrConfig)
	}
	for _, e := range c.Enrolments {
		if _, err := wire.CodeKey(e.Terminal, e.Code); err != nil {
			return nil, fmt.Errorf("%w: terminal %s: %w", ErrConfig, e.Terminal, err)
		}
	}
	if c.Profile == "" {
		c.Profile = wire.P256
	}
	if c.Service == "" {
		c.Service = "sb-info"
	}
	if c.Kind == "" {
		c.Kind = "SB-P"
	}
	if c.Patience == 0 {
		c.Patience = time.Minute
	}
	s, err := newSession(c, base)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer s.close()
	var all []Result
	for _, check := range Checks() {
		r := Result{Check: check.Name, Outcome: OK, Expect: check.Expect, Where: check.Where}
		err := check.run(ctx, s)
		if ctx.Err() != nil {
			return all, context.Cause(ctx)
		}
		var why skip
		switch {
		case errors.As(err, &why):
			r.Outcome, r.Came = Skipped, string(why)
		case err != nil:
			r.Outcome, r.Came = Failed, err.Error()
		}
		all = append(all, r)
		if tell != nil {
			tell(r)
		}
	}
	return all, nil
}
