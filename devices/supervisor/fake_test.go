// Fake devices that know the rules: they take note of every call that a supervisor must never make.

package supervisor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// A socket is where a device of one role can be plugged in. It records broken rules.
type socket struct {
	role devices.Role

	mu       sync.Mutex
	plugged  bool
	silent   bool
	unusable bool
	hang     chan struct{} // non-nil: Probe ignores its context until this is closed
	serial   string
	paper    devices.Supply
	delay    time.Duration // of every Open and Probe
	unit     int           // changes at each plugging: an old handle never comes back to life
	held     bool          // a test holds the device
	opens    int
	probes   int
	cut      int // probes that were interrupted
	open     int // handles open and not closed
	broken   []string
}

func newSocket(role devices.Role) *socket {
	return &socket{role: role, plugged: true, serial: "S1", paper: devices.SupplyFull}
}

func (k *socket) rule(format string, a ...any) {
	k.broken = append(k.broken, fmt.Sprintf("%s: ", k.role)+fmt.Sprintf(format, a...))
}

func (k *socket) set(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

// now reads one of the socket's counters.
func (k *socket) now(counter *int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return *counter
}

func (k *socket) plug(serial string) {
	k.set(func() { k.plugged, k.serial, k.unit = true, serial, k.unit+1 })
}

func (k *socket) unplug() { k.set(func() { k.plugged, k.unit = false, k.unit+1 }) }

func (k *socket) present() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.plugged
}

func (k *socket) Open(ctx context.Context) (devices.Device, error) {
	k.mu.Lock()
	k.opens++
	if k.open > 0 {
		k.rule("opened while open")
	}
	delay := k.delay
	k.mu.Unlock()
	if err := rest(ctx, delay); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case !k.plugged:
		return nil, fmt.Errorf("opening: %w", devices.ErrNoDevice)
	case k.unusable:
		return nil, fmt.Errorf("self-test: %w", devices.ErrUnusable)
	case k.silent:
		return nil, fmt.Errorf("opening: %w", devices.ErrSilent)
	}
	k.open++
	return &handle{socket: k, unit: k.unit}, nil
}

func (k *socket) config() RoleConfig {
	return RoleConfig{Role: k.role, URI: "fake:" + string(k.role), Open: k.Open}
}

// A handle is one opening.
type handle struct {
	*socket
	unit   int
	closed bool
}

func (h *handle) Probe(ctx context.Context) (devices.Status, error) {
	h.mu.Lock()
	h.probes++
	if h.closed {
		h.rule("probed after close")
	}
	if h.held && ctx.Err() == nil {
		h.rule("probed while held")
	}
	delay, hang := h.delay, h.hang
	h.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if err := rest(ctx, delay); err != nil {
		h.set(func() { h.cut++ })
		return devices.Status{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.plugged || h.unit != h.socket.unit:
		return devices.Status{}, devices.ErrNoDevice
	case h.silent:
		return devices.Status{}, devices.ErrSilent
	}
	return devices.Status{
		Connection: devices.ConnectionOnline,
		Media:      devices.MediaNotSupported, Paper: h.paper, Toner: devices.SupplyNotSupported, Cover: devices.CoverClosed,
		Identity: devices.Identity{Model: "fake", Serial: h.serial},
	}, nil
}

// Use is what a holder does with the device.
func (h *handle) Use() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		h.rule("used after close")
	}
	if !h.plugged || h.unit != h.socket.unit {
		return devices.ErrNoDevice
	}
	return nil
}

func (h *handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		h.rule("closed twice")
	}
	if h.held {
		h.rule("closed while held")
	}
	h.closed = true
	h.open--
	return nil
}

func rest(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
