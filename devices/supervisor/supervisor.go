// Package supervisor keeps every role's device open, healthy and truthfully reported.
//
// It is level-triggered: for each role it asks again and again "what should be there, what is there?" and does the one
// thing that brings the two together — open what is missing, probe what is open, close what has gone, or wait. No event
// is needed for it to find its way back, so a device plugged in late, a missed hot-plug message or a driver that failed
// half-way heal by themselves; hot-plug messages only make it look sooner ([Supervisor.Look]).
//
//	sup := supervisor.New([]supervisor.RoleConfig{{
//		Role: devices.RoleIDReader,
//		URI:  "serial:/dev/serial/by-id/usb-FTDI-if00?baud=115200",
//		Open: func(ctx context.Context) (devices.Device, error) { … },
//	}}, supervisor.Options{})
//	go sup.Run(ctx)
//	defer sup.Close()
//
//	dev, release, err := sup.Use(devices.RoleIDReader)
//
// Failures are retried after a random time that grows (full jitter, capped), so that twelve devices on one broken hub do
// not knock in step. [devices.ErrUnusable] is not retried: only [Supervisor.Reset], or the device's absence seen through
// [RoleConfig.Present], gives it another chance. A device that names another serial number than the one commissioned is
// [devices.ConnectionFraud] and never handed out.
//
// The package imports no driver: who opens what is injected.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Options of [New]. The zero value is what a terminal wants.
type Options struct {
	// OnStatus is called at each change of a role's status, in the order of the changes, from Run's goroutine.
	OnStatus func(role devices.Role, old, new devices.Status)
	// OpenTimeout bounds one Open; 0 means 20 s (a reader's self-test takes several).
	OpenTimeout time.Duration
	// ProbeTimeout bounds one Probe; 0 means 3 s.
	ProbeTimeout time.Duration
	// BackoffMin and BackoffMax bound the time before the next try; 0 means 500 ms and 30 s.
	BackoffMin, BackoffMax time.Duration
	// EndGrace is how long the end waits for holders and for calls into drivers; 0 means 5 s.
	EndGrace time.Duration
	// Rand draws from [0,1); nil means math/rand.
	Rand func() float64
	// Log gets changes and faults; nil discards them.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.OpenTimeout, 20*time.Second)
	def(&o.ProbeTimeout, 3*time.Second)
	def(&o.BackoffMin, 500*time.Millisecond)
	def(&o.BackoffMax, 30*time.Second)
	def(&o.EndGrace, 5*time.Second)
	o.BackoffMax = max(o.BackoffMax, o.BackoffMin)
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Supervisor implements [devices.Set].
type Supervisor struct {
	opt   Options
	roles []*role
	by    map[devices.Role]*role

	mu      sync.Mutex
	changed chan struct{}
	events  []event
	posted  chan struct{} // capacity 1: events wait
	asked   chan chan struct{}
	running bool
	ended   bool
	stop    context.CancelFunc
	done    chan struct{} // closed when Run has returned
}

var _ devices.Set = (*Supervisor)(nil)

// An event is one change of status on its way to OnStatus.
type event struct {
	role     devices.Role
	old, new devices.Status
}

// New prepares a supervisor; nothing is opened before [Supervisor.Run]. Of two configurations for one role the later
// one counts. A configuration without Open panics: it is a programming mistake.
func New(cfg []RoleConfig, opt Options) *Supervisor {
	s := &Supervisor{
		opt:     opt.withDefaults(),
		by:      make(map[devices.Role]*role),
		changed: make(chan struct{}),
		posted:  make(chan struct{}, 1),
		asked:   make(chan chan struct{}),
		done:    make(chan struct{}),
	}
	now := time.Now()
	for _, c := range cfg {
		if c.Open == nil {
			panic("supervisor: role " + string(c.Role) + " without Open")
		}
		if c.ProbeEvery <= 0 {
			c.ProbeEvery = 2 * time.Second
		}
		r := &role{cfg: c, wake: make(chan struct{}, 1), serial: c.ExpectSerial, due: now}
		r.status = bare(c.Role, devices.ConnectionStarting)
		r.status.Since = now
		if old, ok := s.by[c.Role]; ok {
			s.roles = slices.DeleteFunc(s.roles, func(r *role) bool { return r == old })
		}
		s.by[c.Role] = r
		s.roles = append(s.roles, r)
	}
	return s
}

// bare is a status that says nothing but the connection.
func bare(role devices.Role, c devices.Connection, reasons ...string) devices.Status {
	return devices.Status{
		Role: role, Connection: c, Reasons: reasons,
		Media: devices.MediaUnknown, Paper: devices.SupplyUnknown, Toner: devices.SupplyUnknown, Cover: devices.CoverUnknown,
	}
}

// Run keeps the devices until ctx ends or [Supervisor.Close] is called, then closes them and returns. Devices that
// somebody holds are closed when they are released. Run returns an error if a holder or a driver's call outlived
// [Options.EndGrace]; it can run once.
func (s *Supervisor) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running || s.ended {
		s.mu.Unlock()
		return errors.New("supervisor: Run was called twice or after Close")
	}
	s.running = true
	ctx, s.stop = context.WithCancel(ctx)
	s.mu.Unlock()
	defer close(s.done)
	defer s.stop()

	ends := make([]chan struct{}, len(s.roles))
	for i, r := range s.roles {
		end := make(chan struct{})
		ends[i] = end
		go func() {
			defer close(end)
			s.tend(ctx, r)
		}()
	}
	for ctx.Err() == nil {
		select {
		case <-s.posted:
			s.deliver()
		case answer := <-s.asked:
			s.deliver()
			close(answer)
		case <-ctx.Done():
		}
	}
	err := s.finish(ends)
	s.deliver()
	return err
}

// finish waits for the roles' goroutines and for holders, within the grace.
func (s *Supervisor) finish(ends []chan struct{}) error {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	grace := time.NewTimer(s.opt.EndGrace)
	defer grace.Stop()
	expired := false
	await := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
		}
		if expired {
			return false
		}
		select {
		case <-c:
			return true
		case <-grace.C:
			expired = true
			return false
		}
	}
	var late []string
	for i, r := range s.roles {
		if !await(ends[i]) {
			late = append(late, string(r.cfg.Role)+" (driver)")
			continue
		}
		s.mu.Lock()
		released := r.released
		s.mu.Unlock()
		if released != nil && !await(released) {
			late = append(late, string(r.cfg.Role)+" (holder)")
		}
	}
	if late != nil {
		return fmt.Errorf("supervisor: still busy after %v: %s", s.opt.EndGrace, strings.Join(late, ", "))
	}
	return nil
}

// Close ends Run and waits for it.
func (s *Supervisor) Close() error {
	s.mu.Lock()
	running, stop := s.running, s.stop
	s.ended = true
	s.mu.Unlock()
	if !running {
		return nil
	}
	stop()
	<-s.done
	return nil
}

// Answer returns when Run has told every change so far to OnStatus: that it does shows that the supervisor lives. It returns
// ctx's error, or one that says that Run does not run.
func (s *Supervisor) Answer(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case s.asked <- answer:
	case <-s.done:
		return errors.New("supervisor: has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-answer:
		return nil
	case <-s.done:
		return errors.New("supervisor: has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Look makes every role look at once at what is there: for hot-plug messages and a technician's "try again". It keeps
// the back-off's count and does not wake what is hopeless.
func (s *Supervisor) Look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.roles {
		r.due = time.Now()
		r.look()
	}
}

// Reset closes the role's device, forgets a hopeless verdict and a learned serial number, and opens it anew: for a
// technician who has mended or replaced it. While somebody holds the device it waits for the release.
func (s *Supervisor) Reset(which devices.Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.by[which]; r != nil {
		r.reset = true
		r.look()
	}
}

// Fault says why the role's last opening or probe failed, nil if it did not. It is for the technician.
func (s *Supervisor) Fault(which devices.Role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.by[which]; r != nil {
		return r.fault
	}
	return nil
}

// deliver hands waiting events to OnStatus.
func (s *Supervisor) deliver() {
	for {
		s.mu.Lock()
		events := s.events
		s.events = nil
		s.mu.Unlock()
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			s.opt.OnStatus(e.role, e.old, e.new)
		}
	}
}
