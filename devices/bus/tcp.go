package bus

// The TCP bus: serial gateways and network printers.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

const (
	dialPatience = 3 * time.Second
	// stallPatience bounds a write without a deadline: a half-open connection takes bytes until its buffers are full.
	stallPatience = 30 * time.Second
)

type tcpBus struct {
	*Pump
	conn *net.TCPConn
	once sync.Once
}

func openTCP(ctx context.Context, u URI) (Bus, error) {
	d := net.Dialer{Timeout: dialPatience, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3}}
	c, err := d.DialContext(ctx, "tcp", u.Address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Address, errors.Join(devices.ErrNoDevice, err))
	}
	conn := c.(*net.TCPConn)
	_ = conn.SetNoDelay(true)
	b := &tcpBus{conn: conn}
	b.Pump = NewPump(b)
	return b, nil
}

// Receive implements [Source].
func (b *tcpBus) Receive(p []byte) (int, error) {
	n, err := b.conn.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, net.ErrClosed):
		return n, ErrClosed
	case errors.Is(err, io.EOF):
		return n, ErrHangup
	}
	return n, fmt.Errorf("%w: %v", ErrHangup, err)
}

// Write implements [Bus].
func (b *tcpBus) Write(ctx context.Context, p []byte) (int, error) {
	if err := b.Dead(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, Ended(ctx)
	}
	deadline := time.Now().Add(stallPatience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = b.conn.SetWriteDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = b.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	n, err := b.conn.Write(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.Fail(fmt.Errorf("bus: writing stalled: %w", devices.ErrSilent))
		if ctx.Err() != nil {
			return n, Ended(ctx)
		}
		return n, ErrTimeout
	case errors.Is(err, net.ErrClosed):
		return n, ErrClosed
	}
	err = fmt.Errorf("%w: %v", ErrHangup, err)
	b.Fail(err)
	return n, err
}

// Close implements [Bus].
func (b *tcpBus) Close() error {
	b.once.Do(func() {
		b.Fail(ErrClosed)
		_ = b.conn.Close()
		<-b.done
	})
	return nil
}
