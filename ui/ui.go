// Package ui is what people see and touch: the terminal's screen, in Fyne.
//
// [Terminal] is one citizen as the engine knows it (service.Citizen): Ask shows a prompt and waits in the engine's own
// goroutine, while all drawing happens in Fyne's; callbacks only send. Everything on the screen is built from the prompt that
// stands and the little that was typed since, and built again when language or size change, so a sentence is never kept.
// Sizes come from millimetres ([Screen]), personal values are pictures, and nothing is ever animated.
//
// The package needs no display: whoever starts it brings the Fyne application and window.
package ui

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
)

// Link is where the header learns whether the platform is connected.
type Link interface {
	Link() service.Link
	Changed() <-chan struct{}
}

// Options of [New].
type Options struct {
	App      fyne.App
	Window   fyne.Window
	Screen   Screen
	Language string // at the beginning of each visit
	Site     string
	Terminal string
	Words    service.Messages
	Link     Link          // nil shows nothing about it
	Warn     time.Duration // without a touch until the warning; 0 means 40 s
	End      time.Duration // without a touch until the visit ends; 0 means 60 s
	Extend   int           // how often more time may be asked for; 0 means 10
	Now      func() time.Time
	Log      *slog.Logger
	// Technician is called in Fyne's goroutine when somebody asks for the technician's console, which only works while nobody is
	// served; nil offers no way to it.
	Technician func()
	// Touched is called in Fyne's goroutine when a key or a button is pressed; it must not wait. nil hears nothing.
	Touched func()
	// Keys takes what is typed at a keyboard that is plugged in, into the field that stands; for technicians, before citizens come.
	Keys bool
}

// settings are what a citizen chose for this visit.
type settings struct {
	lang  string
	large bool
	look  string // palette
}

// Terminal is the screen. Its fields below opt belong to Fyne's goroutine.
type Terminal struct {
	opt  Options
	m    metrics
	set  settings
	root *fyne.Container

	prompt   service.Prompt // what stands; nil when a view does
	view     service.View
	answers  chan<- reply
	state    state  // what was typed and chosen since the prompt came
	seq      uint64 // grows with every prompt and view
	buttons  []*Button
	private  []*canvas.Image // pictures of personal values on the screen
	pad      *inkPad         // the drawing surface, when it is on the screen
	lastPage *page           // for the rules that tests hold pages to

	pressed   *Button
	glowing   *Button // tapped, and drawn as pressed until the page that its answer brings
	lastTap   string
	lastTapAt time.Time

	touchedAt time.Time
	extended  int
	warning   bool
	help      bool
	shownAt   time.Time
	deadline  time.Time // of the standing prompt's context
	clock     *canvas.Text
	countdown *canvas.Text
	expiry    *canvas.Text  // of a code that is to be paid
	stay      *canvas.Text  // how long a technician may stay
	knocked   []time.Time   // when the emblem was touched
	preview   *preview      // of the camera, while a Pose stands
	pictures  uint64        // of the camera, drawn since the start
	shutter   time.Time     // when a Pose ended, until something else stands
	judged    time.Duration // from the last shutter to the page with the photos, or with why there are none

	mu  sync.Mutex
	now string // language, for the engine's goroutine
}

type reply struct {
	answer service.Answer
	err    error
}

// New builds the screen into the window.
func New(opt Options) *Terminal {
	if opt.Warn == 0 {
		opt.Warn = 40 * time.Second
	}
	if opt.End == 0 {
		opt.End = 60 * time.Second
	}
	if opt.Extend == 0 {
		opt.Extend = 10
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Language == "" {
		opt.Language = "zh"
	}
	t := &Terminal{opt: opt, set: settings{opt.Language, false, "normal"}, touchedAt: opt.Now(), now: opt.Language}
	t.root = container.New(&frame{t})
	opt.App.Settings().SetTheme(Theme{t.palette()})
	opt.Window.SetPadded(false)
	opt.Window.SetContent(t.root)
	if opt.Keys {
		opt.Window.Canvas().SetOnTypedRune(t.typeRune)
		opt.Window.Canvas().SetOnTypedKey(t.typeKey)
	}
	t.m = newMetrics(opt.Screen, float32(opt.Screen.Width), float32(opt.Screen.Height), false)
	t.view = starting{}
	t.build()
	return t
}

// starting stands until the engine says something.
type starting struct{}

func (starting) Name() string { return "starting" }

// frame gives the window's size to the screen; objects place themselves.
type frame struct{ t *Terminal }

func (f *frame) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(1, 1) }
func (f *frame) Layout(_ []fyne.CanvasObject, s fyne.Size) {
	if s.Width == f.t.m.w && s.Height == f.t.m.h || s.Width < 300 || s.Height < 300 {
		return
	}
	f.t.m.w, f.t.m.h = s.Width, s.Height
	f.t.build()
}

func (t *Terminal) palette() Palette { return Palettes[t.set.look] }

func (t *Terminal) say(x service.Text) string { return t.opt.Words.Say(t.set.lang, x) }

// ui words one of the screen's own messages.
func (t *Terminal) ui(id string, pairs ...string) string { return t.say(service.T("ui."+id, pairs...)) }

// Language implements service.Speaker.
func (t *Terminal) Language() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// Ask implements service.Citizen.
func (t *Terminal) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	answers := make(chan reply, 1)
	deadline, _ := ctx.Deadline()
	fyne.Do(func() { t.show(p, nil, answers, deadline) })
	if _, poses := p.(service.Pose); poses {
		defer func() {
			at := time.Now()
			fyne.Do(func() { t.shutter = at })
		}()
	}
	select {
	case r := <-answers:
		return r.answer, r.err
	case <-ctx.Done():
		// An answer that was given at the same moment counts.
		select {
		case r := <-answers:
			return r.answer, r.err
		default:
		}
		fyne.Do(func() {
			if t.answers == answers {
				t.answers = nil
			}
		})
		return nil, context.Cause(ctx)
	}
}

// Tell implements service.Citizen.
func (t *Terminal) Tell(v service.View) {
	fyne.Do(func() {
		switch v := v.(type) {
		case service.CardNote:
			t.state.note = v.Event
			t.build()
		case service.Ended:
			t.wipe()
		default:
			t.show(nil, v, nil, time.Time{})
		}
	})
}

// show replaces what stands. A prompt of the same kind about the same thing keeps nothing of the one before.
func (t *Terminal) show(p service.Prompt, v service.View, answers chan<- reply, deadline time.Time) {
	if u, updates := v.(service.Progress); updates {
		if _, stood := t.view.(service.Progress); stood {
			t.view = u
			t.build()
			return
		}
	}
	t.forget()
	t.prompt, t.view, t.answers, t.deadline = p, v, answers, deadline
	t.state = newState(p)
	t.shownAt, t.touchedAt = t.opt.Now(), t.opt.Now()
	t.warning, t.help = false, false
	t.seq++
	t.build()
	switch p.(type) {
	case service.PickPhoto, service.Pose:
		if !t.shutter.IsZero() {
			t.judged = time.Since(t.shutter)
		}
	}
	t.shutter = time.Time{}
	if x, poses := p.(service.Pose); poses && x.Live != nil {
		go t.follow(x.Live, t.seq)
	}
}

// name is the screen's.
func (t *Terminal) name() string {
	switch {
	case t.prompt != nil:
		return t.prompt.Name()
	case t.view != nil:
		return t.view.Name()
	}
	return ""
}

// answer ends the standing prompt.
func (t *Terminal) answer(a service.Answer) { t.reply(reply{answer: a}) }

func (t *Terminal) reply(r reply) {
	if t.answers == nil {
		return
	}
	t.answers <- r
	t.answers = nil
}

func (t *Terminal) leave() { t.reply(reply{err: service.ErrLeft}) }
func (t *Terminal) back()  { t.reply(reply{err: service.ErrBack}) }

// touched restarts the patience.
func (t *Terminal) touched() { t.touchedAt = t.opt.Now() }

// forget drops what is personal on the screen.
func (t *Terminal) forget() {
	t.forgetPictures()
	t.state.wipe()
}

// forgetPictures wipes what is personal in pictures, and has Fyne let go of what OpenGL has of them when it draws next, not when they have
// lain in its cache long enough.
func (t *Terminal) forgetPictures() {
	for _, c := range t.private {
		wipe(c.Image)
		c.Refresh()
	}
	t.private = nil
}

// wipe ends a visit: nothing of the citizen stays, settings go back.
func (t *Terminal) wipe() {
	t.forget()
	t.prompt, t.view, t.answers = nil, starting{}, nil
	t.state = state{}
	t.extended = 0
	t.opt.App.Clipboard().SetContent("")
	t.apply(settings{t.opt.Language, false, "normal"})
	time.AfterFunc(time.Second, collect) // when the engine and the next picture have let go as well
}

// collect has Go take back what nobody uses any more, and give it to the system; with GODEBUG=clobberfree=1 the rest of it is overwritten.
// Twice, as what a sync.Pool keeps survives one collection.
func collect() {
	runtime.GC()
	debug.FreeOSMemory()
}

// apply changes language, size or colours while a prompt stands.
func (t *Terminal) apply(s settings) {
	if s.look != t.set.look {
		t.set = s
		t.opt.App.Settings().SetTheme(Theme{t.palette()})
	}
	t.set = s
	t.m = newMetrics(t.opt.Screen, t.m.w, t.m.h, s.large)
	t.mu.Lock()
	t.now = s.lang
	t.mu.Unlock()
	t.build()
}

// Speak changes the language, of this visit and of those after it. It may be called from any goroutine but Fyne's.
func (t *Terminal) Speak(lang string) {
	fyne.DoAndWait(func() {
		t.opt.Language = lang
		s := t.set
		s.lang = lang
		t.apply(s)
	})
}

// Run keeps clock, countdown and link true until ctx ends.
func (t *Terminal) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var changed <-chan struct{}
	for {
		if t.opt.Link != nil {
			changed = t.opt.Link.Changed()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fyne.Do(t.tick)
		case <-changed:
			fyne.Do(t.build)
		}
	}
}

// patient says whether the standing prompt waits for a person who may have left.
func (t *Terminal) patient() bool {
	switch t.prompt.(type) {
	case nil, service.Attract, service.Wait, service.TakeCard, service.TakeOutput, service.Pay, service.AwaitStaff, maintain.Panel:
		return false // somebody is on their way; a payment may be under way in somebody's hand: the page goes when its code does; a technician has a clock of their own
	}
	return t.answers != nil
}

// decisionPatience is how much longer than elsewhere whoever waits for an official may stand without touching anything.
const decisionPatience = 3

// tick is a second.
func (t *Terminal) tick() {
	now := t.opt.Now()
	t.glowing.release()
	t.glowing = nil
	if c := now.Format("15:04"); t.clock != nil && t.clock.Text != c {
		t.clock.Text = c
		t.redraw(t.clock)
	}
	if w, waits := t.prompt.(service.Wait); waits && !t.state.late && w.CancelAfter > 0 && now.Sub(t.shownAt) >= w.CancelAfter {
		t.state.late = true
		t.build()
	}
	if x, pays := t.prompt.(service.Pay); pays && t.expiry != nil {
		if s := t.payLeft(x, now); t.expiry.Text != s {
			t.expiry.Text = s
			t.expiry.Refresh()
		}
	}
	if x, console := t.prompt.(maintain.Panel); console && t.stay != nil {
		if s := t.authorised(x, now); t.stay.Text != s {
			t.stay.Text = s
			t.stay.Refresh()
		}
	}
	if !t.patient() {
		return
	}
	idle := now.Sub(t.touchedAt)
	end := t.opt.End
	if _, waits := t.prompt.(service.AwaitDecision); waits {
		end *= decisionPatience
	}
	switch {
	case idle >= end:
		t.reply(reply{err: service.ErrTimedOut})
	case idle >= end-t.opt.End+t.opt.Warn && !t.warning:
		t.warning = true
		t.build()
	case t.countdown != nil:
		t.count(now)
	}
}

// left is how many seconds until the visit, or the prompt, ends by itself.
func (t *Terminal) left(now time.Time) int {
	d := t.touchedAt.Add(t.opt.End).Sub(now)
	if _, waits := t.prompt.(service.AwaitDecision); waits {
		d += (decisionPatience - 1) * t.opt.End
	}
	if !t.deadline.IsZero() {
		d = min(d, t.deadline.Sub(now))
	}
	return max(0, int(d.Seconds()+0.5))
}

func (t *Terminal) count(now time.Time) {
	id := "countdown"
	if t.warning {
		id = "warning.seconds"
	}
	if s := t.ui(id, "seconds", fmt.Sprint(t.left(now))); t.countdown.Text != s {
		t.countdown.Text = s
		t.countdown.Refresh()
	}
}

// moreTime is what "I need more time" does.
func (t *Terminal) moreTime() {
	t.warning = false
	t.extended++
	t.touched()
	t.build()
}

// Capture is a picture of the screen.
func (t *Terminal) Capture() (img image.Image) {
	fyne.DoAndWait(func() { img = t.opt.Window.Canvas().Capture() })
	return img
}
