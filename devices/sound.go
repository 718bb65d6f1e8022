package devices

// Sound out: short tones beside what the screen says. Whoever cannot hear them misses nothing.

import "context"

// A Tone is one short prompt.
type Tone string

// The tones.
const (
	ToneKey   Tone = "key"   // a key or a button was pressed
	ToneTake  Tone = "take"  // take your card, your paper
	ToneError Tone = "error" // something was refused or went wrong
)

// Tones are all of them.
func Tones() []Tone { return []Tone{ToneKey, ToneTake, ToneError} }

// A Speaker plays tones. Its status has nothing beside the connection: media, supplies and cover are NotSupported.
type Speaker interface {
	Device
	// Play plays one tone and returns when it is over, or at once where the volume is 0. It returns [ErrNoDevice] when nothing is
	// there to play on, [ErrBusy] when another program holds it, [ErrSilent] when playing does not come to its end.
	Play(ctx context.Context, t Tone) error
}
