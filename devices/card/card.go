// Package card drives dispensers of blank cards: the K720 and D1801 family of TTCE, with the D1000's shorter frames, and
// the CRT-571 and CRT-591 of 创自.
//
// Blank stock is counted, so the driver's first duty is an honest account of every act. Before an act it asks the sensors
// whether the act can be done at all, and lets the caller write down that it begins; then the command goes out once, and
// never again. Whatever is heard afterwards (an answer, silence, a damaged frame, an answer to something else, a hang-up),
// the act is judged by what the device said of this very command and by where the sensors see the card:
//
//	refused or never sent, and the card stands as before              not done
//	the card is at its goal                                           done: a dispense began with an empty path
//	a dispense to the mouth that ended well, and its card was seen    done: it was taken meanwhile
//	an eject or a retain that ended well, and the card is gone        done
//	anything else                                                     unknown
//
// A device's word alone is never enough: one that died after it took a command, or whose rollers slipped, says "done" of a
// card that is still in the hopper. Nor is silence a no: what was taken and not answered may still move.
//
// [Dispenser.Settle] asks the same question later, also after a restart.
//
// Neither maker's manual was at hand: the frames come from several public programs, what the status characters mean from
// one or none. All of that is data in a [Profile]; nothing has been tried on a real device.
//
// One trap of the CRT is known: told to move with an empty path, it feeds a card from its hopper. The driver therefore
// looks at the path right before an eject or a retain, after the intent is on disk; a card that a person takes from the
// mouth in the few milliseconds between look and command is not seen, and hopper and ledger disagree by one afterwards.
package card

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// A Bus is what the dispenser hangs on; bus.Bus fits.
type Bus interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Drain()
	Close() error
}

// Options of [Open]. A zero time takes the usual one.
type Options struct {
	Profile Profile
	Ack     time.Duration // for a command to be acknowledged; 1 s (both families promise 300 ms)
	Answer  time.Duration // for the answer to a question; 1 s
	Move    time.Duration // for an act of the motors; 15 s
	Poll    time.Duration // between looks while a K720 moves; 100 ms
}

// Dispenser is an open dispenser. It implements [devices.CardDispenser].
type Dispenser struct {
	bus Bus

	mu sync.Mutex // held for one question or one act
	m  machine
	id devices.Identity
}

// WithNumber is a [Dispenser] whose device reads the card's chip. It implements [devices.CardNumberReader] too.
type WithNumber struct{ *Dispenser }

// A machine is one family's protocol. Its methods are called with the dispenser's mutex held.
type machine interface {
	// open makes the device ready without moving anything, and says who it is.
	open(ctx context.Context) (devices.Identity, error)
	// sense asks the sensors.
	sense(ctx context.Context) (sensed, error)
	// act sends one command once.
	act(ctx context.Context, a devices.CardAct, to devices.CardPosition) report
}

// sensed is what the sensors say.
type sensed struct {
	devices.CardStock
	jam, busy, failed bool // failed: the last act of the motors ended badly
	reasons           []string
}

// verdict is what the device said of a command.
type verdict int

const (
	doubt     verdict = iota // nothing that can be relied on
	refused                  // it never got the command, or said that nothing moved
	confirmed                // it said that the act is done
)

type report struct {
	verdict verdict
	// seen: after the command the sensors saw a card in the path. Of a dispense it proves that one left the hopper.
	seen   bool
	why    devices.Unready
	detail string
}

// Open asks the device who it is and makes it ready; nothing moves. Errors are [devices.ErrNoDevice], [devices.ErrSilent],
// [devices.ErrProtocol] and, for a profile that does not exist, [devices.ErrUnusable].
func Open(ctx context.Context, b Bus, opt Options) (devices.CardDispenser, error) {
	for _, t := range []struct {
		at    *time.Duration
		usual time.Duration
	}{{&opt.Ack, time.Second}, {&opt.Answer, time.Second}, {&opt.Move, 15 * time.Second}, {&opt.Poll, 100 * time.Millisecond}} {
		if *t.at == 0 {
			*t.at = t.usual
		}
	}
	d := &Dispenser{bus: b}
	l := line{bus: b, opt: opt}
	switch opt.Profile.Family {
	case FamilyK720:
		d.m = &k720{line: l}
	case FamilyCRT:
		d.m = &crt{line: l}
	default:
		return nil, fmt.Errorf("card dispenser: family %q: %w", opt.Profile.Family, devices.ErrUnusable)
	}
	var err error
	if d.id, err = d.m.open(ctx); err != nil {
		return nil, fmt.Errorf("card dispenser: %w", err)
	}
	if opt.Profile.Family == FamilyCRT {
		return WithNumber{d}, nil
	}
	return d, nil
}

// Close implements [devices.Device].
func (d *Dispenser) Close() error { return d.bus.Close() }

// Probe implements [devices.Device]. Paper is the hopper.
func (d *Dispenser) Probe(ctx context.Context) (devices.Status, error) {
	s := devices.Status{Role: devices.RoleCardDispenser, Connection: devices.ConnectionOnline, Media: devices.MediaUnknown,
		Paper: devices.SupplyUnknown, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Identity: d.id}
	d.mu.Lock()
	defer d.mu.Unlock()
	now, err := d.m.sense(ctx)
	switch {
	case errors.Is(err, devices.ErrProtocol):
		s.Connection, s.Reasons = devices.ConnectionHardwareError, []string{"garbled"}
		return s, nil
	case err != nil:
		return s, err
	}
	s.Paper, s.Media, s.Reasons = now.Hopper, devices.MediaNotPresent, now.reasons
	if now.At != devices.CardNone {
		s.Media = devices.MediaPresent
	}
	if now.jam {
		s.Media = devices.MediaJammed
	}
	if now.busy {
		s.Connection = devices.ConnectionBusy
	}
	return s, nil
}

// Stock implements [devices.CardDispenser].
func (d *Dispenser) Stock(ctx context.Context) (devices.CardStock, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, err := d.m.sense(ctx)
	if err != nil {
		return devices.CardStock{At: devices.CardUnknown, Hopper: devices.SupplyUnknown, Bin: devices.SupplyUnknown, Retained: -1}, err
	}
	return now.CardStock, nil
}

// CardNumber implements [devices.CardNumberReader].
func (d WithNumber) CardNumber(ctx context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.m.(*crt).number(ctx)
}
