package private

// Scrubbing: what in a text a citizen could be known by.

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/budayang/kiosk/idnum"
)

// What takes the place of what was found.
const (
	maskID    = "[id number]"
	maskPhone = "[phone]"
	maskName  = "[name]"
)

// digits finds what a number could be: runs of digits, with the check character X, and with the spaces and hyphens that
// people put into numbers.
var digits = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){10,}[xX]?`)

// part is a run of digits without spaces in it.
var part = regexp.MustCompile(`[0-9]+[xX]?`)

var idLike = regexp.MustCompile(`[0-9]{17}[0-9xX]`)

// uuidShape keeps the program's own ids, which are hex with hyphens, from looking like numbers.
var uuidShape = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// hexShape: hashes and nonces.
var hexShape = regexp.MustCompile(`[0-9a-fA-F]{32,}`)

// Scrub masks numbers and the given names in a text.
func Scrub(s string, names []string) string {
	for _, n := range names {
		if n != "" {
			s = strings.ReplaceAll(s, n, maskName)
		}
	}
	if len(s) < 11 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		at := uuidShape.FindStringIndex(s)
		if h := hexShape.FindStringIndex(s); h != nil && hasLetter(s[h[0]:h[1]]) && (at == nil || h[0] < at[0]) {
			at = h
		}
		if at == nil {
			b.WriteString(numbers(s))
			break
		}
		b.WriteString(numbers(s[:at[0]]))
		b.WriteString(s[at[0]:at[1]])
		s = s[at[1]:]
	}
	return b.String()
}

func hasLetter(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }

func numbers(s string) string { return digits.ReplaceAllStringFunc(s, number) }

// number masks what is a number in a run of digits: a part of it, or several parts that belong together, so that a date
// before a number does not hide it.
func number(run string) string {
	parts := part.FindAllStringIndex(run, -1)
	var b strings.Builder
	done := 0
	for i := 0; i < len(parts); i++ {
		joined := ""
		for j := i; j < len(parts) && len(joined) < longest; j++ {
			joined += run[parts[j][0]:parts[j][1]]
			mask := kind(joined)
			if mask == "" && i == j && holdsID(joined) {
				mask = maskID
			}
			if mask != "" {
				b.WriteString(run[done:parts[i][0]])
				b.WriteString(mask)
				done, i = parts[j][1], j
				break
			}
		}
	}
	b.WriteString(run[done:])
	return b.String()
}

// longest is how many characters a number has at most: an identity number's.
const longest = 18

// kind is the mask of what is exactly one number, "" of anything else.
func kind(plain string) string {
	switch {
	case len(plain) == longest && idLike.MatchString(plain) && idnum.Check(plain) == nil:
		return maskID
	case mobile(plain):
		return maskPhone
	}
	return ""
}

// holdsID says whether an identity number is somewhere inside a longer run.
func holdsID(plain string) bool {
	for i := 0; i+longest <= len(plain); i++ {
		if kind(plain[i:i+longest]) == maskID {
			return true
		}
	}
	return false
}

// mobile says whether a run of digits is a mobile number of the mainland, with or without the country's code.
func mobile(plain string) bool {
	plain = strings.TrimPrefix(strings.TrimPrefix(plain, "00"), "86")
	plain = strings.TrimRight(plain, "xX") // an identity number's check character, were it one
	return len(plain) == 11 && plain[0] == '1' && plain[1] >= '3'
}

// names that are too short to be looked for would mask half of every text.
func worthKnowing(n string) bool { return utf8.RuneCountInString(n) >= 2 }
