// Package maintain is the technician's console: who may come in, what they see and what they may do, without a pixel.
//
// A technician asks for the console at the screen between two visits; the engine hands them the terminal
// (service.Technician), and until they leave nobody is served. They come in with a service code or a card, and a PIN ([Keeper],
// [CardKeeper]); wrong ones lock the console for longer and longer ([guard]), counted in the journal before the PIN is looked at. Whoever does not
// touch the screen for a quarter of an hour is gone.
//
// Every page of the console is one [Panel]: figures, rows with a state and perhaps an action, a grid of buttons, a footer. The
// screen draws panels and knows nothing of what they mean; forms and waits are the citizen's own prompts. Whatever a technician
// does is written into the audit chain under their name.
//
// What only the program can do (its log, its network, a file for a stick) comes in through [Config].
package maintain

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
)

// A Device is a configured role, and where its device hangs.
type Device struct {
	Role   devices.Role
	Where  string // the URI
	Driver string
}

// A Finding is one thing that was looked at: a grade, what it is, and how to mend it.
type Finding struct {
	Grade Grade
	What  service.Text
	Mend  service.Text
}

// Config is what the console works with. Journal, Devices, Desk and Keeper are needed; a nil function means that this program
// does not offer it.
type Config struct {
	Journal *journal.Journal
	Devices devices.Set
	Roles   []Device
	Desk    *desk.Desk
	Keeper  Keeper
	// Tolerances say from when on a count of blanks closes the making of cards.
	Tolerances service.Tolerances
	Place      string // "示例区市民之家 03 号终端", on slips
	Version    string
	// Network looks at the way to the platform.
	Network func(context.Context) []Finding
	// Log is the last lines of the program's log, masked, oldest first.
	Log func() []string
	// Verify walks the audit chain and returns what is wrong with it.
	Verify func(context.Context) ([]string, error)
	// Bundle writes a file for support, without personal data, and says where.
	Bundle func(ctx context.Context, who string) (path string, err error)
	// Export writes what waits for the platform onto a stick, and says where.
	Export func(ctx context.Context, who string) (path string, err error)
	// Send tries to bring everything that waits to the platform now.
	Send func(context.Context) error
	// Found lists what is plugged in, configured or not.
	Found func() []string
	// Reset gives a role's device another chance, whatever hangs there now.
	Reset func(devices.Role)
	// Page is the document printer's test page, a PDF of one sheet.
	Page func() ([]byte, error)
	// Restart has the program started anew once the technician has left.
	Restart func()
	Stay    time.Duration // without a touch, until the console is left; 0 means 15 min
	Try     time.Duration // how long a test waits for a card, a code or paper; 0 means 30 s
	Logger  *slog.Logger  // nil discards
}

// Console implements service.Technician.
type Console struct {
	cfg   Config
	guard guard
	asked atomic.Bool
	in    atomic.Bool // somebody is in the console
}

// New makes a console.
func New(cfg Config) *Console {
	if cfg.Stay == 0 {
		cfg.Stay = 15 * time.Minute
	}
	if cfg.Try == 0 {
		cfg.Try = 30 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Console{cfg: cfg, guard: guard{cfg.Journal}}
}

// Ask asks for the console; the engine lets it have the terminal as soon as nobody is served. It may be called from any
// goroutine; whoever calls it wakes the engine's caretaker.
func (c *Console) Ask() { c.asked.Store(true) }

// Asked implements service.Technician.
func (c *Console) Asked() bool { return c.asked.Swap(false) }

// metaClosed keeps over restarts that a technician left the terminal closed: "1", or nothing.
const metaClosed = "technician.closed"

// Closed says whether a technician left the terminal closed.
func (c *Console) Closed() (*service.OutOfService, error) {
	b, err := c.cfg.Journal.Meta(metaClosed)
	if errors.Is(err, journal.ErrNotFound) || err == nil && len(b) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &service.OutOfService{Why: service.T("tech.closed"), Code: "E-MAINTENANCE"}, nil
}

// Why a technician leaves.
var (
	errResumed = errors.New("resumed")
	errClosed  = errors.New("closed")
	errIdle    = errors.New("idle")
)

// Attended says whether a technician is in the console now.
func (c *Console) Attended() bool { return c.in.Load() }

// Attend implements service.Technician: it lets a technician in, if they are one, and returns when they have left.
func (c *Console) Attend(ctx context.Context, citizen service.Citizen) error {
	who, err := c.enter(ctx, citizen)
	if err != nil || who.Operator == "" {
		return err
	}
	c.in.Store(true)
	defer c.in.Store(false)
	s := &session{Console: c, citizen: citizen, who: who}
	if err := c.audit(journal.EventTechnicianEntered, who.Operator, map[string]string{"by": who.by}); err != nil {
		return err
	}
	s.touched()
	why := s.home(ctx)
	word := "ended"
	for _, known := range []error{errResumed, errClosed, errIdle} {
		if errors.Is(why, known) {
			word = known.Error()
			why = nil
		}
	}
	err = c.cfg.Journal.Update(func(tx *journal.Tx) error {
		switch word {
		case errResumed.Error():
			if err := tx.SetMeta(metaClosed, nil); err != nil {
				return err
			}
		case errClosed.Error():
			if err := tx.SetMeta(metaClosed, []byte("1")); err != nil {
				return err
			}
		}
		return tx.Audit(journal.EventTechnicianLeft, who.Operator, map[string]string{"why": word})
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(why, err)
}

func (c *Console) audit(event journal.Event, who string, fields map[string]string) error {
	return c.cfg.Journal.Update(func(tx *journal.Tx) error { return tx.Audit(event, who, fields) })
}
