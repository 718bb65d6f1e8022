package conform

// Faces and fingers: a picture that the city compares with what it has of a person. Of the three tries that a person has every run takes
// all, so that another within ten minutes skips most of this. What a platform keeps of a picture is not seen from here.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

var pictureChecks = []Check{
	{"face-refused", "E-MALFORMED without a visit, without consent or with one of tomorrow, and for a number that cannot be one; E-PICTURE for what is no whole JPEG of at most 256 KiB; E-NO-RECORD for a person whom nobody knows", "Faces and fingers", of((*session).face, checkPictureRefused)},
	{"face-token", "for the person's picture a token of the visit, good at its terminal and for that visit alone", "Faces and fingers", of((*session).face, checkPictureToken)},
	{"face-tries", "E-FACE-OTHER for a picture of nobody, or E-NO-RECORD where there is nothing to compare with; after three comparisons of a person E-FACE-LOCKED at every terminal; what was refused before is no try", "Faces and fingers", of((*session).face, checkPictureTries)},
	{"finger-offer", "fingerprint among the ways of a platform that compares fingers; E-BACKEND or E-NOT-FOUND from one that does not say so", "Faces and fingers", checkFingerOffer},
	{"finger-refused", "as face-refused; E-PICTURE for a side, a resolution or a number of pixels that cannot be", "Faces and fingers", of((*session).finger, checkPictureRefused)},
	{"finger-token", "as face-token", "Faces and fingers", of((*session).finger, checkPictureToken)},
	{"finger-tries", "as face-tries, with E-FINGER-OTHER or E-FINGER-POOR, and E-FINGER-LOCKED", "Faces and fingers", of((*session).finger, checkPictureTries)},
}

// pictureTries is how often a person's picture is compared in ten minutes.
const pictureTries = 3

// asked is the question with a picture in it.
type asked func(person wire.PersonRef, visit string, agreed time.Time) any

func faceOf(jpeg []byte) asked {
	return func(person wire.PersonRef, visit string, agreed time.Time) any {
		return wire.FaceCheck{Person: person, Visit: visit, Picture: jpeg, Agreed: agreed}
	}
}

func fingerOf(w, h, dpi int, pixels []byte) asked {
	return func(person wire.PersonRef, visit string, agreed time.Time) any {
		return wire.FingerCheck{Person: person, Visit: visit, Width: w, Height: h, DPI: dpi, Pixels: pixels, Agreed: agreed}
	}
}

// comparing is one of the two, and how far a run is with it.
type comparing struct {
	path   string
	others []string // what a picture of nobody may come to
	locked string
	nobody asked
	right  asked // of the person; nil when none was named
	bad    []badPicture
	tries  int
	began  error // what the first try says of this platform
}

// badPicture is one that must be refused.
type badPicture struct {
	what string
	asked
}

// of runs a check about faces or about fingers, where the platform compares them.
func of(what func(*session) *comparing, check func(context.Context, *session, *comparing) error) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		c := what(s)
		if err := s.begin(ctx, c); err != nil {
			return err
		}
		return check(ctx, s, c)
	}
}

func (s *session) face() *comparing {
	if s.faces != nil {
		return s.faces
	}
	nobody, large, other := jpegOfNobody()
	s.faces = &comparing{path: wire.PathFaces, others: []string{"E-FACE-OTHER", "E-NO-RECORD"}, locked: "E-FACE-LOCKED", nobody: faceOf(nobody), bad: []badPicture{
		{"a PNG", faceOf(other)},
		{"half a JPEG", faceOf(nobody[:len(nobody)/2])},
		{"a JPEG of 256 KiB and a byte", faceOf(large)},
		{"what is no picture", faceOf([]byte("no picture"))},
	}}
	if s.cfg.Face != nil {
		s.faces.right = faceOf(s.cfg.Face)
	}
	return s.faces
}

// mostFace bounds a JPEG.
const mostFace = 256 << 10

// jpegOfNobody is a JPEG, the same one with so many bytes of comment that it is too large by one, and a PNG.
func jpegOfNobody() (nobody, large, other []byte) {
	m := image.NewGray(image.Rect(0, 0, 320, 320))
	for i := range m.Pix {
		m.Pix[i] = uint8(i ^ i>>8)
	}
	var a, b bytes.Buffer
	_, _ = jpeg.Encode(&a, m, nil), png.Encode(&b, m)
	nobody = a.Bytes()
	large = slices.Clone(nobody[:2])
	for left := mostFace + 1 - len(nobody); left > 0; {
		n := min(left, 65535+2)
		if rest := left - n; rest > 0 && rest < 4 {
			n -= 4
		}
		large = append(append(large, 0xff, 0xfe, byte((n-2)>>8), byte(n-2)), make([]byte, n-4)...)
		left -= n
	}
	return nobody, append(large, nobody[2:]...), b.Bytes()
}

func (s *session) finger() *comparing {
	if s.fingers != nil {
		return s.fingers
	}
	const w, h, dpi = 256, 288, 500
	nobody := make([]byte, w*h)
	for i := range nobody {
		r := math.Hypot(float64(i%w-w/2), float64(i/w-h/2))
		nobody[i] = uint8(128 + 120*math.Cos(r*2*math.Pi/9)) // ridges 9 pixels apart, 0.46 mm
	}
	plain := func(w, h, dpi, less int) asked { return fingerOf(w, h, dpi, make([]byte, w*h-less)) }
	s.fingers = &comparing{path: wire.PathFingers, others: []string{"E-FINGER-OTHER", "E-FINGER-POOR", "E-NO-RECORD"}, locked: "E-FINGER-LOCKED", nobody: fingerOf(w, h, dpi, nobody), bad: []badPicture{
		{"a side that is too short", plain(wire.LeastFingerSide, wire.LeastFingerSide-1, dpi, 0)},
		{"a side that is too long", plain(wire.MostFingerSide+1, wire.LeastFingerSide, dpi, 0)},
		{"too few pixels an inch", plain(w, h, 249, 0)},
		{"too many pixels an inch", plain(w, h, 1001, 0)},
		{"a pixel less than it says", plain(w, h, dpi, 1)},
	}}
	if f := s.cfg.Finger; f != nil {
		b := f.Bounds()
		pixels := make([]byte, 0, b.Dx()*b.Dy())
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				pixels = append(pixels, color.GrayModel.Convert(f.At(x, y)).(color.Gray).Y)
			}
		}
		s.fingers.right = fingerOf(b.Dx(), b.Dy(), dpi, pixels)
	}
	return s.fingers
}

// compare has a picture of the named person compared.
func (t *terminal) compare(ctx context.Context, c *comparing, p asked, visit string) (answer, error) {
	c.tries++
	return t.post(ctx, c.path, p(t.s.cfg.Person, visit, t.now()))
}

// now is the platform's time, as far as it is known.
func (t *terminal) now() time.Time { return time.Now().Add(t.s.offset).UTC() }

// begin makes the first try, with a picture of nobody; what it comes to is the same for all checks.
func (s *session) begin(ctx context.Context, c *comparing) error {
	if err := s.ready(); err != nil {
		return err
	}
	if s.cfg.Person.Number == "" {
		return skip("no person was named")
	}
	if c.tries > 0 {
		return c.began
	}
	a, err := s.mine.compare(ctx, c, c.nobody, newID())
	switch {
	case err != nil:
		c.began = err
	case refused(a, nil, "E-BACKEND") == nil:
		c.began = skip("nobody compares such pictures here now")
	case refused(a, nil, "E-NOT-FOUND") == nil:
		c.began = skip("this platform knows of no such pictures")
	case refused(a, nil, c.locked) == nil:
		c.began = skip("pictures of this person were compared too often already; come back in ten minutes")
	default:
		c.began = refused(a, nil, c.others...)
	}
	return c.began
}

func checkFingerOffer(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.get(ctx, wire.PathProofs)
	if err == nil && a.status == http.StatusNotFound {
		return skip("this platform says nothing of ways")
	}
	if err != nil {
		return err
	}
	var w wire.ProofWays
	if err := a.read(&w); err != nil {
		return err
	}
	began := s.begin(ctx, s.finger())
	var why skip
	switch offered, is := slices.Contains(w.Ways, wire.ProofFinger), errors.As(began, &why); {
	case s.fingers.tries == 0:
		return began
	case offered && is:
		return fmt.Errorf("fingers are offered, and %w", began)
	case !offered && !is && began == nil:
		return errors.New("a finger was compared that was not offered")
	case is:
		return nil
	}
	return began
}

// without is a question that lacks a field.
func without(v any, field string) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	err = json.Unmarshal(b, &m)
	delete(m, field)
	return m, err
}

func checkPictureRefused(ctx context.Context, s *session, c *comparing) error {
	is := s.cfg.Person
	ask := func(p asked, person wire.PersonRef, agreed time.Time) any { return p(person, newID(), agreed) }
	right := ask(c.nobody, is, s.mine.now())
	noVisit, err := without(right, "visit")
	if err != nil {
		return err
	}
	noConsent, err := without(right, "agreed")
	if err != nil {
		return err
	}
	unknown, err := idnum.Complete("99000019000101999") // district 990000 does not exist
	if err != nil {
		return err
	}
	type step struct {
		what, code string
		body       any
	}
	steps := []step{
		{"without a visit", "E-MALFORMED", noVisit},
		{"without consent", "E-MALFORMED", noConsent},
		{"with tomorrow's consent", "E-MALFORMED", ask(c.nobody, is, s.mine.now().Add(24*time.Hour))},
		{"a number that cannot be one", "E-MALFORMED", ask(c.nobody, wire.PersonRef{Number: "990000", Name: "无此人"}, s.mine.now())},
		{"a person whom nobody knows", "E-NO-RECORD", ask(c.nobody, wire.PersonRef{Number: unknown, Name: "无此人"}, s.mine.now())},
	}
	for _, p := range c.bad {
		steps = append(steps, step{p.what, "E-PICTURE", ask(p.asked, is, s.mine.now())})
	}
	for _, x := range steps {
		a, err := s.mine.post(ctx, c.path, x.body)
		if err := refused(a, err, x.code); err != nil {
			return fmt.Errorf("%s: %w", x.what, err)
		}
	}
	return nil
}

func checkPictureToken(ctx context.Context, s *session, c *comparing) error {
	if c.right == nil {
		return skip("no picture of the person was named")
	}
	visit := newID()
	a, err := s.mine.compare(ctx, c, c.right, visit)
	if err != nil {
		return err
	}
	var out wire.CodeChecked
	if err := a.read(&out); err != nil {
		return fmt.Errorf("the person's picture: %w", err)
	}
	if out.Token == "" || !out.Until.After(s.mine.now()) {
		return errors.New("no token, or one that has ended")
	}
	q := wire.Query{Token: out.Token, Visit: visit}
	if a, err = s.mine.post(ctx, s.query(), q); err != nil {
		return err
	}
	var table wire.Answer
	if err := a.read(&table); err != nil {
		return fmt.Errorf("a query with the token: %w", err)
	}
	a, err = s.other.post(ctx, s.query(), q)
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return fmt.Errorf("at another terminal: %w", err)
	}
	q.Visit = newID()
	a, err = s.mine.post(ctx, s.query(), q)
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return fmt.Errorf("for another visit: %w", err)
	}
	return nil
}

func checkPictureTries(ctx context.Context, s *session, c *comparing) error {
	for c.tries < pictureTries {
		a, err := s.other.compare(ctx, c, c.nobody, newID())
		if err := refused(a, err, c.others...); err != nil {
			return fmt.Errorf("try %d: %w", c.tries, err)
		}
	}
	last := c.nobody
	if c.right != nil {
		last = c.right
	}
	for _, t := range []*terminal{s.mine, s.other} {
		a, err := t.compare(ctx, c, last, newID())
		if err := refused(a, err, c.locked); err != nil {
			return fmt.Errorf("after %d tries: %w", pictureTries, err)
		}
	}
	return nil
}
