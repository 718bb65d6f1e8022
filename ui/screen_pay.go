package ui

// The fee: what it costs, the code that a phone scans, and how long it holds.

import (
	"fmt"
	"image/color"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"

	"github.com/budayang/kiosk/service"
)

// The code's side in millimetres: a phone reads it at arm's length from the smaller one on.
const (
	payCodeLeast = 34
	payCodeMost  = 120
)

func (p *page) pay(x service.Pay) {
	m := p.m
	title := p.t.say(x.Title)
	if x.Confirming {
		title = p.t.ui("pay.confirming")
	}
	hint := []string{p.t.say(x.Reason)}
	if cash := p.t.say(x.Cash); cash != "" && !x.Confirming {
		hint = append(hint, cash)
	}
	p.head(title, strings.Join(hint, p.t.ui("pay.and")))
	if x.Changed && !x.Confirming {
		p.box(p.t.ui("pay.changed"), p.pal.Warn, p.pal.WarnBg, true)
	}
	p.ways(x)
	rows := []service.Row{{Label: service.T("ui.pay.number"), Plain: x.Number}}
	if x.Reserved {
		rows = append([]service.Row{{Label: service.T("ui.pay.stock"), Value: service.T("ui.pay.reserved")}}, rows...)
	}
	if m.landscape() {
		p.payBeside(x, rows)
	} else {
		p.payBelow(x, rows)
	}
	f := foot{leftID: "cancel", left: p.t.ui("pay.cancel"), leftDo: func() { p.t.answer(service.Cancelled{}) }, quiet: true}
	if !x.Confirming {
		f.nextID, f.next, f.nextDo = "next", p.t.ui("pay.paid"), p.t.next
	}
	p.footer(f)
}

// ways are the channels to choose from, beside each other; the one whose code is shown stands out.
func (p *page) ways(x service.Pay) {
	if len(x.Ways) < 2 || x.Confirming {
		return
	}
	m := p.m
	w := (p.w - m.gap()*float32(len(x.Ways)-1)) / float32(len(x.Ways))
	for i, o := range x.Ways {
		p.oneOf("way."+o.ID, p.t.say(o.Label), o.ID == x.Way, p.x+(w+m.gap())*float32(i), p.y, w, m.button(), func() { p.t.answer(service.Chosen{ID: o.ID}) })
	}
	p.y += m.button() + m.gap()
}

// payBelow is for portrait screens: amount, code and time under each other in one card, the bill's number in another.
func (p *page) payBelow(x service.Pay, rows []service.Row) {
	m := p.m
	pad := m.mm(10)
	below := pad + m.gap()*2
	p.w -= pad
	for _, r := range rows {
		below += p.rowHeight(r) + m.mm(1)
	}
	p.w += pad
	p.card(func() {
		p.amount(x)
		p.code(x, p.x, p.w, p.end-below-m.mm(5)-p.pillHeight()-m.gap()-p.y)
		p.pill(x, p.x, p.w)
	})
	p.card(func() { p.rows(rows, "b") })
}

// payBeside is for landscape screens: the code at the left, the rest at the right.
func (p *page) payBeside(x service.Pay, rows []service.Row) {
	m := p.m
	top, left0, whole := p.y, p.x, p.w
	half := (whole - m.gap()*2) / 2
	p.w = half
	p.card(func() {
		p.code(x, p.x, p.w, p.end-m.mm(5)-m.gap()-p.y)
		if x.Confirming {
			p.pill(x, p.x, p.w)
		}
	})
	p.x, p.y = left0+half+m.gap()*2, top
	p.card(func() {
		p.amount(x)
		if !x.Confirming {
			p.pill(x, p.x, p.w)
		}
	})
	rows = p.lastRows(rows)
	p.card(func() { p.rows(rows, "b") })
	p.x, p.w = left0, whole
}

// emAmount is the amount's size on a portrait screen, in millimetres of em at normal size.
const emAmount = 18

func (p *page) amount(x service.Pay) {
	m := p.m
	p.y += p.para(p.t.ui("pay.amount"), p.x, p.y, p.w, m.body(), false, p.pal.Sub, center)
	size := m.title()
	if !m.landscape() {
		size = m.em(emAmount)
	}
	p.y += p.para("¥ "+x.Amount, p.x, p.y, p.w, size, true, p.pal.Ink, center) + m.mm(2)
}

// code draws the code as large as room allows; nobody is to pay again while a payment is being confirmed.
func (p *page) code(x service.Pay, left0, w, room float32) {
	m := p.m
	frame := m.mm(4)
	size := min(m.mm(payCodeMost), room-2*frame-m.gap(), w-2*frame)
	if x.Confirming || x.QR == "" {
		return
	}
	code, err := qr.Encode(x.QR, qr.M, qr.Auto)
	if err != nil {
		p.t.opt.Log.Error("code of a bill", "error", err) // the number below is there all the same
		return
	}
	if size < m.mm(payCodeLeast) {
		p.over = true
	}
	// Whole pixels for each module, or phones see stripes.
	img := modules(code, int(size))
	side := float32(img.Rect.Dx())
	px := left0 + (w-side)/2
	p.rect(px-frame, p.y, side+2*frame, side+2*frame, rgb(0xFFFFFF), p.pal.Line, m.mm(3))
	p.image(img, roundPx(px), p.y+frame, side, side)
	p.y += side + 2*frame + m.gap()
}

func (p *page) pillHeight() float32 { return roundPx(p.m.body()*lineHeight) + p.m.mm(4) }

// pill says what is waited for, and counts the code's time down.
func (p *page) pill(x service.Pay, left0, w float32) {
	m := p.m
	fg, bg := p.pal.OK, p.pal.OKBg
	s := p.t.payLeft(x, p.t.opt.Now())
	if x.Confirming {
		fg, bg, s = p.pal.Warn, p.pal.WarnBg, p.t.ui("pay.again")
	}
	size := m.body()
	for measure(s, size, true) > w-m.mm(8) && size > m.caption() {
		size--
	}
	h := p.pillHeight()
	pw := min(w, measure(s, size, true)+m.mm(10))
	p.rect(left0+(w-pw)/2, p.y, pw, h, bg, color.NRGBA{}, h/2)
	was := p.bg
	p.bg = bg
	c := p.line(s, left0, p.y+(h-size*lineHeight)/2, w, size, true, fg, center)
	p.bg = was
	if !x.Confirming {
		p.t.expiry = c
	}
	p.y += h
}

// payLeft says how long the code still holds.
func (t *Terminal) payLeft(x service.Pay, now time.Time) string {
	s := max(0, int(x.Until.Sub(now).Seconds()+0.5))
	return t.ui("pay.left", "left", fmt.Sprintf("%d:%02d", s/60, s%60))
}
