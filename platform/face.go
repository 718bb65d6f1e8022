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
	if checkFace(q.Picture) != nil {
		s.refuse(w, errPicture, "the picture is no JPEG within 256 KiB")
		return
	}
	match := s.faces()
	s.compare(w, r, comparison{way: WayFace, person: q.Person, visit: q.Visit, agreed: q.Agreed, nobody: match == nil, tries: faceTries, window: faceWindow,
		other: errFaceOther, locked: errFaceLocked, match: func(ctx context.Context, who CitizenRow) (bool, error) { return match.Match(ctx, who, q.Picture) }})
}

// comparison proves one person by one picture.
type comparison struct {
	way           string // WayFace or WayFinger
	person        wire.PersonRef
	visit         string
	agreed        time.Time
	nobody        bool // there is nobody who compares
	tries         int  // for a person, within window
	window        time.Duration
	other, locked *APIError
	// match says whether it is the person. ErrNoRow: there is nothing to compare with.
	match func(ctx context.Context, who CitizenRow) (bool, error)
}

// compare answers with a token, or says why there is none.
func (s *Server) compare(w http.ResponseWriter, r *http.Request, c comparison) {
	now := s.now()
	if c.visit == "" || len(c.visit) > 64 || c.agreed.IsZero() || c.agreed.After(now.Add(wire.MaxSkew)) {
		s.refuse(w, errMalformed, "visit or the time of consent is not as it must be")
		return
	}
	if c.nobody {
		s.refuse(w, errBackend, "no back end compares a "+c.way+" here")
		return
	}
	person, err := s.resolve(r.Context(), c.person)
	if err != nil {
		s.fail(w, err)
		return
	}
	// A try is counted before it is made: many at once are no way around.
	var who CitizenRow
	err = s.store.Update(r.Context(), func(tx Tx) (err error) {
		if who, err = tx.Citizen(person.Number); errors.Is(err, ErrNoRow) || err == nil && person.Name != "" && who.Name != person.Name {
			return errNoRecord
		}
		if err != nil {
			return err
		}
		n, err := tx.Hit(hashed(c.way, person.Number), now, now.Add(c.window))
		if err == nil && n > c.tries {
			return c.locked
		}
		return err
	})
	if err == nil {
		var same bool
		same, err = c.match(r.Context(), who)
		switch {
		case errors.Is(err, ErrNoRow):
			err = errNoRecord
		case err == nil && !same:
			err = c.other
		}
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	tok := token()
	if err := s.store.Update(r.Context(), func(tx Tx) error {
		return tx.PutToken(TokenRow{Token: hashed(tok), Terminal: terminalOf(r.Context()), Visit: c.visit, Number: who.Number, Until: now.Add(tokenLife), Way: c.way})
	}); err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, wire.CodeChecked{Token: tok, Until: now.Add(tokenLife)})
}
