package sim

// A card: its fields, and the 256-byte record, photo and fingerprint that a SAM module delivers of it.

import (
	"fmt"
	"strconv"
	"unicode/utf16"
)

// Kind is a card's layout; the byte is the record's flag at offset 248.
type Kind byte

// The four layouts.
const (
	Resident      Kind = ' ' // 居民身份证
	HMT           Kind = 'J' // 港澳台居民居住证
	ForeignPR2017 Kind = 'I' // 外国人永久居留证
	ForeignPR2023 Kind = 'Y' // 外国人永久居留身份证
)

// LongTerm is a validity without end.
const LongTerm = "长期"

const (
	recordLen  = 256
	photoLen   = 1024
	addressLen = 70
)

// A Card is what lies on the reader. Dates are YYYYMMDD.
type Card struct {
	Kind        Kind
	Name        string // Chinese, at most 15 UTF-16 units
	NameEN      string // foreigners only
	Sex         byte   // GB/T 2261.1
	Nation      string // resident: two digits
	Nationality string // foreigners: ISO 3166 alpha-3
	Birth       string
	Address     string // at most 35 units
	Number      string
	Issuer      string
	From, To    string // To may be [LongTerm]
	Permit      string // HMT: travel permit, 9 characters
	Count       string // HMT: issue count; ForeignPR2023: renewal count
	Version     string // ForeignPR2017
	Authority   string // ForeignPR2017: accepting authority
	Previous    string // ForeignPR2023: link to the older number, 3 characters

	Photo       []byte   // 1024 bytes; nil is a synthetic block with a true header
	Fingerprint int      // bytes of template: 0, 512 or 1024
	Added       []string // 追加地址, newest first, at most 4
}

// A field of a record: bytes from offset.
type field struct {
	offset, length int
	text           string
}

// fields are the layouts of GA/T 490 as far as they are public; the lengths of each add up to 256 with the blanks between.
func (c Card) fields() ([]field, error) {
	sex := string(rune(c.Sex))
	switch c.Kind {
	case Resident, HMT:
		f := []field{{0, 30, c.Name}, {30, 2, sex}, {32, 4, c.Nation}, {36, 16, c.Birth}, {52, 70, c.Address}, {122, 36, c.Number},
			{158, 30, c.Issuer}, {188, 16, c.From}, {204, 16, c.To}}
		if c.Kind == HMT {
			f = append(f, field{220, 18, c.Permit}, field{238, 4, c.Count})
		}
		return f, nil
	case ForeignPR2017:
		return []field{{0, 120, c.NameEN}, {120, 2, sex}, {122, 30, c.Number}, {152, 6, c.Nationality}, {158, 30, c.Name},
			{188, 16, c.From}, {204, 16, c.To}, {220, 16, c.Birth}, {236, 4, c.Version}, {240, 8, c.Authority}}, nil
	case ForeignPR2023:
		first, rest := c.NameEN, ""
		if len(first) > 35 {
			first, rest = first[:35], first[35:]
		}
		return []field{{0, 30, c.Name}, {30, 2, sex}, {32, 4, c.Count}, {36, 16, c.Birth}, {52, 70, first}, {122, 36, c.Number},
			{188, 16, c.From}, {204, 16, c.To}, {220, 22, rest}, {242, 6, c.Nationality}, {250, 6, c.Previous}}, nil
	}
	return nil, fmt.Errorf("%w: card kind %q", ErrValue, byte(c.Kind))
}

// Record encodes the card's text record, 256 bytes of UTF-16LE.
func (c Card) Record() ([]byte, error) {
	all, err := c.fields()
	if err != nil {
		return nil, err
	}
	rec := blank(recordLen)
	for _, f := range append(all, field{248, 2, string(rune(c.Kind))}) {
		if err := putUTF16(rec[f.offset:f.offset+f.length], f.text); err != nil {
			return nil, fmt.Errorf("record offset %d: %w", f.offset, err)
		}
	}
	return rec, nil
}

// blank is n bytes of UTF-16LE spaces.
func blank(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 2 {
		b[i] = ' '
	}
	return b
}

func putUTF16(room []byte, text string) error {
	units := utf16.Encode([]rune(text))
	if 2*len(units) > len(room) {
		return fmt.Errorf("%w: a text of %d characters in %d", ErrValue, len(units), len(room)/2)
	}
	for i, u := range units {
		room[2*i], room[2*i+1] = byte(u), byte(u>>8)
	}
	return nil
}

// photo is the compressed picture. A synthetic one has the header of a true one and a payload that no decoder makes a face of.
func (c Card) photo() []byte {
	if c.Photo != nil {
		return c.Photo
	}
	p := make([]byte, photoLen)
	copy(p, []byte{'W', 'L', 102, 0, 126, 0, 0x32, 0})
	return p
}

// fingerprint is the template block: as many 512-byte templates as declared, each with a true header and no ridge in it.
func (c Card) fingerprint() []byte {
	b := make([]byte, c.Fingerprint)
	for i := 0; i+512 <= len(b); i += 512 {
		copy(b[i:], []byte{'C', 1, 0, 0, 1, byte(11 + i/512), 80})
	}
	return b
}

func (c Card) check() error {
	if _, err := c.Record(); err != nil {
		return err
	}
	if n := len(c.photo()); n != photoLen {
		return fmt.Errorf("%w: a photo of %d bytes, not %d", ErrValue, n, photoLen)
	}
	if c.Fingerprint != 0 && c.Fingerprint != 512 && c.Fingerprint != 1024 {
		return fmt.Errorf("%w: a fingerprint of %d bytes, not 0, 512 or 1024", ErrValue, c.Fingerprint)
	}
	if len(c.Added) > 4 {
		return fmt.Errorf("%w: %d added addresses, not up to 4", ErrValue, len(c.Added))
	}
	for _, a := range c.Added {
		if err := putUTF16(blank(addressLen), a); err != nil {
			return fmt.Errorf("added address: %w", err)
		}
	}
	return nil
}

// Label names the card in lists: the Chinese name, which is unique among [SampleCards].
func (c Card) Label() string {
	if c.Name != "" {
		return c.Name
	}
	return c.NameEN
}

// FindCard finds one of all by label or by index from 0.
func FindCard(all []Card, name string) (Card, error) {
	for _, c := range all {
		if c.Label() == name {
			return c, nil
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(all) {
		return all[i], nil
	}
	return Card{}, fmt.Errorf("%w: card %q; there are %s", ErrUnknown, name, list(all, Card.Label))
}
