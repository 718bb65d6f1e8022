//go:build !lab

package camera_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/devices/sim"
)

func bench(t *testing.T, opt sim.CameraOptions) (*sim.Camera, *camera.Camera) {
	t.Helper()
	s, err := sim.StartCamera(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c, err := camera.Open(t.Context(), s.URI(), camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return s, c
}

func stream(t *testing.T, c devices.Camera) devices.CameraStream {
	t.Helper()
	s, err := c.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// showsBars checks the colours in the middle of each bar.
func showsBars(t *testing.T, f *devices.Frame, mirrored bool) {
	t.Helper()
	want := [][3]int{{191, 191, 191}, {191, 191, 0}, {0, 191, 191}, {0, 191, 0}, {191, 0, 191}, {191, 0, 0}, {0, 0, 191}, {0, 0, 0}}
	m := f.Image()
	for i, w := range want {
		x := (2*i + 1) * f.Width / 16
		if mirrored {
			x = f.Width - 1 - x
		}
		c := m.RGBAAt(x, f.Height/3)
		for k, got := range []byte{c.R, c.G, c.B} {
			if d := int(got) - w[k]; d < -12 || d > 12 || c.A != 255 {
				t.Fatalf("bar %d of a %v is %v, expected %v", i, *f, c, w)
			}
		}
	}
}

func TestPicturesComeInEveryWritingOfTheStream(t *testing.T) {
	for name, opt := range map[string]sim.CameraOptions{
		"plain":                  {},
		"without Huffman tables": {NoTables: true},
		"without Content-Length": {NoLength: true},
		"dashes in the boundary": {Boundary: "--myboundary"},
		"none of it":             {Boundary: "----x", NoLength: true, NoTables: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := bench(t, opt)
			s := stream(t, c)
			var f devices.Frame
			last := -1
			for range 4 {
				if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
					t.Fatal(err)
				}
				showsBars(t, &f, false)
				if n := sim.PictureNumber(f.Image()); n <= last {
					t.Errorf("picture %d after %d", n, last)
				} else {
					last = n
				}
				if age := time.Since(f.At); age < 0 || age > time.Second {
					t.Errorf("a picture %v old", age)
				}
			}
		})
	}
}

func TestViewsShrinkAndMirror(t *testing.T) {
	_, c := bench(t, sim.CameraOptions{Width: 640, Height: 480})
	s := stream(t, c)
	var f devices.Frame
	for _, v := range []devices.View{{}, {Mirror: true}, {Shrink: 2}, {Shrink: 4, Mirror: true}} {
		if err := s.Next(t.Context(), &f, v); err != nil {
			t.Fatal(err)
		}
		by := max(1, v.Shrink)
		if f.Width != 640/by || f.Height != 480/by || len(f.Pixels) != 4*f.Width*f.Height {
			t.Errorf("%+v gives %v with %d bytes", v, f, len(f.Pixels))
		}
		showsBars(t, &f, v.Mirror)
	}
	if err := s.Next(t.Context(), &f, devices.View{Shrink: 3}); err == nil {
		t.Error("a third is drawn")
	}
}

func TestOneBrokenPictureDoesNotEndAStream(t *testing.T) {
	for _, fault := range []string{"truncate", "garbage", "scrambled", "wrong-size", "enormous", "endless", "short-length", "long-length"} {
		for _, noLength := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/no length %v", fault, noLength), func(t *testing.T) {
				t.Parallel()
				sm, c := bench(t, sim.CameraOptions{Rate: 60, NoLength: noLength, Width: 320, Height: 240})
				s := stream(t, c)
				var f devices.Frame
				if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
					t.Fatal(err)
				}
				before := sim.PictureNumber(f.Image())
				if err := sm.Fault(fault, "2"); err != nil {
					t.Fatal(err)
				}
				after := before
				for until := time.Now().Add(20 * time.Second); after < before+8; {
					if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
						t.Fatal(err)
					}
					if f.Width != 320 || f.Height != 240 {
						t.Fatalf("%v is shown", f)
					}
					after = sim.PictureNumber(f.Image())
					if time.Now().After(until) {
						t.Fatal("the stream does not go on")
					}
				}
			})
		}
	}
}

func TestStreamsThatNeverGetBetterEndWithTheirReason(t *testing.T) {
	for fault, want := range map[string]error{
		"stall": devices.ErrSilent, "truncate": devices.ErrProtocol, "garbage": devices.ErrProtocol, "wrong-size": devices.ErrProtocol,
		"enormous": devices.ErrProtocol, "disconnect": devices.ErrNoDevice, "endless": devices.ErrProtocol,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			sm, c := bench(t, sim.CameraOptions{Rate: 30, Width: 320, Height: 240})
			s := stream(t, c)
			var f devices.Frame
			if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
				t.Fatal(err)
			}
			if err := sm.Fault(fault, ""); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			for {
				err := s.Next(t.Context(), &f, devices.View{})
				if err == nil && time.Since(begun) < 10*time.Second {
					continue
				}
				if !errors.Is(err, want) {
					t.Fatalf("after %v: %v", time.Since(begun), err)
				}
				break
			}
			if _, err := c.Probe(t.Context()); fault != "wrong-size" && err == nil {
				t.Error("the camera is said to be well")
			}
			// Mended and opened again it serves.
			_ = s.Close()
			sm.ClearFault("")
			s = stream(t, c)
			if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Probe(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnplugIsSeenAtOnce(t *testing.T) {
	sm, c := bench(t, sim.CameraOptions{})
	s := stream(t, c)
	var f devices.Frame
	if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
		t.Fatal(err)
	}
	sm.Unplug()
	var err error
	for err == nil {
		err = s.Next(t.Context(), &f, devices.View{})
	}
	if !errors.Is(err, devices.ErrNoDevice) { // not that it was silent for too long
		t.Error(err)
	}
	_ = sm.Close()
	if _, err := camera.Open(t.Context(), sm.URI(), camera.Options{}); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("opening what is gone: %v", err)
	}
}

func TestOpeningSaysWhatIsWrong(t *testing.T) {
	sm, err := sim.StartCamera(sim.CameraOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer sm.Close()
	for fault, want := range map[string]error{"busy": devices.ErrBusy, "not-a-stream": devices.ErrProtocol, "refused": devices.ErrProtocol,
		"silent": devices.ErrSilent} {
		sm.ClearFault("")
		if err := sm.Fault(fault, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := camera.Open(t.Context(), sm.URI(), camera.Options{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", fault, err)
		}
	}
	empty := t.TempDir()
	for _, uri := range []string{"", "v4l2:dev/video0", "http://", "http://user:secret@host/", "ftp://host/", "file:relative", "file:" + empty,
		"file:" + filepath.Join(empty, "..", "none"), "v4l2:/dev/null"} {
		if _, err := camera.Open(t.Context(), uri, camera.Options{}); !errors.Is(err, devices.ErrUnusable) && !errors.Is(err, devices.ErrNoDevice) {
			t.Errorf("%q: %v", uri, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	for _, opt := range []camera.Options{{Width: 9}, {Height: 9000}, {Rate: 61}, {Keep: 33}, {MainsHz: 55}, {Format: "h264"}, {Exposure: -1}} {
		if _, err := camera.Open(t.Context(), "file:"+empty, opt); !errors.Is(err, devices.ErrUnusable) || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%+v: %v", opt, err)
		}
	}
}

func TestStillIsThePictureThatWasSeen(t *testing.T) {
	_, c := bench(t, sim.CameraOptions{Rate: 60})
	s := stream(t, c)
	var f, still devices.Frame
	numbers := map[uint32]int{}
	for range 6 {
		if err := s.Next(t.Context(), &f, devices.View{Shrink: 2, Mirror: true}); err != nil {
			t.Fatal(err)
		}
		kept := s.Kept()
		if len(kept) == 0 || len(kept) > 8 {
			t.Fatalf("kept %v", kept)
		}
		if err := s.Still(f.Sequence, &still); err != nil {
			t.Fatal(err)
		}
		if still.Sequence != f.Sequence || !still.At.Equal(f.At) || still.Width != 640 {
			t.Errorf("%v for %v", still, f)
		}
		showsBars(t, &still, false)
		numbers[still.Sequence] = sim.PictureNumber(still.Image())
	}
	if len(numbers) != 6 {
		t.Errorf("numbers %v", numbers)
	}
	if err := s.Still(1<<31, &still); !errors.Is(err, devices.ErrFrameGone) {
		t.Errorf("a picture that never was: %v", err)
	}
	if err := s.Hold(true); !errors.Is(err, devices.ErrFixedCamera) {
		t.Errorf("holding: %v", err)
	}
}

func TestOneStreamAtATimeAndItsEnd(t *testing.T) {
	_, c := bench(t, sim.CameraOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.Stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stream(t.Context()); !errors.Is(err, devices.ErrBusy) {
		t.Errorf("a second stream: %v", err)
	}
	cancel()
	var f devices.Frame
	for err == nil {
		err = s.Next(t.Context(), &f, devices.View{})
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the visit: %v", err)
	}
	if _, err := c.Probe(t.Context()); err != nil {
		t.Errorf("the visit's end is the camera's: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = stream(t, c)
	if err := c.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if err := s.Next(t.Context(), &f, devices.View{}); err == nil {
		t.Error("a closed camera gives pictures")
	}
	if _, err := c.Stream(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("a stream of a closed camera: %v", err)
	}
}

func TestFramesHideTheirPixels(t *testing.T) {
	f := devices.Frame{Sequence: 7}
	f.Resize(2, 1)
	copy(f.Pixels, "CANARY!!")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if got := fmt.Sprintf(verb, f); got != "[frame 7, 2x1]" {
			t.Errorf("%s gives %q", verb, got)
		}
	}
	if _, err := f.MarshalJSON(); err == nil {
		t.Error("a frame is marshalled")
	}
	was := f.Pixels
	f.Resize(4, 4)
	if string(was) != strings.Repeat("\x00", 8) {
		t.Errorf("the old room holds %q", was)
	}
	f.Pixels[5] = 9
	was = f.Pixels
	f.Wipe()
	if was[5] != 0 || f.Pixels != nil {
		t.Error("not wiped")
	}
}

func TestFilesPlayAsACameraDoes(t *testing.T) {
	dir := t.TempDir()
	var all []byte
	for i := range 3 {
		b, err := sim.Bars(320, 240, 100+i)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(append(all, b...), "between\xff"...)
	}
	if err := os.WriteFile(filepath.Join(dir, "2x.jpg"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	reel := filepath.Join(t.TempDir(), "reel.mjpeg")
	if err := os.WriteFile(reel, all, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, reel} {
		c, err := camera.Open(t.Context(), "file:"+path, camera.Options{Rate: 60})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s := stream(t, c)
		seen := map[int]bool{}
		var f devices.Frame
		for range 12 {
			if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
				t.Fatal(err)
			}
			seen[sim.PictureNumber(f.Image())] = true
		}
		if len(seen) != 3 || !seen[100] || !seen[101] || !seen[102] {
			t.Errorf("%s shows %v", path, seen)
		}
	}
}

func TestFilesOfYUYVPlayToo(t *testing.T) {
	const w, h = 64, 64
	var all []byte
	for i := range byte(3) {
		all = append(all, bytes.Repeat([]byte{40 + 60*i, 128, 40 + 60*i, 128}, w*h/2)...)
	}
	path := filepath.Join(t.TempDir(), "reel.yuyv")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := camera.Open(t.Context(), "file:"+path, camera.Options{Format: camera.YUYV, Width: 100, Height: 100}); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("of another size: %v", err)
	}
	c, err := camera.Open(t.Context(), "file:"+path, camera.Options{Format: camera.YUYV, Width: w, Height: h, Rate: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := stream(t, c)
	seen := map[byte]bool{}
	var f devices.Frame
	for range 12 {
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			t.Fatal(err)
		}
		seen[f.Pixels[0]] = true
	}
	if f.Width != w || f.Height != h || len(seen) != 3 {
		t.Errorf("%dx%d, levels %v", f.Width, f.Height, seen)
	}
}

func TestNoGoroutineOutlivesAStream(t *testing.T) {
	_, c := bench(t, sim.CameraOptions{Rate: 60})
	var f devices.Frame
	visit := func() {
		s, err := c.Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Next(t.Context(), &f, devices.View{Shrink: 4}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	visit()
	before := runtime.NumGoroutine()
	for range 30 {
		visit()
	}
	for range 50 {
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
