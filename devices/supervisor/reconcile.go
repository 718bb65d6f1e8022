// The loop of one role: what should be there, what is there, and the one act that brings them together.

package supervisor

import (
	"context"
	"errors"
	"time"

	"github.com/budayang/kiosk/devices"
)

// forever is the wait of a role that only a wake-up can move.
const forever = time.Duration(1<<63 - 1)

// stuckGrace is how long after its time-out a call into a driver is called stuck.
const stuckGrace = time.Second

// silentLimit is how many probes in a row may fail before the device is closed and opened anew.
const silentLimit = 2

// tend owns one role until ctx ends.
func (s *Supervisor) tend(ctx context.Context, r *role) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		for ctx.Err() == nil {
			if wait := s.step(ctx, r); wait > 0 {
				timer.Reset(wait)
				break
			}
		}
	}
	s.mu.Lock()
	s.ended = true // from here on a holder's release closes the device
	dev := r.dev
	if r.released != nil {
		dev = nil
	} else {
		r.dev = nil
	}
	s.mu.Unlock()
	if dev != nil {
		s.shut(r, dev)
	}
}

// step does at most one thing for the role and returns how long it can rest; 0 means look again.
func (s *Supervisor) step(ctx context.Context, r *role) time.Duration {
	s.mu.Lock()
	if r.released != nil || s.ended {
		s.mu.Unlock()
		return forever // the release wakes us, or the end
	}
	if r.reset {
		r.reset, r.hopeless, r.gone = false, false, r.dev != nil
		r.serial, r.attempts, r.fault = r.cfg.ExpectSerial, 0, nil
		r.due = time.Now()
		s.publish(r, bare(r.cfg.Role, devices.ConnectionStarting))
	}
	if r.dev == nil {
		r.gone = false
	}
	if r.gone {
		dev := r.dev
		r.dev, r.gone, r.told, r.healthy, r.silences = nil, false, false, 0, 0
		s.mu.Unlock()
		s.shut(r, dev)
		return 0
	}
	open, due := r.dev != nil, time.Until(r.due)
	s.mu.Unlock()

	if !open {
		return s.missing(ctx, r, due)
	}
	if due > 0 {
		return due
	}
	s.probe(ctx, r)
	return 0
}

// missing handles a role without an open device.
func (s *Supervisor) missing(ctx context.Context, r *role, due time.Duration) time.Duration {
	if r.cfg.Present != nil && !r.cfg.Present() {
		s.mu.Lock()
		defer s.mu.Unlock()
		// Unplugged and plugged in again is as good as a person's word that it was looked after.
		r.hopeless, r.attempts, r.due = false, 0, time.Now()
		s.publish(r, bare(r.cfg.Role, devices.ConnectionNoDevice, "not-plugged-in"))
		return r.cfg.ProbeEvery
	}
	s.mu.Lock()
	hopeless := r.hopeless
	s.mu.Unlock()
	switch {
	case hopeless && r.cfg.Present == nil:
		return forever
	case hopeless:
		return r.cfg.ProbeEvery
	case due > 0 && r.cfg.Present != nil:
		return min(due, r.cfg.ProbeEvery)
	case due > 0:
		return due
	}
	s.open(ctx, r)
	return 0
}

// open tries once to open the device.
func (s *Supervisor) open(ctx context.Context, r *role) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.OpenTimeout)
	defer cancel()
	s.mu.Lock()
	alarm := s.begin(r, s.opt.OpenTimeout)
	s.mu.Unlock()

	dev, err := r.cfg.Open(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	alarm.Stop()
	r.calling, r.stuck = false, false
	if err == nil && dev == nil {
		err = errors.New("driver returned neither device nor error")
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // the end, not a fault
	}
	if err != nil {
		s.fail(r, "open", err)
		return
	}
	r.dev, r.gone, r.told, r.healthy, r.silences = dev, false, false, 0, 0
	r.due = time.Now() // nothing is said of it before it was probed
}

// probe asks the open device once how it is.
func (s *Supervisor) probe(ctx context.Context, r *role) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.ProbeTimeout)
	defer cancel()
	s.mu.Lock()
	if r.released != nil || r.dev == nil { // handed out since we looked, even taken back
		s.mu.Unlock()
		return
	}
	dev := r.dev
	r.cancel = cancel
	alarm := s.begin(r, s.opt.ProbeTimeout)
	s.mu.Unlock()

	st, err := dev.Probe(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	alarm.Stop()
	r.calling, r.stuck, r.cancel = false, false, nil
	now := time.Now()
	switch {
	case r.released != nil || errors.Is(ctx.Err(), context.Canceled):
		// Interrupted by a holder, who may even have let go again, or by the end: what this probe saw, an unplugged
		// device included, is not to be trusted. The release has it probed anew.
		r.due = now
	case err == nil:
		r.fault, r.silences = nil, 0
		// One good probe does not make a device that dies at once and again a sound one.
		if r.healthy++; r.healthy > 1 {
			r.attempts = 0
		}
		r.due = now.Add(r.cfg.ProbeEvery)
		s.publish(r, r.judge(st))
	case errors.Is(err, devices.ErrBusy):
		r.due = now.Add(r.cfg.ProbeEvery)
	case errors.Is(err, devices.ErrNoDevice), errors.Is(err, devices.ErrUnusable):
		r.gone = true
		s.fail(r, "probe", err)
	default:
		r.silences++
		if r.silences < silentLimit && r.healthy > 0 {
			r.fault = err
			r.due = now.Add(min(s.opt.BackoffMin, r.cfg.ProbeEvery))
			return
		}
		r.gone = true
		s.fail(r, "probe", err)
	}
}

// fail takes note of a failed open or probe: what is to be said, and when to try again. Called with the mutex held.
func (s *Supervisor) fail(r *role, doing string, err error) {
	if r.fault == nil || r.fault.Error() != err.Error() {
		s.opt.Log.Warn("device fault", "role", r.cfg.Role, "uri", r.cfg.URI, "doing", doing, "err", err)
	}
	r.fault = err
	r.hopeless = errors.Is(err, devices.ErrUnusable)
	r.due = time.Now().Add(s.backoff(r.attempts))
	r.attempts++
	s.publish(r, failed(r.cfg.Role, err))
}

// failed puts an error in status words.
func failed(role devices.Role, err error) devices.Status {
	switch {
	case errors.Is(err, devices.ErrUnusable):
		return bare(role, devices.ConnectionHardwareError, "unusable")
	case errors.Is(err, devices.ErrProtocol):
		return bare(role, devices.ConnectionHardwareError, "protocol")
	case errors.Is(err, devices.ErrNoDevice):
		return bare(role, devices.ConnectionNoDevice)
	case errors.Is(err, devices.ErrSilent), errors.Is(err, context.DeadlineExceeded):
		return bare(role, devices.ConnectionNoDevice, "silent")
	case errors.Is(err, devices.ErrBusy):
		return bare(role, devices.ConnectionNoDevice, "bus-in-use")
	}
	return bare(role, devices.ConnectionNoDevice, "open-failed")
}

// backoff is the time before try n+1 (n from 0): a tenth of the least back-off, so that it is never a busy loop, and a
// random part of what doubles up to the cap.
func (s *Supervisor) backoff(n int) time.Duration {
	window := s.opt.BackoffMax
	if n < 20 {
		window = min(window, s.opt.BackoffMin<<n)
	}
	floor := s.opt.BackoffMin / 10
	return max(floor, time.Duration(s.opt.Rand()*float64(window)))
}

// begin notes that a call into the driver begins. If it is not back some time after its limit the role is stuck: a driver
// that hangs in the kernel must not look healthy. The caller stops the alarm. Called with the mutex held.
func (s *Supervisor) begin(r *role, limit time.Duration) (alarm *time.Timer) {
	r.calling = true
	return time.AfterFunc(limit+stuckGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !r.calling {
			return
		}
		r.stuck = true
		s.opt.Log.Warn("device call does not return", "role", r.cfg.Role, "uri", r.cfg.URI)
		s.publish(r, bare(r.cfg.Role, devices.ConnectionNoDevice, "stuck"))
	})
}

// shut closes a device that nobody holds.
func (s *Supervisor) shut(r *role, dev devices.Device) {
	if err := dev.Close(); err != nil {
		s.opt.Log.Warn("closing a device", "role", r.cfg.Role, "uri", r.cfg.URI, "err", err)
	}
}
