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

// A Source is what lies below a [Pump].
type Source interface {
	// Receive blocks until bytes come. It may return 0, nil, and returns an error when the line is dead.
	Receive(p []byte) (int, error)
}

// A Pump keeps a read of its Source pending and what came, up to 256 KiB. It is the reading half of every [Bus].
type Pump struct {
	mu   sync.Mutex
	buf  []byte
	err  error
	more chan struct{} // holds a token when something changed
	done chan struct{} // closed when the goroutine ended
}

// NewPump begins to read.
func NewPump(s Source) *Pump {
	p := &Pump{more: make(chan struct{}, 1), done: make(chan struct{})}
	go p.run(s)
	return p
}

func (p *Pump) run(s Source) {
	defer close(p.done)
	chunk := make([]byte, 4096)
	for {
		n, err := s.Receive(chunk)
		p.mu.Lock()
		if n > 0 {
			if len(p.buf)+n > cap(p.buf) { // what is left behind may be of a citizen's card
				grown := append(make([]byte, 0, 2*(len(p.buf)+n)), p.buf...)
				clear(p.buf)
				p.buf = grown
			}
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

func (p *Pump) wake() {
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// take returns what is there, then the line's error.
func (p *Pump) take(to []byte) (int, error) {
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
func (p *Pump) forget(n int) {
	rest := copy(p.buf, p.buf[n:])
	clear(p.buf[rest:])
	p.buf = p.buf[:rest]
}

// Dead is the line's error, nil while it lives.
func (p *Pump) Dead() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Fail ends the line with an error, if it has none yet: readers get it after what had come.
func (p *Pump) Fail(err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	p.wake()
}

// Done is closed when the source is not read any more.
func (p *Pump) Done() <-chan struct{} { return p.done }

// Read implements [Bus].
func (p *Pump) Read(ctx context.Context, to []byte) (int, error) {
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
			return 0, Ended(ctx)
		}
	}
}

// Drain implements [Bus].
func (p *Pump) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(len(p.buf))
}

// Ended is a context's end in the words of a bus: a deadline is silence, a cancellation stays one.
func Ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return context.Cause(ctx)
}
