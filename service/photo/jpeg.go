package photo

// The file: JPEG with its density, of a size within a window.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
)

// ErrSize: no quality gives a file within the window.
var ErrSize = errors.New("photo: no JPEG quality gives a file of the size wanted")

// encode writes the picture with the profile's density and within its sizes, with nearly the highest quality that allows.
func encode(m image.Image, p Profile) (file []byte, quality int, err error) {
	var best, out sheet
	defer func() { out.wipe(); best.wipe() }()
	lo, hi, tooSmall := p.QualityLeast, p.QualityMost, 0
	for lo <= hi {
		q := (lo + hi) / 2
		out.b = out.b[:0]
		if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: q}); err != nil {
			return nil, 0, fmt.Errorf("photo: %w", err)
		}
		n := len(out.b) + jfifBytes
		if n > p.BytesMost {
			hi = q - 1
			continue
		}
		if n < p.BytesLeast {
			tooSmall = n
		} else {
			quality = q
			best, out = out, best
			// Within the window the quality is only raised as far as it is worth an encoding.
			if n > p.BytesMost-(p.BytesMost-p.BytesLeast)/8 {
				break
			}
		}
		lo = q + 1
	}
	if quality == 0 {
		return nil, 0, fmt.Errorf("%w: %d to %d bytes (%d at the highest quality below)", ErrSize, p.BytesLeast, p.BytesMost, tooSmall)
	}
	return withDensity(best.b, p.DPI), quality, nil
}

// sheet is what is being written. It is wiped where it was when it moves; having all three methods, it has no buffer of the encoder's
// before it that nobody wipes.
type sheet struct{ b []byte }

func (s *sheet) room(n int) {
	if len(s.b)+n <= cap(s.b) {
		return
	}
	larger := append(make([]byte, 0, max(32<<10, 2*cap(s.b), len(s.b)+n)), s.b...)
	s.wipe()
	s.b = larger
}

// Write implements io.Writer.
func (s *sheet) Write(p []byte) (int, error) {
	s.room(len(p))
	s.b = append(s.b, p...)
	return len(p), nil
}

// WriteByte implements io.ByteWriter.
func (s *sheet) WriteByte(c byte) error {
	s.room(1)
	s.b = append(s.b, c)
	return nil
}

// Flush has nothing to do.
func (s *sheet) Flush() error { return nil }

func (s *sheet) wipe() { clear(s.b[:cap(s.b)]) }

// jfifBytes is what [withDensity] adds.
const jfifBytes = 18

// withDensity puts a JFIF segment (ITU-T T.871) behind the SOI marker: the library's encoder writes none, and a photo without
// a density has no size in millimetres.
func withDensity(b []byte, dpi int) []byte {
	out := make([]byte, 0, len(b)+jfifBytes)
	out = append(out, b[:2]...)
	out = append(out, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 1)
	out = binary.BigEndian.AppendUint16(out, uint16(dpi))
	out = binary.BigEndian.AppendUint16(out, uint16(dpi))
	out = append(out, 0, 0)
	return append(out, b[2:]...)
}
