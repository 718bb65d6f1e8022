package platform

// Proving a person by a picture: one face against the one that the register has. The comparison is the city's: a back end of the service
// "face-match". There is no built-in one, and without a back end nobody is proven this way. Pictures are passed on, and neither kept
// nor logged.

import (
	"context"
	"net/http"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// A FaceMatcher compares a live picture with the one that a register has of a person.
type FaceMatcher interface {
	// Match says whether the picture shows the person. ErrNoRow: there is no picture to compare with. picture is a JPEG and is not kept.
	Match(ctx context.Context, who CitizenRow, picture []byte) (bool, error)
}

// ServiceFaces is the service by which a back end compares faces: POST faceQuery to URL/query/face-match → faceVerdict; 404 when it has
// no picture of the person.
const ServiceFaces = "face-match"

type faceQuery struct {
	Service string `json:"service"`
	Number  string `json:"number"`
	Name    string `json:"name"`
	Picture []byte `json:"picture"` // JPEG
}

type faceVerdict struct {
	Same *bool  `json:"same"`
	By   string `json:"by"` // what compared, for operators
}

func (v *faceVerdict) whole() bool { return v.Same != nil }

// Rules for comparing.
const (
	faceTries  = 3
	faceWindow = 10 * time.Minute
	faceBody   = faceBytes*4/3 + 16<<10
)

// cityFaces asks the back end that compares.
type cityFaces struct {
	s *Server
	b *backend
}

// Match implements FaceMatcher.
func (f cityFaces) Match(ctx context.Context, who CitizenRow, picture []byte) (bool, error) {
	var v faceVerdict
	if err := f.s.verdict(ctx, f.b, ServiceFaces, faceQuery{ServiceFaces, who.Number, who.Name, picture}, &v); err != nil {
		return false, err
	}
	return *v.Same, nil
}

// faces is who compares; nil when nobody does.
func (s *Server) faces() FaceMatcher {
	if s.cfg.Faces != nil {
		return s.cfg.Faces
	}
	if b := s.backendOf(ServiceFaces); b != nil {
		return cityFaces{s, b}
	}
	return nil
}

func (s *Server) checkFace(w http.ResponseWriter, r *http.Request, body []byte) {
	defer clear(body)
	var q wire.FaceCheck
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	defer clear(q.Picture)
	if checkFace(q.Picture) != nil {
		s.refuse(w, errPicture, "the picture is no JPEG within 256 KiB")
		return
	}
	match := s.faces()
	s.compare(w, r, comparison{way: WayFace, person: q.Person, visit: q.Visit, agreed: q.Agreed, nobody: match == nil, tries: faceTries, window: faceWindow,
		other: errFaceOther, locked: errFaceLocked, match: func(ctx context.Context, who CitizenRow) (bool, error) { return match.Match(ctx, who, q.Picture) }})
}
