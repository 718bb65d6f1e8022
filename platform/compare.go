package platform

// What proving a person by a face and by a finger have in common: who is compared, how often, and how the back end is asked that does it.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

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

// verdict asks the back end of a service that compares for its verdict. ErrNoRow: it has nothing of the person to compare with.
func (s *Server) verdict(ctx context.Context, b *backend, service string, query any, v interface{ whole() bool }) error {
	if err := s.backendWorks(ctx, b.cfg.Name); err != nil {
		return err
	}
	raw, err := b.ask(ctx, b.cfg.Timeout, query, "query", service)
	switch {
	case errors.Is(err, errNoRecord):
		return ErrNoRow
	case err == nil && (json.Unmarshal(raw, v) != nil || !v.whole()):
		err = fmt.Errorf("%w: verdict cannot be read", errBackendFailed)
	}
	if err != nil {
		s.cfg.Log.Warn("comparing", "service", service, "back end", b.cfg.Name, "error", err) // names no person
		if ctx.Err() == nil {
			err = errBackend
		}
	}
	return err
}
