package platform

// The part of the store port for the people who run the platform. It is in the store, and read for each request, so that a
// session is good at every server and ends at every server.

import (
	"time"

	"github.com/budayang/kiosk/platform/staff"
)

// AccountRows keeps accounts and sessions.
type AccountRows interface {
	Account(name string) (Account, error)
	PutAccount(Account) error
	Accounts() ([]Account, error) // by name

	Session(hash string) (Session, error)
	PutSession(Session) error // ErrHeld when its hash is
	// SeenSession notes when a session was last used; one that ended meanwhile stays ended.
	SeenSession(hash string, seen time.Time) error
	DropSession(hash string) error
	DropSessions(account string) error

	// Hotlines are the newest requests to 12345, and Hotline is one of them.
	Hotlines(newest int) ([]HotlineRow, error)
	Hotline(record string) (HotlineRow, error)
}

// Account is one of the people who run the platform.
type Account struct {
	Name       string
	Role       staff.Role
	Password   string // argon2id, in PHC form
	MustChange bool   // somebody else knows the password
	Off        bool   // may not come in
	Made       time.Time
	MadeBy     string
	Changed    time.Time // when the password was last set
}

// Session is one browser in which somebody is signed in.
type Session struct {
	Hash          string // SHA-256 of the cookie, hex
	Account, Peer string
	Made, Seen    time.Time
	Until         time.Time // when it ends whatever happens
}
