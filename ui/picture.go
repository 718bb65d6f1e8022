package ui

// Personal values as pictures: Fyne keeps drawn strings in a cache for seconds, pictures it does not. The face has every Han
// character we know, so that rare names are drawn and not boxed.

import (
	"image"
	"image/color"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/service"
)

// wide is parsed at the first personal value.
var wide = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(assets.Font("wide-regular.ttf")) })

// Where a text's line is below the top, in em: of a picture, and of what Fyne draws in the same face.
const (
	pictureLine = 1.06
	textLine    = 1.16
)

// picture draws a text in one line; its bounds are as wide as the text and 1.4 em high.
//
// Everything personal is an image.RGBA: Fyne sends its pixels to OpenGL as they are, of any other kind it makes a copy that nobody
// can wipe.
func picture(s string, size float32, col color.NRGBA) (*image.RGBA, error) {
	f, err := wide()
	if err != nil {
		return nil, err
	}
	s, _ = drawable(f, s)
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, err
	}
	defer face.Close()
	w := font.MeasureString(face, s).Ceil() + 2
	h := int(size*1.4 + 0.5)
	img := image.NewRGBA(image.Rect(0, 0, max(1, w), h))
	d := font.Drawer{Dst: img, Src: image.NewUniform(col), Face: face,
		Dot: fixed.Point26_6{X: fixed.I(1), Y: fixed.I(int(size * pictureLine))}}
	d.DrawString(s)
	return img, nil
}

// geta (下駄) stands where the face lacks a character, as it does in print: the face's own box says nothing, and looks like a fault.
const geta = '〓'

// drawable is a text as the face can draw it. What chooses another form of a character (U+FE00, U+E0100 and on) is left out: the character
// itself is drawn. lacks says whether there is a geta in it.
func drawable(f *opentype.Font, s string) (out string, lacks bool) {
	out = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || unicode.Is(unicode.Variation_Selector, r):
			return -1
		case !hasGlyph(f, r):
			lacks = true
			return geta
		}
		return r
	}, s)
	return out, lacks
}

// lacking says whether a character of the rows' personal values cannot be drawn here.
func lacking(rows []service.Row) bool {
	f, err := wide()
	if err != nil {
		return false
	}
	for _, r := range rows {
		for _, s := range []string{r.Plain, r.Masked} {
			if _, lacks := drawable(f, s); lacks {
				return true
			}
		}
	}
	return false
}

// glyphs says whether a face has a character.
func hasGlyph(f *opentype.Font, r rune) bool {
	var b sfnt.Buffer
	i, err := f.GlyphIndex(&b, r)
	return err == nil && i != 0
}

// wipe blackens a picture, so that what it showed does not stay in memory.
func wipe(img image.Image) {
	if m, ok := img.(*image.RGBA); ok {
		clear(m.Pix)
	}
}
