package service_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// touch is one time that a finger lies on the glass: what the sensor sees, or says.
type touch struct {
	press sim.Press
	err   error
}

// fakeGlass is a sensor on which fingers lie one after the other.
type fakeGlass struct {
	mu       sync.Mutex
	touches  []touch
	lies     bool
	taken    int
	lifted   int
	pictures [][]byte // as they were handed out: whoever has them wipes them
}

func (g *fakeGlass) Probe(context.Context) (devices.Status, error) {
	return devices.Status{Role: devices.RoleFingerprint, Connection: devices.ConnectionOnline}, nil
}
func (g *fakeGlass) Close() error { return nil }

func (g *fakeGlass) Capture(ctx context.Context, on func(devices.FingerEvent)) (p devices.FingerPicture, err error) {
	g.mu.Lock()
	still := g.lies
	var now touch
	there := len(g.touches) > 0
	if there {
		now, g.touches = g.touches[0], g.touches[1:]
	}
	g.mu.Unlock()
	if still {
		return p, fmt.Errorf("the finger of the picture before lies there still")
	}
	on(devices.FingerWait)
	if !there {
		<-ctx.Done()
		return p, ctx.Err()
	}
	for _, d := range []time.Duration{2 * time.Second, 7 * time.Second} {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return p, ctx.Err()
		}
		g.mu.Lock()
		g.lies = true
		g.mu.Unlock()
		if now.err != nil {
			return p, now.err
		}
		on(devices.FingerTaken)
	}
	f := sim.FingerOf("990000199211050228", 1)
	p = devices.FingerPicture{Width: 256, Height: 288, DPI: 500, Pixels: f.Picture(now.press, 256, 288)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken++
	g.pictures = append(g.pictures, p.Pixels)
	return p, nil
}

func (g *fakeGlass) Lifted(ctx context.Context) error {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lies = false
	g.lifted++
	return nil
}

// fakeFingers is a city that compares, or does not.
type fakeFingers struct {
	fm       sync.Mutex
	compares bool
	verdicts []error // one after the other; none left: it is the person
	compared int
	agreed   time.Time
}

func (f *fakeFingers) FingersCompared(context.Context) (bool, error) {
	f.fm.Lock()
	defer f.fm.Unlock()
	return f.compares, nil
}

func (f *fakeFingers) Finger(_ context.Context, _ string, _ service.Person, p devices.FingerPicture, agreed time.Time) (service.Token, error) {
	f.fm.Lock()
	defer f.fm.Unlock()
	f.compared++
	f.agreed = agreed
	if !slices.ContainsFunc(p.Pixels, func(b byte) bool { return b != 0 }) {
		return service.Token{}, fmt.Errorf("an empty picture")
	}
	if len(f.verdicts) > 0 {
		err := f.verdicts[0]
		f.verdicts = f.verdicts[1:]
		return service.Token{}, err
	}
	return service.Token{Value: "by-finger", Until: now().Add(10 * time.Minute)}, nil
}

func TestAFingerIsCompared(t *testing.T) {
	// toWays is the way of whoever does not want to be compared by face.
	toWays := func(w *world) []script.Line {
		return lines(start("TID"), []script.Line{script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("consent", script.Then(func() { w.reader.put(false) }, script.Reply(service.Cancelled{})))})
	}
	rest := func(w *world) []script.Line {
		return lines([]script.Line{script.On("choose", script.Choose("self")), script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")),
			script.On("ink", script.Draw(ink(w.t))), script.On("review", script.Next())}, w.done())
	}
	code := []script.Line{script.On("choose", script.Choose("code")), script.On("verify", script.Enter("123456"))}
	agree := []script.Line{script.On("choose", script.Choose("fingerprint")), script.On("consent", script.Next())}
	// shown collects what stands at the sensor, in a word each.
	type stood struct{ words []string }
	shown := func(s *stood) script.Do {
		return script.Look(func(p service.Prompt) {
			x := p.(service.LayFinger)
			s.words = append(s.words, fmt.Sprintf("%s %s %d", x.Phase, x.Problem.ID, x.Left))
		}, script.Wait())
	}
	at := func(s *stood, n int) (all []script.Line) {
		for range n {
			all = append(all, script.On("finger", shown(s)))
		}
		return all
	}
	with := func(name string, touches []touch, verdicts []error, fn func(t *testing.T, w *world, g *fakeGlass)) {
		makingCards(t, name, func(t *testing.T, w *world) {
			g := &fakeGlass{touches: touches}
			w.set.add(devices.RoleFingerprint, g)
			w.plat.compares, w.plat.verdicts = true, verdicts
			fn(t, w, g)
			for i, p := range g.pictures {
				if slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) {
					t.Errorf("picture %d is still there", i)
				}
			}
			if w.set.used[devices.RoleFingerprint] {
				t.Error("the sensor was not given back")
			}
		})
	}
	with("and is the person's", []touch{{}}, nil, func(t *testing.T, w *world, g *fakeGlass) {
		var s stood
		began := now()
		w.play(lines(toWays(w), agree, at(&s, 2), rest(w))...)
		w.one(journal.Closed)
		if !slices.Equal(s.words, []string{"lay  3", "comes  3"}) || w.plat.compared != 1 || w.plat.codes != 0 || w.booth.office.token != "by-finger" {
			t.Errorf("%q, %d comparisons, %d codes", s.words, w.plat.compared, w.plat.codes)
		}
		if w.plat.agreed.Before(began) || w.booth.office.agreed {
			t.Errorf("agreed at %v, to the face %v", w.plat.agreed, w.booth.office.agreed)
		}
	})
	with("dry, wet, moved, then well", []touch{{press: sim.Press{Dry: true}}, {err: devices.ErrFingerWet}, {press: sim.Press{Smeared: true}}, {}}, nil, func(t *testing.T, w *world, g *fakeGlass) {
		var s stood
		w.play(lines(toWays(w), agree, at(&s, 10), rest(w))...)
		w.one(journal.Closed)
		want := []string{"lay  3", "comes  3", "lift svc.finger.dry 3", "lay svc.finger.dry 3", "lift svc.finger.wet 3", "lay svc.finger.wet 3", "comes  3",
			"lift svc.finger.blur 3", "lay svc.finger.blur 3", "comes  3"}
		if !slices.Equal(s.words, want) || w.plat.compared != 1 || g.lifted != 3 {
			t.Errorf("%q, %d comparisons", s.words, w.plat.compared)
		}
	})
	with("three times somebody else's: another way", []touch{{}, {}, {}, {}}, []error{service.ErrOtherFinger, service.ErrPoorFinger, service.ErrOtherFinger}, func(t *testing.T, w *world, g *fakeGlass) {
		var s stood
		var left service.Choose
		w.plat.there = true
		w.play(lines(toWays(w), agree, at(&s, 8), []script.Line{script.On("choose", script.Look(func(p service.Prompt) { left = p.(service.Choose) }, script.Choose("code"))), code[1]}, rest(w))...)
		w.one(journal.Closed)
		if w.plat.compared != 3 || left.Hint.ID != "svc.trouble.finger-other.what" || len(left.Options) != 2 || s.words[2] != "lift svc.finger.other 2" {
			t.Errorf("%d comparisons, %+v, %q", w.plat.compared, left, s.words)
		}
	})
	with("six bad pictures: another way", slices.Repeat([]touch{{press: sim.Press{Tip: true}}}, 8), nil, func(t *testing.T, w *world, g *fakeGlass) {
		var s stood
		w.play(lines(toWays(w), agree, at(&s, 17), code, rest(w))...)
		w.one(journal.Closed)
		if w.plat.compared != 0 || g.taken != 6 {
			t.Errorf("%d comparisons, %d pictures", w.plat.compared, g.taken)
		}
	})
	for name, c := range map[string]struct {
		verdict error
		hint    string
	}{"none is registered": {service.ErrNoRecord, "svc.trouble.finger-none.what"}, "compared too often": {service.ErrLocked, "svc.trouble.finger-locked.what"},
		"the city's server is down": {service.ErrBackendDown, "svc.trouble.backend.what"}} {
		with(name, []touch{{}}, []error{c.verdict}, func(t *testing.T, w *world, g *fakeGlass) {
			var s stood
			var left service.Choose
			w.play(lines(toWays(w), agree, at(&s, 2), []script.Line{script.On("choose", script.Look(func(p service.Prompt) { left = p.(service.Choose) }, script.Choose("code"))), code[1]}, rest(w))...)
			w.one(journal.Closed)
			if left.Hint.ID != c.hint {
				t.Errorf("%+v", left.Hint)
			}
		})
	}
	for name, err := range map[string]error{"pulled off": devices.ErrNoDevice, "silent": devices.ErrSilent, "talking nonsense": devices.ErrProtocol} {
		with("the sensor is "+name, []touch{{err: err}}, nil, func(t *testing.T, w *world, g *fakeGlass) {
			w.play(lines(toWays(w), agree, []script.Line{script.On("finger", script.Wait())}, code, rest(w))...)
			w.one(journal.Closed)
		})
	}
	with("not agreed to", nil, nil, func(t *testing.T, w *world, g *fakeGlass) {
		w.play(lines(toWays(w), agree[:1], []script.Line{script.On("consent", script.Reply(service.Cancelled{}))}, code, rest(w))...)
		w.one(journal.Closed)
		if w.plat.compared != 0 || g.taken != 0 {
			t.Error("a picture was taken all the same")
		}
	})
	with("another way while it waits, and back again", nil, nil, func(t *testing.T, w *world, g *fakeGlass) {
		w.play(lines(toWays(w), agree, []script.Line{script.On("finger", script.Reply(service.Cancelled{}))}, agree, []script.Line{script.On("finger", script.Back())}, code, rest(w))...)
		w.one(journal.Closed)
	})
	for name, do := range map[string]script.Do{"leaves": script.Leave(), "walks away": script.TimeOut()} {
		with("the citizen "+name+" while the picture comes: nothing is kept", []touch{{}}, nil, func(t *testing.T, w *world, g *fakeGlass) {
			w.play(lines(toWays(w), agree, []script.Line{script.On("finger", script.Wait()), script.On("finger", do)})...)
			if len(w.cases()) != 0 || w.plat.compared != 0 {
				t.Errorf("%d cases", len(w.cases()))
			}
		})
	}
	for name, prepare := range map[string]func(w *world){
		"there is no sensor": func(w *world) { w.plat.compares = true },
		"the sensor is broken": func(w *world) {
			w.plat.compares = true
			w.set.add(devices.RoleFingerprint, &fakeGlass{})
			w.set.change(devices.RoleFingerprint, func(s *devices.Status) { s.Connection = devices.ConnectionHardwareError })
		},
		"the city compares none": func(w *world) { w.set.add(devices.RoleFingerprint, &fakeGlass{}) },
	} {
		makingCards(t, name+": the way is not offered", func(t *testing.T, w *world) {
			prepare(w)
			w.plat.there = true
			var ways service.Choose
			w.play(lines(toWays(w), []script.Line{script.On("choose", script.Look(func(p service.Prompt) { ways = p.(service.Choose) }, script.Choose("code"))), code[1]}, rest(w))...)
			if len(ways.Options) != 2 || ways.Options[0].ID != "code" || ways.Options[1].ID != "staff" {
				t.Errorf("%+v", ways.Options)
			}
		})
	}
}
