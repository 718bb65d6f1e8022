package idcard

// Frames of the SAM protocol, both directions.
//
//	host → module   AA AA AA 96 69 | Len | CMD Para | Data… | CHK
//	module → host   AA AA AA 96 69 | Len | SW1 SW2 SW3 | Data… | CHK
//
// Len is big-endian and counts everything after itself, CHK included; CHK is the XOR of everything from Len to before CHK.

import (
	"bytes"
	"errors"
	"fmt"
)

var preamble = []byte{0xAA, 0xAA, 0xAA, 0x96, 0x69}

// Lengths that an answer can have. The longest the module knows is text, photo and two fingerprints (0x090A).
const (
	minAnswer = 4
	maxAnswer = 4096
)

// A command is what the host asks.
type command struct{ cmd, para byte }

// Commands (id-readers reference 2.3).
var (
	cmdStatus    = command{0x11, 0xFF}
	cmdSAMID     = command{0x12, 0xFF}
	cmdFind      = command{0x20, 0x01}
	cmdSelect    = command{0x20, 0x02}
	cmdRead      = command{0x30, 0x01}
	cmdReadFull  = command{0x30, 0x10} // with fingerprint
	cmdAddress   = command{0x30, 0x03}
	cmdSetRFSize = command{0x61, 0xFF}
)

// encode makes a request frame.
func encode(c command, data ...byte) []byte {
	n := 3 + len(data)
	f := append(bytes.Clone(preamble), byte(n>>8), byte(n), c.cmd, c.para)
	f = append(f, data...)
	return append(f, xor(f[len(preamble):]))
}

func xor(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}

// An answer is a module's, taken apart.
type answer struct {
	sw1, sw2, sw3 byte
	data          []byte
}

var (
	errNoise    = errors.New("no frame in what came")
	errChecksum = errors.New("checksum does not fit")
)

// decoder finds frames in a stream, however it is cut. Noise before a preamble, extra AA and a preamble that begins inside
// noise are skipped; a frame whose checksum is wrong is skipped by one byte only, so that a true frame inside it is found.
type decoder struct {
	buf     []byte
	skipped int   // bytes thrown away since the last frame
	last    error // why the last candidate was not a frame
}

// reset forgets everything; what a card said is wiped, not only left out.
func (d *decoder) reset() {
	clear(d.buf[:cap(d.buf)])
	d.buf, d.skipped, d.last = d.buf[:0], 0, nil
}

func (d *decoder) push(p []byte) { d.buf = append(d.buf, p...) }

// drop throws n bytes away.
func (d *decoder) drop(n int) {
	d.skipped += n
	d.buf = append(d.buf[:0], d.buf[n:]...)
}

// next returns the next whole frame, or false when more bytes are needed.
func (d *decoder) next() (answer, bool) {
	for {
		i := bytes.Index(d.buf, preamble)
		if i < 0 {
			if keep := len(preamble) - 1; len(d.buf) > keep {
				d.drop(len(d.buf) - keep)
			}
			return answer{}, false
		}
		if i > 0 {
			d.drop(i)
		}
		if len(d.buf) < 7 {
			return answer{}, false
		}
		n := int(d.buf[5])<<8 | int(d.buf[6])
		if n < minAnswer || n > maxAnswer {
			d.last = fmt.Errorf("length %d", n)
			d.drop(1)
			continue
		}
		if len(d.buf) < 7+n {
			return answer{}, false
		}
		body := d.buf[7 : 7+n]
		if xor(d.buf[5:7+n]) != 0 {
			d.last = errChecksum
			d.drop(1)
			continue
		}
		a := answer{body[0], body[1], body[2], bytes.Clone(body[3 : n-1])}
		d.drop(7 + n)
		d.skipped, d.last = 0, nil
		return a, true
	}
}

// rescue is asked when the line fell silent: a candidate that waits for bytes that will not come was noise that looked like a
// beginning, or an answer cut off, and a whole frame may stand behind its preamble.
func (d *decoder) rescue() (answer, bool) {
	for len(d.buf) >= len(preamble) {
		d.drop(1)
		if a, ok := d.next(); ok {
			return a, true
		}
	}
	return answer{}, false
}

// missing is how many bytes the frame at hand still lacks; 0 when unknown.
func (d *decoder) missing() int {
	if len(d.buf) < 7 {
		return 0
	}
	return max(0, 7+(int(d.buf[5])<<8|int(d.buf[6]))-len(d.buf))
}
