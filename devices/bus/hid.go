package bus

// The HID bus: devices that send and take reports instead of bytes, through the kernel's /dev/hidraw. Which node a device has is
// read from sysfs, without touching one; keyboards and mice are never taken. Sources: the kernel's Documentation/hid/hidraw.rst, and
// what hid-core writes into uevent.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
)

// hidRoot is where sysfs lists HID nodes, hidDir where they are; tests look elsewhere.
var hidRoot, hidDir = "/sys/class/hidraw", "/dev"

const (
	maxHIDNodes = 256
	// MaxHIDDescriptor and MaxHIDReport bound what the kernel itself lets through, in bytes.
	MaxHIDDescriptor = 4096
	MaxHIDReport     = 16384
	maxHIDText       = 126
	// hidStall is how long a report may stay with the kernel after its caller gave up.
	hidStall = 150 * time.Millisecond
)

// HIDInfo is what is known of a HID device without touching it.
type HIDInfo struct {
	Node            string // "hidraw0"; another one at each plugging-in
	Port            string // of USB, "1-2.3"; "" where it hangs elsewhere
	Interface       int
	Vendor, Product uint16
	Name, Serial    string
	Descriptor      []byte // of its reports
}

var hidInterface = regexp.MustCompile(`^([0-9]{1,3}-[0-9]{1,3}(?:\.[0-9]{1,3}){0,6}):[0-9]{1,3}\.([0-9]{1,3})$`)

// ListHID reads which HID devices are plugged in, keyboards and mice left out. A device that goes meanwhile is left out as well.
func ListHID() ([]HIDInfo, error) {
	entries, err := os.ReadDir(hidRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without HID
	}
	if err != nil {
		return nil, fmt.Errorf("hid: %w", err)
	}
	var all []HIDInfo
	for _, e := range entries[:min(len(entries), maxHIDNodes)] {
		if i, ok := readHID(e.Name()); ok && !i.desktop() {
			all = append(all, i)
		}
	}
	return all, nil
}

func readHID(node string) (i HIDInfo, ok bool) {
	i.Node = node
	dir, err := filepath.EvalSymlinks(filepath.Join(hidRoot, node, "device"))
	if err != nil {
		return i, false
	}
	text, err := readUpTo(filepath.Join(dir, "uevent"), 4096)
	if err != nil {
		return i, false
	}
	for line := range strings.Lines(string(text)) {
		key, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "HID_ID": // bus:vendor:product, "0003:00000C2E:00000B61"
			f := strings.Split(v, ":")
			if len(f) != 3 {
				return i, false
			}
			vendor, err1 := strconv.ParseUint(f[1], 16, 32)
			product, err2 := strconv.ParseUint(f[2], 16, 32)
			if err1 != nil || err2 != nil || vendor > 0xFFFF || product > 0xFFFF {
				return i, false
			}
			i.Vendor, i.Product, ok = uint16(vendor), uint16(product), true
		case "HID_NAME":
			i.Name = printable(v)
		case "HID_UNIQ":
			i.Serial = printable(v)
		}
	}
	if m := hidInterface.FindStringSubmatch(filepath.Base(filepath.Dir(dir))); m != nil {
		i.Port = m[1]
		i.Interface, _ = strconv.Atoi(m[2])
	}
	if i.Descriptor, err = readUpTo(filepath.Join(dir, "report_descriptor"), MaxHIDDescriptor); err != nil {
		return i, false
	}
	return i, ok
}

// readUpTo reads at most so many bytes of a file.
func readUpTo(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, most)
	n := 0
	for n < most {
		m, err := f.Read(b[n:])
		n += m
		if err != nil || m == 0 {
			break
		}
	}
	return b[:n:n], nil
}

// printable makes a device's own words fit to be shown and compared.
func printable(s string) string {
	r := []rune(strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F || r == 0xFFFD {
			return -1
		}
		return r
	}, s)))
	return string(r[:min(len(r), maxHIDText)])
}

// desktop: its reports begin on the page of keyboards and mice. What people type there is none of a driver's.
func (i HIDInfo) desktop() bool {
	return len(i.Descriptor) < 2 || i.Descriptor[0] == 0x05 && i.Descriptor[1] == 0x01
}

func (i HIDInfo) fits(a USBAddress) bool {
	return i.Vendor == a.Vendor && i.Product == a.Product && (a.Serial == "" || a.Serial == i.Serial) && (a.Port == "" || a.Port == i.Port) &&
		(a.Interface < 0 || a.Interface == i.Interface)
}

// ErrSeveralHID: several devices fit, and the address names neither serial number nor port.
var ErrSeveralHID = errors.New("hid: more than one device fits; name its serial number or its port")

// FindHID looks for the device that an address means. Errors wrap [devices.ErrNoDevice] when there is none; [ErrSeveralHID] when there
// is more than one.
func FindHID(a USBAddress) (HIDInfo, error) {
	all, err := ListHID()
	if err != nil {
		return HIDInfo{}, err
	}
	all = slices.DeleteFunc(all, func(i HIDInfo) bool { return !i.fits(a) })
	switch len(all) {
	case 0:
		return HIDInfo{}, fmt.Errorf("hid: no %04x:%04x is plugged in: %w", a.Vendor, a.Product, devices.ErrNoDevice)
	case 1:
		return all[0], nil
	}
	return HIDInfo{}, ErrSeveralHID
}

// HIDPresent says whether a device that fits the address is plugged in, without touching it.
func HIDPresent(a USBAddress) bool {
	_, err := FindHID(a)
	return err == nil || errors.Is(err, ErrSeveralHID)
}

func openHID(u URI) (Bus, error) {
	i, err := FindHID(u.USB)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(hidDir, i.Node)
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		u.Address = path
		return nil, openError(u, err)
	}
	// hidraw gives its reports to everybody who opened it: one owner is kept by a lock.
	if raw, err := f.SyscallConn(); err == nil {
		var held error
		_ = raw.Control(func(fd uintptr) { held = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
		if errors.Is(held, unix.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("%s: %w", path, devices.ErrBusy)
		}
	}
	return NewHID(f, i), nil
}

// HID is a bus of reports. Each Read gives one report, whose first byte is its number where the descriptor has numbers, and each Write
// sends one. What is not read is kept up to 256 KiB.
type HID struct {
	file *os.File
	info HIDInfo

	mu     sync.Mutex
	held   [][]byte
	size   int
	err    error
	more   chan struct{}
	closed bool

	writing sync.Mutex
}

// NewHID is a bus over an open node, which it owns.
func NewHID(f *os.File, i HIDInfo) *HID {
	h := &HID{file: f, info: i, more: make(chan struct{}, 1)}
	go h.run()
	return h
}

// Descriptor is the device's description of its reports.
func (h *HID) Descriptor() []byte { return h.info.Descriptor }

// Identity implements [Identified].
func (h *HID) Identity() devices.Identity {
	return devices.Identity{Model: h.info.Name, Serial: h.info.Serial}
}

func (h *HID) run() {
	buf := make([]byte, MaxHIDReport)
	for {
		n, err := h.file.Read(buf)
		h.mu.Lock()
		if n > 0 {
			h.held, h.size = append(h.held, slices.Clone(buf[:n])), h.size+n
			clear(buf[:n])
			for h.size > maxUnread {
				h.forget()
			}
		}
		if err != nil && h.err == nil {
			h.err = fmt.Errorf("%w: %v", ErrHangup, err)
		}
		h.mu.Unlock()
		if h.wake(); err != nil {
			return
		}
	}
}

// forget drops the oldest report and leaves no copy of it. The mutex is held.
func (h *HID) forget() {
	clear(h.held[0])
	h.size -= len(h.held[0])
	h.held = h.held[1:]
}

func (h *HID) wake() {
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// take gives the oldest report, then the line's error.
func (h *HID) take(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return 0, ErrClosed
	case len(h.held) > 0:
		if n = copy(p, h.held[0]); n < len(h.held[0]) {
			err = fmt.Errorf("hid: a report of %d bytes: %w", len(h.held[0]), devices.ErrProtocol)
		}
		h.forget()
		return n, err
	}
	return 0, h.err
}

// Read implements [Bus]: one report, for which p must have room.
func (h *HID) Read(ctx context.Context, p []byte) (int, error) {
	for {
		if n, err := h.take(p); n > 0 || err != nil {
			return n, err
		}
		select {
		case <-h.more:
		case <-ctx.Done():
			if n, err := h.take(p); n > 0 || err != nil {
				return n, err
			}
			return 0, Ended(ctx)
		}
	}
}

// Write implements [Bus]: p is one report. The kernel holds it until the device took it, for seconds if need be.
func (h *HID) Write(ctx context.Context, p []byte) (int, error) {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	err := h.err
	if h.closed {
		err = ErrClosed
	}
	h.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, Ended(ctx)
	}
	wrote := make(chan writeResult, 1)
	report := slices.Clone(p) // the kernel may still hold it when ctx has ended
	go func() {
		n, err := h.file.Write(report)
		wrote <- writeResult{n, err}
	}()
	var r writeResult
	select {
	case r = <-wrote:
	case <-ctx.Done():
		select {
		case r = <-wrote:
		case <-time.After(hidStall):
			h.fail(fmt.Errorf("%w: it takes no report", ErrHangup))
			return 0, Ended(ctx)
		}
	}
	switch {
	case r.err == nil:
		return r.n, nil
	case errors.Is(r.err, unix.EPIPE), errors.Is(r.err, unix.ENOSYS): // it stalls, or has no such report
		return 0, fmt.Errorf("hid: %w: %v", devices.ErrProtocol, r.err)
	}
	err = fmt.Errorf("%w: %v", ErrHangup, r.err)
	h.fail(err)
	return 0, err
}

func (h *HID) fail(err error) {
	h.mu.Lock()
	if h.err == nil {
		h.err = err
	}
	h.mu.Unlock()
	h.wake()
}

// Drain implements [Bus].
func (h *HID) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.held) > 0 {
		h.forget()
	}
}

// Close implements [Bus].
func (h *HID) Close() error {
	h.mu.Lock()
	was := h.closed
	h.closed = true
	h.mu.Unlock()
	h.wake()
	if was {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- h.file.Close() }() // a report that the kernel holds would make it wait
	select {
	case err := <-done:
		return err
	case <-time.After(closePatience):
		return nil
	}
}

var (
	_ Bus        = (*HID)(nil)
	_ Identified = (*HID)(nil)
)
