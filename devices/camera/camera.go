// Package camera takes pictures from V4L2 cameras, from HTTP cameras that send motion JPEG, and, in other builds than
// releases, from files.
//
//	v4l2:/dev/v4l/by-path/…-video-index0     a camera under the kernel's uvcvideo, or any that gives YUYV or MJPEG
//	http://192.0.2.9:8080/stream             multipart/x-mixed-replace, on a line of the terminal's own
//	file:/srv/pictures                       JPEGs of a directory in their order, or one file of JPEGs, or of YUYV, on end
//
// One stream serves preview, analysis and still: its goroutine copies what comes into a ring of a few pictures and throws
// the oldest away, and a picture is decoded only when somebody asks for it. So a slow caller loses pictures and never makes
// a queue, and the still that is chosen is one that was seen.
//
// The kernel is asked directly. The libraries at hand do not tell broken pictures, gaps and times (blackjack/webcam v0.6.1:
// V4L2_BUF_FLAG_ERROR, sequence and timestamp are dropped, metadata nodes pass as cameras, buffers leak when starting
// fails) or need a C compiler and unmap before they stop (go4vl v0.0.5).
//
// Everything that comes is bounded: a picture in bytes and pixels before it is decoded, a stream without a good picture by
// three seconds. Pictures are wiped when the stream is closed; the JPEG decoder's and the HTTP client's inner buffers (some
// kilobytes of compressed data) are the garbage collector's, which overwrites them in the terminal (cmd/kiosk).
package camera

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Format is how pixels come.
type Format string

// The formats that are understood.
const (
	MJPEG Format = "mjpeg"
	YUYV  Format = "yuyv"
)

// Options of [Open].
type Options struct {
	// Width and Height wanted, in pixels; 0 for 1280 by 720. The camera's nearest is taken.
	Width, Height int
	Format        Format // "" takes YUYV where the camera gives it at that size and rate, else MJPEG
	Rate          int    // pictures a second wanted, 1 to 60; 0 for 15
	Keep          int    // pictures kept for stills, 1 to 32; 0 for 8
	// MainsHz is the frequency of the light, 50 (0 means that too) or 60: the camera's exposure is a multiple of its period.
	MainsHz int
	// Exposure in units of 100 µs and WhiteBalance in kelvin; 0 lets the camera choose.
	Exposure, WhiteBalance int
}

// Check names the first option that is wrong, as configuration files write it, and what was expected; "" when all are right.
func (o Options) Check() (key, expected string) {
	for _, v := range []struct {
		key         string
		value       int
		least, most int
	}{
		{"width", o.Width, 64, maxSide}, {"height", o.Height, 64, maxSide}, {"rate", o.Rate, 1, 60}, {"keep", o.Keep, 1, 32},
		{"exposure", o.Exposure, 1, 10000}, {"white_balance", o.WhiteBalance, 1000, 10000},
	} {
		if v.value != 0 && (v.value < v.least || v.value > v.most) {
			return v.key, fmt.Sprintf("%d to %d", v.least, v.most)
		}
	}
	switch {
	case o.MainsHz != 0 && o.MainsHz != 50 && o.MainsHz != 60:
		return "mains_hz", "50 or 60"
	case o.Format != "" && o.Format != MJPEG && o.Format != YUYV:
		return "format", `"yuyv" or "mjpeg"`
	}
	return "", ""
}

// settle checks the options and fills in what is not said.
func (o *Options) settle() error {
	if key, expected := o.Check(); key != "" {
		return fmt.Errorf("%s: expected %s", key, expected)
	}
	o.Width, o.Height, o.Rate = cmp.Or(o.Width, 1280), cmp.Or(o.Height, 720), cmp.Or(o.Rate, 15)
	o.Keep, o.MainsHz = cmp.Or(o.Keep, 8), cmp.Or(o.MainsHz, 50)
	return nil
}

// A shot is a picture as it came.
type shot struct {
	format        Format
	width, height int // of YUYV; a JPEG says it itself
	stride        int // bytes a row, YUYV
	full          bool
	sequence      uint32
	at            time.Time
	data          []byte
	used          bool
}

// fill copies data into the shot's own room.
func (s *shot) fill(data []byte) { s.data = append(s.room(len(data)), data...) }

// room empties the shot and makes room for n bytes; what it had before is wiped if it moves.
func (s *shot) room(n int) []byte {
	if cap(s.data) < n {
		clear(s.data[:cap(s.data)])
		s.data = make([]byte, 0, n+n/4)
	}
	return s.data[:0]
}

func (s *shot) wipe() {
	clear(s.data[:cap(s.data)])
	*s = shot{}
}

// copyFrom takes another shot over, into the room there is.
func (s *shot) copyFrom(o *shot) {
	room := s.room(len(o.data))
	data := append(room, o.data...)
	*s = *o
	s.data = data
}

// draw decodes the shot.
func (s *shot) draw(f *devices.Frame, by int, mirror bool) error {
	f.Sequence, f.At = s.sequence, s.at
	if s.format == YUYV {
		drawYUYV(f, s.data, s.width, s.height, s.stride, s.full, by, mirror)
		return nil
	}
	l, err := survey(s.data)
	if err != nil {
		return err
	}
	if s.width != 0 && (l.width != s.width || l.height != s.height) {
		return fmt.Errorf("%w: %dx%d where %dx%d was agreed", errPicture, l.width, l.height, s.width, s.height)
	}
	img, err := decode(s.data, l)
	if err != nil {
		return err
	}
	defer wipeImage(img)
	return drawJPEG(f, img, by, mirror)
}

// A source is where shots come from. Only one goroutine calls next; the others may be called beside it.
type source interface {
	identity() devices.Identity
	start(ctx context.Context) error
	// next waits for at most tick and fills s. errNothing when nothing came, errPicture when what came is broken,
	// anything else ends the stream.
	next(ctx context.Context, s *shot) error
	// stop ends what start began, on every path, and wipes buffers.
	stop()
	// present tells whether the device is still there.
	present(ctx context.Context) error
	hold(bool) error
	close() error
}

var errNothing = errors.New("nothing came")

const (
	tick = 100 * time.Millisecond // how long a source waits before it looks around
	// patience is how long a stream goes on without a good picture.
	patience = 3 * time.Second
)

// Camera is an open camera. It implements [devices.Camera].
type Camera struct {
	src    source
	opt    Options
	mu     sync.Mutex
	stream *stream
	closed bool
}

// Open opens the camera that a URI names. [devices.ErrUnusable] when it can never serve: no camera, no format that is
// understood, options out of range.
func Open(ctx context.Context, uri string, opt Options) (*Camera, error) {
	if err := opt.settle(); err != nil {
		return nil, fmt.Errorf("camera: %w: %w", devices.ErrUnusable, err)
	}
	src, err := openSource(ctx, uri, opt)
	if err != nil {
		return nil, fmt.Errorf("camera: %w", err)
	}
	return &Camera{src: src, opt: opt}, nil
}

// Probe implements [devices.Device]. A stream that is open goes on.
func (c *Camera) Probe(ctx context.Context) (devices.Status, error) {
	st := devices.Status{Role: devices.RoleCamera, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported,
		Paper: devices.SupplyNotSupported, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Identity: c.src.identity()}
	c.mu.Lock()
	s := c.stream
	c.mu.Unlock()
	var err error
	if s != nil {
		err = s.failure()
	}
	if s == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) { // the visit's end, not the camera's
		err = c.src.present(ctx)
	}
	if err != nil {
		st.Connection = devices.ConnectionNoDevice
		return st, fmt.Errorf("camera: %w", err)
	}
	return st, nil
}

// Close implements [devices.Device].
func (c *Camera) Close() error {
	c.mu.Lock()
	s := c.stream
	c.closed = true
	c.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
	return c.src.close()
}

// Stream implements [devices.Camera].
func (c *Camera) Stream(ctx context.Context) (devices.CameraStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{camera: c, ring: make([]shot, c.opt.Keep), cancel: cancel, done: make(chan struct{}), fresh: make(chan struct{})}
	if err := c.reserve(s); err != nil {
		cancel()
		return nil, fmt.Errorf("camera: %w", err)
	}
	if err := c.src.start(ctx); err != nil {
		cancel()
		close(s.done)
		_ = s.Close()
		return nil, fmt.Errorf("camera: %w", err)
	}
	go s.run(ctx)
	return s, nil
}

// reserve makes s the camera's stream. Starting may take seconds, and Close must be able to end it.
func (c *Camera) reserve(s *stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return devices.ErrNoDevice
	case c.stream != nil:
		return devices.ErrBusy
	}
	c.stream = s
	return nil
}

// stream implements [devices.CameraStream].
type stream struct {
	camera *Camera
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned

	mu    sync.Mutex
	ring  []shot
	next  int           // place of the next shot
	count uint64        // shots put in
	fresh chan struct{} // closed at the next shot or the end
	err   error         // why the stream ended

	drawing sync.Mutex // guards what follows
	work    shot
	drawn   uint64 // count of the shot that Next drew last
	bad     time.Time
}

// run takes shots until ctx ends or the camera does.
func (s *stream) run(ctx context.Context) {
	defer close(s.done)
	var spare shot
	defer spare.wipe()
	last, broken := time.Now(), false
	for {
		err := s.camera.src.next(ctx, &spare)
		switch {
		case ctx.Err() != nil:
			s.end(ctx.Err())
			return
		case err == nil:
			last, broken = time.Now(), false
			s.put(&spare)
			continue
		case errors.Is(err, errPicture):
			broken = true
		case !errors.Is(err, errNothing):
			s.end(err)
			return
		}
		if time.Since(last) > patience {
			if broken {
				s.end(fmt.Errorf("no good picture for %v: %w", patience, devices.ErrProtocol))
			} else {
				s.end(fmt.Errorf("no picture for %v: %w", patience, devices.ErrSilent))
			}
			return
		}
	}
}

// put exchanges the shot with the oldest of the ring.
func (s *stream) put(spare *shot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	spare.used = true
	s.ring[s.next], *spare = *spare, s.ring[s.next]
	s.next = (s.next + 1) % len(s.ring)
	s.count++
	close(s.fresh)
	s.fresh = make(chan struct{})
}

func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.fresh)
	}
}

func (s *stream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// newest copies the newest shot into work if it was not drawn before, else returns what to wait for.
func (s *stream) newest() (wait <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.count > s.drawn:
		s.drawn = s.count
		s.work.copyFrom(&s.ring[(s.next+len(s.ring)-1)%len(s.ring)])
		return nil, nil
	case s.err != nil:
		return nil, s.err
	}
	return s.fresh, nil
}

// Next implements [devices.CameraStream].
func (s *stream) Next(ctx context.Context, f *devices.Frame, v devices.View) error {
	by, err := shrink(v)
	if err != nil {
		return fmt.Errorf("camera: %w", err)
	}
	s.drawing.Lock()
	defer s.drawing.Unlock()
	for {
		wait, err := s.newest()
		if err != nil {
			return fmt.Errorf("camera: %w", err)
		}
		if wait == nil {
			err := s.work.draw(f, by, v.Mirror)
			if err == nil {
				s.bad = time.Time{}
				return nil
			}
			// The next one may be good; a camera that sends nothing good at all is not one.
			if s.bad.IsZero() {
				s.bad = time.Now()
			} else if time.Since(s.bad) > patience {
				s.end(fmt.Errorf("%w: %w", devices.ErrProtocol, err))
			}
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Kept implements [devices.CameraStream].
func (s *stream) Kept() []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []uint32
	for i := range s.ring {
		if shot := &s.ring[(s.next+i)%len(s.ring)]; shot.used {
			all = append(all, shot.sequence)
		}
	}
	return all
}

// Still implements [devices.CameraStream].
func (s *stream) Still(sequence uint32, f *devices.Frame) error {
	s.drawing.Lock()
	defer s.drawing.Unlock()
	s.mu.Lock()
	found := false
	for i := range s.ring {
		if s.ring[i].used && s.ring[i].sequence == sequence {
			s.work.copyFrom(&s.ring[i])
			found = true
		}
	}
	s.mu.Unlock()
	if !found {
		return fmt.Errorf("camera: %w", devices.ErrFrameGone)
	}
	if err := s.work.draw(f, 1, false); err != nil {
		return fmt.Errorf("camera: %w: %w", devices.ErrProtocol, err)
	}
	return nil
}

// Hold implements [devices.CameraStream].
func (s *stream) Hold(hold bool) error {
	if err := s.failure(); err != nil {
		return fmt.Errorf("camera: %w", err)
	}
	if err := s.camera.src.hold(hold); err != nil {
		return fmt.Errorf("camera: %w", err)
	}
	return nil
}

// Close implements [devices.CameraStream].
func (s *stream) Close() error {
	s.cancel()
	<-s.done
	s.drawing.Lock()
	s.work.wipe()
	s.drawing.Unlock()
	s.mu.Lock()
	for i := range s.ring {
		s.ring[i].wipe()
	}
	s.mu.Unlock()
	c := s.camera
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream == s {
		c.src.stop()
		c.stream = nil
	}
	return nil
}
