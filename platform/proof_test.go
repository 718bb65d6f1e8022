package platform

// Members of staff who vouch: as forms and terminals send it, and whatever they do in whatever order.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// vouching is the form of whoever has compared person and document.
func vouching(number string) url.Values {
	return url.Values{"act": {"confirm"}, "number": {number}, "document": {"resident"}, "saw": {"yes"}, "same": {"yes"}}
}

// calls asks for a member of staff.
func (p *peer) calls(place int, visit string) (out wire.Proof, code0 string) {
	p.t.Helper()
	w := p.do("POST", wire.PathProofs, wire.ProofRequest{Person: wire.PersonRef{Name: seedPeople[place].name, Number: numberOf(p.t, place)}, Visit: visit, Shown: wire.ShownCard})
	if w.Code != 200 {
		return out, code(w)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		p.t.Fatal(err)
	}
	return out, ""
}

func (p *peer) callNow(id string) (out wire.Proof) {
	p.t.Helper()
	w := p.do("GET", wire.PathProofs+"/"+id, nil)
	if w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &out) != nil {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return out
}

func (p *peer) ways() (out wire.ProofWays) {
	p.t.Helper()
	if w := p.do("GET", wire.PathProofs, nil); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &out) != nil {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return out
}

// otherThan is a number that is not on the screen.
func otherThan(number string) string {
	if number == "0000" {
		return "0001"
	}
	return "0000"
}

// onDuty is a server with a terminal, and a clerk who is on duty at its site.
func onDuty(t *testing.T) (*loginRig, *peer, *browser) {
	t.Helper()
	l := newLoginRig(t)
	p := enrolled(t, l.Server, "990000-0001")
	b := l.account("chen", staff.Clerk)
	if w := b.send("POST", "/proofs/duty", url.Values{"act": {"on"}, "site": {"s"}, "hours": {"4"}}); w.Code != 303 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return l, p, b
}

func TestAMemberOfStaffVouchesForAPerson(t *testing.T) {
	l, p, b := onDuty(t)
	if w := p.ways(); !slices.Equal(w.Ways, []string{"staff"}) {
		t.Errorf("%v", w)
	}
	c, refused := p.calls(1, "v1")
	if refused != "" || len(c.Number) != 4 || c.State != wire.ProofOpen || c.Token != "" {
		t.Fatalf("%+v %s", c, refused)
	}
	page := b.send("GET", "/proofs", nil).Body.String()
	for what, is := range map[string]bool{c.ID: true, "李*雯": true, "990000-0001": true, "身份证（已读取）": true, seedPeople[1].name: false, numberOf(t, 1): false, ">" + c.Number + "<": false} {
		if strings.Contains(page, what) != is {
			t.Errorf("the page holds %q: %v", what, !is)
		}
	}
	if data := b.send("GET", "/proofs.json", nil).Body.String(); !strings.Contains(data, c.ID) || strings.Contains(data, "李") {
		t.Error(data)
	}
	for what, f := range map[string]url.Values{
		"nothing ticked": {"act": {"confirm"}, "number": {c.Number}, "document": {"resident"}},
		"not the person": {"act": {"confirm"}, "number": {c.Number}, "document": {"resident"}, "saw": {"yes"}},
		"no document":    {"act": {"confirm"}, "number": {c.Number}, "saw": {"yes"}, "same": {"yes"}},
		"another number": vouching(otherThan(c.Number)),
		"no reason":      {"act": {"refuse"}},
		"an own reason":  {"act": {"refuse"}, "reason": {"I do not like it"}},
		"no act":         {},
	} {
		if w := b.send("POST", "/proofs/"+c.ID, f); w.Code != 400 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	foreign := *b
	foreign.site = "cross-site"
	if w := foreign.send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
	if w := l.account("wang", staff.Viewer).send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 403 {
		t.Errorf("a viewer: %d", w.Code)
	}
	if w := l.account("liu", staff.Clerk).send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 400 {
		t.Errorf("who is not on duty: %d", w.Code)
	}
	if now := p.callNow(c.ID); now.State != wire.ProofOpen || now.Token != "" {
		t.Fatalf("%+v", now)
	}
	if w := enrolled(t, l.Server, "990000-0002").do("GET", wire.PathProofs+"/"+c.ID, nil); w.Code != 404 {
		t.Errorf("another terminal: %d %s", w.Code, w.Body)
	}
	if w := b.send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 303 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 409 {
		t.Errorf("again: %d", w.Code)
	}
	now := p.callNow(c.ID)
	if again := p.callNow(c.ID); now.State != wire.ProofConfirmed || now.Token == "" || again.Token != now.Token {
		t.Fatalf("%+v %+v", now, again)
	}
	if w := p.do("POST", wire.PathQuery+"sb-info", wire.Query{Token: now.Token, Visit: "v1"}); w.Code != 200 || !strings.Contains(w.Body.String(), numberOf(t, 1)) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := p.do("POST", wire.PathQuery+"sb-info", wire.Query{Token: now.Token, Visit: "v2"}); code(w) != "E-TOKEN" {
		t.Errorf("in another visit: %s", w.Body)
	}
	said := l.said("person.vouched", "resident")
	if len(said) != 1 || said[0].Who != "chen" || said[0].Terminal != p.id || len(l.said("person.not-vouched", reasonNumber)) != 1 {
		t.Errorf("%+v", said)
	}
	if s := fmt.Sprintf("%+v", said); strings.Contains(s, numberOf(t, 1)) || strings.Contains(s, seedPeople[1].name) {
		t.Error(s)
	}
	l.later(tokenLife + time.Minute)
	if w := p.do("POST", wire.PathQuery+"sb-info", wire.Query{Token: now.Token, Visit: "v1"}); code(w) != "E-TOKEN" {
		t.Errorf("a quarter of an hour later: %s", w.Body)
	}
}

// Whoever vouched does not approve the same application, no policy does in the place of a second person, and the reviewer sees who it was.
func TestWhoeverVouchedDoesNotApprove(t *testing.T) {
	l, p, b := onDuty(t)
	if err := l.SetCardPolicy(t.Context(), true, Operator{Who: "bai", Why: "a test"}); err != nil {
		t.Fatal(err)
	}
	c, _ := p.calls(1, "v1")
	if err := l.Vouch(t.Context(), c.ID, c.Number, "passport", Operator{Who: "chen"}); err != nil {
		t.Fatal(err)
	}
	a := application(t, uuid.NewString(), p.callNow(c.ID).Token, 1)
	if card, w := p.card("POST", "", a); w.Code != 200 || card.State != wire.CardWaiting {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if page := b.send("GET", "/cards/"+a.Key, nil).Body.String(); !strings.Contains(page, "工作人员现场核验") || !strings.Contains(page, "chen · ") {
		t.Error(page)
	}
	if w := b.send("POST", "/cards/"+a.Key+"/decide", url.Values{"act": {"approve"}, "rev": {"1"}}); w.Code != 400 || !strings.Contains(w.Body.String(), "另一人审核") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := l.account("bai", staff.Clerk).send("POST", "/cards/"+a.Key+"/decide", url.Values{"act": {"approve"}, "rev": {"1"}}); w.Code != 303 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Nor does whoever approved an application say to whom its card goes, or whoever said so approve it.
func TestWhoeverApprovedDoesNotVouch(t *testing.T) {
	l, p, _ := onDuty(t)
	for _, n := range []string{"bai", "gao"} {
		l.account(n, staff.Clerk)
		if err := l.BeginDuty(t.Context(), "s", time.Hour, Operator{Who: n}); err != nil {
			t.Fatal(err)
		}
	}
	visits := 0
	vouchedBy := func(who string) string {
		t.Helper()
		visits++
		c, refused := p.calls(1, fmt.Sprint("v", visits))
		if refused != "" {
			t.Fatal(refused)
		}
		if err := l.Vouch(t.Context(), c.ID, c.Number, "resident", Operator{Who: who}); err != nil {
			t.Fatal(err)
		}
		return p.callNow(c.ID).Token
	}
	a := application(t, uuid.NewString(), vouchedBy("chen"), 1)
	number := numberOf(t, 1)
	p.sends(p.record(wire.TypeCaseOpened, a.Key, wire.CaseOpened{Item: "TID", ReceiptCode: a.Receipt, State: "SUBMITTED", At: time.Now(), Person: "李*雯", Last4: number[len(number)-4:]}))
	if _, w := p.card("POST", "", a); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if _, w := p.lease(a.Receipt, vouchedBy("bai")); w.Code != 200 {
		t.Fatalf("while it waits: %d %s", w.Code, w.Body)
	}
	for _, who := range []string{"chen", "bai"} {
		if err := l.DecideCard(t.Context(), a.Key, 1, true, Operator{Who: who}); !errors.Is(err, ErrVouched) {
			t.Errorf("%s: %v", who, err)
		}
	}
	if err := l.DecideCard(t.Context(), a.Key, 1, true, Operator{Who: "gao"}); err != nil {
		t.Fatal(err)
	}
	if _, w := p.lease(a.Receipt, vouchedBy("gao")); code(w) != "E-VOUCHED" {
		t.Errorf("whoever approved: %d %s", w.Code, w.Body)
	}
	if _, w := p.lease(a.Receipt, vouchedBy("bai")); w.Code != 200 {
		t.Errorf("somebody else: %d %s", w.Code, w.Body)
	}
}

func TestStaffWhoCannotVouchAreNotOffered(t *testing.T) {
	l, p, b := onDuty(t)
	offered := func(what string, is bool) {
		t.Helper()
		_, refused := p.calls(1, uuid.NewString())
		if len(p.ways().Ways) == 1 != is || (refused == "") != is || !is && refused != "E-NO-STAFF" {
			t.Errorf("%s: offered %v, %s", what, !is, refused)
		}
	}
	offered("on duty", true)
	l.later(dutySeen + time.Second)
	offered("with the page closed", false)
	b.send("GET", "/proofs.json", nil)
	offered("with the page open again", true)
	if w := b.send("POST", "/proofs/duty", url.Values{"act": {"off"}}); w.Code != 303 {
		t.Fatal(w.Code)
	}
	offered("after the duty", false)
	for what, f := range map[string]url.Values{"nowhere": {"act": {"on"}, "site": {"nowhere"}, "hours": {"4"}}, "for ever": {"act": {"on"}, "site": {"s"}, "hours": {"13"}}, "no act": {}} {
		if w := b.send("POST", "/proofs/duty", f); w.Code != 400 {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
	b.send("POST", "/proofs/duty", url.Values{"act": {"on"}, "site": {"s"}, "hours": {"1"}})
	offered("again", true)
	b.send("POST", "/logout", nil)
	offered("signed out", false)
	if err := l.BeginDuty(t.Context(), "s", time.Hour, Operator{Who: "chen"}); err != nil {
		t.Fatal(err)
	}
	offered("on duty once more", true)
	off := true
	l.account("bai", staff.Administrator)
	if err := ChangeAccount(t.Context(), l.store, "chen", AccountChange{Off: &off}, l.Server.now(), Operator{Who: "bai"}); err != nil {
		t.Fatal(err)
	}
	offered("an account that is off", false)
}

func TestCallsAreBounded(t *testing.T) {
	l, p, b := onDuty(t)
	t.Run("of a visit", func(t *testing.T) {
		var last wire.Proof
		for range proofsOfVisit {
			c, refused := p.calls(1, "v1")
			if refused != "" {
				t.Fatal(refused)
			}
			if last.ID != "" && p.callNow(last.ID).State != wire.ProofCancelled {
				t.Error("two calls are open at one terminal")
			}
			last = c
		}
		if _, refused := p.calls(1, "v1"); refused != "E-STAFF-LOCKED" {
			t.Error(refused)
		}
	})
	t.Run("once somebody said that it is somebody else", func(t *testing.T) {
		l.later(proofWindow + time.Second)
		b.send("GET", "/proofs", nil)
		c, _ := p.calls(1, "v2")
		if w := b.send("POST", "/proofs/"+c.ID, url.Values{"act": {"refuse"}, "reason": {"other-person"}}); w.Code != 303 {
			t.Fatal(w.Body)
		}
		if now := p.callNow(c.ID); now.State != wire.ProofRefused || now.Why["zh"] == "" || now.Why["en"] == "" || now.Token != "" {
			t.Errorf("%+v", now)
		}
		if _, refused := p.calls(1, "v2"); refused != "E-STAFF-LOCKED" {
			t.Error(refused)
		}
	})
	t.Run("of a terminal, whatever is asked", func(t *testing.T) {
		l.later(proofWindow + time.Second)
		b.send("GET", "/proofs", nil)
		last := ""
		for i := range proofsMost + 1 {
			nobody, err := completed(fmt.Sprintf("99000019900102%03d", i))
			if err != nil {
				t.Fatal(err)
			}
			w := p.do("POST", wire.PathProofs, wire.ProofRequest{Person: wire.PersonRef{Number: nobody}, Visit: uuid.NewString(), Shown: wire.ShownNumber})
			if last = code(w); i < proofsMost && last != "E-NO-RECORD" {
				t.Fatalf("%d: %s", i, w.Body)
			}
		}
		if last != "E-STAFF-LOCKED" {
			t.Error(last)
		}
	})
	t.Run("by time", func(t *testing.T) {
		l.later(proofWindow + time.Second)
		b.send("GET", "/proofs", nil)
		c, _ := p.calls(1, "v4")
		l.later(proofLife)
		if now := p.callNow(c.ID); now.State != wire.ProofEnded || now.Token != "" {
			t.Errorf("%+v", now)
		}
		if w := b.send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 409 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("by wrong numbers", func(t *testing.T) {
		l.later(proofWindow + time.Second)
		b.send("GET", "/proofs", nil)
		c, _ := p.calls(1, "v5")
		for range proofTries {
			if w := b.send("POST", "/proofs/"+c.ID, vouching(otherThan(c.Number))); w.Code != 400 {
				t.Errorf("%d", w.Code)
			}
		}
		if w := b.send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 409 {
			t.Errorf("the right one, too late: %d", w.Code)
		}
		if now := p.callNow(c.ID); now.State != wire.ProofRefused || now.Token != "" {
			t.Errorf("%+v", now)
		}
		wrong := proofTries
		for i := 0; wrong < proofWrongMost; i++ {
			c, refused := p.calls(1, fmt.Sprint("w", i))
			if refused != "" {
				t.Fatal(refused)
			}
			for range min(2, proofWrongMost-wrong) {
				b.send("POST", "/proofs/"+c.ID, vouching(otherThan(c.Number)))
				wrong++
			}
		}
		c, _ = p.calls(1, "x")
		if w := b.send("POST", "/proofs/"+c.ID, vouching(c.Number)); w.Code != 400 || p.callNow(c.ID).State != wire.ProofOpen {
			t.Errorf("an account that guessed too often: %d %s", w.Code, w.Body)
		}
	})
	for what, q := range map[string]any{
		"no visit":          wire.ProofRequest{Person: wire.PersonRef{Number: numberOf(t, 1)}, Shown: wire.ShownCard},
		"a long visit":      wire.ProofRequest{Person: wire.PersonRef{Number: numberOf(t, 1)}, Visit: strings.Repeat("v", 65), Shown: wire.ShownCard},
		"shown what":        wire.ProofRequest{Person: wire.PersonRef{Number: numberOf(t, 1)}, Visit: "v", Shown: "a smile"},
		"not json":          []byte(`{"person":`),
		"another's type":    []byte(`{"person":[1],"visit":7}`),
		"an unknown person": wire.ProofRequest{Visit: "v", Shown: wire.ShownCard},
	} {
		if w := p.do("POST", wire.PathProofs, q); w.Code != 400 && w.Code != 404 && w.Code != 429 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
}

// Of many who vouch for one person at the same moment one does, at whichever server.
func TestOneConfirmationOfMany(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) {
			dir, place := t.TempDir(), e.place(t)
			var servers []*Server
			for range 2 {
				s, err := New(t.Context(), Config{Dir: dir, Store: e.open(t, place)})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				servers = append(servers, s)
			}
			l := &loginRig{Server: servers[0], t: t}
			p := enrolled(t, servers[0], "990000-0001")
			var who []string
			for i := range 4 {
				who = append(who, fmt.Sprint("clerk", i))
				l.account(who[i], staff.Clerk)
				if err := servers[i%2].BeginDuty(t.Context(), "s", time.Hour, Operator{Who: who[i]}); err != nil {
					t.Fatal(err)
				}
			}
			c, _ := p.calls(1, "v")
			errs := make([]error, len(who))
			var wg sync.WaitGroup
			for i, w := range who {
				wg.Go(func() {
					if i == 3 {
						errs[i] = servers[i%2].Decline(context.Background(), c.ID, "nobody", Operator{Who: w})
						return
					}
					errs[i] = servers[i%2].Vouch(context.Background(), c.ID, c.Number, "resident", Operator{Who: w})
				})
			}
			wg.Wait()
			done := 0
			for _, err := range errs {
				if err == nil {
					done++
				} else if !errors.Is(err, ErrDecided) {
					t.Error(err)
				}
			}
			if n := len(l.said("person.vouched", "")) + len(l.said("person.not-vouched", "")); done != 1 || n != 1 {
				t.Errorf("%d were first, %d said so: %v", done, n, errs)
			}
			now := p.callNow(c.ID)
			if (errs[3] == nil) != (now.State == wire.ProofRefused) || (now.Token != "") != (now.State == wire.ProofConfirmed) {
				t.Errorf("%+v %v", now, errs)
			}
		})
	}
}

// Whatever terminals, staff and the clock do: there is a token only of a call that somebody on duty at its site confirmed, in its time and
// with its own number, and it proves that call's person and no other.
func TestNoTokenWithoutAConfirmation(t *testing.T) {
	fewer(t)
	l := newLoginRig(t)
	terminals := []*peer{enrolled(t, l.Server, "990000-0001"), enrolled(t, l.Server, "990000-0002"), enrolled(t, l.Server, "990000-0003")}
	if err := l.store.Update(t.Context(), func(tx Tx) error { // the third stands elsewhere
		x, err := tx.Terminal("990000-0003")
		x.Site = "elsewhere"
		return errors.Join(err, tx.PutTerminal(x))
	}); err != nil {
		t.Fatal(err)
	}
	who := []string{"chen", "bai"}
	for _, n := range who {
		l.account(n, staff.Clerk)
	}
	confirmed, calls, wrong := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		l.later(time.Hour)
		ctx := context.Background()
		type call struct {
			wire.Proof
			p         *peer
			place     int
			visit     string
			confirmed bool
		}
		var all []*call
		duty := map[string]string{}
		for _, n := range who {
			_ = l.EndDuty(ctx, Operator{Who: n})
		}
		rt.Repeat(map[string]func(*rapid.T){
			"duty": func(rt *rapid.T) {
				n, site := rapid.SampledFrom(who).Draw(rt, "who"), rapid.SampledFrom([]string{"s", "elsewhere", ""}).Draw(rt, "site")
				if duty[n] = site; site == "" {
					_ = l.EndDuty(ctx, Operator{Who: n})
				} else if err := l.BeginDuty(ctx, site, time.Hour, Operator{Who: n}); err != nil {
					rt.Fatal(err)
				}
			},
			"call": func(rt *rapid.T) {
				p, place := rapid.SampledFrom(terminals).Draw(rt, "terminal"), rapid.IntRange(0, 2).Draw(rt, "person")
				visit := uuid.NewString()
				c, refused := p.calls(place, visit)
				if refused == "" {
					calls++
					all = append(all, &call{Proof: c, p: p, place: place, visit: visit})
				} else if refused != "E-NO-STAFF" && refused != "E-STAFF-LOCKED" {
					rt.Fatal(refused)
				}
			},
			"vouch": func(rt *rapid.T) {
				if len(all) == 0 {
					rt.Skip()
				}
				// A number of any call, or one out of the air, for any call.
				c := all[rapid.IntRange(0, len(all)-1).Draw(rt, "call")]
				number := rapid.OneOf(rapid.Just(c.Number), rapid.Just(all[rapid.IntRange(0, len(all)-1).Draw(rt, "of")].Number), rapid.SampledFrom([]string{"", "4827", "0"})).Draw(rt, "number")
				n := rapid.SampledFrom(who).Draw(rt, "who")
				before := c.p.callNow(c.ID).State
				err := l.Vouch(ctx, c.ID, number, "resident", Operator{Who: n})
				site := "s"
				if c.p == terminals[2] {
					site = "elsewhere"
				}
				switch {
				case err == nil && (number != c.Number || before != wire.ProofOpen || duty[n] != site):
					rt.Fatalf("%s confirmed a call in state %s with %q for %q, on duty at %q", n, before, number, c.Number, duty[n])
				case err == nil:
					c.confirmed, confirmed = true, confirmed+1
				case errors.Is(err, ErrProofNumber):
					wrong++
				case !errors.Is(err, ErrDecision) && !errors.Is(err, ErrDecided):
					rt.Fatal(err)
				}
			},
			"cancel": func(rt *rapid.T) {
				if len(all) == 0 {
					rt.Skip()
				}
				c := all[rapid.IntRange(0, len(all)-1).Draw(rt, "call")]
				c.p.do("POST", wire.PathProofs+"/"+c.ID+"/cancel", struct{}{})
			},
			"later": func(rt *rapid.T) { l.later(time.Duration(rapid.IntRange(1, 80).Draw(rt, "s")) * time.Second) },
			"": func(rt *rapid.T) {
				open := map[string]bool{}
				for _, c := range all {
					now := c.p.callNow(c.ID)
					if (now.Token != "") != c.confirmed || (now.State == wire.ProofConfirmed) != c.confirmed {
						rt.Fatalf("%+v, confirmed %v", now, c.confirmed)
					}
					if now.State == wire.ProofOpen {
						if open[c.p.id] {
							rt.Fatalf("two calls are open at %s", c.p.id)
						}
						open[c.p.id] = true
					}
				}
			},
		})
		for _, c := range all {
			tok := l.keys.staffToken(c.ID) // what it would be
			w := c.p.do("POST", wire.PathQuery+"sb-info", wire.Query{Token: tok, Visit: c.visit})
			if got := w.Code == 200; got && !c.confirmed || got && !strings.Contains(w.Body.String(), numberOf(t, c.place)) {
				rt.Fatalf("a token: %d %s, confirmed %v", w.Code, w.Body, c.confirmed)
			}
		}
	})
	t.Logf("%d calls, %d confirmed, %d wrong numbers", calls, confirmed, wrong)
	if !raceDetector && (confirmed == 0 || wrong == 0) { // few histories may have none
		t.Error("nothing was confirmed, or no number was wrong")
	}
}
