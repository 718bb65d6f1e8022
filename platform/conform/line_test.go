package conform_test

// A city of one process: lines in memory, and a clock that goes on only when everybody waits. What a check waits for takes no time
// then, and however slow the machine is, no answer is late.

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// alone runs a test beside others, under a clock of its own that begins today. Nothing in it may open a socket: the clock would stand.
func alone(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		today := time.Now()
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(today)) // it begins in the year 2000
			test(t)
		})
	})
}

// lines is a listener whose lines are in memory.
type lines struct {
	opened chan net.Conn
	closed chan struct{}
	end    func()
}

func newLines() *lines {
	l := &lines{opened: make(chan net.Conn), closed: make(chan struct{})}
	l.end = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *lines) Accept() (net.Conn, error) {
	select {
	case c := <-l.opened:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *lines) Close() error   { l.end(); return nil }
func (l *lines) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// dial opens a line, to whatever address.
func (l *lines) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.opened <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
