package receipt

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"github.com/budayang/kiosk/devices/profile"
	"github.com/budayang/kiosk/slip"
)

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func font(t testing.TB) *slip.Face {
	t.Helper()
	b, err := os.ReadFile("../../assets/fonts/wide-regular.ttf")
	if err != nil {
		t.Fatal(err)
	}
	f, err := slip.NewFace(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func model(t testing.TB, name string) Profile {
	t.Helper()
	p, err := LoadProfile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func lay(t fataler, dots int, blocks ...slip.Block) slip.Layout {
	t.Helper()
	l, err := slip.Lay(slip.Slip{Blocks: blocks}, slip.Metrics{Dots: dots})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return l
}

// layout has one of everything and fits any paper.
func layout(t fataler, dots int) slip.Layout {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 7)
	}
	return lay(t, dots, slip.Text{Text: "受理回执", Align: slip.Center, Bold: true, Size: 2}, slip.Rule{Dashed: true},
		slip.Table{Columns: []slip.Column{{Share: 1}, {Share: 2, Align: slip.Right}}, Rows: [][]string{{"姓名", "王*明"}}},
		slip.Text{Text: "𠮷野家"}, slip.QR{Data: "CASE-42", Module: 3}, slip.Image{Image: img, Photo: true}, slip.Space{Dots: 300})
}

// An act is one command as a head takes it.
type act struct {
	name string
	data []byte
	rows [][]byte // of a picture
}

// acts takes a job apart as a head does; what is no command or ends too early fails the test.
func acts(t fataler, job []byte, p Profile) []act {
	t.Helper()
	var all []act
	job, ended := bytes.CutSuffix(job, append(bytes.Clone(p.Cut), p.Present...))
	if !ended {
		t.Fatalf("the job does not end with the cut")
	}
	at := 0
	take := func(n int) []byte {
		if at+n > len(job) {
			t.Fatalf("a command at the end wants %d bytes of %d", n, len(job)-at)
		}
		at += n
		return job[at-n : at]
	}
	rows := func(stride, n int) [][]byte {
		var r [][]byte
		for range n {
			r = append(r, take(stride))
		}
		return r
	}
	word := func(b []byte) int { return int(b[0]) | int(b[1])<<8 }
	for at < len(job) {
		from := at
		var a act
		switch b := take(1)[0]; b {
		case 0x0A:
			a.name = "LF"
		case 0x1B:
			switch c := take(1)[0]; c {
			case '@':
				a.name = "init"
			case '$':
				a.name = fmt.Sprintf("at %d", word(take(2)))
			case '3', 'E', 'J', 'a':
				a.name = map[byte]string{'3': "spacing", 'E': "bold", 'J': "feed", 'a': "align"}[c] + fmt.Sprint(" ", take(1)[0])
			default:
				t.Fatalf("1B %02X is no command of every head", c)
			}
		case 0x1C:
			switch c := take(1)[0]; c {
			case '&':
				a.name = "han on"
			case '.':
				a.name = "han off"
			case 'S':
				a.name = fmt.Sprint("han spacing ", take(2))
			case '!':
				a.name = fmt.Sprintf("han size %02X", take(1)[0])
			default:
				t.Fatalf("1C %02X is no command of every head", c)
			}
		case 0x1D:
			switch c := take(1)[0]; c {
			case '!':
				a.name = fmt.Sprintf("size %02X", take(1)[0])
			case '(':
				k := take(1)[0]
				body := take(word(take(2)))
				switch k {
				case 'k':
					a.name, a.data = fmt.Sprintf("code %X", body[:2]), body[2:]
				case 'L':
					a.name = fmt.Sprintf("print stored %X", body)
				default:
					t.Fatalf("1D 28 %02X", k)
				}
			case '8':
				h := take(15)
				k := word(h[1:3]) | word(h[3:5])<<16
				stride, n := word(h[11:13])/8, word(h[13:15])
				if h[0] != 'L' || string(h[5:11]) != "0p0\x01\x011" || k != 10+stride*n || word(h[11:13])%8 != 0 {
					t.Fatalf("header % X", h)
				}
				a.name, a.rows = fmt.Sprintf("store %dx%d", stride*8, n), rows(stride, n)
			case 'v':
				h := take(6)
				if h[0] != '0' || h[1] != 0 {
					t.Fatalf("header % X", h)
				}
				stride, n := word(h[2:4]), word(h[4:6])
				a.name, a.rows = fmt.Sprintf("raster %dx%d", stride*8, n), rows(stride, n)
			default:
				t.Fatalf("1D %02X is no command of every head", c)
			}
		default:
			if b < 0x20 {
				t.Fatalf("%02X in a line", b)
			}
			for at < len(job) && job[at] >= 0x20 {
				at++
			}
			text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(job[from:at])
			if err != nil {
				t.Fatalf("% X: %v", job[from:at], err)
			}
			a.name = fmt.Sprintf("%q", text)
		}
		all = append(all, a)
	}
	return all
}

func names(all []act) string {
	var n []string
	for _, a := range all {
		n = append(n, a.name)
	}
	return strings.Join(n, "; ")
}

// paper is what feeds and pictures leave on it, row by row; text is not drawn, its lines are fed.
func paper(t fataler, all []act) [][]byte {
	t.Helper()
	out := [][]byte{}
	spacing := 30
	for _, a := range all {
		n := 0
		if _, err := fmt.Sscanf(a.name, "spacing %d", &spacing); err == nil {
			continue
		}
		if a.name == "LF" {
			n = spacing
		}
		_, _ = fmt.Sscanf(a.name, "feed %d", &n)
		out = append(append(out, make([][]byte, n)...), a.rows...)
	}
	return out
}

func inkAt(rows [][]byte, x, y int) bool {
	return y < len(rows) && x/8 < len(rows[y]) && rows[y][x/8]&(0x80>>(x%8)) != 0
}

const begins = "init; spacing 30; han spacing [0 0]; "

func TestJobBeginsInitialisedAndEndsCut(t *testing.T) {
	for name, ends := range map[string]string{
		"epson-tm": "1D 56 42 00", "generic-58": "1D 56 42 00", "generic-80": "1D 56 42 00", "cashino-kp628e": "1D 56 00",
		"custom-vkp80": "1B 69 1D 65 03 0A",
	} {
		p := model(t, name)
		got := Encode(lay(t, p.Dots, slip.Text{Text: "a"}), p, nil)
		want := unhex(t, "1B 40 1B 33 1E 1C 53 00 00"+"1D 21 00 1B 33 1E 1B 24 00 00 61 0A"+ends)
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n% X\nexpected\n% X", name, got, want)
		}
	}
}

func TestTextGoesAsDeviceText(t *testing.T) {
	p := model(t, "generic-80")
	for _, tt := range []struct {
		name  string
		block slip.Block
		want  string
	}{
		{"Chinese in Chinese mode, two bytes a character", slip.Text{Text: "受理a1"},
			"1D 21 00 1B 33 1E 1B 24 00 00 1C 26 CA DC C0 ED 1C 2E 61 31 0A"},
		{"mode changes with every run", slip.Text{Text: "a中b"}, "1D 21 00 1B 33 1E 1B 24 00 00 61 1C 26 D6 D0 1C 2E 62 0A"},
		{"centred: 576-48 halved", slip.Text{Text: "受理", Align: slip.Center},
			"1D 21 00 1B 33 1E 1B 24 08 01 1C 26 CA DC C0 ED 1C 2E 0A"},
		{"right", slip.Text{Text: "受理", Align: slip.Right}, "1D 21 00 1B 33 1E 1B 24 10 02 1C 26 CA DC C0 ED 1C 2E 0A"},
		{"bold", slip.Text{Text: "a", Bold: true}, "1B 45 01 1D 21 00 1B 33 1E 1B 24 00 00 61 0A"},
		{"doubled, Chinese too, with room for its height", slip.Text{Text: "受", Size: 2},
			"1D 21 11 1C 21 0C 1B 33 36 1B 24 00 00 1C 26 CA DC 1C 2E 0A"},
		{"control characters become blanks", slip.Text{Text: "a\x1b@\tb"}, "1D 21 00 1B 33 1E 1B 24 00 00 61 20 40 20 62 0A"},
		{"an empty line is fed", slip.Text{}, "1B 4A 1E"},
		{"empty paper", slip.Space{Dots: 300}, "1B 4A FF 1B 4A 2D"},
		{"cells of a table at their columns", slip.Table{Columns: []slip.Column{{Share: 1}, {Share: 1, Align: slip.Right}},
			Rows: [][]string{{"项", "1.00"}, {"x", "2"}}},
			"1D 21 00 1B 33 1E 1B 24 00 00 1C 26 CF EE 1C 2E 1B 24 10 02 31 2E 30 30 0A" + "1B 24 00 00 78 1B 24 34 02 32 0A"},
	} {
		got := Encode(lay(t, p.Dots, tt.block), p, nil)
		want := unhex(t, "1B 40 1B 33 1E 1C 53 00 00"+tt.want+"1D 56 42 00")
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n% X\nexpected\n% X", tt.name, got, want)
		}
	}
}

func TestStylesChangeOnlyWhereTheyDo(t *testing.T) {
	p := model(t, "generic-80")
	got := names(acts(t, Encode(lay(t, p.Dots, slip.Text{Text: "a", Bold: true, Size: 2}, slip.Text{Text: "b", Bold: true, Size: 2},
		slip.Text{Text: "c"}, slip.Text{Text: "d"}), p, nil), p))
	want := begins + `bold 1; size 11; han size 0C; spacing 54; at 0; "a"; LF; at 0; "b"; LF; ` +
		`bold 0; size 00; han size 00; spacing 30; at 0; "c"; LF; at 0; "d"; LF`
	if got != want {
		t.Errorf("%s\nexpected %s", got, want)
	}
}

func TestCharactersWithoutDeviceGlyphMakeTheirLineAPicture(t *testing.T) {
	p, face := model(t, "generic-80"), font(t)
	for text, device := range map[string]bool{
		"王小明": true, "龘": true, "㐂": false, // Ext A: four bytes
		"𠮷野家": false, "\U0002070e": false, // Ext B: four bytes
		"℃": true, "①": true, "€": true, "Zo\u00eb": false, "\ue000": false, "\ue863": false,
	} {
		l := lay(t, p.Dots, slip.Text{Text: "前"}, slip.Text{Text: text}, slip.Text{Text: "后"})
		all := acts(t, Encode(l, p, face), p)
		got := names(all)
		if !strings.Contains(got, `"前"`) || !strings.Contains(got, `"后"`) {
			t.Errorf("%s: its neighbours are no device text: %s", text, got)
		}
		if drawn := strings.Contains(got, "raster") || !strings.Contains(got, fmt.Sprintf("%q", text)); drawn == device {
			t.Errorf("%s (%U): %s", text, []rune(text), got)
		}
		// A drawn line takes as much paper as a printed one, or columns of figures would jump.
		if height := len(paper(t, all)); height != 90 {
			t.Errorf("%s: three lines take %d dots", text, height)
		}
	}
}

func TestDrawnLineIsThePictureOfItsText(t *testing.T) {
	for _, name := range Profiles() {
		for text, least := range map[string]int{"𠮷野家": 300, "\ue863": 100} { // of the latter no font has a picture: its mark
			p, face := model(t, name), font(t)
			l := lay(t, p.Dots, slip.Text{Text: text, Align: slip.Right})
			rows := paper(t, acts(t, Encode(l, p, face), p))
			want := slip.Draw(l, face)
			if ink := compare(t, rows, want); ink < least {
				t.Errorf("%s, %q: %d dots of ink", name, text, ink)
			}
		}
	}
}

// compare holds paper to a picture, dot by dot, and counts the ink.
func compare(t fataler, rows [][]byte, want *image.Gray) int {
	t.Helper()
	if len(rows) != want.Rect.Dy() {
		t.Fatalf("%d dots of paper, expected %d", len(rows), want.Rect.Dy())
	}
	ink := 0
	for y := range want.Rect.Dy() {
		for x := range want.Rect.Dx() {
			black := want.GrayAt(x, y).Y < 128
			if inkAt(rows, x, y) != black {
				t.Fatalf("dot %d,%d is black: %v, expected %v", x, y, !black, black)
			}
			if black {
				ink++
			}
		}
	}
	return ink
}

func TestRuleIsTwoRowsAndItsWhiteIsFed(t *testing.T) {
	p := model(t, "generic-58")
	got := Encode(lay(t, p.Dots, slip.Rule{}), p, nil)
	want := unhex(t, "1B 40 1B 33 1E 1C 53 00 00"+"1B 4A 08 1D 76 30 00 30 00 02 00"+strings.Repeat("FF", 96)+"1B 4A 08"+"1D 56 42 00")
	if !bytes.Equal(got, want) {
		t.Errorf("% X\nexpected\n% X", got, want)
	}
	l := lay(t, p.Dots, slip.Rule{Dashed: true})
	compare(t, paper(t, acts(t, Encode(l, p, nil), p)), slip.Draw(l, &slip.Face{}))
}

func TestQRGoesAsTheHeadsOwnCommand(t *testing.T) {
	p := model(t, "generic-80")
	for level, code := range map[byte]string{'L': "30", 'M': "31", 'Q': "32", 'H': "33"} {
		got := Encode(lay(t, p.Dots, slip.QR{Data: "CASE-42", Level: level, Module: 5}), p, nil)
		want := unhex(t, "1B 40 1B 33 1E 1C 53 00 00"+
			"1B 4A 14 1B 61 01"+ // quiet zone, centred
			"1D 28 6B 04 00 31 41 32 00"+"1D 28 6B 03 00 31 43 05"+"1D 28 6B 03 00 31 45"+code+
			"1D 28 6B 0A 00 31 50 30 43 41 53 45 2D 34 32"+"1D 28 6B 03 00 31 51 30"+
			"1B 61 00 1B 4A 14"+"1D 56 42 00")
		if !bytes.Equal(got, want) {
			t.Errorf("%c:\n% X\nexpected\n% X", level, got, want)
		}
	}
	long := Encode(lay(t, p.Dots, slip.QR{Data: strings.Repeat("A", 600), Level: 'L'}), p, nil)
	if !bytes.Contains(long, unhex(t, "1D 28 6B 5B 02 31 50 30 41 41")) {
		t.Error("600 characters are 25Bh parameter bytes")
	}
	acts(t, long, p)
}

func TestQRIsDrawnWhereTheHeadCannot(t *testing.T) {
	p := model(t, "custom-vkp80")
	l := lay(t, p.Dots, slip.QR{Data: "https://example.invalid/c/42", Level: 'Q'})
	compare(t, paper(t, acts(t, Encode(l, p, nil), p)), slip.Draw(l, &slip.Face{}))

	// Its data would be obeyed in real time by a head that can.
	p = model(t, "generic-80")
	if all := Encode(lay(t, p.Dots, slip.QR{Data: "A\x10\x05\x02"}), p, nil); bytes.Contains(all, []byte{0x10, 0x05}) {
		t.Error("a code's data clears the buffer")
	}
}

func TestPictureCommandsByHead(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 576, 300))
	for y := range 300 {
		for x := range 40 {
			img.SetGray(x, y, color.Gray{})
		}
		for x := 40; x < 576; x++ {
			img.SetGray(x, y, color.Gray{Y: 255})
		}
	}
	for name, want := range map[string]string{
		"generic-80": "raster 40x128; raster 40x128; raster 40x44; feed 6",
		"epson-tm":   "store 40x256; print stored 3032; store 40x44; print stored 3032; feed 6",
	} {
		p := model(t, name)
		if got := names(acts(t, Encode(lay(t, p.Dots, slip.Image{Image: img}), p, nil), p)); got != begins+want {
			t.Errorf("%s: %s\nexpected %s", name, got, want)
		}
	}
}

func TestAnyPictureComesOutDotByDot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Profile{Dots: rapid.IntRange(200, 640).Draw(t, "dots"), Band: rapid.IntRange(8, 64).Draw(t, "band"), Cut: profile.Bytes{0x1D, 'V', 0},
			Image: rapid.SampledFrom([]string{"gs-v-0", "gs-8-l"}).Draw(t, "image"), QR: "raster", Encoding: "gb18030"}
		w, h := rapid.IntRange(1, p.Dots).Draw(t, "width"), rapid.IntRange(1, 120).Draw(t, "height")
		img := image.NewGray(image.Rect(0, 0, w, h))
		draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
		for range rapid.IntRange(0, 12).Draw(t, "boxes") {
			x, y := rapid.IntRange(0, w-1).Draw(t, "x"), rapid.IntRange(0, h-1).Draw(t, "y")
			draw.Draw(img, image.Rect(x, y, x+rapid.IntRange(2, 80).Draw(t, "w"), y+rapid.IntRange(1, 30).Draw(t, "h")), image.Black, image.Point{}, draw.Src)
		}
		l := lay(t, p.Dots, slip.Image{Image: img})
		rows := paper(t, acts(t, Encode(l, p, nil), p))
		// Pictures stand at whole bytes.
		l.Lines[0].Picture.X &^= 7
		compareNearly(t, rows, slip.Draw(l, &slip.Face{}))
	})
}

// compareNearly allows the dots that keep a picture from being obeyed.
func compareNearly(t fataler, rows [][]byte, want *image.Gray) {
	t.Helper()
	if len(rows) != want.Rect.Dy() {
		t.Fatalf("%d dots of paper, expected %d", len(rows), want.Rect.Dy())
	}
	for y := range rows {
		for x := range want.Rect.Dx() {
			black := want.GrayAt(x, y).Y < 128
			if inkAt(rows, x, y) != black && (black || rows[y][x/8] != 0x18) {
				t.Fatalf("dot %d,%d", x, y)
			}
		}
	}
}

func TestNoPictureIsObeyed(t *testing.T) {
	data := unhex(t, "10 04 01 00 10 05 02 00 10 14 08 01 10 10 05 00")
	inert(data)
	if want := unhex(t, "18 04 01 00 18 05 02 00 18 14 08 01 10 18 05 00"); !bytes.Equal(data, want) {
		t.Errorf("% X\nexpected % X", data, want)
	}
	inert(nil)
	last := []byte{0x10}
	inert(last)
	if last[0] != 0x10 {
		t.Error("a picture's last byte stands before a command")
	}
}

func TestThresholdPacksEightDotsMostSignificantLeft(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 10, 2))
	copy(img.Pix, []byte{0, 255, 255, 255, 255, 255, 255, 127, 128, 0})
	copy(img.Pix[10:], bytes.Repeat([]byte{255}, 10))
	rows, stride := threshold(img)
	if want := []byte{0x81, 0x40, 0, 0}; stride != 2 || !bytes.Equal(rows, want) {
		t.Errorf("% X, stride %d; expected % X", rows, stride, want)
	}
}

// share is the ink of an even grey after dithering.
func share(grey byte) float64 {
	img := image.NewGray(image.Rect(0, 0, 203, 101))
	for i := range img.Pix {
		img.Pix[i] = grey
	}
	rows, _ := dither(img)
	n := 0
	for _, b := range rows {
		for ; b != 0; b &= b - 1 {
			n++
		}
	}
	return float64(n) / (203 * 101)
}

func TestDitheringKeepsTheTone(t *testing.T) {
	if s := share(255); s != 0 {
		t.Errorf("white paper has %.3f of ink", s)
	}
	before := 1.0
	for grey := 0; grey < 256; grey += 5 {
		s := share(byte(grey))
		if want := 1 - float64(tone[grey])/255; s < want-0.02 || s > want+0.02 {
			t.Errorf("grey %d becomes %.3f of ink, expected %.3f", grey, s, want)
		}
		if s > before+0.01 {
			t.Errorf("grey %d is darker than a darker one", grey)
		}
		before = s
	}
	if s := share(0); s < 0.85 {
		t.Errorf("black has only %.3f of ink", s)
	}
}

func TestDitheringStaysOnThePicture(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {7, 3}, {8, 1}, {9, 2}, {576, 5}} {
		rows, stride := dither(image.NewGray(image.Rectangle{Max: size}))
		if stride != (size.X+7)/8 || len(rows) != stride*size.Y {
			t.Errorf("%v: %d bytes, stride %d", size, len(rows), stride)
		}
		for y := range size.Y {
			if spare := stride*8 - size.X; rows[(y+1)*stride-1]&(1<<spare-1) != 0 {
				t.Errorf("%v: ink to the right of it", size)
			}
		}
	}
}
