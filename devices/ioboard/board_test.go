package ioboard_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/ioboard"
	"github.com/budayang/kiosk/devices/sim"
)

func start(t *testing.T, opt sim.IOBoardOptions) *sim.IOBoard {
	t.Helper()
	opt.Line.Unpaced = true
	s, err := sim.StartIOBoard(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func line(t *testing.T, uri string) *ioboard.Line {
	t.Helper()
	where, err := bus.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return ioboard.NewLine(b)
}

func profileNamed(t *testing.T, name string) ioboard.Profile {
	t.Helper()
	p, err := ioboard.LoadProfile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t *testing.T, l *ioboard.Line, role devices.Role, p ioboard.Profile) *ioboard.Board {
	t.Helper()
	b, err := ioboard.Open(t.Context(), l, role, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

const usual = "eight-in-eight-out"

// The door's switch opens its circuit with the door: input 0 is on while it is closed.
func shut(s *sim.IOBoard) { s.Input(0, true) }

func TestContactsOfEachState(t *testing.T) {
	s := start(t, sim.IOBoardOptions{})
	b := open(t, line(t, s.URI()), devices.RoleDoor, profileNamed(t, usual))
	for _, c := range []struct {
		name    string
		inputs  [3]bool
		want    devices.Contacts
		unready devices.Unready
		media   devices.Media
		reasons []string
	}{
		{"all quiet", [3]bool{true, false, false}, devices.Contacts{Door: devices.CoverClosed, Tamper: devices.ContactQuiet, Body: devices.ContactQuiet}, devices.UnreadyNot, devices.MediaNotPresent, nil},
		{"door open", [3]bool{false, false, false}, devices.Contacts{Door: devices.CoverOpen, Tamper: devices.ContactQuiet, Body: devices.ContactQuiet}, devices.UnreadyCoverOpen, devices.MediaNotPresent, nil},
		{"moved", [3]bool{true, true, false}, devices.Contacts{Door: devices.CoverClosed, Tamper: devices.ContactTripped, Body: devices.ContactQuiet}, devices.UnreadyNot, devices.MediaNotPresent, []string{"tamper"}},
		{"somebody comes", [3]bool{true, false, true}, devices.Contacts{Door: devices.CoverClosed, Tamper: devices.ContactQuiet, Body: devices.ContactTripped}, devices.UnreadyNot, devices.MediaPresent, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, on := range c.inputs {
				s.Input(i, on)
			}
			got, err := b.Contacts(t.Context())
			if err != nil || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
			st, err := b.Probe(t.Context())
			if err != nil || st.Unready() != c.unready || st.Media != c.media || !slices.Equal(st.Reasons, c.reasons) || st.Role != devices.RoleDoor {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
	if s.Writes() != 0 {
		t.Error("asking switched something")
	}
}

func TestEveryFaultIsSaidAndNothingIsGuessed(t *testing.T) {
	for _, c := range []struct {
		fault, value string
		err          error
		conn         devices.Connection
	}{
		{"silent", "", devices.ErrSilent, devices.ConnectionNoDevice},
		{"unplug", "", devices.ErrNoDevice, devices.ConnectionNoDevice},
		{"garbage", "300", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"garbage", "3", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"cut-short", "", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"bad-crc", "", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"other-unit", "", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"other-answer", "", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"wrong-count", "", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"exception", "4", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"exception", "2", devices.ErrUnusable, devices.ConnectionHardwareError},
		{"exception", "6", devices.ErrBusy, devices.ConnectionHardwareError},
		{"exception", "200", devices.ErrProtocol, devices.ConnectionHardwareError},
		{"late", "2500", devices.ErrSilent, devices.ConnectionNoDevice},
	} {
		t.Run(c.fault+" "+c.value, func(t *testing.T) {
			t.Parallel()
			s := start(t, sim.IOBoardOptions{})
			shut(s)
			b := open(t, line(t, s.URI()), devices.RoleDoor, profileNamed(t, usual))
			if err := s.Fault(c.fault, c.value); err != nil {
				t.Fatal(err)
			}
			got, err := b.Contacts(t.Context())
			if !errors.Is(err, c.err) || got.Door != devices.CoverUnknown || got.Tamper != devices.ContactUnknown || got.Body != devices.ContactUnknown {
				t.Errorf("%+v, %v", got, err)
			}
			if st, err := b.Probe(t.Context()); err == nil || st.Connection != c.conn || st.Cover == devices.CoverClosed {
				t.Errorf("%+v, %v", st, err)
			}
			if c.fault == "unplug" || c.fault == "late" { // answers to all that was asked are still to come
				return
			}
			if err := s.Clear(""); err != nil {
				t.Fatal(err)
			}
			if got, err := b.Contacts(t.Context()); err != nil || got.Door != devices.CoverClosed {
				t.Errorf("mended: %+v, %v", got, err)
			}
		})
	}
}

func TestOneDisturbedAnswerIsAskedForAgain(t *testing.T) {
	for _, fault := range []string{"bad-crc", "cut-short", "other-unit", "other-answer", "wrong-count"} {
		s := start(t, sim.IOBoardOptions{})
		shut(s)
		b := open(t, line(t, s.URI()), devices.RoleDoor, profileNamed(t, usual))
		if err := s.Fault(fault, "1"); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Contacts(t.Context()); err != nil || got.Door != devices.CoverClosed {
			t.Errorf("%s: %+v, %v", fault, got, err)
		}
	}
}

// Frames carry no number: an answer that came too late must not be taken for the answer to another question.
func TestALateAnswerIsNotTheNextOnes(t *testing.T) {
	s := start(t, sim.IOBoardOptions{})
	p := profileNamed(t, usual)
	p.Lights[1].Address = 1
	l := line(t, s.URI())
	door, lights := open(t, l, devices.RoleDoor, p), open(t, l, devices.RoleLights, p)
	shut(s)
	if err := s.Fault("late", "700"); err != nil { // just too late
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := door.Contacts(t.Context()); done <- err }()
	time.Sleep(650 * time.Millisecond)
	if err := s.Clear("late"); err != nil {
		t.Fatal(err)
	}
	if err := lights.Light(t.Context(), "receipt-printer", true); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !s.Coil(1) || s.Coil(0) || s.Coil(2) {
		t.Error("another light was switched")
	}
	for range 20 {
		if got, err := door.Contacts(t.Context()); err != nil || got.Door != devices.CoverClosed || got.Tamper != devices.ContactQuiet {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}

func TestASwitchThatNeverSettlesIsOpen(t *testing.T) {
	s := start(t, sim.IOBoardOptions{})
	b := open(t, line(t, s.URI()), devices.RoleDoor, profileNamed(t, usual))
	if err := s.Fault("chatters", ""); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Contacts(t.Context()); err != nil || got.Door != devices.CoverOpen {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLights(t *testing.T) {
	s := start(t, sim.IOBoardOptions{})
	b := open(t, line(t, s.URI()), devices.RoleLights, profileNamed(t, usual))
	if got := b.Lights(); len(got) != 7 || got[0] != "card-dispenser" || !slices.Contains(got, devices.LightFill) {
		t.Errorf("%v", got)
	}
	if st, err := b.Probe(t.Context()); err != nil || st.Unready() != "" || st.Cover != devices.CoverNotSupported {
		t.Errorf("%+v, %v", st, err)
	}
	for _, on := range []bool{true, true, false} {
		if err := b.Light(t.Context(), "id-reader", on); err != nil || s.Coil(0) != on {
			t.Errorf("%v: %v", on, err)
		}
	}
	if err := b.Light(t.Context(), "toaster", true); !errors.Is(err, devices.ErrNotWired) {
		t.Error(err)
	}
	if err := s.Fault("deaf-outputs", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Light(t.Context(), "id-reader", true); !errors.Is(err, devices.ErrProtocol) || !strings.Contains(err.Error(), "not switched") {
		t.Error(err)
	}
}

func TestALockIsLockedAgainWhateverHappens(t *testing.T) {
	s := start(t, sim.IOBoardOptions{})
	b := open(t, line(t, s.URI()), devices.RoleLights, profileNamed(t, usual))
	begun := time.Now()
	if err := b.Release(t.Context(), "door"); err != nil || time.Since(begun) < 500*time.Millisecond || s.Coil(7) {
		t.Errorf("%v after %v, open %v", err, time.Since(begun), s.Coil(7))
	}
	if s.Writes() != 2 {
		t.Errorf("%d writes", s.Writes())
	}
	if err := b.Release(t.Context(), "vault"); !errors.Is(err, devices.ErrNotWired) {
		t.Error(err)
	}
	// Disturbed while it is open: the lock is told again.
	done := make(chan error, 1)
	go func() { done <- b.Release(t.Context(), "door") }()
	for !s.Coil(7) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
	if err := s.Fault("bad-crc", "5"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || s.Coil(7) {
		t.Errorf("%v, open %v", err, s.Coil(7))
	}
	// The board dies while it is open: that is said.
	go func() { done <- b.Release(t.Context(), "door") }()
	for !s.Coil(7) {
		time.Sleep(time.Millisecond)
	}
	if err := s.Fault("unplug", ""); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, devices.ErrNoDevice) {
		t.Error(err)
	}
}

func TestRegistersInsteadOfBits(t *testing.T) {
	p, err := ioboard.ParseProfile("t.toml", []byte(`unit = 9
[[contact]]
name = "door"
table = "input"
address = 3
bit = 4
active = 1
[[contact]]
name = "tamper"
table = "input"
address = 5
bit = 15
active = 0
[[light]]
name = "fill"
table = "holding"
address = 6
on = 80
off = 5
`))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, sim.IOBoardOptions{Unit: 9})
	l := line(t, s.URI())
	door, lights := open(t, l, devices.RoleDoor, p), open(t, l, devices.RoleLights, p)
	s.Holding(5, 0x8000)
	if got, err := door.Contacts(t.Context()); err != nil || got != (devices.Contacts{Door: devices.CoverClosed, Tamper: devices.ContactQuiet, Body: devices.ContactNotSupported}) {
		t.Errorf("%+v, %v", got, err)
	}
	s.Holding(3, 0x0010)
	s.Holding(5, 0x7FFF)
	if got, err := door.Contacts(t.Context()); err != nil || got.Door != devices.CoverOpen || got.Tamper != devices.ContactTripped {
		t.Errorf("%+v, %v", got, err)
	}
	if err := lights.Light(t.Context(), "fill", true); err != nil || s.Register(6) != 80 {
		t.Error(err, s.Register(6))
	}
	if err := lights.Light(t.Context(), "fill", false); err != nil || s.Register(6) != 5 {
		t.Error(err, s.Register(6))
	}
}

func TestABoardThatDoesNotFit(t *testing.T) {
	small := start(t, sim.IOBoardOptions{Size: 2})
	other := start(t, sim.IOBoardOptions{Unit: 7})
	for name, c := range map[string]struct {
		uri  string
		role devices.Role
		p    ioboard.Profile
		err  error
	}{
		"fewer inputs": {small.URI(), devices.RoleDoor, profileNamed(t, usual), devices.ErrUnusable},
		"fewer relays": {small.URI(), devices.RoleLights, profileNamed(t, usual), devices.ErrUnusable},
		"another unit": {other.URI(), devices.RoleDoor, profileNamed(t, usual), devices.ErrSilent},
		"no contact":   {other.URI(), devices.RoleDoor, ioboard.Profile{Unit: 7}, devices.ErrUnusable},
		"no light":     {other.URI(), devices.RoleLights, ioboard.Profile{Unit: 7}, devices.ErrUnusable},
	} {
		if _, err := ioboard.Open(t.Context(), line(t, c.uri), c.role, c.p); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two roles on one line: each may close, be opened again and hang up without the other's line going away under it.
func TestTwoRolesShareALine(t *testing.T) {
	s := start(t, sim.IOBoardOptions{})
	shut(s)
	p := profileNamed(t, usual)
	l := line(t, s.URI())
	door, lights := open(t, l, devices.RoleDoor, p), open(t, l, devices.RoleLights, p)
	end := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for on := true; ; on = !on {
			select {
			case <-end:
				return
			default:
			}
			if err := lights.Light(t.Context(), "id-reader", on); err != nil {
				failed <- err
				return
			}
		}
	}()
	for range 50 {
		if got, err := door.Contacts(t.Context()); err != nil || got.Door != devices.CoverClosed {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	close(end)
	if err := <-failed; err != nil {
		t.Error(err)
	}
	if err := errors.Join(door.Close(), door.Close()); err != nil {
		t.Error(err)
	}
	if err := lights.Light(t.Context(), "id-reader", true); err != nil || l.Gone() {
		t.Errorf("the line went with the first role: %v", err)
	}
	_ = lights.Close()
	if !l.Gone() {
		t.Error("the line is held by nobody")
	}
	if _, err := ioboard.Open(t.Context(), l, devices.RoleDoor, p); !errors.Is(err, devices.ErrNoDevice) {
		t.Error(err)
	}
}

func TestProfilesSayWhatIsWrong(t *testing.T) {
	for _, name := range ioboard.Profiles() {
		profileNamed(t, name)
	}
	if _, err := ioboard.LoadProfile("x"); !errors.Is(err, devices.ErrUnusable) || !strings.Contains(err.Error(), usual) {
		t.Error(err)
	}
	own := filepath.Join(t.TempDir(), "hall.toml")
	if err := os.WriteFile(own, []byte("unit = 3\n[[contact]]\nname = \"door\"\ntable = \"coil\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := profileNamed(t, own); p.Unit != 3 {
		t.Errorf("%+v", p)
	}
	for text, say := range map[string]string{
		"unit = 0": "unit: 0, expected 1 to 247",
		"unit = 1\n[[contact]]\nname = \"window\"\ntable = \"coil\"":                                                                      "contact[0].name",
		"unit = 1\n[[contact]]\nname = \"door\"\ntable = \"coil\"\nbit = 3":                                                               "contact[0].bit: 3, expected 0",
		"unit = 1\n[[contact]]\nname = \"door\"\ntable = \"coil\"\n[[contact]]\nname = \"door\"\ntable = \"coil\"":                        "twice",
		"unit = 1\n[[contact]]\nname = \"door\"\ntable = \"coil\"\n[[contact]]\nname = \"body\"\ntable = \"coil\"\naddress = 64":          "at most 63 apart",
		"unit = 1\n[[light]]\nname = \"fill\"\ntable = \"coil\"":                                                                          "expected 1 and 0",
		"unit = 1\n[[light]]\nname = \"Fill\"\ntable = \"coil\"\non = 1":                                                                  "small letters",
		"unit = 1\n[[light]]\nname = \"fill\"\ntable = \"coil\"\non = 1\npulse_ms = 5":                                                    "expected none",
		"unit = 1\n[[light]]\nname = \"fill\"\ntable = \"holding\"\non = 7\noff = 7":                                                      "is off as well",
		"unit = 1\n[[lock]]\nname = \"door\"\ntable = \"coil\"\non = 1":                                                                   "lock[0].pulse_ms: 0, expected 50 to 10000",
		"unit = 1\n[[light]]\nname = \"fill\"\ntable = \"coil\"\non = 1\n[[light]]\nname = \"fill\"\ntable = \"coil\"\non = 1\naddress=1": "twice",
		"unit = 1\nspeed = 9600": "no such key",
	} {
		if _, err := ioboard.ParseProfile("t.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v does not say %q", text, err, say)
		}
	}
}

// TestPeer is the driver against a slave by others: pymodbus of Debian.
func TestPeer(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import pymodbus.server").Run(); err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal("pymodbus is missing: install python3-pymodbus, python3-serial-asyncio")
		}
		t.Skip("pymodbus is missing: install python3-pymodbus, python3-serial-asyncio")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/slave.py", fmt.Sprint(port))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(20 * time.Second); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("pymodbus did not come up: %s", said.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
	ln := line(t, "tcp:"+addr)
	p := profileNamed(t, usual)
	door, lights := open(t, ln, devices.RoleDoor, p), open(t, ln, devices.RoleLights, p)
	if got, err := door.Contacts(t.Context()); err != nil || got != (devices.Contacts{Door: devices.CoverClosed, Tamper: devices.ContactQuiet, Body: devices.ContactTripped}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, on := range []bool{true, false} {
		if err := lights.Light(t.Context(), "status", on); err != nil {
			t.Error(err)
		}
	}
	if err := lights.Release(t.Context(), "door"); err != nil {
		t.Error(err)
	}
	registers, err := ioboard.ParseProfile("t.toml", []byte(`unit = 1
[[contact]]
name = "door"
table = "holding"
bit = 15
active = 1
[[contact]]
name = "tamper"
table = "input"
bit = 8
active = 1
[[light]]
name = "fill"
table = "holding"
address = 4
on = 40000
`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, ln, devices.RoleDoor, registers).Contacts(t.Context()); err != nil || got.Door != devices.CoverOpen || got.Tamper != devices.ContactTripped {
		t.Errorf("%+v, %v", got, err)
	}
	if err := open(t, ln, devices.RoleLights, registers).Light(t.Context(), "fill", true); err != nil {
		t.Error(err)
	}
	far := p
	far.Contacts = []ioboard.Input{{Name: "door", Table: "discrete", Address: 400}}
	if _, err := ioboard.Open(t.Context(), ln, devices.RoleDoor, far); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("an address that is not there: %v", err)
	}
}
