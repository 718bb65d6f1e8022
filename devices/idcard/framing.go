package idcard

// Frames on USB. Readers with one vendor and product number exist in two kinds: one has four pipes, a pair for the first seven
// bytes of a frame (preamble and length) and a pair for the rest; the other has one pair for whole frames. Which it is, its
// pipes suggest and only an answer proves.

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
)

// Pipes of the kind with four (SAM note, tables 5 to 8).
const (
	headIn  = 0x81
	headOut = 0x02
	bodyIn  = 0x85
	bodyOut = 0x06
)

// framings are the ways to speak to what hangs on a bus, the likelier ones first.
func framings(b Bus, want string) ([]Bus, error) {
	multi, ok := b.(bus.Multi)
	if !ok {
		return []Bus{b}, nil
	}
	head, herr := multi.Pair(headIn, headOut)
	body, berr := multi.Pair(bodyIn, bodyOut)
	four := herr == nil && berr == nil
	switch {
	case want == bus.FramingSplit && !four:
		return nil, fmt.Errorf("id reader: split frames need four pipes: %w", devices.ErrUnusable)
	case want == bus.FramingSplit:
		return []Bus{&split{head: head, body: body}}, nil
	case four && want == "":
		return []Bus{&split{head: head, body: body}, body, b}, nil
	case four:
		return []Bus{body, b}, nil
	}
	return []Bus{b}, nil
}

// headLen is what travels on the first pair.
const headLen = 7

// split makes one line of two pairs.
type split struct {
	head, body bus.Bus
	seen       []byte // of the head pipe, since the last whole head
	want       int    // bytes of the body that the head announced
}

// Write sends one frame.
func (s *split) Write(ctx context.Context, p []byte) (int, error) {
	n, err := s.head.Write(ctx, p[:min(len(p), headLen)])
	if err != nil || n == len(p) {
		return n, err
	}
	m, err := s.body.Write(ctx, p[n:])
	return n + m, err
}

// Read gives what comes in the order in which a frame has it: nothing of the body before its head.
func (s *split) Read(ctx context.Context, p []byte) (int, error) {
	if s.want > 0 {
		n, err := s.body.Read(ctx, p[:min(len(p), s.want)])
		s.want -= n
		return n, err
	}
	n, err := s.head.Read(ctx, p)
	s.seen = append(s.seen, p[:n]...)
	if at := bytes.Index(s.seen, preamble); at >= 0 && len(s.seen)-at >= headLen {
		s.want = int(binary.BigEndian.Uint16(s.seen[at+headLen-2:]))
		s.seen = s.seen[:0]
	} else if over := len(s.seen) - 64; over > 0 {
		s.seen = append(s.seen[:0], s.seen[over:]...) // noise
	}
	return n, err
}

// Drain forgets a frame that was under way.
func (s *split) Drain() {
	s.head.Drain()
	s.body.Drain()
	s.seen, s.want = s.seen[:0], 0
}

// Close leaves it to the bus that the pairs belong to.
func (s *split) Close() error { return nil }
