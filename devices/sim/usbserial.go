package sim

// Devices that the host sees as serial ports on USB: those with the communication class of their own, and those behind a converter.
//
// Sources: USB's PSTN subclass 1.2 for the class's requests; the kernel's ftdi_sio.h for the converter's.

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/devices/sim/usbip"
)

// What a serial port on USB is.
const (
	PortACM  = "acm"  // the communication class, /dev/ttyACM0
	PortFTDI = "ftdi" // an FT232R converter, /dev/ttyUSB0
)

// usbPort is one of them: its device, its pipes, and the speed that the host set.
type usbPort struct {
	kind    string
	device  *usbip.Device
	pipes   wholePipes
	baud    atomic.Int64 // 0 until the host sets one
	latency byte
}

func newUSBPort(kind string) (*usbPort, error) {
	p := &usbPort{kind: kind, device: &usbip.Device{Vendor: 0x0C2E, Product: 0x0CAA, Release: 0x0100}, latency: 16}
	switch kind {
	case PortACM:
		p.pipes = wholePipes{out: usbip.NewOut(1, 64), in: usbip.NewIn(2, 64)}
		p.device.Class, p.device.Control = 2, p.acm
		p.device.Interfaces = []usbip.Interface{
			{Class: 2, SubClass: 2, Protocol: 1, Endpoints: []*usbip.Endpoint{usbip.NewInterrupt(3, 8, 10)},
				// header 1.10, call management on interface 1, abstract control with line coding, union of 0 and 1
				Extra: []byte{5, 0x24, 0, 0x10, 1, 5, 0x24, 1, 0, 1, 4, 0x24, 2, 2, 5, 0x24, 6, 0, 1}},
			{Class: 10, Endpoints: []*usbip.Endpoint{p.pipes.out, p.pipes.in}},
		}
	case PortFTDI:
		p.pipes = wholePipes{in: usbip.NewIn(1, 64), out: usbip.NewOut(2, 64)}
		p.device.Vendor, p.device.Product, p.device.Release, p.device.Control = 0x0403, 0x6001, 0x0600, p.ftdi
		p.device.Interfaces = []usbip.Interface{{Class: 0xFF, SubClass: 0xFF, Protocol: 0xFF, Endpoints: []*usbip.Endpoint{p.pipes.in, p.pipes.out}}}
	default:
		return nil, fmt.Errorf("%w: port %q", ErrValue, kind)
	}
	return p, nil
}

// acm answers SET_LINE_CODING, GET_LINE_CODING and SET_CONTROL_LINE_STATE.
func (p *usbPort) acm(s usbip.Setup, out []byte) ([]byte, bool) {
	switch [2]byte{s.Type, s.Request} {
	case [2]byte{0x21, 0x20}:
		if len(out) < 7 {
			return nil, false
		}
		p.baud.Store(int64(binary.LittleEndian.Uint32(out)))
		return nil, true
	case [2]byte{0xA1, 0x21}:
		return append(binary.LittleEndian.AppendUint32(nil, uint32(p.baud.Load())), 0, 0, 8), true
	case [2]byte{0x21, 0x22}:
		return nil, true
	}
	return nil, false
}

// ftdi answers the converter's vendor requests.
func (p *usbPort) ftdi(s usbip.Setup, _ []byte) ([]byte, bool) {
	switch [2]byte{s.Type, s.Request} {
	case [2]byte{0x40, 3}:
		p.baud.Store(int64(ftdiBaud(s.Value, s.Index)))
	case [2]byte{0x40, 9}:
		p.latency = byte(s.Value)
	case [2]byte{0xC0, 10}:
		return []byte{p.latency}, true
	case [2]byte{0xC0, 5}:
		return ftdiStatus, true
	}
	if s.Type == 0xC0 {
		return make([]byte, s.Length), true // its memory is empty
	}
	return nil, true
}

// ftdiStatus goes before the data of every packet: modem lines, and a line without errors whose transmitter is empty.
var ftdiStatus = []byte{0x01, 0x60}

// ftdiBaud is what a divisor of 3 MHz in eighths means: 14 bits, then three for the eighths, of which the last is in the index.
func ftdiBaud(value, index uint16) int {
	eighths := [8]int{0, 4, 2, 1, 3, 5, 6, 7}[value>>14|index&1<<2]
	switch divisor := int(value&0x3FFF)<<3 + eighths; divisor {
	case 0:
		return 3_000_000
	case 8:
		return 2_000_000
	default:
		return 24_000_000 / divisor
	}
}

// Read takes what the host wrote.
func (p *usbPort) Read(b []byte) (int, error) { return p.pipes.Read(b) }

// Write sends to the host. A converter's packets are never full, so that each ends a transfer.
func (p *usbPort) Write(b []byte) (int, error) {
	if p.kind != PortFTDI {
		return p.pipes.Write(b)
	}
	for at := 0; at < len(b); {
		n := min(len(b)-at, 60)
		if _, err := p.pipes.Write(append(append([]byte(nil), ftdiStatus...), b[at:at+n]...)); err != nil {
			return at, err
		}
		at += n
	}
	return len(b), nil
}

// Close implements io.Closer.
func (p *usbPort) Close() error { return nil }

// agrees compares the host's speed with the device's; a converter hits it within some per mille.
func (p *usbPort) agrees(baud int) bool {
	set := int(p.baud.Load())
	return set == 0 || set > baud*97/100 && set < baud*103/100
}

// name makes the link to the port once the kernel has one, as udev would.
func (p *usbPort) name(ctx context.Context, plugged *usbip.Plugged, link string) {
	path, err := plugged.Path()
	if err != nil {
		return
	}
	interfaces := filepath.Join("/sys/bus/usb/devices", path+":1.0")
	for sleep(ctx, 10*time.Millisecond) == nil {
		for _, pattern := range []string{"tty/ttyACM*", "ttyUSB*/tty/ttyUSB*"} {
			if found, _ := filepath.Glob(filepath.Join(interfaces, pattern)); len(found) == 1 {
				if relink(filepath.Join("/dev", filepath.Base(found[0])), link) == nil {
					return
				}
			}
		}
	}
}
