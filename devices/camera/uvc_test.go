//go:build lab

package camera

// The driver over the kernel's uvcvideo, with a webcam of ours at the far end of the cable.

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/devices/sim/usbip"
	"github.com/budayang/kiosk/test/lab"
)

// webcam plugs a camera in and waits until the kernel has made its node.
func webcam(t *testing.T, c *sim.USBCamera) (pull func(), path string) {
	t.Helper()
	lab.Inside(t)
	plug, err := usbip.Plug(c.Device, usbip.AnyPort)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- c.Run(plug.Gone()) }()
	pulled := false
	pull = func() {
		if pulled {
			return
		}
		pulled = true
		plug.Pull()
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(pull)
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		var found []Node
		for _, n := range Nodes() {
			if n.Name == c.ProductName || n.Name == c.ProductName+": "+c.ProductName {
				found = append(found, n)
			}
		}
		if len(found) > 1 {
			t.Fatalf("one camera is listed as %v: a metadata node passes as one", found)
		}
		if len(found) == 1 {
			return pull, found[0].Path
		}
	}
	t.Fatalf("no node for the camera; there are %v", Nodes())
	return nil, ""
}

func opened(t *testing.T, path string) (*Camera, devices.CameraStream) {
	t.Helper()
	var err error
	// udev may hold the node for a moment.
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		var c *Camera
		if c, err = Open(t.Context(), "v4l2:"+path, Options{}); err == nil {
			t.Cleanup(func() { _ = c.Close() })
			s, err := c.Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return c, s
		}
	}
	t.Fatal(err)
	return nil, nil
}

func TestLabWebcamPicturesAndControls(t *testing.T) {
	w := sim.NewUSBCamera(sim.USBCameraOptions{Serial: "SN-990000"})
	_, path := webcam(t, w)
	c, s := opened(t, path)
	var f devices.Frame
	last := -1
	for i := range 5 {
		was := f
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			t.Fatal(err)
		}
		n := sim.PictureNumber(f.Image())
		if n <= last || i > 0 && !f.At.After(was.At) || f.Width != 640 || f.Height != 480 {
			t.Errorf("picture %d after %d: %v after %v", n, last, f, was)
		}
		last = n
	}
	st, err := c.Probe(t.Context())
	if err != nil || st.Identity.Maker != "uvcvideo" || st.Identity.Serial != "SN-990000" {
		t.Errorf("%+v %v", st.Identity, err)
	}
	is := func(name string, want int) {
		t.Helper()
		if got, err := w.Control(name); err != nil || got != want {
			t.Errorf("%s is %d, expected %d (%v)", name, got, want, err)
		}
	}
	is("mains", 1)
	is("exposure-priority", 0)
	is("exposure-mode", 8)
	if err := s.Hold(true); err != nil {
		t.Fatal(err)
	}
	is("exposure-mode", 1)
	is("exposure", 333) // what it was when it was held
	is("white-balance-auto", 0)
	is("white-balance", 5200)
	if err := s.Hold(false); err != nil {
		t.Fatal(err)
	}
	is("exposure-mode", 8)
	is("white-balance-auto", 1)
}

func TestLabWebcamMarksBrokenPictures(t *testing.T) {
	w := sim.NewUSBCamera(sim.USBCameraOptions{Name: "Broken Camera", Rate: 20})
	_, path := webcam(t, w)
	_, s := opened(t, path)
	var f devices.Frame
	if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
		t.Fatal(err)
	}
	before, sent := sim.PictureNumber(f.Image()), w.Sent()
	w.Break(5)
	for w.Sent() < sent+8 {
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			t.Fatal(err)
		}
	}
	if after := sim.PictureNumber(f.Image()); after < before+5 {
		t.Errorf("picture %d after %d: the stream did not go on", after, before)
	}
}

func TestLabWebcamUnpluggedAndBack(t *testing.T) {
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := 0
	var seen, back time.Duration
	const rounds = 5
	for i := range rounds {
		w := sim.NewUSBCamera(sim.USBCameraOptions{Name: "Loose Camera"})
		begun := time.Now()
		pull, path := webcam(t, w)
		c, s := opened(t, path)
		var f devices.Frame
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			t.Fatal(err)
		}
		back = max(back, time.Since(begun))
		begun = time.Now()
		pull()
		var err error
		for err == nil {
			err = s.Next(t.Context(), &f, devices.View{})
		}
		seen = max(seen, time.Since(begun))
		if !errors.Is(err, devices.ErrNoDevice) {
			t.Errorf("round %d: %v", i, err)
		}
		if _, err := c.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
			t.Errorf("round %d: probe: %v", i, err)
		}
		if err := errors.Join(s.Close(), c.Close()); err != nil {
			t.Errorf("round %d: closing: %v", i, err)
		}
		if i == 0 {
			before = files()
		} else if n := files(); n > before {
			t.Errorf("round %d: %d descriptors, %d after the first", i, n, before)
		}
	}
	t.Logf("unplugging seen within %v, a picture within %v of plugging in", seen, back)
	if seen > time.Second || back > 3*time.Second {
		t.Errorf("unplugging seen after %v, back after %v", seen, back)
	}
}
