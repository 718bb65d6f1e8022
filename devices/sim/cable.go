package sim

// A cable: the line that a serial device hangs on, with a plug that can be pulled. It is a pseudo-terminal behind a link
// whose name outlives the plug, or a TCP listener.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// LineOptions say what a device hangs on.
type LineOptions struct {
	// TCP is a listening address such as "127.0.0.1:0" instead of a serial line.
	TCP string
	// USB hangs the device on USB instead.
	USB *USBOptions
	// Dir holds the link to the pseudo-terminal; "" makes a temporary one.
	Dir string
	// Baud is the device's speed; 0 means 115200. A host that sets another speed reads and writes garbage.
	Baud int
	// Unpaced moves bytes as fast as the machine does.
	Unpaced bool
}

type cable struct {
	opt   LineOptions
	name  string
	own   string // temporary directory to remove
	serve func(ctx context.Context, c *conn)
	port  func() byte // a printer's port status, for USB

	baud atomic.Int64 // the device's side of the speed

	mu     sync.Mutex
	addr   string // TCP: fixed by the first plugging
	cancel context.CancelFunc
	done   chan struct{} // closed when the plugged-in side has wound down
	closed bool
}

// newCable makes a line called name and plugs it in. serve runs for each connection, in a goroutine of the cable's.
func newCable(name string, opt LineOptions, serve func(context.Context, *conn), port ...func() byte) (*cable, error) {
	if opt.Baud == 0 {
		opt.Baud = 115200
	}
	if _, ok := speeds[opt.Baud]; !ok {
		return nil, fmt.Errorf("%w: %d baud", ErrValue, opt.Baud)
	}
	c := &cable{opt: opt, name: name, serve: serve, addr: opt.TCP}
	for _, p := range port {
		c.port = p
	}
	c.setBaud(opt.Baud)
	if opt.USB != nil {
		if _, ok := usbIDs[name]; !ok && opt.USB.As == "" {
			return nil, fmt.Errorf("sim %s: %w", name, errNoUSB)
		}
		c.opt.TCP, c.opt.Unpaced = "", true
	}
	if opt.TCP == "" && opt.Dir == "" && (opt.USB == nil || opt.USB.As != "") {
		dir, err := os.MkdirTemp("", "budayang-sim-")
		if err != nil {
			return nil, fmt.Errorf("sim %s: %w", name, err)
		}
		c.own, c.opt.Dir = dir, dir
	}
	if opt.TCP == "" && (opt.USB == nil || opt.USB.As != "") {
		abs, err := filepath.Abs(c.opt.Dir)
		if err != nil {
			return nil, fmt.Errorf("sim %s: %w", name, err)
		}
		c.opt.Dir = abs
	}
	if err := c.plug(); err != nil {
		_ = c.close()
		return nil, err
	}
	return c, nil
}

// URI is how a driver opens the device; it stays the same for the cable's life.
func (c *cable) URI() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.opt.USB != nil && c.opt.USB.As == "":
		return c.usbURI()
	case c.opt.TCP != "":
		return "tcp:" + c.addr
	}
	return fmt.Sprintf("serial:%s?baud=%d", c.link(), c.opt.Baud)
}

func (c *cable) link() string { return filepath.Join(c.opt.Dir, c.name) }

func (c *cable) plugged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cancel != nil
}

func (c *cable) setBaud(baud int) { c.baud.Store(int64(baud)) }

func (c *cable) speed() int { return int(c.baud.Load()) }

// plug puts the plug in; a plug that is in stays in.
func (c *cable) plug() error {
	c.wind()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if c.cancel != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var err error
	switch {
	case c.opt.USB != nil:
		err = c.openUSB(ctx, done)
	case c.opt.TCP != "":
		err = c.listen(ctx, done)
	default:
		err = c.openPTY(ctx, done)
	}
	if err != nil {
		cancel()
		return fmt.Errorf("sim %s: %w", c.name, err)
	}
	c.cancel, c.done = cancel, done
	return nil
}

// cut pulls the plug and does not wait: the line's own goroutine may call it.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// unplug pulls it: the host sees a hang-up. It returns when the line's goroutines are gone.
func (c *cable) unplug() {
	c.cut()
	c.wind()
}

// wind waits for what a pulled plug leaves running.
func (c *cable) wind() {
	c.mu.Lock()
	done := c.done
	if c.cancel != nil {
		done = nil
	}
	c.mu.Unlock()
	if done != nil {
		<-done
	}
}

func (c *cable) close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.unplug()
	if c.own != "" {
		return os.RemoveAll(c.own)
	}
	return nil
}

func (c *cable) listen(ctx context.Context, done chan struct{}) error {
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	c.addr = l.Addr().String()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	go func() {
		defer close(done)
		defer stop()
		defer l.Close()
		for {
			peer, err := l.Accept()
			if err != nil {
				return
			}
			c.run(ctx, &conn{cable: c, file: peer, ctx: ctx})
		}
	}()
	return nil
}

// openPTY makes the pair. The master is duplicated into a file that knows deadlines, because creack/pty's is a blocking
// one. Our own descriptor of the slave keeps the master readable while no host has the line open.
func (c *cable) openPTY(ctx context.Context, done chan struct{}) error {
	blocking, slave, err := pty.Open()
	if err != nil {
		return err
	}
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = setRaw(int(slave.Fd()), c.speed())
	}
	if err == nil {
		err = relink(slave.Name(), c.link())
	}
	if err != nil {
		_ = slave.Close()
		return err
	}
	master := os.NewFile(uintptr(fd), "ptmx")
	go func() {
		defer close(done)
		defer slave.Close()
		defer os.Remove(c.link())
		c.run(ctx, &conn{cable: c, file: master, slave: slave, ctx: ctx})
	}()
	return nil
}

// relink replaces the link in one step, so that a host that looks meanwhile finds the old one or the new one.
func relink(target, link string) error {
	fresh := link + ".new"
	_ = os.Remove(fresh)
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}

// run serves one connection and closes it when the plug is pulled or the peer leaves.
func (c *cable) run(ctx context.Context, peer *conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	peer.ctx = ctx
	stop := context.AfterFunc(ctx, func() { _ = peer.file.Close() })
	defer stop()
	defer peer.file.Close()
	c.serve(ctx, peer)
}

// conn is one plugged-in line.
type conn struct {
	cable *cable
	file  io.ReadWriteCloser
	slave *os.File // nil on TCP and USB
	usb   *usbPort // nil but for a serial port on USB
	ctx   context.Context
	write sync.Mutex
}

// tick is the grain of pacing: long enough for the timer, short against any time-out on the wire.
const tick = 4 * time.Millisecond

// grain is how many bytes pass in one tick; 8N1 has ten bits a byte.
func (c *conn) grain() int { return max(1, c.cable.speed()/10*int(tick/time.Millisecond)/1000) }

func (c *conn) pause(n int) error {
	if c.cable.opt.Unpaced || n == 0 {
		return c.ctx.Err()
	}
	return sleep(c.ctx, time.Duration(n)*10*time.Second/time.Duration(c.cable.speed()))
}

// Read returns bytes as fast as they can have come over the line.
func (c *conn) Read(p []byte) (int, error) {
	if !c.cable.opt.Unpaced && len(p) > c.grain() {
		p = p[:c.grain()]
	}
	n, err := c.receive(p)
	if err != nil {
		return n, err
	}
	if !c.speedsAgree() {
		garble(p[:n])
	}
	return n, c.pause(n)
}

// idle is how often a quiet line looks after itself.
const idle = 250 * time.Millisecond

func (c *conn) receive(p []byte) (int, error) {
	if c.slave == nil {
		return c.file.Read(p)
	}
	master := c.file.(*os.File)
	for {
		if err := master.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return 0, err
		}
		n, err := master.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		// A host that was killed leaves its claim to exclusive use on the line, because our descriptor keeps it alive; a
		// real line would have been released.
		_ = unix.IoctlSetInt(int(c.slave.Fd()), unix.TIOCNXCL, 0)
	}
}

// Write sends bytes at the line's pace.
func (c *conn) Write(p []byte) (int, error) {
	c.write.Lock()
	defer c.write.Unlock()
	garbled := !c.speedsAgree()
	sent := 0
	for sent < len(p) {
		piece := p[sent:]
		if !c.cable.opt.Unpaced {
			piece = piece[:min(len(piece), c.grain())]
		}
		if garbled {
			piece = append([]byte(nil), piece...)
			garble(piece)
		}
		n, err := c.file.Write(piece)
		sent += n
		if err != nil {
			return sent, err
		}
		if err := c.pause(n); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// speedsAgree compares what the host set with what the device runs at.
func (c *conn) speedsAgree() bool {
	if c.usb != nil {
		return c.usb.agrees(c.cable.speed())
	}
	if c.slave == nil {
		return true
	}
	t, err := unix.IoctlGetTermios(int(c.slave.Fd()), unix.TCGETS)
	return err != nil || t.Cflag&unix.CBAUD == speeds[c.cable.speed()]
}

// garble is what a receiver at another speed makes of bytes: never the same, always wrong, often with a framing-like high bit.
func garble(p []byte) {
	for i, b := range p {
		p[i] = (b<<3 | b>>5) ^ 0x9D
	}
}

var speeds = map[int]uint32{2400: unix.B2400, 4800: unix.B4800, 9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600,
	115200: unix.B115200, 230400: unix.B230400}

// setRaw makes the line carry bytes as they are, at the device's speed until a host sets its own.
func setRaw(fd, baud int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | speeds[baud]
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// sleep waits, or ends early with ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
