package bus

// The pump: one goroutine that always has a read pending, so that bytes are there the moment they arrive and a hang-up is
// seen at once, whatever the caller's deadline is.

import (
	"context"
	"errors"
	"sync"
)

// maxUnread bounds what is kept of a device that talks while nobody listens; the oldest bytes go first.
const maxUnread = 256 << 10

// source is what lies below the pump.
type source interface {
	// receive blocks until bytes come. It returns 0, nil now and then, and an error when the line is dead.
	receive(p []byte) (int, error)
}

type pump struct {
	mu   sync.Mutex
	buf  []byte
	err  error
	more chan struct{} // holds a token when something changed
	done chan struct{} // closed when the goroutine ended
}

func newPump(s source) *pump {
	p := &pump{more: make(chan struct{}, 1), done: make(chan struct{})}
	go p.run(s)
	return p
}

func (p *pump) run(s source) {
	defer close(p.done)
	chunk := make([]byte, 4096)
	for {
		n, err := s.receive(chunk)
		p.mu.Lock()
		if n > 0 {
			p.buf = append(p.buf, chunk[:n]...)
			clear(chunk[:n])
			if over := len(p.buf) - maxUnread; over > 0 {
				p.forget(over)
			}
		}
		if err != nil && p.err == nil {
			p.err = err
		}
		p.mu.Unlock()
		if n > 0 || err != nil {
			p.wake()
		}
		if err != nil {
			return
		}
	}
}

func (p *pump) wake() {
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// take returns what is there, then the line's error.
func (p *pump) take(to []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.buf) > 0 {
		n := copy(to, p.buf)
		p.forget(n)
		return n, nil
	}
	return 0, p.err
}

// forget drops the first n bytes and leaves no copy of them: they may be of a citizen's card.
func (p *pump) forget(n int) {
	rest := copy(p.buf, p.buf[n:])
	clear(p.buf[rest:])
	p.buf = p.buf[:rest]
}

// dead is the line's error, if it has one.
func (p *pump) dead() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *pump) fail(err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	p.wake()
}

// Read implements [Bus].
func (p *pump) Read(ctx context.Context, to []byte) (int, error) {
	if len(to) == 0 {
		return 0, nil
	}
	for {
		if n, err := p.take(to); n > 0 || err != nil {
			return n, err
		}
		select {
		case <-p.more:
		case <-ctx.Done():
			if n, err := p.take(to); n > 0 || err != nil {
				return n, err
			}
			return 0, ended(ctx)
		}
	}
}

// Drain implements [Bus].
func (p *pump) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(len(p.buf))
}

// ended is a context's end in the words of a bus: a deadline is silence, a cancellation stays one.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return context.Cause(ctx)
}
