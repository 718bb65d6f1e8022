// Package pinyin turns letters into Chinese characters: what a keyboard needs that has Latin keys alone.
//
// Letters are cut into syllables ([Pieces]); the characters of the first are offered, the most usual first ([Candidates]), and whoever
// picks one goes on with the rest, so that a name can be typed at once ("zhengwudating") or syllable by syllable. Tones are not typed, ü
// is v, an apostrophe parts syllables ("xi'an"), and a syllable may be cut short ("zh", "d"). There are no words and nothing is learnt:
// what one person typed is not shown to the next.
//
// The characters and how usual they are come from the Unihan database (table.txt, made by gen; licence in LICENSE-Unicode.txt). They are
// those of the Table of General Standard Chinese Characters and of GB 2312.
package pinyin

//go:generate go run ./gen /usr/share/unicode

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// MaxTyped is how many letters may wait to become characters.
const MaxTyped = 30

// maxShort is how many candidates a syllable that is cut short has at most.
const maxShort = 200

//go:embed table.txt
var table string

// one is a character under a syllable, and how often it was counted there.
type one struct {
	char  rune
	count int
}

// index is the table, read at the first key.
type index struct {
	of      map[string][]one
	begins  map[string]bool // every beginning of a syllable, and every syllable
	longest int
	inOrder []string
}

var theIndex = sync.OnceValue(func() *index {
	x := &index{of: map[string][]one{}, begins: map[string]bool{}}
	for line := range strings.Lines(table) {
		syllable, chars, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		var all []one
		for chars != "" {
			r := []rune(chars)[0]
			chars = chars[len(string(r)):]
			digits := len(chars) - len(strings.TrimLeft(chars, "0123456789"))
			n, _ := strconv.Atoi(chars[:digits]) // none: 0
			chars = chars[digits:]
			all = append(all, one{r, n})
		}
		x.of[syllable] = all
		x.inOrder = append(x.inOrder, syllable)
		x.longest = max(x.longest, len(syllable))
		for i := range syllable {
			x.begins[syllable[:i+1]] = true
		}
	}
	return x
})

// Costs of a piece when letters are cut: the cut that costs least is taken, and of equal ones that with the longer piece first.
const (
	costWhole = 1
	costShort = 3
)

// cut parts letters without apostrophes into syllables and beginnings of syllables; nil where that cannot be.
func (x *index) cut(letters string) []string {
	n := len(letters)
	cost := make([]int, n+1)
	end := make([]int, n+1)
	for i := n - 1; i >= 0; i-- {
		cost[i] = -1
		for j := min(n, i+x.longest); j > i; j-- {
			c := costShort
			switch piece := letters[i:j]; {
			case x.of[piece] != nil:
				c = costWhole
			case !x.begins[piece]:
				continue
			}
			if cost[j] >= 0 && (cost[i] < 0 || c+cost[j] < cost[i]) {
				cost[i], end[i] = c+cost[j], j
			}
		}
	}
	if n == 0 || cost[0] < 0 {
		return nil
	}
	var pieces []string
	for i := 0; i < n; i = end[i] {
		pieces = append(pieces, letters[i:end[i]])
	}
	return pieces
}

// Pieces cuts typed letters (a to z and the apostrophe, in small letters) into syllables, each whole or cut short; nil where they
// cannot be read so, as with more than MaxTyped.
func Pieces(typed string) (all []string) {
	if typed == "" || len(typed) > MaxTyped {
		return nil
	}
	parts := strings.Split(typed, "'")
	for i, part := range parts {
		if part == "" && i > 0 && i == len(parts)-1 {
			break // the border before a syllable that is still to come
		}
		pieces := theIndex().cut(part)
		if pieces == nil {
			return nil
		}
		all = append(all, pieces...)
	}
	return all
}

// Candidates are the characters of the first syllable that was typed, the most usual first, and how many bytes of typed it is, with the
// apostrophe behind it. Without one there are none.
func Candidates(typed string) (chars []rune, used int) {
	pieces := Pieces(typed)
	if len(pieces) == 0 {
		return nil, 0
	}
	x, first := theIndex(), pieces[0]
	used = len(first)
	if strings.HasPrefix(typed[used:], "'") {
		used++
	}
	if whole := x.of[first]; whole != nil {
		for _, c := range whole {
			chars = append(chars, c.char)
		}
		return chars, used
	}
	return x.short(first), used
}

// short are the most usual characters of all syllables that begin so.
func (x *index) short(begin string) []rune {
	count := map[rune]int{}
	var all []one
	for _, s := range x.inOrder {
		if !strings.HasPrefix(s, begin) {
			continue
		}
		for _, c := range x.of[s] {
			if n, twice := count[c.char]; !twice || c.count > n {
				count[c.char] = c.count
			}
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return b.count - a.count })
	var chars []rune
	for _, c := range all {
		if count[c.char] != c.count {
			continue // stands under another of these syllables, and more often
		}
		delete(count, c.char)
		if chars = append(chars, c.char); len(chars) == maxShort {
			break
		}
	}
	return chars
}
