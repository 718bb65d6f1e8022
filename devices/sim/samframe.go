package sim

// The SAM's frames from the module's side: requests are found in the stream, answers are built.
//
//	AA AA AA 96 69 | length u16BE | SW1 SW2 SW3 or CMD Para | data | XOR from the length on

import "bytes"

var samPreamble = []byte{0xAA, 0xAA, 0xAA, 0x96, 0x69}

const (
	// samLongest request that a module takes; it answers 11 (length) to more.
	samLongest = 64
	samHeader  = 7
)

// A samRequest is one request as far as the module sees through it.
type samRequest struct {
	cmd, para byte
	data      []byte
	fault     byte // the status for a frame that is none: 10 checksum, 11 length; 0 is sound
}

// samParser collects what comes in. It holds at most one frame.
type samParser struct{ buf []byte }

// feed takes bytes and returns the requests that are complete, in order.
func (p *samParser) feed(in []byte) []samRequest {
	var all []samRequest
	for _, b := range in {
		p.buf = append(p.buf, b)
		for {
			r, again, ok := p.step()
			if ok {
				all = append(all, r)
			}
			if !again {
				break
			}
		}
	}
	return all
}

// step looks at the buffer once; again says that it is worth another look.
func (p *samParser) step() (r samRequest, again, ok bool) {
	n := min(len(p.buf), len(samPreamble))
	if !bytes.Equal(p.buf[:n], samPreamble[:n]) {
		// Not a preamble, or an AA too many: the frame can only begin later.
		p.buf = p.buf[1:]
		return r, len(p.buf) > 0, false
	}
	if len(p.buf) < samHeader {
		return r, false, false
	}
	length := int(p.buf[5])<<8 | int(p.buf[6])
	if length < 2 || length > samLongest {
		p.buf = nil
		return samRequest{fault: 0x11}, false, true
	}
	if len(p.buf) < samHeader+length {
		return r, false, false
	}
	frame := p.buf[5 : samHeader+length]
	p.buf = nil
	if xor(frame) != 0 {
		return samRequest{fault: 0x10}, false, true
	}
	r = samRequest{cmd: frame[2]}
	if body := frame[3 : len(frame)-1]; len(body) > 0 {
		r.para, r.data = body[0], body[1:]
	}
	return r, false, true
}

// drop forgets a frame that stopped in the middle.
func (p *samParser) drop() { p.buf = nil }

func xor(b []byte) (sum byte) {
	for _, x := range b {
		sum ^= x
	}
	return sum
}

// samAnswer builds an answer; SW1 and SW2 are 00.
func samAnswer(sw3 byte, data []byte) []byte {
	n := 3 + len(data) + 1
	out := append(bytes.Clone(samPreamble), byte(n>>8), byte(n), 0, 0, sw3)
	out = append(out, data...)
	return append(out, xor(out[5:]))
}
