package photo

// What is measured of a photo: a picture already cut to its size, the points of the face in it, and, where it was computed,
// the mask of the person.

import (
	"image"
	"math"
	"slices"

	"github.com/budayang/kiosk/service/photo/face"
)

// A Measure is the name of something measured.
type Measure string

// Measures are all there are. Scores are OFIQ's components, 0 to 100; the others have their unit.
var Measures = []Measure{
	// Geometry, in pixels of the photo.
	"face-width",     // between the cheeks where the ears begin
	"hair-top",       // from the upper edge; needs the mask
	"eye-line",       // from the middle of the eyes to the lower edge
	"centre",         // of the face from the photo's, positive to the photo's right
	"eye-middle",     // of the eyes from the left edge
	"eye-distance",   // of the eyes
	"eyes-from-top",  // from the middle of the eyes to the upper edge
	"head-height",    // from hair to chin; needs the mask
	"yaw",            // degrees, see face.Pose
	"pitch",          //
	"roll",           //
	"enlarged",       // pixels of the photo for each of the camera's
	"eyes-gap",       // smaller eye's gap by the distance from eyes to chin
	"eyes-own",       // eyes-gap by what this person's is while they look into the camera; 1 when that is not known
	"mouth-gap",      // lips' gap by the same
	"sharpness",      // variance of the Laplacian of the face's luma at 60 pixels between the eyes, without what is noise
	"shake",          // detail along the blurred direction by that across it, 0 to 1
	"second-face",    // area of the second face by the first's
	"face-l",         // CIELAB of the cheeks
	"face-a",         //
	"face-b",         //
	"background-l",   // CIELAB lightness of the background; this and what follows need the mask
	"background-c",   // its chroma
	"background-std", // standard deviation of its luma, 0 to 255
	"shadow",         // largest difference in luma between parts of the background, 0 to 255
	"top-contrast",   // CIELAB distance of the clothes from the background
	"head-colour",    // CIELAB distance of what is above the forehead from the colours that hair and skin have
	"glare",          // share of burnt-out pixels around the eyes
	"uncovered",      // likeness of the face's parts in colour, 0 to 1
	"eyes-lit",       // light below the darker eye by that of the cheek below it
	"print-edges",    // straight edges around the head as a print has them, 0 to 1; of the camera's whole picture
	// OFIQ's components.
	"ofiq-background-uniformity", "ofiq-illumination-uniformity", "ofiq-luminance-mean", "ofiq-luminance-variance",
	"ofiq-under-exposure", "ofiq-over-exposure", "ofiq-dynamic-range", "ofiq-natural-colour", "ofiq-single-face", "ofiq-eyes-open",
	"ofiq-mouth-closed", "ofiq-inter-eye-distance", "ofiq-head-size", "ofiq-leftward-crop", "ofiq-rightward-crop",
	"ofiq-margin-above", "ofiq-margin-below", "ofiq-yaw", "ofiq-pitch", "ofiq-roll",
}

// Values are what was measured. What could not be is left out.
type Values map[Measure]float64

// subject is a photo and what is known of it.
type subject struct {
	photo *image.RGBA
	mesh  *face.Mesh
	mask  *face.Mask // nil: not computed
	// enlarged is how many pixels of the photo one of the camera's became; second the area of another face by this one's.
	enlarged, second float64
	// print is the measure of edges in the whole picture; open is this person's eyes-gap, 0 when it is not known.
	print, open float64
}

// outlines of the mesh.
var (
	eyeALids = [][2]int{{160, 144}, {159, 145}, {158, 153}}
	eyeBLids = [][2]int{{385, 380}, {386, 374}, {387, 373}}
	lipGaps  = [][2]int{{82, 87}, {face.LipUpper, face.LipLower}, {312, 317}}
)

func distance(a, b face.Point) float64 { return math.Hypot(a.X-b.X, a.Y-b.Y) }

func gap(m *face.Mesh, pairs [][2]int) (widest float64) {
	for _, p := range pairs {
		widest = max(widest, distance(m.Points[p[0]], m.Points[p[1]]))
	}
	return widest
}

// measure measures everything that can be.
func (s *subject) measure() Values {
	v := Values{}
	s.geometry(v)
	hull := outline(s.mesh)
	defer clear(hull)
	s.light(v, hull)
	s.cheeks(v)
	s.parts(v)
	v["sharpness"], v["shake"] = s.sharpness()
	v["second-face"], v["ofiq-single-face"] = s.second, singleFace(s.second)
	v["print-edges"] = s.print
	if s.mask != nil {
		s.background(v)
		s.headColour(v)
	}
	return v
}

func (s *subject) geometry(v Values) {
	w, h := float64(s.photo.Rect.Dx()), float64(s.photo.Rect.Dy())
	m := s.mesh
	a, b := m.Eyes()
	eyes := face.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2}
	ied, t := distance(a, b), distance(eyes, m.Points[face.Chin])
	pose := m.Pose()
	v["face-width"] = distance(m.Points[face.CheekA], m.Points[face.CheekB])
	v["centre"] = (m.Points[face.CheekA].X+m.Points[face.CheekB].X)/2 - w/2
	v["eye-line"], v["eyes-from-top"], v["eye-middle"], v["eye-distance"] = h-eyes.Y, eyes.Y, eyes.X, ied
	v["yaw"], v["pitch"], v["roll"] = pose.Yaw, pose.Pitch, pose.Roll
	v["enlarged"] = s.enlarged
	v["eyes-gap"] = min(gap(m, eyeALids), gap(m, eyeBLids)) / t
	v["mouth-gap"] = gap(m, lipGaps) / t
	v["eyes-own"] = 1
	if s.open > 0 {
		v["eyes-own"] = v["eyes-gap"] / s.open
	}
	v["ofiq-eyes-open"], v["ofiq-mouth-closed"] = eyesOpen(v["eyes-gap"]), mouthClosed(v["mouth-gap"])
	// The camera's pixels count: a small face is not better for being enlarged.
	v["ofiq-inter-eye-distance"] = interEyeDistance(ied / max(1, s.enlarged) / math.Cos(pose.Yaw*math.Pi/180))
	v["ofiq-head-size"] = headSize(t / h)
	v["ofiq-leftward-crop"], v["ofiq-rightward-crop"] = cropSide(eyes.X/ied), cropSide((w-eyes.X)/ied)
	v["ofiq-margin-above"], v["ofiq-margin-below"] = marginAbove(eyes.Y/t), marginBelow((h-eyes.Y)/t)
	v["ofiq-yaw"], v["ofiq-pitch"], v["ofiq-roll"] = turned(pose.Yaw), turned(pose.Pitch), turned(pose.Roll)
	if s.mask != nil {
		if top, ok := hairTop(s.mask, m, w, h); ok {
			v["hair-top"], v["head-height"] = top, m.Points[face.Chin].Y-top
		}
	}
}

// hairTop is the first row, from above, in which the person is, over the width of the face.
func hairTop(mask *face.Mask, m *face.Mesh, w, h float64) (y float64, ok bool) {
	left, right := m.Points[face.CheekA].X, m.Points[face.CheekB].X
	third := (right - left) / 4
	x0 := max(0, int((left+third)/w*face.MaskSide))
	x1 := min(face.MaskSide, int((right-third)/w*face.MaskSide)+1)
	if x0 >= x1 {
		return 0, false
	}
	// Hair stands up in one place: the highest of all columns counts.
	for row := range face.MaskSide {
		if slices.Max(mask[row*face.MaskSide+x0:row*face.MaskSide+x1]) > 0.5 {
			return float64(row) * h / face.MaskSide, true
		}
	}
	return 0, false
}

// span is the part of a row within the face's outline.
type span struct{ from, to int }

// outline is, for each row from the first, the part of it within the convex hull of the mesh.
func outline(m *face.Mesh) (rows map[int]span) {
	points := make([]image.Point, 0, len(m.Points))
	defer clear(points[:cap(points)])
	for i := range m.Points {
		p := &m.Points[i]
		points = append(points, image.Pt(int(math.Round(p.X)), int(math.Round(p.Y))))
	}
	hull := convex(points)
	defer clear(hull)
	rows = map[int]span{}
	for i, a := range hull {
		b := hull[(i+1)%len(hull)]
		if a.Y > b.Y {
			a, b = b, a
		}
		for y := a.Y; y <= b.Y; y++ {
			x := a.X
			if b.Y > a.Y {
				x += int(math.Round(float64((b.X-a.X)*(y-a.Y)) / float64(b.Y-a.Y)))
			}
			s, known := rows[y]
			if !known {
				s = span{x, x}
			}
			rows[y] = span{min(s.from, x), max(s.to, x)}
		}
	}
	return rows
}

// convex is the convex hull (Andrew's monotone chain).
func convex(p []image.Point) []image.Point {
	slices.SortFunc(p, func(a, b image.Point) int {
		if a.X != b.X {
			return a.X - b.X
		}
		return a.Y - b.Y
	})
	half := func(p []image.Point, h []image.Point) []image.Point {
		for _, c := range p {
			for len(h) >= 2 {
				a, b := h[len(h)-2], h[len(h)-1]
				if (b.X-a.X)*(c.Y-a.Y)-(b.Y-a.Y)*(c.X-a.X) > 0 {
					break
				}
				h = h[:len(h)-1]
			}
			h = append(h, c)
		}
		return h[:len(h)-1]
	}
	lower := half(p, make([]image.Point, 0, 2*len(p)+1))
	slices.Reverse(p)
	upper := half(p, make([]image.Point, 0, len(p)+1))
	defer clear(upper)
	return append(lower, upper...)
}

// light measures the luminance within the face's outline.
func (s *subject) light(v Values, rows map[int]span) {
	var histogram [256]int
	n, sum, squares := 0, 0.0, 0.0
	for y, r := range rows {
		if y < 0 || y >= s.photo.Rect.Dy() {
			continue
		}
		for x := max(0, r.from); x <= min(r.to, s.photo.Rect.Dx()-1); x++ {
			p := s.photo.Pix[y*s.photo.Stride+4*x:]
			l := float64(luminance(p[0], p[1], p[2]))
			histogram[int(l+0.5)]++
			sum += l
			squares += l * l
			n++
		}
	}
	if n == 0 {
		return
	}
	mean := sum / float64(n) / 255
	variance := squares/float64(n)/(255*255) - mean*mean
	var dark, bright int
	entropy := 0.0
	for i, c := range histogram {
		if i <= 25 {
			dark += c
		}
		if i >= 247 {
			bright += c
		}
		if c > 0 {
			p := float64(c) / float64(n)
			entropy -= p * math.Log2(p)
		}
	}
	v["ofiq-luminance-mean"], v["ofiq-luminance-variance"] = luminanceMean(mean), luminanceVariance(variance)
	v["ofiq-under-exposure"] = underExposure(float64(dark) / float64(n))
	v["ofiq-over-exposure"] = overExposure(float64(bright) / float64(n))
	v["ofiq-dynamic-range"] = dynamicRange(entropy)
}

// cheek is the square at one side of the face, 0.3 of the eyes' distance wide, half way from the eyes to the mouth.
func (s *subject) cheek(second bool) image.Rectangle {
	a, b := s.mesh.Eyes()
	eye, mouth := a, s.mesh.Points[face.MouthA]
	if second {
		eye, mouth = b, s.mesh.Points[face.MouthB]
	}
	side := 0.3 * distance(a, b)
	x, y := (eye.X+mouth.X)/2, (eye.Y+mouth.Y)/2
	return image.Rect(int(x-side/2), int(y-side/2), int(x+side/2)+1, int(y+side/2)+1).Intersect(s.photo.Rect)
}

func (s *subject) cheeks(v Values) {
	var histograms [2][256]float64
	var r, g, b, n float64
	for i := range 2 {
		at := s.cheek(i == 1)
		if at.Empty() {
			return
		}
		share := 1 / float64(at.Dx()*at.Dy())
		for y := at.Min.Y; y < at.Max.Y; y++ {
			for x := at.Min.X; x < at.Max.X; x++ {
				p := s.photo.Pix[y*s.photo.Stride+4*x:]
				histograms[i][int(luminance(p[0], p[1], p[2])+0.5)] += share
				r, g, b, n = r+float64(linear[p[0]]), g+float64(linear[p[1]]), b+float64(linear[p[2]]), n+1
			}
		}
	}
	common := 0.0
	for i := range 256 {
		common += min(histograms[0][i], histograms[1][i])
	}
	v["ofiq-illumination-uniformity"] = illuminationUniformity(common)
	v["face-l"], v["face-a"], v["face-b"] = lab(r/n, g/n, b/n)
	v["ofiq-natural-colour"] = naturalColour(math.Hypot(beyond(v["face-a"], 5, 25), beyond(v["face-b"], 5, 35)))
}

// patch is the mean colour around a point, in CIELAB.
func (s *subject) patch(p face.Point, side float64) (l, a, b float64, ok bool) {
	at := image.Rect(int(p.X-side/2), int(p.Y-side/2), int(p.X+side/2)+1, int(p.Y+side/2)+1).Intersect(s.photo.Rect)
	if at.Empty() {
		return 0, 0, 0, false
	}
	return s.mean(at, nil)
}

// mean is the mean colour of a rectangle, in CIELAB, of those pixels that want accepts.
func (s *subject) mean(at image.Rectangle, want func(x, y int) bool) (l, a, b float64, ok bool) {
	var r, g, bl, n float64
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			if want != nil && !want(x, y) {
				continue
			}
			p := s.photo.Pix[y*s.photo.Stride+4*x:]
			r, g, bl, n = r+float64(linear[p[0]]), g+float64(linear[p[1]]), bl+float64(linear[p[2]]), n+1
		}
	}
	if n == 0 {
		return 0, 0, 0, false
	}
	l, a, b = lab(r/n, g/n, bl/n)
	return l, a, b, true
}

// skin are points of the mesh that are skin when nothing covers the face: brow, cheeks, nose, upper lip's skin, chin.
var skin = []int{9, 50, 280, 5, 164, 199}

// parts compares the colours of the face's parts, and looks for reflections around the eyes. Both are hints, not proofs.
func (s *subject) parts(v Values) {
	a, b := s.mesh.Eyes()
	ied := distance(a, b)
	var as, bs []float64
	for _, i := range skin {
		if _, ca, cb, ok := s.patch(s.mesh.Points[i], 0.15*ied); ok {
			as, bs = append(as, ca), append(bs, cb)
		}
	}
	if len(as) == len(skin) {
		middle := func(x []float64) float64 { x = slices.Sorted(slices.Values(x)); return (x[2] + x[3]) / 2 }
		ma, mb := middle(as), middle(bs)
		worst := 0.0
		for i := range as {
			worst = max(worst, math.Hypot(as[i]-ma, bs[i]-mb))
		}
		v["uncovered"] = 1 - min(1, worst/40)
	}
	// Dark glasses darken the skin around the eyes too.
	lit := math.Inf(1)
	for i, e := range []face.Point{a, b} {
		under := s.patchLight(face.Point{X: e.X, Y: e.Y + 0.17*ied}, 0.1*ied)
		at := s.cheek(i == 1)
		cheek := s.patchLight(face.Point{X: float64(at.Min.X+at.Max.X) / 2, Y: float64(at.Min.Y+at.Max.Y) / 2}, 0.2*ied)
		if cheek > 0 {
			lit = min(lit, under/cheek)
		}
	}
	if !math.IsInf(lit, 1) {
		v["eyes-lit"] = lit
	}
	burnt, n := 0, 0
	for _, e := range []face.Point{a, b} {
		at := image.Rect(int(e.X-0.3*ied), int(e.Y-0.2*ied), int(e.X+0.3*ied), int(e.Y+0.2*ied)).Intersect(s.photo.Rect)
		for y := at.Min.Y; y < at.Max.Y; y++ {
			for x := at.Min.X; x < at.Max.X; x++ {
				p := s.photo.Pix[y*s.photo.Stride+4*x:]
				if min(p[0], p[1], p[2]) > 245 {
					burnt++
				}
				n++
			}
		}
	}
	if n > 0 {
		v["glare"] = float64(burnt) / float64(n)
	}
}

// patchLight is the mean luminance of a square around a point, 0 to 255; 0 when it is outside.
func (s *subject) patchLight(p face.Point, side float64) float64 {
	at := image.Rect(int(p.X-side/2), int(p.Y-side/2), int(p.X+side/2)+1, int(p.Y+side/2)+1).Intersect(s.photo.Rect)
	if at.Empty() {
		return 0
	}
	sum := 0.0
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			q := s.photo.Pix[y*s.photo.Stride+4*x:]
			sum += float64(luminance(q[0], q[1], q[2]))
		}
	}
	return sum / float64(at.Dx()*at.Dy())
}

// luma of an sRGB pixel as it is, without its light made linear.
func luma(p []byte) float64 { return 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2]) }

// sharpness samples the inner face at 60 pixels between the eyes and takes the variance of the Laplacian, so that it does not
// depend on how large the face is. Detail is rare and strong, noise is everywhere: the variance of normal noise with the median that
// was found is taken off. shake compares the second differences along rows and columns: a camera or a head that moves blurs one of them.
func (s *subject) sharpness() (sharp, shake float64) {
	a, b := s.mesh.Eyes()
	step := distance(a, b) / 60
	const n = 90
	x0, y0 := (a.X+b.X)/2-n/2*step, (a.Y+b.Y)/2-n/4*step
	var grey [n * n]float64
	defer clear(grey[:])
	w, h := s.photo.Rect.Dx(), s.photo.Rect.Dy()
	for j := range n {
		for i := range n {
			x, y := x0+float64(i)*step, y0+float64(j)*step
			ix, iy := int(x), int(y)
			if x < 0 || y < 0 || ix+1 >= w || iy+1 >= h {
				return 0, 0
			}
			fx, fy := x-float64(ix), y-float64(iy)
			p := s.photo.Pix[iy*s.photo.Stride+4*ix:]
			q := s.photo.Pix[(iy+1)*s.photo.Stride+4*ix:]
			grey[j*n+i] = (luma(p)*(1-fx)+luma(p[4:])*fx)*(1-fy) + (luma(q)*(1-fx)+luma(q[4:])*fx)*fy
		}
	}
	const count = (n - 2) * (n - 2)
	sum, squares, alongX, alongY := 0.0, 0.0, 0.0, 0.0
	var sizes [8 * 256]int // of the Laplacian, in halves
	defer clear(sizes[:])
	for j := 1; j < n-1; j++ {
		for i := 1; i < n-1; i++ {
			k := j*n + i
			dx, dy := grey[k-1]+grey[k+1]-2*grey[k], grey[k-n]+grey[k+n]-2*grey[k]
			l := dx + dy
			sum += l
			squares += l * l
			alongX += dx * dx
			alongY += dy * dy
			sizes[min(len(sizes)-1, int(2*math.Abs(l)))]++
		}
	}
	median, below := 0.0, 0
	for i, c := range sizes {
		if below+c > count/2 {
			median = (float64(i) + float64(count/2-below)/float64(c)) / 2
			break
		}
		below += c
	}
	// Half of a normal distribution lies within 0.6745 of its deviation.
	noise := median / 0.6745
	if most := max(alongX, alongY); most > 0 {
		shake = min(alongX, alongY) / most
	}
	return max(0, squares/count-sum/count*sum/count-noise*noise), shake
}

// background measures what is behind the person: everything that the mask surely gives to nobody, without its edge.
func (s *subject) background(v Values) {
	w, h := s.photo.Rect.Dx(), s.photo.Rect.Dy()
	behind := s.behind()
	defer clear(behind)
	at := func(x, y int) bool { return behind[y*w+x] }
	l, a, b, ok := s.mean(s.photo.Rect, at)
	if !ok {
		return
	}
	v["background-l"], v["background-c"] = l, math.Hypot(a, b)
	lumas := make([]float32, w*h)
	defer clear(lumas)
	sum, squares, n := 0.0, 0.0, 0
	for y := range h {
		for x := range w {
			p := s.photo.Pix[y*s.photo.Stride+4*x:]
			lumas[y*w+x] = luminance(p[0], p[1], p[2])
			if behind[y*w+x] {
				g := luma(p)
				sum, squares, n = sum+g, squares+g*g, n+1
			}
		}
	}
	mean := sum / float64(n)
	v["background-std"] = math.Sqrt(max(0, squares/float64(n)-mean*mean))
	edges, m := 0.0, 0
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			k := y*w + x
			if !behind[k] {
				continue
			}
			gx := lumas[k-w+1] + 2*lumas[k+1] + lumas[k+w+1] - lumas[k-w-1] - 2*lumas[k-1] - lumas[k+w-1]
			gy := lumas[k+w-1] + 2*lumas[k+w] + lumas[k+w+1] - lumas[k-w-1] - 2*lumas[k-w] - lumas[k-w+1]
			edges += math.Hypot(float64(gx), float64(gy))
			m++
		}
	}
	if m > 0 {
		v["ofiq-background-uniformity"] = backgroundUniformity(edges / float64(m))
	}
	v["shadow"] = s.shadow(behind)
	chin := s.mesh.Points[face.Chin].Y
	a0, b0 := s.mesh.Eyes()
	t := chin - (a0.Y+b0.Y)/2
	// Beside the neck: shoulders, and long hair. Right below the chin there is skin.
	left, right := int(s.mesh.Points[face.CheekA].X), int(s.mesh.Points[face.CheekB].X)
	body := image.Rect(0, int(chin-0.1*t), w, h).Intersect(s.photo.Rect)
	if tl, ta, tb, ok := s.mean(body, func(x, y int) bool { return (x < left || x > right) && s.masked(x, y) > 0.9 }); ok {
		v["top-contrast"] = math.Sqrt((tl-l)*(tl-l) + (ta-a)*(ta-a) + (tb-b)*(tb-b))
	}
}

// headColour is how far the colour above the forehead is from those of hair and skin, whatever their lightness: from black and grey hair, which
// have none, over brown and red to OFIQ's range for skin. A hat or a scarf of such a colour is not told from hair.
func (s *subject) headColour(v Values) {
	top, ok := v["hair-top"]
	if !ok {
		return
	}
	a, b := s.mesh.Points[face.CheekA].X, s.mesh.Points[face.CheekB].X
	at := image.Rect(int(a+(b-a)/8), int(top), int(b-(b-a)/8), int(s.mesh.Points[face.Forehead].Y)).Intersect(s.photo.Rect)
	if _, ca, cb, ok := s.mean(at, func(x, y int) bool { return s.masked(x, y) > 0.9 }); ok {
		v["head-colour"] = math.Hypot(beyond(ca, 0, 25), beyond(cb, 0, 35))
	}
}

// masked is the mask at a pixel of the photo.
func (s *subject) masked(x, y int) float32 {
	w, h := s.photo.Rect.Dx(), s.photo.Rect.Dy()
	return s.mask[(y*face.MaskSide/h)*face.MaskSide+x*face.MaskSide/w]
}

// margin is how far from the person the background begins, in fields of the mask.
const margin = 6

// behind is, for each pixel, whether it is surely background.
func (s *subject) behind() []bool {
	const n = face.MaskSide
	// The mask's person grown by the margin, rows first, then columns.
	var rows, grown [n * n]bool
	for y := range n {
		for x := range n {
			if s.mask[y*n+x] > 0.1 {
				for i := max(0, x-margin); i <= min(n-1, x+margin); i++ {
					rows[y*n+i] = true
				}
			}
		}
	}
	for y := range n {
		for x := range n {
			if rows[y*n+x] {
				for j := max(0, y-margin); j <= min(n-1, y+margin); j++ {
					grown[j*n+x] = true
				}
			}
		}
	}
	w, h := s.photo.Rect.Dx(), s.photo.Rect.Dy()
	out := make([]bool, w*h)
	for y := range h {
		for x := range w {
			out[y*w+x] = !grown[(y*n/h)*n+x*n/w]
		}
	}
	return out
}

// shadow is the difference between the lightest and the darkest of the background's tiles of a tenth of the photo's width,
// of which at least half is background.
func (s *subject) shadow(behind []bool) float64 {
	w, h := s.photo.Rect.Dx(), s.photo.Rect.Dy()
	side := max(8, w/10)
	least, most := math.Inf(1), math.Inf(-1)
	for y0 := 0; y0+side <= h; y0 += side {
		for x0 := 0; x0+side <= w; x0 += side {
			sum, n := 0.0, 0
			for y := y0; y < y0+side; y++ {
				for x := x0; x < x0+side; x++ {
					if behind[y*w+x] {
						sum += luma(s.photo.Pix[y*s.photo.Stride+4*x:])
						n++
					}
				}
			}
			if 2*n >= side*side {
				least, most = min(least, sum/float64(n)), max(most, sum/float64(n))
			}
		}
	}
	return max(0, most-least)
}
