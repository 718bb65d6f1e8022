package main

// Which driver and which bus fill a role.

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/bus/usb"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/devices/card"
	"github.com/budayang/kiosk/devices/document"
	"github.com/budayang/kiosk/devices/fingerprint"
	"github.com/budayang/kiosk/devices/idcard"
	"github.com/budayang/kiosk/devices/ioboard"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/devices/scanner"
	"github.com/budayang/kiosk/devices/smartcard"
	"github.com/budayang/kiosk/devices/sound"
	"github.com/budayang/kiosk/devices/ups"
	"github.com/budayang/kiosk/slip"
)

// openDevice opens the device that the configuration gives a role, once.
func openDevice(ctx context.Context, c config.Config, role devices.Role) (devices.Device, error) {
	d, configured := c.Device[role]
	if !configured {
		return nil, refuseBy(devices.ErrNoDevice, "devices.not-configured", "role", role)
	}
	return opener{lines: new(sharedLines)}.open(ctx, role, d)
}

// present says whether a device on USB (HID too), or a camera, is plugged in, without touching it; nil for what hangs elsewhere.
func present(uri string) func() bool {
	u, err := bus.Parse(uri)
	switch {
	case err != nil:
		return nil
	case u.Scheme == bus.USB:
		return func() bool { return usb.Present(u.USB) }
	case u.Scheme == bus.HIDRaw:
		return func() bool { return bus.HIDPresent(u.USB) }
	case u.Scheme == bus.V4L2:
		return func() bool { _, err := os.Stat(u.Address); return err == nil }
	}
	return nil
}

// opener makes drivers. report, which may be nil, gets what a driver sees while it works; torn, which may be nil, keeps from one
// opening of the receipt head to the next that a slip may be half on paper. lines are those that several roles share.
type opener struct {
	report func(devices.Status)
	torn   *atomic.Bool
	lines  *sharedLines
}

// sharedLines are the lines of I/O boards, by URI: door and lights often hang on one.
type sharedLines struct {
	mu   sync.Mutex
	open map[string]*ioboard.Line
}

func (s *sharedLines) line(ctx context.Context, u bus.URI) (*ioboard.Line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.open[u.String()]; l != nil && !l.Gone() {
		return l, nil
	}
	b, err := bus.Open(ctx, u)
	if err != nil {
		return nil, err
	}
	if s.open == nil {
		s.open = map[string]*ioboard.Line{}
	}
	l := ioboard.NewLine(b)
	s.open[u.String()] = l
	return l, nil
}

// board opens a board for one role.
func (o opener) board(ctx context.Context, role devices.Role, u bus.URI, d config.Device) (devices.Device, error) {
	p, err := ioboard.LoadProfile(cmp.Or(d.Profile, "eight-in-eight-out"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	l, err := o.lines.line(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return ioboard.Open(ctx, l, role, p)
}

func (o opener) open(ctx context.Context, role devices.Role, d config.Device) (devices.Device, error) {
	u, err := bus.Parse(d.URI)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", role, devices.ErrUnusable, err)
	}
	if d.Driver == "ipp" && role == devices.RoleCardPrinter {
		return document.OpenCards(ctx, d.URI, document.Options{Media: d.Media, Status: o.report})
	}
	if d.Driver == "ipp" {
		return document.Open(ctx, d.URI, document.Options{Media: d.Media, Status: o.report})
	}
	if d.Driver == "social" {
		return smartcard.Open(ctx, u.Address, u.Reader)
	}
	if d.Driver == "video" {
		return camera.Open(ctx, d.URI, d.Camera())
	}
	if d.Driver == "alsa" {
		return sound.Open(ctx, d.Sound())
	}
	if d.Driver == "modbus" {
		return o.board(ctx, role, u, d)
	}
	b, err := bus.Open(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	dev, err := o.drive(ctx, b, u, d)
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	return dev, nil
}

func (o opener) drive(ctx context.Context, b bus.Bus, u bus.URI, d config.Device) (devices.Device, error) {
	switch d.Driver {
	case "sam":
		opt := idcard.Options{Fingerprint: d.Fingerprint, Address: true, Baud: u.Line.Baud, Framing: u.USB.Framing}
		if len(d.PhotoHelper) > 0 {
			opt.Photo = idcard.Helper{Command: d.PhotoHelper, Timeout: 3 * time.Second}
		}
		return idcard.Open(ctx, b, opt)
	case "escpos":
		name := d.Profile
		if name == "" {
			name = "generic-80"
		}
		p, err := receipt.LoadProfile(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", devices.ErrUnusable, err)
		}
		face, err := slipFace()
		if err != nil {
			return nil, err
		}
		return receipt.Open(ctx, b, receipt.Options{Profile: p, Face: face, Torn: o.torn})
	case "megatec":
		return ups.Open(ctx, b)
	case "nut":
		return ups.OpenNUT(ctx, b, cmp.Or(d.Name, "ups"))
	case "code":
		usual := "generic-cr"
		if u.Scheme == bus.HIDRaw {
			usual = "hid-pos"
		}
		p, err := scanner.LoadProfile(cmp.Or(d.Profile, usual))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", devices.ErrUnusable, err)
		}
		return scanner.Open(ctx, b, p)
	case "card":
		p, err := card.FindProfile(d.Profile)
		if err != nil {
			return nil, err
		}
		return card.Open(ctx, b, card.Options{Profile: p})
	case "grow":
		p, err := fingerprint.LoadProfile(cmp.Or(d.Profile, "r307"))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", devices.ErrUnusable, err)
		}
		return fingerprint.Open(ctx, b, p)
	}
	return nil, fmt.Errorf("driver %q: %w", d.Driver, devices.ErrUnusable)
}

// slipFace draws what a receipt head has no glyphs for.
func slipFace() (*slip.Face, error) {
	return slip.NewFace(assets.Font("wide-regular.ttf"))
}
