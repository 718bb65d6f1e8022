package sim

// The roll: rows of dots between two cuts, and the picture of them.

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
)

// dotsPerMM of every head here (203 dpi).
const dotsPerMM = 8

const (
	// longest slip that is drawn, in rows; a longer one goes on without a picture.
	longest = 2000 * dotsPerMM
	// mostText of one slip's transcript, in bytes.
	mostText = 1 << 16
)

// roll collects one slip.
type roll struct {
	width int
	rows  [][]byte // a bit a dot, most significant left; nil is a white row
	total int      // rows moved, also those that are not drawn
	text  strings.Builder
}

func newRoll(width int) *roll { return &roll{width: width} }

// feed moves paper without printing.
func (r *roll) feed(dots int) {
	r.total += dots
	if n := min(r.total, longest) - len(r.rows); n > 0 {
		r.rows = append(r.rows, make([][]byte, n)...)
	}
}

// burn prints g with its upper left dot at column x and row y, counted from the slip's beginning, without moving.
func (r *roll) burn(g glyph, x, y int) {
	for row := range g.h {
		at := r.row(y + row)
		if at == nil {
			return
		}
		for col := range g.w {
			if px := x + col; g.dots[row*g.w+col] && px >= 0 && px < r.width {
				at[px/8] |= 0x80 >> (px % 8)
			}
		}
	}
}

// row returns row y counted from the slip's beginning, nil beyond the longest.
func (r *roll) row(y int) []byte {
	if y < 0 || y >= longest {
		return nil
	}
	for len(r.rows) <= y {
		r.rows = append(r.rows, nil)
	}
	if r.rows[y] == nil {
		r.rows[y] = make([]byte, (r.width+7)/8)
	}
	return r.rows[y]
}

func (r *roll) note(s string) {
	if r.text.Len()+len(s) <= mostText {
		r.text.WriteString(s)
	}
}

// empty reports whether nothing was printed.
func (r *roll) empty() bool {
	for _, row := range r.rows {
		if row != nil {
			return false
		}
	}
	return true
}

// picture encodes the slip as a grey PNG, as wide as the head.
func (r *roll) picture() ([]byte, error) {
	img := image.NewPaletted(image.Rect(0, 0, r.width, max(1, len(r.rows))), color.Palette{color.White, color.Black})
	for y, row := range r.rows {
		for x := 0; row != nil && x < r.width; x++ {
			if row[x/8]&(0x80>>(x%8)) != 0 {
				img.Pix[y*img.Stride+x] = 1
			}
		}
	}
	var out bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&out, img); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
