//go:build !release

package main

// Every control of the dock does what it says to the real simulators, and its words follow what they do.

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/budayang/kiosk/devices/sim"
)

// newDock is a dock in a window, beside a terminal whose plug is a flag.
func newDock(t *testing.T, h *hall) (d *dock, powered *bool) {
	t.Helper()
	on := true
	d = &dock{world: h.World, plug: func() { on = false }, replug: func() error { on = true; return nil }, running: func() bool { return on }}
	a := test.NewTempApp(t)
	a.Settings().SetTheme(dockTheme{a.Settings().Theme()})
	w := a.NewWindow(dockTitle)
	w.SetContent(d.content())
	w.Resize(fyne.NewSize(560, 960))
	t.Cleanup(w.Close)
	return d, &on
}

func (d *dock) press(t *testing.T, name string) {
	t.Helper()
	b, there := d.buttons[name]
	if !there {
		t.Fatalf("the dock has no control %q", name)
	}
	test.Tap(b)
	if d.trouble.Text != "" {
		t.Fatalf("%s: %s", name, d.trouble.Text)
	}
	d.refresh(d.look(t.Context()))
}

func TestDockSteersTheSimulators(t *testing.T) {
	h := newHall(t)
	d, powered := newDock(t, h)

	for _, name := range h.Props.Cards() {
		d.people.SetSelected(name)
		d.press(t, "put")
		if got := h.Props.Reader.State().Card; got != name || d.card.Text != name {
			t.Errorf("card on the reader is %q, the dock says %q, expected %q", got, d.card.Text, name)
		}
		d.press(t, "take")
		if got := h.Props.Reader.State().Card; got != "" || d.card.Text != "—" {
			t.Errorf("card %q still lies there, the dock says %q", got, d.card.Text)
		}
	}

	faults := func(device string) []string {
		s, err := h.Props.State()
		if err != nil {
			t.Fatal(err)
		}
		return map[string][]string{sim.DeviceIDReader: s.Reader.Faults, sim.DeviceReceiptPrinter: s.Receipt.Faults, sim.DeviceDocumentPrinter: s.Document.Faults,
			sim.DeviceCardPrinter: s.CardPrinter.Faults, sim.DeviceIOBoard: s.Cabinet.Faults}[device]
	}
	broken := 0
	for name := range d.buttons {
		device, fault, is := strings.Cut(name, ".")
		if !is || fault == "mend" {
			continue
		}
		broken++
		d.press(t, name)
		if !slices.ContainsFunc(faults(device), func(f string) bool { return strings.HasPrefix(f, fault) }) || !strings.Contains(d.faults[device].Text, fault) {
			t.Errorf("%s: the device has %v, the dock says %q", name, faults(device), d.faults[device].Text)
		}
		d.press(t, device+".mend")
		if len(faults(device)) > 0 || d.faults[device].Text != "正常 ok" {
			t.Errorf("%s: after mending the device has %v, the dock says %q", name, faults(device), d.faults[device].Text)
		}
	}
	if broken != 15 {
		t.Errorf("%d faults can be made, expected 15", broken)
	}

	d.press(t, "cut")
	if h.Link.Up() || !strings.Contains(d.link.Text, "cut") {
		t.Errorf("link up %v after it was cut, the dock says %q", h.Link.Up(), d.link.Text)
	}
	d.press(t, "restore")
	d.press(t, "slow")
	if !strings.Contains(d.link.Text, "slow") {
		t.Errorf("the dock says %q of a slow platform", d.link.Text)
	}
	d.press(t, "restore")
	if !h.Link.Up() || !strings.Contains(d.link.Text, "up") {
		t.Errorf("link up %v after it was restored, the dock says %q", h.Link.Up(), d.link.Text)
	}

	d.press(t, "plug")
	if *powered || d.plugged.Text != plugIn {
		t.Errorf("power %v after the plug was pulled, the dock says %q", *powered, d.plugged.Text)
	}
	d.press(t, "plug")
	if !*powered || d.plugged.Text != pulled {
		t.Errorf("power %v after the plug went in, the dock says %q", *powered, d.plugged.Text)
	}
}

func TestDockShowsPapersAndCases(t *testing.T) {
	h := newHall(t)
	d, _ := newDock(t, h)
	scriptedCertificate(h)
	deadline := time.Now().Add(time.Minute)
	for d.slip.file == "" || d.a4.file == "" || !strings.Contains(d.cases.Text, "SB-P") {
		if time.Now().After(deadline) {
			t.Fatalf("slip %q, certificate %q, cases %q", d.slip.file, d.a4.file, d.cases.Text)
		}
		d.refresh(d.look(t.Context()))
		time.Sleep(50 * time.Millisecond)
	}
	if d.code.Text == "—" {
		t.Error("the code that the platform sent is not shown")
	}
	if s := d.slip.img.Image.Bounds(); s.Dx() < 300 {
		t.Errorf("slip is drawn %v", s)
	}
	test.Tap(d.buttons["paper"])
	if s, _ := h.Props.State(); s.Receipt.Mouth || s.Document.Tray > 0 {
		t.Errorf("papers are still there: mouth %v, tray %d", s.Receipt.Mouth, s.Document.Tray)
	}
}

func TestPlugKillsAndStartsTheTerminal(t *testing.T) {
	program := filepath.Join(t.TempDir(), "terminal")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &plug{program: program, config: "none", io: stdio{in: nil, out: io.Discard, err: io.Discard}}
	for range 2 {
		if err := p.in(); err != nil {
			t.Fatal(err)
		}
		if !p.running() {
			t.Fatal("not running after the plug went in")
		}
		p.pull()
		<-p.gone
		if p.running() {
			t.Fatal("still running after the plug was pulled")
		}
	}
	if err := p.in(); err != nil {
		t.Fatal(err)
	}
	p.end()
	if p.running() {
		t.Fatal("still running after the end")
	}
}
