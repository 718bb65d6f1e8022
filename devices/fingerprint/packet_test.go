package fingerprint

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

var usual = [4]byte{0xFF, 0xFF, 0xFF, 0xFF}

func TestPacketsOfTheManual(t *testing.T) {
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{frame(usual, pidCommand, cmdPassword, 0, 0, 0, 0), "ef01ffffffff010007130000000000" + "1b"},
		{frame(usual, pidCommand, cmdTake), "ef01ffffffff010003010005"},
		{frame(usual, pidCommand, cmdUpload), "ef01ffffffff0100030a000e"},
		{frame(usual, pidCommand, cmdSettings), "ef01ffffffff0100030f0013"},
		{frame(usual, pidCommand, cmdProduct), "ef01ffffffff0100033c0040"},
	} {
		if hex.EncodeToString(c.got) != c.want {
			t.Errorf("%x, expected %s", c.got, c.want)
		}
	}
	answer := frame(usual, pidAnswer, 0, 1, 2, 3)
	for i := range answer {
		if _, used, err := parse(answer[:i], usual); used != 0 || err != nil {
			t.Errorf("%d bytes: %d %v", i, used, err)
		}
		bad := bytes.Clone(answer)
		bad[i] ^= 0x20
		if p, used, err := parse(bad, usual); err == nil && used > 0 {
			t.Errorf("byte %d disturbed gives %+v", i, p)
		}
	}
	if p, used, err := parse(answer, usual); err != nil || used != len(answer) || p.pid != pidAnswer || !bytes.Equal(p.content, []byte{0, 1, 2, 3}) {
		t.Errorf("%+v %d %v", p, used, err)
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	good := []byte{0, 4, 0, 0, 3, 0xE8, 0, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0, 2, 0, 12}
	s := &Sensor{}
	if err := s.settings(good); err != nil || s.baud != 115200 {
		t.Errorf("%d %v", s.baud, err)
	}
	for name, b := range map[string][]byte{"short": good[:15], "packets": append(append([]byte{}, good[:13]...), 4, 0, 6), "speed": append(append([]byte{}, good[:15]...), 0),
		"too fast": append(append([]byte{}, good[:14]...), 1, 12)} {
		if s.settings(b) == nil {
			t.Errorf("%s are taken", name)
		}
	}
	product := append(append(bytes.Repeat([]byte{'x'}, 38), 0, 192, 0, 192), 6, 0, 0, 200)
	if err := s.product(product); err != nil || s.width != 192 {
		t.Errorf("%d %v", s.width, err)
	}
	for name, change := range map[string]func(b []byte) []byte{"short": func(b []byte) []byte { return b[:41] }, "odd": func(b []byte) []byte { b[39] = 193; return b },
		"huge": func(b []byte) []byte { b[38] = 0xFF; return b }, "none": func(b []byte) []byte { b[41] = 0; return b }} {
		if s.product(change(bytes.Clone(product))) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestWhereAPixelGoes(t *testing.T) {
	for name, c := range map[string]struct {
		p    Profile
		want []byte
	}{
		"as the manuals say": {Profile{}, []byte{0x11, 0x22, 0x33, 0x44}}, "low half first": {Profile{LowFirst: true}, []byte{0x22, 0x11, 0x44, 0x33}},
		"light ridges": {Profile{Inverted: true}, []byte{0xEE, 0xDD, 0xCC, 0xBB}}, "upside down": {Profile{UpDown: true}, []byte{0x44, 0x33, 0x22, 0x11}},
	} {
		s, pixels := &Sensor{p: c.p}, make([]byte, 4)
		s.put(pixels, 0, 0x12)
		s.put(pixels, 1, 0x34)
		if !bytes.Equal(pixels, c.want) {
			t.Errorf("%s: %x", name, pixels)
		}
	}
}

func TestProfilesThatMakeNoSense(t *testing.T) {
	for _, name := range Profiles() {
		if _, err := LoadProfile(name); err != nil {
			t.Error(err)
		}
	}
	for text, key := range map[string]string{
		"width = 257\nheight = 288\ndpi = 500": "width", "width = 256\nheight = 9\ndpi = 500": "height", "width = 256\nheight = 288": "dpi",
		"width = 256\nheight = 288\ndpi = 500\naddress = \"ff\"": "address", "width = 256\nheight = 288\ndpi = 500\npassword = \"0102030405\"": "password",
		"width = 256\nheight = 288\ndpi = 500\nwidht = 1": "widht",
	} {
		if _, err := ParseProfile("mine.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "mine.toml") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzPacket: whatever comes, the parser takes what is there or waits, and never both; and what it takes is what was sent.
func FuzzPacket(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		rest := b
		for len(rest) > 0 {
			p, used, err := parse(rest, usual)
			switch {
			case used > len(rest), err != nil && used == 0, err != nil && p.content != nil, err == nil && used == 0 && p.content != nil:
				t.Fatalf("%d of %d, %+v, %v", used, len(rest), p, err)
			case used == 0:
				if len(rest) >= headBytes+mostContent+2 {
					t.Fatalf("waits for more than a packet is long: %x", rest[:headBytes])
				}
				return
			case err == nil:
				if again := frame(usual, p.pid, p.content...); !bytes.Equal(again, rest[:used]) {
					t.Fatalf("%x became %x", rest[:used], again)
				}
			}
			rest = rest[used:]
		}
	})
}
