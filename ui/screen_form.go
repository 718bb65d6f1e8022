package ui

// Forms and their keyboards.

import (
	"strings"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/service"
)

func (p *page) form(f service.Form) {
	p.head(p.t.say(f.Title), p.t.say(f.Hint))
	var typing *service.Field
	for i, x := range f.Fields {
		if x.Kind == service.FieldChoice {
			p.choiceField(x)
			continue
		}
		if x.ID == p.t.state.field {
			typing = &f.Fields[i]
		}
		p.typedField(x)
	}
	if typing != nil {
		p.keyboard(*typing)
	}
	p.footer(foot{back: f.Back, nextID: "next", next: p.t.ui("next"), disabled: !p.complete(f), nextDo: func() {
		values := map[string]string{}
		for k, v := range p.t.state.values {
			values[k] = v
		}
		p.t.answer(service.Filled{Values: values})
	}})
}

// complete says whether every required field has something; what it must be, the engine says.
func (p *page) complete(f service.Form) bool {
	for _, x := range f.Fields {
		if x.Required && strings.TrimSpace(p.t.state.values[x.ID]) == "" {
			return false
		}
	}
	return true
}

func (p *page) fieldLabel(x service.Field) {
	s := p.t.say(x.Label)
	if !x.Required {
		s += p.t.ui("optional")
	}
	p.y += p.para(s, p.x, p.y, p.w, p.m.body(), true, p.pal.Ink, left) + p.m.mm(1.6)
}

func (p *page) problem(x service.Field) {
	if !x.Problem.IsZero() {
		p.y += p.para(p.t.say(x.Problem), p.x, p.y, p.w, p.m.caption(), true, p.pal.Bad, left) + p.m.mm(1.6)
	}
}

// choiceField draws a field's options as buttons.
func (p *page) choiceField(x service.Field) {
	m := p.m
	p.fieldLabel(x)
	cols := 2
	if m.scale > 1 && !m.landscape() {
		cols = 1
	}
	if len(x.Options) > 4 && m.scale == 1 || m.landscape() {
		cols = 3
	}
	gap := m.gap()
	// size of a button when there are n in a row: as high as the longest label needs
	size := func(n int) (w, h float32) {
		w, h = (p.w-gap*float32(n-1))/float32(n), m.mm(18)
		for _, o := range x.Options {
			h = max(h, p.height(p.t.say(o.Label), w-m.mm(3.2), m.body(), true)+m.mm(3))
		}
		return w, h
	}
	tall := func(n int) float32 {
		_, h := size(n)
		return float32((len(x.Options)+n-1)/n) * (h + gap)
	}
	if m.landscape() && m.scale > 1 { // little height: whatever needs least of it
		for n := cols + 1; n <= min(5, len(x.Options)); n++ {
			if w, _ := size(n); p.wordsFit(x.Options, w-m.mm(3.2)) && tall(n) < tall(cols) {
				cols = n
			}
		}
	}
	w, h := size(cols)
	for i, o := range x.Options {
		p.oneOf("option."+o.ID, p.t.say(o.Label), p.t.state.values[x.ID] == o.ID, p.x+float32(i%cols)*(w+gap), p.y+float32(i/cols)*(h+gap), w, h, func() {
			p.t.state.values[x.ID] = o.ID
			p.t.build()
		})
	}
	p.y += tall(cols) + m.mm(1)
	p.problem(x)
	p.y += m.mm(3)
}

// wordsFit says whether no word of any label is wider than a line.
func (p *page) wordsFit(options []service.Option, w float32) bool {
	for _, o := range options {
		for _, word := range strings.Fields(p.t.say(o.Label)) {
			if measure(word, p.m.body(), true) > w {
				return false
			}
		}
	}
	return true
}

// typedField draws what was typed; a private field is masked while another one is being typed.
func (p *page) typedField(x service.Field) {
	m := p.m
	p.fieldLabel(x)
	active := x.ID == p.t.state.field
	b := p.t.newButton("field."+x.ID, p.t.say(x.Label), plain, func() { p.t.state.field = x.ID; p.t.build() })
	h := m.mm(20)
	p.place(b, p.x, p.y, p.w, h)
	if active {
		b.face.StrokeColor, b.face.StrokeWidth = p.pal.Primary, 4
	}
	v := p.t.state.values[x.ID]
	pad := m.mm(5)
	ty := p.y + (h-m.heading()*1.4)/2
	if v == "" {
		was := p.bg
		p.bg = p.pal.Card
		size := fit(p.t.say(x.Hint), m.body(), m.caption(), false, p.w-2*pad)
		p.raw(p.t.say(x.Hint), pad, (h-size*lineHeight)/2, p.w-2*pad, size, false, p.pal.Sub, left, &b.content, false)
		p.bg = was
	} else {
		switch {
		case x.Secret:
			v = dots(v)
		case x.Private && !active && x.Kind == service.FieldIDNumber:
			v = idnum.Mask(v)
		case x.Private && !active:
			v = idnum.MaskPhone(v)
		}
		if active {
			v += "|"
		}
		p.personal(v, p.x+pad, ty, p.w-2*pad, m.heading(), left)
	}
	p.y += h + m.mm(1.6)
	p.problem(x)
	p.y += m.mm(3)
}

// keyboard draws the keys that a field needs.
func (p *page) keyboard(x service.Field) {
	limit := x.Max
	if limit == 0 {
		limit = map[service.FieldKind]int{service.FieldPhone: 11, service.FieldMonth: 6, service.FieldDigits: 20, service.FieldIDNumber: 18}[x.Kind]
	}
	if limit == 0 {
		limit = 60
	}
	if x.Max == 0 && x.Kind == service.FieldText {
		limit = 200
	}
	press := func(k string) {
		v := []rune(p.t.state.values[x.ID])
		switch {
		case k == "del" && len(v) > 0:
			v = v[:len(v)-1]
		case k != "del" && len(v) < limit:
			v = append(v, []rune(k)...)
		}
		p.t.state.values[x.ID] = string(v)
		p.t.build()
	}
	if x.Kind == service.FieldLatin || x.Kind == service.FieldText {
		p.letters(press, x.Kind == service.FieldText)
		return
	}
	if x.Kind == service.FieldIDNumber {
		p.keypad(press, "X")
		return
	}
	p.keypad(press)
}

// keypad draws large keys at the foot of the page, as on a telephone; where four rows do not fit, in two.
func (p *page) keypad(press func(string), more ...string) {
	m := p.m
	gap, cols := m.gap(), 3
	keys := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "", "0", "del"}
	room := p.end - p.y - m.mm(4)
	if 4*m.key()+3*gap > room {
		cols, keys = 6, []string{"1", "2", "3", "4", "5", "del", "6", "7", "8", "9", "0"}
	}
	if len(more) > 0 && cols == 3 {
		keys[9] = more[0]
	} else if len(more) > 0 {
		keys = append(keys, more[0])
	}
	rows := float32((len(keys) + cols - 1) / cols)
	h := max(m.key(), min((room-gap*(rows-1))/rows, m.mm(23)))
	w := min((p.w-gap*float32(cols-1))/float32(cols), m.mm(56))
	x0 := p.x + (p.w-w*float32(cols)-gap*float32(cols-1))/2
	all := rows*h + (rows-1)*gap
	y0 := max(p.y, p.end-m.mm(4)-all)
	for i, k := range keys {
		if k == "" {
			continue
		}
		label := k
		if k == "del" {
			label = p.t.ui("delete")
		}
		b := p.button("key."+k, label, plain, x0+float32(i%cols)*(w+gap), y0+float32(i/cols)*(h+gap), w, h, func() { press(k) })
		b.repeat = true
	}
	p.y = y0 + all
	if p.y > p.end {
		p.over = true
	}
}

var letterRows = []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"}

// signRows stand in the place of letters.
var signRows = []string{"1234567890", ".:/-_@?=&%", "+#~,;()*!", "[]{}<>|"}

// letters draws a Latin keyboard, with a key that brings signs where they are needed.
func (p *page) letters(press func(string), signs bool) {
	m := p.m
	gap := m.mm(3)
	w := (p.w - 9*gap) / 10
	h := max(m.key(), min((p.end-p.y-m.mm(4)-gap*4)/5, m.mm(20)))
	y := max(p.y, p.end-m.mm(4)-5*h-4*gap)
	if w < m.key() {
		w = m.key()
	}
	rows := letterRows
	if signs && p.t.state.signs {
		rows = signRows
	}
	for _, row := range rows {
		r := []rune(row)
		x := p.x + (p.w-float32(len(r))*w-float32(len(r)-1)*gap)/2
		for _, c := range r {
			k := string(c)
			if p.t.state.shift {
				k = strings.ToUpper(k)
			}
			b := p.button("key."+string(c), k, plain, x, y, w, h, func() { press(k) })
			b.repeat = true
			x += w + gap
		}
		y += h + gap
	}
	k := plain
	if p.t.state.shift {
		k = soft
	}
	side := m.mm(38)
	p.button("key.shift", p.t.ui("shift"), k, p.x, y, side, h, func() { p.t.state.shift = !p.t.state.shift; p.t.build() })
	x := p.x + side + gap
	if signs {
		k := plain
		if p.t.state.signs {
			k = soft
		}
		p.button("key.signs", p.t.ui("signs"), k, x, y, side, h, func() { p.t.state.signs = !p.t.state.signs; p.t.build() })
		x += side + gap
	}
	b := p.button("key.space", p.t.ui("space"), plain, x, y, p.x+p.w-side-gap-x, h, func() { press(" ") })
	b.repeat = true
	b = p.button("key.del", p.t.ui("delete"), plain, p.x+p.w-side, y, side, h, func() { press("del") })
	b.repeat = true
	p.y = y + h
}

func (p *page) choose(c service.Choose) {
	m := p.m
	p.head(p.t.say(c.Title), p.t.say(c.Hint))
	h := m.mm(24)
	var blocks []block
	for _, o := range c.Options {
		detail := p.t.say(o.Detail)
		hh := h
		if detail != "" {
			hh += m.caption() * lineHeight
		}
		blocks = append(blocks, block{hh + m.gap(), func() { p.option(o, detail, hh) }})
	}
	p.paged(blocks, p.end-m.mm(4))
	p.footer(foot{back: c.Back})
}

// option is one large choice over the whole width.
func (p *page) option(o service.Option, detail string, h float32) {
	m := p.m
	label := p.t.say(o.Label)
	b := p.t.newButton("option."+o.ID, label, plain, func() { p.t.answer(service.Chosen{ID: o.ID}) })
	p.place(b, p.x, p.y, p.w, h)
	pad := m.mm(6)
	was := p.bg
	p.bg = p.pal.Card
	size := fit(label, m.heading(), m.caption(), true, p.w-2*pad-m.mm(8))
	if detail == "" {
		p.raw(label, pad, (h-size*lineHeight)/2, p.w-2*pad-m.mm(8), size, true, p.pal.Ink, left, &b.content, true)
	} else {
		p.raw(label, pad, m.mm(3), p.w-2*pad-m.mm(8), size, true, p.pal.Ink, left, &b.content, true)
		ds := fit(detail, m.caption(), m.caption()*0.8, false, p.w-2*pad-m.mm(8))
		p.raw(detail, pad, m.mm(3)+size*lineHeight, p.w-2*pad-m.mm(8), ds, false, p.pal.Sub, left, &b.content, false)
	}
	p.raw("›", p.w-pad-m.mm(6), (h-m.heading()*lineHeight)/2, m.mm(6), m.heading(), true, p.pal.Primary, right, &b.content, true)
	p.bg = was
	p.y += h + m.gap()
}
