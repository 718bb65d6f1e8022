// What services and screens see: the status of each role and exclusive use of its device.

package supervisor

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Status is the last known status of a role.
func (s *Supervisor) Status(which devices.Role) devices.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.by[which]
	if r == nil {
		return bare(which, devices.ConnectionNoDevice, "not-configured")
	}
	st := r.status
	st.Reasons = slices.Clone(st.Reasons)
	return st
}

// Changed is closed at the next change of any status.
func (s *Supervisor) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Use hands out the open device of a role. A probe under way is cancelled; the driver serialises its end with the
// caller's first call.
func (s *Supervisor) Use(which devices.Role) (devices.Device, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.by[which]
	switch {
	case r == nil:
		return nil, nil, fmt.Errorf("%s: not configured: %w", which, devices.ErrNoDevice)
	case s.ended:
		return nil, nil, fmt.Errorf("%s: the terminal is ending: %w", which, devices.ErrNoDevice)
	case r.released != nil:
		return nil, nil, fmt.Errorf("%s: %w", which, devices.ErrBusy)
	case !r.usable():
		return nil, nil, fmt.Errorf("%s: %s: %w", which, r.status.Connection, devices.ErrNoDevice)
	}
	r.released = make(chan struct{})
	if r.cancel != nil {
		r.cancel()
	}
	return r.dev, sync.OnceFunc(func() { s.release(r) }), nil
}

// release takes the device back and has it probed at once. After the end nobody else is left to close it.
func (s *Supervisor) release(r *role) {
	s.mu.Lock()
	released := r.released
	r.released = nil
	var orphan devices.Device
	if s.ended && !r.calling {
		orphan, r.dev = r.dev, nil
	}
	r.due = time.Now()
	r.look()
	s.mu.Unlock()
	if orphan != nil {
		s.shut(r, orphan)
	}
	close(released)
}

// Report takes what a caller saw while it used a device. "No device" from a holder closes the device at its release;
// from anybody else it is only a hint, since the device may have been opened anew: it is probed.
func (s *Supervisor) Report(st devices.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.by[st.Role]
	if r == nil || r.dev == nil || s.ended {
		return
	}
	held := r.released != nil
	switch {
	case st.Connection == devices.ConnectionNoDevice && held:
		r.gone = true
		s.publish(r, bare(st.Role, devices.ConnectionNoDevice, st.Reasons...))
	case st.Connection == devices.ConnectionNoDevice || st.Connection == "":
	case r.gone || r.stuck || r.healthy == 0:
	default:
		s.publish(r, r.judge(st))
	}
	if !held {
		r.due = time.Now()
		r.look()
	}
}

// publish makes a status the role's. Called with the mutex held.
func (s *Supervisor) publish(r *role, st devices.Status) {
	st.Reasons = slices.Clone(st.Reasons)
	if same(r.status, st) {
		if r.status.TonerLeft != st.TonerLeft { // it prints: that is no event
			r.status.TonerLeft = st.TonerLeft
			close(s.changed)
			s.changed = make(chan struct{})
		}
		return
	}
	st.Since = time.Now()
	old := r.status
	r.status = st
	s.opt.Log.Info("device", "role", st.Role, "connection", st.Connection, "why", st.Unready(), "reasons", st.Reasons)
	close(s.changed)
	s.changed = make(chan struct{})
	if s.opt.OnStatus == nil {
		return
	}
	if len(s.events) == maxEvents {
		s.opt.Log.Warn("status changes are not taken in; the oldest is lost")
		s.events = s.events[1:]
	}
	s.events = append(s.events, event{r.cfg.Role, old, st})
	select {
	case s.posted <- struct{}{}:
	default:
	}
}

// maxEvents is how many changes wait for a slow OnStatus.
const maxEvents = 4096

// same compares two statuses but for their times and for what is counted.
func same(a, b devices.Status) bool {
	return a.Connection == b.Connection && a.Media == b.Media && a.Paper == b.Paper && a.Toner == b.Toner &&
		a.Cover == b.Cover && a.Identity == b.Identity && slices.Equal(a.Reasons, b.Reasons)
}
