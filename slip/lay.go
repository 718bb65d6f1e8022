package slip

// Laying out: blocks become lines with places in dots. A Chinese character is a 24-dot cell, a Latin one 12 dots wide, both
// doubled at size 2, as receipt heads have them.

import (
	"fmt"
	"image"
	"strings"
	"unicode"

	"github.com/boombuler/barcode/qr"
	"golang.org/x/image/draw"
)

// Cell sizes in dots at size 1.
const (
	CellHan   = 24
	CellLatin = 12
	Leading   = 6 // under each text line
)

// Metrics say how wide the paper is.
type Metrics struct {
	Dots int // 384 for 58 mm, 576 for 80 mm
}

// A Layout is a slip laid out for one width.
type Layout struct {
	Dots  int
	Lines []Line
}

// A Line is one row of the slip: text, or one of Code, Picture and Rule.
type Line struct {
	Height  int
	Spans   []Span
	Rule    *Rule
	Code    *Code
	Picture *Picture
}

// A Span is text at a place.
type Span struct {
	X    int
	Text string
	Bold bool
	Size int // 1 or 2
}

// Width is the span's in dots.
func (s Span) Width() int { return textWidth(s.Text, s.Size) }

// Code is a QR code, X from the left, Size dots wide without quiet zone.
type Code struct {
	Data    string
	Level   byte
	Module  int
	X, Size int
}

// Picture is an image at its printing size.
type Picture struct {
	Image *image.Gray
	Photo bool
	X     int
}

// Height of the whole slip in dots.
func (l Layout) Height() int {
	h := 0
	for _, x := range l.Lines {
		h += x.Height
	}
	return h
}

// Wide says whether a character takes a Chinese cell.
func Wide(r rune) bool {
	return r >= 0x1100 && (r >= 0x2E80 || unicode.Is(unicode.Han, r)) || r >= 0x2010 && r <= 0x2027 && r != 0x2010 || r == '…' || r == '·' || r >= 0x2460 && r < 0x2700
}

// chooses says whether a rune only chooses another form of the character before it (U+FE00, U+E0100 and on): that one is drawn as it is.
func chooses(r rune) bool { return unicode.Is(unicode.Variation_Selector, r) }

func runeWidth(r rune) int {
	if chooses(r) {
		return 0
	}
	if Wide(r) {
		return CellHan
	}
	return CellLatin
}

func textWidth(s string, size int) int {
	w := 0
	for _, r := range s {
		w += runeWidth(r)
	}
	return w * max(1, size)
}

const (
	noStart = "，。、；：？！）》」』】〕’”…—,.;:?!)]}%"
	noEnd   = "（《「『【〔‘“([{¥"
)

// wrapText breaks a text into lines of at most width dots.
func wrapText(s string, size, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(s, "\n") {
		line, w := "", 0
		flush := func() {
			lines = append(lines, strings.TrimRight(line, " "))
			line, w = "", 0
		}
		for _, p := range pieces(paragraph) {
			pw := textWidth(p, size)
			if line != "" && w+textWidth(strings.TrimRight(p, " "), size) > width {
				flush()
			}
			for pw > width { // a word longer than the paper
				head := ""
				for _, r := range p {
					if textWidth(head+string(r), size) > width && head != "" {
						break
					}
					head += string(r)
				}
				line = head
				flush()
				p = p[len(head):]
				pw = textWidth(p, size)
			}
			line += p
			w += pw
		}
		flush()
	}
	return lines
}

// pieces cuts a text into what stays together on a line.
func pieces(s string) []string {
	var all []string
	cur := ""
	var before rune
	for i, r := range s {
		free := i > 0 && (Wide(r) || Wide(before) || before == ' ') && r != ' ' &&
			!strings.ContainsRune(noStart, r) && !strings.ContainsRune(noEnd, before)
		if free {
			all = append(all, cur)
			cur = ""
		}
		cur += string(r)
		before = r
	}
	if cur != "" {
		all = append(all, cur)
	}
	return all
}

// Lay lays a slip out. It fails when a code cannot be made or does not fit the paper.
func Lay(s Slip, m Metrics) (Layout, error) {
	if m.Dots < 200 || m.Dots > 2048 {
		return Layout{}, fmt.Errorf("slip: paper of %d dots, expected 200 to 2048", m.Dots)
	}
	l := Layout{Dots: m.Dots}
	for _, b := range s.Blocks {
		switch b := b.(type) {
		case Text:
			l.text(b)
		case Rule:
			l.Lines = append(l.Lines, Line{Height: 18, Rule: &b})
		case Table:
			l.table(b)
		case QR:
			if err := l.code(b); err != nil {
				return Layout{}, err
			}
		case Image:
			l.image(b)
		case Space:
			l.Lines = append(l.Lines, Line{Height: min(max(0, b.Dots), 2000)})
		}
	}
	return l, nil
}

func place(a Align, at, width, w int) int {
	switch a {
	case Center:
		return at + max(0, (width-w)/2)
	case Right:
		return at + max(0, width-w)
	}
	return at
}

func (l *Layout) text(t Text) {
	size := max(1, min(2, t.Size))
	for _, s := range wrapText(t.Text, size, l.Dots) {
		line := Line{Height: CellHan*size + Leading}
		if s != "" {
			line.Spans = []Span{{place(t.Align, 0, l.Dots, textWidth(s, size)), s, t.Bold, size}}
		}
		l.Lines = append(l.Lines, line)
	}
}

func (l *Layout) table(t Table) {
	total := 0
	for _, c := range t.Columns {
		total += max(1, c.Share)
	}
	const gap = CellLatin
	for _, row := range t.Rows {
		var cells [][]string
		var xs, ws []int
		x, n := 0, 0
		for i, c := range t.Columns {
			w := l.Dots * max(1, c.Share) / total
			if i < len(t.Columns)-1 {
				w -= gap
			}
			text := ""
			if i < len(row) {
				text = row[i]
			}
			if i > 0 && i == len(t.Columns)-1 && textWidth(text, 1) > w {
				// A number is read and typed whole: it takes the room that a short label before it leaves.
				free := xs[i-1]
				for _, before := range cells[i-1] {
					free = max(free, xs[i-1]+textWidth(before, 1))
				}
				if room := l.Dots - free - gap; textWidth(text, 1) <= room && len(cells[i-1]) == 1 && t.Columns[i-1].Align == Left {
					x, w = free+gap, room
				}
			}
			lines := wrapText(text, 1, max(CellHan, w))
			cells, xs, ws = append(cells, lines), append(xs, x), append(ws, w)
			n = max(n, len(lines))
			x += w + gap
		}
		for k := range n {
			line := Line{Height: CellHan + Leading}
			for i, lines := range cells {
				if k < len(lines) && lines[k] != "" {
					line.Spans = append(line.Spans, Span{place(t.Columns[i].Align, xs[i], ws[i], textWidth(lines[k], 1)), lines[k], false, 1})
				}
			}
			l.Lines = append(l.Lines, line)
		}
	}
}

// levels are the error corrections of a QR code.
var levels = map[byte]qr.ErrorCorrectionLevel{'L': qr.L, 'M': qr.M, 'Q': qr.Q, 'H': qr.H}

func (l *Layout) code(q QR) error {
	if q.Level == 0 {
		q.Level = 'M'
	}
	level, known := levels[q.Level]
	if !known {
		return fmt.Errorf("slip: error correction %q, expected L, M, Q or H", q.Level)
	}
	c, err := qr.Encode(q.Data, level, qr.Auto)
	if err != nil {
		return fmt.Errorf("slip: code: %w", err)
	}
	module := q.Module
	if module == 0 {
		module = 6
	}
	n := c.Bounds().Dx()
	for module > 3 && (n+8)*module > l.Dots {
		module--
	}
	if (n+8)*module > l.Dots {
		return fmt.Errorf("slip: code of %d modules does not fit %d dots", n, l.Dots)
	}
	size := n * module
	l.Lines = append(l.Lines, Line{Height: size + 8*module, Code: &Code{q.Data, q.Level, module, (l.Dots - size) / 2, size}})
	if q.Caption != "" {
		l.text(Text{Text: q.Caption, Align: Center})
	}
	return nil
}

// Modules is the code's pattern, true is black.
func (c Code) Modules() [][]bool {
	m, err := qr.Encode(c.Data, levels[c.Level], qr.Auto)
	if err != nil {
		return nil
	}
	b := m.Bounds()
	out := make([][]bool, b.Dy())
	for y := range out {
		out[y] = make([]bool, b.Dx())
		for x := range out[y] {
			r, _, _, _ := m.At(b.Min.X+x, b.Min.Y+y).RGBA()
			out[y][x] = r == 0
		}
	}
	return out
}

func (l *Layout) image(i Image) {
	if i.Image == nil {
		return
	}
	b := i.Image.Bounds()
	w, h := b.Dx(), b.Dy()
	if w > l.Dots {
		w, h = l.Dots, max(1, h*l.Dots/w)
	}
	if w == 0 || h == 0 || h > 4096 {
		return
	}
	g := image.NewGray(image.Rect(0, 0, w, h))
	draw.Draw(g, g.Rect, image.White, image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(g, g.Rect, i.Image, b, draw.Over, nil)
	l.Lines = append(l.Lines, Line{Height: h + Leading, Picture: &Picture{g, i.Photo, (l.Dots - w) / 2}})
}
