package receipt

// Profiles: what a model of head can do, as data. A profile is chosen by a person, never by what the head says of itself:
// clones lie.

import (
	"embed"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/devices/profile"
)

//go:embed profiles/*.toml
var profiles embed.FS

// A Profile is one model of head.
type Profile struct {
	Dots       int           `toml:"dots"`        // across the paper
	Encoding   string        `toml:"encoding"`    // "gb18030": GBK's two-byte part, the rest as pictures
	QR         string        `toml:"qr"`          // "native" (GS ( k) or "raster"
	Image      string        `toml:"image"`       // "gs-v-0" or "gs-8-l"
	Band       int           `toml:"band"`        // rows of one image command
	Cut        profile.Bytes `toml:"cut"`         // after the slip
	Present    profile.Bytes `toml:"present"`     // hands the slip out, where the head has a presenter
	Retract    profile.Bytes `toml:"retract"`     // takes it back
	Clear      profile.Bytes `toml:"clear"`       // real-time command that drops what was received and is not on paper
	DLEEOT     bool          `toml:"dle_eot"`     // answers real-time status
	Mouth      string        `toml:"mouth"`       // how the slip at the mouth is seen: "", "dle-eot-1-bit-7", "full-status"
	Fence      string        `toml:"fence"`       // proof of printing: "process-id", "gs-r", ""
	InitPrints bool          `toml:"init_prints"` // ESC @ prints what is in the line buffer instead of dropping it
}

// LoadProfile returns a built-in profile by name.
func LoadProfile(name string) (Profile, error) {
	return profile.Load(profiles, "receipt head", name, Profile.check)
}

// Profiles are the names of the built-in ones.
func Profiles() []string { return profile.Names(profiles) }

// ParseProfile reads and checks a profile; its errors name file and key.
func ParseProfile(file string, text []byte) (Profile, error) {
	return profile.Parse(file, text, Profile.check)
}

func (p Profile) check(file string) error {
	oneOf := func(key, v string, all ...string) error { return profile.OneOf(file, key, v, all...) }
	within := func(key string, n, least, most int) error { return profile.Within(file, key, n, least, most) }
	rows := 2048
	if p.Image == "gs-8-l" {
		rows = 2047 // the most that its height may be
	}
	err := errors.Join(
		within("dots", p.Dots, 200, 2048), oneOf("encoding", p.Encoding, "gb18030"), oneOf("qr", p.QR, "native", "raster"),
		oneOf("image", p.Image, "gs-v-0", "gs-8-l"), within("band", p.Band, 8, rows),
		oneOf("mouth", p.Mouth, "", "dle-eot-1-bit-7", "full-status"), oneOf("fence", p.Fence, "", "gs-r", "process-id"))
	if len(p.Cut) == 0 {
		err = errors.Join(err, fmt.Errorf("%s: cut: missing, expected %s", file, profile.Command))
	}
	if p.Mouth != "" && !p.DLEEOT {
		err = errors.Join(err, fmt.Errorf("%s: mouth: %q, expected none on a head without dle_eot", file, p.Mouth))
	}
	return err
}
