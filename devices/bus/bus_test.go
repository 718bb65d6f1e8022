package bus

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
)

func TestParse(t *testing.T) {
	u, err := Parse("serial:/dev/serial/by-id/usb-x?baud=9600&parity=even&data=7&stop=2&flow=rtscts")
	if err != nil || u.Scheme != Serial || u.Address != "/dev/serial/by-id/usb-x" || u.Line != (Line{9600, 7, 2, 'E', FlowRTSCTS}) {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := Parse("serial:/dev/ttyS0"); err != nil || u.Line != (Line{115200, 8, 1, 'N', FlowNone}) {
		t.Errorf("defaults: %+v, %v", u, err)
	}
	if u, err := Parse("alsa:plughw:CARD=PCH,DEV=0"); err != nil || u.Scheme != ALSA || u.Address != "plughw:CARD=PCH,DEV=0" {
		t.Errorf("%+v %v", u, err)
	}
	if u, err := Parse("tcp:printer:9100"); err != nil || u.Address != "printer:9100" {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := Parse("usb:0416:5011:SN%2F1?port=1-2.3&interface=1"); err != nil || u.USB != (USBAddress{0x0416, 0x5011, "SN/1", "1-2.3", 1, ""}) {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := Parse("usb:0400:C35A?framing=split"); err != nil || u.USB != (USBAddress{0x0400, 0xC35A, "", "", -1, FramingSplit}) {
		t.Errorf("%+v, %v", u, err)
	}
	for _, bad := range []string{"usb:0400", "usb:0400:c35", "usb:0400:c35a:", "usb:0400:c35a?port=/etc", "usb:0400:c35a?port=1-2&port=x",
		"usb:0400:c35a?interface=-1", "usb:0400:c35a?framing=both", "usb:0400:c35a?speed=1", "usb:0400:c35a:%01"} {
		if u, err := Parse(bad); err == nil {
			t.Errorf("%q was accepted: %+v", bad, u)
		}
	}
	for _, bad := range []string{"", "serial", "serial:ttyS0", "serial:/dev/x?baud=12", "serial:/dev/x?bauds=9600", "tcp:host", "tcp:host:0",
		"alsa:", "alsa:-D", "alsa:a b", "alsa:../x", "tcp::9100", "usb:04b8", "ipp:///x", "ipp://user@host/x", "v4l2:video0", "com:1", "serial:/dev/x?flow=maybe", strings.Repeat("a:", 600)} {
		if u, err := Parse(bad); err == nil {
			t.Errorf("%q was accepted: %+v", bad, u)
		}
	}
}

// opened is a serial bus on a PTY and the far side of it.
func opened(t *testing.T) (Bus, *os.File) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	path := slave.Name()
	u, err := Parse("serial:" + path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	t.Cleanup(func() { _ = b.Close(); _ = master.Close() })
	return b, master
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestSerialCarriesEveryByteBothWays(t *testing.T) {
	b, far := opened(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if _, err := b.Write(within(t, 20*time.Second), all); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 256)
	for n := 0; n < len(got); {
		m, err := far.Read(got[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if !bytes.Equal(got, all) {
		t.Error("what was written did not arrive")
	}
	if _, err := far.Write(all); err != nil {
		t.Fatal(err)
	}
	clear(got)
	for n := 0; n < len(got); {
		m, err := b.Read(within(t, 20*time.Second), got[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if !bytes.Equal(got, all) {
		t.Error("what was sent did not come")
	}
}

func TestSilenceIsNotAHangup(t *testing.T) {
	b, _ := opened(t)
	_, err := b.Read(within(t, 250*time.Millisecond), make([]byte, 8))
	if !errors.Is(err, ErrTimeout) || !errors.Is(err, devices.ErrSilent) || errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("silence reads as %v", err)
	}
}

func TestHangupIsSeenWhileReading(t *testing.T) {
	b, far := opened(t)
	time.AfterFunc(50*time.Millisecond, func() { far.Close() })
	_, err := b.Read(within(t, 5*time.Second), make([]byte, 8))
	if !errors.Is(err, ErrHangup) || !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("hang-up reads as %v", err)
	}
	if _, err := b.Write(within(t, 20*time.Second), []byte("x")); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("writing after a hang-up: %v", err)
	}
}

func TestCancelEndsARead(t *testing.T) {
	b, _ := opened(t)
	why := errors.New("the door opened")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if _, err := b.Read(ctx, make([]byte, 8)); !errors.Is(err, why) {
		t.Errorf("error %v, expected the cause", err)
	}
}

func TestWritingToADeviceThatStopsReadingEnds(t *testing.T) {
	b, _ := opened(t)
	n, err := b.Write(within(t, 300*time.Millisecond), make([]byte, 1<<20))
	if !errors.Is(err, devices.ErrSilent) || n == 0 || n == 1<<20 {
		t.Errorf("wrote %d, error %v", n, err)
	}
	_ = b.Close() // or this test never ends
}

func TestWriteThatIsCalledOffLeavesTheLineWhole(t *testing.T) {
	b, far := opened(t)
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, _ = b.Write(ctx, []byte("0123456789"))
		cancel()
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			if _, err := far.Read(buf); err != nil {
				return
			}
		}
	}()
	if _, err := b.Write(within(t, 20*time.Second), []byte("still here")); err != nil {
		t.Errorf("the line died of a caller that gave up: %v", err)
	}
}

func TestLineIsClaimed(t *testing.T) {
	b, _ := opened(t)
	// Root may open a claimed line all the same, so the claim itself is what is looked at.
	claimed, err := unix.IoctlGetInt(b.(*serialBus).side, unix.TIOCGEXCL)
	if err != nil || claimed == 0 {
		t.Errorf("line is not claimed: %d, %v", claimed, err)
	}
}

func TestMissingPortAndWrongKind(t *testing.T) {
	u, _ := Parse("serial:/dev/does-not-exist")
	if _, err := Open(t.Context(), u); !errors.Is(err, devices.ErrNoDevice) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing port: %v", err)
	}
	u, _ = Parse("serial:/dev/null")
	if _, err := Open(t.Context(), u); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("not a port: %v", err)
	}
	u, _ = Parse("usb:0400:c35a")
	if _, err := Open(t.Context(), u); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("usb: %v", err)
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, _ := Parse("tcp:" + l.Addr().String())
	b, err := Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(within(t, 20*time.Second), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := far.Read(got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := b.Read(within(t, 100*time.Millisecond), got); !errors.Is(err, ErrTimeout) {
		t.Errorf("silence: %v", err)
	}
	_ = far.Close()
	if _, err := b.Read(within(t, 20*time.Second), got); !errors.Is(err, ErrHangup) {
		t.Errorf("hang-up: %v", err)
	}
	_ = l.Close()
	if _, err := Open(within(t, 20*time.Second), u); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestTCPPeerThatStopsReading(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, _ := Parse("tcp:" + l.Addr().String())
	b, err := Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	n, err := b.Write(within(t, 200*time.Millisecond), make([]byte, 64<<20))
	if !errors.Is(err, devices.ErrSilent) || n == 0 {
		t.Errorf("wrote %d, error %v", n, err)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		u, _ := Parse("serial:" + slave.Name())
		b, err := Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		_ = b.Close()
		_ = slave.Close()
		_ = master.Close()
	}
	for range 50 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func FuzzURI(f *testing.F) {
	for _, s := range []string{"serial:/dev/ttyS0?baud=9600", "tcp:h:1", "usb:0400:c35a:S", "usb:0416:5011?port=1-2.3&interface=0&framing=split", "ipp://h/p", "v4l2:/dev/video0", "serial:/d?%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Parse(s)
		if err == nil && u.String() != s {
			t.Errorf("%q reads back as %q", s, u.String())
		}
	})
}

// TestPulledWhileOpened: a line that hangs up before its first question is a device that is gone, not a port that never can be one.
func TestPulledWhileOpened(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	u := URI{Address: slave.Name()}
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err == nil {
		t.Fatal("a line without its other side answers")
	}
	if got := lineError(u, err); !errors.Is(got, devices.ErrNoDevice) || errors.Is(got, devices.ErrUnusable) {
		t.Errorf("pulled: %v", got)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	_, err = unix.IoctlGetTermios(int(null.Fd()), unix.TCGETS)
	if got := lineError(u, err); err == nil || !errors.Is(got, devices.ErrUnusable) {
		t.Errorf("no line: %v", got)
	}
}
