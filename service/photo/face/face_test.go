package face

import (
	"image"
	"image/draw"
	"image/jpeg"
	"math"
	"os"
	"testing"
)

func picture(t testing.TB, name string) *image.RGBA {
	t.Helper()
	f, err := os.Open("../testdata/" + name)
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

func finder(t testing.TB) *Finder {
	t.Helper()
	f, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFacesAreFoundWhereTheyAre(t *testing.T) {
	f := finder(t)
	for _, c := range []struct {
		name                string
		eyeA, eyeB, noseTip [2]float64 // read off the picture
	}{
		{"astronaut.jpg", [2]float64{201, 107}, [2]float64{246, 108}, [2]float64{224, 135}},
		{"room.jpg", [2]float64{312, 243}, [2]float64{390, 243}, [2]float64{348, 293}},
	} {
		m := picture(t, c.name)
		all := f.Find(m)
		if len(all) != 1 || all[0].Score < 0.7 {
			t.Fatalf("%s: %+v", c.name, all)
		}
		var mesh Mesh
		if ok := f.Mesh(m, all[0], &mesh); !ok || mesh.Score < 0.9 {
			t.Fatalf("%s: no mesh, %v", c.name, mesh.Score)
		}
		a, b := mesh.Eyes()
		t.Logf("%s: detected %.2f, mesh %.3f, eyes %.0f and %.0f, nose %.0f, %+.1f", c.name, all[0].Score, mesh.Score, a, b, mesh.Points[NoseTip], mesh.Pose())
		for _, p := range []struct {
			got  Point
			want [2]float64
		}{{a, c.eyeA}, {b, c.eyeB}, {mesh.Points[NoseTip], c.noseTip}} {
			if d := math.Hypot(p.got.X-p.want[0], p.got.Y-p.want[1]); d > 6 {
				t.Errorf("%s: %.0f, expected %v", c.name, p.got, p.want)
			}
		}
	}
}

func TestNoFaceWhereNoneIs(t *testing.T) {
	f := finder(t)
	m := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for i := range m.Pix {
		m.Pix[i] = byte(i * i >> 7)
	}
	if all := f.Find(m); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	if f.Track(m, &Mesh{}) {
		t.Error("tracked")
	}
}

func TestTrackingFollowsAndIsForgotten(t *testing.T) {
	f := finder(t)
	m := picture(t, "astronaut.jpg")
	var first, second Mesh
	if !f.Track(m, &first) {
		t.Fatal("not found")
	}
	// Moved by some pixels the face is where it went, without a search.
	moved := image.NewRGBA(m.Rect)
	draw.Draw(moved, m.Rect, m, image.Pt(-9, 5), draw.Src)
	if !f.Track(moved, &second) {
		t.Fatal("lost")
	}
	if dx, dy := second.Points[NoseTip].X-first.Points[NoseTip].X, second.Points[NoseTip].Y-first.Points[NoseTip].Y; math.Abs(dx-9) > 2 || math.Abs(dy+5) > 2 {
		t.Errorf("moved by %.1f %.1f", dx, dy)
	}
	f.Wipe()
	if f.tracking || f.last != (region{}) {
		t.Error("the face is remembered")
	}
	for _, model := range []interface{ Input() []float32 }{f.detector, f.mesh, f.mask} {
		for _, v := range model.Input() {
			if v != 0 {
				t.Fatal("a picture is left")
			}
		}
	}
}

func TestMaskIsThePerson(t *testing.T) {
	f := finder(t)
	m := picture(t, "astronaut.jpg")
	var mask Mask
	f.Mask(m, &mask)
	at := func(x, y int) float32 { return mask[y/2*MaskSide+x/2] }
	if at(224, 135) < 0.95 || at(224, 330) < 0.9 {
		t.Errorf("nose %.2f, chest %.2f", at(224, 135), at(224, 330))
	}
	if at(60, 20) > 0.2 || at(440, 60) > 0.3 {
		t.Errorf("flag %.2f, rocket %.2f", at(60, 20), at(440, 60))
	}
}

// TestPoseOfTurnedHeads turns the canonical face by known angles.
func TestPoseOfTurnedHeads(t *testing.T) {
	for _, want := range []Pose{{}, {Yaw: 20}, {Yaw: -35}, {Pitch: 15}, {Pitch: -25}, {Roll: 30}, {Roll: -12}, {Yaw: 10, Pitch: -8, Roll: 5}} {
		const degree = math.Pi / 180
		sy, cy := math.Sincos(want.Yaw * degree)
		sp, cp := math.Sincos(want.Pitch * degree)
		sr, cr := math.Sincos(-want.Roll * degree)
		var m Mesh
		for _, c := range canonical {
			x, y, z := c.x, c.y, c.z
			x, y = cr*x-sr*y, sr*x+cr*y // in the picture's plane first
			y, z = cp*y+sp*z, -sp*y+cp*z
			x, z = cy*x+sy*z, -sy*x+cy*z
			m.Points[c.id] = Point{300 + 20*x, 250 - 20*y, -20 * z}
		}
		got := m.Pose()
		tolerance := 1e-6
		if want.Yaw != 0 && want.Roll != 0 {
			tolerance = 2 // roll is measured in the picture, after the other turns
		}
		if math.Abs(got.Yaw-want.Yaw) > tolerance || math.Abs(got.Pitch-want.Pitch) > tolerance || math.Abs(got.Roll-want.Roll) > tolerance {
			t.Errorf("%+v is seen as %+v", want, got)
		}
	}
}

func BenchmarkTrack(b *testing.B) {
	f, m := finder(b), picture(b, "astronaut.jpg")
	var mesh Mesh
	for b.Loop() {
		if !f.Track(m, &mesh) {
			b.Fatal("lost")
		}
	}
}

func BenchmarkFind(b *testing.B) {
	f, m := finder(b), picture(b, "astronaut.jpg")
	for b.Loop() {
		f.Find(m)
	}
}

func BenchmarkMask(b *testing.B) {
	f, m := finder(b), picture(b, "astronaut.jpg")
	var mask Mask
	for b.Loop() {
		f.Mask(m, &mask)
	}
}
