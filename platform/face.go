package platform

// Proving a person by a picture: one face against the one that the register has. The comparison is the city's: a back end of the service
// "face-match". There is no built-in one, and without a back end nobody is proven this way. Pictures are passed on, and neither kept
// nor logged.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	if err := f.s.backendWorks(ctx, f.b.cfg.Name); err != nil {
		return false, err
	}
	raw, err := f.b.ask(ctx, f.b.cfg.Timeout, faceQuery{ServiceFaces, who.Number, who.Name, picture}, "query", ServiceFaces)
	var v faceVerdict
	switch {
	case errors.Is(err, errNoRecord):
		return false, ErrNoRow
	case err == nil && (json.Unmarshal(raw, &v) != nil || v.Same == nil):
		err = fmt.Errorf("%w: verdict cannot be read", errBackendFailed)
	}
	if err != nil {
		f.s.cfg.Log.Warn("comparing faces", "back end", f.b.cfg.Name, "error", err) // names no person
		if ctx.Err() == nil {
			err = errBackend
		}
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
	now := s.now()
	if q.Visit == "" || len(q.Visit) > 64 || q.Agreed.IsZero() || q.Agreed.After(now.Add(wire.MaxSkew)) {
		s.refuse(w, errMalformed, "visit or the time of consent is not as it must be")
		return
	}
	if checkFace(q.Picture) != nil {
		s.refuse(w, errPicture, "the picture is no JPEG within 256 KiB")
		return
	}
	match := s.faces()
	if match == nil {
		s.refuse(w, errBackend, "no back end compares faces here")
		return
	}
	is, err := s.resolve(r.Context(), q.Person)
	if err != nil {
		s.fail(w, err)
		return
	}
	q.Person = is
	// A try is counted before it is made: many at once are no way around.
	var who CitizenRow
	err = s.store.Update(r.Context(), func(tx Tx) (err error) {
		if who, err = tx.Citizen(q.Person.Number); errors.Is(err, ErrNoRow) || err == nil && q.Person.Name != "" && who.Name != q.Person.Name {
			return errNoRecord
		}
		if err != nil {
			return err
		}
		n, err := tx.Hit(hashed("face", q.Person.Number), now, now.Add(faceWindow))
		if err == nil && n > faceTries {
			return errFaceLocked
		}
		return err
	})
	if err == nil {
		err = s.proveFace(r.Context(), match, who, q.Picture)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	tok := token()
	if err := s.store.Update(r.Context(), func(tx Tx) error {
		return tx.PutToken(TokenRow{Token: hashed(tok), Terminal: terminalOf(r.Context()), Visit: q.Visit, Number: who.Number, Until: now.Add(tokenLife), Way: WayFace})
	}); err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, wire.CodeChecked{Token: tok, Until: now.Add(tokenLife)})
}

func (s *Server) proveFace(ctx context.Context, match FaceMatcher, who CitizenRow, picture []byte) error {
	same, err := match.Match(ctx, who, picture)
	switch {
	case errors.Is(err, ErrNoRow):
		return errNoRecord
	case err == nil && !same:
		return errFaceOther
	}
	return err
}
