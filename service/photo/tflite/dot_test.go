package tflite

import (
	"math"
	"testing"
)

// TestAssemblyIsTheLoop: whatever the processor has, every length gives what Go's loops give, and nothing beyond is touched.
func TestAssemblyIsTheLoop(t *testing.T) {
	seed := uint32(3)
	noise := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			seed = seed*1664525 + 1013904223
			x[i] = float32(seed>>8)/(1<<23) - 1
		}
		return x
	}
	for n := 1; n < 70; n++ {
		rows := [4][]float32{noise(n), noise(n), noise(n), noise(n)}
		weights := noise(block * n)
		var got, want [4][block]float32
		dot4(&got, rows[0], rows[1], rows[2], rows[3], weights)
		dotGo(&want, rows[0], rows[1], rows[2], rows[3], weights)
		for r := range got {
			for i := range got[r] {
				if math.Abs(float64(got[r][i]-want[r][i])) > 1e-5 {
					t.Fatalf("%d values: row %d column %d is %v, not %v", n, r, i, got[r][i], want[r][i])
				}
			}
		}
		a, b, to := noise(n), noise(n), noise(n+8)
		same := append([]float32(nil), to...)
		multiplyAdd(to[:n], a, b)
		multiplyAddGo(same[:n], a, b)
		for i := range to {
			if math.Abs(float64(to[i]-same[i])) > 1e-6 || i >= n && to[i] != same[i] {
				t.Fatalf("%d values: %d is %v, not %v", n, i, to[i], same[i])
			}
		}
	}
}
