package platform

// Leases: a case that goes on at another terminal, and the fence behind it.

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// over are the states after which nothing of a case can go on.
var over = []string{"CLOSED", "REJECTED", "CANCELLED", "ABANDONED", "EXPIRED"}

// lease gives a case to the terminal that asks, for the person it belongs to. A code that nobody has and one of somebody
// else are answered alike: a receipt that was found must not tell whose it is.
func (s *Server) lease(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.LeaseRequest
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	person, tok, err := s.provenBy(r.Context(), q.Token)
	if err != nil {
		s.fail(w, err)
		return
	}
	terminal := terminalOf(r.Context())
	var l wire.Lease
	err = s.store.Update(r.Context(), func(tx Tx) error {
		c, err := tx.CaseByReceipt(q.ReceiptCode)
		if err == nil {
			err = s.theirs(tx, c, person)
		}
		if errors.Is(err, ErrNoRow) {
			return errNotFound
		}
		if err != nil {
			return err
		}
		if slices.Contains(over, c.State) {
			return errCaseOver
		}
		begun, err := tx.CaseBegun(c.ID)
		if errors.Is(err, ErrNoRow) {
			return errNotFound
		}
		if err != nil {
			return err
		}
		if tok.By != "" {
			// Nobody alone both approves an application and says to whom its card goes.
			if a, err := tx.Card(c.ID); ignoreNoRow(err) != nil {
				return err
			} else if err == nil && a.By == tok.By {
				return errVouched
			}
		}
		if err := tx.PutProven(tok.proven(c.ID, s.now())); err != nil {
			return err
		}
		l = wire.Lease{State: c.State}
		if err := json.Unmarshal(begun.Body, &l.Opened); err != nil {
			return err
		}
		if l.Opened.Person != "" && l.Opened.Person != idnum.MaskName(person.Name) {
			return errNotFound
		}
		l.Grant, err = s.grant(tx, c.ID, terminal)
		return err
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, l)
}

// theirs says whether a case is a person's ([ErrNoRow] where it is not): by the end of the number that its terminal wrote down, or, where it
// knew none (of a guardian who showed nothing but a voucher), by who applied.
func (s *Server) theirs(tx Tx, c CaseRow, person CitizenRow) error {
	if c.Last4 != "" {
		if len(c.Last4) != 4 || !strings.HasSuffix(person.Number, c.Last4) {
			return ErrNoRow
		}
		return nil
	}
	a, err := tx.Card(c.ID)
	if err == nil && a.Applicant != s.keys.pseudonym(person.Number) {
		return ErrNoRow
	}
	return err
}

// grant counts the case's token up. It also follows the clock, so that a platform restored from an old copy never gives a
// token twice.
func (s *Server) grant(tx Tx, caseID, terminal string) (g wire.Grant, err error) {
	old, err := tx.Lease(caseID)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return g, err
	}
	now := s.now()
	g = wire.Grant{Case: caseID, Terminal: terminal, Token: max(old.Token+1, uint64(max(0, now.UnixMilli()))), Granted: now}
	p, err := profileOf(tx, terminal)
	if err != nil {
		return g, err
	}
	if g.Signature, err = s.keys.signature(p, g.SigningBytes()); err != nil {
		return g, err
	}
	return g, tx.PutLease(LeaseRow{Case: caseID, Terminal: terminal, Token: g.Token, Granted: now})
}

// leased reads the record of a terminal that took a case over: the platform's own grant comes back to it, and it learns it
// again if it lost it.
func (s *Server) leased(r wire.Record) (l LeaseRow, quarantine string) {
	var g wire.Grant
	if r.Schema != 1 || json.Unmarshal(r.Body, &g) != nil || r.Case == "" {
		return l, "body cannot be read"
	}
	if g.Case != r.Case || g.Terminal != r.Terminal || g.Token != r.Lease || !s.keys.signed(g.SigningBytes(), g.Signature) {
		return l, "lease is not the platform's"
	}
	return LeaseRow{Case: g.Case, Terminal: g.Terminal, Token: g.Token, Granted: g.Granted}, ""
}
