package ui

// The look: colours, sizes in millimetres, and the Fyne theme that carries both.

import (
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/budayang/kiosk/assets"
)

// A Palette is one set of colours. Text on its background is at least 7:1, captions 6:1, bold text and controls 4.5:1.
type Palette struct {
	Ink, Sub, Bg, Card, Line    color.NRGBA
	Primary, Deep, Tint, OnPrim color.NRGBA
	OK, OKBg, Warn, WarnBg      color.NRGBA
	Bad, BadBg                  color.NRGBA
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff}
}

// Palettes by name.
var Palettes = map[string]Palette{
	"normal": {
		Ink: rgb(0x10233F), Sub: rgb(0x4A5C78), Bg: rgb(0xF3F6FA), Card: rgb(0xFFFFFF), Line: rgb(0xD5DEEA),
		Primary: rgb(0x0B57D0), Deep: rgb(0x083E97), Tint: rgb(0xE4EEFD), OnPrim: rgb(0xFFFFFF),
		OK: rgb(0x0E7A4B), OKBg: rgb(0xDFF3E9), Warn: rgb(0x7A4100), WarnBg: rgb(0xFFF0DC), Bad: rgb(0xB3261E), BadBg: rgb(0xFCE7E5),
	},
	"black-on-white": {
		Ink: rgb(0x000000), Sub: rgb(0x1A1A1A), Bg: rgb(0xFFFFFF), Card: rgb(0xFFFFFF), Line: rgb(0x000000),
		Primary: rgb(0x000000), Deep: rgb(0x333333), Tint: rgb(0xFFFFFF), OnPrim: rgb(0xFFFFFF),
		OK: rgb(0x00391F), OKBg: rgb(0xFFFFFF), Warn: rgb(0x4A2800), WarnBg: rgb(0xFFFFFF), Bad: rgb(0x5E0000), BadBg: rgb(0xFFFFFF),
	},
	"yellow-on-black": {
		Ink: rgb(0xFFE600), Sub: rgb(0xFFE600), Bg: rgb(0x000000), Card: rgb(0x000000), Line: rgb(0xFFE600),
		Primary: rgb(0xFFE600), Deep: rgb(0xFFFFFF), Tint: rgb(0x1A1A00), OnPrim: rgb(0x000000),
		OK: rgb(0x8CFFB9), OKBg: rgb(0x000000), Warn: rgb(0xFFD9A0), WarnBg: rgb(0x000000), Bad: rgb(0xFFB4AB), BadBg: rgb(0x000000),
	},
}

// Contrast is WCAG's ratio of two colours, 1 to 21.
func Contrast(a, b color.NRGBA) float64 {
	l := func(c color.NRGBA) float64 {
		ch := func(v uint8) float64 {
			x := float64(v) / 255
			if x <= 0.04045 {
				return x / 12.92
			}
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return 0.2126*ch(c.R) + 0.7152*ch(c.G) + 0.0722*ch(c.B)
	}
	x, y := l(a), l(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// A Screen is the panel in pixels and millimetres.
type Screen struct {
	Width, Height int
	DiagonalMM    float64
}

// metrics turn millimetres into pixels for one screen and one size of text. All sizes on the screen come from here.
type metrics struct {
	pxmm  float32 // pixels a millimetre
	scale float32 // 1, or 1.3 in large mode
	w, h  float32 // the window
}

func newMetrics(s Screen, w, h float32, large bool) metrics {
	m := metrics{w: w, h: h, scale: 1}
	m.pxmm = float32(math.Hypot(float64(s.Width), float64(s.Height)) / s.DiagonalMM)
	if large {
		m.scale = 1.3
	}
	return m
}

// mm is a length that does not grow with the text.
func (m metrics) mm(v float32) float32 { return roundPx(v * m.pxmm) }

func roundPx(v float32) float32 { return float32(math.Round(float64(v))) }

// Text sizes in millimetres of em at normal size: capital letters of Noto Sans SC are 0.733 em high, so body text has
// 5.4 mm capitals, and captions 4.9 mm.
const (
	emTitle   = 12.9
	emHeading = 9.4
	emBody    = 7.44
	emCaption = 6.7
)

func (m metrics) em(v float32) float32 { return roundPx(v * m.pxmm * m.scale) }

func (m metrics) title() float32   { return m.em(emTitle) }
func (m metrics) heading() float32 { return m.em(emHeading) }
func (m metrics) body() float32    { return m.em(emBody) }
func (m metrics) caption() float32 { return m.em(emCaption) }

// Lengths of controls. A key is at least 16 mm, a primary button at least 20 by 40 (25 high in large mode), gaps at least 3.
func (m metrics) margin() float32 { return m.mm(11) }
func (m metrics) gap() float32    { return m.mm(3.4) }
func (m metrics) button() float32 { // height
	if m.scale > 1 {
		return m.mm(25.4)
	}
	return m.mm(20.4)
}
func (m metrics) key() float32    { return m.mm(16.4) }
func (m metrics) radius() float32 { return m.mm(5.4) }
func (m metrics) landscape() bool { return m.w > m.h }
func (m metrics) header() float32 {
	if m.scale > 1 && !m.landscape() {
		return m.mm(58)
	}
	return m.mm(30)
}
func (m metrics) footer() float32 { return m.button() + m.mm(11) }

// Faces of the screen: Simplified Chinese in regular and bold, for every style.
var (
	faceRegular = fyne.NewStaticResource("ui-regular.otf", assets.Font("ui-regular.otf"))
	faceBold    = fyne.NewStaticResource("ui-bold.otf", assets.Font("ui-bold.otf"))
)

// Theme is Fyne's view of the look. Hover is invisible: on a touch screen the pointer stays where the finger was.
type Theme struct{ Palette Palette }

// Font implements fyne.Theme.
func (Theme) Font(s fyne.TextStyle) fyne.Resource {
	if s.Bold {
		return faceBold
	}
	return faceRegular
}

// Color implements fyne.Theme.
func (t Theme) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	switch n {
	case theme.ColorNameBackground:
		return t.Palette.Bg
	case theme.ColorNameForeground:
		return t.Palette.Ink
	case theme.ColorNamePrimary:
		return t.Palette.Primary
	case theme.ColorNameHover, theme.ColorNamePressed, theme.ColorNameFocus, theme.ColorNameShadow:
		return color.Transparent
	}
	return theme.DefaultTheme().Color(n, theme.VariantLight)
}

// Icon implements fyne.Theme.
func (Theme) Icon(n fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(n) }

// Size implements fyne.Theme.
func (Theme) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case theme.SizeNamePadding, theme.SizeNameInnerPadding, theme.SizeNameLineSpacing:
		return 0
	}
	return theme.DefaultTheme().Size(n)
}
