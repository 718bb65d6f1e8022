// The way of verify in which a finger is compared with the register. Pictures are in memory only, and wiped.

package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/finger"
)

// Fingers is a [Platform] whose city compares fingers. Errors are those of [Platform], and the ones below.
type Fingers interface {
	// FingersCompared tells whether a finger would be compared now. A platform that knows nothing of it: false.
	FingersCompared(ctx context.Context) (bool, error)
	// Finger has a picture of a finger compared with what the register has of the person: a token that proves them, or ErrOtherFinger,
	// ErrPoorFinger, ErrLocked. The person agreed to it at the time given. The picture stays the caller's, who wipes it.
	Finger(ctx context.Context, visit string, who Person, picture devices.FingerPicture, agreed time.Time) (Token, error)
}

// Errors of [Fingers].
var (
	ErrOtherFinger = errors.New("the finger is somebody else's")
	ErrPoorFinger  = errors.New("the picture of the finger cannot be compared")
)

// Bounds of what is tried at the sensor.
const (
	mostFingers  = 3 // comparisons
	mostPictures = 6 // pictures, with those that are not worth comparing
)

// fingersAsk is how long the platform may take to say whether it compares fingers.
const fingersAsk = 3 * time.Second

// fingersThere tells whether the way can be offered: a sensor that works, and a city that compares.
func fingersThere(ctx context.Context, j *Journey, _ *verifyStep) bool {
	p, can := j.e.cfg.Platform.(Fingers)
	if !can || !hindered(j.e.scene(j.item), devices.RoleFingerprint).IsZero() {
		return false
	}
	ctx, stop := context.WithTimeout(ctx, fingersAsk)
	defer stop()
	there, err := p.FingersCompared(ctx)
	return err == nil && there
}

// proveByFinger asks for agreement first. Nothing of a picture is kept.
func proveByFinger(ctx context.Context, j *Journey, _ *verifyStep, others bool) error {
	over := func(cause error) error { return &wayOver{told: refer("finger", "E-FINGER", cause)} }
	p, can := j.e.cfg.Platform.(Fingers)
	if !can {
		return over(errors.New("the platform compares no fingers"))
	}
	a, err := ask[Answer](ctx, j, Consent{Page: j.page(), Title: T("svc.finger.consent"), Lines: []Text{T("svc.finger.consent.what"), T("svc.finger.consent.kept"), T("svc.finger.consent.other")},
		Otherwise: T("svc.finger.consent.otherwise")})
	if err != nil {
		return err
	}
	switch a.(type) {
	case Next:
	case Cancelled:
		if others {
			return errAnotherWay
		}
		return over(nil)
	default:
		return fmt.Errorf("%w: %T to fingerprint", ErrAnswer, a)
	}
	agreed := j.e.now()
	dev, release, err := j.e.cfg.Devices.Use(devices.RoleFingerprint)
	if err != nil {
		return over(err)
	}
	defer release()
	sensor, ok := dev.(devices.FingerSensor)
	if !ok {
		return over(errors.New("device takes no pictures of fingers"))
	}
	l := laying{j: j, sensor: sensor, others: others, left: mostFingers}
	for range mostPictures {
		pic, err := l.picture(ctx)
		switch {
		case errors.Is(err, errBadFinger):
			continue
		case err != nil:
			return l.trouble(err, over)
		}
		tok, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.finger"), func(ctx context.Context) (Token, error) {
			return p.Finger(ctx, j.v.id, j.v.person(), pic, agreed)
		})
		pic.Wipe()
		switch {
		case err == nil:
			j.v.token = tok
			return nil
		case errors.Is(err, ErrOtherFinger):
			l.left--
			l.problem = T("svc.finger.other")
		case errors.Is(err, ErrPoorFinger):
			l.left--
			l.problem = adviceOfFinger(finger.AdviceBlur)
		case errors.Is(err, errGivenUp) && others:
			return errAnotherWay
		case errors.Is(err, ErrNoRecord):
			return &wayOver{told: refer("finger-none", "E-NO-RECORD", err)}
		case errors.Is(err, ErrLocked):
			return &wayOver{told: refer("finger-locked", "E-FINGER-LOCKED", err)}
		case errors.Is(err, ErrBackendDown):
			return &wayOver{told: refer("backend", "E-BACKEND", err)}
		default:
			return platformTrouble(err)
		}
		if l.left == 0 {
			break
		}
	}
	return &wayOver{told: refer("finger-other", "E-FINGER", nil)}
}

// errBadFinger: a picture is not worth comparing; what is wrong stands above the next prompt.
var errBadFinger = errors.New("the picture is not worth comparing")

// adviceOfFinger words what is wrong with a picture.
func adviceOfFinger(a finger.Advice) Text { return T("svc.finger." + string(a)) }

// laying is a person at the sensor.
type laying struct {
	j       *Journey
	sensor  devices.FingerSensor
	others  bool
	left    int  // comparisons
	problem Text // with the last picture
	down    bool // a finger may still lie there, of which a picture was taken
}

// trouble is what becomes of an error at the sensor.
func (l *laying) trouble(err error, over func(error) error) error {
	switch {
	case errors.Is(err, devices.ErrNoDevice), errors.Is(err, devices.ErrSilent), errors.Is(err, devices.ErrProtocol), errors.Is(err, devices.ErrUnusable), errors.Is(err, devices.ErrBusy):
		return over(err)
	}
	return err
}

// picture guides the person until there is a picture that is worth comparing, or one that is not: errBadFinger.
func (l *laying) picture(ctx context.Context) (devices.FingerPicture, error) {
	if l.down {
		if _, err := l.guide(ctx, FingerLift, func(ctx context.Context, _ func()) (devices.FingerPicture, error) {
			return devices.FingerPicture{}, l.sensor.Lifted(ctx)
		}); err != nil {
			return devices.FingerPicture{}, err
		}
		l.down = false
	}
	pic, err := l.guide(ctx, FingerLay, func(ctx context.Context, taken func()) (devices.FingerPicture, error) {
		return l.sensor.Capture(ctx, func(e devices.FingerEvent) {
			if e == devices.FingerTaken {
				taken()
			}
		})
	})
	l.down = true
	for bad, a := range map[error]finger.Advice{devices.ErrFingerDry: finger.AdviceDry, devices.ErrFingerWet: finger.AdviceWet,
		devices.ErrFingerBlur: finger.AdviceBlur, devices.ErrFingerSmall: finger.AdviceSmall} {
		if errors.Is(err, bad) {
			l.problem = adviceOfFinger(a)
			return pic, errBadFinger
		}
	}
	if err != nil {
		return pic, err
	}
	if q := finger.Judge(pic.Pixels, pic.Width, pic.Height); q.Advice != finger.AdviceNone {
		pic.Wipe()
		l.problem = adviceOfFinger(q.Advice)
		return pic, errBadFinger
	}
	l.problem = Text{}
	return pic, nil
}

// guide shows what to do while the sensor does something, and goes on by itself when it is done. taken changes what is shown: the
// picture is taken, and comes. The picture is wiped when the person answers first.
func (l *laying) guide(ctx context.Context, at FingerPhase, do func(ctx context.Context, taken func()) (devices.FingerPicture, error)) (pic devices.FingerPicture, err error) {
	doCtx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		beside sync.WaitGroup
		taken  = make(chan struct{})
		done   = make(chan struct{})
		once   sync.Once
	)
	beside.Go(func() {
		defer close(done)
		pic, err = do(doCtx, func() { once.Do(func() { close(taken) }) })
	})
	var asked error
	var answer Answer
	for phase, ended := at, false; !ended; {
		change := taken
		if phase == FingerComes || at == FingerLift {
			change = nil
		}
		askCtx, came := context.WithCancelCause(ctx)
		var watching sync.WaitGroup
		watching.Go(func() {
			select {
			case <-change:
				came(errCame)
			case <-done:
				came(errCame)
			case <-askCtx.Done():
			}
		})
		p := LayFinger{Page: l.j.page(), Phase: phase, Problem: l.problem, Left: l.left, Others: l.others}
		if phase == FingerComes { // of another picture than that with the problem
			p.Problem = Text{}
		}
		answer, asked = ask[Answer](askCtx, l.j, p)
		came(nil)
		watching.Wait()
		ended = !errors.Is(asked, errCame)
		select {
		case <-done:
			ended = true
		default:
			phase = FingerComes
		}
	}
	select {
	case <-done:
	default:
		stop()
	}
	beside.Wait()
	switch {
	case ctx.Err() != nil:
		pic.Wipe()
		return pic, context.Cause(ctx)
	case asked == nil:
		pic.Wipe()
		if _, other := answer.(Cancelled); !other {
			return pic, fmt.Errorf("%w: %T to finger", ErrAnswer, answer)
		}
		return pic, errAnotherWay
	case !errors.Is(asked, errCame):
		pic.Wipe()
		return pic, asked
	}
	return pic, err
}
