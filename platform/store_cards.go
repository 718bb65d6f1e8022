package platform

// The store port for cards that are made at terminals.

import (
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// CardRows are applications, what is sealed of them, and permits.
type CardRows interface {
	// AddCard keeps a new application. ErrHeld when its key or number is.
	AddCard(CardRow) error
	Card(key string) (CardRow, error)
	// PutCard writes what changes of an application, and counts its revision up.
	PutCard(CardRow) error
	// CardsAmong are those of the keys that are applications.
	CardsAmong(keys []string) ([]CardRow, error)
	// CardsOf are a person's applications, newest first. person is the hash.
	CardsOf(kind, person string) ([]CardRow, error)
	// CardsBy are those that a person applied for, for whomever, newest first. applicant is the hash.
	CardsBy(kind, applicant string) ([]CardRow, error)
	// CardsIn are applications in a state, oldest first.
	CardsIn(state wire.CardState, most int) ([]CardRow, error)
	// CardsBefore are those in a state that did not change since a time, oldest first.
	CardsBefore(state wire.CardState, before time.Time, most int) ([]CardRow, error)
	// CardsPaid are those whose bill was paid before that time too.
	CardsPaid(state wire.CardState, before time.Time, most int) ([]CardRow, error)
	CardByNumber(number string) (CardRow, error)
	// CardsKept are applications in a state whose pictures are still there and that did not change since a time.
	CardsKept(state wire.CardState, before time.Time, most int) ([]CardRow, error)
	// CardWaits are how long the newest decisions by people took.
	CardWaits(most int) ([]time.Duration, error)

	// CardSecret is something sealed of an application. ErrNoRow when it never was, or was erased.
	CardSecret(key, what string) ([]byte, error)
	PutCardSecret(key, what string, sealed []byte) error
	DropCardSecret(key, what string) error

	// Permit is what was permitted on a blank.
	Permit(kind, blank string) (PermitRow, error)
	// PutPermit keeps a permit. ErrHeld when the blank is another case's: nothing is changed.
	PutPermit(PermitRow) error
}

// CardRow is an application for a card. Its key is the case's id.
type CardRow struct {
	Key, Kind, Number, Receipt, Terminal string
	Person, Applicant                    string // hashes of numbers; they differ when a guardian applied
	Masked                               string // name
	Request                              wire.Hash
	State                                wire.CardState
	Rev                                  int64 // counts changes
	Ended                                bool  // the case has ended: no further permit
	Why                                  map[string]string
	By                                   string // who decided; "" while nobody did
	Checks                               []wire.CardCheck
	Profile                              string
	Agreed                               bool   // to the comparison of faces
	Blank                                string // of the permit that counts
	Made, Decided, Changed               time.Time
	Until                                time.Time // last moment of the card that was issued
	Erased                               time.Time // pictures are no more
}

// PermitRow is the permission to print on one blank. Starts is the card's first moment.
type PermitRow struct {
	Kind, Blank, Card, ID, Terminal string
	Given, Expires, Starts          time.Time
}
