// Package scanner reads bar codes and QR codes from engines on a serial line or a USB-CDC port, and from scanners that send reports
// (HID-POS).
//
// On a line there is no common protocol: an engine sends the code's characters and, as it is set up, an end. So a [Profile] says as
// data where a code ends (a suffix, or silence for a gap), what wraps it, how the engine is told to look and to stop, and
// whether it can be asked how it is. What a model does that nobody confirmed stays out of the code and in a profile.
//
// Whatever comes is bounded: a code by the profile's limit, one that never ends is thrown away as it comes, and bytes that
// came before [Scanner.Scan] was called are dropped, because they may be the code of the citizen before.
package scanner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// A Bus is what the scanner hangs on; bus.Bus fits.
type Bus interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Drain()
	Close() error
}

const (
	commandTime = 500 * time.Millisecond  // to hand a trigger over
	answerTime  = 1000 * time.Millisecond // to a question
	maxAnswer   = 4 << 10
)

// Scanner is an open scanner. It implements [devices.CodeScanner].
type Scanner struct {
	bus     Bus
	profile Profile
	who     devices.Identity // as the bus knows it
	mu      sync.Mutex       // held for one scan or one probe
}

// Open takes the line over and asks the engine how it is, where its profile knows a question. A profile of framing "hid-pos" wants a bus
// of [Reports], and the other way round: else it is [devices.ErrUnusable].
func Open(ctx context.Context, b Bus, p Profile) (*Scanner, error) {
	if err := p.check("profile"); err != nil {
		return nil, errors.Join(devices.ErrUnusable, err)
	}
	r, reports := b.(Reports)
	if reports != (p.Framing == framingPOS) {
		return nil, fmt.Errorf("code scanner: framing %q on a bus that it is not for: %w", p.Framing, devices.ErrUnusable)
	}
	s := &Scanner{bus: b, profile: p}
	if known, is := b.(interface{ Identity() devices.Identity }); is {
		s.who = known.Identity()
	}
	if reports {
		line, err := newPOS(r)
		if err != nil {
			return nil, fmt.Errorf("code scanner: %w", err)
		}
		s.bus = line
	}
	if _, err := s.Probe(ctx); err != nil {
		return nil, fmt.Errorf("code scanner: %w", err)
	}
	return s, nil
}

// Close implements [devices.Device].
func (s *Scanner) Close() error { return s.bus.Close() }

// Probe implements [devices.Device]. Without a question in the profile it tells only whether the line is there, with the
// reason "not-asked".
func (s *Scanner) Probe(ctx context.Context) (devices.Status, error) {
	st := devices.Status{Role: devices.RoleCodeScanner, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported,
		Paper: devices.SupplyNotSupported, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Identity: s.who}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bus.Drain()
	if len(s.profile.Ask) == 0 {
		// A line that hung up says so to a reader who does not wait.
		now, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
		defer cancel()
		var unasked [256]byte
		_, err := s.bus.Read(now, unasked[:])
		clear(unasked[:])
		if err != nil && !errors.Is(err, devices.ErrSilent) && !errors.Is(err, devices.ErrCodeUnreadable) {
			return noDevice(st), err
		}
		st.Reasons = []string{"not-asked"}
		return st, nil
	}
	if err := s.command(ctx, s.profile.Ask); err != nil {
		return noDevice(st), err
	}
	return s.answered(ctx, st)
}

// answered waits until the expected answer is among what comes.
func (s *Scanner) answered(ctx context.Context, st devices.Status) (devices.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var got, piece []byte
	piece = make([]byte, 512)
	defer func() { clear(got[:cap(got)]); clear(piece) }()
	for {
		n, err := s.bus.Read(ctx, piece)
		switch {
		case errors.Is(err, devices.ErrSilent) && len(got) > 0:
			return noDevice(st), fmt.Errorf("answer to another question: %w", devices.ErrProtocol)
		case err != nil:
			return noDevice(st), err
		}
		if got = append(got, piece[:n]...); bytes.Contains(got, s.profile.Answer) {
			return st, nil
		}
		if len(got) > maxAnswer {
			return noDevice(st), fmt.Errorf("answer without an end: %w", devices.ErrProtocol)
		}
	}
}

func noDevice(st devices.Status) devices.Status {
	st.Connection = devices.ConnectionNoDevice
	return st
}

func (s *Scanner) command(ctx context.Context, c []byte) error {
	if len(c) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	_, err := s.bus.Write(ctx, c)
	return err
}

// Scan implements [devices.CodeScanner].
func (s *Scanner) Scan(ctx context.Context) (code devices.Code, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bus.Drain()
	if err := s.command(ctx, s.profile.Start); err != nil {
		return code, fmt.Errorf("code scanner: %w", err)
	}
	defer func() {
		// The light goes out also when the citizen left; a line that is gone has no light.
		if stop := s.command(context.WithoutCancel(ctx), s.profile.Stop); stop != nil && err == nil {
			code.Wipe()
			err = fmt.Errorf("code scanner: %w", stop)
		}
	}()
	cut := newCutter(s.profile)
	defer cut.wipe()
	piece := make([]byte, 1024)
	defer clear(piece)
	for {
		n, err := s.read(ctx, piece, cut.begun())
		switch {
		case ctx.Err() != nil && n == 0:
			return code, ctx.Err()
		case errors.Is(err, devices.ErrSilent) && cut.begun():
			data, err := cut.silence()
			return devices.Code{Data: data}, err
		case err != nil && !errors.Is(err, devices.ErrSilent):
			return code, fmt.Errorf("code scanner: %w", err)
		}
		if data, done, err := cut.feed(piece[:n]); done {
			return devices.Code{Data: data}, err
		}
		if line, is := s.bus.(*pos); is && line.ended() && cut.begun() {
			data, err := cut.end()
			return devices.Code{Data: data}, err
		}
	}
}

// read waits for the first byte as long as ctx, for the next ones as long as the gap.
func (s *Scanner) read(ctx context.Context, p []byte, begun bool) (int, error) {
	if begun {
		gap, cancel := context.WithTimeout(ctx, time.Duration(s.profile.GapMS)*time.Millisecond)
		defer cancel()
		return s.bus.Read(gap, p)
	}
	return s.bus.Read(ctx, p)
}
