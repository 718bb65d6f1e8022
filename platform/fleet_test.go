package platform

// Several servers, one platform: whichever the balancer picks, the answer is the same.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

// twoServers have one store, the same keys, and nothing else in common.
func twoServers(t *testing.T, e anEngine) (a, b *Server, box *mailbox) {
	t.Helper()
	box = &mailbox{}
	place, dirA, dirB := e.place(t), t.TempDir(), t.TempDir()
	begin := func(dir string) *Server {
		s, err := New(context.Background(), Config{Dir: dir, Store: e.open(t, place), SMS: box})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	a = begin(dirA)
	copyKeys(t, dirA, dirB)
	return a, begin(dirB), box
}

func copyKeys(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"ca.key", "ca.pem", "sign.key", "sign-sm2.key", "seal.key"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFleet(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) { fleet(t, e) })
	}
}

func fleet(t *testing.T, e anEngine) {
	a, b, box := twoServers(t, e)
	p := newPeer(t, a, "990000-0001")
	if w := p.enroll(p.code()); w.Code != 200 {
		t.Fatal(w.Body)
	}
	at := func(s *Server, method, path string, in any) *httptest.ResponseRecorder {
		q := *p
		q.s = s
		return q.do(method, path, in)
	}

	t.Run("the same batch at both at once is applied once", func(t *testing.T) {
		for round := range 10 {
			id := uuid.NewString()
			batch := p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: moment}),
				p.record(wire.TypeRating, id, wire.Rating{Item: "i", Version: "1", Level: "5", At: moment}),
				p.record(wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: moment}))
			acks := make([]wire.Ack, 6)
			var wg sync.WaitGroup
			for i := range acks {
				body, _ := json.Marshal(batch)
				r := p.request("POST", wire.PathPush, body)
				wg.Go(func() {
					w := httptest.NewRecorder()
					[]*Server{a, b}[i%2].Handler().ServeHTTP(w, r)
					if err := json.Unmarshal(w.Body.Bytes(), &acks[i]); w.Code != 200 || err != nil {
						t.Errorf("round %d: %d %s", round, w.Code, w.Body)
					}
				})
			}
			wg.Wait()
			accepted := 0
			for _, ack := range acks {
				if ack.High != p.last.Seq || ack.Hash != p.last.Hash() || !wire.Verify(&b.keys.sign.PublicKey, ack.SigningBytes(), ack.Signature) {
					t.Errorf("ack %+v", ack)
				}
				if len(ack.Outcomes) == 3 && ack.Outcomes[0].Status == wire.Accepted {
					accepted++
				}
			}
			if accepted != 1 {
				t.Errorf("round %d: accepted %d times", round, accepted)
			}
			var c CaseRow
			if err := a.store.View(t.Context(), func(tx Tx) (err error) { c, err = tx.Case(id); return err }); err != nil || c.Times != 1 || c.State != "CLOSED" {
				t.Errorf("%+v %v", c, err)
			}
		}
		n, err := b.Received(t.Context())
		if err != nil || n.Records != 30 || n.Cases != 10 || n.Ratings != 10 || n.Duplicates != 0 {
			t.Errorf("%+v %v", n, err)
		}
	})
	t.Run("a request that one saw is a replay at the other", func(t *testing.T) {
		r := p.request("GET", wire.PathCatalogue, nil)
		for i, s := range []*Server{a, b, a} {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r.Clone(t.Context()))
			if got, want := code(w), map[bool]string{true: "", false: "E-REPLAY"}[i == 0]; got != want {
				t.Errorf("time %d: %q, want %q", i, got, want)
			}
		}
	})
	t.Run("what is told at one wakes who waits at the other", func(t *testing.T) {
		got := make(chan wire.Inbox, 1)
		go func() {
			var in wire.Inbox
			for len(in.Messages) == 0 {
				w := at(b, "GET", wire.PathPull+"?after=0&wait=50", nil)
				if w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &in) != nil {
					break
				}
			}
			got <- in
		}()
		for b.mail.empty() {
			time.Sleep(time.Millisecond)
		}
		began := time.Now()
		if err := a.Tell(t.Context(), p.id, "notice", map[string]int{"n": 1}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if in := <-got; len(in.Messages) != 1 || in.Messages[0].No != 1 {
			t.Errorf("%+v", in)
		}
		if waited := time.Since(began); waited > mailRecheck {
			t.Errorf("it came after %v: nobody rang", waited)
		}
	})
	t.Run("a code sent by one is checked by the other, and a token is good at both", func(t *testing.T) {
		var sent wire.CodeSent
		w := at(a, "POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Name: "李晓雯", Number: numberOf(t, 1)}, Visit: "v"})
		_ = json.Unmarshal(w.Body.Bytes(), &sent)
		var ok wire.CodeChecked
		_ = json.Unmarshal(at(b, "POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: box.code}).Body.Bytes(), &ok)
		if again := at(a, "POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: box.code}); code(again) != "E-CODE-EXPIRED" {
			t.Errorf("a used code: %s", again.Body)
		}
		// One key asked for at both at once is one document.
		docs := make([]wire.Document, 4)
		var wg sync.WaitGroup
		for i := range docs {
			body, _ := json.Marshal(wire.DocumentRequest{Key: "case", Kind: "SB-P", Token: ok.Token})
			wg.Go(func() {
				for {
					w := httptest.NewRecorder()
					[]*Server{a, b}[i%2].Handler().ServeHTTP(w, p.request("POST", wire.PathDocuments, body))
					if code(w) == "E-IN-PROGRESS" {
						time.Sleep(5 * time.Millisecond)
						continue
					}
					if err := json.Unmarshal(w.Body.Bytes(), &docs[i]); err != nil || w.Code != 200 {
						t.Errorf("%d %s", w.Code, w.Body)
					}
					return
				}
			})
		}
		wg.Wait()
		for _, d := range docs {
			if d.Number != docs[0].Number || !bytes.Equal(d.PDF, docs[0].PDF) || len(d.PDF) == 0 {
				t.Errorf("%s beside %s", d.Number, docs[0].Number)
			}
		}
	})
	t.Run("who is let in or put out at one is at the other", func(t *testing.T) { letIn(t, a, b) })
	t.Run("a limit is the platform's, not a server's", func(t *testing.T) {
		refused := 0
		for i := range 122 {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/verify/SBP-990000-20260101-000001", nil)
			[]*Server{a, b}[i%2].Handler().ServeHTTP(w, r)
			if code(w) == "E-BUSY" {
				refused++
			}
		}
		if refused < 2 { // 60 a minute; a minute may begin in between
			t.Errorf("%d of 122 refused", refused)
		}
	})
}

// letIn is enrolment and revocation where each step happens at the other server.
func letIn(t *testing.T, a, b *Server) {
	p := newPeer(t, a, "990000-0009")
	c := p.code()
	p.s = b
	if w := p.enroll(c); w.Code != 200 {
		t.Fatalf("a code of one server at the other: %s", w.Body)
	}
	again := newPeer(t, a, p.id)
	if got := code(again.enroll(c)); got != "E-ENROLL-USED" {
		t.Errorf("a code that the other server let in: %q", got)
	}
	for _, s := range []*Server{a, b} {
		p.s = s
		if w := p.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
			t.Errorf("%s", w.Body)
		}
	}
	p.s = a
	w := p.do("POST", wire.PathRenew, wire.Renew{Keys: p.keys()})
	p.accept(w)
	p.s = b
	if w := p.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
		t.Errorf("a certificate renewed at the other server: %s", w.Body)
	}
	if err := a.Revoke(t.Context(), p.id, Operator{"chen", "stolen"}); err != nil {
		t.Fatal(err)
	}
	if got := code(p.do("GET", wire.PathCatalogue, nil)); got != "E-CERT" && got != "E-REVOKED" {
		t.Errorf("revoked at the other server: %q", got)
	}
	id := uuid.NewString()
	first, thief := enrolled(t, a, "990000-0010"), enrolled(t, b, "990000-0011")
	if w := first.do("POST", wire.PathPush, first.batch(first.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: moment}))); w.Code != 200 {
		t.Fatal(w.Body)
	}
	var ack wire.Ack
	w = thief.do("POST", wire.PathPush, thief.batch(thief.record(wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: moment})))
	if json.Unmarshal(w.Body.Bytes(), &ack) != nil || len(ack.Outcomes) != 1 || ack.Outcomes[0].Status != wire.Quarantined {
		t.Errorf("a case that was opened at the other server: %s", w.Body)
	}
}

func TestServersHaveTheSameKeys(t *testing.T) {
	e := engines(t)[0]
	place := e.place(t)
	for i, want := range []string{"", "give every server the same"} {
		s, err := New(t.Context(), Config{Dir: t.TempDir(), Store: e.open(t, place)})
		if got := fmt.Sprint(err); want != "" && !strings.Contains(got, want) || want == "" && err != nil {
			t.Errorf("server %d: %v", i, err)
		}
		if s != nil {
			_ = s.Close()
		}
	}
}
