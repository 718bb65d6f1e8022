//go:build lab

package lab

// Devices that the host sees as serial ports on USB: the drivers and the serial bus over the kernel's cdc-acm and ftdi_sio.

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/fingerprint"
	"github.com/budayang/kiosk/devices/idcard"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/devices/scanner"
	"github.com/budayang/kiosk/devices/sim"
)

// ports are the kernel's drivers, and how the device file of each is called.
var ports = map[string]string{sim.PortACM: "ttyACM", sim.PortFTDI: "ttyUSB"}

// portOf waits for the serial port behind a simulator's link and says which one it is.
func portOf(t testing.TB, uri string) string {
	t.Helper()
	link, _, _ := strings.Cut(strings.TrimPrefix(uri, "serial:"), "?")
	var node string
	until(t, "a serial port", func() bool {
		var err error
		node, err = os.Readlink(link)
		return err == nil
	})
	return filepath.Base(node)
}

func TestLabSerialReader(t *testing.T) {
	Inside(t)
	for kind, node := range ports {
		t.Run(kind, func(t *testing.T) {
			r, err := sim.StartIDReader(sim.ReaderOptions{Line: sim.LineOptions{USB: &sim.USBOptions{As: kind}}, Find: -1, Select: -1, Read: -1, NoneAfterRead: -1})
			must(t, err)
			t.Cleanup(func() { _ = r.Close() })
			if got := portOf(t, r.URI()); !strings.HasPrefix(got, node) {
				t.Fatalf("it is %s, expected %s…", got, node)
			} else {
				t.Logf("%s is /dev/%s", r.URI(), got)
			}
			// At another speed nothing is understood: the converter really carries the speed.
			wrong := openBus(t, strings.Replace(r.URI(), "baud=115200", "baud=57600", 1))
			if _, err := idcard.Open(within(t, patient), wrong, idcard.Options{}); err == nil {
				t.Error("it is understood at another speed")
			}
			_ = wrong.Close()
			open := func() *idcard.Reader {
				d, err := idcard.Open(within(t, patient), openBus(t, r.URI()), idcard.Options{Address: true, Fingerprint: true, Poll: 20 * time.Millisecond})
				must(t, err)
				return d
			}
			d := open()
			for _, c := range sim.SampleCards() {
				must(t, r.PutCard(c))
				card, err := d.Read(within(t, patient), nil)
				if err != nil {
					t.Fatal(err)
				}
				if card.Number != c.Number || len(card.WLT) != 1024 || len(card.Fingerprint) != c.Fingerprint {
					t.Errorf("card %d is read otherwise than it is", len(card.Number))
				}
				r.TakeCard()
				must(t, d.AwaitRemoval(within(t, patient)))
			}
			var pulled time.Time
			wait := later(300*time.Millisecond, func() { pulled = time.Now(); _ = r.Fault("unplug", "") })
			if _, err := d.Read(within(t, patient), nil); !errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("unplugged: %v", err)
			}
			ended := time.Now()
			wait()
			seen := ended.Sub(pulled)
			if seen > time.Second {
				t.Errorf("unplugging ended the reading after %v", seen)
			}
			_ = d.Close()
			put := time.Now()
			must(t, r.Clear("unplug"))
			d = open()
			back := time.Since(put)
			if back > 3*time.Second {
				t.Errorf("back after %v", back)
			}
			t.Logf("unplugging ended the reading after %v, opened %v after it was plugged in again", seen, back)
			must(t, r.PutCard(sim.SampleCards()[1]))
			if card, err := d.Read(within(t, patient), nil); err != nil || card.Number != sim.SampleCards()[1].Number {
				t.Errorf("after plugging in again: %v", err)
			}
			_ = d.Close()
		})
	}
}

func TestLabSerialScanner(t *testing.T) {
	Inside(t)
	for kind := range ports {
		t.Run(kind, func(t *testing.T) {
			s, err := sim.StartCodeScanner(sim.ScannerOptions{Line: sim.LineOptions{USB: &sim.USBOptions{As: kind}}, Suffix: "\r"})
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			portOf(t, s.URI())
			prof, err := scanner.LoadProfile("generic-cr")
			must(t, err)
			prof.GapMS = 2000 // a code is in one piece, however long the machine takes over it
			open := func() *scanner.Scanner {
				d, err := scanner.Open(within(t, patient), openBus(t, s.URI()), prof)
				must(t, err)
				return d
			}
			// shown until it is read: what was shown before the engine looked does not count.
			scan := func(d *scanner.Scanner, code string) {
				t.Helper()
				read := make(chan struct{})
				done := make(chan struct{})
				go func() {
					defer close(done)
					for {
						select {
						case <-read:
							return
						case <-time.After(300 * time.Millisecond):
							s.Show(code)
						}
					}
				}()
				got, err := d.Scan(within(t, patient))
				close(read)
				<-done
				if err != nil || string(got.Data) != code {
					t.Errorf("%d bytes read of %d: %v", len(got.Data), len(code), err)
				}
			}
			d := open()
			for _, code := range []string{"9901", "https://990000.example/" + strings.Repeat("x", 300), strings.Repeat("0123456789", 200)} {
				scan(d, code)
			}
			wait := later(300*time.Millisecond, func() { _ = s.Fault("unplug", "") })
			if _, err := d.Scan(within(t, patient)); !errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("unplugged: %v", err)
			}
			wait()
			_ = d.Close()
			must(t, s.Clear("unplug"))
			d = open()
			scan(d, "9902")
			_ = d.Close()
		})
	}
}

func TestLabSerialReceipt(t *testing.T) {
	Inside(t)
	for kind := range ports {
		t.Run(kind, func(t *testing.T) {
			p, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Line: sim.LineOptions{USB: &sim.USBOptions{As: kind}}, Head: "epson", Speed: -1})
			must(t, err)
			t.Cleanup(func() { _ = p.Close() })
			portOf(t, p.URI())
			prof, err := receipt.LoadProfile("epson-tm")
			must(t, err)
			open := func() *receipt.Printer {
				d, err := receipt.Open(within(t, patient), openBus(t, p.URI()), receipt.Options{Profile: prof})
				must(t, err)
				return d
			}
			d := open()
			if r := d.Print(within(t, patient), slipOf("A", 40)); r.Outcome != devices.PrintConfirmed {
				t.Fatalf("%+v", r)
			}
			must(t, p.Fault("unplug-mid-job", "200"))
			if r := d.Print(within(t, patient), slipOf("C", 60)); r.Outcome != devices.PrintUnknown {
				t.Errorf("unplugged: %+v", r)
			}
			_ = d.Close()
			must(t, p.Clear(""))
			d = open()
			if r := d.Print(within(t, patient), slipOf("D", 5)); r.Outcome != devices.PrintConfirmed {
				t.Errorf("after plugging in again: %+v", r)
			}
			if s := p.Slips(); len(s) < 2 || strings.Count(s[0].Text, "A line") != 40 || strings.Count(s[len(s)-1].Text, "D line") != 5 {
				t.Errorf("%d slips", len(s))
			}
			_ = d.Close()
		})
	}
}

func TestLabSerialFinger(t *testing.T) {
	Inside(t)
	for kind := range ports {
		t.Run(kind, func(t *testing.T) {
			f, err := sim.StartFingerSensor(sim.FingerSensorOptions{Line: sim.LineOptions{USB: &sim.USBOptions{As: kind}}})
			must(t, err)
			t.Cleanup(func() { _ = f.Close() })
			portOf(t, f.URI())
			prof, err := fingerprint.LoadProfile("r307")
			must(t, err)
			open := func() *fingerprint.Sensor {
				d, err := fingerprint.Open(within(t, patient), openBus(t, f.URI()), prof)
				must(t, err)
				return d
			}
			somebody := sim.FingerOf(sim.People()[0].Number, 1)
			whole := func(d *fingerprint.Sensor) {
				t.Helper()
				f.PutFinger(somebody, sim.Press{})
				pic, err := d.Capture(within(t, patient), nil)
				must(t, err)
				if want := somebody.Picture(sim.Press{Grain: uint64(f.State().Put)}, 256, 288); !bytes.Equal(pic.Pixels, want) {
					t.Error("another picture came")
				}
				f.LiftFinger()
				must(t, d.Lifted(within(t, patient)))
			}
			d := open()
			whole(d)
			f.PutFinger(somebody, sim.Press{})
			must(t, f.Fault("unplug-mid-picture", ""))
			if _, err := d.Capture(within(t, patient), nil); !errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("unplugged: %v", err)
			}
			_ = d.Close()
			must(t, f.Clear(""))
			d = open()
			whole(d)
			_ = d.Close()
		})
	}
}

// A port that nobody else may open while it is used, and that is given back.
func TestLabSerialPort(t *testing.T) {
	Inside(t)
	for kind := range ports {
		t.Run(kind, func(t *testing.T) {
			s, err := sim.StartCodeScanner(sim.ScannerOptions{Line: sim.LineOptions{USB: &sim.USBOptions{As: kind}}, Suffix: "\r"})
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			portOf(t, s.URI())
			u, err := bus.Parse(s.URI())
			must(t, err)
			b := openBus(t, s.URI())
			var g Growth
			g.Look(t, 0)
			for n := 1; n <= 20; n++ {
				must(t, b.Close())
				b = openBus(t, s.URI())
				if n%5 == 0 {
					g.Look(t, n)
				}
			}
			g.Judge(t)
			must(t, s.Fault("unplug", ""))
			began := time.Now()
			_, err = b.Read(within(t, patient), make([]byte, 8))
			seen := time.Since(began)
			t.Logf("%v after %v", err, seen)
			if !errors.Is(err, bus.ErrHangup) || seen > time.Second {
				t.Errorf("%v after %v", err, seen)
			}
			if _, err := b.Write(within(t, patient), []byte("x")); !errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("writing to nobody: %v", err)
			}
			if _, err := bus.Open(within(t, patient), u); !errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("opening nobody: %v", err)
			}
		})
	}
}
