package uplink

// Sending: the lanes in turn, then blobs; and what to do when the platform's lanes are not ours.

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// compare acts on what the platform holds: behind means send again, a fork means a new epoch. A lane that the platform
// shows otherwise than we know it, without saying what is to be done, is stopped until a later hello agrees. When the
// platform holds more than was acknowledged here and less than is here, only we can see whether it is the same: if not, this
// disk was set back and has grown past that place since, and we begin the new epoch ourselves.
func (u *Uplink) compare(lanes []journal.LaneStatus, w wire.Welcome) error {
	if len(lanes) == 0 {
		return nil
	}
	epoch := lanes[0].Epoch
	if w.Epoch > epoch {
		u.opt.Log.Error("the platform orders a new epoch", "epoch", w.Epoch, "forked", w.Fork, "lost there", len(w.Want))
		u.showPast()
		return u.opt.Journal.NewEpochForked(w.Epoch, w.Want, u.foreign(lanes, w))
	}
	stopped := map[wire.Lane]bool{}
	for _, lane := range w.Fork {
		stopped[lane] = true
	}
	var failed []error
	for _, l := range lanes {
		p := w.Lanes[l.Lane] // a lane not shown holds nothing in this epoch
		switch {
		case w.Epoch < epoch || stopped[l.Lane]:
		case u.outgrown(l, w.Shown[l.Lane]):
			return u.begin(l, u.foreign(lanes, w), fmt.Errorf("at %d, which was shown before: %w", w.Shown[l.Lane].Seq, journal.ErrFork))
		case p.Seq == l.Acked && p.Seq < l.Head && !wire.SameHistory(l.AckedHash, p.Hash):
			return u.begin(l, u.foreign(lanes, w), fmt.Errorf("at %d: %w", p.Seq, journal.ErrFork))
		case p.Seq > l.Head, p.Seq == l.Head && !wire.SameHistory(l.HeadHash, p.Hash), p.Seq == l.Acked && !wire.SameHistory(l.AckedHash, p.Hash):
			stopped[l.Lane] = true
		case p.Seq > l.Acked && p.Seq < l.Head:
			ours, err := u.opt.Journal.HashAt(l.Lane, p.Seq)
			if err != nil {
				failed = append(failed, err)
			} else if !wire.SameHistory(ours, p.Hash) {
				return u.begin(l, u.foreign(lanes, w), fmt.Errorf("at %d: %w", p.Seq, journal.ErrFork))
			}
		case p.Seq < l.Acked:
			u.opt.Log.Warn("platform lost records: sending again", "lane", l.Lane, "from", p.Seq)
			err := u.opt.Journal.Rewind(l.Lane, p)
			switch {
			case errors.Is(err, journal.ErrFork), errors.Is(err, journal.ErrNotFound):
				return u.begin(l, u.foreign(lanes, w), err)
			case err != nil:
				failed = append(failed, err)
			}
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for lane := range stopped {
		if !u.stopped[lane] {
			u.opt.Log.Error("lane has forked from the platform's: stopped", "lane", lane)
		}
	}
	u.stopped = stopped
	return errors.Join(failed...)
}

// begin goes on in a new epoch without being told: the platform lost records that are no longer here to be sent again, or holds
// others in their place.
func (u *Uplink) begin(l journal.LaneStatus, held map[wire.Lane]uint64, why error) error {
	u.opt.Log.Error("no going on from what the platform holds: new epoch", "lane", l.Lane, "error", why)
	u.showPast()
	return u.opt.Journal.NewEpochForked(l.Epoch+1, nil, held)
}

// outgrown says that a lane stood at another place before than its history says: the disk was set back and has grown past that place.
func (u *Uplink) outgrown(l journal.LaneStatus, shown wire.LanePoint) bool {
	ours, err := u.opt.Journal.HashAt(l.Lane, shown.Seq)
	return err == nil && shown.Seq <= l.Head && !wire.SameHistory(ours, shown.Hash)
}

// foreign is how far the platform's history goes, lane by lane, when in some lane it is not ours; nil when it may be.
func (u *Uplink) foreign(lanes []journal.LaneStatus, w wire.Welcome) map[wire.Lane]uint64 {
	held, other := map[wire.Lane]uint64{}, false
	for _, l := range lanes {
		p := w.Lanes[l.Lane]
		held[l.Lane] = p.Seq
		ours, err := u.opt.Journal.HashAt(l.Lane, p.Seq)
		other = other || p.Seq > l.Head || err == nil && !wire.SameHistory(ours, p.Hash) || u.outgrown(l, w.Shown[l.Lane])
	}
	if !other {
		return nil
	}
	return held
}

// showPast has the next hello show what was acknowledged: where histories part, the platform may have lost some of it.
func (u *Uplink) showPast() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pastShown = false
}

// push sends what waits: a round over the lanes in sending order, one batch of each, so that none starves; then blobs; and when nothing of these waits, telemetry. What
// goes wrong with one lane does not hold up the others, unless nobody can be reached at all.
func (u *Uplink) push(ctx context.Context) error {
	changed := u.opt.Journal.Changed()
	u.mu.Lock()
	told, greeted := u.changed, u.greeted
	u.mu.Unlock()
	if !greeted {
		return u.until(ctx, told, time.Second)
	}
	if u.State() == Down {
		// The beat finds out when it is back; trying here too would only double the noise.
		if err := u.until(ctx, u.Changed(), time.Second); err != nil || u.State() != Up {
			return err
		}
		return u.until(ctx, nil, u.delay())
	}
	if d := u.holding(); d > 0 {
		return u.until(ctx, nil, d)
	}
	sent := 0
	var failed []error
	for _, lane := range wire.Lanes {
		n, err := u.pushLane(ctx, lane)
		sent += n
		if err != nil {
			failed = append(failed, err)
		}
		u.held(err)
		if ctx.Err() != nil || errors.Is(err, ErrUnreachable) || u.holding() > 0 {
			return errors.Join(failed...)
		}
	}
	again, err := u.refill(ctx)
	if err != nil {
		failed = append(failed, err)
	}
	sent += again
	n, err := u.pushBlobs(ctx)
	if err != nil {
		failed = append(failed, err)
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if sent+n > 0 || u.pushSamples(ctx) {
		return nil
	}
	return u.until(ctx, changed, u.opt.Beat) // a lane that was stopped may go on after the next beat
}

// delay is how long to hold back after the link returned: nothing after a short loss.
func (u *Uplink) delay() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if time.Since(u.lost) < longLoss {
		return 0
	}
	return Spread(u.opt.Client.id.Terminal, u.spread)
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

// pushLane sends one batch. A batch that found no end within its time is halved the next time, down to one record, so that a
// slow line still carries what waits.
func (u *Uplink) pushLane(ctx context.Context, lane wire.Lane) (int, error) {
	u.conversation.Lock()
	defer u.conversation.Unlock()
	u.mu.Lock()
	stopped, most := u.stopped[lane], u.most
	u.mu.Unlock()
	if stopped {
		return 0, nil
	}
	records, err := u.opt.Journal.Pending(lane, max(1, most>>u.halved), max(1, batchBytes>>u.halved))
	if errors.Is(err, journal.ErrNotFound) {
		return 0, u.beginLane(lane, err)
	}
	if err != nil || len(records) == 0 {
		return 0, err
	}
	b := wire.Batch{V: wire.Version, Terminal: u.opt.Client.id.Terminal, Epoch: records[0].Epoch, Lane: lane, Records: records}
	var a wire.Ack
	err = u.bounded(ctx, callTime, func(ctx context.Context) (err error) {
		a, err = u.opt.Client.Push(ctx, b)
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			u.Failed(err)
			if errors.Is(err, ErrUnreachable) {
				u.halved = min(u.halved+1, 10)
			}
		}
		return 0, err
	}
	u.halved = max(0, u.halved-1)
	for _, o := range a.Outcomes {
		if o.Status == wire.Quarantined {
			u.opt.Log.Warn("record quarantined at the platform", "lane", lane, "seq", o.Seq, "reason", o.Reason)
		}
	}
	if a.High < records[0].Seq {
		return 0, fmt.Errorf("%w: ack of %s up to %d for a batch from %d", ErrGarbled, lane, a.High, records[0].Seq)
	}
	err = u.opt.Journal.Acked(a)
	if errors.Is(err, journal.ErrFork) {
		u.mu.Lock()
		if u.stopped == nil {
			u.stopped = map[wire.Lane]bool{}
		}
		u.stopped[lane] = true
		u.mu.Unlock()
		u.opt.Log.Error("ack does not fit our chain: lane stopped until the next hello", "lane", lane, "seq", a.High)
	}
	if err != nil {
		return 0, err
	}
	for _, h := range a.Lacking {
		if lost, err := u.opt.Journal.BlobLost(h); err != nil {
			return 0, err
		} else if lost {
			u.opt.Log.Warn("platform lost a picture: sending it again", "blob", h)
		}
	}
	return len(records), nil
}

func (u *Uplink) beginLane(lane wire.Lane, why error) error {
	all, err := u.opt.Journal.Lanes()
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Lane == lane {
			return u.begin(l, nil, why)
		}
	}
	return why
}

// pushBlobs uploads what the platform lacks, each with as much time as a slow line needs. One that is refused or cannot be
// read does not hold up the others.
func (u *Uplink) pushBlobs(ctx context.Context) (n int, err error) {
	all, err := u.opt.Journal.PendingBlobs()
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, h := range all {
		err := u.pushBlob(ctx, h)
		if err == nil {
			n++
			continue
		}
		failed = append(failed, err)
		if ctx.Err() != nil || errors.Is(err, ErrUnreachable) {
			u.Failed(err)
			break
		}
	}
	return n, errors.Join(failed...)
}

func (u *Uplink) pushBlob(ctx context.Context, h wire.Hash) error {
	data, err := u.opt.Journal.Blob(h)
	if err != nil {
		return err
	}
	defer clear(data)
	limit := callTime + time.Duration(len(data)/slowest)*time.Second
	if err := u.bounded(ctx, limit, func(ctx context.Context) error { return u.opt.Client.PutBlob(ctx, h, data) }); err != nil {
		return err
	}
	return u.opt.Journal.BlobSent(h)
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
