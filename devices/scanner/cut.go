package scanner

// Where a code ends: by its suffix, by silence or by its last report, within its limit.

import (
	"bytes"
	"unicode/utf8"

	"github.com/budayang/kiosk/devices"
)

// cutter collects one code. It keeps at most the profile's limit and its wrapping.
type cutter struct {
	p    Profile
	buf  []byte
	over bool // longer than the limit: the rest is dropped until its end
}

func newCutter(p Profile) *cutter {
	return &cutter{p: p, buf: make([]byte, 0, p.limit()+len(p.Prefix)+len(p.Suffix))}
}

func (c *cutter) begun() bool { return len(c.buf) > 0 || c.over }

// wipe leaves no copy behind.
func (c *cutter) wipe() { clear(c.buf[:cap(c.buf)]) }

// feed takes bytes. done with the code or why there is none; what follows the code in p is another one and is dropped.
func (c *cutter) feed(p []byte) (code []byte, done bool, err error) {
	for _, b := range p {
		if len(c.buf) == cap(c.buf) {
			// Only the last bytes matter any more: they may be the suffix.
			c.over = true
			keep := copy(c.buf, c.buf[len(c.buf)-len(c.p.Suffix):])
			c.buf = c.buf[:keep]
		}
		c.buf = append(c.buf, b)
		if c.p.Framing == "" && len(c.p.Suffix) > 0 && bytes.HasSuffix(c.buf, c.p.Suffix) {
			if len(c.buf) == len(c.p.Suffix) && !c.over && len(c.p.Prefix) == 0 {
				c.buf = c.buf[:0] // an end without a code: the LF of a CR LF, or noise
				continue
			}
			code, err = c.finish(len(c.buf) - len(c.p.Suffix))
			return code, true, err
		}
	}
	return nil, false, nil
}

// silence is the end of a code that has no suffix, and of one whose suffix was lost.
func (c *cutter) silence() ([]byte, error) {
	if (len(c.p.Suffix) > 0 || c.p.Framing == framingPOS) && !c.over {
		return nil, devices.ErrCodeUnreadable
	}
	return c.finish(len(c.buf))
}

// end is the end of the last report; a suffix that the engine puts behind every code is none of the code's.
func (c *cutter) end() ([]byte, error) {
	return c.finish(len(bytes.TrimSuffix(c.buf, c.p.Suffix)))
}

func (c *cutter) finish(end int) ([]byte, error) {
	if c.over {
		return nil, devices.ErrCodeTooLong
	}
	code, wrapped := bytes.CutPrefix(c.buf[:end], c.p.Prefix)
	switch {
	case !wrapped || len(code) == 0:
		return nil, devices.ErrCodeUnreadable
	case len(code) > c.p.limit():
		return nil, devices.ErrCodeTooLong
	case c.p.Text == "utf-8" && !readable(code):
		return nil, devices.ErrCodeUnreadable
	}
	return bytes.Clone(code), nil
}

// readable: UTF-8 without control characters, but for those that structure a code (HT, LF, CR; FS, GS, RS, US, EOT of
// ISO/IEC 15434).
func readable(code []byte) bool {
	if !utf8.Valid(code) {
		return false
	}
	for _, b := range code {
		if (b < 0x20 && bytes.IndexByte([]byte{0x04, 0x09, 0x0A, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F}, b) < 0) || b == 0x7F {
			return false
		}
	}
	return true
}
