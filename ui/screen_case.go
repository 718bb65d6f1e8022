package ui

// From the review to the end of a case.

import (
	"fmt"
	"image"
	"image/color"

	"github.com/boombuler/barcode/qr"

	"github.com/budayang/kiosk/service"
)

func (p *page) review(r service.Review) {
	m := p.m
	p.head(p.t.say(r.Title), "")
	var notices []string
	if lacking(r.Rows) {
		notices = append(notices, p.t.ui("review.lacking"))
	}
	if notice := p.t.say(r.Notice); notice != "" {
		notices = append(notices, notice)
	}
	room := p.end - m.mm(4)
	for _, n := range notices {
		room -= p.height(n, p.w-m.mm(9.2), m.body(), false) + m.mm(9.2) + m.gap()
	}
	p.rowCards([]service.Section{{Rows: r.Rows}}, room)
	for _, n := range notices {
		p.box(n, p.pal.Warn, p.pal.WarnBg, false)
	}
	p.footer(foot{back: r.Back, nextID: "next", next: p.t.ui("confirm"), nextDo: p.t.next})
}

// rowCards draws sections of rows as cards, paged when they do not fit.
func (p *page) rowCards(sections []service.Section, bottom float32) bool {
	m := p.m
	var blocks []block
	for i, s := range sections {
		title := p.t.say(s.Title)
		h := m.mm(10) + m.gap()
		inner := p.w - m.mm(10)
		if title != "" {
			h += p.height(title, inner, m.body(), true) + m.mm(2)
		}
		for _, r := range s.Rows {
			p.w -= m.mm(10)
			h += p.rowHeight(r) + m.mm(1)
			p.w += m.mm(10)
		}
		blocks = append(blocks, block{h, func() {
			p.card(func() {
				if title != "" {
					p.y += p.para(title, p.x, p.y, p.w, m.body(), true, p.pal.Ink, left) + m.mm(2)
				}
				p.rows(s.Rows, fmt.Sprintf("%d", i))
			})
		}})
	}
	return p.paged(blocks, bottom)
}

func (p *page) result(r service.Result) {
	p.head(p.t.say(r.Title), p.t.ui("result.asof", "time", r.AsOf.Local().Format("2006-01-02 15:04")))
	p.rowCards(r.Sections, p.end-p.m.mm(4))
	f := foot{back: r.Back, nextID: "next", next: p.t.ui("finish"), nextDo: p.t.next}
	if r.CanPrint {
		f.extraID, f.extra, f.extraDo = "slip", p.t.ui("slip"), func() { p.t.answer(service.PrintSlip{}) }
	}
	p.footer(f)
}

func (p *page) guide(g service.Guide) {
	m := p.m
	p.head(p.t.say(g.Title), "")
	var blocks []block
	for _, s := range g.Sections {
		title := p.t.say(s.Title)
		inner := p.w - m.mm(10)
		h := m.mm(10) + m.gap() + p.height(title, inner, m.body(), true) + m.mm(2)
		for _, l := range s.Lines {
			h += p.height("· "+p.t.say(l), inner, m.body(), false) + m.mm(1)
		}
		blocks = append(blocks, block{h, func() {
			p.card(func() {
				p.y += p.para(title, p.x, p.y, p.w, m.body(), true, p.pal.Ink, left) + m.mm(2)
				for _, l := range s.Lines {
					p.y += p.para("· "+p.t.say(l), p.x, p.y, p.w, m.body(), false, p.pal.Ink, left) + m.mm(1)
				}
			})
		}})
	}
	p.paged(blocks, p.end-m.mm(4))
	f := foot{back: g.Back, nextID: "next", next: p.t.ui("finish"), nextDo: p.t.next}
	if g.CanPrint {
		f.extraID, f.extra, f.extraDo = "slip", p.t.ui("slip"), func() { p.t.answer(service.PrintSlip{}) }
	}
	p.footer(f)
}

func (p *page) wait(x service.Wait) {
	m := p.m
	p.y = m.header() + (p.end-m.header())*0.24
	p.para(p.t.say(x.Title), p.x, p.y, p.w, m.title(), true, p.pal.Ink, center)
	p.y += p.height(p.t.say(x.Title), p.w, m.title(), true) + m.gap()
	hint := p.t.say(x.Hint)
	if p.t.state.late {
		hint = p.t.ui("wait.late")
	}
	p.y += p.para(hint, p.x, p.y, p.w, m.body(), false, p.pal.Sub, center) + m.gap()*2
	dot := m.mm(5)
	x0 := m.w/2 - dot*2.5
	for i := range 3 {
		c := p.pal.Primary
		if i > 0 {
			c = p.pal.Line
		}
		p.rect(x0+float32(i)*dot*2, p.y, dot, dot, c, color.NRGBA{}, dot/2)
	}
	f := foot{quiet: true}
	if p.t.state.late {
		f.leftID, f.left, f.leftDo = "cancel", p.t.ui("cancel"), func() { p.t.answer(service.Cancelled{}) }
	}
	p.footer(f)
}

func (p *page) progress(g service.Progress) {
	m := p.m
	p.head(p.t.say(g.Title), p.t.say(g.Hint))
	signs := map[service.StageState]string{service.StageWaiting: "stage.waiting", service.StageRunning: "stage.running",
		service.StageDone: "stage.done", service.StageFailed: "stage.failed", service.StageLater: "stage.later"}
	p.card(func() {
		done, running := 0, 0
		for i, s := range g.Stages {
			if i > 0 {
				p.rect(p.x, p.y, p.w, 2, p.pal.Line, color.NRGBA{}, 0)
				p.y += m.mm(1)
			}
			col := p.pal.Sub
			switch s.State {
			case service.StageDone:
				col = p.pal.OK
				done++
			case service.StageRunning:
				col = p.pal.Primary
				running = s.Percent
			case service.StageFailed:
				col = p.pal.Bad
			}
			word := p.t.say(s.Detail)
			if word == "" {
				word = p.t.ui(signs[s.State])
			}
			if s.State == service.StageRunning && s.Percent > 0 {
				word += fmt.Sprintf(" %d%%", s.Percent)
			}
			lw := p.w * 0.5
			label := fmt.Sprintf("%d  %s", i+1, p.t.say(s.Label))
			h := max(p.height(label, lw, m.body(), false), p.height(word, p.w-lw-m.mm(2), m.body(), true)) + m.mm(5)
			p.para(label, p.x, p.y+m.mm(2.5), lw, m.body(), false, p.pal.Ink, left)
			p.para(word, p.x+lw+m.mm(2), p.y+m.mm(2.5), p.w-lw-m.mm(2), m.body(), true, col, right)
			p.y += h
		}
		p.y += m.mm(2)
		share := float32(0)
		if n := len(g.Stages); n > 0 {
			share = (float32(done) + float32(max(0, running))/100) / float32(n)
		}
		p.rect(p.x, p.y, p.w, m.mm(3.4), p.pal.Tint, color.NRGBA{}, m.mm(1.7))
		if share > 0 {
			p.rect(p.x, p.y, p.w*share, m.mm(3.4), p.pal.Primary, color.NRGBA{}, m.mm(1.7))
		}
		p.y += m.mm(5)
	})
	if note := p.t.say(g.Note); note != "" {
		p.box(note, p.pal.Deep, p.pal.Tint, false)
	}
	if rows := p.lastRows(g.Rows); len(rows) > 0 {
		p.card(func() { p.rows(rows, "p") })
	}
	p.footer(foot{quiet: true})
}

// lastRows are as many rows, from the end, as a card above the footer can hold: the codes come last and matter most.
func (p *page) lastRows(rows []service.Row) []service.Row {
	pad := p.m.mm(10)
	room := p.end - p.y - pad - p.m.gap()
	p.w -= pad
	defer func() { p.w += pad }()
	from := len(rows)
	for from > 0 {
		if room -= p.rowHeight(rows[from-1]) + p.m.mm(1); room < 0 {
			break
		}
		from--
	}
	return rows[from:]
}

// take asks for something that lies at the terminal.
func (p *page) take(id string, urgent bool, picture string) {
	m := p.m
	key := map[string]string{"take-card": "takecard", "take-output": "takeoutput", "take-output.card": "takemade"}[id]
	title, hint, fg, bg := p.t.ui(key+".title"), p.t.ui(key+".hint"), p.pal.Warn, p.pal.WarnBg
	if urgent {
		title, fg, bg = p.t.ui(key+".urgent"), p.pal.Bad, p.pal.BadBg
	}
	p.head(title, hint)
	h := min(p.end-p.y-m.gap()*2, p.w*0.8)
	p.rect(p.x, p.y, p.w, h, bg, fg, m.radius())
	if id == "take-output.card" {
		p.madeCard(p.x+p.w/2, p.y+h/2, min(p.w, h*1.25)*0.6)
	} else if picture == "card" {
		p.cardPicture(p.x+p.w/2, p.y+h/2, min(p.w, h*1.25)*0.62, true)
	} else {
		w := p.w * 0.3
		x, y := p.x+p.w/2-w/2, p.y+h*0.2
		p.rect(x-w*0.3, y, w*1.6, h*0.14, p.pal.Card, p.pal.Ink, m.mm(3))
		p.rect(x, y+h*0.1, w, h*0.46, p.pal.Card, p.pal.Primary, m.mm(1))
		for i := range 4 {
			p.rect(x+w*0.15, y+h*(0.2+0.07*float32(i)), w*0.7, m.mm(1.4), p.pal.Line, color.NRGBA{}, 0)
		}
	}
	p.footer(foot{quiet: true})
}

func (p *page) done(d service.Done) {
	m := p.m
	mark := m.mm(22)
	p.rect(p.x, p.y, mark, mark, p.pal.OKBg, color.NRGBA{}, mark/2)
	p.icon("check", p.x+mark*0.22, p.y+mark*0.22, mark*0.56, &p.objs)
	tx := p.x + mark + m.mm(5)
	title := p.t.say(d.Title)
	h := p.para(title, tx, p.y, p.x+p.w-tx, m.title(), true, p.pal.Ink, left)
	p.y += max(mark, h) + m.gap()*1.4
	if len(d.Rows) > 0 {
		p.card(func() { p.rows(d.Rows, "d") })
	}
	if len(d.Levels) > 0 {
		p.y += m.mm(1)
		p.y += p.para(p.t.ui("rate.title"), p.x, p.y, p.w, m.heading(), true, p.pal.Ink, left) + m.mm(2)
		n := len(d.Levels)
		cols := n
		switch {
		case m.scale > 1 && m.landscape():
			cols = 3
		case m.scale > 1:
			cols = 2
		}
		gap := m.mm(3)
		w := (p.w - gap*float32(cols-1)) / float32(cols)
		bh := m.mm(24)
		for i, l := range d.Levels {
			p.button("rate."+l.ID, p.t.say(l.Label), plain, p.x+float32(i%cols)*(w+gap), p.y+float32(i/cols)*(bh+gap), w, bh,
				func() { p.t.answer(service.Rated{Level: l.ID}) })
		}
		p.y += float32((n+cols-1)/cols) * (bh + gap)
		p.y += p.para(p.t.ui("rate.note"), p.x, p.y, p.w, m.caption(), false, p.pal.Sub, left) + m.gap()
	}
	if d.CardOnGlass {
		p.box(p.t.ui("done.card"), p.pal.Warn, p.pal.WarnBg, true)
	}
	skip := func() { p.t.answer(service.Rated{}) }
	if len(d.Levels) > 0 {
		p.footer(foot{nextID: "skip", next: p.t.ui("rate.skip"), nextDo: skip})
	} else {
		p.footer(foot{nextID: "next", next: p.t.ui("finish"), nextDo: skip})
	}
}

func (p *page) trouble(x service.Trouble) {
	m := p.m
	p.head(p.t.say(x.What), "")
	for _, s := range []service.Text{x.Means, x.Do} {
		if w := p.t.say(s); w != "" {
			p.card(func() { p.y += p.para(w, p.x, p.y, p.w, m.body(), false, p.pal.Ink, left) })
		}
	}
	if x.Code != "" {
		p.card(func() {
			p.y += p.para(p.t.ui("trouble.code"), p.x, p.y, p.w, m.caption(), false, p.pal.Sub, left)
			p.y += p.para(x.Code, p.x, p.y, p.w, m.heading(), true, p.pal.Ink, left)
		})
	}
	if x.Printed {
		p.box(p.t.ui("trouble.slip"), p.pal.OK, p.pal.OKBg, true)
	}
	p.offerNumber(x)
	if x.QR != "" {
		if code, err := qr.Encode(x.QR, qr.M, qr.Auto); err == nil {
			size := min(m.mm(70), p.end-p.y-m.caption()*lineHeight*2-m.mm(6))
			if size > m.mm(30) {
				p.rect(p.x+p.w/2-size/2-m.mm(4), p.y, size+m.mm(8), size+m.mm(8), rgb(0xFFFFFF), p.pal.Line, m.mm(3))
				p.image(modules(code, int(size)), p.x+p.w/2-size/2, p.y+m.mm(4), size, size)
				p.y += size + m.mm(10)
				p.para(p.t.ui("trouble.qr"), p.x, p.y, p.w, m.caption(), false, p.pal.Sub, center)
			}
		}
	}
	f := foot{nextID: "next", next: p.t.ui("understood"), nextDo: p.t.next}
	if x.Queue != nil && !x.NoTicket {
		f.extraID, f.extra, f.extraDo = f.nextID, f.next, f.nextDo
		f.nextID, f.next, f.nextDo = "ticket", p.t.ui("ticket.take"), func() { p.t.answer(service.TakeTicket{}) }
	}
	p.footer(f)
}

// modules draws a code with whole pixels for each module.
func modules(code image.Image, size int) *image.NRGBA {
	b := code.Bounds()
	step := max(1, size/b.Dx())
	img := image.NewNRGBA(image.Rect(0, 0, b.Dx()*step, b.Dy()*step))
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			c := color.NRGBA{0xff, 0xff, 0xff, 0xff}
			if r, _, _, _ := code.At(b.Min.X+x/step, b.Min.Y+y/step).RGBA(); r == 0 {
				c = color.NRGBA{A: 0xff}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func (p *page) outOfService(o service.OutOfService) {
	m := p.m
	p.y = m.header() + (p.end-m.header())*0.2
	p.head(p.t.ui("closed.title"), "")
	p.box(p.t.say(o.Why), p.pal.Warn, p.pal.WarnBg, true)
	p.y += m.gap()
	p.y += p.para(p.t.ui("closed.help"), p.x, p.y, p.w, m.body(), false, p.pal.Sub, left) + m.gap()
	if o.Code != "" {
		p.y += p.para(p.t.ui("trouble.code")+" "+o.Code, p.x, p.y, p.w, m.caption(), false, p.pal.Sub, left)
	}
	p.footer(foot{leftID: "lang", left: p.t.ui("language"), leftDo: p.t.otherLanguage, quiet: true})
}

func (p *page) starting() {
	p.y = p.m.header() + (p.end-p.m.header())*0.35
	p.para(p.t.ui("starting"), p.x, p.y, p.w, p.m.title(), true, p.pal.Ink, center)
}
