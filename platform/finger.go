package platform

// Proving a person by a finger: one picture against what the register has of them. The comparison is the city's: a back end of the
// service "finger-match". There is no built-in one, and without a back end nobody is proven this way. Pictures are passed on, and neither
// kept nor logged.

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// A FingerMatcher compares a picture of a finger with what a register has of a person.
type FingerMatcher interface {
	// Match says whether the picture shows a finger of the person. ErrNoRow: there is none to compare with. ErrPoorFinger: nobody could
	// compare this one. The picture is not kept.
	Match(ctx context.Context, who CitizenRow, f Finger) (bool, error)
}

// Finger is a picture of one: 8 bits a pixel, row by row from its tip, 0 is a ridge.
type Finger struct {
	Width, Height, DPI int
	Pixels             []byte
}

// ErrPoorFinger: a picture cannot be compared; another one may be.
var ErrPoorFinger = errors.New("the picture of the finger is too poor to compare")

// ServiceFingers is the service by which a back end compares fingers: POST fingerQuery to URL/query/finger-match → fingerVerdict; 404
// when it has no finger of the person.
const ServiceFingers = "finger-match"

type fingerQuery struct {
	Service string `json:"service"`
	Number  string `json:"number"`
	Name    string `json:"name"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	DPI     int    `json:"dpi"`
	Pixels  []byte `json:"pixels"` // 8 bits each, not packed and not compressed, as ISO/IEC 19794-4 has them
}

type fingerVerdict struct {
	Same *bool  `json:"same"`
	Poor bool   `json:"poor"` // too poor to compare; same says nothing then
	By   string `json:"by"`   // what compared, for operators
}

func (v *fingerVerdict) whole() bool { return v.Same != nil || v.Poor }

// Rules for comparing.
const (
	fingerTries  = 3
	fingerWindow = 10 * time.Minute
	fingerBody   = wire.MostFingerSide*wire.MostFingerSide*4/3 + 16<<10
)

// cityFingers asks the back end that compares.
type cityFingers struct {
	s *Server
	b *backend
}

// Match implements FingerMatcher.
func (f cityFingers) Match(ctx context.Context, who CitizenRow, x Finger) (bool, error) {
	var v fingerVerdict
	q := fingerQuery{ServiceFingers, who.Number, who.Name, x.Width, x.Height, x.DPI, x.Pixels}
	if err := f.s.verdict(ctx, f.b, ServiceFingers, q, &v); err != nil {
		return false, err
	}
	if v.Poor {
		return false, ErrPoorFinger
	}
	return *v.Same, nil
}

// fingers is who compares; nil when nobody does.
func (s *Server) fingers() FingerMatcher {
	if s.cfg.Fingers != nil {
		return s.cfg.Fingers
	}
	if b := s.backendOf(ServiceFingers); b != nil {
		return cityFingers{s, b}
	}
	return nil
}

// comparesFingers says whether somebody would compare a finger now, as far as it is known.
func (s *Server) comparesFingers(ctx context.Context) bool {
	f := s.fingers()
	city, is := f.(cityFingers)
	return f != nil && (!is || s.backendWorks(ctx, city.b.cfg.Name) == nil)
}

func (s *Server) checkFinger(w http.ResponseWriter, r *http.Request, body []byte) {
	defer clear(body)
	var q wire.FingerCheck
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	defer clear(q.Pixels)
	if !q.Sound() {
		s.refuse(w, errPicture, "the picture of a finger is not as large as it says, or of no size that there is")
		return
	}
	match := s.fingers()
	s.compare(w, r, comparison{way: WayFinger, person: q.Person, visit: q.Visit, agreed: q.Agreed, nobody: match == nil, tries: fingerTries, window: fingerWindow,
		other: errFingerOther, locked: errFingerLocked, match: func(ctx context.Context, who CitizenRow) (bool, error) {
			same, err := match.Match(ctx, who, Finger{q.Width, q.Height, q.DPI, q.Pixels})
			if errors.Is(err, ErrPoorFinger) {
				err = errFingerPoor
			}
			return same, err
		}})
}
