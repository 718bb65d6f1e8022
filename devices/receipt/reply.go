package receipt

// Replies: a state machine that owns the framing, because a GS r byte cannot be told from the inside of an automatic
// status, and flow-control bytes may stand anywhere.
//
//	DLE EOT n   one byte  0xx1xx10   (bit 7 too, on heads that report the mouth there)
//	GS r n      one byte  0xx0xxxx
//	ASB         0xx1xx00, then three bytes with bits 4 and 7 clear
//	blocks      37 3B 3D 5F …, ended by NUL
//	            35 39 (automatic status of ink, extended): four bytes, no NUL
//	FULL STATUS 10 0F, then four bytes
//	XON XOFF    11 13; no other reply has a byte of that value

type replyKind int

const (
	replyRealTime replyKind = iota // DLE EOT: one byte
	replyFIFO                      // GS r: one byte
	replyASB                       // four bytes
	replyBlock                     // header to before NUL, or all four bytes
	replyFull                      // four bytes after 10 0F
	replyFlow                      // XON or XOFF
)

type reply struct {
	kind replyKind
	data []byte
}

const maxBlock = 128

type replies struct {
	mouth7 bool // bit 7 of a real-time byte is the mouth's
	asb    []byte
	block  []byte
	full   []byte
	dle    bool
}

// push takes bytes, however they are cut, and returns what became whole.
func (r *replies) push(p []byte) (out []reply) {
	for _, b := range p {
		switch {
		case b == 0x11 || b == 0x13:
			out = append(out, reply{replyFlow, []byte{b}})
		case r.full != nil:
			if r.full = append(r.full, b); len(r.full) == 4 {
				out = append(out, reply{replyFull, r.full})
				r.full = nil
			}
		case r.dle:
			r.dle = false
			if b == 0x0F {
				r.full = make([]byte, 0, 4)
				continue
			}
			// 10 was the first byte of an automatic status after all
			r.asb = append(r.asb[:0], 0x10)
			out = r.inASB(b, out)
		case r.block != nil:
			out = r.inBlock(b, out)
		case len(r.asb) > 0:
			out = r.inASB(b, out)
		default:
			out = r.first(b, out)
		}
	}
	return out
}

func (r *replies) inBlock(b byte, out []reply) []reply {
	counted := r.block[0] == 0x35 || r.block[0] == 0x39
	switch {
	case !counted && b == 0:
		out = append(out, reply{replyBlock, r.block})
		r.block = nil
	case len(r.block) == maxBlock:
		// no head says so much: what was begun is dropped
		r.block = nil
		return r.first(b, out)
	default:
		if r.block = append(r.block, b); counted && len(r.block) == 4 {
			out = append(out, reply{replyBlock, r.block})
			r.block = nil
		}
	}
	return out
}

func (r *replies) inASB(b byte, out []reply) []reply {
	if b&0x90 != 0 {
		// not the inside of a status: what was begun is dropped
		r.asb = r.asb[:0]
		return r.first(b, out)
	}
	if r.asb = append(r.asb, b); len(r.asb) == 4 {
		out = append(out, reply{replyASB, append([]byte(nil), r.asb...)})
		r.asb = r.asb[:0]
	}
	return out
}

func (r *replies) first(b byte, out []reply) []reply {
	mask := byte(0x93)
	if r.mouth7 {
		mask = 0x13
	}
	switch {
	case b == 0x10:
		r.dle = true
	case b&mask == 0x12:
		return append(out, reply{replyRealTime, []byte{b}})
	case b&0x93 == 0x10:
		r.asb = append(r.asb[:0], b)
	case b == 0x35 || b == 0x37 || b == 0x39 || b == 0x3B || b == 0x3D || b == 0x5F:
		r.block = []byte{b}
	case b&0x90 == 0:
		return append(out, reply{replyFIFO, []byte{b}})
	}
	return out
}
