package platform

// The part of the store port that says who may come in. It is in the store, and read in each request's own transaction, so
// that what an operator decides holds at once on every server.

import (
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// IdentityTx is what a transaction knows of identities.
type IdentityTx interface {
	// EnrolCode is the one code that a terminal may be enrolled with; a new one takes the earlier one's place.
	EnrolCode(terminal string) (EnrolCode, error)
	PutEnrolCode(EnrolCode) error

	Standing(terminal string) (Standing, error)
	PutStanding(Standing) error

	Certificate(fingerprint string) (CertificateRow, error)
	PutCertificate(CertificateRow) error
	Certificates(terminal string) ([]CertificateRow, error) // by their beginning

	AddSecurityEvent(SecurityEvent) error
	SecurityEvents(newest int) ([]SecurityEvent, error) // newest first
	// CountSecurityEvents tells how many are kept: refusals, which strangers can cause, and others.
	CountSecurityEvents() (refusals, others int, err error)
	// DropSecurityEvents forgets the oldest ones from before a time, and the oldest refusals and others beside, of each kind at
	// most DropMost in all; it tells how many went.
	DropSecurityEvents(before time.Time, refusals, others int) (int, error)
}

// DropMost is how many security events of a kind are forgotten in one transaction.
const DropMost = 5000

// EnrolCode is a one-time code's public half.
type EnrolCode struct {
	Terminal    string
	Key         []byte // Ed25519 public key; the code itself is nowhere
	Made, Until time.Time
	Tries       int    // left
	UsedBy      string // fingerprint of the keys that it let in; "" unused
	Who         string // the operator who made it
}

// Words of a terminal's standing.
const (
	Active  = "active"
	Revoked = "revoked" // refused until it is reset
	Reset   = "reset"   // its keys are forgotten; a new code lets new ones in
)

// Standing is whether a terminal may come in, and with what.
type Standing struct {
	Terminal, State string
	Profile         wire.Profile
	Since           time.Time
	Who, Why        string
	// NextKey is a key that was certified for a rotation and has not been used yet; PKIX DER. The first request signed with it
	// puts it in the place of the old one.
	NextKey     []byte
	NextProfile wire.Profile
	NextCert    string // the certificate that goes with it
}

// CertificateRow is a client certificate that was issued.
type CertificateRow struct {
	Fingerprint string // SHA-256 of the DER, hex
	Terminal    string
	Keys        string // fingerprint of the keys that it was issued with
	From, Until time.Time
	Withdrawn   time.Time // zero while it is good
	Why         string
}

// SecurityEvent is what an operator must be able to see afterwards: who was let in, put out, refused. Nothing in it is
// personal.
type SecurityEvent struct {
	ID       string // UUIDv7
	At       time.Time
	Event    string // "refused", "terminal.enrolled", …
	Terminal string // as it called itself
	Peer     string // address it came from
	Code     string // of the refusal
	Route    string // the route's pattern, never the path
	Who, Why string
	Count    int // how often, where equal ones are summed up
}
