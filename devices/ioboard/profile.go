package ioboard

// Profiles: which contact, light or lock is wired to which register, as data. A board's registers come from its manual; which
// wire goes where is the cabinet's, so that a site may have a profile of its own.

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/profile"
)

//go:embed profiles/*.toml
var profiles embed.FS

// A Profile is one board with its wiring.
type Profile struct {
	Unit     int      `toml:"unit"` // of the board on its line, 1 to 247
	Contacts []Input  `toml:"contact"`
	Lights   []Output `toml:"light"`
	Locks    []Output `toml:"lock"`
}

// An Input is one contact.
type Input struct {
	Name    string `toml:"name"`  // "door", "tamper" or "body"
	Table   string `toml:"table"` // "discrete", "coil", "input" or "holding"
	Address int    `toml:"address"`
	Bit     int    `toml:"bit"`    // of a register, 0 is the lowest
	Active  int    `toml:"active"` // 1 or 0: what it reads while the door is open, the sensor tripped
}

// An Output is one light or lock.
type Output struct {
	Name    string `toml:"name"`
	Table   string `toml:"table"` // "coil" or "holding"
	Address int    `toml:"address"`
	On      int    `toml:"on"`       // what a register is set to; 1 for a coil
	Off     int    `toml:"off"`      // what a register is set to; 0 for a coil
	PulseMS int    `toml:"pulse_ms"` // of a lock: how long it is let go, 50 to 10000 ms
}

// Names of contacts.
const (
	contactDoor   = "door"
	contactTamper = "tamper"
	contactBody   = "body"
)

var tables = map[string]byte{"coil": readCoils, "discrete": readDiscrete, "holding": readHolding, "input": readInput}

var outputName = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

// span is how far the addresses of one table may lie apart: they are read with one question.
const span = 64

func (p Profile) check(file string) error {
	errs := []error{profile.Within(file, "unit", p.Unit, 1, 247)}
	low, high, seen := map[string]int{}, map[string]int{}, map[string]bool{}
	for i, c := range p.Contacts {
		key := fmt.Sprintf("contact[%d].", i)
		errs = append(errs, profile.OneOf(file, key+"name", c.Name, contactDoor, contactTamper, contactBody),
			profile.OneOf(file, key+"table", c.Table, "discrete", "coil", "input", "holding"),
			profile.Within(file, key+"address", c.Address, 0, 65535), profile.Within(file, key+"bit", c.Bit, 0, 15),
			profile.Within(file, key+"active", c.Active, 0, 1))
		if c.Bit != 0 && tables[c.Table] < readHolding {
			errs = append(errs, fmt.Errorf("%s: %sbit: %d, expected 0: a %s has one", file, key, c.Bit, c.Table))
		}
		if seen["contact "+c.Name] {
			errs = append(errs, fmt.Errorf("%s: %sname: %q is there twice", file, key, c.Name))
		}
		seen["contact "+c.Name] = true
		if _, ok := low[c.Table]; !ok {
			low[c.Table], high[c.Table] = c.Address, c.Address
		}
		low[c.Table], high[c.Table] = min(low[c.Table], c.Address), max(high[c.Table], c.Address)
	}
	for t := range low {
		if high[t]-low[t] >= span {
			errs = append(errs, fmt.Errorf("%s: contact: addresses %d to %d of %s, expected at most %d apart", file, low[t], high[t], t, span-1))
		}
	}
	for kind, all := range map[string][]Output{"light": p.Lights, "lock": p.Locks} {
		for i, o := range all {
			key := fmt.Sprintf("%s[%d].", kind, i)
			errs = append(errs, profile.OneOf(file, key+"table", o.Table, "coil", "holding"), profile.Within(file, key+"address", o.Address, 0, 65535),
				profile.Within(file, key+"on", o.On, 0, 65535), profile.Within(file, key+"off", o.Off, 0, 65535))
			switch {
			case !outputName.MatchString(o.Name):
				errs = append(errs, fmt.Errorf("%s: %sname: %q, expected small letters and hyphens", file, key, o.Name))
			case o.Table == "coil" && (o.On != 1 || o.Off != 0):
				errs = append(errs, fmt.Errorf("%s: %son: %d and off %d, expected 1 and 0 for a coil", file, key, o.On, o.Off))
			case o.On == o.Off:
				errs = append(errs, fmt.Errorf("%s: %son: %d is off as well", file, key, o.On))
			case seen[kind+" "+o.Name]:
				errs = append(errs, fmt.Errorf("%s: %sname: %q is there twice", file, key, o.Name))
			}
			seen[kind+" "+o.Name] = true
			if kind == "lock" {
				errs = append(errs, profile.Within(file, key+"pulse_ms", o.PulseMS, 50, 10_000))
			} else if o.PulseMS != 0 {
				errs = append(errs, fmt.Errorf("%s: %spulse_ms: %d, expected none for a light", file, key, o.PulseMS))
			}
		}
	}
	return errors.Join(errs...)
}

// LoadProfile returns a built-in profile by name, or reads the file at an absolute path. Its error is [devices.ErrUnusable].
func LoadProfile(name string) (Profile, error) {
	p, err := load(name)
	if err != nil {
		return Profile{}, fmt.Errorf("%w: %w", devices.ErrUnusable, err)
	}
	return p, nil
}

func load(name string) (Profile, error) {
	if !filepath.IsAbs(name) {
		return profile.Load(profiles, "I/O board", name, Profile.check)
	}
	f, err := os.Open(name)
	if err != nil {
		return Profile{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, profile.MaxBytes+1))
	if err != nil {
		return Profile{}, err
	}
	return ParseProfile(filepath.Base(name), text)
}

// Profiles are the names of the built-in ones.
func Profiles() []string { return profile.Names(profiles) }

// ParseProfile reads and checks a profile; its errors name the file.
func ParseProfile(file string, text []byte) (Profile, error) {
	return profile.Parse(file, text, Profile.check)
}

// lights are the names of the lights, in alphabetical order.
func (p Profile) lights() []devices.Light {
	var all []devices.Light
	for _, o := range p.Lights {
		all = append(all, devices.Light(o.Name))
	}
	slices.SortFunc(all, func(a, b devices.Light) int { return strings.Compare(string(a), string(b)) })
	return all
}
