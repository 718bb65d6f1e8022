// Package private keeps personal data out of logs.
//
// The rule is that nobody logs any (docs: personal data never in a log, an error, a file name or a metric). This package is
// the net below the rule, for the day on which somebody does. It has three parts:
//
// [Text] is a string that hides itself: formatted, logged or marshalled it is "[private]"; only Reveal gives it away.
//
// [Handler] is a slog handler in front of another one. It refuses values whose type could hold anything — structs, maps, byte
// slices, pointers to them — and writes their type instead; what says of itself how it wants to be logged (slog.LogValuer),
// errors, Stringers and plain values pass as text. Every text, keys and messages as well, is then looked through for what a
// citizen could be known by: identity numbers whose check character fits, mobile numbers, and the names of whoever is there.
//
// The names of whoever is there are told by the visit: Handler.Know when the card was read, and the function that it returns
// when the visit is wiped. The handler keeps them in memory only.
//
//	log := slog.New(private.NewHandler(slog.NewTextHandler(os.Stderr, nil)))
//
// What it cannot do: know a name that nobody told it, or a number that was cut in two.
package private

import (
	"errors"
	"log/slog"
)

// hidden is what a private value looks like wherever it is shown.
const hidden = "[private]"

// Text is a text that hides itself.
type Text struct{ s string }

// Hide makes a text private.
func Hide(s string) Text { return Text{s} }

// Reveal gives the text to the one place that needs it.
func (t Text) Reveal() string { return t.s }

// String hides the text.
func (Text) String() string { return hidden }

// GoString hides the text.
func (Text) GoString() string { return hidden }

// LogValue hides the text.
func (Text) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText refuses: whoever writes private data down does it by Reveal.
func (Text) MarshalText() ([]byte, error) { return nil, errors.New("private text is not marshalled") }
