package fingersim

import (
	"testing"

	"github.com/budayang/kiosk/devices/sim"
)

// Two fingers of each of six people, laid down in four ways, are themselves and nobody else's.
func TestFingersAreToldApart(t *testing.T) {
	var (
		fingers  []sim.Finger
		enrolled []print
	)
	for n := 1; n <= each; n++ {
		for _, p := range sim.People() {
			f := sim.FingerOf(p.Number, n)
			fingers, enrolled = append(fingers, f), append(enrolled, extract(f.Picture(sim.Press{Grain: 1}, 256, 288), 256, 288, 500))
		}
	}
	lowest, highest := 1.0, 0.0
	for i, f := range fingers {
		for k, p := range []sim.Press{{Grain: 9}, {X: 20, Y: -15, Turn: 12, Stretch: 0.5, Grain: 3}, {X: -25, Y: 20, Turn: -20, Stretch: -1, Grain: 4}} {
			live := extract(f.Picture(p, 256, 288), 256, 288, 500)
			for j, e := range enrolled {
				switch s := score(live, e); {
				case i == j:
					lowest = min(lowest, s)
				case k == 1:
					highest = max(highest, s)
				}
			}
		}
	}
	t.Logf("the least alike of one finger %.2f, the most alike of two %.2f", lowest, highest)
	if lowest < sameFrom+0.1 || highest > sameFrom-0.1 {
		t.Errorf("one finger down to %.2f, two up to %.2f: %.2f does not tell them apart", lowest, highest, sameFrom)
	}
	// Another sensor, with a smaller picture of another resolution.
	if s := score(extract(fingers[2].Picture(sim.Press{Grain: 5}, 192, 192), 192, 192, 508), enrolled[2]); s < sameFrom {
		t.Errorf("by another sensor %.2f", s)
	}
	for name, p := range map[string]sim.Press{"smeared": {Smeared: true}, "tip": {Tip: true}} {
		if x := extract(fingers[0].Picture(p, 256, 288), 256, 288, 500); x.area >= leastArea && len(x.points) >= leastMarks {
			t.Errorf("%s: %.2f of it is finger, %d minutiae", name, x.area, len(x.points))
		}
	}
	if x := extract(make([]byte, 64*64), 64, 64, 500); len(x.points) > 0 || score(x, enrolled[0]) != 0 || score(enrolled[0], x) != 0 {
		t.Errorf("nothing has %d minutiae", len(x.points))
	}
}

// A picture is foreign bytes: of whatever size and content, it is judged.
func FuzzExtract(f *testing.F) {
	f.Add([]byte{}, uint16(64), uint16(64))
	finger := sim.FingerOf("990000198503120115", 1)
	f.Add(finger.Picture(sim.Press{}, 96, 96), uint16(96), uint16(96))
	f.Fuzz(func(t *testing.T, b []byte, width, height uint16) {
		w, h := 64+int(width)%64, 64+int(height)%64
		pixels := make([]byte, w*h)
		copy(pixels, b)
		p := extract(pixels, w, h, 500)
		if len(p.points) > most || p.area < 0 || p.area > 1 {
			t.Fatalf("%d minutiae, %f", len(p.points), p.area)
		}
		if s := score(p, p); s < 0 || s > 1 {
			t.Fatalf("score %f", s)
		}
	})
}
