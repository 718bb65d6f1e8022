package scanner

// Profiles: how an engine is set up, as data. A profile is chosen by a person.

import (
	"embed"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/profile"
)

//go:embed profiles/*.toml
var profiles embed.FS

// A Profile is one way an engine can be set up.
type Profile struct {
	Framing string        `toml:"framing"` // "" for a line, "hid-pos" for a scanner that sends reports, which say where a code ends
	Prefix  profile.Bytes `toml:"prefix"`  // before every code; a code without it is refused
	Suffix  profile.Bytes `toml:"suffix"`  // after every code; none: the gap ends it
	GapMS   int           `toml:"gap_ms"`  // silence that ends or breaks off a code, 20 to 2000 ms
	Limit   int           `toml:"limit"`   // longest code in bytes, up to devices.MaxCode, 0 for that
	Text    string        `toml:"text"`    // "utf-8" refuses anything else, "bytes" takes all
	Start   profile.Bytes `toml:"start"`   // tells the engine to look; none: it always looks
	Stop    profile.Bytes `toml:"stop"`    // tells it to stop
	Ask     profile.Bytes `toml:"ask"`     // a question that changes nothing; none: the engine cannot be asked
	Answer  profile.Bytes `toml:"answer"`  // what the answer to it contains
}

func (p Profile) limit() int {
	if p.Limit == 0 {
		return devices.MaxCode
	}
	return p.Limit
}

func (p Profile) check(file string) error {
	err := errors.Join(profile.Within(file, "gap_ms", p.GapMS, 20, 2000), profile.Within(file, "limit", p.Limit, 0, devices.MaxCode),
		profile.OneOf(file, "text", p.Text, "utf-8", "bytes"))
	if p.Framing != "" {
		err = errors.Join(err, profile.OneOf(file, "framing", p.Framing, framingPOS))
		if len(p.Ask) > 0 {
			err = errors.Join(err, fmt.Errorf("%s: ask: expected none: a scanner that sends reports is known by the system", file))
		}
	}
	if (len(p.Ask) == 0) != (len(p.Answer) == 0) {
		err = errors.Join(err, fmt.Errorf("%s: ask and answer: expected both or none", file))
	}
	return err
}

// LoadProfile returns a built-in profile by name.
func LoadProfile(name string) (Profile, error) {
	return profile.Load(profiles, "code scanner", name, Profile.check)
}

// Profiles are the names of the built-in ones.
func Profiles() []string { return profile.Names(profiles) }

// ProfilesFor are those for scanners that send reports, or those for a line.
func ProfilesFor(reports bool) (names []string) {
	for _, name := range Profiles() {
		if p, err := LoadProfile(name); err == nil && (p.Framing == framingPOS) == reports {
			names = append(names, name)
		}
	}
	return names
}

// ParseProfile reads and checks a profile; its errors name the file.
func ParseProfile(file string, text []byte) (Profile, error) {
	return profile.Parse(file, text, Profile.check)
}
