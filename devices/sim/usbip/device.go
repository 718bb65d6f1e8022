// Package usbip is USB devices in Go: what a device says of itself, its endpoints, and what can be wrong with them. The kernel
// meets them through USB/IP: [Plug] hands the kernel's virtual host controller (vhci-hcd) one end of a socket pair and serves the
// other, so that enumeration, kernel drivers, usbfs and libusb above are the real ones. It takes root and a kernel with vhci-hcd,
// which the lab's machine has (test/lab).
//
//	out, in := usbip.NewOut(1, 64), usbip.NewIn(2, 64)
//	d := &usbip.Device{Vendor: 0x0416, Product: 0x5011, Serial: "SN1",
//		Interfaces: []usbip.Interface{{Class: 7, SubClass: 1, Protocol: 2, Endpoints: []*usbip.Endpoint{out, in}}}}
//	plug, err := usbip.Plug(d, usbip.AnyPort)
//	n, err := out.Read(p)          // what the host wrote
//	in.Send([]byte{0x12})          // what the host will read
//	in.Fault(usbip.Stall, 1)
//	plug.Pull()
//
// Sources: the kernel's Documentation/usb/usbip_protocol.rst for the messages, USB 2.0 chapter 9 for descriptors and requests.
package usbip

import (
	"encoding/binary"
	"unicode/utf16"
)

// Speed of a device, as vhci-hcd counts.
type Speed int

// Speeds.
const (
	LowSpeed  Speed = 1
	FullSpeed Speed = 2
	HighSpeed Speed = 3
)

// Types of endpoints.
const (
	Bulk      = 2
	Interrupt = 3
)

// Device is what is plugged in. It must not be changed while it is.
type Device struct {
	Vendor, Product, Release          uint16
	Class, SubClass, Protocol         byte
	Speed                             Speed // 0 means full speed
	Manufacturer, ProductName, Serial string
	Interfaces                        []Interface
	// Control answers class and vendor requests, from the goroutine that serves the device. false stalls the request.
	Control func(s Setup, out []byte) (in []byte, ok bool)
	// Lies replace descriptors by their type (1 device, 2 configuration, 3 strings by index 0x0300+n): whatever it says goes out.
	Lies map[uint16][]byte
	// OnRequest, if not nil, sees every control request before it is answered.
	OnRequest func(s Setup)
}

// Interface is one interface with one setting.
type Interface struct {
	Class, SubClass, Protocol byte
	Extra                     []byte // class-specific descriptors
	Endpoints                 []*Endpoint
}

// Setup is a control request.
type Setup struct {
	Type, Request        byte
	Value, Index, Length uint16
}

// Types of requests and descriptors, USB 2.0 tables 9-4 and 9-5.
const (
	reqGetStatus     = 0
	reqClearFeature  = 1
	reqGetDescriptor = 6
	reqGetConfig     = 8
	reqGetInterface  = 10

	descDevice  = 1
	descConfig  = 2
	descString  = 3
	typeIn      = 0x80
	typeClass   = 0x60 // class and vendor: bits 5 and 6
	toEndpoint  = 0x02
	languageUSA = 0x0409
)

// packet0 is the size of packets on endpoint 0.
const packet0 = 64

func (d *Device) deviceDescriptor() []byte {
	b := []byte{18, descDevice, 0x00, 0x02, d.Class, d.SubClass, d.Protocol, packet0}
	b = binary.LittleEndian.AppendUint16(b, d.Vendor)
	b = binary.LittleEndian.AppendUint16(b, d.Product)
	b = binary.LittleEndian.AppendUint16(b, d.Release)
	index := func(i byte, s string) byte {
		if s == "" {
			return 0
		}
		return i
	}
	return append(b, index(1, d.Manufacturer), index(2, d.ProductName), index(3, d.Serial), 1)
}

// Configuration is the device's only configuration with everything below it.
func (d *Device) Configuration() []byte {
	b := []byte{9, descConfig, 0, 0, byte(len(d.Interfaces)), 1, 0, 0xC0, 50}
	for n, i := range d.Interfaces {
		b = append(b, 9, 4, byte(n), 0, byte(len(i.Endpoints)), i.Class, i.SubClass, i.Protocol, 0)
		b = append(b, i.Extra...)
		for _, e := range i.Endpoints {
			b = append(b, 7, 5, e.address, e.kind, byte(e.packet), byte(e.packet>>8), e.interval)
		}
	}
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// str is a string descriptor, nil if there is none.
func (d *Device) str(n byte) []byte {
	if n == 0 {
		return []byte{4, descString, languageUSA & 0xFF, languageUSA >> 8}
	}
	texts := []string{d.Manufacturer, d.ProductName, d.Serial}
	if int(n) > len(texts) || texts[n-1] == "" {
		return nil
	}
	b := []byte{0, descString}
	for _, u := range utf16.Encode([]rune(texts[n-1])) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	b = b[:min(len(b), 254)]
	b[0] = byte(len(b))
	return b
}

// answer is what endpoint 0 says to a request; false is a stall.
func (d *Device) answer(s Setup, out []byte) ([]byte, bool) {
	if d.OnRequest != nil {
		d.OnRequest(s)
	}
	if s.Type&typeClass != 0 {
		if d.Control == nil {
			return nil, false
		}
		return d.Control(s, out)
	}
	switch s.Request {
	case reqGetDescriptor:
		kind, index := byte(s.Value>>8), byte(s.Value)
		key := uint16(kind)
		if kind == descString {
			key = s.Value
		}
		if lie, ok := d.Lies[key]; ok {
			return lie, lie != nil
		}
		switch kind {
		case descDevice:
			return d.deviceDescriptor(), true
		case descConfig:
			return d.Configuration(), true
		case descString:
			b := d.str(index)
			return b, b != nil
		}
		return nil, false
	case reqGetStatus:
		return []byte{1, 0}, true
	case reqGetConfig:
		return []byte{1}, true
	case reqGetInterface:
		return []byte{0}, true
	case reqClearFeature:
		if s.Type&0x1F == toEndpoint && s.Value == 0 {
			if e := d.endpoint(byte(s.Index)); e != nil {
				e.clearHalt()
			}
		}
	}
	return nil, s.Type&typeIn == 0
}

// endpoint finds one by its address.
func (d *Device) endpoint(address byte) *Endpoint {
	for _, i := range d.Interfaces {
		for _, e := range i.Endpoints {
			if e.address == address {
				return e
			}
		}
	}
	return nil
}
