package fingersim

// Comparing two pictures of fingers by their minutiae, the classical way: ridges are followed along their direction, made black and
// white, thinned to lines; where a line ends or forks is a minutia. Two fingers are laid over each other wherever one of each may be the
// same, and what falls together is counted. It is a simulator's comparison: good enough for synthetic fingers, for no real ones.

import (
	"cmp"
	"math"
	"slices"
)

// most minutiae that are compared, the best inside of the finger first.
const most = 80

// minutia is where a ridge ends or forks, in pixels of 500 dpi from the middle of the picture; angle is the ridges' direction there,
// without a sense: 0 to π.
type minutia struct {
	x, y, angle float64
}

// print is what is kept of a picture.
type print struct {
	points []minutia
	area   float64 // share of the picture that is finger
}

// plane is a picture of numbers.
type plane struct {
	w, h int
	v    []float32
}

func newPlane(w, h int) plane { return plane{w, h, make([]float32, w*h)} }

// mean is the mean over a window of side 2r+1, by sums of sums.
func (p plane) mean(r int) plane {
	sum := make([]float64, (p.w+1)*(p.h+1))
	for y := range p.h {
		row := 0.0
		for x := range p.w {
			row += float64(p.v[y*p.w+x])
			sum[(y+1)*(p.w+1)+x+1] = sum[y*(p.w+1)+x+1] + row
		}
	}
	out := newPlane(p.w, p.h)
	for y := range p.h {
		y0, y1 := max(0, y-r), min(p.h, y+r+1)
		for x := range p.w {
			x0, x1 := max(0, x-r), min(p.w, x+r+1)
			s := sum[y1*(p.w+1)+x1] - sum[y0*(p.w+1)+x1] - sum[y1*(p.w+1)+x0] + sum[y0*(p.w+1)+x0]
			out.v[y*p.w+x] = float32(s / float64((y1-y0)*(x1-x0)))
		}
	}
	return out
}

func (p plane) with(q plane, f func(a, b float32) float32) plane {
	out := newPlane(p.w, p.h)
	for i := range p.v {
		out.v[i] = f(p.v[i], q.v[i])
	}
	return out
}

func times(a, b float32) float32 { return a * b }

// extract finds the minutiae. pixels are w×h, 0 is a ridge.
func extract(pixels []byte, w, h, dpi int) print {
	p := newPlane(w, h)
	for i, b := range pixels {
		p.v[i] = float32(b)
	}
	p = p.mean(1)
	// Where it is finger: where black and white lie side by side.
	avg := p.mean(10)
	flat := p.with(avg, func(a, b float32) float32 { return a - b })
	spread := flat.with(flat, times).mean(10)
	mask := make([]bool, w*h)
	area := 0
	for i, v := range spread.v {
		if mask[i] = v > 26*26; mask[i] {
			area++
		}
	}
	out := print{area: float64(area) / float64(w*h)}
	angle, sure := direction(flat)
	smooth := along(flat, angle)
	black := make([]bool, w*h)
	for i, v := range smooth.v {
		black[i] = v < 0 && mask[i]
	}
	thin(black, w, h)
	inside := erode(mask, w, h, 16)
	var all []minutia
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			i := y*w + x
			if !black[i] || !inside[i] || sure.v[i] < 0.25 {
				continue
			}
			if n := crossings(black, i, w); n == 1 || n == 3 {
				all = append(all, minutia{float64(x), float64(y), float64(angle.v[i])})
			}
		}
	}
	// What lies next to another one is an island, a bridge or a spur.
	var good []minutia
	for i, m := range all {
		if !slices.ContainsFunc(all, func(o minutia) bool { return o != all[i] && math.Hypot(o.x-m.x, o.y-m.y) < 7 }) {
			good = append(good, m)
		}
	}
	cx, cy, scale := float64(w)/2, float64(h)/2, 500/float64(dpi)
	for i := range good {
		good[i].x, good[i].y = (good[i].x-cx)*scale, (good[i].y-cy)*scale
	}
	slices.SortFunc(good, func(a, b minutia) int { return cmp.Compare(math.Hypot(a.x, a.y), math.Hypot(b.x, b.y)) })
	out.points = good[:min(len(good), most)]
	return out
}

// direction is the ridges' direction at each pixel, 0 to π, and how sure it is, 0 to 1: from the gradients around.
func direction(p plane) (angle, sure plane) {
	xx, yy, xy := newPlane(p.w, p.h), newPlane(p.w, p.h), newPlane(p.w, p.h)
	for y := 1; y < p.h-1; y++ {
		for x := 1; x < p.w-1; x++ {
			i := y*p.w + x
			gx, gy := p.v[i+1]-p.v[i-1], p.v[i+p.w]-p.v[i-p.w]
			xx.v[i], yy.v[i], xy.v[i] = gx*gx, gy*gy, gx*gy
		}
	}
	xx, yy, xy = xx.mean(7), yy.mean(7), xy.mean(7)
	angle, sure = newPlane(p.w, p.h), newPlane(p.w, p.h)
	for i := range p.v {
		d, o := float64(xx.v[i]-yy.v[i]), 2*float64(xy.v[i])
		a := math.Atan2(o, d)/2 + math.Pi/2 // across the gradient
		angle.v[i] = float32(math.Mod(a+math.Pi, math.Pi))
		if e := float64(xx.v[i] + yy.v[i]); e > 0 {
			sure.v[i] = float32(math.Hypot(d, o) / e)
		}
	}
	return angle, sure
}

// along averages each pixel with those before and behind it on its ridge.
func along(p, angle plane) plane {
	out := newPlane(p.w, p.h)
	for y := range p.h {
		for x := range p.w {
			i := y*p.w + x
			s, c := math.Sincos(float64(angle.v[i]))
			sum, n := float32(0), float32(0)
			for k := -4; k <= 4; k++ {
				u, v := x+int(math.Round(float64(k)*c)), y+int(math.Round(float64(k)*s))
				if u >= 0 && u < p.w && v >= 0 && v < p.h {
					sum += p.v[v*p.w+u]
					n++
				}
			}
			out.v[i] = sum / n
		}
	}
	return out
}

// around are the eight neighbours of a pixel, clockwise from above.
func around(black []bool, i, w int) [8]bool {
	return [8]bool{black[i-w], black[i-w+1], black[i+1], black[i+w+1], black[i+w], black[i+w-1], black[i-1], black[i-w-1]}
}

// crossings is how many lines leave a pixel.
func crossings(black []bool, i, w int) (n int) {
	a := around(black, i, w)
	for k := range 8 {
		if a[k] != a[(k+1)%8] {
			n++
		}
	}
	return n / 2
}

// thin makes lines of ridges (Zhang and Suen, 1984).
func thin(black []bool, w, h int) {
	for x := range w {
		black[x], black[(h-1)*w+x] = false, false
	}
	for y := range h {
		black[y*w], black[y*w+w-1] = false, false
	}
	var off []int
	for {
		before := 0
		for pass := range 2 {
			off = off[:0]
			for y := 1; y < h-1; y++ {
				for x := 1; x < w-1; x++ {
					i := y*w + x
					if !black[i] {
						continue
					}
					a := around(black, i, w)
					n := 0
					for _, b := range a {
						if b {
							n++
						}
					}
					if n < 2 || n > 6 || crossings(black, i, w) != 1 {
						continue
					}
					if pass == 0 && (a[0] && a[2] && a[4] || a[2] && a[4] && a[6]) || pass == 1 && (a[0] && a[2] && a[6] || a[0] && a[4] && a[6]) {
						continue
					}
					off = append(off, i)
				}
			}
			for _, i := range off {
				black[i] = false
			}
			before += len(off)
		}
		if before == 0 {
			return
		}
	}
}

// erode takes a rim of r pixels off.
func erode(mask []bool, w, h, r int) []bool {
	p := newPlane(w, h)
	for i, b := range mask {
		if b {
			p.v[i] = 1
		}
	}
	p = p.mean(r)
	out := make([]bool, w*h)
	for i, v := range p.v {
		y, x := i/w, i%w
		out[i] = v > 0.999 && x >= r && y >= r && x < w-r && y < h-r
	}
	return out
}

// How near two minutiae must fall together, and how far one finger may be turned against the other.
const (
	nearPixels = 9.0
	nearAngle  = 18 * math.Pi / 180
	mostTurn   = 40 * math.Pi / 180
)

// turned is the difference of two directions without a sense, -π/2 to π/2.
func turned(a, b float64) float64 {
	d := math.Mod(a-b, math.Pi)
	switch {
	case d > math.Pi/2:
		d -= math.Pi
	case d < -math.Pi/2:
		d += math.Pi
	}
	return d
}

// score is how alike two prints are: of the minutiae that both could have, the share that falls together where most of them do, with a
// discount for few. 0 to 1.
func score(a, b print) float64 {
	best := 0.0
	used := make([]bool, len(b.points))
	for _, p := range a.points {
		for _, q := range b.points {
			turn := turned(q.angle, p.angle)
			if math.Abs(turn) > mostTurn {
				continue
			}
			sin, cos := math.Sincos(turn)
			clear(used)
			together, could := 0, 0
			for _, m := range a.points {
				dx, dy := m.x-p.x, m.y-p.y
				x, y := q.x+cos*dx-sin*dy, q.y+sin*dx+cos*dy
				if !b.covers(x, y) {
					continue
				}
				could++
				k, d := -1, nearPixels
				for i, o := range b.points {
					if used[i] || math.Abs(o.x-x) > nearPixels || math.Abs(turned(o.angle, m.angle+turn)) > nearAngle {
						continue
					}
					if n := math.Hypot(o.x-x, o.y-y); n < d {
						k, d = i, n
					}
				}
				if k >= 0 {
					used[k] = true
					together++
				}
			}
			if could < 8 {
				continue
			}
			best = max(best, float64(together)/float64(max(could, 14)))
		}
	}
	return best
}

// covers says whether a place lies within a print's own minutiae, roughly.
func (p print) covers(x, y float64) bool {
	for _, m := range p.points {
		if math.Abs(m.x-x) < 30 && math.Abs(m.y-y) < 30 {
			return true
		}
	}
	return false
}
