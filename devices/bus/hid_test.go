package bus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
)

// hidTree makes /sys/class/hidraw and /dev as the kernel has them, for one test.
type hidTree struct {
	t    *testing.T
	root string
}

func newHIDTree(t *testing.T) hidTree {
	t.Helper()
	x := hidTree{t, t.TempDir()}
	oldRoot, oldDir := hidRoot, hidDir
	hidRoot, hidDir = filepath.Join(x.root, "class"), filepath.Join(x.root, "dev")
	t.Cleanup(func() { hidRoot, hidDir = oldRoot, oldDir })
	x.must(os.MkdirAll(hidRoot, 0o755))
	x.must(os.MkdirAll(hidDir, 0o755))
	return x
}

func (x hidTree) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// add plugs a device in; below is its parent's name, such as "1-2.3:1.0".
func (x hidTree) add(node, below, uevent string, descriptor []byte) {
	x.t.Helper()
	dir := filepath.Join(x.root, "devices", below, "0003:0C2E:0B61."+node)
	x.must(os.MkdirAll(dir, 0o755))
	x.must(os.WriteFile(filepath.Join(dir, "uevent"), []byte(uevent), 0o644))
	x.must(os.WriteFile(filepath.Join(dir, "report_descriptor"), descriptor, 0o644))
	x.must(os.MkdirAll(filepath.Join(hidRoot, node), 0o755))
	x.must(os.Symlink(dir, filepath.Join(hidRoot, node, "device")))
}

var posLike = []byte{0x05, 0x8C, 0x09, 0x02, 0xA1, 0x01, 0xC0}

func TestHIDDevicesAreFoundBySerialNumberAndPort(t *testing.T) {
	x := newHIDTree(t)
	x.add("hidraw0", "1-2.3:1.0", "DRIVER=hid-generic\nHID_ID=0003:00000C2E:00000B61\nHID_NAME=Maker Model\x07\nHID_UNIQ=SN-1\n", posLike)
	x.add("hidraw1", "1-4:1.0", "HID_ID=0003:00000C2E:00000B61\nHID_NAME=Maker Model\nHID_UNIQ=SN-2\n", posLike)
	x.add("hidraw2", "1-4:1.1", "HID_ID=0003:00000C2E:00000B61\nHID_UNIQ=SN-2\n", []byte{0x05, 0x01, 0x09, 0x06}) // its keyboard
	x.add("hidraw3", "1-5:1.0", "HID_ID=0003:0000046D:0000C31C\n", []byte{0x05, 0x01, 0x09, 0x06})
	x.add("hidraw4", "1-6:1.0", "HID_ID=nonsense\n", posLike)
	x.add("hidraw5", "1-7:1.0", "HID_ID=0003:FFFFFFFF:00000B61\n", posLike)
	x.add("hidraw6", "bluetooth", "HID_ID=0005:00001234:00000001\n", posLike)
	all, err := ListHID()
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	if a := all[0]; a.Node != "hidraw0" || a.Port != "1-2.3" || a.Vendor != 0x0C2E || a.Product != 0x0B61 || a.Serial != "SN-1" || a.Name != "Maker Model" {
		t.Errorf("%+v", a)
	}
	if all[2].Port != "" {
		t.Errorf("%+v", all[2])
	}
	for address, want := range map[string]any{"hid:0c2e:0b61:SN-2": "hidraw1", "hid:0c2e:0b61?port=1-2.3": "hidraw0", "hid:1234:0001": "hidraw6", "hid:0c2e:0b61:SN-2?interface=0": "hidraw1",
		"hid:0c2e:0b61": ErrSeveralHID, "hid:0c2e:0b61:SN-3": devices.ErrNoDevice, "hid:046d:c31c": devices.ErrNoDevice, "hid:0c2e:0b61:SN-2?interface=1": devices.ErrNoDevice} {
		u, err := Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FindHID(u.USB)
		if e, is := want.(error); is && !errors.Is(err, e) || !is && (err != nil || got.Node != want) {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
		if HIDPresent(u.USB) != (want != devices.ErrNoDevice) {
			t.Errorf("%s: presence", address)
		}
	}
	u, err := Parse("hid:0c2e:0b61:SN-1")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Open(t.Context(), u); !errors.Is(err, devices.ErrNoDevice) { // it went while it was opened
		t.Errorf("%v, %v", b, err)
	}
	if _, err := Parse("hid:0c2e:0b61?framing=whole"); err == nil {
		t.Error("a framing for reports")
	}
}

// A node that is there has one owner.
func TestAHIDNodeHasOneOwner(t *testing.T) {
	x := newHIDTree(t)
	x.add("hidraw0", "1-1:1.0", "HID_ID=0003:00000C2E:00000B61\n", posLike)
	x.must(unix.Mkfifo(filepath.Join(hidDir, "hidraw0"), 0o600))
	u, err := Parse("hid:0c2e:0b61")
	x.must(err)
	b, err := Open(t.Context(), u)
	x.must(err)
	if other, err := Open(t.Context(), u); !errors.Is(err, devices.ErrBusy) {
		t.Errorf("%v, %v", other, err)
	}
	x.must(b.Close())
	b, err = Open(t.Context(), u)
	x.must(err)
	x.must(b.Close())
	if _, err := b.Read(t.Context(), make([]byte, 8)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := b.Write(t.Context(), []byte{1}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// hidPair is a bus, and the device's end of it.
func hidPair(t *testing.T) (*HID, *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	far := os.NewFile(uintptr(pair[1]), "device")
	h := NewHID(os.NewFile(uintptr(pair[0]), "hidraw"), HIDInfo{Name: "N", Serial: "S", Descriptor: posLike})
	t.Cleanup(func() { _ = h.Close(); _ = far.Close() })
	return h, far
}

func TestReportsStayApart(t *testing.T) {
	h, far := hidPair(t)
	for _, r := range []string{"one", "second report", "3"} {
		if _, err := far.Write([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 64)
	for _, want := range []string{"one", "second report", "3"} {
		if n, err := h.Read(within(t, 5*time.Second), buf); err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
	if _, err := h.Read(within(t, 20*time.Millisecond), buf); !errors.Is(err, ErrTimeout) {
		t.Errorf("silence: %v", err)
	}
	if _, err := far.Write([]byte("too long")); err != nil {
		t.Fatal(err)
	}
	if n, err := h.Read(within(t, 5*time.Second), buf[:3]); n != 3 || !errors.Is(err, devices.ErrProtocol) {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := h.Write(within(t, 20*time.Second), []byte("told")); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := far.Read(buf); err != nil || string(buf[:n]) != "told" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if h.Identity() != (devices.Identity{Model: "N", Serial: "S"}) || string(h.Descriptor()) != string(posLike) {
		t.Error("it is somebody else")
	}
}

func TestADeviceThatTalksForEverIsBounded(t *testing.T) {
	h, far := hidPair(t)
	report := []byte(strings.Repeat("x", 1000))
	for range 400 {
		if _, err := far.Write(report); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		h.mu.Lock()
		n := h.size
		h.mu.Unlock()
		if n > maxUnread {
			t.Fatalf("%d bytes are kept", n)
		}
		if n > maxUnread-2000 {
			break
		}
	}
	h.Drain()
	if _, err := far.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	for {
		n, err := h.Read(within(t, 5*time.Second), buf)
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == "new" { // what was still on its way comes before
			return
		}
	}
}

func TestHIDHangupIsSeenAndStays(t *testing.T) {
	h, far := hidPair(t)
	why := errors.New("left")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if _, err := h.Read(ctx, make([]byte, 8)); !errors.Is(err, why) {
		t.Errorf("called off: %v", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = far.Close() })
	for range 2 {
		if _, err := h.Read(within(t, 5*time.Second), make([]byte, 8)); !errors.Is(err, ErrHangup) || !errors.Is(err, devices.ErrNoDevice) {
			t.Errorf("pulled: %v", err)
		}
	}
	if _, err := h.Write(within(t, 20*time.Second), []byte("x")); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("writing to nobody: %v", err)
	}
	// One that takes nothing ends the line, and nobody waits.
	h, _ = hidPair(t)
	var err error
	for err == nil {
		_, err = h.Write(within(t, 200*time.Millisecond), make([]byte, 4096))
	}
	if !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	if _, err := h.Write(within(t, 20*time.Second), []byte("x")); !errors.Is(err, ErrHangup) {
		t.Errorf("afterwards: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}
