// Package portraits makes photographs with known faults, by program, of the few pictures of people whose rights allow it
// (service/photo/testdata): turned, blurred, darkened, moved, before other walls, with somebody beside. Each knows where the
// eyes are, what must become of it as the photo of an identity card, and why. Tests and benchmarks only: the product never
// changes a picture.
package portraits

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"

	xdraw "golang.org/x/image/draw"

	"github.com/budayang/kiosk/service/photo/face"
)

// Verdicts as package photo has them. None is expected where no photo can be cut out.
const (
	Accepted  = "accepted"
	Refused   = "refused"
	ForPerson = "for-person"
	None      = ""
)

// A Point is a place in pixels.
type Point struct{ X, Y float64 }

// A Picture and the eyes of everybody in it, the largest face first, in each the eye at the picture's left first.
type Picture struct {
	*image.RGBA
	Eyes [][2]Point
}

// A Case is a picture, what must become of it, and what must be said: an advice of package photo, "" for none. Of what is Sound
// nothing else may be said.
type Case struct {
	Name    string
	Verdict string
	Says    string
	Make    func() Picture
	Sound   bool
}

// A Studio makes cases from the pictures of a directory.
type Studio struct {
	dir    string
	finder *face.Finder
	good   *Picture
}

// Open takes the pictures of a directory, service/photo/testdata.
func Open(dir string) (*Studio, error) {
	f, err := face.New()
	if err != nil {
		return nil, fmt.Errorf("portraits: %w", err)
	}
	s := &Studio{dir: dir, finder: f}
	for name := range eyes {
		if _, err := s.load(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// eyes are where they are in the pictures, read off by a person.
var eyes = map[string][2]Point{
	"astronaut.jpg": {{201, 107}, {246, 108}},
	"room.jpg":      {{312, 243}, {390, 243}},
}

func (s *Studio) load(name string) (Picture, error) {
	known, ok := eyes[name]
	if !ok {
		return Picture{}, errors.New("portraits: no picture " + name)
	}
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return Picture{}, fmt.Errorf("portraits: %w", err)
	}
	defer f.Close()
	m, err := jpeg.Decode(f)
	if err != nil {
		return Picture{}, fmt.Errorf("portraits: %s: %w", name, err)
	}
	out := Picture{image.NewRGBA(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy())), [][2]Point{known}}
	draw.Draw(out.RGBA, out.Rect, m, m.Bounds().Min, draw.Src)
	return out, nil
}

// Photo is one of the pictures as it is. [Open] has seen that it is there.
func (s *Studio) Photo(name string) Picture {
	p, err := s.load(name)
	if err != nil {
		panic(err)
	}
	return p
}

// White is a wall that is white to a camera.
var White = color.RGBA{250, 250, 250, 255}

// Good is a photo that should be taken: the man of room.jpg before a white wall, in a picture of 640 by 540.
func (s *Studio) Good() Picture {
	if s.good == nil {
		g := s.Wall(s.Photo("room.jpg"), White).on(640, 540, 0, 60)
		s.good = &g
	}
	return *s.good
}

// Closed is a picture in which the eyes of the largest face are closed.
func (s *Studio) Closed(p Picture) Picture { return closed(s.Mesh(p), p) }

// Mesh is the points of the largest face; the zero Mesh when there is none.
func (s *Studio) Mesh(p Picture) face.Mesh {
	s.finder.Wipe()
	var m face.Mesh
	s.finder.Track(p.RGBA, &m)
	return m
}

// Wall puts the people of a picture before a wall of one colour.
func (s *Studio) Wall(p Picture, c color.RGBA) Picture {
	return s.Behind(p, func(int, int) color.RGBA { return c })
}

// Behind puts the people of a picture before something else.
func (s *Studio) Behind(p Picture, wall func(x, y int) color.RGBA) Picture {
	var mask face.Mask
	s.finder.Wipe()
	s.finder.Mask(p.RGBA, &mask)
	return p.Each(func(x, y int, c color.RGBA) color.RGBA {
		// Between the mask's fields, linearly; what is unsure goes to the wall.
		u := max(0, float64(x)/float64(p.Rect.Dx())*face.MaskSide-0.5)
		v := max(0, float64(y)/float64(p.Rect.Dy())*face.MaskSide-0.5)
		i, j := min(int(u), face.MaskSide-2), min(int(v), face.MaskSide-2)
		fu, fv := u-float64(i), v-float64(j)
		at := func(i, j int) float64 { return float64(mask[j*face.MaskSide+i]) }
		a := (at(i, j)*(1-fu)+at(i+1, j)*fu)*(1-fv) + (at(i, j+1)*(1-fu)+at(i+1, j+1)*fu)*fv
		return mix(wall(x, y), c, max(0, min(1, (a-0.5)*2.5)))
	})
}

// mix is the first colour, and the second by its share.
func mix(a, b color.RGBA, share float64) color.RGBA {
	m := func(a, b uint8) uint8 { return uint8(float64(b)*share + float64(a)*(1-share)) }
	return color.RGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), 255}
}

// Each changes a picture pixel by pixel; the eyes stay where they are.
func (p Picture) Each(f func(x, y int, c color.RGBA) color.RGBA) Picture {
	out := Picture{image.NewRGBA(p.Rect), p.Eyes}
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			out.SetRGBA(x, y, f(x, y, p.RGBAAt(x, y)))
		}
	}
	return out
}

// Levels changes brightness, from 0 to 1 to the same.
func (p Picture) Levels(f func(float64) float64) Picture {
	var t [256]uint8
	for i := range t {
		t[i] = uint8(max(0, min(255, 255*f(float64(i)/255))))
	}
	return p.Each(func(_, _ int, c color.RGBA) color.RGBA { return color.RGBA{t[c.R], t[c.G], t[c.B], 255} })
}

// Times makes a picture lighter or darker by a factor.
func (p Picture) Times(k float64) Picture { return p.Levels(func(v float64) float64 { return k * v }) }

// Light multiplies each colour.
func (p Picture) Light(r, g, b float64) Picture {
	m := func(v uint8, k float64) uint8 { return uint8(min(255, float64(v)*k)) }
	return p.Each(func(_, _ int, c color.RGBA) color.RGBA { return color.RGBA{m(c.R, r), m(c.G, g), m(c.B, b), 255} })
}

// Blurred is the mean over a square of 2r+1 pixels, columns first.
func (p Picture) Blurred(r int) Picture { return p.along(r, 0, 1).along(r, 1, 0) }

// along is the mean of 2r+1 pixels in a direction.
func (p Picture) along(r, dx, dy int) Picture {
	out := Picture{image.NewRGBA(p.Rect), p.Eyes}
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			for i := range 3 {
				sum := 0
				for k := -r; k <= r; k++ {
					u, v := min(max(0, x+k*dx), p.Rect.Dx()-1), min(max(0, y+k*dy), p.Rect.Dy()-1)
					sum += int(p.Pix[v*p.Stride+4*u+i])
				}
				out.Pix[y*out.Stride+4*x+i] = uint8(sum / (2*r + 1))
			}
			out.Pix[y*out.Stride+4*x+3] = 255
		}
	}
	return out
}

// placed moves everybody's eyes.
func (p Picture) placed(f func(Point) Point) (all [][2]Point) {
	for _, e := range p.Eyes {
		a, b := f(e[0]), f(e[1])
		if a.X > b.X {
			a, b = b, a
		}
		all = append(all, [2]Point{a, b})
	}
	return all
}

// from draws a picture whose pixels come from elsewhere in this one; back is what comes from outside of it.
func (p Picture) from(f func(x, y float64) (float64, float64), back color.RGBA) *image.RGBA {
	out := image.NewRGBA(p.Rect)
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			sx, sy := f(float64(x), float64(y))
			at, c := image.Pt(int(math.Round(sx)), int(math.Round(sy))), back
			if at.In(p.Rect) {
				c = p.RGBAAt(at.X, at.Y)
			}
			out.SetRGBA(x, y, c)
		}
	}
	return out
}

// Mirrored exchanges left and right.
func (p Picture) Mirrored() Picture {
	w := float64(p.Rect.Dx() - 1)
	return Picture{p.from(func(x, y float64) (float64, float64) { return w - x, y }, White),
		p.placed(func(q Point) Point { return Point{w - q.X, q.Y} })}
}

// Turned turns the picture clockwise around a point; what comes from outside is of the colour given.
func (p Picture) Turned(degrees, cx, cy float64, back color.RGBA) Picture {
	s, c := math.Sincos(degrees * math.Pi / 180)
	return Picture{p.from(func(x, y float64) (float64, float64) {
		u, v := x-cx, y-cy
		return cx + c*u + s*v, cy - s*u + c*v
	}, back), p.placed(func(q Point) Point {
		u, v := q.X-cx, q.Y-cy
		return Point{cx + c*u - s*v, cy + s*u + c*v}
	})}
}

// Moved scales the picture around its middle and shifts it; what comes from outside is wall.
func (p Picture) Moved(scale, dx, dy float64) Picture {
	cx, cy := float64(p.Rect.Dx())/2, float64(p.Rect.Dy())/2
	return Picture{p.from(func(x, y float64) (float64, float64) {
		return (x-dx-cx)/scale + cx, (y-dy-cy)/scale + cy
	}, White), p.placed(func(q Point) Point { return Point{(q.X-cx)*scale + cx + dx, (q.Y-cy)*scale + cy + dy} })}
}

// Larger has more pixels, finely interpolated.
func (p Picture) Larger(by float64) Picture {
	out := image.NewRGBA(image.Rect(0, 0, int(float64(p.Rect.Dx())*by), int(float64(p.Rect.Dy())*by)))
	xdraw.CatmullRom.Scale(out, out.Rect, p.RGBA, p.Rect, xdraw.Src, nil)
	return Picture{out, p.placed(func(q Point) Point { return Point{q.X * by, q.Y * by} })}
}

// on lays the picture on a white one of another size, with its corner at x, y.
func (p Picture) on(w, h, x, y int) Picture {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Rect, image.NewUniform(White), image.Point{}, draw.Src)
	draw.Draw(out, p.Rect.Add(image.Pt(x, y)), p.RGBA, image.Point{}, draw.Src)
	return Picture{out, p.placed(func(q Point) Point { return Point{q.X + float64(x), q.Y + float64(y)} })}
}

// with lays another picture, scaled, over a part of this one: its people are there too.
func (p Picture) with(other Picture, at image.Rectangle) Picture {
	out := p.Each(func(_, _ int, c color.RGBA) color.RGBA { return c })
	xdraw.CatmullRom.Scale(out.RGBA, at, other.RGBA, other.Rect, xdraw.Src, nil)
	kx, ky := float64(at.Dx())/float64(other.Rect.Dx()), float64(at.Dy())/float64(other.Rect.Dy())
	more := other.placed(func(q Point) Point { return Point{float64(at.Min.X) + q.X*kx, float64(at.Min.Y) + q.Y*ky} })
	out.Eyes = append(append([][2]Point{}, p.Eyes...), more...)
	return out
}
