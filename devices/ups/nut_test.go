package ups_test

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
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/devices/ups"
)

func openNUT(t *testing.T, uri, name string) (*ups.NUT, error) {
	t.Helper()
	where, err := bus.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), where)
	if err != nil {
		return nil, err
	}
	u, err := ups.OpenNUT(t.Context(), b, name)
	if err != nil {
		_ = b.Close()
	}
	return u, err
}

func nutBench(t *testing.T) (*sim.NUT, *ups.NUT) {
	t.Helper()
	s, err := sim.StartNUT("hall-3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	u, err := openNUT(t, s.URI(), "hall-3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return s, u
}

func TestNUTPowerAndReasonsOfEachState(t *testing.T) {
	s, u := nutBench(t)
	for _, c := range []struct {
		status  string
		power   devices.Power
		reasons []string
		unready devices.Unready
	}{
		{"OL", devices.PowerGood, nil, devices.UnreadyNot},
		{"OL CHRG", devices.PowerGood, nil, devices.UnreadyNot},
		{"OL BYPASS OVER", devices.PowerGood, []string{"bypass", "overload"}, devices.UnreadyNot},
		{"OL RB", devices.PowerFailed, []string{"replace-battery"}, devices.UnreadyNot},
		{"OL LB CHRG", devices.PowerFailed, []string{"battery-low"}, devices.UnreadyNot},
		{"OB DISCHRG", devices.PowerEngaged, []string{"on-battery"}, devices.UnreadyNot},
		{"OB LB", devices.PowerLow, []string{"battery-low", "on-battery"}, devices.UnreadyNot},
		{"FSD OB LB", devices.PowerLow, []string{"shutdown-pending", "battery-low", "on-battery"}, devices.UnreadyBroken},
		{"OFF", devices.PowerFailed, []string{"off"}, devices.UnreadyBroken},
	} {
		t.Run(c.status, func(t *testing.T) {
			s.Set("ups.status", c.status)
			p, err := u.Power(t.Context())
			if err != nil || p.Power != c.power || p.InputVolts != 226 || p.LoadPercent != 14 || p.BatteryVolts != 27.4 || p.ChargePercent != 100 || p.RuntimeSeconds != 1830 {
				t.Errorf("%+v, %v", p, err)
			}
			st, err := u.Probe(t.Context())
			if err != nil || !slices.Equal(st.Reasons, c.reasons) || st.Unready() != c.unready {
				t.Errorf("%+v, %v", st, err)
			}
			if st.Identity != (devices.Identity{Maker: "BUDAYANG", Model: `SIM "2000"`, Serial: "NUT0001", Firmware: "V1.0"}) {
				t.Errorf("%+v", st.Identity)
			}
		})
	}
	for _, c := range []string{"SET", "INSTCMD", "LOGIN", "FSD", "USERNAME", "PASSWORD"} {
		if s.Asked(c) > 0 {
			t.Errorf("the driver sent %s", c)
		}
	}
}

// Whatever a maker calls low: at 20 % of its charge a battery that is being used is low, and one that is being charged is not.
func TestNUTChargeThatIsLow(t *testing.T) {
	s, u := nutBench(t)
	for _, c := range []struct {
		status, charge string
		power          devices.Power
		reasons        []string
	}{
		{"OB DISCHRG", "21", devices.PowerEngaged, []string{ups.ReasonBattery}},
		{"OB DISCHRG", "20", devices.PowerLow, []string{ups.ReasonLow, ups.ReasonBattery}},
		{"OB DISCHRG", "", devices.PowerEngaged, []string{ups.ReasonBattery}},
		{"OL CHRG", "5", devices.PowerGood, nil},
	} {
		s.Set("ups.status", c.status)
		s.Set("battery.charge", c.charge)
		p, err := u.Power(t.Context())
		st, perr := u.Probe(t.Context())
		if err != nil || perr != nil || p.Power != c.power || !slices.Equal(st.Reasons, c.reasons) {
			t.Errorf("%s at %s%%: %+v, %v; %v, %v", c.status, c.charge, p, err, st.Reasons, perr)
		}
	}
}

func TestNUTFiguresThatCannotBe(t *testing.T) {
	s, u := nutBench(t)
	for name, value := range map[string]string{"input.voltage": "99999", "ups.load": "NaN", "battery.charge": "101", "battery.runtime": "-3", "battery.voltage": ""} {
		s.Set(name, value)
	}
	p, err := u.Power(t.Context())
	if err != nil || p.Power != devices.PowerGood {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, f := range []float64{p.InputVolts, p.LoadPercent, p.ChargePercent, p.RuntimeSeconds, p.BatteryVolts} {
		if f != devices.Unmeasured {
			t.Errorf("%+v", p)
		}
	}
}

func TestNUTPowerIsUnknownWhenNothingIsSaid(t *testing.T) {
	for fault, want := range map[string]error{"silent": devices.ErrSilent, "garbage": devices.ErrProtocol, "other-answer": devices.ErrProtocol,
		"cut-short": devices.ErrProtocol, "unplug": devices.ErrNoDevice} {
		t.Run(fault, func(t *testing.T) {
			s, u := nutBench(t)
			if err := s.Fault(fault, ""); err != nil {
				t.Fatal(err)
			}
			if p, err := u.Power(t.Context()); !errors.Is(err, want) || p.Power != devices.PowerUnknown {
				t.Errorf("%+v, %v; expected %v", p, err, want)
			}
			if err := s.Clear(""); err != nil {
				t.Fatal(err)
			}
			if fault == "unplug" {
				_ = u.Close()
				again, err := openNUT(t, s.URI(), "hall-3")
				if err != nil {
					t.Fatal(err)
				}
				defer again.Close()
				u = again
			}
			if p, err := u.Power(t.Context()); err != nil || p.Power != devices.PowerGood {
				t.Errorf("afterwards %+v, %v", p, err)
			}
		})
	}
}

func TestNUTThatLostItsUPS(t *testing.T) {
	s, u := nutBench(t)
	s.Stale(true)
	if p, err := u.Power(t.Context()); err == nil || p.Power != devices.PowerUnknown {
		t.Errorf("%+v, %v", p, err)
	}
	if st, err := u.Probe(t.Context()); err != nil || st.Unready() != devices.UnreadyNoDevice || !slices.Equal(st.Reasons, []string{"data-stale"}) {
		t.Errorf("%+v, %v", st, err)
	}
	s.Stale(false)
	if p, err := u.Power(t.Context()); err != nil || p.Power != devices.PowerGood {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNUTRefusesNames(t *testing.T) {
	s, err := sim.StartNUT("hall-3")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range map[string]error{"hall-4": devices.ErrUnusable, "": devices.ErrUnusable, "a b": devices.ErrUnusable, "x\nFSD hall-3": devices.ErrUnusable,
		strings.Repeat("x", 65): devices.ErrUnusable} {
		if _, err := openNUT(t, s.URI(), name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Debian's upsd with its dummy driver, which shares no code with us.
func TestNUTPeer(t *testing.T) {
	need := func(program string) string {
		for _, dir := range []string{"/lib/nut", "/usr/lib/nut", "/usr/sbin", "/sbin"} {
			if p := filepath.Join(dir, program); exists(p) {
				return p
			}
		}
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal("no " + program + ": deploy/setup/install.sh test")
		}
		t.Skip("no " + program + ": deploy/setup/install.sh test")
		return ""
	}
	upsd, driver := need("upsd"), need("dummy-ups")
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	write := func(name, text string) {
		t.Helper()
		tmp := filepath.Join(dir, name+".new")
		if err := os.WriteFile(tmp, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	state := func(status string) string {
		return "ups.status: " + status + "\nbattery.charge: 87\nbattery.runtime: 900\ninput.voltage: 231.0\nups.load: 21\nups.alarm: none\n"
	}
	write("ups.conf", "[peer]\n driver = dummy-ups\n mode = dummy-once\n port = "+filepath.Join(dir, "peer.dev")+"\n desc = \"synthetic\"\n")
	write("upsd.conf", fmt.Sprintf("LISTEN 127.0.0.1 %d\n", port))
	write("upsd.users", "")
	write("peer.dev", state("OL"))
	run := func(program string, args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "NUT_CONFPATH="+dir, "NUT_STATEPATH="+dir, "NUT_ALTPIDPATH="+dir)
		log, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			_ = log.Close()
			if t.Failed() {
				b, _ := os.ReadFile(log.Name())
				t.Logf("%s: %s", program, b)
			}
		})
	}
	// -D keeps both in the foreground; they give up root themselves unless told to stay.
	run(driver, "-D", "-a", "peer", "-u", "root")
	run(upsd, "-D", "-u", "root")
	var u *ups.NUT
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if u, err = openNUT(t, fmt.Sprintf("tcp:127.0.0.1:%d", port), "peer"); err == nil {
			if p, perr := u.Power(t.Context()); perr == nil && p.Power == devices.PowerGood && p.ChargePercent == 87 {
				break
			}
			_ = u.Close()
		}
		if time.Now().After(end) {
			t.Fatalf("upsd does not answer: %v", err)
		}
	}
	defer u.Close()
	if st, err := u.Probe(t.Context()); err != nil || st.Unready() != devices.UnreadyNot || st.Identity.Maker != "Dummy Manufacturer" {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := openNUT(t, fmt.Sprintf("tcp:127.0.0.1:%d", port), "other"); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("a UPS that upsd does not know: %v", err)
	}
	write("peer.dev", state("OB LB"))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		p, err := u.Power(t.Context())
		if err == nil && p.Power == devices.PowerLow {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v, %v", p, err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
