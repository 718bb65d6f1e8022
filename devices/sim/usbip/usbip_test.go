package usbip

// The device's side of the protocol, spoken to over a pipe as the kernel speaks it. The kernel itself meets it in the lab.

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// host is the other end: it submits and reads replies.
type host struct {
	t    testing.TB
	line net.Conn
	seq  uint32
}

func attached(t testing.TB, d *Device) *host {
	// A socket pair as with the kernel: a pipe without buffers would make the device wait for the test that holds it up.
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "pair")
		if ends[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	far, near := ends[0], ends[1]
	s := newSession(d, near)
	go s.serve()
	t.Cleanup(func() { _ = far.Close(); <-s.done })
	_ = far.SetDeadline(time.Now().Add(5 * time.Second))
	return &host{t: t, line: far}
}

func (h *host) submit(in bool, endpoint, length int, setup [8]byte, out []byte) uint32 {
	h.t.Helper()
	h.seq++
	m := make([]byte, headLen)
	be := binary.BigEndian
	be.PutUint32(m, cmdSubmit)
	be.PutUint32(m[4:], h.seq)
	if in {
		be.PutUint32(m[12:], 1)
	}
	be.PutUint32(m[16:], uint32(endpoint))
	be.PutUint32(m[24:], uint32(length))
	copy(m[40:], setup[:])
	if _, err := h.line.Write(append(m, out...)); err != nil {
		h.t.Fatal(err)
	}
	return h.seq
}

func (h *host) unlink(victim uint32) {
	h.t.Helper()
	h.seq++
	m := make([]byte, headLen)
	binary.BigEndian.PutUint32(m, cmdUnlink)
	binary.BigEndian.PutUint32(m[4:], h.seq)
	binary.BigEndian.PutUint32(m[20:], victim)
	if _, err := h.line.Write(m); err != nil {
		h.t.Fatal(err)
	}
}

// reply reads one; in says whether data follows it.
func (h *host) reply(in bool) (kind, seq uint32, status int32, n int, data []byte) {
	h.t.Helper()
	m := make([]byte, headLen)
	if _, err := io.ReadFull(h.line, m); err != nil {
		h.t.Fatal(err)
	}
	be := binary.BigEndian
	n = int(be.Uint32(m[24:]))
	if in {
		data = make([]byte, n)
		if _, err := io.ReadFull(h.line, data); err != nil {
			h.t.Fatal(err)
		}
	}
	return be.Uint32(m), be.Uint32(m[4:]), int32(be.Uint32(m[20:])), n, data
}

func head() (*Device, *Endpoint, *Endpoint) {
	out, in := NewOut(1, 64), NewIn(2, 64)
	return &Device{Vendor: 0x0FE6, Product: 0x811E, Serial: "序号1", Interfaces: []Interface{{Class: 7, SubClass: 1, Protocol: 2, Endpoints: []*Endpoint{out, in}}}}, out, in
}

func TestDescriptors(t *testing.T) {
	d, _, _ := head()
	h := attached(t, d)
	for _, c := range []struct {
		name   string
		setup  [8]byte
		length int
		want   []byte
		status int32
	}{
		{"device", [8]byte{0x80, 6, 0, 1, 0, 0, 18, 0}, 18, d.deviceDescriptor(), 0},
		{"device's first 8", [8]byte{0x80, 6, 0, 1, 0, 0, 8, 0}, 8, d.deviceDescriptor()[:8], 0},
		{"configuration", [8]byte{0x80, 6, 0, 2, 0, 0, 255, 0}, 255, d.Configuration(), 0},
		{"languages", [8]byte{0x80, 6, 0, 3, 0, 0, 255, 0}, 255, []byte{4, 3, 9, 4}, 0},
		{"serial number", [8]byte{0x80, 6, 3, 3, 9, 4, 255, 0}, 255, []byte{8, 3, 0x8F, 0x5E, 0xF7, 0x53, '1', 0}, 0},
		{"no such string", [8]byte{0x80, 6, 1, 3, 9, 4, 255, 0}, 255, nil, statusStall},
		{"class request of nobody", [8]byte{0xA1, 0, 0, 0, 0, 0, 8, 0}, 8, nil, statusStall},
		{"status", [8]byte{0x80, 0, 0, 0, 0, 0, 2, 0}, 2, []byte{1, 0}, 0},
	} {
		seq := h.submit(true, 0, c.length, c.setup, nil)
		kind, got, status, _, data := h.reply(true)
		if kind != retSubmit || got != seq || status != c.status || !bytes.Equal(data, c.want) {
			t.Errorf("%s: kind %d, seq %d, status %d, % x", c.name, kind, got, status, data)
		}
	}
	h.submit(false, 0, 0, [8]byte{0x00, 9, 1}, nil) // set configuration
	if _, _, status, _, _ := h.reply(false); status != 0 {
		t.Errorf("set configuration: %d", status)
	}
	// Two configurations of 9+9+7+7 bytes would be wrong: USB 2.0 table 9-10 has the total at offset 2.
	if c := d.Configuration(); int(binary.LittleEndian.Uint16(c[2:])) != len(c) || len(c) != 32 {
		t.Errorf("% x", c)
	}
}

func TestTransfersFaultsAndUnlinking(t *testing.T) {
	d, out, in := head()
	h := attached(t, d)
	h.submit(false, 1, 5, [8]byte{}, []byte("hello"))
	if _, _, status, n, _ := h.reply(false); status != 0 || n != 5 {
		t.Fatalf("status %d, %d bytes", status, n)
	}
	buf := make([]byte, 16)
	if n, err := out.Read(buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	// A read waits until there is something; 128 bytes are two whole packets and an empty one.
	seq := h.submit(true, 2, 4096, [8]byte{}, nil)
	if _, err := in.Write(make([]byte, 128)); err != nil {
		t.Fatal(err)
	}
	if _, got, status, n, _ := h.reply(true); got != seq || status != 0 || n != 128 {
		t.Errorf("status %d, %d bytes", status, n)
	}
	// Halted until the halt is cleared.
	in.Fault(Stall, 1)
	for range 2 {
		h.submit(true, 2, 64, [8]byte{}, nil)
		if _, _, status, _, _ := h.reply(true); status != statusStall {
			t.Errorf("status %d", status)
		}
	}
	h.submit(false, 0, 0, [8]byte{0x02, 1, 0, 0, 0x82}, nil)
	if _, _, status, _, _ := h.reply(false); status != 0 || in.Halted() {
		t.Errorf("clear halt: %d, halted %v", status, in.Halted())
	}
	// A buffer that is smaller than a packet.
	if _, err := in.Write(make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	h.submit(true, 2, 10, [8]byte{}, nil)
	if _, _, status, _, _ := h.reply(true); status != statusBabble {
		t.Errorf("status %d", status)
	}
	// Taken back while it waits, and too late.
	seq = h.submit(true, 2, 64, [8]byte{}, nil)
	h.unlink(seq)
	if kind, _, status, _, _ := h.reply(false); kind != retUnlink || status != statusUnlinked {
		t.Errorf("kind %d, status %d", kind, status)
	}
	h.unlink(seq)
	if kind, _, status, _, _ := h.reply(false); kind != retUnlink || status != 0 {
		t.Errorf("kind %d, status %d", kind, status)
	}
	// No such endpoint.
	h.submit(true, 9, 64, [8]byte{}, nil)
	if _, _, status, _, _ := h.reply(true); status != statusStall {
		t.Errorf("status %d", status)
	}
	_ = h.line.Close()
	if _, err := out.Read(buf); err != ErrPulled {
		t.Errorf("reading of a device that was pulled: %v", err)
	}
	// The plug's two pipes go one after the other.
	_, err := in.Write(buf)
	for end := time.Now().Add(5 * time.Second); err != ErrPulled && time.Now().Before(end); time.Sleep(time.Millisecond) {
		_, err = in.Write(buf)
	}
	if err != ErrPulled {
		t.Errorf("writing: %v", err)
	}
}

func TestAFullDeviceMakesTheHostWait(t *testing.T) {
	d, out, _ := head()
	out.Room = 100
	h := attached(t, d)
	seq := h.submit(false, 1, 250, [8]byte{}, make([]byte, 250))
	total := 0
	buf := make([]byte, 64)
	for total < 150 {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; total < 150 && out.Pending() != 1 {
			t.Fatalf("answered after %d bytes", total)
		}
	}
	if _, got, status, n, _ := h.reply(false); got != seq || status != 0 || n != 250 {
		t.Errorf("status %d, %d bytes", status, n)
	}
}

// script is a line on which a host said something and went.
type script struct{ io.Reader }

func (script) Write(p []byte) (int, error) { return len(p), nil }
func (script) Close() error                { return nil }

func FuzzHost(f *testing.F) {
	m := make([]byte, headLen)
	binary.BigEndian.PutUint32(m, cmdSubmit)
	f.Add(m)
	binary.BigEndian.PutUint32(m[24:], 0xFFFFFFFF)
	f.Add(m)
	binary.BigEndian.PutUint32(m, cmdUnlink)
	f.Add(append(append([]byte{}, m...), m...))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, _, _ := head()
		s := newSession(d, script{bytes.NewReader(b)})
		s.serve()
	})
}
