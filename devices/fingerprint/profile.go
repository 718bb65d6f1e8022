package fingerprint

// Profiles: how models differ, as data. A profile is chosen by a person.

import (
	"embed"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/devices/profile"
)

//go:embed profiles/*.toml
var profiles embed.FS

// Bounds of a picture, in pixels.
const (
	leastSide = 64
	mostSide  = 512
)

// A Profile is one model. What no source confirms for every model is here and not in the driver.
type Profile struct {
	Width    int           `toml:"width"`     // pixels of a row, even
	Height   int           `toml:"height"`    // rows
	DPI      int           `toml:"dpi"`       // 250 to 1000
	Address  profile.Bytes `toml:"address"`   // four bytes; none: ff ff ff ff, as delivered
	Password profile.Bytes `toml:"password"`  // four bytes; none: zeros, as delivered
	Product  bool          `toml:"product"`   // the model answers ReadProdInfo (3C), which says its size; where it differs from width and height, it counts
	LowFirst bool          `toml:"low_first"` // of two pixels in a byte the left one is in the low half; the manuals say the high one
	Inverted bool          `toml:"inverted"`  // ridges are light; in the manuals' pictures they are dark
	UpDown   bool          `toml:"up_down"`   // the module is mounted with the finger's tip at the last row
}

func (p Profile) check(file string) error {
	err := errors.Join(profile.Within(file, "width", p.Width, leastSide, mostSide), profile.Within(file, "height", p.Height, leastSide, mostSide),
		profile.Within(file, "dpi", p.DPI, 250, 1000))
	if p.Width%2 != 0 {
		err = errors.Join(err, fmt.Errorf("%s: width: %d, expected an even number", file, p.Width))
	}
	for key, b := range map[string]profile.Bytes{"address": p.Address, "password": p.Password} {
		if len(b) != 0 && len(b) != 4 {
			err = errors.Join(err, fmt.Errorf("%s: %s: %d bytes, expected 4 or none", file, key, len(b)))
		}
	}
	return err
}

// LoadProfile returns a built-in profile by name.
func LoadProfile(name string) (Profile, error) {
	return profile.Load(profiles, "fingerprint sensor", name, Profile.check)
}

// Profiles are the names of the built-in ones.
func Profiles() []string { return profile.Names(profiles) }

// ParseProfile reads and checks a profile; its errors name the file.
func ParseProfile(file string, text []byte) (Profile, error) {
	return profile.Parse(file, text, Profile.check)
}
