package card

// What both families share on the line: collecting bytes until something whole stands in them.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Control characters of both families.
const (
	stx = 0x02
	etx = 0x03
	enq = 0x05
	ack = 0x06
	nak = 0x15
)

// longest text of an answer. The longest that is known is an APDU's of 261 bytes.
const longest = 512

type line struct {
	bus Bus
	opt Options
	buf []byte
}

// errDamaged: a frame came whose check does not fit.
var errDamaged = fmt.Errorf("damaged answer: %w", devices.ErrProtocol)

// clear forgets what came before a command; a card's number may be in it.
func (l *line) clear() {
	l.bus.Drain()
	clear(l.buf[:cap(l.buf)])
	l.buf = l.buf[:0]
}

func (l *line) drop(n int) { l.buf = append(l.buf[:0], l.buf[n:]...) }

// send writes all. never says that the device cannot have got the whole frame: the line was gone before its last byte. A
// line that only stalled is no such proof, for what stands before it may go out yet.
func (l *line) send(ctx context.Context, frame []byte) (never bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.opt.Ack)
	defer cancel()
	n, err := l.bus.Write(ctx, frame)
	return n < len(frame) && errors.Is(err, devices.ErrNoDevice), err
}

// await reads until look finds something in the buffer. look returns how many bytes it has used up; it is called again
// after each use, and with done it ends the waiting.
func (l *line) await(ctx context.Context, patience time.Duration, look func(b []byte) (used int, done bool)) error {
	whole, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var in [256]byte
	defer clear(in[:])
	for {
		for len(l.buf) > 0 {
			used, done := look(l.buf)
			l.drop(used)
			if done {
				return nil
			}
			if used == 0 {
				break
			}
		}
		n, err := l.bus.Read(whole, in[:])
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				return devices.ErrSilent
			}
			return err
		}
		// A device that talks without end and without sense is not kept: only what one frame can need.
		if over := len(l.buf) + n - 2*longest; over > 0 {
			l.drop(min(over, len(l.buf)))
		}
		l.buf = append(l.buf, in[:n]...)
	}
}

// errNotAcked: the device said that it did not understand a command.
var errNotAcked = fmt.Errorf("not understood: %w", devices.ErrProtocol)

// errNoise: a NAK came, but not alone. It may be a byte of an answer that came late, and then it is about nothing.
var errNoise = fmt.Errorf("an acknowledgement among other bytes: %w", devices.ErrProtocol)

// acked waits for the acknowledgement: ACK or NAK and then suffix. What stands before it is skipped. The error is nil for
// an ACK, errNotAcked for a NAK that can be relied on.
func (l *line) acked(ctx context.Context, suffix []byte) error {
	clean, yes := true, false
	skip := func() (int, bool) { clean = false; return 1, false }
	err := l.await(ctx, l.opt.Ack, func(b []byte) (int, bool) {
		if b[0] != ack && b[0] != nak {
			return skip()
		}
		if len(b) < 1+len(suffix) {
			if !bytes.Equal(b[1:], suffix[:len(b)-1]) {
				return skip()
			}
			return 0, false
		}
		if !bytes.Equal(b[1:1+len(suffix)], suffix) {
			return skip()
		}
		yes = b[0] == ack
		return 1 + len(suffix), true
	})
	switch {
	case err != nil || yes:
		return err
	case !clean:
		return errNoise
	}
	return errNotAcked
}

func xor(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}

// asked is a question's last error after its tries.
func asked(tries int, ask func() error) (err error) {
	for range tries {
		if err = ask(); err == nil || errors.Is(err, devices.ErrNoDevice) || errors.Is(err, context.Canceled) {
			return err
		}
	}
	return err
}
