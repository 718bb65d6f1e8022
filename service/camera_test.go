package service_test

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/jpeg"
	"os"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// fakeCamera sees one picture for ever, 20 times a second.
type fakeCamera struct {
	device
	mu      sync.Mutex
	picture *image.RGBA                // nil: the man before a white wall
	sees    func(n uint32) *image.RGBA // nil: picture
	left    int                        // pictures until it goes away; 0 stays
	pulled  bool                       // it goes away when the shutter is pressed
	streams []*fakeStream
	handed  map[*byte][]byte // every room that a picture was drawn into
}

var theBooth = sync.OnceValue(func() *image.RGBA {
	b, err := os.ReadFile("../cmd/kiosk/journey/people/booth.jpg")
	if err != nil {
		panic(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		panic(err)
	}
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Rect, m, image.Point{}, draw.Src)
	return out
})

// portrait is a photo for a permit.
var portrait = sync.OnceValue(func() []byte {
	m := image.NewGray(image.Rect(0, 0, 358, 441))
	for i := range m.Pix {
		m.Pix[i] = byte(i / 700)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
})

func (c *fakeCamera) Stream(context.Context) (devices.CameraStream, error) {
	m := c.picture
	if m == nil {
		m = theBooth()
	}
	s := &fakeStream{c: c, m: m}
	c.mu.Lock()
	c.streams = append(c.streams, s)
	c.mu.Unlock()
	return s, nil
}

type fakeStream struct {
	c      *fakeCamera
	m      *image.RGBA
	mu     sync.Mutex
	n      uint32
	closed bool
}

func (s *fakeStream) Next(ctx context.Context, f *devices.Frame, _ devices.View) error {
	if err := sleep(ctx, 50*time.Millisecond); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.c.left > 0 && int(s.n) >= s.c.left {
		return devices.ErrNoDevice
	}
	return s.draw(s.n, f)
}

func (s *fakeStream) draw(n uint32, f *devices.Frame) error {
	m := s.m
	if s.c.sees != nil {
		m = s.c.sees(n)
	}
	f.Resize(m.Rect.Dx(), m.Rect.Dy())
	copy(f.Pixels, m.Pix)
	s.c.mu.Lock()
	if s.c.handed == nil {
		s.c.handed = map[*byte][]byte{}
	}
	s.c.handed[&f.Pixels[0]] = f.Pixels[:cap(f.Pixels)]
	s.c.mu.Unlock()
	f.Sequence, f.At = n, time.Now()
	return nil
}

func (s *fakeStream) Kept() (all []uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c.pulled {
		s.c.left = 1
		return nil
	}
	for n := max(1, int(s.n)-7); n <= int(s.n); n++ {
		all = append(all, uint32(n))
	}
	return all
}

func (s *fakeStream) Still(n uint32, f *devices.Frame) error {
	return s.draw(n, f)
}

func (s *fakeStream) Hold(bool) error { return devices.ErrFixedCamera }
func (s *fakeStream) Close() error    { s.mu.Lock(); s.closed = true; s.mu.Unlock(); return nil }
