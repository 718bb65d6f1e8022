package idcard

// Frames on USB. Readers with one vendor and product number exist in two kinds: one has four pipes, a pair for the first seven
// bytes of a frame (preamble and length) and a pair for the rest; the other has one pair for whole frames. Which it is, its
// pipes suggest and only an answer proves: by the form that it has itself, whenever it comes.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

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

// A way is one manner to speak to what hangs on a bus.
type way struct {
	line  Bus
	split bool // an answer's head comes on headIn, the rest on bodyIn
	in    byte // else the pipe that whole answers come on
}

// framings are the ways to speak to what hangs on a bus, the likelier ones first, and the pipes that their answers come on. There
// are no pipes where there is one way only.
func framings(b Bus, want string) ([]way, map[byte]Bus, error) {
	multi, ok := b.(bus.Multi)
	if !ok {
		return []way{{line: b}}, nil, nil
	}
	head, herr := multi.Pair(headIn, headOut)
	body, berr := multi.Pair(bodyIn, bodyOut)
	four := herr == nil && berr == nil
	switch {
	case want == bus.FramingSplit && !four:
		return nil, nil, fmt.Errorf("id reader: split frames need four pipes: %w", devices.ErrUnusable)
	case !four:
		return []way{{line: b}}, nil, nil
	case want == bus.FramingSplit:
		return []way{{line: &split{head: head, body: body}}}, nil, nil
	}
	ways, pipes := []way{{line: body, in: bodyIn}}, map[byte]Bus{bodyIn: body}
	in, out := multi.Pipes()
	if in != bodyIn || out != bodyOut {
		ways = append(ways, way{line: b, in: in})
	}
	if in != bodyIn {
		pipes[in] = b
	}
	if want == "" {
		ways = append([]way{{line: &split{head: head, body: body}, split: true}}, ways...)
		if in != headIn {
			pipes[headIn] = head
		}
	}
	return ways, pipes, nil
}

// tell finds out which way a module speaks: it asks for the module's state in each way in turn, tries times, and waits statusTime
// each time. All pipes are heard all the while, and an answer is known by the form that it has, not by the question that went
// before it: a module that is slow, or hangs on a machine that is, answers when it has long been asked in another way. One that says
// nothing is given up after tries × statusTime for each way, 9 s with four pipes.
func tell(ctx context.Context, ways []way, pipes map[byte]Bus) (Bus, error) {
	e := listen(ctx, pipes)
	defer e.stop()
	question := encode(cmdStatus)
	var first error
	for range tries {
		for _, w := range ways {
			asked, cancel := context.WithTimeout(ctx, statusTime)
			_, err := w.line.Write(asked, question)
			var found Bus
			if err == nil {
				found, err = e.answer(asked, w, ways)
			}
			cancel()
			switch {
			case found != nil:
				return found, nil
			case ctx.Err() != nil:
				return nil, context.Cause(ctx)
			case !errors.Is(err, devices.ErrSilent) && !errors.Is(err, devices.ErrProtocol):
				return nil, err
			case first == nil || errors.Is(err, devices.ErrProtocol):
				first = err // that something came says more than that nothing did
			}
		}
	}
	return nil, first
}

// maxHeard bounds what is kept of a pipe: the longest answer, and as much noise.
const maxHeard = 2 * maxAnswer

// ears are pipes that are all heard at once.
type ears struct {
	came  chan sound
	dead  map[byte]bool
	heard map[byte][]byte // since the beginning, at most maxHeard
	end   context.CancelFunc
	all   sync.WaitGroup
}

// sound is what came on a pipe, or how it ended.
type sound struct {
	pipe byte
	b    []byte
	err  error
}

func listen(ctx context.Context, pipes map[byte]Bus) *ears {
	ctx, end := context.WithCancel(ctx)
	e := &ears{came: make(chan sound), dead: map[byte]bool{}, heard: map[byte][]byte{}, end: end}
	for pipe, b := range pipes {
		b.Drain()
		e.heard[pipe] = nil
		e.all.Go(func() {
			for {
				buf := make([]byte, 4096)
				n, err := b.Read(ctx, buf)
				if ctx.Err() != nil {
					clear(buf)
					return
				}
				select {
				case e.came <- sound{pipe, buf[:n], err}:
				case <-ctx.Done():
					clear(buf)
					return
				}
				if err != nil {
					return
				}
			}
		})
	}
	return e
}

// stop gives the pipes back. What was heard is wiped: a program that was killed may have left a card's answer in them.
func (e *ears) stop() {
	e.end()
	e.all.Wait()
	for _, b := range e.heard {
		clear(b)
	}
}

// answer waits until ctx ends for an answer in any of the ways, and gives the line of that way. The way that was asked last goes
// before others that have answers of the same form on the same pipe.
func (e *ears) answer(ctx context.Context, asked way, ways []way) (Bus, error) {
	anything := false
	for {
		select {
		case s := <-e.came:
			if len(s.b) > 0 {
				anything = true
				e.keep(s.pipe, s.b)
				for _, w := range append([]way{asked}, ways...) {
					if e.hears(w) {
						return w.line, nil
					}
				}
			}
			if s.err == nil {
				continue
			}
			e.dead[s.pipe] = true
			if !errors.Is(s.err, devices.ErrSilent) && !errors.Is(s.err, devices.ErrProtocol) || len(e.dead) == len(e.heard) {
				return nil, s.err
			}
		case <-ctx.Done():
			if anything {
				return nil, fmt.Errorf("id reader: %w: %w", devices.ErrProtocol, errNoise)
			}
			return nil, fmt.Errorf("id reader: %w", devices.ErrSilent)
		}
	}
}

func (e *ears) keep(pipe byte, b []byte) {
	all := append(e.heard[pipe], b...)
	clear(b)
	if over := len(all) - maxHeard; over > 0 {
		clear(all[copy(all, all[over:]):])
		all = all[:maxHeard]
	}
	e.heard[pipe] = all
}

// hears says whether what came has an answer in a way's form.
func (e *ears) hears(w way) bool {
	if w.split {
		return splitAnswer(e.heard[headIn], e.heard[bodyIn])
	}
	for at := e.heard[w.in]; ; at = at[1:] {
		i := bytes.Index(at, preamble)
		if i < 0 {
			return false
		}
		at = at[i:]
		if len(at) < headLen {
			return false
		}
		if n := int(binary.BigEndian.Uint16(at[headLen-2:])); n >= minAnswer && n <= maxAnswer && len(at) >= headLen+n && xor(at[5:headLen+n]) == 0 {
			return true
		}
	}
}

// splitAnswer says whether the last head that came and as many bytes as it announces, the last ones of the other pipe, are an
// answer. What an earlier answer left on either pipe is in nobody's way.
func splitAnswer(head, body []byte) bool {
	at := bytes.LastIndex(head, preamble)
	if at < 0 || len(head)-at < headLen {
		return false
	}
	size := head[at+headLen-2 : at+headLen]
	n := int(binary.BigEndian.Uint16(size))
	return n >= minAnswer && n <= maxAnswer && len(body) >= n && xor(size)^xor(body[len(body)-n:]) == 0
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
