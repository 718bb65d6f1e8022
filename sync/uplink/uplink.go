// Package uplink carries the journal's lanes to the platform and the platform's inbox back.
//
// [Client] is the platform's API; [Uplink] is the service that runs for as long as the terminal does: enrol if that was not
// done yet, say hello, send what waits in signed batches, poll the inbox. A record leaves the journal's waiting list only
// through an ack whose signature, epoch and hash fit. Whatever fails is tried again after a pause with full jitter; nothing
// is ever given up.
package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// State is the link's.
type State string

// Link states.
const (
	Unknown State = "unknown"
	Up      State = "up"
	Down    State = "down"
)

// Options of [New].
type Options struct {
	Client   *Client
	Journal  *journal.Journal
	Site     string
	Name     string
	Software string
	// Code is asked for an enrolment code while the terminal is not enrolled; nil or "" waits for another process to enrol it.
	Code func() (string, error)
	// Enrolled is called when a code has let the terminal in and can go; nil does nothing.
	Enrolled func()
	Status   func() []wire.TerminalRoleStatus
	// Message handles one inbox message. Messages come in order of their numbers, each until the handler returned nil once;
	// after a crash between that and the note of it the last one comes again, so that a handler must know a message's ID.
	Message func(context.Context, wire.Message) error
	// Expired handles, in the same way, one that came after its time; nil drops it.
	Expired func(context.Context, wire.Message) error
	// Describe adds to a hello what only the program knows; may be nil.
	Describe func(*wire.Hello)
	Log      *slog.Logger

	Beat     time.Duration // between signs of life, 0 means 3 s
	Base     time.Duration // of the back-off, 0 means 1 s
	Cap      time.Duration // of the back-off, 0 means 5 min; while citizens may wait it is never longer than Retry says
	PullWait time.Duration // of the long poll, 0 means 25 s
}

// Uplink is the service.
type Uplink struct {
	opt Options

	mu        sync.Mutex
	state     State
	catalogue *wire.Catalogue
	changed   chan struct{}
	beats     int                // good beats since the last bad one
	stranger  string             // the code with which the platform does not let us in
	lost      time.Time          // when the link was last lost
	spread    time.Duration      // first contact after a long loss is spread over this much
	most      int                // records in a batch, as the platform wishes
	stopped   map[wire.Lane]bool // lanes whose history the platform does not share
	hold      time.Time          // until when the platform asked not to be asked
	anew      bool               // the next hello fetches the catalogue whatever its revision
	pastShown bool               // the platform was shown what it acknowledged, and has answered ever since
	want      []wire.Range       // what an operator wants again
	hurry     chan struct{}      // makes the next beat come at once
	greeted   bool               // both sides have compared what they hold; nothing is sent before
	sealed    []byte             // the platform's key that data keys are sealed to

	samplesHold time.Time // before it telemetry is not sent; of the part that pushes

	// conversation keeps a hello and a push apart: a hello that shows older heads than a push that overtook it would look
	// like a disk restored from an old image.
	conversation sync.Mutex
	halved       int   // how often the batch size was halved; under conversation
	signed       int64 // signed times that the journal knows of; under conversation
}

const (
	metaCatalogue = "uplink.catalogue"
	metaInbox     = "uplink.inbox"
	// good beats until a lost link counts as up again, so that a flapping one does not make tiles flicker.
	goodBeats = 2
	// longLoss makes a return count as one of a whole fleet's, which is spread.
	longLoss = 2 * time.Minute
	callTime = 8 * time.Second
	// renewLook is how often a certificate's age is looked at.
	renewLook = 10 * time.Minute
	// slowest line on which a blob is given the time it needs, in bytes per second.
	slowest = 8 << 10
	// batchBytes of bodies make about 256 KiB compressed at the very most.
	batchBytes = 512 << 10
)

// New makes the service; the last catalogue that was received is known at once.
func New(opt Options) *Uplink {
	if opt.Beat == 0 {
		opt.Beat = 3 * time.Second
	}
	if opt.Base == 0 {
		opt.Base = time.Second
	}
	if opt.Cap == 0 {
		opt.Cap = 5 * time.Minute
	}
	if opt.PullWait == 0 {
		opt.PullWait = 25 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	u := &Uplink{opt: opt, state: Unknown, changed: make(chan struct{}), hurry: make(chan struct{}, 1), most: wire.MaxBatchRecords}
	if b, err := opt.Journal.Meta(metaCatalogue); err == nil {
		var c wire.Catalogue
		if json.Unmarshal(b, &c) == nil {
			u.catalogue = &c
		}
	}
	return u
}

// State is the link's state; it never blocks.
func (u *Uplink) State() State {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state
}

// Refused is the code with which the platform does not let this terminal in; "" while it does.
func (u *Uplink) Refused() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stranger
}

// Catalogue is the last one received, nil before the first.
func (u *Uplink) Catalogue() *wire.Catalogue {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.catalogue
}

// Changed is closed at the next change of State or Catalogue.
func (u *Uplink) Changed() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}

// Resync has the next beat, which comes at once, compare everything and fetch the catalogue anew, and sends ranges again.
func (u *Uplink) Resync(ranges ...wire.Range) {
	u.wanted(ranges)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.anew, u.pastShown = true, false
	select {
	case u.hurry <- struct{}{}:
	default:
	}
}

func (u *Uplink) change(do func() bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if do() {
		close(u.changed)
		u.changed = make(chan struct{})
	}
}

// strangers are the refusals that say that the platform does not take this terminal for who it is: there is a line, but
// nothing to be had over it.
var strangers = map[string]bool{"E-AUTH": true, "E-TERMINAL": true, "E-REVOKED": true, "E-CERT": true, "E-CERT-EXPIRED": true, "E-CLOCK": true}

// saw notes whether the platform answered. A refusal is an answer when it is the platform's own, with a code: a gateway or a
// portal in between refuses without one.
func (u *Uplink) saw(err error) {
	var refused *StatusError
	stranger := ""
	if errors.As(err, &refused) && strangers[refused.Body.Code] {
		stranger = refused.Body.Code
	}
	good := err == nil || stranger == "" && errors.As(err, &refused) && refused.Body.Code != "" && (refused.Status/100 == 4 || refused.Body.Code == busy)
	u.change(func() bool {
		if stranger != "" && stranger != u.stranger {
			u.opt.Log.Error("the platform does not let this terminal in", "code", stranger)
		}
		u.stranger = stranger
		was := u.state
		if !good {
			if was != Down {
				u.lost = time.Now()
			}
			// Whoever answers next may be a platform that was set back meanwhile, and a second machine under this name may
			// have had it order our epoch before we say hello: it is shown again what it acknowledged.
			u.beats, u.state, u.pastShown = 0, Down, false
		} else if u.beats++; u.state == Unknown || u.beats >= goodBeats {
			u.state = Up
		}
		return was != u.state
	})
}

// busy is the platform's own word that it works and has too much to do.
const busy = "E-BUSY"

// held notes that the platform asked to be left alone for a while. Hellos and pushes keep to it together, whichever of them was
// told; what a citizen waits for is asked all the same.
func (u *Uplink) held(err error) {
	var refused *StatusError
	if !errors.As(err, &refused) || refused.RetryAfter == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if until := time.Now().Add(refused.RetryAfter); until.After(u.hold) {
		u.hold = until
	}
}

// holding is how long the platform still wants to be left alone.
func (u *Uplink) holding() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Until(u.hold)
}

// Failed lets whoever used the client directly say that the link is gone, or that the platform no longer lets us in, so that
// everybody knows at once.
func (u *Uplink) Failed(err error) {
	var refused *StatusError
	if errors.Is(err, ErrUnreachable) || errors.As(err, &refused) && strangers[refused.Body.Code] {
		u.saw(err)
	}
}

// Run serves until ctx ends. Its parts are owned and waited for.
func (u *Uplink) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	defer parts.Wait()
	if err := u.enrol(ctx); err != nil {
		return err
	}
	if u.opt.Client.id.Enrolled() {
		u.sealTo()
	}
	u.opt.Client.Floor(u.opt.Journal.Known())
	parts.Go(func() { u.loop(ctx, "beat", u.beat) })
	parts.Go(func() { u.loop(ctx, "push", u.push) })
	parts.Go(func() { u.loop(ctx, "inbox", u.pull) })
	parts.Go(func() { u.loop(ctx, "renew", u.renew) })
	<-ctx.Done()
	return nil
}

// enrol introduces the terminal, for as long as it takes, or until `kiosk enroll` has done so beside us.
func (u *Uplink) enrol(ctx context.Context) error {
	for n := 0; !u.opt.Client.id.Enrolled(); n++ {
		if err := u.opt.Client.id.Reload(); err == nil && u.opt.Client.id.Enrolled() {
			break
		}
		var code string
		var err error
		if u.opt.Code != nil {
			code, err = u.opt.Code()
		}
		if err == nil && code == "" {
			err = ErrNotEnrolled
		}
		if err == nil {
			err = u.bounded(ctx, callTime, func(ctx context.Context) error {
				return u.opt.Client.Enroll(ctx, u.opt.Site, u.opt.Name, code)
			})
			u.saw(err)
		}
		if err == nil {
			if u.opt.Enrolled != nil {
				u.opt.Enrolled()
			}
			return u.audit(journal.EventTerminalEnrolled)
		}
		if ctx.Err() != nil {
			return nil
		}
		if n == 0 || !errors.Is(err, ErrNotEnrolled) {
			u.opt.Log.Warn("enrolment", "error", err)
		}
		if !u.pause(ctx, min(n, 3), err) { // a technician may be standing in front
			return nil
		}
	}
	return nil
}

func (u *Uplink) audit(event journal.Event) error {
	return u.opt.Journal.Update(func(tx *journal.Tx) error { return tx.Audit(event, wire.WhoSystem, nil) })
}

// renew has the certificate renewed when it is time, also after it has expired, and finishes a rotation that was cut short.
func (u *Uplink) renew(ctx context.Context) error {
	if !u.opt.Client.id.renewalDue(u.opt.Client.Now()) {
		return u.until(ctx, u.Changed(), renewLook)
	}
	renewed := false
	err := u.bounded(ctx, callTime, func(ctx context.Context) (err error) {
		renewed, err = u.opt.Client.renewDue(ctx)
		return err
	})
	if err == nil && !renewed {
		return nil
	}
	if err != nil {
		if ctx.Err() == nil {
			u.opt.Log.Warn("certificate could not be renewed", "error", err)
		}
		return err
	}
	if err := u.audit(journal.EventTerminalRenewed); err != nil {
		return err
	}
	return u.until(ctx, nil, time.Minute) // whatever the platform gives, it is not asked without pause
}

// Rotate replaces the terminal's keys.
func (u *Uplink) Rotate(ctx context.Context) error {
	if err := u.bounded(ctx, callTime, u.opt.Client.Rotate); err != nil {
		return err
	}
	return u.audit(journal.EventTerminalRotated)
}

// loop runs a part again and again, with a pause after failures.
func (u *Uplink) loop(ctx context.Context, name string, part func(context.Context) error) {
	for n := 0; ctx.Err() == nil; {
		err := part(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			n = 0
			continue
		}
		u.opt.Log.Debug("uplink", "part", name, "error", err)
		if !u.pause(ctx, n, err) {
			return
		}
		n++
	}
}

// pause waits with full jitter, at least as long as the platform asks, and at most until the link comes back.
func (u *Uplink) pause(ctx context.Context, n int, err error) bool {
	d := time.Duration(rand.Int64N(int64(min(u.opt.Cap, u.opt.Base<<min(n, 20))) + 1))
	var refused *StatusError
	if errors.As(err, &refused) && refused.RetryAfter > d {
		d = refused.RetryAfter
	}
	t := time.NewTimer(d)
	defer t.Stop()
	state, changed := u.State(), u.Changed()
	for {
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		case <-changed:
			changed = u.Changed()
			if now := u.State(); now == Up && state != Up && (refused == nil || refused.RetryAfter == 0) {
				return true
			}
		}
	}
}

func (u *Uplink) bounded(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: no answer within %v", ErrUnreachable, limit))
	defer cancel()
	return do(ctx)
}

// beat says hello: it shows whether the link works, compares both sides' lanes and fetches a new catalogue.
func (u *Uplink) beat(ctx context.Context) error {
	u.sealTo() // a new enrolment or renewal beside us may have brought another key
	err := u.greet(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		u.opt.Log.Debug("hello", "error", err)
	}
	u.held(err)
	next := max(u.nextBeat(), u.holding())
	select {
	case <-time.After(next):
	case <-u.hurry:
	case <-ctx.Done():
	}
	return nil
}

// longestBeat is how far apart the tries to reach a platform come that was away for long: short enough that a hall is not kept
// waiting, and with full jitter, so that a fleet does not greet a platform that comes back all at once.
const longestBeat = time.Minute

// nextBeat is when to say hello again. A link that was just lost is noticed soon when it comes back; two good beats make it up.
func (u *Uplink) nextBeat() time.Duration {
	if u.State() == Up {
		return u.opt.Beat
	}
	u.mu.Lock()
	away, beats := time.Since(u.lost), u.beats
	u.mu.Unlock()
	if u.State() == Unknown || beats > 0 || away < longLoss {
		return u.opt.Beat / 3
	}
	return u.opt.Beat/3 + rand.N(min(longestBeat, u.opt.Cap))
}

func (u *Uplink) greet(ctx context.Context) error {
	u.conversation.Lock()
	defer u.conversation.Unlock()
	u.mu.Lock()
	show := !u.pastShown
	u.mu.Unlock()
	lanes, w, err := u.hello(ctx, show)
	if err == nil && ctx.Err() == nil && !show && len(lanes) > 0 && w.Epoch > lanes[0].Epoch {
		// What is to come along into a new epoch is known only to a platform that was shown what it acknowledged.
		show = true
		lanes, w, err = u.hello(ctx, show)
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	if err := u.tellTime(ctx); err != nil {
		return err
	}
	u.mu.Lock()
	u.spread = max(0, min(time.Duration(w.Limits.SpreadMS)*time.Millisecond, time.Hour))
	if n := w.Limits.BatchRecords; n > 0 {
		u.most = min(n, wire.MaxBatchRecords)
	}
	u.pastShown = u.pastShown || show
	u.mu.Unlock()
	err = u.compare(lanes, w)
	if err == nil {
		u.change(func() bool {
			first := !u.greeted
			u.greeted = true
			return first
		})
	}
	return errors.Join(err, u.refresh(ctx, w))
}

// hello shows where the lanes stand, and also what was acknowledged when past is true.
func (u *Uplink) hello(ctx context.Context, past bool) (lanes []journal.LaneStatus, w wire.Welcome, err error) {
	change, err := u.opt.Journal.Change() // before the lanes, so that it is never ahead of what they show
	if err != nil {
		return lanes, w, err
	}
	if lanes, err = u.opt.Journal.Lanes(); err != nil {
		return lanes, w, err
	}
	h := wire.Hello{Change: change, Terminal: u.opt.Client.id.Terminal, Software: u.opt.Software, Lanes: map[wire.Lane]wire.LanePoint{}}
	for _, l := range lanes {
		h.Epoch = l.Epoch
		h.Lanes[l.Lane] = wire.LanePoint{Seq: l.Head, Hash: l.HeadHash}
	}
	if u.opt.Status != nil {
		h.Status = u.opt.Status()
	}
	if h.Inbox, h.InboxID, err = lastMessage(u.opt.Journal); err != nil {
		return lanes, w, err
	}
	u.mu.Lock()
	h.Compared = u.greeted
	u.mu.Unlock()
	boot, lasted := u.opt.Journal.Boot()
	h.Boot, h.MS = boot, lasted.Milliseconds()
	if past {
		if h.Past, err = u.opt.Journal.Past(wire.MaxPast); err != nil {
			return lanes, w, err
		}
		if h.Left, err = u.opt.Journal.Left(); err != nil {
			return lanes, w, err
		}
	}
	if u.opt.Describe != nil {
		u.opt.Describe(&h)
	}
	// A beat is how soon a lost link is noticed, so it waits less than other calls.
	short, cancel := context.WithTimeoutCause(ctx, 4*time.Second, fmt.Errorf("%w: no answer", ErrUnreachable))
	defer cancel()
	w, err = u.opt.Client.Hello(short, h)
	if ctx.Err() == nil {
		u.saw(err)
	}
	return lanes, w, err
}

func (u *Uplink) refresh(ctx context.Context, w wire.Welcome) error {
	u.mu.Lock()
	anew := u.anew
	u.anew = false
	u.mu.Unlock()
	if c := u.Catalogue(); !anew && c != nil && c.Revision == w.Catalogue {
		return nil
	}
	var c wire.Catalogue
	err := u.bounded(ctx, callTime, func(ctx context.Context) (err error) {
		c, err = u.opt.Client.Catalogue(ctx)
		return err
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := u.opt.Journal.Update(func(tx *journal.Tx) error { return tx.SetMeta(metaCatalogue, b) }); err != nil {
		return err
	}
	u.change(func() bool { u.catalogue = &c; return true })
	return nil
}
