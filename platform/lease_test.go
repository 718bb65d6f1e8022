package platform

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// token proves a person at a peer.
func (p *peer) proven(box *mailbox, i int, name string) string {
	p.t.Helper()
	var sent wire.CodeSent
	_ = json.Unmarshal(p.do("POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Name: name, Number: numberOf(p.t, i)}, Visit: "v"}).Body.Bytes(), &sent)
	var ok wire.CodeChecked
	_ = json.Unmarshal(p.do("POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: box.code}).Body.Bytes(), &ok)
	if ok.Token == "" {
		p.t.Fatal("no token")
	}
	return ok.Token
}

// sends pushes records and returns what became of each.
func (p *peer) sends(rs ...wire.Record) []wire.Outcome {
	p.t.Helper()
	w := p.do("POST", wire.PathPush, p.batch(rs...))
	var a wire.Ack
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 || len(a.Outcomes) != len(rs) {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return a.Outcomes
}

func (p *peer) under(lease uint64, typ, caseID string, body any) wire.Record {
	back := p.last
	r := p.record(typ, caseID, body)
	r.Lease = lease
	if back.Seq == 0 {
		r.Prev = wire.Hash{}
	}
	p.last = r.Header
	return r
}

func (p *peer) lease(code, token string) (l wire.Lease, w *httptest.ResponseRecorder) {
	w = p.do("POST", wire.PathLeases, wire.LeaseRequest{ReceiptCode: code, Token: token})
	_ = json.Unmarshal(w.Body.Bytes(), &l)
	return l, w
}

func TestALeaseFencesTheTerminalThatHeldTheCase(t *testing.T) {
	s, box := newServer(t)
	a, b, c := newPeer(t, s, "990000-0001"), newPeer(t, s, "990000-0002"), newPeer(t, s, "990000-0003")
	for _, p := range []*peer{a, b, c} {
		p.enroll(p.code())
	}
	number, name := numberOf(t, 1), "李晓雯"
	id := uuid.NewString()
	begin := wire.CaseOpened{Item: "SB-P", ReceiptCode: "01-1", State: "SUBMITTED", At: time.Now(), Person: idnum.MaskName(name), Last4: number[len(number)-4:], Details: map[string]string{"purpose": "school"}}
	a.sends(a.record(wire.TypeCaseOpened, id, begin))
	want := func(what string, got wire.Outcome, status wire.RecordOutcome) {
		t.Helper()
		if got.Status != status {
			t.Errorf("%s: %+v, want %s", what, got, status)
		}
	}
	state := func(to string) wire.CaseState { return wire.CaseState{State: to, At: time.Now()} }
	// Nobody else writes of a case without a lease.
	want("a stranger", c.sends(c.record(wire.TypeCaseState, id, state("CANCELLED")))[0], wire.Quarantined)
	// Nobody gets a lease without being the person.
	tok := b.proven(box, 1, name)
	other := b.proven(box, 0, seedPeople[0].name)
	for what, q := range map[string][2]string{"no such code": {"01-2", tok}, "another person": {"01-1", other}} {
		if _, w := b.lease(q[0], q[1]); code(w) != "E-NOT-FOUND" {
			t.Errorf("%s: %s", what, w.Body)
		}
	}
	if _, w := c.lease("01-1", tok); code(w) != "E-TOKEN" {
		t.Errorf("another terminal's token: %s", w.Body)
	}
	l, w := b.lease("01-1", tok)
	if w.Code != 200 || l.Case != id || l.Terminal != b.id || l.Opened.Details["purpose"] != "school" || l.State != "SUBMITTED" || !s.keys.signed(l.SigningBytes(), l.Signature) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	// The old holder's word is kept, and does not count.
	out := a.sends(a.record(wire.TypeCaseState, id, state("CANCELLED")), a.record(wire.TypeRating, "", wire.Rating{Item: "SB-P", Level: "5"}))
	want("the old holder", out[0], wire.Quarantined)
	want("its other business", out[1], wire.Accepted)
	want("a stolen token", c.sends(c.under(l.Token, wire.TypeCaseState, id, state("CANCELLED")))[0], wire.Quarantined)
	want("a token nobody gave", c.sends(c.under(l.Token+1, wire.TypeCaseState, id, state("CANCELLED")))[0], wire.Quarantined)
	forged := l.Grant
	forged.Terminal, forged.Token = c.id, l.Token+1
	want("a forged grant", c.sends(c.under(forged.Token, wire.TypeLease, id, forged))[0], wire.Quarantined)
	all, _ := s.Cases(t.Context(), 10)
	if len(all) != 1 || all[0].State != "SUBMITTED" {
		t.Errorf("%+v", all)
	}
	out = b.sends(b.under(l.Token, wire.TypeLease, id, l.Grant), b.under(l.Token, wire.TypeCaseState, id, state("ACCEPTED")))
	want("the grant comes back", out[0], wire.Accepted)
	want("the holder", out[1], wire.Accepted)
	// It goes back to where it was begun, and on.
	again, w := a.lease("01-1", a.proven(box, 1, name))
	if w.Code != 200 || again.Token <= l.Token || again.State != "ACCEPTED" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	want("the one between", b.sends(b.under(l.Token, wire.TypeCaseState, id, state("PRINTING")))[0], wire.Quarantined)
	want("the first again", a.sends(a.under(again.Token, wire.TypeCaseState, id, state("CLOSED")))[0], wire.Accepted)
	if _, w := b.lease("01-1", tok); code(w) != "E-CASE-OVER" {
		t.Errorf("%s", w.Body)
	}
}

// A platform that was restored from a copy older than a grant learns it from the record that the holder sends first.
func TestALostGrantIsLearntAgain(t *testing.T) {
	s, _ := newServer(t)
	a, b := newPeer(t, s, "990000-0001"), newPeer(t, s, "990000-0002")
	a.enroll(a.code())
	b.enroll(b.code())
	id := uuid.NewString()
	g := wire.Grant{Case: id, Terminal: b.id, Token: 5, Granted: time.Now()}
	g.Signature, _ = s.keys.signature(wire.P256, g.SigningBytes())
	a.sends(a.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "SB-P", ReceiptCode: "r", State: "SUBMITTED", At: time.Now()}))
	out := b.sends(b.under(5, wire.TypeLease, id, g), b.under(5, wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: time.Now()}))
	if out[0].Status != wire.Accepted || out[1].Status != wire.Accepted {
		t.Errorf("%+v", out)
	}
	if out := a.sends(a.record(wire.TypeCaseState, id, wire.CaseState{State: "CANCELLED", At: time.Now()})); out[0].Status != wire.Quarantined {
		t.Errorf("%+v", out)
	}
	var l LeaseRow
	if err := s.store.View(t.Context(), func(tx Tx) (err error) { l, err = tx.Lease(id); return err }); err != nil || l.Token != 5 || l.Terminal != b.id {
		t.Errorf("%+v %v", l, err)
	}
	// The clock of a grant never gives a token that was given.
	err := s.store.Update(t.Context(), func(tx Tx) error {
		next, err := s.grant(tx, id, a.id)
		if next.Token <= 5 {
			t.Errorf("token %d", next.Token)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestACaseWithoutANumberGoesOnForWhoApplied: whoever showed a voucher and no card wrote no number into the case.
func TestACaseWithoutANumberGoesOnForWhoApplied(t *testing.T) {
	s, box := newServer(t)
	p, other := enrolled(t, s, "990000-0001"), enrolled(t, s, "990000-0002")
	a := application(t, uuid.NewString(), p.proven(box, 0, seedPeople[0].name), 0)
	p.sends(p.record(wire.TypeCaseOpened, a.Key, wire.CaseOpened{Item: "TID", ReceiptCode: a.Receipt, State: "SUBMITTED", At: time.Now()}))
	if _, w := other.lease(a.Receipt, other.proven(box, 0, seedPeople[0].name)); code(w) != "E-NOT-FOUND" {
		t.Errorf("before anybody applied: %s", w.Body)
	}
	if _, w := p.card("POST", "", a); w.Code != 200 {
		t.Fatal(w.Body)
	}
	if _, w := other.lease(a.Receipt, other.proven(box, 1, seedPeople[1].name)); code(w) != "E-NOT-FOUND" {
		t.Errorf("somebody else: %s", w.Body)
	}
	if l, w := other.lease(a.Receipt, other.proven(box, 0, seedPeople[0].name)); w.Code != 200 || l.Case != a.Key {
		t.Errorf("who applied: %s", w.Body)
	}
}
