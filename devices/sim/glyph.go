package sim

// The head's built-in font: Han in cells of 24 by 24 dots, Latin in 12 by 24 (font B: 9 by 17), drawn from a scalable face.

import (
	"fmt"
	"image"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// A glyph is a cell of black dots, one byte a dot.
type glyph struct {
	w, h int
	dots []bool
}

func newGlyph(w, h int) glyph { return glyph{w: w, h: h, dots: make([]bool, w*h)} }

// glyphs draws and remembers cells.
type glyphs struct {
	mu    sync.Mutex
	faces map[int]font.Face // by cell height
	parse *opentype.Font
	cells map[cell]glyph
}

type cell struct {
	r    rune
	w, h int
}

// mostCells bounds the memory; a head's font has fewer.
const mostCells = 30000

func newGlyphs(data []byte) (*glyphs, error) {
	g := &glyphs{faces: map[int]font.Face{}, cells: map[cell]glyph{}}
	if data == nil {
		return g, nil
	}
	f, err := opentype.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("sim: head font: %w", err)
	}
	g.parse = f
	return g, nil
}

func (g *glyphs) close() {
	for _, f := range g.faces {
		_ = f.Close()
	}
}

// draw returns r's cell. A rune that the face lacks is a hollow box, as on paper.
func (g *glyphs) draw(r rune, w, h int) glyph {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := cell{r, w, h}
	if c, ok := g.cells[key]; ok {
		return c
	}
	c := g.render(r, w, h)
	if len(g.cells) < mostCells {
		g.cells[key] = c
	}
	return c
}

func (g *glyphs) face(h int) font.Face {
	if f, ok := g.faces[h]; ok {
		return f
	}
	var f font.Face = basicfont.Face7x13
	if g.parse != nil {
		if scaled, err := opentype.NewFace(g.parse, &opentype.FaceOptions{Size: float64(h) * 0.92, DPI: 72, Hinting: font.HintingFull}); err == nil {
			f = scaled
		}
	}
	g.faces[h] = f
	return f
}

func (g *glyphs) render(r rune, w, h int) glyph {
	out := newGlyph(w, h)
	if unicode.IsSpace(r) {
		return out
	}
	f := g.face(h)
	if g.parse == nil && r > '~' {
		return box(w, h)
	}
	if g.parse != nil {
		if i, err := g.parse.GlyphIndex(nil, r); err != nil || i == 0 {
			return box(w, h)
		}
	}
	m := f.Metrics()
	advance, _ := f.GlyphAdvance(r)
	origin := fixed.Point26_6{X: (fixed.I(w) - advance) / 2, Y: (fixed.I(h) + m.Ascent - m.Descent) / 2}
	if m.CapHeight > 0 && g.parse != nil {
		origin.Y = fixed.I(h) - fixed.I(h)/6 // Han and Latin share a base line, an eighth or so above the cell's foot
	}
	bounds, mask, at, _, ok := f.Glyph(origin, r)
	if !ok {
		return box(w, h)
	}
	clip := bounds.Intersect(image.Rect(0, 0, w, h))
	for y := clip.Min.Y; y < clip.Max.Y; y++ {
		for x := clip.Min.X; x < clip.Max.X; x++ {
			_, _, _, a := mask.At(at.X+x-bounds.Min.X, at.Y+y-bounds.Min.Y).RGBA()
			out.dots[y*w+x] = a >= 0x7000
		}
	}
	return out
}

// box is the cell of a character that the head has not.
func box(w, h int) glyph {
	g := newGlyph(w, h)
	for y := 2; y < h-2; y++ {
		for x := 1; x < w-1; x++ {
			g.dots[y*w+x] = y == 2 || y == h-3 || x == 1 || x == w-2
		}
	}
	return g
}

// style is how a cell is put on paper.
type style struct {
	wide, high                    int // 1..8
	bold, reverse, turned, struck bool
	underline                     int // dots
}

// styled enlarges and decorates a cell.
func (g glyph) styled(s style) glyph {
	out := newGlyph(g.w*s.wide, g.h*s.high)
	for y := range out.h {
		for x := range out.w {
			out.dots[y*out.w+x] = g.dots[y/s.high*g.w+x/s.wide]
		}
	}
	if s.bold || s.struck {
		for y := range out.h {
			for x := out.w - 1; x > 0; x-- {
				out.dots[y*out.w+x] = out.dots[y*out.w+x] || out.dots[y*out.w+x-1]
			}
		}
	}
	for y := max(0, out.h-s.underline); y < out.h; y++ {
		for x := range out.w {
			out.dots[y*out.w+x] = true
		}
	}
	if s.reverse {
		for i := range out.dots {
			out.dots[i] = !out.dots[i]
		}
	}
	if s.turned {
		for i, j := 0, len(out.dots)-1; i < j; i, j = i+1, j-1 {
			out.dots[i], out.dots[j] = out.dots[j], out.dots[i]
		}
	}
	return out
}
