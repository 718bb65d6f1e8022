package ioboard

// Modbus over a serial line ("Modbus over Serial Line" V1.02, "Modbus Application Protocol" V1.1b3).
//
//	frame      unit, function, data, CRC (low byte first)
//	1, 2       read coils, discrete inputs: address, count → bytes, bits from the lowest
//	3, 4       read holding, input registers: address, count → bytes, registers high byte first
//	5          write one coil: address, FF00 or 0000 → the same
//	6          write one register: address, value → the same
//	exception  unit, function | 0x80, code
//
// A frame is 4 to 256 bytes. Frames carry no number: what comes late looks like the answer to the next question. So after a
// question without a whole answer nothing is asked until the line has been quiet for longer than any board
// waits.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Functions.
const (
	readCoils     = 1
	readDiscrete  = 2
	readHolding   = 3
	readInput     = 4
	writeCoil     = 5
	writeRegister = 6
)

const (
	mostFrame  = 256
	answerTime = 600 * time.Millisecond // boards answer within some 20 ms; 70 bytes at 9600 baud take 73 ms
	quietTime  = 100 * time.Millisecond // after an answer that was broken
	lateTime   = 800 * time.Millisecond // after a question without an answer
	quietMost  = 2 * time.Second
	betweenAll = 4 * time.Millisecond // 3.5 characters at 9600 baud
	tries      = 3                    // two of them silent at most
)

// crc is CRC-16/MODBUS: polynomial A001 reflected, from FFFF.
func crc(b []byte) uint16 {
	c := uint16(0xFFFF)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
	}
	return c
}

func seal(b []byte) []byte { return binary.LittleEndian.AppendUint16(b, crc(b)) }

// question makes a request of two words behind unit and function.
func question(unit, function byte, a, b uint16) []byte {
	q := binary.BigEndian.AppendUint16([]byte{unit, function}, a)
	return seal(binary.BigEndian.AppendUint16(q, b))
}

// An Exception is a board's refusal. It wraps the sentinel of package devices that fits.
type Exception struct {
	Function, Code byte
}

func (e *Exception) Error() string {
	word := map[byte]string{1: "does not know the function", 2: "has no such address", 3: "does not allow the value", 4: "failed",
		5: "is still at it", 6: "is busy", 8: "has a memory error", 10: "is behind a gateway without a path", 11: "is behind a gateway that got no answer"}[e.Code]
	if word == "" {
		word = fmt.Sprintf("refuses with code %d", e.Code)
	}
	return fmt.Sprintf("function %d: board %s", e.Function, word)
}

func (e *Exception) Unwrap() error {
	switch e.Code {
	case 1, 2, 3: // the profile is another board's
		return devices.ErrUnusable
	case 5, 6:
		return devices.ErrBusy
	case 11:
		return devices.ErrSilent
	}
	return devices.ErrProtocol
}

// parse reads an answer to q out of what came so far. more says that bytes are still missing; otherwise there is the data behind
// unit and function, or an error.
func parse(q, in []byte) (data []byte, more bool, err error) {
	if len(in) < 2 {
		return nil, true, nil
	}
	if in[0] != q[0] || in[1]&0x7F != q[1] {
		return nil, false, fmt.Errorf("answer of unit %d to function %d: %w", in[0], in[1], devices.ErrProtocol)
	}
	n := 8 // writes come back as they went
	switch {
	case in[1]&0x80 != 0:
		n = 5
	case q[1] <= readInput:
		if len(in) < 3 {
			return nil, true, nil
		}
		count := int(binary.BigEndian.Uint16(q[4:]))
		want := (count + 7) / 8
		if q[1] >= readHolding {
			want = 2 * count
		}
		if int(in[2]) != want {
			return nil, false, fmt.Errorf("answer with %d bytes, %d were asked for: %w", in[2], want, devices.ErrProtocol)
		}
		n = 3 + want + 2
	}
	switch {
	case len(in) < n:
		return nil, true, nil
	case len(in) > n:
		return nil, false, fmt.Errorf("%d bytes behind the answer: %w", len(in)-n, devices.ErrProtocol)
	case crc(in[:n-2]) != binary.LittleEndian.Uint16(in[n-2:]):
		return nil, false, fmt.Errorf("checksum does not fit: %w", devices.ErrProtocol)
	case in[1]&0x80 != 0:
		return nil, false, &Exception{q[1], in[2]}
	case q[1] > readInput && string(in) != string(q):
		return nil, false, fmt.Errorf("answer repeats another command: %w", devices.ErrProtocol)
	case q[1] <= readInput:
		return in[3 : n-2], false, nil
	}
	return nil, false, nil
}

// A Bus is what the board hangs on; bus.Bus fits.
type Bus interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Drain()
	Close() error
}

// Line is a serial line with one or more boards on it. Boards of several roles share it.
type Line struct {
	bus Bus

	mu     sync.Mutex    // held for one exchange
	unsure time.Duration // how long the line must be quiet before the next question; 0 after a whole answer

	users sync.Mutex // guards refs and gone
	refs  int
	gone  bool // hung up, or closed
}

// NewLine makes a line of a bus, which it closes when the last board on it is closed.
func NewLine(b Bus) *Line { return &Line{bus: b} }

// hold adds a user; false says that the line is gone.
func (l *Line) hold() bool {
	l.users.Lock()
	defer l.users.Unlock()
	if !l.gone {
		l.refs++
	}
	return !l.gone
}

// drop takes a user away; the last one closes the bus.
func (l *Line) drop() error {
	l.users.Lock()
	defer l.users.Unlock()
	if l.refs--; l.refs > 0 {
		return nil
	}
	l.gone = true
	return l.bus.Close()
}

func (l *Line) lost() {
	l.users.Lock()
	defer l.users.Unlock()
	l.gone = true
}

// Gone says whether the line hung up or was closed: whoever shares lines opens a new one then.
func (l *Line) Gone() bool {
	l.users.Lock()
	defer l.users.Unlock()
	return l.gone
}

// exchange asks until there is a whole answer. Everything that is asked here may be asked again: reading changes nothing, and a
// write sets a value.
func (l *Line) exchange(ctx context.Context, q []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	silent := 0
	for range tries {
		var data []byte
		if data, err = l.once(ctx, q); err == nil {
			return data, nil
		}
		if errors.Is(err, devices.ErrSilent) {
			silent++
		}
		var refused *Exception
		switch {
		case silent > 1:
			return nil, err
		case errors.Is(err, devices.ErrNoDevice):
			l.lost()
			return nil, err
		case errors.As(err, &refused) && !errors.Is(err, devices.ErrBusy), ctx.Err() != nil:
			return nil, err
		}
	}
	return nil, err
}

func (l *Line) once(ctx context.Context, q []byte) ([]byte, error) {
	pause := betweenAll
	if l.unsure > 0 {
		if err := l.quiet(ctx); ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", devices.ErrSilent, ctx.Err())
		} else if err != nil {
			return nil, err
		}
		pause = 0
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", devices.ErrSilent, ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	l.bus.Drain()
	l.unsure = lateTime // until something comes
	if _, err := l.bus.Write(ctx, q); err != nil {
		return nil, err
	}
	var in []byte
	piece := make([]byte, mostFrame)
	for {
		n, err := l.bus.Read(ctx, piece)
		if errors.Is(err, devices.ErrSilent) && len(in) > 0 {
			return nil, fmt.Errorf("answer cut short after %d bytes: %w", len(in), devices.ErrProtocol)
		}
		if err != nil {
			return nil, err
		}
		in = append(in, piece[:n]...)
		l.unsure = quietTime
		data, more, err := parse(q, in)
		if more && len(in) < mostFrame {
			continue
		}
		var refused *Exception
		if err == nil || errors.As(err, &refused) {
			l.unsure = 0
		}
		return data, err
	}
}

// quiet reads what still comes until nothing came for a while. A line that never falls silent is none.
func (l *Line) quiet(ctx context.Context) error {
	piece := make([]byte, mostFrame)
	for end := time.Now().Add(quietMost); time.Now().Before(end); {
		quiet, cancel := context.WithTimeout(ctx, l.unsure)
		_, err := l.bus.Read(quiet, piece)
		cancel()
		if errors.Is(err, devices.ErrSilent) {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("the line is never quiet: %w", devices.ErrProtocol)
}
