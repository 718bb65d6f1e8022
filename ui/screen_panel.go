package ui

// The technician's console: one kind of page for everything it shows.

import (
	"fmt"
	"image/color"
	"strings"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
)

// colours of a grade: on its ground.
func (p *page) grade(g maintain.Grade) (fg, bg color.NRGBA) {
	switch g {
	case maintain.GradeOK:
		return p.pal.OK, p.pal.OKBg
	case maintain.GradeWarn:
		return p.pal.Warn, p.pal.WarnBg
	case maintain.GradeBad:
		return p.pal.Bad, p.pal.BadBg
	}
	return p.pal.Ink, p.pal.Card
}

func (p *page) panel(x maintain.Panel) {
	m := p.m
	title := p.t.say(x.Title)
	if x.Who == "" {
		p.y += p.para(title, p.x, p.y, p.w, m.title(), true, p.pal.Ink, left)
	} else {
		p.authorised(x, title)
	}
	if hint := p.t.say(x.Hint); hint != "" {
		p.y += m.mm(1) + p.para(hint, p.x, p.y+m.mm(1), p.w, m.body(), false, p.pal.Sub, left)
	}
	p.y += m.gap()
	p.panelParts(x)
	f := foot{back: x.Back, quiet: true}
	if x.Left.ID != "" {
		f.leftID, f.left, f.leftDo = x.Left.ID, p.t.say(x.Left.Label), p.choose1(x.Left.ID)
	}
	if x.Next.ID != "" {
		f.nextID, f.next, f.nextDo = x.Next.ID, p.t.say(x.Next.Label), p.choose1(x.Next.ID)
	}
	p.footer(f)
}

func (p *page) choose1(id string) func() { return func() { p.t.answer(service.Chosen{ID: id}) } }

// authorised writes the title with who came in and how long they may stay, on one line or on two.
func (p *page) authorised(x maintain.Panel, title string) {
	m := p.m
	s := p.t.authorised(x, p.t.opt.Now())
	size := m.caption()
	pw := measure(s, size, true) + m.mm(10)
	h := roundPx(size * 1.6)
	tw := p.w - pw - m.gap()
	oneLine := measure(title, m.title(), true) <= tw
	if !oneLine {
		tw = p.w
	}
	th := p.para(title, p.x, p.y, tw, m.title(), true, p.pal.Ink, left)
	py := p.y + (th-h)/2
	if !oneLine {
		py = p.y + th
		th += h + m.mm(1)
	}
	px := p.x + p.w - pw
	p.rect(px, py, pw, h, p.pal.OKBg, color.NRGBA{}, h/2)
	was := p.bg
	p.bg = p.pal.OKBg
	p.rect(px+m.mm(2.4), py+h/2-m.mm(1), m.mm(2), m.mm(2), p.pal.OK, color.NRGBA{}, m.mm(1))
	p.t.stay = p.raw(s, px+m.mm(6.4), py+(h-size*lineHeight)/2, pw-m.mm(8), size, true, p.pal.OK, left, &p.objs, false)
	p.bg = was
	p.y += th
}

// authorised is who came in, and until when they are sent out: minutes and seconds.
func (t *Terminal) authorised(x maintain.Panel, now time.Time) string {
	s := max(0, int(x.Until.Sub(now).Seconds()+0.5))
	return x.Who + " · " + t.ui("authorised") + fmt.Sprintf(" %02d:%02d", s/60, s%60)
}

// part is a piece of a panel of a known height. Rows that stand together share a card.
type part struct {
	h    float32
	row  bool
	draw func()
}

// panelParts lays figures, rows and the grid out, over several pages where they do not fit on one.
func (p *page) panelParts(x maintain.Panel) {
	m := p.m
	var parts []part
	if len(x.Figures) > 0 {
		parts = append(parts, p.figures(x.Figures))
	}
	grid := p.gridParts(x.Grid)
	if x.GridFirst {
		parts = append(parts, grid...)
	}
	inner := p.w - m.mm(10)
	for _, r := range x.Rows {
		h := p.panelRowHeight(r, inner)
		parts = append(parts, part{h, true, func() { p.panelRow(r, h) }})
	}
	if !x.GridFirst {
		parts = append(parts, grid...)
	}
	p.pagedParts(parts, p.end-m.mm(3))
}

// gridParts are the lines of a grid of buttons.
func (p *page) gridParts(grid []maintain.Button) (parts []part) {
	m := p.m
	cols := 3
	if m.scale > 1 && !m.landscape() {
		cols = 2
	}
	bh := max(m.mm(18), m.body()*lineHeight*1.3)
	for from := 0; from < len(grid); from += cols {
		line := grid[from:min(len(grid), from+cols)]
		parts = append(parts, part{bh + m.gap(), false, func() {
			w := (p.w - m.gap()*float32(cols-1)) / float32(cols)
			for i, b := range line {
				p.button(b.ID, p.t.say(b.Label), plain, p.x+float32(i)*(w+m.gap()), p.y, w, bh, p.choose1(b.ID))
			}
			p.y += bh + m.gap()
		}})
	}
	return parts
}

// cardPad is what a card needs around its rows.
func (p *page) cardPad() float32 { return 2*p.m.mm(5) + p.m.gap() }

// pagedParts draws as many parts as fit on the page that is turned to, and buttons to turn.
func (p *page) pagedParts(parts []part, bottom float32) {
	m := p.m
	fits := func(from int, room float32) (to int) {
		used := float32(0)
		for to = from; to < len(parts); to++ {
			h := parts[to].h
			if parts[to].row && (to == from || !parts[to-1].row) {
				h += p.cardPad()
			}
			if used+h > room+1 && to > from {
				return to
			}
			if used+h > room+1 {
				p.over = true
			}
			used += h
		}
		return to
	}
	room := bottom - p.y + m.gap()
	starts := []int{0}
	if fits(0, room) < len(parts) {
		room -= m.button() + m.gap()
		for at := fits(0, room); at < len(parts); at = fits(at, room) {
			starts = append(starts, at)
		}
	}
	at := min(p.t.state.page, len(starts)-1)
	to := len(parts)
	if at+1 < len(starts) {
		to = starts[at+1]
	}
	for i := starts[at]; i < to; {
		if !parts[i].row {
			parts[i].draw()
			i++
			continue
		}
		p.card(func() {
			for first := i; i < to && parts[i].row; i++ {
				if i > first {
					p.rect(p.x, p.y-1, p.w, 2, p.pal.Line, color.NRGBA{}, 0)
				}
				parts[i].draw()
			}
		})
	}
	if len(starts) > 1 {
		p.turning(at, len(starts), bottom-m.button())
	}
}

// figures are numbers side by side, each on a card.
func (p *page) figures(all []maintain.Figure) part {
	m := p.m
	gap := m.gap()
	w := (p.w - gap*float32(len(all)-1)) / float32(len(all))
	pad := m.mm(4)
	lh := float32(0)
	for _, f := range all {
		lh = max(lh, p.height(p.t.say(f.Label), w-2*pad, m.body(), false))
	}
	h := 2*pad + lh + roundPx(m.title()*lineHeight)
	return part{h + gap, false, func() {
		was := p.bg
		p.bg = p.pal.Card
		for i, f := range all {
			x := p.x + float32(i)*(w+gap)
			p.rect(x, p.y, w, h, p.pal.Card, p.pal.Line, m.radius())
			p.para(p.t.say(f.Label), x+pad, p.y+pad, w-2*pad, m.body(), false, p.pal.Sub, left)
			p.line(f.Value, x+pad, p.y+pad+lh, w-2*pad, m.title(), true, p.pal.Ink, left)
		}
		p.bg = was
		p.y += h + gap
	}}
}

// widths of a row: text at the left, state and action at the right.
func (p *page) panelRowWidths(r maintain.Row, w float32) (text, pill, action float32) {
	m := p.m
	if s := p.t.say(r.Pill); s != "" {
		pill = measure(s, m.caption(), true) + m.mm(5)
		if r.Grade != maintain.GradeNone {
			pill += m.mm(5)
		}
		pill = min(pill, w*0.5)
	}
	if s := p.t.say(r.Action); s != "" {
		action = max(m.mm(28), measure(s, m.body(), true)+m.mm(8))
	}
	text = w
	for _, part := range []float32{pill, action} {
		if part > 0 {
			text -= part + m.gap()
		}
	}
	return text, pill, action
}

func (p *page) panelRowHeight(r maintain.Row, w float32) float32 {
	m := p.m
	text, _, action := p.panelRowWidths(r, w)
	h := float32(0)
	if s := p.t.say(r.Label); s != "" {
		h += p.height(s, text, m.body(), true)
	}
	if s := p.t.say(r.Detail); s != "" {
		h += p.height(s, text, m.caption(), false)
	}
	h = max(h, roundPx(m.caption()*1.6))
	if action > 0 {
		h = max(h, m.key())
	}
	return h + m.mm(4.4)
}

func (p *page) panelRow(r maintain.Row, h float32) {
	m := p.m
	text, pill, action := p.panelRowWidths(r, p.w)
	label, detail := p.t.say(r.Label), p.t.say(r.Detail)
	th := float32(0)
	if label != "" {
		th += p.height(label, text, m.body(), true)
	}
	if detail != "" {
		th += p.height(detail, text, m.caption(), false)
	}
	y := p.y + (h-th)/2
	if label != "" {
		y += p.para(label, p.x, y, text, m.body(), true, p.pal.Ink, left)
	}
	if detail != "" {
		p.para(detail, p.x, y, text, m.caption(), false, p.pal.Sub, left)
	}
	rx := p.x + p.w
	if action > 0 {
		rx -= action
		p.button(r.ID, p.t.say(r.Action), plain, rx, p.y+(h-m.key())/2, action, m.key(), p.choose1(r.ID))
		rx -= m.gap()
	}
	if pill > 0 {
		p.pillAt(p.t.say(r.Pill), r.Grade, rx-pill, p.y+h/2, pill)
	}
	p.y += h
}

// pillAt writes a state on a rounded ground, its middle at y; a value without a grade has no ground.
func (p *page) pillAt(s string, g maintain.Grade, x, y, w float32) {
	m := p.m
	fg, bg := p.grade(g)
	size := m.caption()
	h := roundPx(size * 1.5)
	was := p.bg
	defer func() { p.bg = was }()
	if g == maintain.GradeNone {
		p.raw(s, x, y-size*lineHeight/2, w, size, true, fg, right, &p.objs, false)
		return
	}
	p.rect(x, y-h/2, w, h, bg, color.NRGBA{}, h/2)
	p.rect(x+m.mm(2.2), y-m.mm(1), m.mm(2), m.mm(2), fg, color.NRGBA{}, m.mm(1))
	p.bg = bg
	p.raw(s, x+m.mm(5.8), y-size*lineHeight/2, w-m.mm(7), size, true, fg, left, &p.objs, false)
}

// knocks is how often the emblem must be touched, and within what time, to ask for the technician's console. A citizen who leans
// on it does not.
const (
	knocks      = 5
	knockWithin = 4 * time.Second
)

// knock counts touches of the emblem.
func (t *Terminal) knock() {
	now := t.opt.Now()
	if len(t.knocked) > 0 && now.Sub(t.knocked[0]) > knockWithin {
		t.knocked = nil
	}
	if t.knocked = append(t.knocked, now); len(t.knocked) >= knocks {
		t.knocked = nil
		t.opt.Technician()
	}
}

// quiet says whether nobody is being served, so that a technician may ask for the terminal.
func (t *Terminal) quiet() bool {
	if t.opt.Technician == nil || t.help || t.warning {
		return false
	}
	switch t.stands().(type) {
	case service.Attract, service.OutOfService:
		return true
	}
	return false
}

// dots stand for what must not be seen.
func dots(s string) string { return strings.Repeat("•", len([]rune(s))) }
