//go:build !release

package journey

// The link: a TCP line between terminal and platform that can be cut, restored and slowed.

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A Link forwards TCP connections to one address.
type Link struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cut   bool
	delay time.Duration
	open  map[net.Conn]struct{}
	done  sync.WaitGroup
}

// NewLink listens on a loopback port and forwards to an address.
func NewLink(to string) (*Link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	k := &Link{listener: l, to: to, open: map[net.Conn]struct{}{}}
	k.done.Go(k.accept)
	return k, nil
}

// Addr is where the terminal connects.
func (k *Link) Addr() string { return k.listener.Addr().String() }

// Cut drops every connection and refuses new ones.
func (k *Link) Cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = true
	for c := range k.open {
		_ = c.Close()
	}
}

// Restore lets connections through again.
func (k *Link) Restore() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = false
}

// Up says whether the line is whole.
func (k *Link) Up() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.cut
}

// Slow delays every piece of an answer.
func (k *Link) Slow(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delay = d
}

// Close ends the line and waits for its connections.
func (k *Link) Close() {
	k.Cut()
	_ = k.listener.Close()
	k.done.Wait()
}

func (k *Link) accept() {
	for {
		c, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.done.Go(func() { k.carry(c) })
	}
}

func (k *Link) hold(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cut {
		_ = c.Close()
		return false
	}
	k.open[c] = struct{}{}
	return true
}

func (k *Link) drop(c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, c)
	_ = c.Close()
}

func (k *Link) carry(near net.Conn) {
	if !k.hold(near) {
		return
	}
	defer k.drop(near)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	far, err := (&net.Dialer{}).DialContext(ctx, "tcp", k.to)
	if err != nil || !k.hold(far) {
		return
	}
	defer k.drop(far)
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, near)
		_ = far.(*net.TCPConn).CloseWrite()
	})
	both.Go(func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := far.Read(buf)
			k.mu.Lock()
			delay := k.delay
			k.mu.Unlock()
			if delay > 0 {
				time.Sleep(delay)
			}
			if n > 0 {
				if _, err := near.Write(buf[:n]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		_ = near.(*net.TCPConn).CloseWrite()
		_ = far.Close()
	})
	both.Wait()
}
