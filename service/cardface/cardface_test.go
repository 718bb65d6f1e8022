package cardface

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func photo(t testing.TB) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 358, 441))
	for y := range 441 {
		for x := range 358 {
			m.SetRGBA(x, y, color.RGBA{uint8(x / 2), uint8(y / 2), 120, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func somebody(t testing.TB) Person {
	from := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	return Person{Name: "李晓雯", Sex: "女", Nation: "汉", Born: "1990-03-07", Address: "测试省样例市虚构区不存在街道想象路128号幻象小区12幢3单元1502室",
		Number: "990000199003071235", From: from, Until: from.AddDate(0, 3, 0), Authority: "样例市公安局虚构分局", Photo: photo(t),
		Verify: "https://verify.example.invalid/c/7QK2M9", Blank: "E004015000000042"}
}

func load(t testing.TB) *Template {
	t.Helper()
	tpl, err := Load("temporary-id")
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func TestSpecimen(t *testing.T) {
	m, err := load(t).Draw(somebody(t))
	if err != nil {
		t.Fatal(err)
	}
	if m.Rect != image.Rect(0, 0, 1013, 638) {
		t.Errorf("face of %v", m.Rect)
	}
	if dir := os.Getenv("CARD_FACE_OUT"); dir != "" {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "card.png"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The mark lies across the face: no stripe of it is without.
	for y := 100; y < 500; y += 130 {
		grey := 0
		for x := range 1013 {
			for dy := range 146 {
				if m.GrayAt(x, y+dy).Y == 205 {
					grey++
				}
			}
		}
		if grey < 500 {
			t.Errorf("from line %d on only %d dots of the mark", y, grey)
		}
	}
	if got := scanned(t, m); got != somebody(t).Verify {
		t.Errorf("code says %q", got)
	}
}

// scanned is what zbarimg reads off a face.
func scanned(t *testing.T, m *Face) string {
	t.Helper()
	zbar, err := exec.LookPath("zbarimg")
	if err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal("no zbarimg")
		}
		t.Skip("no zbarimg")
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "face.png")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(zbar, "--quiet", "--raw", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestNamesThatFontsLack(t *testing.T) {
	tpl := load(t)
	p := somebody(t)
	p.Name = "李\uE863"
	if _, err := tpl.Draw(p); !errors.Is(err, ErrGlyph) {
		t.Errorf("without a picture: %v", err)
	}
	name := image.NewGray(image.Rect(0, 0, 120, 40))
	var b bytes.Buffer
	if err := png.Encode(&b, name); err != nil {
		t.Fatal(err)
	}
	p.NameImage = b.Bytes()
	m, err := tpl.Draw(p)
	if err != nil {
		t.Fatal(err)
	}
	if m.GrayAt(200, 120).Y != 0 {
		t.Error("the name's picture is not on the card")
	}
	p.NameImage = []byte("\x89PNG\r\n")
	if _, err := tpl.Draw(p); !errors.Is(err, ErrGlyph) {
		t.Errorf("with a broken picture: %v", err)
	}
	p = somebody(t)
	p.Address = "测试省\uE863市"
	if _, err := tpl.Draw(p); !errors.Is(err, ErrGlyph) {
		t.Errorf("an address that cannot be written: %v", err)
	}
	p = somebody(t)
	p.Name = "赵䶮𠮷" // rare, and in the typeface
	if _, err := tpl.Draw(p); err != nil {
		t.Error(err)
	}
}

func TestWhatDoesNotFitIsAnError(t *testing.T) {
	tpl := load(t)
	for what, spoil := range map[string]func(*Person){
		"no photo":      func(p *Person) { p.Photo = nil },
		"half a photo":  func(p *Person) { p.Photo = p.Photo[:200] },
		"long address":  func(p *Person) { p.Address = strings.Repeat("很", 200) },
		"long name":     func(p *Person) { p.Name = strings.Repeat("长", 40) },
		"long code":     func(p *Person) { p.Verify = strings.Repeat("x", 2000) },
		"no birth date": func(p *Person) { p.Born = "yesterday" },
	} {
		p := somebody(t)
		spoil(&p)
		if m, err := tpl.Draw(p); err == nil || m != nil {
			t.Errorf("%s: drawn", what)
		}
	}
}

func TestTemplatesAreRefusedWithAReason(t *testing.T) {
	for text, want := range map[string]string{
		"width = 10":   "expected 1 to",
		"width = 9000": "expected 1 to",
		"title = \"t\"\nsource = \"s\"\nwidth = 100\nheight = 100\n[[picture]]\nx = 90\ny = 0\nw = 20\nh = 20":      "outside the card",
		"title = \"t\"\nsource = \"s\"\nwidth = 100\nheight = 100\n[[text]]\ntext = \"{phone}\"\nw = 10\nsize = 20": "{phone}",
		"title = \"t\"\nsource = \"s\"\nwidth = 100\nheight = 100\n[[text]]\ntext = \"a\"\nw = 10\nsize = 2000":     "size",
		"colour = 1": "colour",
	} {
		if _, err := Parse("x.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.toml") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	b, err := built.ReadFile("profiles/temporary-id.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, text []byte) {
		tpl, err := Parse("x.toml", text)
		if err != nil {
			return
		}
		if m, err := tpl.Draw(somebody(t)); err == nil && (m.Rect.Dx() != tpl.Width || m.Rect.Dy() != tpl.Height) {
			t.Errorf("face of %v", m.Rect)
		}
	})
}

func FuzzPictures(f *testing.F) {
	f.Add(photo(f), []byte("\x89PNG\r\n\x1a\n"))
	tpl := load(f)
	f.Fuzz(func(t *testing.T, photo, name []byte) {
		p := somebody(t)
		p.Name, p.Photo, p.NameImage = "\uE863", photo, name
		_, _ = tpl.Draw(p)
	})
}
