package card

// What differs from model to model, as data.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/budayang/kiosk/devices"
)

// Family is a kind of frame.
type Family string

// Families.
const (
	FamilyK720 Family = "k720"
	FamilyCRT  Family = "crt"
)

// A Profile is one model. Only what is named in the comments as such is confirmed by more than one source.
type Profile struct {
	Name    string
	Family  Family
	Model   string
	Address byte // of the device on its line: CRT 0 to 15, K720 0 to 99

	// NoLength leaves the length out of K720 frames, as older D1000 firmware does (one source).
	NoLength bool
	// StatusChars is how many hex characters follow SF; four is in several sources.
	StatusChars int
	// Bits of the K720's status. 0003, a card at the reader, is in one source; the rest is not confirmed.
	Bits Bits

	// Reader is the CRT's position for reading: 32 for radio chips, 31 for contacts (two sources).
	Reader byte
	// Harmless are the CRT's error codes after which no card has moved; not confirmed.
	Harmless []string
}

// Bits of a K720's four status characters, read as one number.
type Bits struct {
	Sensors    uint16 // which bits are card sensors
	Reader     uint16 // their pattern with a card at the reader
	Mouth      uint16 // … at the mouth; no bit is no card, anything else is in between
	Empty, Low uint16
	Jam        uint16
	Overlap    uint16
	Busy       uint16 // moving, in any direction
	Failed     uint16 // the last act ended badly
	BinFull    uint16
}

var k720Bits = Bits{Sensors: 0x0007, Reader: 0x0003, Mouth: 0x0001, Empty: 0x0008, Low: 0x0010, Jam: 0x0020, Overlap: 0x0040,
	BinFull: 0x0080, Failed: 0x0300, Busy: 0x3800}

// profiles by name.
var profiles = []Profile{
	{Name: "k720", Family: FamilyK720, Model: "K720", StatusChars: 4, Bits: k720Bits},
	{Name: "d1000", Family: FamilyK720, Model: "D1000", NoLength: true, StatusChars: 4, Bits: k720Bits},
	{Name: "crt-591", Family: FamilyCRT, Model: "CRT-591", Reader: 0x32, Harmless: []string{"00", "01", "02", "03", "04", "A0", "A1", "B0"}},
	{Name: "crt-571", Family: FamilyCRT, Model: "CRT-571", Reader: 0x32, Harmless: []string{"00", "01", "02", "03", "04", "A0", "A1", "B0"}},
}

// Profiles are the names that [FindProfile] knows.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.Name
	}
	return names
}

// FindProfile returns a model's profile; another name is [devices.ErrUnusable].
func FindProfile(name string) (Profile, error) {
	i := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, fmt.Errorf("card dispenser profile %q, expected one of %s: %w", name, strings.Join(Profiles(), ", "), devices.ErrUnusable)
	}
	p := profiles[i]
	p.Harmless = slices.Clone(p.Harmless)
	return p, nil
}
