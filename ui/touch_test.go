package ui

// What a finger does: every prompt's answers, going back, leaving, the patience of a visit, and that nothing of a citizen
// stays behind.

import (
	"bytes"
	"image"
	"image/png"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/service"
)

// hand is a citizen's hand on a screen whose clock it turns.
type hand struct {
	*Terminal
	t       *testing.T
	now     time.Time
	answers chan reply
}

func newHand(t *testing.T, panel Screen) *hand {
	t.Helper()
	words, err := LoadWords(assets.FS, "lang")
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{t: t, now: noon}
	a := test.NewApp()
	w := a.NewWindow("")
	h.Terminal = New(Options{App: a, Window: w, Screen: panel, Language: "zh", Site: "示例区市民之家", Terminal: "03 号终端", Words: words,
		Link: always(service.LinkUp), Now: func() time.Time { return h.now }})
	w.Resize(fyneSize(panel))
	t.Cleanup(func() { w.Close() })
	return h
}

func (h *hand) ask(p service.Prompt) {
	h.answers = make(chan reply, 1)
	h.show(p, nil, h.answers, time.Time{})
}

// find is the control with an id, nil where there is none.
func (h *hand) find(id string) *Button {
	for _, b := range h.buttons {
		if b.ID == id {
			return b
		}
	}
	return nil
}

// tap presses and lifts, a second after whatever was before.
func (h *hand) tap(ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		h.now = h.now.Add(time.Second)
		h.tremble(id)
	}
}

// tremble taps without letting time pass.
func (h *hand) tremble(id string) {
	h.t.Helper()
	b := h.find(id)
	if b == nil {
		var has []string
		for _, b := range h.buttons {
			has = append(has, b.ID)
		}
		h.t.Fatalf("%s has no control %q: %v", h.name(), id, has)
	}
	e := middle(b)
	b.MouseDown(e)
	b.MouseUp(e)
}

func middle(b *Button) *desktop.MouseEvent {
	s := b.Size()
	return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(s.Width/2, s.Height/2)}}
}

// wait lets seconds pass, one tick each.
func (h *hand) wait(d time.Duration) {
	for end := h.now.Add(d); h.now.Before(end); {
		h.now = h.now.Add(time.Second)
		h.tick()
	}
}

// got is the answer that was given, nil while there is none.
func (h *hand) got() any {
	select {
	case r := <-h.answers:
		if r.err != nil {
			return r.err
		}
		return r.answer
	default:
		return nil
	}
}

// named is a sample's prompt.
func named(t *testing.T, name string) service.Prompt {
	t.Helper()
	for _, s := range samples() {
		if s.name == name {
			return s.what.(service.Prompt)
		}
	}
	t.Fatalf("no sample %s", name)
	return nil
}

func TestAnswersOfEachPrompt(t *testing.T) {
	for _, x := range []struct {
		prompt string
		taps   string
		want   any
	}{
		{"attract", "begin", service.Next{}},
		{"attract", "tile.SB-P", service.ItemChosen{Code: "SB-P"}},
		{"home", "tile.12345", service.ItemChosen{Code: "12345"}},
		{"home", "tile.GUIDE", nil}, // cannot be finished now
		{"home", "exit", service.ErrLeft},
		{"consent", "next", service.Next{}},
		{"consent", "back", service.ErrBack},
		{"consent", "exit", service.ErrLeft},
		{"identify", "back", service.ErrBack},
		{"verify", "key.1 key.2 key.3 next", nil}, // too short: the button is grey
		{"verify", "key.1 key.2 key.3 key.4 key.5 key.6 next", service.Entered{Value: "123456"}},
		{"verify", "key.1 key.2 key.9 key.del key.3 key.4 key.5 key.6 key.7 next", service.Entered{Value: "123456"}}, // the seventh is not taken
		{"verify", "again", service.Again{}},
		{"form-choice", "option.loan option.s next", service.Filled{Values: map[string]string{"purpose": "loan", "period": "s"}}},
		{"form-phone", "key.1 key.3 key.8 key.del next", service.Filled{Values: map[string]string{"phone": "13"}}},
		{"form-latin", "next", nil}, // required and empty
		{"form-latin", "key.shift key.e key.1 key.shift key.a key.space next", service.Filled{Values: map[string]string{"no": "E1a "}}},
		{"choose", "option.d", service.Chosen{ID: "d"}},
		{"choose", "back", service.ErrBack},
		{"ink", "next", nil}, // nothing was drawn
		{"review", "next", service.Next{}},
		{"result", "slip", service.PrintSlip{}},
		{"result", "next", service.Next{}},
		{"guide", "slip", service.PrintSlip{}},
		{"wait", "", nil},
		{"done", "rate.1", service.Rated{Level: "1"}},
		{"done", "skip", service.Rated{}},
		{"trouble", "next", service.Next{}},
	} {
		t.Run(x.prompt+"/"+x.taps, func(t *testing.T) {
			h := newHand(t, portrait)
			h.ask(named(t, x.prompt))
			h.tap(strings.Fields(x.taps)...)
			if got := h.got(); !reflect.DeepEqual(got, x.want) {
				t.Errorf("answer %#v, want %#v", got, x.want)
			}
		})
	}
}

func TestAnswerIsGivenOnce(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "review"))
	h.tremble("next")
	h.tremble("next") // within the tremble's time
	h.tap("next", "back", "exit")
	if got := h.got(); got != (service.Next{}) {
		t.Fatalf("answer %#v", got)
	}
	if got := h.got(); got != nil {
		t.Errorf("a second answer: %#v", got)
	}
}

// A key may be pressed again at once; a button that was pressed twice in a tremble may not, nor on the next screen.
func TestTrembleIsOneTap(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "consent"))
	h.tremble("next")
	h.ask(named(t, "review"))
	h.tremble("next")
	if got := h.got(); got != nil {
		t.Errorf("the tremble answered the next screen: %#v", got)
	}
	h.tap("next")
	if got := h.got(); got != (service.Next{}) {
		t.Errorf("answer %#v", got)
	}
	h.ask(service.EnterCode{Digits: 6})
	h.tremble("key.7")
	h.tremble("key.7")
	if got := h.state.values["code"]; got != "77" {
		t.Errorf("typed %q", got)
	}
}

func TestFingerThatSlidesOffDoesNothing(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "review"))
	b := h.find("next")
	b.MouseDown(middle(b))
	b.MouseUp(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(-5, 4)}})
	if got := h.got(); got != nil {
		t.Errorf("answer %#v", got)
	}
	other := h.find("back")
	b.MouseDown(middle(b))
	other.MouseUp(middle(other))
	if got := h.got(); got != nil {
		t.Errorf("pressed one, lifted on the other: %#v", got)
	}
}

func TestLargeAndLanguageKeepWhatWasTyped(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "form-phone"))
	h.tap("key.1", "key.3", "large")
	small := h.lastPage.texts
	h.tap("large")
	if v := h.state.values["phone"]; v != "13" {
		t.Errorf("typed %q", v)
	}
	if h.set.large || len(small) == 0 {
		t.Error("large mode is one tap there and one back")
	}
	h.ask(named(t, "home"))
	h.tap("lang")
	if h.Language() != "en" {
		t.Errorf("language %q", h.Language())
	}
	if !slices.ContainsFunc(h.lastPage.texts, func(p placed) bool { return strings.Contains(p.text, "Requests to 12345") }) {
		t.Error("the tiles are not in English")
	}
	h.tap("contrast")
	if h.set.look != "black-on-white" {
		t.Errorf("look %q", h.set.look)
	}
	h.wipe()
	if h.set != (settings{"zh", false, "normal"}) {
		t.Errorf("settings after the visit: %+v", h.set)
	}
}

func TestHelpStandsOverThePrompt(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "form-choice"))
	h.tap("option.job", "help")
	if h.find("option.job") != nil {
		t.Error("the form is still there under help")
	}
	h.tap("help-close", "next")
	if got := h.got(); !reflect.DeepEqual(got, service.Filled{Values: map[string]string{"purpose": "job", "period": "m"}}) {
		t.Errorf("answer %#v", got)
	}
}

func TestPatience(t *testing.T) {
	t.Run("warns at 40 s and ends at 60 s", func(t *testing.T) {
		h := newHand(t, portrait)
		h.ask(named(t, "consent"))
		h.wait(39 * time.Second)
		if h.warning {
			t.Error("warned early")
		}
		h.wait(time.Second)
		if h.probe().Screen != "warning" {
			t.Error("no warning")
		}
		if s := h.countdown.Text; !strings.Contains(s, "20") {
			t.Errorf("the warning says %q", s)
		}
		h.wait(19 * time.Second)
		if got := h.got(); got != nil {
			t.Fatalf("ended early: %v", got)
		}
		h.wait(time.Second)
		if got := h.got(); got != service.ErrTimedOut {
			t.Errorf("answer %v", got)
		}
	})
	t.Run("more time may be asked for ten times", func(t *testing.T) {
		h := newHand(t, portrait)
		h.ask(named(t, "consent"))
		for range 10 {
			h.wait(45 * time.Second)
			h.tap("more-time")
			if h.find("next") == nil {
				t.Fatal("the prompt did not come back")
			}
		}
		h.wait(45 * time.Second)
		if h.find("more-time") != nil {
			t.Error("more time is offered an eleventh time")
		}
		h.wait(15 * time.Second)
		if got := h.got(); got != service.ErrTimedOut {
			t.Errorf("answer %v", got)
		}
	})
	t.Run("a finger beside the buttons counts", func(t *testing.T) {
		h := newHand(t, portrait)
		h.ask(named(t, "consent"))
		h.wait(35 * time.Second)
		for _, o := range h.root.Objects {
			if g, ok := o.(*ground); ok {
				g.MouseDown(&desktop.MouseEvent{})
				g.MouseUp(&desktop.MouseEvent{})
			}
		}
		h.wait(35 * time.Second)
		if h.warning {
			t.Error("warned a person who touched the screen")
		}
	})
	t.Run("waiting for machines does not end a visit", func(t *testing.T) {
		h := newHand(t, portrait)
		for _, p := range []service.Prompt{service.Wait{CancelAfter: 15 * time.Second}, service.TakeCard{}, service.TakeOutput{}, service.Attract{}} {
			h.ask(p)
			h.wait(5 * time.Minute)
			if got := h.got(); got != nil || h.warning {
				t.Errorf("%s: %v", p.Name(), got)
			}
		}
	})
	t.Run("a long wait offers to give up", func(t *testing.T) {
		h := newHand(t, portrait)
		h.ask(service.Wait{CancelAfter: 15 * time.Second})
		h.wait(14 * time.Second)
		if h.find("cancel") != nil {
			t.Error("offered early")
		}
		h.wait(2 * time.Second)
		h.tap("cancel")
		if got := h.got(); got != (service.Cancelled{}) {
			t.Errorf("answer %v", got)
		}
	})
}

func TestHandwriting(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "ink"))
	at := func(x, y float32) *desktop.MouseEvent {
		return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, y)}}
	}
	stroke := func(x0, y0, x1, y1 float32) {
		h.pad.MouseDown(at(x0, y0))
		h.pad.Dragged(&fyne.DragEvent{PointEvent: at((x0+x1)/2, (y0+y1)/2).PointEvent})
		h.pad.Dragged(&fyne.DragEvent{PointEvent: at(x1, y1).PointEvent})
		h.pad.MouseUp(at(x1, y1))
		h.pad.DragEnd()
	}
	stroke(100, 100, 400, 100)
	stroke(100, 300, 400, 300)
	stroke(100, 500, 400, 500)
	h.pad.MouseMoved(at(900, 900)) // no finger down: no ink
	h.tap("undo", "next")
	d, ok := h.got().(service.Drawn)
	if !ok || d.Strokes != 2 {
		t.Fatalf("answer %T with %d strokes", d, d.Strokes)
	}
	img, err := png.Decode(bytes.NewReader(d.PNG))
	if err != nil {
		t.Fatal(err)
	}
	scale := float64(inkWidth) / float64(h.pad.Size().Width)
	dark := func(x, y float64) bool {
		r, _, _, _ := img.At(int(x*scale), int(y*scale)).RGBA()
		return r < 0x8000
	}
	for _, x := range []struct {
		x, y float64
		ink  bool
	}{{110, 100, true}, {390, 100, true}, {250, 300, true}, {250, 500, false}, {250, 200, false}, {500, 100, false}} {
		if dark(x.x, x.y) != x.ink {
			t.Errorf("ink at %v,%v: %v", x.x, x.y, !x.ink)
		}
	}
}

// bounded: a child that leans on the pad for an hour does not fill the memory.
func TestHandwritingIsBounded(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "ink"))
	e := func(i int) *desktop.MouseEvent {
		return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(float32(100+i%7), float32(100+i%5))}}
	}
	for i := range maxStrokes + 20 {
		h.pad.MouseDown(e(i))
		h.pad.MouseUp(e(i))
	}
	if n := len(h.state.strokes); n != maxStrokes {
		t.Errorf("%d strokes kept", n)
	}
	h.tap("clear")
	h.pad.MouseDown(e(0))
	for i := range maxPoints + 100 {
		h.pad.move(e(i).Position)
	}
	if n := len(h.state.strokes[0]); n > maxPoints {
		t.Errorf("%d points kept", n)
	}
}

// What was typed, drawn and shown is overwritten, not just let go.
func TestNothingOfTheCitizenStays(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "review"))
	h.tap("reveal.0a0")
	pictures := h.private
	if len(pictures) == 0 || !inked(pictures) {
		t.Fatal("no personal value was on the screen")
	}
	h.ask(service.EnterCode{Digits: 6})
	h.tap("key.4", "key.2")
	typed := h.state.values
	pictures = append(pictures, h.private...)
	h.ask(named(t, "ink"))
	h.pad.MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(90, 90)}})
	strokes := h.state.strokes
	pictures = append(pictures, h.private...)
	h.opt.App.Clipboard().SetContent("990000199211050221")
	h.Tell(service.Ended{})
	if inked(pictures) {
		t.Error("a picture of a personal value is still in memory")
	}
	if len(typed) != 0 || strokes[0][0] != (image.Point{}) {
		t.Error("what was typed or drawn is still in memory")
	}
	if h.opt.App.Clipboard().Content() != "" {
		t.Error("the clipboard still holds something")
	}
	if h.prompt != nil || h.probe().Screen != "starting" {
		t.Errorf("%q still stands", h.name())
	}
	for _, o := range h.root.Objects {
		if _, ok := o.(*canvas.Image); ok {
			t.Error("a picture is still on the screen")
		}
	}
}

func inked(pictures []*canvas.Image) bool {
	for _, p := range pictures {
		if slices.ContainsFunc(p.Image.(*image.RGBA).Pix, func(b byte) bool { return b != 0 }) {
			return true
		}
	}
	return false
}

// Personal values never become strings of the toolkit, which keeps drawn strings in a cache.
func TestPersonalValuesAreNeverText(t *testing.T) {
	canaries := []string{"李晓雯", "990000199211050221", "李*雯", "9900**********0221"}
	for _, name := range []string{"review", "result"} {
		h := newHand(t, portrait)
		h.ask(named(t, name))
		for _, b := range slices.Clone(h.buttons) {
			if strings.HasPrefix(b.ID, "reveal.") {
				h.tap(b.ID)
			}
		}
		var walk func(o fyne.CanvasObject)
		walk = func(o fyne.CanvasObject) {
			switch o := o.(type) {
			case *canvas.Text:
				for _, c := range canaries {
					if strings.Contains(o.Text, c) {
						t.Errorf("%s: %q is drawn as text", name, c)
					}
				}
			case *fyne.Container:
				for _, c := range o.Objects {
					walk(c)
				}
			case fyne.Widget:
				for _, c := range test.WidgetRenderer(o).Objects() {
					walk(c)
				}
			}
		}
		walk(h.root)
		for _, c := range h.probe().Controls {
			for _, x := range canaries {
				if strings.Contains(c.Label, x) || strings.Contains(c.ID, x) {
					t.Errorf("%s: the probe tells %q", name, x)
				}
			}
		}
	}
}

// An answer of the engine's own (a card, the platform) takes the prompt away: a finger that comes too late does nothing.
func TestTapAfterThePromptIsGone(t *testing.T) {
	h := newHand(t, portrait)
	h.ask(named(t, "review"))
	old := h.find("next")
	h.Tell(service.Progress{Title: both("正在打印", "Printing")})
	old.MouseDown(middle(old))
	h.now = h.now.Add(time.Second)
	old.MouseUp(middle(old))
	if got := h.got(); got != nil {
		t.Errorf("answer %v", got)
	}
}
