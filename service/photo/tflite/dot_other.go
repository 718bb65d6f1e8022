//go:build !amd64

package tflite

func dot4(sums *[4][block]float32, r0, r1, r2, r3, weights []float32) {
	dotGo(sums, r0, r1, r2, r3, weights)
}

func multiplyAdd(to, a, b []float32) { multiplyAddGo(to, a, b) }
