// An IPP answer as it comes off the wire: bounded before it is decoded, read by name afterwards.

package document

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// Bounds of an answer. A full Get-Printer-Attributes of a large printer has some 60 kB and 600 values; a job list grows
// by about 300 bytes a job.
const (
	maxAnswer = 1 << 20
	maxValues = 16384 // groups counted too
	maxDepth  = 16    // collections in collections
)

// readAnswer reads and decodes one answer.
func readAnswer(body io.Reader) (*goipp.Message, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if len(data) > maxAnswer {
		return nil, fmt.Errorf("answer is larger than %d bytes: %w", maxAnswer, devices.ErrProtocol)
	}
	if err != nil {
		return nil, err
	}
	return decode(data)
}

// decode decodes an answer after its bounds were checked: the decoder itself recurses as deep as the wire says.
func decode(data []byte) (*goipp.Message, error) {
	if err := survey(data); err != nil {
		return nil, fmt.Errorf("not an IPP answer: %w: %w", err, devices.ErrProtocol)
	}
	var m goipp.Message
	if err := m.DecodeBytesEx(data, goipp.DecoderOptions{EnableWorkarounds: true}); err != nil {
		return nil, fmt.Errorf("not an IPP answer: %w: %w", err, devices.ErrProtocol)
	}
	return &m, nil
}

// survey walks over the values of an IPP message (RFC 8010 section 3.1) without taking them in:
//
//	0  2  version        8 …  groups: a delimiter tag (< 0x10), then values:
//	2  2  status              1 tag, 2 name length, name, 2 value length, value
//	4  4  request id     …    0x03 ends
func survey(data []byte) error {
	if len(data) < 9 {
		return errors.New("too short")
	}
	values, depth := 0, 0
	for rest := data[8:]; ; {
		if len(rest) == 0 {
			return errors.New("cut off")
		}
		tag := goipp.Tag(rest[0])
		rest = rest[1:]
		if tag == goipp.TagEnd {
			return nil
		}
		if values++; values > maxValues {
			return fmt.Errorf("more than %d groups and values", maxValues)
		}
		if tag.IsDelimiter() {
			continue
		}
		switch tag {
		case goipp.TagBeginCollection:
			if depth++; depth > maxDepth {
				return fmt.Errorf("collections deeper than %d", maxDepth)
			}
		case goipp.TagEndCollection:
			depth--
		}
		for range 2 { // name, value
			if len(rest) < 2 {
				return errors.New("cut off")
			}
			n := int(binary.BigEndian.Uint16(rest))
			if len(rest) < 2+n {
				return errors.New("cut off")
			}
			rest = rest[2+n:]
		}
	}
}

// attributes are one group of an answer, read by name. A value of an unexpected type counts as not there.
type attributes goipp.Attributes

func (a attributes) values(name string) goipp.Values {
	for _, x := range a {
		if x.Name == name {
			return x.Values
		}
	}
	return nil
}

// has says whether the attribute is there with a value.
func (a attributes) has(name string) bool {
	v := a.values(name)
	return len(v) > 0 && v[0].V.Type() != goipp.TypeVoid
}

func (a attributes) ints(name string) []int {
	var out []int
	for _, v := range a.values(name) {
		if n, ok := v.V.(goipp.Integer); ok {
			out = append(out, int(n))
		}
	}
	return out
}

// int is the first integer of an attribute, or missing.
func (a attributes) int(name string, missing int) int {
	if n := a.ints(name); len(n) > 0 {
		return n[0]
	}
	return missing
}

func (a attributes) strings(name string) []string {
	var out []string
	for _, v := range a.values(name) {
		switch s := v.V.(type) {
		case goipp.String:
			out = append(out, string(s))
		case goipp.TextWithLang:
			out = append(out, s.Text)
		case goipp.Binary:
			out = append(out, string(s))
		}
	}
	return out
}

// string is the first string of an attribute, or "".
func (a attributes) string(name string) string {
	if s := a.strings(name); len(s) > 0 {
		return s[0]
	}
	return ""
}

// isFalse says whether a boolean attribute is there and false.
func (a attributes) isFalse(name string) bool {
	v := a.values(name)
	if len(v) == 0 {
		return false
	}
	b, ok := v[0].V.(goipp.Boolean)
	return ok && !bool(b)
}

// groups returns all groups with a tag: an answer to Get-Jobs has one group a job.
func groups(m *goipp.Message, tag goipp.Tag) []attributes {
	var out []attributes
	for _, g := range m.Groups {
		if g.Tag == tag {
			out = append(out, attributes(g.Attrs))
		}
	}
	return out
}

// group returns the first group with a tag, or none.
func group(m *goipp.Message, tag goipp.Tag) attributes {
	if g := groups(m, tag); len(g) > 0 {
		return g[0]
	}
	return nil
}
