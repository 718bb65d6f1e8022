package main

// The terminal: every room of it wired together, with its goroutines owned and waited for.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus/usb"
	"github.com/budayang/kiosk/devices/supervisor"
	"github.com/budayang/kiosk/private"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/guidance"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
	"github.com/budayang/kiosk/ui"
)

// sweepEvery is how often ended cases are looked through for personal data that may go.
const sweepEvery = 10 * time.Minute

// keepAcknowledged is how many months the journal keeps what the platform has acknowledged, for the desk's questions and the
// technician's reconciliation.
const keepAcknowledged = 6

// terminal is one running terminal.
type terminal struct {
	cfg     config.Config
	log     *slog.Logger
	journal *journal.Journal
	client  *uplink.Client
	link    *uplink.Uplink
	sup     *supervisor.Supervisor
	engine  *service.Engine
	audit   auditor
	cabinet cabinet
	power   power
	known   func(names ...string) (forget func()) // the log's net
	orders  *uplink.Orders
	shelf   shelf
	ring    *ring
	console *maintain.Console
	beside  *guidance.Guidance // lamps and tones
	windows *windows           // of the hall's queue

	itemsRevision atomic.Int64
	noticesNow    atomic.Pointer[wire.NoticesRelease] // nil before the first release
	uploads       map[string]*upload                  // by order; only between visits
	background    sync.WaitGroup

	lives lives       // how the program ended before; nothing is kept of a demo's
	cause string      // why it started, see lastend.go
	again atomic.Bool // somebody at the machine asked for a new start between two visits

	// rotateKey makes a new key, has it certified and says what it did; nil when this program cannot.
	rotateKey func(context.Context) (detail string, err error)
}

// newTerminal opens the journal and puts the rooms together; nothing runs yet.
// reached, which may be nil, hears of every named point that is passed.
func newTerminal(c config.Config, log *slog.Logger, reached func(point string)) (t *terminal, err error) {
	t = &terminal{cfg: c, ring: &ring{}, uploads: map[string]*upload{}}
	// What is kept to be sent to the platform passes through the net as well.
	net := private.NewHandler(slog.NewMultiHandler(log.Handler(), slog.NewTextHandler(t.ring, nil)))
	log = slog.New(net)
	t.log, t.known = log, net.Know
	opt := journalOptions(c)
	opt.Log, opt.Crash = log, reached
	if t.journal, err = journal.Open(journalPath(c), opt); err != nil {
		return nil, err
	}
	opened := t.journal
	defer func() {
		if err != nil {
			_ = opened.Close()
		}
	}()
	id, err := identity(c)
	if errors.Is(err, uplink.ErrProfile) {
		log.Warn("serving in the profile of the enrolment", "error", err)
	} else if err != nil {
		return nil, err
	}
	if t.client, err = newClient(c, id); err != nil {
		return nil, err
	}
	t.audit = auditor{t.journal, id, witnessPath(c), log}
	if err = t.audit.begin(); err != nil {
		return nil, err
	}
	t.cabinet.breach = make(chan struct{}, 1)
	t.sup = t.devices()
	t.orders = &uplink.Orders{Journal: t.journal, Handle: t.handlers(), Now: t.client.Now, Log: log}
	t.link = uplink.New(uplink.Options{Client: t.client, Journal: t.journal, Site: c.Terminal.Site, Name: c.Terminal.Name,
		Software: "budayang " + version, Code: func() (string, error) { return readCode(c.Platform.CodeFile) },
		Enrolled: func() { _ = os.Remove(c.Platform.CodeFile) },
		Status:   t.status, Message: t.orders.Message, Expired: t.orders.Expired, Describe: t.describe, Log: log})
	t.rotateKey = func(ctx context.Context) (string, error) { return "new keys are certified", t.link.Rotate(ctx) }
	t.shelf = shelf{filepath.Join(c.Terminal.Data, "items"), log}
	items, revision, err := t.shelf.offered()
	if err != nil {
		return nil, err
	}
	t.itemsRevision.Store(revision)
	notices, err := loadNotices(t.journal)
	if err != nil {
		return nil, err
	}
	t.noticesNow.Store(notices)
	t.beside = guidance.New(guidance.Config{Devices: t.sup, Log: log})
	t.console = t.newConsole()
	t.cabinet.attended = t.console.Attended
	t.windows = newWindows(t.city(), t.journal, t.cfg.Terminal.No, log)
	t.engine, err = service.New(service.Config{Technician: t.console, Items: here(items, t.cfg.Terminal.Items), Former: t.shelf.former(), Journal: t.journal, Devices: t.sup, Platform: t.city(), Cashier: t.city(),
		Office: t.office(), Hall: t.windows, CardCheck: c.Device[devices.RoleCardCheck].Driver != "", OnBattery: t.power.battery.Load, TerminalID: c.Terminal.ID,
		Site: service.Site{Name: service.Words{"zh": c.Terminal.Site}, Terminal: c.Terminal.No},
		Timeouts: service.Timeouts{CardUrgent: time.Duration(c.Visit.TakeCard), Take: time.Duration(c.Visit.TakeSlip),
			Paper: time.Duration(c.Visit.Refill), Unclaimed: time.Duration(c.Visit.Unclaimed), Unfetched: time.Duration(c.Visit.Unfetched)},
		Now: t.journal.Now, Caretaker: t, Log: log, Reached: reached, Known: net.Know, Over: t.client.Forget})
	return t, err
}

// devices prepares the supervisor; a driver that sees its device change says so at once.
func (t *terminal) devices() *supervisor.Supervisor {
	var sup *supervisor.Supervisor
	open := opener{report: func(s devices.Status) { sup.Report(s) }, torn: new(atomic.Bool), lines: new(sharedLines)}
	var roles []supervisor.RoleConfig
	for role, d := range t.cfg.Device {
		every := time.Second
		if role == devices.RoleDoor {
			every = doorEvery
		}
		roles = append(roles, supervisor.RoleConfig{Role: role, URI: d.URI, ExpectSerial: d.Serial, ProbeEvery: every, Present: present(d.URI),
			Open: func(ctx context.Context) (devices.Device, error) { return open.open(ctx, role, d) }})
	}
	sup = supervisor.New(roles, supervisor.Options{Log: t.log, OnStatus: t.noted, BackoffMax: 3 * time.Second})
	return sup
}

// noted keeps changes that matter in the audit chain.
func (t *terminal) noted(role devices.Role, old, now devices.Status) {
	if role == devices.RoleDoor {
		t.cabinet.noted(t, old, now)
	}
	if role == devices.RoleUPS {
		t.power.noted(t, now)
	}
	if old.Unready() == now.Unready() || now.Unready() == devices.UnreadyStarting {
		return
	}
	err := t.journal.Update(func(tx *journal.Tx) error {
		return tx.Audit(journal.EventDeviceChanged, wire.WhoSystem, map[string]string{"role": string(role), "was": string(old.Unready()), "is": string(now.Unready())})
	})
	if err != nil {
		t.log.Error("device status could not be recorded", "error", err)
	}
}

// status is what the fleet's page shows of the devices.
func (t *terminal) status() []wire.TerminalRoleStatus {
	var all []wire.TerminalRoleStatus
	for _, r := range roles(t.cfg) {
		s := t.sup.Status(r)
		all = append(all, wire.TerminalRoleStatus{Role: string(r), Unready: string(s.Unready()), Paper: string(s.Paper)})
	}
	return all
}

// run shows the screen and serves until it is told to stop.
func (t *terminal) run(told context.Context) error {
	defer t.client.Close()
	words, err := ui.LoadWords(assets.FS, "lang")
	if err != nil {
		return errors.Join(err, t.journal.Close())
	}
	a := app.NewWithID("org.budayang.kiosk")
	app.SetMetadata(fyne.AppMetadata{ID: "org.budayang.kiosk", Name: "Budayang", Version: version, Migrations: map[string]bool{"fyneDo": true}})
	w := a.NewWindow("Budayang")
	s := t.cfg.Screen
	w.Resize(fyne.NewSize(float32(s.Width), float32(s.Height)))
	w.SetFullScreen(s.FullScreen)
	w.SetCloseIntercept(func() {})
	screen := ui.New(ui.Options{App: a, Window: w, Screen: ui.Screen{Width: s.Width, Height: s.Height, DiagonalMM: float64(s.DiagonalMM)},
		Language: s.Language, Site: t.cfg.Terminal.Site, Terminal: t.cfg.Terminal.Name, Words: words, Link: t.city(), Technician: t.askConsole, Touched: t.beside.Key,
		Warn: time.Duration(t.cfg.Visit.Warn), End: time.Duration(t.cfg.Visit.End), Log: t.log})

	told, stop := context.WithCancel(told)
	defer stop()
	ended := make(chan error, 1)
	shown := make(chan struct{})
	a.Lifecycle().SetOnStarted(func() {
		toldAlone(told, stop)
		go func() {
			err := t.serveOn(told, screen)
			ended <- err
			t.takeDown(a, shown, err)
		}()
	})
	w.ShowAndRun()
	close(shown)
	stop()
	return <-ended
}

// restartOnHangUp takes SIGHUP (systemctl reload) as the wish to be started again as soon as nobody stands in front: after
// an upgrade of the program, say. A citizen's visit is never cut short by it.
func (t *terminal) restartOnHangUp(ctx context.Context) {
	hang := make(chan os.Signal, 1)
	signal.Notify(hang, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hang)
		for {
			select {
			case <-hang:
				t.again.Store(true)
				t.orders.Again(0)
			case <-ctx.Done():
				return
			}
		}
	}()
}

// toldAlone takes the signals that ask to stop away from Fyne, which would take its window down at once, under the hands of
// whatever still draws; from here on they only call stop. Fyne listens from before it says that it has started.
func toldAlone(ctx context.Context, stop func()) {
	ask := make(chan os.Signal, 1)
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	signal.Notify(ask, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(ask)
		select {
		case <-ask:
			stop()
		case <-ctx.Done():
		}
	}()
}

// serveOn serves on a screen that is shown until ctx ends, then closes the journal.
func (t *terminal) serveOn(ctx context.Context, screen *ui.Terminal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	closeProbe := serveProbe(screen, t.log)
	defer closeProbe()
	t.restartOnHangUp(ctx)
	var clock sync.WaitGroup
	clock.Go(func() { screen.Run(ctx) })
	watch := alive{vitals: t.vitals(), notify: tellManager(t.log), status: t.inOneLine, log: t.log}
	clock.Go(func() { watch.run(ctx) })
	err := t.serve(ctx, screen)
	cancel()
	clock.Wait()
	err = errors.Join(err, t.journal.Close())
	if t.lives.dir != "" && (err == nil || errors.Is(err, errRestart)) {
		err = errors.Join(err, t.lives.end(err != nil))
	}
	return err
}

// inOneLine is what systemctl status shows of the terminal.
func (t *terminal) inOneLine() string {
	if _, paused, err := t.paused(); err != nil {
		return "the journal cannot be read"
	} else if paused {
		return "closed by order"
	}
	return "serving"
}

// quitGrace is how long Fyne may take to take its window down.
const quitGrace = 3 * time.Second

// takeDown ends Fyne when everything of ours has ended, and the process when Fyne does not come to its end: v2.8.1 waits
// for ever for an event that was queued while its loop drained (runGL, WaitForEvents).
func (t *terminal) takeDown(a fyne.App, shown <-chan struct{}, err error) {
	select {
	case <-shown: // it went by itself, and no longer has a window system to be asked at
		return
	default:
		fyne.Do(a.Quit)
	}
	select {
	case <-shown:
	case <-time.After(quitGrace):
		t.log.Warn("the window system did not let go; leaving without it")
		os.Exit(exitCode(stdio{err: os.Stderr}, err))
	}
}

// serve runs every part for whoever stands in front, and waits for all of them.
func (t *terminal) serve(ctx context.Context, citizen service.Citizen) error {
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	run := func(name string, part func(context.Context) error) {
		parts.Go(func() {
			err := part(ctx)
			if errors.Is(err, errRestart) {
				t.log.Info("ending, to be started again")
			}
			if err != nil && ctx.Err() == nil {
				t.log.Error("part ended", "part", name, "error", err)
				mu.Lock()
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				mu.Unlock()
				cancel()
			}
		})
	}
	t.log.Info("serving", "version", version, "cause", t.cause)
	dark := make(chan struct{}) // every lamp is off, and the board may go
	run("devices", func(ctx context.Context) error { return t.sup.Run(outlive(ctx, dark)) })
	run("guidance", func(ctx context.Context) error {
		defer close(dark)
		return t.beside.Run(ctx)
	})
	run("usb", func(ctx context.Context) error {
		usb.Watch(ctx, t.sup.Look)
		return nil
	})
	run("uplink", t.link.Run)
	run("sweep", t.sweep)
	run("cabinet", t.cabinet.run)
	run("audit", t.audit.run)
	run("telemetry", t.tell)
	run("windows", t.windows.run)
	run("engine", func(ctx context.Context) error {
		report, err := t.engine.Recover(ctx)
		if err != nil {
			return fmt.Errorf("recover: %w", err)
		}
		if n := report.Desk; n > 0 {
			t.log.Warn("cases that a person must look at", "count", n)
		}
		t.audit.started(report, t.cause)
		return t.engine.Serve(ctx, t.beside.Beside(citizen))
	})
	<-ctx.Done()
	cancel()
	parts.Wait()
	t.background.Wait()
	errs = append(errs, t.audit.end(t.link))
	return errors.Join(errs...)
}

// outlive is a context that ends with ctx, but not before done, for at most three seconds.
func outlive(ctx context.Context, done <-chan struct{}) context.Context {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		defer end()
		select {
		case <-done:
		case <-time.After(3 * time.Second):
		}
	})
	return longer
}

func (t *terminal) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			now := t.journal.Certain() // what a clock that may be ahead calls old is not destroyed
			if now.IsZero() {
				continue
			}
			if _, err := t.engine.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				t.log.Error("sweep", "error", err)
			}
			records, cases, err := t.journal.Trim(now.AddDate(0, -keepAcknowledged, 0))
			if _, oerr := t.journal.TrimOrders(now.AddDate(0, -keepAcknowledged, 0)); oerr != nil {
				err = errors.Join(err, oerr)
			}
			switch {
			case err != nil && ctx.Err() == nil:
				t.log.Error("trim the journal", "error", err)
			case records+cases > 0:
				t.log.Info("trimmed the journal", "records", records, "cases", cases)
			}
		}
	}
}
