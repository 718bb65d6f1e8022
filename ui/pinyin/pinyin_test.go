package pinyin

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"

	"github.com/budayang/kiosk/assets"
)

func TestPieces(t *testing.T) {
	for _, x := range []struct{ typed, want string }{
		{"zhengwudating", "zheng wu da ting"},
		{"xian", "xian"},
		{"xi'an", "xi an"},
		{"xi'", "xi"},
		{"fangan", "fang an"},
		{"tiananmen", "tian an men"},
		{"nver", "nv er"},
		{"lv", "lv"},
		{"zh", "zh"},
		{"zwdt", "z w d t"},
		{"zhengw", "zheng w"},
		{"shiminzhijia", "shi min zhi jia"},
		{"zhuangshuang", "zhuang shuang"},
		{"i", ""}, {"u", ""}, {"v", ""}, {"zhv", ""}, // no syllable begins so
		{"", ""}, {"'", ""}, {"'xi", ""}, {"xi''an", ""}, {"Xi", ""}, {"xi an", ""}, {"市", ""},
		{strings.Repeat("a", MaxTyped+1), ""},
	} {
		if got := strings.Join(Pieces(x.typed), " "); got != x.want {
			t.Errorf("%q: %q, want %q", x.typed, got, x.want)
		}
	}
}

// The characters of a hall's name stand on the first page of their syllables.
func TestUsualCharactersComeFirst(t *testing.T) {
	for _, x := range []struct{ typed, char string }{
		{"zheng", "政"}, {"wu", "务"}, {"da", "大"}, {"ting", "厅"}, {"shi", "市"}, {"min", "民"}, {"zhi", "之"}, {"jia", "家"}, {"qu", "区"}, {"fu", "服"},
		{"zhong", "中"}, {"xin", "心"}, {"jie", "街"}, {"dao", "道"}, {"lou", "楼"}, {"hao", "号"}, {"nv", "女"}, {"zh", "这"}, {"d", "的"}, {"hang", "行"}, {"xing", "行"}, {"chong", "重"}, {"zhong", "重"},
	} {
		chars, used := Candidates(x.typed)
		if at := slices.Index(chars, []rune(x.char)[0]); at < 0 || at > 15 || used != len(x.typed) {
			t.Errorf("%s: %s stands at %d of %d, %d letters used", x.typed, x.char, at, len(chars), used)
		}
	}
	if chars, used := Candidates("xi'an"); len(chars) == 0 || used != len("xi'") {
		t.Errorf("%d candidates, %d letters used", len(chars), used)
	}
}

// Every character of GB 2312 and of the general table can be typed, none stands twice under a syllable, the terminal can draw each, and
// on the way to a syllable no letter is refused.
func TestTable(t *testing.T) {
	wide, err := opentype.Parse(assets.Font("wide-regular.ttf"))
	if err != nil {
		t.Fatal(err)
	}
	var buf sfnt.Buffer
	x := theIndex()
	all := map[rune]bool{}
	for _, s := range x.inOrder {
		seen := map[rune]bool{}
		for i, c := range x.of[s] {
			if !unicode.Is(unicode.Han, c.char) || seen[c.char] {
				t.Errorf("%s: %q", s, c.char)
			}
			if i > 0 && c.count > x.of[s][i-1].count {
				t.Errorf("%s: %c comes too late", s, c.char)
			}
			if g, err := wide.GlyphIndex(&buf, c.char); g == 0 || err != nil {
				t.Errorf("%c cannot be drawn", c.char)
			}
			seen[c.char], all[c.char] = true, true
		}
		for i := range s {
			if Pieces(s[:i+1]) == nil {
				t.Errorf("%s: %s is refused", s, s[:i+1])
			}
		}
		if got := Pieces(s); !slices.Equal(got, []string{s}) {
			t.Errorf("%s is read as %v", s, got)
		}
	}
	if len(x.inOrder) < 390 || len(x.inOrder) > 430 || len(all) < 8105 {
		t.Errorf("%d syllables, %d characters", len(x.inOrder), len(all))
	}
	t.Logf("%d syllables, %d characters, %d bytes", len(x.inOrder), len(all), len(table))
}

func FuzzPieces(f *testing.F) {
	for _, s := range []string{"zhengwudating", "xi'an", "zwdt", "fangan", "''", "v", "lve", "ng", "\xff", "政", strings.Repeat("zh", 15), strings.Repeat("a", 31)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		pieces := Pieces(typed)
		chars, used := Candidates(typed)
		if pieces == nil {
			if chars != nil || used != 0 {
				t.Fatalf("%q cannot be read and has candidates", typed)
			}
			return
		}
		if got, want := strings.Join(pieces, ""), strings.ReplaceAll(typed, "'", ""); got != want {
			t.Fatalf("%q became %q", typed, got)
		}
		if len(chars) == 0 || used < 1 || used > len(typed) {
			t.Fatalf("%q: %d candidates, %d letters used", typed, len(chars), used)
		}
		// What is left after a pick can be read too, so that whoever goes on picking comes to the end.
		for rest := typed[used:]; rest != ""; {
			_, n := Candidates(rest)
			if n == 0 {
				t.Fatalf("%q: %q is left and cannot be read", typed, rest)
			}
			rest = rest[n:]
		}
	})
}

func BenchmarkCandidates(b *testing.B) {
	for b.Loop() {
		if chars, _ := Candidates("zhengwudating"); len(chars) == 0 {
			b.Fatal("none")
		}
	}
}
