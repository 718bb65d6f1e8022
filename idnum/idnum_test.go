package idnum

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// The textbook number of GB 11643, and one each of the other rules; district 990000 does not exist.
const (
	textbook  = "11010519491231002X"
	synthetic = "990000199001010017"
	hongKong  = "810000199001010019"
	macau     = "820000199001010010"
	taiwan    = "830000199001010012"
	pr2017    = "KAZ110090123105"
	pr2023    = "911398199001010015"
)

func TestCheckCharacterIsMod11Radix2(t *testing.T) {
	for first, want := range map[string]string{
		"11010519491231002": "X", "44052418800101001": "4", // the examples of GB 11643
		synthetic[:17]: synthetic[17:], hongKong[:17]: hongKong[17:], macau[:17]: macau[17:], taiwan[:17]: taiwan[17:],
		pr2023[:17]: pr2023[17:],
	} {
		got, err := Complete(first)
		if err != nil || got != first+want {
			t.Errorf("%s: %s, %v; expected check character %s", first, got, err, want)
		}
	}
	for first, want := range map[string]error{
		"": ErrLength, "1101051949123100": ErrLength, "110105194912310022": ErrLength, "1101051949123100X": ErrChar,
		"11010519491231 02": ErrChar, "1101051949123一1": ErrChar,
	} {
		if got, err := Complete(first); !errors.Is(err, want) || got != "" {
			t.Errorf("%q: %q, %v; expected %v", first, got, err, want)
		}
	}
}

func TestNumbersOfEveryKindOfCard(t *testing.T) {
	for _, tt := range []struct {
		name, number        string
		citizen, pr, either error
	}{
		{"citizen", textbook, nil, ErrChar, nil},
		{"lower-case x", "11010519491231002x", nil, ErrChar, nil},
		{"synthetic citizen", synthetic, nil, nil, nil},
		{"born 1880", "440524188001010014", nil, ErrChar, nil},
		{"Hong Kong resident", hongKong, nil, ErrChar, nil},
		{"Macau resident", macau, nil, ErrChar, nil},
		{"Taiwan resident", taiwan, nil, ErrChar, nil},
		{"foreigner 2017", pr2017, ErrLength, nil, nil},
		{"foreigner 2023", pr2023, nil, nil, nil},

		{"empty", "", ErrLength, ErrLength, ErrLength},
		{"17 characters", textbook[:17], ErrLength, ErrLength, ErrLength},
		{"19 characters", textbook + "0", ErrLength, ErrLength, ErrLength},
		{"citizen of the first generation", "110105491231002", ErrLength, ErrChar, ErrChar},
		{"wrong check character", "110105194912310021", ErrCheck, ErrChar, ErrCheck},
		{"x where a digit stands", "1101051949123100X2", ErrChar, ErrChar, ErrChar},
		{"letter as check character", "11010519491231002Y", ErrChar, ErrChar, ErrChar},
		{"full-width digit", "11010519491231０X", ErrChar, ErrChar, ErrChar},
		{"13th month", "110105194913310023", ErrDate, ErrChar, ErrDate},
		{"30 February", "110105194902300023", ErrDate, ErrChar, ErrDate},
		{"29 February of a common year", "990000199902290014", ErrDate, ErrDate, ErrDate},
		{"day 0", "110105194912000023", ErrDate, ErrChar, ErrDate},
		{"before 1800", "990000179912310011", ErrDate, ErrDate, ErrDate},
		{"all zero", "000000000000000000", ErrDate, ErrChar, ErrDate},

		{"2017 wrong check digit", "KAZ110090123104", ErrLength, ErrCheck, ErrCheck},
		{"2017 lower-case letters", "kaz110090123105", ErrLength, ErrChar, ErrChar},
		{"2017 digit in the nationality", "KA0110090123105", ErrLength, ErrChar, ErrChar},
		{"2017 letter as check digit", "KAZ11009012310X", ErrLength, ErrChar, ErrChar},
		{"2017 13th month", "KAZ110090133101", ErrLength, ErrDate, ErrDate},
		{"2017 29 February 1900 or 2000", "KAZ110000022906", ErrLength, nil, nil},
		{"2023 wrong check character", "911398199001010011", ErrCheck, ErrCheck, ErrCheck},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []struct {
				rule  string
				check func(string) error
				want  error
			}{{"Check", Check, tt.citizen}, {"CheckPR", CheckPR, tt.pr}, {"CheckAny", CheckAny, tt.either}} {
				if err := c.check(tt.number); !errors.Is(err, c.want) {
					t.Errorf("%s: %v, expected %v", c.rule, err, c.want)
				}
			}
		})
	}
}

func TestBirthAndSexStandInTheNumber(t *testing.T) {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		number  string
		birth   time.Time
		born    bool
		male    bool
		hasSex  bool
		comment string
	}{
		{textbook, day(1949, 12, 31), true, false, true, "sequence 002 is a woman's"},
		{synthetic, day(1990, 1, 1), true, true, true, "sequence 001 is a man's"},
		{pr2023, day(1990, 1, 1), true, true, true, "a foreigner's of 2023 has them at the same places"},
		{"990000200002290018", day(2000, 2, 29), true, true, true, "2000 was a leap year"},
		{"990000190002290018", time.Time{}, false, true, true, "1900 was none"},
		{"AB0000199001010018", time.Time{}, false, true, true, "no district has letters"},
		{"9900001990010100X8", time.Time{}, false, false, false, "no digit of sex"},
		{pr2017, time.Time{}, false, false, false, "15 characters have no century"},
		{"", time.Time{}, false, false, false, "nothing"},
	} {
		if b, ok := Birth(tt.number); !b.Equal(tt.birth) || ok != tt.born {
			t.Errorf("%s: born %v, %v", tt.comment, b, ok)
		}
		if m, ok := Male(tt.number); m != tt.male || ok != tt.hasSex {
			t.Errorf("%s: male %v, %v", tt.comment, m, ok)
		}
	}
}

func TestAgeChangesOnTheBirthday(t *testing.T) {
	china := time.FixedZone("UTC+8", 8*3600)
	leap := "990000200002290018"
	for _, tt := range []struct {
		number string
		at     time.Time
		age    int
		ok     bool
	}{
		{synthetic, time.Date(2008, 1, 1, 0, 0, 0, 0, china), 18, true},
		{synthetic, time.Date(2007, 12, 31, 23, 59, 59, 0, china), 17, true},
		{synthetic, time.Date(1990, 1, 1, 0, 0, 0, 0, china), 0, true},
		{synthetic, time.Date(1989, 12, 31, 23, 0, 0, 0, china), 0, false},
		{leap, time.Date(2018, 2, 28, 12, 0, 0, 0, china), 17, true},
		{leap, time.Date(2018, 3, 1, 0, 0, 0, 0, china), 18, true},
		{pr2017, time.Date(2018, 3, 1, 0, 0, 0, 0, china), 0, false},
	} {
		if age, ok := Age(tt.number, tt.at); age != tt.age || ok != tt.ok {
			t.Errorf("born %s, on %s: %d, %v; expected %d, %v", tt.number[6:14], tt.at.Format(time.DateOnly), age, ok, tt.age, tt.ok)
		}
	}
}

func TestMasksShowNoMoreThanTheyPromise(t *testing.T) {
	for _, tt := range []struct {
		mask     func(string) string
		in, want string
	}{
		{Mask, synthetic, "9900**********0017"},
		{Mask, pr2017, "KAZ1*******3105"},
		{Mask, "123456789012", "1234****9012"},
		{Mask, "12345678901", "*********01"},
		{Mask, "12345", "***45"},
		{Mask, "1234", "****"},
		{Mask, "", ""},
		{Mask, "张三李四王", "***四王"},
		{MaskPhone, "13800000001", "138****0001"},
		{MaskPhone, "1380000000", "********00"},
		{MaskPhone, "+8613800000001", "+861******0001"},
		{MaskPhone, "010-8000001", "*********01"},
		{MaskPhone, "张三李ab", "***ab"}, // eleven bytes, five characters
		{MaskName, "王小明", "王*明"},
		{MaskName, "王明", "王*"},
		{MaskName, "王", "*"},
		{MaskName, "欧阳华华", "欧**华"},
		{MaskName, "  王明 ", "王*"},
		{MaskName, "𠮷野", "𠮷*"},
		{MaskName, "John Smith", "J*** S****"},
		{MaskName, "SMITH, Anne-Marie", "S****, A***-M****"},
		{MaskName, "Zoë", "Z**"},
		{MaskName, " ", ""},
		{Last4, synthetic, "0017"},
		{Last4, "123", "123"},
		{Last4, "", ""},
	} {
		if got := tt.mask(tt.in); got != tt.want {
			t.Errorf("%q: %q, expected %q", tt.in, got, tt.want)
		}
	}
}

func TestAnErrorDoesNotCarryTheNumber(t *testing.T) {
	if Describe(nil) != nil {
		t.Error("no error became one")
	}
	for _, n := range []string{synthetic + "1", "110105194912310021", "KAZ110090123104"} {
		err := Describe(CheckAny(n))
		if err == nil || strings.Contains(err.Error(), n) || strings.Contains(err.Error(), n[6:14]) {
			t.Errorf("%v", err)
		}
		if !errors.Is(err, CheckAny(n)) {
			t.Errorf("%v does not wrap its cause", err)
		}
	}
}

// number draws a well-formed citizen's number of a person who cannot be.
func number(t *rapid.T) string {
	day := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 46000).Draw(t, "day"))
	seq := rapid.StringMatching("[0-9]{3}").Draw(t, "sequence")
	n, err := Complete("990000" + day.Format("20060102") + seq)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOneWrongDigitIsAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := number(t)
		if err := Check(n); err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		at := rapid.IntRange(0, 16).Draw(t, "place")
		digit := byte(rapid.IntRange('0', '9').Draw(t, "digit"))
		if wrong := n[:at] + string(digit) + n[at+1:]; wrong != n && Check(wrong) == nil {
			t.Fatalf("%s and %s both pass", n, wrong)
		}
	})
}

func TestTwoSwappedDigitsAreAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := number(t)
		at := rapid.IntRange(0, 15).Draw(t, "place")
		if wrong := n[:at] + string(n[at+1]) + string(n[at]) + n[at+2:]; wrong != n && Check(wrong) == nil {
			t.Fatalf("%s and %s both pass", n, wrong)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{textbook, "11010519491231002x", synthetic, hongKong, macau, taiwan, pr2017, pr2023, "",
		"110105194902300023", "KAZ110090133101", "王小明", "13800000001", "SMITH, Anne", "\xff\xfe12345678901234567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		err := Check(s)
		if birth, born := Birth(s); err == nil {
			again, e := Complete(s[:17])
			if e != nil || !strings.EqualFold(again, s) {
				t.Fatalf("%q passes, but its check character is that of %q", s, again)
			}
			if !born || birth.Format("20060102") != s[6:14] || CheckAny(s) != nil {
				t.Fatalf("%q passes without a birth date", s)
			}
			if _, ok := Male(s); !ok {
				t.Fatalf("%q passes without a sex", s)
			}
			for at := range 17 {
				for d := byte('0'); d <= '9'; d++ {
					if d != s[at] && Check(s[:at]+string(d)+s[at+1:]) == nil {
						t.Fatalf("%q passes with %c at %d too", s, d, at)
					}
				}
			}
		}
		if CheckPR(s) == nil {
			if CheckAny(s) != nil {
				t.Fatalf("%q passes as a foreigner's and not as any", s)
			}
			if len(s) == 15 {
				wrong := s[:14] + string('0'+(s[14]-'0'+1)%10)
				if !errors.Is(CheckPR(wrong), ErrCheck) {
					t.Fatalf("%q and %q both pass", s, wrong)
				}
			}
		}
		for _, masked := range []string{Mask(s), MaskPhone(s)} {
			if n := utf8.RuneCountInString(s); utf8.RuneCountInString(masked) != n || strings.Count(masked, "*") < min(n, 3) {
				t.Fatalf("%q is shown as %q", s, masked)
			}
			if !utf8.ValidString(masked) {
				t.Fatalf("%q is shown as bytes that are no text", s)
			}
		}
		if r := []rune(strings.TrimSpace(s)); len(r) > 1 && r[0] >= 0x2E80 && !strings.Contains(MaskName(s), "*") {
			t.Fatalf("name %q is shown whole", s)
		}
		if utf8.RuneCountInString(Last4(s)) > 4 {
			t.Fatalf("%q: more than four characters", Last4(s))
		}
	})
}
