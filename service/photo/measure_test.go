package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/budayang/kiosk/service/photo/face"
)

// TestComponentsByHand holds each formula of OFIQ to values worked out on paper: 1/(1+e) is 0.268941, e/(1+e) is 0.731059.
func TestComponentsByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(float64) float64
		x    []float64
		want []float64
	}{
		{"background uniformity", backgroundUniformity, []float64{0, 10, 110}, []float64{100, 95, 51}},
		{"illumination uniformity", illuminationUniformity, []float64{0, 0.5, 1}, []float64{0, 81, 100}},
		{"luminance mean", luminanceMean, []float64{0, 0.2, 0.5, 0.8}, []float64{2, 50, 100, 50}},
		{"luminance variance", luminanceVariance, []float64{0, 1. / 60, 0.05}, []float64{0, 100, 71}},
		{"under-exposure", underExposure, []float64{0, 0.92, 1}, []float64{100, 40, 0}},
		{"over-exposure", overExposure, []float64{0, 0.01, 0.09, 0.99}, []float64{100, 50, 10, 1}},
		{"dynamic range", dynamicRange, []float64{0, 4, 8}, []float64{0, 50, 100}},
		{"natural colour", naturalColour, []float64{0, 10}, []float64{100, 54}},
		{"single face", singleFace, []float64{0, 0.25, 1}, []float64{100, 75, 0}},
		{"eyes open", eyesOpen, []float64{0.01, 0.02, 0.03}, []float64{27, 50, 73}},
		{"mouth closed", mouthClosed, []float64{0.14, 0.2, 0.26}, []float64{73, 50, 27}},
		{"inter-eye distance", interEyeDistance, []float64{50, 70, 90}, []float64{27, 50, 73}},
		{"head size", headSize, []float64{0.4, 0.45, 0.5}, []float64{54, 100, 54}},
		{"crop", cropSide, []float64{0.8, 0.9, 1}, []float64{27, 50, 73}},
		{"margin above", marginAbove, []float64{1.3, 1.4, 1.5}, []float64{27, 50, 73}},
		{"margin below", marginBelow, []float64{1.7, 1.8, 1.9}, []float64{27, 50, 73}},
		{"pose", turned, []float64{0, 45, -60, 90, 120}, []float64{100, 50, 25, 0, 0}},
	} {
		for i, x := range c.x {
			if got := c.f(x); got != c.want[i] {
				t.Errorf("%s of %g is %g, by hand %g", c.name, x, got, c.want[i])
			}
		}
	}
}

func TestColoursByHand(t *testing.T) {
	for _, c := range []struct{ r, g, b, l, a, bb float64 }{{255, 255, 255, 100, 0, 0}, {0, 0, 0, 0, 0, 0}, {255, 0, 0, 53.24, 80.09, 67.20}, {0, 0, 255, 32.30, 79.19, -107.86}} {
		l, a, b := lab(c.r, c.g, c.b)
		if math.Abs(l-c.l) > 0.05 || math.Abs(a-c.a) > 0.05 || math.Abs(b-c.bb) > 0.05 {
			t.Errorf("%+v is %.2f %.2f %.2f", c, l, a, b)
		}
	}
	if l := luminance(255, 255, 255); math.Abs(float64(l)-255) > 0.01 {
		t.Errorf("white has the luminance %v", l)
	}
	if l := luminance(0, 188, 0); math.Abs(float64(l)-0.7152*255*0.5029) > 0.1 {
		t.Errorf("half green has the luminance %v", l)
	}
}

func TestHull(t *testing.T) {
	got := convex([]image.Point{{0, 0}, {10, 0}, {10, 10}, {0, 10}, {5, 5}, {2, 7}, {10, 5}})
	if len(got) != 4 || !slices.Contains(got, image.Pt(10, 10)) || slices.Contains(got, image.Pt(5, 5)) {
		t.Errorf("%v", got)
	}
}

// drawn is a subject made of flat colours: a face of one grey, eyes 100 pixels apart, before a wall of another.
func drawn(skin, wall uint8) *subject {
	m := image.NewRGBA(image.Rect(0, 0, 400, 500))
	draw.Draw(m, m.Rect, image.NewUniform(color.Gray{wall}), image.Point{}, draw.Src)
	draw.Draw(m, image.Rect(80, 60, 320, 500), image.NewUniform(color.Gray{skin}), image.Point{}, draw.Src)
	var mesh face.Mesh
	for i := range mesh.Points {
		a := float64(i) / float64(len(mesh.Points)) * 2 * math.Pi
		mesh.Points[i] = face.Point{X: 200 + 90*math.Cos(a), Y: 250 + 120*math.Sin(a)}
	}
	at := func(i int, x, y float64) { mesh.Points[i] = face.Point{X: x, Y: y} }
	at(face.EyeAOuter, 130, 200)
	at(face.EyeAInner, 170, 200)
	at(face.EyeBInner, 230, 200)
	at(face.EyeBOuter, 270, 200)
	at(face.Chin, 200, 370)
	at(face.CheekA, 100, 220)
	at(face.CheekB, 300, 220)
	at(face.MouthA, 170, 300)
	at(face.MouthB, 230, 300)
	for _, p := range append(slices.Clone(eyeALids), eyeBLids...) {
		at(p[0], 200, 200)
		at(p[1], 200, 208.5) // a gap of 0.05 of the 170 pixels to the chin
	}
	for _, p := range lipGaps {
		at(p[0], 200, 300)
		at(p[1], 200, 317) // of 0.1
	}
	var mask face.Mask
	for y := range face.MaskSide {
		for x := range face.MaskSide {
			px, py := (x*400+200)/face.MaskSide, (y*500+250)/face.MaskSide
			if px >= 80 && px < 320 && py >= 60 {
				mask[y*face.MaskSide+x] = 1
			}
		}
	}
	return &subject{photo: m, mesh: &mesh, mask: &mask, enlarged: 1}
}

func TestMeasuresOfADrawnFace(t *testing.T) {
	v := drawn(188, 240).measure()
	for name, want := range map[Measure]float64{
		"face-width": 200, "centre": 0, "eye-line": 300, "eyes-from-top": 200, "eye-middle": 200, "eye-distance": 100, "eyes-gap": 0.05,
		"mouth-gap": 0.1, "hair-top": 60, "head-height": 310, "second-face": 0, "ofiq-single-face": 100,
		// 188 is half of the light (0.5029): a mean score of 100, and nothing varies.
		"ofiq-luminance-mean": 100, "ofiq-luminance-variance": 0, "ofiq-dynamic-range": 0, "ofiq-over-exposure": 100,
		"ofiq-under-exposure": 100, "ofiq-illumination-uniformity": 100, "ofiq-background-uniformity": 100,
		// Grey has no colour: a and b are 5 away from the skin's range each, 7.07 together: 200*(1-0.6697).
		"ofiq-natural-colour": 66,
		"face-l":              76.2, "face-a": 0, "face-b": 0, "background-l": 94.8, "background-c": 0, "background-std": 0, "shadow": 0,
		"top-contrast": 18.6, "glare": 0, "uncovered": 1, "eyes-lit": 1, "print-edges": 0, "head-colour": 0, "eyes-own": 1, "shake": 0, "sharpness": 0,
		// Eyes 2 distances from either side; 200 of 170 above, 300 of 170 below; the head is 170 of 500.
		"ofiq-leftward-crop": 100, "ofiq-rightward-crop": 100, "ofiq-margin-above": 10, "ofiq-margin-below": 41, "ofiq-head-size": 20,
		"ofiq-eyes-open": 95, "ofiq-mouth-closed": 84,
	} {
		got, measured := v[name]
		tolerance := 0.05
		if name == "hair-top" || name == "head-height" || name == "top-contrast" {
			tolerance = 2 // one row of the mask, and its edge
		}
		if !measured || math.Abs(got-want) > tolerance {
			t.Errorf("%s is %.3f, expected %g", name, got, want)
		}
	}
	for _, m := range Measures {
		if got, measured := v[m]; !measured || math.IsNaN(got) {
			t.Errorf("%s is not measured: %v", m, got)
		}
	}
	// Without the mask what needs it is left out, not guessed.
	s := drawn(188, 240)
	s.mask = nil
	v = s.measure()
	for _, m := range []Measure{"hair-top", "head-height", "head-colour", "background-l", "background-std", "shadow", "top-contrast", "ofiq-background-uniformity"} {
		if got, measured := v[m]; measured {
			t.Errorf("%s is %v without a mask", m, got)
		}
	}
	if got := drawn(10, 240).measure()["ofiq-under-exposure"]; got != 0 {
		t.Errorf("a black face has %v", got)
	}
	if got := drawn(252, 240).measure()["ofiq-over-exposure"]; got != 1 {
		t.Errorf("a white face has %v", got)
	}
	// Above the forehead a blue of CIELAB 32.3 79.2 -107.9: 54.2 and 107.9 away from what hair and skin have.
	s = drawn(188, 240)
	draw.Draw(s.photo, image.Rect(80, 60, 320, 266), image.NewUniform(color.RGBA{0, 0, 255, 255}), image.Point{}, draw.Src)
	if got := s.measure()["head-colour"]; math.Abs(got-math.Hypot(79.19-25, 107.86)) > 3 { // a row of the mask, and its edge
		t.Errorf("a blue hat is %.1f away from hair", got)
	}
	// A second cheek in the shadow has nothing in common with the first.
	s = drawn(188, 240)
	draw.Draw(s.photo, image.Rect(200, 0, 320, 500), image.NewUniform(color.Gray{90}), image.Point{}, draw.Src)
	if got := s.measure()["ofiq-illumination-uniformity"]; got != 0 {
		t.Errorf("half in the shadow: %v", got)
	}
}

func TestRulesDecideAndUnknownIsForAPerson(t *testing.T) {
	n := func(v float64) *float64 { return &v }
	rules := Profile{Rules: []Rule{{"yaw", n(-5), n(5), Refuse, "turn-left", "turn-right"}, {"glare", nil, n(0.1), Review, "", "glare"},
		{"roll", nil, n(1), Advise, "", "straighten"}}}
	for _, c := range []struct {
		v    Values
		want Verdict
		said []Advice
	}{
		{Values{"yaw": 0, "glare": 0, "roll": 0}, Accepted, nil},
		{Values{"yaw": -6, "glare": 0, "roll": 0}, Refused, []Advice{"turn-left"}},
		{Values{"yaw": 6, "glare": 1, "roll": 0}, Refused, []Advice{"turn-right", "glare"}},
		{Values{"yaw": 0, "glare": 1, "roll": 0}, ForPerson, []Advice{"glare"}},
		{Values{"yaw": 0, "glare": 0, "roll": 2}, Accepted, []Advice{"straighten"}},
		{Values{"glare": 0}, ForPerson, []Advice{"turn-left"}},
		{Values{"yaw": 0}, ForPerson, []Advice{"glare"}},
	} {
		p := Photo{Verdict: Accepted, Values: c.v}
		p.judge(rules)
		var said []Advice
		for _, f := range p.Findings {
			said = append(said, f.Advice)
		}
		if p.Verdict != c.want || !slices.Equal(said, c.said) {
			t.Errorf("%v: %s %v", c.v, p.Verdict, said)
		}
	}
}

func TestProfilesAreSound(t *testing.T) {
	if len(Profiles()) < 3 {
		t.Fatalf("only %v", Profiles())
	}
	for _, name := range Profiles() {
		p, err := LoadProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Confirmed {
			t.Errorf("%s says that its values are in force; nobody has shown that", name)
		}
	}
	good, err := profiles.ReadFile("profiles/id-card.toml")
	if err != nil {
		t.Fatal(err)
	}
	for old, bad := range map[string]string{
		"width = 358": "width = 9", "quality_least = 60": "quality_least = 96", "bytes_least = 14336": "bytes_least = 20480",
		"face_width = 207": "face_width = 358", `measure = "yaw"`: `measure = "yawn"`, `kind = "review"`: `kind = "reject"`,
		`low = "turn-left"`: `low = "turn"`, `high = "closer"`: "", "title =": "titel =", "hair_top = 14": `hair_top = "14"`,
	} {
		text := strings.Replace(string(good), old, bad, 1)
		if _, err := ParseProfile("x.toml", []byte(text)); err == nil || text == string(good) || !strings.Contains(err.Error(), "x.toml") {
			t.Errorf("%q in place of %q: %v", bad, old, err)
		}
	}
}

func TestEveryAdviceIsWorded(t *testing.T) {
	for a, w := range words {
		if w[0] == "" || w[1] == "" || a.Words("zh") != w[0] || a.Words("en") != w[1] {
			t.Errorf("%s: %q", a, w)
		}
	}
}

// noisy is a picture that compresses badly: the more, the larger its file.
func noisy(w, h int, amount float64) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	seed := uint32(5)
	for i := range m.Pix {
		seed = seed*1664525 + 1013904223
		m.Pix[i] = uint8(128 + amount*(float64(seed>>24)-128))
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

func TestFilesHaveTheirSizeAndDensity(t *testing.T) {
	p, err := LoadProfile("id-card")
	if err != nil {
		t.Fatal(err)
	}
	fitted := 0
	for amount := 0.0; amount < 0.5; amount += 0.01 {
		b, q, err := encode(noisy(358, 441, amount), p)
		if err != nil {
			if !errors.Is(err, ErrSize) {
				t.Fatal(err)
			}
			continue
		}
		fitted++
		if len(b) < 14336 || len(b) > 20480 || q < 60 || q > 95 {
			t.Errorf("noise of %.2f: %d bytes at quality %d", amount, len(b), q)
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width != 358 || c.Height != 441 {
			t.Errorf("%+v %v", c, err)
		}
		want := []byte{0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 1}
		if !bytes.HasPrefix(b, want) || binary.BigEndian.Uint16(b[14:]) != 350 || binary.BigEndian.Uint16(b[16:]) != 350 {
			t.Errorf("begins with % x", b[:20])
		}
		if bytes.Count(b, []byte("JFIF")) != 1 {
			t.Error("two JFIF segments")
		}
	}
	if fitted < 5 {
		t.Errorf("only %d pictures fit", fitted)
	}
	if _, _, err := encode(noisy(358, 441, 0), p); !errors.Is(err, ErrSize) {
		t.Errorf("a plain picture: %v", err)
	}
}

func FuzzParseProfile(f *testing.F) {
	for _, name := range Profiles() {
		b, err := profiles.ReadFile("profiles/" + name + ".toml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("[[rule]]\nmeasure = \"yaw\"\nleast = nan\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProfile("x", b)
		if err == nil && (p.Width < 100 || p.Height < 100 || len(p.Rules) == 0 || p.BytesLeast >= p.BytesMost) {
			t.Fatalf("%+v", p)
		}
	})
}
