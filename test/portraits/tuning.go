package portraits

import (
	"image"
	"image/color"
	"math"

	"github.com/budayang/kiosk/service/photo/face"
)

// Tuning are the pictures that the limits of package photo were set with: what is sound must be accepted, what breaks one rule
// must be refused for it. The good ones are one man before a wall that was painted.
func (s *Studio) Tuning() []Case {
	good := s.Good
	of := func(f func(Picture) Picture) func() Picture { return func() Picture { return f(good()) } }
	list := []struct {
		name, verdict, says string
		make                func() Picture
	}{
		{"as it is", Accepted, "", good},
		{"mirrored", Accepted, "", of(Picture.Mirrored)},
		{"a tenth lighter", Accepted, "", of(func(p Picture) Picture { return p.Times(1.1) })},
		{"a tenth darker", Accepted, "", of(func(p Picture) Picture { return p.Times(0.9) })},
		{"a tenth larger", Accepted, "", of(func(p Picture) Picture { return p.Moved(1.1, 0, 0) })},
		{"to one side", Accepted, "", of(func(p Picture) Picture { return p.Moved(1, -40, 0) })},
		{"up", Accepted, "", of(func(p Picture) Picture { return p.Moved(1, 0, -30) })},
		{"leaning by 3 degrees", Accepted, "", of(func(p Picture) Picture { return p.Turned(3, 350, 300, White) })},
		{"hardly blurred", Accepted, "", of(func(p Picture) Picture { return p.Blurred(1) })},
		{"light grey wall", Accepted, "", of(func(p Picture) Picture { return s.Wall(p, color.RGBA{235, 235, 235, 255}) })},

		{"nobody", None, "nobody", of(func(p Picture) Picture {
			p = p.Each(func(_, _ int, _ color.RGBA) color.RGBA { return White })
			p.Eyes = nil
			return p
		})},
		{"far away", None, "closer", of(func(p Picture) Picture { return p.Moved(0.5, 0, 0) })},
		{"too near", None, "back", of(func(p Picture) Picture { return p.Moved(1.8, 0, -80) })},
		{"at the picture's left", None, "left", of(func(p Picture) Picture { return p.Moved(1, -220, 0) })},
		{"at the picture's right", None, "right", of(func(p Picture) Picture { return p.Moved(1, 180, 0) })},
		{"too low", None, "taller", of(func(p Picture) Picture { return p.Moved(1, 0, 100) })},
		{"two people", Refused, "others", of(func(p Picture) Picture {
			other := p
			return p.on(900, 540, 0, 0).with(other, image.Rect(560, 150, 900, 437))
		})},
		{"leaning by 12 degrees", Refused, "straighten", of(func(p Picture) Picture { return p.Turned(12, 350, 300, White) })},
		{"blurred", Refused, "still", of(func(p Picture) Picture { return p.Blurred(4) })},
		{"shaken sideways", Refused, "still", of(func(p Picture) Picture { return p.along(7, 1, 0) })},
		{"shaken up and down", Refused, "still", of(func(p Picture) Picture { return p.along(7, 0, 1) })},
		{"blurred, with noise", Refused, "still", of(func(p Picture) Picture { return noisy(p.Blurred(4), 6, 1) })},
		{"dark", Refused, "dark", of(func(p Picture) Picture { return p.Times(0.35) })},
		{"burnt out", Refused, "bright", of(func(p Picture) Picture { return p.Times(2.6) })},
		{"blue light", Refused, "colour", of(func(p Picture) Picture { return p.Light(0.6, 0.8, 1) })},
		{"light from the side", Refused, "uneven", of(func(p Picture) Picture {
			nose := s.Mesh(p).Points[face.NoseTip].X
			return p.Each(func(x, _ int, c color.RGBA) color.RGBA {
				k := 1 - 0.65/(1+math.Exp(-(float64(x)-nose)/10))
				if min(c.R, c.G, c.B) > 245 {
					k = 1
				}
				return color.RGBA{uint8(float64(c.R) * k), uint8(float64(c.G) * k), uint8(float64(c.B) * k), 255}
			})
		})},
		{"grey wall", Refused, "background", of(func(p Picture) Picture { return s.Wall(p, color.RGBA{150, 150, 150, 255}) })},
		{"blue wall", Refused, "background", of(func(p Picture) Picture { return s.Wall(p, color.RGBA{80, 140, 230, 255}) })},
		{"cluttered room", Refused, "background", func() Picture { return s.Photo("room.jpg") }},
		{"shadow on the wall", Refused, "shadow", of(func(p Picture) Picture {
			return p.Each(func(x, _ int, c color.RGBA) color.RGBA {
				if min(c.R, c.G, c.B) < 246 {
					return c
				}
				v := uint8(250 - 45*max(0, min(1, float64(x-380)/120)))
				return color.RGBA{v, v, v, 255}
			})
		})},
		{"white clothes", Refused, "white-top", of(func(p Picture) Picture {
			chin := s.Mesh(p).Points[face.Chin].Y
			return p.Each(func(_, y int, c color.RGBA) color.RGBA {
				if float64(y) < chin-25 || max(c.R, c.G, c.B) > 90 {
					return c
				}
				return color.RGBA{225 + c.R/4, 225 + c.G/4, 225 + c.B/4, 255}
			})
		})},
		{"smile with teeth", Refused, "mouth", func() Picture { return s.Wall(s.Photo("astronaut.jpg"), White).Larger(2.6) }},
		{"against the light", Refused, "dark", of(func(p Picture) Picture {
			return person(p, func(_, _ int, c color.RGBA) color.RGBA { return scaled(c, 0.3) })
		})},
		{"dark glasses", ForPerson, "covered", of(func(p Picture) Picture { return shaded(p, color.RGBA{45, 35, 25, 255}) })},
		{"a photo held up", ForPerson, "print", of(func(p Picture) Picture { return held(p, 1, 0) })},
		{"hair dyed red", Accepted, "", of(func(p Picture) Picture {
			forehead := s.Mesh(p).Points[face.Forehead].Y
			return person(p, func(_, y int, c color.RGBA) color.RGBA {
				if float64(y) > forehead || max(c.R, c.G, c.B) > 130 {
					return c
				}
				return mix(c, color.RGBA{150, 62, 38, 255}, 0.6)
			})
		})},
		{"blue knitted hat", ForPerson, "head", of(func(p Picture) Picture { return knitted(s.Mesh(p), p, color.RGBA{50, 80, 160, 255}) })},
		{"pink knitted hat", ForPerson, "head", of(func(p Picture) Picture { return knitted(s.Mesh(p), p, color.RGBA{220, 120, 150, 255}) })},
		{"green knitted hat", ForPerson, "head", of(func(p Picture) Picture { return knitted(s.Mesh(p), p, color.RGBA{40, 120, 70, 255}) })},
		{"reflections in the glasses", ForPerson, "glare", of(func(p Picture) Picture {
			return p.Each(func(x, y int, c color.RGBA) color.RGBA {
				for _, e := range p.Eyes[0] {
					if math.Hypot(float64(x)-e.X, float64(y)-e.Y) < 9 {
						return color.RGBA{255, 255, 255, 255}
					}
				}
				return c
			})
		})},
		{"grey cloth", ForPerson, "covered", of(func(p Picture) Picture {
			return masked(s.Mesh(p.Moved(1.1, 0, 0)), p.Moved(1.1, 0, 0), color.RGBA{150, 150, 148, 255})
		})},
		{"mouth and nose covered", ForPerson, "covered", of(func(p Picture) Picture {
			p = p.Moved(1.1, 0, 0)
			f := s.Mesh(p)
			top, chin := f.Points[face.NoseTip].Y, f.Points[face.Chin].Y
			return p.Each(func(x, y int, c color.RGBA) color.RGBA {
				if float64(y) > top && float64(y) < chin && float64(x) > f.Points[face.CheekA].X && float64(x) < f.Points[face.CheekB].X {
					return color.RGBA{90, 140, 200, 255}
				}
				return c
			})
		})},
	}
	var all []Case
	for _, c := range list {
		all = append(all, Case{c.name, c.verdict, c.says, c.make, c.verdict == Accepted})
	}
	return all
}

// knitted puts a hat on that lies close to the head, has ribs, and is turned up at its edge, high on the forehead.
func knitted(m face.Mesh, p Picture, wool color.RGBA) Picture {
	a, b, brow := m.Points[face.CheekA], m.Points[face.CheekB], m.Points[9]
	cx, w := (a.X+b.X)/2, (b.X-a.X)/2
	edge := brow.Y - 0.5*eye(p)
	return p.Each(func(x, y int, c color.RGBA) color.RGBA {
		u, v := (float64(x)-cx)/(1.05*w), (edge-float64(y))/eye(p)
		rib := 0.85 + 0.15*math.Cos(24*u)
		switch {
		case v > 0 && v < 0.35 && math.Abs(u) < 1:
			return scaled(wool, 0.9*rib)
		case v >= 0.35 && u*u+math.Pow((v-0.35)/0.75, 2) < 1:
			return scaled(wool, rib*(1-0.2*u*u))
		}
		return c
	})
}
