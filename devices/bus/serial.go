package bus

// The serial bus, over github.com/tarm/serial, with what that library leaves to its user:
//
//   - a time-out and a hang-up both read as (0, io.EOF): an EOF that comes sooner than the read time-out is looked into by
//     asking the descriptor itself;
//   - there is no flow control, no exclusive use and no write time-out: a second descriptor on the same line sets the first
//     two, and a goroutine of its own writes in pieces, so that a device that stops reading blocks nobody;
//   - Close waits for a pending read: it is never waited for longer than [closePatience].

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
)

const (
	// readStep is tarm/serial's shortest time-out; it bounds only how soon an idle reader notices Close.
	readStep      = 100 * time.Millisecond
	closePatience = 400 * time.Millisecond
	// writePiece is handed to the kernel at once; a PTY and a UART driver both take 4 KiB.
	writePiece = 1024
	// stallPatienceSerial is how long a piece may stay with the kernel after its caller gave up: a few bytes are gone at once,
	// a full buffer is not.
	stallPatienceSerial = 150 * time.Millisecond
)

type serialBus struct {
	*Pump
	port *serial.Port
	side int // a second descriptor for termios and questions

	writing chan []byte
	wrote   chan writeResult
	writeMu sync.Mutex
	quit    chan struct{}
	once    sync.Once
}

type writeResult struct {
	n   int
	err error
}

func openSerial(u URI) (Bus, error) {
	side, err := unix.Open(u.Address, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(u, err)
	}
	if _, err := unix.IoctlGetTermios(side, unix.TCGETS); err != nil {
		unix.Close(side)
		return nil, lineError(u, err)
	}
	// tarm/serial opens the path once more, so exclusive use is claimed only afterwards; a line that is claimed already says so here.
	port, err := serial.OpenPort(&serial.Config{Name: u.Address, Baud: u.Line.Baud, ReadTimeout: readStep,
		Size: byte(u.Line.DataBits), StopBits: serial.StopBits(u.Line.StopBits), Parity: serial.Parity(u.Line.Parity)})
	if err != nil {
		unix.Close(side)
		return nil, openError(u, err)
	}
	if err := setLine(side, u.Line.Flow); err != nil {
		_ = port.Close()
		unix.Close(side)
		return nil, openError(u, err)
	}
	_ = unix.IoctlSetInt(side, unix.TIOCEXCL, 0)
	_ = unix.IoctlSetInt(side, unix.TCFLSH, unix.TCIOFLUSH)
	b := &serialBus{port: port, side: side, writing: make(chan []byte), wrote: make(chan writeResult, 1), quit: make(chan struct{})}
	b.Pump = NewPump(b)
	go b.write()
	return b, nil
}

func openError(u URI, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%s: %w", u.Address, errors.Join(devices.ErrBusy, err))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return fmt.Errorf("%s: %w", u.Address, errors.Join(devices.ErrNoDevice, err))
	}
	return fmt.Errorf("%s: %w", u.Address, err)
}

// lineError tells what is no line at all from a line whose plug was pulled between its opening and this question.
func lineError(u URI, err error) error {
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%s is not a serial port: %w", u.Address, errors.Join(devices.ErrUnusable, err))
	}
	return openError(u, err)
}

// setLine sets flow control. IXOFF and IXANY stay off: they would put bytes into binary output.
func setLine(fd int, flow string) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Cflag &^= unix.CRTSCTS
	t.Iflag &^= unix.IXON | unix.IXOFF | unix.IXANY
	switch flow {
	case FlowRTSCTS:
		t.Cflag |= unix.CRTSCTS
	case FlowXonXoff:
		t.Iflag |= unix.IXON
	}
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// Receive implements [Source].
func (b *serialBus) Receive(p []byte) (int, error) {
	began := time.Now()
	n, err := b.port.Read(p)
	select {
	case <-b.quit:
		return n, ErrClosed
	default:
	}
	switch {
	case n > 0:
		return n, nil
	case err == nil:
		return 0, nil
	case !errors.Is(err, io.EOF):
		return 0, fmt.Errorf("%w: %v", ErrHangup, err)
	case time.Since(began) < readStep*7/10 && b.hungUp():
		return 0, ErrHangup
	}
	return 0, nil
}

// hungUp asks the line itself.
func (b *serialBus) hungUp() bool {
	fds := []unix.PollFd{{Fd: int32(b.side), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return false
	}
	return fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
}

// write owns the port's writing side until the bus is closed.
func (b *serialBus) write() {
	for {
		select {
		case <-b.quit:
			return
		case p := <-b.writing:
			n, err := b.port.Write(p)
			if err == nil && n < len(p) {
				err = io.ErrShortWrite
			}
			b.wrote <- writeResult{n, err}
		}
	}
}

// Write implements [Bus].
func (b *serialBus) Write(ctx context.Context, p []byte) (int, error) {
	b.writeMu.Lock()
	defer b.writeMu.Unlock()
	total := 0
	for total < len(p) {
		if err := b.Dead(); err != nil {
			return total, err
		}
		if ctx.Err() != nil {
			return total, Ended(ctx)
		}
		// The piece is copied: when ctx ends first, the goroutine may still hold it.
		piece := append([]byte(nil), p[total:min(len(p), total+writePiece)]...)
		select {
		case b.writing <- piece:
		case <-b.quit:
			return total, ErrClosed
		case <-ctx.Done():
			return total, Ended(ctx)
		}
		select {
		case r := <-b.wrote:
			total += r.n
			if r.err != nil {
				err := fmt.Errorf("%w: %v", ErrHangup, r.err)
				b.Fail(err)
				return total, err
			}
		case <-b.quit:
			return total, ErrClosed
		case <-ctx.Done():
			// A caller that gave up at this moment (a probe that was called off) leaves the line as it is, if only the piece
			// gets through.
			select {
			case r := <-b.wrote:
				if total += r.n; r.err == nil {
					return total, Ended(ctx)
				}
			case <-time.After(stallPatienceSerial):
			case <-b.quit:
				return total, ErrClosed
			}
			// The device stopped reading in the middle of a piece. How much it took, nobody can say, so the line is done
			// for: the next opening begins anew.
			_ = unix.IoctlSetInt(b.side, unix.TCFLSH, unix.TCOFLUSH)
			b.Fail(fmt.Errorf("bus: writing stalled: %w", devices.ErrSilent))
			return total, Ended(ctx)
		}
	}
	return total, nil
}

// Close implements [Bus].
func (b *serialBus) Close() error {
	b.once.Do(func() {
		close(b.quit)
		b.Fail(ErrClosed)
		_ = unix.IoctlSetInt(b.side, unix.TIOCNXCL, 0)
		_ = unix.IoctlSetInt(b.side, unix.TCFLSH, unix.TCIOFLUSH)
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = b.port.Close()
			<-b.done
			// Only when nobody asks it any more: a number that is in use again would be asked instead.
			b.writeMu.Lock()
			defer b.writeMu.Unlock()
			_ = unix.Close(b.side)
			b.side = -1
		}()
		select {
		case <-closed:
		case <-time.After(closePatience):
		}
	})
	return nil
}
