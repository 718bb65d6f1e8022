package finger_test

import (
	"testing"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service/finger"
)

func TestWhatIsWorthComparing(t *testing.T) {
	for name, c := range map[string]struct {
		p    sim.Press
		want finger.Advice
	}{
		"good": {sim.Press{}, finger.AdviceNone}, "aslant": {sim.Press{Turn: 20, X: 20, Y: 20, Stretch: 1}, finger.AdviceNone}, "wet": {sim.Press{Wet: true}, finger.AdviceWet},
		"dry": {sim.Press{Dry: true}, finger.AdviceDry}, "moved": {sim.Press{Smeared: true}, finger.AdviceBlur}, "its tip": {sim.Press{Tip: true}, finger.AdviceSmall},
		"its edge": {sim.Press{X: 170}, finger.AdviceSmall},
	} {
		for i, who := range sim.People() {
			f := sim.FingerOf(who.Number, i+1)
			for _, size := range [][2]int{{256, 288}, {192, 192}} {
				if name == "its edge" && size[0] != 256 {
					continue
				}
				if q := finger.Judge(f.Picture(c.p, size[0], size[1]), size[0], size[1]); q.Advice != c.want {
					t.Errorf("%s, %d by %d: %+v, expected %q", name, size[0], size[1], q, c.want)
				}
			}
		}
	}
}

func TestNothingIsNoFinger(t *testing.T) {
	glass := make([]byte, 256*288)
	for i := range glass {
		glass[i] = 255
	}
	for name, c := range map[string]struct {
		pixels []byte
		w, h   int
	}{"glass": {glass, 256, 288}, "none": {nil, 256, 288}, "another size": {glass, 256, 287}, "tiny": {glass[:64], 8, 8}} {
		if q := finger.Judge(c.pixels, c.w, c.h); q.Advice != finger.AdviceSmall || q.Area != 0 {
			t.Errorf("%s: %+v", name, q)
		}
	}
	if q := finger.Judge(make([]byte, 256*288), 256, 288); q.Advice != finger.AdviceWet {
		t.Errorf("all dark: %+v", q)
	}
}
