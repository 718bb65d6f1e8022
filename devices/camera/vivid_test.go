//go:build lab

package camera

// The driver over the real kernel's V4L2, with the camera of the module vivid. In the lab's machine only, where a camera that
// is missing is a failure.

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/test/lab"
)

// Controls by which vivid is broken (drivers/media/test-drivers/vivid/vivid-ctrls.c).
const (
	vividDisconnect = 0xF0F041
	vividBadBuffer  = 0xF0F042 // the next buffer is marked as broken
	vividBadReqBufs = 0xF0F043
	vividBadQueue   = 0xF0F044
	vividBadStart   = 0xF0F045
)

// vivid opens vivid's first camera.
func vivid(t *testing.T, opt Options) *Camera {
	t.Helper()
	lab.Inside(t)
	for _, n := range Nodes() {
		if !strings.HasPrefix(n.Name, "vivid") {
			continue
		}
		c, err := Open(t.Context(), "v4l2:"+n.Path, opt)
		if errors.Is(err, devices.ErrUnusable) {
			continue // vivid has nodes of other kinds that also capture
		}
		if err != nil {
			t.Fatalf("%v: %v", n, err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	t.Fatalf("no vivid camera: %v", Nodes())
	return nil
}

// press uses one of vivid's buttons.
func press(t *testing.T, c *Camera, id uint32, value int32) {
	t.Helper()
	v := c.src.(*video)
	ctl := control{id, value}
	if err := v.k.ioctl(v.fd, vidiocSCtrl, ptr(&ctl)); err != nil {
		t.Fatalf("control %#x: %v", id, err)
	}
}

func TestLabVividPictures(t *testing.T) {
	c := vivid(t, Options{Width: 640, Height: 480, Format: YUYV})
	st, err := c.Probe(t.Context())
	if err != nil || st.Identity.Model == "" {
		t.Fatalf("%+v %v", st, err)
	}
	s, err := c.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var f devices.Frame
	colours := map[[3]byte]bool{}
	for i := range 5 {
		last := f
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			t.Fatal(err)
		}
		if i > 0 && (f.Sequence <= last.Sequence || !f.At.After(last.At)) {
			t.Errorf("%v after %v", f, last)
		}
		if age := time.Since(f.At); age < 0 || age > 10*time.Second {
			t.Errorf("%v is %v old", f, age)
		}
		for x := 8; x < f.Width; x += 16 {
			p := f.Image().RGBAAt(x, f.Height*3/4)
			colours[[3]byte{p.R >> 6, p.G >> 6, p.B >> 6}] = true
		}
	}
	if len(colours) < 6 {
		t.Errorf("colour bars have %d colours", len(colours))
	}
	t.Logf("%q: %v", st.Identity.Model, f)
}

func TestLabVividFaults(t *testing.T) {
	c := vivid(t, Options{Width: 640, Height: 480, Format: YUYV})
	var f devices.Frame
	visit := func() (devices.CameraStream, error) {
		s, err := c.Stream(t.Context())
		if err != nil {
			return nil, err
		}
		return s, s.Next(t.Context(), &f, devices.View{})
	}
	for _, button := range []uint32{vividBadReqBufs, vividBadQueue, vividBadStart} {
		press(t, c, button, 1)
		if s, err := visit(); err == nil {
			_ = s.Close()
			t.Errorf("fault %#x is not seen", button)
		}
		// What the failed start asked for went back: the next one is not busy.
		s, err := visit()
		if err != nil {
			t.Fatalf("after fault %#x: %v", button, err)
		}
		_ = s.Close()
	}
	s, err := visit()
	if err != nil {
		t.Fatal(err)
	}
	press(t, c, vividBadBuffer, 1)
	for range 4 {
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close()
}

// TestVividUnplugged comes last: the camera is gone afterwards, until somebody binds it again.
func TestLabVividUnplugged(t *testing.T) {
	c := vivid(t, Options{Width: 640, Height: 480, Format: YUYV})
	s, err := c.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var f devices.Frame
	if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	press(t, c, vividDisconnect, 1)
	for err == nil {
		err = s.Next(t.Context(), &f, devices.View{})
	}
	if !errors.Is(err, devices.ErrNoDevice) { // not that it was silent for too long
		t.Error(err)
	}
	t.Logf("unplugging seen after %v", time.Since(begun))
	if _, err := c.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("probe: %v", err)
	}
}
