package service_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/service"
)

const small = `code: X
schema: 1
zone: guide
icon: guide
name: {zh: 名, en: name}
hint: {zh: 提示, en: hint}
level: L0
offline: full
steps:
  - guide:
      title: {zh: 题, en: title}
      entries:
        - id: a
          title: {zh: 题, en: title}
          sections:
            - title: {zh: 节, en: section}
              lines:
                - {zh: 行, en: line}
`

func load(text string) (service.Items, error) {
	return service.Load(fstest.MapFS{"x.yaml": {Data: []byte(text)}})
}

func TestLoadSaysWhere(t *testing.T) {
	if _, err := load(small); err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) string {
		if !strings.Contains(small, old) {
			t.Fatalf("the small item has no %q", old)
		}
		return strings.Replace(small, old, new, 1)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":     {with("zone: guide", "zone: guide\ncolour: red"), `x.yaml:4: unknown field "colour", expected one of code`},
		"unknown step":    {with("guide:\n", "guidance:\n"), `x.yaml:10: unknown step "guidance", expected one of apply card chance choose consent`},
		"unknown setting": {with("      title: {zh: 题, en: title}\n      e", "      tittle: {zh: 题, en: title}\n      e"), `x.yaml:11: step "guide": unknown field "tittle", expected one of bar entries hint title`},
		"no English":      {with("name: {zh: 名, en: name}", "name: {zh: 名}"), `name has no wording in "en"`},
		"level":           {with("L0", "L9"), `level "L9", expected L0 to L4`},
		"zone":            {with("zone: guide", "zone: moon"), `zone "moon", expected one of`},
		"code":            {with("code: X", "code: x y"), `code "x y", expected capitals`},
		"digits":          {with("code: X", "code: A123456789"), "fewer than nine digits"},
		"offline promise": {with("steps:", "steps:\n  - consent: {bar: {zh: 甲, en: a}, scope: a, title: {zh: 题, en: t}, lines: [{zh: 行, en: l}]}\n  - identify: {}\n  - verify: {}"), "promises to work offline"},
		"L0 identifies":   {with("steps:", "steps:\n  - consent: {bar: {zh: 甲, en: a}, scope: a, title: {zh: 题, en: t}, lines: [{zh: 行, en: l}]}\n  - identify: {}"), "level L0 with an identify step"},
		"order":           {with("steps:", "steps:\n  - identify: {}"), `step "identify" needs a step "consent" before it`},
		"hours":           {with("level: L0", "level: L0\nhours: 9-5"), `time of day "9", expected "HH:MM"`},
		"retention":       {with("level: L0", "level: L0\nretention: long"), `retention "long", expected a duration`},
		"two settings":    {with("  - guide:\n", "  - rate: {}\n    guide:\n"), "expected one step with its settings"},
		"no steps":        {strings.Split(small, "steps:")[0], "no steps"},
		"type":            {with("schema: 1", "schema: [1]"), "x.yaml:2: "},
		"syntax":          {with("schema: 1", "schema: {1"), "x.yaml:"},
		"anchor":          {with("{zh: 名, en: name}", "&n {zh: 名, en: name}"), "x.yaml:5: anchors, aliases"},
		"twice":           {with("schema: 1", "schema: 1\nschema: 2"), "x.yaml:3: "},
		"documents":       {small + "---\n" + small, "2 documents, expected one"},
		"nothing":         {"", "expected one"},
		"deep":            {strings.Repeat("[", 1000), "nested too deeply"},
		"big":             {small + "#" + strings.Repeat("x", 64<<10), "limit 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(tc.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q, expected to say %q", err, tc.want)
			}
			var ie *service.ItemError
			if !errors.As(err, &ie) || ie.File != "x.yaml" {
				t.Errorf("error %v names no file", err)
			}
		})
	}
	if _, err := service.Load(fstest.MapFS{"a.yaml": {Data: []byte(small)}, "b.yaml": {Data: []byte(small)}}); err == nil || !strings.Contains(err.Error(), "is taken by a.yaml") {
		t.Errorf("two items with one code: %v", err)
	}
}

func TestOwnItems(t *testing.T) {
	is := items(t)
	codes := ""
	for _, it := range is {
		codes += it.Code + " "
		if it.Hash == ([32]byte{}) {
			t.Errorf("%s has no hash", it.Code)
		}
	}
	if codes != "SB-P SB-Q TID EBILL 12345 GUIDE QUEUE " {
		t.Errorf("items %s", codes)
	}
}

func TestHours(t *testing.T) {
	it, err := load(strings.Replace(small, "level: L0", "level: L0\nhours: 08:30-17:00\ndays: [mon, tue, wed, thu, fri]", 1))
	if err != nil {
		t.Fatal(err)
	}
	for at, open := range map[string]bool{
		"2026-11-24T08:29:59Z": false, "2026-11-24T08:30:00Z": true, "2026-11-24T16:59:59Z": true, "2026-11-24T17:00:00Z": false,
		"2026-11-28T12:00:00Z": false, // Saturday
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := it[0].Hours.Open(when); got != open {
			t.Errorf("%s: open %v", at, got)
		}
	}
	if !(service.Hours{}).Open(time.Now()) {
		t.Error("the zero hours are not always")
	}
}

// FuzzItemFile: whatever a file holds, Load gives usable items or an error that names it.
func FuzzItemFile(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("code: X\nsteps: [{guide: {}}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("steps:\n  - print: {kind: A}\n  - ? {a: b}\n"))
	f.Add([]byte("name: !!binary x\n"))
	names, err := fs.Glob(assets.FS, "items/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		b, err := fs.ReadFile(assets.FS, n)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 2500 { // minimising longer ones takes the time that finding takes
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		is, err := load(string(data))
		if err != nil {
			var ie *service.ItemError
			if !errors.As(err, &ie) || ie.File != "x.yaml" {
				t.Fatalf("error %v names no file", err)
			}
			return
		}
		for _, it := range is {
			if len(it.Steps) == 0 || it.Name["zh"] == "" || it.Name["en"] == "" || it.Code == "" {
				t.Fatalf("a useless item was accepted: %+v", it)
			}
		}
	})
}
