package slip

import (
	"bytes"
	"image"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func face(t testing.TB) *Face {
	t.Helper()
	var fonts [][]byte
	for _, n := range []string{"ui-regular.otf", "wide-regular.ttf"} {
		b, err := os.ReadFile("../assets/fonts/" + n)
		if err != nil {
			t.Fatal(err)
		}
		fonts = append(fonts, b)
	}
	f, err := NewFace(fonts...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWrapping(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{
		{"参保证明", 48, "参保|证明"},
		{"hello world", 72, "hello|world"},
		{"abcdefghij", 60, "abcde|fghij"},
		{"你好，世界", 60, "你|好，|世界"},
		{"（甲）乙", 72, "（甲）|乙"},
		{"a\nb", 100, "a|b"},
		{"", 100, ""},
	} {
		if got := strings.Join(wrapText(tt.text, 1, tt.width), "|"); got != tt.want {
			t.Errorf("%q in %d dots: %q, expected %q", tt.text, tt.width, got, tt.want)
		}
	}
}

func TestNothingIsLostOrRunsOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune("中文，。（）abc 12-𠮷")), 0, 80, -1).Draw(t, "text")
		width := rapid.IntRange(48, 576).Draw(t, "width")
		lines := wrapText(s, 1, width)
		squeeze := func(x string) string { return strings.ReplaceAll(x, " ", "") }
		if got := squeeze(strings.Join(lines, "")); got != squeeze(s) {
			t.Fatalf("%q became %q", s, got)
		}
		for _, l := range lines {
			// only what must stay together may be wider than the paper by one closing sign
			if textWidth(l, 1) > width+4*CellHan {
				t.Fatalf("%q is %d dots wide, paper has %d", l, textWidth(l, 1), width)
			}
		}
	})
}

func TestTableCellsStayInTheirColumns(t *testing.T) {
	l, err := Lay(Slip{Blocks: []Block{Table{Columns: []Column{{Share: 1}, {Share: 2, Align: Right}},
		Rows: [][]string{{"事项", "参保证明打印（最近十二个月，用于子女入学）"}}}}}, Metrics{384})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Lines) < 2 {
		t.Fatalf("%d lines: the long cell did not wrap", len(l.Lines))
	}
	for _, line := range l.Lines {
		for i, s := range line.Spans {
			if s.X < 0 || s.X+s.Width() > 384 {
				t.Errorf("span %+v runs over", s)
			}
			if i > 0 && s.X < line.Spans[i-1].X+line.Spans[i-1].Width() {
				t.Errorf("spans overlap: %+v", line.Spans)
			}
		}
	}
}

// A bill's number of 20 digits is read and typed whole, on narrow paper too.
func TestANumberTakesTheRoomBesideAShortLabel(t *testing.T) {
	number := "99000026113047602001"
	rows := func(label string) []string {
		l, err := Lay(Slip{Blocks: []Block{Table{Columns: []Column{{Share: 2}, {Share: 3, Align: Right}}, Rows: [][]string{{label, number}}}}}, Metrics{Dots: 384})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, line := range l.Lines {
			for _, s := range line.Spans {
				if s.X < 0 || s.X+textWidth(s.Text, 1) > 384 {
					t.Errorf("%q at %d runs over", s.Text, s.X)
				}
				all = append(all, s.Text)
			}
		}
		return all
	}
	if got := rows("缴款码"); !slices.Equal(got, []string{"缴款码", number}) {
		t.Errorf("beside a short label: %q", got)
	}
	if got := rows("缴款码（二十位）"); !slices.Equal(got, []string{"缴款码（二", number[:19], "十位）", number[19:]}) {
		t.Errorf("beside a long label: %q", got)
	}
}

func TestCodeThatDoesNotFit(t *testing.T) {
	if _, err := Lay(Slip{Blocks: []Block{QR{Data: strings.Repeat("x", 2000)}}}, Metrics{384}); err == nil {
		t.Error("a code wider than the paper was laid out")
	}
	if _, err := Lay(Slip{}, Metrics{10}); err == nil {
		t.Error("paper of 10 dots was accepted")
	}
}

func TestMissing(t *testing.T) {
	f := face(t)
	if m := f.Missing(Slip{Blocks: []Block{Text{Text: "𠮷䶮 直骨"}}}); len(m) != 0 {
		t.Errorf("missing %q", m)
	}
	if m := f.Missing(Slip{Blocks: []Block{Table{Columns: []Column{{Share: 1}}, Rows: [][]string{{"\U0001F600"}}}}}); len(m) != 1 {
		t.Errorf("an emoji is not missing: %q", m)
	}
}

// TestAMissingCharacterLeavesItsMark: a gap in a name would read as if there were nothing.
func TestAMissingCharacterLeavesItsMark(t *testing.T) {
	f := face(t)
	drawn := func(text string, size int) *image.Gray {
		l, err := Lay(Slip{Blocks: []Block{Text{Text: text, Size: size}}}, Metrics{576})
		if err != nil {
			t.Fatal(err)
		}
		return Draw(l, f)
	}
	ink := func(img *image.Gray, from, to int) (n int) {
		for y := range img.Rect.Dy() {
			for x := from; x < to; x++ {
				if img.GrayAt(x, y).Y < 128 {
					n++
				}
			}
		}
		return n
	}
	for _, size := range []int{1, 2} {
		cell := CellHan * size
		img := drawn("李\uE863明\U000F0000", size)
		for i := range 4 {
			if n := ink(img, i*cell, (i+1)*cell); n < 20*size {
				t.Errorf("size %d: %d dots in cell %d", size, n, i)
			}
		}
		if n := ink(img, cell+cell, cell+cell+size); n > 2*size {
			t.Errorf("size %d: the mark runs into the next cell", size)
		}
	}
	// What only chooses a form takes no place.
	if a, b := drawn("葛\U000E0100城", 1), drawn("葛城", 1); !bytes.Equal(a.Pix, b.Pix) {
		t.Error("a variation selector is seen")
	}
}

func TestDraw(t *testing.T) {
	l, err := Lay(Slip{Blocks: []Block{
		Text{Text: "受理凭条", Size: 2, Bold: true, Align: Center}, Rule{}, Text{Text: "𠮷"}, QR{Data: "03-20261124-000138", Caption: "扫码"},
		Image{Image: image.NewGray(image.Rect(0, 0, 900, 90))}, Space{20}, Rule{Dashed: true},
	}}, Metrics{576})
	if err != nil {
		t.Fatal(err)
	}
	img := Draw(l, face(t))
	if img.Rect.Dy() != l.Height() || img.Rect.Dx() != 576 {
		t.Errorf("picture of %v for a layout of %d by %d", img.Rect, l.Dots, l.Height())
	}
	y := 0
	for i, line := range l.Lines {
		black := 0
		for yy := y; yy < y+line.Height; yy++ {
			for x := range 576 {
				if img.GrayAt(x, yy).Y < 128 {
					black++
				}
			}
		}
		if black == 0 && (line.Spans != nil || line.Rule != nil || line.Code != nil || line.Picture != nil) {
			t.Errorf("line %d has no ink", i)
		}
		y += line.Height
	}
}
