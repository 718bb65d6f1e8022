package fingersim_test

// Fingers over the wire: a platform, the simulator behind a socket, and a terminal that is not one of ours.

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/platform/fingersim"
	"github.com/budayang/kiosk/sync/wire"
	"github.com/budayang/kiosk/test/proving"
)

// world is a platform that asks the simulator.
type world struct {
	*proving.World
	sim  *fingersim.Server
	skew atomic.Int64 // nanoseconds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.sim, err = fingersim.Start(func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.sim.Close() })
	b, err := w.sim.Backend()
	if err != nil {
		t.Fatal(err)
	}
	w.World = proving.Asking(t, b)
	return w
}

func check(t *testing.T, w *proving.World, name, number string, f wire.FingerCheck) (wire.CodeChecked, string) {
	t.Helper()
	f.Person, f.Visit, f.Agreed = wire.PersonRef{Name: name, Number: number}, "v", time.Now()
	ok, err := w.Finger(t.Context(), f)
	return ok, proving.Answered(t, err)
}

func picture(number string, n int, p sim.Press) wire.FingerCheck {
	f := sim.FingerOf(number, n)
	return wire.FingerCheck{Width: 256, Height: 288, DPI: 500, Pixels: f.Picture(p, 256, 288)}
}

func TestAFingerProvesAPerson(t *testing.T) {
	w := newWorld(t)
	people := sim.People()
	wang, li, zhao, ji := people[0], people[1], people[2], people[3]
	for _, p := range []sim.Person{wang, li, ji} {
		for n := range 2 {
			x := picture(p.Number, n+1, sim.Press{Grain: 77})
			w.sim.Enrol(p.Number, x.Pixels, x.Width, x.Height, x.DPI)
		}
	}
	if ways, err := w.ProofWays(t.Context()); err != nil || !slices.Contains(ways.Ways, wire.ProofFinger) {
		t.Errorf("%v %v", ways, err)
	}
	good := picture(wang.Number, 2, sim.Press{X: 14, Y: -10, Turn: -11, Stretch: 0.4, Grain: 5})
	ok, code := check(t, w.World, wang.Name, wang.Number, good)
	if code != "" || ok.Token == "" {
		t.Fatalf("%+v %s", ok, code)
	}
	w.Eligible(t, ok)
	wrong := picture(wang.Number, 1, sim.Press{Grain: 6})
	short := good
	short.Pixels = short.Pixels[:len(short.Pixels)-1]
	huge := good
	huge.Width = 513
	w.sim.Break(false)
	for what, c := range map[string]struct {
		p    sim.Person
		f    wire.FingerCheck
		want string
	}{
		"somebody else's": {li, wrong, "E-FINGER-OTHER"},
		"none of hers":    {zhao, wrong, "E-NO-RECORD"},
		"smeared":         {ji, picture(ji.Number, 1, sim.Press{Smeared: true}), "E-FINGER-POOR"},
		"another name":    {sim.Person{Name: "王某", Number: people[4].Number}, good, "E-NO-RECORD"},
		"less than it is": {li, short, "E-PICTURE"},
		"too large":       {li, huge, "E-PICTURE"},
		"nothing":         {li, wire.FingerCheck{}, "E-PICTURE"},
		"no resolution":   {li, wire.FingerCheck{Width: 64, Height: 64, Pixels: make([]byte, 64*64)}, "E-PICTURE"},
	} {
		if _, got := check(t, w.World, c.p.Name, c.p.Number, c.f); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	w.sim.Break(true)
	if _, got := check(t, w.World, li.Name, li.Number, wrong); got != "E-BACKEND" {
		t.Errorf("the server fails: %s", got)
	}
	w.sim.Break(false)
	// Three tries, whatever comes of them, then none.
	for i, want := range []string{"E-FINGER-OTHER", "E-FINGER-LOCKED", "E-FINGER-LOCKED"} {
		if _, got := check(t, w.World, li.Name, li.Number, wrong); got != want {
			t.Errorf("try %d: %s", i+3, got)
		}
	}
	if _, got := check(t, w.World, li.Name, li.Number, picture(li.Number, 1, sim.Press{})); got != "E-FINGER-LOCKED" {
		t.Errorf("the right finger after too many wrong ones: %s", got)
	}
	if n := len(w.sim.Seen()); n != 4 {
		t.Errorf("the simulator compared %d times", n)
	}
	var left []string
	for _, p := range []wire.FingerCheck{good, wrong} {
		at := 256*144 + 100 // amid the ridges
		left = append(left, string(p.Pixels[at:at+40]), base64.StdEncoding.EncodeToString(p.Pixels[at/3*3 : at/3*3+60])[:60])
	}
	log := w.NothingLeft(t, left...)
	for _, p := range people[:4] {
		if strings.Contains(log, p.Number) {
			t.Error("the log names a person")
		}
	}
}

func TestWithoutAFingerprintServer(t *testing.T) {
	w := proving.Asking(t)
	p := sim.People()[0]
	if _, code := check(t, w, p.Name, p.Number, picture(p.Number, 1, sim.Press{})); code != "E-BACKEND" {
		t.Error(code)
	}
	if ways, err := w.ProofWays(t.Context()); err != nil || slices.Contains(ways.Ways, wire.ProofFinger) {
		t.Errorf("offered all the same: %v %v", ways, err)
	}
}

func TestWhoeverIsNotThePlatformIsNotAnswered(t *testing.T) {
	w := newWorld(t)
	x := picture(sim.People()[0].Number, 1, sim.Press{})
	w.sim.Enrol(sim.People()[0].Number, x.Pixels, x.Width, x.Height, x.DPI)
	w.skew.Store(int64(time.Hour)) // an old request, as the simulator sees it
	if _, code := check(t, w.World, sim.People()[0].Name, sim.People()[0].Number, x); code != "E-BACKEND" {
		t.Error(code)
	}
	if len(w.sim.Seen()) != 0 {
		t.Error("it was compared")
	}
}
