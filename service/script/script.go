// Package script is a citizen that follows a script: the journeys of the screen, without a screen.
//
// A script is a list of lines, each for one prompt by its name; the engine under test must ask in that order. A line that
// does not fit the prompt is an error the engine reports from Serve, so a test need not look at every screen itself.
//
//	c := script.New(
//		script.On("attract", script.Next()),
//		script.On("home", script.Item("SB-P")),
//		script.On("consent", script.Next()),
//		script.On("identify", script.Wait()),        // the card answers
//		script.On("verify", script.Enter("123456")),
//		…
//	)
//	err := engine.Serve(ctx, c)  // after the last line every prompt waits until ctx ends
//
// The transcript keeps what was asked and told, for assertions.
package script

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/budayang/kiosk/service"
)

// A Do answers one prompt.
type Do func(ctx context.Context, p service.Prompt) (service.Answer, error)

// A Line answers the prompt of a name. Optional lines are passed over when another prompt comes.
type Line struct {
	Prompt   string
	Do       Do
	Optional bool
}

// On answers one prompt.
func On(prompt string, do Do) Line { return Line{Prompt: prompt, Do: do} }

// Maybe answers a prompt if it comes.
func Maybe(prompt string, do Do) Line { return Line{Prompt: prompt, Do: do, Optional: true} }

// Reply answers always the same.
func Reply(a service.Answer) Do {
	return func(context.Context, service.Prompt) (service.Answer, error) { return a, nil }
}

// Next goes on.
func Next() Do { return Reply(service.Next{}) }

// Item picks an item.
func Item(code string) Do { return Reply(service.ItemChosen{Code: code}) }

// Choose picks an option.
func Choose(id string) Do { return Reply(service.Chosen{ID: id}) }

// Enter types a value.
func Enter(v string) Do { return Reply(service.Entered{Value: v}) }

// Rate evaluates; "" skips.
func Rate(level string) Do { return Reply(service.Rated{Level: level}) }

// Fill fills a form with pairs of field id and value; fields not named keep what is shown.
func Fill(pairs ...string) Do {
	return func(_ context.Context, p service.Prompt) (service.Answer, error) {
		f, ok := p.(service.Form)
		if !ok {
			return nil, fmt.Errorf("script: %s is no form", p.Name())
		}
		values := map[string]string{}
		for _, fd := range f.Fields {
			values[fd.ID] = fd.Value
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if _, ok := values[pairs[i]]; !ok {
				return nil, fmt.Errorf("script: form has no field %q, only %v", pairs[i], slices.Sorted(maps.Keys(values)))
			}
			values[pairs[i]] = pairs[i+1]
		}
		return service.Filled{Values: values}, nil
	}
}

// Draw hands over handwriting.
func Draw(png []byte) Do { return Reply(service.Drawn{PNG: slices.Clone(png), Strokes: 3}) }

// Back goes back.
func Back() Do { return fail(service.ErrBack) }

// Leave ends the visit.
func Leave() Do { return fail(service.ErrLeft) }

// TimeOut is a citizen who walked away.
func TimeOut() Do { return fail(service.ErrTimedOut) }

func fail(err error) Do {
	return func(context.Context, service.Prompt) (service.Answer, error) { return nil, err }
}

// Wait does nothing until something else answers: a card, the platform, a sensor, a limit.
func Wait() Do {
	return func(ctx context.Context, _ service.Prompt) (service.Answer, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
}

// Then does something first: moves a card, pulls a plug.
func Then(first func(), do Do) Do {
	return func(ctx context.Context, p service.Prompt) (service.Answer, error) {
		first()
		return do(ctx, p)
	}
}

// Look lets a test see the prompt before it is answered.
func Look(see func(p service.Prompt), do Do) Do {
	return func(ctx context.Context, p service.Prompt) (service.Answer, error) {
		see(p)
		return do(ctx, p)
	}
}

// Citizen follows a script. It implements [service.Citizen] and [service.Speaker].
type Citizen struct {
	Lang string // "" means "zh"
	Done func() // called once when the script is at its end and a prompt waits; may be nil

	mu    sync.Mutex
	lines []Line
	seen  []string
	told  []service.View
	asked []service.Prompt
	ended bool
}

// New makes a citizen of lines.
func New(lines ...Line) *Citizen { return &Citizen{lines: lines} }

// ErrOffScript: the engine asked something else than the script says.
var ErrOffScript = errors.New("off script")

// Ask implements [service.Citizen].
func (c *Citizen) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	do, err := c.next(p)
	if err != nil {
		return nil, err
	}
	if do == nil {
		if c.Done != nil && c.endOnce() {
			c.Done()
		}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return do(ctx, p)
}

func (c *Citizen) endOnce() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.ended
	c.ended = true
	return first
}

func (c *Citizen) next(p service.Prompt) (Do, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.asked = append(c.seen, p.Name()), append(c.asked, p)
	for len(c.lines) > 0 && c.lines[0].Optional && c.lines[0].Prompt != p.Name() {
		c.lines = c.lines[1:]
	}
	if len(c.lines) == 0 {
		return nil, nil
	}
	l := c.lines[0]
	if l.Prompt != p.Name() {
		return nil, fmt.Errorf("%w: the engine asks %q, the script says %q, after %s", ErrOffScript, p.Name(), l.Prompt, strings.Join(c.seen, " "))
	}
	c.lines = c.lines[1:]
	return l.Do, nil
}

// Tell implements [service.Citizen].
func (c *Citizen) Tell(v service.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.told = append(c.seen, v.Name()), append(c.told, v)
}

// Language implements [service.Speaker].
func (c *Citizen) Language() string {
	if c.Lang == "" {
		return "zh"
	}
	return c.Lang
}

// Seen lists the names of all prompts and views so far.
func (c *Citizen) Seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

// Asked lists all prompts so far.
func (c *Citizen) Asked() []service.Prompt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// Told lists all views so far.
func (c *Citizen) Told() []service.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

// Left tells how many lines were not reached.
func (c *Citizen) Left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines)
}
