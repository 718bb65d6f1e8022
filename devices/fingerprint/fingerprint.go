// Package fingerprint takes pictures of fingers with the serial modules of GROW (R30x, R50x) and the AS608 family.
//
//	p, err := fingerprint.LoadProfile("r307")
//	s, err := fingerprint.Open(ctx, bus, p)
//	picture, err := s.Capture(ctx, nil)
//	defer picture.Wipe()
//
// Such a module can store fingers and compare them; none of that is used. It cannot compare with what an identity card or the
// register holds, so that the picture goes to whoever can. Only four questions are asked: the password is given (VfyPwd, 13), the settings
// are read (ReadSysPara, 0F), a picture is taken (GenImg, 01) and handed over (UpImage, 0A), and of models that know it the product's
// data (ReadProdInfo, 3C). No command that writes into the module exists here.
//
// A picture comes with four bits a pixel, in packets as long as the module says; 256 by 288 pixels take 7 s at 57,600 baud. It is taken
// once and, if a packet is damaged on its way, handed over again, three times at most. Everything is bounded in size and time. A
// picture stays in the module's memory until the next one is taken or its supply ends: no source names a command that clears it.
//
// Nothing here has been tried on a real module. What sources do not confirm for every model is in a [Profile].
package fingerprint

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// A Bus is what the sensor hangs on; bus.Bus fits.
type Bus interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Drain()
	Close() error
}

// Commands.
const (
	cmdTake     = 0x01 // GenImg
	cmdUpload   = 0x0A // UpImage
	cmdSettings = 0x0F // ReadSysPara
	cmdPassword = 0x13 // VfyPwd
	cmdProduct  = 0x3C // ReadProdInfo
)

const (
	answerTime = time.Second            // to a question; a picture is taken in 0.5 s at most
	pollTime   = 100 * time.Millisecond // between looks for a finger
	quietTime  = 150 * time.Millisecond // without a byte: nothing more comes
	gapTime    = time.Second            // between two pieces of a picture
	uploads    = 3                      // tries to hand a picture over
	mostNoise  = 3                      // damaged answers in a row, after which the line makes no sense
	mostStray  = 4                      // bytes that begin no packet and count for nothing: a module greets with 55
	mostUnread = 8 << 10                // of what makes no packet
)

// Sensor is an open sensor. It implements [devices.FingerSensor].
type Sensor struct {
	bus               Bus
	p                 Profile
	address, password [4]byte

	mu     sync.Mutex // held for one question or one picture
	id     devices.Identity
	width  int
	height int
	baud   int // as the module says
	buf    []byte
	noisy  bool // something may still be on its way that nobody waits for
}

var _ devices.FingerSensor = (*Sensor)(nil)

// Open gives the password and reads the settings. Errors: [devices.ErrNoDevice], [devices.ErrSilent], [devices.ErrProtocol], and
// [devices.ErrUnusable] for a wrong password, a broken sensor or a profile that makes no sense.
func Open(ctx context.Context, b Bus, p Profile) (*Sensor, error) {
	if err := p.check("profile"); err != nil {
		return nil, errors.Join(devices.ErrUnusable, err)
	}
	s := &Sensor{bus: b, p: p, address: [4]byte{0xFF, 0xFF, 0xFF, 0xFF}, width: p.Width, height: p.Height, baud: 57600, noisy: true,
		buf: make([]byte, 0, 2*mostUnread)} // never grows: a picture leaves no copy behind
	copy(s.address[:], p.Address)
	copy(s.password[:], p.Password)
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("fingerprint sensor: %w", err)
	}
	return s, nil
}

func (s *Sensor) open(ctx context.Context) error {
	if _, err := s.ask(ctx, "VfyPwd", cmdPassword, s.password[:]...); err != nil {
		return err
	}
	settings, err := s.ask(ctx, "ReadSysPara", cmdSettings)
	if err != nil {
		return err
	}
	if err := s.settings(settings); err != nil || !s.p.Product {
		return err
	}
	product, err := s.ask(ctx, "ReadProdInfo", cmdProduct)
	var r refusal
	if errors.As(err, &r) && r.code != codePassword {
		return nil // a model that does not know the question
	}
	if err != nil {
		return err
	}
	return s.product(product)
}

// settings reads what ReadSysPara says: status, system, size of the store, level, address (4 bytes), size of packets, speed / 9600.
func (s *Sensor) settings(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("settings of %d bytes, expected 16: %w", len(b), devices.ErrProtocol)
	}
	size, n := binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:])
	if size > 3 || n < 1 || n > 12 {
		return fmt.Errorf("settings with packets of size %d and speed %d: %w", size, n, devices.ErrProtocol)
	}
	s.baud = 9600 * int(n)
	return nil
}

// product reads what ReadProdInfo says: model (16), batch (4), serial (8), hardware (2), sensor (8), width, height, and more.
func (s *Sensor) product(b []byte) error {
	if len(b) < 42 {
		return fmt.Errorf("product of %d bytes, expected 46: %w", len(b), devices.ErrProtocol)
	}
	w, h := int(binary.BigEndian.Uint16(b[38:])), int(binary.BigEndian.Uint16(b[40:]))
	if w < leastSide || w > mostSide || w%2 != 0 || h < leastSide || h > mostSide {
		return fmt.Errorf("pictures of %d by %d pixels: %w", w, h, devices.ErrUnusable)
	}
	s.width, s.height = w, h
	s.id = devices.Identity{Maker: "GROW", Model: printable(b[:16]), Serial: printable(b[20:28]), Firmware: fmt.Sprintf("%d.%d", b[28], b[29])}
	return nil
}

// printable is text as a device sent it, without what is no ASCII.
func printable(b []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7E {
			return -1
		}
		return r
	}, string(b)))
}

// Close implements [devices.Device].
func (s *Sensor) Close() error { return s.bus.Close() }

// Probe implements [devices.Device]. It gives the password again: a module that was without supply forgets that it had it.
func (s *Sensor) Probe(ctx context.Context) (devices.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := devices.Status{Role: devices.RoleFingerprint, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported,
		Paper: devices.SupplyNotSupported, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Identity: s.id}
	_, err := s.ask(ctx, "VfyPwd", cmdPassword, s.password[:]...)
	var r refusal
	switch {
	case errors.As(err, &r):
		st.Connection, st.Reasons = devices.ConnectionHardwareError, []string{fmt.Sprintf("code-%02x", r.code)}
		return st, nil
	case errors.Is(err, devices.ErrBusy):
		st.Connection = devices.ConnectionBusy
		return st, nil
	case errors.Is(err, devices.ErrProtocol):
		st.Connection, st.Reasons = devices.ConnectionHardwareError, []string{"garbled"}
		return st, nil
	case err != nil:
		st.Connection = devices.ConnectionNoDevice
	}
	return st, err
}

// Capture implements [devices.FingerSensor].
func (s *Sensor) Capture(ctx context.Context, on func(devices.FingerEvent)) (devices.FingerPicture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on == nil {
		on = func(devices.FingerEvent) {}
	}
	told := false
	for {
		there, err := s.take(ctx)
		if err != nil {
			return devices.FingerPicture{}, failed(ctx, err)
		}
		if there {
			break
		}
		if !told {
			on(devices.FingerWait)
			told = true
		}
		if err := pause(ctx); err != nil {
			return devices.FingerPicture{}, err
		}
	}
	on(devices.FingerTaken)
	pic := devices.FingerPicture{Width: s.width, Height: s.height, DPI: s.p.DPI, Pixels: make([]byte, s.width*s.height)}
	if err := s.upload(ctx, pic.Pixels); err != nil {
		pic.Wipe()
		return pic, failed(ctx, err)
	}
	return pic, nil
}

// failed is what a caller hears: that ctx ended, if it did.
func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("fingerprint sensor: %w", err)
}

// Lifted implements [devices.FingerSensor].
func (s *Sensor) Lifted(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		there, err := s.take(ctx)
		var r refusal
		if err != nil && !errors.As(err, &r) {
			return failed(ctx, err)
		}
		if !there && err == nil {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	t := time.NewTimer(pollTime)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take takes a picture into the module's memory; false when there is no finger.
func (s *Sensor) take(ctx context.Context) (bool, error) {
	_, err := s.ask(ctx, "GenImg", cmdTake)
	var r refusal
	if errors.As(err, &r) && r.code == codeNoFinger {
		return false, nil
	}
	return err == nil, err
}

// ask sends a command and returns what stands after the code in its answer. An answer that is damaged is asked for again: none of the
// commands here does harm twice. One that does not come is [devices.ErrSilent]: it may come later, and would be taken for the next one's.
func (s *Sensor) ask(ctx context.Context, name string, command byte, parameters ...byte) (answer []byte, err error) {
	for range mostNoise {
		answer, err = s.once(ctx, name, command, parameters)
		var r refusal
		switch {
		case errors.As(err, &r) && r.code == codeBadPacket:
		case errors.As(err, &r), err == nil, errors.Is(err, devices.ErrNoDevice), errors.Is(err, devices.ErrBusy), ctx.Err() != nil,
			!errors.Is(err, devices.ErrProtocol):
			return answer, err
		}
	}
	return nil, err
}

func (s *Sensor) once(ctx context.Context, name string, command byte, parameters []byte) ([]byte, error) {
	if err := s.quiet(ctx); err != nil {
		return nil, err
	}
	if err := s.send(ctx, command, parameters); err != nil {
		return nil, err
	}
	content, err := s.answer(ctx)
	if err != nil {
		return nil, err
	}
	if content[0] != codeOK {
		return nil, refusal{name, content[0]}
	}
	return append([]byte(nil), content[1:]...), nil
}

func (s *Sensor) send(ctx context.Context, command byte, parameters []byte) error {
	s.bus.Drain()
	s.wipe()
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := s.bus.Write(ctx, frame(s.address, pidCommand, append([]byte{command}, parameters...)...))
	return err
}

// answer waits for an answer, which has at least a code. What else comes is left aside.
func (s *Sensor) answer(ctx context.Context) (content []byte, err error) {
	whole, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	p, err := s.next(ctx, whole, pidAnswer)
	return p.content, err
}

// next reads until a packet of a kind has come, for as long as patience lasts. Damaged bytes make what would be silence ErrProtocol.
func (s *Sensor) next(ctx, patience context.Context, pids ...byte) (packet, error) {
	damaged, stray := false, 0
	in := make([]byte, 1024)
	defer clear(in)
	for {
		for len(s.buf) > 0 {
			p, used, err := parse(s.buf, s.address)
			if used == 0 {
				break
			}
			if err != nil {
				stray++
				damaged = damaged || used > 1 || stray > mostStray
				s.drop(used)
				continue
			}
			for _, pid := range pids {
				if p.pid == pid {
					content := append([]byte(nil), p.content...)
					s.drop(used)
					return packet{pid, content}, nil
				}
			}
			s.drop(used)
		}
		n, err := s.bus.Read(patience, in)
		if err != nil {
			s.noisy = s.noisy || len(s.buf) > 0 || damaged
			switch {
			case errors.Is(ctx.Err(), context.Canceled):
				return packet{}, context.Cause(ctx)
			case errors.Is(err, devices.ErrSilent) && (damaged || len(s.buf) > 0):
				return packet{}, errDamaged
			}
			return packet{}, err
		}
		s.buf = append(s.buf, in[:n]...)
		if over := len(s.buf) - mostUnread; over > 0 { // a module that talks without end and without sense
			s.drop(over)
			damaged = true
		}
	}
}

// drop forgets the first n bytes and leaves no copy of them.
func (s *Sensor) drop(n int) {
	rest := copy(s.buf, s.buf[n:])
	clear(s.buf[rest:])
	s.buf = s.buf[:rest]
}

func (s *Sensor) wipe() {
	clear(s.buf[:cap(s.buf)])
	s.buf = s.buf[:0]
}

// uploadTime is how long a picture may take over the line: twice what it should, and some.
func (s *Sensor) uploadTime() time.Duration {
	bytes := s.width * s.height / 2 * 5 / 4 // with the packets' heads, in packets of 64 or more
	return 2*time.Duration(bytes)*10*time.Second/time.Duration(s.baud) + 2*time.Second
}

// quiet waits until nothing comes that was asked for earlier. [devices.ErrBusy] when ctx ends before, [devices.ErrProtocol] when it never ends.
func (s *Sensor) quiet(ctx context.Context) error {
	if !s.noisy {
		return nil
	}
	whole, cancel := context.WithTimeout(ctx, s.uploadTime())
	defer cancel()
	in := make([]byte, 4096)
	defer clear(in)
	for {
		lull, stop := context.WithTimeout(whole, quietTime)
		_, err := s.bus.Read(lull, in)
		stop()
		switch {
		case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return fmt.Errorf("a picture is still on its way: %w", devices.ErrBusy)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case whole.Err() != nil:
			return fmt.Errorf("it never stops talking: %w", devices.ErrProtocol)
		case errors.Is(err, devices.ErrSilent):
			s.noisy = false
			return nil
		case err != nil:
			return err
		}
	}
}

// upload has the picture handed over into pixels.
func (s *Sensor) upload(ctx context.Context, pixels []byte) (err error) {
	defer s.wipe()
	for range uploads {
		if err = s.quiet(ctx); err != nil {
			return err
		}
		s.noisy = true // until all of it came
		if err = s.receive(ctx, pixels); err == nil {
			s.noisy = false
			return nil
		}
		var r refusal
		if errors.As(err, &r) && r.code != codeBadPacket || ctx.Err() != nil || !errors.Is(err, devices.ErrProtocol) && !errors.Is(err, devices.ErrSilent) {
			return err
		}
	}
	return err
}

func (s *Sensor) receive(ctx context.Context, pixels []byte) error {
	if err := s.send(ctx, cmdUpload, nil); err != nil {
		return err
	}
	content, err := s.answer(ctx)
	if err != nil {
		return err
	}
	if content[0] != codeOK {
		s.noisy = false
		return refusal{"UpImage", content[0]}
	}
	whole, cancel := context.WithTimeout(ctx, s.uploadTime())
	defer cancel()
	at := 0 // bytes of the picture, two pixels each
	for most := len(pixels) / 2; ; {
		gap, stop := context.WithTimeout(whole, gapTime)
		p, err := s.next(ctx, gap, pidData, pidEnd)
		stop()
		if err != nil {
			return err
		}
		if at+len(p.content) > most {
			clear(p.content)
			return fmt.Errorf("more than %d bytes of a picture: %w", most, devices.ErrProtocol)
		}
		for _, b := range p.content {
			s.put(pixels, at, b)
			at++
		}
		clear(p.content)
		if p.pid != pidEnd {
			continue
		}
		if at != most {
			return fmt.Errorf("%d bytes of a picture, expected %d: %w", at, most, devices.ErrProtocol)
		}
		return nil
	}
}

// put unpacks byte number at of a picture.
func (s *Sensor) put(pixels []byte, at int, b byte) {
	left, right := b>>4*17, b&0x0F*17
	if s.p.LowFirst {
		left, right = right, left
	}
	if s.p.Inverted {
		left, right = ^left, ^right
	}
	if s.p.UpDown {
		last := len(pixels) - 1 - 2*at
		pixels[last], pixels[last-1] = left, right
		return
	}
	pixels[2*at], pixels[2*at+1] = left, right
}
