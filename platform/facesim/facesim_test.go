package facesim_test

// Faces over the wire: a platform, the simulator behind a socket, and a terminal that is not one of ours.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/facesim"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// world is a platform with the simulator, and an enrolled client.
type world struct {
	sim    *facesim.Server
	client *uplink.Client
	dir    string
	log    bytes.Buffer
	skew   atomic.Int64 // nanoseconds
}

func newWorld(t *testing.T, faces bool) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	cfg := platform.Config{Dir: filepath.Join(w.dir, "platform"), Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if faces {
		var err error
		if w.sim, err = facesim.Start(func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }); err != nil {
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

func (w *world) check(t *testing.T, name, first17 string, picture []byte) (wire.CodeChecked, string) {
	t.Helper()
	n, err := idnum.Complete(first17)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := w.client.Face(t.Context(), wire.FaceCheck{Person: wire.PersonRef{Name: name, Number: n}, Visit: "v", Picture: picture, Agreed: time.Now()})
	var no *uplink.StatusError
	if errors.As(err, &no) {
		return ok, no.Body.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	return ok, ""
}

// canary is in every picture, where a reader of files would find it.
const canary = "CANARY-OF-A-FACE-7421"

func live(t *testing.T, shade uint8) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 320, 240))
	for i := range m.Pix {
		m.Pix[i] = shade
	}
	m.Set(1, 1, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	out := b.Bytes()
	comment := append([]byte{0xff, 0xfe, 0, byte(len(canary) + 2)}, canary...)
	return append(append(bytes.Clone(out[:2]), comment...), out[2:]...)
}

func TestAFaceProvesAPerson(t *testing.T) {
	w := newWorld(t, true)
	good, bad := live(t, 10), live(t, 200)
	w.sim.Steer(func(number string, picture [32]byte) facesim.Verdict {
		switch {
		case picture == sha256.Sum256(good):
			return facesim.Same
		case strings.HasPrefix(number, "99000019780721"):
			return facesim.Unknown
		case strings.HasPrefix(number, "99000020010130"):
			return facesim.Broken
		}
		return facesim.Other
	})
	ok, code := w.check(t, "王建国", "99000019850312011", good)
	if code != "" || ok.Token == "" {
		t.Fatalf("%+v %s", ok, code)
	}
	if may, err := w.client.Chance(t.Context(), wire.CardQuery{Kind: "TID", Visit: "v", Token: ok.Token}); err != nil || may.Refused != "" {
		t.Errorf("%+v %v", may, err)
	}
	for what, c := range map[string]struct {
		name, number string
		picture      []byte
		want         string
	}{
		"somebody else":         {"李晓雯", "99000019921105022", bad, "E-FACE-OTHER"},
		"no picture of hers":    {"赵䶮", "99000019780721033", bad, "E-NO-RECORD"},
		"the server fails":      {"𠮷田美", "99000020010130044", bad, "E-BACKEND"},
		"another name":          {"王某", "99000019510909066", good, "E-NO-RECORD"},
		"no picture":            {"李晓雯", "99000019921105022", []byte("GIF89a"), "E-PICTURE"},
		"half a picture's head": {"李晓雯", "99000019921105022", good[:20], "E-PICTURE"},
	} {
		if _, got := w.check(t, c.name, c.number, c.picture); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	// Three tries, whatever comes of them, then none.
	for i, want := range []string{"E-FACE-OTHER", "E-FACE-OTHER", "E-FACE-LOCKED", "E-FACE-LOCKED"} {
		if _, got := w.check(t, "李晓雯", "99000019921105022", bad); got != want {
			t.Errorf("try %d: %s", i+2, got)
		}
	}
	if _, got := w.check(t, "李晓雯", "99000019921105022", good); got != "E-FACE-LOCKED" {
		t.Errorf("the right picture after too many wrong ones: %s", got)
	}
	for _, x := range w.sim.Seen() {
		if x.Number == "" {
			t.Errorf("%+v", x)
		}
	}
	w.nothingLeft(t, good, bad)
}

// nothingLeft looks for pictures in whatever the platform wrote.
func (w *world) nothingLeft(t *testing.T, pictures ...[]byte) {
	t.Helper()
	marks := []string{canary}
	for _, p := range pictures {
		marks = append(marks, string(p[200:260]), base64.StdEncoding.EncodeToString(p)[300:360])
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
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
	look("the log", w.log.Bytes())
}

func TestNobodyComparesWithoutABackEnd(t *testing.T) {
	w := newWorld(t, false)
	if _, got := w.check(t, "王建国", "99000019850312011", live(t, 1)); got != "E-BACKEND" {
		t.Errorf("%s", got)
	}
}

// A face server whose clock is far off, or that does not know the platform's key, answers nobody.
func TestTheSimulatorBelievesOnlyThePlatform(t *testing.T) {
	w := newWorld(t, true)
	w.skew.Store(int64(time.Hour))
	if _, got := w.check(t, "王建国", "99000019850312011", live(t, 1)); got != "E-BACKEND" {
		t.Errorf("%s", got)
	}
	if n := len(w.sim.Seen()); n != 0 {
		t.Errorf("%d comparisons", n)
	}
}
