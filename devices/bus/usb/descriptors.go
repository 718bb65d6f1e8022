package usb

// What a device says it is made of. A device may say anything: a descriptor that lies about its length, numbers that leave
// gaps, endpoints that do not exist.

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/devices"
)

// Endpoint is one bulk pipe.
type Endpoint struct {
	Address byte // 81h to 8Fh are IN
	Packet  int  // bytes, 1 to 1024
}

// Interface is one setting of an interface.
type Interface struct {
	Config, Number, Alternate int
	Class, SubClass, Protocol byte
	Index                     int // place among the configuration's interfaces
	In, Out                   []Endpoint
}

// Limits of what is believed.
const (
	maxInterfaces = 64
	maxEndpoints  = 30
	maxNumber     = 31 // of an interface that usbfs and libusb can claim
)

var errDescriptors = errors.New("usb: descriptors that make no sense")

// Parse reads what sysfs keeps in "descriptors": the device's descriptor and its configurations, one after the other. It
// returns the settings of all interfaces that have bulk endpoints, in their order.
func Parse(b []byte) ([]Interface, error) {
	if len(b) < 18 || b[0] != 18 || b[1] != 1 {
		return nil, fmt.Errorf("%w: no device descriptor", errDescriptors)
	}
	var all []Interface
	for b = b[18:]; len(b) > 0; {
		if len(b) < 9 || b[0] < 9 || b[1] != 2 {
			return nil, fmt.Errorf("%w: no configuration where one should be", errDescriptors)
		}
		total := int(binary.LittleEndian.Uint16(b[2:]))
		if total < int(b[0]) || int(b[0]) > len(b) {
			return nil, fmt.Errorf("%w: a configuration of %d bytes", errDescriptors, total)
		}
		// The kernel keeps what it got: a configuration may be shorter than it says.
		total = min(total, len(b))
		found, err := parseConfig(int(b[5]), b[b[0]:total])
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(all) > maxInterfaces {
			return nil, fmt.Errorf("%w: more than %d interfaces", errDescriptors, maxInterfaces)
		}
		b = b[total:]
	}
	bulk := all[:0]
	for _, i := range all {
		if len(i.In)+len(i.Out) > 0 {
			bulk = append(bulk, i)
		}
	}
	return bulk, nil
}

func parseConfig(number int, b []byte) ([]Interface, error) {
	var all []Interface
	index := map[byte]int{}
	for len(b) > 0 {
		n := int(b[0])
		if n < 2 || n > len(b) {
			// What follows cannot be found any more; what came before may be used, as the kernel does.
			return all, nil
		}
		d := b[:n]
		b = b[n:]
		switch {
		case d[1] == 4 && n >= 9:
			if _, known := index[d[2]]; !known {
				index[d[2]] = len(index)
			}
			all = append(all, Interface{Config: number, Number: int(d[2]), Alternate: int(d[3]), Class: d[5], SubClass: d[6],
				Protocol: d[7], Index: index[d[2]]})
			if len(all) > maxInterfaces {
				return nil, fmt.Errorf("%w: more than %d interfaces", errDescriptors, maxInterfaces)
			}
		case d[1] == 5 && n >= 7 && len(all) > 0 && d[3]&3 == 2:
			e := Endpoint{d[2], int(binary.LittleEndian.Uint16(d[4:]) & 0x7FF)}
			i := &all[len(all)-1]
			if e.Address&0x0F == 0 || e.Address&0x70 != 0 || e.Packet == 0 || e.Packet > 1024 || len(i.In)+len(i.Out) >= maxEndpoints || i.has(e.Address) {
				continue
			}
			if e.Address&0x80 != 0 {
				i.In = append(i.In, e)
			} else {
				i.Out = append(i.Out, e)
			}
		}
	}
	return all, nil
}

func (i *Interface) has(address byte) bool {
	_, ok := i.endpoint(address)
	return ok
}

func (i *Interface) endpoint(address byte) (Endpoint, bool) {
	for _, list := range [][]Endpoint{i.In, i.Out} {
		for _, e := range list {
			if e.Address == address {
				return e, true
			}
		}
	}
	return Endpoint{}, false
}

// Printer class, USB printer class definition 1.1 chapter 4.2.
const (
	classPrinter     = 0x07
	protocolOneWay   = 1
	protocolTwoWays  = 2
	protocolIPPOnUSB = 4
)

// printer: a raw printer of one or two ways. IPP over USB takes no raw bytes.
func (i *Interface) printer() bool {
	return i.Class == classPrinter && i.SubClass == 1 && (i.Protocol == protocolOneWay || i.Protocol == protocolTwoWays)
}

// choose picks the setting that carries the line: the one asked for, else a printer that answers, else a printer, else the
// first interface with bulk pipes both ways that is no IPP.
func choose(all []Interface, config, want int) (Interface, error) {
	best, score := Interface{}, 0
	for _, i := range all {
		if config != 0 && i.Config != config || i.Number > maxNumber || want >= 0 && i.Number != want || len(i.Out) == 0 {
			continue
		}
		s := 0
		switch {
		case i.printer() && len(i.In) > 0:
			s = 4
		case i.printer():
			s = 3
		case i.Class == classPrinter && i.Protocol == protocolIPPOnUSB:
		case len(i.In) > 0:
			s = 2
		case want >= 0:
			s = 1
		}
		if s > score {
			best, score = i, s
		}
	}
	if score == 0 {
		return best, fmt.Errorf("usb: no interface with bulk pipes: %w", devices.ErrUnusable)
	}
	return best, nil
}
