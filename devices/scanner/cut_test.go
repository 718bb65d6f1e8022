package scanner

import (
	"bytes"
	"errors"
	"testing"

	"github.com/budayang/kiosk/devices"
)

func TestProfilesAreSound(t *testing.T) {
	if len(Profiles()) < 5 {
		t.Fatalf("only %v", Profiles())
	}
	for _, name := range Profiles() {
		if _, err := LoadProfile(name); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "gap_ms = 5\ntext = \"utf-8\"", "gap_ms = 50\ntext = \"gbk\"", "gap_ms = 50\ntext = \"bytes\"\nlimit = 9000",
		"gap_ms = 50\ntext = \"bytes\"\nask = \"05\"", "gap_ms = 50\ntext = \"bytes\"\nsuffix = \"0\"", "colour = 1"} {
		if _, err := ParseProfile("x", []byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestEmptyEndsAreNoCodes(t *testing.T) {
	c := newCutter(Profile{Suffix: []byte("\r"), GapMS: 50, Text: "utf-8"})
	if code, done, err := c.feed([]byte("\r\rA\r")); !done || err != nil || string(code) != "A" {
		t.Errorf("%q %v %v", code, done, err)
	}
}

func FuzzCutter(f *testing.F) {
	f.Add([]byte("6901234567892\r\n"), []byte("\r"), []byte(""), 64)
	f.Add([]byte("\x02CODE\x03\x04"), []byte("\x03\x04"), []byte("\x02"), 8)
	f.Add(bytes.Repeat([]byte{0xFF}, 300), []byte(""), []byte(""), 16)
	f.Fuzz(func(t *testing.T, in, suffix, prefix []byte, limit int) {
		if len(suffix) > 32 || len(prefix) > 32 || limit < 1 || limit > devices.MaxCode {
			return
		}
		p := Profile{Suffix: suffix, Prefix: prefix, Limit: limit, GapMS: 50, Text: "bytes"}
		c := newCutter(p)
		room := cap(c.buf)
		for len(in) > 0 {
			n := min(len(in), 7)
			code, done, err := c.feed(in[:n])
			in = in[n:]
			if cap(c.buf) > room || (done && err == nil && (len(code) == 0 || len(code) > limit)) {
				t.Fatalf("room %d, code of %d", cap(c.buf), len(code))
			}
			if done {
				if err != nil && !errors.Is(err, devices.ErrCodeTooLong) && !errors.Is(err, devices.ErrCodeUnreadable) {
					t.Fatal(err)
				}
				return
			}
		}
		if code, err := c.silence(); err == nil && len(code) > limit {
			t.Fatalf("code of %d", len(code))
		}
	})
}
