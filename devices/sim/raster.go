package sim

// A card as it arrives: PWG raster (PWG 5102.4), read as a printer's controller reads it.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
)

// Bounds of a card's raster, in dots.
const (
	mostDots     = 1100
	rasterStart  = 4 + 1796
	spaceSGray   = 18
	spaceSRGB    = 19
	rasterMedium = 300 // dots an inch
)

var errRaster = errors.New("not a PWG raster of one card")

// readRaster decodes the one page of a document, as it lies on the sheet.
func readRaster(data []byte) (*image.NRGBA, error) {
	bad := func(why string, a ...any) (*image.NRGBA, error) {
		return nil, fmt.Errorf("%w: %s", errRaster, fmt.Sprintf(why, a...))
	}
	if len(data) < rasterStart || string(data[:4]) != "RaS2" || string(data[4:14]) != "PwgRaster\x00" {
		return bad("no header")
	}
	field := func(at int) int { return int(binary.BigEndian.Uint32(data[4+at:])) }
	w, h, dot, space := field(372), field(376), field(388)/8, field(400)
	switch {
	case field(276) != rasterMedium || field(280) != rasterMedium:
		return bad("%d x %d dpi", field(276), field(280))
	case w < 1 || h < 1 || w > mostDots || h > mostDots:
		return bad("%d x %d dots", w, h)
	case field(384) != 8 || field(396) != 0 || field(392) != w*dot:
		return bad("%d bits a colour, order %d, %d bytes a line", field(384), field(396), field(392))
	case !(space == spaceSGray && dot == 1) && !(space == spaceSRGB && dot == 3):
		return bad("colour space %d, %d bytes a dot", space, dot)
	}
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	rest := data[rasterStart:]
	for y := 0; y < h; {
		if len(rest) == 0 {
			return bad("ends in line %d", y)
		}
		times := int(rest[0]) + 1
		rest = rest[1:]
		if y+times > h {
			return bad("more lines than %d", h)
		}
		line, left, ok := readLine(rest, w, dot)
		if !ok {
			return bad("line %d", y)
		}
		rest = left
		for range times {
			for x := range w {
				c := color.NRGBA{line[x*dot], line[x*dot], line[x*dot], 255}
				if dot == 3 {
					c.G, c.B = line[x*dot+1], line[x*dot+2]
				}
				m.SetNRGBA(x, y, c)
			}
			y++
		}
	}
	if len(rest) > 0 {
		return bad("%d bytes after the page", len(rest))
	}
	return m, nil
}

// readLine unpacks one line of w dots.
func readLine(in []byte, w, dot int) (line, rest []byte, ok bool) {
	line = make([]byte, 0, w*dot)
	for len(line) < w*dot {
		if len(in) == 0 {
			return nil, nil, false
		}
		code := int(in[0])
		in = in[1:]
		switch {
		case code < 128: // one dot, code+1 times
			if len(in) < dot || len(line)+(code+1)*dot > w*dot {
				return nil, nil, false
			}
			for range code + 1 {
				line = append(line, in[:dot]...)
			}
			in = in[dot:]
		case code == 128: // white to the end
			for len(line) < w*dot {
				line = append(line, 255)
			}
		default: // 257-code dots as they are
			n := (257 - code) * dot
			if len(in) < n || len(line)+n > w*dot {
				return nil, nil, false
			}
			line = append(line, in[:n]...)
			in = in[n:]
		}
	}
	return line, in, true
}

// lay turns a standing card so that it can be read; orientation is as in the header: 1 was turned left.
func lay(m *image.NRGBA) *image.NRGBA {
	b := m.Bounds()
	if b.Dx() >= b.Dy() {
		return m
	}
	out := image.NewNRGBA(image.Rect(0, 0, b.Dy(), b.Dx()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			out.SetNRGBA(b.Dy()-1-y, x, m.NRGBAAt(x, y))
		}
	}
	return out
}
