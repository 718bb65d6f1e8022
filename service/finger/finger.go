// Package finger judges pictures of fingers: whether one is worth comparing, and if not, what the person should do. It compares nothing.
//
//	q := finger.Judge(pixels, width, height)
//	if q.Advice != finger.AdviceNone { … }
//
// A picture is looked at in blocks of 16 by 16 pixels: a block that is not bare glass is covered, and how far black and white lie
// apart in the covered ones is the contrast. The limits were found with the synthetic fingers of devices/sim; no real sensor's pictures were
// at hand.
package finger

import "math"

// Advice is what the person should do.
type Advice string

// Advices. The string is a part of the words' id, "svc.finger.WORD".
const (
	AdviceNone  Advice = ""
	AdviceSmall Advice = "small" // lay more of the finger down
	AdviceDry   Advice = "dry"   // breathe on it
	AdviceWet   Advice = "wet"   // dry it
	AdviceBlur  Advice = "blur"  // keep it still, wipe the glass
)

// Limits of a picture that is worth comparing.
const (
	block       = 16 // pixels a side
	bare        = 18 // spread of a block, of 127, below which it is bare glass or one dark patch
	leastArea   = 0.30
	leastSpread = 0.30 // of the covered blocks
	mostDark    = 0.58
	leastDark   = 0.32
)

// Quality of a picture.
type Quality struct {
	Area     float64 // share of the picture that is covered, 0 to 1
	Contrast float64 // mean spread of the covered blocks, 0 (one shade) to 1 (black and white)
	Dark     float64 // mean share of ridge in the covered blocks, 0 to 1
	Advice   Advice
}

// Judge looks at a picture of width × height pixels, 0 is a ridge, 255 bare glass. A picture of another size is one of nothing.
func Judge(pixels []byte, width, height int) (q Quality) {
	if width < block || height < block || len(pixels) != width*height {
		return Quality{Advice: AdviceSmall}
	}
	blocks, covered := 0, 0
	for y := 0; y+block <= height; y += block {
		for x := 0; x+block <= width; x += block {
			blocks++
			sum, squares := 0.0, 0.0
			for dy := range block {
				for _, v := range pixels[(y+dy)*width+x : (y+dy)*width+x+block] {
					sum += float64(v)
					squares += float64(v) * float64(v)
				}
			}
			const n = block * block
			mean := sum / n
			spread := math.Sqrt(max(0, squares/n-mean*mean))
			if spread < bare && mean > 200 {
				continue // bare glass
			}
			covered++
			q.Contrast += spread / 127.5
			q.Dark += 1 - mean/255
		}
	}
	q.Area = float64(covered) / float64(blocks)
	if covered > 0 {
		q.Contrast /= float64(covered)
		q.Dark /= float64(covered)
	}
	switch {
	case q.Area < leastArea:
		q.Advice = AdviceSmall
	case q.Dark > mostDark:
		q.Advice = AdviceWet
	case q.Dark < leastDark:
		q.Advice = AdviceDry
	case q.Contrast < leastSpread:
		q.Advice = AdviceBlur
	}
	return q
}
