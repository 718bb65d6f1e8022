package sim

// The HID-POS scanner: reports of 64 bytes, as scanners in that mode send them, written from the manuals of Access-IS (LSR118, appendix B)
// and USB-IF's tables.
//
//	02  length  5D  x  y  56 bytes of the code  further symbology  reserved  bit 0: the code goes on in the next report
//	FD  length  a command as on a serial line (to the scanner)

import (
	"bytes"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices/sim/usbip"
)

// DeviceHIDScanner is its name.
const DeviceHIDScanner = "hid-scanner"

// HIDScannerOptions of [NewHIDScanner].
type HIDScannerOptions struct {
	Serial string
	// Suffix stands behind every code, as scanners are often set up.
	Suffix string
	// Triggered scanners look only when they are told to.
	Triggered bool
}

// HIDScanner is a simulated scanner. It hangs on a pair of sockets that keep reports apart ([HIDScanner.Connect]), or on USB ([HIDScanner.Device]).
type HIDScanner struct {
	opt    HIDScannerOptions
	faults *faults
	usb    *usbip.Device
	in     *usbip.Endpoint

	mu      sync.Mutex
	line    *os.File
	looking bool
	told    [][]byte
}

const (
	hidReportSize, hidRoom  = 64, 56
	hidCodes, hidCommands   = 0x02, 0xFD
	hidSetReport, hidOutput = 9, 2
)

// hidReports describe them: a collection of a bar-code scanner with the report of codes, and a report for commands.
var hidReports = []byte{
	0x05, 0x8C, 0x09, 0x02, 0xA1, 0x01, // bar-code scanner
	0x09, 0x12, 0xA1, 0x02, // scanned data
	0x85, hidCodes, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08,
	0x05, 0x01, 0x09, 0x3B, 0x95, 0x01, 0x81, 0x02, // byte count
	0x05, 0x8C, 0x09, 0xFB, 0x09, 0xFC, 0x09, 0xFD, 0x95, 0x03, 0x81, 0x02, // symbology identifier
	0x09, 0xFE, 0x95, hidRoom, 0x82, 0x02, 0x01, // decoded data
	0x06, 0x66, 0xFF, 0x09, 0x04, 0x09, 0x00, 0x95, 0x02, 0x81, 0x02, // a maker's own
	0x05, 0x8C, 0x25, 0x01, 0x75, 0x01, 0x95, 0x01, 0x09, 0xFF, 0x81, 0x02, // goes on
	0x95, 0x07, 0x81, 0x03, // seven bits of nothing
	0xC0,
	0x06, 0x66, 0xFF, 0x09, 0x02, 0xA1, 0x02, 0x85, hidCommands, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, 0x3F, 0x09, 0x02, 0x92, 0x02, 0x01, 0xC0,
	0xC0,
}

var hidScannerFaults = []FaultInfo{
	{Name: "cut-short", Value: times, Default: 0, max: 1000, About: "the last report of a code does not come"},
	{Name: "lying-length", Value: times, Default: 0, max: 1000, About: "a report says that it carries more than it has room for"},
	{Name: "short-report", Value: times, Default: 0, max: 1000, About: "reports are shorter than they were announced"},
	{Name: "other-report", About: "reports of another number come between"},
	{Name: "garbage", Value: "reports", Default: 20, max: 1 << 16, About: "binary noise comes before every code"},
	{Name: "deaf", About: "commands change nothing"},
}

// NewHIDScanner makes a scanner that hangs on nothing yet.
func NewHIDScanner(opt HIDScannerOptions) *HIDScanner {
	s := &HIDScanner{opt: opt, faults: newFaults(hidScannerFaults), looking: !opt.Triggered, in: usbip.NewInterrupt(1, hidReportSize, 1)}
	s.in.NoZLP = true // a report of 64 bytes is a transfer of its own
	length := len(hidReports)
	s.usb = &usbip.Device{Vendor: 0x0C2E, Product: 0x0B61, Release: 0x0100, Manufacturer: "Budayang", ProductName: "Simulated HID-POS scanner", Serial: opt.Serial,
		Interfaces: []usbip.Interface{{Class: 3, Extra: []byte{9, 0x21, 0x11, 0x01, 0, 1, 0x22, byte(length), byte(length >> 8)}, Endpoints: []*usbip.Endpoint{s.in}}},
		Lies:       map[uint16][]byte{0x22: hidReports},
		Control: func(r usbip.Setup, out []byte) ([]byte, bool) {
			if r.Type == 0x21 && r.Request == hidSetReport && r.Value>>8 == hidOutput {
				s.obey(out)
			}
			return nil, r.Type == 0x21
		}}
	return s
}

// Device is the scanner for [usbip.Plug].
func (s *HIDScanner) Device() *usbip.Device { return s.usb }

// Descriptor is what the scanner says of its reports.
func (s *HIDScanner) Descriptor() []byte { return bytes.Clone(hidReports) }

// Connect plugs the scanner into a pair of sockets and returns the host's end.
func (s *HIDScanner) Connect() (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("sim %s: %w", DeviceHIDScanner, err)
	}
	near, far := os.NewFile(uintptr(pair[0]), "hid-scanner"), os.NewFile(uintptr(pair[1]), "hidraw")
	s.mu.Lock()
	s.line = near
	s.mu.Unlock()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := near.Read(buf)
			if err != nil || n == 0 {
				return
			}
			s.obey(bytes.Clone(buf[:n]))
		}
	}()
	return far, nil
}

// Unplug pulls the plug of [HIDScanner.Connect].
func (s *HIDScanner) Unplug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != nil {
		_ = s.line.Close()
		s.line = nil
	}
	s.looking = !s.opt.Triggered // it has no power
}

// Fault breaks the scanner; value "" takes the fault's default.
func (s *HIDScanner) Fault(name, value string) error {
	n, err := s.faults.parse(name, value)
	if err == nil {
		s.faults.set(name, n)
	}
	return err
}

// Clear mends one fault, or everything for "".
func (s *HIDScanner) Clear(name string) { s.faults.clear(name) }

func (s *HIDScanner) obey(report []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, report)
	if s.faults.has("deaf") || len(report) != hidReportSize || report[0] != hidCommands {
		return
	}
	switch string(report[2 : 2+min(int(report[1]), hidReportSize-2)]) {
	case "\x16T\r":
		s.looking = true
	case "\x16U\r":
		s.looking = !s.opt.Triggered
	}
}

// Looking tells whether the scanner looks.
func (s *HIDScanner) Looking() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looking
}

// Told are the reports that the host sent.
func (s *HIDScanner) Told() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte{}, s.told...)
}

// Show holds a code before the scanner; false when it does not look or is not plugged in.
func (s *HIDScanner) Show(code string) bool {
	if !s.Looking() {
		return false
	}
	if n, on := s.faults.value("garbage"); on {
		for i := range n {
			noise := make([]byte, hidReportSize)
			for j := range noise {
				noise[j] = byte(i*167+j*31) | 0x80
			}
			if !s.send(noise) {
				return false
			}
		}
	}
	rest := []byte(code + s.opt.Suffix)
	for {
		n := min(len(rest), hidRoom)
		r := make([]byte, hidReportSize)
		r[0], r[1], r[2], r[3], r[4] = hidCodes, byte(n), ']', 'Q', '1'
		copy(r[5:], rest[:n])
		rest = rest[n:]
		if len(rest) > 0 {
			r[hidReportSize-1] = 1
		} else if s.faults.once("cut-short") {
			return true
		}
		if s.faults.has("other-report") && !s.send(append([]byte{0x07}, make([]byte, hidReportSize-1)...)) {
			return false
		}
		if s.faults.once("lying-length") {
			r[1] = 0xC8
		}
		if s.faults.once("short-report") {
			r = r[:20]
		}
		if !s.send(r) {
			return false
		}
		if len(rest) == 0 {
			return true
		}
	}
}

// send sends a report over what the scanner hangs on.
func (s *HIDScanner) send(report []byte) bool {
	s.mu.Lock()
	line := s.line
	s.mu.Unlock()
	if line != nil {
		_, err := line.Write(report)
		return err == nil
	}
	_, err := s.in.Write(report)
	return err == nil
}
