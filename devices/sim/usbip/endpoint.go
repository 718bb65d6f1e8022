package usbip

// Endpoints: what was submitted and waits, what the device holds, and faults.

import (
	"errors"
	"io"
	"sync"
)

// Fault is what an endpoint does instead of working.
type Fault int

// Faults of an endpoint.
const (
	// Stall halts the endpoint until the host clears the halt.
	Stall Fault = iota + 1
	// Babble: the device sent more than it may (-EOVERFLOW).
	Babble
	// Garbled: checksums and time-outs on the wire (-EPROTO).
	Garbled
	// Nak: nothing is taken and nothing is given.
	Nak
	// Empty: IN transfers end at once without data, OUT transfers as if nothing had been taken.
	Empty
)

// Statuses of a transfer, Linux errno as the protocol carries them.
const (
	statusOK       = 0
	statusStall    = -32
	statusGarbled  = -71
	statusBabble   = -75
	statusUnlinked = -104
)

// ErrPulled: the device is not plugged in (any more).
var ErrPulled = errors.New("usbip: not plugged in")

// Endpoint is one pipe of a device, seen from inside the device. A device that is plugged in again begins with empty pipes.
type Endpoint struct {
	address, kind, interval byte
	packet                  uint16
	// Room is how many bytes of an OUT endpoint the device holds before it makes the host wait; 0 means 4096.
	Room int
	// NoZLP leaves out the empty packet that ends an IN transfer of whole packets: a host with a larger buffer waits on.
	NoZLP bool

	mu      sync.Mutex
	changed chan struct{} // closed and replaced
	plugged *session
	waiting []*urb
	held    []byte // OUT: taken and not yet read by the device
	packets [][]byte
	halted  bool
	fault   Fault
	left    int // transfers that the fault still strikes; 0 with a fault is for ever
}

// urb is a transfer that the host submitted.
type urb struct {
	seq    uint32
	length int    // IN: the host's buffer
	data   []byte // OUT: what is to be sent; IN: what has come so far
	done   int    // OUT: how much the device took
}

// NewOut is an OUT bulk endpoint; number is 1 to 15.
func NewOut(number byte, packet uint16) *Endpoint {
	return &Endpoint{address: number, kind: Bulk, packet: packet, changed: make(chan struct{})}
}

// NewIn is an IN bulk endpoint.
func NewIn(number byte, packet uint16) *Endpoint {
	return &Endpoint{address: number | 0x80, kind: Bulk, packet: packet, changed: make(chan struct{})}
}

// NewInterrupt is an IN interrupt endpoint; interval is in frames, as in its descriptor.
func NewInterrupt(number byte, packet uint16, interval byte) *Endpoint {
	return &Endpoint{address: number | 0x80, kind: Interrupt, packet: packet, interval: interval, changed: make(chan struct{})}
}

// Fault makes the endpoint fail for so many transfers, 0 for ever; a fault of 0 mends it. A [Stall] halts it once and for all,
// until the host clears the halt.
func (e *Endpoint) Fault(f Fault, transfers int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault, e.left = f, transfers
	e.move()
}

// Halted says whether the host would have to clear a halt.
func (e *Endpoint) Halted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.halted
}

// Pending is how many transfers of the host wait.
func (e *Endpoint) Pending() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.waiting)
}

func (e *Endpoint) clearHalt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.halted = false
	e.move()
}

// wake tells whoever waits that something changed. The mutex is held.
func (e *Endpoint) wake() {
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *Endpoint) plug(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plugged, e.waiting, e.held, e.packets, e.halted = s, nil, nil, nil, false
	e.wake()
}

func (e *Endpoint) pull(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.plugged == s {
		e.plugged, e.waiting = nil, nil
		e.wake()
	}
}

func (e *Endpoint) submit(u *urb) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = append(e.waiting, u)
	e.move()
}

// unlink takes a transfer back, if it still waits.
func (e *Endpoint) unlink(seq uint32) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, u := range e.waiting {
		if u.seq == seq {
			e.waiting = append(e.waiting[:i], e.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// end answers the first waiting transfer. The mutex is held.
func (e *Endpoint) end(status int32) {
	u := e.waiting[0]
	e.waiting = e.waiting[1:]
	n := u.done
	var in []byte
	if e.address&typeIn != 0 {
		in, n = u.data, len(u.data)
	}
	e.plugged.reply(u.seq, status, n, in)
	e.wake()
}

// strike lets the fault act on the first waiting transfer and says whether it did. The mutex is held.
func (e *Endpoint) strike() bool {
	if e.halted {
		e.end(statusStall)
		return true
	}
	switch e.fault {
	case Stall:
		e.halted, e.fault = true, 0
		e.end(statusStall)
		return true
	case Babble:
		e.end(statusBabble)
	case Garbled:
		e.end(statusGarbled)
	case Empty:
		e.end(statusOK)
	default:
		return false
	}
	if e.left > 0 {
		if e.left--; e.left == 0 {
			e.fault = 0
		}
	}
	return true
}

// move brings waiting transfers and data together as far as it goes. The mutex is held.
func (e *Endpoint) move() {
	for len(e.waiting) > 0 && e.plugged != nil && e.fault != Nak {
		if e.strike() {
			continue
		}
		if e.address&typeIn != 0 {
			if !e.give() {
				break
			}
		} else if !e.take() {
			break
		}
	}
	e.wake()
}

// take moves OUT data into the device; false when it waits for room.
func (e *Endpoint) take() bool {
	room := e.Room
	if room == 0 {
		room = 4096
	}
	u := e.waiting[0]
	n := min(room-len(e.held), len(u.data)-u.done)
	e.held = append(e.held, u.data[u.done:u.done+n]...)
	u.done += n
	if u.done < len(u.data) {
		return false
	}
	e.end(statusOK)
	return true
}

// give moves packets into the host's buffer; false when it waits for more. A short packet or a full buffer ends a transfer.
func (e *Endpoint) give() bool {
	u := e.waiting[0]
	for len(e.packets) > 0 {
		p := e.packets[0]
		if len(u.data)+len(p) > u.length {
			// More than the host has room for: what a buffer that is no multiple of the packet size gets.
			e.packets = e.packets[1:]
			e.end(statusBabble)
			return true
		}
		u.data = append(u.data, p...)
		e.packets = e.packets[1:]
		if len(p) < int(e.packet) || len(u.data) == u.length {
			e.end(statusOK)
			return true
		}
	}
	return false
}

// Read takes what the host wrote to an OUT endpoint; it waits for the first byte and ends with [ErrPulled].
func (e *Endpoint) Read(p []byte) (int, error) {
	for {
		e.mu.Lock()
		if len(e.held) > 0 {
			n := copy(p, e.held)
			e.held = append(e.held[:0], e.held[n:]...)
			e.move()
			e.mu.Unlock()
			return n, nil
		}
		if e.plugged == nil {
			e.mu.Unlock()
			return 0, ErrPulled
		}
		changed := e.changed
		e.mu.Unlock()
		<-changed
	}
}

// maxPackets bounds what an IN endpoint holds that no host reads.
const maxPackets = 4096

// Write sends one transfer to an IN endpoint: whole packets and a short one, which may be empty. It waits while the device
// holds too much that the host does not read.
func (e *Endpoint) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.packets) > maxPackets && e.plugged != nil {
		changed := e.changed
		e.mu.Unlock()
		<-changed
		e.mu.Lock()
	}
	if e.plugged == nil {
		return 0, ErrPulled
	}
	size := int(e.packet)
	for rest := p; ; rest = rest[size:] {
		if len(rest) < size {
			if len(rest) > 0 || !e.NoZLP {
				e.packets = append(e.packets, append([]byte(nil), rest...))
			}
			break
		}
		e.packets = append(e.packets, append([]byte(nil), rest[:size]...))
	}
	e.move()
	return len(p), nil
}

// Idle waits until the host has taken everything from an IN endpoint, or the plug is pulled.
func (e *Endpoint) Idle() {
	for {
		e.mu.Lock()
		if len(e.packets) == 0 || e.plugged == nil {
			e.mu.Unlock()
			return
		}
		changed := e.changed
		e.mu.Unlock()
		<-changed
	}
}

var _ io.ReadWriter = (*Endpoint)(nil)
