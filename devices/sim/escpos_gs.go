package sim

// Commands that begin with GS.

import "strings"

func (e *escpos) gs() error {
	b, err := e.next()
	if err != nil {
		return err
	}
	switch b {
	case '(':
		return e.gsBlock()
	case '8':
		return e.gsLong()
	case 'v':
		return e.rows()
	case 'V':
		return e.gsCut()
	case 'k':
		return e.bars()
	case 'e':
		return e.ejector()
	case 'L', 'W', 'P', '$', '\\':
		return e.gsTwo(b)
	case '^':
		return e.skip(3)
	case ':':
		return nil
	case '*':
		p, err := e.args(2)
		if err != nil {
			return err
		}
		return e.skip(int(p[0]) * int(p[1]) * 8)
	}
	return e.gsOne(b)
}

func (e *escpos) gsTwo(b byte) error {
	p, err := e.args(2)
	if err != nil {
		return err
	}
	n := int(p[0]) | int(p[1])<<8
	switch b {
	case 'L':
		if len(e.line) == 0 {
			e.left = min(n, e.head.width-hanWidth)
			e.area = min(e.area, e.head.width-e.left)
		}
	case 'W':
		if len(e.line) == 0 {
			e.area = max(hanWidth, min(n, e.head.width-e.left))
		}
	}
	return nil
}

func (e *escpos) gsOne(b byte) error {
	switch b {
	case '!', 'B', 'H', 'f', 'h', 'w', 'I', 'a', 'r', 'b', 'E', 'T', '/', 0xE0, 0xE1:
	default:
		e.m.missed()
		return nil
	}
	if b == 0xE1 { // metres left
		if !e.head.fullStatus {
			e.m.missed()
			return nil
		}
		e.m.say([]byte("510cm")...)
		return nil
	}
	n, err := e.next()
	if err != nil {
		return err
	}
	switch b {
	case '!':
		e.wide, e.high = 1+int(n>>4&7), 1+int(n&7)
	case 'B':
		e.reverse = n&1 != 0
	case 'H':
		e.hri = n & 3
	case 'h':
		e.barHigh = max(1, int(n))
	case 'w':
		e.barW = min(max(2, int(n)), 6)
	case 'I':
		e.identify(n)
	case 'a':
		if !e.head.asb {
			e.m.missed()
			return nil
		}
		e.m.setASB(n)
	case 'r':
		e.gsStatus(n)
	}
	return nil
}

// gsStatus answers in the order of commands: while the head is stopped it does not come to this.
func (e *escpos) gsStatus(n byte) {
	switch n {
	case 1, '1':
		e.m.say(e.head.paperSensor(e.m.state()))
	case 2, '2':
		e.m.say(0)
	}
}

func (e *escpos) identify(n byte) {
	if !e.head.identity {
		e.m.missed()
		return
	}
	text := map[byte]string{0x41: "1.00 SIM", 0x42: e.head.maker, 0x43: e.head.kind, 0x44: "SIM00000001", 0x45: "CHINESE GB18030"}
	switch t, ok := text[n]; {
	case ok:
		e.m.say(append(append([]byte{'_'}, t...), 0)...)
	case n == 1 || n == '1':
		e.m.say(0x20)
	case n == 2 || n == '2':
		e.m.say(0x03) // two-byte characters, a cutter
	case n == 3 || n == '3':
		e.m.say(0x01)
	}
}

func (e *escpos) gsCut() error {
	m, err := e.next()
	if err != nil {
		return err
	}
	switch m {
	case 0, 1, '0', '1':
		return e.finishSlip()
	case 'A', 'B', 'a', 'b', 'g', 'h':
		n, err := e.next()
		if err != nil {
			return err
		}
		if err := e.flush(); err != nil {
			return err
		}
		if err := e.feed(int(n)); err != nil {
			return err
		}
		return e.finishSlip()
	}
	e.m.missed()
	return nil
}

// ejector is GS e of kiosk heads.
func (e *escpos) ejector() error {
	n, err := e.next()
	if err != nil {
		return err
	}
	if !e.head.ejector {
		e.m.missed()
	}
	switch n {
	case 2:
		e.m.away(true)
	case 3:
		return e.skip(1) // present by steps: it is at the mouth since the cut
	case 5:
		e.m.away(false)
	case 6:
		if e.head.ejector {
			e.m.say(e.head.ejectorByte(e.m.state()))
		}
	case 0x20:
		return e.skip(2)
	}
	return nil
}

// gsBlock are the commands GS ( x with a length.
func (e *escpos) gsBlock() error {
	h, err := e.args(3)
	if err != nil {
		return err
	}
	n := int(h[1]) | int(h[2])<<8
	switch {
	case h[0] == 'k':
		return e.symbol(n)
	case h[0] == 'L' && e.head.graphics:
		return e.graphics(n)
	case h[0] == 'H' && e.head.processID:
		return e.processID(n)
	case strings.IndexByte("ADEKM", h[0]) < 0:
		e.m.missed()
	}
	return e.skip(n)
}

// processID answers d1…d4 once everything before it is on paper, which it is when this is reached.
func (e *escpos) processID(n int) error {
	if n != 6 {
		return e.skip(n)
	}
	p, err := e.args(6)
	if err != nil {
		return err
	}
	if p[0] != 0x30 || p[1] != 0x30 {
		e.m.missed()
		return nil
	}
	e.m.say(0x37, 0x22, p[2], p[3], p[4], p[5], 0)
	return nil
}
