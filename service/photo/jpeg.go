package photo

// The file: JPEG with its density, of a size within a window.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
)

// ErrSize: no quality gives a file within the window.
var ErrSize = errors.New("photo: no JPEG quality gives a file of the size wanted")

// encode writes the picture with the profile's density and within its sizes, with nearly the highest quality that allows.
func encode(m image.Image, p Profile) (file []byte, quality int, err error) {
	var best, out sheet
	defer func() { out.wipe(); best.wipe() }()
	lo, hi, tooSmall := p.QualityLeast, p.QualityMost, 0
	guess := guesser{target: float64(p.BytesMost) - float64(p.BytesMost-p.BytesLeast)/16}
	for lo <= hi {
		q := guess.next(lo, hi)
		out.b = out.b[:0]
		if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: q}); err != nil {
			return nil, 0, fmt.Errorf("photo: %w", err)
		}
		n := len(out.b) + jfifBytes
		guess.saw(q, n)
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

// guesses is how many qualities are guessed by the sizes so far before halves are taken.
const guesses = 4

// guesser finds the quality that gives a size in fewer encodings than halving does: a file's size goes roughly with a power of what the
// encoder multiplies its divisors by, and that power is known after two encodings.
type guesser struct {
	target float64
	tried  int
	power  float64
	divide [2]float64 // logarithms of the last two divisors' factor, the last one first
	size   [2]float64 // and of the sizes
}

// next is what to try between two qualities.
func (g *guesser) next(lo, hi int) int {
	if g.tried == 0 || g.tried >= guesses {
		return (lo + hi) / 2
	}
	factor := math.Exp(g.divide[0] + (g.size[0]-math.Log(g.target))/g.power)
	q := (200 - factor) / 2
	if factor > 100 {
		q = 5000 / factor
	}
	return min(max(lo, int(q+0.5)), hi)
}

// saw notes the size that a quality gave.
func (g *guesser) saw(q, n int) {
	factor := 200 - 2*float64(q) // as image/jpeg has it from libjpeg
	if q < 50 {
		factor = 5000 / float64(q)
	}
	g.divide[1], g.size[1] = g.divide[0], g.size[0]
	g.divide[0], g.size[0] = math.Log(max(1, factor)), math.Log(float64(n))
	if g.tried++; g.tried == 1 {
		g.power = 0.6 // of a face before a plain wall
	} else if d := g.divide[1] - g.divide[0]; d != 0 {
		g.power = min(2, max(0.2, (g.size[0]-g.size[1])/d))
	}
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
