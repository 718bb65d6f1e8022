package idcard

// The text record: 256 bytes of UTF-16LE in four layouts, told apart by the flag at offset 248.

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/idnum"
)

const (
	textLen    = 256
	photoLen   = 1024
	flagAt     = 248
	addressLen = 70
)

var (
	errRecord = errors.New("record is not as any card has it")
	// errEmptyRecord: all-zero dates, which some modules deliver when the read went wrong.
	errEmptyRecord = errors.New("record is empty: a bad read")
)

// parseRead takes a read answer's data apart: two big-endian lengths (text, photo) or three (and fingerprint), then the
// parts. Which form it is, the lengths themselves say.
func parseRead(data []byte) (text, photo, finger []byte, err error) {
	take := func(head, parts int) bool {
		if len(data) < head {
			return false
		}
		total := head
		var sizes [3]int
		for i := range parts {
			sizes[i] = int(data[2*i])<<8 | int(data[2*i+1])
			total += sizes[i]
		}
		if total != len(data) || sizes[0] != textLen || (sizes[1] != 0 && sizes[1] != photoLen) {
			return false
		}
		at := head
		text, at = data[at:at+sizes[0]], at+sizes[0]
		photo, at = data[at:at+sizes[1]], at+sizes[1]
		finger = data[at:]
		return true
	}
	if take(6, 3) || take(4, 2) {
		return text, photo, finger, nil
	}
	return nil, nil, nil, fmt.Errorf("read answer of %d bytes: %w", len(data), errRecord)
}

// chars decodes a field and drops the padding.
func chars(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		c := uint16(b[i]) | uint16(b[i+1])<<8
		if c == 0 {
			c = ' '
		}
		u = append(u, c)
	}
	return strings.TrimRightFunc(places.Replace(string(utf16.Decode(u))), func(r rune) bool { return r == ' ' || r == '\u3000' })
}

// field is a slice of the record by offset and length.
func field(text []byte, at, n int) string { return chars(text[at : at+n]) }

// parseRecord reads the text record of any card.
func parseRecord(text []byte, now time.Time) (*devices.IDCard, error) {
	if len(text) != textLen {
		return nil, fmt.Errorf("text of %d bytes: %w", len(text), errRecord)
	}
	c := &devices.IDCard{}
	var err error
	switch flag := rune(text[flagAt]) | rune(text[flagAt+1])<<8; flag {
	case ' ', 0:
		err = resident(c, text)
	case 'J':
		err = hmt(c, text)
	case 'I':
		err = foreign2017(c, text)
	case 'Y':
		err = foreign2023(c, text)
	default:
		err = fmt.Errorf("type flag %#x: %w", flag, errRecord)
	}
	if err != nil {
		return nil, err
	}
	c.Warnings = append(c.Warnings, contradictions(c, now)...)
	return c, nil
}

// resident: 居民身份证.
func resident(c *devices.IDCard, t []byte) error {
	c.Kind = devices.CardResident
	c.Name, c.Sex, c.Nation = field(t, 0, 30), sex(t[30:32]), field(t, 32, 4)
	c.Address, c.Number, c.Issuer = field(t, 52, 70), field(t, 122, 36), field(t, 158, 30)
	return dates(c, field(t, 36, 16), field(t, 188, 16), field(t, 204, 16))
}

// hmt: 港澳台居民居住证, as a resident card with a travel permit and an issue count; the nation is blank.
func hmt(c *devices.IDCard, t []byte) error {
	if err := resident(c, t); err != nil {
		return err
	}
	c.Kind = devices.CardHMT
	c.TravelPermit, c.IssueCount = field(t, 220, 18), field(t, 238, 4)
	return nil
}

// foreign2017: 外国人永久居留身份证, the layout with a 15-character number.
func foreign2017(c *devices.IDCard, t []byte) error {
	c.Kind = devices.CardForeignPR2017
	c.NameEN, c.Sex, c.Number = field(t, 0, 120), sex(t[120:122]), field(t, 122, 30)
	c.Nationality, c.Name = field(t, 152, 6), field(t, 158, 30)
	c.Version, c.Issuer = field(t, 236, 4), field(t, 240, 8)
	return dates(c, field(t, 220, 16), field(t, 188, 16), field(t, 204, 16))
}

// foreign2023: the layout with an 18-character number.
func foreign2023(c *devices.IDCard, t []byte) error {
	c.Kind = devices.CardForeignPR2023
	c.Name, c.Sex, c.IssueCount = field(t, 0, 30), sex(t[30:32]), field(t, 32, 4)
	c.NameEN = chars(append(append([]byte(nil), t[52:122]...), t[220:242]...))
	c.Number, c.Nationality = field(t, 122, 36), field(t, 242, 6)
	return dates(c, field(t, 36, 16), field(t, 188, 16), field(t, 204, 16))
}

func sex(b []byte) byte {
	if b[1] != 0 || b[0] < '0' || b[0] > '9' {
		return '0'
	}
	return b[0]
}

const longTerm = "长期"

func dates(c *devices.IDCard, birth, from, to string) error {
	if strings.Trim(birth+from, "0 ") == "" {
		return errEmptyRecord
	}
	var err error
	if c.Birth, err = time.Parse("20060102", birth); err != nil {
		return fmt.Errorf("birth date: %w", errRecord)
	}
	if c.ValidFrom, err = time.Parse("20060102", from); err != nil {
		return fmt.Errorf("first day of validity: %w", errRecord)
	}
	if to == longTerm {
		c.LongTerm = true
		return nil
	}
	if c.ValidTo, err = time.Parse("20060102", to); err != nil {
		return fmt.Errorf("last day of validity: %w", errRecord)
	}
	return nil
}

// contradictions inside a card: words for [devices.IDCard.Warnings].
func contradictions(c *devices.IDCard, now time.Time) []string {
	var w []string
	check := idnum.Check
	if c.Kind == devices.CardForeignPR2017 || c.Kind == devices.CardForeignPR2023 {
		check = idnum.CheckPR
	}
	if check(c.Number) != nil {
		w = append(w, "check-digit")
	}
	if c.Kind == devices.CardResident || c.Kind == devices.CardHMT {
		if b, ok := idnum.Birth(c.Number); ok && !b.Equal(c.Birth) {
			w = append(w, "birth")
		}
		if male, ok := idnum.Male(c.Number); ok && (c.Sex == '1' && !male || c.Sex == '2' && male) {
			w = append(w, "sex")
		}
	}
	// A card is valid from its first to its last day as the calendar on the wall has them; its dates carry no zone.
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if !c.LongTerm && today.After(c.ValidTo) {
		w = append(w, "expired")
	}
	if today.Before(c.ValidFrom) {
		w = append(w, "not-yet-valid")
	}
	if strings.ContainsFunc(c.Name+c.NameEN, func(r rune) bool {
		return r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Co, r)
	}) {
		w = append(w, "name")
	}
	return w
}

// addresses are the added addresses (追加地址), newest first.
func addresses(data []byte) []string {
	var all []string
	for i := 0; i+addressLen <= len(data) && len(all) < 4; i += addressLen {
		if a := chars(data[i : i+addressLen]); strings.TrimSpace(a) != "" {
			all = append(all, a)
		}
	}
	return all
}

// photoOK is the cheap sanity check of the compressed photo: "WL", 102, 126.
func photoOK(wlt []byte) bool {
	return len(wlt) == photoLen && wlt[0] == 'W' && wlt[1] == 'L' && wlt[2] == 0x66 && wlt[3] == 0 && wlt[4] == 0x7E && wlt[5] == 0
}

// nations are GB/T 3304's names.
var nations = strings.Fields(`汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇
柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴
珞巴 基诺`)

// Nation is the name of a GB/T 3304 code; an unknown code comes back as it is.
func Nation(code string) string {
	switch code {
	case "97":
		return "其他"
	case "98":
		return "外国血统中国籍人士"
	}
	if len(code) == 2 && code[0] >= '0' && code[0] <= '9' && code[1] >= '0' && code[1] <= '9' {
		if n := int(code[0]-'0')*10 + int(code[1]-'0'); n >= 1 && n <= len(nations) {
			return nations[n-1]
		}
	}
	return code
}
