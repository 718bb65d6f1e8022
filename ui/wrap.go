package ui

// Breaking lines: Chinese between any two characters but not before a closing sign or after an opening one, Latin at spaces.

import (
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
)

const (
	noStart = "，。、；：？！）》」』】〕’”…—·,.;:?!)]}%％"
	noEnd   = "（《「『【〔‘“([{¥"
)

func measure(s string, size float32, bold bool) float32 {
	return fyne.MeasureText(s, size, fyne.TextStyle{Bold: bold}).Width
}

func han(r rune) bool { return unicode.Is(unicode.Han, r) || r >= 0x3000 && r < 0x3400 || r >= 0xFF00 }

// pieces cuts a text into what must stay together.
func pieces(s string) []string {
	var all []string
	var cur strings.Builder
	runes := []rune(s)
	flush := func() {
		if cur.Len() > 0 {
			all = append(all, cur.String())
			cur.Reset()
		}
	}
	for i, r := range runes {
		if i > 0 {
			before := runes[i-1]
			free := (han(r) || han(before) || before == ' ') && !strings.ContainsRune(noStart, r) && !strings.ContainsRune(noEnd, before) && r != ' '
			if free {
				flush()
			}
		}
		cur.WriteRune(r)
	}
	flush()
	return all
}

// wrap breaks a text into lines no wider than width. A piece that is too wide by itself is broken anywhere.
func wrap(s string, size float32, bold bool, width float32) []string {
	var lines []string
	for _, paragraph := range strings.Split(s, "\n") {
		line := ""
		for _, p := range pieces(paragraph) {
			if line == "" || measure(strings.TrimRight(line+p, " "), size, bold) <= width {
				line += p
			} else {
				lines = append(lines, strings.TrimRight(line, " "))
				line = p
			}
			for measure(strings.TrimRight(line, " "), size, bold) > width && len([]rune(line)) > 1 {
				r := []rune(line)
				n := len(r) - 1
				for n > 1 && measure(string(r[:n]), size, bold) > width {
					n--
				}
				lines = append(lines, string(r[:n]))
				line = string(r[n:])
			}
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// fit is the largest size, from size down to least, at which a text stands in one line of width.
func fit(s string, size, least float32, bold bool, width float32) float32 {
	for size > least && measure(s, size, bold) > width {
		size--
	}
	return size
}
