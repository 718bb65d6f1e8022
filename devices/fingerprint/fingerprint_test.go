package fingerprint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/fingerprint"
	"github.com/budayang/kiosk/devices/sim"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// somebody is a synthetic person's right thumb.
var somebody = sim.FingerOf("990000198503120115", 1)

type stand struct {
	t   testing.TB
	sim *sim.FingerSensor
	p   fingerprint.Profile
	s   *fingerprint.Sensor
}

func build(t testing.TB, o sim.FingerSensorOptions, profile string) *stand {
	t.Helper()
	o.Line.Unpaced, o.Taking = true, 5*time.Millisecond
	m, err := sim.StartFingerSensor(o)
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	p, err := fingerprint.LoadProfile(profile)
	must(t, err)
	return &stand{t: t, sim: m, p: p}
}

func (st *stand) open() error {
	st.t.Helper()
	if st.s != nil {
		_ = st.s.Close()
		st.s = nil
	}
	u, err := bus.Parse(st.sim.URI())
	must(st.t, err)
	b, err := bus.Open(st.t.Context(), u)
	must(st.t, err)
	if st.s, err = fingerprint.Open(within(st.t, 20*time.Second), b, st.p); err != nil {
		_ = b.Close()
		return err
	}
	st.t.Cleanup(func() { _ = b.Close() })
	return nil
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func (st *stand) capture() (devices.FingerPicture, error) {
	return st.s.Capture(within(st.t, 30*time.Second), nil)
}

func TestAPictureIsTheFingersOnTheGlass(t *testing.T) {
	for _, packet := range []int{32, 64, 128, 256} {
		st := build(t, sim.FingerSensorOptions{Packet: packet}, "r307")
		must(t, st.open())
		press := sim.Press{X: 6, Turn: 9, Grain: 1}
		st.sim.PutFinger(somebody, press)
		var events []devices.FingerEvent
		pic, err := st.s.Capture(within(t, 30*time.Second), func(e devices.FingerEvent) { events = append(events, e) })
		must(t, err)
		press.Grain++ // it is the first finger that is laid down
		if want := somebody.Picture(press, 256, 288); pic.Width != 256 || pic.Height != 288 || pic.DPI != 500 || !bytes.Equal(pic.Pixels, want) {
			t.Errorf("packets of %d: another picture came, %d by %d", packet, pic.Width, pic.Height)
		}
		if fmt.Sprint(events) != "[taken]" {
			t.Errorf("%v", events)
		}
		kept := pic.Pixels
		pic.Wipe()
		if bytes.ContainsFunc(kept, func(r rune) bool { return r != 0 }) || pic.Width != 0 {
			t.Error("the picture is still there")
		}
	}
}

func TestAModelThatSaysItsSize(t *testing.T) {
	st := build(t, sim.FingerSensorOptions{Width: 160, Height: 160, Product: "R503-S", Serial: "SN0042"}, "r503")
	must(t, st.open())
	s, err := st.s.Probe(within(t, 20*time.Second))
	must(t, err)
	if s.Identity != (devices.Identity{Maker: "GROW", Model: "R503-S", Serial: "SN0042", Firmware: "1.2"}) || s.Unready() != devices.UnreadyNot {
		t.Errorf("%+v", s)
	}
	st.sim.PutFinger(somebody, sim.Press{})
	if pic, err := st.capture(); err != nil || pic.Width != 160 || len(pic.Pixels) != 160*160 {
		t.Errorf("%d %v", pic.Width, err)
	}
	// One that does not know the question has the profile's size.
	st = build(t, sim.FingerSensorOptions{Width: 192, Height: 192}, "r503")
	must(t, st.open())
	st.sim.PutFinger(somebody, sim.Press{})
	if pic, err := st.capture(); err != nil || pic.Width != 192 {
		t.Errorf("%d %v", pic.Width, err)
	}
}

func TestWaitingForAFinger(t *testing.T) {
	st := build(t, sim.FingerSensorOptions{}, "r307")
	must(t, st.open())
	waiting := make(chan struct{})
	go func() {
		<-waiting
		st.sim.PutFinger(somebody, sim.Press{})
	}()
	pic, err := st.s.Capture(within(t, 30*time.Second), func(e devices.FingerEvent) {
		if e == devices.FingerWait {
			close(waiting)
		}
	})
	must(t, err)
	pic.Wipe()
	lifted := make(chan error, 1)
	go func() { lifted <- st.s.Lifted(within(t, 30*time.Second)) }()
	select {
	case err := <-lifted:
		t.Fatalf("lifted while it lies there: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	st.sim.LiftFinger()
	must(t, <-lifted)
	why := errors.New("the citizen left")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if _, err := st.s.Capture(ctx, nil); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

func TestWhatTheModuleRefuses(t *testing.T) {
	st := build(t, sim.FingerSensorOptions{}, "r307")
	must(t, st.open())
	st.sim.PutFinger(somebody, sim.Press{})
	for code, want := range map[int]error{0x03: devices.ErrFingerBlur, 0x04: devices.ErrFingerDry, 0x05: devices.ErrFingerWet, 0x06: devices.ErrFingerBlur,
		0x07: devices.ErrFingerSmall, 0x15: devices.ErrFingerSmall, 0x29: devices.ErrUnusable, 0xFD: devices.ErrUnusable, 0x19: devices.ErrProtocol, 0xAB: devices.ErrProtocol} {
		must(t, st.sim.Fault("code", fmt.Sprint(code)))
		if _, err := st.capture(); !errors.Is(err, want) || !strings.Contains(err.Error(), fmt.Sprintf("code %02X, ", code)) {
			t.Errorf("code %02X: %v", code, err)
		}
	}
	must(t, st.sim.Clear("code"))
	must(t, st.sim.Fault("not-sent", ""))
	if _, err := st.capture(); !errors.Is(err, devices.ErrProtocol) {
		t.Errorf("not sent: %v", err)
	}
	must(t, st.sim.Fault("password", ""))
	if s, err := st.s.Probe(within(t, 20*time.Second)); err != nil || s.Connection != devices.ConnectionHardwareError || s.Reasons[0] != "code-13" {
		t.Errorf("%+v %v", s, err)
	}
	if err := st.open(); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("wrong password: %v", err)
	}
	must(t, st.sim.Clear(""))
	must(t, st.open())
	if pic, err := st.capture(); err != nil || len(pic.Pixels) != 256*288 {
		t.Errorf("after all: %v", err)
	}
}

func TestPasswordAndAddressOfAProfile(t *testing.T) {
	st := build(t, sim.FingerSensorOptions{Password: 0xDEADBEEF, Address: 0x01020304}, "r307")
	if err := st.open(); !errors.Is(err, devices.ErrSilent) {
		t.Errorf("another address: %v", err)
	}
	st.p.Address = []byte{1, 2, 3, 4}
	if err := st.open(); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("another password: %v", err)
	}
	st.p.Password = []byte{0xDE, 0xAD, 0xBE, 0xEF}
	must(t, st.open())
	st.sim.PutFinger(somebody, sim.Press{})
	_, err := st.capture()
	must(t, err)
}

// A line that damages what passes: the picture is handed over again, or there is none.
func TestALineThatDamages(t *testing.T) {
	for fault, want := range map[string]error{"sum-wrong": devices.ErrProtocol, "too-much": devices.ErrProtocol, "too-little": devices.ErrProtocol,
		"breaks-off": devices.ErrProtocol, "answer-damaged": devices.ErrProtocol, "garbage": devices.ErrProtocol, "cut-short": devices.ErrProtocol, "silent": devices.ErrSilent} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			st := build(t, sim.FingerSensorOptions{}, "r307")
			must(t, st.open())
			st.sim.PutFinger(somebody, sim.Press{})
			if fault != "garbage" && fault != "silent" && fault != "cut-short" {
				before := st.sim.State()
				must(t, st.sim.Fault(fault, "1"))
				if pic, err := st.capture(); err != nil || len(pic.Pixels) != 256*288 {
					t.Fatalf("once: %v", err)
				}
				after := st.sim.State()
				if fault != "answer-damaged" && (after.Taken != before.Taken+1 || after.Sent != before.Sent+2) {
					t.Errorf("%+v after %+v: it is taken once and handed over twice", after, before)
				}
				must(t, st.sim.Fault(fault, "1000"))
			} else {
				must(t, st.sim.Fault(fault, ""))
			}
			if pic, err := st.capture(); !errors.Is(err, want) || len(pic.Pixels) != 0 { // and not that capture's time is over
				t.Errorf("always: %v", err)
			}
			must(t, st.sim.Clear(""))
			if _, err := st.capture(); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestUnpluggedAtAnyMoment(t *testing.T) {
	st := build(t, sim.FingerSensorOptions{}, "r307")
	must(t, st.open())
	st.sim.PutFinger(somebody, sim.Press{})
	must(t, st.sim.Fault("unplug-mid-picture", ""))
	if pic, err := st.capture(); !errors.Is(err, devices.ErrNoDevice) || pic.Pixels != nil {
		t.Errorf("while a picture comes: %v", err)
	}
	if _, err := st.s.Probe(within(t, 20*time.Second)); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("probe: %v", err)
	}
	must(t, st.sim.Clear(""))
	must(t, st.open())
	st.sim.LiftFinger()
	time.AfterFunc(200*time.Millisecond, func() { _ = st.sim.Fault("unplug", "") })
	if _, err := st.capture(); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("while waiting: %v", err)
	}
	must(t, st.sim.Clear(""))
	must(t, st.open())
	st.sim.PutFinger(somebody, sim.Press{})
	_, err := st.capture()
	must(t, err)
}

// Whoever leaves while a picture comes leaves the rest of it on the line: a probe says that the sensor is busy, and the next picture
// is whole.
func TestLeavingWhileAPictureComes(t *testing.T) {
	t.Parallel()
	m, err := sim.StartFingerSensor(sim.FingerSensorOptions{Line: sim.LineOptions{Baud: 115200}, Taking: time.Millisecond})
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	p, err := fingerprint.LoadProfile("r307")
	must(t, err)
	st := &stand{t: t, sim: m, p: p}
	must(t, st.open())
	m.PutFinger(somebody, sim.Press{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err = st.s.Capture(ctx, func(e devices.FingerEvent) {
		if e == devices.FingerTaken {
			time.AfterFunc(500*time.Millisecond, cancel)
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if s, err := st.s.Probe(within(t, time.Second)); err != nil || s.Connection != devices.ConnectionBusy {
		t.Errorf("%v %v", s.Connection, err)
	}
	pic, err := st.capture()
	must(t, err)
	if len(pic.Pixels) != 256*288 {
		t.Error("half a picture")
	}
}

func TestAPictureShowsItselfToNobody(t *testing.T) {
	pic := devices.FingerPicture{Width: 2, Height: 1, Pixels: []byte{77, 78}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if s := fmt.Sprintf(verb, pic); s != "[finger]" {
			t.Errorf("%s: %q", verb, s)
		}
	}
	if b, err := json.Marshal(pic); err == nil {
		t.Errorf("%s", b)
	}
}
