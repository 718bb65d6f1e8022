// Package unplug pulls the plug of every role's device at every moment: while it is opened, asked, idle, waiting, reading and sending.
// The line is a pseudo-terminal, TCP, IPP, pcscd's socket or reports; the kernel's own USB is the lab's. docs/devices.md has the table.
package unplug

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/card"
	"github.com/budayang/kiosk/devices/document"
	"github.com/budayang/kiosk/devices/fingerprint"
	"github.com/budayang/kiosk/devices/idcard"
	"github.com/budayang/kiosk/devices/ioboard"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/devices/scanner"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/devices/smartcard"
	"github.com/budayang/kiosk/devices/ups"
	"github.com/budayang/kiosk/slip"
)

// seen is when a driver that has not said that its device is gone never will: the error itself shows that it noticed, and did not only
// lose its patience. The aim of one second is measured in the lab.
const seen = 10 * time.Second

// An act is what a visit has a driver do. It calls now when the plug is to be pulled, and returns what the driver said.
type act func(ctx context.Context, dev devices.Device, now func()) error

// A stand is one device in its socket.
type stand struct {
	open       func(ctx context.Context) (devices.Device, error)
	pull, push func() error
	acts       map[string]act
	slow       bool // the driver waits on purpose whether the device comes back
	serial     bool // the device says who it is
}

// rounds are delays before the plug is pulled under an opening.
var rounds = []time.Duration{0, time.Millisecond, 4 * time.Millisecond, 15 * time.Millisecond, 60 * time.Millisecond}

func TestUnpluggedAtEveryMoment(t *testing.T) {
	for name, build := range stands {
		t.Run(name, func(t *testing.T) {
			s := build(t)
			who := s.sound(t)
			for _, d := range rounds {
				s.opening(t, d)
			}
			s.under(t, "probing", func(ctx context.Context, dev devices.Device, now func()) error {
				after(now, 30*time.Millisecond)
				for ctx.Err() == nil {
					if _, err := dev.Probe(ctx); err != nil {
						return err
					}
				}
				return ctx.Err()
			})
			s.under(t, "idle", func(ctx context.Context, dev devices.Device, now func()) error {
				now()
				time.Sleep(200 * time.Millisecond)
				_, err := dev.Probe(ctx)
				return err
			})
			for what, do := range s.acts {
				s.under(t, what, do)
			}
			if again := s.sound(t); again != who || s.serial != (who != "") {
				t.Errorf("it said %q, and %q after it was put back", who, again)
			}
		})
	}
}

// sound opens the device, which must work, and returns its serial number.
func (s stand) sound(t *testing.T) string {
	t.Helper()
	dev := s.opened(t)
	defer dev.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		st, err := dev.Probe(ctx)
		if err == nil && st.Connection == devices.ConnectionOnline {
			return st.Identity.Serial
		}
		if st.Connection != devices.ConnectionBusy || ctx.Err() != nil { // motors that run when the plug is pulled run on
			t.Fatalf("a sound device: %+v, %v", st, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// opened opens a device that is plugged in; it may take a moment after the plug went in.
func (s stand) opened(t *testing.T) devices.Device {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var first error
	for n := 1; ; n++ {
		dev, err := s.open(ctx)
		if err == nil {
			return dev
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			t.Fatalf("it does not open: %v; at first, %d times ago: %v", err, n, first)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// opening pulls the plug under an opening: it ends soon, with an error that the supervisor tries again after, or with a device that says
// that it is gone.
func (s stand) opening(t *testing.T, delay time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	type result struct {
		dev devices.Device
		err error
	}
	done := make(chan result, 1)
	go func() {
		dev, err := s.open(ctx)
		done <- result{dev, err}
	}()
	time.Sleep(delay)
	pulled := time.Now()
	must(t, s.pull())
	r := <-done
	if d := time.Since(pulled); d > seen {
		t.Errorf("opening: ended %v after the plug was pulled", d)
	}
	if r.err == nil {
		for r.err == nil && time.Since(pulled) < seen {
			_, r.err = r.dev.Probe(ctx)
		}
		if !errors.Is(r.err, devices.ErrNoDevice) {
			t.Errorf("opening, %v: it opened, and then: %v", delay, r.err)
		}
		_ = r.dev.Close()
	} else if errors.Is(r.err, devices.ErrUnusable) || !errors.Is(r.err, devices.ErrNoDevice) && !errors.Is(r.err, devices.ErrSilent) && !errors.Is(r.err, devices.ErrProtocol) {
		t.Errorf("opening, %v: %v", delay, r.err)
	}
	if _, err := s.open(ctx); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("opening nobody: %v", err)
	}
	s.back(t)
}

// under pulls the plug while the driver does something, and puts it back.
func (s stand) under(t *testing.T, what string, do act) {
	t.Helper()
	dev := s.opened(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	pulled, out := make(chan time.Time, 1), make(chan struct{})
	err := do(ctx, dev, func() {
		pulled <- time.Now()
		must(t, s.pull())
		close(out)
	})
	select {
	case at := <-pulled:
		if d := time.Since(at); d > seen && !s.slow {
			t.Errorf("%s: seen after %v", what, d)
		}
	default:
		t.Fatalf("%s: it ended before the plug was pulled: %v", what, err)
	}
	if !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("%s: %v", what, err)
	}
	closing := time.Now()
	_ = dev.Close()
	if d := time.Since(closing); d > seen {
		t.Errorf("%s: closing took %v", what, d)
	}
	<-out // a driver may be quicker than the hand
	s.back(t)
}

// back puts the plug back. Somebody else's connection may have taken its port for a moment.
func (s stand) back(t *testing.T) {
	t.Helper()
	err := s.push()
	for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); err = s.push() {
		time.Sleep(100 * time.Millisecond)
	}
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func after(now func(), d time.Duration) { time.AfterFunc(d, now) }

// when pulls as soon as the device is seen to be at it, until ctx ends; done waits for the hand.
func when(ctx context.Context, at func() bool, now func()) (done func()) {
	ctx, end := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for !at() {
			if ctx.Err() != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
		now()
	}()
	return func() { end(); <-gone }
}

// faulty is what simulators on a line have in common.
type faulty interface {
	URI() string
	Fault(name, value string) error
	Clear(name string) error
	Close() error
}

// on is a device on a line, driven by drive.
func on(t *testing.T, x faulty, err error, drive func(ctx context.Context, b bus.Bus) (devices.Device, error)) stand {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return stand{pull: func() error { return x.Fault("unplug", "") }, push: func() error { return x.Clear("") },
		open: func(ctx context.Context) (devices.Device, error) {
			u, err := bus.Parse(x.URI())
			if err != nil {
				return nil, err
			}
			b, err := bus.Open(ctx, u)
			if err != nil {
				return nil, err
			}
			dev, err := drive(ctx, b)
			if err != nil {
				_ = b.Close()
			}
			return dev, err
		}}
}

// serial and tcp are the two kinds of lines.
var serial, tcp = sim.LineOptions{}, sim.LineOptions{TCP: "127.0.0.1:0"}

var stands = map[string]func(t *testing.T) stand{
	"id-reader sam serial":            func(t *testing.T) stand { return reader(t, serial) },
	"id-reader sam tcp":               func(t *testing.T) stand { return reader(t, tcp) },
	"receipt-printer escpos serial":   func(t *testing.T) stand { return head(t, serial) },
	"receipt-printer escpos tcp":      func(t *testing.T) stand { return head(t, tcp) },
	"code-scanner code serial":        func(t *testing.T) stand { return engine(t, serial) },
	"code-scanner code tcp":           func(t *testing.T) stand { return engine(t, tcp) },
	"code-scanner code hid":           reports,
	"ups megatec serial":              func(t *testing.T) stand { return megatec(t, serial) },
	"ups megatec tcp":                 func(t *testing.T) stand { return megatec(t, tcp) },
	"ups nut tcp":                     nut,
	"card-dispenser card k720 serial": func(t *testing.T) stand { return dispenser(t, "k720", "k720", serial) },
	"card-dispenser card crt serial":  func(t *testing.T) stand { return dispenser(t, "crt", "crt-591", serial) },
	"card-dispenser card k720 tcp":    func(t *testing.T) stand { return dispenser(t, "k720", "k720", tcp) },
	"fingerprint grow serial":         func(t *testing.T) stand { return finger(t, serial) },
	"fingerprint grow tcp":            func(t *testing.T) stand { return finger(t, tcp) },
	"door modbus serial":              func(t *testing.T) stand { return board(t, devices.RoleDoor, serial) },
	"lights modbus serial":            func(t *testing.T) stand { return board(t, devices.RoleLights, serial) },
	"door modbus tcp":                 func(t *testing.T) stand { return board(t, devices.RoleDoor, tcp) },
	"smart-card social pcsc":          social,
	"document-printer ipp":            pages,
	"card-printer ipp":                faces,
}

func reader(t *testing.T, line sim.LineOptions) stand {
	r, err := sim.StartIDReader(sim.ReaderOptions{Line: line})
	s := on(t, r, err, func(ctx context.Context, b bus.Bus) (devices.Device, error) {
		return idcard.Open(ctx, b, idcard.Options{Address: true, Poll: 20 * time.Millisecond})
	})
	s.serial = true
	s.acts = map[string]act{
		"waiting": func(ctx context.Context, dev devices.Device, now func()) error {
			after(now, 100*time.Millisecond)
			_, err := dev.(devices.IDReader).Read(ctx, nil)
			return err
		},
		"reading": func(ctx context.Context, dev devices.Device, now func()) error {
			if err := r.PutCard(sim.SampleCards()[1]); err != nil {
				return err
			}
			defer r.TakeCard()
			begun := false
			_, err := dev.(devices.IDReader).Read(ctx, func(e devices.ReadEvent) {
				if e == devices.ReadFound && !begun {
					begun = true
					after(now, 20*time.Millisecond)
				}
			})
			return err
		}}
	return s
}

func head(t *testing.T, line sim.LineOptions) stand {
	p, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Line: line, Head: "epson"})
	profile, perr := receipt.LoadProfile("epson-tm")
	s := on(t, p, errors.Join(err, perr), func(ctx context.Context, b bus.Bus) (devices.Device, error) {
		return receipt.Open(ctx, b, receipt.Options{Profile: profile})
	})
	s.acts = map[string]act{"sending": func(ctx context.Context, dev devices.Device, now func()) error {
		// A first slip is whole: it begins with what fills up a picture that somebody may have left.
		id := fmt.Sprint(time.Now().UnixNano())
		if r := dev.(devices.ReceiptPrinter).Print(ctx, devices.ReceiptJob{ID: id, Slip: slip.Slip{Blocks: []slip.Block{slip.Text{Text: "whole"}}}}); r.Outcome != devices.PrintConfirmed {
			return fmt.Errorf("a whole slip is %+v", r)
		}
		if err := p.Fault("unplug-mid-job", "300"); err != nil {
			return err
		}
		defer when(ctx, func() bool { return !p.State().Plugged }, now)()
		var b []slip.Block
		for i := range 200 {
			b = append(b, slip.Text{Text: fmt.Sprintf("line %d of a long slip", i)})
		}
		return printed(dev.(devices.ReceiptPrinter).Print(ctx, devices.ReceiptJob{ID: id + "-half", Slip: slip.Slip{Blocks: b}}))
	}}
	return s
}

// printed turns what must not be sure into the error that is awaited.
func printed(r devices.PrintResult) error {
	if r.Outcome == devices.PrintUnknown {
		return devices.ErrNoDevice
	}
	return fmt.Errorf("half a print is %+v", r)
}

func engine(t *testing.T, line sim.LineOptions) stand {
	e, err := sim.StartCodeScanner(sim.ScannerOptions{Line: line, Suffix: "\r", Triggered: true})
	profile, perr := scanner.LoadProfile("honeywell")
	s := on(t, e, errors.Join(err, perr), func(ctx context.Context, b bus.Bus) (devices.Device, error) { return scanner.Open(ctx, b, profile) })
	s.acts = map[string]act{
		"waiting": func(ctx context.Context, dev devices.Device, now func()) error {
			after(now, 100*time.Millisecond)
			return scanned(dev.(devices.CodeScanner).Scan(ctx))
		},
		"reading": func(ctx context.Context, dev devices.Device, now func()) error {
			after(now, 300*time.Millisecond)
			go func() {
				for ctx.Err() == nil && !e.Show(strings.Repeat("8", 7089)) { // it takes six tenths of a second
					time.Sleep(time.Millisecond)
				}
			}()
			return scanned(dev.(devices.CodeScanner).Scan(ctx))
		}}
	return s
}

func finger(t *testing.T, line sim.LineOptions) stand {
	f, err := sim.StartFingerSensor(sim.FingerSensorOptions{Line: line})
	profile, perr := fingerprint.LoadProfile("r307")
	s := on(t, f, errors.Join(err, perr), func(ctx context.Context, b bus.Bus) (devices.Device, error) {
		return fingerprint.Open(ctx, b, profile)
	})
	s.acts = map[string]act{
		"waiting": func(ctx context.Context, dev devices.Device, now func()) error {
			f.LiftFinger()
			after(now, 300*time.Millisecond)
			_, err := dev.(devices.FingerSensor).Capture(ctx, nil)
			return err
		},
		"reading": func(ctx context.Context, dev devices.Device, now func()) error {
			f.PutFinger(sim.FingerOf(sim.People()[0].Number, 1), sim.Press{})
			pic, err := dev.(devices.FingerSensor).Capture(ctx, func(e devices.FingerEvent) {
				if e == devices.FingerTaken {
					after(now, 500*time.Millisecond) // the picture takes seven seconds
				}
			})
			if err == nil {
				return fmt.Errorf("a picture of %d pixels", len(pic.Pixels))
			}
			return err
		}}
	return s
}

func scanned(c devices.Code, err error) error {
	if err == nil {
		return fmt.Errorf("a code of %d bytes", len(c.Data))
	}
	return err
}

// reports are a scanner's that sends them; the sockets between keep them apart as hidraw does.
func reports(t *testing.T) stand {
	e := sim.NewHIDScanner(sim.HIDScannerOptions{})
	profile, err := scanner.LoadProfile("hid-pos")
	if err != nil {
		t.Fatal(err)
	}
	var out atomic.Bool
	return stand{serial: true, pull: func() error { out.Store(true); e.Unplug(); return nil }, push: func() error { out.Store(false); return nil },
		open: func(ctx context.Context) (devices.Device, error) {
			if out.Load() {
				return nil, devices.ErrNoDevice // as bus.FindHID says of what sysfs does not list
			}
			f, err := e.Connect()
			if err != nil {
				return nil, err
			}
			b := bus.NewHID(f, bus.HIDInfo{Serial: "S-1", Descriptor: e.Descriptor()})
			dev, err := scanner.Open(ctx, b, profile)
			if err != nil {
				_ = b.Close()
			}
			return dev, err
		},
		acts: map[string]act{"waiting": func(ctx context.Context, dev devices.Device, now func()) error {
			after(now, 100*time.Millisecond)
			return scanned(dev.(devices.CodeScanner).Scan(ctx))
		}}}
}

func megatec(t *testing.T, line sim.LineOptions) stand {
	u, err := sim.StartUPS(line)
	return on(t, u, err, func(ctx context.Context, b bus.Bus) (devices.Device, error) { return ups.Open(ctx, b) })
}

func nut(t *testing.T) stand {
	u, err := sim.StartNUT("ups")
	s := on(t, u, err, func(ctx context.Context, b bus.Bus) (devices.Device, error) { return ups.OpenNUT(ctx, b, "ups") })
	s.serial = true
	return s
}

func dispenser(t *testing.T, family, profile string, line sim.LineOptions) stand {
	d, err := sim.StartCardDispenser(sim.DispenserOptions{Line: line, Family: family, Cards: 30, Motion: 400 * time.Millisecond})
	p, perr := card.FindProfile(profile)
	s := on(t, d, errors.Join(err, perr), func(ctx context.Context, b bus.Bus) (devices.Device, error) {
		return card.Open(ctx, b, card.Options{Profile: p, Poll: 5 * time.Millisecond})
	})
	s.acts = map[string]act{"sending": func(ctx context.Context, dev devices.Device, now func()) error {
		defer when(ctx, func() bool { return d.State().Moving }, now)()
		r := dev.(devices.CardDispenser).Move(ctx, devices.CardMove{Act: devices.CardDispense, To: devices.CardReader,
			Began: func(devices.CardPosition) error { return nil }})
		if r.Outcome != devices.MoveUnknown {
			return fmt.Errorf("half a way is %+v", r)
		}
		return devices.ErrNoDevice
	}}
	return s
}

func board(t *testing.T, role devices.Role, line sim.LineOptions) stand {
	x, err := sim.StartIOBoard(sim.IOBoardOptions{Line: line, Door: true})
	p, perr := ioboard.LoadProfile("eight-in-eight-out")
	s := on(t, x, errors.Join(err, perr), func(ctx context.Context, b bus.Bus) (devices.Device, error) {
		return ioboard.Open(ctx, ioboard.NewLine(b), role, p)
	})
	s.acts = map[string]act{"reading": func(ctx context.Context, dev devices.Device, now func()) error {
		after(now, 100*time.Millisecond)
		for {
			c, err := dev.(devices.ContactBoard).Contacts(ctx)
			if err != nil {
				if c.Door != devices.CoverUnknown {
					return fmt.Errorf("the door of no board is %s", c.Door)
				}
				return err
			}
		}
	}}
	if role == devices.RoleLights {
		s.acts = map[string]act{"sending": func(ctx context.Context, dev devices.Device, now func()) error {
			after(now, 100*time.Millisecond)
			for yes := true; ; yes = !yes {
				if err := dev.(devices.LightBoard).Light(ctx, "id-reader", yes); err != nil {
					return err
				}
			}
		}}
	}
	return s
}

func social(t *testing.T) stand {
	r, err := sim.StartSmartCardReader("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return stand{pull: func() error { return r.Fault("unplug", "") }, push: func() error { return r.Clear("") },
		open: func(ctx context.Context) (devices.Device, error) {
			return smartcard.Open(ctx, strings.TrimPrefix(r.URI(), "pcsc:"), "")
		},
		acts: map[string]act{"waiting": func(ctx context.Context, dev devices.Device, now func()) error {
			after(now, 100*time.Millisecond)
			_, err := dev.(devices.SocialCardReader).Read(ctx, nil)
			return err
		}}}
}

// quick are options under which a printer that went is not waited for long.
var quick = document.Options{Poll: 5 * time.Millisecond, EndWait: 150 * time.Millisecond, Timeout: 2 * time.Second}

// half pulls the plug when the printer has begun. The driver would wait for it to come back: it is called off a second later.
func half(state func() sim.DocumentState, print func(ctx context.Context, dev devices.Device) devices.PrintResult) act {
	return func(ctx context.Context, dev devices.Device, now func()) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		printing := func() bool {
			return slices.ContainsFunc(state().Jobs, func(j sim.JobState) bool { return j.State == "processing" })
		}
		defer when(ctx, printing, func() { now(); after(cancel, time.Second) })()
		return printed(print(ctx, dev))
	}
}

func pages(t *testing.T) stand {
	p, err := sim.StartDocumentPrinter(sim.DocumentOptions{PageTime: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return stand{serial: true, slow: true, pull: func() error { return p.Fault("unplug", "") }, push: func() error { return p.Clear("") },
		open: func(ctx context.Context) (devices.Device, error) { return document.Open(ctx, p.URI(), quick) },
		acts: map[string]act{"sending": half(p.State, func(ctx context.Context, dev devices.Device) devices.PrintResult {
			return dev.(devices.DocumentPrinter).Print(ctx, devices.DocumentJob{Name: "unplug", PDF: onePage, Sheets: 1,
				Note: func(string, string) error { return nil }})
		})}}
}

func faces(t *testing.T) stand {
	p, err := sim.StartCardPrinter(sim.CardPrinterOptions{CardTime: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	state := func() sim.DocumentState { return p.State().DocumentState }
	return stand{serial: true, slow: true, pull: func() error { return p.Fault("unplug", "") }, push: func() error { return p.Clear("") },
		open: func(ctx context.Context) (devices.Device, error) { return document.OpenCards(ctx, p.URI(), quick) },
		acts: map[string]act{"sending": half(state, func(ctx context.Context, dev devices.Device) devices.PrintResult {
			return dev.(devices.CardPrinter).Print(ctx, devices.CardJob{Name: "unplug", Face: image.NewGray(image.Rect(0, 0, devices.CardWidth, devices.CardHeight)),
				Note: func(string, string) error { return nil }})
		})}}
}

// onePage is the smallest PDF that has a page.
var onePage = []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
