package ui

// Parts of tiles and cards that several screens share.

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/budayang/kiosk/service"
)

func (p *page) tileIcon(b *Button, name string, x, y, size float32, bg color.NRGBA) {
	r := canvas.NewRectangle(bg)
	r.CornerRadius = p.m.mm(3.6)
	r.Move(fyne.NewPos(x, y))
	r.Resize(fyne.NewSize(size, size))
	b.content = append(b.content, r)
	in := size * 0.2
	p.icon(name, x+in, y+in, size-2*in, &b.content)
}

// badge writes a word on a pill at the top right of a button and returns its width.
func (p *page) badge(b *Button, s string, rightEdge, y float32, m metrics) float32 {
	size := m.caption()
	w := measure(s, size, true) + m.mm(6)
	h := roundPx(size * 1.5)
	r := canvas.NewRectangle(p.pal.WarnBg)
	r.CornerRadius = m.mm(2)
	r.Move(fyne.NewPos(rightEdge-w, y))
	r.Resize(fyne.NewSize(w, h))
	b.content = append(b.content, r)
	was := p.bg
	p.bg = p.pal.WarnBg
	p.raw(s, rightEdge-w+m.mm(3), y+(h-size*lineHeight)/2, w-m.mm(6), size, true, p.pal.Warn, left, &b.content, true)
	p.bg = was
	return w
}

// rows draws labelled values with rules between them. A private value shows its mask until it is pressed.
func (p *page) rows(rows []service.Row, key string) {
	m := p.m
	for i, r := range rows {
		if i > 0 {
			p.rect(p.x, p.y, p.w, 2, p.pal.Line, color.NRGBA{}, 0)
			p.y += m.mm(1)
		}
		p.row(r, key+string(rune('a'+i%26))+string(rune('0'+i/26)))
	}
}

// rowHeight is what row needs, for paging.
func (p *page) rowHeight(r service.Row) float32 {
	label := p.t.say(r.Label)
	lw, vw := p.rowWidths()
	h := max(p.height(label, lw, p.m.body(), false), p.m.body()*lineHeight)
	if r.Plain == "" && !r.Private {
		h = max(h, p.height(p.t.say(r.Value), vw, p.m.body(), true))
	}
	if r.Private {
		h = max(h, p.m.key())
	}
	return h + p.m.mm(3)
}

func (p *page) rowWidths() (label, value float32) {
	label = p.w * 0.38
	return label, p.w - label - p.m.mm(3)
}

func (p *page) row(r service.Row, key string) {
	m := p.m
	lw, vw := p.rowWidths()
	h := p.rowHeight(r)
	label := p.t.say(r.Label)
	lh := p.height(label, lw, m.body(), false)
	p.para(label, p.x, p.y+(h-lh)/2, lw, m.body(), false, p.pal.Sub, left)
	vx := p.x + p.w - vw
	mid := p.y + (h-m.body()*lineHeight)/2 + m.body()*(textLine-pictureLine) // on the label's line
	switch {
	case r.Private:
		bw := max(m.mm(24), measure(p.t.ui("show"), m.body(), true)+m.mm(6))
		shown := p.t.state.reveal[key]
		label := p.t.ui("show")
		if shown {
			label = p.t.ui("hide")
		}
		p.button("reveal."+key, label, plain, p.x+p.w-bw, p.y+(h-m.key())/2, bw, m.key(), func() {
			p.t.state.reveal[key] = !p.t.state.reveal[key]
			p.t.build()
		})
		vw -= bw + m.gap()
		if shown {
			p.personal(r.Plain, vx, mid, vw, m.body(), right)
		} else {
			p.personal(r.Masked, vx, mid, vw, m.body(), right)
		}
	case r.Plain != "":
		p.personal(r.Plain, vx, mid, vw, m.body(), right)
	default:
		s := p.t.say(r.Value)
		vh := p.height(s, vw, m.body(), true)
		p.para(s, vx, p.y+(h-vh)/2, vw, m.body(), true, p.pal.Ink, right)
	}
	p.y += h
}

// block is something of a known height that draws itself at p.y.
type block struct {
	h    float32
	draw func()
}

// paged draws as many blocks as fit, and buttons to turn the page when there are more. It returns whether the last one is
// on the screen.
func (p *page) paged(blocks []block, bottom float32) bool {
	m := p.m
	var starts []int
	y, room := float32(0), bottom-p.y
	turn := m.button() + m.gap()
	total := float32(0)
	for _, b := range blocks {
		total += b.h
	}
	if total > room {
		room -= turn
	}
	starts = append(starts, 0)
	for i, b := range blocks {
		if y+b.h > room && i > starts[len(starts)-1] {
			starts = append(starts, i)
			y = 0
		}
		y += b.h
	}
	at := min(p.t.state.page, len(starts)-1)
	to := len(blocks)
	if at+1 < len(starts) {
		to = starts[at+1]
	}
	for _, b := range blocks[starts[at]:to] {
		b.draw()
	}
	if len(starts) > 1 {
		p.turning(at, len(starts), bottom-m.button())
	}
	return at == len(starts)-1
}

// turning are the buttons that turn pages: back at the left, on at the right, wide enough for their words.
func (p *page) turning(at, pages int, y float32) {
	m := p.m
	for _, b := range []struct {
		id    string
		to    int
		right bool
	}{{"back", at - 1, false}, {"next", at + 1, true}} {
		if b.to < 0 || b.to >= pages {
			continue
		}
		label, x := p.t.ui("page."+b.id), p.x
		w := max(m.mm(52), measure(label, m.body(), true)+m.mm(12))
		if b.right {
			x += p.w - w
		}
		p.button("page-"+b.id, label, plain, x, y, w, m.button(), func() { p.t.state.page = b.to; p.t.build() })
	}
}
