//go:build lab

package lab

// The drivers over USB: the same ones as on serial lines, the simulators' engines behind USB pipes, the kernel and libusb between.

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/gousb"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/bus/usb"
	"github.com/budayang/kiosk/devices/idcard"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/devices/sim/usbip"
	"github.com/budayang/kiosk/devices/supervisor"
	"github.com/budayang/kiosk/slip"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patient is for what must come, whenever that is: the machine is emulated, and its host may have other work. Tests measure by the
// machine's clock only what is a requirement.
const patient = time.Minute

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// until waits for something and says how long it took.
func until(t testing.TB, what string, ok func() bool) time.Duration {
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

// later does something after a while, and returns what waits until it is done.
func later(d time.Duration, do func()) (wait func()) {
	done := make(chan struct{})
	time.AfterFunc(d, func() { defer close(done); do() })
	return func() { <-done }
}

// openBus waits until the device is there and opens it.
func openBus(t testing.TB, uri string) bus.Bus {
	t.Helper()
	u, err := bus.Parse(uri)
	must(t, err)
	var b bus.Bus
	began := time.Now()
	for b, err = bus.Open(within(t, patient), u); err != nil; b, err = bus.Open(within(t, patient), u) {
		if time.Since(began) > patient {
			t.Fatalf("opening %s: %v", uri, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func gone(t testing.TB, uri string) time.Duration {
	t.Helper()
	u, err := bus.Parse(uri)
	must(t, err)
	return until(t, "going", func() bool { return !usb.Present(u.USB) })
}

func reader(t testing.TB, split bool) *sim.IDReader {
	t.Helper()
	r, err := sim.StartIDReader(sim.ReaderOptions{Line: sim.LineOptions{USB: &sim.USBOptions{Split: split}}, Find: -1, Select: -1, Read: -1, NoneAfterRead: -1})
	must(t, err)
	t.Cleanup(func() { _ = r.Close(); gone(t, r.URI()) })
	return r
}

func TestLabReaderBothFramings(t *testing.T) {
	Inside(t)
	for _, split := range []bool{true, false} {
		for _, framing := range []string{"", bus.FramingSplit, bus.FramingWhole} {
			t.Run(fmt.Sprintf("split %v, told %q", split, framing), func(t *testing.T) {
				r := reader(t, split)
				b := openBus(t, r.URI())
				began := time.Now()
				d, err := idcard.Open(within(t, patient), b, idcard.Options{Framing: framing, Address: true, Fingerprint: true, Poll: 20 * time.Millisecond})
				if split == (framing == bus.FramingWhole) && framing != "" || !split && framing == bus.FramingSplit {
					if err == nil {
						t.Fatal("the wrong framing works")
					}
					t.Logf("refused after %v: %v", time.Since(began), err)
					if !errors.Is(err, devices.ErrSilent) && !errors.Is(err, devices.ErrProtocol) && !errors.Is(err, devices.ErrUnusable) {
						t.Errorf("not a device's word: %v", err)
					}
					return
				}
				must(t, err)
				t.Logf("opened in %v", time.Since(began))
				s, err := d.Probe(within(t, patient))
				if err != nil || s.Identity.Serial != sim.SAMID {
					t.Errorf("%+v, %v", s, err)
				}
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
			})
		}
	}
}

// What the reader's driver survives on a line it survives on pipes.
func TestLabReaderFaults(t *testing.T) {
	Inside(t)
	for _, split := range []bool{true, false} {
		t.Run(fmt.Sprintf("split %v", split), func(t *testing.T) {
			r := reader(t, split)
			d, err := idcard.Open(within(t, patient), openBus(t, r.URI()), idcard.Options{Poll: 20 * time.Millisecond})
			must(t, err)
			card := sim.SampleCards()[1]
			for _, f := range [][2]string{{"leading-aa", "3"}, {"noise-before", "20"}, {"split", "50"}, {"read-fails", "2"}} {
				must(t, r.Fault(f[0], f[1]))
				must(t, r.PutCard(card))
				got, err := d.Read(within(t, patient), nil)
				if err != nil || got.Number != card.Number {
					t.Errorf("%s: %v", f[0], err)
				}
				must(t, r.Clear(f[0]))
				r.TakeCard()
				must(t, d.AwaitRemoval(within(t, patient)))
			}
			// Pulled while it waits for a card.
			var pulled time.Time
			wait := later(200*time.Millisecond, func() { pulled = time.Now(); _ = r.Fault("unplug", "") })
			if _, err := d.Read(within(t, patient), nil); !errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("unplugged: %v", err)
			}
			seen := time.Now()
			wait()
			t.Logf("unplugging ended the reading after %v", seen.Sub(pulled))
			_ = d.Close()
			gone(t, r.URI())
			must(t, r.Clear("unplug"))
			began := time.Now()
			d, err = idcard.Open(within(t, patient), openBus(t, r.URI()), idcard.Options{Poll: 20 * time.Millisecond})
			must(t, err)
			t.Logf("back after %v", time.Since(began))
			must(t, r.PutCard(card))
			if got, err := d.Read(within(t, patient), nil); err != nil || got.Number != card.Number {
				t.Errorf("after plugging in again: %v", err)
			}
		})
	}
}

func printer(t testing.TB, head string, o sim.USBOptions) *sim.ReceiptPrinter {
	t.Helper()
	p, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Line: sim.LineOptions{USB: &o}, Head: head, Speed: -1})
	must(t, err)
	t.Cleanup(func() { _ = p.Close(); gone(t, p.URI()) })
	return p
}

func driver(t testing.TB, p *sim.ReceiptPrinter, profile string, torn *atomic.Bool) *receipt.Printer {
	t.Helper()
	prof, err := receipt.LoadProfile(profile)
	must(t, err)
	d, err := receipt.Open(within(t, patient), openBus(t, p.URI()), receipt.Options{Profile: prof, Quiet: 15 * time.Second, Torn: torn})
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func slipOf(id string, lines int) devices.ReceiptJob {
	var b []slip.Block
	for i := range lines {
		b = append(b, slip.Text{Text: fmt.Sprintf("%s line %d", id, i)})
	}
	return devices.ReceiptJob{ID: id, Slip: slip.Slip{Blocks: b}}
}

func TestLabReceipt(t *testing.T) {
	Inside(t)
	for _, c := range [][2]string{{"epson", "epson-tm"}, {"kp628e", "cashino-kp628e"}} {
		t.Run(c[0], func(t *testing.T) {
			p := printer(t, c[0], sim.USBOptions{Serial: "P-1"})
			torn := new(atomic.Bool)
			d := driver(t, p, c[1], torn)
			if r := d.Print(within(t, patient), slipOf("A", 40)); r.Outcome != devices.PrintConfirmed {
				t.Fatalf("%+v", r)
			}
			if s := p.Slips(); len(s) != 1 || strings.Count(s[0].Text, "A line") != 40 {
				t.Errorf("%d slips", len(s))
			}
			s, err := d.Probe(within(t, patient))
			if err != nil || s.Identity.Serial != "P-1" || s.Paper != devices.SupplyFull {
				t.Errorf("%+v, %v", s, err)
			}
			must(t, p.Fault("paper-out", ""))
			if r := d.Print(within(t, patient), slipOf("B", 4)); r.Outcome != devices.PrintNotSent || r.Why != devices.UnreadyPaperOut {
				t.Errorf("no paper: %+v", r)
			}
			must(t, p.Clear(""))
			// The plug is pulled in the middle of a slip: nobody knows, and the next one is whole.
			must(t, p.Fault("unplug-mid-job", "200"))
			if r := d.Print(within(t, patient), slipOf("C", 60)); r.Outcome != devices.PrintUnknown {
				t.Errorf("unplugged: %+v", r)
			}
			_ = d.Close()
			gone(t, p.URI())
			must(t, p.Clear(""))
			d = driver(t, p, c[1], torn)
			before := len(p.Slips())
			if r := d.Print(within(t, patient), slipOf("D", 5)); r.Outcome != devices.PrintConfirmed {
				t.Fatalf("after plugging in again: %+v", r)
			}
			last := p.Slips()
			if len(last) <= before || strings.Count(last[len(last)-1].Text, "D line") != 5 {
				t.Errorf("%d slips, %d before", len(last), before)
			}
			for _, p := range last {
				t.Logf("slip %d: %d dots, A %d, C %d, D %d", p.N, p.Length, strings.Count(p.Text, "A line"), strings.Count(p.Text, "C line"), strings.Count(p.Text, "D line"))
			}
			if strings.Contains(last[len(last)-1].Text, "C line") {
				t.Error("the next citizen gets a piece of the slip that was cut short")
			}
		})
	}
}

// A head that knows no ESC/POS questions still has the printer class's.
func TestLabPortStatus(t *testing.T) {
	Inside(t)
	p := printer(t, "kp628e", sim.USBOptions{})
	prof, err := receipt.LoadProfile("generic-80")
	must(t, err)
	prof.DLEEOT, prof.Fence = false, ""
	d, err := receipt.Open(within(t, patient), openBus(t, p.URI()), receipt.Options{Profile: prof})
	must(t, err)
	defer d.Close()
	if s, err := d.Probe(within(t, patient)); err != nil || s.Paper != devices.SupplyUnknown || s.Unready() != devices.UnreadyNot {
		t.Errorf("good news are no news: %+v, %v", s, err)
	}
	must(t, p.Fault("paper-out", ""))
	if s, err := d.Probe(within(t, patient)); err != nil || s.Paper != devices.SupplyOut {
		t.Errorf("%+v, %v", s, err)
	}
	must(t, p.Clear(""))
	must(t, p.Fault("jam", ""))
	if s, err := d.Probe(within(t, patient)); err != nil || s.Connection != devices.ConnectionHardwareError {
		t.Errorf("%+v, %v", s, err)
	}
}

// The supervisor with the kernel's messages, as the terminal runs it: unplugging is shown within 1 s, a device that is put back is
// in service within 3 s, and another unit in its place is refused.
func TestLabSupervised(t *testing.T) {
	Inside(t)
	rounds := 1000
	if testing.Short() {
		rounds = 8
	}
	id := reader(t, true)
	p, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Line: sim.LineOptions{USB: &sim.USBOptions{Serial: "P-1", Port: 5}}, Head: "epson", Speed: -1})
	must(t, err)
	defer func() { _ = p.Close() }()
	address, err := bus.Parse("usb:0416:5011")
	must(t, err)
	prof, err := receipt.LoadProfile("epson-tm")
	must(t, err)
	open := func(uri string, drive func(ctx context.Context, b bus.Bus) (devices.Device, error)) func(context.Context) (devices.Device, error) {
		return func(ctx context.Context) (devices.Device, error) {
			u, err := bus.Parse(uri)
			if err != nil {
				return nil, err
			}
			b, err := bus.Open(ctx, u)
			if err != nil {
				return nil, err
			}
			d, err := drive(ctx, b)
			if err != nil {
				_ = b.Close()
			}
			return d, err
		}
	}
	var mu sync.Mutex
	seen := map[devices.Connection]time.Time{}
	at := func(c devices.Connection) time.Time {
		mu.Lock()
		defer mu.Unlock()
		return seen[c]
	}
	readerAddress, err := bus.Parse(id.URI())
	must(t, err)
	sup := supervisor.New([]supervisor.RoleConfig{
		{Role: devices.RoleIDReader, URI: id.URI(), ProbeEvery: time.Second, Present: func() bool { return usb.Present(readerAddress.USB) },
			Open: open(id.URI(), func(ctx context.Context, b bus.Bus) (devices.Device, error) {
				return idcard.Open(ctx, b, idcard.Options{})
			})},
		{Role: devices.RoleReceiptPrinter, URI: "usb:0416:5011", ProbeEvery: time.Second, Present: func() bool { return usb.Present(address.USB) },
			Open: open("usb:0416:5011", func(ctx context.Context, b bus.Bus) (devices.Device, error) {
				return receipt.Open(ctx, b, receipt.Options{Profile: prof})
			})},
	}, supervisor.Options{BackoffMax: 3 * time.Second, OnStatus: func(role devices.Role, _, now devices.Status) {
		if role == devices.RoleReceiptPrinter {
			mu.Lock()
			seen[now.Connection] = time.Now()
			mu.Unlock()
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = sup.Run(ctx) })
	all.Go(func() { usb.Watch(ctx, sup.Look) })
	defer func() { cancel(); all.Wait() }()
	online := func(r devices.Role) bool { return sup.Status(r).Connection == devices.ConnectionOnline }
	until(t, "both in service", func() bool { return online(devices.RoleIDReader) && online(devices.RoleReceiptPrinter) })
	aways, backs := make([]time.Duration, 0, rounds), make([]time.Duration, 0, rounds)
	var g Growth
	for n := range rounds {
		if warm := rounds / 10; n >= warm && (n-warm)%max(1, rounds/25) == 0 {
			g.Look(t, n)
		}
		pulled := time.Now()
		must(t, p.Fault("unplug", ""))
		until(t, "unplugging", func() bool { return at(devices.ConnectionNoDevice).After(pulled) })
		aways = append(aways, at(devices.ConnectionNoDevice).Sub(pulled))
		time.Sleep(time.Duration(n%7) * 50 * time.Millisecond)
		put := time.Now()
		must(t, p.Clear(""))
		until(t, "being back", func() bool { return at(devices.ConnectionOnline).After(put) })
		backs = append(backs, at(devices.ConnectionOnline).Sub(put))
	}
	g.Look(t, rounds)
	g.Judge(t)
	for _, m := range []struct {
		what  string
		all   []time.Duration
		limit time.Duration
	}{{"unplugging shown", aways, time.Second}, {"back in service", backs, 3 * time.Second}} {
		slices.Sort(m.all)
		p99 := m.all[len(m.all)*99/100]
		t.Logf("%d times: %s after %v on the median, %v at the 99th percentile, %v at most", rounds, m.what, m.all[len(m.all)/2].Round(time.Millisecond), p99.Round(time.Millisecond),
			m.all[len(m.all)-1].Round(time.Millisecond))
		if p99 > m.limit {
			t.Errorf("%s after %v", m.what, p99)
		}
	}
	if !online(devices.RoleIDReader) {
		t.Errorf("the reader beside it: %+v", sup.Status(devices.RoleIDReader))
	}
	// Another unit in the same port.
	must(t, p.Close())
	other, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Line: sim.LineOptions{USB: &sim.USBOptions{Serial: "P-2", Port: 5}}, Head: "epson", Speed: -1})
	must(t, err)
	defer func() { _ = other.Close() }()
	until(t, "being refused", func() bool { return sup.Status(devices.RoleReceiptPrinter).Connection == devices.ConnectionFraud })
	if _, _, err := sup.Use(devices.RoleReceiptPrinter); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("a stranger is handed out: %v", err)
	}
}

// A raster slip through the driver, beside a plain writer of the same bytes to the same pipe. Both are timed by the device, from
// the first byte to the last. Aim: 90 % of the plain writer.
func TestLabPrinterThroughput(t *testing.T) {
	Inside(t)
	out, in := usbip.NewOut(1, 512), usbip.NewIn(2, 512)
	out.Room = 64 << 10
	d := &usbip.Device{Vendor: 0x0FE6, Product: 0x811E, Speed: usbip.HighSpeed,
		Interfaces: []usbip.Interface{{Class: 7, SubClass: 1, Protocol: 2, Endpoints: []*usbip.Endpoint{out, in}}}}
	plugged, err := usbip.Plug(d, usbip.AnyPort)
	must(t, err)
	defer plugged.Pull()
	var mu sync.Mutex
	var from, to time.Time
	got := 0
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := out.Read(buf)
			if err != nil {
				return
			}
			if n == 3 && buf[0] == 0x10 && buf[1] == 4 {
				_, _ = in.Write([]byte{0x12})
				continue
			}
			mu.Lock()
			if to = time.Now(); got == 0 {
				from = to
			}
			got += n
			mu.Unlock()
		}
	}()
	// rate is what the device saw of a run, in MB/s.
	rate := func(do func()) (float64, int) {
		mu.Lock()
		got = 0
		mu.Unlock()
		do()
		time.Sleep(50 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		return float64(got) / to.Sub(from).Seconds() / 1e6, got
	}
	prof, err := receipt.LoadProfile("generic-80")
	must(t, err)
	prof.Fence = ""
	dots := image.NewGray(image.Rect(0, 0, prof.Dots, 4000))
	for i := range dots.Pix {
		dots.Pix[i] = byte(i * 31)
	}
	var path, plain []float64
	total := 0
	byDriver := func(i int) {
		p, err := receipt.Open(within(t, patient), openBus(t, "usb:0fe6:811e"), receipt.Options{Profile: prof})
		must(t, err)
		defer p.Close()
		job := devices.ReceiptJob{ID: fmt.Sprint("first ", i), Slip: slip.Slip{Blocks: []slip.Block{slip.Image{Image: dots}}}}
		p.Print(within(t, patient), job) // the first one of an opening also ends what an earlier program may have left
		job.ID = fmt.Sprint(i)
		r, n := rate(func() {
			if res := p.Print(within(t, patient), job); res.Outcome == devices.PrintNotSent {
				t.Fatalf("%+v", res)
			}
		})
		path, total = append(path, r), n
	}
	byPlainWriter := func() {
		ctx := gousb.NewContext()
		defer ctx.Close()
		dev, err := ctx.OpenDeviceWithVIDPID(0x0FE6, 0x811E)
		if err != nil || dev == nil {
			t.Fatal(dev, err)
		}
		defer dev.Close()
		must(t, dev.SetAutoDetach(true))
		var intf *gousb.Interface
		var done func()
		until(t, "the driver's letting go", func() bool {
			intf, done, err = dev.DefaultInterface()
			return err == nil
		})
		defer done()
		w, err := intf.OutEndpoint(1)
		must(t, err)
		data := make([]byte, total)
		r, _ := rate(func() {
			for at := 0; at < len(data); {
				n, err := w.Write(data[at:min(len(data), at+16<<10)])
				must(t, err)
				at += n
			}
		})
		plain = append(plain, r)
	}
	// In turn, so that other work of the host's strikes both.
	for i := range 9 {
		byDriver(i)
		byPlainWriter()
	}
	slices.Sort(path)
	slices.Sort(plain)
	share := median(path) / median(plain) * 100
	t.Logf("%d bytes: the driver %.2f MB/s (%.2f), a plain writer %.2f MB/s (%.2f): %.0f %%", total, median(path), path, median(plain), plain, share)
	if share < 90 {
		t.Errorf("%.0f %% of a plain writer", share)
	}
}
