package platform

// The store port for what servers must know of each other. Nothing that decides between yes and no lives in one server's
// memory: a request, a document or a limit is judged the same whichever server of the fleet a balancer picks.

import "time"

// ServerRows is the servers' common memory.
type ServerRows interface {
	// UseNonce notes that a request was seen, until a time; it reports false for one that is noted already.
	UseNonce(id string, until time.Time) (fresh bool, err error)

	// Hit counts up key and returns the count of the window that began with its first hit and ends at until.
	Hit(key string, now, until time.Time) (n int, err error)
	// Unhit takes one hit of key back, and Forgive all of them.
	Unhit(key string) error
	Forgive(key string) error

	// Claim makes owner the only worker on key until a time; it reports false while another's claim runs. A claim that
	// ran out is anybody's: its server died or forgot.
	Claim(key, owner string, now, until time.Time) (bool, error)
	Release(key, owner string) error

	// Mail lists terminals whose inbox got messages within the last d by the store's own count, and the highest number.
	Mail(within time.Duration) ([]Mail, error)

	// Sweep forgets nonces, limits, claims, codes, tokens, sessions, calls for staff and duties that ran out before a time.
	Sweep(before time.Time) error
}

// Mail is the newest message of one terminal.
type Mail struct {
	Terminal string
	No       uint64
}
