package sim

// Codes that the head draws itself: QR by GS ( k and by the Chinese commands, bars by GS k.

import (
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/codabar"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/code39"
	"github.com/boombuler/barcode/code93"
	"github.com/boombuler/barcode/ean"
	"github.com/boombuler/barcode/qr"
	"github.com/boombuler/barcode/twooffive"
)

type qrState struct {
	module int
	level  byte
	data   []byte
}

// mostQR is the capacity of the largest symbol in bytes.
const mostQR = 7089

// symbol is GS ( k.
func (e *escpos) symbol(n int) error {
	if n < 2 {
		return e.skip(n)
	}
	h, err := e.args(2)
	if err != nil {
		return err
	}
	n -= 2
	if h[0] != 0x31 || n > mostQR+1 {
		e.m.missed()
		return e.skip(n)
	}
	p, err := e.args(n)
	if err != nil {
		return err
	}
	switch {
	case h[1] == 0x43 && n >= 1:
		e.qr.module = min(max(1, int(p[0])), 16)
	case h[1] == 0x45 && n >= 1 && p[0] >= 0x30 && p[0] <= 0x33:
		e.qr.level = "LMQH"[p[0]-0x30]
	case h[1] == 0x50 && n >= 1:
		e.qr.data = p[1:]
	case h[1] == 0x51:
		return e.printQR(e.qr)
	}
	return nil
}

// zQR is ESC Z m n k dL dH d… of Chinese heads: version, level, module size.
func (e *escpos) zQR() error {
	p, err := e.args(5)
	if err != nil {
		return err
	}
	n := int(p[3]) | int(p[4])<<8
	if n > mostQR {
		e.m.missed()
		return e.skip(n)
	}
	data, err := e.args(n)
	if err != nil {
		return err
	}
	level := byte('M')
	if strings.IndexByte("LMQH", p[1]) >= 0 {
		level = p[1]
	}
	return e.printQR(qrState{module: min(max(1, int(p[2])), 16), level: level, data: data})
}

var qrLevels = map[byte]qr.ErrorCorrectionLevel{'L': qr.L, 'M': qr.M, 'Q': qr.Q, 'H': qr.H}

// printQR draws a symbol; one that does not fit prints nothing.
func (e *escpos) printQR(q qrState) error {
	if len(q.data) == 0 {
		return nil
	}
	code, err := qr.Encode(string(q.data), qrLevels[q.level], qr.Auto)
	if err != nil {
		return nil
	}
	size := code.Bounds().Dx()
	if size*q.module > e.area {
		return nil
	}
	g := newGlyph(size*q.module, size*q.module)
	for y := range g.h {
		for x := range g.w {
			g.dots[y*g.w+x] = black(code, x/q.module, y/q.module)
		}
	}
	e.roll.note("[QR " + string(q.data) + "]\n")
	return e.figure(g)
}

func black(code barcode.Barcode, x, y int) bool {
	r, _, _, _ := code.At(x, y).RGBA()
	return r < 0x8000
}

// figure prints a picture on rows of its own, aligned.
func (e *escpos) figure(g glyph) error {
	if err := e.flush(); err != nil {
		return err
	}
	e.roll.burn(g, e.left+e.shift(g.w), e.roll.total)
	return e.feed(g.h)
}

// bars is GS k m: up to 6 the data ends with NUL, from 65 on it has a length.
func (e *escpos) bars() error {
	m, err := e.next()
	if err != nil {
		return err
	}
	if m == 'a' { // v r nL nH d…: a QR code on Chinese heads
		return e.kQR()
	}
	var data []byte
	if m <= 6 {
		for {
			b, err := e.next()
			if err != nil {
				return err
			}
			if b == 0 {
				break
			}
			if len(data) < 255 {
				data = append(data, b)
			}
		}
		m += 65
	} else {
		n, err := e.next()
		if err != nil {
			return err
		}
		if data, err = e.args(int(n)); err != nil {
			return err
		}
	}
	return e.printBars(m, data)
}

func (e *escpos) kQR() error {
	p, err := e.args(4)
	if err != nil {
		return err
	}
	n := int(p[2]) | int(p[3])<<8
	if n > mostQR {
		e.m.missed()
		return e.skip(n)
	}
	data, err := e.args(n)
	if err != nil {
		return err
	}
	return e.printQR(qrState{module: 6, level: "LMQH"[min(max(int(p[1]), 1), 4)-1], data: data})
}

// printBars draws a bar code. Data that is none of the code's is printed as text; bars that do not fit print nothing.
func (e *escpos) printBars(m byte, data []byte) error {
	code, text, err := encodeBars(m, string(data))
	if err != nil {
		for _, b := range data {
			if err := e.character(b); err != nil {
				return err
			}
		}
		return nil
	}
	w := code.Bounds().Dx()
	if w*e.barW > e.area {
		return nil
	}
	g := newGlyph(w*e.barW, e.barHigh)
	for y := range g.h {
		for x := range g.w {
			g.dots[y*g.w+x] = black(code, x/e.barW, 0)
		}
	}
	e.roll.note("[BAR " + text + "]\n")
	if e.hri&1 != 0 {
		if err := e.readable(text); err != nil {
			return err
		}
	}
	if err := e.figure(g); err != nil {
		return err
	}
	if e.hri&2 != 0 {
		return e.readable(text)
	}
	return nil
}

// readable prints the text beside bars.
func (e *escpos) readable(text string) error {
	g := newGlyph(len(text)*fontAWidth, cellHeight)
	for i := range len(text) {
		c := e.glyphs.draw(rune(text[i]), fontAWidth, cellHeight)
		for y := range c.h {
			copy(g.dots[y*g.w+i*fontAWidth:], c.dots[y*c.w:(y+1)*c.w])
		}
	}
	return e.figure(g)
}

func encodeBars(m byte, data string) (barcode.Barcode, string, error) {
	switch m {
	case 65: // UPC-A is EAN 13 with a leading zero
		c, err := ean.Encode("0" + data)
		return c, data, err
	case 67, 68:
		c, err := ean.Encode(data)
		return c, data, err
	case 69:
		c, err := code39.Encode(data, false, false)
		return c, data, err
	case 70:
		c, err := twooffive.Encode(data, true)
		return c, data, err
	case 71:
		c, err := codabar.Encode(data)
		return c, data, err
	case 72:
		c, err := code93.Encode(data, true, false)
		return c, data, err
	case 73:
		text, ok := code128Text(data)
		if !ok {
			return nil, "", ErrValue
		}
		c, err := code128.Encode(text)
		return c, text, err
	}
	return nil, "", ErrValue
}

// code128Text undoes the choice of code sets: "{B" and "{A" stand before text, "{C" before pairs of digits as bytes.
func code128Text(data string) (string, bool) {
	if len(data) < 2 || data[0] != '{' {
		return "", false
	}
	var out strings.Builder
	set := byte(0)
	for i := 0; i < len(data); i++ {
		if data[i] == '{' && i+1 < len(data) {
			i++
			switch data[i] {
			case 'A', 'B', 'C':
				set = data[i]
			case '{':
				out.WriteByte('{')
			default:
				return "", false
			}
			continue
		}
		if set != 'C' {
			out.WriteByte(data[i])
			continue
		}
		if data[i] > 99 {
			return "", false
		}
		out.WriteByte('0' + data[i]/10)
		out.WriteByte('0' + data[i]%10)
	}
	return out.String(), out.Len() > 0
}
