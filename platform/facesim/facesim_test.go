package facesim_test

// Faces over the wire: a platform, the simulator behind a socket, and a terminal that is not one of ours.

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform/facesim"
	"github.com/budayang/kiosk/sync/wire"
	"github.com/budayang/kiosk/test/proving"
)

// world is a platform that asks the simulator.
type world struct {
	*proving.World
	sim  *facesim.Server
	skew atomic.Int64 // nanoseconds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.sim, err = facesim.Start(func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }); err != nil {
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

func check(t *testing.T, w *proving.World, name, first17 string, picture []byte) (wire.CodeChecked, string) {
	t.Helper()
	n, err := idnum.Complete(first17)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := w.Face(t.Context(), wire.FaceCheck{Person: wire.PersonRef{Name: name, Number: n}, Visit: "v", Picture: picture, Agreed: time.Now()})
	return ok, proving.Answered(t, err)
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
	w := newWorld(t)
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
	ok, code := check(t, w.World, "王建国", "99000019850312011", good)
	if code != "" || ok.Token == "" {
		t.Fatalf("%+v %s", ok, code)
	}
	w.Eligible(t, ok)
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
		if _, got := check(t, w.World, c.name, c.number, c.picture); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	// Three tries, whatever comes of them, then none.
	for i, want := range []string{"E-FACE-OTHER", "E-FACE-OTHER", "E-FACE-LOCKED", "E-FACE-LOCKED"} {
		if _, got := check(t, w.World, "李晓雯", "99000019921105022", bad); got != want {
			t.Errorf("try %d: %s", i+2, got)
		}
	}
	if _, got := check(t, w.World, "李晓雯", "99000019921105022", good); got != "E-FACE-LOCKED" {
		t.Errorf("the right picture after too many wrong ones: %s", got)
	}
	for _, x := range w.sim.Seen() {
		if x.Number == "" {
			t.Errorf("%+v", x)
		}
	}
	left := []string{canary}
	for _, p := range [][]byte{good, bad} {
		left = append(left, string(p[200:260]), base64.StdEncoding.EncodeToString(p)[300:360])
	}
	w.NothingLeft(t, left...)
}

func TestNobodyComparesWithoutABackEnd(t *testing.T) {
	if _, got := check(t, proving.Asking(t), "王建国", "99000019850312011", live(t, 1)); got != "E-BACKEND" {
		t.Errorf("%s", got)
	}
}

// A face server whose clock is far off, or that does not know the platform's key, answers nobody.
func TestTheSimulatorBelievesOnlyThePlatform(t *testing.T) {
	w := newWorld(t)
	w.skew.Store(int64(time.Hour))
	if _, got := check(t, w.World, "王建国", "99000019850312011", live(t, 1)); got != "E-BACKEND" {
		t.Errorf("%s", got)
	}
	if n := len(w.sim.Seen()); n != 0 {
		t.Errorf("%d comparisons", n)
	}
}
