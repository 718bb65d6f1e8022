package scanner

// HID-POS: a scanner on USB that sends reports. Which byte of a report is what is said by its descriptor, in the words of USB-IF's
// "HID Point of Sale Usage Tables" 1.02, chapter 3: a count (page 01, usage 3B), the symbology's identifier, the code's bytes (page 8C,
// usage FE) and whether the code goes on in the next report (usage FF). Items are those of "Device Class Definition for HID" 1.11, 6.2.2.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/budayang/kiosk/devices"
)

// framingPOS is the profile's framing of scanners that send reports.
const framingPOS = "hid-pos"

// Reports is a [Bus] that gives one report with each Read; bus.HID fits.
type Reports interface {
	Bus
	Descriptor() []byte
}

const (
	usageScanner   = 0x8C<<16 | 0x02
	usageCount     = 0x01<<16 | 0x3B
	usageData      = 0x8C<<16 | 0xFE
	usageContinued = 0x8C<<16 | 0xFF

	// maxReport is the longest report that is understood, in bytes; real ones have 64.
	maxReport = 4 << 10
	maxItems  = 4 << 10
	maxStack  = 16
)

// A posLayout says where a scanner's report has what. Offsets are in bytes from the report's beginning, its number included.
type posLayout struct {
	number    byte // of the report, 0 where reports have none
	size      int
	count     int // -1 where there is no count
	data, len int
	more      int // -1 where codes never go on
	moreBit   byte
	outputs   map[byte]int // sizes of output reports by their numbers
}

// errLayout: the descriptor is of no scanner, or lies.
var errLayout = errors.New("no HID-POS scanner")

// IsPOS says whether reports of this description are of a bar-code scanner.
func IsPOS(descriptor []byte) bool {
	_, err := readLayout(descriptor)
	return err == nil
}

// kinds of main items.
const (
	kindInput = iota
	kindOutput
	kindFeature
)

// posState are the items that hold until others come.
type posState struct {
	page, size, count, report uint32
}

// posParser walks a descriptor.
type posParser struct {
	state   posState
	stack   []posState
	usages  []uint32
	from    uint32 // of a range of usages
	bits    map[[2]byte]int
	scanner bool
	numbers bool
	found   map[byte]*posLayout
}

// readLayout finds the report that carries codes.
func readLayout(descriptor []byte) (posLayout, error) {
	p := posParser{bits: map[[2]byte]int{}, found: map[byte]*posLayout{}}
	rest := descriptor
	for n := 0; len(rest) > 0; n++ {
		head := rest[0]
		size := [4]int{0, 1, 2, 4}[head&3]
		if head == 0xFE || len(rest) < 1+size || n > maxItems { // long items are none that anybody uses
			return posLayout{}, errLayout
		}
		v := uint32(0)
		for i, b := range rest[1 : 1+size] {
			v |= uint32(b) << (8 * i)
		}
		if !p.item(head&0xFC, v, size) {
			return posLayout{}, errLayout
		}
		rest = rest[1+size:]
	}
	if !p.scanner {
		return posLayout{}, errLayout
	}
	for _, id := range slices.Sorted(maps.Keys(p.found)) {
		l := p.found[id]
		if l.len == 0 {
			continue
		}
		shift := 0
		if p.numbers {
			shift = 1
		}
		l.number, l.size = id, (p.bits[[2]byte{kindInput, id}]+7)/8+shift
		l.data += shift
		if l.count >= 0 {
			l.count += shift
		}
		if l.more >= 0 {
			l.more += shift
		}
		l.outputs = map[byte]int{}
		for k, bits := range p.bits {
			if k[0] == kindOutput {
				l.outputs[k[1]] = (bits+7)/8 + shift
			}
		}
		return *l, nil
	}
	return posLayout{}, errLayout
}

// item takes one item; false is a descriptor that cannot be.
func (p *posParser) item(tag byte, v uint32, size int) bool {
	switch tag {
	case 0x04: // usage page
		p.state.page = v
	case 0x74: // report size, bits
		p.state.size = v
	case 0x94: // report count
		p.state.count = v
	case 0x84: // report number
		if p.state.report, p.numbers = v, true; v == 0 || v > 0xFF {
			return false
		}
	case 0xA4: // push
		if len(p.stack) == maxStack {
			return false
		}
		p.stack = append(p.stack, p.state)
	case 0xB4: // pop
		if len(p.stack) == 0 {
			return false
		}
		p.state = p.stack[len(p.stack)-1]
		p.stack = p.stack[:len(p.stack)-1]
	case 0x08: // usage
		p.usages = append(p.usages, p.usage(v, size))
	case 0x18: // first usage of a range
		p.from = p.usage(v, size)
	case 0x28: // last one
		for u, to := p.from, p.usage(v, size); u <= to && len(p.usages) < maxItems; u++ {
			p.usages = append(p.usages, u)
		}
	case 0xA0: // collection
		if v == 1 && len(p.usages) > 0 && p.usages[0] == usageScanner {
			p.scanner = true
		}
		p.usages = nil
	case 0xC0: // its end
		p.usages = nil
	case 0x80:
		return p.field(kindInput, v)
	case 0x90:
		return p.field(kindOutput, v)
	case 0xB0:
		return p.field(kindFeature, v)
	}
	return len(p.usages) <= maxItems
}

// usage is a usage with its page.
func (p *posParser) usage(v uint32, size int) uint32 {
	if size == 4 {
		return v
	}
	return p.state.page<<16 | v&0xFFFF
}

// field is a main item: as many fields of a size as the state says.
func (p *posParser) field(kind byte, flags uint32) bool {
	s, usages := p.state, p.usages
	p.usages = nil
	at := p.bits[[2]byte{kind, byte(s.report)}]
	if s.size > maxReport*8 || s.count > maxReport*8 || int(s.size)*int(s.count) > maxReport*8-at {
		return false
	}
	p.bits[[2]byte{kind, byte(s.report)}] = at + int(s.size)*int(s.count)
	constant, variable := flags&1 != 0, flags&2 != 0
	if kind != kindInput || constant || !variable || len(usages) == 0 {
		return true
	}
	l := p.found[byte(s.report)]
	if l == nil {
		l = &posLayout{count: -1, more: -1}
		p.found[byte(s.report)] = l
	}
	for i := range int(s.count) {
		bit := at + i*int(s.size)
		switch usages[min(i, len(usages)-1)] {
		case usageCount:
			if s.size == 8 && bit%8 == 0 && l.count < 0 {
				l.count = bit / 8
			}
		case usageData:
			switch {
			case s.size%8 != 0 || bit%8 != 0:
				return false
			case l.len == 0:
				l.data, l.len = bit/8, int(s.size/8)
			case bit/8 == l.data+l.len:
				l.len += int(s.size / 8)
			}
		case usageContinued:
			if l.more < 0 {
				l.more, l.moreBit = bit/8, 1<<(bit%8)
			}
		}
		if s.size == 0 {
			break
		}
	}
	return true
}

// carried is what a report brings of a code, and whether the code goes on; ok is false for another report. A report that cannot be is
// [devices.ErrCodeUnreadable]; of one that is too short nobody knows whether it goes on, and it does not.
func (l posLayout) carried(report []byte) (data []byte, more, ok bool, err error) {
	if len(report) == 0 || l.number != 0 && report[0] != l.number {
		return nil, false, false, nil
	}
	if len(report) < l.size {
		return nil, false, true, fmt.Errorf("a report of %d bytes where %d were announced: %w", len(report), l.size, devices.ErrCodeUnreadable)
	}
	data, more = report[l.data:l.data+l.len], l.more >= 0 && report[l.more]&l.moreBit != 0
	if l.count >= 0 {
		n := int(report[l.count])
		if n > l.len {
			return nil, more, true, fmt.Errorf("a report with %d bytes of a code where %d have room: %w", n, l.len, devices.ErrCodeUnreadable)
		}
		data = data[:n]
	} else {
		data = bytes.TrimRight(data, "\x00")
	}
	return data, more, true, nil
}

// pos is a scanner that sends reports, as a line of the codes' bytes.
type pos struct {
	Reports
	layout posLayout
	report []byte
	rest   []byte // of the last report
	more   bool   // the code goes on in the next one
	bad    error  // of a code whose reports still come
}

func newPOS(r Reports) (*pos, error) {
	l, err := readLayout(r.Descriptor())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", devices.ErrUnusable, err)
	}
	return &pos{Reports: r, layout: l, report: make([]byte, maxReport)}, nil
}

// Read gives what one report carries, which may be nothing. A code with a report that cannot be is an error when it ends, so that its rest
// is not taken for another code.
func (p *pos) Read(ctx context.Context, to []byte) (int, error) {
	for len(p.rest) == 0 {
		n, err := p.Reports.Read(ctx, p.report)
		if err != nil {
			return 0, err
		}
		data, more, ok, err := p.layout.carried(p.report[:n])
		switch {
		case !ok && ctx.Err() != nil:
			return 0, nil
		case !ok:
			continue
		case err != nil && p.bad == nil:
			p.bad = err
		}
		p.more = more
		if p.bad == nil {
			p.rest = data
			break
		}
		if err := p.bad; !more {
			p.bad = nil
			return 0, err
		}
	}
	n := copy(to, p.rest)
	clear(p.rest[:n])
	p.rest = p.rest[n:]
	return n, nil
}

// ended says whether a code ends behind what was read.
func (p *pos) ended() bool { return len(p.rest) == 0 && !p.more }

// Write sends a command: one report, filled up to the size that the descriptor says.
func (p *pos) Write(ctx context.Context, command []byte) (int, error) {
	report := make([]byte, max(len(command), p.layout.outputs[command[0]]))
	copy(report, command)
	if _, err := p.Reports.Write(ctx, report); err != nil {
		return 0, err
	}
	return len(command), nil
}

// Drain forgets what was shown before.
func (p *pos) Drain() {
	p.Reports.Drain()
	clear(p.report)
	p.rest, p.more, p.bad = nil, false, nil
}
