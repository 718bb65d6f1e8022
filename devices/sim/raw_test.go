package sim

// A raw client: it opens the wire like any program and knows no driver.

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wire is the host's end.
type wire struct {
	t *testing.T
	f interface {
		io.ReadWriteCloser
		SetReadDeadline(time.Time) error
	}
}

// dial opens a device's URI.
func dial(t *testing.T, uri string) *wire {
	t.Helper()
	w := &wire{t: t}
	if addr, ok := strings.CutPrefix(uri, "tcp:"); ok {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		w.f = c.(*net.TCPConn)
	} else {
		path, _, _ := strings.Cut(strings.TrimPrefix(uri, "serial:"), "?")
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		w.f = f
	}
	t.Cleanup(func() { _ = w.f.Close() })
	return w
}

func (w *wire) send(b ...byte) {
	w.t.Helper()
	if _, err := w.f.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

// expect reads exactly as many bytes as want has, and compares.
func (w *wire) expect(want ...byte) {
	w.t.Helper()
	if got := w.take(len(want)); !bytes.Equal(got, want) {
		w.t.Fatalf("got % X, want % X", got, want)
	}
}

// take reads exactly n bytes.
func (w *wire) take(n int) []byte {
	w.t.Helper()
	b := make([]byte, n)
	_ = w.f.SetReadDeadline(time.Now().Add(5 * time.Second))
	k, err := io.ReadFull(w.f, b)
	if err != nil {
		w.t.Fatalf("%d of %d bytes (% X): %v", k, n, b[:min(k, 40)], err)
	}
	return b
}

// nothing makes sure that no byte comes; a device that answers does so at once.
func (w *wire) nothing() {
	w.t.Helper()
	if got := w.rest(); len(got) > 0 {
		w.t.Fatalf("got % X, want nothing", got)
	}
}

// rest reads until the line is quiet.
func (w *wire) rest() []byte {
	w.t.Helper()
	var all []byte
	b := make([]byte, 4096)
	for {
		_ = w.f.SetReadDeadline(time.Now().Add(120 * time.Millisecond))
		n, err := w.f.Read(b)
		all = append(all, b[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// hungUp waits until the line is dead.
func (w *wire) hungUp() {
	w.t.Helper()
	_ = w.f.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 256)
	for {
		n, err := w.f.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.t.Fatal("the line is alive")
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// eventually waits for a condition that comes about by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
