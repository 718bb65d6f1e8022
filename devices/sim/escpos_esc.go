package sim

// Commands that begin with ESC, FS, DLE and US.

// dle passes over real-time commands: they were executed when they arrived.
func (e *escpos) dle() error {
	b, err := e.next()
	if err != nil {
		return err
	}
	switch b {
	case 0x04, 0x05:
		return e.skip(1)
	case 0x14:
		fn, err := e.next()
		if err != nil {
			return err
		}
		switch fn {
		case 1:
			return e.skip(2)
		case 2:
			return e.skip(2)
		case 8:
			return e.skip(7)
		}
		return nil
	}
	e.m.missed()
	return nil
}

func (e *escpos) esc() error {
	b, err := e.next()
	if err != nil {
		return err
	}
	switch b {
	case '@':
		return e.initialise()
	case '2':
		e.spacing = e.head.spacing
		return nil
	case 'i', 'm': // cut; which of them leaves a point differs by head and is not seen in the picture
		return e.finishSlip()
	case 'D':
		return e.setTabs()
	case '*':
		return e.columns()
	case '$', '\\', 'c':
		return e.escTwo(b)
	case 'p':
		return e.skip(3)
	case 'Z':
		return e.zQR()
	case '&':
		return e.userGlyphs()
	case 'L', 'S', 'W', 'T', 0x0C: // page mode: not in these heads
		e.m.missed()
		if b == 'W' {
			return e.skip(8)
		}
		if b == 'T' {
			return e.skip(1)
		}
		return nil
	case '<', 'u', 'v':
		if b != '<' {
			e.m.say(e.head.paperSensor(e.m.state()))
		}
		return nil
	}
	return e.escOne(b)
}

// escOne are the commands with one parameter.
func (e *escpos) escOne(b byte) error {
	switch b {
	case ' ', '!', '%', '-', '3', '=', '?', 'A', 'E', 'G', 'J', 'M', 'R', 'V', 'a', 'd', 'r', 't', '{':
	default:
		e.m.missed()
		return nil
	}
	n, err := e.next()
	if err != nil {
		return err
	}
	switch b {
	case ' ':
		e.gap = int(n)
	case '!':
		e.fontB = n&1 != 0
		e.bold = n&8 != 0
		e.high, e.wide = 1+int(n>>4&1), 1+int(n>>5&1)
		e.underline = int(n >> 7)
	case '-':
		e.underline = int(n & 3 % 3)
	case '3':
		e.spacing = int(n)
	case 'E':
		e.bold = n&1 != 0
	case 'G':
		e.struck = n&1 != 0
	case 'M':
		e.fontB = n&1 != 0
	case 'a':
		if len(e.line) == 0 { // only at the beginning of a line
			e.align = n & 3 % 3
		}
	case '{':
		e.turned = n&1 != 0
	case 'J':
		if err := e.flush(); err != nil {
			return err
		}
		return e.feed(int(n))
	case 'd':
		for range int(n) {
			if err := e.endLine(); err != nil {
				return err
			}
		}
		if n == 0 {
			return e.flush()
		}
	}
	return nil
}

// flush prints the line and moves past it.
func (e *escpos) flush() error {
	if len(e.line) == 0 {
		return nil
	}
	height := e.height
	if err := e.printLine(); err != nil {
		return err
	}
	e.roll.note("\n")
	return e.feed(height)
}

// escTwo are the positions, and ESC c n m.
func (e *escpos) escTwo(b byte) error {
	p, err := e.args(2)
	if err != nil {
		return err
	}
	n := int(p[0]) | int(p[1])<<8
	switch b {
	case '$':
		e.x = min(n, e.area)
	case '\\':
		e.x = min(max(0, e.x+int(int16(n))), e.area)
	}
	return nil
}

// initialise is ESC @. Heads differ in what becomes of a line that is not finished.
func (e *escpos) initialise() error {
	if e.head.initPrints {
		if err := e.flush(); err != nil {
			return err
		}
	}
	e.dropLine()
	e.modes()
	e.m.setASB(0)
	return nil
}

func (e *escpos) setTabs() error {
	e.tabs = []int{}
	for {
		b, err := e.next()
		if err != nil || b == 0 {
			return err
		}
		if n := len(e.tabs); n < 32 && (n == 0 || int(b) > e.tabs[n-1]) {
			e.tabs = append(e.tabs, int(b))
		}
	}
}

// userGlyphs passes over ESC & y c1 c2 [x d…]….
func (e *escpos) userGlyphs() error {
	p, err := e.args(3)
	if err != nil {
		return err
	}
	for c := int(p[1]); c <= int(p[2]); c++ {
		x, err := e.next()
		if err != nil {
			return err
		}
		if err := e.skip(int(x) * int(p[0])); err != nil {
			return err
		}
	}
	return nil
}

// fs are the Chinese commands.
func (e *escpos) fs() error {
	b, err := e.next()
	if err != nil {
		return err
	}
	switch b {
	case '&':
		e.chinese = true
		return nil
	case '.':
		e.chinese = false
		return nil
	case '(':
		return e.fsBlock()
	case 'S', 'p':
		p, err := e.args(2)
		if err == nil && b == 'S' {
			e.hanGap = int(p[1])
		}
		return err
	case '}':
		return e.skip(2)
	case '!', '-', 'W', 'C', '2':
	default:
		e.m.missed()
		return nil
	}
	n, err := e.next()
	if err != nil {
		return err
	}
	switch b {
	case '!':
		e.hanWide, e.hanTall = n&4 != 0, n&8 != 0
		e.hanUnderline = int(n >> 7)
	case '-':
		e.hanUnderline = int(n & 3 % 3)
	case 'W':
		e.hanWide, e.hanTall = n&1 != 0, n&1 != 0
	case '2':
		return e.skip(73)
	}
	return nil
}

// fsBlock are FS ( A (font), FS ( C (encoding) and others with a length.
func (e *escpos) fsBlock() error {
	p, err := e.args(3)
	if err != nil {
		return err
	}
	n := int(p[1]) | int(p[2])<<8
	if p[0] != 'C' || n != 2 {
		return e.skip(n)
	}
	a, err := e.args(2)
	if err == nil && a[0] == 0x30 {
		e.utf8 = a[1]&0xF == 2
	}
	return err
}

// us are the commands of Chinese heads: 1F 51 prints QR codes side by side.
func (e *escpos) us() error {
	b, err := e.next()
	if err != nil {
		return err
	}
	e.m.missed()
	_ = b
	return nil
}
