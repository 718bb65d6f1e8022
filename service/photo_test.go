package service_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/test/portraits"
)

var theStudio = sync.OnceValues(func() (*portraits.Studio, error) { return portraits.Open("photo/testdata") })

// bad is what must not become a photo, by what is told then.
func bad(t *testing.T) map[string]func() *image.RGBA {
	t.Helper()
	s, err := theStudio()
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) func() *image.RGBA {
		for _, c := range s.Tuning() {
			if c.Name == name {
				return func() *image.RGBA { return c.Make().RGBA }
			}
		}
		t.Fatalf("no picture %q", name)
		return nil
	}
	return map[string]func() *image.RGBA{
		"nobody": of("nobody"), "others": of("two people"), "dark": of("against the light"), "straighten": of("leaning by 12 degrees"),
		"still": of("blurred"), "closer": of("far away"), "white-top": of("white clothes"),
	}
}

// black is what a camera sees that somebody covers.
var black = sync.OnceValue(func() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for i := range m.Pix {
		if i%4 == 3 {
			m.Pix[i] = 255
		} else {
			m.Pix[i] = byte(3 + i%5)
		}
	}
	return m
})

// toThePhoto is the way to the camera.
func (w *world) toThePhoto() []script.Line {
	w.booth.office.photo = false
	return lines(w.known(), one(script.On("form", script.Fill("phone", ""))))
}

// shutter presses the button after the camera has seen something.
func shutter() script.Do {
	return script.Then(func() { time.Sleep(400 * time.Millisecond) }, script.Next())
}

// TestBadPicturesAreTakenAgain: whoever presses the button before a bad picture is told why and tries again, after five times a person is better;
// nothing is applied for with any of it.
func TestBadPicturesAreTakenAgain(t *testing.T) {
	for says, m := range bad(t) {
		makingCards(t, says, func(t *testing.T, w *world) {
			w.set.add(devices.RoleCamera, &fakeCamera{picture: m()})
			var again service.Pose
			w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", shutter()),
				script.On("photo", script.Look(func(p service.Prompt) { again = p.(service.Pose) }, script.Leave()))})...)
			if again.Problem.ID != "svc.photo."+says || again.Left != 4 {
				t.Errorf("told %q with %d left", again.Problem.ID, again.Left)
			}
			if w.booth.office.applied != 0 || len(w.cases()) != 0 {
				t.Error("somebody applied with it")
			}
		})
	}
	makingCards(t, "six times", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCamera, &fakeCamera{picture: bad(t)["straighten"]()})
		var all []script.Line
		for range 6 {
			all = append(all, script.On("photo", shutter()))
		}
		var seen service.Trouble
		w.play(lines(w.toThePhoto(), all, one(script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))), leave())...)
		if seen.Code != "E-PHOTO" || w.booth.office.applied != 0 || len(w.cases()) != 0 {
			t.Errorf("told %+v", seen)
		}
	})
}

// TestEyesClosedAtTheShutter: they were open before, so that it is known what they are like.
func TestEyesClosedAtTheShutter(t *testing.T) {
	s, err := theStudio()
	if err != nil {
		t.Fatal(err)
	}
	open, closed, leaning := s.Good().RGBA, s.Closed(s.Good()).RGBA, s.Good().Turned(12, 350, 300, portraits.White).RGBA
	makingCards(t, "are taken again", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCamera, &fakeCamera{sees: func(n uint32) *image.RGBA {
			switch {
			case n > 40:
				return closed
			case n%6 < 3: // never long enough to go on by itself
				return leaning
			}
			return open
		}})
		var again service.Pose
		w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", script.Then(func() { time.Sleep(3 * time.Second) }, script.Next())),
			script.On("photo", script.Look(func(p service.Prompt) { again = p.(service.Pose) }, script.Leave()))})...)
		if again.Problem.ID != "svc.photo.eyes" || w.booth.office.applied != 0 {
			t.Errorf("told %q", again.Problem.ID)
		}
	})
}

// TestCoveredCamera: a hand before the lens, in the middle of it all and at the very moment of the shutter.
func TestCoveredCamera(t *testing.T) {
	makingCards(t, "for a second", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCamera, &fakeCamera{sees: func(n uint32) *image.RGBA {
			if n > 2 && n < 22 {
				return black()
			}
			return theBooth()
		}})
		light := 0
		w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", script.Wait()), script.On("pick-photo", script.Look(func(p service.Prompt) {
			for _, b := range p.(service.PickPhoto).Photos {
				if m, err := jpeg.Decode(bytes.NewReader(b)); err == nil && color.GrayModel.Convert(m.At(5, 5)).(color.Gray).Y > 200 {
					light++
				}
			}
		}, script.Choose("0"))), script.On("ink", script.Draw(ink(t))), script.On("review", script.Next())}, w.done())...)
		w.one(journal.Closed)
		if light != 2 {
			t.Errorf("%d of two photos show somebody before a wall", light)
		}
	})
	makingCards(t, "at the shutter", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCamera, &fakeCamera{sees: func(n uint32) *image.RGBA {
			if n < 3 {
				return theBooth()
			}
			return black()
		}})
		var again service.Pose
		w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", script.Then(func() { time.Sleep(800 * time.Millisecond) }, script.Next())),
			script.On("photo", script.Look(func(p service.Prompt) { again = p.(service.Pose) }, script.Leave()))})...)
		if again.Problem.ID != "svc.photo.nobody" || w.booth.office.applied != 0 {
			t.Errorf("told %q", again.Problem.ID)
		}
	})
}

// TestCameraPulledOutAtTheShutter: the picture was good, and then there is none to be had.
func TestCameraPulledOutAtTheShutter(t *testing.T) {
	makingCards(t, "is no camera", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCamera, &fakeCamera{pulled: true})
		var seen service.Trouble
		w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", script.Wait()), script.On("photo", script.Wait()),
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))}, leave())...)
		if seen.Code != "E-CAMERA" || w.booth.office.applied != 0 || len(w.cases()) != 0 {
			t.Errorf("told %+v", seen)
		}
	})
}

// TestADarkHatIsForTheOfficialToSee: nothing of ours tells one from hair. The photo goes to the official, who is told nothing of it.
func TestADarkHatIsForTheOfficialToSee(t *testing.T) {
	s, err := theStudio()
	if err != nil {
		t.Fatal(err)
	}
	all := s.HeldOut()
	i := slices.IndexFunc(all, func(c portraits.Case) bool { return c.Name == "man, dark cap" })
	if i < 0 {
		t.Fatal("no such picture")
	}
	makingCards(t, "as a cap", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCamera, &fakeCamera{picture: all[i].Make().RGBA})
		w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", shutter()), script.On("pick-photo", script.Choose("0")),
			script.On("ink", script.Draw(ink(t))), script.On("review", script.Next())}, w.done())...)
		w.one(journal.Closed)
		if w.booth.office.photoLen < 10_000 || slices.ContainsFunc(w.booth.office.checks, func(c service.Check) bool { return !c.OK }) {
			t.Errorf("a photo of %d bytes, checks %+v", w.booth.office.photoLen, w.booth.office.checks)
		}
	})
}

// reel is a folder of JPEGs that a camera sends in turns, through the driver that reads real ones.
func reel(t *testing.T, pictures ...[]byte) devices.Camera {
	t.Helper()
	dir := t.TempDir()
	for i, b := range pictures {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.jpg", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := camera.Open(t.Context(), "file:"+dir, camera.Options{Rate: 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// broken are JPEGs that no camera should send: of 50 megapixels, cut off, with noise in its middle, of another kind, empty.
func broken(t *testing.T) [][]byte {
	t.Helper()
	good, err := os.ReadFile("../cmd/kiosk/journey/people/booth.jpg")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(good, []byte{0xFF, 0xC0})
	if at < 0 {
		t.Fatal("no frame header")
	}
	large, kind, noise := bytes.Clone(good), bytes.Clone(good), bytes.Clone(good)
	binary.BigEndian.PutUint16(large[at+5:], 6144)
	binary.BigEndian.PutUint16(large[at+7:], 8192)
	kind[at+1] = 0xC2
	for i := len(noise) / 2; i < len(noise)/2+400; i++ {
		noise[i] = 0xFF
	}
	return [][]byte{large, good[:len(good)/2], noise, kind, {}, []byte("no picture at all")}
}

func TestBrokenPicturesBeforeTheBooth(t *testing.T) {
	good, err := os.ReadFile("../cmd/kiosk/journey/people/booth.jpg")
	if err != nil {
		t.Fatal(err)
	}
	makingCards(t, "between good ones", func(t *testing.T, w *world) {
		var all [][]byte
		for _, b := range broken(t) {
			all = append(all, good, b, good)
		}
		w.set.add(devices.RoleCamera, reel(t, all...))
		w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", script.Wait()), script.On("pick-photo", script.Choose("1")),
			script.On("ink", script.Draw(ink(t))), script.On("review", script.Next())}, w.done())...)
		w.one(journal.Closed)
		if w.booth.office.photoLen < 10_000 {
			t.Errorf("a photo of %d bytes", w.booth.office.photoLen)
		}
	})
	makingCards(t, "and nothing else", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCamera, reel(t, broken(t)...))
		var seen service.Trouble
		w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", script.Wait()),
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))}, leave())...)
		if seen.Code != "E-CAMERA" || len(w.cases()) != 0 {
			t.Errorf("told %+v", seen)
		}
	})
}

// TestHintsReachTheOfficial: what only a person can judge is no reason to send somebody away; the official is told what to look at.
func TestHintsReachTheOfficial(t *testing.T) {
	s, err := theStudio()
	if err != nil {
		t.Fatal(err)
	}
	for name, measure := range map[string]string{"mouth and nose covered": "uncovered", "reflections in the glasses": "glare", "a photo held up": "print-edges", "dark glasses": "eyes-lit",
		"blue knitted hat": "head-colour"} {
		makingCards(t, name, func(t *testing.T, w *world) {
			all := s.Tuning()
			i := slices.IndexFunc(all, func(c portraits.Case) bool { return c.Name == name })
			if i < 0 {
				t.Fatal("no such picture")
			}
			w.set.add(devices.RoleCamera, &fakeCamera{picture: all[i].Make().RGBA})
			w.play(lines(w.toThePhoto(), []script.Line{script.On("photo", shutter()), script.On("pick-photo", script.Choose("0")),
				script.On("ink", script.Draw(ink(t))), script.On("review", script.Next())}, w.done())...)
			w.one(journal.Closed)
			k := slices.IndexFunc(w.booth.office.checks, func(c service.Check) bool { return c.Name == measure })
			if k < 0 || w.booth.office.checks[k].OK {
				t.Errorf("the official is told %+v", w.booth.office.checks)
			}
		})
	}
}
