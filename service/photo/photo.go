// Package photo takes a document's photo: it guides the person in words, chooses the best of the last pictures, cuts the photo
// to size and says of it whether it is accepted, refused and why, or for a person to judge.
//
//	b, err := photo.NewBooth(profile, 2)
//	defer b.Wipe()
//	for each picture of the camera's stream, or every second one {
//		advice := b.Watch(picture, sequence)    // show and speak advice.Words("zh")
//	}
//	best := b.Candidates(kept, 2)               // of those that the camera still keeps
//	photos, errs := b.TakeAll(stills of best)   // each with JPEG, Verdict, Findings
//
// What a photo must be is a [Profile]; what is measured of one is [Measures]. Nothing is retouched: a photo is cut out,
// scaled and compressed, and its background is the one that was there. Pictures, points and masks are in memory only; Wipe
// zeroes them. The package knows no camera and no citizen.
package photo

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/budayang/kiosk/service/photo/face"
)

// A Verdict is what becomes of a photo.
type Verdict string

// Verdicts.
const (
	Accepted  Verdict = "accepted"
	Refused   Verdict = "refused"    // it is taken again
	ForPerson Verdict = "for-person" // a person looks at it
)

// A Finding is a rule that a photo breaks.
type Finding struct {
	Measure Measure `json:"measure"`
	Value   float64 `json:"value"`
	Kind    Kind    `json:"kind"`
	Advice  Advice  `json:"advice"`
}

// A Photo is what was taken. Wipe it.
type Photo struct {
	JPEG     []byte
	Quality  int // of the JPEG
	Verdict  Verdict
	Findings []Finding // in the profile's order
	Values   Values
}

// Wipe zeroes the photo.
func (p *Photo) Wipe() {
	clear(p.JPEG)
	clear(p.Values)
	*p = Photo{}
}

// ErrNoPhoto: no photo can be cut out of the picture. The advice says why.
type ErrNoPhoto struct{ Advice Advice }

func (e ErrNoPhoto) Error() string { return "photo: " + e.Advice.Words("en") }

// history is how many pictures are remembered by their worth.
const history = 64

// everyOther is how many pictures pass between two searches for a second face, and between two masks.
const (
	searchEvery = 10
	maskEvery   = 10
)

// most a picture is enlarged in a preview before the person is asked to come closer.
const mostEnlarged = 1.6

// hairAbove is where hair ends above the eyes, by the distance from eyes to chin, before a mask has told.
const hairAbove = 1.35

// Booth takes photos of one person. It is for one goroutine.
type Booth struct {
	profile Profile
	kit                 // of what is watched, and of the first picture that is judged
	more    []*kit      // of those that are judged at the same time
	photo   *image.RGBA // room for the preview's photo
	seen    int
	second  float64 // area of another face by the first's, when last looked for
	hair    float64 // see hairAbove
	worth   []worth
	gaps    []float64 // of the eyes in good pictures, the last few
}

// kit is what one goroutine looks at one picture with.
type kit struct {
	finder *face.Finder
	mask   face.Mask
	mesh   face.Mesh // of the picture that is looked at
	inside face.Mesh // the same in the photo
}

func (k *kit) wipe() {
	k.finder.Wipe()
	k.mask.Wipe()
	k.forget()
}

// forget wipes the points.
func (k *kit) forget() { k.mesh, k.inside = face.Mesh{}, face.Mesh{} }

// worth is how good a picture was.
type worth struct {
	sequence uint32
	value    float64
}

// NewBooth loads the models, once for each of the pictures that TakeAll is to judge at the same time, but not more often than there are
// processors.
func NewBooth(p Profile, atOnce int) (*Booth, error) {
	all := make([]*face.Finder, max(1, min(atOnce, runtime.GOMAXPROCS(0))))
	errs := make([]error, len(all))
	var loading sync.WaitGroup
	for i := range all {
		loading.Go(func() { all[i], errs[i] = face.New() })
	}
	loading.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("photo: %w", err)
	}
	return NewBoothWith(p, all[0], all[1:]...), nil
}

// NewBoothWith is a booth with finders of the caller's, which are the booth's from then on. Each more than one lets TakeAll judge another
// picture at the same time.
func NewBoothWith(p Profile, f *face.Finder, more ...*face.Finder) *Booth {
	b := &Booth{profile: p, kit: kit{finder: f}, hair: hairAbove, photo: image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))}
	for _, f := range more {
		b.more = append(b.more, &kit{finder: f})
	}
	return b
}

// Wipe forgets the person. The booth serves the next one.
func (b *Booth) Wipe() {
	b.wipe()
	for _, k := range b.more {
		k.wipe()
	}
	clear(b.photo.Pix)
	clear(b.worth)
	clear(b.gaps)
	b.seen, b.second, b.hair, b.worth, b.gaps = 0, 0, hairAbove, nil, nil
}

// A frame is the part of a picture that becomes the photo: its corner and the pixels of the picture for one of the photo.
type frame struct{ x, y, scale float64 }

// inside turns points of the picture into points of the photo.
func (f frame) inside(m, to *face.Mesh) {
	to.Score = m.Score
	for i := range m.Points {
		p := &m.Points[i]
		to.Points[i] = face.Point{X: (p.X - f.x) / f.scale, Y: (p.Y - f.y) / f.scale, Z: p.Z / f.scale}
	}
}

// frame places the photo around a face: the face's width gives the scale, the face is in the middle, the hair has its distance
// from the upper edge, and the eyes at least theirs from the lower one.
func (b *Booth) frame(m *face.Mesh, hair float64) frame {
	p := b.profile
	f := frame{scale: distance(m.Points[face.CheekA], m.Points[face.CheekB]) / p.FaceWidth}
	f.x = (m.Points[face.CheekA].X+m.Points[face.CheekB].X)/2 - float64(p.Width)/2*f.scale
	f.y = hair - p.HairTop*f.scale
	a, c := m.Eyes()
	if lowest := (a.Y+c.Y)/2 - (float64(p.Height)-p.EyeLine)*f.scale; lowest > f.y {
		f.y = lowest
	}
	return f
}

// fits says what the person should do for the photo to lie within the picture.
func (b *Booth) fits(f frame, m *image.RGBA) Advice {
	w, h := float64(b.profile.Width)*f.scale, float64(b.profile.Height)*f.scale
	width, height := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	switch {
	case w > width || h > height:
		return AdviceBack
	case 1/f.scale > mostEnlarged:
		return AdviceCloser
	case f.x < 0: // too far at the picture's left, which is the person's right
		return AdviceLeft
	case f.x+w > width:
		return AdviceRight
	case f.y < 0:
		return AdviceLower
	case f.y+h > height:
		return AdviceTaller
	}
	return AdviceNone
}

// hairOf is where the hair ends, from the mask of the whole picture or, without one, from the head's proportions.
func (b *Booth) hairOf(m *face.Mesh, picture *image.RGBA, masked bool) float64 {
	if masked {
		if share, ok := b.hairSeen(m, picture); ok {
			b.hair = share
		}
	}
	return hairAt(m, b.hair)
}

// hairAt is where the hair ends when it does so at a share of the distance from eyes to chin above the eyes.
func hairAt(m *face.Mesh, share float64) float64 {
	eyes, t := headOf(m)
	return eyes.Y - share*t
}

// headOf is the middle of the eyes, and their distance from the chin.
func headOf(m *face.Mesh) (eyes face.Point, t float64) {
	a, c := m.Eyes()
	eyes = face.Point{X: (a.X + c.X) / 2, Y: (a.Y + c.Y) / 2}
	return eyes, distance(eyes, m.Points[face.Chin])
}

// hairSeen is the share of [hairAt] that the mask of the whole picture shows.
func (k *kit) hairSeen(m *face.Mesh, picture *image.RGBA) (share float64, ok bool) {
	eyes, t := headOf(m)
	y, ok := hairTop(&k.mask, m, float64(picture.Rect.Dx()), float64(picture.Rect.Dy()))
	if !ok || y <= 0 || y >= eyes.Y {
		return 0, false
	}
	return (eyes.Y - y) / t, true
}

// Watch looks at a picture of the stream and says what the person should do next. [AdviceHold]: this picture would do.
func (b *Booth) Watch(m *image.RGBA, sequence uint32) Advice {
	mesh := &b.mesh
	defer b.forget()
	if !b.finder.Track(m, mesh) {
		b.second, b.seen = 0, 0 // whoever comes next is looked at anew
		return AdviceNobody
	}
	if b.seen%searchEvery == 0 {
		all := b.finder.Find(m)
		b.second = others(all)
		clear(all)
	}
	masked := b.seen%maskEvery == maskEvery/2
	if masked {
		b.finder.Mask(m, &b.mask)
	}
	b.seen++
	if b.second > mostSecond {
		return AdviceOthers
	}
	f := b.frame(mesh, b.hairOf(mesh, m, masked))
	if advice := b.fits(f, m); advice != AdviceNone {
		return advice
	}
	cut(b.photo, m, f)
	f.inside(mesh, &b.inside)
	s := subject{photo: b.photo, mesh: &b.inside, enlarged: 1 / f.scale, second: b.second, open: b.open()}
	v := s.measure()
	advice := b.profile.advice(v)
	worth := value(v)
	if advice == AdviceHold {
		if len(b.gaps) == history {
			b.gaps = slices.Delete(b.gaps, 0, 1)
		}
		b.gaps = append(b.gaps, v["eyes-gap"])
		worth += 100 // whatever else, before every picture that breaks a rule
	}
	b.remember(sequence, worth)
	return advice
}

// open is how far this person's eyes are open, from the good pictures so far; 0 while those are few. Eyes differ more among people than open
// ones from closed ones in the mesh, so that everybody is compared with themselves.
func (b *Booth) open() float64 {
	if len(b.gaps) < 4 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(b.gaps))
	defer clear(sorted)
	return sorted[len(sorted)*3/4]
}

// advice is what the first broken rule says.
func (p Profile) advice(v Values) Advice {
	for _, r := range p.Rules {
		got, measured := v[r.Measure]
		switch breach := r.breach(got); {
		case measured && breach < 0:
			return r.Low
		case measured && breach > 0:
			return r.High
		}
	}
	return AdviceHold
}

// mostSecond is how large a second face may be: somebody who passes far behind is no second person in the photo.
const mostSecond = 0.05

// others is the area of the second largest face by the largest's.
func others(all []face.Found) float64 {
	if len(all) < 2 {
		return 0
	}
	return all[1].Area() / all[0].Area()
}

// value, 0 to 100, orders pictures that look alike to the rules: eyes, mouth, pose and sharpness, each as its worst would spoil it.
func value(v Values) float64 {
	sharp := 100 * (1 - math.Exp(-v["sharpness"]/150))
	return min(v["ofiq-eyes-open"], v["ofiq-mouth-closed"], v["ofiq-yaw"], v["ofiq-pitch"], v["ofiq-roll"])/2 +
		(v["ofiq-eyes-open"]+v["ofiq-mouth-closed"]+v["ofiq-yaw"]+v["ofiq-pitch"]+v["ofiq-roll"]+sharp)/12
}

func (b *Booth) remember(sequence uint32, value float64) {
	if len(b.worth) == history {
		b.worth = slices.Delete(b.worth, 0, 1)
	}
	b.worth = append(b.worth, worth{sequence, value})
}

// Candidates are the best n of those pictures that are still kept, the best first, no two of them next to each other where
// others are to be had: neighbours show the same face.
func (b *Booth) Candidates(kept []uint32, n int) []uint32 {
	var all []worth
	for _, w := range b.worth {
		if slices.Contains(kept, w.sequence) {
			all = append(all, w)
		}
	}
	slices.SortStableFunc(all, func(a, c worth) int {
		switch {
		case a.value > c.value:
			return -1
		case a.value < c.value:
			return 1
		}
		return 0
	})
	var out []uint32
	for _, apart := range []uint32{3, 1} {
		for _, w := range all {
			near := slices.ContainsFunc(out, func(o uint32) bool { return max(o, w.sequence)-min(o, w.sequence) < apart })
			if len(out) < n && !near {
				out = append(out, w.sequence)
			}
		}
	}
	return out
}

// cut draws the photo out of a picture, quickly: each pixel is interpolated between four.
func cut(to, m *image.RGBA, f frame) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	fixed := func(v float64) int { return int(v * 256) }
	dx := fixed(f.scale)
	for y := range to.Rect.Dy() {
		sy := min(max(0, fixed(f.y+(float64(y)+0.5)*f.scale-0.5)), 256*(h-1)-1)
		fy := sy & 255
		a := m.Pix[(sy>>8)*m.Stride:]
		b := m.Pix[(sy>>8+1)*m.Stride:]
		sx := fixed(f.x + 0.5*f.scale - 0.5)
		row := to.Pix[y*to.Stride : y*to.Stride+4*to.Rect.Dx()]
		for ; len(row) >= 4; row = row[4:] {
			x := min(max(0, sx), 256*(w-1)-1)
			fx := x & 255
			p, q := a[4*(x>>8):4*(x>>8)+8], b[4*(x>>8):4*(x>>8)+8]
			k11 := fx * fy >> 8
			k10, k01 := fx-k11, fy-k11
			k00 := 256 - fx - fy + k11
			row[0] = byte((int(p[0])*k00 + int(p[4])*k10 + int(q[0])*k01 + int(q[4])*k11) >> 8)
			row[1] = byte((int(p[1])*k00 + int(p[5])*k10 + int(q[1])*k01 + int(q[5])*k11) >> 8)
			row[2] = byte((int(p[2])*k00 + int(p[6])*k10 + int(q[2])*k01 + int(q[6])*k11) >> 8)
			row[3] = 255
			sx += dx
		}
	}
}

// cutFinely draws the photo out of a picture with a kernel that keeps detail and makes no steps, Catmull and Rom's, which is broadened
// where the picture is shrunk: each row by itself, then the columns. x/image/draw can do it only for each pixel anew.
func cutFinely(to, m *image.RGBA, f frame) {
	w, h := to.Rect.Dx(), to.Rect.Dy()
	across, down := taps(w, f.x, f.scale, m.Rect.Dx()), taps(h, f.y, f.scale, m.Rect.Dy())
	first := down[0].from
	rows := make([]float32, 3*w*(down[h-1].from+len(down[h-1].weights)-first))
	defer clear(rows)
	for at, y := 0, first; at < len(rows); y++ {
		line := m.Pix[y*m.Stride : y*m.Stride+4*m.Rect.Dx()]
		for _, t := range across {
			var r, g, b float32
			p := line[4*t.from : 4*(t.from+len(t.weights))]
			for _, k := range t.weights {
				q := p[:4:4]
				p = p[4:]
				r, g, b = r+k*float32(q[0]), g+k*float32(q[1]), b+k*float32(q[2])
			}
			rows[at], rows[at+1], rows[at+2] = r, g, b
			at += 3
		}
	}
	sums := make([]float32, 3*w)
	defer clear(sums)
	for y, t := range down {
		clear(sums)
		for i, k := range t.weights {
			row := rows[3*w*(t.from-first+i):][:len(sums)]
			for x, v := range row {
				sums[x] += k * v
			}
		}
		out := to.Pix[y*to.Stride : y*to.Stride+4*w]
		for x := range w {
			out[4*x], out[4*x+1], out[4*x+2], out[4*x+3] = level(sums[3*x]), level(sums[3*x+1]), level(sums[3*x+2]), 255
		}
	}
}

// level rounds to one of 256 as x/image/draw does.
func level(v float32) byte { return byte(min(0xFFFF, max(0, int32(257*v+0.5))) >> 8) }

// tap is which of a line's pixels are a pixel of the photo, and their shares, which are 1 together.
type tap struct {
	from    int
	weights []float32
}

// taps are for n pixels of the photo that begin at a place of a line of the picture, which has so many pixels.
func taps(n int, begin, scale float64, pixels int) []tap {
	all := make([]tap, n)
	broad := max(1, scale)
	for i := range all {
		at := begin + (float64(i)+0.5)*scale - 0.5
		from := min(max(0, int(math.Ceil(at-2*broad))), pixels-1)
		to := max(from+1, min(pixels, int(math.Floor(at+2*broad))+1))
		weights, sum := make([]float32, to-from), 0.0
		for k := range weights {
			sum += catmullRom(math.Abs(at-float64(from+k)) / broad)
		}
		for k := range weights {
			weights[k] = float32(catmullRom(math.Abs(at-float64(from+k))/broad) / sum)
		}
		all[i] = tap{from, weights}
	}
	return all
}

// catmullRom is the kernel at a distance of t pixels.
func catmullRom(t float64) float64 {
	switch {
	case t < 1:
		return (1.5*t-2.5)*t*t + 1
	case t < 2:
		return ((-0.5*t+2.5)*t-4)*t + 2
	}
	return 0
}

// TakeAll is Take of several pictures, as many at the same time as there are finders. Photos and errors are in the pictures' order, and
// what they would be one after the other.
func (b *Booth) TakeAll(pictures []*image.RGBA) ([]Photo, []error) {
	photos, errs := make([]Photo, len(pictures)), make([]error, len(pictures))
	var (
		next atomic.Int64
		busy sync.WaitGroup
	)
	work := func(k *kit) {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(pictures) {
				return
			}
			photos[i], errs[i] = b.take(k, pictures[i])
		}
	}
	for _, k := range b.more[:max(0, min(len(b.more), len(pictures)-1))] {
		busy.Go(func() { work(k) })
	}
	work(&b.kit)
	busy.Wait()
	return photos, errs
}

// Take makes the photo of a picture and judges it. The picture's bounds begin at 0, 0. It returns [ErrNoPhoto] when there is
// none to be made.
func (b *Booth) Take(m *image.RGBA) (Photo, error) { return b.take(&b.kit, m) }

// take changes nothing of the booth but the kit.
func (b *Booth) take(k *kit, m *image.RGBA) (Photo, error) {
	all := k.finder.Find(m)
	defer func() { clear(all) }()
	mesh := &k.mesh
	defer k.forget()
	if len(all) == 0 || !k.finder.Mesh(m, all[0], mesh) {
		return Photo{}, ErrNoPhoto{AdviceNobody}
	}
	k.finder.Mask(m, &k.mask)
	hair := b.hair
	if seen, ok := k.hairSeen(mesh, m); ok {
		hair = seen
	}
	f := b.frame(mesh, hairAt(mesh, hair))
	if advice := b.fits(f, m); advice != AdviceNone {
		return Photo{}, ErrNoPhoto{advice}
	}
	photo := image.NewRGBA(image.Rect(0, 0, b.profile.Width, b.profile.Height))
	defer clear(photo.Pix)
	cutFinely(photo, m, f)
	f.inside(mesh, &k.inside)
	k.finder.Mask(photo, &k.mask)
	s := subject{photo: photo, mesh: &k.inside, mask: &k.mask, enlarged: 1 / f.scale, second: others(all), print: printEdges(m, mesh), open: b.open()}
	out := Photo{Verdict: Accepted, Values: s.measure()}
	out.judge(b.profile)
	var err error
	out.JPEG, out.Quality, err = encode(photo, b.profile)
	switch {
	case errors.Is(err, ErrSize):
		out.Findings = append(out.Findings, Finding{Kind: Review, Advice: AdviceFileSize})
		if out.Verdict == Accepted {
			out.Verdict = ForPerson
		}
	case err != nil:
		return Photo{}, err
	}
	return out, nil
}

// judge holds the values to the rules. What a refusing rule asks for and was not measured is for a person.
func (p *Photo) judge(profile Profile) {
	for _, r := range profile.Rules {
		v, measured := p.Values[r.Measure]
		kind, advice := r.Kind, AdviceNone
		switch breach := r.breach(v); {
		case !measured && kind == Advise, measured && breach == 0:
			continue
		case !measured:
			kind, advice = Review, cmp.Or(r.Low, r.High)
		case breach < 0:
			advice = r.Low
		default:
			advice = r.High
		}
		p.Findings = append(p.Findings, Finding{r.Measure, v, kind, advice})
		switch {
		case kind == Refuse:
			p.Verdict = Refused
		case kind == Review && p.Verdict == Accepted:
			p.Verdict = ForPerson
		}
	}
}
