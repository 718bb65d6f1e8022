package sim

// The USB camera: what a webcam says of itself (USB Video Class 1.0) and the motion JPEG that it sends, for the kernel's
// uvcvideo to drive. It is plugged in with package usbip.

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices/sim/usbip"
)

// USBCameraOptions of [NewUSBCamera].
type USBCameraOptions struct {
	Name, Serial  string // "" for "Budayang Camera" and no serial number
	Width, Height int    // as of [Bars]; 0 for 640 by 480
	Rate          int    // pictures a second, 0 for 15
}

// USBCamera is a simulated webcam.
type USBCamera struct {
	*usbip.Device
	opt USBCameraOptions
	in  *usbip.Endpoint

	mu       sync.Mutex
	controls map[uint16]*uvcControl // by entity and selector
	probe    [26]byte
	broken   int // pictures that will be marked as broken
	sent     int
}

// uvcControl is a number that the host reads and sets.
type uvcControl struct {
	size                    int
	least, most, step, zero int32
	now                     int32
}

// Entities of the camera's function, and selectors of their controls (UVC 1.0, tables ).
const (
	uvcTerminal, uvcProcessing, uvcOutput = 1, 2, 3

	uvcExposureMode, uvcExposurePriority, uvcExposure = 0x02, 0x03, 0x04
	uvcMains, uvcWhiteBalance, uvcWhiteBalanceAuto    = 0x05, 0x0A, 0x0B
)

// Controls by the names that [USBCamera.Control] knows.
var uvcControls = map[string]uint16{
	"exposure-mode": uvcTerminal<<8 | uvcExposureMode, "exposure-priority": uvcTerminal<<8 | uvcExposurePriority,
	"exposure": uvcTerminal<<8 | uvcExposure, "mains": uvcProcessing<<8 | uvcMains,
	"white-balance": uvcProcessing<<8 | uvcWhiteBalance, "white-balance-auto": uvcProcessing<<8 | uvcWhiteBalanceAuto,
}

// uvcPayload is how many bytes the camera sends under one header.
const uvcPayload = 16 << 10

// NewUSBCamera makes a camera that is not plugged in yet. [USBCamera.Run] sends its pictures.
func NewUSBCamera(opt USBCameraOptions) *USBCamera {
	if opt.Name == "" {
		opt.Name = "Budayang Camera"
	}
	if opt.Width == 0 {
		opt.Width, opt.Height = 640, 480
	}
	if opt.Rate == 0 {
		opt.Rate = 15
	}
	c := &USBCamera{opt: opt, in: usbip.NewIn(1, 512), controls: map[uint16]*uvcControl{
		uvcControls["exposure-mode"]:      {size: 1, least: 1, most: 8, step: 9, zero: 8, now: 8}, // step: the modes there are
		uvcControls["exposure-priority"]:  {size: 1, least: 0, most: 1, step: 1, now: 1},
		uvcControls["exposure"]:           {size: 4, least: 1, most: 5000, step: 1, zero: 157, now: 333},
		uvcControls["mains"]:              {size: 1, least: 0, most: 2, step: 1, now: 0},
		uvcControls["white-balance"]:      {size: 2, least: 2800, most: 6500, step: 10, zero: 4600, now: 5200},
		uvcControls["white-balance-auto"]: {size: 1, least: 0, most: 1, step: 1, zero: 1, now: 1},
	}}
	c.Device = &usbip.Device{Vendor: 0x1d6b, Product: 0x0102, Release: 0x0100, Class: 0xEF, SubClass: 2, Protocol: 1, Speed: usbip.HighSpeed,
		Manufacturer: "Budayang", ProductName: opt.Name, Serial: opt.Serial, Control: c.control,
		Interfaces: []usbip.Interface{
			{Class: 14, SubClass: 1, Extra: controlDescriptors()},
			{Class: 14, SubClass: 2, Extra: c.streamDescriptors(), Endpoints: []*usbip.Endpoint{c.in}},
		}}
	le := binary.LittleEndian
	c.probe[2], c.probe[3] = 1, 1
	le.PutUint32(c.probe[4:], c.interval())
	le.PutUint32(c.probe[18:], c.largest())
	le.PutUint32(c.probe[22:], uvcPayload)
	return c
}

// interval between pictures in 100 ns.
func (c *USBCamera) interval() uint32 { return uint32(10_000_000 / c.opt.Rate) }

func (c *USBCamera) largest() uint32 { return uint32(2 * c.opt.Width * c.opt.Height) }

// controlDescriptors: header, camera terminal, processing unit, output terminal (UVC 1.0, 3.7).
func controlDescriptors() []byte {
	b := []byte{13, 0x24, 1, 0x00, 0x01, 0, 0, 0x80, 0x8D, 0x5B, 0x00, 1, 1}
	b = append(b, 18, 0x24, 2, uvcTerminal, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0b0000_1110, 0, 0) // exposure mode, priority, time
	b = append(b, 11, 0x24, 5, uvcProcessing, uvcTerminal, 0, 0, 2, 0b0100_0000, 0b0001_0100, 0)      // white balance, mains, automatic
	b = append(b, 9, 0x24, 3, uvcOutput, 0x01, 0x01, 0, uvcProcessing, 0)
	binary.LittleEndian.PutUint16(b[5:], uint16(len(b)))
	return b
}

// streamDescriptors: header, motion JPEG of one size, colours (UVC 1.0, 3.9; payload for motion JPEG).
func (c *USBCamera) streamDescriptors() []byte {
	le := binary.LittleEndian
	b := []byte{14, 0x24, 1, 1, 0, 0, 0x81, 0, uvcOutput, 0, 0, 0, 1, 0}
	b = append(b, 11, 0x24, 6, 1, 1, 1, 1, 0, 0, 0, 0)
	b = append(b, 30, 0x24, 7, 1, 0)
	b = le.AppendUint16(b, uint16(c.opt.Width))
	b = le.AppendUint16(b, uint16(c.opt.Height))
	b = le.AppendUint32(b, 8*c.largest())
	b = le.AppendUint32(b, 8*c.largest()*uint32(c.opt.Rate))
	b = le.AppendUint32(b, c.largest())
	b = le.AppendUint32(b, c.interval())
	b = append(b, 1)
	b = le.AppendUint32(b, c.interval())
	b = append(b, 6, 0x24, 0x0D, 1, 1, 4)
	le.PutUint16(b[4:], uint16(len(b)))
	return b
}

// control answers the class's requests (UVC 1.0, 4).
func (c *USBCamera) control(s usbip.Setup, out []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	selector := s.Value >> 8
	if s.Index == 1 { // the streaming interface: what is negotiated
		if selector != 1 && selector != 2 {
			return nil, false
		}
		switch s.Request {
		case 0x01: // SET_CUR: whatever is asked, there is one format
			return nil, true
		case 0x81, 0x82, 0x83, 0x87: // GET_CUR, MIN, MAX, DEF
			return c.probe[:], true
		case 0x85:
			return []byte{byte(len(c.probe)), 0}, true
		case 0x86:
			return []byte{3}, true
		}
		return nil, false
	}
	ctl, known := c.controls[s.Index&0xFF00|selector]
	if !known || s.Index&0xFF != 0 {
		return nil, false
	}
	number := func(v int32) ([]byte, bool) {
		return binary.LittleEndian.AppendUint32(nil, uint32(v))[:ctl.size], true
	}
	switch s.Request {
	case 0x01:
		if len(out) < ctl.size {
			return nil, false
		}
		var b [4]byte
		copy(b[:], out[:ctl.size])
		v := int32(binary.LittleEndian.Uint32(b[:]))
		if v < ctl.least || v > ctl.most {
			return nil, false
		}
		ctl.now = v
		return nil, true
	case 0x81:
		return number(ctl.now)
	case 0x82:
		return number(ctl.least)
	case 0x83:
		return number(ctl.most)
	case 0x84:
		return number(ctl.step)
	case 0x85:
		return []byte{byte(ctl.size), 0}, true
	case 0x86:
		return []byte{3}, true
	case 0x87:
		return number(ctl.zero)
	}
	return nil, false
}

// Control is what a control is set to: "exposure-mode" (1 by hand, 8 automatic), "exposure" (100 µs), "exposure-priority",
// "mains" (1: 50 Hz), "white-balance" (kelvin), "white-balance-auto".
func (c *USBCamera) Control(name string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctl, known := c.controls[uvcControls[name]]
	if !known {
		return 0, fmt.Errorf("%w: control %q", ErrUnknown, name)
	}
	return int(ctl.now), nil
}

// Break marks the next pictures as broken, as a camera does that lost data on its way to the bus.
func (c *USBCamera) Break(pictures int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = pictures
}

// Sent is how many pictures were sent.
func (c *USBCamera) Sent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent
}

// Run sends pictures while the host reads them, until gone is closed.
func (c *USBCamera) Run(gone <-chan struct{}) error {
	beat := time.NewTicker(time.Second / time.Duration(c.opt.Rate))
	defer beat.Stop()
	for n := 0; ; n++ {
		select {
		case <-gone:
			return nil
		case <-beat.C:
		}
		if c.in.Pending() == 0 {
			continue // nobody looks
		}
		b, err := Bars(c.opt.Width, c.opt.Height, n)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.sent++
		head := byte(0x80 | c.sent&1) // the frame bit changes with each picture
		if c.broken > 0 {
			c.broken--
			head |= 0x40
		}
		c.mu.Unlock()
		for len(b) > 0 {
			part := b[:min(len(b), uvcPayload-2)]
			b = b[len(part):]
			if len(b) == 0 {
				head |= 0x02
			}
			if _, err := c.in.Write(append([]byte{2, head}, part...)); err != nil {
				return nil
			}
		}
	}
}
