package service

// From the shutter to the photos, with a camera of the driver that reads pictures from files and the booth that judges them.

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/service/photo"
)

// studioOf opens a studio before a camera that sees a man who may be photographed, so many times a second.
func studioOf(t *testing.T, rate int) *studio {
	t.Helper()
	b, err := os.ReadFile("../cmd/kiosk/journey/people/booth.jpg")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "man.jpg"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := camera.Open(t.Context(), "file:"+dir, camera.Options{Rate: rate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	j := &Journey{e: &Engine{cfg: Config{Devices: onlySet{role: devices.RoleCamera, dev: c}}, t: Timeouts{Hold: time.Hour}}}
	s, err := j.openStudio(t.Context(), "id-card", candidates)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// forgetful keeps eight pictures until one is judged, which takes as long as a camera remembers.
type forgetful struct {
	devices.CameraStream
	judge
	asked []int // how many pictures were judged each time
}

func (c *forgetful) Kept() []uint32 { return []uint32{1, 2, 3, 4, 5, 6, 7, 8} }

func (c *forgetful) Still(_ uint32, f *devices.Frame) error {
	if len(c.asked) > 0 {
		return devices.ErrFrameGone
	}
	return c.Next(context.Background(), f, devices.View{})
}

func (c *forgetful) TakeAll(pictures []*image.RGBA) ([]photo.Photo, []error) {
	c.asked = append(c.asked, len(pictures))
	return c.judge.TakeAll(pictures)
}

// TestBothAreFetchedBeforeTheFirstIsJudged: on a machine that judges one photo for longer than the camera keeps the other there are two all the same.
func TestBothAreFetchedBeforeTheFirstIsJudged(t *testing.T) {
	s := studioOf(t, 20)
	slow := &forgetful{CameraStream: s.stream, judge: s.booth}
	s.stream, s.booth = slow, slow
	all, advice := s.take(candidates) // nothing was looked at: both are fetched
	if len(all) != candidates || len(slow.asked) == 0 {
		t.Fatalf("%d photos, %q; judged %v at a time", len(all), advice, slow.asked)
	}
	for i := range all {
		if all[i].Verdict != photo.Accepted || len(all[i].JPEG) == 0 {
			t.Errorf("photo %d is %s: %v", i, all[i].Verdict, all[i].Findings)
		}
	}
}

// countingStream counts the pictures that are fetched, and forgets them when it is told to.
type countingStream struct {
	devices.CameraStream
	stills atomic.Int32
	keeps  []uint32
}

func (c *countingStream) Kept() []uint32 { return c.keeps }

func (c *countingStream) Still(n uint32, f *devices.Frame) error {
	c.stills.Add(1)
	return c.CameraStream.Still(n, f)
}

// TestWhatWasLookedAtIsNotDecodedAgain, and is wiped when the step ends.
func TestWhatWasLookedAtIsNotDecodedAgain(t *testing.T) {
	if raceDetector {
		t.Skip("four looks take minutes under the race detector; what runs beside what is looked at in TestBadPicturesAreTakenAgain too")
	}
	s := studioOf(t, 15)
	live := &Live{}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	go func() {
		for live.Looks() < mostLooked && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
	}()
	if err := s.watch(ctx, live); !errors.Is(err, context.Canceled) {
		t.Fatalf("looked at %d pictures: %v", live.Looks(), err)
	}
	live.wipe()
	if len(s.looked.frames) != mostLooked {
		t.Fatalf("%d pictures are in the album", len(s.looked.frames))
	}
	counted := &countingStream{CameraStream: s.stream}
	for i := range s.looked.frames {
		f := &s.looked.frames[i]
		counted.keeps = append(counted.keeps, f.Sequence)
		if got := s.looked.find(f.Sequence); got != f {
			t.Errorf("picture %d is not found", f.Sequence)
		}
	}
	s.stream = counted
	all, advice := s.take(candidates)
	if len(all) != candidates || counted.stills.Load() != 0 {
		t.Errorf("%d photos, %q, %d pictures were decoded again", len(all), advice, counted.stills.Load())
	}
	for i := range all {
		if all[i].Verdict != photo.Accepted {
			t.Errorf("photo %d is %s: %v", i, all[i].Verdict, all[i].Findings)
		}
		all[i].Wipe()
	}
	rooms := make([][]byte, 0, mostLooked)
	for i := range s.looked.frames {
		rooms = append(rooms, s.looked.frames[i].Pixels)
	}
	s.close()
	for i, room := range rooms {
		if len(room) == 0 || slices.ContainsFunc(room, func(c byte) bool { return c != 0 }) {
			t.Errorf("picture %d of %d bytes is left", i, len(room))
		}
	}
}

// TestAlbumIsBounded: by pictures and by bytes, whatever camera there is, and nothing is left when pictures get another size.
func TestAlbumIsBounded(t *testing.T) {
	for _, c := range []struct{ width, height, want int }{{640, 480, 4}, {1280, 720, 4}, {1920, 1080, 4}, {2560, 1440, 2}, {4096, 4096, 1}} {
		var a album
		for n := range uint32(9) {
			f := a.next(c.width, c.height)
			f.Sequence = n + 1
			f.Pixels[0] = 1
		}
		if len(a.frames) != c.want {
			t.Errorf("%d pictures of %dx%d", len(a.frames), c.width, c.height)
		}
		for n := range uint32(10) {
			if there := a.find(n) != nil; there != (n > 9-uint32(c.want)) {
				t.Errorf("of %dx%d picture %d is there: %v", c.width, c.height, n, there)
			}
		}
		was := a.frames[0].Pixels
		other := [2]int{4096, 4096}
		if c.want == 1 {
			other = [2]int{640, 480}
		}
		if a.next(other[0], other[1]); was[0] != 0 {
			t.Errorf("a picture of %dx%d is left", c.width, c.height)
		}
		a.wipe()
	}
}
