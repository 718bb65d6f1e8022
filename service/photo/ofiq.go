package photo

// Quality components of ISO/IEC 29794-5:2025, by the formulas of its reference implementation OFIQ, as far as they need no
// model that cannot be had. Each maps a raw value to 0 to 100.

import "math"

// sigmoid is 1/(1+exp((x0-x)/w)).
func sigmoid(x, x0, w float64) float64 { return 1 / (1 + math.Exp((x0-x)/w)) }

// component is round(h*(a+s*sigmoid)) within 0 to 100.
func component(x, h, a, s, x0, w float64) float64 { return score(h * (a + s*sigmoid(x, x0, w))) }

func score(v float64) float64 {
	if math.IsNaN(v) {
		return v
	}
	return math.Round(max(0, min(100, v)))
}

// The components. T is the distance from the middle of the eyes to the chin, IED that of the eyes.
var (
	// backgroundUniformity of the mean Sobel magnitude of the background's luminance.
	backgroundUniformity = func(x float64) float64 { return component(x, 190, 1, -1, 10, 100) }
	// illuminationUniformity of the part that the luminance histograms of both cheeks have in common.
	illuminationUniformity = func(x float64) float64 { return score(100 * math.Pow(x, 0.3)) }
	// luminanceMean of the face's mean luminance, 0 to 1.
	luminanceMean = func(x float64) float64 {
		return score(100 * sigmoid(x, 0.2, 0.05) * (1 - sigmoid(x, 0.8, 0.05)))
	}
	// luminanceVariance of its variance, of luminance from 0 to 1.
	luminanceVariance = func(x float64) float64 { return score(100 * math.Sin(math.Pi*60*x/(60*x+1))) }
	// underExposure of the share of luminance up to 25 of 255.
	underExposure = func(x float64) float64 { return component(x, 120, 0.832, -1, 0.92, 0.05) }
	// overExposure of the share of luminance from 247.
	overExposure = func(x float64) float64 { return score(1 / (x + 0.01)) }
	// dynamicRange of the entropy of the face's luminance in bits.
	dynamicRange = func(x float64) float64 { return score(12.5 * x) }
	// naturalColour of the distance of the cheeks' CIELAB a and b from the skin's range.
	naturalColour = func(x float64) float64 { return component(x, 200, 1, -1, 0, 10) }
	// singleFace of the second face's area by the largest's.
	singleFace = func(x float64) float64 { return score(100 * (1 - x)) }
	// eyesOpen of the smaller eye's gap by T.
	eyesOpen = func(x float64) float64 { return component(x, 100, 0, 1, 0.02, 0.01) }
	// mouthClosed of the gap of the lips by T.
	mouthClosed = func(x float64) float64 { return component(x, 100, 1, -1, 0.2, 0.06) }
	// interEyeDistance of the pixels between the eyes by the cosine of the yaw.
	interEyeDistance = func(x float64) float64 { return component(x, 100, 0, 1, 70, 20) }
	// headSize of the distance of T by the picture's height from 0.45.
	headSize = func(x float64) float64 { return component(math.Abs(x-0.45), 200, 1, -1, 0, 0.05) }
	// cropSide of the distance of the eyes' middle from a side edge by IED.
	cropSide = func(x float64) float64 { return component(x, 100, 0, 1, 0.9, 0.1) }
	// marginAbove and marginBelow of the distance of the eyes' middle from that edge by T.
	marginAbove = func(x float64) float64 { return component(x, 100, 0, 1, 1.4, 0.1) }
	marginBelow = func(x float64) float64 { return component(x, 100, 0, 1, 1.8, 0.1) }
	// turned of an angle in degrees.
	turned = func(degrees float64) float64 {
		if math.Abs(degrees) >= 90 {
			return 0
		}
		c := math.Cos(degrees * math.Pi / 180)
		return score(100 * c * c)
	}
)

// linear is the linear light of an sRGB value from 0 to 255, times 255.
var linear = func() (t [256]float32) {
	for i := range t {
		v := float64(i) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		t[i] = float32(255 * v)
	}
	return t
}()

// luminance of an sRGB pixel, 0 to 255 (ITU-R BT.709 weights over linear light).
func luminance(r, g, b byte) float32 {
	return 0.2126*linear[r] + 0.7152*linear[g] + 0.0722*linear[b]
}

// lab is CIELAB under D65 of a mean of linear light, each from 0 to 255.
func lab(r, g, b float64) (l, a, bb float64) {
	r, g, b = r/255, g/255, b/255
	f := func(t float64) float64 {
		if t > 216./24389 {
			return math.Cbrt(t)
		}
		return (24389./27*t + 16) / 116
	}
	x := f((0.4124564*r + 0.3575761*g + 0.1804375*b) / 0.95047)
	y := f(0.2126729*r + 0.7151522*g + 0.0721750*b)
	z := f((0.0193339*r + 0.1191920*g + 0.9503041*b) / 1.08883)
	return 116*y - 16, 500 * (x - y), 200 * (y - z)
}

// beyond is how far a value lies outside of a range.
func beyond(v, least, most float64) float64 { return max(0, least-v, v-most) }
