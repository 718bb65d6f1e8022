package smartcard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/idnum"
)

func bench(t *testing.T) (*sim.SmartCardReader, *Reader) {
	t.Helper()
	s, err := sim.StartSmartCardReader("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r, err := Open(t.Context(), strings.TrimPrefix(s.URI(), "pcsc:"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return s, r
}

// sample is a synthetic person's card with a right number.
func sample(t *testing.T) sim.SocialCard {
	t.Helper()
	c := sim.SampleSocialCard()
	n, err := idnum.Complete(c.Number[:17])
	if err != nil {
		t.Fatal(err)
	}
	c.Number = n
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// whole says what is wrong with a card that was read.
func whole(got *devices.SocialCard, c sim.SocialCard) string {
	switch {
	case got.Name != c.Name, got.Number != c.Number, got.Sex != '2', got.Nation != "01", got.Birthplace != c.Region:
		return fmt.Sprintf("person: name %v number %v sex %c nation %q place %q missing %v", got.Name == c.Name, got.Number == c.Number, got.Sex, got.Nation, got.Birthplace, got.Missing)
	case !strings.HasPrefix(got.ID, c.Region) || len(got.ID) != 32, got.CardNumber != "A12345678", got.Version != "2.00", got.Class != "1":
		return "card"
	case got.Birth.Format("20060102") != c.Number[6:14], got.Expires.Format("20060102") != c.Expires, got.Issued.Year() != 2015:
		return "dates"
	case len(got.Missing)+len(got.Warnings) != 0:
		return fmt.Sprint(got.Missing, got.Warnings)
	}
	return ""
}

func TestRegionsDifferAndAreRead(t *testing.T) {
	for name, change := range map[string]func(*sim.SocialCard){
		"by tag":          func(*sim.SocialCard) {},
		"from one":        func(c *sim.SocialCard) { c.FromOne = true },
		"P1 00":           func(c *sim.SocialCard) { c.P1Zero = true },
		"P2 00":           func(c *sim.SocialCard) { c.P2Zero = true },
		"short numbers":   func(c *sim.SocialCard) { c.ShortOnly = true },
		"T=0":             func(c *sim.SocialCard) { c.Correcting = true },
		"all differently": func(c *sim.SocialCard) { c.FromOne, c.P1Zero, c.P2Zero, c.Correcting = true, true, true, true },
	} {
		t.Run(name, func(t *testing.T) {
			s, r := bench(t)
			c := sample(t)
			change(&c)
			s.Put(&c)
			var events []devices.ReadEvent
			got, err := r.Read(within(t, 10*time.Second), func(e devices.ReadEvent) { events = append(events, e) })
			if err != nil {
				t.Fatal(err)
			}
			if wrong := whole(got, c); wrong != "" {
				t.Error(wrong)
			}
			if !slices.Equal(events, []devices.ReadEvent{devices.ReadFound}) {
				t.Errorf("%v", events)
			}
			for _, apdu := range s.APDUs() {
				if !slices.Contains([]byte{0xA4, 0xB2, 0xC0}, apdu[1]) {
					t.Errorf("instruction %02X was sent: only reading is allowed", apdu[1])
				}
			}
			got.Wipe()
			if got.Name != "" || got.Number != "" {
				t.Error("not wiped")
			}
		})
	}
}

func TestACardShowsNothingByAccident(t *testing.T) {
	c := devices.SocialCard{Name: "李晓雯", Number: "990000199003070021"}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s", c, c, &c)} {
		if strings.Contains(s, "李") || strings.Contains(s, "1990") {
			t.Error(s)
		}
	}
	if _, err := c.MarshalJSON(); err == nil {
		t.Error("marshalled")
	}
}

func TestWhatIsProtectedIsSaid(t *testing.T) {
	s, r := bench(t)
	c := sample(t)
	c.Protected, c.Expires = true, "20010101"
	s.Put(&c)
	got, err := r.Read(within(t, 10*time.Second), nil)
	if err != nil || got.Name != "" || got.CardNumber == "" || !slices.Contains(got.Missing, "name protected") || len(got.Missing) != 6 {
		t.Fatalf("%v, %v", got, err)
	}
	if !slices.Equal(got.Warnings, []string{"expired"}) {
		t.Errorf("%v", got.Warnings)
	}
	c = sample(t)
	c.Number = c.Number[:17] + map[bool]string{true: "1", false: "0"}[c.Number[17] == '0']
	s.Put(&c)
	if got, err = r.Read(within(t, 10*time.Second), nil); err != nil || !slices.Contains(got.Warnings, "check-digit") {
		t.Errorf("%v", err)
	}
}

func TestEachFaultHasItsWord(t *testing.T) {
	for name, c := range map[string]struct {
		fault, value string
		err          error
		again        error // after it was mended; nil reads
	}{
		"daemon silent":   {fault: "silent", err: devices.ErrSilent},
		"daemon stopped":  {fault: "unplug", err: devices.ErrNoDevice},
		"reader pulled":   {fault: "no-reader", err: devices.ErrNoDevice},
		"card mute":       {fault: "card-mute", err: devices.ErrCardUnreadable},
		"card nonsense":   {fault: "garbage", err: devices.ErrCardUnreadable},
		"answer endless":  {fault: "endless", err: devices.ErrProtocol},
		"answer vast":     {fault: "long-answer", err: devices.ErrProtocol},
		"answer cut":      {fault: "half-answer", err: devices.ErrNoDevice},
		"table nonsense":  {fault: "bad-entry", err: devices.ErrProtocol},
		"held by another": {fault: "in-use", err: devices.ErrBusy},
		"pulled for good": {fault: "pulled", value: "3", err: devices.ErrCardUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := bench(t)
			card := sample(t)
			s.Put(&card)
			if err := s.Fault(c.fault, c.value); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Read(within(t, 20*time.Second), nil); !errors.Is(err, c.err) {
				t.Errorf("%v", err)
			}
			if err := s.Clear(""); err != nil {
				t.Fatal(err)
			}
			got, err := r.Read(within(t, 10*time.Second), nil)
			if err != nil {
				t.Fatalf("mended: %v", err)
			}
			if wrong := whole(got, card); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

func TestPulledOnceIsAskedForAgain(t *testing.T) {
	s, r := bench(t)
	card := sample(t)
	if err := s.Fault("pulled", "1"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { s.Put(&card) })
	var events []devices.ReadEvent
	got, err := r.Read(within(t, 10*time.Second), func(e devices.ReadEvent) { events = append(events, e) })
	if err != nil || whole(got, card) != "" || !slices.Equal(events, []devices.ReadEvent{devices.ReadFound, devices.ReadAgain, devices.ReadFound}) {
		t.Errorf("%v, %v", events, err)
	}
}

func TestOtherCardsAndNoCard(t *testing.T) {
	s, r := bench(t)
	other := sample(t)
	other.Other = true
	s.Put(&other)
	if _, err := r.Read(within(t, 5*time.Second), nil); !errors.Is(err, devices.ErrNotIDCard) {
		t.Error(err)
	}
	s.Put(nil)
	if m, err := r.Present(t.Context()); err != nil || m != devices.MediaNotPresent {
		t.Error(m, err)
	}
	if _, err := r.Read(within(t, 300*time.Millisecond), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	st, err := r.Probe(t.Context())
	if err != nil || st.Unready() != "" || st.Media != devices.MediaNotPresent || st.Identity.Model == "" {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestOpeningSaysWhatIsWrong(t *testing.T) {
	s, _ := bench(t)
	path := strings.TrimPrefix(s.URI(), "pcsc:")
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "x"), ""); !errors.Is(err, devices.ErrNoDevice) {
		t.Error(err)
	}
	if _, err := Open(t.Context(), path, "Other Reader"); !errors.Is(err, devices.ErrNoDevice) {
		t.Error(err)
	}
	for _, minor := range []string{"3", "4", "5", "6"} {
		if err := s.Fault("version", minor); err != nil {
			t.Fatal(err)
		}
		r, err := Open(t.Context(), path, "Simulated")
		if err != nil {
			t.Fatalf("4:%s: %v", minor, err)
		}
		_ = r.Close()
	}
	if err := s.Fault("version", "77"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, ""); !errors.Is(err, devices.ErrUnusable) {
		t.Error(err)
	}
}

// scripted answers what a fuzzer says.
type scripted struct{ in []byte }

func (s *scripted) transmit(context.Context, []byte) ([]byte, error) {
	if len(s.in) == 0 {
		return nil, devices.ErrNoDevice
	}
	n := min(int(s.in[0]), len(s.in)-1)
	out := s.in[1 : 1+n]
	s.in = s.in[1+n:]
	return out, nil
}

func FuzzCard(f *testing.F) {
	ok := []byte{2, 0x90, 0}
	f.Add(slices.Concat(ok, ok, []byte{6, 2, 1, '1', 0x90, 0, 0}))
	f.Add(slices.Concat(ok, ok, []byte{2, 0x61, 4}, []byte{2, 0x6C, 4}))
	f.Add(slices.Concat(ok, ok, slices.Repeat([]byte{2, 0x69, 0x82}, 40)))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := read(t.Context(), &scripted{in}, time.Now())
		if (c == nil) == (err == nil) {
			t.Fatal("neither card nor error")
		}
		if err == nil && len(c.Name) > 90 {
			t.Fatalf("name of %d bytes", len(c.Name))
		}
	})
}

func FuzzReaders(f *testing.F) {
	f.Add(make([]byte, mostReaders*readerBytes))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 && len(b) < mostReaders*readerBytes { // short inputs are stretched: the socket always gives a whole table
			b = slices.Repeat(b, mostReaders*readerBytes/len(b)+1)[:mostReaders*readerBytes]
		}
		all, err := readReaders(b)
		if err != nil && !errors.Is(err, devices.ErrProtocol) {
			t.Fatal(err)
		}
		for _, r := range all {
			if len(r.atr) > mostATR || len(r.name) >= nameBytes {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// TestPeer is the driver against Debian's pcscd with vsmartcard's virtual reader. The daemon has a mount namespace of its own, so
// that a system's pcscd is not touched; its socket is reached through /proc.
func TestPeer(t *testing.T) {
	driver, _ := filepath.Glob("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
	pcscd := "/usr/sbin/pcscd"
	if _, err := os.Stat(pcscd); err != nil || len(driver) == 0 || os.Geteuid() != 0 {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal("pcscd or its virtual reader is missing, or this is not root: install pcscd, vsmartcard-vpcd")
		}
		t.Skip("pcscd or its virtual reader is missing, or this is not root: install pcscd, vsmartcard-vpcd")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "reader.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n", port, driver[0], port), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// A bare chroot's root is no mount and cannot be made private; its /run/pcscd is nobody else's.
	cmd := exec.Command("unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
		`mkdir -p /run/pcscd; if mount --make-rprivate / 2>/dev/null; then mount -t tmpfs tmpfs /run/pcscd; fi
exec "$0" --foreground --config "$1"`, pcscd, conf)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("pcscd said: %s", said)
		}
	})
	path := fmt.Sprintf("/proc/%d/root/run/pcscd/pcscd.comm", cmd.Process.Pid)
	var r *Reader
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if r, err = Open(t.Context(), path, "00 00"); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer r.Close()
	if m, err := r.Present(t.Context()); err != nil || m == devices.MediaPresent {
		t.Errorf("before a card: %s, %v", m, err)
	}
	card := sample(t)
	card.Correcting = true
	ctx, pull := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- sim.ServeVirtualCard(ctx, fmt.Sprintf("127.0.0.1:%d", port), card) }()
	for range 2 {
		got, err := r.Read(within(t, 20*time.Second), nil)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := whole(got, card); wrong != "" {
			t.Error(wrong)
		}
	}
	st, err := r.Probe(t.Context())
	if err != nil || st.Media != devices.MediaPresent || !strings.Contains(st.Identity.Model, "Virtual PCD") {
		t.Errorf("%+v, %v", st, err)
	}
	pull()
	if err := <-gone; err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		m, err := r.Present(t.Context())
		if err == nil && m == devices.MediaNotPresent {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the card is still seen: %s, %v", m, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := r.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("without the daemon: %v", err)
	}
}
