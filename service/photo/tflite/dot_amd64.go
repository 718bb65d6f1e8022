package tflite

import "golang.org/x/sys/cpu"

// fast is whether the processor has what the assembly uses: all since Intel's Haswell (2013) and AMD's Excavator (2015).
var fast = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// dot4FMA is dotGo of rows of n values with n blocks of weights.
//
//go:noescape
func dot4FMA(sums *[4][block]float32, r0, r1, r2, r3, weights *float32, n int)

// multiplyAddFMA is multiplyAddGo of n values.
//
//go:noescape
func multiplyAddFMA(to, a, b *float32, n int)

func dot4(sums *[4][block]float32, r0, r1, r2, r3, weights []float32) {
	n := len(r0)
	if !fast || n == 0 {
		dotGo(sums, r0, r1, r2, r3, weights)
		return
	}
	_, _, _, _ = r1[n-1], r2[n-1], r3[n-1], weights[block*n-1]
	dot4FMA(sums, &r0[0], &r1[0], &r2[0], &r3[0], &weights[0], n)
}

func multiplyAdd(to, a, b []float32) {
	n := len(to)
	if !fast || n == 0 {
		multiplyAddGo(to, a, b)
		return
	}
	_, _ = a[n-1], b[n-1]
	multiplyAddFMA(&to[0], &a[0], &b[0], n)
}
