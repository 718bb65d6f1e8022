// Package face finds faces in pictures: where they are, 468 points of one (MediaPipe's face mesh), how the head is turned,
// and which part of the picture is the person.
//
// The models are MediaPipe's, under the Apache License 2.0 (see models/LICENSE), embedded and pinned by hash. They were made
// for telephones: good enough to guide a person and to check a picture, never to say who somebody is.
//
//	f, err := face.New()
//	defer f.Wipe()
//	ok := f.Track(picture, &mesh)   // from frame to frame; a search only when the face was lost
//	faces := f.Find(picture)       // all of them
//
// A [Finder] is for one goroutine. What it knows of a face is in memory only, and Wipe zeroes it.
package face

import (
	"crypto/sha256"
	_ "embed" // the models
	"encoding/hex"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/budayang/kiosk/service/photo/tflite"
)

var (
	//go:embed models/face_detection_short_range.tflite
	detectorModel []byte
	//go:embed models/face_landmark.tflite
	meshModel []byte
	//go:embed models/selfie_segmentation.tflite
	maskModel []byte
)

// hashes pin the models.
var hashes = []struct {
	model *[]byte
	sum   string
}{
	{&detectorModel, "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633"},
	{&meshModel, "c603fa6149219a3e9487dc9abd7a0c24474c77263273d24868378cdf40aa26d1"},
	{&maskModel, "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27"},
}

// A Point is in pixels of the picture; Z is towards the camera when negative, in the same unit.
type Point struct{ X, Y, Z float64 }

// Points of the mesh by number.
const (
	NoseTip   = 1
	Chin      = 152
	Forehead  = 10
	EyeAOuter = 33 // eye at the picture's left
	EyeAInner = 133
	EyeBInner = 362 // eye at the picture's right
	EyeBOuter = 263
	LipUpper  = 13 // inner edges
	LipLower  = 14
	MouthA    = 61
	MouthB    = 291
	CheekA    = 234 // where the ear meets the face
	CheekB    = 454
)

// points of the mesh.
const points = 468

// A Mesh is the points of one face.
type Mesh struct {
	Points [points]Point
	Score  float64 // 0 to 1: how surely there is a face
}

// Eyes are the middles of both eyes, the picture's left one first.
func (m *Mesh) Eyes() (a, b Point) {
	return middle(m.Points[EyeAOuter], m.Points[EyeAInner]), middle(m.Points[EyeBInner], m.Points[EyeBOuter])
}

func middle(a, b Point) Point { return Point{(a.X + b.X) / 2, (a.Y + b.Y) / 2, (a.Z + b.Z) / 2} }

// A Found is a face that the detector saw.
type Found struct {
	Score float64 // 0 to 1
	// Box in pixels.
	MinX, MinY, MaxX, MaxY float64
	eyeA, eyeB             Point
}

// Area of the box in square pixels.
func (f Found) Area() float64 { return (f.MaxX - f.MinX) * (f.MaxY - f.MinY) }

// MaskSide is the width and height of a mask.
const MaskSide = 256

// A Mask says for each of its fields, which cover the picture, how surely the person is there, from 0 to 1.
type Mask [MaskSide * MaskSide]float32

// Wipe zeroes it.
func (m *Mask) Wipe() { clear(m[:]) }

// A Net computes one of the models: [tflite.Model] does. Input is rows of pixels of channels.
type Net interface {
	Input() []float32
	Run()
	Output(i int) []float32
	Wipe()
}

// Finder holds the models.
type Finder struct {
	detector, mesh, mask Net
	last                 region // where the face was in the last picture
	tracking             bool
}

// New loads the models.
func New() (*Finder, error) {
	return NewWith(func(model []byte) (Net, error) { return tflite.Load(model) })
}

// NewWith loads the models for another way of computing them, as benchmarks compare.
func NewWith(load func(model []byte) (Net, error)) (*Finder, error) {
	for _, h := range hashes {
		if sum := sha256.Sum256(*h.model); hex.EncodeToString(sum[:]) != h.sum {
			return nil, fmt.Errorf("face: model %x is not the one that was checked", sum)
		}
	}
	var f Finder
	for _, m := range []struct {
		to   *Net
		from []byte
	}{{&f.detector, detectorModel}, {&f.mesh, meshModel}, {&f.mask, maskModel}} {
		var err error
		if *m.to, err = load(m.from); err != nil {
			return nil, fmt.Errorf("face: %w", err)
		}
	}
	return &f, nil
}

// Wipe forgets the face and zeroes what was computed of it.
func (f *Finder) Wipe() {
	f.detector.Wipe()
	f.mesh.Wipe()
	f.mask.Wipe()
	f.last, f.tracking = region{}, false
}

// region is a turned square of the picture: its middle, its side in pixels, and its angle in radians.
type region struct{ x, y, side, angle float64 }

// at is where a place of the region (0 to 1 each way) is in the picture.
func (r region) at(u, v float64) (x, y float64) {
	s, c := math.Sincos(r.angle)
	u, v = (u-0.5)*r.side, (v-0.5)*r.side
	return r.x + c*u - s*v, r.y + s*u + c*v
}

// read fills a model's input of n by n pixels from a region, with values scaled and moved. Outside of the picture it is black.
func (r region) read(to []float32, n int, m *image.RGBA, scale, move float32) {
	s, c := math.Sincos(r.angle)
	step := r.side / float64(n)
	du, dv := float32(c*step), float32(s*step)
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for y := range n {
		x0, y0 := r.at(0.5/float64(n), (float64(y)+0.5)/float64(n))
		sx, sy := float32(x0-0.5), float32(y0-0.5)
		for x := range n {
			out := to[3*(y*n+x) : 3*(y*n+x)+3 : 3*(y*n+x)+3]
			px, py := sx+float32(x)*du, sy+float32(x)*dv
			ix, iy := int(px+1)-1, int(py+1)-1
			if px <= -1 || py <= -1 || ix < 0 || iy < 0 || ix+1 >= w || iy+1 >= h {
				out[0], out[1], out[2] = move, move, move
				continue
			}
			fx, fy := px-float32(ix), py-float32(iy)
			a := m.Pix[iy*m.Stride+4*ix:]
			b := m.Pix[(iy+1)*m.Stride+4*ix:]
			a, b = a[:8:8], b[:8:8]
			k11 := fx * fy
			k10, k01 := fx-k11, fy-k11
			k00 := 1 - fx - fy + k11
			out[0] = (float32(a[0])*k00+float32(a[4])*k10+float32(b[0])*k01+float32(b[4])*k11)*scale + move
			out[1] = (float32(a[1])*k00+float32(a[5])*k10+float32(b[1])*k01+float32(b[5])*k11)*scale + move
			out[2] = (float32(a[2])*k00+float32(a[6])*k10+float32(b[2])*k01+float32(b[6])*k11)*scale + move
		}
	}
}

const (
	detectorSide = 128
	meshSide     = 192
	enough       = 0.5 // score of a face
	overlap      = 0.3 // of two boxes (common by united area) that are one face
)

// Find finds all faces, the largest first. The picture's bounds begin at 0, 0. The caller wipes what it is told.
func (f *Finder) Find(m *image.RGBA) []Found {
	w, h := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	whole := region{w / 2, h / 2, max(w, h), 0}
	whole.read(f.detector.Input(), detectorSide, m, 2./255, -1)
	f.detector.Run()
	boxes, scores := f.detector.Output(0), f.detector.Output(1)
	n := 0
	for _, logit := range scores {
		if logit >= 0 {
			n++
		}
	}
	all := make([]Found, 0, n)
	defer func() { clear(all) }()
	for i, logit := range scores {
		if logit < 0 {
			continue // less than one half
		}
		ax, ay := anchor(i)
		b := boxes[16*i : 16*i+16]
		place := func(x, y float32) (float64, float64) {
			return whole.at(ax+float64(x)/detectorSide, ay+float64(y)/detectorSide)
		}
		f := Found{Score: 1 / (1 + math.Exp(-float64(logit)))}
		cx, cy := place(b[0], b[1])
		hw, hh := float64(b[2])/detectorSide*whole.side/2, float64(b[3])/detectorSide*whole.side/2
		f.MinX, f.MinY, f.MaxX, f.MaxY = cx-hw, cy-hh, cx+hw, cy+hh
		f.eyeA.X, f.eyeA.Y = place(b[4], b[5])
		f.eyeB.X, f.eyeB.Y = place(b[6], b[7])
		if hw > 0 && hh > 0 {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b Found) int {
		if a.Score > b.Score {
			return -1
		}
		return 1
	})
	kept := make([]Found, 0, n)
	for _, a := range all {
		if !slices.ContainsFunc(kept, func(k Found) bool { return common(a, k) > overlap }) {
			kept = append(kept, a)
		}
	}
	slices.SortFunc(kept, func(a, b Found) int {
		if a.Area() > b.Area() {
			return -1
		}
		return 1
	})
	return kept
}

// anchor is the middle of the detector's field i: two in each of 16 by 16, then six in each of 8 by 8.
func anchor(i int) (x, y float64) {
	side, each := 16, 2
	if i >= 512 {
		i, side, each = i-512, 8, 6
	}
	i /= each
	return (float64(i%side) + 0.5) / float64(side), (float64(i/side) + 0.5) / float64(side)
}

// common is the area that two boxes share by the area that they cover.
func common(a, b Found) float64 {
	w := min(a.MaxX, b.MaxX) - max(a.MinX, b.MinX)
	h := min(a.MaxY, b.MaxY) - max(a.MinY, b.MinY)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (a.Area() + b.Area() - w*h)
}

// region is the square around a detected face in which the mesh is looked for.
func (f Found) region() region {
	return region{(f.MinX + f.MaxX) / 2, (f.MinY + f.MaxY) / 2, 1.5 * max(f.MaxX-f.MinX, f.MaxY-f.MinY),
		math.Atan2(f.eyeB.Y-f.eyeA.Y, f.eyeB.X-f.eyeA.X)}
}

// region is the square around a mesh in which the next one is looked for.
func (m *Mesh) region() region {
	a, b := m.Points[EyeAOuter], m.Points[EyeBOuter]
	r := region{angle: math.Atan2(b.Y-a.Y, b.X-a.X)}
	s, c := math.Sincos(-r.angle)
	minX, minY, maxX, maxY := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := range m.Points { // by value it would copy the array, to a stack where nobody wipes it
		p := &m.Points[i]
		x, y := c*p.X-s*p.Y, s*p.X+c*p.Y
		minX, maxX, minY, maxY = min(minX, x), max(maxX, x), min(minY, y), max(maxY, y)
	}
	x, y := (minX+maxX)/2, (minY+maxY)/2
	r.x, r.y = c*x+s*y, -s*x+c*y
	r.side = 1.5 * max(maxX-minX, maxY-minY)
	return r
}

// Mesh writes the points of a face that was found. It is false when a second look sees none there.
func (f *Finder) Mesh(m *image.RGBA, found Found, to *Mesh) bool {
	// The first look finds the face's extent, the second its points: the detector's box is rough.
	return f.look(m, found.region(), to) && f.look(m, to.region(), to)
}

// look writes into the caller's mesh, so that whoever wipes that has wiped every copy.
func (f *Finder) look(m *image.RGBA, r region, mesh *Mesh) bool {
	r.read(f.mesh.Input(), meshSide, m, 1./255, 0)
	f.mesh.Run()
	mesh.Score = 1 / (1 + math.Exp(-float64(f.mesh.Output(1)[0])))
	if mesh.Score < enough {
		clear(mesh.Points[:])
		return false
	}
	out := f.mesh.Output(0)
	for i := range mesh.Points {
		x, y := r.at(float64(out[3*i])/meshSide, float64(out[3*i+1])/meshSide)
		mesh.Points[i] = Point{x, y, float64(out[3*i+2]) / meshSide * r.side}
	}
	return true
}

// Track writes the points of the face in the next picture of a stream. It searches the whole picture only when there was none in
// the last one. It is false when there is none.
func (f *Finder) Track(m *image.RGBA, mesh *Mesh) bool {
	ok := f.tracking && f.look(m, f.last, mesh)
	if !ok {
		all := f.Find(m)
		ok = len(all) > 0 && f.Mesh(m, all[0], mesh)
		clear(all)
	}
	f.tracking = ok
	if ok {
		f.last = mesh.region()
	}
	return ok
}

// Mask tells the person from the background.
func (f *Finder) Mask(m *image.RGBA, to *Mask) {
	in := f.mask.Input()
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for y := range MaskSide {
		// The picture is stretched: each field is the mean of up to four pixels spread over it.
		ya, yb := (4*y+1)*h/(4*MaskSide), (4*y+3)*h/(4*MaskSide)
		for x := range MaskSide {
			xa, xb := 4*((4*x+1)*w/(4*MaskSide)), 4*((4*x+3)*w/(4*MaskSide))
			out := in[3*(y*MaskSide+x):]
			for i := range 3 {
				sum := int(m.Pix[ya*m.Stride+xa+i]) + int(m.Pix[ya*m.Stride+xb+i]) + int(m.Pix[yb*m.Stride+xa+i]) + int(m.Pix[yb*m.Stride+xb+i])
				out[i] = float32(sum) / (4 * 255)
			}
		}
	}
	f.mask.Run()
	copy(to[:], f.mask.Output(0))
}
