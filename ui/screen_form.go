package ui

// Forms and their keyboards.

import (
	"strings"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/ui/pinyin"
)

func (p *page) form(f service.Form) {
	p.head(p.t.say(f.Title), p.t.say(f.Hint))
	var typing *service.Field
	var others []service.Field // typed ones that are not being typed
	for i, x := range f.Fields {
		switch {
		case x.Kind == service.FieldChoice:
		case x.ID == p.t.state.field:
			typing = &f.Fields[i]
		default:
			others = append(others, x)
		}
	}
	narrow := typing != nil && len(others) > 0 && p.needed(f)+p.keysHeight(*typing) > p.end-p.y
	if narrow {
		p.tabs(f)
	}
	for _, x := range f.Fields {
		switch {
		case x.Kind == service.FieldChoice:
			p.choiceField(x)
		case !narrow || x.ID == typing.ID:
			if !narrow {
				p.fieldLabel(x)
			}
			p.typedField(x)
		}
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

// needed is how high the typed fields are when each stands by itself.
func (p *page) needed(f service.Form) (h float32) {
	for _, x := range f.Fields {
		if x.Kind == service.FieldChoice {
			continue
		}
		h += p.height(p.t.say(x.Label), p.w, p.m.body(), true) + p.m.mm(1.6) + p.m.mm(20) + p.m.mm(1.6) + p.m.mm(3)
		if !x.Problem.IsZero() {
			h += p.height(p.t.say(x.Problem), p.w, p.m.caption(), true) + p.m.mm(1.6)
		}
	}
	return h
}

// keysHeight is the least height of the keys that a field needs.
func (p *page) keysHeight(x service.Field) float32 {
	switch x.Kind {
	case service.FieldLatin, service.FieldText, service.FieldHan:
		return 5*p.m.key() + 4*p.m.mm(3) + p.m.mm(4)
	}
	return 2*p.m.key() + p.m.gap() + p.m.mm(4)
}

// tabs are the typed fields as a row of buttons, where the page has no room for all of them and a keyboard: the one that is being typed
// stands below, without its label.
func (p *page) tabs(f service.Form) {
	var typed []service.Field
	for _, x := range f.Fields {
		if x.Kind != service.FieldChoice {
			typed = append(typed, x)
		}
	}
	gap, h := p.m.gap(), p.m.key()
	w := (p.w - gap*float32(len(typed)-1)) / float32(len(typed))
	for i, x := range typed {
		id, k := "field."+x.ID, plain
		if x.ID == p.t.state.field {
			id, k = "tab."+x.ID, soft // the field itself stands below
		}
		label := p.t.say(x.Label)
		if x.Problem.IsZero() && p.t.state.values[x.ID] != "" {
			label += " ✓"
		}
		p.button(id, label, k, p.x+float32(i)*(w+gap), p.y, w, h, func() { p.t.state.field, p.t.state.typed = x.ID, ""; p.t.build() })
	}
	p.y += h + gap
}

// complete says whether every required field has something and no letter waits to become a character; what a value must be, the engine
// says.
func (p *page) complete(f service.Form) bool {
	if p.t.state.typed != "" {
		return false
	}
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
	active := x.ID == p.t.state.field
	b := p.t.newButton("field."+x.ID, p.t.say(x.Label), plain, func() { p.t.state.field, p.t.state.typed = x.ID, ""; p.t.build() })
	h := m.mm(20)
	p.place(b, p.x, p.y, p.w, h)
	if active {
		b.face.StrokeColor, b.face.StrokeWidth = p.pal.Primary, 4
	}
	v := p.t.state.values[x.ID]
	if active {
		v += strings.Join(pinyin.Pieces(p.t.state.typed), "'")
	}
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

// limitOf is how many characters a field takes.
func limitOf(x service.Field) int {
	if x.Max > 0 {
		return x.Max
	}
	switch x.Kind {
	case service.FieldPhone:
		return 11
	case service.FieldMonth:
		return 6
	case service.FieldDigits:
		return 20
	case service.FieldIDNumber:
		return 18
	case service.FieldText, service.FieldHan:
		return 200
	}
	return 60
}

// keyboard draws the keys that a field needs.
func (p *page) keyboard(x service.Field) {
	press := func(k string) { p.t.key(x, k) }
	switch x.Kind {
	case service.FieldLatin, service.FieldText, service.FieldHan:
		p.letters(x, press)
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

// letters draws a Latin keyboard, with a key that brings signs where they are needed, and one that turns to Chinese and back. While letters
// wait to become characters, the candidates stand where digits stand otherwise.
func (p *page) letters(x service.Field, press func(string)) {
	m := p.m
	signs, han := x.Kind != service.FieldLatin, p.t.han(x)
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
	for i, row := range rows {
		if i == 0 && p.t.state.typed != "" {
			p.candidates(x, y, w, h, gap)
			y += h + gap
			continue
		}
		r := []rune(row)
		x := p.x + (p.w-float32(len(r))*w-float32(len(r)-1)*gap)/2
		for _, c := range r {
			k := string(c)
			if p.t.state.shift && !han {
				k = strings.ToUpper(k)
			}
			b := p.button("key."+string(c), k, plain, x, y, w, h, func() { press(k) })
			b.repeat = true
			x += w + gap
		}
		y += h + gap
	}
	side, at := m.mm(38), p.x
	if han {
		b := p.button("key.'", p.t.ui("part"), plain, at, y, side, h, func() { press("'") })
		b.repeat = true
	} else {
		p.toggle("key.shift", p.t.ui("shift"), p.t.state.shift, at, y, side, h, func() { p.t.state.shift = !p.t.state.shift })
	}
	at += side + gap
	if signs {
		p.toggle("key.signs", p.t.ui("signs"), p.t.state.signs, at, y, side, h, func() { p.t.state.signs = !p.t.state.signs })
		at += side + gap
	}
	if x.Kind == service.FieldHan {
		p.toggle("key.script", p.t.ui("script"), han, at, y, side, h, func() {
			p.t.state.script, p.t.state.typed = scriptHan, ""
			if han {
				p.t.state.script = scriptLatin
			}
		})
		at += side + gap
	}
	b := p.button("key.space", p.t.ui("space"), plain, at, y, p.x+p.w-side-gap-at, h, func() { press(" ") })
	b.repeat = true
	b = p.button("key.del", p.t.ui("delete"), plain, p.x+p.w-side, y, side, h, func() { press("del") })
	b.repeat = true
	p.y = y + h
}

// toggle is a key that is on or off.
func (p *page) toggle(id, label string, on bool, x, y, w, h float32, turn func()) {
	k := plain
	if on {
		k = soft
	}
	p.button(id, label, k, x, y, w, h, func() { turn(); p.t.build() })
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
