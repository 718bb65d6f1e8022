package ui

// Chinese on a keyboard of letters: what was typed of a syllable stands in the field, its characters stand above the letters, and whoever
// touches one goes on. The table is ui/pinyin's.

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/ui/pinyin"
)

// offered is how many candidates stand on the screen at once; beside them are the keys that turn the page.
const offered = 8

// han says whether letters become characters in a field.
func (t *Terminal) han(x service.Field) bool {
	if x.Kind != service.FieldHan {
		return false
	}
	return t.state.script == scriptHan || t.state.script == scriptUsual && t.set.lang == "zh"
}

// key is one key of a field's keyboard: a character, or "del".
func (t *Terminal) key(x service.Field, k string) {
	defer t.build()
	s := &t.state
	letter := len(k) == 1 && (k[0] >= 'a' && k[0] <= 'z' || k[0] == '\'')
	switch {
	case k == "del" && s.typed != "":
		s.typed, s.offer = s.typed[:len(s.typed)-1], 0
		return
	case k == " " && s.typed != "":
		t.pick(x, 0)
		return
	case letter && t.han(x):
		// A letter with which no syllable goes on is not taken.
		if pinyin.Pieces(s.typed+k) != nil {
			s.typed, s.offer = s.typed+k, 0
		}
		return
	case s.typed != "": // first what was begun
		return
	}
	v := []rune(s.values[x.ID])
	switch {
	case k == "del" && len(v) > 0:
		v = v[:len(v)-1]
	case k != "del" && len(v) < limitOf(x):
		v = append(v, []rune(k)...)
	}
	s.values[x.ID] = string(v)
}

// pick takes the candidate at a place of the page that is shown.
func (t *Terminal) pick(x service.Field, at int) {
	s := &t.state
	chars, used := pinyin.Candidates(s.typed)
	at += s.offer * offered
	if at >= len(chars) {
		return
	}
	if utf8.RuneCountInString(s.values[x.ID]) < limitOf(x) {
		s.values[x.ID] += string(chars[at])
	}
	s.typed, s.offer = s.typed[used:], 0
}

// candidates draws one page of them in the place of a row of keys. They are pictures: the screen's own faces do not have every character,
// and what somebody is about to choose may be personal.
func (p *page) candidates(x service.Field, y, w, h, gap float32) {
	chars, _ := pinyin.Candidates(p.t.state.typed)
	from := p.t.state.offer * offered
	for i := range min(offered, len(chars)-from) {
		char := string(chars[from+i])
		label := char
		if x.Private {
			label = strconv.Itoa(i + 1)
		}
		b := p.t.newButton("candidate."+strconv.Itoa(i+1), label, soft, func() { p.t.pick(x, i); p.t.build() })
		b.repeat = true
		p.place(b, p.x+float32(i)*(w+gap), y, w, h)
		p.personalOn(b, char, w, h, p.m.heading())
	}
	turn := func(id, label string, slot int, possible bool, by int) {
		b := p.button(id, label, plain, p.x+float32(slot)*(w+gap), y, w, h, func() { p.t.state.offer += by; p.t.build() })
		b.repeat = true
		if !possible {
			p.disable(b)
		}
	}
	turn("candidate.before", "‹", offered, from > 0, -1)
	turn("candidate.after", "›", offered+1, from+offered < len(chars), 1)
}

// personalOn draws a value as a picture in the middle of a button.
func (p *page) personalOn(b *Button, s string, w, h, size float32) {
	size = min(size, h/lineHeight)
	img, err := picture(s, size, p.pal.Ink)
	if err != nil {
		p.t.opt.Log.Error("picture of a value", "error", err)
		return
	}
	c := canvas.NewImageFromImage(img)
	c.FillMode, c.ScaleMode = canvas.ImageFillStretch, canvas.ImageScaleFastest
	p.t.private = append(p.t.private, c)
	iw, ih := float32(img.Bounds().Dx()), float32(img.Bounds().Dy())
	c.Move(fyne.NewPos(roundPx((w-iw)/2), roundPx((h-ih)/2)))
	c.Resize(fyne.NewSize(iw, ih))
	b.content = append(b.content, c)
}

// typeRune is a key of a keyboard that is plugged in; it works where Options.Keys says so. Digits choose among candidates.
func (t *Terminal) typeRune(r rune) {
	x, is := t.typing()
	if !is || !unicode.IsPrint(r) || r == utf8.RuneError {
		return
	}
	t.touched()
	digit := r >= '0' && r <= '9'
	switch x.Kind {
	case service.FieldHan:
		if n := int(r - '1'); t.state.typed != "" && n >= 0 && n < offered {
			t.pick(x, n)
			t.build()
			return
		}
	case service.FieldText, service.FieldLatin:
	case service.FieldIDNumber:
		if r = unicode.ToUpper(r); !digit && r != 'X' {
			return
		}
	default:
		if !digit {
			return
		}
	}
	t.key(x, string(r))
}

// typeKey is a key that makes no character.
func (t *Terminal) typeKey(e *fyne.KeyEvent) {
	x, is := t.typing()
	if !is {
		return
	}
	t.touched()
	turn := func(by int) {
		if chars, _ := pinyin.Candidates(t.state.typed); t.state.offer+by >= 0 && (t.state.offer+by)*offered < len(chars) {
			t.state.offer += by
			t.build()
		}
	}
	switch e.Name {
	case fyne.KeyBackspace, fyne.KeyDelete:
		t.key(x, "del")
	case fyne.KeyPageDown, fyne.KeyDown:
		turn(1)
	case fyne.KeyPageUp, fyne.KeyUp:
		turn(-1)
	case fyne.KeyEscape:
		t.state.typed = ""
		t.build()
	}
}

// typing is the field that keys write into.
func (t *Terminal) typing() (service.Field, bool) {
	f, is := t.prompt.(service.Form)
	if !is || t.warning || t.help || t.answers == nil {
		return service.Field{}, false
	}
	for _, x := range f.Fields {
		if x.ID == t.state.field && x.Kind != service.FieldChoice {
			return x, true
		}
	}
	return service.Field{}, false
}
