package profile

import (
	"strings"
	"testing"
	"testing/fstest"
)

type lamp struct {
	Name   string `toml:"name"`
	Output int    `toml:"output"`
}

type sample struct {
	Gap   int    `toml:"gap"`
	Word  string `toml:"word"`
	Deep  bool   `toml:"deep"`
	Cut   Bytes  `toml:"cut"`
	Lamps []lamp `toml:"lamp"`
}

func (s sample) check(file string) error { return Within(file, "gap", s.Gap, 1, 9) }

const sound = `gap = 3
word = "x"
deep = true
cut = "1d 56"
[[lamp]]
name = "beacon"
output = 7
`

func TestASoundProfileIsRead(t *testing.T) {
	p, err := Parse("x.toml", []byte(sound), sample.check)
	if err != nil || p.Gap != 3 || !p.Deep || string(p.Cut) != "\x1dV" || len(p.Lamps) != 1 || p.Lamps[0] != (lamp{"beacon", 7}) {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestEveryMistakeIsNamedWithFileKeyAndWhatIsExpected(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"gap = 3", "gap = 10", "x.toml: gap: 10, expected 1 to 9"},
		{"gap = 3", `gap = "3"`, "x.toml: gap: 3, expected a whole number"},
		{"deep = true", "deep = 1", "x.toml: deep: 1, expected true or false"},
		{`"1d 56"`, `"1d 5"`, "x.toml: cut: 1d 5, expected " + Command},
		{"output = 7", `output = "7"`, "x.toml: lamp[0].output: 7, expected a whole number"},
		{"[[lamp]]", "[lamp]", "x.toml: lamp: expected tables, [[lamp]]"},
		{"output", "outputs", "x.toml:7: lamp.outputs: no such key"},
		{"gap", "gab", "x.toml:1: gab: no such key"},
		{"gap = 3", "gap =", "x.toml:1: "},
		{"x", strings.Repeat("x", MaxBytes), "x.toml: larger than 64 KiB"},
	} {
		_, err := Parse("x.toml", []byte(strings.Replace(sound, c.from, c.to, 1)), sample.check)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v\nexpected %s", c.to, err, c.want)
		}
	}
}

func TestAnUnknownNameSaysWhichThereAre(t *testing.T) {
	files := fstest.MapFS{"profiles/b.toml": {Data: []byte(sound)}, "profiles/a.toml": {Data: []byte("gap = 3")}, "profiles/README": {}}
	for _, name := range []string{"", "c", "../a", "a.toml"} {
		if _, err := Load(files, "lamp", name, sample.check); err == nil || !strings.Contains(err.Error(), "there are a, b") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if p, err := Load(files, "lamp", "b", sample.check); err != nil || p.Word != "x" {
		t.Errorf("%+v, %v", p, err)
	}
}

// FuzzParse: whatever stands in a file, the answer is a profile that was checked or an error that names the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("gap = 1979-05-27\nlamp = [1]"))
	f.Add([]byte("[[lamp]]\n[lamp.name]\nx = 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("x.toml", text, sample.check)
		if err == nil && (p.Gap < 1 || p.Gap > 9) || err != nil && !strings.HasPrefix(err.Error(), "x.toml:") {
			t.Fatalf("%+v, %v", p, err)
		}
	})
}
