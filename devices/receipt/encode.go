package receipt

// Encoding: a layout becomes bytes for a head. Text goes as device text, which is fast; a line with a character that the
// head's font cannot have goes as a picture of the line.

import (
	"image"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/budayang/kiosk/slip"
)

// ESC/POS commands (printers reference 3.1 to 3.3).
var (
	escInit     = []byte{0x1B, 0x40}
	escSpacing  = []byte{0x1B, 0x33, 30} // line spacing 30 dots
	hanOn       = []byte{0x1C, 0x26}
	hanOff      = []byte{0x1C, 0x2E}
	hanSpacing0 = []byte{0x1C, 0x53, 0, 0}
)

// Encode turns a layout into the bytes of one slip: initialised, printed, cut and presented. Every line ends with LF before
// any ESC @, because heads differ in what ESC @ does to an unfinished one.
func Encode(l slip.Layout, p Profile, face *slip.Face) []byte {
	if face == nil {
		face = &slip.Face{} // rules and codes need no font
	}
	e := encoder{p: p, face: face, out: make([]byte, 0, 4096)}
	e.put(escInit...)
	e.put(escSpacing...)
	e.put(hanSpacing0...)
	for _, line := range l.Lines {
		e.line(line, l.Dots)
	}
	e.put(p.Cut...)
	e.put(p.Present...)
	return e.out
}

type encoder struct {
	p    Profile
	face *slip.Face
	out  []byte
	bold bool
	size int
}

func (e *encoder) put(b ...byte) { e.out = append(e.out, b...) }

func (e *encoder) line(l slip.Line, dots int) {
	switch {
	case l.Picture != nil:
		e.picture(l.Picture)
	case l.Code != nil && e.p.QR == "native" && !strings.ContainsRune(l.Code.Data, dle):
		e.code(l.Code)
	case l.Rule != nil, l.Code != nil, !deviceText(l):
		e.drawn(l, dots)
	case len(l.Spans) == 0:
		e.feed(l.Height)
	default:
		e.text(l)
	}
}

// feed moves the paper.
func (e *encoder) feed(dots int) {
	for dots > 0 {
		n := min(dots, 255)
		e.put(0x1B, 0x4A, byte(n))
		dots -= n
	}
}

// deviceText says whether a head's own font can print a line: characters whose GB 18030 form has four bytes it cannot, nor
// those for private use, whose two bytes every maker fills as it likes.
func deviceText(l slip.Line) bool {
	for _, s := range l.Spans {
		for _, r := range s.Text {
			if r < 0x80 {
				continue
			}
			if _, ok := gbk(r); !ok || r >= 0xE000 && r <= 0xF8FF {
				return false
			}
		}
	}
	return true
}

// gbk is a character's two bytes, if it has two.
func gbk(r rune) ([2]byte, bool) {
	var buf [8]byte
	var src [4]byte
	n, _, err := simplifiedchinese.GB18030.NewEncoder().Transform(buf[:], appendRune(src[:0], r), true)
	return [2]byte{buf[0], buf[1]}, err == nil && n == 2
}

func appendRune(b []byte, r rune) []byte { return append(b, string(r)...) }

func (e *encoder) text(l slip.Line) {
	for _, s := range l.Spans {
		e.style(s)
		e.put(0x1B, 0x24, byte(s.X), byte(s.X>>8))
		han := false
		for _, r := range s.Text {
			if r < 0x80 {
				if han {
					e.put(hanOff...)
					han = false
				}
				if r < 0x20 {
					r = ' '
				}
				e.put(byte(r))
				continue
			}
			if !han {
				e.put(hanOn...)
				han = true
			}
			b, _ := gbk(r)
			e.put(b[:]...)
		}
		if han {
			e.put(hanOff...)
		}
	}
	e.put(0x0A)
}

// style sets bold and size; Chinese has settings of its own on many heads.
func (e *encoder) style(s slip.Span) {
	if s.Bold != e.bold {
		e.bold = s.Bold
		v := byte(0)
		if s.Bold {
			v = 1
		}
		e.put(0x1B, 0x45, v)
	}
	size := max(1, s.Size)
	if size != e.size {
		n := byte(size - 1)
		e.put(0x1D, 0x21, n<<4|n)
		if e.size != 0 || n != 0 {
			e.put(0x1C, 0x21, n<<2|n<<3)
		}
		// doubled text needs room for its height
		e.put(0x1B, 0x33, byte(slip.CellHan*size+slip.Leading))
		e.size = size
	}
}

// code prints a QR code by the head's own command.
func (e *encoder) code(c *slip.Code) {
	k := func(fn ...byte) {
		n := len(fn)
		e.put(0x1D, 0x28, 0x6B, byte(n), byte(n>>8))
		e.put(fn...)
	}
	e.feed(4 * c.Module)
	e.put(0x1B, 0x61, 1)
	k(0x31, 0x41, 0x32, 0)
	k(0x31, 0x43, byte(min(16, c.Module)))
	k(0x31, 0x45, map[byte]byte{'L': 0x30, 'M': 0x31, 'Q': 0x32, 'H': 0x33}[c.Level])
	k(append([]byte{0x31, 0x50, 0x30}, c.Data...)...)
	k(0x31, 0x51, 0x30)
	e.put(0x1B, 0x61, 0)
	e.feed(4 * c.Module)
}

// drawn prints a line as a picture of it.
func (e *encoder) drawn(l slip.Line, dots int) {
	img := image.NewGray(image.Rect(0, 0, dots, l.Height))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	e.face.DrawLine(img, l, 0)
	rows, stride := threshold(img)
	e.raster(rows, stride, l.Height, 0)
}

func (e *encoder) picture(p *slip.Picture) {
	var rows []byte
	var stride int
	if p.Photo {
		rows, stride = dither(p.Image)
	} else {
		rows, stride = threshold(p.Image)
	}
	e.raster(rows, stride, p.Image.Rect.Dy(), p.X)
	e.feed(slip.Leading)
}

// raster sends one-bit rows in bands. White rows are fed and a white right margin is left out, because a picture takes the
// line longer than the head; the header's length is always that of the data.
func (e *encoder) raster(rows []byte, stride, height, x int) {
	if shift := x / 8; shift > 0 {
		wide := make([]byte, (stride+shift)*height)
		for y := range height {
			copy(wide[y*(stride+shift)+shift:], rows[y*stride:(y+1)*stride])
		}
		rows, stride = wide, stride+shift
	}
	blank := func(y int) bool {
		for _, b := range rows[y*stride : (y+1)*stride] {
			if b != 0 {
				return false
			}
		}
		return true
	}
	for y := 0; y < height; {
		n := 0
		for y+n < height && blank(y+n) {
			n++
		}
		if n > 0 {
			e.feed(n)
			y += n
			continue
		}
		// A band ends at a long white gap or at the head's limit.
		white := 0
		for y+n < height && n < e.p.Band && white <= 8 {
			if blank(y + n) {
				white++
			} else {
				white = 0
			}
			n++
		}
		n -= white
		e.band(rows[y*stride:(y+n)*stride], stride, n)
		y += n
	}
}

// dle begins the questions and commands that heads obey in real time, inside a picture too.
const dle = 0x10

// inert keeps a picture from being obeyed: 10 04 would be answered like a status question, 10 05 and 10 14 can empty the
// buffer or open a drawer. One dot more between them is not seen.
func inert(data []byte) {
	for i, b := range data[:max(0, len(data)-1)] {
		if next := data[i+1]; b == dle && (next == 0x04 || next == 0x05 || next == 0x14) {
			data[i] = 0x18
		}
	}
}

// crop leaves out the bytes that are white in every row, from the right.
func crop(data []byte, stride int) ([]byte, int) {
	wide := 1
	for at := 0; at < len(data); at += stride {
		for x := stride; x > wide; x-- {
			if data[at+x-1] != 0 {
				wide = x
				break
			}
		}
	}
	if wide == stride {
		return data, stride
	}
	cut := make([]byte, 0, len(data)/stride*wide)
	for at := 0; at < len(data); at += stride {
		cut = append(cut, data[at:at+wide]...)
	}
	return cut, wide
}

func (e *encoder) band(data []byte, stride, n int) {
	data, stride = crop(data, stride)
	inert(data)
	if e.p.Image == "gs-8-l" {
		k := len(data) + 10
		e.put(0x1D, 0x38, 0x4C, byte(k), byte(k>>8), byte(k>>16), byte(k>>24), 0x30, 0x70, 0x30, 1, 1, 0x31,
			byte(stride*8), byte(stride*8>>8), byte(n), byte(n>>8))
		e.put(data...)
		e.put(0x1D, 0x28, 0x4C, 2, 0, 0x30, 0x32)
		return
	}
	e.put(0x1D, 0x76, 0x30, 0, byte(stride), byte(stride>>8), byte(n), byte(n>>8))
	e.put(data...)
}
