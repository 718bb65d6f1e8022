package sim

// Pictures: GS v 0, GS ( L and GS 8 L, ESC *.

import "fmt"

// A bitmap is rows of packed dots.
type bitmap struct {
	width, height int
	stride        int
	data          []byte
	scaleX        int
	scaleY        int
}

func (b bitmap) glyph(width int) glyph {
	w := min(b.width*b.scaleX, width)
	g := newGlyph(w, b.height*b.scaleY)
	for y := range g.h {
		row := b.data[y/b.scaleY*b.stride:]
		for x := range w {
			sx := x / b.scaleX
			g.dots[y*w+x] = row[sx/8]&(0x80>>(sx%8)) != 0
		}
	}
	return g
}

// rows is GS v 0 m xL xH yL yH d…: printed as it comes, row by row.
func (e *escpos) rows() error {
	h, err := e.args(6)
	if err != nil {
		return err
	}
	if h[0] != '0' {
		e.m.missed()
		return nil
	}
	stride, height := int(h[2])|int(h[3])<<8, int(h[4])|int(h[5])<<8
	scaleX, scaleY := 1+int(h[1]&1), 1+int(h[1]>>1&1)
	if stride == 0 || height == 0 {
		return nil
	}
	if err := e.flush(); err != nil {
		return err
	}
	e.roll.note(fmt.Sprintf("[picture %dx%d]\n", stride*8, height))
	row := make([]byte, stride)
	for range height {
		if err := e.m.read(row); err != nil {
			return err
		}
		g := bitmap{width: stride * 8, height: 1, stride: stride, data: row, scaleX: scaleX, scaleY: scaleY}.glyph(e.head.width)
		if err := e.m.ready(); err != nil {
			return err
		}
		e.roll.burn(g, e.left+e.shift(stride*8*scaleX), e.roll.total)
		if err := e.feed(scaleY); err != nil {
			return err
		}
	}
	return nil
}

// mostGraphics is the memory of the head for a stored picture.
const mostGraphics = 1 << 20

// gsLong is GS 8 L p1…p4.
func (e *escpos) gsLong() error {
	h, err := e.args(5)
	if err != nil {
		return err
	}
	n := int(h[1]) | int(h[2])<<8 | int(h[3])<<16 | int(h[4])<<24
	if h[0] != 'L' || !e.head.graphics {
		e.m.missed()
		return e.skip(n)
	}
	return e.graphics(n)
}

// graphics are the functions 112 (store raster) and 50 (print) of GS ( L.
func (e *escpos) graphics(n int) error {
	if n < 2 {
		return e.skip(n)
	}
	h, err := e.args(2)
	if err != nil {
		return err
	}
	n -= 2
	switch {
	case h[0] == 0x30 && (h[1] == 50 || h[1] == 2):
		if err := e.skip(n); err != nil {
			return err
		}
		if e.stored == nil {
			return nil
		}
		b := *e.stored
		e.stored = nil
		e.roll.note(fmt.Sprintf("[picture %dx%d]\n", b.width, b.height))
		return e.figure(b.glyph(e.head.width))
	case h[0] == 0x30 && h[1] == 112 && n >= 8 && n <= mostGraphics:
		return e.storeRaster(n)
	}
	e.m.missed()
	return e.skip(n)
}

// storeRaster takes a bx by c xL xH yL yH d….
func (e *escpos) storeRaster(n int) error {
	h, err := e.args(8)
	if err != nil {
		return err
	}
	data, err := e.args(n - 8)
	if err != nil {
		return err
	}
	b := bitmap{width: int(h[4]) | int(h[5])<<8, height: int(h[6]) | int(h[7])<<8, data: data,
		scaleX: min(max(1, int(h[1])), 2), scaleY: min(max(1, int(h[2])), 2)}
	b.stride = (b.width + 7) / 8
	if b.width == 0 || b.height == 0 || len(data) != b.stride*b.height {
		e.m.missed() // a header that lies; the head takes the bytes and prints nothing
		return nil
	}
	e.stored = &b
	return nil
}

// columns is ESC * m nL nH d…: a picture in the line, 8 or 24 dots high, columns from the top.
func (e *escpos) columns() error {
	h, err := e.args(3)
	if err != nil {
		return err
	}
	n, deep, scaleX, scaleY := int(h[1])|int(h[2])<<8, 1, 1, 3
	switch h[0] {
	case 0:
		scaleX = 2
	case 1:
	case 32:
		deep, scaleX, scaleY = 3, 2, 1
	case 33:
		deep, scaleY = 3, 1
	default:
		e.m.missed()
		return nil
	}
	w := min(n*scaleX, e.head.width)
	g := newGlyph(w, deep*8*scaleY)
	column := make([]byte, deep)
	for i := range n {
		if err := e.m.read(column); err != nil {
			return err
		}
		for y := range g.h {
			bit := y / scaleY
			for x := i * scaleX; x < min((i+1)*scaleX, w); x++ {
				g.dots[y*w+x] = column[bit/8]&(0x80>>(bit%8)) != 0
			}
		}
	}
	if w == 0 {
		return nil
	}
	return e.place(g, 0)
}
