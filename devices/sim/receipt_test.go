package sim

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// quickReceipt prints at once.
func quickReceipt(t *testing.T, opt ReceiptOptions) (*ReceiptPrinter, *wire) {
	t.Helper()
	opt.Line.Unpaced = true
	if opt.Speed == 0 {
		opt.Speed = -1
	}
	p, err := StartReceiptPrinter(opt)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p, dial(t, p.URI())
}

func gb(t *testing.T, s string) []byte {
	t.Helper()
	b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	must(t, err)
	return b
}

func face(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "assets", "fonts", "wide-regular.ttf"))
	must(t, err)
	return b
}

func TestStatusRepliesByHeadAndState(t *testing.T) {
	for _, x := range []struct {
		head, fault string
		asks        string // DLE EOT 1…4
		sensor      byte   // GS r 1; 0xFF: held
		asb         string
	}{
		{"epson", "", "12121212", 0x00, "10000000"},
		{"epson", "paper-near-end", "1212121E", 0x03, "10000300"},
		{"epson", "paper-out", "1A32127E", 0xFF, "18000F00"},
		{"epson", "cover-open", "1A161212", 0xFF, "38000000"},
		{"epson", "offline", "1A121212", 0xFF, "18000000"},
		{"epson", "cutter-error", "1A521A12", 0xFF, "18080000"},
		{"epson", "overheated", "1A525212", 0xFF, "18400000"},
		{"epson", "jam", "1A521612", 0xFF, "18040000"},
		{"generic", "", "12121212", 0x00, "10000000"},
		{"generic", "cover-open", "1A161212", 0xFF, "38000000"},
		{"kp628e", "", "12121212", 0x00, ""},
		{"kp628e", "paper-near-end", "1212121E", 0x03, ""},
		{"kp628e", "paper-out", "1A32127E", 0xFF, ""},
		{"custom", "", "12121212", 0x00, ""},
		{"custom", "cutter-error", "1A521A12", 0xFF, ""},
	} {
		t.Run(x.head+"/"+x.fault, func(t *testing.T) {
			p, w := quickReceipt(t, ReceiptOptions{Head: x.head})
			if x.asb != "" {
				w.send(0x1D, 0x61, 0xFF)
				w.expect(unhex("10000000")...)
			}
			if x.fault != "" {
				must(t, p.Fault(x.fault, ""))
			}
			if x.asb != "" && x.fault != "" {
				w.expect(unhex(x.asb)...)
			}
			for n := byte(1); n <= 4; n++ {
				w.send(0x10, 0x04, n)
				w.expect(unhex(x.asks)[n-1])
			}
			w.send(0x1D, 0x72, 1)
			if x.sensor != 0xFF {
				w.expect(x.sensor)
				return
			}
			w.nothing()
			must(t, p.Clear(""))
			if x.asb != "" {
				w.expect(unhex("10000000")...)
			}
			w.expect(0)
		})
	}
}

func TestAutomaticStatusEndsWithInitialise(t *testing.T) {
	p, w := quickReceipt(t, ReceiptOptions{})
	w.send(0x1D, 0x61, 0xFF)
	w.expect(0x10, 0, 0, 0)
	w.send(0x1B, 0x40, 0x1D, 0x72, 1)
	w.expect(0)
	must(t, p.Fault("paper-near-end", ""))
	w.nothing()
}

func TestKioskHeadsTellTheMouth(t *testing.T) {
	p, w := quickReceipt(t, ReceiptOptions{Head: "kp628e"})
	w.send([]byte("slip\n\x1dV\x00\x1dr\x01")...)
	w.expect(0)
	w.send(0x10, 4, 1)
	w.expect(0x92)
	if !p.Present() || !p.Take() || p.Present() || p.Take() {
		t.Error("the slip is not taken once")
	}
	w.send(0x10, 4, 1)
	w.expect(0x12)

	p, w = quickReceipt(t, ReceiptOptions{Head: "custom"})
	w.send(0x10, 4, 0x14)
	w.expect(0x10, 0x0F, 0, 0, 0, 0)
	w.send([]byte("slip\n\x1dV\x00\x1de\x06")...)
	w.expect(0x0C)
	w.send(0x10, 4, 0x14)
	w.expect(0x10, 0x0F, 1<<5, 0, 0, 0)
	must(t, p.Fault("paper-out", ""))
	must(t, p.Fault("jam", ""))
	w.send(0x10, 4, 0x14)
	w.expect(0x10, 0x0F, 1|1<<2|1<<5, 0, 1<<6, 0)
	must(t, p.Clear(""))
	w.send(0x1D, 0x65, 2, 0x1D, 0x65, 6)
	w.expect(0x04)
	if p.State().Retracted != 1 {
		t.Error("the slip was not retracted")
	}
}

func TestIdentityAndProcessID(t *testing.T) {
	_, w := quickReceipt(t, ReceiptOptions{})
	w.send([]byte("\x1dIB\x1dIC")...)
	w.expect([]byte("_EPSON\x00_TM-T88V\x00")...)
	w.send([]byte("text\n\x1d(H\x06\x0000ab12")...)
	w.expect([]byte("\x37\x22ab12\x00")...)
	w.send(clearAll[:]...)
	w.expect(0x37, 0x25, 0)

	p, w := quickReceipt(t, ReceiptOptions{Head: "kp628e"})
	w.send([]byte("\x1d(H\x06\x0000ab12")...)
	w.nothing()
	if p.State().Unknown != 1 {
		t.Error("a command that the head lacks is not counted")
	}
}

func TestInitialiseDiscardsOrPrintsTheLine(t *testing.T) {
	for head, want := range map[string]string{"epson": "b\n", "kp628e": "a\nb\n"} {
		p, w := quickReceipt(t, ReceiptOptions{Head: head})
		w.send([]byte("a\x1b@b\n\x1dV\x00\x1dr\x01")...)
		w.expect(0)
		slips := p.Slips()
		if len(slips) != 1 {
			t.Fatalf("%d slips", len(slips))
		}
		if lines := blackLines(picture(t, slips[0])); lines != strings.Count(want, "\n") || slips[0].Text != want {
			t.Errorf("%s: %d lines on paper, %q", head, lines, slips[0].Text)
		}
	}
}

func picture(t *testing.T, p Paper) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(p.Data))
	must(t, err)
	return img
}

// blackLines counts runs of rows with ink.
func blackLines(img image.Image) int {
	n, inside := 0, false
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		ink := false
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			r, _, _, _ := img.At(x, y).RGBA()
			ink = ink || r == 0
		}
		if ink && !inside {
			n++
		}
		inside = ink
	}
	return n
}

func TestChineseSlipIsDrawnAndTranscribed(t *testing.T) {
	dir := t.TempDir()
	got := make(chan Paper, 1)
	p, w := quickReceipt(t, ReceiptOptions{Font: face(t), Dir: dir, OnSlip: func(s Paper) { got <- s }})
	job := []byte("\x1b@\x1c&\x1ba\x01\x1d!\x11")
	job = append(job, gb(t, "受理回执\n")...)
	job = append(job, "\x1d!\x00\x1ba\x00No. 42 "...)
	job = append(job, gb(t, "䶮𠮷\n")...)
	job = append(job, "\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1\x1d(k\x0a\x001P0CASE-42\x1d(k\x03\x001Q0\x1dVB\x30"...)
	w.send(job...)
	s := <-got
	// 䶮 is two bytes in GB18030-2005 and four in older tables; what takes four is not in the font.
	want := "受理回执\nNo. 42 " + map[bool]string{true: "䶮", false: "□"}[len(gb(t, "䶮")) == 2] + "□\n[QR CASE-42]\n"
	if s.Text != want {
		t.Errorf("transcript %q, want %q", s.Text, want)
	}
	if s.File != "receipt-01.png" || p.State().Printed != 1 || p.State().Unknown != 0 {
		t.Errorf("%+v", p.State())
	}
	file, err := os.ReadFile(filepath.Join(dir, s.File))
	must(t, err)
	if !bytes.Equal(file, s.Data) {
		t.Error("the file is not the picture")
	}
	if code := zbar(t, filepath.Join(dir, s.File)); code != "CASE-42" {
		t.Errorf("the code says %q", code)
	}
}

func TestPicturesComeOutDotByDot(t *testing.T) {
	raster := "\x1dv0\x00\x02\x00\x03\x00" + "\x80\x01\x00\x00\xFF\xFF"
	stored := "\x1d(L\x10\x000p0\x01\x011\x10\x00\x03\x00" + "\x80\x01\x00\x00\xFF\xFF" + "\x1d(L\x02\x0002"
	long := "\x1d8L\x10\x00\x00\x000p0\x01\x011\x10\x00\x03\x00" + "\x80\x01\x00\x00\xFF\xFF" + "\x1d(L\x02\x0002"
	for name, job := range map[string]string{"GS v 0": raster, "GS ( L": stored, "GS 8 L": long} {
		p, w := quickReceipt(t, ReceiptOptions{})
		w.send([]byte(job + "\x1dV\x00\x1dr\x01")...)
		w.expect(0)
		img := picture(t, p.Slips()[0])
		ink := ""
		for y := range 3 {
			for x := range 17 {
				r, _, _, _ := img.At(x, y).RGBA()
				ink += map[bool]string{true: "#", false: "."}[r == 0]
			}
			ink += "\n"
		}
		if want := "#..............#.\n.................\n################.\n"; ink != want || p.State().Unknown != 0 {
			t.Errorf("%s:\n%s", name, ink)
		}
	}
	p, w := quickReceipt(t, ReceiptOptions{})
	w.send([]byte("\x1b*\x21\x02\x00\x80\x00\x01\xFF\xFF\xFF\n\x1dV\x00\x1dr\x01")...)
	w.expect(0)
	img := picture(t, p.Slips()[0])
	for _, at := range []image.Point{{0, 0}, {0, 23}, {1, 0}, {1, 12}, {1, 23}} {
		if r, _, _, _ := img.At(at.X, at.Y).RGBA(); r != 0 {
			t.Errorf("ESC *: no dot at %v", at)
		}
	}
}

func TestPaperEndsInTheMiddleAndTheJobGoesOn(t *testing.T) {
	p, w := quickReceipt(t, ReceiptOptions{})
	must(t, p.Fault("paper-out-mid-job", "10"))
	w.send([]byte(strings.Repeat("line\n", 20) + "\x1dV\x00\x1dr\x01")...)
	eventually(t, "paper out", func() bool { return p.State().Stopped })
	w.send(0x10, 4, 4)
	w.expect(0x7E)
	w.nothing()
	must(t, p.Clear(""))
	w.expect(0)
	if s := p.Slips(); len(s) != 1 || strings.Count(s[0].Text, "line") != 20 || s[0].Length != 20*30 {
		t.Errorf("%d slips", len(s))
	}
}

func TestAFullBufferStopsTheLine(t *testing.T) {
	p, w := quickReceipt(t, ReceiptOptions{Buffer: 256, XonXoff: true})
	must(t, p.Fault("offline", ""))
	w.send(bytes.Repeat([]byte("x\n"), 125)...)
	w.expect(0x13)
	must(t, p.Clear(""))
	w.expect(0x11)

	p, w = quickReceipt(t, ReceiptOptions{Buffer: 256, Line: LineOptions{TCP: "127.0.0.1:0"}})
	must(t, p.Fault("stop-reading", ""))
	w.send([]byte("x\n\x1dr\x01")...)
	w.nothing()
	must(t, p.Clear(""))
	w.expect(0)
}

func TestPrinterFaultsOnTheWire(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		p, w := quickReceipt(t, ReceiptOptions{})
		must(t, p.Fault("silent", ""))
		w.send([]byte("x\n\x1dV\x00\x10\x04\x01")...)
		w.nothing()
		if p.State().Printed != 1 {
			t.Error("it did not print")
		}
	})
	t.Run("garbage-replies", func(t *testing.T) {
		p, w := quickReceipt(t, ReceiptOptions{})
		must(t, p.Fault("garbage-replies", ""))
		w.send(0x10, 4, 1)
		if b := w.take(1)[0]; b&0x93 == 0x12 {
			t.Errorf("%02X looks sound", b)
		}
	})
	t.Run("unplug-mid-job", func(t *testing.T) {
		p, w := quickReceipt(t, ReceiptOptions{})
		must(t, p.Fault("unplug-mid-job", "6"))
		w.send([]byte("one\ntwo\n\x1dV\x00")...)
		w.hungUp()
		must(t, p.Clear(""))
		w = dial(t, p.URI())
		w.send([]byte("\n\x1dV\x00\x1dr\x01")...)
		w.expect(0)
		if s := p.Slips(); len(s) != 1 || s[0].Text != "one\ntw\n" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("power-cycle", func(t *testing.T) {
		p, w := quickReceipt(t, ReceiptOptions{})
		must(t, p.Fault("offline", ""))
		w.send([]byte("lost\n")...)
		eventually(t, "buffered", func() bool { return p.State().Buffered == 5 })
		must(t, p.Fault("power-cycle", ""))
		w.hungUp()
		must(t, p.Clear(""))
		w = dial(t, p.URI())
		w.send([]byte("kept\n\x1dV\x00\x1dr\x01")...)
		w.expect(0)
		if s := p.Slips(); len(s) != 1 || s[0].Text != "kept\n" {
			t.Errorf("%d slips, the first is %q", len(s), s[0].Text)
		}
	})
	t.Run("slow", func(t *testing.T) {
		p, w := quickReceipt(t, ReceiptOptions{})
		must(t, p.Fault("slow", "100"))
		begin := time.Now()
		w.send([]byte("123456789012345678\n\x1dr\x01")...)
		w.expect(0)
		if d := time.Since(begin); d < 200*time.Millisecond {
			t.Errorf("22 bytes at 100 a second in %v", d)
		}
	})
	t.Run("clear buffer", func(t *testing.T) {
		p, w := quickReceipt(t, ReceiptOptions{})
		must(t, p.Fault("cover-open", ""))
		w.send([]byte("lost\n")...)
		eventually(t, "buffered", func() bool { return p.State().Buffered == 5 })
		w.send(0x10, 5, 2)
		eventually(t, "cleared", func() bool { return p.State().Buffered == 0 })
	})
}

func TestBarsAreReadByOthers(t *testing.T) {
	dir := t.TempDir()
	p, w := quickReceipt(t, ReceiptOptions{Dir: dir})
	w.send([]byte("\x1ba\x01\x1dh\x60\x1dw\x02\x1dH\x02\x1dkI\x0a{BCASE-\x30\x30\x30" + "\n\n\x1dV\x00\x1dr\x01")...)
	w.expect(0)
	s := p.Slips()[0]
	if s.Text != "[BAR CASE-000]\n\n\n" {
		t.Errorf("%q", s.Text)
	}
	if got := zbar(t, filepath.Join(dir, s.File)); got != "CASE-000" {
		t.Errorf("the bars say %q", got)
	}
}

// tape is a machine without a mechanism, for the fuzzer.
type tape struct {
	in    []byte
	slips int
	says  int
	moved int
}

func (t *tape) read(b []byte) error {
	if len(b) > len(t.in) {
		t.in = nil
		return ErrClosed
	}
	t.in = t.in[copy(b, t.in):]
	return nil
}
func (t *tape) begin() (byte, error) {
	var b [1]byte
	err := t.read(b[:])
	return b[0], err
}
func (t *tape) ready() error        { return nil }
func (t *tape) move(dots int) error { t.moved += dots; return nil }
func (t *tape) cut(*roll)           { t.slips++ }
func (t *tape) away(bool)           {}
func (t *tape) say(b ...byte)       { t.says += len(b) }
func (t *tape) setASB(byte)         {}
func (t *tape) state() condition    { return condition{} }
func (t *tape) missed()             {}

func FuzzESCPOS(f *testing.F) {
	f.Add([]byte("\x1b@\x1c&\xca\xdc\xc0\xed\n\x1dVB\x30"), byte(0))
	f.Add([]byte("\x1dv0\x00\x02\x00\x03\x00\x80\x01\x00\x00\xFF\xFF\x1dV\x00"), byte(1))
	f.Add([]byte("\x1d(k\x0a\x001P0CASE-42\x1d(k\x03\x001Q0"), byte(2))
	f.Add([]byte("\x1d8L\xff\xff\xff\xff0p0"), byte(0))
	f.Add([]byte("\x1d!\x77\x1b!\xff\x1dW\x01\x00\x1dL\xff\xff\x1b$\xff\xffABC\n"), byte(3))
	f.Add([]byte("\x1b*\x21\xff\xff\x00\x1dkI\x05{C\x63\x00\x01\x81\x30\x81\x30"), byte(0))
	names := Heads()
	g, err := newGlyphs(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte, which byte) {
		m := &tape{in: in}
		e := newEscpos(heads[names[int(which)%len(names)]], g, m)
		for len(m.in) > 0 {
			if e.command() != nil {
				break
			}
		}
		if len(e.roll.rows) > longest || e.roll.text.Len() > mostText {
			t.Fatalf("it keeps %d rows and %d bytes of text", len(e.roll.rows), e.roll.text.Len())
		}
		if m.says > 16*len(in) {
			t.Fatalf("%d bytes of answers to %d", m.says, len(in))
		}
		if _, err := e.roll.picture(); err != nil {
			t.Fatal(err)
		}
	})
}
