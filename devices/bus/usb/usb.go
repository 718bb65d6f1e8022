// Package usb finds devices on USB and opens the line to one of them for package bus. It is linked by
//
//	import _ "github.com/budayang/kiosk/devices/bus/usb"
//
// and then bus.Open opens "usb:0416:5011", "usb:0416:5011:SERIAL" and "usb:0416:5011?port=1-2.3".
//
// Who is there is read from sysfs, without touching a device: [List], [Find], [Present]. What lies below a line is
// github.com/google/gousb over libusb, which needs cgo; a program without it can list devices and open none. What libusb and
// gousb leave to their user is done here:
//
//   - a line has a context of its own, made when it is opened: libusb learns of a plugged-in device only from udevd, and a
//     fresh context sees what is there;
//   - descriptors are read and checked by [Parse] first: gousb indexes by interface numbers that a device may choose freely, and
//     the kernel's drivers are taken off the chosen interface;
//   - an IN read is always pending, with a buffer of whole packets: a smaller one overflows, and a printer that nobody reads
//     stops;
//   - a halted pipe is cleared (gousb cannot), a stalling or garbling device is given up after a few times;
//   - an unplugged device reads as two different errors, both are a hang-up;
//   - it is closed in the order interface, configuration, device, context, and never under a transfer.
package usb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
)

// Errors of this package.
var (
	// ErrStalled: the device refused a transfer, and again after the halt was cleared.
	ErrStalled = fmt.Errorf("usb: the device stalls: %w", devices.ErrProtocol)
	// ErrGarbled: the device sends more than it may or nothing that passes for a packet.
	ErrGarbled = fmt.Errorf("usb: the wire is garbled: %w", devices.ErrProtocol)
	// ErrAmbiguous: several devices fit and the address names neither serial number nor port.
	ErrAmbiguous = errors.New("usb: more than one device fits; name its serial number or its port")
)

// root is where sysfs lists USB devices; tests look elsewhere.
var root = "/sys/bus/usb/devices"

// Info is what is known of a device without touching it.
type Info struct {
	Path            string // port, "1-2.3": the same for whatever is plugged in there
	Bus, Number     int    // /dev/bus/usb/BBB/NNN; another number at each plugging-in
	Vendor, Product uint16
	Maker, Model    string
	Serial          string
	Config          int // configuration that is active
	Descriptors     []byte
}

// ID is vendor and product, "0416:5011".
func (i Info) ID() string { return fmt.Sprintf("%04x:%04x", i.Vendor, i.Product) }

const (
	// maxDevices bounds what is looked at; a bus has 127.
	maxDevices = 512
	// maxText, maxName and maxDescriptors bound what is read of one attribute: the kernel shows at most a page, and 64 KiB of descriptors.
	maxText        = 4096
	maxName        = 126 // characters of a string descriptor
	maxDescriptors = 65536
)

var errGone = errors.New("usb: the device is going")

// List reads which devices are plugged in, hubs left out. A device that goes meanwhile is left out as well.
func List() ([]Info, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without USB
	}
	if err != nil {
		return nil, fmt.Errorf("usb: %w", err)
	}
	var all []Info
	for _, e := range entries[:min(len(entries), maxDevices)] {
		// "1-2.3" is a device, "usb1" a root hub, "1-2.3:1.0" an interface.
		if !strings.Contains(e.Name(), "-") || strings.Contains(e.Name(), ":") {
			continue
		}
		i, err := read(e.Name())
		if err != nil {
			continue
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func read(name string) (Info, error) {
	dir := filepath.Join(root, name)
	text := func(attribute string) string {
		b, err := readSome(filepath.Join(dir, attribute), maxText)
		if err != nil {
			return ""
		}
		text := []rune(clean(string(b)))
		return string(text[:min(len(text), maxName)])
	}
	hex := func(attribute string) (uint16, error) {
		n, err := strconv.ParseUint(text(attribute), 16, 16)
		return uint16(n), err
	}
	i := Info{Path: name, Maker: text("manufacturer"), Model: text("product"), Serial: text("serial")}
	var err [4]error
	i.Vendor, err[0] = hex("idVendor")
	i.Product, err[1] = hex("idProduct")
	i.Bus, err[2] = strconv.Atoi(text("busnum"))
	i.Number, err[3] = strconv.Atoi(text("devnum"))
	for _, e := range err {
		if e != nil {
			return i, errGone
		}
	}
	if text("bDeviceClass") == "09" {
		return i, errors.New("usb: a hub")
	}
	i.Config, _ = strconv.Atoi(text("bConfigurationValue")) // empty: none is active yet
	i.Descriptors, _ = readSome(filepath.Join(dir, "descriptors"), maxDescriptors)
	return i, nil
}

// readSome reads at most so many bytes of a file.
func readSome(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, 0, 256)
	for int64(len(b)) < most {
		b = slices.Grow(b, 256)
		n, err := f.Read(b[len(b):min(int64(cap(b)), most)])
		b = b[:len(b)+n]
		if err != nil || n == 0 {
			break
		}
	}
	return b, nil
}

// clean makes a device's own words fit to be shown and compared: printable, no spaces at the ends.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F || r == 0xFFFD {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// fits says whether a device is the one meant.
func (i Info) fits(a bus.USBAddress) bool {
	return i.Vendor == a.Vendor && i.Product == a.Product && (a.Serial == "" || a.Serial == i.serial()) && (a.Port == "" || a.Port == i.Path)
}

// serial is the serial number, "" where the model is known to lie about it.
func (i Info) serial() string {
	if quirksOf(i.Vendor, i.Product).NoSerial {
		return ""
	}
	return i.Serial
}

// Find looks for the device that an address means. Errors wrap [devices.ErrNoDevice] when there is none; [ErrAmbiguous] when
// there is more than one.
func Find(a bus.USBAddress) (Info, error) {
	all, err := List()
	if err != nil {
		return Info{}, err
	}
	var found []Info
	for _, i := range all {
		if i.fits(a) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return Info{}, fmt.Errorf("usb: no %04x:%04x is plugged in: %w", a.Vendor, a.Product, devices.ErrNoDevice)
	case 1:
		return found[0], nil
	}
	return Info{}, ErrAmbiguous
}

// Present says whether a device that fits the address is plugged in, without touching it. It returns within milliseconds.
func Present(a bus.USBAddress) bool {
	_, err := Find(a)
	return err == nil || errors.Is(err, ErrAmbiguous)
}
