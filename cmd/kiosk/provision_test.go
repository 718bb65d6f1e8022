//go:build !release

package main

// A bare machine is provisioned in a shell, before a real platform and devices on the wire, and then serves.

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// ports makes a directory with links to serial ports, as udev does.
func ports(t *testing.T, uris ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, u := range uris {
		path, _, _ := strings.Cut(strings.TrimPrefix(u, "serial:"), "?")
		if err := os.Symlink(path, filepath.Join(dir, fmt.Sprintf("usb-port-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProvisionInAShell(t *testing.T) {
	h := newHall(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "etc", "terminal.toml")
	code, err := readCode(h.cfg.Platform.CodeFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Props.PutCard("李晓雯"); err != nil {
		t.Fatal(err)
	}
	serial := ports(t, h.Props.Reader.URI(), h.Props.Receipt.URI())
	answers := []string{
		"", "1", // language: Chinese
		"", "990000-0003", "03", "示例区市民之家",
		"", "1", "1080", "1920", "546",
		"", "next", // time, as it is
		"", h.cfg.Platform.URL, h.cfg.Platform.CA, "", "next",
		"", code,
		"", "op.zhang", "1001", "481516",
		"", // devices
		"id-reader", "1", "understood",
		"receipt-printer", "2", "1", "understood", // cashino-kp628e
		"document-printer", "by-hand", h.Props.Document.URI(), "understood",
		"next",
		"", "500", "400", "",
		"", "next", // items: all
		"", "next", // report
		"serve",
	}
	var out strings.Builder
	p := provisionCmd{Config: file, Data: filepath.Join(dir, "data"), SerialDir: serial, Language: "en"}
	err = p.Run(t.Context(), stdio{in: strings.NewReader(strings.Join(answers, "\n") + "\n"), out: &out, err: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Terminal.Site != "示例区市民之家" || c.Screen.DiagonalMM != 546 || len(c.Device) != 3 {
		t.Errorf("%+v", c)
	}
	if d := c.Device[devices.RoleIDReader]; d.Serial == "" || !strings.HasPrefix(d.URI, "serial:"+serial) {
		t.Errorf("reader %+v", d)
	}
	if d := c.Device[devices.RoleReceiptPrinter]; d.Profile != "cashino-kp628e" {
		t.Errorf("slip printer %+v", d)
	}
	for _, secret := range []string{code, "481516", "李晓雯"} {
		for _, f := range []string{file, filepath.Join(c.Terminal.Data, "commissioned.json"), filepath.Join(c.Terminal.Data, "technicians.json")} {
			if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), secret) {
				t.Errorf("%s: %v, or it holds %q", f, err, secret)
			}
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q was shown", secret)
		}
	}
	if strings.Contains(out.String(), "[0]") {
		t.Error("a nought stands in a field before somebody typed")
	}
	if _, err := os.Stat(file + ".draft"); err == nil {
		t.Error("the draft is still there")
	}
	// a test slip, a test page, and the report
	if n := len(h.Props.Receipt.Slips()); n != 2 {
		t.Errorf("%d slips", n)
	}
	if n := len(h.Props.Document.Documents()); n != 1 {
		t.Errorf("%d pages", n)
	}
	if !strings.Contains(out.String(), "报告已打印") || !strings.Contains(out.String(), "报告已上传") {
		t.Errorf("report:\n%s", out.String())
	}
	// and it serves
	if err := h.Props.TakeCard(); err != nil {
		t.Fatal(err)
	}
	h.cfg = c
	served := make(chan struct{})
	citizen := script.New(script.On("attract", script.Next()), script.On("home", script.Item("GUIDE")), script.Maybe("choose", script.Leave()))
	citizen.Done = func() { close(served) }
	s := h.start(citizen, nil)
	h.until("a visit", 30e9, func() bool {
		select {
		case <-served:
			return true
		default:
			return false
		}
	})
	b, err := s.journal.StockBalance(journal.StockSheet)
	if err != nil || b.Loaded != 500 {
		t.Errorf("%+v %v", b, err)
	}
	s.end()
}

// Whoever leaves in the middle finds what was answered.
func TestProvisionGoesOn(t *testing.T) {
	dir := t.TempDir()
	p := provisionCmd{Config: filepath.Join(dir, "terminal.toml"), Data: filepath.Join(dir, "data"), SerialDir: dir, Language: "zh"}
	var out strings.Builder
	ask := func(lines ...string) {
		t.Helper()
		out.Reset()
		if err := p.Run(t.Context(), stdio{in: strings.NewReader(strings.Join(lines, "\n") + "\n"), out: &out, err: &out}); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	ask("", "en", "", "990000-0007", "07", "Hall", "leave")
	if !strings.Contains(out.String(), "kept in") {
		t.Error(out.String())
	}
	ask("identity", "", "", "<", "leave")
	for _, want := range []string{"990000-0007 · Hall", "[990000-0007]", "Terminal"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	// What cannot be is said, and the step stays open.
	ask("identity", "x", "", "", "understood", "enrol", "understood", "report", "understood", "leave")
	for _, want := range []string{"terminal.id: expected", "come first", "not done yet"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	if _, err := os.Stat(p.Config); err == nil {
		t.Error("a configuration was written")
	}
}

// Whatever is written is read back the same.
func TestWriteConfig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune(`ab"\'中 	#=[]`)))
		c := config.Default()
		c.Terminal = config.Terminal{ID: "990000-0003", No: "03", Site: "x" + text.Draw(t, "site"), Name: "y" + text.Draw(t, "name"), Data: "/data"}
		if rapid.Bool().Draw(t, "items") {
			c.Terminal.Items = []string{"SB-P", "12345"}
		}
		c.Platform = config.Platform{URL: "https://p.example:8443", CA: "/ca.pem", Proxy: "http://proxy.example:3128"}
		c.Screen.FullScreen = rapid.Bool().Draw(t, "full")
		c.Device = map[devices.Role]config.Device{
			devices.RoleIDReader: {Driver: "sam", URI: "serial:/dev/x?baud=115200", Serial: "s" + text.Draw(t, "serial"), PhotoHelper: []string{"/usr/bin/d", "-x"}},
			devices.RoleSound:    {Driver: "alsa", URI: "alsa:default", Volume: rapid.IntRange(1, 100).Draw(t, "volume"), QuietHours: "21:00-07:30", QuietVolume: 20},
			devices.RoleCamera:   {Driver: "video", URI: "v4l2:/dev/v", Width: 1280, Height: 720, Rate: rapid.IntRange(1, 30).Draw(t, "rate"), Format: "mjpeg"},
		}
		if rapid.Bool().Draw(t, "technicians") {
			c.Technicians = config.Technicians{CardKey: strings.Repeat("0a", 16), Person: []config.Person{{Code: "1001", Operator: "op.zhang", Name: text.Draw(t, "technician"), PIN: "$argon2id$x", Card: strings.Repeat("0b", 32)}}}
		}
		if rapid.Bool().Draw(t, "tolerance") {
			c.Tolerance = map[string]int{"card": rapid.IntRange(0, 1000).Draw(t, "cards"), "ribbon": 20}
		}
		back, err := config.Parse("t.toml", writeConfig(c))
		if err != nil {
			t.Fatalf("%v\n%s", err, writeConfig(c))
		}
		back.Path = ""
		if !reflect.DeepEqual(back, c) {
			t.Fatalf("%+v\n%+v", back, c)
		}
	})
}

// Every text of the flow is worded.
func TestProvisionTexts(t *testing.T) {
	id := regexp.MustCompile(`service\.T\("(prov\.[a-z0-9.-]*[a-z0-9])"`)
	field := regexp.MustCompile(`ID: "([a-z]+)", Kind: service`)
	used := map[string]bool{}
	for _, f := range []string{"provision.go", "provision_steps.go", "provision_devices.go", "provision_draft.go"} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range id.FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
		}
		for _, m := range field.FindAllStringSubmatch(string(b), -1) {
			used["prov.field."+m[1]] = true
		}
	}
	for _, s := range (&flow{}).steps() {
		used["prov.step."+s.id] = true
	}
	for _, x := range turns {
		used["prov.turn."+x] = true
	}
	for _, lang := range service.Languages {
		b, err := assets.FS.ReadFile("lang/" + lang + ".provision.json")
		if err != nil {
			t.Fatal(err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(b, &words); err != nil {
			t.Fatal(err)
		}
		for u := range used {
			if words[u] == "" {
				t.Errorf("%s: %s has no words", lang, u)
			}
		}
	}
}

// Every role that a configuration can name can be chosen and tried.
func TestEveryRoleIsOnThePageOfDevices(t *testing.T) {
	for r := range config.Drivers {
		if !slices.Contains(roleOrder, r) {
			t.Errorf("%s cannot be set up", r)
		}
	}
	if len(roleOrder) != len(config.Drivers) {
		t.Errorf("%d roles on the page, %d in a configuration", len(roleOrder), len(config.Drivers))
	}
}

// Door and lamps hang on one board, whose wiring is the site's own file; the door is tried by somebody who moves it.
func TestProvisionTheCabinet(t *testing.T) {
	h := newHall(t)
	dir := t.TempDir()
	wiring := filepath.Join(dir, "board.toml")
	h.must(os.WriteFile(wiring, []byte("unit = 1\n[[contact]]\nname = \"door\"\ntable = \"discrete\"\n[[light]]\nname = \"id-reader\"\ntable = \"coil\"\non = 1\n"), 0o644))
	cards, err := sim.StartSmartCardReader(dir)
	h.must(err)
	defer cards.Close()
	card := sim.SampleSocialCard()
	cards.Put(&card)
	ended := make(chan struct{})
	var moving sync.WaitGroup
	moving.Go(func() { // somebody who plays with the door
		for open := true; ; open = !open {
			h.Props.Cabinet.Input(0, !open)
			select {
			case <-time.After(700 * time.Millisecond):
			case <-ended:
				return
			}
		}
	})
	defer moving.Wait()
	defer close(ended)
	file := filepath.Join(dir, "terminal.toml")
	var out strings.Builder
	answers := []string{"devices",
		"door", "1", "eight-in-eight-out", "understood",
		"lights", "1", "own", wiring, "understood",
		"smart-card", "by-hand", cards.URI(), "understood",
		"door", "1", "own", filepath.Join(dir, "none.toml"), "understood", // it fails, and the role has no tried device
		"<", "leave"}
	p := provisionCmd{Config: file, Data: filepath.Join(dir, "data"), SerialDir: ports(t, h.Props.Cabinet.URI()), Language: "en"}
	if err := p.Run(t.Context(), stdio{in: strings.NewReader(strings.Join(answers, "\n") + "\n"), out: &out, err: &out}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"Open or close the door once.", "the door's switch changed, now", "1 lamps were lit", "Put a test card into the reader.", "social-security card, region " + card.Region, "not tried"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, personal := range []string{card.Name, card.Number} {
		if strings.Contains(out.String(), personal) {
			t.Error("somebody is shown")
		}
	}
	b, err := os.ReadFile(file + ".draft")
	h.must(err)
	var d draft
	h.must(json.Unmarshal(b, &d))
	if x := d.Config.Device[devices.RoleLights]; x.Driver != "modbus" || x.Profile != wiring {
		t.Errorf("lights %+v", x)
	}
}
