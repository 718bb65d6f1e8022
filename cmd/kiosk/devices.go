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
	List  devicesListCmd  `cmd:"" help:"List the ports and cameras of this machine and the configured devices."`
	Probe devicesProbeCmd `cmd:"" help:"Open every configured device and ask it how it is."`
	Test  devicesTestCmd  `cmd:"" help:"Try one device: read a card, print a slip, print a page, take pictures."`
}

// devicesListCmd is `kiosk devices list`.
type devicesListCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
}

// Run lists serial ports, cameras and USB devices by their stable names, then the configuration.
func (d devicesListCmd) Run(io stdio) error {
	all := discover()
	for _, kind := range []string{foundSerial, foundCamera, foundUSB} {
		fmt.Fprintln(io.out, kind+":")
		n := 0
		for _, f := range all {
			if f.Kind == kind {
				fmt.Fprintf(io.out, "  %s\n", f)
				n++
			}
		}
		if n == 0 {
			fmt.Fprintln(io.out, "  none")
		}
	}
	c, err := config.Load(d.Config)
	if err != nil {
		return err
	}
	fmt.Fprintln(io.out, "configured:")
	for _, r := range roles(c) {
		fmt.Fprintf(io.out, "  %-18s %-7s %s\n", r, c.Device[r].Driver, c.Device[r].URI)
	}
	return nil
}

// devicesProbeCmd is `kiosk devices probe`.
type devicesProbeCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
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
			fmt.Fprintf(io.out, "%-18s %v\n", r.role, r.err)
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
		return fmt.Errorf("cannot work now: %s", strings.Join(failed, ", "))
	}
	return nil
}

// devicesTestCmd is `kiosk devices test`.
type devicesTestCmd struct {
	Config string        `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
	Role   devices.Role  `arg:"" help:"Which device: id-reader, receipt-printer, document-printer, card-printer (prints on a blank), code-scanner, smart-card, camera, door, lights, sound or ups."`
	Photo  string        `help:"Cameras: also guide somebody to a photo as this profile has it (id-card, social-security, exit-entry-b), and judge it."`
	Wait   time.Duration `default:"30s" help:"How long to wait for a card, a code or paper."`
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
		fmt.Fprintln(io.out, "put a card on the reader …")
		card, err := dev.Read(ctx, func(e devices.ReadEvent) { fmt.Fprintln(io.out, " ", e) })
		if err != nil {
			return err
		}
		defer card.Wipe()
		fmt.Fprintf(io.out, "read: %s card, photo %v, warnings %v\n", card.Kind, card.WLT != nil, card.Warnings)
		return nil
	case devices.SocialCardReader:
		fmt.Fprintln(io.out, "put a social-security card into the reader …")
		card, err := dev.Read(ctx, func(e devices.ReadEvent) { fmt.Fprintln(io.out, " ", e) })
		if err != nil {
			return err
		}
		defer card.Wipe()
		fmt.Fprintf(io.out, "read: card of region %.6s, version %s, not had: %v, warnings %v\n", card.ID, card.Version, card.Missing, card.Warnings)
		return nil
	case devices.ReceiptPrinter:
		r := dev.Print(ctx, devices.ReceiptJob{ID: "test/" + time.Now().UTC().Format(time.RFC3339Nano), Slip: testSlip(c)})
		return printed(io, r)
	case devices.UPS:
		p, err := dev.Power(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(io.out, "power: %s, input %g V, load %g %%, battery %g V (-1: not measured)\n", p.Power, p.InputVolts, p.LoadPercent, p.BatteryVolts)
		return nil
	case devices.Speaker:
		for _, tone := range devices.Tones() {
			if err := errors.Join(dev.Play(ctx, tone), wait(ctx, 500*time.Millisecond)); err != nil {
				return err
			}
			fmt.Fprintf(io.out, "played: %s\n", tone)
		}
		return nil
	case devices.Camera:
		if d.Photo != "" {
			return tryPhoto(ctx, dev, d.Photo, io)
		}
		return tryCamera(ctx, dev, io)
	case devices.CodeScanner:
		fmt.Fprintln(io.out, "show a code …")
		code, err := dev.Scan(ctx)
		if err != nil {
			return err
		}
		defer code.Wipe()
		fmt.Fprintf(io.out, "read: %d bytes\n", len(code.Data))
		return nil
	case devices.CardPrinter:
		s, err := dev.Supplies(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(io.out, "ribbon: %s, %d faces; blanks: %s, %d; exit: %s; printed: %d (-1: the printer does not say)\n",
			s.Ribbon, s.RibbonLeft, s.Hopper, s.HopperLeft, s.Exit, s.Printed)
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
	return fmt.Errorf("%s: no test for this role", d.Role)
}

// tryBoard says what the switches say whenever it changes, or switches one light on after the other.
func tryBoard(ctx context.Context, role devices.Role, board *ioboard.Board, io stdio) error {
	if role == devices.RoleLights {
		for _, l := range board.Lights() {
			if err := errors.Join(board.Light(ctx, l, true), wait(ctx, 500*time.Millisecond), board.Light(context.WithoutCancel(ctx), l, false)); err != nil {
				return err
			}
			fmt.Fprintf(io.out, "was lit: %s\n", l)
		}
		return nil
	}
	fmt.Fprintln(io.out, "open and close the door, stand before the terminal …")
	var said devices.Contacts
	for {
		c, err := board.Contacts(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case c != said:
			fmt.Fprintf(io.out, "door: %s, tamper: %s, body: %s\n", c.Door, c.Tamper, c.Body)
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
	fmt.Fprintf(io.out, "pictures: %d of %dx%d, %.1f a second, %d missed, mean level %d of 255\n", n, f.Width, f.Height,
		float64(n-1)/f.At.Sub(from).Seconds(), missed, light/uint64(3*f.Width*f.Height))
	switch err := stream.Hold(true); {
	case err == nil:
		fmt.Fprintln(io.out, "exposure and white balance can be held")
		return stream.Hold(false)
	case errors.Is(err, devices.ErrFixedCamera):
		fmt.Fprintf(io.out, "not all can be held: %v\n", err)
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
	booth, err := photo.NewBooth(profile)
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
			fmt.Fprintln(io.out, " ", advice.Words("zh"), advice.Words("en"))
		}
	}
	best := booth.Candidates(stream.Kept(), 1)
	if len(best) == 0 {
		return errors.New("the camera kept none of the good pictures")
	}
	if err := stream.Still(best[0], &f); err != nil {
		return err
	}
	p, err := booth.Take(f.Image())
	if err != nil {
		return err
	}
	defer p.Wipe()
	fmt.Fprintf(io.out, "photo: %s, %d bytes at quality %d\n", p.Verdict, len(p.JPEG), p.Quality)
	for _, v := range p.Findings {
		fmt.Fprintf(io.out, "  %s: %s is %.3g: %s\n", v.Kind, v.Measure, v.Value, v.Advice.Words("en"))
	}
	return nil
}

func printed(io stdio, r devices.PrintResult) error {
	fmt.Fprintf(io.out, "print: %s", r.Outcome)
	for _, w := range []string{r.By, string(r.Why), r.Detail} {
		if w != "" {
			fmt.Fprintf(io.out, " %s", w)
		}
	}
	fmt.Fprintln(io.out)
	if r.Outcome != devices.PrintConfirmed {
		return errors.New("the test was not confirmed by the printer")
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
