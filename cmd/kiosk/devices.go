package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/ioboard"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/service/photo"
	"github.com/budayang/kiosk/slip"
)

// devicesCmd is `kiosk devices`.
type devicesCmd struct {
	List  devicesListCmd  `cmd:""`
	Probe devicesProbeCmd `cmd:""`
	Test  devicesTestCmd  `cmd:""`
}

// devicesListCmd is `kiosk devices list`.
type devicesListCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
}

// Run lists serial ports, cameras and USB devices by their stable names, then the configuration.
func (d devicesListCmd) Run(io stdio) error {
	all := discover()
	for _, kind := range []string{foundSerial, foundCamera, foundUSB, foundHID} {
		io.tell("devices.list", "what", io.say("devices."+strings.ReplaceAll(kind, " ", "-")))
		n := 0
		for _, f := range all {
			if f.Kind == kind {
				fmt.Fprintf(io.out, "  %s\n", f)
				n++
			}
		}
		if n == 0 {
			io.tell("devices.none")
		}
	}
	c, err := config.Load(d.Config)
	if err != nil {
		return err
	}
	io.tell("devices.configured")
	for _, r := range roles(c) {
		fmt.Fprintf(io.out, "  %-18s %-7s %s\n", r, c.Device[r].Driver, c.Device[r].URI)
	}
	return nil
}

// devicesProbeCmd is `kiosk devices probe`.
type devicesProbeCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
}

// Run prints one line a device; it prints and moves nothing on the devices.
func (d devicesProbeCmd) Run(ctx context.Context, io stdio) error {
	c, err := config.Load(d.Config)
	if err != nil {
		return err
	}
	var failed []string
	for _, r := range probeAll(ctx, c) {
		if r.err != nil {
			fmt.Fprintf(io.out, "%-18s %s\n", r.role, io.fault(r.err))
			failed = append(failed, string(r.role))
			continue
		}
		s := r.status
		fmt.Fprintf(io.out, "%-18s %s media=%s paper=%s toner=%s cover=%s", r.role, s.Connection, s.Media, s.Paper, s.Toner, s.Cover)
		for _, id := range []string{s.Identity.Maker, s.Identity.Model, s.Identity.Serial} {
			if id != "" {
				fmt.Fprintf(io.out, " %q", id)
			}
		}
		if len(s.Reasons) > 0 {
			fmt.Fprintf(io.out, " reasons=%s", strings.Join(s.Reasons, ","))
		}
		fmt.Fprintln(io.out)
		if s.Unready() != devices.UnreadyNot {
			failed = append(failed, string(r.role))
		}
	}
	if len(failed) > 0 {
		return refuse("devices.unready", "roles", strings.Join(failed, ", "))
	}
	return nil
}

// devicesTestCmd is `kiosk devices test`.
type devicesTestCmd struct {
	Config string       `short:"c" default:"/etc/budayang/terminal.toml"`
	Role   devices.Role `arg:""`
	Photo  string
	Wait   time.Duration `default:"30s"`
}

// Run tries one device for real. Nothing personal is shown: a card is named by its kind only.
func (d devicesTestCmd) Run(ctx context.Context, io stdio) error {
	c, err := config.Load(d.Config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d.Wait)
	defer cancel()
	dev, err := openDevice(ctx, c, d.Role)
	if err != nil {
		return err
	}
	defer dev.Close()
	if board, ok := dev.(*ioboard.Board); ok {
		return tryBoard(ctx, d.Role, board, io)
	}
	switch dev := dev.(type) {
	case devices.IDReader:
		io.tell("devices.put-card")
		card, err := dev.Read(ctx, func(e devices.ReadEvent) { fmt.Fprintln(io.out, " ", e) })
		if err != nil {
			return err
		}
		defer card.Wipe()
		io.tell("devices.card", "kind", card.Kind, "photo", card.WLT != nil, "warnings", card.Warnings)
		return nil
	case devices.SocialCardReader:
		io.tell("devices.put-social")
		card, err := dev.Read(ctx, func(e devices.ReadEvent) { fmt.Fprintln(io.out, " ", e) })
		if err != nil {
			return err
		}
		defer card.Wipe()
		io.tell("devices.social", "region", fmt.Sprintf("%.6s", card.ID), "version", card.Version, "missing", card.Missing, "warnings", card.Warnings)
		return nil
	case devices.ReceiptPrinter:
		r := dev.Print(ctx, devices.ReceiptJob{ID: "test/" + time.Now().UTC().Format(time.RFC3339Nano), Slip: testSlip(c)})
		return printed(io, r)
	case devices.UPS:
		p, err := dev.Power(ctx)
		if err != nil {
			return err
		}
		io.tell("devices.power", "power", p.Power, "input", p.InputVolts, "load", p.LoadPercent, "battery", p.BatteryVolts)
		return nil
	case devices.Speaker:
		for _, tone := range devices.Tones() {
			if err := errors.Join(dev.Play(ctx, tone), wait(ctx, 500*time.Millisecond)); err != nil {
				return err
			}
			io.tell("devices.played", "tone", tone)
		}
		return nil
	case devices.Camera:
		if d.Photo != "" {
			return tryPhoto(ctx, dev, d.Photo, io)
		}
		return tryCamera(ctx, dev, io)
	case devices.CodeScanner:
		io.tell("devices.show-code")
		code, err := dev.Scan(ctx)
		if err != nil {
			return err
		}
		defer code.Wipe()
		io.tell("devices.code", "bytes", len(code.Data))
		return nil
	case devices.FingerSensor:
		io.tell("devices.put-finger")
		began := time.Now()
		pic, err := dev.Capture(ctx, func(e devices.FingerEvent) { began = time.Now(); fmt.Fprintln(io.out, " ", e) })
		if err != nil {
			return err
		}
		defer pic.Wipe()
		io.tell("devices.finger", "width", pic.Width, "height", pic.Height, "seconds", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
		return nil
	case devices.CardPrinter:
		s, err := dev.Supplies(ctx)
		if err != nil {
			return err
		}
		io.tell("devices.supplies", "ribbon", s.Ribbon, "faces", s.RibbonLeft, "hopper", s.Hopper, "blanks", s.HopperLeft, "exit", s.Exit, "printed", s.Printed)
		face, err := testCard(c)
		if err != nil {
			return err
		}
		r := dev.Print(ctx, devices.CardJob{Name: testName(), Face: face, Note: noteTo(io)})
		return printed(io, r)
	case devices.DocumentPrinter:
		pdf, err := testPage(c)
		if err != nil {
			return err
		}
		r := dev.Print(ctx, devices.DocumentJob{Name: testName(), PDF: pdf, Sheets: 1, Note: noteTo(io)})
		return printed(io, r)
	}
	return refuse("devices.no-test", "role", d.Role)
}

// tryBoard says what the switches say whenever it changes, or switches one light on after the other.
func tryBoard(ctx context.Context, role devices.Role, board *ioboard.Board, io stdio) error {
	if role == devices.RoleLights {
		for _, l := range board.Lights() {
			if err := errors.Join(board.Light(ctx, l, true), wait(ctx, 500*time.Millisecond), board.Light(context.WithoutCancel(ctx), l, false)); err != nil {
				return err
			}
			io.tell("devices.lit", "light", l)
		}
		return nil
	}
	io.tell("devices.move-door")
	var said devices.Contacts
	for {
		c, err := board.Contacts(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case c != said:
			io.tell("devices.contacts", "door", c.Door, "tamper", c.Tamper, "body", c.Body)
			said = c
		}
		if wait(ctx, 100*time.Millisecond) != nil {
			return nil
		}
	}
}

// wait for a time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// testName is unique: a printer settles a name that it had before, and prints nothing.
func testName() string {
	return "budayang-test-" + time.Now().UTC().Format("20060102T150405.000000000")
}

func noteTo(io stdio) func(key, value string) error {
	return func(k, v string) error { _, err := fmt.Fprintf(io.out, "  %s %s\n", k, v); return err }
}

// tryCamera takes pictures for two seconds and tells what they are like. None is kept or shown.
func tryCamera(ctx context.Context, dev devices.Camera, io stdio) error {
	stream, err := dev.Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	var f devices.Frame
	defer func() { f.Wipe() }()
	n, missed, begun := 0, 0, time.Now()
	var from time.Time
	for time.Since(begun) < 2*time.Second || n < 2 {
		last := f.Sequence
		if err := stream.Next(ctx, &f, devices.View{}); err != nil {
			return err
		}
		if n == 0 {
			from = f.At
		} else {
			missed += int(f.Sequence-last) - 1
		}
		n++
	}
	var light uint64
	for i := 0; i < len(f.Pixels); i += 4 {
		light += uint64(f.Pixels[i]) + uint64(f.Pixels[i+1]) + uint64(f.Pixels[i+2])
	}
	io.tell("devices.pictures", "count", n, "width", f.Width, "height", f.Height, "rate", fmt.Sprintf("%.1f", float64(n-1)/f.At.Sub(from).Seconds()),
		"missed", missed, "level", light/uint64(3*f.Width*f.Height))
	switch err := stream.Hold(true); {
	case err == nil:
		io.tell("devices.held")
		return stream.Hold(false)
	case errors.Is(err, devices.ErrFixedCamera):
		io.tell("devices.not-held", "why", io.fault(err))
		return nil
	default:
		return err
	}
}

// tryPhoto guides somebody in words until a picture would do, takes the better of two and says what is thought of it. No photo
// is kept.
func tryPhoto(ctx context.Context, dev devices.Camera, name string, io stdio) error {
	profile, err := photo.LoadProfile(name)
	if err != nil {
		return err
	}
	booth, err := photo.NewBooth(profile, 1)
	if err != nil {
		return err
	}
	defer booth.Wipe()
	stream, err := dev.Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	var f devices.Frame
	defer func() { f.Wipe() }()
	said := photo.AdviceNone
	for good := 0; good < 5; {
		if err := stream.Next(ctx, &f, devices.View{}); err != nil {
			return err
		}
		advice := booth.Watch(f.Image(), f.Sequence)
		if good++; advice != photo.AdviceHold {
			good = 0
		}
		if advice != said {
			said = advice
			fmt.Fprintln(io.out, " ", advice.Words(io.language()))
		}
	}
	best := booth.Candidates(stream.Kept(), 1)
	if len(best) == 0 {
		return refuse("devices.none-kept")
	}
	if err := stream.Still(best[0], &f); err != nil {
		return err
	}
	p, err := booth.Take(f.Image())
	if err != nil {
		return err
	}
	defer p.Wipe()
	io.tell("devices.photo", "verdict", p.Verdict, "bytes", len(p.JPEG), "quality", p.Quality)
	for _, v := range p.Findings {
		io.tell("devices.measure", "kind", v.Kind, "measure", v.Measure, "value", fmt.Sprintf("%.3g", v.Value), "advice", v.Advice.Words(io.language()))
	}
	return nil
}

func printed(io stdio, r devices.PrintResult) error {
	fmt.Fprint(io.out, io.say("devices.print", "outcome", r.Outcome))
	for _, w := range []string{r.By, string(r.Why), r.Detail} {
		if w != "" {
			fmt.Fprintf(io.out, " %s", w)
		}
	}
	fmt.Fprintln(io.out)
	if r.Outcome != devices.PrintConfirmed {
		return refuse("devices.not-confirmed")
	}
	return nil
}

func testSlip(c config.Config) slip.Slip {
	return maintain.TestSlip(c.Terminal.Site+" "+c.Terminal.Name, version, time.Now())
}

// roles are the configured roles, in a stable order.
func roles(c config.Config) []devices.Role {
	var all []devices.Role
	for r := range c.Device {
		all = append(all, r)
	}
	slices.Sort(all)
	return all
}

// probeResult is what one device said.
type probeResult struct {
	role   devices.Role
	status devices.Status
	err    error
}

// probeAll opens and probes all configured devices at the same time, each for at most five seconds.
func probeAll(ctx context.Context, c config.Config) []probeResult {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	all := make([]probeResult, len(c.Device))
	open := opener{lines: new(sharedLines)}
	var wait sync.WaitGroup
	for i, r := range roles(c) {
		wait.Go(func() {
			all[i].role = r
			dev, err := open.open(ctx, r, c.Device[r])
			if err != nil {
				all[i].err = err
				return
			}
			all[i].status, all[i].err = dev.Probe(ctx)
			_ = dev.Close()
		})
	}
	wait.Wait()
	return all
}
