package receipt_test

// How much of a serial line a raster slip uses: the wire, and not the driver, is what a citizen waits for.

import (
	"fmt"
	"image"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/slip"
)

// Of the line at wireBaud the driver must use so much from a slip's first byte to its last, in percent.
const (
	wireBaud  = 115200
	wireLimit = 98
)

// A uart takes bytes from a pseudo-terminal as fast as a line of wireBaud can carry them, 8N1, and no faster: when the driver has
// nothing ready, the time is lost. It holds what a UART's FIFO does, 16 bytes.
type uart struct {
	fd          int32
	first, last time.Time
	bytes       atomic.Int64
}

func (u *uart) drain(done <-chan struct{}) {
	const per = 10 * time.Second / wireBaud
	buf := make([]byte, 256)
	due := time.Now() // when the line has sent what it took
	for {
		select {
		case <-done:
			return
		default:
		}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		// A timer of ours that comes late is made up for, as long as bytes lie there; a driver that comes late is not.
		waiting := []unix.PollFd{{Fd: u.fd, Events: unix.POLLIN}}
		if n, _ := unix.Poll(waiting, 0); n == 0 {
			_, _ = unix.Poll(waiting, 5)
			due = time.Now()
			continue
		}
		now := time.Now()
		n, err := unix.Read(int(u.fd), buf[:min(len(buf), int(now.Sub(due)/per)+16)])
		if err != nil || n <= 0 {
			return
		}
		if u.bytes.Load() == 0 {
			u.first, due = now, now
		}
		u.bytes.Add(int64(n))
		due = due.Add(time.Duration(n) * per)
		u.last = due
	}
}

// use is the share of the time from the first byte to the last in which the line carried something, in percent.
func (u *uart) use() float64 {
	return 100 * float64(time.Duration(u.bytes.Load())*10*time.Second/wireBaud) / float64(u.last.Sub(u.first))
}

// BenchmarkWire115200 prints a raster slip of 15 cm. "%wire" is what it used of the line; below wireLimit it fails.
func BenchmarkWire115200(b *testing.B) {
	for b.Loop() {
		u := overWire(b)
		b.ReportMetric(u.use(), "%wire")
		if u.use() < wireLimit {
			b.Errorf("%.1f %% of the line, expected %d", u.use(), wireLimit)
		}
		b.ReportMetric(float64(u.bytes.Load()), "bytes")
	}
}

func overWire(t testing.TB) *uart {
	t.Helper()
	blocking, slave, err := pty.Open()
	must(t, err)
	defer slave.Close()
	defer blocking.Close()
	u := &uart{fd: int32(blocking.Fd())}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); u.drain(done) }()

	where, err := bus.Parse(fmt.Sprintf("serial:%s?baud=%d", slave.Name(), wireBaud))
	must(t, err)
	line, err := bus.Open(t.Context(), where)
	must(t, err)
	profile, err := receipt.LoadProfile("generic-80")
	must(t, err)
	profile.DLEEOT, profile.Fence = false, "" // nobody answers here
	p, err := receipt.Open(t.Context(), line, receipt.Options{Profile: profile})
	must(t, err)
	defer p.Close()
	dots := image.NewGray(image.Rect(0, 0, profile.Dots, 1200))
	for i := range dots.Pix {
		dots.Pix[i] = byte(i * 31)
	}
	time.Sleep(50 * time.Millisecond) // what opening sends
	u.bytes.Store(0)
	if r := p.Print(t.Context(), devices.ReceiptJob{ID: "wire", Slip: slip.Slip{Blocks: []slip.Block{slip.Image{Image: dots}}}}); r.Outcome == devices.PrintNotSent {
		t.Fatalf("%+v", r)
	}
	for last := int64(-1); last != u.bytes.Load(); time.Sleep(100 * time.Millisecond) {
		last = u.bytes.Load()
	}
	close(done)
	<-ended
	return u
}
