package ui

// Waiting for a member of staff, who enters the number that stands here.

import (
	"github.com/budayang/kiosk/service"
)

// staff shows the number so that it can be read from two steps away, and what happens now.
func (p *page) staff(x service.AwaitStaff) {
	m := p.m
	p.head(p.t.ui("staff.title"), p.t.ui("staff.hint"))
	n := max(4, len(x.Number))
	gap := m.mm(4)
	cell := min((p.w-gap*float32(n-1))/float32(n), m.mm(34))
	left0 := p.x + (p.w-cell*float32(n)-gap*float32(n-1))/2
	p.y += m.gap()
	for i := range len(x.Number) {
		cx := left0 + float32(i)*(cell+gap)
		p.rect(cx, p.y, cell, cell*1.25, p.pal.Card, p.pal.Primary, m.mm(3))
		was := p.bg
		p.bg = p.pal.Card
		size := cell * 0.8
		p.line(x.Number[i:i+1], cx, p.y+(cell*1.25-size*lineHeight)/2, cell, size, true, p.pal.Ink, center)
		p.bg = was
	}
	p.y += cell*1.25 + m.gap()
	p.y += p.para(p.t.ui("staff.until", "time", x.Until.Local().Format("15:04")), p.x, p.y, p.w, m.caption(), false, p.pal.Sub, center) + m.gap()
	p.card(func() {
		for i, id := range []string{"staff.look", "staff.never"} {
			if i > 0 {
				p.y += m.mm(3)
			}
			p.y += p.para(p.t.ui(id), p.x, p.y, p.w, m.body(), false, p.pal.Ink, left)
		}
	})
	f := foot{back: x.Back, quiet: true}
	if x.Others {
		f.extraID, f.extra, f.extraDo = "another", p.t.ui("another"), func() { p.t.answer(service.Cancelled{}) }
	}
	p.footer(f)
}
