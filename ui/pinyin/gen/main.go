// Gen makes ui/pinyin/table.txt from the Unihan database: go run ./gen /usr/share/unicode (Debian's unicode-data), or any directory with
// Unihan_Readings.txt and Unihan_OtherMappings.txt, as they are or bzip2.
//
// Characters are those of the Table of General Standard Chinese Characters (kTGH: what names of people and places are written with) and of
// GB 2312 (kGB0). A character stands under every syllable that kTGHZ2013, kHanyuPinlu or kXHC1983 give it, or kMandarin where
// these give none. kHanyuPinlu counts each reading in 1.3 million characters of modern text: more often comes first, then the table's
// three levels, then the code point.
package main

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen DIRECTORY, with Unihan_Readings.txt and Unihan_OtherMappings.txt")
		os.Exit(2)
	}
	b, err := table(os.Args[1])
	if err == nil {
		err = os.WriteFile("table.txt", b, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// entry is a character under one syllable.
type entry struct {
	char  rune
	count int // in kHanyuPinlu
	level int // 1 to 3 in the general table, 4 for GB 2312 alone
}

// table is the text of table.txt.
func table(dir string) ([]byte, error) {
	level := map[rune]int{}
	err := each(dir, "Unihan_OtherMappings.txt", func(r rune, field, value string) error {
		switch field {
		case "kTGH": // "2013:6602"
			_, no, _ := strings.Cut(value, ":")
			n, err := strconv.Atoi(no)
			if err != nil {
				return err
			}
			switch {
			case n <= 3500:
				level[r] = 1
			case n <= 6500:
				level[r] = 2
			default:
				level[r] = 3
			}
		case "kGB0":
			if level[r] == 0 {
				level[r] = 4
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	readings := map[rune]map[string]int{}
	mandarin := map[rune]string{}
	add := func(r rune, reading string, count int) error {
		s, err := syllable(reading)
		if err != nil {
			return fmt.Errorf("%c: %w", r, err)
		}
		if readings[r] == nil {
			readings[r] = map[string]int{}
		}
		readings[r][s] += count
		return nil
	}
	err = each(dir, "Unihan_Readings.txt", func(r rune, field, value string) error {
		if level[r] == 0 {
			return nil
		}
		switch field {
		case "kMandarin":
			mandarin[r], _, _ = strings.Cut(value, " ")
		case "kHanyuPinlu": // "wu(473) wù(445)"
			for _, m := range counted.FindAllStringSubmatch(value, -1) {
				n, err := strconv.Atoi(m[2])
				if err == nil {
					err = add(r, m[1], n)
				}
				if err != nil {
					return err
				}
			}
		case "kTGHZ2013", "kXHC1983": // "131.140:háng 136.100:héng"
			for one := range strings.FieldsSeq(value) {
				_, all, _ := strings.Cut(one, ":")
				for reading := range strings.SplitSeq(all, ",") {
					if err := add(r, reading, 0); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	bySyllable := map[string][]entry{}
	for r, l := range level {
		if readings[r] == nil && mandarin[r] != "" {
			if err := add(r, mandarin[r], 0); err != nil {
				return nil, err
			}
		}
		for s, n := range readings[r] {
			bySyllable[s] = append(bySyllable[s], entry{r, n, l})
		}
	}
	var out bytes.Buffer
	out.WriteString("# Made by ui/pinyin/gen from the Unihan database of the Unicode Character Database, © Unicode, Inc.; selected, joined and\n" +
		"# ordered by this project. Licence: LICENSE-Unicode.txt. A line is a syllable and its characters, most usual first, each with how\n" +
		"# often it was counted, if it was.\n")
	var all []string
	for s := range bySyllable {
		all = append(all, s)
	}
	sort.Strings(all)
	for _, s := range all {
		list := bySyllable[s]
		slices.SortFunc(list, func(a, b entry) int {
			switch {
			case a.count != b.count:
				return b.count - a.count
			case a.level != b.level:
				return a.level - b.level
			}
			return int(a.char - b.char)
		})
		out.WriteString(s + " ")
		for _, e := range list {
			out.WriteRune(e.char)
			if e.count > 0 {
				out.WriteString(strconv.Itoa(e.count))
			}
		}
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

var counted = regexp.MustCompile(`(\S+?)\((\d+)\)`)

// bare are readings without a vowel, by what is typed for them: their characters are known by a reading with one.
var bare = map[string]string{"n": "en", "ng": "en", "m": "mu", "hm": "hen", "hng": "heng", "r": "er"}

// syllable takes the tone from a reading and writes ü as v, as it is typed.
func syllable(reading string) (string, error) {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.TrimSpace(reading)) {
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteRune(r)
		case r == 0x0308: // ¨
			s := b.String()
			if !strings.HasSuffix(s, "u") {
				return "", fmt.Errorf("reading %q", reading)
			}
			b.Reset()
			b.WriteString(s[:len(s)-1] + "v")
		case r >= 0x0300 && r <= 0x036F: // tones, and the hat of ê
		default:
			return "", fmt.Errorf("reading %q", reading)
		}
	}
	s := b.String()
	if typed, is := bare[s]; is {
		return typed, nil
	}
	if s == "" || !strings.ContainsAny(s, "aeiouv") {
		return "", fmt.Errorf("reading %q", reading)
	}
	return s, nil
}

// each calls do for every line of a file of the database.
func each(dir, name string, do func(r rune, field, value string) error) error {
	var in io.Reader
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(filepath.Join(dir, name+".bz2"))
		in = bzip2.NewReader(f)
	} else {
		in = f
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(in)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p := strings.Split(s.Text(), "\t")
		if len(p) != 3 || !strings.HasPrefix(p[0], "U+") {
			continue
		}
		n, err := strconv.ParseUint(p[0][2:], 16, 32)
		if err == nil {
			err = do(rune(n), p[1], p[2])
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, p[0], err)
		}
	}
	return s.Err()
}
