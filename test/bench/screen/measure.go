package main

// Measuring, the same way for whatever is measured.

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
)

// Parts of the screen and how the welcome page is known.
var (
	// body lies between header and footer: neither clock nor countdown nor the buttons that are tapped are in it, except
	// those of the guide.
	body = image.Rect(0, 140, 1080, 1780)
	// title is what differs between any two pages.
	title = image.Rect(0, 140, 1080, 240)
	// primary is the colour of the welcome page's band; no other page shows so much of it.
	primary      uint32 = 0x0B57D0
	welcomeShare        = 0.08
)

const (
	startPatience = 30 * time.Second
	tapPatience   = 2 * time.Second
	calm          = 150 * time.Millisecond
	pressed       = 60 * time.Millisecond // how long a finger stays
)

// turn is a tap that changes the page.
type turn struct {
	from, control string
}

// round is a way through the pages that ends where it began.
var round = []turn{{"attract", "begin"}, {"home", "tile.GUIDE"}, {"choose", "option.property"}, {"guide", "back"}, {"choose", "exit"}}

// there is the short way, for timing: a page and back.
var there = []turn{{"attract", "begin"}, {"home", "exit"}}

type bench struct {
	pic    *picture
	hand   *finger
	many   amounts
	server int
	spec   pages
}

func (b *bench) welcome() bool { return b.pic.share(primary) >= welcomeShare }

// walk goes once through all pages of the terminal and notes what can be touched.
func (b *bench) walk(ctx context.Context, k *kiosk) (pages, error) {
	f, err := k.start()
	if err != nil {
		return nil, err
	}
	defer f.stop()
	b.spec = pages{}
	for _, t := range round {
		s, err := k.see(t.from)
		if err != nil {
			return nil, errors.Join(err, f.died())
		}
		// Devices come up one after the other; what is tapped must have come.
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if c, ok := s.Find(t.control); ok && c.Enabled && ready(s) {
				break
			}
			if time.Now().After(end) {
				return nil, fmt.Errorf("no %s on page %s", t.control, t.from)
			}
			if s, err = k.see(t.from); err != nil {
				return nil, err
			}
		}
		b.spec[t.from] = s.Controls
		if err := b.tap(t, pressed); err != nil {
			return nil, err
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return nil, err
		}
	}
	_, err = k.see("attract")
	return b.spec, err
}

// ready says whether every item of a page works.
func ready(s journey.Screen) bool {
	return !slices.ContainsFunc(s.Controls, func(c journey.Control) bool { return !c.Enabled })
}

func (b *bench) place(t turn) (image.Rectangle, error) {
	for _, c := range b.spec[t.from] {
		if c.ID == t.control {
			return image.Rect(int(c.X), int(c.Y), int(c.X+c.W), int(c.Y+c.H)), nil
		}
	}
	return image.Rectangle{}, fmt.Errorf("no %s on page %s", t.control, t.from)
}

// tap touches a control without looking.
func (b *bench) tap(t turn, hold time.Duration) error {
	r, err := b.place(t)
	if err != nil {
		return err
	}
	at := middle(r)
	if err := b.hand.do("mousemove %d %d", at.X, at.Y); err != nil {
		return err
	}
	if err := b.hand.do("mousedown 1"); err != nil {
		return err
	}
	time.Sleep(hold)
	return b.hand.do("mouseup 1")
}

func middle(r image.Rectangle) image.Point { return r.Min.Add(r.Max).Div(2) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// measure does everything with one subject.
func (b *bench) measure(ctx context.Context, s subject) (*numbers, error) {
	n := &numbers{}
	var f *family
	defer func() {
		if f != nil {
			f.stop()
		}
	}()
	for i := range b.many.Starts + 1 { // the first one fills caches and profiles
		if f != nil {
			f.stop()
			f = nil
			if err := pause(ctx, 500*time.Millisecond); err != nil {
				return n, err
			}
		}
		var t starting
		var err error
		if f, t, err = b.start(ctx, s); err != nil {
			return n, fmt.Errorf("start: %w", err)
		}
		if i > 0 {
			n.FirstPixel = append(n.FirstPixel, ms(t.pixel))
			n.FirstPaint = append(n.FirstPaint, ms(t.paint))
			n.Welcome = append(n.Welcome, ms(t.welcome))
		}
	}
	note("%s: %d starts", f.name, b.many.Starts)

	// Devices come up, caches fill, and what a start has left to do is done.
	if err := pause(ctx, 5*time.Second); err != nil {
		return n, err
	}
	n.Memory = append(n.Memory, memory{1, f.pss()})
	n.ProcessesUp = len(f.members())
	var err error
	if n.Idle, n.IdleServer, err = b.idle(ctx, f); err != nil {
		return n, err
	}
	note("%s: idle %.1f %%", f.name, n.Idle)

	if err := b.taps(ctx, f, n); err != nil {
		return n, fmt.Errorf("taps: %w", err)
	}
	note("%s: %d taps", f.name, len(n.Page))

	if err := b.tap(there[0], pressed); err != nil {
		return n, err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return n, err
	}
	if n.Ticking, _, err = b.idle(ctx, f); err != nil {
		return n, err
	}
	if err := b.tap(there[1], pressed); err != nil {
		return n, err
	}
	if err := pause(ctx, time.Second); err != nil {
		return n, err
	}

	if err := b.leaf(ctx, f, n); err != nil {
		return n, fmt.Errorf("pages: %w", err)
	}
	for _, s := range []series{n.FirstPixel, n.FirstPaint, n.Welcome, n.Press, n.Page, n.Stands} {
		slices.Sort(s)
	}
	return n, f.died()
}

func note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// starting is how long after its start a subject changed the first pixel (an empty window does), painted more than one
// colour, and showed the welcome page.
type starting struct{ pixel, paint, welcome time.Duration }

func (b *bench) start(ctx context.Context, s subject) (f *family, t starting, err error) {
	before := b.pic.keep(b.pic.bounds())
	began := time.Now()
	if f, err = s.start(); err != nil {
		return f, t, err
	}
	for ; t.welcome == 0; time.Sleep(pollEvery) {
		if t.pixel == 0 && before.changed() {
			t.pixel = time.Since(began)
		}
		if t.pixel > 0 && t.paint == 0 && b.pic.content() {
			t.paint = time.Since(began)
		}
		if t.paint > 0 && b.welcome() {
			t.welcome = time.Since(began)
		}
		if err = errors.Join(ctx.Err(), f.died()); err != nil {
			return f, t, err
		}
		if time.Since(began) > startPatience {
			return f, t, errors.New("no welcome page")
		}
	}
	_, err = b.pic.settle(b.pic.bounds(), time.Now(), 700*time.Millisecond)
	return f, t, err
}

// idle is the CPU of a page that nobody touches, in per cent of a core; then with that of the X server.
func (b *bench) idle(ctx context.Context, f *family) (alone, both float64, err error) {
	server := func() int { s, _ := readStat(b.server); return s.ticks }
	cpu, x, began := f.cpu(), server(), time.Now()
	if err := pause(ctx, time.Duration(b.many.IdleSecond)*time.Second); err != nil {
		return 0, 0, err
	}
	took := time.Since(began).Seconds()
	alone = 100 * (f.cpu() - cpu).Seconds() / took
	return alone, alone + 100*float64(server()-x)/ticksPerSecond/took, nil
}

// taps times taps between two pages.
func (b *bench) taps(ctx context.Context, f *family, n *numbers) error {
	for i := range b.many.Taps {
		// No step with anybody's clock.
		if err := pause(ctx, 150*time.Millisecond+rand.N(150*time.Millisecond)); err != nil {
			return err
		}
		t := there[i%len(there)]
		r, err := b.place(t)
		if err != nil {
			return err
		}
		at := middle(r)
		if err := b.hand.do("mousemove %d %d", at.X, at.Y); err != nil {
			return err
		}
		time.Sleep(30 * time.Millisecond)
		button := b.pic.keep(r.Inset(6))
		down := time.Now()
		if err := b.hand.do("mousedown 1"); err != nil {
			return err
		}
		seen, err := button.await(tapPatience)
		if err != nil {
			return fmt.Errorf("tap %d (%s): no feedback: %w", i, t.control, errors.Join(err, f.died()))
		}
		n.Press = append(n.Press, ms(seen.Sub(down)))
		time.Sleep(time.Until(down.Add(pressed)))

		page := b.pic.keep(body)
		up := time.Now()
		if err := b.hand.do("mouseup 1"); err != nil {
			return err
		}
		if seen, err = page.await(tapPatience); err != nil {
			return fmt.Errorf("tap %d (%s): no new page: %w", i, t.control, errors.Join(err, f.died()))
		}
		n.Page = append(n.Page, ms(seen.Sub(up)))
		last, err := b.pic.settle(body, seen, calm)
		if err != nil {
			return err
		}
		n.Stands = append(n.Stands, ms(last.Sub(up)))
	}
	return nil
}

// leaf goes round through the pages and weighs the memory now and then, always on the welcome page.
func (b *bench) leaf(ctx context.Context, f *family, n *numbers) error {
	weigh := []int{b.many.WarmPages}
	for p := 500; p < b.many.Pages; p += 500 {
		weigh = append(weigh, p)
	}
	weigh = append(weigh, b.many.Pages)
	slices.Sort(weigh)
	done := 0
	cpu := f.cpu()
	for _, until := range weigh {
		for done < until {
			for _, t := range round {
				missed, err := b.turn(ctx, t)
				n.Missed += missed
				if err != nil {
					return fmt.Errorf("page %d: %s on %s: %w", done, t.control, t.from, errors.Join(err, f.died()))
				}
				done++
			}
			for end := time.Now().Add(tapPatience); !b.welcome(); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					return fmt.Errorf("page %d: not back at the welcome page", done)
				}
			}
		}
		n.PerPage = ms(f.cpu()-cpu) / float64(done)
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		n.Memory = append(n.Memory, memory{until, f.pss()})
		note("%s: %.1f MB after %d pages", f.name, n.Memory[len(n.Memory)-1].MB, done)
	}
	return nil
}

// turn taps and waits for the new page; a tap that nothing came of is repeated.
func (b *bench) turn(ctx context.Context, t turn) (missed int, err error) {
	for ; missed < 3; missed++ {
		if err := ctx.Err(); err != nil {
			return missed, err
		}
		r, err := b.place(t)
		if err != nil {
			return missed, err
		}
		at := middle(r)
		if err := b.hand.do("mousemove %d %d", at.X, at.Y); err != nil {
			return missed, err
		}
		button := b.pic.keep(r.Inset(6))
		if err := b.hand.do("mousedown 1"); err != nil {
			return missed, err
		}
		if _, err := button.await(tapPatience); errors.Is(err, errSame) {
			continue
		}
		page := b.pic.keep(title)
		if err := b.hand.do("mouseup 1"); err != nil {
			return missed, err
		}
		if _, err := page.await(tapPatience); errors.Is(err, errSame) {
			continue
		}
		_, err = b.pic.settle(body, time.Now(), 30*time.Millisecond)
		return missed, err
	}
	return missed, errors.New("nothing comes of taps")
}
