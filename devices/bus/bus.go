// Package bus carries bytes between a driver and its device, and names where the device is by a URI.
//
//	serial:/dev/serial/by-id/usb-…?baud=115200&parity=none&data=8&stop=1&flow=none
//	tcp:192.0.2.7:9100
//	usb:0400:c35a, usb:0416:5011:SERIAL, usb:0416:5011?port=1-2.3   (package devices/bus/usb, which a program has or has not)
//	hid:0c2e:0b61, hid:0c2e:0b61:SERIAL, hid:0c2e:0b61?port=1-2.3   (reports instead of bytes, see [HID])
//	ipp://printer.local/ipp/print, ipps://…                    (these and the next are parsed here, opened by their drivers)
//	pcsc:/run/pcscd/pcscd.comm?reader=NAME
//	v4l2:/dev/v4l/by-path/…, http://camera.local/stream, https://…, file:/srv/pictures
//
// A [Bus] has one owner, its driver. Reads and writes are bounded by a context; silence ([ErrTimeout]) is told apart from a
// hang-up ([ErrHangup]); closing never waits for a device.
package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/budayang/kiosk/devices"
)

// Errors of a bus. Each wraps the word of package devices that a supervisor acts on.
var (
	// ErrTimeout: the context ended before the device sent or took anything.
	ErrTimeout = fmt.Errorf("bus: nothing within the time: %w", devices.ErrSilent)
	// ErrHangup: the device is gone (unplugged, peer closed, gateway down).
	ErrHangup = fmt.Errorf("bus: hung up: %w", devices.ErrNoDevice)
	// ErrClosed: the bus was closed here.
	ErrClosed = errors.New("bus: closed")
	// ErrNotBuilt: this program has no such bus.
	ErrNotBuilt = fmt.Errorf("bus: not part of this program: %w", devices.ErrUnusable)
)

// A Bus is an open line to one device. One goroutine may read while another writes.
type Bus interface {
	// Read waits until at least one byte came and returns what is there. It returns [ErrTimeout] when ctx ends first,
	// [ErrHangup] when the device is gone.
	Read(ctx context.Context, p []byte) (int, error)
	// Write sends all of p, or returns how much was handed over and why not all. What was handed over may have reached the
	// device.
	Write(ctx context.Context, p []byte) (int, error)
	// Drain throws away what came and was not read.
	Drain()
	// Close lets the device go; it returns within half a second.
	Close() error
}

// Schemes.
const (
	Serial = "serial"
	TCP    = "tcp"
	USB    = "usb"
	HIDRaw = "hid"
	IPP    = "ipp"
	IPPS   = "ipps"
	V4L2   = "v4l2"
	HTTP   = "http"
	HTTPS  = "https"
	File   = "file"
	PCSC   = "pcsc"
	ALSA   = "alsa"
)

// Line is how a serial port is set.
type Line struct {
	Baud     int
	DataBits int  // 5 to 8
	StopBits int  // 1 or 2
	Parity   byte // 'N', 'E', 'O'
	Flow     string
}

// Flow control of a serial line.
const (
	FlowNone    = "none"
	FlowRTSCTS  = "rtscts"
	FlowXonXoff = "xonxoff" // the device may stop us; we never send XON or XOFF into binary output
)

// Framings of an identity-card reader on USB.
const (
	FramingSplit = "split" // head and body of a frame on pipes of their own
	FramingWhole = "whole" // whole frames on one pair of pipes
)

// USBAddress says which device is meant, and how to speak to it where that must be said.
type USBAddress struct {
	Vendor, Product uint16
	Serial          string // "" is any
	Port            string // as sysfs names it, "1-2.3"; "" is any
	Interface       int    // -1 lets the bus choose
	Framing         string // "" finds out
}

// A URI names a device. Address is a path, host:port, vid:pid[:serial] or the whole URI for ipp and http.
type URI struct {
	Scheme  string
	Address string
	Line    Line       // serial only
	USB     USBAddress // usb and hid
	Reader  string     // pcsc only: part of the reader's name, "" where there is one
	text    string
}

// String is the URI as it was written.
func (u URI) String() string { return u.text }

// Bauds are the speeds a serial line can be set to.
var Bauds = []int{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}

var (
	usbID   = regexp.MustCompile(`^([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::([\x20-\x7e]{1,126}))?$`)
	alsaPCM = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_:=,.-]{0,120}$`)
	usbPort = regexp.MustCompile(`^[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}$`)
)

// Parse reads a device URI. Its errors say what was expected.
func Parse(text string) (URI, error) {
	if len(text) > 1024 {
		return URI{}, errors.New("a URI of at most 1024 characters")
	}
	scheme, rest, found := strings.Cut(text, ":")
	if !found || rest == "" {
		return URI{}, errors.New(`a URI such as "serial:/dev/ttyS0?baud=115200", "tcp:host:9100" or "ipp://host/ipp/print"`)
	}
	u := URI{Scheme: scheme, Address: rest, text: text}
	switch scheme {
	case Serial:
		return parseSerial(u, rest)
	case TCP:
		host, port, err := net.SplitHostPort(strings.TrimPrefix(rest, "//"))
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
			return URI{}, errors.New(`a host and a port, "tcp:host:9100"`)
		}
		u.Address = net.JoinHostPort(host, port)
	case USB:
		return parseUSB(u, rest)
	case HIDRaw:
		u, err := parseUSB(u, rest)
		if err == nil && u.USB.Framing != "" {
			err = errors.New("the settings port and interface")
		}
		return u, err
	case IPP, IPPS:
		p, err := url.Parse(text)
		if err != nil || p.Host == "" || p.User != nil {
			return URI{}, errors.New(`a printer's address, "ipp://host:631/ipp/print"`)
		}
		u.Address = text
	case V4L2:
		if !filepath.IsAbs(rest) {
			return URI{}, errors.New(`a device path, "v4l2:/dev/v4l/by-path/…"`)
		}
	case HTTP, HTTPS:
		p, err := url.Parse(text)
		if err != nil || p.Host == "" || p.User != nil {
			return URI{}, errors.New(`an address without a password, "http://192.0.2.9:8080/stream"`)
		}
		u.Address = text
	case PCSC:
		path, query, _ := strings.Cut(rest, "?")
		values, err := url.ParseQuery(query)
		u.Address, u.Reader = path, values.Get("reader")
		if values.Del("reader"); !filepath.IsAbs(path) || err != nil || len(values) > 0 || len(u.Reader) > 127 {
			return URI{}, errors.New(`the daemon's socket, "pcsc:/run/pcscd/pcscd.comm" or "pcsc:/run/pcscd/pcscd.comm?reader=NAME"`)
		}
	case ALSA:
		if !alsaPCM.MatchString(rest) {
			return URI{}, errors.New(`a device as aplay -L names it, "alsa:default" or "alsa:plughw:CARD=PCH,DEV=0"`)
		}
	case File:
		if !filepath.IsAbs(rest) {
			return URI{}, errors.New(`a path, "file:/srv/pictures"`)
		}
	default:
		return URI{}, fmt.Errorf("a bus that exists: serial, tcp, usb, hid, ipp, ipps, pcsc, v4l2, alsa, http or https, not %q", scheme)
	}
	return u, nil
}

func parseSerial(u URI, rest string) (URI, error) {
	path, query, _ := strings.Cut(rest, "?")
	if !filepath.IsAbs(path) {
		return URI{}, errors.New(`the port's path, "serial:/dev/serial/by-id/…"`)
	}
	u.Address, u.Line = path, Line{115200, 8, 1, 'N', FlowNone}
	values, err := url.ParseQuery(query)
	if err != nil {
		return URI{}, errors.New(`settings such as "?baud=115200&flow=none"`)
	}
	for k, vs := range values {
		v := vs[len(vs)-1]
		n, _ := strconv.Atoi(v)
		switch k {
		case "baud":
			if !slices.Contains(Bauds, n) {
				return URI{}, fmt.Errorf("a baud rate out of %v", Bauds)
			}
			u.Line.Baud = n
		case "data":
			if n < 5 || n > 8 {
				return URI{}, errors.New("data=5 to data=8")
			}
			u.Line.DataBits = n
		case "stop":
			if n != 1 && n != 2 {
				return URI{}, errors.New("stop=1 or stop=2")
			}
			u.Line.StopBits = n
		case "parity":
			p, ok := map[string]byte{"none": 'N', "n": 'N', "even": 'E', "e": 'E', "odd": 'O', "o": 'O'}[strings.ToLower(v)]
			if !ok {
				return URI{}, errors.New("parity=none, even or odd")
			}
			u.Line.Parity = p
		case "flow":
			if v != FlowNone && v != FlowRTSCTS && v != FlowXonXoff {
				return URI{}, errors.New("flow=none, rtscts or xonxoff")
			}
			u.Line.Flow = v
		default:
			return URI{}, fmt.Errorf("the settings baud, data, stop, parity and flow, not %q", k)
		}
	}
	return u, nil
}

func parseUSB(u URI, rest string) (URI, error) {
	address, query, _ := strings.Cut(rest, "?")
	address, err := url.PathUnescape(address)
	m := usbID.FindStringSubmatch(address)
	if err != nil || m == nil {
		return URI{}, errors.New(`vendor and product in hex, "usb:0400:c35a" or "usb:0400:c35a:SERIAL"`)
	}
	vendor, _ := strconv.ParseUint(m[1], 16, 16)
	product, _ := strconv.ParseUint(m[2], 16, 16)
	u.Address, u.USB = address, USBAddress{Vendor: uint16(vendor), Product: uint16(product), Serial: m[3], Interface: -1}
	values, err := url.ParseQuery(query)
	if err != nil {
		return URI{}, errors.New(`settings such as "?port=1-2.3"`)
	}
	for k, vs := range values {
		v := vs[len(vs)-1]
		switch k {
		case "port":
			if !usbPort.MatchString(v) {
				return URI{}, errors.New(`a port as the system names it, "port=1-2.3"`)
			}
			u.USB.Port = v
		case "interface":
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > 31 {
				return URI{}, errors.New("interface=0 to interface=31")
			}
			u.USB.Interface = n
		case "framing":
			if v != FramingSplit && v != FramingWhole {
				return URI{}, errors.New("framing=split or framing=whole")
			}
			u.USB.Framing = v
		default:
			return URI{}, fmt.Errorf("the settings port, interface and framing, not %q", k)
		}
	}
	return u, nil
}

// Multi is a bus with more than one pair of pipes (USB). Whoever opened it closes it, and the pairs with it.
type Multi interface {
	Bus
	// Pair is the line over two bulk endpoints of the same interface, by their addresses. [devices.ErrUnusable] if the device
	// has no such endpoints.
	Pair(in, out byte) (Bus, error)
	// Pipes are the two endpoints of this line itself; in is 0 for a device that never answers.
	Pipes() (in, out byte)
}

// PrinterPort is what USB's printer class (7/1) has beside its line of bytes.
type PrinterPort interface {
	// DeviceID is the IEEE 1284 text, "MFG:…;MDL:…;CMD:…;".
	DeviceID() (string, error)
	// PortStatus is what a parallel port would say.
	PortStatus() (PortStatus, error)
	// SoftReset empties the device's buffers and frees stuck pipes.
	SoftReset() error
}

// PortStatus of a printer; a device that knows nothing better answers that all is well.
type PortStatus struct{ PaperOut, Selected, Error bool }

// Identified is a bus that knows who hangs on it before any driver asked.
type Identified interface{ Identity() devices.Identity }

var openUSB func(ctx context.Context, u URI) (Bus, error)

// RegisterUSB is called by package devices/bus/usb when a program links it: C code and libusb come with it, so that not every
// program has it.
func RegisterUSB(open func(ctx context.Context, u URI) (Bus, error)) { openUSB = open }

// Open opens the line that a URI names. Errors wrap [devices.ErrNoDevice] when nothing is there (and the system's own error,
// for the technician), [devices.ErrBusy] when another program holds it.
func Open(ctx context.Context, u URI) (Bus, error) {
	switch u.Scheme {
	case Serial:
		return openSerial(u)
	case TCP:
		return openTCP(ctx, u)
	case HIDRaw:
		return openHID(u)
	case USB:
		if openUSB != nil {
			return openUSB(ctx, u)
		}
	}
	return nil, fmt.Errorf("%s: %w", u.Scheme, ErrNotBuilt)
}
