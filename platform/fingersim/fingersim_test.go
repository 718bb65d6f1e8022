package fingersim_test

// Fingers over the wire: a platform, the simulator behind a socket, and a terminal that is not one of ours.

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/fingersim"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// world is a platform with the simulator, and an enrolled client.
type world struct {
	sim    *fingersim.Server
	client *uplink.Client
	dir    string
	log    bytes.Buffer
	skew   atomic.Int64 // nanoseconds
}

func newWorld(t *testing.T, fingers bool) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	cfg := platform.Config{Dir: filepath.Join(w.dir, "platform"), Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if fingers {
		var err error
		if w.sim, err = fingersim.Start(func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.sim.Close() })
		b, err := w.sim.Backend()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Backends = []platform.BackendConfig{b}
	}
	s, err := platform.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done; _ = s.Close() })
	code, _, err := s.IssueCode(t.Context(), "990000-0001", 0, platform.Operator{Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(w.dir, "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := uplink.LoadIdentity(w.dir, "990000-0001")
	if err != nil {
		t.Fatal(err)
	}
	if w.client, err = uplink.NewClient("https://"+l.Addr().String(), ca, id); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if err := w.client.Enroll(t.Context(), "s", "n", code); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) check(t *testing.T, name, number string, f wire.FingerCheck) (wire.CodeChecked, string) {
	t.Helper()
	f.Person, f.Visit, f.Agreed = wire.PersonRef{Name: name, Number: number}, "v", time.Now()
	ok, err := w.client.Finger(t.Context(), f)
	var no *uplink.StatusError
	if errors.As(err, &no) {
		return ok, no.Body.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	return ok, ""
}

func picture(number string, n int, p sim.Press) wire.FingerCheck {
	f := sim.FingerOf(number, n)
	return wire.FingerCheck{Width: 256, Height: 288, DPI: 500, Pixels: f.Picture(p, 256, 288)}
}

func TestAFingerProvesAPerson(t *testing.T) {
	w := newWorld(t, true)
	people := sim.People()
	wang, li, zhao, ji := people[0], people[1], people[2], people[3]
	for _, p := range []sim.Person{wang, li, ji} {
		for n := range 2 {
			x := picture(p.Number, n+1, sim.Press{Grain: 77})
			w.sim.Enrol(p.Number, x.Pixels, x.Width, x.Height, x.DPI)
		}
	}
	if ways, err := w.client.ProofWays(t.Context()); err != nil || !slices.Contains(ways.Ways, wire.ProofFinger) {
		t.Errorf("%v %v", ways, err)
	}
	good := picture(wang.Number, 2, sim.Press{X: 14, Y: -10, Turn: -11, Stretch: 0.4, Grain: 5})
	ok, code := w.check(t, wang.Name, wang.Number, good)
	if code != "" || ok.Token == "" {
		t.Fatalf("%+v %s", ok, code)
	}
	if may, err := w.client.Chance(t.Context(), wire.CardQuery{Kind: "TID", Visit: "v", Token: ok.Token}); err != nil || may.Refused != "" {
		t.Errorf("%+v %v", may, err)
	}
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
		if _, got := w.check(t, c.p.Name, c.p.Number, c.f); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	w.sim.Break(true)
	if _, got := w.check(t, li.Name, li.Number, wrong); got != "E-BACKEND" {
		t.Errorf("the server fails: %s", got)
	}
	w.sim.Break(false)
	// Three tries, whatever comes of them, then none.
	for i, want := range []string{"E-FINGER-OTHER", "E-FINGER-LOCKED", "E-FINGER-LOCKED"} {
		if _, got := w.check(t, li.Name, li.Number, wrong); got != want {
			t.Errorf("try %d: %s", i+3, got)
		}
	}
	if _, got := w.check(t, li.Name, li.Number, picture(li.Number, 1, sim.Press{})); got != "E-FINGER-LOCKED" {
		t.Errorf("the right finger after too many wrong ones: %s", got)
	}
	if n := len(w.sim.Seen()); n != 4 {
		t.Errorf("the simulator compared %d times", n)
	}
	w.nothingLeft(t, good, wrong)
}

// nothingLeft looks for pictures in whatever the platform wrote.
func (w *world) nothingLeft(t *testing.T, pictures ...wire.FingerCheck) {
	t.Helper()
	var marks []string
	for _, p := range pictures {
		at := 256*144 + 100 // amid the ridges
		marks = append(marks, string(p.Pixels[at:at+40]), base64.StdEncoding.EncodeToString(p.Pixels[at/3*3 : at/3*3+60])[:60])
	}
	look := func(where string, b []byte) {
		for _, m := range marks {
			if bytes.Contains(b, []byte(m)) {
				t.Errorf("a picture is left in %s", where)
			}
		}
	}
	files := 0
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		look(path, b)
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
	look("the log", w.log.Bytes())
	for _, p := range sim.People()[:4] {
		if bytes.Contains(w.log.Bytes(), []byte(p.Number)) {
			t.Error("the log names a person")
		}
	}
}

func TestWithoutAFingerprintServer(t *testing.T) {
	w := newWorld(t, false)
	p := sim.People()[0]
	if _, code := w.check(t, p.Name, p.Number, picture(p.Number, 1, sim.Press{})); code != "E-BACKEND" {
		t.Error(code)
	}
	if ways, err := w.client.ProofWays(t.Context()); err != nil || slices.Contains(ways.Ways, wire.ProofFinger) {
		t.Errorf("offered all the same: %v %v", ways, err)
	}
}

func TestWhoeverIsNotThePlatformIsNotAnswered(t *testing.T) {
	w := newWorld(t, true)
	x := picture(sim.People()[0].Number, 1, sim.Press{})
	w.sim.Enrol(sim.People()[0].Number, x.Pixels, x.Width, x.Height, x.DPI)
	w.skew.Store(int64(time.Hour)) // an old request, as the simulator sees it
	if _, code := w.check(t, sim.People()[0].Name, sim.People()[0].Number, x); code != "E-BACKEND" {
		t.Error(code)
	}
	if len(w.sim.Seen()) != 0 {
		t.Error("it was compared")
	}
}
