package receipt

// Profiles: what a model of head can do, as data. A profile is chosen by a person, never by what the head says of itself:
// clones lie.

import (
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

//go:embed profiles/*.toml
var profiles embed.FS

// Bytes are written as hex digits with spaces, "1d 56 42 00".
type Bytes []byte

// UnmarshalText reads hex.
func (b *Bytes) UnmarshalText(t []byte) error {
	v, err := hex.DecodeString(strings.ReplaceAll(string(t), " ", ""))
	if err != nil || len(v) > 32 {
		return errors.New("no hex digits of at most 32 bytes")
	}
	if *b = v; len(v) == 0 {
		*b = nil
	}
	return nil
}

// MarshalText writes hex.
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// A Profile is one model of head.
type Profile struct {
	Dots       int    `toml:"dots"`        // across the paper
	Encoding   string `toml:"encoding"`    // "gb18030": GBK's two-byte part, the rest as pictures
	QR         string `toml:"qr"`          // "native" (GS ( k) or "raster"
	Image      string `toml:"image"`       // "gs-v-0" or "gs-8-l"
	Band       int    `toml:"band"`        // rows of one image command
	Cut        Bytes  `toml:"cut"`         // after the slip
	Present    Bytes  `toml:"present"`     // hands the slip out, where the head has a presenter
	Retract    Bytes  `toml:"retract"`     // takes it back
	Clear      Bytes  `toml:"clear"`       // real-time command that drops what was received and is not on paper
	DLEEOT     bool   `toml:"dle_eot"`     // answers real-time status
	Mouth      string `toml:"mouth"`       // how the slip at the mouth is seen: "", "dle-eot-1-bit-7", "full-status"
	Fence      string `toml:"fence"`       // proof of printing: "process-id", "gs-r", ""
	InitPrints bool   `toml:"init_prints"` // ESC @ prints what is in the line buffer instead of dropping it
}

// LoadProfile returns a built-in profile by name.
func LoadProfile(name string) (Profile, error) {
	b, err := profiles.ReadFile("profiles/" + name + ".toml")
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return Profile{}, fmt.Errorf("receipt head profile %q: there are %s", name, strings.Join(Profiles(), ", "))
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

// ParseProfile reads and checks a profile; its errors name file and key.
func ParseProfile(file string, text []byte) (Profile, error) {
	var p Profile
	if len(text) > 64<<10 {
		return p, fmt.Errorf("%s: larger than 64 KiB", file)
	}
	var raw map[string]any
	if err := toml.Unmarshal(text, &raw); err != nil {
		var one *toml.DecodeError
		if errors.As(err, &one) {
			row, _ := one.Position()
			return p, fmt.Errorf("%s:%d: %w", file, row, err)
		}
		return p, fmt.Errorf("%s: %w", file, err)
	}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		if k, known := kinds[key]; known && !k.fits(raw[key]) {
			return p, fmt.Errorf("%s: %s: %v, expected %s", file, key, raw[key], k.expected)
		}
	}
	d := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			row, _ := strict.Errors[0].Position()
			return p, fmt.Errorf("%s:%d: %s: no such key", file, row, strings.Join(strict.Errors[0].Key(), "."))
		}
		return p, fmt.Errorf("%s: %w", file, err)
	}
	oneOf := func(key, v string, all ...string) error {
		if slices.Contains(all, v) {
			return nil
		}
		return fmt.Errorf("%s: %s: %q, expected one of %q", file, key, v, all)
	}
	within := func(key string, n, least, most int) error {
		if n >= least && n <= most {
			return nil
		}
		return fmt.Errorf("%s: %s: %d, expected %d to %d", file, key, n, least, most)
	}
	rows := 2048
	if p.Image == "gs-8-l" {
		rows = 2047 // the most that its height may be
	}
	err := errors.Join(
		within("dots", p.Dots, 200, 2048), oneOf("encoding", p.Encoding, "gb18030"), oneOf("qr", p.QR, "native", "raster"),
		oneOf("image", p.Image, "gs-v-0", "gs-8-l"), within("band", p.Band, 8, rows),
		oneOf("mouth", p.Mouth, "", "dle-eot-1-bit-7", "full-status"), oneOf("fence", p.Fence, "", "gs-r", "process-id"))
	if len(p.Cut) == 0 {
		err = errors.Join(err, fmt.Errorf("%s: cut: missing, expected %s", file, command.expected))
	}
	if p.Mouth != "" && !p.DLEEOT {
		err = errors.Join(err, fmt.Errorf("%s: mouth: %q, expected none on a head without dle_eot", file, p.Mouth))
	}
	return p, err
}

// A kind is what a key takes.
type kind struct {
	expected string
	fits     func(any) bool
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

var (
	number  = kind{"a whole number", is[int64]}
	word    = kind{"a word in quotes", is[string]}
	yesNo   = kind{"true or false", is[bool]}
	command = kind{`at most 32 bytes as hex digits, "1d 56 42 00"`, func(v any) bool {
		s, ok := v.(string)
		return ok && new(Bytes).UnmarshalText([]byte(s)) == nil
	}}
	kinds = map[string]kind{
		"dots": number, "encoding": word, "qr": word, "image": word, "band": number, "cut": command, "present": command,
		"retract": command, "clear": command, "dle_eot": yesNo, "mouth": word, "fence": word, "init_prints": yesNo,
	}
)
