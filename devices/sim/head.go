package sim

// Heads: what a model of receipt printer can do, as data.

import "fmt"

// A head is one model.
type head struct {
	name  string
	width int // dots across
	// initPrints: ESC @ prints the line that is not finished; other heads throw it away.
	initPrints bool
	// spacing is the line spacing after ESC @, in dots.
	spacing int
	// mouthBit: DLE EOT 1 has bit 7 set while a slip is in the mouth.
	mouthBit bool
	// fullCutByte is the legacy cut command (after ESC) that cuts fully; the other one leaves a point.
	fullCutByte                                             byte
	asb, processID, identity, graphics, fullStatus, ejector bool
	// presenter: a cut slip is held at the mouth and sensed there.
	presenter   bool
	maker, kind string
}

// The heads by name. "epson" is a TM-T88 with Chinese font, "kp628e" a Cashino kiosk head, "custom" a Custom VKP-like head
// with ejector, "generic" a clone that knows the common commands and lies about its name.
var heads = map[string]head{
	"epson": {name: "epson", width: 576, spacing: 30, fullCutByte: 'i', asb: true, processID: true, identity: true, graphics: true,
		maker: "EPSON", kind: "TM-T88V"},
	"kp628e": {name: "kp628e", width: 384, initPrints: true, spacing: 33, mouthBit: true, fullCutByte: 'i', presenter: true},
	"custom": {name: "custom", width: 576, spacing: 30, fullCutByte: 'i', identity: true, fullStatus: true, ejector: true, presenter: true,
		maker: "CUSTOM", kind: "VKP80"},
	"generic": {name: "generic", width: 576, spacing: 30, fullCutByte: 'm', asb: true, identity: true, maker: "EPOSN", kind: "TM-T88V"},
}

// Heads are the names that [ReceiptOptions].Head takes.
func Heads() []string { return []string{"epson", "kp628e", "custom", "generic"} }

func headNamed(name string) (head, error) {
	if name == "" {
		name = "epson"
	}
	h, ok := heads[name]
	if !ok {
		return head{}, fmt.Errorf("%w: head %q; there are %s", ErrUnknown, name, list(Heads(), func(s string) string { return s }))
	}
	return h, nil
}

// condition is what is the matter with the mechanism.
type condition struct {
	nearEnd, paperOut, coverOpen, cutter, hot, jam, offline bool
	mouth                                                   bool // a slip is held there
	moving                                                  bool
}

func (c condition) stopped() bool {
	return c.paperOut || c.coverOpen || c.cutter || c.hot || c.jam || c.offline
}

func (c condition) failed() bool { return c.cutter || c.hot || c.jam }

// bit is b if on.
func bit(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

// realTime is the reply to DLE EOT n.
//
//	n=1  3 off line
//	n=2  2 cover open, 5 stopped by paper end, 6 error
//	n=3  2 mechanical, 3 cutter, 6 recovers by itself (hot)
//	n=4  2+3 near end, 5+6 end
func (h head) realTime(n byte, c condition) (byte, bool) {
	const base = 0x12
	switch n {
	case 1:
		return base | bit(c.stopped(), 1<<3) | bit(h.mouthBit && c.mouth, 1<<7), true
	case 2:
		return base | bit(c.coverOpen, 1<<2) | bit(c.paperOut, 1<<5) | bit(c.failed(), 1<<6), true
	case 3:
		return base | bit(c.jam, 1<<2) | bit(c.cutter, 1<<3) | bit(c.hot, 1<<6), true
	case 4:
		if c.paperOut {
			return base | 0x6C, true
		}
		return base | bit(c.nearEnd, 0x0C), true
	}
	return 0, false
}

// paperSensor is the reply to GS r 1.
func (h head) paperSensor(c condition) byte {
	if c.paperOut {
		return 0x0F
	}
	return bit(c.nearEnd, 0x03)
}

// automatic is the four-byte status block.
func (h head) automatic(c condition) []byte {
	return []byte{
		0x10 | bit(c.stopped(), 1<<3) | bit(c.coverOpen, 1<<5),
		bit(c.jam, 1<<2) | bit(c.cutter, 1<<3) | bit(c.hot, 1<<6),
		h.paperSensor(c),
		0,
	}
}

// full is the reply to DLE EOT 14h of heads that have it: 10 0F, then paper, user, recoverable and unrecoverable state.
func (h head) full(c condition) []byte {
	return []byte{0x10, 0x0F,
		bit(c.paperOut, 1<<0) | bit(c.nearEnd || c.paperOut, 1<<2) | bit(c.mouth, 1<<5),
		bit(c.coverOpen, 1<<0|1<<1) | bit(c.moving, 1<<3),
		bit(c.hot, 1<<0) | bit(c.jam, 1<<6),
		bit(c.cutter, 1<<0),
	}
}

// ejectorByte is the reply to GS e 6.
func (h head) ejectorByte(c condition) byte {
	return bit(c.nearEnd || c.paperOut, 1<<0) | bit(!c.paperOut, 1<<2) | bit(c.mouth, 1<<3) | bit(c.moving, 1<<4) |
		bit(c.failed(), 1<<6) | bit(c.jam, 1<<7)
}
