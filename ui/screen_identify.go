package ui

// Consent, the card on the reader, and the one-time code.

import (
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/budayang/kiosk/service"
)

func (p *page) consent(c service.Consent) {
	p.head(p.t.say(c.Title), "")
	p.card(func() {
		for i, l := range c.Lines {
			if i > 0 {
				p.y += p.m.mm(3)
			}
			p.y += p.para(p.t.say(l), p.x, p.y, p.w, p.m.body(), false, p.pal.Ink, left)
		}
	})
	f := foot{back: c.Back, nextID: "next", next: p.t.ui("agree"), nextDo: p.t.next}
	if other := p.t.say(c.Otherwise); other != "" {
		f.extraID, f.extra, f.extraDo = "otherwise", other, func() { p.t.answer(service.Cancelled{}) }
	}
	p.footer(f)
}

func (p *page) placeCard(c service.PlaceCard) {
	m := p.m
	title, hint := p.t.ui("card.title"), p.t.ui("card.hint")
	fill := p.pal.Tint
	switch p.t.state.note {
	case "found":
		title, hint, fill = p.t.ui("card.found"), p.t.ui("card.found.hint"), p.pal.OKBg
	case "again":
		title, hint, fill = p.t.ui("card.again"), p.t.ui("card.again.hint"), p.pal.WarnBg
	case "not-card":
		title, hint, fill = p.t.ui("card.other"), p.t.ui("card.other.hint"), p.pal.WarnBg
	case service.NotVoucher:
		title, hint, fill = p.t.ui("card.voucher.other"), p.t.ui("card.voucher.other.hint"), p.pal.WarnBg
	}
	p.head(title, hint)
	other := p.t.ui("card.none")
	switch {
	case c.Voucher:
		other = p.t.ui("card.none.voucher")
	case c.Other:
		other = p.t.ui("card.none.type")
	}
	oh := p.height(other, p.w-m.mm(10), m.body(), false) + m.mm(10)
	h := min(p.end-p.y-oh-m.gap()*3, p.w*0.78)
	p.rect(p.x, p.y, p.w, h, fill, p.pal.Line, m.radius())
	cx, cy, w := p.x+p.w/2, p.y+h/2, min(p.w, h*1.25)*0.62
	if p.t.state.note == service.NotVoucher {
		p.voucherPicture(cx, cy, w)
	} else {
		p.cardPicture(cx, cy, w, false)
	}
	p.y += h + m.gap()
	p.card(func() { p.y += p.para(other, p.x, p.y, p.w, m.body(), false, p.pal.Ink, left) })
	f := foot{back: c.Back}
	if c.Other {
		f.extraID, f.extra, f.extraDo = "no-card", p.t.ui("card.type"), p.t.next
	}
	p.footer(f)
}

// sketch draws with lines of one width.
type sketch struct {
	p      *page
	stroke float32
}

func (s sketch) box(x, y, w, h float32, line color.NRGBA, r float32) {
	o := canvas.NewRectangle(s.p.pal.Card)
	o.StrokeColor, o.StrokeWidth, o.CornerRadius = line, s.stroke, r
	s.p.add(o, x, y, w, h)
}

func (s sketch) line(x1, y1, x2, y2 float32, c color.NRGBA) {
	o := canvas.NewLine(c)
	o.StrokeWidth = s.stroke
	o.Position1, o.Position2 = fyne.NewPos(x1, y1), fyne.NewPos(x2, y2)
	s.p.objs = append(s.p.objs, o)
}

func (s sketch) ring(x, y, w, h float32, c color.NRGBA) {
	o := canvas.NewCircle(color.Transparent)
	o.StrokeColor, o.StrokeWidth = c, s.stroke
	s.p.add(o, x, y, w, h)
}

// arrow points down from y, or up to it.
func (s sketch) arrow(x, y, h float32, up bool, c color.NRGBA) {
	tip, barb := y+h, y+h*0.62
	if up {
		tip, barb = y, y+h*0.38
	}
	s.line(x, y, x, y+h, c)
	s.line(x-h*0.31, barb, x, tip, c)
	s.line(x+h*0.31, barb, x, tip, c)
}

// cardPicture draws a card above a reader, around a centre: to be laid down, or taken up.
func (p *page) cardPicture(cx, cy, w float32, up bool) {
	ink, blue := p.pal.Ink, p.pal.Primary
	s := sketch{p, max(3, w*0.012)}
	cw, ch := w*0.64, w*0.4
	x, y := cx-cw/2, cy-ch-w*0.06
	s.box(x, y, cw, ch, ink, w*0.03)
	for i, l := range []float32{0.34, 0.4, 0.34} {
		ly := y + ch*(0.26+0.24*float32(i))
		s.line(x+cw*0.1, ly, x+cw*(0.1+l), ly, ink)
	}
	s.ring(x+cw*0.68, y+ch*0.2, cw*0.18, cw*0.18, ink)
	s.box(x+cw*0.62, y+ch*0.6, cw*0.3, ch*0.22, ink, w*0.05)
	s.arrow(cx, y+ch+w*0.02, w*0.08, up, blue)
	ry := cy + w*0.08
	s.box(cx-w*0.5, ry, w, w*0.3, blue, w*0.03)
	for _, r := range []float32{0.05, 0.1, 0.15} {
		s.ring(cx-w*r, ry+w*0.15-w*r*0.8, 2*w*r, 1.6*w*r, blue)
	}
}

// voucherPicture draws a sheet with a bar code above a scanner, around a centre.
func (p *page) voucherPicture(cx, cy, w float32) {
	ink, blue := p.pal.Ink, p.pal.Primary
	s := sketch{p, max(3, w*0.012)}
	cw, ch := w*0.56, w*0.46
	x, y := cx-cw/2, cy-ch-w*0.04
	s.box(x, y, cw, ch, ink, w*0.02)
	for i, l := range []float32{0.5, 0.8, 0.66} {
		ly := y + ch*(0.16+0.14*float32(i))
		s.line(x+cw*0.1, ly, x+cw*(0.1+l), ly, ink)
	}
	at := x + cw*0.14
	for i, bar := range []float32{2, 1, 1, 3, 1, 2, 1, 1, 2, 3, 1, 1, 2, 1, 3, 1, 1, 2, 1, 2} {
		bw := bar * cw * 0.0225
		if i%2 == 0 {
			p.rect(at, y+ch*0.6, bw, ch*0.28, ink, color.NRGBA{}, 0)
		}
		at += bw
	}
	s.arrow(cx, y+ch+w*0.02, w*0.08, false, blue)
	ry := cy + w*0.1
	s.box(cx-w*0.36, ry, w*0.72, w*0.24, blue, w*0.03)
	s.box(cx-w*0.26, ry+w*0.06, w*0.52, w*0.12, blue, w*0.02)
	s.line(cx-w*0.22, ry+w*0.12, cx+w*0.22, ry+w*0.12, blue)
}

func (p *page) enterCode(c service.EnterCode) {
	m := p.m
	p.head(p.t.ui("code.title"), p.t.ui("code.hint", "phone", c.Phone))
	typed := p.t.state.values["code"]
	n := max(4, c.Digits)
	gap := m.mm(3)
	cell := min((p.w-gap*float32(n-1))/float32(n), m.mm(24))
	x := p.x + (p.w-cell*float32(n)-gap*float32(n-1))/2
	for i := range n {
		line := p.pal.Line
		if i == len(typed) {
			line = p.pal.Primary
		}
		cx := x + float32(i)*(cell+gap)
		p.rect(cx, p.y, cell, cell*1.2, p.pal.Card, line, m.mm(3))
		if i < len(typed) {
			p.personal(typed[i:i+1], cx, p.y+cell*0.6-m.title()*0.7, cell, m.title(), center)
		}
	}
	p.y += cell*1.2 + m.gap()
	switch {
	case c.Wrong:
		p.box(p.t.ui("code.wrong", "tries", fmt.Sprint(c.TriesLeft)), p.pal.Bad, p.pal.BadBg, true)
	default:
		p.y += p.para(p.t.ui("code.until", "time", c.Until.Local().Format("15:04")), p.x, p.y, p.w, m.caption(), false, p.pal.Sub, center) + m.gap()
	}
	p.keypad(func(d string) {
		v := p.t.state.values
		switch {
		case d == "del" && len(v["code"]) > 0:
			v["code"] = v["code"][:len(v["code"])-1]
		case d != "del" && len(v["code"]) < n:
			v["code"] += d
		}
		p.t.build()
	})
	f := foot{back: c.Back, leftID: "again", left: p.t.ui("code.again"), leftDo: func() { p.t.answer(service.Again{}) },
		nextID: "next", next: p.t.ui("next"), disabled: len(typed) < n,
		nextDo: func() { p.t.answer(service.Entered{Value: p.t.state.values["code"]}) }}
	if c.Others {
		f.extraID, f.extra, f.extraDo = "another", p.t.ui("another"), func() { p.t.answer(service.Cancelled{}) }
	}
	p.footer(f)
}
