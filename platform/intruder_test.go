package platform

// Nobody gets in: every attempt is refused with its registered code, and an operator can see that it was made.

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

// clocked is a server whose time a test sets.
func clocked(t testing.TB) (*Server, func(time.Duration)) {
	t.Helper()
	var mu sync.Mutex
	now := time.Now()
	cfg := Config{Dir: t.TempDir(), SMS: &mailbox{}, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }}
	if storeOfTests != nil {
		cfg.Store = storeOfTests(t)
	}
	s, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
}

// audited says whether a refusal is among the security events.
func audited(t testing.TB, s *Server, terminal, code string) bool {
	t.Helper()
	all, err := s.SecurityEvents(context.Background(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Event == "refused" && e.Code == code && e.Terminal == terminal {
			return true
		}
	}
	return false
}

// refused checks the answer's code and that the refusal was kept.
func refused(t testing.TB, s *Server, terminal string, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	if got := code(w); got != want || w.Code < 400 {
		t.Errorf("%d %q, want %s", w.Code, got, want)
	}
	if !audited(t, s, terminal, want) {
		t.Errorf("%s of %q is not among the security events", want, terminal)
	}
}

const id1, id2 = "990000-0001", "990000-0002"

func TestCodesLetInOnce(t *testing.T) {
	s, later := clocked(t)
	p := newPeer(t, s, id1)
	t.Run("wrong, then locked", func(t *testing.T) {
		right := p.code()
		for range enrolTries {
			refused(t, s, id1, p.enroll(wire.NewCode()), "E-PROOF")
		}
		refused(t, s, id1, p.enroll(right), "E-ENROLL-LOCKED")
	})
	t.Run("too old", func(t *testing.T) {
		right := p.code()
		later(25 * time.Hour)
		refused(t, s, id1, p.enroll(right), "E-ENROLL-EXPIRED")
	})
	t.Run("another terminal's", func(t *testing.T) {
		other := newPeer(t, s, id2)
		other.code()
		refused(t, s, id2, other.enroll(p.code()), "E-PROOF")
	})
	t.Run("an earlier one", func(t *testing.T) {
		first := p.code()
		p.code()
		refused(t, s, id1, p.enroll(first), "E-PROOF")
	})
	t.Run("keys swapped on the way", func(t *testing.T) {
		e := p.introduction(p.code())
		relay := newPeer(t, s, id1)
		e.Keys = relay.keys()
		refused(t, s, id1, open(s, "POST", wire.PathEnroll, e), "E-PROOF")
	})
	t.Run("a key that is not held", func(t *testing.T) {
		c := p.code()
		key, _ := wire.CodeKey(id1, c)
		sm := newSM2Peer(t, s, id1)
		e := sm.introduction(c)
		e.SignProof = newSM2Peer(t, s, id1).keys().SignProof
		e.Proof = ed25519.Sign(key, e.SigningBytes())
		refused(t, s, id1, open(s, "POST", wire.PathEnroll, e), "E-PROOF")
	})
	t.Run("used, by the same keys and by others", func(t *testing.T) {
		c := p.code()
		for range 2 { // the first answer may have been lost
			if w := p.enroll(c); w.Code != 200 {
				t.Fatal(w.Body)
			}
		}
		refused(t, s, id1, newPeer(t, s, id1).enroll(c), "E-ENROLL-USED")
		if _, _, err := s.IssueCode(context.Background(), id1, 0, Operator{}); err != ErrActive {
			t.Errorf("a code for an enrolled terminal: %v", err)
		}
	})
	t.Run("two at once", func(t *testing.T) {
		c := newPeer(t, s, id2).code()
		var in sync.WaitGroup
		codes := make([]int, 8)
		for i := range codes {
			peer := newPeer(t, s, id2)
			in.Go(func() { codes[i] = open(s, "POST", wire.PathEnroll, peer.introduction(c)).Code })
		}
		in.Wait()
		n := 0
		for _, c := range codes {
			if c == http.StatusOK {
				n++
			}
		}
		if n != 1 {
			t.Errorf("one code let in %d of 8: %v", n, codes)
		}
	})
	t.Run("not as described", func(t *testing.T) {
		for what, body := range map[string]string{
			"unknown field": `{"terminal":"990000-0001","admin":true}`, "two values": `{}{}`, "nothing": ``, "an array": `[]`, "a path": `{"terminal":"../../ca.key"}`,
			"a statement": `{"terminal":"x'; DROP TABLE terminals;--"}`,
		} {
			if w := open(s, "POST", wire.PathEnroll, []byte(body)); code(w) != "E-MALFORMED" {
				t.Errorf("%s: %s", what, w.Body)
			}
		}
	})
}

func jsonOf(v any) string { b, _ := json.Marshal(v); return string(b) }

// The store holds nothing that enrols.
func TestCodesAreNotAtRest(t *testing.T) {
	s, _ := newServer(t)
	c, _, err := s.IssueCode(context.Background(), id1, 0, Operator{})
	if err != nil {
		t.Fatal(err)
	}
	key, _ := wire.CodeKey(id1, c)
	err = s.store.View(context.Background(), func(tx Tx) error {
		row, err := tx.EnrolCode(id1)
		if bytes.Contains(row.Key, key.Seed()) || strings.Contains(jsonOf(row), c) || !bytes.Equal(row.Key, key.Public().(ed25519.PublicKey)) {
			t.Errorf("%+v", row)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOnlyTheOwnCertificateComesIn(t *testing.T) {
	s, later := clocked(t)
	p, other := enrolled(t, s, id1), enrolled(t, s, id2)
	good := p.cert
	if w := p.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
		t.Fatal(w.Body)
	}
	try := func(cert *x509.Certificate) *httptest.ResponseRecorder {
		p.cert = cert
		defer func() { p.cert = good }()
		return p.do("GET", wire.PathCatalogue, nil)
	}
	foreign, _ := newServer(t)
	far, err := foreign.keys.clientCertificate(id1, &p.key.PublicKey, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	stray, err := s.keys.clientCertificate(id1, &p.key.PublicKey, s.now(), time.Hour) // by our authority, but never issued
	if err != nil {
		t.Fatal(err)
	}
	server, _ := s.keys.server(s.now())
	for what, cert := range map[string]*x509.Certificate{"none": nil, "another authority's": far, "another terminal's": other.cert,
		"one that was not issued": stray, "the server's": server.Leaf, "the authority itself": s.keys.ca} {
		t.Run(what, func(t *testing.T) { refused(t, s, id1, try(cert), "E-CERT") })
	}
	t.Run("a header that names one", func(t *testing.T) {
		for _, h := range []string{"Client-Cert", "X-Client-Cert", "X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Verify"} {
			p.cert, p.tamper = nil, func(r *http.Request) { r.Header.Set(h, string(good.Raw)); r.Header.Set("X-Forwarded-For", "127.0.0.1") }
			refused(t, s, id1, p.do("GET", wire.PathCatalogue, nil), "E-CERT")
		}
		p.cert, p.tamper = good, nil
	})
	t.Run("two signatures", func(t *testing.T) {
		p.tamper = func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }
		defer func() { p.tamper = nil }()
		refused(t, s, id1, p.do("GET", wire.PathCatalogue, nil), "E-AUTH")
	})
	t.Run("not read before it is known who sends", func(t *testing.T) {
		p.cert = nil
		r := p.request("PUT", wire.PathBlobs+strings.Repeat("0", 64), nil)
		p.cert = good
		read := &counting{}
		r.Body = read
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if read.n > 0 {
			t.Errorf("%d bytes of a stranger were read", read.n)
		}
	})
	t.Run("expired, and renewed", func(t *testing.T) {
		later(certLife + 48*time.Hour)
		refused(t, s, id1, p.do("GET", wire.PathCatalogue, nil), "E-CERT-EXPIRED")
		w := p.do("POST", wire.PathRenew, wire.Renew{Keys: p.keys()})
		p.accept(w)
		if w := p.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
			t.Errorf("after renewal: %s", w.Body)
		}
		all, _ := s.SecurityEvents(t.Context(), 100)
		if !strings.Contains(jsonOf(all), "2 days after expiry") {
			t.Errorf("a renewal after expiry is not noted: %s", jsonOf(all))
		}
	})
	t.Run("expired for too long", func(t *testing.T) {
		later(certLife + renewalLimit + time.Hour)
		refused(t, s, id1, p.do("POST", wire.PathRenew, wire.Renew{Keys: p.keys()}), "E-CERT-EXPIRED")
	})
}

type counting struct{ n int }

func (c *counting) Read(p []byte) (int, error) { c.n += len(p); clear(p); return len(p), nil }
func (c *counting) Close() error               { return nil }

func TestRevocationIsAtOnceAndOnEveryServer(t *testing.T) {
	s, _ := newServer(t)
	// A second server on the same store, as behind a balancer.
	again, err := New(context.Background(), Config{Dir: s.cfg.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	p := enrolled(t, s, id1)
	waiting := make(chan *httptest.ResponseRecorder)
	go func() { waiting <- p.do("GET", wire.PathPull+"?after=0&wait=20", nil) }()
	time.Sleep(50 * time.Millisecond) // either way it must be refused: while it waits or when it comes
	if err := s.Revoke(context.Background(), id1, Operator{"chen", "stolen"}); err != nil {
		t.Fatal(err)
	}
	if w := <-waiting; code(w) != "E-REVOKED" && code(w) != "E-CERT" {
		t.Errorf("a long poll outlived the revocation: %d %s", w.Code, w.Body)
	}
	for _, server := range []*Server{s, again} {
		p.s = server
		for _, call := range []struct{ method, path string }{{"GET", wire.PathCatalogue}, {"POST", wire.PathHello}, {"GET", wire.PathPull + "?after=0&wait=0"}} {
			if w := p.do(call.method, call.path, nil); code(w) != "E-CERT" && code(w) != "E-REVOKED" {
				t.Errorf("%s: %d %s", call.path, w.Code, w.Body)
			}
		}
		refused(t, server, id1, p.do("POST", wire.PathRenew, wire.Renew{Keys: p.keys()}), "E-REVOKED")
	}
	p.s = s
	if _, _, err := s.IssueCode(context.Background(), id1, 0, Operator{}); err != ErrRevoked {
		t.Errorf("a code for a revoked terminal: %v", err)
	}
	all, err := s.Report(context.Background())
	if err != nil || len(all) != 1 || all[0].State != Revoked || all[0].Why != "stolen" || !all[0].Certificate.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
	// After a reset only a new code lets it in, and the old certificate stays worthless.
	if err := s.Reset(context.Background(), id1, Operator{"chen", "found"}); err != nil {
		t.Fatal(err)
	}
	refused(t, s, id1, p.do("POST", wire.PathRenew, wire.Renew{Keys: p.keys()}), "E-TERMINAL")
	fresh := newPeer(t, s, id1)
	if w := fresh.enroll(fresh.code()); w.Code != 200 {
		t.Errorf("after a reset: %s", w.Body)
	}
	refused(t, s, id1, p.do("GET", wire.PathCatalogue, nil), "E-CERT")
	p.cert = fresh.cert
	refused(t, s, id1, p.do("GET", wire.PathCatalogue, nil), "E-AUTH")
}

// A revocation between two uses of a code: what was on its way does not come in.
func TestRevokedWhileACodeIsOnItsWay(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, id1)
	if err := s.Reset(context.Background(), id1, Operator{}); err != nil {
		t.Fatal(err)
	}
	c := p.code()
	if err := s.Revoke(context.Background(), id1, Operator{}); err != nil {
		t.Fatal(err)
	}
	refused(t, s, id1, p.enroll(c), "E-ENROLL-LOCKED")
}

func TestRotation(t *testing.T) {
	s, _ := newServer(t)
	old := enrolled(t, s, id1)
	new := newPeer(t, s, id1)
	ask := func() {
		w := old.do("POST", wire.PathRenew, wire.Renew{Keys: new.keys()})
		if w.Code != 200 {
			t.Fatal(w.Body)
		}
		new.accept(w)
	}
	ask()
	if w := old.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
		t.Errorf("the old key before the new one spoke: %s", w.Body)
	}
	ask() // the answer was lost: asked again with the same keys
	if w := new.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
		t.Errorf("the new key: %s", w.Body)
	}
	refused(t, s, id1, old.do("GET", wire.PathCatalogue, nil), "E-CERT")
	old.cert = new.cert
	refused(t, s, id1, old.do("GET", wire.PathCatalogue, nil), "E-AUTH")
	refused(t, s, id1, old.do("POST", wire.PathRenew, wire.Renew{Keys: newPeer(t, s, id1).keys()}), "E-AUTH")
	b := new.batch(new.record(wire.TypeAudit, "", wire.AuditEntry{Event: "e"}))
	if w := new.do("POST", wire.PathPush, b); w.Code != 200 {
		t.Errorf("a batch of the new key: %s", w.Body)
	}
}

func TestSM2Profile(t *testing.T) {
	s, box := newServer(t)
	p := newSM2Peer(t, s, id1)
	w := p.enroll(p.code())
	var e wire.Enrolled
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Profile != wire.SM2 {
		t.Fatalf("%s", w.Body)
	}
	key, profile, err := wire.ParsePublicKey(e.PlatformKey)
	if err != nil || profile != wire.SM2 {
		t.Fatalf("platform key: %s, %v", profile, err)
	}
	b := p.batch(p.record(wire.TypeAudit, "", wire.AuditEntry{Event: "e"}))
	var ack wire.Ack
	if w := p.do("POST", wire.PathPush, b); json.Unmarshal(w.Body.Bytes(), &ack) != nil || !wire.Verify(key, ack.SigningBytes(), ack.Signature) {
		t.Errorf("ack: %s", w.Body)
	}
	if err := s.Tell(t.Context(), id1, "notice", 1, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var in wire.Inbox
	if w := p.do("GET", wire.PathPull+"?after=0&wait=0", nil); json.Unmarshal(w.Body.Bytes(), &in) != nil || len(in.Messages) != 1 || !wire.Verify(key, in.Messages[0].SigningBytes(id1), in.Messages[0].Signature) {
		t.Errorf("inbox: %s", w.Body)
	}
	tok := tokenFor(t, p, box)
	var d wire.Document
	if w := p.do("POST", wire.PathDocuments, wire.DocumentRequest{Key: "k", Kind: "SB-P", Token: tok}); json.Unmarshal(w.Body.Bytes(), &d) != nil || !wire.Verify(key, d.SigningBytes(), d.Signature) {
		t.Errorf("document: %.300s", w.Body)
	}
	// The TLS key alone signs nothing, in either profile.
	thief := &peer{t: t, s: s, id: id1, key: p.key, profile: wire.P256, cert: p.cert}
	refused(t, s, id1, thief.do("GET", wire.PathCatalogue, nil), "E-AUTH")
	thief.profile = wire.SM2
	refused(t, s, id1, thief.do("GET", wire.PathCatalogue, nil), "E-AUTH")
	weaker := newPeer(t, s, id1)
	refused(t, s, id1, p.do("POST", wire.PathRenew, wire.Renew{Keys: weaker.keys()}), "E-PROOF")
}

// tokenFor verifies the second seeded person.
func tokenFor(t testing.TB, p *peer, box *mailbox) string {
	t.Helper()
	var sent wire.CodeSent
	w := p.do("POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Name: "李晓雯", Number: numberOf(t, 1)}, Visit: "v"})
	if json.Unmarshal(w.Body.Bytes(), &sent) != nil || w.Code != 200 {
		t.Fatal(w.Body)
	}
	var ok wire.CodeChecked
	w = p.do("POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: box.code})
	if json.Unmarshal(w.Body.Bytes(), &ok) != nil || w.Code != 200 {
		t.Fatal(w.Body)
	}
	return ok.Token
}

func TestNothingOfAnotherTerminal(t *testing.T) {
	s, box := newServer(t)
	p, thief := enrolled(t, s, id1), enrolled(t, s, id2)
	tok := tokenFor(t, p, box)
	t.Run("token", func(t *testing.T) {
		refused(t, s, id2, thief.do("POST", wire.PathQuery+"sb-info", wire.Query{Token: tok, Visit: "v"}), "E-TOKEN")
		refused(t, s, id2, thief.do("POST", wire.PathDocuments, wire.DocumentRequest{Key: "k2", Kind: "SB-P", Token: tok}), "E-TOKEN")
	})
	t.Run("document", func(t *testing.T) {
		q := wire.DocumentRequest{Key: "k", Kind: "SB-P", Token: tok}
		if w := p.do("POST", wire.PathDocuments, q); w.Code != 200 {
			t.Fatal(w.Body)
		}
		refused(t, s, id2, thief.do("POST", wire.PathDocuments, q), "E-KEY-REUSED")
	})
	t.Run("challenge", func(t *testing.T) {
		var sent wire.CodeSent
		w := p.do("POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Name: "李晓雯", Number: numberOf(t, 1)}, Visit: "v"})
		_ = json.Unmarshal(w.Body.Bytes(), &sent)
		refused(t, s, id2, thief.do("POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: box.code}), "E-NOT-FOUND")
	})
	t.Run("case", func(t *testing.T) {
		id := uuid.NewString()
		if w := p.do("POST", wire.PathPush, p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: time.Now()}))); w.Code != 200 {
			t.Fatal(w.Body)
		}
		var ack wire.Ack
		w := thief.do("POST", wire.PathPush, thief.batch(thief.record(wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: time.Now()}),
			thief.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "x", ReceiptCode: "x", State: "SUBMITTED", At: time.Now()})))
		if json.Unmarshal(w.Body.Bytes(), &ack) != nil || len(ack.Outcomes) != 2 || ack.Outcomes[0].Status != wire.Quarantined || ack.Outcomes[1].Status != wire.Quarantined {
			t.Errorf("%s", w.Body)
		}
		all, err := s.Cases(t.Context(), 5)
		if err != nil || len(all) != 1 || all[0].State != "SUBMITTED" || all[0].Terminal != id1 || all[0].Times != 1 {
			t.Errorf("another terminal's record changed the case: %+v, %v", all, err)
		}
		events, _ := s.SecurityEvents(t.Context(), 10)
		if !strings.Contains(jsonOf(events), "case of another terminal") {
			t.Error("it is not among the security events")
		}
	})
	t.Run("hello and batch", func(t *testing.T) {
		refused(t, s, id2, thief.do("POST", wire.PathHello, wire.Hello{Terminal: id1, Epoch: 1}), "E-MALFORMED")
		b := p.batch(p.record(wire.TypeAudit, "", wire.AuditEntry{Event: "e"}))
		refused(t, s, id2, thief.do("POST", wire.PathPush, b), "E-BATCH")
		b.Terminal = id2
		refused(t, s, id2, thief.do("POST", wire.PathPush, b), "E-BATCH")
	})
	t.Run("a batch once more changes nothing", func(t *testing.T) {
		before, _ := s.Received(t.Context())
		fresh := enrolled(t, s, "990000-0005")
		b := fresh.batch(fresh.record(wire.TypeAudit, "", wire.AuditEntry{Event: "e"}))
		for range 3 {
			if w := fresh.do("POST", wire.PathPush, b); w.Code != 200 {
				t.Fatal(w.Body)
			}
		}
		after, _ := s.Received(t.Context())
		if after.Records != before.Records+1 {
			t.Errorf("%d records became %d", before.Records, after.Records)
		}
	})
	t.Run("a batch of the future", func(t *testing.T) {
		fresh := enrolled(t, s, "990000-0006")
		b := fresh.batch(fresh.record(wire.TypeAudit, "", wire.AuditEntry{Event: "e"}))
		b.V = 2
		refused(t, s, fresh.id, fresh.do("POST", wire.PathPush, b), "E-VERSION")
	})
}

// A far-off clock is told so, and the time is there for the asking, signed.
func TestTheTimeIsSignedForOneQuestion(t *testing.T) {
	s, later := clocked(t)
	p := enrolled(t, s, id1)
	r := p.request("GET", wire.PathCatalogue, nil)
	later(wire.MaxSkew + time.Second)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	refused(t, s, id1, w, "E-CLOCK")
	n := token()
	var said wire.Now
	w = open(s, "GET", wire.PathTime+"?nonce="+n, nil)
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Nonce != n || !said.Time.Equal(s.now()) {
		t.Fatalf("%s", w.Body)
	}
	cert, err := x509.ParseCertificate(said.SigningCert)
	if err != nil || cert.CheckSignatureFrom(s.keys.ca) != nil || !wire.Verify(&s.keys.sign.PublicKey, said.SigningBytes(), said.Signature) {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "?nonce=", "?nonce=x", "?nonce=" + strings.Repeat("0", 65)} {
		if w := open(s, "GET", wire.PathTime+bad, nil); code(w) != "E-MALFORMED" {
			t.Errorf("%q: %s", bad, w.Body)
		}
	}
}

// A flood of refusals makes neither a flood of rows nor of log lines, and its size is known afterwards.
func TestRefusalsAreSummedUp(t *testing.T) {
	s, later := clocked(t)
	for range 500 {
		open(s, "POST", wire.PathHello, nil)
	}
	for i := range 2 * watchMost {
		r := httptest.NewRequest("GET", "/v1/catalogue", nil)
		r.RemoteAddr = "10.0." + jsonOf(i/256) + "." + jsonOf(i%256) + ":1"
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	later(2 * watchWindow)
	open(s, "GET", "/nothing", nil)
	all, err := s.SecurityEvents(t.Context(), 10_000)
	if err != nil || len(all) > watchMost+10 {
		t.Errorf("%d rows, %v", len(all), err)
	}
	n := 0
	for _, e := range all {
		n += e.Count
		if strings.Contains(e.Route, "nothing") {
			t.Errorf("a path was kept: %+v", e)
		}
	}
	if n != 500+2*watchMost+1 {
		t.Errorf("%d refusals are counted, %d were made", n, 500+2*watchMost+1)
	}
}

// Where TLS ends at a gateway, signatures say who asks.
func TestBehindAGateway(t *testing.T) {
	s, err := New(context.Background(), Config{Dir: t.TempDir(), Gateway: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := enrolled(t, s, id1)
	p.cert = nil
	if w := p.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
		t.Errorf("%s", w.Body)
	}
	if err := s.Revoke(context.Background(), id1, Operator{}); err != nil {
		t.Fatal(err)
	}
	refused(t, s, id1, p.do("GET", wire.PathCatalogue, nil), "E-REVOKED")
	thief := newPeer(t, s, id1)
	refused(t, s, id1, thief.do("GET", wire.PathCatalogue, nil), "E-AUTH")
}

func FuzzEnroll(f *testing.F) {
	s, err := New(context.Background(), Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	for _, p := range []*peer{newPeer(f, s, id1), newSM2Peer(f, s, id1)} {
		b, _ := json.Marshal(p.introduction(wire.NewCode()))
		f.Add(b)
	}
	f.Add([]byte(`{"terminal":"990000-0001","profile":"sm2-sm3","sign_key":"AAAA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e wire.Enroll
		if strictly(b, &e) != nil {
			return
		}
		if a, err := examine(e.Terminal, e.Keys); err == nil && (a.tls == nil || len(a.sign) == 0) {
			t.Errorf("%+v", a)
		}
	})
}
