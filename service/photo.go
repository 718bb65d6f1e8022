// The steps before the camera: the face that is compared with the register, and the photo for the card. Pictures are in memory
// only, and wiped.

package service

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/photo"
)

// Bounds of what is tried before the camera.
const (
	mostFaces   = 3 // comparisons
	mostRetakes = 5
	candidates  = 2
)

// lookEvery is how much time passes between two pictures that are looked at, on average: guidance needs no more than eight a second,
// and the core has the screen to draw.
const lookEvery = time.Second / 8

// A Live is what the camera sees now and what the person should do, for a screen that draws it. It is wiped when the step ends.
type Live struct {
	mu      sync.Mutex
	frame   devices.Frame
	advice  photo.Advice
	count   uint64
	looks   uint64
	closed  bool
	changed chan struct{} // see Changed; nil when nobody waits
}

// Changed is closed when there is another picture or another advice, or when the step has ended. Nil when it has.
func (l *Live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// tell wakes whoever waits for a change. The lock is held.
func (l *Live) tell() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Looks is how many pictures have been looked at so far.
func (l *Live) Looks() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looks
}

// Draw draws the middle of the newest picture over all of m, left and right exchanged as in a mirror, and says what the person should
// do. count grows with every picture; nothing is drawn when it is after. ok is false before the first picture and after the last.
func (l *Live) Draw(m *image.RGBA, after uint64) (advice Text, good bool, count uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.count == 0 {
		return Text{}, false, l.count, false
	}
	if l.count != after {
		mirrored(m, &l.frame)
	}
	return adviceText(l.advice), l.advice == photo.AdviceHold, l.count, true
}

// mirrored scales the part of a frame that has m's shape.
func mirrored(m *image.RGBA, f *devices.Frame) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if w == 0 || h == 0 || f.Width == 0 || f.Height == 0 {
		return
	}
	fw, fh := f.Width, f.Height
	if fw*h > fh*w {
		fw = max(1, fh*w/h)
	} else {
		fh = max(1, fw*h/w)
	}
	x0, y0 := (f.Width-fw)/2, (f.Height-fh)/2
	step := fw << 16 / w
	for y := range h {
		row := f.Pixels[4*f.Width*(y0+y*fh/h):]
		to := m.Pix[y*m.Stride : y*m.Stride+4*w]
		at := (x0+fw)<<16 - 1
		for x := 0; x < len(to); x += 4 {
			p := row[4*(at>>16):]
			to[x], to[x+1], to[x+2], to[x+3] = p[0], p[1], p[2], 255
			at -= step
		}
	}
}

// Show takes a newer picture, and gives the room of the one before for it.
func (l *Live) Show(f *devices.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frame, *f = *f, l.frame
	l.count++
	l.tell()
}

func (l *Live) advise(a photo.Advice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	if l.advice != a {
		l.advice = a
		l.tell()
	}
}

func (l *Live) wipe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.frame.Wipe()
	l.tell()
}

// adviceText words an advice.
func adviceText(a photo.Advice) Text {
	if a == photo.AdviceNone {
		a = photo.AdviceNobody
	}
	return T("svc.photo." + string(a))
}

// shot is the photo that was chosen.
type shot struct {
	jpeg    []byte
	profile string
	checks  []Check
}

func (s *shot) wipe() {
	clear(s.jpeg)
	*s = shot{}
}

// wipePictures forgets photo and signature.
func (j *Journey) wipePictures() {
	clear(j.ink)
	j.ink = nil
	j.shot.wipe()
}

// judge is who looks at pictures: a [photo.Booth].
type judge interface {
	Watch(m *image.RGBA, sequence uint32) photo.Advice
	Candidates(kept []uint32, n int) []uint32
	TakeAll(pictures []*image.RGBA) ([]photo.Photo, []error)
	Wipe()
}

// studio is the camera at work, for one step.
type studio struct {
	j      *Journey
	stream devices.CameraStream
	booth  judge
	looked album
	free   func()
}

// Bounds of an album: as many pictures as are looked at while a camera keeps one, of no more than so many bytes together.
const (
	mostLooked      = 4
	mostLookedBytes = 32 << 20
)

// album is the last few pictures that were looked at, as they were decoded for that: of the best of them the photos are made. It is for
// one goroutine; what it says with next is left alone until there is another one.
type album struct {
	frames []devices.Frame
	at     int // place of the oldest
}

// next is the room for another picture, which takes the place of the oldest.
func (a *album) next(width, height int) *devices.Frame {
	most := max(1, min(mostLooked, mostLookedBytes/max(1, 4*width*height)))
	if len(a.frames) != most { // the camera's first picture, or one of another size
		a.wipe()
		a.frames = make([]devices.Frame, most)
	}
	f := &a.frames[a.at]
	a.at = (a.at + 1) % most
	f.Resize(width, height)
	return f
}

// find is a picture by its number, nil when it is not there.
func (a *album) find(sequence uint32) *devices.Frame {
	for i := range a.frames {
		if f := &a.frames[i]; f.Sequence == sequence && len(f.Pixels) > 0 {
			return f
		}
	}
	return nil
}

func (a *album) wipe() {
	for i := range a.frames {
		a.frames[i].Wipe()
	}
	*a = album{}
}

// openStudio switches the camera on, for so many photos at a time.
func (j *Journey) openStudio(ctx context.Context, profile string, atOnce int) (*studio, error) {
	p, err := photo.LoadProfile(profile)
	if err != nil {
		return nil, err
	}
	dev, release, err := j.e.cfg.Devices.Use(devices.RoleCamera)
	if err != nil {
		return nil, refer("camera", "E-CAMERA", err)
	}
	cam, ok := dev.(devices.Camera)
	if !ok {
		release()
		return nil, refer("camera", "E-CAMERA", errors.New("device takes no pictures"))
	}
	booth, err := photo.NewBooth(p, atOnce)
	if err != nil {
		release()
		return nil, err
	}
	stream, err := cam.Stream(ctx)
	if err != nil {
		release()
		return nil, refer("camera", "E-CAMERA", err)
	}
	return &studio{j: j, stream: stream, booth: booth, free: release}, nil
}

func (s *studio) close() {
	_ = s.stream.Close()
	s.looked.wipe()
	s.booth.Wipe()
	s.free()
}

// pose shows the person themselves with what they should do, until the picture has been good for a while or they say so. What the
// camera still keeps of it is for still.
func (s *studio) pose(ctx context.Context, p Pose) error {
	live := &Live{}
	defer live.wipe()
	p.Live = live
	askCtx, came := context.WithCancelCause(ctx)
	defer came(nil)
	var (
		watching sync.WaitGroup
		broken   error
	)
	watching.Go(func() {
		broken = s.watch(askCtx, live)
		came(errCame)
	})
	_, err := ask[Next](askCtx, s.j, p)
	if known := errors.Is(context.Cause(askCtx), errCame); known && err != nil && ctx.Err() == nil {
		err = nil
	}
	came(nil)
	watching.Wait()
	switch {
	case err != nil:
		return err
	case broken != nil && !errors.Is(broken, context.Canceled):
		return refer("camera", "E-CAMERA", broken)
	}
	return nil
}

// watch draws every picture and looks at eight a second, or as many as it can, until enough in a row were good.
func (s *studio) watch(ctx context.Context, live *Live) error {
	var (
		f        devices.Frame
		looking  sync.WaitGroup
		work     = make(chan *devices.Frame, 1)
		idle     = make(chan struct{}, 1)
		enough   = make(chan struct{})
		goodFrom time.Time
		due      time.Time // when the next one is looked at
	)
	idle <- struct{}{}
	looking.Go(func() {
		over := false
		for look := range work {
			a := s.booth.Watch(look.Image(), look.Sequence)
			live.advise(a)
			switch {
			case a != photo.AdviceHold:
				goodFrom = time.Time{}
			case goodFrom.IsZero():
				goodFrom = look.At
			case !over && look.At.Sub(goodFrom) >= s.j.e.t.Hold:
				over = true
				close(enough)
			}
			idle <- struct{}{}
		}
	})
	defer func() {
		close(work)
		looking.Wait()
		f.Wipe()
	}()
	for {
		if err := s.stream.Next(ctx, &f, devices.View{}); err != nil {
			return err
		}
		if !f.At.Before(due) {
			select {
			case <-idle:
				// On average: what came a little late makes the next one no later.
				due = later(due.Add(lookEvery), f.At.Add(lookEvery/2))
				look := s.looked.next(f.Width, f.Height)
				copy(look.Pixels, f.Pixels)
				look.Sequence, look.At = f.Sequence, f.At
				work <- look
			default:
			}
		}
		live.Show(&f)
		select {
		case <-enough:
			return nil
		default:
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take makes photos of the best pictures that are still kept.
func (s *studio) take(n int) (all []photo.Photo, advice photo.Advice) {
	kept := s.stream.Kept()
	best := s.booth.Candidates(kept, n)
	for i := len(kept) - 1; i >= 0 && len(best) < n; i -= 3 { // not looked at, but as good as its neighbours
		if !slices.Contains(best, kept[i]) {
			best = append(best, kept[i])
		}
	}
	var (
		pictures []*image.RGBA
		stills   []*devices.Frame
	)
	defer func() {
		for _, f := range stills {
			f.Wipe()
		}
	}()
	// What was not looked at is decoded now; all of it before the first is judged, as that takes a slow machine as long as the camera keeps a
	// picture.
	for _, seq := range best {
		f := s.looked.find(seq)
		if f == nil {
			f = &devices.Frame{}
			stills = append(stills, f)
			if s.stream.Still(seq, f) != nil {
				continue
			}
		}
		pictures = append(pictures, f.Image())
	}
	photos, errs := s.booth.TakeAll(pictures)
	advice = photo.AdviceNobody
	for i, p := range photos {
		var none photo.ErrNoPhoto
		switch err := errs[i]; {
		case errors.As(err, &none):
			advice = none.Advice
		case err == nil:
			all = append(all, p)
		}
	}
	return all, advice
}

// faceStep proves the person by a live picture, for whoever agrees to that. Whoever does not, or whom the register does not
// recognise, is proved by the step that follows.
type faceStep struct {
	Settings  `yaml:",inline"`
	Title     Words   `yaml:"title"` // of the question
	Lines     []Words `yaml:"lines"`
	Otherwise Words   `yaml:"otherwise"` // the button of whoever does not agree
	Look      Words   `yaml:"look"`      // title before the camera
}

func (s *faceStep) check() error {
	if len(s.Lines) == 0 {
		return errors.New("no lines")
	}
	for _, l := range append(slices.Clone(s.Lines), s.Title, s.Otherwise, s.Look) {
		if err := l.check("wording", true); err != nil {
			return err
		}
	}
	return nil
}

// Ready: without a camera there is the other way.
func (s *faceStep) Ready(Scene) Text { return Text{} }

// Run asks for agreement first. Nothing of the picture is kept.
func (s *faceStep) Run(ctx context.Context, j *Journey) error {
	sc := j.e.scene(j.item)
	if j.v.verified(j.e.now()) || !sc.Office || !hindered(sc, devices.RoleCamera).IsZero() {
		return nil
	}
	lines := make([]Text, 0, len(s.Lines))
	for _, l := range s.Lines {
		lines = append(lines, l.Text())
	}
	a, err := ask[Answer](ctx, j, Consent{Page: j.page(), Title: s.Title.Text(), Lines: lines, Otherwise: s.Otherwise.Text()})
	if err != nil {
		return err
	}
	switch a.(type) {
	case Next:
	case Cancelled:
		j.faceless = true
		return nil
	default:
		return fmt.Errorf("%w: %T to face", ErrAnswer, a)
	}
	j.faceless = true // until it is proved
	j.v.faceAgreed = j.e.now()
	st, err := j.openStudio(ctx, "id-card", 1)
	var r *Referral
	switch {
	case errors.As(err, &r):
		return nil // the camera went away; there is the other way
	case err != nil:
		return err
	}
	defer st.close()
	problem := Text{}
	for left := mostFaces; left > 0; left-- {
		if err := st.pose(ctx, Pose{Page: j.page(), Title: s.Look.Text(), Problem: problem, Left: left, Face: true}); err != nil {
			if errors.As(err, &r) {
				return nil
			}
			return err
		}
		all, advice := st.take(1)
		if len(all) == 0 {
			problem = adviceText(advice)
			continue
		}
		tok, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.face"), func(ctx context.Context) (Token, error) {
			return j.e.cfg.Office.Face(ctx, j.v.id, j.v.person(), all[0].JPEG, j.v.faceAgreed)
		})
		for i := range all {
			all[i].Wipe()
		}
		switch {
		case err == nil:
			j.v.token = tok
			return nil
		case errors.Is(err, ErrOtherFace):
			problem = T("svc.face.other")
			continue
		case errors.Is(err, errGivenUp), errors.Is(err, ErrLocked), errors.Is(err, ErrNoRecord), errors.Is(err, ErrRefused), errors.Is(err, ErrBackendDown):
			return nil // the other way
		}
		return platformTrouble(err)
	}
	return nil
}

// photoStep takes the photo for the card.
type photoStep struct {
	Settings `yaml:",inline"`
	Profile  string `yaml:"profile"`
	Title    Words  `yaml:"title"`
	Hint     Words  `yaml:"hint"`
	Pick     Words  `yaml:"pick"`  // title of the choice between two
	Label    Words  `yaml:"label"` // in the review
}

func (s *photoStep) check() error {
	if _, err := photo.LoadProfile(s.Profile); err != nil {
		return err
	}
	for what, w := range map[string]Words{"title": s.Title, "hint": s.Hint, "pick": s.Pick, "label": s.Label} {
		if err := w.check(what, true); err != nil {
			return err
		}
	}
	return nil
}

// Ready: the camera must work.
func (s *photoStep) Ready(sc Scene) Text { return hindered(sc, devices.RoleCamera) }

// Run takes photos until one is chosen. After five retakes a person is better.
func (s *photoStep) Run(ctx context.Context, j *Journey) error {
	j.shot.wipe()
	if j.chance.Photo {
		opts := []Option{
			{ID: "kept", Label: T("svc.photo.use-kept"), Detail: T("svc.photo.use-kept.detail")},
			{ID: "new", Label: T("svc.photo.take-new"), Detail: T("svc.photo.take-new.detail")},
		}
		pick, err := ask[Chosen](ctx, j, Choose{Page: j.page(), Title: s.Title.Text(), Options: opts})
		if err != nil || pick.ID == "kept" {
			return err
		}
	}
	st, err := j.openStudio(ctx, s.Profile, candidates)
	if err != nil {
		return err
	}
	defer st.close()
	problem := Text{}
	for left := mostRetakes; left >= 0; left-- {
		if err := st.pose(ctx, Pose{Page: j.page(), Title: s.Title.Text(), Hint: s.Hint.Text(), Problem: problem, Left: left}); err != nil {
			return err
		}
		all, advice := st.take(candidates)
		good := all[:0]
		for i := range all {
			if all[i].Verdict == photo.Refused {
				for _, f := range all[i].Findings {
					if f.Kind == photo.Refuse {
						advice = f.Advice
						break
					}
				}
				all[i].Wipe()
				continue
			}
			good = append(good, all[i])
		}
		problem = adviceText(advice)
		if len(good) == 0 {
			continue
		}
		chosen, err := s.choose(ctx, j, good, left)
		if err == nil && chosen >= 0 {
			j.shot = s.keep(good[chosen])
		}
		for i := range good {
			good[i].Wipe()
		}
		if err != nil || chosen >= 0 {
			return err
		}
		problem = Text{}
	}
	return refer("photo", "E-PHOTO", nil)
}

// choose lets the citizen pick one, or another try: -1.
func (s *photoStep) choose(ctx context.Context, j *Journey, good []photo.Photo, left int) (int, error) {
	p := PickPhoto{Page: j.page(), Title: s.Pick.Text(), Left: left}
	for _, g := range good {
		p.Photos = append(p.Photos, g.JPEG)
	}
	a, err := ask[Answer](ctx, j, p)
	if err != nil {
		return -1, err
	}
	switch a := a.(type) {
	case Again:
		if left == 0 {
			break
		}
		return -1, nil
	case Chosen:
		for i := range good {
			if a.ID == fmt.Sprint(i) {
				return i, nil
			}
		}
	}
	return -1, fmt.Errorf("%w: %T to pick a photo", ErrAnswer, a)
}

// keep copies a photo with what was measured of it.
func (s *photoStep) keep(p photo.Photo) shot {
	out := shot{jpeg: slices.Clone(p.JPEG), profile: s.Profile}
	broken := map[photo.Measure]bool{}
	for _, f := range p.Findings {
		if f.Kind != photo.Advise {
			broken[f.Measure] = true
		}
	}
	for _, m := range photo.Measures {
		if v, ok := p.Values[m]; ok {
			out.checks = append(out.checks, Check{Name: string(m), Value: v, OK: !broken[m]})
		}
	}
	return out
}

func (s *photoStep) rows(j *Journey) []Row {
	if len(j.shot.jpeg) == 0 {
		return []Row{{Label: s.Label.Text(), Value: T("svc.review.photo-kept")}}
	}
	return []Row{{Label: s.Label.Text(), Value: T("svc.review.photo")}}
}
