//go:build lab

package usb

// What goes wrong with a device, a cable or a kernel's driver, and what the line makes of it.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/sim/usbip"
	"github.com/budayang/kiosk/test/lab"
)

func TestLabUnplugging(t *testing.T) {
	lab.Inside(t)
	for _, c := range []struct {
		name string
		pull func(*usbip.Plugged)
	}{
		{"cable pulled", func(p *usbip.Plugged) { p.Pull() }},
		{"let go in order", func(p *usbip.Plugged) { _ = p.Detach() }},
	} {
		for _, doing := range []string{"reading", "writing", "idle"} {
			t.Run(c.name+" while "+doing, func(t *testing.T) {
				r := newRig("SN-1")
				p := plug(t, r.dev, 0)
				b := opened(t, head)
				errs := make(chan error, 1)
				began := time.Now()
				switch doing {
				case "reading":
					go func() {
						_, err := b.Read(within(t, patient), make([]byte, 8))
						errs <- err
					}()
				case "writing":
					r.out.Fault(usbip.Nak, 0)
					go func() {
						_, err := b.Write(within(t, patient), make([]byte, 100_000))
						errs <- err
					}()
				}
				time.Sleep(50 * time.Millisecond)
				pulled := time.Now()
				c.pull(p)
				if doing == "idle" {
					time.Sleep(300 * time.Millisecond)
					pulled = time.Now()
					_, err := b.Write(within(t, 20*time.Second), []byte("x"))
					errs <- err
				}
				err := <-errs
				t.Logf("%v after %v (%v since the beginning)", err, time.Since(pulled), time.Since(began))
				if !errors.Is(err, bus.ErrHangup) || !errors.Is(err, devices.ErrNoDevice) {
					t.Errorf("reads as %v", err)
				}
				if _, err := b.Write(within(t, 20*time.Second), []byte("x")); !errors.Is(err, devices.ErrNoDevice) {
					t.Errorf("writing to nobody: %v", err)
				}
				_ = b.Close()
				<-b.(port).h.done
				eventually(t, "its going", func() bool { return !Present(uri(t, head).USB) })
				if _, err := bus.Open(within(t, 20*time.Second), uri(t, head)); !errors.Is(err, devices.ErrNoDevice) {
					t.Errorf("opening nobody: %v", err)
				}
			})
		}
	}
}

func TestLabPlugIsPutBackAndIdentityTellsWho(t *testing.T) {
	lab.Inside(t)
	r := newRig("SN-1")
	p := plug(t, r.dev, 3)
	path, err := p.Path()
	if err != nil {
		t.Fatal(err)
	}
	b := opened(t, head+":SN-1")
	p.Pull()
	eventually(t, "its going", func() bool { return !Present(uri(t, head).USB) })
	_ = b.Close()

	began := time.Now()
	p = plug(t, r.dev, 3)
	b = opened(t, head+":SN-1")
	t.Logf("plugged in again and opened after %v", time.Since(began))
	_ = b.Close()
	p.Pull()
	eventually(t, "its going", func() bool { return !Present(uri(t, head).USB) })

	// Another unit in the same port: by serial number it is not there, by port it is, and says who it is.
	plug(t, newRig("SN-2").dev, 3)
	eventually(t, "the other", func() bool { return Present(uri(t, head+"?port="+path).USB) })
	if _, err := bus.Open(within(t, 20*time.Second), uri(t, head+":SN-1")); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("opening another by serial number: %v", err)
	}
	b = opened(t, head+"?port="+path)
	if id := b.(bus.Identified).Identity(); id.Serial != "SN-2" {
		t.Errorf("%+v", id)
	}
	_ = b.Close()

	// Two of one model: without serial number or port it is a guess, and none is made.
	plug(t, r.dev, 4)
	eventually(t, "both", func() bool { return Present(uri(t, head+":SN-1").USB) && Present(uri(t, head+":SN-2").USB) })
	if _, err := bus.Open(within(t, 20*time.Second), uri(t, head)); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("two fit: %v", err)
	}
	if !Present(uri(t, head).USB) {
		t.Error("two are there and none is present")
	}
	_ = opened(t, head+":SN-1").Close()
}

func TestLabStall(t *testing.T) {
	lab.Inside(t)
	r := newRig("SN-1")
	// A mad device halts again whenever a halt is cleared.
	var mad atomic.Bool
	r.dev.OnRequest = func(s usbip.Setup) {
		if s.Request == 1 && mad.Load() { // CLEAR_FEATURE
			r.out.Fault(usbip.Stall, 1)
		}
	}
	plug(t, r.dev, 0)
	b := opened(t, head)
	got := make(chan byte, 2<<20)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := r.out.Read(buf)
			if err != nil {
				return
			}
			for _, c := range buf[:n] {
				got <- c
			}
		}
	}()
	// Once: the halt is cleared on both ends, and every byte arrives once.
	for round := range 3 {
		r.out.Fault(usbip.Stall, 1)
		text := fmt.Sprintf("after stall %d", round)
		if n, err := b.Write(within(t, patient), []byte(text)); n != len(text) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		if r.out.Halted() {
			t.Error("the device is still halted")
		}
		for i := range text {
			if c := <-got; c != text[i] {
				t.Fatalf("round %d: byte %d is %q", round, i, c)
			}
		}
	}
	r.in.Fault(usbip.Stall, 1)
	buf := make([]byte, 8)
	_, _ = b.Read(within(t, 200*time.Millisecond), buf)
	if _, err := r.in.Write([]byte{0x12}); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Read(within(t, patient), buf); n != 1 || err != nil {
		t.Errorf("after a stalled IN: %d, %v", n, err)
	}
	// For ever: it is said, and soon.
	mad.Store(true)
	r.out.Fault(usbip.Stall, 1)
	began := time.Now()
	n, err := b.Write(within(t, patient), make([]byte, 1<<20))
	if !errors.Is(err, ErrStalled) || !errors.Is(err, devices.ErrProtocol) || n == 1<<20 {
		t.Errorf("wrote %d, %v", n, err)
	}
	t.Logf("given up after %v", time.Since(began))
}

func TestLabDeviceThatTakesNothing(t *testing.T) {
	lab.Inside(t)
	r := newRig("SN-1")
	plug(t, r.dev, 0)
	b := opened(t, head)
	r.out.Fault(usbip.Nak, 0)
	n, err := b.Write(within(t, 300*time.Millisecond), make([]byte, 100))
	if n != 0 || !errors.Is(err, bus.ErrTimeout) || errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("wrote %d, %v", n, err)
	}
	// It was only busy: the line goes on, and nothing that was called off comes late.
	r.out.Fault(0, 0)
	if n, err := b.Write(within(t, patient), []byte("hello")); n != 5 || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	buf := make([]byte, 256)
	if n, err := r.out.Read(buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("arrived: %q, %v", buf[:n], err)
	}
	why := errors.New("the door opened")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	r.out.Fault(usbip.Nak, 0)
	if _, err := b.Write(ctx, make([]byte, 10)); !errors.Is(err, why) {
		t.Errorf("called off: %v", err)
	}
	// Closing under a transfer that never ends.
	time.AfterFunc(50*time.Millisecond, func() { _ = b.Close() })
	began := time.Now()
	if _, err := b.Write(within(t, patient), make([]byte, 10)); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("closed under a write: %v", err)
	}
	t.Logf("the write ended after %v", time.Since(began))
}

func TestLabGarbledWire(t *testing.T) {
	lab.Inside(t)
	for _, f := range []usbip.Fault{usbip.Babble, usbip.Garbled} {
		t.Run(map[usbip.Fault]string{usbip.Babble: "babble", usbip.Garbled: "garbled"}[f], func(t *testing.T) {
			r := newRig("SN-1")
			p := plug(t, r.dev, 0)
			b := opened(t, head)
			buf := make([]byte, 8)
			r.in.Fault(f, 2)
			_, _ = b.Read(within(t, 100*time.Millisecond), buf)
			if _, err := r.in.Write([]byte{0x12}); err != nil {
				t.Fatal(err)
			}
			if n, err := b.Read(within(t, patient), buf); n != 1 || err != nil {
				t.Fatalf("two bad transfers: %d, %v", n, err)
			}
			r.in.Fault(f, 0)
			if _, err := b.Read(within(t, patient), buf); !errors.Is(err, ErrGarbled) || errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("bad transfers without end: %v", err)
			}
			_ = b.Close()
			r.in.Fault(0, 0)
			b = opened(t, head)
			r.out.Fault(f, 0)
			if n, err := b.Write(within(t, patient), []byte("x")); n != 0 || !errors.Is(err, ErrGarbled) {
				t.Errorf("wrote %d, %v", n, err)
			}
			_ = b.Close()
			r.out.Fault(0, 0)
			p.Pull()
			eventually(t, "its going", func() bool { return !Present(uri(t, head).USB) })
		})
	}
}

func TestLabPackets(t *testing.T) {
	lab.Inside(t)
	r := newRig("SN-1")
	plug(t, r.dev, 0)
	b := opened(t, head)
	read := func(n int) []byte {
		var all []byte
		buf := make([]byte, 8192)
		for len(all) < n {
			m, err := b.Read(within(t, 10*time.Second), buf)
			if err != nil {
				break
			}
			all = append(all, buf[:m]...)
		}
		return all
	}
	for _, n := range []int{1, 7, 63, 64, 65, 128, 1288, 4095, 4096, 4097, 9000} {
		want := bytes.Repeat([]byte{byte(n), 0x41, 0x47}, n)[:n]
		if _, err := r.in.Write(want); err != nil {
			t.Fatal(err)
		}
		if got := read(n); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d came", n, len(got))
		}
	}
	// Empty packets without end cost time of nobody's and do not end the line.
	r.in.Fault(usbip.Empty, 200)
	time.Sleep(100 * time.Millisecond)
	if p := r.in.Pending(); p > 1 {
		t.Errorf("%d reads pending", p)
	}
	r.in.Fault(0, 0)
	if _, err := r.in.Write([]byte("still here")); err != nil {
		t.Fatal(err)
	}
	if got := read(10); string(got) != "still here" {
		t.Errorf("after empty packets: %q", got)
	}
	_ = b.Close()

	// A model that ends no transfer of whole packets: read packet by packet.
	r.in.NoZLP = true
	withQuirk(t, Quirks{PacketReads: true})
	b = opened(t, head)
	for _, n := range []int{64, 128, 1280, 65} {
		if _, err := r.in.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if got := read(n); len(got) != n {
			t.Errorf("%d bytes without an end: %d came", n, len(got))
		}
	}
}

// withQuirk gives the tests' head a quirk for one test.
func withQuirk(t *testing.T, q Quirks) {
	key := [2]uint16{0x0FE6, 0x811E}
	quirks()[key] = q
	t.Cleanup(func() { delete(quirks(), key) })
}

func TestLabStaleAnswerIsNotTheFirst(t *testing.T) {
	lab.Inside(t)
	r := newRig("SN-1")
	plug(t, r.dev, 0)
	eventually(t, "it", func() bool { return Present(uri(t, head).USB) })
	for range 5 {
		if _, err := r.in.Write([]byte("stale")); err != nil {
			t.Fatal(err)
		}
	}
	b := opened(t, head)
	r.in.Idle() // the kernel has them all, and the line a moment later
	time.Sleep(100 * time.Millisecond)
	b.Drain()
	if n, err := b.Read(within(t, 100*time.Millisecond), make([]byte, 8)); !errors.Is(err, bus.ErrTimeout) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestLabOneOwner(t *testing.T) {
	lab.Inside(t)
	plug(t, newRig("SN-1").dev, 0)
	b := opened(t, head)
	if other, err := bus.Open(within(t, patient), uri(t, head)); !errors.Is(err, devices.ErrBusy) {
		t.Errorf("a second owner: %v, %v", other, err)
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	_ = opened(t, head).Close()
	if _, err := bus.Open(within(t, patient), uri(t, head+"?interface=7")); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("no such interface: %v", err)
	}
}

// A device may say anything of itself. Nothing of it may end the process, and a sound device beside it goes on.
func TestLabDescriptorsThatLie(t *testing.T) {
	lab.Inside(t)
	good := newRig("GOOD")
	good.dev.Product = 0x9999
	plug(t, good.dev, 7)
	sound := opened(t, "usb:0fe6:9999")
	plain := newRig("SN-1")
	config := func(change func(b []byte) []byte) []byte { return change(plain.dev.Configuration()) }
	for _, c := range []struct {
		name  string
		lies  map[uint16][]byte
		opens bool
	}{
		{"interface number 9", map[uint16][]byte{2: config(func(b []byte) []byte { b[9+2] = 9; return b })}, true},
		{"interface number 200", map[uint16][]byte{2: config(func(b []byte) []byte { b[9+2] = 200; return b })}, false},
		{"claims 5 interfaces", map[uint16][]byte{2: config(func(b []byte) []byte { b[4] = 5; return b })}, true},
		{"claims 9 endpoints", map[uint16][]byte{2: config(func(b []byte) []byte { b[9+4] = 9; return b })}, false},
		{"longer than it says", map[uint16][]byte{2: config(func(b []byte) []byte { return append(b, make([]byte, 40)...) })}, true},
		{"shorter than it says", map[uint16][]byte{2: config(func(b []byte) []byte { b[2], b[3] = 0xFF, 0x7F; return b })}, true},
		{"an endpoint of length 0", map[uint16][]byte{2: config(func(b []byte) []byte { b[18] = 0; return b })}, false},
		{"both pipes the same", map[uint16][]byte{2: config(func(b []byte) []byte { b[25+2] = b[18+2]; return b })}, true},
		{"packets of 0 bytes", map[uint16][]byte{2: config(func(b []byte) []byte { b[18+4], b[25+4] = 0, 0; return b })}, false},
		{"no interfaces", map[uint16][]byte{2: {9, 2, 9, 0, 0, 1, 0, 0xC0, 50}}, false},
		{"a hundred interfaces", map[uint16][]byte{2: manyInterfaces(100)}, false},
		{"no strings", map[uint16][]byte{0x0300: nil, 0x0301: nil, 0x0302: nil, 0x0303: nil}, true},
		{"a string that lies", map[uint16][]byte{0x0303: {250, 3, 'x', 0}}, true},
		{"a serial number of control characters", map[uint16][]byte{0x0303: {10, 3, 7, 0, 27, 0, '1', 0, 0, 0xD8}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig("SN-1")
			r.dev.Lies = c.lies
			p := plug(t, r.dev, 0)
			u := uri(t, head)
			seen := false
			for end := time.Now().Add(patient); time.Now().Before(end) && !seen; time.Sleep(20 * time.Millisecond) {
				seen = Present(u.USB)
			}
			b, err := bus.Open(within(t, patient), u)
			t.Logf("seen %v, opened %v: %v", seen, b != nil, err)
			switch {
			case err == nil:
				if _, err := b.Write(within(t, patient), []byte("x")); err != nil {
					t.Logf("writing: %v", err)
				}
				_ = b.Close()
			case c.opens:
				t.Errorf("opening: %v", err)
			case !errors.Is(err, devices.ErrUnusable) && !errors.Is(err, devices.ErrNoDevice) && !errors.Is(err, devices.ErrProtocol):
				t.Errorf("refused without a word of the devices': %v", err)
			}
			if err == nil && !c.opens {
				t.Error("it opens")
			}
			if n, err := sound.Write(within(t, patient), []byte("y")); n != 1 || err != nil {
				t.Errorf("the sound device: %d, %v", n, err)
			}
			p.Pull()
			eventually(t, "its going", func() bool { return !Present(u.USB) })
		})
	}
}

func manyInterfaces(n int) []byte {
	b := []byte{9, 2, 0, 0, byte(n), 1, 0, 0xC0, 50}
	for i := range n {
		b = append(b, 9, 4, byte(i), 0, 2, 7, 1, 2, 0, 7, 5, 1, 2, 64, 0, 0, 7, 5, 0x82, 2, 64, 0, 0)
	}
	b[2], b[3] = byte(len(b)), byte(len(b)>>8)
	return b
}

// A device that comes and goes while it is opened: clean errors, no crash, and it opens when it stays.
func TestLabDeviceThatComesAndGoesDuringOpening(t *testing.T) {
	lab.Inside(t)
	rounds := 12
	if testing.Short() {
		rounds = 5
	}
	u := uri(t, head)
	for i := range rounds {
		p := plug(t, newRig("SN-1").dev, 0)
		time.AfterFunc(time.Duration(30+i*40)*time.Millisecond, p.Pull)
		for gone := false; !gone; {
			b, err := bus.Open(within(t, patient), u)
			if err == nil {
				_, err = b.Read(within(t, patient), make([]byte, 8))
				_ = b.Close()
			}
			if !errors.Is(err, devices.ErrNoDevice) && !errors.Is(err, devices.ErrBusy) && !errors.Is(err, devices.ErrProtocol) {
				t.Errorf("round %d: %v", i, err)
			}
			select {
			case <-p.Gone():
				gone = true
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	plug(t, newRig("SN-1").dev, 0)
	_ = opened(t, head).Close()
}

func TestLabWatch(t *testing.T) {
	lab.Inside(t)
	ctx, cancel := context.WithCancel(t.Context())
	var told atomic.Int64
	ended := make(chan struct{})
	go func() { defer close(ended); Watch(ctx, func() { told.Add(1) }) }()
	time.Sleep(100 * time.Millisecond)
	before := told.Load()
	p := plug(t, newRig("SN-1").dev, 0)
	t.Logf("plugging in is told after %v", eventually(t, "plugging in", func() bool { return told.Load() > before }))
	eventually(t, "it", func() bool { return Present(uri(t, head).USB) })
	time.Sleep(700 * time.Millisecond)
	before = told.Load()
	p.Pull()
	d := eventually(t, "unplugging", func() bool { return told.Load() > before })
	t.Logf("unplugging is told after %v", d)
	if d > time.Second {
		t.Error("too late")
	}
	// Without the kernel's messages the list is compared.
	ctx2, cancel2 := context.WithCancel(t.Context())
	told2 := make(chan struct{}, 1)
	go compare(ctx2, told2)
	time.Sleep(100 * time.Millisecond)
	plug(t, newRig("SN-1").dev, 0)
	select {
	case <-told2:
	case <-time.After(patient):
		t.Error("comparing saw nothing")
	}
	cancel2()
	cancel()
	<-ended
}

// One thousand plug cycles (fifty in short): what is open, running and kept does not grow.
func TestLabPlugCyclesLeaveNothing(t *testing.T) {
	lab.Inside(t)
	cycles := 1000
	if testing.Short() {
		cycles = 50
	}
	u := uri(t, head)
	r := newRig("SN-1")
	cycle := func() {
		p, err := usbip.Plug(r.dev, 0)
		if err != nil {
			t.Fatal(err)
		}
		var b bus.Bus
		for end := time.Now().Add(patient); ; {
			if b, err = bus.Open(t.Context(), u); err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patient) // within would keep it until the test ends
		defer cancel()
		if _, err := b.Write(ctx, []byte("x")); err != nil {
			t.Fatal(err)
		}
		p.Pull()
		if _, err := b.Read(ctx, make([]byte, 8)); !errors.Is(err, bus.ErrHangup) {
			t.Fatal(err)
		}
		_ = b.Close()
		<-b.(port).h.done
	}
	for range cycles / 10 {
		cycle() // until allocators have what they keep
	}
	var g lab.Growth
	g.Look(t, 0)
	began := time.Now()
	for n := 1; n <= cycles; n++ {
		if cycle(); n%(cycles/25) == 0 || n == cycles {
			g.Look(t, n)
		}
	}
	took := time.Since(began)
	t.Logf("%d cycles in %v, %v each", cycles, took.Round(time.Second), (took / time.Duration(cycles)).Round(time.Millisecond))
	g.Judge(t)
}
