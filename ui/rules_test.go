package ui

// The rules that hold for every screen: nothing cut off or overlapping, no character without a glyph, contrast, millimetres.

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"golang.org/x/image/font/opentype"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/service"
)

func fyneSize(s Screen) fyne.Size { return fyne.NewSize(float32(s.Width), float32(s.Height)) }

// screens that every rule is held to.
var panels = []Screen{portrait, {1920, 1080, 546}, {1280, 1024, 482}}

func every(t *testing.T, check func(t *testing.T, x *Terminal, s sample)) {
	for _, panel := range panels {
		for _, lang := range []string{"zh", "en"} {
			for _, large := range []bool{false, true} {
				if underRace && (panel != portrait || lang != "zh") {
					continue
				}
				for _, s := range samples() {
					t.Run(fmt.Sprintf("%dx%d/%s/large=%v/%s", panel.Width, panel.Height, lang, large, s.name), func(t *testing.T) {
						x := newTest(t, panel, lang, large)
						x.put(s)
						check(t, x, s)
					})
				}
			}
		}
	}
}

func TestNothingIsCutOffOrOverlaps(t *testing.T) {
	every(t, func(t *testing.T, x *Terminal, s sample) {
		p := x.lastPage
		if p.over {
			t.Error("something did not fit")
		}
		for _, w := range p.texts {
			if w.control {
				continue
			}
			if got := measure(w.text, w.size, w.bold); got > w.w+1 {
				t.Errorf("%q is %.0f wide in a box of %.0f", w.text, got, w.w)
			}
		}
		drawn := drawnOn(p.objs)
		for i, a := range drawn {
			if a.x < 0 || a.x+a.w > x.m.w+1 || a.y+a.h > x.m.h+1 {
				t.Errorf("%s lies outside the screen", a.what)
			}
			if a.y < p.end && a.y+a.h > p.end+1 {
				t.Errorf("%s runs %.0f px under the footer", a.what, a.y+a.h-p.end)
			}
			for _, b := range drawn[i+1:] {
				if a.overlaps(b) {
					t.Errorf("%s and %s overlap", a.what, b.what)
				}
			}
			for _, b := range x.buttons {
				if strings.HasPrefix(b.ID, "field.") && a.y >= b.Position().Y && a.y+a.h <= b.Position().Y+b.Size().Height {
					continue // what was typed stands in its field
				}
				if a.overlaps(ink{b.ID, b.Position().X, b.Position().Y, b.Size().Width, b.Size().Height}) {
					t.Errorf("%s and control %s overlap", a.what, b.ID)
				}
			}
		}
		for _, b := range x.buttons {
			on := drawnOn(b.content)
			for i, a := range on {
				if a.x < 0 || a.y < 0 || a.x+a.w > b.Size().Width+1 || a.y+a.h > b.Size().Height+1 {
					t.Errorf("%s runs over the edge of control %s", a.what, b.ID)
				}
				for _, o := range on[i+1:] {
					if a.overlaps(o) {
						t.Errorf("%s and %s overlap on control %s", a.what, o.what, b.ID)
					}
				}
			}
		}
		for _, b := range x.buttons {
			if b.ID == "emblem" {
				continue // it is larger than the sign that is seen
			}
			if at, size := b.Position(), b.Size(); at.Y < x.m.header() && at.X+size.Width > x.m.w-x.m.margin()+1 {
				t.Errorf("control %s of the header stands in the margin", b.ID)
			}
		}
		for i, a := range x.buttons {
			ap, as := a.Position(), a.Size()
			if p.end > 0 && ap.Y < p.end && ap.Y+as.Height > p.end+1 {
				t.Errorf("control %s runs under the footer", a.ID)
			}
			if ap.X < 0 || ap.Y < 0 || ap.X+as.Width > x.m.w+1 || ap.Y+as.Height > x.m.h+1 {
				t.Errorf("control %s lies outside the screen", a.ID)
			}
			for _, b := range x.buttons[i+1:] {
				bp, bs := b.Position(), b.Size()
				if ap.X < bp.X+bs.Width && bp.X < ap.X+as.Width && ap.Y < bp.Y+bs.Height && bp.Y < ap.Y+as.Height {
					t.Errorf("controls %s and %s overlap", a.ID, b.ID)
				}
			}
		}
	})
}

// ink is a text or a picture where it was really drawn.
type ink struct {
	what       string
	x, y, w, h float32
}

func (a ink) overlaps(b ink) bool {
	return a.x < b.x+b.w-1 && b.x < a.x+a.w-1 && a.y < b.y+b.h-1 && b.y < a.y+a.h-1
}

// drawnOn are the texts and pictures among objects. Of a line of text the part counts that glyphs of the face fill: 0.2 em of
// a line are air above and below.
func drawnOn(objs []fyne.CanvasObject) (all []ink) {
	for _, o := range objs {
		at, size := o.Position(), o.Size()
		switch c := o.(type) {
		case *canvas.Text:
			air := c.TextSize * 0.2
			all = append(all, ink{strconv.Quote(c.Text), at.X, at.Y + air, size.Width, size.Height - 2*air})
		case *canvas.Image:
			all = append(all, ink{"a picture", at.X, at.Y, size.Width, size.Height})
		}
	}
	return all
}

func TestControlsHaveTheirMillimetres(t *testing.T) {
	every(t, func(t *testing.T, x *Terminal, s sample) {
		mm := x.m.pxmm
		for i, b := range x.buttons {
			w, h := b.Size().Width/mm, b.Size().Height/mm
			switch {
			case b.kind == primary && (w < 40 || h < 20 || x.set.large && h < 25):
				t.Errorf("primary button %s is %.1f by %.1f mm", b.ID, w, h)
			case strings.HasPrefix(b.ID, "key.") && (h < 16 || w < 16 && !strings.HasPrefix(s.name, "form-latin")):
				t.Errorf("key %s is %.1f by %.1f mm", b.ID, w, h)
			case w < 16 && !strings.HasPrefix(b.ID, "key.") || h < 16:
				t.Errorf("control %s is %.1f by %.1f mm", b.ID, w, h)
			}
			for _, o := range x.buttons[i+1:] {
				if g := apart(b, o) / mm; g < 2.9 {
					t.Errorf("controls %s and %s are %.1f mm apart", b.ID, o.ID, g)
				}
			}
		}
		for _, w := range x.lastPage.texts {
			// capital letters of the face are 0.733 em high
			least := float32(4.8)
			if x.set.large {
				least = 6.1
			}
			if cap := w.size * 0.733 / mm; cap < least-0.15 && !w.control {
				t.Errorf("%q has capitals of %.2f mm", w.text, cap)
			}
		}
	})
}

// apart is the gap between two controls in pixels; far when they do not face each other.
func apart(a, b *Button) float32 {
	ap, as, bp, bs := a.Position(), a.Size(), b.Position(), b.Size()
	dx := max(bp.X-(ap.X+as.Width), ap.X-(bp.X+bs.Width))
	dy := max(bp.Y-(ap.Y+as.Height), ap.Y-(bp.Y+bs.Height))
	return max(dx, dy)
}

func TestEveryPairOfColoursHasItsContrast(t *testing.T) {
	if underRace {
		t.Skip("nothing in it runs beside anything")
	}
	for look := range Palettes {
		t.Run(look, func(t *testing.T) {
			for _, s := range samples() {
				x := newTest(t, portrait, "zh", false)
				set := x.set
				set.look = look
				x.apply(set)
				x.put(s)
				for _, w := range x.lastPage.texts {
					least := 7.0
					switch {
					case w.control || w.bold && w.size >= 26:
						least = 4.5
					case w.fg == x.palette().Sub || w.size <= x.m.caption():
						least = 6
					}
					if c := Contrast(w.fg, w.bg); c < least {
						t.Errorf("%s: %q has %.2f:1, expected %.1f", s.name, w.text, c, least)
					}
				}
			}
		})
	}
}

func TestEveryCharacterHasAGlyph(t *testing.T) {
	var fonts [2]*opentype.Font
	for i, n := range []string{"ui-regular.otf", "ui-bold.otf"} {
		f, err := opentype.Parse(assets.Font(n))
		if err != nil {
			t.Fatal(err)
		}
		fonts[i] = f
	}
	words, err := LoadWords(assets.FS, "lang")
	if err != nil {
		t.Fatal(err)
	}
	for lang, all := range words {
		for id, s := range all {
			for _, r := range s {
				if r != '\n' && (!hasGlyph(fonts[0], r) || !hasGlyph(fonts[1], r)) {
					t.Errorf("%s %s: %q has no glyph", lang, id, r)
				}
			}
		}
	}
	rare, err := wide()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range "𠮷䶮㙓龘㐂直骨角令海门" {
		if !hasGlyph(rare, r) {
			t.Errorf("%q has no glyph in the face of names", r)
		}
	}
}

// TestNoBoxStandsForACharacter: what the face lacks is marked, and the page says what the mark means; nothing is marked that can be drawn.
func TestNoBoxStandsForACharacter(t *testing.T) {
	same := func(a, b string) bool {
		t.Helper()
		x, err := picture(a, 40, color.NRGBA{A: 255})
		if err != nil {
			t.Fatal(err)
		}
		y, err := picture(b, 40, color.NRGBA{A: 255})
		if err != nil {
			t.Fatal(err)
		}
		return x.Rect == y.Rect && bytes.Equal(x.Pix, y.Pix)
	}
	for _, x := range []struct {
		name, drawn string
		lacks       bool
	}{
		{"李\uE863", "李〓", true}, {"\uE863", "〓", true}, {"李\U000F0000文", "李〓文", true},
		{"赵䶮𠮷", "赵䶮𠮷", false}, {"葛\U000E0100城", "葛城", false}, {"a\x00b", "ab", false},
	} {
		if !same(x.name, x.drawn) {
			t.Errorf("%q is not drawn as %q", x.name, x.drawn)
		}
		if lacking([]service.Row{{Plain: "汉"}, {Plain: x.name, Masked: "*", Private: true}}) != x.lacks {
			t.Errorf("%q lacks a character: %v expected", x.name, x.lacks)
		}
	}
	if same("\uE863", "口") || same("\uE863", "□") || same("\uE863", "") {
		t.Error("the mark is a box, or nothing")
	}
	for name, told := range map[string]bool{"review-lacking": true, "review-shown": false} {
		x := newTest(t, portrait, "zh", false)
		x.put(sample{what: named(t, name)})
		if got := slices.ContainsFunc(x.lastPage.texts, func(p placed) bool { return strings.Contains(p.text, "〓") }); got != told {
			t.Errorf("%s: the mark is explained: %v", name, got)
		}
	}
}

func TestLanguagesHaveTheSameMessages(t *testing.T) {
	words, err := LoadWords(assets.FS, "lang")
	if err != nil {
		t.Fatal(err)
	}
	for lang, all := range words {
		for other, theirs := range words {
			for id := range all {
				if _, there := theirs[id]; !there {
					t.Errorf("%s is in %s and not in %s", id, lang, other)
				}
			}
		}
	}
}

// A personal value is a picture, and stands on the line that its label is written on.
func TestAValueStandsOnItsLabelsLine(t *testing.T) {
	for _, name := range []string{"review", "decision", "pay", "progress", "done"} {
		x := newTest(t, portrait, "zh", false)
		for _, s := range samples() {
			if s.name == name {
				x.put(s)
			}
		}
		rows := 0
		for _, o := range x.lastPage.objs {
			value, is := o.(*canvas.Image)
			if !is || value.Size().Height > 2*x.m.body() || value.Position().X < x.m.w/2 {
				continue // a code to scan, or a sign
			}
			for _, o := range x.lastPage.objs {
				label, is := o.(*canvas.Text)
				if !is || label.Position().X > x.m.w/2 || label.Position().Y > value.Position().Y+value.Size().Height || label.Position().Y+label.Size().Height < value.Position().Y {
					continue
				}
				rows++
				if off := value.Position().Y + x.m.body()*pictureLine - label.Position().Y - label.TextSize*textLine; off < -1.5 || off > 1.5 {
					t.Errorf("%s: the value of %q stands %.1f px off its line", name, label.Text, off)
				}
			}
		}
		if rows == 0 {
			t.Errorf("%s has no personal value", name)
		}
	}
}

// What is chosen has a sign: a colour alone does not say it.
func TestTheChosenHasASign(t *testing.T) {
	for name, chosen := range map[string]string{"form-choice": "option.school", "pay-ways": "way.alipay"} {
		x := newTest(t, portrait, "zh", false)
		for _, s := range samples() {
			if s.name == name {
				x.put(s)
			}
		}
		found := false
		for _, b := range x.buttons {
			signs := 0
			for _, o := range b.content {
				if _, is := o.(*canvas.Line); is {
					signs++
				}
			}
			if b.ID == chosen {
				found = true
			}
			if (strings.HasPrefix(b.ID, "option.") || strings.HasPrefix(b.ID, "way.")) && (b.kind == soft) != (signs > 0) || b.ID == chosen && signs == 0 {
				t.Errorf("%s: control %s has %d lines", name, b.ID, signs)
			}
		}
		if !found {
			t.Errorf("%s: no control %s", name, chosen)
		}
	}
}
