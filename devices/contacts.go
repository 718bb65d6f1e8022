package devices

// Contacts and lights: what an input-output board in the cabinet senses and switches.

import (
	"context"
	"errors"
)

// Contact is what one switch or sensor says.
type Contact string

// Contact words.
const (
	ContactNotSupported Contact = "notSupported" // not wired
	ContactUnknown      Contact = "unknown"
	ContactQuiet        Contact = "quiet"
	ContactTripped      Contact = "tripped" // somebody stands there; the cabinet was moved
)

// Contacts is what the cabinet's switches say.
type Contacts struct {
	Door   Cover   `json:"door"`   // of the cabinet: the technician's
	Tamper Contact `json:"tamper"` // the cabinet is moved, drilled or lifted
	Body   Contact `json:"body"`   // somebody stands before the terminal
}

// A ContactBoard senses. Its status has the door as Cover, the body as Media, and "tamper" among its reasons.
type ContactBoard interface {
	Device
	// Contacts asks the switches. It returns [ErrNoDevice], [ErrSilent], [ErrProtocol] or [ErrUnusable]; then nothing is known.
	Contacts(ctx context.Context) (Contacts, error)
}

// A Light is named by the role that it guides to ("id-reader" is the lamp at the reader), or is one of these.
type Light string

// Lights that guide to no role.
const (
	LightFill   Light = "fill"   // upon a face, for the camera
	LightStatus Light = "status" // seen from afar: in service
)

// ErrNotWired: the board has no such light or lock.
var ErrNotWired = errors.New("not wired")

// A LightBoard switches lights, and locks where it has some.
type LightBoard interface {
	Device
	// Lights are those that are wired, in alphabetical order.
	Lights() []Light
	// Light switches one light and has the board confirm it. It returns [ErrNotWired] for one that is not there.
	Light(ctx context.Context, which Light, on bool) error
	// Release lets a lock go for as long as its profile says, and locks it again whatever becomes of ctx. It returns [ErrNotWired]
	// for a lock that is not there; any other error means that the lock may be open.
	Release(ctx context.Context, lock string) error
}
