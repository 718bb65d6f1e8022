package smartcard

// The social-security card: which files are read, and what stands in them.
//
//	SELECT SSSE   00 A4 04 00 0F "sx1.sh." and 社会保障 in GBK
//	SELECT EF     00 A4 02 00 02 EF 05; some cards want 00 A4 00 00
//	READ RECORD   00 B2 number 04 Le; some want P2 00, or the file's number in P2 without a SELECT
//	61 xx → 00 C0 00 00 xx;  6C xx → again with Le xx
//
// A record is tag, length, value. Regions number the records by tag or from 1, so that a record is known by the tag that it
// carries. What asks for a secret (69 82) is protected, and is not tried.

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/idnum"
)

var ssse = []byte("sx1.sh.\xC9\xE7\xBB\xE1\xB1\xA3\xD5\xCF")

// Status words.
const (
	swGood      = 0x9000
	swSecurity  = 0x6982
	swNoFile    = 0x6A82
	swNoRecord  = 0x6A83
	swWrongP1P2 = 0x6A86
	swWrongP    = 0x6B00
	swNoIns     = 0x6D00
	swNoClass   = 0x6E00
)

// A transceiver passes one APDU to a card.
type transceiver interface {
	transmit(ctx context.Context, apdu []byte) ([]byte, error)
}

// exchange sends an APDU and does what T=0 asks for; data is without the status word.
func exchange(ctx context.Context, t transceiver, apdu []byte) (data []byte, sw int, err error) {
	for range 8 { // a card that goes on asking makes no sense
		answer, err := t.transmit(ctx, apdu)
		if err != nil {
			return nil, 0, err
		}
		if len(answer) < 2 {
			return nil, 0, fmt.Errorf("card's answer of %d bytes: %w", len(answer), devices.ErrProtocol)
		}
		n := len(answer) - 2
		data, sw = append(data, answer[:n]...), int(answer[n])<<8|int(answer[n+1])
		switch sw >> 8 {
		case 0x61:
			apdu = []byte{0x00, 0xC0, 0x00, 0x00, byte(sw)}
		case 0x6C:
			if len(apdu) != 5 {
				return nil, 0, fmt.Errorf("card corrects the length of a command that has none: %w", devices.ErrProtocol)
			}
			apdu, data = append(slices.Clone(apdu[:4]), byte(sw)), nil
		default:
			return data, sw, nil
		}
		if len(data) > mostAnswer {
			break
		}
	}
	return nil, 0, fmt.Errorf("card's answer does not end: %w", devices.ErrProtocol)
}

// A field is one tag of a file.
type field struct {
	tag  byte
	name string
	set  func(c *devices.SocialCard, v []byte) bool // false: unreadable
}

// files are what is read: EF05 and EF06, with their tags in order.
var files = []struct {
	id     byte
	fields []field
}{
	{5, []field{
		{1, "id", func(c *devices.SocialCard, v []byte) bool { return len(v) == 16 && put(&c.ID, hexed(v)) }},
		{2, "class", func(c *devices.SocialCard, v []byte) bool { return put(&c.Class, printable(v)) }},
		{3, "version", func(c *devices.SocialCard, v []byte) bool { return put(&c.Version, printable(v)) }},
		{4, "issuer", func(c *devices.SocialCard, v []byte) bool { return put(&c.Issuer, hexed(v)) }},
		{5, "issued", func(c *devices.SocialCard, v []byte) bool { return bcdDate(&c.Issued, v) }},
		{6, "expires", func(c *devices.SocialCard, v []byte) bool { return bcdDate(&c.Expires, v) }},
		{7, "card-number", func(c *devices.SocialCard, v []byte) bool { return put(&c.CardNumber, printable(v)) }},
	}},
	{6, []field{
		{8, "number", func(c *devices.SocialCard, v []byte) bool { return len(v) == 18 && put(&c.Number, printable(v)) }},
		{9, "name", func(c *devices.SocialCard, v []byte) bool { return put(&c.Name, chinese(v)) }},
		{10, "sex", func(c *devices.SocialCard, v []byte) bool { return sex(&c.Sex, v) }},
		{11, "nation", func(c *devices.SocialCard, v []byte) bool { return len(v) == 1 && put(&c.Nation, bcd(v)) }},
		{12, "birthplace", func(c *devices.SocialCard, v []byte) bool { return len(v) == 3 && put(&c.Birthplace, bcd(v)) }},
		{13, "birth", func(c *devices.SocialCard, v []byte) bool { return bcdDate(&c.Birth, v) }},
	}},
}

func put(to *string, s string) bool { *to = s; return s != "" }

func hexed(v []byte) string { return strings.ToUpper(hex.EncodeToString(v)) }

// unpadded is a value without the blanks, zeros or ones that fill it up.
func unpadded(v []byte) []byte {
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == 0 || v[len(v)-1] == 0xFF) {
		v = v[:len(v)-1]
	}
	return v
}

// printable is ASCII without padding; "" when something else stands there.
func printable(v []byte) string {
	v = unpadded(v)
	for _, b := range v {
		if b <= ' ' || b > '~' {
			return ""
		}
	}
	return string(v)
}

// chinese is a name in GBK without padding; "" when it is none.
func chinese(v []byte) string {
	v = unpadded(v)
	s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(v)
	if err != nil || bytes.ContainsRune(s, '�') {
		return ""
	}
	for _, r := range string(s) {
		if r < ' ' || r == 0x7F {
			return ""
		}
	}
	return strings.TrimSpace(string(s))
}

// bcd is digits, two a byte; "" when something else stands there.
func bcd(v []byte) string {
	s := hex.EncodeToString(v)
	if strings.ContainsAny(s, "abcdef") {
		return ""
	}
	return s
}

// bcdDate reads year, month and day, packed or as digits.
func bcdDate(to *time.Time, v []byte) bool {
	s := bcd(v)
	if len(v) == 8 {
		s = printable(v)
	}
	at, err := time.Parse("20060102", s)
	if err == nil && at.Year() >= 1850 {
		*to = at
		return true
	}
	return false
}

func sex(to *byte, v []byte) bool {
	if len(v) != 1 {
		return false
	}
	b := v[0]
	if b <= 9 { // some write the number, not the digit
		b += '0'
	}
	*to = b
	if !bytes.ContainsRune([]byte("0129"), rune(b)) {
		*to = 0
	}
	return *to != 0
}

// record reads the one at a number of the file that is selected, or of the file by its short name. forms are tried in order until
// the card takes one; the one it took is returned first.
func record(ctx context.Context, t transceiver, file, number byte, forms []byte) (data []byte, sw int, taken []byte, err error) {
	for i, p2 := range forms {
		data, sw, err = exchange(ctx, t, []byte{0x00, 0xB2, number, p2, 0x00})
		if err != nil {
			return nil, 0, forms, err
		}
		if sw != swWrongP1P2 && sw != swWrongP {
			return data, sw, append([]byte{p2}, slices.Delete(slices.Clone(forms), i, i+1)...), nil
		}
	}
	return nil, sw, forms, nil
}

// tlv returns a record's value if it carries the tag.
func tlv(data []byte, tag byte) (value []byte, ok bool) {
	if len(data) < 2 || data[0] != tag || len(data) < 2+int(data[1]) {
		return nil, false
	}
	return data[2 : 2+int(data[1])], true
}

// read reads a card that is connected. The error is [devices.ErrNotIDCard] when it is another kind, or the transceiver's.
func read(ctx context.Context, t transceiver, now time.Time) (*devices.SocialCard, error) {
	_, sw, err := exchange(ctx, t, append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(ssse))}, ssse...))
	switch {
	case err != nil:
		return nil, err
	case sw != swGood:
		return nil, fmt.Errorf("card has no social-security environment (%04X): %w", sw, devices.ErrNotIDCard)
	}
	c := &devices.SocialCard{}
	for _, f := range files {
		if err := readFile(ctx, t, f.id, f.fields, c); err != nil {
			c.Wipe()
			return nil, err
		}
	}
	if c.ID == "" && c.Number == "" && c.Name == "" && c.CardNumber == "" {
		missing := strings.Join(c.Missing, ", ")
		c.Wipe()
		return nil, fmt.Errorf("card tells nothing (%s): %w", missing, devices.ErrCardUnreadable)
	}
	c.Warnings = doubts(c, now)
	return c, nil
}

func readFile(ctx context.Context, t transceiver, id byte, fields []field, c *devices.SocialCard) error {
	selected := false
	for _, p1 := range []byte{0x02, 0x00} {
		_, sw, err := exchange(ctx, t, []byte{0x00, 0xA4, p1, 0x00, 0x02, 0xEF, id})
		if err != nil {
			return err
		}
		if selected = sw == swGood; selected {
			break
		}
	}
	short := id<<3 | 4
	forms := []byte{0x04, 0x00, short}
	if !selected {
		forms = []byte{short}
	}
	for i, f := range fields {
		why := "missing"
		for _, number := range []byte{f.tag, byte(i + 1)} { // by tag, else from 1
			data, sw, taken, err := record(ctx, t, id, number, forms)
			if err != nil {
				return err
			}
			forms = taken
			v, has := tlv(data, f.tag)
			switch {
			case sw == swSecurity:
				why = "protected"
			case sw != swGood || !has:
			case f.set(c, v):
				why = ""
			default:
				why = "unreadable"
			}
			clear(data)
			if why != "missing" || number == byte(i+1) {
				break
			}
		}
		if why != "" {
			c.Missing = append(c.Missing, f.name+" "+why)
		}
	}
	return nil
}

// doubts are what contradicts itself on the card.
func doubts(c *devices.SocialCard, now time.Time) (all []string) {
	if c.Number != "" {
		if idnum.Check(c.Number) != nil {
			all = append(all, "check-digit")
		}
		if birth, ok := idnum.Birth(c.Number); ok && !c.Birth.IsZero() && !birth.Equal(c.Birth) {
			all = append(all, "birth")
		}
		if male, ok := idnum.Male(c.Number); ok && (c.Sex == '1' || c.Sex == '2') && (c.Sex == '1') != male {
			all = append(all, "sex")
		}
	}
	if !c.Expires.IsZero() && now.After(c.Expires.AddDate(0, 0, 1)) {
		all = append(all, "expired")
	}
	return all
}
