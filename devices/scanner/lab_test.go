//go:build lab

package scanner

// A scanner that sends reports against the kernel's own usbhid and hidraw: found by serial number, read, told, pulled and put back.

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/devices/sim/usbip"
	"github.com/budayang/kiosk/test/lab"
)

// opened waits until the kernel has the scanner and opens it.
func opened(t *testing.T, uri, profile string) *Scanner {
	t.Helper()
	p, err := LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	u, err := bus.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		b, err := bus.Open(t.Context(), u)
		if err == nil {
			s, err := Open(t.Context(), b, p)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%s: %v", uri, err)
		}
	}
}

func TestLabScannerOfReports(t *testing.T) {
	lab.Inside(t)
	for _, driver := range []string{"usbhid", "hid-generic"} {
		if out, err := exec.Command("modprobe", "-d", os.Getenv("LAB_MODULE_ROOT"), driver).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", driver, err, out)
		}
	}
	engine := sim.NewHIDScanner(sim.HIDScannerOptions{Serial: "SN-1", Suffix: "\r", Triggered: true})
	p, err := usbip.Plug(engine.Device(), usbip.AnyPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Pull)
	began := time.Now()
	s := opened(t, "hid:0c2e:0b61:SN-1", "honeywell-hid")
	t.Logf("opened after %v", time.Since(began))
	port, err := p.Path()
	if err != nil {
		t.Fatal(err)
	}
	if i, err := bus.FindHID(bus.USBAddress{Vendor: 0x0C2E, Product: 0x0B61, Port: port, Interface: -1}); err != nil || i.Serial != "SN-1" || !IsPOS(i.Descriptor) {
		t.Errorf("at port %s: %+v, %v", port, i, err)
	}
	if st, err := s.Probe(t.Context()); err != nil || st.Identity.Serial != "SN-1" {
		t.Errorf("%+v, %v", st, err)
	}
	for _, code := range []string{"6901234567892", "健康码 HLTH-990000", strings.Repeat("5", 56), strings.Repeat("8", 2000)} {
		c, err := posScan(t, s, func() bool { return engine.Show(code) })
		if err != nil || string(c.Data) != code {
			t.Fatalf("%d bytes of %d, %v", len(c.Data), len(code), err)
		}
	}
	for end := time.Now().Add(5 * time.Second); engine.Looking(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it looks on: SET_REPORT did not arrive")
		}
	}
	for _, r := range engine.Told() {
		if len(r) != 64 || r[0] != 0xFD {
			t.Errorf("told %x", r)
		}
	}
	var pulled time.Time
	time.AfterFunc(300*time.Millisecond, func() { pulled = time.Now(); p.Pull() })
	if _, err := s.Scan(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("pulled while waiting: %v", err)
	}
	t.Logf("unplugging seen after %v", time.Since(pulled))
	_ = s.Close()
	// Another unit is not taken for the one that is named; the right one is.
	other := sim.NewHIDScanner(sim.HIDScannerOptions{Serial: "SN-2"})
	q, err := usbip.Plug(other.Device(), usbip.AnyPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Pull)
	_ = opened(t, "hid:0c2e:0b61:SN-2", "hid-pos").Close()
	u, err := bus.Parse("hid:0c2e:0b61:SN-1")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := bus.Open(t.Context(), u); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("another unit: %v, %v", b, err)
	}
	began = time.Now()
	if p, err = usbip.Plug(engine.Device(), usbip.AnyPort); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Pull)
	s = opened(t, "hid:0c2e:0b61:SN-1", "honeywell-hid")
	t.Logf("back after %v", time.Since(began))
	if c, err := posScan(t, s, func() bool { return engine.Show("back") }); err != nil || string(c.Data) != "back" {
		t.Errorf("%q, %v", c.Data, err)
	}
}
