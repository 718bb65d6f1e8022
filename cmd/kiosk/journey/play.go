//go:build !release

package journey

// Playing: a citizen who looks at the screen, does what the journey says, and takes a picture of every screen.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// limits of one journey.
const (
	screenPatience = 90 * time.Second // the same screen, with nothing left to do
	wholePatience  = 8 * time.Minute
	drainPatience  = 60 * time.Second
)

// Play runs one journey in a directory and leaves its summary there. The summary is returned, and an error when the
// journey did not go as it should; what was seen until then is in the summary either way.
func Play(ctx context.Context, j Journey, opt Options) (*Summary, error) {
	began := time.Now()
	whole := wholePatience * time.Duration(max(opt.Slow, 1))
	ctx, cancel := context.WithTimeoutCause(ctx, whole, fmt.Errorf("journey %s took longer than %v", j.Name, whole))
	defer cancel()
	sum := &Summary{Journey: j.Name, Began: began, Declared: j.Declared}
	if err := clean(opt.Dir); err != nil {
		return sum, fmt.Errorf("journey: %w", err)
	}
	s, err := open(ctx, j, opt, sum, nil)
	if err != nil {
		return sum, err
	}
	err = s.play(ctx)
	if err != nil {
		_ = s.display.Photograph(context.WithoutCancel(ctx), filepath.Join(opt.Dir, "screens", "zz-failed.png"))
	}
	err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
	sum.Took = time.Since(began).Round(time.Millisecond).String()
	if err == nil {
		check := j.Check
		if check == nil {
			check = all(everyCaseAcked)
		}
		err = check(sum)
	}
	if err != nil {
		sum.Failed = err.Error()
	}
	if werr := sum.write(opt.Dir); werr != nil {
		err = errors.Join(err, werr)
	}
	return sum, err
}

// clean makes the directory and removes what an earlier play left in it.
func clean(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "screens"), 0o755); err != nil {
		return err
	}
	var errs []error
	for _, pattern := range []string{"screens/*.png", "receipt-*.png", "certificate-*", "summary.json", "journal.db", "terminal.log"} {
		old, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range old {
			errs = append(errs, os.Remove(f))
		}
	}
	return errors.Join(errs...)
}

func (s *Stage) play(ctx context.Context) error {
	if s.journey.First != nil {
		if err := s.journey.First(ctx, s); err != nil {
			return err
		}
	}
	if _, err := s.await(ctx, func(n Screen) bool { return n.Screen == "attract" || n.Screen == "home" }); err != nil {
		return fmt.Errorf("first screen: %w", err)
	}
	if s.journey.Before != nil {
		if err := s.journey.Before(ctx, s); err != nil {
			return err
		}
	}
	for visit := range max(1, s.journey.Visits) {
		if err := s.visit(ctx, visit); err != nil {
			return fmt.Errorf("visit %d: %w", visit+1, err)
		}
	}
	if s.journey.After != nil {
		if err := s.journey.After(ctx, s); err != nil {
			return err
		}
	}
	if err := s.drain(ctx); err != nil || s.journey.Elsewhere == nil {
		return err
	}
	if err := s.elsewhere(ctx, *s.journey.Elsewhere); err != nil {
		return fmt.Errorf("at the second terminal: %w", err)
	}
	return nil
}

// elsewhere goes on at a second terminal: a program of its own, with a journal, a display and devices of its own, on the same
// platform. What it leaves lies in the folder second.
func (s *Stage) elsewhere(ctx context.Context, j Journey) error {
	opt := s.opt
	opt.Dir = filepath.Join(s.opt.Dir, "second")
	if err := clean(opt.Dir); err != nil {
		return err
	}
	s.sum.Second = &Summary{Journey: j.Name, Began: time.Now()}
	o, err := open(ctx, j, opt, s.sum.Second, s.world)
	if err != nil {
		return err
	}
	s.Note("the citizen goes to a second terminal")
	if err = o.play(ctx); err != nil {
		_ = o.display.Photograph(context.WithoutCancel(ctx), filepath.Join(opt.Dir, "screens", "zz-failed.png"))
	}
	err = errors.Join(err, o.close(context.WithoutCancel(ctx)))
	s.sum.Second.Took = time.Since(s.sum.Second.Began).Round(time.Millisecond).String()
	return err
}

// visit goes from the attract screen back to it.
func (s *Stage) visit(ctx context.Context, number int) error {
	var last uint64
	began, served, homes := false, false, 0
	since := time.Now()
	for {
		if s.died() {
			if err := s.restart(ctx); err != nil {
				return err
			}
			last, began = 0, true
			served = true
		}
		now, err := Look(s.probe)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if time.Since(since) > s.slow(screenPatience) {
				return fmt.Errorf("terminal does not answer: %w", err)
			}
			if err := sleep(ctx, 100*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		if now.Seq == last {
			if time.Since(since) > s.slow(screenPatience) {
				return fmt.Errorf("screen %q stood for %v", now.Screen, screenPatience)
			}
			if err := sleep(ctx, 80*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		s.stood(now)
		last, since = now.Seq, time.Now()
		s.picture(ctx, now)
		if now.Screen == "review" && s.journey.Crash != "" && s.sum.Kills == 0 {
			if err := Arm(s.probe); err != nil {
				return fmt.Errorf("arm the crash point: %w", err)
			}
		}
		switch now.Screen {
		case "attract":
			if began && served {
				return nil
			}
			began = true
		case "home":
			began = true
			homes++
			if homes > 1 {
				served = true
				if err := s.TapFirst(ctx, "exit"); err != nil {
					return err
				}
				continue
			}
		case "done", "trouble", "result", "guide", "review", "take-card", "out-of-service":
			served = true
		}
		act := s.journey.At[now.Screen]
		if act == nil {
			act = usual[now.Screen]
		}
		if act == nil {
			continue
		}
		s.acting = now.Screen
		if err := act(ctx, s, now); err != nil {
			if s.died() || errors.Is(err, errMoved) {
				continue
			}
			return fmt.Errorf("screen %q: %w", now.Screen, err)
		}
	}
}

// stood notes how long the screen before this one stood.
func (s *Stage) stood(now Screen) {
	at := time.Now()
	if n := len(s.sum.Times); n > 0 && !s.stoodFrom.IsZero() {
		s.sum.Times[n-1].Seconds = float64(at.Sub(s.stoodFrom).Milliseconds()) / 1000
	}
	step := StepTime{Screen: now.Screen}
	if now.Screen == "pick-photo" {
		step.Judged = float64(now.Judged) / 1000
	}
	s.sum.Times, s.stoodFrom = append(s.sum.Times, step), at
}

// picture photographs the screen once it stands still.
func (s *Stage) picture(ctx context.Context, now Screen) {
	_ = sleep(ctx, s.slow(180*time.Millisecond)) // a finger that comes sooner is lost where the window has just appeared
	if s.opt.NoPictures {
		return
	}
	s.shots++
	name := fmt.Sprintf("%02d-%s.png", s.shots, now.Screen)
	if err := s.display.Photograph(ctx, filepath.Join(s.opt.Dir, "screens", name)); err != nil {
		s.Note("no picture: " + err.Error())
		return
	}
	s.sum.Screens = append(s.sum.Screens, name)
}

// await looks until the screen is as wanted.
func (s *Stage) await(ctx context.Context, want func(Screen) bool) (Screen, error) {
	deadline := time.Now().Add(s.slow(screenPatience))
	for {
		now, err := Look(s.probe)
		if err == nil && want(now) {
			return now, nil
		}
		if s.died() {
			return now, fmt.Errorf("the terminal died: %s", s.lastWords())
		}
		if time.Now().After(deadline) {
			return now, fmt.Errorf("not within %v: screen %q, %v", screenPatience, now.Screen, err)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return now, err
		}
	}
}

// errMoved: the screen went on by itself while the citizen was about to touch it.
var errMoved = errors.New("the screen moved on")

// Tap touches a control, waiting until it is there and enabled.
func (s *Stage) Tap(ctx context.Context, id string) error { return s.TapFirst(ctx, id) }

// TapFirst touches the first control of several that is there and enabled.
func (s *Stage) TapFirst(ctx context.Context, ids ...string) error {
	deadline := time.Now().Add(s.slow(15 * time.Second))
	for {
		now, err := Look(s.probe)
		if err == nil {
			for _, id := range ids {
				if c, ok := now.Find(id); ok && c.Enabled {
					return s.display.Press(ctx, int(c.X+c.W/2), int(c.Y+c.H/2))
				}
			}
		}
		if s.died() {
			return errors.New("the terminal died")
		}
		if err == nil && s.acting != "" && now.Screen != s.acting {
			return errMoved
		}
		if time.Now().After(deadline) {
			var there []string
			for _, c := range now.Controls {
				there = append(there, fmt.Sprintf("%s(%v)", c.ID, c.Enabled))
			}
			return fmt.Errorf("no control %s on screen %q: there are %s", strings.Join(ids, " or "), now.Screen, strings.Join(there, " "))
		}
		if err := sleep(ctx, 60*time.Millisecond); err != nil {
			return err
		}
	}
}
