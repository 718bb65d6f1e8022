package scanner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/scanner"
	"github.com/budayang/kiosk/devices/sim"
)

func bench(t *testing.T, profile string, opt sim.ScannerOptions) (*sim.CodeScanner, *scanner.Scanner) {
	t.Helper()
	opt.Line.Unpaced = true
	engine, err := sim.StartCodeScanner(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	s, err := open(t, profile, engine.URI())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return engine, s
}

func open(t *testing.T, profile, uri string) (*scanner.Scanner, error) {
	t.Helper()
	p, err := scanner.LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	u, err := bus.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scanner.Open(t.Context(), b, p)
	if err != nil {
		_ = b.Close()
	}
	return s, err
}

var triggered = sim.ScannerOptions{Suffix: "\r", Triggered: true}

// shown scans while show is tried until the engine looks.
func shown(t *testing.T, s *scanner.Scanner, show func() bool) (devices.Code, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil && !show() {
			time.Sleep(time.Millisecond)
		}
	}()
	c, err := s.Scan(ctx)
	cancel()
	<-done
	return c, err
}

func TestTriggeredEngineReadsOneCodeAndStopsLooking(t *testing.T) {
	engine, s := bench(t, "honeywell", triggered)
	for _, code := range []string{"6901234567892", "健康码 HLTH-990000", strings.Repeat("8", 7089)} {
		c, err := shown(t, s, func() bool { return engine.Show(code) })
		if err != nil || string(c.Data) != code {
			t.Fatalf("%d bytes of %d, %v", len(c.Data), len(code), err)
		}
		if text := fmt.Sprintf("%v %+v %s", c, c, c); strings.Contains(text, code) {
			t.Errorf("a code shows as %s", text)
		}
	}
	for looking := true; looking; looking, _ = engine.Looking() {
		time.Sleep(time.Millisecond)
	}
	if st, err := s.Probe(t.Context()); err != nil || st.Connection != devices.ConnectionOnline {
		t.Errorf("probe says %s, %v", st.Connection, err)
	}
}

func TestWhatIsTooLongOrBinaryIsRefusedAndTheNextCodeIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		code string
		want error
	}{
		"64 KiB":          {strings.Repeat("7", 64<<10), devices.ErrCodeTooLong},
		"binary":          {"\x00\x01\xff\xfe\x80garbage\x7f", devices.ErrCodeUnreadable},
		"not UTF-8":       {"\xd6\xd0\xb9\xfa", devices.ErrCodeUnreadable},
		"limit plus one":  {strings.Repeat("7", devices.MaxCode+1), devices.ErrCodeTooLong},
		"control in text": {"abc\x00def", devices.ErrCodeUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			engine, s := bench(t, "honeywell", triggered)
			if got, err := shown(t, s, func() bool { return engine.Show(c.code) }); !errors.Is(err, c.want) || got.Data != nil {
				t.Fatalf("%d bytes, %v; expected %v", len(got.Data), err, c.want)
			}
			if got, err := shown(t, s, func() bool { return engine.Show("NEXT") }); err != nil || string(got.Data) != "NEXT" {
				t.Errorf("the next code: %d bytes, %v", len(got.Data), err)
			}
		})
	}
}

func TestSilenceEndsACodeWithoutSuffixAndBreaksOneOffThatHasOne(t *testing.T) {
	engine, s := bench(t, "generic-gap", sim.ScannerOptions{})
	if c, err := showOnce(t, s, engine, "GAP-1"); err != nil || string(c.Data) != "GAP-1" {
		t.Errorf("%q, %v", c.Data, err)
	}
	engine, s = bench(t, "honeywell", triggered)
	if err := engine.Fault("cut-short", "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := shown(t, s, func() bool { return engine.Show("half of this") }); !errors.Is(err, devices.ErrCodeUnreadable) {
		t.Errorf("half a code: %v", err)
	}
}

// showOnce is for engines that always look: nothing tells when the driver began, so the code is shown until it is read.
func showOnce(t *testing.T, s *scanner.Scanner, engine *sim.CodeScanner, code string) (devices.Code, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			engine.Show(code)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	c, err := s.Scan(ctx)
	cancel()
	<-done
	return c, err
}

func TestWrappedCodes(t *testing.T) {
	engine, s := bench(t, "n3680", sim.ScannerOptions{Prefix: "\x02", Suffix: "\x03\x04"})
	if c, err := showOnce(t, s, engine, "W"); err != nil || string(c.Data) != "W" {
		t.Errorf("%q, %v", c.Data, err)
	}
	engine, s = bench(t, "n3680", sim.ScannerOptions{Suffix: "\x03\x04"})
	if _, err := showOnce(t, s, engine, "no start"); !errors.Is(err, devices.ErrCodeUnreadable) {
		t.Errorf("a code without its start: %v", err)
	}
}

func TestCitizenWhoLeavesTurnsTheLightOff(t *testing.T) {
	engine, s := bench(t, "honeywell", triggered)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if on, _ := engine.Looking(); on {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := s.Scan(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for looking := true; looking; looking, _ = engine.Looking() {
		time.Sleep(time.Millisecond)
	}
}

func TestUnplugWhileWaitingAndBackAgain(t *testing.T) {
	engine, s := bench(t, "honeywell", triggered)
	_, err := shown(t, s, func() bool {
		if on, _ := engine.Looking(); !on {
			return false
		}
		return engine.Fault("unplug", "") == nil
	})
	if !errors.Is(err, devices.ErrNoDevice) {
		t.Fatalf("scan: %v", err)
	}
	if _, err := s.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("probe: %v", err)
	}
	_ = s.Close()
	if err := engine.Clear("unplug"); err != nil {
		t.Fatal(err)
	}
	s, err = open(t, "honeywell", engine.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c, err := shown(t, s, func() bool { return engine.Show("back") }); err != nil || string(c.Data) != "back" {
		t.Errorf("%q, %v", c.Data, err)
	}
}

func TestUnpluggedEngineThatCannotBeAsked(t *testing.T) {
	engine, s := bench(t, "generic-cr", sim.ScannerOptions{Suffix: "\r\n"})
	if st, err := s.Probe(t.Context()); err != nil || len(st.Reasons) != 1 || st.Reasons[0] != "not-asked" {
		t.Fatalf("%v, %v", st.Reasons, err)
	}
	_ = engine.Fault("unplug", "")
	for {
		st, err := s.Probe(t.Context())
		if errors.Is(err, devices.ErrNoDevice) && st.Connection == devices.ConnectionNoDevice {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestProbeOfWhatIsWrong(t *testing.T) {
	for fault, want := range map[string]error{"silent": devices.ErrSilent, "other-answer": devices.ErrProtocol,
		"garbage": devices.ErrProtocol, "cut-short": nil, "split": nil} {
		t.Run(fault, func(t *testing.T) {
			engine, s := bench(t, "honeywell", triggered)
			if err := engine.Fault(fault, ""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Probe(t.Context()); !errors.Is(err, want) {
				t.Errorf("%v, expected %v", err, want)
			}
			if err := engine.Clear(""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Probe(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
