// Package idnum checks and masks identity numbers.
//
// A citizen's number (公民身份号码, GB 11643) has 18 characters: six of district, eight of birth date, three of sequence
// (odd for men) and one check character by ISO 7064 MOD 11-2. Residence permits of Hong Kong, Macau and Taiwan residents
// follow the same rule; foreigners' permanent residence cards carry 15 characters with a 7-3-1 check digit (2017) or 18
// that begin with 9 (2023). [Check] and [CheckPR] tell what is wrong; [Mask] and [MaskName] are what a screen shows.
package idnum

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What can be wrong with a number.
var (
	ErrLength = errors.New("wrong length")
	ErrChar   = errors.New("a character that cannot stand there")
	ErrDate   = errors.New("no such birth date")
	ErrCheck  = errors.New("check character does not fit")
)

var (
	weights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	checks  = "10X98765432"
)

// mod11 is the MOD 11-2 check character of 17 digits.
func mod11(digits string) (byte, error) {
	if len(digits) != 17 {
		return 0, ErrLength
	}
	sum := 0
	for i := range 17 {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, ErrChar
		}
		sum += int(c-'0') * weights[i]
	}
	return checks[sum%11], nil
}

// Complete appends the check character to the first 17 digits.
func Complete(first17 string) (string, error) {
	c, err := mod11(first17)
	if err != nil {
		return "", err
	}
	return first17 + string(c), nil
}

// Check says whether a number is a well-formed citizen's number. A lower-case x is accepted.
func Check(number string) error {
	if len(number) != 18 {
		return ErrLength
	}
	want, err := mod11(number[:17])
	if err != nil {
		return err
	}
	last := number[17]
	if last == 'x' {
		last = 'X'
	}
	if last != 'X' && (last < '0' || last > '9') {
		return ErrChar
	}
	if _, ok := Birth(number); !ok {
		return ErrDate
	}
	if last != want {
		return ErrCheck
	}
	return nil
}

// Birth is the birth date in an 18-character number, at midnight UTC. It is false for dates that do not exist or lie
// before 1800.
func Birth(number string) (time.Time, bool) {
	if len(number) != 18 || !digits(number[:17]) {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102", number[6:14])
	if err != nil || t.Year() < 1800 {
		return time.Time{}, false
	}
	return t, true
}

// Male tells the sex by the 17th digit; ok is false when there is none.
func Male(number string) (male, ok bool) {
	if len(number) != 18 || number[16] < '0' || number[16] > '9' {
		return false, false
	}
	return (number[16]-'0')%2 == 1, true
}

// Age is the age in completed years on the day that a time has in its own zone; ok is false before the day of birth.
func Age(number string, at time.Time) (age int, ok bool) {
	b, ok := Birth(number)
	if !ok {
		return 0, false
	}
	years := at.Year() - b.Year()
	if at.Month() < b.Month() || at.Month() == b.Month() && at.Day() < b.Day() {
		years--
	}
	if years < 0 {
		return 0, false
	}
	return years, true
}

// CheckPR checks the number of a foreigner's permanent residence card: three letters of nationality, four digits of area,
// birth YYMMDD, one digit of sequence and a check digit by ICAO weights 7-3-1 (2017), or 18 characters that begin with 9 under MOD 11-2 (2023): 9, province (2), country (3), birth (8),
// sequence (3), check.
func CheckPR(number string) error {
	switch len(number) {
	case 15:
		return check731(number)
	case 18:
		if number[0] != '9' {
			return ErrChar
		}
		return Check(number)
	}
	return ErrLength
}

func check731(number string) error {
	sum, w := 0, [3]int{7, 3, 1}
	for i := range 14 {
		c := number[i]
		switch {
		case i < 3 && c >= 'A' && c <= 'Z':
			sum += int(c-'A'+10) * w[i%3]
		case i >= 3 && c >= '0' && c <= '9':
			sum += int(c-'0') * w[i%3]
		default:
			return ErrChar
		}
	}
	if number[14] < '0' || number[14] > '9' {
		return ErrChar
	}
	// Two digits of year name no century, so a day that exists in one of them is accepted.
	if _, err := time.Parse("060102", number[7:13]); err != nil {
		return ErrDate
	}
	if int(number[14]-'0') != sum%10 {
		return ErrCheck
	}
	return nil
}

// CheckAny accepts whatever an identity card can carry.
func CheckAny(number string) error {
	if len(number) == 15 {
		return CheckPR(number)
	}
	return Check(number) // the 18 characters of 2023 follow the citizen's rule
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Last4 is the last four characters, or all of a shorter number.
func Last4(number string) string {
	r := []rune(number)
	return string(r[max(0, len(r)-4):])
}

// Mask keeps the first and last four characters of a number of twelve and more ("3301**********1234"), the last two of a
// shorter one, and nothing of four or fewer.
func Mask(number string) string {
	r := []rune(number)
	first, last := 4, 4
	switch n := len(r); {
	case n <= 4:
		first, last = 0, 0
	case n < 12:
		first, last = 0, 2
	}
	for i := first; i < len(r)-last; i++ {
		r[i] = '*'
	}
	return string(r)
}

// MaskPhone keeps the first three and last four digits of a mobile number ("138****0001"); what is not eleven digits is
// masked as [Mask] does.
func MaskPhone(number string) string {
	if len(number) != 11 || !digits(number) {
		return Mask(number)
	}
	return number[:3] + "****" + number[7:]
}

// MaskName keeps the family name and, of three characters and more, the last one ("王*明", "王*", "欧**华"); of a name in
// Latin letters the first letter of each part ("J*** S****").
func MaskName(name string) string {
	r := []rune(strings.TrimSpace(name))
	if len(r) == 0 {
		return ""
	}
	if r[0] < 0x250 {
		start := true
		for i, c := range r {
			switch {
			case c == ' ' || c == '-' || c == ',':
				start = true
			case start:
				start = false
			default:
				r[i] = '*'
			}
		}
		return string(r)
	}
	switch len(r) {
	case 1:
		return "*"
	case 2:
		return string(r[0]) + "*"
	}
	for i := 1; i < len(r)-1; i++ {
		r[i] = '*'
	}
	return string(r)
}

// Describe wraps an error of this package without the number it speaks of.
func Describe(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("identity number: %w", err)
}
