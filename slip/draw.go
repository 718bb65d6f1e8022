package slip

// Drawing a layout: for tests, for the screen, and for lines that a head has no glyphs for.

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// A Face draws characters in cells; the first of its fonts that has a character draws it.
type Face struct {
	mu    sync.Mutex
	fonts []*opentype.Font
	sized map[[2]int]font.Face
	buf   sfnt.Buffer
}

// NewFace parses fonts, in the order in which they are asked.
func NewFace(fonts ...[]byte) (*Face, error) {
	if len(fonts) == 0 {
		return nil, errors.New("slip: a face needs a font")
	}
	f := &Face{sized: map[[2]int]font.Face{}}
	for _, b := range fonts {
		p, err := opentype.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("slip: font: %w", err)
		}
		f.fonts = append(f.fonts, p)
	}
	return f, nil
}

// has returns the font that has a character, -1 when none has.
func (f *Face) has(r rune) int {
	for i, p := range f.fonts {
		if g, err := p.GlyphIndex(&f.buf, r); err == nil && g != 0 {
			return i
		}
	}
	return -1
}

func (f *Face) face(i, px int) (font.Face, error) {
	k := [2]int{i, px}
	if f.sized[k] == nil {
		x, err := opentype.NewFace(f.fonts[i], &opentype.FaceOptions{Size: float64(px), DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return nil, err
		}
		f.sized[k] = x
	}
	return f.sized[k], nil
}

// Missing are the characters of a slip that no font has: 〓 stands for each.
func (f *Face) Missing(s Slip) []rune {
	f.mu.Lock()
	defer f.mu.Unlock()
	var missing []rune
	look := func(t string) {
		for _, r := range t {
			if r > ' ' && !chooses(r) && f.has(r) < 0 {
				missing = append(missing, r)
			}
		}
	}
	for _, b := range s.Blocks {
		switch b := b.(type) {
		case Text:
			look(b.Text)
		case Table:
			for _, row := range b.Rows {
				for _, c := range row {
					look(c)
				}
			}
		case QR:
			look(b.Caption)
		}
	}
	return missing
}

// Draw draws a layout, black on white.
func Draw(l Layout, f *Face) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, l.Dots, max(1, l.Height())))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	y := 0
	for _, line := range l.Lines {
		f.DrawLine(img, line, y)
		y += line.Height
	}
	return img
}

// DrawLine draws one line with its top at y.
func (f *Face) DrawLine(img *image.Gray, line Line, y int) {
	switch {
	case line.Rule != nil:
		for x := range img.Rect.Dx() {
			if !line.Rule.Dashed || x%12 < 7 {
				img.SetGray(x, y+8, color.Gray{})
				img.SetGray(x, y+9, color.Gray{})
			}
		}
	case line.Code != nil:
		c := line.Code
		top := y + 4*c.Module
		for r, row := range c.Modules() {
			for k, black := range row {
				if !black {
					continue
				}
				for dy := range c.Module {
					for dx := range c.Module {
						img.SetGray(c.X+k*c.Module+dx, top+r*c.Module+dy, color.Gray{})
					}
				}
			}
		}
	case line.Picture != nil:
		p := line.Picture
		for dy := range p.Image.Rect.Dy() {
			for dx := range p.Image.Rect.Dx() {
				img.SetGray(p.X+dx, y+dy, p.Image.GrayAt(dx, dy))
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range line.Spans {
		f.span(img, s, y)
	}
}

// geta (下駄, 〓) stands where no font has a character, as it does on the screen: two bars in its cell, w dots wide. A gap would read as if
// there were nothing.
func geta(img *image.Gray, x, y, w, size int) {
	thick := 6 * size
	for _, top := range []int{y + 3*size, y + 14*size} {
		for dy := range thick {
			for dx := size; dx < w-size; dx++ {
				img.SetGray(x+dx, top+dy, color.Gray{})
			}
		}
	}
}

func (f *Face) span(img *image.Gray, s Span, y int) {
	size := max(1, s.Size)
	x := s.X
	for _, r := range s.Text {
		w := runeWidth(r) * size
		if r > ' ' && !chooses(r) {
			i := f.has(r)
			if i < 0 && len(f.fonts) > 0 {
				geta(img, x, y, w, size)
			}
			if i >= 0 {
				px := 22 * size
				if face, err := f.face(i, px); err == nil {
					d := font.Drawer{Dst: img, Src: image.Black, Face: face}
					advance := d.MeasureString(string(r)).Round()
					d.Dot = fixed.P(x+(w-advance)/2, y+int(float64(CellHan*size)*0.85))
					d.DrawString(string(r))
					if s.Bold {
						d.Dot = fixed.P(x+(w-advance)/2+1, y+int(float64(CellHan*size)*0.85))
						d.DrawString(string(r))
					}
				}
			}
		}
		x += w
	}
}
