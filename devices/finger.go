package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// A FingerPicture is one picture of a finger. It is sensitive personal data: it formats, logs and marshals as "[finger]" only, stays in
// memory, and whoever has it wipes it.
type FingerPicture struct {
	Width, Height int
	DPI           int    // pixels an inch
	Pixels        []byte // Width × Height, row by row from the finger's tip, one byte each: 0 is a ridge, 255 is bare glass
}

// Format hides everything, whatever the verb.
func (FingerPicture) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[finger]")) }

// LogValue hides everything.
func (FingerPicture) LogValue() slog.Value { return slog.StringValue("[finger]") }

// MarshalJSON refuses: a picture goes to the platform and nowhere else.
func (FingerPicture) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a finger is not marshalled whole")
}

// Wipe zeroes the picture.
func (p *FingerPicture) Wipe() {
	if p != nil {
		clear(p.Pixels[:cap(p.Pixels)])
		*p = FingerPicture{}
	}
}

// A FingerEvent is something that a person at the sensor should know.
type FingerEvent string

// Finger events.
const (
	FingerWait  FingerEvent = "wait"  // no finger lies there
	FingerTaken FingerEvent = "taken" // the picture is taken and comes over the line; the finger may be lifted
)

// Errors of [FingerSensor.Capture] beside [ErrNoDevice], [ErrSilent] and [ErrProtocol]. After each the person may put the finger down again.
var (
	ErrFingerDry   = errors.New("the finger is too dry")
	ErrFingerWet   = errors.New("the finger is too wet")
	ErrFingerBlur  = errors.New("the picture of the finger is disordered") // moved, smeared, or dirt on the glass
	ErrFingerSmall = errors.New("too little of the finger lies on the sensor")
)

// A FingerSensor takes pictures of fingers. It compares nothing, and nothing is stored in it.
type FingerSensor interface {
	Device
	// Capture waits until a finger lies on the sensor, takes a picture and hands it over, which lasts seconds on a slow line. It
	// returns ctx's error when ctx ends. on, which may be nil, is called from Capture's goroutine.
	Capture(ctx context.Context, on func(FingerEvent)) (FingerPicture, error)
	// Lifted waits until no finger lies on the sensor.
	Lifted(ctx context.Context) error
}
