package portraits

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"github.com/budayang/kiosk/service/photo/face"
)

// HeldOut are pictures that no limit was set with. Each kind of change is drawn from a range that was written down before any
// of them was judged: within the first range a photo is as good as before, within the second somebody would send it back; what
// lies between is not drawn, as people differ about it. Whoever smiles with teeth is refused for it, whatever else is well, and nothing else
// may be said of what is well.
func (s *Studio) HeldOut() []Case {
	var all []Case
	for i, b := range s.bases() {
		d := dice{s, b, rand.New(rand.NewPCG(2026, uint64(i))), nil}
		d.sound()
		d.light()
		d.place()
		d.behind()
		d.face()
		all = append(all, d.all...)
	}
	return all
}

// base is a person before a white wall, as they would be taken.
type base struct {
	name    string
	verdict string // of the picture as it is
	says    string
	make    func() Picture
}

func (s *Studio) bases() []base {
	return []base{
		{"man", Accepted, "", func() Picture { return s.Good().Larger(1.3) }},
		// 2.2 times as large, as she is small in it, without most of her suit, and with a wall above her.
		{"astronaut", Refused, "mouth", func() Picture {
			return s.Wall(s.Photo("astronaut.jpg"), White).Larger(2.2).on(1000, 840, 0, 180)
		}},
	}
}

// dice draws cases of one base.
type dice struct {
	s *Studio
	b base
	*rand.Rand
	all []Case
}

// between is a number of a range; sign puts it on either side of zero.
func (d *dice) between(least, most float64) float64 { return least + (most-least)*d.Float64() }
func (d *dice) sign(v float64) float64 {
	if d.IntN(2) == 0 {
		return -v
	}
	return v
}

// eye is the distance of the eyes.
func eye(p Picture) float64 {
	return math.Hypot(p.Eyes[0][0].X-p.Eyes[0][1].X, p.Eyes[0][0].Y-p.Eyes[0][1].Y)
}

// as adds a case that is as good as its base.
func (d *dice) as(what string, f func(Picture) Picture) {
	d.all = append(d.all, Case{Name: d.b.name + ", " + what, Verdict: d.b.verdict, Says: d.b.says, Sound: true, Make: func() Picture { return f(d.b.make()) }})
}

// breaks adds a case that must be refused, or shown to a person, for one reason.
func (d *dice) breaks(verdict, says, what string, f func(Picture) Picture) {
	d.covers(false, verdict, says, what, f)
}

// covers is breaks; what hides the mouth hides a smile too.
func (d *dice) covers(hides bool, verdict, says, what string, f func(Picture) Picture) {
	if verdict == ForPerson && d.b.verdict == Refused && !hides {
		verdict = Refused
	}
	d.all = append(d.all, Case{Name: d.b.name + ", " + what, Verdict: verdict, Says: says, Make: func() Picture { return f(d.b.make()) }})
}

// wall tells which pixels are the painted wall's: all but grey, and light.
func wall(c color.RGBA) bool { return min(c.R, c.G, c.B) > 246 }

// person changes whoever is before the wall.
func person(p Picture, f func(x, y int, c color.RGBA) color.RGBA) Picture {
	return p.Each(func(x, y int, c color.RGBA) color.RGBA {
		if wall(c) {
			return c
		}
		return f(x, y, c)
	})
}

// only changes the wall.
func only(p Picture, f func(x, y int) color.RGBA) Picture {
	return p.Each(func(x, y int, c color.RGBA) color.RGBA {
		if wall(c) {
			return f(x, y)
		}
		return c
	})
}

func grey(v float64) color.RGBA {
	g := uint8(max(0, min(255, v)))
	return color.RGBA{g, g, g, 255}
}

func scaled(c color.RGBA, k float64) color.RGBA {
	m := func(v uint8) uint8 { return uint8(max(0, min(255, float64(v)*k))) }
	return color.RGBA{m(c.R), m(c.G), m(c.B), 255}
}

// sound are changes that leave a photo as good as it was.
func (d *dice) sound() {
	d.as("as it is", func(p Picture) Picture { return p })
	d.as("mirrored", Picture.Mirrored)
	for range 3 {
		roll := d.sign(d.between(1, 4))
		d.as(fmt.Sprintf("leaning by %.1f degrees", roll), func(p Picture) Picture {
			return p.Turned(roll, p.Eyes[0][0].X, p.Eyes[0][0].Y, White)
		})
	}
	for range 3 {
		k := d.between(0.85, 1.12)
		d.as(fmt.Sprintf("light times %.2f", k), func(p Picture) Picture { return p.Times(k) })
	}
	for range 2 {
		g := d.between(0.85, 1.2)
		d.as(fmt.Sprintf("gamma %.2f", g), func(p Picture) Picture {
			return p.Levels(func(v float64) float64 { return math.Pow(v, g) })
		})
	}
	for range 2 {
		r, b := d.between(0.96, 1.04), d.between(0.96, 1.04)
		d.as(fmt.Sprintf("tint %.2f %.2f", r, b), func(p Picture) Picture {
			return person(p, func(_, _ int, c color.RGBA) color.RGBA {
				return color.RGBA{uint8(min(255, float64(c.R)*r)), c.G, uint8(min(255, float64(c.B)*b)), 255}
			})
		})
	}
	for range 3 {
		k, dx, dy := d.between(0.95, 1.1), d.between(-0.3, 0.3), d.between(-0.2, 0.1)
		d.as(fmt.Sprintf("times %.2f, moved %.1f %.1f", k, dx, dy), func(p Picture) Picture { return p.Moved(k, dx*eye(p), dy*eye(p)) })
	}
	for range 2 {
		v := d.between(236, 246)
		d.as(fmt.Sprintf("wall of %.0f", v), func(p Picture) Picture { return only(p, func(_, _ int) color.RGBA { return grey(v) }) })
	}
	noise := d.between(2, 4)
	seed := d.Uint64()
	d.as(fmt.Sprintf("noise of %.1f", noise), func(p Picture) Picture { return noisy(p, noise, seed) })
	k := d.sign(d.between(0.05, 0.12))
	d.as(fmt.Sprintf("light from a side by %.2f", k), func(p Picture) Picture { return sidelit(d.s, p, k, 40) })
}

// noisy adds a camera's noise.
func noisy(p Picture, deviation float64, seed uint64) Picture {
	r := rand.New(rand.NewPCG(seed, 1))
	return p.Each(func(_, _ int, c color.RGBA) color.RGBA {
		m := func(v uint8) uint8 { return uint8(max(0, min(255, float64(v)+deviation*r.NormFloat64()))) }
		return color.RGBA{m(c.R), m(c.G), m(c.B), 255}
	})
}

// sidelit darkens the face's picture's left (k > 0) or right half by a share, softly over so many hundredths of the eyes' distance.
func sidelit(s *Studio, p Picture, k, soft float64) Picture {
	nose := s.Mesh(p).Points[face.NoseTip].X
	w := eye(p) * soft / 100
	return person(p, func(x, _ int, c color.RGBA) color.RGBA {
		at := (float64(x) - nose) / w
		if k > 0 {
			at = -at
		}
		return scaled(c, 1-math.Abs(k)/(1+math.Exp(-at)))
	})
}

// light is exposure, focus and colour.
func (d *dice) light() {
	for range 2 {
		r := d.between(0.045, 0.08)
		d.breaks(Refused, "still", fmt.Sprintf("out of focus by %.3f", r), func(p Picture) Picture { return p.Blurred(int(math.Ceil(r * eye(p)))) })
	}
	for _, way := range [][2]int{{1, 0}, {0, 1}} {
		r := d.between(0.07, 0.12)
		d.breaks(Refused, "still", fmt.Sprintf("shaken by %.3f %v", r, way), func(p Picture) Picture { return p.along(int(math.Ceil(r*eye(p))), way[0], way[1]) })
	}
	noise, seed := d.between(6, 8), d.Uint64()
	d.breaks(Refused, "still", fmt.Sprintf("out of focus, with noise of %.1f", noise), func(p Picture) Picture {
		return noisy(p.Blurred(int(math.Ceil(0.06*eye(p)))), noise, seed)
	})
	for range 2 {
		k := d.between(0.2, 0.38)
		d.breaks(Refused, "dark", fmt.Sprintf("dark, times %.2f", k), func(p Picture) Picture { return p.Times(k) })
	}
	k := d.between(0.2, 0.35)
	d.breaks(Refused, "dark", fmt.Sprintf("against the light, times %.2f", k), func(p Picture) Picture {
		return person(p, func(_, _ int, c color.RGBA) color.RGBA { return scaled(c, k) })
	})
	for range 2 {
		k := d.between(2.4, 3.5)
		d.breaks(Refused, "bright", fmt.Sprintf("burnt out, times %.2f", k), func(p Picture) Picture { return p.Times(k) })
	}
	for _, c := range []struct {
		name    string
		r, g, b float64
	}{{"blue", d.between(0.5, 0.7), 0.8, 1}, {"green", d.between(0.6, 0.7), 1, d.between(0.6, 0.7)}, {"red", 1, d.between(0.55, 0.65), d.between(0.55, 0.65)}} {
		d.breaks(Refused, "colour", c.name+" light", func(p Picture) Picture { return p.Light(c.r, c.g, c.b) })
	}
	for _, side := range []float64{-1, 1} {
		k := d.between(0.55, 0.75)
		d.breaks(Refused, "uneven", fmt.Sprintf("light from a side by %.2f", side*k), func(p Picture) Picture { return sidelit(d.s, p, side*k, 15) })
	}
}

// place is where the person is, and who else.
func (d *dice) place() {
	for range 3 {
		roll := d.sign(d.between(9, 20))
		d.breaks(Refused, "straighten", fmt.Sprintf("leaning by %.1f degrees", roll), func(p Picture) Picture {
			return p.Turned(roll, p.Eyes[0][0].X, p.Eyes[0][0].Y+eye(p), White)
		})
	}
	// Of the profile's 207 pixels between the cheeks: a face of less than 100 is enlarged more than twice.
	k := d.between(0.3, 0.45)
	d.breaks(None, "closer", fmt.Sprintf("far away, times %.2f", k), func(p Picture) Picture { return p.Moved(k*78/eye(p), 0, 0) })
	for _, side := range []struct {
		sign float64
		says string
	}{{-1, "left"}, {1, "right"}} {
		d.breaks(None, side.says, "half out of the picture, "+side.says, func(p Picture) Picture {
			x, edge := (p.Eyes[0][0].X+p.Eyes[0][1].X)/2, 0.9*eye(p)
			if side.sign > 0 {
				edge = float64(p.Rect.Dx()) - edge
			}
			return p.Moved(1, edge-x, 0)
		})
	}
	k = d.between(0.6, 0.8)
	d.breaks(Refused, "others", fmt.Sprintf("somebody beside, times %.2f", k), func(p Picture) Picture {
		other := d.s.Wall(d.s.Photo("astronaut.jpg"), White).Mirrored()
		k := k * eye(p) / eye(other)
		w, h := int(float64(other.Rect.Dx())*k), int(float64(other.Rect.Dy())*k)
		at := int(p.Eyes[0][1].X + 1.6*eye(p))
		return p.on(max(p.Rect.Dx(), at+w), p.Rect.Dy(), 0, 0).with(other, image.Rect(at, p.Rect.Dy()-h, at+w, p.Rect.Dy()))
	})
	nobody := d.between(120, 230)
	d.breaks(None, "nobody", "nobody", func(p Picture) Picture {
		p = p.Each(func(_, y int, _ color.RGBA) color.RGBA { return grey(nobody - float64(y)/10) })
		p.Eyes = nil
		return p
	})
}

// behind is the wall, and the clothes before it.
func (d *dice) behind() {
	for range 2 {
		v := d.between(110, 190)
		d.breaks(Refused, "background", fmt.Sprintf("wall of %.0f", v), func(p Picture) Picture { return only(p, func(_, _ int) color.RGBA { return grey(v) }) })
	}
	for _, c := range []struct {
		name string
		c    color.RGBA
	}{{"red", color.RGBA{200, 60, 50, 255}}, {"blue", color.RGBA{67, 142, 219, 255}}, {"yellowish", color.RGBA{245, 225, 170, 255}}, {"green", color.RGBA{140, 200, 150, 255}}} {
		d.breaks(Refused, "background", c.name+" wall", func(p Picture) Picture { return only(p, func(_, _ int) color.RGBA { return c.c }) })
	}
	dark := d.between(120, 170)
	d.breaks(Refused, "background", fmt.Sprintf("wall that goes down to %.0f", dark), func(p Picture) Picture {
		return only(p, func(_, y int) color.RGBA { return grey(250 - (250-dark)*float64(y)/float64(p.Rect.Dy())) })
	})
	side := d.between(0.25, 0.5)
	d.breaks(Refused, "background", fmt.Sprintf("tiles of %.2f", side), func(p Picture) Picture {
		n := max(8, int(side*eye(p)))
		return only(p, func(x, y int) color.RGBA {
			if x%n < max(2, n/8) || y%n < max(2, n/8) {
				return grey(130)
			}
			return grey(245)
		})
	})
	depth, way := d.between(45, 80), d.sign(1)
	d.breaks(Refused, "shadow", fmt.Sprintf("shadow of %.0f beside the head", depth), func(p Picture) Picture {
		cx, cy, r := (p.Eyes[0][0].X+p.Eyes[0][1].X)/2+way*1.3*eye(p), p.Eyes[0][0].Y, 1.6*eye(p)
		return only(p, func(x, y int) color.RGBA {
			at := math.Hypot(float64(x)-cx, (float64(y)-cy)/1.3) / r
			return grey(250 - depth/(1+math.Exp((at-1)*8)))
		})
	})
	light := d.between(0.75, 0.9)
	d.breaks(Refused, "white-top", fmt.Sprintf("white clothes by %.2f", light), func(p Picture) Picture {
		chin := d.s.Mesh(p).Points[face.Chin]
		return person(p, func(_, y int, c color.RGBA) color.RGBA {
			if float64(y) < chin.Y+0.1*eye(p) {
				return c
			}
			v := 250*light + 0.1*float64(c.G)
			return grey(min(246, v))
		})
	})
}

// face is what is on it and with it.
func (d *dice) face() {
	d.breaks(Refused, "eyes", "eyes closed", func(p Picture) Picture { return closed(d.s.Mesh(p), p) })
	open := d.between(0.18, 0.3)
	d.breaks(Refused, "mouth", fmt.Sprintf("mouth open by %.2f", open), func(p Picture) Picture { return gaping(d.s.Mesh(p), p, open) })
	for _, c := range []struct {
		name string
		c    color.RGBA
	}{{"white", color.RGBA{225, 230, 235, 255}}, {"black", color.RGBA{25, 25, 30, 255}}, {"light blue", color.RGBA{150, 190, 225, 255}}} {
		d.covers(true, ForPerson, "covered", c.name+" mask", func(p Picture) Picture { return masked(d.s.Mesh(p), p, c.c) })
	}
	d.breaks(ForPerson, "covered", "dark glasses", func(p Picture) Picture { return shaded(p, color.RGBA{20, 20, 24, 255}) })
	size := d.between(0.1, 0.14)
	d.breaks(ForPerson, "glare", fmt.Sprintf("reflections of %.2f", size), func(p Picture) Picture {
		return p.Each(func(x, y int, c color.RGBA) color.RGBA {
			for _, e := range p.Eyes[0] {
				if math.Hypot(float64(x)-e.X-0.05*eye(p), (float64(y)-e.Y)*1.2) < size*eye(p) {
					return color.RGBA{255, 255, 255, 255}
				}
			}
			return c
		})
	})
	for _, c := range []struct {
		name string
		c    color.RGBA
	}{{"dark", color.RGBA{30, 32, 45, 255}}, {"red", color.RGBA{170, 40, 40, 255}}} {
		d.breaks(ForPerson, "head", c.name+" cap", func(p Picture) Picture { return capped(d.s.Mesh(p), p, c.c) })
	}
	for _, tilt := range []float64{d.between(-5, -1), d.between(1, 5)} {
		k := d.between(0.9, 1.1)
		d.breaks(ForPerson, "print", fmt.Sprintf("a photo held up, turned by %.1f", tilt), func(p Picture) Picture { return held(p, k, tilt) })
	}
}

// closed pulls the upper lids down over the eyes.
func closed(m face.Mesh, p Picture) Picture {
	out := p.Each(func(_, _ int, c color.RGBA) color.RGBA { return c })
	// Corner, corner, then pairs of lids from the first corner to the second, upper first.
	for _, lids := range [][]int{{33, 133, 246, 7, 161, 163, 160, 144, 159, 145, 158, 153, 157, 154, 173, 155}, {362, 263, 398, 382, 384, 381, 385, 380, 386, 374, 387, 373, 388, 390, 466, 249}} {
		a, b := m.Points[lids[0]], m.Points[lids[1]]
		for x := int(a.X) - 2; x <= int(b.X)+2; x++ {
			// Where the lids are in this column, between the points that are known.
			up, down := a.Y+(b.Y-a.Y)*(float64(x)-a.X)/(b.X-a.X), 0.0
			down = up
			xs, ups, downs := []float64{a.X}, []float64{a.Y}, []float64{a.Y}
			for i := 2; i < len(lids); i += 2 {
				u, l := m.Points[lids[i]], m.Points[lids[i+1]]
				xs, ups, downs = append(xs, (u.X+l.X)/2), append(ups, u.Y), append(downs, l.Y)
			}
			xs, ups, downs = append(xs, b.X), append(ups, b.Y), append(downs, b.Y)
			for i := 0; i+1 < len(xs); i++ {
				if f := float64(x); f >= xs[i] && f <= xs[i+1] && xs[i+1] > xs[i] {
					k := (f - xs[i]) / (xs[i+1] - xs[i])
					up, down = ups[i]+k*(ups[i+1]-ups[i]), downs[i]+k*(downs[i+1]-downs[i])
				}
			}
			// The skin from a little above the lid is stretched down to the lower lid, and ends in the lashes.
			top, end := up-0.1*eye(p), down+0.02*eye(p)
			for y := int(top); y <= int(end); y++ {
				k := (float64(y) - top) / (end - top)
				sy := top + k*(up-0.035*eye(p)-top)
				c := p.RGBAAt(x, int(sy))
				if float64(y) > end-max(1.5, 0.035*eye(p)) && x > int(a.X) && x < int(b.X) {
					c = scaled(c, 0.45)
				}
				out.SetRGBA(x, y, c)
			}
		}
	}
	return out
}

// gaping opens the mouth by a part of the eyes' distance: the lower face goes down, and it is dark between the lips.
func gaping(m face.Mesh, p Picture, by float64) Picture {
	lip, left, right := m.Points[face.LipLower], m.Points[face.MouthA], m.Points[face.MouthB]
	gap := by * eye(p)
	shift := func(x float64) float64 { // how far the lower lip is moved in a column
		k := (x - (left.X+right.X)/2) / ((right.X - left.X) / 2)
		return gap * math.Sqrt(max(0, 1-k*k))
	}
	middle := (m.Points[face.LipUpper].Y + lip.Y) / 2
	end := m.Points[face.Chin].Y + 0.6*eye(p)
	out := p.Each(func(x, y int, c color.RGBA) color.RGBA {
		s := shift(float64(x))
		if f := float64(y); s > 0 && f > middle && f < end {
			if f < middle+s {
				return color.RGBA{45, 18, 18, 255}
			}
			return p.RGBAAt(x, int(middle+(f-middle-s)*(end-middle)/(end-middle-s)))
		}
		return c
	})
	return out
}

// masked covers mouth and nose with a cloth that has folds.
func masked(m face.Mesh, p Picture, cloth color.RGBA) Picture {
	nose, chin := m.Points[5], m.Points[face.Chin]
	a, b := m.Points[face.CheekA], m.Points[face.CheekB]
	return person(p, func(x, y int, c color.RGBA) color.RGBA {
		f, h := float64(x), float64(y)
		if f < a.X || f > b.X || h > chin.Y+0.1*eye(p) {
			return c
		}
		// From the bridge of the nose down to the ears.
		k := math.Abs(f-nose.X) / ((b.X - a.X) / 2)
		if h < nose.Y+0.35*k*eye(p) {
			return c
		}
		return scaled(cloth, 1-0.12*k*k+0.03*math.Sin(h/eye(p)*25))
	})
}

// shaded puts dark glasses on.
func shaded(p Picture, glass color.RGBA) Picture {
	return p.Each(func(x, y int, c color.RGBA) color.RGBA {
		for _, e := range p.Eyes[0] {
			if u, v := (float64(x)-e.X)/eye(p), (float64(y)-e.Y-0.03*eye(p))/eye(p); math.Pow(math.Abs(u)/0.42, 4)+math.Pow(math.Abs(v)/0.3, 4) < 1 {
				return glass
			}
		}
		return c
	})
}

// capped puts a cap on: it covers the forehead down to above the brows, is wider than the head and as high as hair never is by itself.
func capped(m face.Mesh, p Picture, cloth color.RGBA) Picture {
	a, b, brow := m.Points[face.CheekA], m.Points[face.CheekB], m.Points[9]
	cx, w := (a.X+b.X)/2, (b.X-a.X)/2
	rim := brow.Y - 0.35*eye(p)
	top := rim - 1.3*eye(p)
	return p.Each(func(x, y int, c color.RGBA) color.RGBA {
		u, v := (float64(x)-cx)/(1.12*w), (rim-float64(y))/(rim-top)
		switch {
		case v > 0 && u*u+v*v*v < 1:
			return scaled(cloth, 1-0.25*u*u)
		case math.Abs(u) < 0.95 && float64(y) >= rim && float64(y) < rim+0.16*eye(p)*(1-u*u): // the peak
			return scaled(cloth, 0.7)
		}
		return c
	})
}

// held is the picture as a print that somebody holds before the camera: smaller, with a white edge, turned a little, before a wall that is not as
// white, with a shadow under the print and with the holder's sleeve.
func held(p Picture, k, tilt float64) Picture {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	out := Picture{image.NewRGBA(image.Rect(0, 0, w*3/2, h*3/2)), nil}
	s, c := math.Sincos(tilt * math.Pi / 180)
	cx, cy := float64(out.Rect.Dx())/2, float64(out.Rect.Dy())*0.48
	// Of the print only what is around the head: as a passport photo has it.
	ex, ey := (p.Eyes[0][0].X+p.Eyes[0][1].X)/2, (p.Eyes[0][0].Y+p.Eyes[0][1].Y)/2
	pw, ph := 2.3*eye(p), 2.9*eye(p)
	edge := 0.12 * eye(p)
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			u, v := (float64(x)-cx)/k, (float64(y)-cy)/k
			u, v = c*u+s*v, c*v-s*u
			back := grey(246 - 8*float64(y)/float64(out.Rect.Dy()))
			switch {
			case math.Abs(u) < pw && math.Abs(v) < ph:
				at := image.Pt(int(ex+u), int(ey+v+0.4*eye(p)))
				if at.In(p.Rect) {
					out.SetRGBA(x, y, mix(p.RGBAAt(at.X, at.Y), grey(200), 0.06)) // paper is never as deep
				} else {
					out.SetRGBA(x, y, grey(247))
				}
			case math.Abs(u) < pw+edge && math.Abs(v) < ph+edge:
				out.SetRGBA(x, y, grey(252))
			case math.Abs(u) < pw+edge+3 && math.Abs(v) < ph+edge+3:
				out.SetRGBA(x, y, grey(205))
			default:
				out.SetRGBA(x, y, back)
			}
		}
	}
	place := func(q Point) Point {
		u, v := q.X-ex, q.Y-ey-0.4*eye(p)
		return Point{cx + k*(c*u-s*v), cy + k*(s*u+c*v)}
	}
	out.Eyes = p.placed(place)
	return out
}
