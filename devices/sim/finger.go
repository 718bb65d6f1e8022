package sim

// Fingers that nobody has. A finger's ridges are where the cosine of a phase is high: the phase grows from ridge to ridge over a
// pattern (arch, loop, whorl) that is bent a little, and winds once around each of some hundred points, at which a ridge begins or
// forks. Where the points lie is the finger's own: it comes from a hash of the person's number and the finger. The idea of spirals in the
// phase is Larkin and Fletcher's (2007); nothing is copied from a real finger.

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// A Finger is a synthetic one. The zero value is nobody's.
type Finger struct {
	kind   int // 0 arch, 1 and 2 loops, 3 whorl
	period float64
	bend   [6]wave
	forks  []fork
}

type wave struct{ kx, ky, phase, ax, ay float64 }

type fork struct{ x, y, turn float64 }

// FingerOf is finger number n, 1 to 10, of a person, whose number says which one.
func FingerOf(number string, n int) Finger {
	h := sha256.Sum256(append([]byte("finger "+number+" "), byte(n)))
	r := rand.New(rand.NewPCG(binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])))
	f := Finger{kind: r.IntN(4), period: 8.6 + 1.2*r.Float64()}
	for i := range f.bend {
		angle, length := 2*math.Pi*r.Float64(), 90+110*r.Float64()
		f.bend[i] = wave{2 * math.Pi / length * math.Cos(angle), 2 * math.Pi / length * math.Sin(angle), 2 * math.Pi * r.Float64(), 6 * r.Float64(), 6 * r.Float64()}
	}
	// Points no nearer to each other than two ridges, over more than any sensor sees of the finger.
	for tries := 0; len(f.forks) < 120 && tries < 6000; tries++ {
		p := fork{x: 360*r.Float64() - 180, y: 440*r.Float64() - 220, turn: float64(1 - 2*(len(f.forks)%2))}
		near := false
		for _, o := range f.forks {
			near = near || math.Hypot(o.x-p.x, o.y-p.y) < 18
		}
		if !near {
			f.forks = append(f.forks, p)
		}
	}
	return f
}

// ridge is how high the skin stands at a point, -1 to 1; x and y in pixels of 500 dpi from the middle of the finger's pad, y downwards.
func (f *Finger) ridge(x, y float64) float64 {
	u, v := x, y
	for _, w := range f.bend {
		s := math.Sin(w.kx*x + w.ky*y + w.phase)
		u += w.ax * s
		v += w.ay * s
	}
	var d float64 // distance along the ridges' normal, in pixels
	switch f.kind {
	case 0:
		d = v - 34*math.Exp(-u*u/5000)*math.Exp(-v*v/30000)
	case 3:
		d = math.Hypot(u/0.85, v+10)
	default:
		side := float64(3 - 2*f.kind)
		lean := v + 20 - side*0.35*u
		d = math.Hypot(u, math.Min(lean, 0)) + 0.9*math.Max(lean, 0)*0.35*math.Tanh(u*side/60)
	}
	phase := 2 * math.Pi * d / f.period
	for _, p := range f.forks {
		phase += p.turn * math.Atan2(y-p.y, x-p.x)
	}
	return math.Cos(phase)
}

// A Press is how a finger lies on a sensor. The zero value is a good one, straight and in the middle.
type Press struct {
	X, Y    float64 // where its middle is, in pixels of 500 dpi from the sensor's, to the right and down
	Turn    float64 // degrees
	Stretch float64 // how much the skin is pulled, -1 to 1
	Wet     bool    // valleys are filled
	Dry     bool    // ridges are broken
	Smeared bool    // it moved meanwhile
	Tip     bool    // only its tip lies there
	Grain   uint64  // noise of this picture
}

// Picture is the finger as a sensor of a size sees it: 8 bits a pixel, 0 is a ridge. It has 16 shades, as what comes over a line.
func (f *Finger) Picture(p Press, width, height int) []byte {
	r := rand.New(rand.NewPCG(p.Grain, 0x66696e67))
	sin, cos := math.Sincos(p.Turn * math.Pi / 180)
	pull := 1 + 0.03*p.Stretch
	pic := make([]byte, width*height)
	row := make([]float64, width)
	speckle := make([]float64, 0, 16)
	for range 16 {
		speckle = append(speckle, 2*math.Pi*r.Float64())
	}
	for y := range height {
		for x := range width {
			px, py := float64(x)-float64(width)/2-p.X, float64(y)-float64(height)/2-p.Y
			fx, fy := (cos*px+sin*py)*pull, (-sin*px+cos*py)/pull
			rx, ry := 112.0, 140.0
			if p.Tip {
				fy -= 120
				rx, ry = 55, 150
			}
			edge := (fx/rx)*(fx/rx) + (fy/ry)*(fy/ry)
			v := 1.0 // bare glass
			if edge < 1 && (!p.Tip || fy < -55) {
				h, bias, gain := f.ridge(fx, fy), 0.05, 2.2
				switch {
				case p.Wet:
					bias, gain = 0.95, 1.4
				case p.Dry:
					// Ridges that touch here and there only.
					patch := math.Sin(fx/7+speckle[0]) + math.Sin(fy/5+speckle[1]) + math.Sin((fx+fy)/9+speckle[2]) + math.Sin((fx-fy)/4+speckle[3])
					bias, gain = -0.9+0.25*patch, 1.6
				}
				v = 1 - 0.9/(1+math.Exp(-2*gain*(h+bias)))
				v += (1 - v) * math.Max(0, 8*edge-7) // fades at the edge
			}
			v += 0.09 * (r.Float64() - 0.5) * 2
			row[x] = v
		}
		if p.Smeared {
			const span = 11
			for x := range width {
				sum, n := 0.0, 0
				for k := max(0, x-span); k <= min(width-1, x+span); k++ {
					sum += row[k]
					n++
				}
				pic[y*width+x] = shade(sum / float64(n))
			}
			continue
		}
		for x, v := range row {
			pic[y*width+x] = shade(v)
		}
	}
	if p.Smeared { // and down
		for x := range width {
			for y := height - 1; y >= 12; y-- {
				sum := 0
				for k := range 12 {
					sum += int(pic[(y-k)*width+x])
				}
				pic[y*width+x] = byte(sum/12/17) * 17
			}
		}
	}
	return pic
}

// shade is one of 16.
func shade(v float64) byte { return byte(math.Round(15*math.Min(1, math.Max(0, v)))) * 17 }
