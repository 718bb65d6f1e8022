// What is configured for one role, and what is known about it.

package supervisor

import (
	"context"
	"time"

	"github.com/budayang/kiosk/devices"
)

// RoleConfig says what should fill one role.
type RoleConfig struct {
	Role devices.Role
	// URI names the device in logs ("serial:/dev/serial/by-id/…"); the supervisor does not read it.
	URI string
	// Open opens the device. It obeys ctx and returns one of the errors of package devices, wrapped;
	// [devices.ErrUnusable] means that trying again is hopeless until a person acts.
	Open func(ctx context.Context) (devices.Device, error)
	// Present says whether the device is plugged in at all, without touching it (a path in /dev/serial/by-id exists).
	// It must return at once. nil means that only Open can tell.
	Present func() bool
	// ProbeEvery is the time between two probes of an idle device; 0 means 2 s.
	ProbeEvery time.Duration
	// ExpectSerial is the serial number of the device commissioned for this role. "" accepts the first one that comes,
	// and from then on that one only, until [Supervisor.Reset].
	ExpectSerial string
}

// A role is a RoleConfig with what is there. The supervisor's mutex guards everything after wake; a device is opened and
// probed by the role's own goroutine only, and closed by it or, after the end, by the release of the last holder.
type role struct {
	cfg  RoleConfig
	wake chan struct{} // capacity 1: look now

	dev      devices.Device
	released chan struct{}      // closed when the holder lets go; nil when nobody holds the device
	cancel   context.CancelFunc // ends the probe under way; nil when there is none
	calling  bool               // a call into the driver is under way
	gone     bool               // somebody saw the device go: close it as soon as nobody holds it
	hopeless bool               // ErrUnusable: no opening until the device was seen absent, or Reset
	stuck    bool               // a call into the driver is overdue
	reset    bool               // Reset was asked for

	status   devices.Status
	serial   string // the serial number this role trusts; "" until there is one
	told     bool   // the open device has named its serial number
	fault    error  // why the last open or probe failed; nil when it did not
	attempts int    // failures in a row, for the back-off
	silences int    // probes in a row without a good answer
	healthy  int    // good probes since opening
	due      time.Time
}

// look makes the role's goroutine look again. It never blocks.
func (r *role) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// usable says whether the device may be handed out as far as the role knows. Called with the mutex held.
func (r *role) usable() bool {
	if r.dev == nil || r.gone || r.stuck || r.reset {
		return false
	}
	switch r.status.Connection {
	case devices.ConnectionUnknown, devices.ConnectionStarting, devices.ConnectionNoDevice, devices.ConnectionFraud:
		return false
	}
	return true
}

// judge completes a status the open device gave of itself: who it is must not change behind our back.
// Called with the mutex held.
func (r *role) judge(st devices.Status) devices.Status {
	st.Role = r.cfg.Role
	if st.Connection == "" {
		st.Connection = devices.ConnectionUnknown
	}
	if st.Identity.Serial != "" {
		r.told = true
	} else if r.told {
		st.Identity = r.status.Identity // a probe need not repeat who it is
	}
	switch serial := st.Identity.Serial; {
	case serial == "" && r.serial != "":
		return fraud(st, "serial-missing")
	case r.serial == "":
		r.serial = serial
	case serial != r.serial:
		return fraud(st, "serial-changed")
	}
	return st
}

// fraud marks a status as another device's than the one commissioned.
func fraud(st devices.Status, reason string) devices.Status {
	st.Connection = devices.ConnectionFraud
	st.Reasons = append([]string{reason}, st.Reasons...)
	return st
}
