// Package guidance shows a citizen, beside the screen, where to act: a lamp at the slot that a prompt is about, and short tones.
//
//	g := guidance.New(guidance.Config{Devices: set})
//	go g.Run(ctx)
//	engine.Serve(ctx, g.Beside(screen))
//
// It looks at what the citizen is asked and nothing else: no step knows of lamps. Lamps are level-triggered. What should be on follows from
// the prompt that stands and from what lies at the mouths; what is on is what the board confirmed; whatever differs is switched, also after
// the board was unplugged. A lamp that was left on by a program that died goes off with the next one's first look, and all go off at the end.
//
// Neither lamps nor sound are ever waited for, and whatever fails there hinders nobody: the screen says everything too.
package guidance

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
)

// Config of [New].
type Config struct {
	Devices devices.Set
	Log     *slog.Logger  // nil discards
	Repeat  time.Duration // between two tones while a prompt is urgent; 0 means 4 s
	Refresh time.Duration // after which every lamp is told anew, whatever is known of it; 0 means 30 s
}

// Guidance switches and plays. Make it with [New].
type Guidance struct {
	cfg   Config
	wake  chan struct{}     // capacity 1: look at the lamps
	tones chan devices.Tone // capacity 1: the next one

	mu     sync.Mutex
	prompt service.Prompt // what stands; nil between two
	open   bool           // citizens are served
}

// New makes a guidance; nothing is switched before [Guidance.Run].
func New(cfg Config) *Guidance {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Repeat == 0 {
		cfg.Repeat = 4 * time.Second
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = 30 * time.Second
	}
	return &Guidance{cfg: cfg, wake: make(chan struct{}, 1), tones: make(chan devices.Tone, 1)}
}

// Run switches lamps and plays tones until ctx ends; then every lamp is off, as far as the board can be reached within two seconds.
func (g *Guidance) Run(ctx context.Context) error {
	var tones sync.WaitGroup
	tones.Go(func() { g.play(ctx) })
	g.light(ctx)
	tones.Wait()
	return nil
}

// Key plays the tone of a key. It never waits and may be called from any goroutine.
func (g *Guidance) Key() { g.tone(devices.ToneKey) }

// Beside is a citizen whose prompts are watched. It speaks the language that c speaks.
func (g *Guidance) Beside(c service.Citizen) service.Citizen {
	if s, speaks := c.(service.Speaker); speaks {
		return speaking{beside{c, g}, s}
	}
	return beside{c, g}
}

type beside struct {
	service.Citizen
	g *Guidance
}

type speaking struct {
	beside
	service.Speaker
}

// Ask implements service.Citizen.
func (b beside) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	b.g.stands(p)
	defer b.g.stands(nil)
	return b.Citizen.Ask(ctx, p)
}

// Tell implements service.Citizen.
func (b beside) Tell(v service.View) {
	b.g.told(v)
	b.Citizen.Tell(v)
}

// stands hears of every prompt, and of its end.
func (g *Guidance) stands(p service.Prompt) {
	g.mu.Lock()
	g.prompt = p
	if p != nil {
		g.open = !strings.HasPrefix(p.Name(), "tech-") // a technician's page serves nobody
	}
	g.mu.Unlock()
	g.look()
	if t := toneOf(p); t != "" {
		g.tone(t)
	}
}

func (g *Guidance) told(v service.View) {
	switch v := v.(type) {
	case service.OutOfService:
		g.mu.Lock()
		g.open = false
		g.mu.Unlock()
		g.look()
	case service.CardNote:
		if v.Event == string(devices.ReadNotACard) {
			g.tone(devices.ToneError)
		}
	}
}

func (g *Guidance) look() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// toneOf is the tone with which a prompt comes, if any.
func toneOf(p service.Prompt) devices.Tone {
	switch p := p.(type) {
	case service.TakeCard, service.TakeOutput:
		return devices.ToneTake
	case service.Trouble:
		return devices.ToneError
	case service.PlaceCard:
		if p.Tries > 0 {
			return devices.ToneError
		}
	case service.EnterCode:
		if p.Wrong {
			return devices.ToneError
		}
	case service.Form:
		if slices.ContainsFunc(p.Fields, func(f service.Field) bool { return !f.Problem.IsZero() }) {
			return devices.ToneError
		}
	}
	return ""
}

// urgent prompts are sounded again while they stand.
func urgent(p service.Prompt) bool {
	switch p := p.(type) {
	case service.TakeCard:
		return p.Urgent
	case service.TakeOutput:
		return p.Urgent
	}
	return false
}

// ---- lamps ----

// exits are the names under which the lamp at a card's way out may be wired; the first that is counts.
var exits = []devices.Light{devices.Light(devices.RoleCardDispenser), devices.Light(devices.RoleCardPrinter)}

// wanted are the lamps that should be on.
func (g *Guidance) wanted(wired []devices.Light) map[devices.Light]bool {
	g.mu.Lock()
	p, open := g.prompt, g.open
	g.mu.Unlock()
	on := map[devices.Light]bool{devices.LightStatus: open}
	switch p := p.(type) {
	case service.PlaceCard, service.TakeCard:
		on[devices.Light(devices.RoleIDReader)] = true
	case service.Done:
		on[devices.Light(devices.RoleIDReader)] = p.CardOnGlass
	case service.Pose:
		on[devices.LightFill] = true
	case service.LayFinger:
		on[devices.Light(devices.RoleFingerprint)] = p.Phase == service.FingerLay
	case service.TakeOutput:
		if p.Card {
			if i := slices.IndexFunc(exits, func(l devices.Light) bool { return slices.Contains(wired, l) }); i >= 0 {
				on[exits[i]] = true
			}
			break
		}
		mouths := []devices.Role{devices.RoleDocumentPrinter, devices.RoleReceiptPrinter}
		lies := slices.DeleteFunc(slices.Clone(mouths), func(r devices.Role) bool { return g.cfg.Devices.Status(r).Media != devices.MediaPresent })
		if len(lies) == 0 { // the sensor that the step saw has no word in the status
			lies = mouths
		}
		for _, r := range lies {
			on[devices.Light(r)] = true
		}
	}
	return on
}

// Times of the lamps' loop.
const (
	settle   = 40 * time.Millisecond // so that one prompt after another about the same slot does not flicker
	again    = 2 * time.Second       // after a lamp that could not be switched
	taken    = 200 * time.Millisecond
	lastLook = 2 * time.Second
)

// lamps is what is known of a board.
type lamps struct {
	board devices.Device
	is    map[devices.Light]bool
	since time.Time // when all of them were told last
	said  string    // the last fault that was logged
}

// light keeps the lamps as they should be.
func (g *Guidance) light(ctx context.Context) {
	var l lamps
	for {
		changed := g.cfg.Devices.Changed()
		wait := g.set(ctx, &l, g.wanted)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
			defer cancel()
			for end.Err() == nil {
				w := g.set(end, &l, func([]devices.Light) map[devices.Light]bool { return nil })
				if w != taken { // done, or nothing can be done
					return
				}
				pause(end, w)
			}
			return
		case <-g.wake:
			timer.Stop()
			pause(ctx, settle)
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// set switches what differs and says when to look again at the latest.
func (g *Guidance) set(ctx context.Context, l *lamps, wanted func([]devices.Light) map[devices.Light]bool) time.Duration {
	dev, release, err := g.cfg.Devices.Use(devices.RoleLights)
	if errors.Is(err, devices.ErrBusy) {
		return taken
	}
	if err != nil {
		return g.cfg.Refresh // its coming is a change
	}
	defer release()
	board, ok := dev.(devices.LightBoard)
	if !ok {
		return g.cfg.Refresh
	}
	if l.board != dev || time.Since(l.since) > g.cfg.Refresh {
		l.board, l.is, l.since = dev, map[devices.Light]bool{}, time.Now()
	}
	wired := board.Lights()
	on := wanted(wired)
	next, fault := g.cfg.Refresh, ""
	for _, lamp := range wired {
		if is, known := l.is[lamp]; known && is == on[lamp] {
			continue
		}
		if err := board.Light(ctx, lamp, on[lamp]); err != nil {
			delete(l.is, lamp)
			next, fault = again, string(lamp)+": "+err.Error()
			if errors.Is(err, devices.ErrNoDevice) || ctx.Err() != nil {
				break
			}
			continue
		}
		l.is[lamp] = on[lamp]
	}
	if fault != l.said && ctx.Err() == nil {
		if fault != "" {
			g.cfg.Log.Warn("a lamp could not be switched", "fault", fault)
		}
		l.said = fault
	}
	return next
}

// ---- tones ----

// tone asks for a tone. One of a key gives way to any other, and any other to one that waits.
func (g *Guidance) tone(t devices.Tone) {
	if t != devices.ToneKey {
		select {
		case <-g.tones: // whatever waited is older
		default:
		}
	}
	select {
	case g.tones <- t:
	default:
	}
}

// longest is how long a tone may hold the device, in all.
const longest = 3 * time.Second

func (g *Guidance) play(ctx context.Context) {
	var last time.Time // of a tone that asks to take something
	tick := time.NewTicker(g.cfg.Repeat / 4)
	defer tick.Stop()
	said := ""
	for {
		var t devices.Tone
		select {
		case <-ctx.Done():
			return
		case t = <-g.tones:
		case <-tick.C:
			g.mu.Lock()
			loud := urgent(g.prompt)
			g.mu.Unlock()
			if !loud || time.Since(last) < g.cfg.Repeat {
				continue
			}
			t = devices.ToneTake
		}
		if t == devices.ToneTake {
			last = time.Now()
		}
		fault := ""
		if err := g.sound(ctx, t); err != nil && ctx.Err() == nil {
			fault = err.Error()
			if fault != said {
				g.cfg.Log.Warn("a tone could not be played", "tone", string(t), "error", err)
			}
		}
		said = fault
	}
}

// sound plays a tone where there is something to play it on.
func (g *Guidance) sound(ctx context.Context, t devices.Tone) error {
	dev, release, err := g.cfg.Devices.Use(devices.RoleSound)
	for try := 0; errors.Is(err, devices.ErrBusy) && try < 10; try++ { // it is being asked how it is
		pause(ctx, 20*time.Millisecond)
		dev, release, err = g.cfg.Devices.Use(devices.RoleSound)
	}
	if err != nil {
		return nil // none is configured, none is there, or somebody tests it: the device's own status says so
	}
	defer release()
	s, ok := dev.(devices.Speaker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return s.Play(ctx, t)
}
