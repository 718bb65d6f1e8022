package ui

// Attract and home: what there is, and whether it works now.

import (
	"github.com/budayang/kiosk/service"
)

// perPage is how many tiles stand on one page.
func (p *page) perPage() int {
	if p.m.scale > 1 {
		return 4
	}
	return 6
}

func (p *page) attract(a service.Attract) {
	m := p.m
	h := p.end - p.y - m.mm(4)
	pad := m.mm(12)
	if !m.landscape() {
		pad = m.mm(16)
	}
	band := min(h*0.5, p.height(p.t.ui("attract.title"), p.w-2*pad, m.title()*1.25, true)+p.height(p.t.ui("attract.sub"), p.w-2*pad, m.heading(), true)+2*pad+m.mm(2))
	p.rect(p.x, p.y, p.w, band, p.pal.Primary, p.pal.Primary, m.radius())
	was := p.bg
	p.bg = p.pal.Primary
	y := p.y + pad
	y += p.para(p.t.ui("attract.title"), p.x+pad, y, p.w-2*pad, m.title()*1.25, true, p.pal.OnPrim, left)
	y += m.mm(2)
	p.para(p.t.ui("attract.sub"), p.x+pad, y, p.w-2*pad, m.heading(), true, p.pal.OnPrim, left)
	p.bg = was
	p.y += band + m.gap()*1.5
	p.y += p.para(p.t.ui("attract.now"), p.x, p.y, p.w, m.heading(), true, p.pal.Ink, left) + m.mm(2)
	row := p.offerHeight(a)
	for _, t := range a.Tiles {
		if p.y+p.m.mm(24) > p.end-m.mm(4) {
			break
		}
		p.offer(t, row)
	}
	for _, n := range a.Notices {
		s := p.t.say(n)
		if p.y+p.height(s, p.w, m.body(), true)+m.mm(14) > p.end {
			break
		}
		p.y += m.gap()
		p.box(s, p.pal.Deep, p.pal.Tint, true)
	}
	p.footer(foot{leftID: "lang", left: p.t.ui("language"), leftDo: p.t.otherLanguage, nextID: "begin", next: p.t.ui("begin"), nextDo: p.t.next})
}

// offerHeight shares the room among the offers: few of them stand tall, so that a portrait screen is not half empty.
func (p *page) offerHeight(a service.Attract) float32 {
	m := p.m
	room := p.end - p.y - m.mm(6)
	for _, n := range a.Notices {
		room -= p.height(p.t.say(n), p.w, m.body(), true) + m.mm(10) + 2*m.gap()
	}
	h := room/float32(max(1, len(a.Tiles))) - m.gap()
	return min(m.mm(46), max(m.mm(24), h))
}

// offer is one item in a row over the whole width, at least least high: it can be chosen at once, or says why not. A tall
// row has room for the hint.
func (p *page) offer(t service.Tile, least float32) {
	m := p.m
	name, why := p.t.say(t.Name), p.t.say(t.Why)
	if t.Ready {
		why = p.t.say(t.Hint)
	}
	b := p.t.newButton("tile."+t.Code, name, card, func() { p.t.answer(service.ItemChosen{Code: t.Code}) })
	pad, icon := m.mm(5), min(m.mm(24), max(m.mm(14), least*0.56))
	tx := pad + icon + m.mm(5)
	tw := p.w - tx - pad - m.mm(8)
	h := max(least, m.heading()*lineHeight+m.mm(7))
	lines := wrap(why, m.caption(), false, tw)
	words := roundPx(m.heading()*lineHeight) + roundPx(m.caption()*lineHeight)*float32(len(lines))
	if t.Ready && words > h-m.mm(6) {
		lines, words = nil, roundPx(m.heading()*lineHeight)
	}
	ink, under, bg := p.pal.Ink, p.pal.Card, p.pal.Tint
	if !t.Ready {
		b.off = true
		b.paint(false)
		ink, under, bg = p.pal.Sub, p.pal.Bg, p.pal.Line
		h = max(h, words+m.mm(7))
	}
	p.place(b, p.x, p.y, p.w, h)
	b.face.CornerRadius = m.radius()
	was := p.bg
	p.bg = under
	p.tileIcon(b, t.Icon, pad, (h-icon)/2, icon, bg)
	size := fit(name, m.heading(), m.caption(), true, tw)
	y := (h - words) / 2
	p.raw(name, tx, y, tw, size, true, ink, left, &b.content, true)
	y += roundPx(m.heading() * lineHeight)
	for _, l := range lines {
		p.raw(l, tx, y, tw, m.caption(), false, p.pal.Sub, left, &b.content, false)
		y += roundPx(m.caption() * lineHeight)
	}
	if t.Ready {
		p.raw("›", p.w-pad-m.mm(6), (h-m.heading()*lineHeight)/2, m.mm(6), m.heading(), true, p.pal.Primary, right, &b.content, true)
	}
	p.bg = was
	p.y += h + m.gap()
}

func (t *Terminal) otherLanguage() {
	s := t.set
	if s.lang = "en"; t.set.lang == "en" {
		s.lang = "zh"
	}
	t.touched()
	t.apply(s)
}

func (p *page) home(h service.Home) {
	m := p.m
	sub := p.t.ui("home.sub")
	if m.landscape() && m.scale > 1 {
		sub = "" // the tiles need the room
	}
	p.head(p.t.ui("home.title"), sub)
	per := p.perPage()
	pages := (len(h.Tiles) + per - 1) / per
	at := min(p.t.state.page, max(0, pages-1))
	tiles := h.Tiles[min(len(h.Tiles), at*per):min(len(h.Tiles), (at+1)*per)]
	cols := 2
	if m.landscape() && len(h.Tiles) > 4 {
		cols = 3
	}
	if m.scale > 1 && !m.landscape() {
		cols = 1
	}
	gap := m.gap() * 1.2
	rows := (min(per, len(h.Tiles)) + cols - 1) / cols
	w := (p.w - gap*float32(cols-1)) / float32(cols)
	room := p.end - p.y - m.mm(6)
	if pages > 1 {
		room -= m.button() + gap
	}
	hgt := min((room-gap*float32(rows-1))/float32(max(1, rows)), max(m.mm(88), w))
	if cols == 1 || m.landscape() {
		hgt = min(hgt, m.mm(88))
	}
	for i, t := range tiles {
		x := p.x + float32(i%cols)*(w+gap)
		y := p.y + float32(i/cols)*(hgt+gap)
		p.tile(t, x, y, w, hgt)
	}
	p.y += float32((len(tiles)+cols-1)/cols) * (hgt + gap)
	if pages > 1 {
		p.turning(at, pages, p.y)
	}
	look := p.t.ui("contrast")
	p.footer(foot{leftID: "lang", left: p.t.ui("language"), leftDo: p.t.otherLanguage, extraID: "contrast", extra: look, extraDo: p.t.otherLook})
}

// otherLook goes round the palettes.
func (t *Terminal) otherLook() {
	s := t.set
	s.look = map[string]string{"normal": "black-on-white", "black-on-white": "yellow-on-black", "yellow-on-black": "normal"}[s.look]
	t.touched()
	t.apply(s)
}

// tile is one item: a card with icon, name and hint; grey, with its reason, when it cannot be finished now.
func (p *page) tile(t service.Tile, x, y, w, h float32) {
	m := p.m
	name := p.t.say(t.Name)
	b := p.t.newButton("tile."+t.Code, name, card, func() { p.t.answer(service.ItemChosen{Code: t.Code}) })
	p.place(b, x, y, w, h)
	b.face.CornerRadius = m.radius()
	pad := m.mm(6)
	was := p.bg
	p.bg = p.pal.Card
	ink, sub := p.pal.Ink, p.pal.Sub
	if !t.Ready {
		b.off = true
		b.paint(false)
		p.bg = p.pal.Bg
		ink = p.pal.Sub
	}
	ix, size := m.mm(17), m.caption()
	side := h < m.mm(62)  // a flat tile has its icon at the left
	tall := h > m.mm(100) // a tall one has everything larger
	if tall {
		ix, pad, size = m.mm(30), m.mm(9), m.body()
	}
	ty := pad
	tx, tw := pad, w-2*pad
	if side {
		tx, tw = pad+ix+m.mm(5), w-2*pad-ix-m.mm(5)
	}
	bgRect := p.pal.Tint
	if !t.Ready {
		bgRect = p.pal.Line
	}
	p.tileIcon(b, t.Icon, pad, ty, ix, bgRect)
	switch {
	case tall:
		ty += ix + m.mm(9)
	case !side:
		ty += ix + m.mm(4)
	}
	badge := float32(0)
	if !t.Ready {
		badge = p.badge(b, p.t.ui("tile.not-now"), w-pad, pad, m)
	}
	nw := tw
	if side && badge > 0 {
		nw -= badge + m.mm(2)
	}
	for _, l := range wrap(name, m.heading(), true, nw) {
		p.raw(l, tx, ty, nw, m.heading(), true, ink, left, &b.content, true)
		ty += roundPx(m.heading() * lineHeight)
	}
	if tall {
		ty += m.mm(2)
	}
	hint := p.t.say(t.Hint)
	if !t.Ready {
		hint = p.t.say(t.Why)
		sub = p.pal.Sub
	}
	lines := wrap(hint, size, false, tw)
	if t.Ready && ty+roundPx(size*lineHeight)*float32(len(lines)) > h-m.mm(2) {
		lines = nil // the name says enough; a reason would not be left out
	}
	for _, l := range lines {
		if ty+size*lineHeight > h-m.mm(2) {
			p.over = true
			break
		}
		p.raw(l, tx, ty, tw, size, false, sub, left, &b.content, false)
		ty += roundPx(size * lineHeight)
	}
	p.bg = was
}
