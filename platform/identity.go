package platform

// Letting terminals in and putting them out: one-time codes, enrolment, renewal, rotation, revocation.

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Rules for enrolment codes.
const (
	enrolLife  = 24 * time.Hour
	enrolTries = 10
)

// What an operator is told.
var (
	ErrTerminalID = errors.New("a terminal's id is 3 to 32 letters, digits and hyphens")
	ErrActive     = errors.New("the terminal is enrolled: reset it first, which forgets its key")
	ErrRevoked    = errors.New("the terminal was revoked: reset it first")
	ErrUnknown    = errors.New("no such terminal")
)

// Operator is who does something, and why; both are kept.
type Operator struct{ Who, Why string }

// IssueCode makes the one-time code with which a terminal may be enrolled; it takes the place of an earlier one. A life of 0
// is a day. The code is returned and is nowhere else: the store holds a public key.
func (s *Server) IssueCode(ctx context.Context, terminal string, life time.Duration, by Operator) (code string, until time.Time, err error) {
	if !terminalID.MatchString(terminal) {
		return "", until, ErrTerminalID
	}
	if life == 0 {
		life = enrolLife
	}
	code = wire.NewCode()
	key, err := wire.CodeKey(terminal, code)
	if err != nil {
		return "", until, err
	}
	now := s.now()
	row := EnrolCode{Terminal: terminal, Key: key.Public().(ed25519.PublicKey), Made: now, Until: now.Add(life), Tries: enrolTries, Who: by.Who}
	err = s.store.Update(ctx, func(tx Tx) error {
		switch st, err := standing(tx, terminal); {
		case errors.Is(err, ErrNoRow):
		case err != nil:
			return err
		case st.State == Active:
			return ErrActive
		case st.State == Revoked:
			return ErrRevoked
		}
		if err := tx.PutEnrolCode(row); err != nil {
			return err
		}
		return addEvent(tx, SecurityEvent{At: now, Event: "terminal.code", Terminal: terminal, Who: by.Who, Why: by.Why})
	})
	return code, row.Until, err
}

// standing of a terminal; one that was enrolled before standings were kept is active.
func standing(tx Tx, terminal string) (Standing, error) {
	st, err := tx.Standing(terminal)
	if !errors.Is(err, ErrNoRow) {
		return st, err
	}
	t, err := tx.Terminal(terminal)
	return Standing{Terminal: terminal, State: Active, Profile: wire.P256, Since: t.Enrolled}, err
}

// Revoke puts a terminal out, at once and on every server.
func (s *Server) Revoke(ctx context.Context, terminal string, by Operator) error {
	return s.put(ctx, terminal, Revoked, "terminal.revoked", by)
}

// Reset forgets a terminal's keys, so that a new code can let new ones in. What it delivered stays.
func (s *Server) Reset(ctx context.Context, terminal string, by Operator) error {
	return s.put(ctx, terminal, Reset, "terminal.reset", by)
}

func (s *Server) put(ctx context.Context, terminal, state, event string, by Operator) error {
	now := s.now()
	err := s.store.Update(ctx, func(tx Tx) error {
		st, err := standing(tx, terminal)
		if errors.Is(err, ErrNoRow) {
			return ErrUnknown
		}
		if err != nil {
			return err
		}
		st.State, st.Since, st.Who, st.Why = state, now, by.Who, by.Why
		st.NextKey, st.NextProfile, st.NextCert = nil, "", ""
		if err := withdraw(tx, terminal, "", event, now); err != nil {
			return err
		}
		if err := tx.PutStanding(st); err != nil {
			return err
		}
		if c, err := tx.EnrolCode(terminal); err == nil {
			c.Tries = 0 // a code that is on its way lets nobody in
			if err := tx.PutEnrolCode(c); err != nil {
				return err
			}
		} else if !errors.Is(err, ErrNoRow) {
			return err
		}
		return addEvent(tx, SecurityEvent{At: now, Event: event, Terminal: terminal, Who: by.Who, Why: by.Why})
	})
	if err == nil {
		s.mail.wake(terminal)
	}
	return err
}

// withdraw ends every certificate of a terminal but one.
func withdraw(tx Tx, terminal, but, why string, now time.Time) error {
	all, err := tx.Certificates(terminal)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Fingerprint == but || !c.Withdrawn.IsZero() {
			continue
		}
		c.Withdrawn, c.Why = now, why
		if err := tx.PutCertificate(c); err != nil {
			return err
		}
	}
	return nil
}

// strictly decodes what must be exactly as described: where it is decided who comes in, an unknown field is refused.
func strictly(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(v) != nil {
		return errMalformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}

func (s *Server) enroll(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 32<<10))
	if err != nil {
		s.refuse(w, errTooLarge, "body is too large or incomplete")
		return
	}
	var e wire.Enroll
	if err := strictly(body, &e); err != nil {
		s.fail(w, err)
		return
	}
	if !terminalID.MatchString(e.Terminal) || len(e.Site) > 200 || len(e.Name) > 200 {
		s.refuse(w, errMalformed, "terminal id, site or name is not as it must be")
		return
	}
	claim(w, e.Terminal)
	a, err := examine(e.Terminal, e.Keys)
	if err != nil {
		s.refuse(w, errProof, err.Error())
		return
	}
	out, err := s.admit(r.Context(), e, a, peerOf(r))
	if errors.Is(err, errProof) || errors.Is(err, errEnrollLocked) {
		// Only guesses are counted: a fleet that is set up in one morning is none, and nobody who guesses can keep it out.
		ok, lerr := s.allowed(r.Context(), &s.enrolments, "enrol "+peerOf(r), 60, time.Minute)
		if lerr != nil {
			s.fail(w, lerr)
			return
		}
		if !ok {
			s.refuseAfter(w, errBusy, "too many wrong enrolments from this address", time.Minute)
			return
		}
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, out)
}

// admit checks a code's proof and lets the keys in, in one transaction that also burns the code.
func (s *Server) admit(ctx context.Context, e wire.Enroll, a asked, peer string) (out wire.Enrolled, err error) {
	now := s.now()
	cert, err := s.keys.clientCertificate(e.Terminal, a.tls, now, s.cfg.CertLife)
	if err != nil {
		return out, err
	}
	var verdict error
	err = s.store.Update(ctx, func(tx Tx) error {
		verdict = nil
		code, err := tx.EnrolCode(e.Terminal)
		if errors.Is(err, ErrNoRow) {
			verdict = errProof
			return nil
		}
		if err != nil {
			return err
		}
		if verdict = code.judge(e, a, now); verdict != nil {
			return tx.PutEnrolCode(code)
		}
		t, err := tx.Terminal(e.Terminal)
		if errors.Is(err, ErrNoRow) {
			t, err = Terminal{ID: e.Terminal, Epoch: 1}, nil
		}
		if err != nil {
			return err
		}
		st, err := tx.Standing(e.Terminal)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		switch {
		case st.State == Revoked:
			verdict = errRevoked
			return nil
		case st.State == Active && !bytes.Equal(t.PublicKey, a.sign), st.State == "" && t.PublicKey != nil && !bytes.Equal(t.PublicKey, a.sign):
			verdict = errEnrolled
			return nil
		}
		if err := keepPastKey(tx, e.Terminal, t.PublicKey, a.sign); err != nil {
			return err
		}
		t.PublicKey, t.Site, t.Name, t.Seen, t.Enrolled = a.sign, e.Site, e.Name, now, now
		code.UsedBy = a.keys()
		st = Standing{Terminal: e.Terminal, State: Active, Profile: a.Profile, Since: now, Who: code.Who, Why: "enrolled with a code"}
		return errors.Join(tx.PutTerminal(t), tx.PutStanding(st), tx.PutEnrolCode(code),
			tx.PutCertificate(CertificateRow{Fingerprint: fingerprint(cert.Raw), Terminal: e.Terminal, Keys: a.keys(), From: cert.NotBefore, Until: cert.NotAfter}),
			addEvent(tx, SecurityEvent{At: now, Event: "terminal.enrolled", Terminal: e.Terminal, Peer: peer, Who: code.Who}))
	})
	if err == nil {
		err = verdict
	}
	if err != nil {
		return out, err
	}
	return s.enrolled(e.Terminal, a, cert.Raw, now)
}

// judge says what a code thinks of a proof, and counts wrong ones. Nothing is told of a code to whoever does not have it.
func (c *EnrolCode) judge(e wire.Enroll, a asked, now time.Time) error {
	if c.Tries <= 0 {
		return errEnrollLocked
	}
	if len(c.Key) != ed25519.PublicKeySize || !ed25519.Verify(c.Key, e.SigningBytes(), e.Proof) {
		c.Tries--
		return errProof
	}
	switch {
	case now.After(c.Until):
		return errEnrollExpired
	case c.UsedBy != "" && c.UsedBy != a.keys():
		return errEnrollUsed
	}
	return nil // unused, or the same keys again: their answer was lost
}

// enrolled is the signed answer.
func (s *Server) enrolled(terminal string, a asked, cert []byte, now time.Time) (wire.Enrolled, error) {
	signing, err := s.keys.signingCert(now)
	if err != nil {
		return wire.Enrolled{}, err
	}
	out := wire.Enrolled{Terminal: terminal, Nonce: a.Nonce, Certificate: cert, Profile: a.Profile, PlatformKey: s.keys.public[a.Profile],
		SealKey: s.keys.seal.PublicKey().Bytes(), Time: now, SigningCert: signing.Raw}
	out.Signature, err = s.keys.signature(wire.P256, out.SigningBytes())
	return out, err
}

// renew certifies the same keys anew, or new ones that take the place of the old with the first request that they sign.
func (s *Server) renew(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.Renew
	if err := strictly(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	id, now := terminalOf(r.Context()), s.now()
	a, err := examine(id, q.Keys)
	if err != nil {
		s.refuse(w, errProof, err.Error())
		return
	}
	cert, err := s.keys.clientCertificate(id, a.tls, now, s.cfg.CertLife)
	if err != nil {
		s.fail(w, err)
		return
	}
	row := CertificateRow{Fingerprint: fingerprint(cert.Raw), Terminal: id, Keys: a.keys(), From: cert.NotBefore, Until: cert.NotAfter}
	err = s.store.Update(r.Context(), func(tx Tx) error {
		if err := s.spend(r.Context(), tx); err != nil {
			return err
		}
		t, err := tx.Terminal(id)
		if err != nil {
			return err
		}
		st, err := standing(tx, id)
		if err != nil {
			return err
		}
		if st.State != Active {
			return errRevoked
		}
		if a.Profile != st.Profile {
			return errProof
		}
		held, err := tx.Certificates(id)
		if err != nil {
			return err
		}
		ev := SecurityEvent{At: now, Event: "terminal.renewed", Terminal: id, Peer: peerOf(r)}
		same := false
		if late := lateBy(held, now); late > renewalLimit {
			return errCertExpired
		} else if late > 0 {
			ev.Why = fmt.Sprintf("%d days after expiry", int(late.Hours()/24))
		}
		for _, c := range held {
			same = same || c.Keys == row.Keys && c.Withdrawn.IsZero()
		}
		if !bytes.Equal(t.PublicKey, a.sign) || len(held) > 0 && !same {
			ev.Event = "terminal.rotating"
			st.NextKey, st.NextProfile, st.NextCert = a.sign, a.Profile, row.Fingerprint
		}
		return errors.Join(tx.PutCertificate(row), tx.PutStanding(st), addEvent(tx, ev))
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	out, err := s.enrolled(id, a, cert.Raw, now)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, out)
}

// lateBy is how long ago the last good certificate ended; 0 while there is one, or when there never was.
func lateBy(held []CertificateRow, now time.Time) time.Duration {
	var last time.Time
	for _, c := range held {
		if c.Withdrawn.IsZero() && c.Until.After(last) {
			last = c.Until
		}
	}
	if last.IsZero() {
		return 0
	}
	return max(0, now.Sub(last))
}

// promote puts a rotated key in the place of the old one, whose certificates end.
func (s *Server) promote(ctx context.Context, terminal string) error {
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		t, err := tx.Terminal(terminal)
		if err != nil {
			return err
		}
		st, err := tx.Standing(terminal)
		if err != nil || len(st.NextKey) == 0 {
			return err // another request was quicker
		}
		if err := keepPastKey(tx, terminal, t.PublicKey, st.NextKey); err != nil {
			return err
		}
		t.PublicKey, st.Profile = st.NextKey, st.NextProfile
		keep := st.NextCert
		st.NextKey, st.NextProfile, st.NextCert = nil, "", ""
		return errors.Join(tx.PutTerminal(t), tx.PutStanding(st), withdraw(tx, terminal, keep, "key rotated", now),
			addEvent(tx, SecurityEvent{At: now, Event: "terminal.rotated", Terminal: terminal}))
	})
}

// profileOf is the profile in which the platform signs for a terminal.
func profileOf(tx Tx, terminal string) (wire.Profile, error) {
	st, err := tx.Standing(terminal)
	if errors.Is(err, ErrNoRow) {
		return wire.P256, nil
	}
	return st.Profile, err
}

// tell time: signed, for one question, so that a terminal with a dead clock need not trust whoever answers.
func (s *Server) tellTime(w http.ResponseWriter, r *http.Request) {
	n := r.URL.Query().Get("nonce")
	if !hexNonce.MatchString(n) {
		s.refuse(w, errMalformed, "nonce is 16 to 64 hex digits")
		return
	}
	now := s.now()
	cert, err := s.keys.signingCert(now)
	if err != nil {
		s.fail(w, err)
		return
	}
	out := wire.Now{Time: now, Nonce: n, SigningCert: cert.Raw}
	if out.Signature, err = s.keys.signature(wire.P256, out.SigningBytes()); err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, out)
}

// TerminalReport is a terminal as an operator sees it.
type TerminalReport struct {
	ID          string       `json:"id"`
	Site        string       `json:"site"`
	Name        string       `json:"name"`
	State       string       `json:"state"` // active, revoked, reset, or waiting for its code to be used
	Profile     wire.Profile `json:"profile,omitempty"`
	Since       time.Time    `json:"since"`
	Why         string       `json:"why,omitempty"`
	Certificate time.Time    `json:"certificate_until,omitzero"`
	Seen        time.Time    `json:"seen,omitzero"`
	Software    string       `json:"software,omitempty"`
}

// Report lists the terminals.
func (s *Server) Report(ctx context.Context) (all []TerminalReport, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		all = nil
		ts, err := tx.Terminals()
		if err != nil {
			return err
		}
		for _, t := range ts {
			st, err := standing(tx, t.ID)
			if err != nil {
				return err
			}
			r := TerminalReport{ID: t.ID, Site: t.Site, Name: t.Name, State: st.State, Profile: st.Profile, Since: st.Since, Why: st.Why, Seen: t.Seen, Software: t.Software}
			held, err := tx.Certificates(t.ID)
			if err != nil {
				return err
			}
			for _, c := range held {
				if c.Withdrawn.IsZero() && c.Until.After(r.Certificate) {
					r.Certificate = c.Until
				}
			}
			all = append(all, r)
		}
		return nil
	})
	return all, err
}
