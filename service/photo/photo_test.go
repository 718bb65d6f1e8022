package photo

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"os"
	"slices"
	"testing"

	xdraw "golang.org/x/image/draw"

	"github.com/budayang/kiosk/service/photo/face"
)

func picture(t testing.TB, name string) *image.RGBA {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy()))
	draw.Draw(out, out.Rect, m, m.Bounds().Min, draw.Src)
	return out
}

func booth(t testing.TB, profile string) *Booth {
	t.Helper()
	p, err := LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBooth(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wall puts the person of a picture before a wall of one colour. Tests only: the product never exchanges a background.
func wall(t testing.TB, m *image.RGBA, c color.RGBA) *image.RGBA {
	t.Helper()
	var mask face.Mask
	finder(t).Mask(m, &mask)
	out := image.NewRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			// Between the mask's fields, linearly; what is unsure goes to the wall.
			u := max(0, float64(x)/float64(m.Rect.Dx())*face.MaskSide-0.5)
			v := max(0, float64(y)/float64(m.Rect.Dy())*face.MaskSide-0.5)
			i, j := min(int(u), face.MaskSide-2), min(int(v), face.MaskSide-2)
			fu, fv := u-float64(i), v-float64(j)
			at := func(i, j int) float64 { return float64(mask[j*face.MaskSide+i]) }
			a := (at(i, j)*(1-fu)+at(i+1, j)*fu)*(1-fv) + (at(i, j+1)*(1-fu)+at(i+1, j+1)*fu)*fv
			a = max(0, min(1, (a-0.5)*2.5))
			p := m.RGBAAt(x, y)
			mix := func(p, w uint8) uint8 { return uint8(float64(p)*a + float64(w)*(1-a)) }
			out.SetRGBA(x, y, color.RGBA{mix(p.R, c.R), mix(p.G, c.G), mix(p.B, c.B), 255})
		}
	}
	return out
}

// each makes a picture pixel by pixel.
func each(m *image.RGBA, f func(x, y int, c color.RGBA) color.RGBA) *image.RGBA {
	out := image.NewRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			out.SetRGBA(x, y, f(x, y, m.RGBAAt(x, y)))
		}
	}
	return out
}

func levels(m *image.RGBA, f func(float64) float64) *image.RGBA {
	l := func(v uint8) uint8 { return uint8(max(0, min(255, 255*f(float64(v)/255)))) }
	return each(m, func(_, _ int, c color.RGBA) color.RGBA { return color.RGBA{l(c.R), l(c.G), l(c.B), 255} })
}

// blurred is the mean over a square of 2r+1 pixels, columns first.
func blurred(m *image.RGBA, r int) *image.RGBA {
	along := func(m *image.RGBA, dx, dy int) *image.RGBA {
		out := image.NewRGBA(m.Rect)
		for y := range m.Rect.Dy() {
			for x := range m.Rect.Dx() {
				for i := range 3 {
					sum := 0
					for k := -r; k <= r; k++ {
						u, v := min(max(0, x+k*dx), m.Rect.Dx()-1), min(max(0, y+k*dy), m.Rect.Dy()-1)
						sum += int(m.Pix[v*m.Stride+4*u+i])
					}
					out.Pix[y*out.Stride+4*x+i] = uint8(sum / (2*r + 1))
				}
				out.Pix[y*out.Stride+4*x+3] = 255
			}
		}
		return out
	}
	return along(along(m, 0, 1), 1, 0)
}

// turnedBy turns the picture around a point; what comes from outside is of the colour given.
func turnedBy(m *image.RGBA, degrees, cx, cy float64, back color.RGBA) *image.RGBA {
	s, c := math.Sincos(degrees * math.Pi / 180)
	return each(m, func(x, y int, _ color.RGBA) color.RGBA {
		u, v := float64(x)-cx, float64(y)-cy
		sx, sy := int(math.Round(cx+c*u+s*v)), int(math.Round(cy-s*u+c*v))
		if !image.Pt(sx, sy).In(m.Rect) {
			return back
		}
		return m.RGBAAt(sx, sy)
	})
}

var white = color.RGBA{250, 250, 250, 255}

// good is a photo that should be taken: the man of room.jpg before a white wall, in a larger picture.
func good(t testing.TB) *image.RGBA {
	t.Helper()
	if theGood != nil {
		return theGood
	}
	m := wall(t, picture(t, "room.jpg"), white)
	out := image.NewRGBA(image.Rect(0, 0, 640, 540))
	draw.Draw(out, out.Rect, image.NewUniform(white), image.Point{}, draw.Src)
	draw.Draw(out, image.Rect(0, 60, 640, 540), m, image.Point{}, draw.Src)
	theGood = out
	return out
}

// Models and pictures that all tests share; none of them runs beside another, and no picture is written to.
var (
	theGood   *image.RGBA
	theFinder *face.Finder
)

func finder(t testing.TB) *face.Finder {
	t.Helper()
	if theFinder == nil {
		var err error
		if theFinder, err = face.New(); err != nil {
			t.Fatal(err)
		}
	}
	theFinder.Wipe()
	return theFinder
}

// moved scales the picture around its middle and shifts it; what comes from outside is wall.
func moved(m *image.RGBA, scale, dx, dy float64) *image.RGBA {
	cx, cy := float64(m.Rect.Dx())/2, float64(m.Rect.Dy())/2
	return each(m, func(x, y int, _ color.RGBA) color.RGBA {
		p := image.Pt(int(math.Round((float64(x)-dx-cx)/scale+cx)), int(math.Round((float64(y)-dy-cy)/scale+cy)))
		if !p.In(m.Rect) {
			return white
		}
		return m.RGBAAt(p.X, p.Y)
	})
}

// mesh finds the face of a picture.
func mesh(t testing.TB, m *image.RGBA) face.Mesh {
	t.Helper()
	out, ok := finder(t).Track(m)
	if !ok {
		t.Fatal("no face")
	}
	return out
}

// larger doubles a picture's size, and a bit.
func larger(m *image.RGBA, by float64) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, int(float64(m.Rect.Dx())*by), int(float64(m.Rect.Dy())*by)))
	xdraw.CatmullRom.Scale(out, out.Rect, m, m.Rect, xdraw.Src, nil)
	return out
}

// A case is a derived picture and what must be said of it.
type derived struct {
	name    string
	picture func(t testing.TB, good *image.RGBA) *image.RGBA
	verdict Verdict // "" when no photo can be made
	advice  Advice  // that must be among the findings, or of ErrNoPhoto
}

// The derived set: what is sound must be accepted, what breaks one rule must be refused for it.
var derivedSet = []derived{
	{"as it is", func(_ testing.TB, m *image.RGBA) *image.RGBA { return m }, Accepted, ""},
	{"mirrored", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return each(m, func(x, y int, _ color.RGBA) color.RGBA { return m.RGBAAt(m.Rect.Dx()-1-x, y) })
	}, Accepted, ""},
	{"a tenth lighter", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return levels(m, func(v float64) float64 { return 1.1 * v })
	}, Accepted, ""},
	{"a tenth darker", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return levels(m, func(v float64) float64 { return 0.9 * v })
	}, Accepted, ""},
	{"a tenth larger", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 1.1, 0, 0) }, Accepted, ""},
	{"to one side", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 1, -40, 0) }, Accepted, ""},
	{"up", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 1, 0, -30) }, Accepted, ""},
	{"leaning by 3 degrees", func(_ testing.TB, m *image.RGBA) *image.RGBA { return turnedBy(m, 3, 350, 300, white) }, Accepted, ""},
	{"hardly blurred", func(_ testing.TB, m *image.RGBA) *image.RGBA { return blurred(m, 1) }, Accepted, ""},
	{"light grey wall", func(t testing.TB, m *image.RGBA) *image.RGBA { return wall(t, m, color.RGBA{235, 235, 235, 255}) }, Accepted, ""},

	{"nobody", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return each(m, func(_, _ int, _ color.RGBA) color.RGBA { return white })
	}, "", AdviceNobody},
	{"far away", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 0.5, 0, 0) }, "", AdviceCloser},
	{"too near", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 1.8, 0, -80) }, "", AdviceBack},
	{"at the picture's left", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 1, -220, 0) }, "", AdviceLeft},
	{"at the picture's right", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 1, 180, 0) }, "", AdviceRight},
	{"too low", func(_ testing.TB, m *image.RGBA) *image.RGBA { return moved(m, 1, 0, 100) }, "", AdviceTaller},
	{"two people", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		wide := image.NewRGBA(image.Rect(0, 0, 900, 540))
		draw.Draw(wide, wide.Rect, image.NewUniform(white), image.Point{}, draw.Src)
		draw.Draw(wide, image.Rect(0, 0, 560, 540), m, image.Point{}, draw.Src)
		xdraw.CatmullRom.Scale(wide, image.Rect(560, 150, 900, 437), m, m.Rect, xdraw.Src, nil)
		return wide
	}, Refused, AdviceOthers},
	{"leaning by 12 degrees", func(_ testing.TB, m *image.RGBA) *image.RGBA { return turnedBy(m, 12, 350, 300, white) }, Refused, "straighten"},
	{"blurred", func(_ testing.TB, m *image.RGBA) *image.RGBA { return blurred(m, 4) }, Refused, "still"},
	{"dark", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return levels(m, func(v float64) float64 { return 0.35 * v })
	}, Refused, "dark"},
	{"burnt out", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return levels(m, func(v float64) float64 { return 2.6 * v })
	}, Refused, "bright"},
	{"blue light", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return each(m, func(_, _ int, c color.RGBA) color.RGBA {
			return color.RGBA{uint8(float64(c.R) * 0.6), uint8(float64(c.G) * 0.8), c.B, 255}
		})
	}, Refused, "colour"},
	{"light from the side", func(t testing.TB, m *image.RGBA) *image.RGBA {
		nose := mesh(t, m).Points[face.NoseTip].X
		return each(m, func(x, _ int, c color.RGBA) color.RGBA {
			k := 1 - 0.65/(1+math.Exp(-(float64(x)-nose)/10))
			if min(c.R, c.G, c.B) > 245 {
				k = 1
			}
			return color.RGBA{uint8(float64(c.R) * k), uint8(float64(c.G) * k), uint8(float64(c.B) * k), 255}
		})
	}, Refused, "uneven"},
	{"grey wall", func(t testing.TB, m *image.RGBA) *image.RGBA { return wall(t, m, color.RGBA{150, 150, 150, 255}) }, Refused, "background"},
	{"blue wall", func(t testing.TB, m *image.RGBA) *image.RGBA { return wall(t, m, color.RGBA{80, 140, 230, 255}) }, Refused, "background"},
	{"cluttered room", func(t testing.TB, _ *image.RGBA) *image.RGBA { return picture(t, "room.jpg") }, Refused, "background"},
	{"shadow on the wall", func(_ testing.TB, m *image.RGBA) *image.RGBA {
		return each(m, func(x, _ int, c color.RGBA) color.RGBA {
			if min(c.R, c.G, c.B) < 246 {
				return c
			}
			v := uint8(250 - 45*max(0, min(1, float64(x-380)/120)))
			return color.RGBA{v, v, v, 255}
		})
	}, Refused, "shadow"},
	{"white clothes", func(t testing.TB, m *image.RGBA) *image.RGBA {
		chin := mesh(t, m).Points[face.Chin].Y
		return each(m, func(_, y int, c color.RGBA) color.RGBA {
			if float64(y) < chin-25 || max(c.R, c.G, c.B) > 90 {
				return c
			}
			return color.RGBA{225 + c.R/4, 225 + c.G/4, 225 + c.B/4, 255}
		})
	}, Refused, "white-top"},
	{"smile with teeth", func(t testing.TB, _ *image.RGBA) *image.RGBA {
		return larger(wall(t, picture(t, "astronaut.jpg"), white), 2.6)
	}, Refused, "mouth"},
	{"reflections in the glasses", func(t testing.TB, m *image.RGBA) *image.RGBA {
		f := mesh(t, m)
		a, b := f.Eyes()
		return each(m, func(x, y int, c color.RGBA) color.RGBA {
			for _, e := range []face.Point{a, b} {
				if math.Hypot(float64(x)-e.X, float64(y)-e.Y) < 9 {
					return color.RGBA{255, 255, 255, 255}
				}
			}
			return c
		})
	}, ForPerson, "glare"},
	{"mouth and nose covered", func(t testing.TB, m *image.RGBA) *image.RGBA {
		m = moved(m, 1.1, 0, 0)
		f := mesh(t, m)
		top, chin := f.Points[face.NoseTip].Y, f.Points[face.Chin].Y
		return each(m, func(x, y int, c color.RGBA) color.RGBA {
			if float64(y) > top && float64(y) < chin && float64(x) > f.Points[face.CheekA].X && float64(x) < f.Points[face.CheekB].X {
				return color.RGBA{90, 140, 200, 255}
			}
			return c
		})
	}, ForPerson, "covered"},
}

func TestDerivedPicturesGetTheirVerdict(t *testing.T) {
	g := good(t)
	b := booth(t, "id-card")
	table := map[[2]Verdict]int{}
	for i, c := range derivedSet {
		if i%every != 0 {
			continue
		}
		p, err := b.Take(c.picture(t, g))
		var none ErrNoPhoto
		if errors.As(err, &none) {
			p.Verdict, p.Findings = "", []Finding{{Advice: none.Advice}}
		} else if err != nil {
			t.Fatal(err)
		}
		table[[2]Verdict{c.verdict, p.Verdict}]++
		said := slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Advice == c.advice })
		if p.Verdict != c.verdict || c.advice != "" && !said {
			t.Errorf("%s: %q %v, expected %q for %q", c.name, p.Verdict, p.Findings, c.verdict, c.advice)
		}
		t.Logf("%-28s %-11s %v", c.name, p.Verdict, p.Findings)
		p.Wipe()
		b.Wipe()
	}
	t.Logf("expected, got: %v", table)
}

func TestGuidanceLeadsToAPhoto(t *testing.T) {
	g := good(t)
	b := booth(t, "id-card")
	watch := func(m *image.RGBA, sequence uint32, want Advice) {
		t.Helper()
		if got := b.Watch(m, sequence); got != want {
			t.Errorf("picture %d: %q, expected %q", sequence, got, want)
		}
	}
	watch(each(g, func(_, _ int, _ color.RGBA) color.RGBA { return white }), 1, AdviceNobody)
	watch(moved(g, 0.5, 0, 0), 2, AdviceCloser)
	watch(moved(g, 1, -220, 0), 3, AdviceLeft)
	watch(turnedBy(g, 12, 350, 300, white), 4, "straighten")
	watch(blurred(g, 4), 5, "still")
	for i := range uint32(8) {
		watch(g, 6+i, AdviceHold)
	}
	got := b.Candidates([]uint32{4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, 2)
	if len(got) != 2 || got[0] < 6 || got[1] < 6 || max(got[0], got[1])-min(got[0], got[1]) < 3 {
		t.Errorf("candidates %v", got)
	}
	if got := b.Candidates([]uint32{99}, 2); len(got) != 0 {
		t.Errorf("candidates that nobody keeps: %v", got)
	}
	for _, a := range []Advice{AdviceNobody, AdviceCloser, AdviceLeft, "straighten", "still", AdviceHold} {
		if a.Words("zh") == "" || a.Words("en") == "" {
			t.Errorf("%s has no words", a)
		}
	}
}

// TestBetterPicturesAreWorthMore: open eyes, a closed mouth, a straight head and a sharp picture.
func TestBetterPicturesAreWorthMore(t *testing.T) {
	best := Values{"ofiq-eyes-open": 99, "ofiq-mouth-closed": 97, "ofiq-yaw": 100, "ofiq-pitch": 99, "ofiq-roll": 100, "sharpness": 400}
	for _, m := range []Measure{"ofiq-eyes-open", "ofiq-mouth-closed", "ofiq-yaw", "ofiq-pitch", "ofiq-roll", "sharpness"} {
		v := Values{}
		for k, x := range best {
			v[k] = x
		}
		v[m] /= 3
		if value(v) >= value(best) {
			t.Errorf("a worse %s is worth %.1f, the best %.1f", m, value(v), value(best))
		}
	}
}

func TestNothingOfAFaceIsLeft(t *testing.T) {
	g := good(t)
	b := booth(t, "id-card")
	for i := range uint32(12) {
		b.Watch(g, i)
	}
	p, err := b.Take(g)
	if err != nil || len(p.JPEG) == 0 {
		t.Fatal(err)
	}
	file, remembered := p.JPEG, b.worth
	p.Wipe()
	b.Wipe()
	if slices.ContainsFunc(file, func(c byte) bool { return c != 0 }) || p.JPEG != nil {
		t.Error("the file is left")
	}
	if slices.ContainsFunc(b.photo.Pix, func(c byte) bool { return c != 0 }) {
		t.Error("the preview's photo is left")
	}
	if slices.ContainsFunc(b.mask[:], func(c float32) bool { return c != 0 }) {
		t.Error("the mask is left")
	}
	if slices.ContainsFunc(remembered, func(w worth) bool { return w != worth{} }) || b.worth != nil || b.hair != hairAbove {
		t.Error("what was seen of the person is left")
	}
	if got := b.Watch(g, 1); got != AdviceHold {
		t.Errorf("the next person: %q", got)
	}
}

func BenchmarkWatch(b *testing.B) {
	g, booth := good(b), booth(b, "id-card")
	n := uint32(0)
	for b.Loop() {
		booth.Watch(g, n)
		n++
	}
}

func BenchmarkTake(b *testing.B) {
	g, booth := good(b), booth(b, "id-card")
	for b.Loop() {
		if _, err := booth.Take(g); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFile cuts the photo out of a picture of 1280 by 720 and finds its quality.
func BenchmarkFile(b *testing.B) {
	p, err := LoadProfile("id-card")
	if err != nil {
		b.Fatal(err)
	}
	m := larger(good(b), 1.34)
	f := frame{x: 120, y: 60, scale: 1.3}
	out := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for b.Loop() {
		cutFinely(out, m, f)
		if _, _, err := encode(out, p); err != nil {
			b.Fatal(err)
		}
	}
}
