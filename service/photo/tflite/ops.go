package tflite

// The arithmetic. Every loop runs over channels or weights that lie one behind the other.

import "math"

// block is how many output channels are computed together.
const block = 8

// matrix is a convolution's weights, packed: for each block of output channels the weights of input 0 for all of them, then
// those of input 1, and so on. Blocks are filled up with zeros.
type matrix struct {
	outs, ins int
	weights   []float32
	bias      []float32 // filled up too
}

func pack(weights, bias []float32, outs, ins int) *matrix {
	blocks := (outs + block - 1) / block
	p := &matrix{outs: outs, ins: ins, weights: make([]float32, blocks*block*ins), bias: make([]float32, blocks*block)}
	copy(p.bias, bias)
	for o := range outs {
		for i := range ins {
			p.weights[(o/block*ins+i)*block+o%block] = weights[o*ins+i]
		}
	}
	return p
}

// multiply computes pixels rows of outs values from rows of ins values.
func (p *matrix) multiply(out, in []float32, pixels int, act activation) {
	var sums [4][block]float32
	for at := 0; at < pixels; at += 4 {
		n := min(4, pixels-at)
		// The last rows are computed again rather than fewer at a time.
		var rows [4][]float32
		for r := range rows {
			k := at + min(r, n-1)
			rows[r] = in[k*p.ins : (k+1)*p.ins]
		}
		for b := 0; b < p.outs; b += block {
			weights := p.weights[b*p.ins : (b+block)*p.ins]
			dot4(&sums, rows[0], rows[1], rows[2], rows[3], weights)
			width := min(block, p.outs-b)
			bias := p.bias[b : b+block]
			for r := range n {
				to := out[(at+r)*p.outs+b:][:width]
				for i := range to {
					v := sums[r][i] + bias[i]
					switch {
					case act == actNone:
					case v < 0:
						v = 0
					case act == actRelu6 && v > 6:
						v = 6
					}
					to[i] = v
				}
			}
		}
	}
}

// dotGo is the product of four rows with a block of packed weights.
func dotGo(sums *[4][block]float32, r0, r1, r2, r3, weights []float32) {
	n := len(r0)
	dot2(sums, 0, 0, r0, r1[:n], weights)
	dot2(sums, 0, 4, r0, r1[:n], weights)
	dot2(sums, 2, 0, r2[:n], r3[:n], weights)
	dot2(sums, 2, 4, r2[:n], r3[:n], weights)
}

// dot2 is two rows by four columns: as many sums as stay in registers.
func dot2(sums *[4][block]float32, row, column int, a, b, weights []float32) {
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	w := weights[column:]
	b = b[:len(a)]
	for i, x := range a {
		k := (*[4]float32)(w[block*i:])
		y := b[i]
		a0 += x * k[0]
		b0 += y * k[0]
		a1 += x * k[1]
		b1 += y * k[1]
		a2 += x * k[2]
		b2 += y * k[2]
		a3 += x * k[3]
		b3 += y * k[3]
	}
	*(*[4]float32)(sums[row][column:]) = [4]float32{a0, a1, a2, a3}
	*(*[4]float32)(sums[row+1][column:]) = [4]float32{b0, b1, b2, b3}
}

// gather lays what the kernel sees at each pixel of output row y one behind the other.
func (v *window) gather(rows, in []float32, y int) {
	line := v.kw * v.c
	for x := range v.ow {
		to := rows[x*v.kh*line : (x+1)*v.kh*line]
		left := x*v.sw - v.padLeft
		for ky := range v.kh {
			part := to[ky*line : (ky+1)*line]
			iy := y*v.sh - v.padTop + ky*v.dh
			if iy < 0 || iy >= v.h {
				clear(part)
				continue
			}
			row := in[iy*v.w*v.c : (iy+1)*v.w*v.c]
			if v.dw == 1 && left >= 0 && left+v.kw <= v.w {
				copy(part, row[left*v.c:(left+v.kw)*v.c])
				continue
			}
			for kx := range v.kw {
				ix := left + kx*v.dw
				if ix < 0 || ix >= v.w {
					clear(part[kx*v.c : (kx+1)*v.c])
				} else {
					copy(part[kx*v.c:], row[ix*v.c:(ix+1)*v.c])
				}
			}
		}
	}
}

func (v *window) depthwise(out, in, weights, bias []float32) {
	c := v.c
	for y := range v.oh {
		for x := range v.ow {
			to := out[(y*v.ow+x)*c:][:c]
			copy(to, bias)
			top, left := y*v.sh-v.padTop, x*v.sw-v.padLeft
			for ky := range v.kh {
				iy := top + ky*v.dh
				if iy < 0 || iy >= v.h {
					continue
				}
				if v.kw == 3 && v.dw == 1 && left >= 0 && left+3 <= v.w {
					multiplyAdd3(to, in[(iy*v.w+left)*c:][:3*c], weights[ky*3*c:][:3*c])
					continue
				}
				for kx := range v.kw {
					ix := left + kx*v.dw
					if ix >= 0 && ix < v.w {
						multiplyAdd(to, in[(iy*v.w+ix)*c:][:c], weights[(ky*v.kw+kx)*c:][:c])
					}
				}
			}
			activate(to, v.activation)
		}
	}
}

func multiplyAddGo(to, a, b []float32) {
	a, b = a[:len(to)], b[:len(to)]
	for i, v := range a {
		to[i] += v * b[i]
	}
}

// multiplyAdd3 adds the products of three neighbouring pixels.
func multiplyAdd3(to, a, b []float32) {
	c := len(to)
	multiplyAdd(to, a[:c], b[:c])
	multiplyAdd(to, a[c:2*c], b[c:2*c])
	multiplyAdd(to, a[2*c:3*c], b[2*c:3*c])
}

// pool takes the mean or the largest of what lies within the window and the picture.
func (v *window) pool(out, in []float32, largest bool) {
	for y := range v.oh {
		for x := range v.ow {
			to := out[(y*v.ow+x)*v.c:][:v.c]
			n := 0
			for ky := range v.kh {
				iy := y*v.sh - v.padTop + ky
				if iy < 0 || iy >= v.h {
					continue
				}
				for kx := range v.kw {
					ix := x*v.sw - v.padLeft + kx
					if ix < 0 || ix >= v.w {
						continue
					}
					from := in[(iy*v.w+ix)*v.c:][:v.c]
					switch {
					case n == 0:
						copy(to, from)
					case largest:
						for i, f := range from {
							to[i] = max(to[i], f)
						}
					default:
						for i, f := range from {
							to[i] += f
						}
					}
					n++
				}
			}
			if !largest {
				for i := range to {
					to[i] /= float32(n)
				}
			}
			activate(to, v.activation)
		}
	}
}

func activate(x []float32, act activation) {
	if act == actNone {
		return
	}
	for i, v := range x {
		if v < 0 {
			x[i] = 0
		} else if act == actRelu6 && v > 6 {
			x[i] = 6
		}
	}
}

func logistic(out, in []float32) {
	out = out[:len(in)]
	for i, v := range in {
		out[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}

// hardSwish is x * relu6(x+3) / 6.
func hardSwish(out, in []float32) {
	out = out[:len(in)]
	for i, v := range in {
		out[i] = v * min(6, max(0, v+3)) / 6
	}
}

func prelu(out, in, alpha []float32) {
	for at := 0; at < len(in); at += len(alpha) {
		x, o := in[at:at+len(alpha)], out[at:at+len(alpha)]
		for i, v := range x {
			if v < 0 {
				v *= alpha[i]
			}
			o[i] = v
		}
	}
}

// resizer interpolates between pixels.
type resizer struct {
	h, w, c, oh, ow int
	corners, half   bool
}

// source is which two pixels lie around output pixel i, and how far it is from the first.
func (r *resizer) source(i, from, to int) (lo, hi int, f float32) {
	scale := float32(from) / float32(to)
	if r.corners && to > 1 {
		scale = float32(from-1) / float32(to-1)
	}
	at := float32(i) * scale
	if r.half {
		at = (float32(i)+0.5)*scale - 0.5
	}
	floor := float32(math.Floor(float64(at)))
	lo = min(max(0, int(floor)), from-1)
	hi = min(max(0, int(floor)+1), from-1)
	return lo, hi, at - floor
}

func (r *resizer) run(out, in []float32) {
	for y := range r.oh {
		y0, y1, fy := r.source(y, r.h, r.oh)
		for x := range r.ow {
			x0, x1, fx := r.source(x, r.w, r.ow)
			a, b := in[(y0*r.w+x0)*r.c:][:r.c], in[(y0*r.w+x1)*r.c:][:r.c]
			d, e := in[(y1*r.w+x0)*r.c:][:r.c], in[(y1*r.w+x1)*r.c:][:r.c]
			to := out[(y*r.ow+x)*r.c:][:r.c]
			for i := range to {
				top := a[i] + (b[i]-a[i])*fx
				bottom := d[i] + (e[i]-d[i])*fx
				to[i] = top + (bottom-top)*fy
			}
		}
	}
}
