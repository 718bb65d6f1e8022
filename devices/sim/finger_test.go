package sim

import (
	"bytes"
	"testing"
)

// A finger is the same whenever it is made, no two are, and no two pictures of one are.
func TestFingersAreTheirOwn(t *testing.T) {
	seen := map[string]string{}
	for _, p := range People() {
		for n := 1; n <= 10; n++ {
			a, b := FingerOf(p.Number, n), FingerOf(p.Number, n)
			pic := a.Picture(Press{Grain: 7}, 96, 96)
			if !bytes.Equal(pic, b.Picture(Press{Grain: 7}, 96, 96)) {
				t.Fatalf("finger %d of %s is another one the second time", n, p.Name)
			}
			if bytes.Equal(pic, a.Picture(Press{Grain: 8}, 96, 96)) {
				t.Error("two pictures are the same")
			}
			if len(a.forks) < 25 {
				t.Errorf("finger %d of %s has %d forks", n, p.Name, len(a.forks))
			}
			if other := seen[string(pic)]; other != "" {
				t.Errorf("%s and %s have the same finger", p.Name, other)
			}
			seen[string(pic)] = p.Name
		}
	}
	for i, v := range new(Finger).Picture(Press{}, 64, 64) {
		if v%17 != 0 {
			t.Fatalf("pixel %d is %d, no one of 16 shades", i, v)
		}
	}
}
