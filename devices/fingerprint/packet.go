package fingerprint

// Packets of the wire:
//
//	EF 01 | address, four bytes | identifier | length u16BE | content | sum u16BE
//
// Length counts content and sum; the sum is that of the bytes from the identifier to the end of the content. Numbers have their high
// byte first. Source: GROW's manual of the R503 (2021), pyfingerprint, libdriver's AS608.

import (
	"encoding/binary"
	"fmt"

	"github.com/budayang/kiosk/devices"
)

// Identifiers of packets.
const (
	pidCommand = 0x01
	pidData    = 0x02
	pidAnswer  = 0x07
	pidEnd     = 0x08 // the last one with data
)

const (
	headBytes   = 9
	mostContent = 256 // the largest size that a module can be set to
)

// frame makes a packet.
func frame(address [4]byte, pid byte, content ...byte) []byte {
	f := append([]byte{0xEF, 0x01}, address[:]...)
	f = append(f, pid)
	f = binary.BigEndian.AppendUint16(f, uint16(len(content)+2))
	f = append(f, content...)
	return binary.BigEndian.AppendUint16(f, sum(f[6:]))
}

func sum(b []byte) (s uint16) {
	for _, c := range b {
		s += uint16(c)
	}
	return s
}

// packet is one that came. Its content lies in the buffer it was parsed from.
type packet struct {
	pid     byte
	content []byte
}

// errDamaged: a packet came whose sum does not fit, or bytes that begin none.
var errDamaged = fmt.Errorf("damaged packet: %w", devices.ErrProtocol)

// parse looks for a packet at the start of b. used is how many bytes it took: 0 with a nil error says that more must come. With an
// error, used are bytes to leave aside: one where no packet begins, all of a packet whose sum does not fit.
func parse(b []byte, address [4]byte) (p packet, used int, err error) {
	head := [6]byte{0xEF, 0x01, address[0], address[1], address[2], address[3]}
	for i, c := range b[:min(len(b), len(head))] {
		if c != head[i] {
			return p, 1, errDamaged
		}
	}
	if len(b) < headBytes {
		return p, 0, nil
	}
	switch b[6] {
	case pidCommand, pidData, pidAnswer, pidEnd:
	default:
		return p, 1, errDamaged
	}
	n := int(binary.BigEndian.Uint16(b[7:]))
	if n < 3 || n > mostContent+2 {
		return p, 1, errDamaged
	}
	if len(b) < headBytes+n {
		return p, 0, nil
	}
	end := headBytes + n - 2
	if binary.BigEndian.Uint16(b[end:]) != sum(b[6:end]) {
		return p, headBytes + n, errDamaged
	}
	return packet{b[6], b[headBytes:end]}, headBytes + n, nil
}
