//go:build lab

package usb

// The bus against the real kernel, with devices from package usbip behind its virtual host controller.

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/sim/usbip"
	"github.com/budayang/kiosk/test/lab"
)

// rig is a printer with its pipes, as the tests steer it.
type rig struct {
	dev     *usbip.Device
	out, in *usbip.Endpoint
}

func newRig(serial string) *rig {
	r := &rig{out: usbip.NewOut(1, 64), in: usbip.NewIn(2, 64)}
	r.dev = &usbip.Device{Vendor: 0x0FE6, Product: 0x811E, Release: 0x0100, Manufacturer: "Budayang", ProductName: "Test head", Serial: serial,
		Interfaces: []usbip.Interface{{Class: 7, SubClass: 1, Protocol: 2, Endpoints: []*usbip.Endpoint{r.out, r.in}}},
		Control: func(s usbip.Setup, _ []byte) ([]byte, bool) {
			switch [2]byte{s.Type, s.Request} {
			case [2]byte{0xA1, 0}:
				id := "MFG:Budayang;MDL:Test head;CMD:ESC/POS;"
				return append([]byte{byte((len(id) + 2) >> 8), byte(len(id) + 2)}, id...), true
			case [2]byte{0xA1, 1}:
				return []byte{0x18}, true
			case [2]byte{0x21, 2}:
				return nil, true
			}
			return nil, false
		}}
	return r
}

func plug(t *testing.T, d *usbip.Device, port int) *usbip.Plugged {
	t.Helper()
	p, err := usbip.Plug(d, port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Pull)
	return p
}

// patient is for what must come, whenever that is: the machine is emulated, and its host may have other work. Tests measure by the
// machine's clock only what is a requirement.
const patient = time.Minute

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for something that takes the kernel a moment.
func eventually(t testing.TB, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > patient {
			t.Fatalf("%s: not within %v", what, patient)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// uri parses, or the test is wrong.
func uri(t testing.TB, s string) bus.URI {
	t.Helper()
	u, err := bus.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

const head = "usb:0fe6:811e"

// opened waits until a device is there and opens it.
func opened(t testing.TB, where string) bus.Bus {
	t.Helper()
	u := uri(t, where)
	eventually(t, where, func() bool { return Present(u.USB) })
	var b bus.Bus
	eventually(t, "opening "+where, func() bool {
		var err error
		if b, err = bus.Open(within(t, patient), u); err != nil {
			t.Logf("opening: %v", err)
		}
		return err == nil
	})
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestLabPrinterIsFoundOpenedAndPrints(t *testing.T) {
	lab.Inside(t)
	r := newRig("SN-1")
	p := plug(t, r.dev, 0)
	path, err := p.Path()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel's own driver takes it first; opening takes it off.
	driver := filepath.Join("/sys/bus/usb/devices", path+":1.0", "driver")
	t.Logf("usblp bound after %v", eventually(t, "usblp", func() bool {
		d, err := os.Readlink(driver)
		return err == nil && filepath.Base(d) == "usblp"
	}))
	info, err := Find(uri(t, head).USB)
	if err != nil || info.Path != path || info.Serial != "SN-1" || info.Model != "Test head" {
		t.Fatalf("%+v, %v; expected port %s", info, err, path)
	}
	began := time.Now()
	b := opened(t, head+":SN-1?port="+path)
	t.Logf("opened in %v", time.Since(began))
	if d, _ := os.Readlink(driver); filepath.Base(d) != "usbfs" {
		t.Errorf("interface belongs to %q", d)
	}
	printer, ok := b.(bus.PrinterPort)
	if !ok {
		t.Fatal("no printer port")
	}
	if id, err := printer.DeviceID(); err != nil || id != "MFG:Budayang;MDL:Test head;CMD:ESC/POS;" {
		t.Errorf("%q, %v", id, err)
	}
	if s, err := printer.PortStatus(); err != nil || s != (bus.PortStatus{Selected: true}) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := printer.SoftReset(); err != nil {
		t.Error(err)
	}
	if id := b.(bus.Identified).Identity(); id.Serial != "SN-1" || id.Maker != "Budayang" {
		t.Errorf("%+v", id)
	}
	job := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	got := make(chan []byte)
	go func() {
		var all []byte
		buf := make([]byte, 8192)
		for len(all) < len(job) {
			n, err := r.out.Read(buf)
			if err != nil {
				break
			}
			all = append(all, buf[:n]...)
		}
		got <- all
	}()
	if n, err := b.Write(within(t, patient), job); n != len(job) || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if !bytes.Equal(<-got, job) {
		t.Error("what was written did not arrive")
	}
	if _, err := r.in.Write([]byte{0x12}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	if n, err := b.Read(within(t, patient), buf); err != nil || n != 1 || buf[0] != 0x12 {
		t.Errorf("%x, %v", buf[:n], err)
	}
	if _, err := b.Read(within(t, 50*time.Millisecond), buf); !errors.Is(err, bus.ErrTimeout) {
		t.Errorf("silence: %v", err)
	}
	// Closing gives it back to the kernel.
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "usblp again", func() bool {
		d, err := os.Readlink(driver)
		return err == nil && filepath.Base(d) == "usblp"
	})
	if _, err := b.Write(within(t, 20*time.Second), []byte("x")); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("writing after Close: %v", err)
	}
	if _, err := printer.PortStatus(); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("asking after Close: %v", err)
	}
}
