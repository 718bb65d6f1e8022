package receipt

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/budayang/kiosk/devices/profile"
)

func TestBuiltInProfilesAreWhatTheManualsSay(t *testing.T) {
	want := []string{"cashino-kp628e", "custom-vkp80", "epson-tm", "generic-58", "generic-80"}
	if got := Profiles(); !slices.Equal(got, want) {
		t.Fatalf("%q, expected %q", got, want)
	}
	for _, name := range want {
		p, err := LoadProfile(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !p.DLEEOT || p.Fence == "" || len(p.Clear) == 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	kp, _ := LoadProfile("cashino-kp628e")
	if kp.Dots != 384 || kp.Mouth != "dle-eot-1-bit-7" || kp.Fence != "gs-r" || kp.Image != "gs-v-0" || !kp.InitPrints {
		t.Errorf("a head without process id that tells the mouth by bit 7: %+v", kp)
	}
	tm, _ := LoadProfile("epson-tm")
	if tm.Fence != "process-id" || string(tm.Cut) != "\x1dVB\x00" || string(tm.Clear) != "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08" {
		t.Errorf("a head with process id: %+v", tm)
	}
	vkp, _ := LoadProfile("custom-vkp80")
	if vkp.Mouth != "full-status" || string(vkp.Present) != "\x1de\x03\x0a" || string(vkp.Retract) != "\x1de\x02" {
		t.Errorf("a head with ejector: %+v", vkp)
	}
}

func TestUnknownProfileNamesThoseThatAre(t *testing.T) {
	for _, name := range []string{"", "epson", "../receipt", "epson-tm.toml"} {
		if _, err := LoadProfile(name); err == nil || !strings.Contains(err.Error(), "epson-tm, generic-58") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// plain is the least that a profile must say.
const plain = `dots = 576
encoding = "gb18030"
qr = "native"
image = "gs-v-0"
band = 128
cut = "1d 56 00"
`

func TestBadProfileIsRefusedWithFileKeyAndWhatIsExpected(t *testing.T) {
	if _, err := ParseProfile("x.toml", []byte(plain)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ from, to, want string }{
		{"dots = 576", "dots = 199", "x.toml: dots: 199, expected 200 to 2048"},
		{"dots = 576", "dots = 2049", "x.toml: dots: 2049, expected 200 to 2048"},
		{"dots = 576", `dots = "576"`, "x.toml: dots: 576, expected a whole number"},
		{"dots = 576", "dots = 57.6", "x.toml: dots: 57.6, expected a whole number"},
		{"dots = 576\n", "", "x.toml: dots: 0, expected 200 to 2048"},
		{`"gb18030"`, `"utf-8"`, `x.toml: encoding: "utf-8", expected one of ["gb18030"]`},
		{`"native"`, `"none"`, `x.toml: qr: "none", expected one of ["native" "raster"]`},
		{`"gs-v-0"`, `"esc-*"`, `x.toml: image: "esc-*", expected one of ["gs-v-0" "gs-8-l"]`},
		{"band = 128", "band = 7", "x.toml: band: 7, expected 8 to 2048"},
		{"band = 128", "band = 2049", "x.toml: band: 2049, expected 8 to 2048"},
		{`image = "gs-v-0"` + "\nband = 128", `image = "gs-8-l"` + "\nband = 2048", "x.toml: band: 2048, expected 8 to 2047"},
		{"1d 56 00", "1d 5", `x.toml: cut: 1d 5, expected at most 32 bytes as hex digits, "1d 56 42 00"`},
		{"1d 56 00", "GS V 0", `x.toml: cut: GS V 0, expected at most 32 bytes as hex digits, "1d 56 42 00"`},
		{"1d 56 00", strings.Repeat("00", 33), "expected at most 32 bytes"},
		{"1d 56 00", "", `x.toml: cut: missing, expected at most 32 bytes as hex digits, "1d 56 42 00"`},
		{"band", "mouth = \"full-status\"\nband", `x.toml: mouth: "full-status", expected none on a head without dle_eot`},
		{"band", "dle_eot = true\nmouth = \"bit-7\"\nband", `x.toml: mouth: "bit-7", expected one of ["" "dle-eot-1-bit-7" "full-status"]`},
		{"band", "fence = \"asb\"\nband", `x.toml: fence: "asb", expected one of ["" "gs-r" "process-id"]`},
		{"band", "dle_eot = \"yes\"\nband", "x.toml: dle_eot: yes, expected true or false"},
		{"band", "init_prints = 1\nband", "x.toml: init_prints: 1, expected true or false"},
		{"band", "fence = [\"gs-r\"]\nband", "x.toml: fence: [gs-r], expected a word in quotes"},
		{"band", "presenter = true\nband", "x.toml:5: presenter: no such key"},
		{"band", "band =\nband", "x.toml:5: "},
		{"dots", "cut = \"00\"\ndots", "x.toml:7: toml: key cut is already defined"},
		{"1d 56 00", strings.Repeat(" ", 64<<10), "x.toml: larger than 64 KiB"},
	} {
		_, err := ParseProfile("x.toml", []byte(strings.Replace(plain, tt.from, tt.to, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v\nexpected %s", tt.to, err, tt.want)
		}
	}
	_, err := ParseProfile("x.toml", nil)
	for _, key := range []string{"dots", "encoding", "qr", "image", "band", "cut"} {
		if err == nil || !strings.Contains(err.Error(), "x.toml: "+key+": ") {
			t.Errorf("an empty profile does not say that %s is missing: %v", key, err)
		}
	}
}

func FuzzProfile(f *testing.F) {
	for _, name := range Profiles() {
		b, err := profiles.ReadFile("profiles/" + name + ".toml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(plain))
	f.Add([]byte("dots = \"x\""))
	f.Add([]byte("[dots]\n"))
	f.Add([]byte("cut = '''1d'''"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProfile("x.toml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.toml:") {
				t.Fatalf("an error does not name its file: %v", err)
			}
			return
		}
		if p.Dots < 200 || p.Dots > 2048 || p.Band < 8 || p.Band > 2048 || p.Image == "gs-8-l" && p.Band > 2047 {
			t.Fatalf("accepted: %+v", p)
		}
		for _, b := range []profile.Bytes{p.Cut, p.Present, p.Retract, p.Clear} {
			if len(b) > 32 {
				t.Fatalf("a command of %d bytes", len(b))
			}
		}
		if len(p.Cut) == 0 || p.Mouth != "" && !p.DLEEOT {
			t.Fatalf("accepted: %+v", p)
		}
		written, err := toml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseProfile("x.toml", written)
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("written as\n%s\nread as %+v, %v\nwas %+v", written, again, err, p)
		}
		// Whatever a profile says, a slip is encoded, and ends with the cut.
		out := Encode(layout(t, p.Dots), p, nil)
		if !strings.HasPrefix(string(out), "\x1b@") || !strings.HasSuffix(string(out), string(p.Cut)+string(p.Present)) {
			t.Fatalf("% X", out)
		}
		if height := len(paper(t, acts(t, out, p))); height < 200 {
			t.Fatalf("%d dots of paper", height)
		}
	})
}
