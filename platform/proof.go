package platform

// A member of staff vouches for the person at a terminal. The terminal calls; the number that it shows is entered at the platform's page
// by somebody who is signed in there and has compared person and document, so that they stand before the terminal and nobody signs in at
// one. The page is in page_proofs.go.

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// Rules for calling staff.
const (
	proofLife       = 5 * time.Minute
	proofDigits     = 4
	proofTries      = 3  // wrong numbers for one call; then it ends
	proofsOfVisit   = 3  // calls
	proofsMost      = 10 // of a terminal within proofWindow; the same for a person
	proofWindow     = 10 * time.Minute
	proofWrongMost  = 10 // wrong numbers of an account within proofWrongFor
	proofWrongFor   = 15 * time.Minute
	dutySeen        = 90 * time.Second // without its page, an account cannot be called
	dutySeenEvery   = 15 * time.Second // how exactly that is kept
	dutyMost        = 12 * time.Hour
	proofCodesTried = 40 // numbers, before there is none that is free
)

// Documents that somebody may have seen, and why somebody did not vouch.
var (
	proofDocuments = []string{"resident", "temporary", "household", "passport", "driving", "social", "permit"}

	proofReasons = []string{"no-document", "other-document", "expired", reasonOtherPerson, "nobody", "counter"}
	// proofWhy are the reasons as the citizen reads them.
	proofWhy = map[string]map[string]string{
		"no-document":     both("没有出示能核对本人的证件", "No document was shown by which you can be known"),
		"other-document":  both("出示的证件与填写的信息不一致", "The document is not of the person who was named here"),
		"expired":         both("出示的证件已失效", "The document is no longer valid"),
		reasonOtherPerson: both("工作人员未能确认是您本人，请到人工窗口办理", "Staff could not confirm that it is you. Please go to the counter"),
		"nobody":          both("工作人员到场时机前没有人", "Nobody stood here when staff came"),
		"counter":         both("请到人工窗口办理", "Please go to the counter"),
		reasonNumber:      both("编号多次输入错误，请重新呼叫工作人员", "The number was entered wrongly too often. Please call again"),
	}
)

// Reasons that rules look at.
const (
	reasonOtherPerson = "other-person"
	reasonNumber      = "number"
)

// What a member of staff is told.
var (
	ErrNotOnDuty   = fmt.Errorf("%w: 请先在此大厅当班 begin a duty at this site first", ErrDecision)
	ErrProofNumber = fmt.Errorf("%w: 编号不符，请核对终端屏幕 the number is not the one on that terminal's screen", ErrDecision)
	ErrProofTries  = fmt.Errorf("%w: 编号输错次数过多，请 15 分钟后再试 too many wrong numbers: come back in 15 minutes", ErrDecision)
)

func (k *keys) staffMAC(what, of string) string {
	m := hmac.New(sha256.New, k.seal.Bytes())
	fmt.Fprintf(m, "budayang-staff-v1 %s %q", what, of)
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// staffCode stands for a number on a screen of a site.
func (k *keys) staffCode(site, number string) string {
	return k.staffMAC("number", site+"\n"+number)
}

// staffToken is the token that a call came to. It is nowhere until the call is confirmed, and the same whenever it is asked for.
func (k *keys) staffToken(id string) string { return k.staffMAC("token", id) }

// standsAt is where a call stands by the clock.
func (p ProofRow) standsAt(now time.Time) wire.ProofState {
	if p.State == wire.ProofOpen && !now.Before(p.Until) {
		return wire.ProofEnded
	}
	return p.State
}

// on says whether a duty can be called on.
func (d DutyRow) on(now time.Time) bool { return now.Before(d.Until) }

// canCall says whether somebody can be called at a site: on duty, with the page before them, and still allowed to.
func canCall(tx Tx, site string, now time.Time) (bool, error) {
	all, err := tx.Duties(site)
	if err != nil {
		return false, err
	}
	for _, d := range all {
		if !d.on(now) || now.Sub(d.Seen) > dutySeen {
			continue
		}
		a, err := tx.Account(d.Account)
		if ignoreNoRow(err) != nil {
			return false, err
		}
		if err == nil && !a.Off && a.Role.May(staff.Clerk) {
			return true, nil
		}
	}
	return false, nil
}

func (s *Server) proofWays(w http.ResponseWriter, r *http.Request, _ []byte) {
	out := wire.ProofWays{Ways: []string{}}
	err := s.store.View(r.Context(), func(tx Tx) error {
		out.Ways = []string{}
		t, err := tx.Terminal(terminalOf(r.Context()))
		if err != nil {
			return err
		}
		can, err := canCall(tx, t.Site, s.now())
		if can {
			out.Ways = append(out.Ways, wire.ProofStaff)
		}
		return err
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	if s.comparesFingers(r.Context()) {
		out.Ways = append(out.Ways, wire.ProofFinger)
	}
	answer(w, http.StatusOK, out)
}

func (s *Server) proofAsk(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.ProofRequest
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	if q.Visit == "" || len(q.Visit) > 64 || !slices.Contains([]string{wire.ShownCard, wire.ShownVoucher, wire.ShownNumber}, q.Shown) {
		s.refuse(w, errMalformed, "visit or what was shown is not as it must be")
		return
	}
	is, err := s.resolve(r.Context(), q.Person)
	if err != nil {
		s.fail(w, err)
		return
	}
	q.Person = is
	p, number, err := s.callStaff(r.Context(), q)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, wire.Proof{ID: p.ID, Number: number, State: p.State, Until: p.Until})
}

// callStaff keeps a call, in the place of one that is open at the terminal.
func (s *Server) callStaff(ctx context.Context, q wire.ProofRequest) (row ProofRow, number string, err error) {
	terminal, now := terminalOf(ctx), s.now()
	var verdict error
	was := ""
	err = s.store.Update(ctx, func(tx Tx) error {
		row, number, was, verdict = ProofRow{}, "", "", nil
		t, err := tx.Terminal(terminal)
		if err != nil {
			return err
		}
		can, err := canCall(tx, t.Site, now)
		if err != nil {
			return err
		}
		if !can {
			verdict = errNoStaff
			return nil
		}
		// What is asked is counted whatever comes of it: whoever tries numbers of persons is stopped.
		for _, key := range []string{"staff at " + terminal, "staff for " + s.keys.pseudonym(q.Person.Number)} {
			n, err := tx.Hit(hashed("limit", key), now, now.Add(proofWindow))
			if err != nil {
				return err
			}
			if n > proofsMost {
				verdict = errStaffLocked
			}
		}
		if verdict != nil {
			return nil
		}
		before, err := tx.ProofsOf(terminal, q.Visit)
		if err != nil {
			return err
		}
		if len(before) >= proofsOfVisit || slices.ContainsFunc(before, func(p ProofRow) bool { return p.Reason == reasonOtherPerson }) {
			verdict = errStaffLocked
			return nil
		}
		who, err := tx.Citizen(q.Person.Number)
		if errors.Is(err, ErrNoRow) || err == nil && q.Person.Name != "" && who.Name != q.Person.Name {
			verdict = errNoRecord
			return nil
		}
		if err != nil {
			return err
		}
		if was, err = endOpen(tx, terminal, t.Site, now); err != nil {
			return err
		}
		row = ProofRow{ID: token(), Site: t.Site, Terminal: terminal, Visit: q.Visit, Citizen: who.Number, Masked: idnum.MaskName(who.Name), Shown: q.Shown,
			Made: now, Until: now.Add(proofLife), Tries: proofTries, State: wire.ProofOpen}
		for range proofCodesTried {
			n, err := rand.Int(rand.Reader, big.NewInt(10_000))
			if err != nil {
				return err
			}
			number = fmt.Sprintf("%0*d", proofDigits, n)
			row.Code = s.keys.staffCode(t.Site, number)
			if err := tx.AddProof(row); !errors.Is(err, ErrHeld) {
				return err
			}
		}
		verdict = errStaffLocked // nobody answers any more at this site
		return nil
	})
	if err == nil {
		err = verdict
	}
	if was != "" {
		s.bells.wake(was)
	}
	return row, number, err
}

// endOpen ends what is open at a terminal, and what nobody came for at its site, so that their numbers are free.
func endOpen(tx Tx, terminal, site string, now time.Time) (was string, err error) {
	p, err := tx.OpenProof(terminal)
	if ignoreNoRow(err) != nil {
		return "", err
	}
	if err == nil {
		was, p.State, p.Ended = p.ID, wire.ProofCancelled, now
		if err := tx.PutProof(p); err != nil {
			return "", err
		}
	}
	over, err := tx.OverdueProofs(site, now)
	for _, p := range over {
		p.State, p.Ended = wire.ProofEnded, p.Until
		err = errors.Join(err, tx.PutProof(p))
	}
	return was, err
}

// proofFor reads a call for the terminal that made it.
func proofFor(tx Tx, id, terminal string) (ProofRow, error) {
	p, err := tx.Proof(id)
	if errors.Is(err, ErrNoRow) || err == nil && p.Terminal != terminal {
		return ProofRow{}, errNotFound
	}
	return p, err
}

func (s *Server) proofNow(w http.ResponseWriter, r *http.Request, _ []byte) {
	id := r.PathValue("id")
	var p ProofRow
	err := s.held(r, id, func(tx Tx) (state string, err error) {
		p, err = proofFor(tx, id, terminalOf(r.Context()))
		return string(p.standsAt(s.now())), err
	})
	if wentAway(r, err) {
		return
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, s.proofWire(p))
}

func (s *Server) proofCancel(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, now := r.PathValue("id"), s.now()
	var p ProofRow
	err := s.store.Update(r.Context(), func(tx Tx) (err error) {
		if p, err = proofFor(tx, id, terminalOf(r.Context())); err != nil || p.State != wire.ProofOpen {
			return err
		}
		p.State, p.Ended = wire.ProofCancelled, now
		return tx.PutProof(p)
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	s.bells.wake(id)
	answer(w, http.StatusOK, s.proofWire(p))
}

func (s *Server) proofWire(p ProofRow) wire.Proof {
	out := wire.Proof{ID: p.ID, State: p.standsAt(s.now()), Until: p.Until}
	switch out.State {
	case wire.ProofConfirmed:
		out.Token, out.TokenUntil = s.keys.staffToken(p.ID), p.Ended.Add(tokenLife)
	case wire.ProofRefused:
		out.Why = proofWhy[p.Reason]
	}
	return out
}

// BeginDuty makes an account callable at a site for so long, by the terminals that are there.
func (s *Server) BeginDuty(ctx context.Context, site string, life time.Duration, by Operator) error {
	now := s.now()
	if life <= 0 || life > dutyMost {
		return fmt.Errorf("%w: 当班时间为 1 至 12 小时 a duty lasts 1 to 12 hours", ErrDecision)
	}
	return s.store.Update(ctx, func(tx Tx) error {
		ts, err := tx.Terminals()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(ts, func(t Terminal) bool { return t.Site == site }) {
			return fmt.Errorf("%w: 没有这个大厅 there is no such site", ErrDecision)
		}
		return errors.Join(tx.PutDuty(DutyRow{Account: by.Who, Site: site, Since: now, Seen: now, Until: now.Add(life)}),
			addEvent(tx, SecurityEvent{At: now, Event: "duty.began", Who: by.Who, Why: clip(site, 200)}))
	})
}

// EndDuty ends it.
func (s *Server) EndDuty(ctx context.Context, by Operator) error {
	return s.store.Update(ctx, func(tx Tx) error {
		return errors.Join(tx.DropDuty(by.Who), addEvent(tx, SecurityEvent{At: s.now(), Event: "duty.ended", Who: by.Who}))
	})
}

// toAnswer is an open call that an account may answer.
func (s *Server) toAnswer(tx Tx, id, account string, now time.Time) (ProofRow, error) {
	p, err := tx.Proof(id)
	if err != nil {
		return p, err
	}
	d, err := tx.Duty(account)
	if ignoreNoRow(err) != nil {
		return p, err
	}
	switch {
	case err != nil || !d.on(now) || d.Site != p.Site:
		return p, ErrNotOnDuty
	case p.standsAt(now) != wire.ProofOpen:
		return p, ErrDecided
	}
	return p, nil
}

// Vouch confirms a call: by has compared person and document, and reads number off the terminal's screen. [ErrDecided]: it was answered, or
// ended; [ErrProofNumber]: another number stands there.
func (s *Server) Vouch(ctx context.Context, id, number, document string, by Operator) error {
	if !slices.Contains(proofDocuments, document) {
		return fmt.Errorf("%w: 请选择看到的证件 say which document was seen", ErrDecision)
	}
	now := s.now()
	mine := hashed("limit", "staff number "+by.Who)
	var verdict error
	err := s.store.Update(ctx, func(tx Tx) error {
		verdict = nil
		p, err := s.toAnswer(tx, id, by.Who, now)
		if err != nil {
			return err
		}
		n, err := tx.Hit(mine, now, now.Add(proofWrongFor))
		if err != nil {
			return err
		}
		if n > proofWrongMost {
			verdict = ErrProofTries
			return nil
		}
		if !hmac.Equal([]byte(s.keys.staffCode(p.Site, number)), []byte(p.Code)) {
			verdict = ErrProofNumber
			if p.Tries--; p.Tries <= 0 {
				p.State, p.Ended, p.By, p.Reason = wire.ProofRefused, now, by.Who, reasonNumber
			}
			return errors.Join(tx.PutProof(p), addEvent(tx, SecurityEvent{At: now, Event: "person.not-vouched", Code: reasonNumber, Terminal: p.Terminal, Who: by.Who, Why: about(p.ID[:8], p.Site)}))
		}
		p.State, p.Ended, p.By, p.Document = wire.ProofConfirmed, now, by.Who, document
		return errors.Join(tx.Unhit(mine), tx.PutProof(p),
			tx.PutToken(TokenRow{Token: hashed(s.keys.staffToken(p.ID)), Terminal: p.Terminal, Visit: p.Visit, Number: p.Citizen, Until: now.Add(tokenLife), Way: WayStaff, By: by.Who}),
			addEvent(tx, SecurityEvent{At: now, Event: "person.vouched", Code: document, Terminal: p.Terminal, Who: by.Who, Why: about(p.ID[:8], p.Site)}))
	})
	if err == nil {
		err = verdict
	}
	if err == nil || errors.Is(err, ErrProofNumber) {
		s.bells.wake(id)
	}
	return err
}

// Decline ends a call without a confirmation, for a reason of [proofReasons].
func (s *Server) Decline(ctx context.Context, id, reason string, by Operator) error {
	if !slices.Contains(proofReasons, reason) {
		return fmt.Errorf("%w: 请选择原因 choose the reason", ErrDecision)
	}
	now := s.now()
	err := s.store.Update(ctx, func(tx Tx) error {
		p, err := s.toAnswer(tx, id, by.Who, now)
		if err != nil {
			return err
		}
		p.State, p.Ended, p.By, p.Reason = wire.ProofRefused, now, by.Who, reason
		return errors.Join(tx.PutProof(p), addEvent(tx, SecurityEvent{At: now, Event: "person.not-vouched", Code: reason, Terminal: p.Terminal, Who: by.Who, Why: about(p.ID[:8], p.Site)}))
	})
	if err == nil {
		s.bells.wake(id)
	}
	return err
}

// proven is what a token says of how the person of a case was proved.
func (t TokenRow) proven(caseID string, now time.Time) ProvenRow {
	return ProvenRow{Case: caseID, Way: t.Way, By: t.By, At: now}
}
