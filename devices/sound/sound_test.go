package sound

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
)

// alsa gives this process an ALSA device named "wire" that writes what it is given into a file instead of a loudspeaker, and returns
// the file. The library, its plug-ins and aplay are the system's.
func alsa(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("aplay"); err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no aplay: apt install alsa-utils")
	}
	home := t.TempDir()
	out := filepath.Join(home, "out.raw")
	conf := fmt.Sprintf("pcm.silence { type null }\npcm.wire { type file slave.pcm silence file %q format raw }\n", out)
	if err := os.WriteFile(filepath.Join(home, ".asoundrc"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	return out
}

func open(t *testing.T, opt Options) *Speaker {
	t.Helper()
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// played tells whether a stream came out as it went in, and silence after it, to the end of ALSA's last period.
func played(out, in []byte) bool {
	return len(out) >= len(in) && len(out)-len(in) < 24000 && bytes.Equal(out[:len(in)], in) && len(bytes.Trim(out[len(in):], "\x00")) == 0
}

// What goes over the wire is the tone, sample for sample, and nothing is heard before it is asked for.
func TestTonesOnTheWire(t *testing.T) {
	out := alsa(t)
	s := open(t, Options{PCM: "wire", Volume: 60})
	st, err := s.Probe(t.Context())
	if err != nil || st.Unready() != devices.UnreadyNot || st.Paper != devices.SupplyNotSupported || st.Media != devices.MediaNotSupported || st.Identity.Model != "wire" {
		t.Errorf("%+v %v", st, err)
	}
	if b, err := os.ReadFile(out); err == nil && !played(b, nil) {
		t.Errorf("opening and probing made %d bytes of sound", len(b))
	}
	for _, tone := range devices.Tones() {
		if err := s.Play(t.Context(), tone); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil || !played(got, Samples(tone, 60)) {
			t.Errorf("%s: %d bytes came out, %d went in, %v", tone, len(got), len(Samples(tone, 60)), err)
		}
	}
	if err := s.Play(t.Context(), "no-such"); err == nil {
		t.Error("a tone that does not exist was played")
	}
}

// In the quiet hours it is as loud as was said, and silence starts no process at all.
func TestQuietHours(t *testing.T) {
	out := alsa(t)
	at := time.Date(2026, 11, 29, 22, 0, 0, 0, time.UTC)
	quiet, err := ParseHours("21:00-07:30")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{PCM: "wire", Volume: 80, Quiet: quiet, QuietVolume: 20, Now: func() time.Time { return at }})
	for _, x := range []struct {
		hour, volume int
	}{{22, 20}, {3, 20}, {8, 80}, {20, 80}} {
		at = time.Date(2026, 11, 29, x.hour, 0, 0, 0, time.UTC)
		if err := s.Play(t.Context(), devices.ToneKey); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(out); !played(got, Samples(devices.ToneKey, x.volume)) {
			t.Errorf("at %d:00 another volume than %d", x.hour, x.volume)
		}
	}
	s.opt.QuietVolume = 0
	at = time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC)
	s.opt.Program = "/does/not/exist"
	if err := s.Play(t.Context(), devices.ToneTake); err != nil {
		t.Errorf("silence: %v", err)
	}
}

// What is not there, or goes away, is said as it is.
func TestNoDevice(t *testing.T) {
	alsa(t)
	_, err := Open(t.Context(), Options{PCM: "no-such-device", Volume: 50})
	if !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("%v", err)
	}
	s := open(t, Options{PCM: "wire", Volume: 50})
	s.opt.PCM = "plughw:CARD=Gone"
	if err := s.Play(t.Context(), devices.ToneKey); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("%v", err)
	}
	s.checked = time.Time{}
	if st, err := s.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) || st.Unready() != devices.UnreadyNoDevice {
		t.Errorf("%+v %v", st, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Play(t.Context(), devices.ToneKey); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("closed: %v", err)
	}
}

// helper is a program in aplay's place.
func helper(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "helper")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A process that hangs, floods or dies takes nothing with it.
func TestHelperAtItsWorst(t *testing.T) {
	for _, x := range []struct {
		name, script string
		want         error
	}{
		{"hangs", "sleep 60 & exec sleep 60", devices.ErrSilent},
		{"floods", "head -c 20000000 /dev/zero >&2; exit 1", devices.ErrUnusable},
		{"dies", "kill -9 $$", devices.ErrUnusable},
		{"is busy", "echo 'aplay: main:831: audio open error: Device or resource busy' >&2; exit 1", devices.ErrBusy},
		{"says nothing", "exit 1", devices.ErrUnusable},
		{"does not read", "exec <&-; sleep 0.1; exit 0", nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{PCM: "x", Volume: 50, Program: helper(t, x.script)})
			if !errors.Is(err, x.want) {
				t.Errorf("%v", err)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	if _, err := Open(t.Context(), Options{PCM: "x", Program: "no-such-program"}); !errors.Is(err, devices.ErrUnusable) || !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, Options{PCM: "x", Program: helper(t, "exec sleep 60")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A tone has its notes and no other, never clips, begins and ends at rest, and half the volume is a quarter of the amplitude.
func TestTones(t *testing.T) {
	for _, tone := range devices.Tones() {
		b := Samples(tone, 100)
		if want := frames(Length(tone)) * 2 * Channels; len(b) != want {
			t.Fatalf("%s: %d bytes, %v are %d", tone, len(b), Length(tone), want)
		}
		left := channel(b, 0)
		if r := channel(b, 1); !equal(left, r) {
			t.Errorf("%s: the channels differ", tone)
		}
		from := 0
		for _, n := range tones[tone] {
			part := left[from : from+frames(n.lasts)]
			from += frames(n.lasts)
			if math.Abs(part[0]) > 1 || math.Abs(part[len(part)-1]) > 1 {
				t.Errorf("%s: a note of %g Hz begins at %g and ends at %g", tone, n.hertz, part[0], part[len(part)-1])
			}
			at, off := power(part, n.hertz), power(part, n.hertz*1.5)
			if at < 30*off {
				t.Errorf("%s: %g Hz has %g, %g Hz has %g", tone, n.hertz, at, n.hertz*1.5, off)
			}
		}
		full, half := peak(left), peak(channel(Samples(tone, 50), 0))
		if full > math.MaxInt16*0.71 || math.Abs(full/half-4) > 0.1 {
			t.Errorf("%s: peaks %g and %g", tone, full, half)
		}
	}
	if Samples("none", 50) != nil || peak(channel(Samples(devices.ToneKey, 0), 0)) != 0 || !bytes.Equal(Samples(devices.ToneKey, 100), Samples(devices.ToneKey, 1000)) {
		t.Error("bounds")
	}
}

func channel(b []byte, which int) (out []float64) {
	for i := 2 * which; i+1 < len(b); i += 2 * Channels {
		out = append(out, float64(int16(binary.LittleEndian.Uint16(b[i:]))))
	}
	return out
}

func equal(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func peak(x []float64) (most float64) {
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return most
}

// power is how much of a frequency is in x (Goertzel).
func power(x []float64, hertz float64) float64 {
	w := 2 * math.Cos(2*math.Pi*hertz/Rate)
	a, b := 0.0, 0.0
	for _, v := range x {
		a, b = v+w*a-b, a
	}
	return (a*a + b*b - w*a*b) / float64(len(x)*len(x))
}

func TestHours(t *testing.T) {
	for _, x := range []string{"21:00", "21:00-21:00", "25:00-07:00", "21:00-07:60", "21:00 07:30", "9:00-10:00", "21:00-07:300", strings.Repeat("1", 5000)} {
		if _, err := ParseHours(x); !errors.Is(err, ErrHours) {
			t.Errorf("%.20q: %v", x, err)
		}
	}
	day := func(h, m, s int) time.Time { return time.Date(2026, 3, 29, h, m, s, 0, time.Local) }
	over, err := ParseHours("21:00-07:30")
	noon, nerr := ParseHours("12:00-13:00")
	none, zerr := ParseHours("")
	if err != nil || nerr != nil || zerr != nil {
		t.Fatal(err, nerr, zerr)
	}
	for _, x := range []struct {
		h    Hours
		at   time.Time
		want bool
	}{{over, day(20, 59, 59), false}, {over, day(21, 0, 0), true}, {over, day(0, 0, 0), true}, {over, day(7, 29, 59), true}, {over, day(7, 30, 0), false},
		{noon, day(11, 59, 59), false}, {noon, day(12, 0, 0), true}, {noon, day(13, 0, 0), false}, {none, day(0, 0, 0), false}} {
		if got := x.h.Within(x.at); got != x.want {
			t.Errorf("%v at %v: %v", x.h, x.at, got)
		}
	}
}

func FuzzComplaint(f *testing.F) {
	f.Add("ALSA lib pcm.c:2666:(snd_pcm_open_noupdate) Unknown PCM x\naplay: main:831: audio open error: No such file or directory\n")
	f.Add("aplay: main:831: audio open error: Device or resource busy\n")
	f.Add("aplay: set_params:1358: Sample format non available\nAvailable formats:\n- S32_LE\n")
	f.Add("\x00\xff\n\n")
	f.Fuzz(func(t *testing.T, said string) {
		text, kind := complaint(said)
		if kind == nil || len(text) > 200 {
			t.Errorf("%v, %d bytes", kind, len(text))
		}
	})
}

func FuzzHours(f *testing.F) {
	f.Add("21:00-07:30")
	f.Add("00:00-23:59")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := ParseHours(text); err == nil && text != "" && h == (Hours{}) {
			t.Errorf("%q is none", text)
		}
	})
}
