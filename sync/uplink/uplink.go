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
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strconv"
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
	Secret   func() ([]byte, error) // the enrolment secret, asked for only when not enrolled
	Status   func() []wire.TerminalRoleStatus
	// Message handles one inbox message, exactly once if it returns nil; an error leaves it for the next time.
	Message func(context.Context, wire.Message) error
	Log     *slog.Logger

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
	beats     int // good beats since the last bad one

	// conversation keeps a hello and a push apart: a hello that shows older heads than a push that overtook it would look
	// like a disk restored from an old image.
	conversation sync.Mutex
}

const (
	metaCatalogue = "uplink.catalogue"
	metaInbox     = "uplink.inbox"
	// good beats until a lost link counts as up again, so that a flapping one does not make tiles flicker.
	goodBeats = 2
	callTime  = 8 * time.Second
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
	u := &Uplink{opt: opt, state: Unknown, changed: make(chan struct{})}
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

func (u *Uplink) change(do func() bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if do() {
		close(u.changed)
		u.changed = make(chan struct{})
	}
}

// saw notes whether the platform answered.
func (u *Uplink) saw(err error) {
	var refused *StatusError
	good := err == nil || errors.As(err, &refused) && refused.Status/100 == 4
	u.change(func() bool {
		was := u.state
		if !good {
			u.beats, u.state = 0, Down
		} else if u.beats++; u.state == Unknown || u.beats >= goodBeats {
			u.state = Up
		}
		return was != u.state
	})
}

// Failed lets whoever used the client directly say that the link is gone, so that everybody knows at once.
func (u *Uplink) Failed(err error) {
	if errors.Is(err, ErrUnreachable) {
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
	parts.Go(func() { u.loop(ctx, "beat", u.beat) })
	parts.Go(func() { u.loop(ctx, "push", u.push) })
	parts.Go(func() { u.loop(ctx, "inbox", u.pull) })
	<-ctx.Done()
	return nil
}

// enrol introduces the terminal, for as long as it takes.
func (u *Uplink) enrol(ctx context.Context) error {
	for n := 0; !u.opt.Client.id.Enrolled(); n++ {
		secret, err := u.opt.Secret()
		if err == nil && len(secret) == 0 {
			err = errors.New("no enrolment secret")
		}
		if err == nil {
			err = u.bounded(ctx, func(ctx context.Context) error {
				return u.opt.Client.Enroll(ctx, u.opt.Site, u.opt.Name, secret)
			})
			clear(secret)
			u.saw(err)
		}
		if err == nil {
			return u.opt.Journal.Update(func(tx *journal.Tx) error { return tx.Audit("terminal.enrolled", "system", nil) })
		}
		if ctx.Err() != nil {
			return nil
		}
		u.opt.Log.Warn("enrolment", "error", err)
		if !u.pause(ctx, n, err) {
			return nil
		}
	}
	return nil
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

func (u *Uplink) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, callTime, fmt.Errorf("%w: no answer within %v", ErrUnreachable, callTime))
	defer cancel()
	return do(ctx)
}

// beat says hello: it shows whether the link works, compares both sides' lanes and fetches a new catalogue.
func (u *Uplink) beat(ctx context.Context) error {
	err := u.greet(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		u.opt.Log.Debug("hello", "error", err)
	}
	select {
	case <-time.After(u.opt.Beat):
	case <-ctx.Done():
	}
	return nil
}

func (u *Uplink) greet(ctx context.Context) error {
	u.conversation.Lock()
	defer u.conversation.Unlock()
	lanes, err := u.opt.Journal.Lanes()
	if err != nil {
		return err
	}
	h := wire.Hello{Terminal: u.opt.Client.id.Terminal, Software: u.opt.Software, Lanes: map[wire.Lane]wire.LanePoint{}}
	for _, l := range lanes {
		h.Epoch = l.Epoch
		h.Lanes[l.Lane] = wire.LanePoint{Seq: l.Head, Hash: l.HeadHash}
	}
	if u.opt.Status != nil {
		h.Status = u.opt.Status()
	}
	var w wire.Welcome
	// A beat is how soon a lost link is noticed, so it waits less than other calls.
	short, cancel := context.WithTimeoutCause(ctx, 4*time.Second, fmt.Errorf("%w: no answer", ErrUnreachable))
	w, err = u.opt.Client.Hello(short, h)
	cancel()
	if ctx.Err() != nil {
		return nil
	}
	u.saw(err)
	if err != nil {
		return err
	}
	u.opt.Journal.SetClockOffset(u.opt.Client.Offset())
	return errors.Join(u.compare(lanes, w), u.refresh(ctx, w))
}

// compare acts on what the platform holds: behind means send again, a fork means a new epoch.
func (u *Uplink) compare(lanes []journal.LaneStatus, w wire.Welcome) error {
	if len(w.Fork) > 0 || len(lanes) > 0 && w.Epoch > lanes[0].Epoch {
		u.opt.Log.Error("lanes have forked from the platform's: new epoch", "lanes", w.Fork, "epoch", w.Epoch)
		return u.opt.Journal.NewEpoch(w.Epoch)
	}
	for _, l := range lanes {
		if p, known := w.Lanes[l.Lane]; known && p.Seq < l.Acked {
			u.opt.Log.Warn("platform lost records: sending again", "lane", l.Lane, "from", p.Seq)
			if err := u.opt.Journal.Rewind(l.Lane, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *Uplink) refresh(ctx context.Context, w wire.Welcome) error {
	if c := u.Catalogue(); c != nil && c.Revision == w.Catalogue {
		return nil
	}
	var c wire.Catalogue
	err := u.bounded(ctx, func(ctx context.Context) (err error) {
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

// push sends what waits: a round over the lanes in sending order, one batch of each, so that none starves; then blobs.
func (u *Uplink) push(ctx context.Context) error {
	changed := u.opt.Journal.Changed()
	if u.State() == Down {
		// The beat finds out when it is back; trying here too would only double the noise.
		return u.until(ctx, u.Changed(), time.Second)
	}
	sent := 0
	for _, lane := range wire.Lanes {
		n, err := u.pushLane(ctx, lane)
		if err != nil {
			return err
		}
		sent += n
	}
	n, err := u.pushBlobs(ctx)
	if err != nil || sent+n > 0 {
		return err
	}
	return u.until(ctx, changed, 5*time.Second)
}

func (u *Uplink) until(ctx context.Context, changed <-chan struct{}, most time.Duration) error {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
}

func (u *Uplink) pushLane(ctx context.Context, lane wire.Lane) (int, error) {
	u.conversation.Lock()
	defer u.conversation.Unlock()
	records, err := u.opt.Journal.Pending(lane, wire.MaxBatchRecords, batchBytes)
	if err != nil || len(records) == 0 {
		return 0, err
	}
	b := wire.Batch{V: wire.Version, Terminal: u.opt.Client.id.Terminal, Epoch: records[0].Epoch, Lane: lane, Records: records}
	var a wire.Ack
	err = u.bounded(ctx, func(ctx context.Context) (err error) {
		a, err = u.opt.Client.Push(ctx, b)
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			u.Failed(err)
		}
		return 0, err
	}
	for _, o := range a.Outcomes {
		if o.Status == wire.Quarantined {
			u.opt.Log.Warn("record quarantined at the platform", "lane", lane, "seq", o.Seq, "reason", o.Reason)
		}
	}
	return len(records), u.opt.Journal.Acked(a)
}

func (u *Uplink) pushBlobs(ctx context.Context) (int, error) {
	all, err := u.opt.Journal.PendingBlobs()
	if err != nil {
		return 0, err
	}
	for i, h := range all {
		data, err := u.opt.Journal.Blob(h)
		if err != nil {
			return i, err
		}
		err = u.bounded(ctx, func(ctx context.Context) error { return u.opt.Client.PutBlob(ctx, h, data) })
		clear(data)
		if err != nil {
			if ctx.Err() == nil {
				u.Failed(err)
			}
			return i, err
		}
		if err := u.opt.Journal.BlobSent(h); err != nil {
			return i, err
		}
	}
	return len(all), nil
}

// pull waits for inbox messages and hands them over in order, each once.
func (u *Uplink) pull(ctx context.Context) error {
	if u.State() == Down {
		return u.until(ctx, u.Changed(), time.Second)
	}
	var last uint64
	if b, err := u.opt.Journal.Meta(metaInbox); err == nil {
		if last, err = strconv.ParseUint(string(b), 10, 64); err != nil {
			return fmt.Errorf("inbox number: %w", err)
		}
	}
	wait, cancel := context.WithTimeout(ctx, u.opt.PullWait+callTime)
	defer cancel()
	in, err := u.opt.Client.Pull(wait, last, u.opt.PullWait)
	if err != nil {
		return err
	}
	for _, m := range in.Messages {
		if m.No != last+1 {
			return fmt.Errorf("%w: message %d after %d", ErrGarbled, m.No, last)
		}
		if u.opt.Message != nil && (m.Expires.IsZero() || time.Now().Add(u.opt.Client.Offset()).Before(m.Expires)) {
			if err := u.opt.Message(ctx, m); err != nil {
				return fmt.Errorf("message %d: %w", m.No, err)
			}
		}
		last = m.No
		err := u.opt.Journal.Update(func(tx *journal.Tx) error {
			return tx.SetMeta(metaInbox, strconv.AppendUint(nil, last, 10))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Spread is how long a terminal waits before its first contact after an outage of the whole fleet.
func Spread(terminal string, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(terminal))
	return time.Duration(h.Sum64() % uint64(window))
}
