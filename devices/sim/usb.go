package sim

// The same devices on USB: behind the kernel's virtual host controller, with the pipes that real ones have.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/budayang/kiosk/devices/sim/usbip"
)

// USBOptions hang a device on USB instead of a line. It takes root and a kernel with vhci-hcd (test/lab).
type USBOptions struct {
	Vendor, Product uint16 // 0 is what such devices have: 0400:C35A for a reader, 0416:5011 for a printer
	Serial          string // "" has none
	// Port of the virtual host controller, 1 to 8; 0 is any. It is kept when the plug is put back.
	Port int
	// Split gives an ID reader four pipes: frames' heads and bodies apart.
	Split bool
	// As makes it a serial port on USB: [PortACM] or [PortFTDI]. The host opens it as a serial port, by a link whose name stays.
	As string
	// OnPlug, if not nil, gets the device each time it is plugged in, to break its endpoints.
	OnPlug func(*usbip.Device)
}

// usbIDs are what devices have that are sold under many names.
var usbIDs = map[string][2]uint16{DeviceIDReader: {0x0400, 0xC35A}, DeviceReceiptPrinter: {0x0416, 0x5011}}

func (o *USBOptions) ids(name string) (vendor, product uint16) {
	if o.Vendor != 0 || o.Product != 0 {
		return o.Vendor, o.Product
	}
	return usbIDs[name][0], usbIDs[name][1]
}

func (c *cable) usbURI() string {
	v, p := c.opt.USB.ids(c.name)
	uri := fmt.Sprintf("usb:%04x:%04x", v, p)
	if c.opt.USB.Serial != "" {
		uri += ":" + c.opt.USB.Serial
	}
	return uri
}

// openUSB plugs the device in.
func (c *cable) openUSB(ctx context.Context, done chan struct{}) error {
	o := c.opt.USB
	d := &usbip.Device{Release: 0x0100}
	d.Vendor, d.Product = o.ids(c.name)
	var line io.ReadWriteCloser
	var serial *usbPort
	if o.As != "" {
		var err error
		if serial, err = newUSBPort(o.As); err != nil {
			return err
		}
		if d, line = serial.device, serial; o.Vendor != 0 || o.Product != 0 {
			d.Vendor, d.Product = o.Vendor, o.Product
		}
	} else if c.name == DeviceIDReader && o.Split {
		s := newSplitPipes()
		d.Interfaces = []usbip.Interface{{Class: 0xFF, Endpoints: []*usbip.Endpoint{s.headIn, s.headOut, s.bodyIn, s.bodyOut}}}
		line = s
	} else {
		p := &wholePipes{out: usbip.NewOut(1, 64), in: usbip.NewIn(2, 64)}
		d.Interfaces = []usbip.Interface{{Class: 0xFF, Endpoints: []*usbip.Endpoint{p.in, p.out}}}
		if c.name == DeviceReceiptPrinter {
			d.Interfaces[0].Class, d.Interfaces[0].SubClass, d.Interfaces[0].Protocol = 7, 1, 2
			d.Control = c.printerRequests
			p.out.Room = 512 // the head's own buffer lies behind it
		}
		line = p
	}
	d.Manufacturer, d.ProductName, d.Serial = "Budayang", "Simulated "+c.name, o.Serial
	plugged, err := usbip.Plug(d, o.Port-1)
	if err != nil {
		return err
	}
	if s, ok := line.(*splitPipes); ok {
		s.start()
	}
	if o.OnPlug != nil {
		o.OnPlug(d)
	}
	go func() {
		defer close(done)
		defer plugged.Pull()
		pulled, cancel := context.WithCancel(ctx)
		var named sync.WaitGroup
		if serial != nil {
			defer os.Remove(c.link())
			named.Go(func() { serial.name(pulled, plugged, c.link()) })
			defer named.Wait()
		}
		defer cancel()
		go func() {
			select {
			case <-plugged.Gone():
			case <-pulled.Done():
				plugged.Pull()
			}
		}()
		c.run(pulled, &conn{cable: c, file: line, usb: serial, ctx: pulled})
	}()
	return nil
}

// printerRequests are those of USB's printer class.
func (c *cable) printerRequests(s usbip.Setup, _ []byte) ([]byte, bool) {
	switch [2]byte{s.Type, s.Request} {
	case [2]byte{0xA1, 0}:
		id := "MFG:Budayang;CMD:ESC/POS;MDL:Simulated head;CLS:PRINTER;"
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(id)+2)), id...), true
	case [2]byte{0xA1, 1}:
		status := byte(0x18)
		if c.port != nil {
			status = c.port()
		}
		return []byte{status}, true
	case [2]byte{0x21, 2}:
		return nil, true
	}
	return nil, false
}

// portStatus is what the head's condition looks like on a parallel port: bit 5 paper empty, 4 selected, 3 no error.
func (p *ReceiptPrinter) portStatus() byte {
	c := p.condition()
	return bit(c.paperOut, 1<<5) | bit(!c.offline, 1<<4) | bit(!c.cutter && !c.jam && !c.coverOpen, 1<<3)
}

// wholePipes are one pair of pipes as a line.
type wholePipes struct{ out, in *usbip.Endpoint }

func (p *wholePipes) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p *wholePipes) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p *wholePipes) Close() error                { return nil }

// splitPipes are a module's four: the seven bytes of preamble and length on one pair, the rest on the other. A module takes a
// head that is exactly that; anything else on the pipe is nothing to it.
type splitPipes struct {
	headIn, headOut, bodyIn, bodyOut *usbip.Endpoint
	heads, bodies                    chan []byte
	gone                             chan struct{}
	once                             sync.Once
	head                             []byte
	rest                             []byte // of a frame that the line's reader has not taken yet

	write sync.Mutex
	acc   []byte // of an answer's head
	left  int    // bytes of an answer's body
}

func newSplitPipes() *splitPipes {
	return &splitPipes{headIn: usbip.NewIn(1, 64), headOut: usbip.NewOut(2, 64), bodyIn: usbip.NewIn(5, 64), bodyOut: usbip.NewOut(6, 64),
		heads: make(chan []byte), bodies: make(chan []byte), gone: make(chan struct{})}
}

// start listens on both OUT pipes until the plug is pulled.
func (s *splitPipes) start() {
	for e, to := range map[*usbip.Endpoint]chan []byte{s.headOut: s.heads, s.bodyOut: s.bodies} {
		go func() {
			defer s.once.Do(func() { close(s.gone) })
			buf := make([]byte, 4096)
			for {
				n, err := e.Read(buf)
				if err != nil {
					return
				}
				select {
				case to <- bytes.Clone(buf[:n]):
				case <-s.gone:
					return
				}
			}
		}()
	}
}

// Read gives whole frames: a body that no head announced is dropped.
func (s *splitPipes) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		select {
		case h := <-s.heads:
			s.head = nil
			if len(h) == 7 && bytes.HasPrefix(h, samPreamble) {
				s.head = h
			}
		case body := <-s.bodies:
			if s.head != nil {
				s.rest = append(s.head, body...)
			}
			s.head = nil
		case <-s.gone:
			return 0, usbip.ErrPulled
		}
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Write sends an answer, or pieces of one.
func (s *splitPipes) Write(b []byte) (int, error) {
	s.write.Lock()
	defer s.write.Unlock()
	for rest := b; len(rest) > 0; {
		if s.left > 0 {
			n := min(s.left, len(rest))
			if _, err := s.bodyIn.Write(rest[:n]); err != nil {
				return len(b) - len(rest), err
			}
			s.left, rest = s.left-n, rest[n:]
			continue
		}
		s.acc = append(s.acc, rest[0])
		rest = rest[1:]
		at := bytes.Index(s.acc, samPreamble)
		if at < 0 || len(s.acc)-at < 7 {
			continue
		}
		s.left = int(binary.BigEndian.Uint16(s.acc[at+5:]))
		if _, err := s.headIn.Write(s.acc); err != nil {
			return len(b) - len(rest), err
		}
		s.acc = nil
	}
	return len(b), nil
}

func (s *splitPipes) Close() error {
	s.once.Do(func() { close(s.gone) })
	return nil
}

var errNoUSB = errors.New("only an ID reader and a receipt printer have USB pipes of their own")
