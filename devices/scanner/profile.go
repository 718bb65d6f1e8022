package scanner

// Profiles: how an engine is set up, as data. A profile is chosen by a person.

import (
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/budayang/kiosk/devices"
)

//go:embed profiles/*.toml
var profiles embed.FS

// Bytes are written as hex digits with spaces, "16 54 0d".
type Bytes []byte

// UnmarshalText reads hex.
func (b *Bytes) UnmarshalText(t []byte) error {
	v, err := hex.DecodeString(strings.ReplaceAll(string(t), " ", ""))
	if err != nil || len(v) > 32 {
		return errors.New("no hex digits of at most 32 bytes")
	}
	*b = v
	return nil
}

// A Profile is one way an engine can be set up.
type Profile struct {
	Prefix Bytes  `toml:"prefix"` // before every code; a code without it is refused
	Suffix Bytes  `toml:"suffix"` // after every code; none: the gap ends it
	GapMS  int    `toml:"gap_ms"` // silence that ends or breaks off a code, 20 to 2000 ms
	Limit  int    `toml:"limit"`  // longest code in bytes, up to devices.MaxCode, 0 for that
	Text   string `toml:"text"`   // "utf-8" refuses anything else, "bytes" takes all
	Start  Bytes  `toml:"start"`  // tells the engine to look; none: it always looks
	Stop   Bytes  `toml:"stop"`   // tells it to stop
	Ask    Bytes  `toml:"ask"`    // a question that changes nothing; none: the engine cannot be asked
	Answer Bytes  `toml:"answer"` // what the answer to it contains
}

func (p Profile) limit() int {
	if p.Limit == 0 {
		return devices.MaxCode
	}
	return p.Limit
}

func (p Profile) check(file string) error {
	var err error
	if p.GapMS < 20 || p.GapMS > 2000 {
		err = errors.Join(err, fmt.Errorf("%s: gap_ms: %d, expected 20 to 2000", file, p.GapMS))
	}
	if p.Limit < 0 || p.Limit > devices.MaxCode {
		err = errors.Join(err, fmt.Errorf("%s: limit: %d, expected 0 to %d", file, p.Limit, devices.MaxCode))
	}
	if p.Text != "utf-8" && p.Text != "bytes" {
		err = errors.Join(err, fmt.Errorf(`%s: text: %q, expected "utf-8" or "bytes"`, file, p.Text))
	}
	if (len(p.Ask) == 0) != (len(p.Answer) == 0) {
		err = errors.Join(err, fmt.Errorf("%s: ask and answer: expected both or none", file))
	}
	return err
}

// LoadProfile returns a built-in profile by name.
func LoadProfile(name string) (Profile, error) {
	b, err := profiles.ReadFile("profiles/" + name + ".toml")
	if err != nil {
		return Profile{}, fmt.Errorf("code scanner profile %q: there are %s", name, strings.Join(Profiles(), ", "))
	}
	return ParseProfile(name+".toml", b)
}

// Profiles are the names of the built-in ones.
func Profiles() []string {
	files, _ := fs.Glob(profiles, "profiles/*.toml")
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".toml")
	}
	slices.Sort(files)
	return files
}

// ParseProfile reads and checks a profile of at most 64 KiB; its errors name the file.
func ParseProfile(file string, text []byte) (Profile, error) {
	var p Profile
	if len(text) > 64<<10 {
		return p, fmt.Errorf("%s: larger than 64 KiB", file)
	}
	if err := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields().Decode(&p); err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, p.check(file)
}
