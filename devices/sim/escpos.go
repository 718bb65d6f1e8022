package sim

// The ESC/POS interpreter: state, text and lines. Commands are in the other escpos files, by their first byte.

import (
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A machine is what the interpreter drives.
type machine interface {
	begin() (byte, error) // a command's first byte, once the head can work
	read(b []byte) error  // the next bytes, whole or an error
	ready() error         // waits until the head can work
	move(dots int) error  // feeds
	cut(r *roll)          // a slip is finished
	away(retract bool)    // clears the mouth
	say(b ...byte)        // answers in the order of commands
	setASB(n byte)        // automatic status on or off
	state() condition     // for answers
	missed()              // counts a command this head does not have
}

// Cells in dots.
const (
	hanWidth   = 24
	cellHeight = 24
	fontAWidth = 12
	fontBWidth = 9
	fontBHigh  = 17
)

type escpos struct {
	head   head
	glyphs *glyphs
	m      machine
	roll   *roll

	line   []placed
	x      int    // where the next cell goes
	height int    // of the line
	words  []rune // of the line, for the transcript
	align  byte

	style
	chinese, utf8    bool
	hanUnderline     int
	fontB            bool
	spacing          int // between lines
	gap, hanGap      int // to the right of a cell
	left, area       int // margin and width of the printing area
	tabs             []int
	barHigh, barW    int
	hri              byte
	hanWide, hanTall bool
	qr               qrState
	stored           *bitmap
	pending          []byte // bytes of a character that is not complete
}

// placed is a cell of the line that is being composed.
type placed struct {
	glyph
	x int
}

func newEscpos(h head, g *glyphs, m machine) *escpos {
	e := &escpos{head: h, glyphs: g, m: m, roll: newRoll(h.width)}
	e.modes()
	return e
}

// modes is what ESC @ sets: everything but the paper and the stored QR data.
func (e *escpos) modes() {
	e.style = style{wide: 1, high: 1}
	e.chinese, e.utf8 = true, false
	e.hanUnderline, e.fontB, e.align = 0, false, 0
	e.hanWide, e.hanTall = false, false
	e.spacing, e.gap, e.hanGap = e.head.spacing, 0, 0
	e.left, e.area = 0, e.head.width
	e.tabs = nil
	e.barHigh, e.barW, e.hri = 162, 3, 0
	e.stored, e.pending = nil, nil
	e.qr = qrState{module: 3, level: 'L'}
}

// reset is a cleared buffer: the line is lost, the modes stay.
func (e *escpos) reset() { e.dropLine() }

func (e *escpos) dropLine() {
	e.line, e.x, e.height, e.pending = nil, 0, 0, nil
	e.words = e.words[:0]
}

func (e *escpos) next() (byte, error) {
	var b [1]byte
	err := e.m.read(b[:])
	return b[0], err
}

// args reads n parameter bytes.
func (e *escpos) args(n int) ([]byte, error) {
	b := make([]byte, n)
	return b, e.m.read(b)
}

// skip reads and drops n bytes, whatever n is.
func (e *escpos) skip(n int) error {
	var piece [1024]byte
	for n > 0 {
		k := min(n, len(piece))
		if err := e.m.read(piece[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// command takes one command, or one byte of text.
func (e *escpos) command() error {
	b, err := e.m.begin()
	if err != nil {
		return err
	}
	if len(e.pending) > 0 {
		return e.character(b)
	}
	switch {
	case b == 0x0A:
		return e.endLine()
	case b == 0x0D, b == 0x0C, b == 0x18: // CR is ignored beside LF; page mode is not there
		return nil
	case b == 0x09:
		return e.tab()
	case b == 0x10:
		return e.dle()
	case b == 0x1B:
		return e.esc()
	case b == 0x1C:
		return e.fs()
	case b == 0x1D:
		return e.gs()
	case b == 0x1F:
		return e.us()
	case b < 0x20:
		return nil
	}
	return e.character(b)
}

// character adds a byte of text. GB18030: one, two or four bytes; a four-byte character is never in a head's font.
func (e *escpos) character(b byte) error {
	e.pending = append(e.pending, b)
	p := e.pending
	if e.utf8 {
		return e.characterUTF8()
	}
	switch {
	case len(p) == 1 && (b < 0x80 || !e.chinese):
		e.pending = nil
		if b >= 0x80 {
			return e.latin('?') // a code page's sign; none is carried here
		}
		return e.latin(rune(b))
	case len(p) == 1 && (b == 0x80 || b == 0xFF):
		e.pending = nil
		return e.latin('?')
	case len(p) == 1:
		return nil
	case len(p) == 2 && b >= 0x30 && b <= 0x39:
		return nil
	case len(p) == 3:
		return nil
	}
	e.pending = nil
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(p)
	r := []rune(string(out))
	if err != nil || len(r) != 1 || len(p) == 4 {
		return e.han(missing)
	}
	return e.han(r[0])
}

// missing stands for what the head has no glyph of, on paper and in the transcript.
const missing = '□'

func (e *escpos) characterUTF8() error {
	p := e.pending
	need := 1
	switch {
	case p[0] >= 0xF0:
		need = 4
	case p[0] >= 0xE0:
		need = 3
	case p[0] >= 0xC0:
		need = 2
	}
	if len(p) < need {
		return nil
	}
	e.pending = nil
	r := []rune(string(p))
	if len(r) != 1 {
		return e.latin('?')
	}
	if r[0] < 0x80 {
		return e.latin(r[0])
	}
	return e.han(r[0])
}

func (e *escpos) latin(r rune) error {
	w, h := fontAWidth, cellHeight
	if e.fontB {
		w, h = fontBWidth, fontBHigh
	}
	return e.put(r, w, h, e.style, e.gap)
}

func (e *escpos) han(r rune) error {
	s := e.style
	s.underline = e.hanUnderline
	if e.hanWide {
		s.wide = 2
	}
	if e.hanTall {
		s.high = 2
	}
	return e.put(r, hanWidth, cellHeight, s, e.hanGap)
}

// put adds a cell to the line, and breaks the line where it is full.
func (e *escpos) put(r rune, w, h int, s style, gap int) error {
	g := box(w, h)
	if r != missing {
		g = e.glyphs.draw(r, w, h)
	}
	if err := e.place(g.styled(s), gap); err != nil {
		return err
	}
	e.words = append(e.words, r)
	return nil
}

func (e *escpos) place(g glyph, gap int) error {
	if e.x > 0 && e.x+g.w > e.area {
		if err := e.endLine(); err != nil {
			return err
		}
	}
	e.line = append(e.line, placed{g, e.x})
	e.x += g.w + gap
	e.height = max(e.height, g.h)
	return nil
}

// endLine prints the line and feeds to the next.
func (e *escpos) endLine() error {
	height := max(e.height, e.spacing)
	if err := e.printLine(); err != nil {
		return err
	}
	e.roll.note("\n")
	return e.feed(height)
}

// printLine burns the line without feeding.
func (e *escpos) printLine() error {
	line, height, x, words := e.line, e.height, e.left+e.shift(e.x), string(e.words)
	e.dropLine()
	if len(line) == 0 {
		return nil
	}
	if err := e.m.ready(); err != nil {
		return err
	}
	for _, c := range line {
		e.roll.burn(c.glyph, x+c.x, e.roll.total+height-c.h)
	}
	e.roll.note(words)
	return nil
}

// shift is where something of width w begins under the alignment.
func (e *escpos) shift(w int) int {
	switch room := max(0, e.area-w); e.align {
	case 1:
		return room / 2
	case 2:
		return room
	}
	return 0
}

func (e *escpos) feed(dots int) error {
	for dots > 0 {
		n := min(dots, stride)
		if err := e.m.move(n); err != nil {
			return err
		}
		e.roll.feed(n)
		dots -= n
	}
	return nil
}

func (e *escpos) tab() error {
	stops := e.tabs
	if stops == nil {
		for at := 8; at <= 32; at += 8 {
			stops = append(stops, at)
		}
	}
	for _, s := range stops {
		if at := s * fontAWidth * e.wide; at > e.x && at < e.area {
			e.x = at
			e.words = append(e.words, '\t')
			return nil
		}
	}
	return nil
}

// finishSlip cuts.
func (e *escpos) finishSlip() error {
	if err := e.printLine(); err != nil {
		return err
	}
	if err := e.m.ready(); err != nil {
		return err
	}
	r := e.roll
	e.roll = newRoll(e.head.width)
	if r.total > 0 || !r.empty() {
		e.m.cut(r)
	}
	return nil
}
