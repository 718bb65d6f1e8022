package conform

// Members of staff who vouch for a person. No member of staff is at hand here: what a confirmation gives is not seen.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

var proofChecks = []Check{
	{"proofs", "E-MALFORMED for a call without a visit, E-NOT-FOUND for one that there is not, E-NO-STAFF while nobody can be called; else one open call of a terminal, shown to it alone, cancelled when it says so, and no token", "Members of staff who vouch", checkProofs},
}

func checkProofs(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.get(ctx, wire.PathProofs)
	if err == nil && a.status == 404 {
		return skip("this platform calls no staff")
	}
	if err != nil {
		return err
	}
	var w wire.ProofWays
	if err := a.read(&w); err != nil {
		return err
	}
	ask := wire.ProofRequest{Person: s.cfg.Person, Visit: newID(), Shown: wire.ShownNumber}
	bad := ask
	bad.Visit = ""
	a, err = s.mine.post(ctx, wire.PathProofs, bad)
	if err := refused(a, err, "E-MALFORMED"); err != nil {
		return fmt.Errorf("without a visit: %w", err)
	}
	a, err = s.mine.get(ctx, wire.PathProofs+"/"+newID())
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("a call that there is not: %w", err)
	}
	if s.cfg.Person.Number == "" {
		return skip("no person was named")
	}
	a, err = s.mine.post(ctx, wire.PathProofs, ask)
	if !slices.Contains(w.Ways, wire.ProofStaff) {
		return refused(a, err, "E-NO-STAFF")
	}
	first, err := calledIn(a, err)
	if err != nil {
		return err
	}
	if first.State != wire.ProofOpen || len(first.Number) < 4 || len(first.Number) > 6 || !first.Until.After(time.Now().Add(s.offset)) {
		return fmt.Errorf("a call in state %.20q with a number of %d digits, or that has ended", first.State, len(first.Number))
	}
	a, err = s.other.get(ctx, wire.PathProofs+"/"+first.ID)
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("to another terminal: %w", err)
	}
	second, err := calledIn(s.mine.post(ctx, wire.PathProofs, ask))
	if err != nil {
		return err
	}
	for id, want := range map[string]wire.ProofState{first.ID: wire.ProofCancelled, second.ID: wire.ProofOpen} {
		now, err := calledIn(s.mine.get(ctx, wire.PathProofs+"/"+id))
		if err != nil {
			return err
		}
		if now.State != want {
			return fmt.Errorf("of two calls at one terminal one is %.20q, expected %s", now.State, want)
		}
	}
	if second, err = calledIn(s.mine.post(ctx, wire.PathProofs+"/"+second.ID+"/cancel", struct{}{})); err == nil && second.State != wire.ProofCancelled {
		err = fmt.Errorf("a call that was taken back is %.20q", second.State)
	}
	return err
}

// calledIn reads a call. Nobody has confirmed one here.
func calledIn(a answer, err error) (p wire.Proof, _ error) {
	if err != nil {
		return p, err
	}
	if err := a.read(&p); err != nil {
		return p, err
	}
	if p.ID == "" || p.Token != "" {
		return p, errors.New("a call without id, or a token that nobody vouched for")
	}
	return p, nil
}
