//go:build cgo && (!ci || lab)

package usb

// The line itself, over gousb and libusb.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/gousb"
	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
)

func init() { bus.RegisterUSB(open) }

const (
	// controlPatience bounds one control request; libusb's own default waits for ever.
	controlPatience = time.Second
	// closePatience is how long Close waits for transfers to come back and for libusb's event loop, which looks up every 100 ms.
	closePatience = 450 * time.Millisecond
	// pieceOut goes into one transfer; usbfs keeps its buffers in such pieces.
	pieceOut = 16 << 10
	// readSize is a multiple of every packet size and more than the longest answer of a reader that ends in one transfer.
	readSize = 4096
	// stalls and garbled transfers in a row end the line.
	patienceWithFaults = 3
	// faultPause is between them, so that a mad device does not cost a core.
	faultPause = 10 * time.Millisecond
	// stale is how long the line must be quiet at the opening: an answer that a killed program left behind comes at once.
	stale    = 20 * time.Millisecond
	staleMax = 200 * time.Millisecond
)

// handle is an open device with its interface claimed.
type handle struct {
	info  Info
	iface Interface
	quirk Quirks

	ctx  *gousb.Context
	dev  *gousb.Device
	conf *gousb.Config
	intf *gousb.Interface

	// use is held for reading by whoever calls into gousb, for writing by the closing. A device closed under a transfer is a
	// crash of the process.
	use    sync.RWMutex
	closed bool
	quit   context.Context
	end    context.CancelFunc
	mu     sync.Mutex
	lines  []*line
	once   sync.Once
	done   chan struct{} // closed when libusb has let everything go
}

// line is a pair of pipes. It implements [bus.Bus]; the first one is also [bus.Multi], [bus.PrinterPort] and [bus.Identified].
type line struct {
	*bus.Pump
	h       *handle
	in      *gousb.InEndpoint
	out     *gousb.OutEndpoint
	inAddr  byte
	outAddr byte
	size    int // of a read
	write   sync.Mutex
	faults  int // reads that failed in a row; the pump's own
	empties int
}

// first is the line that [open] returns.
type first struct{ *line }

// port is a first line to a printer.
type port struct{ first }

var (
	_ bus.Multi       = first{}
	_ bus.Identified  = first{}
	_ bus.PrinterPort = port{}
)

func open(ctx context.Context, u bus.URI) (bus.Bus, error) {
	info, err := Find(u.USB)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u, err)
	}
	h, err := attach(info, u.USB.Interface)
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", u, info.Path, err)
	}
	l, err := h.main()
	if err != nil {
		h.close()
		return nil, fmt.Errorf("%s at %s: %w", u, info.Path, err)
	}
	l.settle(ctx)
	if ctx.Err() != nil {
		_ = l.Close()
		return nil, bus.Ended(ctx)
	}
	if h.iface.printer() || h.quirk.Printer {
		return port{first{l}}, nil
	}
	return first{l}, nil
}

// attach opens a device and claims one interface of it.
func attach(info Info, want int) (_ *handle, err error) {
	settings, err := Parse(info.Descriptors)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", devices.ErrUnusable, err)
	}
	h := &handle{info: info, quirk: quirksOf(info.Vendor, info.Product), done: make(chan struct{})}
	if h.iface, err = choose(settings, info.Config, want); err != nil {
		return nil, err
	}
	h.quit, h.end = context.WithCancel(context.Background())
	defer func() {
		// gousb panics where libusb does not start, and on what its authors did not think of.
		if r := recover(); r != nil {
			err = fmt.Errorf("usb: libusb: %v", r)
		}
		if err != nil {
			h.release()
		}
	}()
	h.ctx = gousb.NewContext()
	list, err := h.ctx.OpenDevices(func(d *gousb.DeviceDesc) bool { return d.Bus == info.Bus && d.Address == info.Number })
	if len(list) == 0 {
		if err == nil || gone(err) {
			err = fmt.Errorf("usb: it went away: %w", devices.ErrNoDevice)
		}
		return nil, explain(err)
	}
	h.dev = list[0] // bus and number are one device only
	for _, d := range list[1:] {
		_ = d.Close()
	}
	// A device that was exchanged or started anew since it was found may be another one under the same number.
	if now, err := read(info.Path); err != nil || now.Number != info.Number || now.Serial != info.Serial || now.Vendor != info.Vendor || now.Product != info.Product {
		return nil, fmt.Errorf("usb: it changed while it was opened: %w", devices.ErrNoDevice)
	}
	h.dev.ControlTimeout = controlPatience
	if err := h.claim(); err != nil {
		return nil, explain(err)
	}
	return h, nil
}

// claim takes the kernel's driver off the chosen interface, and that one only, and claims it. gousb takes drivers off all
// interfaces of a configuration, and indexes interfaces by number; both go by the description, which is therefore cut down.
func (h *handle) claim() error {
	full, ok := h.dev.Desc.Configs[h.iface.Config]
	if !ok || h.iface.Index >= len(full.Interfaces) || full.Interfaces[h.iface.Index].Number != h.iface.Number {
		return fmt.Errorf("usb: libusb reads its descriptors otherwise: %w", devices.ErrUnusable)
	}
	ours := full.Interfaces[h.iface.Index]
	alternate := h.iface.Alternate
	if h.quirk.NoSetInterface {
		alternate = ours.AltSettings[0].Alternate
		ours.AltSettings = ours.AltSettings[:1]
	}
	cut := full
	cut.Interfaces = []gousb.InterfaceDesc{ours}
	h.dev.Desc.Configs = map[int]gousb.ConfigDesc{h.iface.Config: cut}
	if err := h.dev.SetAutoDetach(true); err != nil {
		return err
	}
	conf, err := h.dev.Config(h.iface.Config)
	if err != nil {
		return err
	}
	h.conf = conf
	padded := make([]gousb.InterfaceDesc, h.iface.Number+1)
	for i := range padded {
		padded[i].Number = -1
	}
	padded[h.iface.Number] = ours
	h.conf.Desc.Interfaces = padded
	h.intf, err = h.conf.Interface(h.iface.Number, alternate)
	return err
}

// main is the line over the interface's first pipes.
func (h *handle) main() (*line, error) {
	in := byte(0)
	if len(h.iface.In) > 0 {
		in = h.iface.In[0].Address
	}
	return h.pair(in, h.iface.Out[0].Address)
}

// pair opens two pipes; in may be 0 for a device that never answers.
func (h *handle) pair(in, out byte) (*line, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.use.RLock()
	defer h.use.RUnlock()
	if h.closed || h.quit.Err() != nil {
		return nil, bus.ErrClosed
	}
	for _, l := range h.lines {
		if l.inAddr == in && l.outAddr == out {
			return l, nil
		}
	}
	l := &line{h: h, inAddr: in, outAddr: out, size: readSize}
	var err error
	if _, ok := h.iface.endpoint(out); !ok || out&0x80 != 0 {
		return nil, fmt.Errorf("usb: no pipe %02X: %w", out, devices.ErrUnusable)
	}
	if l.out, err = h.intf.OutEndpoint(int(out & 0x0F)); err != nil {
		return nil, explain(err)
	}
	if in != 0 {
		e, ok := h.iface.endpoint(in)
		if !ok || in&0x80 == 0 {
			return nil, fmt.Errorf("usb: no pipe %02X: %w", in, devices.ErrUnusable)
		}
		if l.in, err = h.intf.InEndpoint(int(in & 0x0F)); err != nil {
			return nil, explain(err)
		}
		// Whole packets, or the last one overflows.
		if l.size -= l.size % e.Packet; h.quirk.PacketReads {
			l.size = e.Packet
		}
		// Two that read one pipe would take each other's answers.
		if i := slices.IndexFunc(h.lines, func(o *line) bool { return o.inAddr == in }); i >= 0 {
			l.Pump = h.lines[i].Pump
		}
	}
	if l.Pump == nil {
		l.Pump = bus.NewPump(l)
	}
	h.lines = append(h.lines, l)
	return l, nil
}

// settle waits until nothing stale comes any more.
func (l *line) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, staleMax)
	defer cancel()
	for {
		quiet, stop := context.WithTimeout(ctx, stale)
		_, err := l.Read(quiet, make([]byte, readSize))
		stop()
		if err != nil {
			return
		}
	}
}

// Receive implements [bus.Source]. The read has no deadline: it is called off when the line is closed.
func (l *line) Receive(p []byte) (int, error) {
	if l.in == nil {
		<-l.h.quit.Done()
		return 0, bus.ErrClosed
	}
	l.h.use.RLock()
	defer l.h.use.RUnlock()
	if l.h.closed || l.h.quit.Err() != nil {
		return 0, bus.ErrClosed
	}
	n, err := l.in.ReadContext(l.h.quit, p[:min(len(p), l.size)])
	clear(p[max(n, 0):]) // gousb copies its whole buffer, with what was in that memory before
	if err == nil {
		l.faults = 0
		if n > 0 {
			l.empties = 0
		} else if l.empties++; l.empties > 8 {
			// Empty packets end transfers; a device that sends nothing else must not cost a core.
			l.rest()
		}
		return n, nil
	}
	if l.h.quit.Err() != nil {
		return max(n, 0), bus.ErrClosed
	}
	l.faults++
	fault, again := l.h.fault(err, l.inAddr)
	if again && l.faults < patienceWithFaults {
		l.rest()
		return max(n, 0), nil
	}
	return max(n, 0), fault
}

func (l *line) rest() {
	select {
	case <-time.After(faultPause):
	case <-l.h.quit.Done():
	}
}

// Write implements [bus.Bus]. When ctx ends first, what the device took until then is counted.
func (l *line) Write(ctx context.Context, p []byte) (int, error) {
	l.write.Lock()
	defer l.write.Unlock()
	l.h.use.RLock()
	defer l.h.use.RUnlock()
	total, faults := 0, 0
	for total < len(p) {
		if err := l.Dead(); err != nil {
			return total, err
		}
		if l.h.closed || l.h.quit.Err() != nil {
			return total, bus.ErrClosed
		}
		if ctx.Err() != nil {
			return total, bus.Ended(ctx)
		}
		n, err := l.transfer(ctx, p[total:min(len(p), total+pieceOut)])
		total += n
		if err == nil && n > 0 {
			faults = 0
			continue
		}
		if l.h.quit.Err() != nil {
			return total, bus.ErrClosed
		}
		if ctx.Err() != nil && (err == nil || errors.Is(err, gousb.TransferCancelled)) {
			return total, bus.Ended(ctx)
		}
		fault, again := error(ErrGarbled), true // it took nothing and says that all is well
		if err != nil {
			fault, again = l.h.fault(err, l.outAddr)
		}
		if faults++; !again || faults >= patienceWithFaults {
			if errors.Is(fault, devices.ErrNoDevice) {
				l.Fail(fault)
			}
			return total, fault
		}
		l.rest()
	}
	return total, nil
}

// transfer is one OUT transfer, called off when ctx or the line ends.
func (l *line) transfer(ctx context.Context, p []byte) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.h.quit, cancel)()
	n, err := l.out.WriteContext(ctx, p)
	return min(max(n, 0), len(p)), err
}

// Piece is how much a driver had best write at once: each transfer costs a way through libusb and back.
func (l *line) Piece() int { return pieceOut }

// Close implements [bus.Bus] for an additional pair: the first line is what is closed.
func (l *line) Close() error { return nil }

// Close implements [bus.Bus].
func (f first) Close() error {
	f.h.close()
	return nil
}

// Pair implements [bus.Multi].
func (f first) Pair(in, out byte) (bus.Bus, error) {
	l, err := f.h.pair(in, out)
	if err != nil {
		return nil, err
	}
	l.settle(f.h.quit)
	return l, nil
}

// Pipes implements [bus.Multi].
func (f first) Pipes() (in, out byte) { return f.inAddr, f.outAddr }

// Identity implements [bus.Identified].
func (f first) Identity() devices.Identity {
	return devices.Identity{Maker: f.h.info.Maker, Model: f.h.info.Model, Serial: f.h.info.serial()}
}

// close ends everything in the order that libusb wants. It waits for closePatience at most; the rest happens behind.
func (h *handle) close() {
	h.once.Do(func() {
		h.end()
		go func() {
			h.mu.Lock()
			for _, l := range h.lines {
				l.Fail(bus.ErrClosed)
			}
			h.mu.Unlock()
			h.use.Lock() // until no transfer is under way
			defer h.use.Unlock()
			h.closed = true
			h.release()
			close(h.done)
		}()
	})
	select {
	case <-h.done:
	case <-time.After(closePatience):
	}
}

// release lets go what attach took, in the reverse order.
func (h *handle) release() {
	h.end()
	if h.intf != nil {
		h.intf.Close()
	}
	if h.conf != nil {
		_ = h.conf.Close()
	}
	if h.dev != nil {
		_ = h.dev.Close()
	}
	if h.ctx != nil {
		_ = h.ctx.Close()
	}
}

// gone: an unplugged device has two names, one when a transfer is submitted and one when it is under way.
func gone(err error) bool {
	return errors.Is(err, gousb.ErrorNoDevice) || errors.Is(err, gousb.TransferNoDevice) || errors.Is(err, gousb.ErrorNotFound)
}

// fault is what a failed transfer means, and whether the next one may go better.
func (h *handle) fault(err error, address byte) (word error, again bool) {
	switch {
	case gone(err):
		return bus.ErrHangup, false
	case errors.Is(err, gousb.TransferStall), errors.Is(err, gousb.ErrorPipe):
		h.clearHalt(address)
		return ErrStalled, true
	case errors.Is(err, gousb.TransferCancelled):
		return err, true
	}
	// Pulling a plug garbles the last packets before the kernel takes note of it.
	if now, rerr := read(h.info.Path); rerr != nil || now.Number != h.info.Number {
		return bus.ErrHangup, false
	}
	return fmt.Errorf("%w: %w", ErrGarbled, err), true
}

// clearHalt makes a stalled pipe work again on both ends. gousb has no call for it, so the kernel is asked through the
// descriptor that libusb holds: usbfs lets only that one touch a claimed interface.
func (h *handle) clearHalt(address byte) {
	node := fmt.Sprintf("/dev/bus/usb/%03d/%03d", h.info.Bus, h.info.Number)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range open {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || target != node {
			continue
		}
		var fd int
		if _, err := fmt.Sscan(e.Name(), &fd); err != nil {
			continue
		}
		if unix.IoctlSetPointerInt(fd, usbdevfsClearHalt, int(address)) == nil {
			return
		}
	}
}

// usbdevfsClearHalt is _IOR('U', 21, unsigned int) of linux/usbdevice_fs.h.
const usbdevfsClearHalt = 0x80045515

// explain turns errors of the opening into the words of package devices.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, devices.ErrNoDevice), errors.Is(err, devices.ErrUnusable):
		return err
	case gone(err):
		return fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	case errors.Is(err, gousb.ErrorBusy):
		return fmt.Errorf("%w: another program holds it: %w", devices.ErrBusy, err)
	case errors.Is(err, gousb.ErrorIO), errors.Is(err, gousb.ErrorOther):
		return fmt.Errorf("usb: it cannot be read: %w: %w", devices.ErrProtocol, err)
	case errors.Is(err, gousb.ErrorAccess):
		return fmt.Errorf("usb: not permitted; a udev rule must let this user at it: %w", err)
	}
	// gousb flattens most errors of libusb into text.
	text := err.Error()
	for _, c := range []struct {
		code error
		word error
	}{{gousb.ErrorNoDevice, devices.ErrNoDevice}, {gousb.ErrorNotFound, devices.ErrNoDevice}, {gousb.ErrorBusy, devices.ErrBusy}} {
		if strings.Contains(text, c.code.Error()) {
			return fmt.Errorf("%w: %w", c.word, err)
		}
	}
	return err
}
