// A face as PWG raster (PWG 5102.4): what every IPP Everywhere printer takes, dot for dot.
//
//	0        "RaS2"
//	4        header, 1796 bytes, big endian; fields that are not listed are zero
//	  0      "PwgRaster"
//	  276    HWResolution, two integers
//	  340    NumCopies           344 Orientation (1: turned left by a quarter)
//	  352    PageSize, points, two integers
//	  372    width  376 height   384 bits a colour  388 bits a dot  392 bytes a line
//	  396    colour order 0      400 colour space: 18 sGray, 19 sRGB
//	  420    colours             452 pages in all   456 and 460 transforms 1, 1
//	  484    quality 5 (high)    1732 media's name
//	1800     lines: count of repetitions, then runs: 0…127 repeats the next dot n+1 times,
//	         129…255 takes the next 257-n dots as they are

package document

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"slices"

	"github.com/budayang/kiosk/devices"
)

const (
	rasterFormat = "image/pwg-raster"
	rasterHeader = 1796
	rasterGray   = "sgray_8"
	rasterColour = "srgb_8"
)

// coloured says whether a face is printed in colour.
func coloured(m image.Image) bool {
	_, gray := m.(*image.Gray)
	return !gray
}

// rasterKind chooses between the printer's types: the one that fits, else the other; "" when it knows neither. A printer that
// lists none takes sRGB, as every IPP Everywhere colour printer must.
func rasterKind(supported []string, colour bool) string {
	order := []string{rasterGray, rasterColour}
	if colour {
		slices.Reverse(order)
	}
	if len(supported) == 0 {
		return rasterColour
	}
	for _, k := range order {
		if slices.Contains(supported, k) {
			return k
		}
	}
	return ""
}

// rasterOf encodes a face. A printer whose card stands (lying false) gets it turned left by a quarter, as RFC 8011 has it for
// a landscape on such a sheet. Transparent dots become white.
func rasterOf(m image.Image, kind string, lying bool) []byte {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	if !lying {
		w, h = h, w
	}
	size := 1
	space := uint32(18)
	if kind == rasterColour {
		size, space = 3, 19
	}
	var out bytes.Buffer
	out.Grow(4 + rasterHeader + h*(w*size+w+1)) // never moved: what was left behind could not be wiped
	out.WriteString("RaS2")
	head := make([]byte, rasterHeader)
	put := func(at int, v uint32) { binary.BigEndian.PutUint32(head[at:], v) }
	copy(head, "PwgRaster")
	put(276, devices.CardDPI)
	put(280, devices.CardDPI)
	put(340, 1)
	if !lying {
		put(344, 1)
	}
	put(352, uint32(w*72/devices.CardDPI))
	put(356, uint32(h*72/devices.CardDPI))
	put(372, uint32(w))
	put(376, uint32(h))
	put(384, 8)
	put(388, uint32(8*size))
	put(392, uint32(w*size))
	put(400, space)
	put(420, uint32(size))
	put(452, 1)
	put(456, 1)
	put(460, 1)
	put(484, 5)
	out.Write(head)

	line, last := make([]byte, w*size), make([]byte, w*size)
	repeated := 0
	for y := range h {
		for x := range w {
			sx, sy := x, y
			if !lying { // turned left: the face's top edge becomes the sheet's left one
				sx, sy = b.Dx()-1-y, x
			}
			dot(line[x*size:x*size+size], m, b.Min.X+sx, b.Min.Y+sy)
		}
		if y > 0 && bytes.Equal(line, last) && repeated < 255 {
			repeated++
			continue
		}
		if y > 0 {
			pack(&out, last, size, repeated)
		}
		repeated = 0
		line, last = last, line
	}
	if h > 0 {
		pack(&out, last, size, repeated)
	}
	clear(line)
	clear(last)
	return out.Bytes()
}

// dot writes one dot over white.
func dot(to []byte, m image.Image, x, y int) {
	if g, ok := m.(*image.Gray); ok {
		v := g.GrayAt(x, y).Y
		for i := range to {
			to[i] = v
		}
		return
	}
	r, g, b, a := m.At(x, y).RGBA() // premultiplied
	white := 0xffff - a
	c := color.RGBA{uint8((r + white) >> 8), uint8((g + white) >> 8), uint8((b + white) >> 8), 255}
	if len(to) == 1 {
		to[0] = color.GrayModel.Convert(c).(color.Gray).Y
		return
	}
	to[0], to[1], to[2] = c.R, c.G, c.B
}

// pack writes one line, which comes 1+repeated times.
func pack(out *bytes.Buffer, line []byte, size, repeated int) {
	out.WriteByte(byte(repeated))
	n := len(line) / size
	at := func(i int) []byte { return line[i*size : i*size+size] }
	for i := 0; i < n; {
		run := 1
		for i+run < n && run < 128 && bytes.Equal(at(i), at(i+run)) {
			run++
		}
		if run > 1 || i+1 == n {
			out.WriteByte(byte(run - 1))
			out.Write(at(i))
			i += run
			continue
		}
		// literals end where two equal dots begin
		lit := 1
		for i+lit < n && lit < 128 && (i+lit+1 == n || !bytes.Equal(at(i+lit), at(i+lit+1))) {
			lit++
		}
		if lit == 1 {
			out.WriteByte(0)
		} else {
			out.WriteByte(byte(257 - lit))
		}
		out.Write(line[i*size : (i+lit)*size])
		i += lit
	}
}
