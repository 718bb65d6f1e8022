package photo

// What a photo must be, as data: one profile for each kind of document. The values are those of the standards and notices
// that a profile names, not ours.

import (
	"embed"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/budayang/kiosk/devices/profile"
)

//go:embed profiles/*.toml
var profiles embed.FS

// A Profile is one document's photo.
type Profile struct {
	Title     string `toml:"title"`
	Source    string `toml:"source"`    // where the values are from
	Confirmed bool   `toml:"confirmed"` // whether they are those in force
	Width     int    `toml:"width"`     // pixels
	Height    int    `toml:"height"`    // pixels
	DPI       int    `toml:"dpi"`
	// Bounds of the JPEG's quality (1 to 100) and of the file in bytes.
	QualityLeast int `toml:"quality_least"`
	QualityMost  int `toml:"quality_most"`
	BytesLeast   int `toml:"bytes_least"`
	BytesMost    int `toml:"bytes_most"`
	// FaceWidth is what the distance of the cheeks is brought to, HairTop the distance of the hair from the upper edge, in
	// pixels. EyeLine is the least distance of the eyes from the lower edge; where both cannot be, it wins.
	FaceWidth float64 `toml:"face_width"`
	HairTop   float64 `toml:"hair_top"`
	EyeLine   float64 `toml:"eye_line"`
	Rules     []Rule  `toml:"rule"`
}

// Kind is what a broken rule means.
type Kind string

// Kinds of rules.
const (
	Refuse Kind = "refuse" // the photo is taken again
	Review Kind = "review" // a person looks at it
	Advise Kind = "advise" // said before the shutter, no reason to refuse
)

// A Rule bounds one measure. Least or Most is left out where there is no bound on that side.
type Rule struct {
	Measure Measure  `toml:"measure"`
	Least   *float64 `toml:"least"`
	Most    *float64 `toml:"most"`
	Kind    Kind     `toml:"kind"`
	// Low and High are the advice when the measure is below or above.
	Low  Advice `toml:"low"`
	High Advice `toml:"high"`
}

// breach tells how a value breaks the rule: -1 below, 1 above, 0 not at all. A value that was not measured breaks nothing.
func (r Rule) breach(v float64) int {
	switch {
	case r.Least != nil && v < *r.Least:
		return -1
	case r.Most != nil && v > *r.Most:
		return 1
	}
	return 0
}

func (p Profile) check(file string) error {
	err := errors.Join(profile.Within(file, "width", p.Width, 100, 2000), profile.Within(file, "height", p.Height, 100, 2000),
		profile.Within(file, "dpi", p.DPI, 72, 1200), profile.Within(file, "quality_least", p.QualityLeast, 1, p.QualityMost),
		profile.Within(file, "quality_most", p.QualityMost, 1, 100), profile.Within(file, "bytes_least", p.BytesLeast, 1, p.BytesMost-1),
		profile.Within(file, "bytes_most", p.BytesMost, 1, 1<<20))
	for _, v := range []struct {
		key   string
		value float64
		most  int
	}{{"face_width", p.FaceWidth, p.Width}, {"hair_top", p.HairTop, p.Height}, {"eye_line", p.EyeLine, p.Height}} {
		if !(v.value > 0 && v.value < float64(v.most)) {
			err = errors.Join(err, fmt.Errorf("%s: %s: expected pixels within the photo", file, v.key))
		}
	}
	if p.Title == "" || p.Source == "" || len(p.Rules) == 0 {
		err = errors.Join(err, fmt.Errorf("%s: title, source, rule: expected all of them", file))
	}
	for i, r := range p.Rules {
		where := fmt.Sprintf("rule %d (%s)", i+1, r.Measure)
		if !slices.Contains(Measures, r.Measure) {
			err = errors.Join(err, fmt.Errorf("%s: %s: expected a measure that exists", file, where))
		}
		if r.Kind != Refuse && r.Kind != Review && r.Kind != Advise {
			err = errors.Join(err, fmt.Errorf("%s: %s: kind: expected refuse, review or advise", file, where))
		}
		if r.Least == nil && r.Most == nil || r.Least != nil && (r.Low == "" || math.IsNaN(*r.Least)) || r.Most != nil && (r.High == "" || math.IsNaN(*r.Most)) {
			err = errors.Join(err, fmt.Errorf("%s: %s: expected least with low, most with high, or both", file, where))
		}
		for _, a := range []Advice{r.Low, r.High} {
			if _, worded := words[a]; a != "" && !worded {
				err = errors.Join(err, fmt.Errorf("%s: %s: expected an advice that exists, not %q", file, where, a))
			}
		}
	}
	return err
}

// LoadProfile returns a built-in profile by name.
func LoadProfile(name string) (Profile, error) {
	return profile.Load(profiles, "photo", name, Profile.check)
}

// Profiles are the names of the built-in ones.
func Profiles() []string { return profile.Names(profiles) }

// ParseProfile reads and checks a profile; its errors name the file.
func ParseProfile(file string, text []byte) (Profile, error) {
	return profile.Parse(file, text, Profile.check)
}
