package ui

// Handwriting with a finger.

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"github.com/budayang/kiosk/service"
)

const (
	maxStrokes = 400
	maxPoints  = 4000 // in one stroke
	// inkWidth is the picture's width in pixels; its height follows the pad's.
	inkWidth = 1000
)

func (p *page) ink(x service.Ink) {
	m := p.m
	p.head(p.t.say(x.Title), p.t.say(x.Hint))
	h := p.end - p.y - m.mm(6)
	p.rect(p.x, p.y, p.w, h, p.pal.Card, p.pal.Line, m.radius())
	pad := newInkPad(p.t, p.w, h)
	p.add(pad, p.x, p.y, p.w, h)
	p.t.pad = pad
	p.footer(foot{back: x.Back, leftID: "clear", left: p.t.ui("ink.clear"), leftDo: func() { p.t.state.strokes = nil; p.t.build() },
		extraID: "undo", extra: p.t.ui("ink.undo"), extraDo: func() {
			if n := len(p.t.state.strokes); n > 0 {
				p.t.state.strokes = p.t.state.strokes[:n-1]
				p.t.build()
			}
		},
		nextID: "next", next: p.t.ui("next"), nextDo: func() {
			if len(p.t.state.strokes) == 0 {
				return
			}
			b, err := drawing(p.t.state.strokes, int(p.w), int(h))
			if err != nil {
				p.t.opt.Log.Error("handwriting", "error", err)
				return
			}
			p.t.answer(service.Drawn{PNG: b, Strokes: len(p.t.state.strokes)})
		}})
}

// inkPad follows the finger.
type inkPad struct {
	widget.BaseWidget
	t       *Terminal
	img     *image.RGBA
	picture *canvas.Image
	last    image.Point
	down    bool
}

func newInkPad(t *Terminal, w, h float32) *inkPad {
	p := &inkPad{t: t, img: image.NewRGBA(image.Rect(0, 0, int(w), int(h)))}
	for _, s := range t.state.strokes {
		for i := 1; i < len(s); i++ {
			p.segment(s[i-1], s[i])
		}
	}
	p.picture = canvas.NewImageFromImage(p.img)
	p.picture.ScaleMode = canvas.ImageScaleFastest
	t.private = append(t.private, p.picture)
	p.ExtendBaseWidget(p)
	return p
}

// CreateRenderer implements fyne.Widget.
func (p *inkPad) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(p.picture) }

// MouseDown implements desktop.Mouseable.
func (p *inkPad) MouseDown(e *desktop.MouseEvent) {
	p.t.touched()
	if len(p.t.state.strokes) >= maxStrokes {
		return
	}
	p.down = true
	p.last = image.Pt(int(e.Position.X), int(e.Position.Y))
	p.t.state.strokes = append(p.t.state.strokes, []image.Point{p.last})
	p.to(p.last)
}

// MouseUp implements desktop.Mouseable.
func (p *inkPad) MouseUp(*desktop.MouseEvent) { p.down = false }

// MouseIn implements desktop.Hoverable.
func (p *inkPad) MouseIn(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (p *inkPad) MouseOut() { p.down = false }

// MouseMoved implements desktop.Hoverable.
func (p *inkPad) MouseMoved(e *desktop.MouseEvent) { p.move(e.Position) }

// Dragged implements fyne.Draggable: the driver sends movement with a pressed button here.
func (p *inkPad) Dragged(e *fyne.DragEvent) { p.move(e.Position) }

// DragEnd implements fyne.Draggable.
func (p *inkPad) DragEnd() { p.down = false }

func (p *inkPad) move(pos fyne.Position) {
	if !p.down {
		return
	}
	p.t.touched()
	p.to(image.Pt(int(pos.X), int(pos.Y)))
}

func (p *inkPad) to(q image.Point) {
	n := len(p.t.state.strokes)
	if n == 0 || len(p.t.state.strokes[n-1]) >= maxPoints {
		return
	}
	p.t.state.strokes[n-1] = append(p.t.state.strokes[n-1], q)
	p.segment(p.last, q)
	p.last = q
	p.picture.Refresh()
}

func (p *inkPad) segment(a, b image.Point) {
	segment(p.img, a, b, 5, color.NRGBA{0x10, 0x23, 0x3F, 0xff})
}

// segment draws a round pen from a to b; the colour is opaque.
func segment(img *image.RGBA, a, b image.Point, r int, c color.NRGBA) {
	d := b.Sub(a)
	n := max(1, int(math.Hypot(float64(d.X), float64(d.Y))))
	for i := range n + 1 {
		x, y := a.X+d.X*i/n, a.Y+d.Y*i/n
		for dy := -r; dy <= r; dy++ {
			for dx := -r; dx <= r; dx++ {
				if dx*dx+dy*dy <= r*r {
					if q := image.Pt(x+dx, y+dy); q.In(img.Rect) {
						img.SetRGBA(q.X, q.Y, color.RGBA(c))
					}
				}
			}
		}
	}
}

// drawing is the handwriting as a PNG, black on white, 1000 pixels wide.
func drawing(strokes [][]image.Point, w, h int) ([]byte, error) {
	scale := float64(inkWidth) / float64(max(1, w))
	img := image.NewRGBA(image.Rect(0, 0, inkWidth, max(1, int(float64(h)*scale))))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	at := func(p image.Point) image.Point {
		return image.Pt(int(float64(p.X)*scale), int(float64(p.Y)*scale))
	}
	for _, s := range strokes {
		for i := range s {
			segment(img, at(s[max(0, i-1)]), at(s[i]), 5, color.NRGBA{A: 0xff})
		}
	}
	grey := image.NewGray(img.Rect)
	for i := range grey.Pix {
		grey.Pix[i] = img.Pix[4*i]
	}
	wipe(img)
	var b bytes.Buffer
	err := png.Encode(&b, grey)
	clear(grey.Pix)
	return b.Bytes(), err
}
