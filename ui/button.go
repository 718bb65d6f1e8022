package ui

// Button: what a finger presses. It acts when the finger is lifted on the button that was pressed, whatever it moved in
// between; Fyne's own buttons lose such taps inside anything that can be dragged.

import (
	"image/color"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// kind is how a button looks.
type kind int

const (
	plain kind = iota
	primary
	soft  // chosen, or a tile's
	quiet // no border: text only
	card  // a tile
)

// debounce is how soon after a tap a second one on the same place is a tremble.
const debounce = 250 * time.Millisecond

// Button is one control. ID is stable: journeys and the manual name controls by it.
type Button struct {
	widget.BaseWidget
	ID      string
	Label   string // for probes; never personal
	term    *Terminal
	kind    kind
	off     bool
	do      func()
	repeat  bool // keys may be tapped quickly one after the other
	content []fyne.CanvasObject
	face    *canvas.Rectangle
}

func (t *Terminal) newButton(id, label string, k kind, do func()) *Button {
	b := &Button{ID: id, Label: label, term: t, kind: k, do: do}
	b.face = canvas.NewRectangle(color.Transparent)
	b.face.CornerRadius = t.m.mm(5)
	b.paint(false)
	b.ExtendBaseWidget(b)
	return b
}

func (b *Button) paint(pressed bool) {
	p := b.term.palette()
	fill, line := p.Card, p.Line
	switch b.kind {
	case primary:
		fill, line = p.Primary, p.Primary
		if pressed {
			fill, line = p.Deep, p.Deep
		}
	case soft:
		fill, line = p.Tint, p.Primary
	case quiet:
		fill, line = color.NRGBA{}, color.NRGBA{}
	}
	if pressed && b.kind != primary {
		fill = p.Tint
	}
	if b.off {
		fill, line = p.Bg, p.Line
	}
	b.face.FillColor, b.face.StrokeColor, b.face.StrokeWidth = fill, line, 2
	if b.kind == quiet {
		b.face.StrokeWidth = 0
	}
}

// tick draws the sign of what is chosen beside a label of this width, or in the corner when there is no room.
func (b *Button) tick(w, h, label float32) {
	m := b.term.m
	size := m.mm(5)
	x, y := (w-label)/2-size-m.mm(2), (h-size)/2
	if x < m.mm(2) {
		size = m.mm(4)
		x, y = w-size-m.mm(2), m.mm(1.6)
	}
	for _, l := range [][4]float32{{0, 0.55, 0.38, 0.9}, {0.38, 0.9, 1, 0.15}} {
		o := canvas.NewLine(b.term.palette().Primary)
		o.StrokeWidth = max(3, m.mm(0.9))
		o.Position1, o.Position2 = fyne.NewPos(x+l[0]*size, y+l[1]*size), fyne.NewPos(x+l[2]*size, y+l[3]*size)
		b.content = append(b.content, o)
	}
}

// CreateRenderer implements fyne.Widget.
func (b *Button) CreateRenderer() fyne.WidgetRenderer { return &buttonRenderer{b} }

// MouseDown implements desktop.Mouseable.
func (b *Button) MouseDown(*desktop.MouseEvent) {
	if b.off {
		return
	}
	b.term.pressed = b
	b.term.touched()
	if b.term.opt.Touched != nil {
		b.term.opt.Touched()
	}
	b.paint(true)
	b.face.Refresh()
}

// MouseUp implements desktop.Mouseable. The driver gives it to the widget under the finger at release, so the terminal
// remembers which one was pressed.
func (b *Button) MouseUp(e *desktop.MouseEvent) {
	was := b.term.pressed
	b.term.pressed = nil
	s := b.Size()
	if was != b || b.off || e.Position.X < 0 || e.Position.Y < 0 || e.Position.X >= s.Width || e.Position.Y >= s.Height {
		was.release()
		return
	}
	now := b.term.opt.Now()
	if !b.repeat && b.term.lastTap == b.ID && now.Sub(b.term.lastTapAt) < debounce {
		b.release()
		return
	}
	b.term.lastTap, b.term.lastTapAt = b.ID, now
	waited := b.term.answers != nil
	if b.do != nil {
		b.do()
	}
	if waited && b.term.answers == nil {
		// The answer brings a new page, as a rule within milliseconds: drawing the released button first would hold that up
		// by a frame. tick releases it when the page takes longer.
		b.term.glowing = b
		return
	}
	b.release()
}

// release shows the button as no longer pressed, if it is still on the screen.
func (b *Button) release() {
	if b == nil || b.term.pressed == b || !slices.Contains(b.term.buttons, b) {
		return
	}
	b.paint(false)
	b.face.Refresh()
}

type buttonRenderer struct{ b *Button }

func (r *buttonRenderer) Layout(s fyne.Size) { r.b.face.Resize(s) }
func (r *buttonRenderer) MinSize() fyne.Size { return fyne.NewSize(1, 1) }
func (r *buttonRenderer) Refresh()           { r.b.face.Refresh() }
func (r *buttonRenderer) Destroy()           {}
func (r *buttonRenderer) Objects() []fyne.CanvasObject {
	return append([]fyne.CanvasObject{r.b.face}, r.b.content...)
}

// ground lies under everything: a finger that rests beside the buttons is a person who is still there.
type ground struct {
	widget.BaseWidget
	t *Terminal
}

func newGround(t *Terminal) *ground {
	g := &ground{t: t}
	g.ExtendBaseWidget(g)
	return g
}

// CreateRenderer implements fyne.Widget.
func (g *ground) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(canvas.NewRectangle(color.Transparent))
}

// MouseDown implements desktop.Mouseable.
func (g *ground) MouseDown(*desktop.MouseEvent) { g.t.touched() }

// MouseUp implements desktop.Mouseable.
func (g *ground) MouseUp(*desktop.MouseEvent) {
	if was := g.t.pressed; was != nil {
		g.t.pressed = nil
		was.release()
	}
}
