//go:build !release

package main

// Drafts that another version left: what can be read is taken over, the rest is named, nothing is lost.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
)

// earlierDraft is what the first version wrote (sentences in one language), with keys that no version has any more, one of another
// kind, a device that this version has no driver for, and a step that is gone.
const earlierDraft = `{
 "config": {
  "Terminal": {"ID": "990000-0007", "No": "07", "Site": "示例区政务大厅", "Name": "07 号终端", "Data": "DATA", "Items": null, "Floor": 2},
  "Screen": {"Width": 1080, "Height": "tall", "DiagonalMM": 546, "FullScreen": true, "Language": "en"},
  "Visit": {"Warn": "40s", "End": "1m0s", "TakeCard": "10s", "TakeSlip": "30s", "Refill": "5m0s"},
  "Platform": {"URL": "https://platform.example:8443", "CA": ""},
  "Seal": {"Vault": "file", "TPM": "/dev/tpmrm0", "Cipher": "aes-256-gcm"},
  "Device": {
   "id-reader": {"URI": "serial:/dev/ttyS0?baud=115200", "Driver": "sam", "Serial": "X1"},
   "receipt-printer": {"URI": "serial:/dev/ttyS1?baud=115200", "Driver": "starprnt"}}
 },
 "done": {"language": "English", "identity": "990000-0007 · 示例区政务大厅", "screen": "1080 × 1920", "platform": "https://platform.example:8443", "devices": "2 devices", "seals": "yes", "report": "printed"},
 "tests": {"id-reader": "read", "receipt-printer": "printed"},
 "operator": "op.zhang",
 "loaded": {"sheet": 500, "slip": "many"},
 "rotate": "left"
}`

// left puts a draft where provisioning will find it.
func left(t *testing.T, draft string) provisionCmd {
	t.Helper()
	dir := t.TempDir()
	p := provisionCmd{Config: filepath.Join(dir, "terminal.toml"), Data: filepath.Join(dir, "data"), SerialDir: dir, Language: "en"}
	draft = strings.ReplaceAll(draft, "DATA", p.Data)
	if err := os.WriteFile(p.Config+".draft", []byte(draft), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// kept is what lies beside the draft under names that begin so.
func kept(t *testing.T, p provisionCmd, word string) string {
	t.Helper()
	all, err := filepath.Glob(p.Config + ".draft." + word + "-*")
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %v %v", word, all, err)
	}
	b, err := os.ReadFile(all[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDraftOfAnEarlierVersion(t *testing.T) {
	p := left(t, earlierDraft)
	f, err := p.begin(nil, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"config.Terminal.Floor", "config.Screen.Height", "config.Device.receipt-printer", "done.seals", "loaded.slip"} {
		if !strings.Contains(f.note.Args["fields"], want) {
			t.Errorf("%s is not named in %q", want, f.note.Args["fields"])
		}
	}
	if c := f.draft.Config; c.Terminal.ID != "990000-0007" || c.Terminal.Site != "示例区政务大厅" || c.Screen.Language != "en" || c.Screen.Height != config.Default().Screen.Height {
		t.Errorf("%+v", c)
	}
	if _, has := f.draft.Config.Device[devices.RoleReceiptPrinter]; has || f.draft.Config.Device[devices.RoleIDReader].Serial != "X1" {
		t.Errorf("%+v", f.draft.Config.Device)
	}
	if f.Operator != "op.zhang" || f.Rotate != "left" || f.Loaded["sheet"] != 500 || !f.LoadedLost {
		t.Errorf("%+v", f.draft)
	}
	var done []string
	for id := range f.Done {
		done = append(done, id)
	}
	slices.Sort(done)
	// platform has no authority any more, devices one that nothing drives, and the report told of both
	if want := []string{"identity", "language", "screen"}; !reflect.DeepEqual(done, want) {
		t.Errorf("done %v, want %v", done, want)
	}
	for _, lang := range service.Languages {
		if got := lexicon().Say(lang, f.Done["identity"]); got != "990000-0007 · 示例区政务大厅" {
			t.Errorf("%s: %q", lang, got)
		}
	}
	if got := kept(t, p, "before"); !strings.Contains(got, `"Floor": 2`) {
		t.Error(got)
	}
}

// Whoever provisions is told, and goes on where they were.
func TestDraftOfAnEarlierVersionInAShell(t *testing.T) {
	p := left(t, earlierDraft)
	var out strings.Builder
	if err := p.Run(t.Context(), stdio{in: strings.NewReader("understood\nleave\n"), out: &out, err: &out}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"another version was read", "config.Terminal.Floor", "990000-0007 · 示例区政务大厅"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	// What is saved from now on is this version's, and nothing is dropped again.
	f, err := p.begin(nil, func(string) {})
	if err != nil || f.note.IsZero() {
		t.Fatalf("leaving without a step saves nothing: %v %+v", err, f.note)
	}
	if err := f.save(); err != nil {
		t.Fatal(err)
	}
	if f, err = p.begin(nil, func(string) {}); err != nil || !f.note.IsZero() || f.draft.Config.Terminal.ID != "990000-0007" {
		t.Errorf("%v, note %+v, %+v", err, f.note, f.draft.Config.Terminal)
	}
}

func TestDraftThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{"cut off": earlierDraft[:len(earlierDraft)/2], "toml": "[terminal]\nid = \"990000-0007\"\n", "a list": "[1, 2]", "null": "null",
		"endless": `{"operator": "` + strings.Repeat("x", maxDraft) + `"}`} {
		t.Run(name, func(t *testing.T) {
			p := left(t, text)
			var out strings.Builder
			if err := p.Run(t.Context(), stdio{in: strings.NewReader("understood\nlanguage\nen\nleave\n"), out: &out, err: &out}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "cannot be read") || !strings.Contains(out.String(), ".draft.unreadable-") {
				t.Error(out.String())
			}
			if got, want := kept(t, p, "unreadable"), strings.ReplaceAll(text, "DATA", p.Data); got != want {
				t.Errorf("kept %d bytes, %d were there", len(got), len(want))
			}
			// The new draft is a good one.
			if f, err := p.begin(nil, func(string) {}); err != nil || !f.note.IsZero() || f.Done["language"].IsZero() {
				t.Errorf("%v %+v", err, f)
			}
		})
	}
}

// What was put in before is not counted a second time because a draft could not tell.
func TestSuppliesAfterALostDraft(t *testing.T) {
	p := left(t, "nothing of the kind")
	f, err := p.begin(nil, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	f.draft.Config.Terminal = config.Terminal{ID: "990000-0007", No: "07", Site: "x", Data: p.Data}
	f.Operator = "op.zhang"
	if err := prepareData(p.Data); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journalPath(f.draft.Config), journalOptions(f.draft.Config))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock(journal.StockSheet, 500, "op.zhang"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	shell := newShell(stdio{in: strings.NewReader("\n\n\n"), out: &out, err: &out}, lexicon(), "en") // each as it stands
	f.citizen = shell
	if _, err := f.askSupplies(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "[500]") {
		t.Error(out.String())
	}
	if j, err = journal.Open(journalPath(f.draft.Config), journalOptions(f.draft.Config)); err != nil {
		t.Fatal(err)
	}
	b, err := j.StockBalance(journal.StockSheet)
	if err != nil || b.Loaded != 500 {
		t.Errorf("%+v %v", b, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whatever lies there, it is read or called unreadable, and what is written of it is read whole.
func FuzzDraft(f *testing.F) {
	f.Add([]byte(earlierDraft))
	f.Add([]byte(`{"config":{"Device":{"x":null,"id-reader":[]}},"done":{"language":{"Words":{"zh":"中文"}}},"tests":7}`))
	f.Add([]byte(`{"CONFIG":{"visit":{"Warn":"x"}},"config":{"Technicians":{"Person":[{"Code":1}]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDraft()
		if _, err := readDraft(b, &d); err != nil {
			return
		}
		if d.Done == nil || d.Tests == nil || d.Loaded == nil {
			t.Fatal("a map is missing")
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again := newDraft()
		if dropped, err := readDraft(text, &again); err != nil || len(dropped) > 0 {
			t.Fatalf("%v %v", dropped, err)
		}
	})
}
