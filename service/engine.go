// The engine: what it needs, and the life of one visit from the attract screen to the wiped end.

package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/google/uuid"
)

// Config is what an engine works with. Items, Journal, Devices and Platform are needed.
type Config struct {
	Items    Items
	Former   Items // no longer offered, but pinned by cases
	Journal  *journal.Journal
	Devices  devices.Set
	Platform Platform
	Cashier  Cashier // nil: nothing can be paid here
	Office   Office  // nil: no cards are made here
	Hall     Hall    // nil: no numbers of a queue are given here
	// CardCheck says that a device reads the code of a printed card before it is handed out ([devices.RoleCardCheck]).
	CardCheck bool
	// OnBattery tells whether the terminal lives on its UPS's battery: then no item is begun that opens a case. Nil means never.
	OnBattery func() bool
	// TerminalID is the terminal's id at the platform, which a permit must name.
	TerminalID string
	Site       Site
	Timeouts   Timeouts
	Now        func() time.Time // nil means time.Now
	Log        *slog.Logger     // nil means discard
	// Caretaker has its turn between visits; nil when there is none.
	Caretaker Caretaker
	// Technician has the terminal when somebody at the machine asks for it; nil when this program has no console. It needs a
	// Caretaker, whose Due also tells that somebody asked.
	Technician Technician
	Messages   fs.FS // holds lang/*.service.json; nil means assets.FS
	// Reached is called at named points between what is written and what is done (see [Points]); tests stop the process
	// there. Nil in production.
	Reached func(point string)
	// Known is told what a citizen could be known by while one is there, so that a log can be kept from saying it; the
	// function it returns is called when the visit is wiped. Nil tells nobody.
	Known func(names ...string) (forget func())
	// Over is called when a visit ended and what the engine knew of its citizen is wiped. Nil tells nobody.
	Over func()
}

// Site is where the terminal stands, as slips say it.
type Site struct {
	Header   Words  // first line of every slip; empty means the message svc.slip.header
	Name     Words  // "滨江区市民之家"
	Terminal string // "03"
}

// Timeouts bound everything that waits. A zero field means its default.
type Timeouts struct {
	Quiet       time.Duration // 1 s: how long the screen stays as it is before it says "please wait"
	Cancel      time.Duration // 15 s: when waiting offers to give up
	Call        time.Duration // 60 s: the longest call of the platform
	IssueTries  int           // 3
	IssuePause  time.Duration // 2 s between tries
	PrintTries  int           // 3: for prints of which nothing was sent
	Print       time.Duration // 10 min: one document
	Paper       time.Duration // 5 min: waiting for paper or a closed cover
	Receipt     time.Duration // 60 s: one slip
	Take        time.Duration // 30 s: asking calmly to take what was printed
	TakeUrgent  time.Duration // 20 s: asking urgently
	CardUrgent  time.Duration // 10 s: asking calmly to take the card
	CardBlock   time.Duration // 60 s: then the terminal closes and says so to the operators
	CardGiveUp  time.Duration // 10 min: then it opens again, with an audit event
	Rate        time.Duration // 20 s: waiting for an evaluation
	DeviceUp    time.Duration // 30 s: waiting for a device at start
	Grace       time.Duration // 20 s: how long what was begun may go on when the program is told to stop
	LookForCard time.Duration // 2 s: asking the reader once
	Offer       time.Duration // 2 s: asking how the hall's queue stands, before a number is offered
	PayPoll     time.Duration // 2 s: at the least between questions whether a bill is paid or an application decided
	Held        time.Duration // 20 s: for how long the platform may hold the answer to such a question back
	PayConfirm  time.Duration // 20 s: waiting for the platform's last word of a bill that ended
	PayAgain    time.Duration // 10 s: between questions about bills that nobody waits for here
	PayReserve  time.Duration // 30 min: for how long consumables are set aside for a payment
	PayLate     time.Duration // 3 h: for how long a bill that ended unpaid is asked about
	PermitTries int           // 15, IssuePause apart: the platform hears of a spoiled blank first
	Hold        time.Duration // 1.5 s: for how long a picture must be good before it is taken
	Unclaimed   time.Duration // 24 h: how long a paid card waits for its citizen before the money goes back
	Unfetched   time.Duration // 7 days: how long an approved card that nobody paid for waits before its application ends
}

func or[V comparable](v, def V) V {
	var zero V
	if v == zero {
		return def
	}
	return v
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Quiet: or(t.Quiet, time.Second), Cancel: or(t.Cancel, 15*time.Second), Call: or(t.Call, time.Minute),
		IssueTries: or(t.IssueTries, 3), IssuePause: or(t.IssuePause, 2*time.Second), PrintTries: or(t.PrintTries, 3),
		Print: or(t.Print, 10*time.Minute), Paper: or(t.Paper, 5*time.Minute), Receipt: or(t.Receipt, time.Minute),
		Take: or(t.Take, 30*time.Second), TakeUrgent: or(t.TakeUrgent, 20*time.Second),
		CardUrgent: or(t.CardUrgent, 10*time.Second), CardBlock: or(t.CardBlock, time.Minute),
		CardGiveUp: or(t.CardGiveUp, 10*time.Minute), Rate: or(t.Rate, 20*time.Second),
		DeviceUp: or(t.DeviceUp, 30*time.Second), Grace: or(t.Grace, 20*time.Second),
		LookForCard: or(t.LookForCard, 2*time.Second), Offer: or(t.Offer, 2*time.Second),
		PayPoll: or(t.PayPoll, 2*time.Second), Held: or(t.Held, 20*time.Second), PayConfirm: or(t.PayConfirm, 20*time.Second),
		PayAgain: or(t.PayAgain, 10*time.Second), PayLate: or(t.PayLate, 3*time.Hour),
		PayReserve: or(t.PayReserve, 30*time.Minute), PermitTries: or(t.PermitTries, 15),
		Hold: or(t.Hold, 1500*time.Millisecond), Unclaimed: or(t.Unclaimed, 24*time.Hour),
		Unfetched: or(t.Unfetched, 7*24*time.Hour),
	}
}

// Engine runs items for citizens, one citizen at a time.
type Engine struct {
	cfg      Config
	t        Timeouts
	messages Messages
	log      *slog.Logger
	serving  atomic.Bool
	offered  atomic.Pointer[catalogue]
	visited  atomic.Bool // somebody was served since the start
	visiting atomic.Bool // somebody is served now
	changeMu sync.Mutex
	change   chan struct{}
	owing    owing
}

// ErrServing: an engine serves one citizen at a time.
var ErrServing = errors.New("engine serves somebody already")

// New makes an engine. It fails when something needed is missing or the messages cannot be read.
func New(cfg Config) (*Engine, error) {
	switch {
	case len(cfg.Items) == 0:
		return nil, errors.New("engine without items")
	case cfg.Journal == nil:
		return nil, errors.New("engine without a journal")
	case cfg.Devices == nil:
		return nil, errors.New("engine without devices")
	case cfg.Platform == nil:
		return nil, errors.New("engine without a platform")
	}
	if cfg.Messages == nil {
		cfg.Messages = assets.FS
	}
	messages, err := LoadMessages(cfg.Messages)
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{cfg: cfg, t: cfg.Timeouts.withDefaults(), messages: messages, log: cfg.Log, change: make(chan struct{})}
	return e, e.SetItems(cfg.Items, cfg.Former)
}

func (e *Engine) now() time.Time { return e.cfg.Now() }

func (e *Engine) reached(point string) {
	if e.cfg.Reached != nil {
		e.cfg.Reached(point)
	}
}

// Serve serves one citizen after the other until ctx ends, whose error it returns; or until the Citizen breaks the
// contract of Ask.
func (e *Engine) Serve(ctx context.Context, c Citizen) error {
	if !e.serving.CompareAndSwap(false, true) {
		return ErrServing
	}
	defer e.serving.Store(false)
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	watching.Go(func() { e.watch(ctx) })
	watching.Go(func() { e.watchRibbon(ctx) })
	if e.cfg.Cashier != nil {
		watching.Go(func() { e.askBills(ctx) })
	}
	for {
		due, err := e.between(ctx, c)
		if err != nil {
			return err
		}
		waiting, stop := until(ctx, due)
		chosen, err := e.attract(waiting, c)
		stop()
		if err == nil {
			e.visiting.Store(true)
			err = e.visit(ctx, c, chosen)
			e.visiting.Store(false)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil, errors.Is(err, ErrBack), errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut), errors.Is(err, errDue), errors.Is(err, errChanged):
		default:
			return fmt.Errorf("serve: %w", err)
		}
	}
}

// errChanged ends a prompt whose tiles are no longer true.
var errChanged = errors.New("what can be done has changed")

// attract waits for somebody. The code is of a tile touched at once, or "".
func (e *Engine) attract(ctx context.Context, c Citizen) (string, error) {
	a, err := e.withTiles(ctx, func(ctx context.Context, tiles []Tile, notices []Text) (Answer, error) {
		if e.mouthClosed(ctx) != nil {
			return nil, errDue
		}
		return c.Ask(ctx, Attract{Page: Page{At: -1}, Tiles: tiles, Notices: notices})
	})
	if err != nil {
		return "", err
	}
	if pick, ok := a.(ItemChosen); ok {
		return pick.Code, nil
	}
	return "", nil
}

// withTiles asks with the tiles, and asks again when they change while the prompt stands.
func (e *Engine) withTiles(ctx context.Context, ask func(context.Context, []Tile, []Text) (Answer, error)) (Answer, error) {
	for {
		askCtx, change := context.WithCancelCause(ctx)
		changed := e.Changed()
		tiles, notices := e.Tiles(), e.cfg.Platform.Catalogue().Notices
		var watching sync.WaitGroup
		watching.Go(func() {
			for {
				select {
				case <-changed:
				case <-askCtx.Done():
					return
				}
				changed = e.Changed()
				if !sameTiles(tiles, e.Tiles()) || !sameNotices(notices, e.cfg.Platform.Catalogue().Notices) {
					change(errChanged)
					return
				}
			}
		})
		a, err := ask(askCtx, tiles, notices)
		change(nil)
		watching.Wait()
		if err != nil && errors.Is(err, errChanged) && ctx.Err() == nil {
			continue
		}
		return a, err
	}
}

// visit is one citizen's presence: from the home screen until everything of theirs is wiped.
func (e *Engine) visit(ctx context.Context, c Citizen, chosen string) (err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("begin visit: %w", err)
	}
	v := &visit{id: id.String(), consents: map[string]bool{}}
	defer func() {
		v.wipe()
		if e.cfg.Over != nil {
			e.cfg.Over()
		}
		c.Tell(Ended{})
	}()
	if !e.visited.Swap(true) {
		e.cardFromBefore(ctx, c)
	}
	err = e.items(ctx, c, v, chosen)
	e.takeCard(ctx, c, v)
	return err
}

// items runs items until the citizen has enough.
func (e *Engine) items(ctx context.Context, c Citizen, v *visit, chosen string) error {
	for {
		code := chosen
		chosen = ""
		if code == "" {
			a, err := e.withTiles(ctx, func(ctx context.Context, tiles []Tile, notices []Text) (Answer, error) {
				return c.Ask(ctx, Home{Page: Page{At: -1, Exit: true}, Tiles: tiles, Notices: notices})
			})
			if err != nil {
				return err
			}
			pick, ok := a.(ItemChosen)
			if !ok {
				return fmt.Errorf("%w: %T to home", ErrAnswer, a)
			}
			code = pick.Code
		}
		it, ok := e.Items().Item(code)
		if !ok {
			return fmt.Errorf("%w: no item %q", ErrAnswer, code)
		}
		if err := e.run(ctx, c, v, it); err != nil && !errors.Is(err, ErrBack) {
			return err
		}
	}
}
