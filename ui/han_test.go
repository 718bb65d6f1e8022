package ui

// Chinese typed with a finger on the screen, and with a keyboard that is plugged in.

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"

	"github.com/budayang/kiosk/service"
)

// choose touches the candidate that shows a character, turning pages until it stands there.
func (h *hand) choose(char string) {
	h.t.Helper()
	for range 60 {
		for _, b := range h.buttons {
			if strings.HasPrefix(b.ID, "candidate.") && b.Label == char {
				h.tap(b.ID)
				return
			}
		}
		h.tap("candidate.after")
	}
	h.t.Fatalf("%s is not among the candidates of %s", char, h.state.typed)
}

// spell touches the keys of letters.
func (h *hand) spell(letters string) {
	h.t.Helper()
	for _, c := range letters {
		h.tap("key." + string(c))
	}
}

func TestAHallsNameByTouch(t *testing.T) {
	for _, panel := range panels {
		h := newHand(t, panel)
		h.ask(hallForm())
		h.tap("field.site")
		// syllable by syllable, and all at once
		h.spell("zheng")
		h.choose("政")
		h.spell("wudating")
		if b := h.find("next"); !b.off {
			t.Error("letters wait, and the page can be left")
		}
		for _, char := range []string{"务", "大", "厅"} {
			h.choose(char)
		}
		if h.state.typed != "" {
			t.Errorf("%q is left", h.state.typed)
		}
		h.tap("next")
		want := service.Filled{Values: map[string]string{"id": "990000-0003", "no": "03", "site": "政务大厅"}}
		if got := h.got(); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v", panel, got)
		}
	}
}

func TestKeysOfChinese(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(hallForm())
	h.tap("field.site")
	site := func() string { return h.state.values["site"] }
	// a space takes the first; where nothing waits it is a space
	h.spell("shi")
	first := h.find("candidate.1").Label
	h.tap("key.space", "key.space")
	if site() != first+" " {
		t.Errorf("%q", site())
	}
	// del takes letters first, then characters
	h.spell("zh")
	h.tap("key.del", "key.del", "key.del", "key.del")
	if site() != "" || h.state.typed != "" {
		t.Errorf("%q, %q waits", site(), h.state.typed)
	}
	// no syllable begins with i, u, v, or goes on so
	h.spell("iuvzhv")
	if h.state.typed != "zh" {
		t.Errorf("%q waits", h.state.typed)
	}
	h.tap("key.del", "key.del")
	// the apostrophe parts; alone it is nothing
	h.spell("'xi'an")
	h.choose("西")
	h.choose("安")
	if site() != "西安" {
		t.Errorf("%q", site())
	}
	// pages end
	h.spell("shi")
	if !h.find("candidate.before").off {
		t.Error("there is a page before the first")
	}
	for pages := 0; !h.find("candidate.after").off; pages++ {
		if h.tap("candidate.after"); pages > 60 {
			t.Fatal("no last page")
		}
	}
	if h.find("candidate.1") == nil {
		t.Error("the last page is empty")
	}
	// another field lets go of what waits, Latin types as it stands, digits are digits
	h.tap("field.no", "field.site")
	if h.state.typed != "" {
		t.Errorf("%q waits", h.state.typed)
	}
	h.tap("key.script", "key.a", "key.shift", "key.b", "key.shift", "key.3", "key.script")
	if site() != "西安aB3" {
		t.Errorf("%q", site())
	}
	h.spell("qu")
	h.choose("区")
	if site() != "西安aB3区" {
		t.Errorf("%q", site())
	}
	// a field that is full takes no more
	h.ask(service.Form{Page: service.Page{At: -1}, Title: both("x", "x"), Fields: []service.Field{{ID: "place", Kind: service.FieldHan, Label: both("地点", "Place"), Max: 1}}})
	h.spell("dada")
	h.choose("大")
	h.choose("大")
	if got := h.state.values["place"]; got != "大" {
		t.Errorf("%q", got)
	}
}

// On an English screen letters are letters until somebody asks for Chinese.
func TestLatinOnAnEnglishScreen(t *testing.T) {
	h := newHand(t, portrait)
	set := h.set
	set.lang = "en"
	h.apply(set)
	h.ask(hallForm())
	h.tap("field.site")
	h.spell("da")
	if h.state.values["site"] != "da" || h.state.typed != "" {
		t.Errorf("%q, %q waits", h.state.values["site"], h.state.typed)
	}
	h.tap("key.script")
	h.spell("da")
	h.choose("大")
	if h.state.values["site"] != "da大" {
		t.Errorf("%q", h.state.values["site"])
	}
}

// What a citizen spells in a private field is never text of the toolkit, nor told by the probe, nor left behind.
func TestPrivateChineseIsNeverText(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(service.Form{Page: service.Page{At: -1}, Title: both("住址", "Address"), Fields: []service.Field{{ID: "where", Kind: service.FieldHan, Label: both("住址", "Address"), Private: true}}})
	h.spell("hepingjie")
	offered := h.find("candidate.1")
	for _, c := range h.probe().Controls {
		if strings.HasPrefix(c.ID, "candidate.") && !slices.Contains([]string{"1", "2", "3", "4", "5", "6", "7", "8", "‹", "›"}, c.Label) {
			t.Errorf("the probe tells %q", c.Label)
		}
	}
	for _, o := range test.WidgetRenderer(offered).Objects() {
		if _, is := o.(*canvas.Text); is {
			t.Error("a candidate is drawn as text")
		}
	}
	pictures := h.private
	if !inked(pictures) {
		t.Fatal("no candidate was drawn")
	}
	h.tap("candidate.1")
	if inked(pictures) {
		t.Error("candidates are still in memory")
	}
	values := h.state.values
	h.Tell(service.Ended{})
	if h.state.typed != "" || len(values) != 0 {
		t.Error("what was typed is still there")
	}
}

// A keyboard that is plugged in types where it is let: letters, digits for candidates, page keys.
func TestAKeyboardThatIsPluggedIn(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(hallForm())
	h.tap("field.site")
	for _, r := range "zheng" {
		h.typeRune(r)
	}
	at := slices.IndexFunc(h.buttons, func(b *Button) bool { return b.Label == "政" })
	if at < 0 {
		t.Fatal("政 is not on the first page")
	}
	no := strings.TrimPrefix(h.buttons[at].ID, "candidate.")
	h.typeKey(&fyne.KeyEvent{Name: fyne.KeyPageDown})
	h.typeKey(&fyne.KeyEvent{Name: fyne.KeyPageUp})
	h.typeKey(&fyne.KeyEvent{Name: fyne.KeyPageUp})
	h.typeRune([]rune(no)[0])
	for _, r := range "3x" {
		h.typeRune(r)
	}
	h.typeKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	h.typeKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	if got := h.state.values["site"]; got != "政" {
		t.Errorf("%q", got)
	}
	// digits alone where a field takes digits alone, nothing where nobody is asked
	h.ask(named(t, "form-phone"))
	for _, r := range "1a3\x00-8" {
		h.typeRune(r)
	}
	if got := h.state.values["phone"]; got != "138" {
		t.Errorf("%q", got)
	}
	h.ask(named(t, "consent"))
	h.typeRune('a')
	h.typeKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	if got := h.got(); got != nil {
		t.Errorf("%v", got)
	}
}
