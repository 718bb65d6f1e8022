package wire

// The audit chain's vocabulary: which events there are, and what their fields may hold. The catalogue is data
// (catalogue/events.toml); events_gen.go and docs/events.md are made from it.

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

//go:generate go run ./catalogue/generate

// Event names one kind of line of the audit chain. Use the Event… constants: what the catalogue does not hold is refused.
type Event string

// A FieldKind says what a field may hold. There is none for free text.
type FieldKind string

// Kinds of fields.
const (
	FieldCase     FieldKind = "case"     // a case id (UUID), in lower case
	FieldEffect   FieldKind = "effect"   // "case/step/attempt"
	FieldState    FieldKind = "state"    // a case state, "PRINT_UNKNOWN"; empty where a state is left as it is
	FieldItem     FieldKind = "item"     // an item's code
	FieldWord     FieldKind = "word"     // a word of the program's or the platform's: no spaces, no long digit runs; may be empty
	FieldCount    FieldKind = "count"    // a number from 0 to 2^64-1 in decimal
	FieldTime     FieldKind = "time"     // RFC 3339, UTC
	FieldOperator FieldKind = "operator" // an operator's id
	FieldHash     FieldKind = "hash"     // 64 hex digits
)

// EventSpec is one entry of the catalogue.
type EventSpec struct {
	Type   string // "user-action", "operator-action", "application-action", "application-status", "system-status"
	Text   string
	Fields map[string]FieldSpec
}

// FieldSpec is one field of an event.
type FieldSpec struct {
	Kind     FieldKind
	Optional bool
}

// ErrEvent: the catalogue has no such event, or not with such fields.
var ErrEvent = errors.New("not in the event catalogue")

// Who may stand behind an event beside an operator.
const (
	WhoCitizen    = "citizen"
	WhoSystem     = "system"
	WhoPlatform   = "platform"
	WhoTechnician = "technician"
)

var fieldShapes = map[FieldKind]*regexp.Regexp{
	FieldCase:     regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
	FieldEffect:   regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[A-Za-z0-9._-]{1,40}/[0-9]{4,6}$`),
	FieldState:    regexp.MustCompile(`^[A-Z_]{0,24}$`),
	FieldItem:     regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`),
	FieldWord:     regexp.MustCompile(`^[A-Za-z0-9._:+/-]{0,64}$`),
	FieldCount:    regexp.MustCompile(`^[0-9]{1,20}$`),
	FieldTime:     regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$`),
	FieldOperator: regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{1,31}$`),
	FieldHash:     regexp.MustCompile(`^[0-9a-f]{64}$`),
}

var uuidShape = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// longRun is a run of digits that a citizen's number or a telephone could be.
var longRun = regexp.MustCompile(`[0-9]{9}`)

// fits says whether a value is of its kind. A word may hold a UUID, which is no number of a person's.
func (k FieldKind) fits(v string) bool {
	shape := fieldShapes[k]
	if shape == nil || !shape.MatchString(v) {
		return false
	}
	switch k {
	case FieldWord, FieldItem, FieldOperator:
		return !longRun.MatchString(uuidShape.ReplaceAllString(v, ""))
	}
	return true
}

// Spec is an event's entry in the catalogue.
func (e Event) Spec() (EventSpec, bool) {
	s, ok := eventSpecs[e]
	return s, ok
}

// Check says whether an entry is one that the catalogue allows: a known event, by somebody who can be named, with exactly
// the fields it has, each of its kind. The error names fields, never their values.
func (a AuditEntry) Check() error {
	spec, ok := a.Event.Spec()
	if !ok {
		return fmt.Errorf("event %.64q: %w", string(a.Event), ErrEvent)
	}
	switch a.Who {
	case WhoCitizen, WhoSystem, WhoPlatform, WhoTechnician:
	default:
		if !FieldOperator.fits(a.Who) {
			return fmt.Errorf("event %s: who is neither a role nor an operator's id: %w", a.Event, ErrEvent)
		}
	}
	for name, f := range spec.Fields {
		v, there := a.Fields[name]
		switch {
		case !there && !f.Optional:
			return fmt.Errorf("event %s: field %s is missing: %w", a.Event, name, ErrEvent)
		case there && !f.Kind.fits(v):
			return fmt.Errorf("event %s: field %s is not a %s: %w", a.Event, name, f.Kind, ErrEvent)
		}
	}
	for name := range a.Fields {
		if _, known := spec.Fields[name]; !known {
			return fmt.Errorf("event %s has no field %.32q: %w", a.Event, name, ErrEvent)
		}
	}
	return nil
}

// Operator says whether a text can be an operator's id.
func Operator(id string) bool {
	switch id {
	case WhoCitizen, WhoSystem, WhoPlatform, WhoTechnician:
		return false
	}
	return FieldOperator.fits(id)
}

// Word makes a word for an audit field of a text that came from outside: what cannot stand in one becomes "_".
func Word(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && fieldShapes[FieldWord].MatchString(string(r)) {
			return r
		}
		return '_'
	}, s[:min(len(s), 64)])
	if !FieldWord.fits(s) {
		s = longRun.ReplaceAllString(s, "_")
	}
	return s
}
