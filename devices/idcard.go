package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// CardKind is the kind of identity card.
type CardKind string

// Card kinds by the type flag of the SAM's text record.
const (
	CardResident      CardKind = "resident"    // 居民身份证, flag ' '
	CardHMT           CardKind = "hmt"         // 港澳台居民居住证, flag 'J'
	CardForeignPR2017 CardKind = "foreign-pr"  // 外国人永久居留证 (2017), flag 'I'
	CardForeignPR2023 CardKind = "foreign-pr2" // 外国人永久居留身份证 (2023), flag 'Y'
)

// An IDCard is what a reader delivers from one card. It is personal data: it formats, logs and marshals as
// "[id card]" only; use the fields deliberately, and Wipe it at the end of the visit.
type IDCard struct {
	Kind         CardKind
	Name         string // Chinese name; for foreign cards NameEN holds the English one
	NameEN       string
	Sex          byte   // GB/T 2261.1: '0' unknown, '1' male, '2' female, '9' unspecified
	Nation       string // GB/T 3304 two digits, "" where the card has none
	Nationality  string // ISO 3166 alpha-3 for foreign cards
	Birth        time.Time
	Address      string
	Number       string
	Issuer       string
	ValidFrom    time.Time
	ValidTo      time.Time // zero = 长期 (no end)
	LongTerm     bool      // 长期
	TravelPermit string    // hmt: 通行证号码
	IssueCount   string    // hmt: issue count; foreign-pr2: renewal count
	Version      string    // foreign-pr: version
	AddedAddress []string  // 追加地址, newest first
	WLT          []byte    // 1024 bytes as read, nil if none
	Photo        []byte    // decoded picture (PNG or BMP), nil if no decoder or it failed
	Fingerprint  []byte    // raw templates, nil if none
	// Warnings are contradictions inside the record ("check-digit", "birth", "sex", "expired", "photo"), stable words.
	Warnings []string
}

// String hides everything.
func (IDCard) String() string { return "[id card]" }

// GoString hides everything.
func (IDCard) GoString() string { return "[id card]" }

// Format hides everything, whatever the verb.
func (IDCard) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[id card]")) }

// LogValue hides everything.
func (IDCard) LogValue() slog.Value { return slog.StringValue("[id card]") }

// MarshalJSON refuses: personal data goes through the journal's sealed values, field by field.
func (IDCard) MarshalJSON() ([]byte, error) {
	return nil, errors.New("an id card is not marshalled whole")
}

// Wipe clears the card: byte slices are zeroed, strings dropped.
func (c *IDCard) Wipe() {
	if c == nil {
		return
	}
	clear(c.WLT)
	clear(c.Photo)
	clear(c.Fingerprint)
	*c = IDCard{}
}

// Errors of [IDReader.Read] beside [ErrNoDevice] and [ErrSilent].
var (
	// ErrCardUnreadable: three tries failed; another way or the window.
	ErrCardUnreadable = errors.New("card cannot be read")
	// ErrNotIDCard: there is a card, but none this reader knows (SW3 40).
	ErrNotIDCard = errors.New("not an identity card")
	// ErrCardRejected: card and module refused each other (SW3 31, 32, 33): damaged or counterfeit.
	ErrCardRejected = errors.New("card and reader refuse each other")
)

// ReadEvent tells the person what to do while [IDReader.Read] waits.
type ReadEvent string

// Read events.
const (
	ReadFound    ReadEvent = "found"    // a card is there: do not move it
	ReadAgain    ReadEvent = "again"    // moved or weak: put it down again (请重新放置)
	ReadNotACard ReadEvent = "not-card" // something else lies there
)

// An IDReader reads identity cards.
type IDReader interface {
	Device
	// Read waits until a card lies on the reader and reads it. It returns ctx's error when ctx ends.
	// on, which may be nil, is called from Read's goroutine.
	Read(ctx context.Context, on func(ReadEvent)) (*IDCard, error)
	// Present asks once whether a card lies on the reader. MediaUnknown where the module cannot tell: after a
	// successful read, "no card found" does not prove removal until it was seen several times.
	Present(ctx context.Context) (Media, error)
	// AwaitRemoval returns nil when the card was seen to leave, ctx's error when ctx ends first.
	AwaitRemoval(ctx context.Context) error
}
