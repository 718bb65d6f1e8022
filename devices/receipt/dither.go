package receipt

// From grey to black and white: letters and codes by threshold, portraits by error diffusion.

import "image"

// threshold cuts at half grey and packs eight dots a byte, most significant left, 1 is black.
func threshold(img *image.Gray) (rows []byte, stride int) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	stride = (w + 7) / 8
	rows = make([]byte, stride*h)
	for y := range h {
		src := img.Pix[y*img.Stride : y*img.Stride+w]
		dst := rows[y*stride : (y+1)*stride]
		for x, v := range src {
			if v < 128 {
				dst[x>>3] |= 0x80 >> (x & 7)
			}
		}
	}
	return rows, stride
}

// tone lightens before diffusion: heads burn dots larger than they are, and faces come out too dark.
var tone = func() (t [256]int32) {
	for i := range t {
		t[i] = min(255, int32(i)+int32(255-i)*24/255+6)
	}
	return t
}()

// dither is Floyd–Steinberg in serpentine order, packing while it diffuses. Errors are kept in sixteenths, in two rows.
func dither(img *image.Gray) (rows []byte, stride int) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	stride = (w + 7) / 8
	rows = make([]byte, stride*h)
	now, below := make([]int32, w+2), make([]int32, w+2)
	for y := range h {
		src := img.Pix[y*img.Stride : y*img.Stride+w]
		dst := rows[y*stride : (y+1)*stride]
		clear(below)
		if y&1 == 0 {
			carry := int32(0)
			for x := range w {
				v := tone[src[x]] + (now[x+1]+carry)/16
				e := v
				if v < 128 {
					dst[x>>3] |= 0x80 >> (x & 7)
				} else {
					e = v - 255
				}
				carry = e * 7
				below[x] += e * 3
				below[x+1] += e * 5
				below[x+2] += e
			}
		} else {
			carry := int32(0)
			for x := w - 1; x >= 0; x-- {
				v := tone[src[x]] + (now[x+1]+carry)/16
				e := v
				if v < 128 {
					dst[x>>3] |= 0x80 >> (x & 7)
				} else {
					e = v - 255
				}
				carry = e * 7
				below[x+2] += e * 3
				below[x+1] += e * 5
				below[x] += e
			}
		}
		now, below = below, now
	}
	return rows, stride
}
