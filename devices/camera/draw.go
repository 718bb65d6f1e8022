package camera

// From what cameras send into the pixels that callers get, at preview rates.

import (
	"fmt"
	"image"

	"github.com/budayang/kiosk/devices"
)

// Coefficients times 65536 of the way from Y'CbCr of ITU-R BT.601 to R'G'B'.
const (
	redCr, greenCb, greenCr, blueCb = 91881, 22554, 46802, 116130 // full range (JFIF)
	// Video range has 16 to 235 for luma and 16 to 240 for chroma.
	videoY                                              = 76309 // 255/219
	videoRedCr, videoGreenCb, videoGreenCr, videoBlueCb = 104597, 25675, 53279, 132201
)

func clamp(v int32) byte {
	// Most values are in range: the sign bits tell at once.
	if uint32(v) > 0xFFFFFF {
		return byte(^(v >> 31) & 0xFF)
	}
	return byte(v >> 16)
}

// shrink is the divisor that a view asks for.
func shrink(v devices.View) (int, error) {
	switch v.Shrink {
	case 0, 1:
		return 1, nil
	case 2, 4:
		return v.Shrink, nil
	}
	return 0, fmt.Errorf("a preview is not shrunk by %d", v.Shrink)
}

// drawJPEG draws a decoded JPEG.
func drawJPEG(f *devices.Frame, img image.Image, by int, mirror bool) error {
	switch m := img.(type) {
	case *image.YCbCr:
		drawYCbCr(f, m, by, mirror)
	case *image.Gray:
		drawGray(f, m, by, mirror)
	default:
		return fmt.Errorf("%w: colours %T", errPicture, img)
	}
	return nil
}

// place is where in a row a pixel goes, and how far the next one is.
func place(width int, mirror bool) (first, step int) {
	if mirror {
		return 4 * (width - 1), -4
	}
	return 0, 4
}

// chromaShift is how many luma pixels, as a power of two, share a chroma sample.
func chromaShift(r image.YCbCrSubsampleRatio) (x, y int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 1, 0
	case image.YCbCrSubsampleRatio420:
		return 1, 1
	case image.YCbCrSubsampleRatio440:
		return 0, 1
	case image.YCbCrSubsampleRatio411:
		return 2, 0
	case image.YCbCrSubsampleRatio410:
		return 2, 1
	}
	return 0, 0
}

func drawYCbCr(f *devices.Frame, m *image.YCbCr, by int, mirror bool) {
	w, h := m.Rect.Dx()/by, m.Rect.Dy()/by
	f.Resize(w, h)
	first, step := place(w, mirror)
	sx, sy := chromaShift(m.SubsampleRatio)
	area, half := int32(by*by), int32(by*by/2)
	for y := range h {
		out := f.Pixels[4*w*y : 4*w*(y+1)]
		chroma := (y*by + by/2) >> sy * m.CStride
		cbs, crs := m.Cb[chroma:chroma+m.CStride], m.Cr[chroma:chroma+m.CStride]
		luma := m.Y[y*by*m.YStride:]
		if by == 1 {
			luma = luma[:m.Rect.Dx()]
			to, x := first, 0
			if sx == 1 { // as nearly all cameras send it: two pixels have the same colour
				for ; x+2 <= len(luma); x += 2 {
					cb, cr := int32(cbs[x/2])-128, int32(crs[x/2])-128
					r, g, b := redCr*cr, greenCb*cb+greenCr*cr, blueCb*cb
					l := int32(luma[x])<<16 + 1<<15
					p := out[to : to+4 : to+4]
					p[0], p[1], p[2], p[3] = clamp(l+r), clamp(l-g), clamp(l+b), 0xFF
					to += step
					l = int32(luma[x+1])<<16 + 1<<15
					p = out[to : to+4 : to+4]
					p[0], p[1], p[2], p[3] = clamp(l+r), clamp(l-g), clamp(l+b), 0xFF
					to += step
				}
			}
			for ; x < len(luma); x++ {
				c := x >> sx
				pixel(out[to:to+4:to+4], int32(luma[x])<<16+1<<15, int32(cbs[c])-128, int32(crs[c])-128)
				to += step
			}
			continue
		}
		to := first
		for x := range w {
			sum := half
			for v := range by {
				row := luma[v*m.YStride+x*by : v*m.YStride+x*by+by]
				for _, l := range row {
					sum += int32(l)
				}
			}
			c := (x*by + by/2) >> sx
			pixel(out[to:to+4:to+4], sum/area<<16+1<<15, int32(cbs[c])-128, int32(crs[c])-128)
			to += step
		}
	}
}

// pixel writes one pixel from full-range luma times 65536 and centred chroma.
func pixel(out []byte, y, cb, cr int32) {
	_ = out[3]
	out[0] = clamp(y + redCr*cr)
	out[1] = clamp(y - greenCb*cb - greenCr*cr)
	out[2] = clamp(y + blueCb*cb)
	out[3] = 0xFF
}

func drawGray(f *devices.Frame, m *image.Gray, by int, mirror bool) {
	w, h := m.Rect.Dx()/by, m.Rect.Dy()/by
	f.Resize(w, h)
	first, step := place(w, mirror)
	for y := range h {
		to := 4*w*y + first
		for x := range w {
			sum := 0
			for v := range by {
				for u := range by {
					sum += int(m.Pix[(y*by+v)*m.Stride+x*by+u])
				}
			}
			l := byte(sum / (by * by))
			out := f.Pixels[to : to+4 : to+4]
			out[0], out[1], out[2], out[3] = l, l, l, 0xFF
			to += step
		}
	}
}

// drawYUYV draws packed 4:2:2 with rows of stride bytes. Video range unless full.
func drawYUYV(f *devices.Frame, b []byte, width, height, stride int, full bool, by int, mirror bool) {
	w, h := width/by, height/by
	f.Resize(w, h)
	first, step := place(w, mirror)
	gain, black := int32(videoY), int32(16)
	kr, kgb, kgr, kb := int32(videoRedCr), int32(videoGreenCb), int32(videoGreenCr), int32(videoBlueCb)
	if full {
		gain, black, kr, kgb, kgr, kb = 1<<16, 0, redCr, greenCb, greenCr, blueCb
	}
	area, half := int32(by*by), int32(by*by/2)
	for y := range h {
		out := f.Pixels[4*w*y : 4*w*(y+1)]
		to := first
		if by == 1 {
			row := b[y*stride : y*stride+2*width]
			for ; len(row) >= 4; row = row[4:] {
				cb, cr := int32(row[1])-128, int32(row[3])-128
				r, g, bl := kr*cr, kgb*cb+kgr*cr, kb*cb
				l := (int32(row[0])-black)*gain + 1<<15
				p := out[to : to+4 : to+4]
				p[0], p[1], p[2], p[3] = clamp(l+r), clamp(l-g), clamp(l+bl), 0xFF
				to += step
				l = (int32(row[2])-black)*gain + 1<<15
				p = out[to : to+4 : to+4]
				p[0], p[1], p[2], p[3] = clamp(l+r), clamp(l-g), clamp(l+bl), 0xFF
				to += step
			}
			continue
		}
		for x := range w {
			sum := half
			for v := range by {
				row := b[(y*by+v)*stride+2*x*by:]
				for u := range by {
					sum += int32(row[2*u])
				}
			}
			middle := b[(y*by+by/2)*stride+2*x*by:]
			cb, cr := int32(middle[1])-128, int32(middle[3])-128
			l := (sum/area-black)*gain + 1<<15
			p := out[to : to+4 : to+4]
			p[0], p[1], p[2], p[3] = clamp(l+kr*cr), clamp(l-kgb*cb-kgr*cr), clamp(l+kb*cb), 0xFF
			to += step
		}
	}
}
