package ui

// A page: what is on the screen, placed from top to bottom. Everything a screen draws goes through it, so that tests can
// look at every text with its box and every control with its size.

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/budayang/kiosk/assets"
)

// lineHeight is a line's height in em.
const lineHeight = 1.42

// placed is a text that was drawn, with the box it had to fit in.
type placed struct {
	text       string
	size       float32
	bold       bool
	x, y, w, h float32
	fg, bg     color.NRGBA
	control    bool // stands on a control: 4.5:1 is enough
}

// page is being built.
type page struct {
	t    *Terminal
	m    metrics
	pal  Palette
	bg   color.NRGBA // what lies under the next text
	objs []fyne.CanvasObject
	x, w float32 // the column of content
	y    float32 // where the next thing goes
	end  float32 // where the footer begins

	buttons []*Button
	texts   []placed
	over    bool // something did not fit
}

func (p *page) add(o fyne.CanvasObject, x, y, w, h float32) {
	o.Move(fyne.NewPos(x, y))
	o.Resize(fyne.NewSize(w, h))
	p.objs = append(p.objs, o)
}

// rect draws a filled rectangle.
func (p *page) rect(x, y, w, h float32, fill, line color.NRGBA, radius float32) {
	r := canvas.NewRectangle(fill)
	r.CornerRadius = radius
	if line.A > 0 {
		r.StrokeColor, r.StrokeWidth = line, 2
	}
	p.add(r, x, y, w, h)
}

type align int

const (
	left align = iota
	center
	right
)

// line draws one line of text inside a box w wide; it shrinks a little rather than run over, down to the caption's size.
func (p *page) line(s string, x, y, w, size float32, bold bool, col color.NRGBA, a align) *canvas.Text {
	size = fit(s, size, p.m.caption(), bold, w)
	return p.raw(s, x, y, w, size, bold, col, a, &p.objs, false)
}

func (p *page) raw(s string, x, y, w, size float32, bold bool, col color.NRGBA, a align, to *[]fyne.CanvasObject, control bool) *canvas.Text {
	c := canvas.NewText(s, col)
	c.TextSize = size
	c.TextStyle = fyne.TextStyle{Bold: bold}
	tw := measure(s, size, bold)
	tx := x
	switch a {
	case center:
		tx = x + (w-tw)/2
	case right:
		tx = x + w - tw
	}
	c.Move(fyne.NewPos(roundPx(tx), roundPx(y)))
	c.Resize(fyne.NewSize(tw, size*lineHeight))
	*to = append(*to, c)
	p.texts = append(p.texts, placed{s, size, bold, x, y, w, size * lineHeight, col, p.bg, control})
	if tw > w+1 {
		p.over = true
	}
	return c
}

// para draws a paragraph in the column, or in a box, and returns its height.
func (p *page) para(s string, x, y, w, size float32, bold bool, col color.NRGBA, a align) float32 {
	h := float32(0)
	for _, l := range wrap(s, size, bold, w) {
		p.raw(l, x, y+h, w, size, bold, col, a, &p.objs, false)
		h += roundPx(size * lineHeight)
	}
	return h
}

// height is what para would need.
func (p *page) height(s string, w, size float32, bold bool) float32 {
	return float32(len(wrap(s, size, bold, w))) * roundPx(size*lineHeight)
}

// head writes the question and its hint at the top of the page.
func (p *page) head(title, hint string) {
	p.y += p.para(title, p.x, p.y, p.w, p.m.title(), true, p.pal.Ink, left)
	if hint != "" {
		p.y += p.m.mm(1)
		p.y += p.para(hint, p.x, p.y, p.w, p.m.body(), false, p.pal.Sub, left)
	}
	p.y += p.m.gap() * 1.4
}

// card draws a white surface under what inside draws; its height follows.
func (p *page) card(inside func()) {
	top, at := p.y, len(p.objs)
	pad := p.m.mm(5)
	bg := p.bg
	p.bg = p.pal.Card
	p.x, p.w, p.y = p.x+pad, p.w-2*pad, p.y+pad
	inside()
	p.x, p.w = p.x-pad, p.w+2*pad
	p.bg = bg
	h := p.y + pad - top
	r := canvas.NewRectangle(p.pal.Card)
	r.CornerRadius, r.StrokeColor, r.StrokeWidth = p.m.radius(), p.pal.Line, 2
	r.Move(fyne.NewPos(p.x, top))
	r.Resize(fyne.NewSize(p.w, h))
	p.objs = append(p.objs[:at:at], append([]fyne.CanvasObject{r}, p.objs[at:]...)...)
	p.y = top + h + p.m.gap()
}

// box draws a coloured notice.
func (p *page) box(s string, fg, bg color.NRGBA, bold bool) {
	pad := p.m.mm(4.6)
	h := p.height(s, p.w-2*pad, p.m.body(), bold) + 2*pad
	p.rect(p.x, p.y, p.w, h, bg, fg, p.m.radius())
	was := p.bg
	p.bg = bg
	p.para(s, p.x+pad, p.y+pad, p.w-2*pad, p.m.body(), bold, fg, left)
	p.bg = was
	p.y += h + p.m.gap()
}

// button places a button with its label centred, wrapped if it must.
func (p *page) button(id, label string, k kind, x, y, w, h float32, do func()) *Button {
	b := p.t.newButton(id, label, k, do)
	p.place(b, x, y, w, h)
	p.label(b, label, w, h)
	return b
}

// oneOf places a button of which one among several is chosen; that one has a sign and not a colour alone.
func (p *page) oneOf(id, label string, chosen bool, x, y, w, h float32, do func()) {
	if !chosen {
		p.button(id, label, plain, x, y, w, h, do)
		return
	}
	p.button(id, label, soft, x, y, w, h, do).tick(w, h, measure(label, p.m.body(), true))
}

func (p *page) place(b *Button, x, y, w, h float32) {
	p.add(b, x, y, w, h)
	p.buttons = append(p.buttons, b)
}

// labelRise lifts a label so that its characters, and not the face's line, are in the middle; in em.
const labelRise = 0.07

// label writes on a button.
func (p *page) label(b *Button, s string, w, h float32) {
	pad := p.m.mm(1.6)
	col, bg := p.pal.Ink, p.pal.Card
	switch {
	case b.off:
		col, bg = p.pal.Sub, p.pal.Bg
	case b.kind == primary:
		col, bg = p.pal.OnPrim, p.pal.Primary
	case b.kind == soft:
		col, bg = p.pal.Ink, p.pal.Tint
	case b.kind == quiet:
		bg = p.bg
	}
	size := p.m.body()
	lines := wrap(s, size, true, w-2*pad)
	for float32(len(lines))*size*lineHeight > h && size > p.m.caption() {
		size--
		lines = wrap(s, size, true, w-2*pad)
	}
	lh := roundPx(size * lineHeight)
	y := (h-lh*float32(len(lines)))/2 - size*labelRise
	was := p.bg
	p.bg = bg
	for _, l := range lines {
		p.raw(l, pad, y, w-2*pad, size, true, col, center, &b.content, true)
		y += lh
	}
	p.bg = was
	if y > h+1 {
		p.over = true
	}
}

// disable greys a button that was placed.
func (p *page) disable(b *Button) {
	b.off = true
	b.paint(false)
	for _, o := range b.content {
		if t, ok := o.(*canvas.Text); ok {
			t.Color = p.pal.Sub
		}
	}
	for i := range p.texts {
		if p.texts[i].text == b.Label && p.texts[i].control {
			p.texts[i].fg, p.texts[i].bg = p.pal.Sub, p.pal.Bg
		}
	}
}

// personal draws a value as a picture, aligned in a box, no wider than it; a smaller one stands on the same line.
func (p *page) personal(s string, x, y, w, size float32, a align) {
	img, err := picture(s, size, p.pal.Ink)
	if err != nil {
		p.t.opt.Log.Error("picture of a value", "error", err)
		return
	}
	for float32(img.Bounds().Dx()) > w && size > p.m.caption()*0.8 {
		wipe(img)
		size--
		y += pictureLine
		if img, err = picture(s, size, p.pal.Ink); err != nil {
			return
		}
	}
	b := img.Bounds()
	tx := x
	switch a {
	case center:
		tx = x + (w-float32(b.Dx()))/2
	case right:
		tx = x + w - float32(b.Dx())
	}
	c := canvas.NewImageFromImage(img)
	c.FillMode, c.ScaleMode = canvas.ImageFillStretch, canvas.ImageScaleFastest
	p.t.private = append(p.t.private, c)
	p.add(c, roundPx(tx), roundPx(y), float32(b.Dx()), float32(b.Dy()))
}

// image places a picture that is not personal.
func (p *page) image(img image.Image, x, y, w, h float32) {
	c := canvas.NewImageFromImage(img)
	c.FillMode, c.ScaleMode = canvas.ImageFillContain, canvas.ImageScalePixels
	p.add(c, x, y, w, h)
}

// icon places one of assets/icons; an unknown name draws nothing.
func (p *page) icon(name string, x, y, size float32, to *[]fyne.CanvasObject) {
	b, err := assets.FS.ReadFile("icons/" + name + ".svg")
	if err != nil {
		return
	}
	c := canvas.NewImageFromResource(fyne.NewStaticResource(name+".svg", b))
	c.FillMode = canvas.ImageFillContain
	c.Move(fyne.NewPos(x, y))
	c.Resize(fyne.NewSize(size, size))
	*to = append(*to, c)
}
