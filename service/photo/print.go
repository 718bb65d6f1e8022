package photo

// A hint that the camera sees a print which somebody holds up: straight edges to the left, to the right and above the head that end where
// they meet. A print that fills the whole picture, or one without edges, is not seen by this.

import (
	"image"
	"math"

	"github.com/budayang/kiosk/service/photo/face"
)

// printed grids are sampled in fields of the eyes' distance divided by perEye.
const (
	perEye   = 24
	printW   = 9 * perEye // four and a half to either side of the eyes
	printH   = 8 * perEye
	mostTilt = 10 // degrees
	step     = 3  // levels of luma by which an edge differs, at least
)

// printEdges is how much of the shortest of the three edges is there, 0 to 1. The picture is the camera's, whole.
func printEdges(m *image.RGBA, mesh *face.Mesh) float64 {
	a, b := mesh.Eyes()
	field := distance(a, b) / perEye
	if field < 1 {
		return 0
	}
	small := shrunk(m, field)
	defer clear(small.v)
	cx, cy := (a.X+b.X)/2/field, (a.Y+b.Y)/2/field
	grid := make([]float32, printW*printH)
	defer clear(grid)
	best := 0.0
	for degrees := -mostTilt; degrees <= mostTilt; degrees++ {
		s, c := math.Sincos(float64(degrees) * math.Pi / 180)
		sample := func(from, to int) {
			for y := from; y < to; y++ {
				v := float64(y - printH/2)
				for x := range printW {
					u := float64(x - printW/2)
					grid[y*printW+x] = small.at(cx+c*u-s*v, cy+s*u+c*v)
				}
			}
		}
		// Most pictures have nothing beside the head: what is above it is sampled only for the others.
		sample(besideFrom, besideTo)
		e := edgesBeside(grid)
		if min(e.left, e.right) < 0.5 {
			continue
		}
		sample(0, besideFrom)
		best = max(best, e.above(grid))
	}
	return best
}

// levels is a picture's luma in fields of some pixels.
type levels struct {
	w, h int
	v    []float32
}

func shrunk(m *image.RGBA, field float64) levels {
	out := levels{w: int(float64(m.Rect.Dx()) / field), h: int(float64(m.Rect.Dy()) / field)}
	out.v = make([]float32, out.w*out.h)
	for y := range out.h {
		y0, y1 := int(float64(y)*field), int(float64(y+1)*field)
		for x := range out.w {
			x0, x1 := int(float64(x)*field), int(float64(x+1)*field)
			sum := 0.0
			for j := y0; j < y1; j++ {
				for i := x0; i < x1; i++ {
					sum += luma(m.Pix[j*m.Stride+4*i:])
				}
			}
			out.v[y*out.w+x] = float32(sum / float64((y1-y0)*(x1-x0)))
		}
	}
	return out
}

// outside is no level: of what the camera does not see.
const outside = -1000

func (l levels) at(x, y float64) float32 {
	i, j := int(math.Floor(x)), int(math.Floor(y))
	if i < 0 || j < 0 || i+1 >= l.w || j+1 >= l.h {
		return outside
	}
	fx, fy := float32(x-float64(i)), float32(y-float64(j))
	p, q := l.v[j*l.w+i:], l.v[(j+1)*l.w+i:]
	return (p[0]*(1-fx)+p[1]*fx)*(1-fy) + (q[0]*(1-fx)+q[1]*fx)*fy
}

// The rows of a grid in which edges beside the head are looked for. The eyes are in its middle.
const (
	middleX, middleY = printW / 2, printH / 2
	besideFrom       = middleY - perEye
	besideTo         = middleY + 3*perEye/2
)

// along is the share of a line's places at which it is darker on the same side.
func along(grid []float32, at func(i int) int, side, from, to int) float64 {
	lighter, darker := 0, 0
	for i := from; i < to; i++ {
		k := at(i)
		a, b := grid[k-side], grid[k+side]
		if a == outside || b == outside {
			continue
		}
		if d := b - a; d > step {
			lighter++
		} else if d < -step {
			darker++
		}
	}
	return float64(max(lighter, darker)) / float64(to-from)
}

func upright(grid []float32, x, from, to int) float64 {
	return along(grid, func(i int) int { return i*printW + x }, 1, from, to)
}

// largest is the largest value and where it is.
func largest(from, to int, f func(int) float64) (most float64, at int) {
	for i := from; i < to; i++ {
		if v := f(i); v > most {
			most, at = v, i
		}
	}
	return most, at
}

// beside are the best edges to the left and to the right, and their columns.
type beside struct {
	left, right float64
	lx, rx      int
}

// edgesBeside needs the grid's rows from besideFrom to besideTo. The head itself is narrower than 1.3 of the eyes' distance to either side.
func edgesBeside(grid []float32) (e beside) {
	const near, far = 13 * perEye / 10, 43 * perEye / 10
	at := func(x int) float64 { return upright(grid, x, besideFrom, besideTo) }
	e.left, e.lx = largest(middleX-far, middleX-near, at)
	e.right, e.rx = largest(middleX+near, middleX+far, at)
	return e
}

// above looks for the edge that ends both, in the rows before besideTo, and is the weakest of the three. The head's top is round.
func (e beside) above(grid []float32) float64 {
	above, ty := largest(middleY-38*perEye/10, middleY-perEye, func(y int) float64 {
		return along(grid, func(i int) int { return y*printW + i }, printW, max(1, e.lx+perEye/4), e.rx-perEye/4)
	})
	// The edge of a wall or of a door goes on above; that of a print ends.
	if from := max(1, ty-perEye); ty-perEye/4 > from &&
		min(upright(grid, e.lx, from, ty-perEye/4), upright(grid, e.rx, from, ty-perEye/4)) > 0.6 {
		return 0
	}
	return min(e.left, e.right, above)
}
