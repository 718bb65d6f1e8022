package scanner

// Scanners that send reports: descriptors of every kind, and codes over a pair of sockets that keep reports apart, as hidraw does.

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/sim"
)

func posBench(t *testing.T, profile string, opt sim.HIDScannerOptions) (*sim.HIDScanner, *Scanner) {
	t.Helper()
	engine := sim.NewHIDScanner(opt)
	s, err := plugged(t, engine, profile)
	if err != nil {
		t.Fatal(err)
	}
	return engine, s
}

func plugged(t *testing.T, engine *sim.HIDScanner, profile string) (*Scanner, error) {
	t.Helper()
	f, err := engine.Connect()
	if err != nil {
		t.Fatal(err)
	}
	b := bus.NewHID(f, bus.HIDInfo{Name: "Simulated", Serial: "S-1", Descriptor: engine.Descriptor()})
	t.Cleanup(func() { engine.Unplug(); _ = b.Close() })
	p, err := LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	return Open(t.Context(), b, p)
}

// posScan scans while show is tried every 50 ms until the code was read.
func posScan(t *testing.T, s *Scanner, show func() bool) (devices.Code, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			show()
			select {
			case <-ctx.Done():
			case <-time.After(700 * time.Millisecond):
			}
		}
	}()
	c, err := s.Scan(ctx)
	cancel()
	<-done
	return c, err
}

func TestCodesComeInReports(t *testing.T) {
	engine, s := posBench(t, "hid-pos", sim.HIDScannerOptions{Suffix: "\r"})
	for _, code := range []string{"6901234567892", "健康码 HLTH-990000", strings.Repeat("5", 55), strings.Repeat("5", 56), strings.Repeat("5", 112), strings.Repeat("8", 7089), "a\rb"} {
		c, err := posScan(t, s, func() bool { return engine.Show(code) })
		if err != nil || string(c.Data) != code {
			t.Fatalf("%d bytes of %d, %v", len(c.Data), len(code), err)
		}
	}
	st, err := s.Probe(t.Context())
	if err != nil || st.Identity.Serial != "S-1" || st.Unready() != devices.UnreadyNot {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestATriggeredScannerOfReportsIsToldToLookAndToStop(t *testing.T) {
	engine, s := posBench(t, "honeywell-hid", sim.HIDScannerOptions{Triggered: true})
	c, err := posScan(t, s, func() bool { return engine.Show("T-1") })
	if err != nil || string(c.Data) != "T-1" {
		t.Fatalf("%q, %v", c.Data, err)
	}
	for end := time.Now().Add(5 * time.Second); engine.Looking(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it looks on")
		}
	}
	want := [][]byte{append([]byte("\xfd\x03\x16T\r"), make([]byte, 59)...), append([]byte("\xfd\x03\x16U\r"), make([]byte, 59)...)}
	got := engine.Told()
	if len(got) != 2 || !bytes.Equal(got[0], want[0]) || !bytes.Equal(got[1], want[1]) {
		t.Errorf("told %x", got)
	}
}

func TestReportsThatCannotBeAreNoCode(t *testing.T) {
	for fault, want := range map[string]error{"cut-short": devices.ErrCodeUnreadable, "lying-length": devices.ErrCodeUnreadable, "short-report": devices.ErrCodeUnreadable,
		"other-report": nil, "garbage": nil} {
		t.Run(fault, func(t *testing.T) {
			engine, s := posBench(t, "hid-pos", sim.HIDScannerOptions{})
			code := strings.Repeat("C", 100)
			if fault == "short-report" { // nobody knows whether such a code goes on
				code = code[:40]
			}
			if err := engine.Fault(fault, ""); err != nil { // always: what is shown before anybody scans is no code
				t.Fatal(err)
			}
			c, err := posScan(t, s, func() bool { return engine.Show(code) })
			if !errors.Is(err, want) || want == nil && string(c.Data) != code || want != nil && c.Data != nil {
				t.Fatalf("%d bytes, %v; expected %v", len(c.Data), err, want)
			}
			engine.Clear("")
			if c, err := posScan(t, s, func() bool { return engine.Show("NEXT") }); err != nil || string(c.Data) != "NEXT" {
				t.Errorf("the next code: %q, %v", c.Data, err)
			}
		})
	}
	engine, s := posBench(t, "hid-pos", sim.HIDScannerOptions{})
	if _, err := posScan(t, s, func() bool { return engine.Show(strings.Repeat("7", 64<<10)) }); !errors.Is(err, devices.ErrCodeTooLong) {
		t.Errorf("64 KiB: %v", err)
	}
	if _, err := posScan(t, s, func() bool { return engine.Show("\x00\xff") }); !errors.Is(err, devices.ErrCodeUnreadable) {
		t.Errorf("binary: %v", err)
	}
	// What was shown before nobody looked is nobody's.
	engine.Show("the citizen before")
	time.Sleep(50 * time.Millisecond) // it is over the line
	if c, err := posScan(t, s, func() bool { return engine.Show("mine") }); err != nil || string(c.Data) != "mine" {
		t.Errorf("%q, %v", c.Data, err)
	}
}

func TestAScannerOfReportsIsUnplugged(t *testing.T) {
	engine, s := posBench(t, "hid-pos", sim.HIDScannerOptions{})
	time.AfterFunc(100*time.Millisecond, engine.Unplug)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Scan(ctx); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("while waiting: %v", err)
	}
	if st, err := s.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) || st.Connection != devices.ConnectionNoDevice {
		t.Errorf("probing: %+v, %v", st, err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	s, err := plugged(t, engine, "hid-pos")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := posScan(t, s, func() bool { return engine.Show("back") }); err != nil || string(c.Data) != "back" {
		t.Errorf("%q, %v", c.Data, err)
	}
}

// lineOnly is a bus of bytes.
type lineOnly struct{ Bus }

func (lineOnly) Drain()                                         {}
func (lineOnly) Read(context.Context, []byte) (int, error)      { return 0, devices.ErrSilent }
func (lineOnly) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

// described is a bus of reports.
type described struct {
	lineOnly
	text []byte
}

func (d described) Descriptor() []byte { return d.text }

func TestAProfileAndABusThatDoNotFit(t *testing.T) {
	reports, line := Profile{Framing: "hid-pos", GapMS: 100, Text: "utf-8"}, Profile{GapMS: 100, Text: "utf-8"}
	good := sim.NewHIDScanner(sim.HIDScannerOptions{}).Descriptor()
	for name, c := range map[string]struct {
		b Bus
		p Profile
	}{"bytes for reports": {lineOnly{}, reports}, "reports for bytes": {described{text: good}, line}, "no scanner": {described{text: []byte{5, 1, 9, 6, 0xA1, 1, 0xC0}}, reports},
		"nothing": {described{}, reports}} {
		if _, err := Open(t.Context(), c.b, c.p); !errors.Is(err, devices.ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.Context(), described{text: good}, reports); err != nil {
		t.Error(err)
	}
}

func TestLayouts(t *testing.T) {
	good := sim.NewHIDScanner(sim.HIDScannerOptions{}).Descriptor()
	l, err := readLayout(good)
	if err != nil || l.number != 2 || l.size != 64 || l.count != 1 || l.data != 5 || l.len != 56 || l.more != 63 || l.moreBit != 1 || l.outputs[0xFD] != 64 {
		t.Fatalf("%+v, %v", l, err)
	}
	// Without numbers and without a count; codes never go on.
	l, err = readLayout([]byte{5, 0x8C, 9, 2, 0xA1, 1, 0x75, 8, 0x95, 32, 9, 0xFE, 0x81, 2, 0xC0})
	if err != nil || l.number != 0 || l.size != 32 || l.count != -1 || l.data != 0 || l.len != 32 || l.more != -1 {
		t.Fatalf("%+v, %v", l, err)
	}
	data, more, ok, err := l.carried(append([]byte("abc"), make([]byte, 29)...))
	if string(data) != "abc" || more || !ok || err != nil {
		t.Errorf("%q %v %v %v", data, more, ok, err)
	}
	// A range of usages, and values that are pushed and taken back.
	l, err = readLayout([]byte{5, 0x8C, 9, 2, 0xA1, 1, 0x85, 2, 0x75, 8, 0x95, 1, 0xA4, 0x75, 1, 0xB4, 0x19, 0xFB, 0x29, 0xFD, 0x95, 3, 0x81, 2, 9, 0xFE, 0x95, 9, 0x81, 2, 0xC0})
	if err != nil || l.size != 13 || l.data != 4 || l.len != 9 {
		t.Errorf("%+v, %v", l, err)
	}
	for name, text := range map[string][]byte{
		"a keyboard":       {5, 1, 9, 6, 0xA1, 1, 5, 0x8C, 0x75, 8, 0x95, 8, 9, 0xFE, 0x81, 2, 0xC0},
		"no data":          {5, 0x8C, 9, 2, 0xA1, 1, 0x75, 8, 0x95, 8, 9, 0xFB, 0x81, 2, 0xC0},
		"report 0":         {5, 0x8C, 9, 2, 0xA1, 1, 0x85, 0, 0x75, 8, 0x95, 8, 9, 0xFE, 0x81, 2, 0xC0},
		"endless":          {5, 0x8C, 9, 2, 0xA1, 1, 0x75, 8, 0x97, 0xFF, 0xFF, 0xFF, 0xFF, 9, 0xFE, 0x81, 2, 0xC0},
		"odd bits":         {5, 0x8C, 9, 2, 0xA1, 1, 0x75, 7, 0x95, 8, 9, 0xFE, 0x81, 2, 0xC0},
		"cut":              {5, 0x8C, 9, 2, 0xA1, 1, 0x75, 8, 0x97, 1},
		"pops too often":   {5, 0x8C, 9, 2, 0xA1, 1, 0xB4},
		"pushes for ever":  append([]byte{5, 0x8C, 9, 2, 0xA1, 1}, bytes.Repeat([]byte{0xA4}, 100)...),
		"a long item":      {5, 0x8C, 9, 2, 0xA1, 1, 0xFE, 1, 0, 0},
		"usages for ever":  append([]byte{5, 0x8C, 9, 2, 0xA1, 1}, bytes.Repeat([]byte{9, 0xFE}, 5000)...),
		"ranges for ever":  append([]byte{5, 0x8C, 9, 2, 0xA1, 1}, bytes.Repeat([]byte{0x19, 0, 0x2B, 0xFF, 0xFF, 0xFF, 0xFF}, 100)...),
		"reports too long": {5, 0x8C, 9, 2, 0xA1, 1, 0x76, 0xFF, 0x7F, 0x96, 0xFF, 0x7F, 9, 0xFE, 0x81, 2, 0xC0},
	} {
		if l, err := readLayout(text); err == nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// Whatever a descriptor says, what lies outside a report is never touched.
func FuzzLayout(f *testing.F) {
	good := sim.NewHIDScanner(sim.HIDScannerOptions{}).Descriptor()
	f.Add(good, append([]byte{2, 5, ']', 'Q', '1'}, make([]byte, 59)...))
	f.Add([]byte{5, 0x8C, 9, 2, 0xA1, 1, 0x75, 8, 0x95, 32, 9, 0xFE, 0x81, 2, 0xC0}, []byte("abc"))
	f.Add([]byte{5, 0x8C, 9, 2, 0xA1, 1, 0x75, 0, 0x95, 255, 9, 0xFE, 0x81, 2, 0xC0}, []byte{})
	f.Fuzz(func(t *testing.T, descriptor, report []byte) {
		l, err := readLayout(descriptor)
		if err != nil {
			return
		}
		if l.len <= 0 || l.data+l.len > l.size || l.count >= l.size || l.more >= l.size || l.size > maxReport+1 {
			t.Fatalf("%+v", l)
		}
		for _, r := range [][]byte{report, append(report, make([]byte, l.size)...)} {
			if data, _, ok, err := l.carried(r); len(data) > l.len || err != nil && (!ok || data != nil) {
				t.Errorf("%d bytes, %v, %v", len(data), ok, err)
			}
		}
	})
}
