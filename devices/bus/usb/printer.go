//go:build cgo && (!ci || lab)

package usb

// The requests of the printer class (USB printer class definition 1.1, chapter 4.2).

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/gousb"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
)

const (
	requestDeviceID   = 0
	requestPortStatus = 1
	requestSoftReset  = 2
	// maxDeviceID bounds what is read; usblp takes 1023.
	maxDeviceID = 1023
)

// control asks the interface; a device that is closed meanwhile is not touched.
func (f first) control(in bool, request uint8, value, index uint16, data []byte) (int, error) {
	f.h.use.RLock()
	defer f.h.use.RUnlock()
	if f.h.closed || f.h.quit.Err() != nil {
		return 0, bus.ErrClosed
	}
	kind := uint8(gousb.ControlClass | gousb.ControlInterface)
	if in {
		kind |= gousb.ControlIn
	}
	n, err := f.h.dev.Control(kind, request, value, index, data)
	switch {
	case err == nil:
		return n, nil
	case gone(err):
		f.Fail(bus.ErrHangup)
		return 0, bus.ErrHangup
	case err == gousb.ErrorTimeout:
		return 0, fmt.Errorf("usb: request %d: %w", request, bus.ErrTimeout)
	case err == gousb.ErrorPipe:
		return 0, fmt.Errorf("usb: request %d is refused: %w", request, devices.ErrProtocol)
	}
	return 0, fmt.Errorf("usb: request %d: %w: %w", request, ErrGarbled, err)
}

// DeviceID implements [bus.PrinterPort].
func (p port) DeviceID() (string, error) {
	b := make([]byte, maxDeviceID)
	index := uint16(p.h.iface.Number)<<8 | uint16(p.h.iface.Alternate)
	n, err := p.control(true, requestDeviceID, 0, index, b)
	if err != nil {
		return "", err
	}
	return deviceID(b[:n])
}

// deviceID checks the length in front, which counts itself and which some devices write the other way round.
func deviceID(b []byte) (string, error) {
	if len(b) < 2 {
		return "", fmt.Errorf("usb: a device id of %d bytes: %w", len(b), devices.ErrProtocol)
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < 2 || n > len(b) {
		if n = int(binary.LittleEndian.Uint16(b)); n < 2 || n > len(b) {
			n = len(b)
		}
	}
	return clean(strings.ToValidUTF8(string(b[2:n]), "")), nil
}

// PortStatus implements [bus.PrinterPort]: bit 5 paper empty, bit 4 selected, bit 3 no error.
func (p port) PortStatus() (bus.PortStatus, error) {
	b := make([]byte, 1)
	n, err := p.control(true, requestPortStatus, 0, uint16(p.h.iface.Number), b)
	if err != nil {
		return bus.PortStatus{}, err
	}
	if n != 1 {
		return bus.PortStatus{}, fmt.Errorf("usb: a port status of %d bytes: %w", n, devices.ErrProtocol)
	}
	return bus.PortStatus{PaperOut: b[0]&0x20 != 0, Selected: b[0]&0x10 != 0, Error: b[0]&0x08 == 0}, nil
}

// SoftReset implements [bus.PrinterPort].
func (p port) SoftReset() error {
	_, err := p.control(false, requestSoftReset, 0, uint16(p.h.iface.Number), nil)
	return err
}
