package journeys

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/photo"
	"github.com/budayang/kiosk/service/photo/face"
	"github.com/budayang/kiosk/test/residue"
)

// forgotten is how long after a visit everything of a face may still be there.
const forgotten = 6 * time.Second

// TestNoFaceIsLeftInTheTerminal gets a card with the real program, face compared and photo taken before a camera on the network, and then
// searches all of the terminal's memory (Go's and C's, with what OpenGL has there in software), every file that it wrote and its log:
// for the picture as it came and as it was decoded, the preview, the photo, what the screen showed of both, and the points.
func TestNoFaceIsLeftInTheTerminal(t *testing.T) {
	kiosk := program(t)
	out := t.TempDir()                     // beside the terminal's own
	room, err := os.MkdirTemp("", "faces") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(room) })
	t.Setenv("TMPDIR", room)
	t.Setenv("HOME", room)
	j, err := journey.Find("temporary-id")
	if err != nil {
		t.Fatal(err)
	}
	j.Check = nil // its own wants pictures of the screens
	picture := portrait(t)
	known := needles(t, picture)
	seen := map[string]bool{} // while the person was there
	look := func(s *journey.Stage) error {
		hits, _, err := residue.Search(s.Process(), known)
		for _, h := range hits {
			seen[h.Needle] = true
		}
		return err
	}
	j.At["photo"] = func(ctx context.Context, s *journey.Stage, first journey.Screen) error {
		now := first
		for now.Pictures < first.Pictures+3 {
			if now, err = s.Look(); err != nil || now.Seq != first.Seq {
				return err
			}
			time.Sleep(30 * time.Millisecond)
		}
		if len(now.Preview) != 4 || len(seen) > 0 {
			return nil
		}
		return frozen(s, func() error {
			w, h := now.Preview[0], now.Preview[1]
			known = append(known, preview(t, picture, w, h))
			// The middle of the preview, which is shown twice as large.
			known = append(known, shown(t, ctx, s, "the preview on the screen", image.Rect(0, 0, 2*w, 2*h).Add(image.Pt(now.Preview[2], now.Preview[3])))...)
			return look(s)
		})
	}
	alone := false
	j.At["pick-photo"] = func(ctx context.Context, s *journey.Stage, now journey.Screen) error {
		pick, ok := now.Find("pick.0")
		if !ok {
			return fmt.Errorf("no photo to pick: %+v", now)
		}
		if _, two := now.Find("pick.1"); !two {
			alone = true // one photo of two was good; it does not stand above its button
			return s.Tap(ctx, "pick.0")
		}
		err := frozen(s, func() error {
			x, y := int(pick.X+pick.W/2), int(pick.Y)
			known = append(known, shown(t, ctx, s, "the photo on the screen", image.Rect(x-180, y-450, x+180, y-50))...)
			return look(s)
		})
		if err != nil {
			return err
		}
		return s.Tap(ctx, "pick.0")
	}
	take := j.At["take-output"]
	j.At["take-output"] = func(ctx context.Context, s *journey.Stage, now journey.Screen) error {
		cards, _ := filepath.Glob(filepath.Join(out, "card-*.png"))
		if len(cards) != 1 {
			return fmt.Errorf("%d cards are printed", len(cards))
		}
		known = append(known, printed(t, cards[0]))
		if err := frozen(s, func() error { return look(s) }); err != nil {
			return err
		}
		return take(ctx, s, now)
	}
	j.After = func(_ context.Context, s *journey.Stage) error {
		ended := time.Now()
		var hits []residue.Hit
		for {
			before := time.Now()
			var n int64
			if hits, n, err = residue.Search(s.Process(), known); err != nil {
				return err
			}
			t.Logf("%v after the visit: %d pieces left; %d MB searched for %d pieces in %v", before.Sub(ended).Round(time.Millisecond), len(hits), n>>20, len(known), time.Since(before).Round(time.Millisecond))
			if len(hits) == 0 || before.Sub(ended) > forgotten {
				break
			}
			time.Sleep(time.Second)
		}
		for _, h := range hits {
			t.Errorf("%s is left at %x in %s", h.Needle, h.Address, h.Mapping)
		}
		return filepath.WalkDir(room, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			for _, k := range known {
				if k.In(b) {
					t.Errorf("%s is in %s", k.Name, path)
				}
			}
			return err
		})
	}
	sum, err := journey.Play(t.Context(), j, journey.Options{Dir: out, Program: kiosk, NoPictures: true, Pictures: [][]byte{picture}, PageTime: time.Second})
	log, _ := os.ReadFile(filepath.Join(out, "terminal.log"))
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, sum, log)
	}
	t.Logf("found while somebody stood there: %q", slices.Sorted(maps.Keys(seen)))
	for _, must := range []string{"the picture as it came", "the picture", "the preview", "the preview on the screen", "the photo", "the photo on the screen"} {
		if !seen[must] && !(alone && must == "the photo on the screen") {
			t.Errorf("%s was not found while somebody stood there: the search shows nothing", must)
		}
	}
	for _, k := range known {
		if len(log) == 0 || k.In(log) {
			t.Errorf("%s is in the log of %d bytes", k.Name, len(log))
		}
	}
}

// frozen does something while the terminal stands still.
func frozen(s *journey.Stage, do func() error) error {
	p := s.Process()
	if err := syscall.Kill(p, syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = syscall.Kill(p, syscall.SIGCONT) }()
	return do()
}

// portrait is who sits before the camera, in bytes that are not the program's own: it carries the demonstration's picture within.
func portrait(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("../../cmd/kiosk/journey/people/booth.jpg")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 93}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// frame is what the driver makes of the camera's picture.
func frame(t *testing.T, picture []byte) *devices.Frame {
	t.Helper()
	path := filepath.Join(t.TempDir(), "picture.jpg")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := camera.Open(t.Context(), "file:"+path, camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := &devices.Frame{}
	if err := s.Next(t.Context(), f, devices.View{}); err != nil {
		t.Fatal(err)
	}
	return f
}

func needle(t *testing.T, name string, b []byte) residue.Needle {
	t.Helper()
	n, err := residue.New(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// middle is the part of a picture in which the face is: of each row a part that pieces of 64 bytes do not leave.
func middle(pix []byte, stride int) (out []byte) {
	rows := len(pix) / stride
	for y := rows / 3; y < rows*2/3; y++ {
		from := y*stride + stride/3&^15
		out = append(out, pix[from:from+stride/3&^63]...)
	}
	return out
}

// needles are pieces of all that the terminal makes of the picture, which it makes in the same way here.
func needles(t *testing.T, b []byte) []residue.Needle {
	t.Helper()
	f := frame(t, b)
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	y := m.(*image.YCbCr)
	all := []residue.Needle{
		needle(t, "the picture as it came", residue.Liveliest(b[len(b)/2:], 48, 1)),
		needle(t, "the end of the picture as it came", residue.Liveliest(b[len(b)-2000:], 48, 1)),
		needle(t, "the picture", residue.Liveliest(middle(f.Pixels, 4*f.Width), 64, 64)),
		needle(t, "the decoder's picture", residue.Liveliest(middle(y.Y, y.YStride), 48, 64)),
	}
	p, err := photo.LoadProfile("id-card")
	if err != nil {
		t.Fatal(err)
	}
	booth, err := photo.NewBooth(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := booth.Take(f.Image())
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, needle(t, "the photo", residue.Liveliest(taken.JPEG[len(taken.JPEG)/2:], 48, 1)))
	sent := base64.StdEncoding.EncodeToString(taken.JPEG) // as it stands in a question to the platform, and in a permit
	all = append(all, needle(t, "the photo on its way", residue.Liveliest([]byte(sent[len(sent)/2:]), 48, 1)))
	if m, err = jpeg.Decode(bytes.NewReader(taken.JPEG)); err != nil {
		t.Fatal(err)
	}
	y = m.(*image.YCbCr)
	all = append(all, needle(t, "the photo's picture", residue.Liveliest(middle(y.Y, y.YStride), 48, 64)))
	finder, err := face.New()
	if err != nil {
		t.Fatal(err)
	}
	found := finder.Find(f.Image())
	var mesh face.Mesh
	if len(found) != 1 || !finder.Mesh(f.Image(), found[0], &mesh) {
		t.Fatalf("%d faces", len(found))
	}
	for i := 50; i < 450; i += 100 {
		all = append(all, needle(t, fmt.Sprint("points from ", i), unsafe.Slice((*byte)(unsafe.Pointer(&mesh.Points[i])), 2*unsafe.Sizeof(mesh.Points[0]))))
	}
	return all
}

// preview is a piece of what is given to Fyne, in the size that the page has.
func preview(t *testing.T, picture []byte, w, h int) residue.Needle {
	t.Helper()
	live := &service.Live{}
	live.Show(frame(t, picture))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	if _, _, _, ok := live.Draw(m, 0); !ok {
		t.Fatal("no preview")
	}
	return needle(t, "the preview", residue.Liveliest(middle(m.Pix, m.Stride), 64, 64))
}

// printed is a piece of the portrait on a card.
func printed(t *testing.T, card string) residue.Needle {
	t.Helper()
	f, err := os.Open(card)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	// The portrait is at the left or at the right; only there are rows of many different greys.
	grey := image.NewGray(m.Bounds())
	draw.Draw(grey, grey.Rect, m, m.Bounds().Min, draw.Src)
	return needle(t, "the portrait on the card", residue.Liveliest(grey.Pix, 48, 1))
}

// shown is a piece of the middle of a part of the screen, as pixels lie in OpenGL's and X's memory: blue first, with either value of
// the byte that is not shown.
func shown(t *testing.T, ctx context.Context, s *journey.Stage, name string, part image.Rectangle) []residue.Needle {
	t.Helper()
	file := filepath.Join(t.TempDir(), "screen.png")
	if err := s.Photograph(ctx, file); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	part = part.Intersect(m.Bounds())
	from := part.Min.X + part.Dx()/3
	to := from + part.Dx()/3&^15
	var pix []byte
	for y := part.Min.Y + part.Dy()/3; y < part.Max.Y-part.Dy()/3; y++ {
		for x := from; x < to; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			pix = append(pix, byte(b>>8), byte(g>>8), byte(r>>8), 0xFF)
		}
	}
	piece := slices.Clone(residue.Liveliest(pix, 64, 64))
	all := []residue.Needle{needle(t, name, piece)}
	for i := 3; i < len(piece); i += 4 {
		piece[i] = 0
	}
	return append(all, needle(t, name, piece))
}
