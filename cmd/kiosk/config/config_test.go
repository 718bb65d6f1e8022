package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `[terminal]
id = "990000-0003"
no = "03"
site = "示例区市民之家"
name = "03 号终端"
data = "data"

[screen]
diagonal_mm = 546

[visit]
warn = "30s"
end = "50s"

[platform]
url = "https://platform.example:8443"
ca = "ca.pem"
code_file = "/etc/budayang/code"

[device.id-reader]
driver = "sam"
uri = "serial:/dev/ttyS0?baud=115200"

[device.document-printer]
driver = "ipp"
uri = "ipp://127.0.0.1:631/ipp/print"
`

func TestGoodFile(t *testing.T) {
	c, err := Parse("/etc/budayang/terminal.toml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if c.Terminal.Data != "/etc/budayang/data" || c.Platform.CA != "/etc/budayang/ca.pem" || c.Platform.CodeFile != "/etc/budayang/code" {
		t.Errorf("relative paths: %+v %+v", c.Terminal, c.Platform)
	}
	if time.Duration(c.Visit.Warn) != 30*time.Second || c.Screen.Width != 1080 || c.Screen.Language != "zh" {
		t.Errorf("values and defaults: %+v %+v", c.Visit, c.Screen)
	}
	if len(c.Device) != 2 {
		t.Errorf("devices: %+v", c.Device)
	}
}

func TestMistakesNameFileLineKeyAndWhatWasExpected(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"typo in a key", `site = `, `sitee = `, "t.toml:4: terminal.sitee: expected a key that exists (is it misspelt?); did you mean site?"},
		{"typo in a device key", `driver = "sam"`, `drivr = "sam"`, "t.toml:21: device.id-reader.drivr: expected a key that exists (is it misspelt?); did you mean driver?"},
		{"wrong type", `diagonal_mm = 546`, `diagonal_mm = "big"`, "t.toml:9: screen.diagonal_mm: expected"},
		{"out of range", `diagonal_mm = 546`, `diagonal_mm = 5`, "t.toml:9: screen.diagonal_mm: expected the visible diagonal in millimetres"},
		{"not https", `https://platform`, `http://platform`, "t.toml:16: platform.url: expected an address such as https://"},
		{"bad duration", `warn = "30s"`, `warn = "soon"`, "t.toml:12: visit.warn: expected"},
		{"too little time to answer", `end = "50s"`, `end = "40s"`, "t.toml:13: visit.end: expected at least 20s more than visit.warn"},
		{"unknown role", `[device.id-reader]`, `[device.id-raeder]`, "t.toml:20: device.id-raeder: expected one of the roles camera, card-check, card-dispenser, card-printer, code-scanner, document-printer, door, fingerprint, id-reader, lights, receipt-printer, smart-card, sound, ups"},
		{"unknown driver", `driver = "sam"`, `driver = "sim"`, "t.toml:21: device.id-reader.driver: expected one of sam"},
		{"bus that the driver cannot speak", `uri = "serial:/dev/ttyS0?baud=115200"`, `uri = "ipp://127.0.0.1/"`, "t.toml:22: device.id-reader.uri: expected a URI that begins with serial:"},
		{"camera's rate", `[device.document-printer]`, "[device.camera]\ndriver = \"video\"\nuri = \"v4l2:/dev/video0\"\nrate = 500\n[device.document-printer]", "t.toml:27: device.camera.rate: expected 1 to 60"},
		{"camera with a password", `uri = "serial:/dev/ttyS0?baud=115200"`, `uri = "http://user:word@camera/"`, "t.toml:22: device.id-reader.uri: expected an address without a password"},
		{"sound louder than it goes", `[device.document-printer]`, "[device.sound]\ndriver = \"alsa\"\nuri = \"alsa:default\"\nvolume = 101\n[device.document-printer]", "t.toml:27: device.sound.volume: expected 0 to 100"},
		{"hours that are none", `[device.document-printer]`, "[device.sound]\ndriver = \"alsa\"\nuri = \"alsa:default\"\nquiet_hours = \"night\"\n[device.document-printer]", "t.toml:27: device.sound.quiet_hours: expected two times of the day"},
		{"a technician whose PIN can be read", `[device.document-printer]`, "[[technicians.person]]\ncode = \"1001\"\noperator = \"op.zhang\"\nname = \"x\"\npin = \"481516\"\n[device.document-printer]", "technicians.person: expected a pin that is hashed"},
		{"a technician without a code", `[device.document-printer]`, "[[technicians.person]]\ncode = \"1\"\noperator = \"op.zhang\"\nname = \"x\"\npin = \"$argon2id$x\"\n[device.document-printer]", "technicians.person: expected an entry as kiosk technician show writes it: a service code is 4 to 8 digits"},
		{"a card without its key", `[device.document-printer]`, "[[technicians.person]]\ncode = \"1001\"\noperator = \"op.zhang\"\nname = \"x\"\npin = \"$argon2id$x\"\ncard = \"" + strings.Repeat("0a", 32) + "\"\n[device.document-printer]", "technicians.card_key: expected 32 hexadecimal digits"},
		{"a tolerance of what locks nothing", `[device.document-printer]`, "[tolerance]\nsheet = 5\n[device.document-printer]", "t.toml:25: tolerance.sheet: expected card or ribbon"},
		{"a tolerance below nothing", `[device.document-printer]`, "[tolerance]\ncard = -1\n[device.document-printer]", "t.toml:25: tolerance.card: expected pieces, 0 to 1000"},
		{"missing key", `data = "data"`, ``, "t.toml: terminal.data: expected the directory"},
		{"not TOML", `[terminal]`, `[terminal`, "t.toml:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.old, tt.new, 1)
			if text == good {
				t.Fatal("the mistake was not made")
			}
			_, err := Parse("t.toml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error:\n%v\nexpected to contain:\n%s", err, tt.want)
			}
		})
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	text := strings.NewReplacer(`no = "03"`, `no = "too long"`, "https://", "http://", `language`, ``).Replace(good)
	_, err := Parse("t.toml", []byte(text))
	var p Problem
	if !errors.As(err, &p) {
		t.Fatalf("%T is not a Problem", err)
	}
	if n := strings.Count(err.Error(), "expected"); n != 2 {
		t.Errorf("%d problems reported, expected 2:\n%v", n, err)
	}
}

func TestFileThatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.toml")
	if err := os.WriteFile(path, make([]byte, MaxBytes+10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("error %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, expected one that says that the file does not exist", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(good)
	f.Add("[terminal]\nid = 3\n")
	f.Add("a.b.c = [1, {x = 2}]\n[[device]]\n")
	f.Add("[device.id-reader]\nuri = \"serial:\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("fuzz.toml", []byte(text))
		if err != nil && !strings.Contains(err.Error(), "fuzz.toml") {
			t.Errorf("an error that does not name the file: %v", err)
		}
	})
}

// Whatever a time is when nothing is said can be written down and read again.
func TestDefaultTimesAreRead(t *testing.T) {
	v := Default().Visit
	for name, d := range map[string]Duration{"warn": v.Warn, "end": v.End, "unclaimed": v.Unclaimed, "unfetched": v.Unfetched} {
		b, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again Duration
		if err := again.UnmarshalText(b); err != nil || again != d {
			t.Errorf("%s: %s becomes %v, %v", name, b, again, err)
		}
	}
	var long Duration
	if long.UnmarshalText([]byte("745h")) == nil {
		t.Error("a time of more than 31 days was taken")
	}
}
