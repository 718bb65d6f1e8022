package platform

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// mailbox is the SMS port of a test.
type mailbox struct{ code string }

func (m *mailbox) Send(_ context.Context, _, _, code string) error { m.code = code; return nil }

func newServer(t testing.TB) (*Server, *mailbox) {
	t.Helper()
	box := &mailbox{}
	cfg := Config{Dir: t.TempDir(), SMS: box, Pay: PayConfig{Tariff: Prices{Items: map[string]pay.Fen{"free": 0, "dear": 1000}}}}
	if storeOfTests != nil {
		cfg.Store = storeOfTests(t)
	}
	s, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, box
}

// peer is a terminal written from the protocol's document alone.
type peer struct {
	t       testing.TB
	s       *Server
	id      string
	key     *ecdsa.PrivateKey // speaks TLS
	profile wire.Profile
	sm2     crypto.Signer     // signs, in profile SM2
	cert    *x509.Certificate // shown in TLS
	last    wire.Header
	ahead   time.Duration // of its clock
	// break changes a request after it was signed.
	tamper func(*http.Request)
}

func newPeer(t testing.TB, s *Server, id string) *peer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, s: s, id: id, key: key, profile: wire.P256}
}

// newSM2Peer signs with SM2.
func newSM2Peer(t testing.TB, s *Server, id string) *peer {
	p := newPeer(t, s, id)
	var err error
	if p.sm2, err = wire.NewKey(wire.SM2); err != nil {
		t.Fatal(err)
	}
	p.profile = wire.SM2
	return p
}

// keys asks for certificates of this peer's keys.
func (p *peer) keys() wire.Keys {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: p.id}}, p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	k := wire.Keys{Nonce: token(), CSR: csr, Profile: p.profile}
	if p.sm2 != nil {
		k.SignKey, _ = wire.MarshalPublicKey(p.sm2)
		k.SignProof = p.sign(k.SigningBytes(p.id))
	}
	return k
}

// code is a fresh one for this peer.
func (p *peer) code() string {
	p.t.Helper()
	c, _, err := p.s.IssueCode(context.Background(), p.id, 0, Operator{Who: "tester"})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *peer) introduction(code string) wire.Enroll {
	e := wire.Enroll{Terminal: p.id, Site: "s", Name: "n", Keys: p.keys()}
	if key, err := wire.CodeKey(p.id, code); err == nil {
		e.Proof = ed25519.Sign(key, e.SigningBytes())
	}
	return e
}

// open sends without a signature and without a certificate.
func open(s *Server, method, path string, in any) *httptest.ResponseRecorder {
	b, is := in.([]byte)
	if !is {
		b, _ = json.Marshal(in)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, bytes.NewReader(b))
	r.Header.Set("Content-Type", "application/json")
	s.Handler().ServeHTTP(w, r)
	return w
}

func (p *peer) enroll(code string) *httptest.ResponseRecorder {
	p.t.Helper()
	w := open(p.s, "POST", wire.PathEnroll, p.introduction(code))
	p.accept(w)
	return w
}

// accept takes the certificate of an answer.
func (p *peer) accept(w *httptest.ResponseRecorder) {
	var out wire.Enrolled
	if w.Code == 200 && json.Unmarshal(w.Body.Bytes(), &out) == nil {
		var err error
		if p.cert, err = x509.ParseCertificate(out.Certificate); err != nil {
			p.t.Fatal(err)
		}
	}
}

// enrolled is a peer that came in with a right code.
func enrolled(t testing.TB, s *Server, id string) *peer {
	t.Helper()
	p := newPeer(t, s, id)
	if w := p.enroll(p.code()); w.Code != 200 {
		t.Fatal(w.Body)
	}
	return p
}

func (p *peer) sign(b []byte) []byte {
	var key crypto.Signer = p.key
	if p.sm2 != nil {
		key = p.sm2
	}
	sig, err := wire.Sign(key, b)
	if err != nil {
		p.t.Fatal(err)
	}
	return sig
}

func (p *peer) request(method, path string, body []byte) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	ms, nonce := p.s.now().Add(p.ahead).UnixMilli(), token()
	sig := p.sign(wire.RequestSigningBytes(method, r.URL.RequestURI(), ms, nonce, sha256.Sum256(body)))
	r.Header.Set("Authorization", fmt.Sprintf(`%s terminal="%s",time="%d",nonce="%s",signature="%s"`, p.profile.Scheme(), p.id, ms, nonce, base64.StdEncoding.EncodeToString(sig)))
	r.Header.Set("Content-Type", "application/json")
	p.show(r)
	return r
}

// show puts the peer's certificate where TLS would.
func (p *peer) show(r *http.Request) {
	r.TLS = &tls.ConnectionState{}
	if p.cert != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{p.cert}
	}
}

func (p *peer) do(method, path string, in any) *httptest.ResponseRecorder {
	var b []byte
	switch v := in.(type) {
	case nil:
	case []byte:
		b = v
	default:
		b, _ = json.Marshal(v)
	}
	r := p.request(method, path, b)
	if p.tamper != nil {
		p.tamper(r)
	}
	w := httptest.NewRecorder()
	p.s.Handler().ServeHTTP(w, r)
	return w
}

// record is the next one of the tx lane.
func (p *peer) record(typ string, caseID string, body any) wire.Record {
	b, _ := json.Marshal(body)
	id, _ := uuid.NewV7()
	r := wire.Record{Header: wire.Header{V: 1, Terminal: p.id, Epoch: 1, Lane: wire.LaneTx, Seq: p.last.Seq + 1, ID: id.String(), Case: caseID,
		Type: typ, Schema: 1, Wall: time.Now().UTC().Truncate(time.Millisecond), Boot: "b"}, Body: b}
	if p.last.Seq > 0 {
		r.Prev = p.last.Hash()
	}
	r.BodyHash = wire.HashBody(r.Salt, r.Body)
	p.last = r.Header
	return r
}

func (p *peer) batch(rs ...wire.Record) wire.Batch {
	b := wire.Batch{V: 1, Terminal: p.id, Epoch: 1, Lane: wire.LaneTx, Records: rs}
	b.Signature = p.sign(b.SigningBytes())
	return b
}

func code(w *httptest.ResponseRecorder) string {
	var e wire.Error
	_ = json.Unmarshal(w.Body.Bytes(), &e)
	return e.Code
}

func TestDocumentMatchesTheServer(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described[method+" "+path] = true
		}
	}
	served := map[string]bool{}
	for _, r := range Routes {
		served[strings.ReplaceAll(r, "{$}", "")] = true
	}
	for r := range served {
		if !described[r] {
			t.Errorf("%s is served and not described", r)
		}
	}
	for r := range described {
		if !served[r] {
			t.Errorf("%s is described and not served", r)
		}
	}
}

func TestAnswersAreAsDescribed(t *testing.T) {
	s, box := newServer(t)
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, s, "990000-0001")
	check := func(name string, r *http.Request, body []byte, w *httptest.ResponseRecorder, status int) {
		t.Helper()
		if w.Code != status {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		route, params, err := router.FindRoute(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			t.Errorf("%s: request: %v", name, err)
		}
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: w.Code, Header: w.Header()}
		out.SetBodyBytes(w.Body.Bytes())
		if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
			t.Errorf("%s: answer: %v", name, err)
		}
	}
	call := func(name, method, path string, in any, status int) *httptest.ResponseRecorder {
		t.Helper()
		var b []byte
		if in != nil {
			b, _ = json.Marshal(in)
		}
		w := p.do(method, path, in)
		r := httptest.NewRequest(method, path, bytes.NewReader(b))
		if in != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		check(name, r, b, w, status)
		return w
	}
	r := p.introduction(p.code())
	b, _ := json.Marshal(r)
	w := open(s, "POST", wire.PathEnroll, r)
	plain := httptest.NewRequest("POST", wire.PathEnroll, nil)
	plain.Header.Set("Content-Type", "application/json")
	check("enroll", plain, b, w, 200)
	p.accept(w)
	call("renew", "POST", wire.PathRenew, wire.Renew{Keys: p.keys()}, 200)
	call("time", "GET", wire.PathTime+"?nonce="+token(), nil, 200)
	call("hello", "POST", wire.PathHello, wire.Hello{Terminal: p.id, Epoch: 1, Lanes: map[wire.Lane]wire.LanePoint{}}, 200)
	id := uuid.NewString()
	pushed := p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "SB-P", ReceiptCode: "r", State: "SUBMITTED", At: time.Now()}))
	call("push", "POST", wire.PathPush, pushed, 200)
	call("refill", "POST", wire.PathRefill, pushed, 200)
	call("telemetry", "POST", wire.PathTelemetry, samples(p, 1, 3), 200)
	call("blob state", "GET", wire.PathBlobs+wire.Hash{1}.String(), nil, 200)
	if err := s.Tell(context.Background(), p.id, "notice", map[string]int{"a": 1}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	call("pull", "GET", wire.PathPull+"?after=0&wait=0", nil, 200)
	call("catalogue", "GET", wire.PathCatalogue, nil, 200)
	number := numberOf(t, 1)
	var sent wire.CodeSent
	_ = json.Unmarshal(call("codes", "POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Name: "李晓雯", Number: number}, Visit: "v"}, 200).Body.Bytes(), &sent)
	call("wrong code", "POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: "x"}, 403)
	var ok wire.CodeChecked
	_ = json.Unmarshal(call("right code", "POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: box.code}, 200).Body.Bytes(), &ok)
	call("query", "POST", wire.PathQuery+"sb-info", wire.Query{Token: ok.Token, Visit: "v"}, 200)
	call("query nothing", "POST", wire.PathQuery+"no-such", wire.Query{Token: ok.Token, Visit: "v"}, 404)
	call("lease of nobody's case", "POST", wire.PathLeases, wire.LeaseRequest{ReceiptCode: "none", Token: ok.Token}, 404)
	call("bill of what has no price", "POST", wire.PathBills, wire.BillRequest{Case: "c", Item: "none", Token: ok.Token}, 404)
	var bill wire.Bill
	_ = json.Unmarshal(call("bill", "POST", wire.PathBills, wire.BillRequest{Case: "c", Item: "free", Token: ok.Token}, 200).Body.Bytes(), &bill)
	call("bill again", "GET", wire.PathBills+"/"+bill.Number, nil, 200)
	call("no bill", "GET", wire.PathBills+"/1", nil, 404)
	call("cancel", "POST", wire.PathBills+"/"+bill.Number+"/cancel", struct{}{}, 200)
	call("no channel", "POST", wire.PathBills, wire.BillRequest{Case: "d", Item: "dear", Token: ok.Token}, 503)
	call("notice of no channel", "POST", "/pay/none/notice", struct{}{}, 404)
	call("document", "POST", wire.PathDocuments, wire.DocumentRequest{Key: "k", Kind: "SB-P", Token: ok.Token}, 200)
	call("face without a face server", "POST", wire.PathFaces, wire.FaceCheck{Person: wire.PersonRef{Name: "李晓雯", Number: number}, Visit: "v", Picture: aPhoto(t, 200, 200), Agreed: time.Now()}, 503)
	call("finger without a fingerprint server", "POST", wire.PathFingers, wire.FingerCheck{Person: wire.PersonRef{Name: "李晓雯", Number: number}, Visit: "v", Width: 64, Height: 64, DPI: 500, Pixels: make([]byte, 64*64), Agreed: time.Now()}, 503)
	call("ways", "GET", wire.PathProofs, nil, 200)
	call("nobody on duty", "POST", wire.PathProofs, wire.ProofRequest{Person: wire.PersonRef{Name: "李晓雯", Number: number}, Visit: "v", Shown: wire.ShownCard}, 409)
	call("no call", "GET", wire.PathProofs+"/none", nil, 404)
	if err := s.BeginDuty(t.Context(), "s", time.Hour, Operator{Who: "bai"}); err != nil {
		t.Fatal(err)
	}
	clerk := (&loginRig{Server: s, t: t}).account("bai", staff.Clerk)
	for _, end := range []string{"cancel", "refuse", "confirm"} {
		var call0 wire.Proof
		_ = json.Unmarshal(call("call for staff", "POST", wire.PathProofs, wire.ProofRequest{Person: wire.PersonRef{Name: "李晓雯", Number: number}, Visit: "v", Shown: wire.ShownCard}, 200).Body.Bytes(), &call0)
		switch end {
		case "cancel":
			call("call cancelled", "POST", wire.PathProofs+"/"+call0.ID+"/cancel", struct{}{}, 200)
		case "refuse":
			clerk.send("POST", "/proofs/"+call0.ID, url.Values{"act": {"refuse"}, "reason": {"no-document"}})
		default:
			clerk.send("POST", "/proofs/"+call0.ID, vouching(call0.Number))
		}
		call("call after "+end, "GET", wire.PathProofs+"/"+call0.ID+"?while=open&wait=1", nil, 200)
	}
	call("eligible", "POST", wire.PathCards+"/eligible", wire.CardQuery{Kind: "TID", Visit: "v", Token: ok.Token}, 200)
	call("not eligible", "POST", wire.PathCards+"/eligible", wire.CardQuery{Kind: "TID", Visit: "v", Token: ok.Token, Child: number}, 200)
	a := application(t, "019aa000-card", ok.Token, 1)
	call("application", "POST", wire.PathCards, a, 200)
	call("application again", "GET", wire.PathCards+"/"+a.Key, nil, 200)
	call("application under way", "POST", wire.PathCards+"/eligible", wire.CardQuery{Kind: "TID", Visit: "v", Token: ok.Token}, 200)
	call("permit too early", "POST", wire.PathCards+"/"+a.Key+"/permit", wire.PermitRequest{Blank: "B1"}, 409)
	if err := s.DecideCard(context.Background(), a.Key, 1, true, Operator{Who: "chen"}); err != nil {
		t.Fatal(err)
	}
	call("permit", "POST", wire.PathCards+"/"+a.Key+"/permit", wire.PermitRequest{Blank: "B1"}, 200)
	call("health", "GET", "/healthz", nil, 200)
	call("overview for nobody", "GET", "/overview.json", nil, 401)
	if w := p.do("GET", "/", nil); w.Code != 303 {
		t.Errorf("page for nobody: %d", w.Code)
	}
	for _, is := range []string{"text/html", "text/javascript", "text/css"} {
		openapi3filter.RegisterBodyDecoder(is, openapi3filter.PlainBodyDecoder)
		defer openapi3filter.UnregisterBodyDecoder(is)
	}
	b2 := (&loginRig{Server: s, t: t}).account("gao", staff.Administrator)
	for path, status := range map[string]int{"/overview.json": 200, "/": 200, "/login": 200, "/account": 200, "/cases": 200, "/requests": 200, "/cards": 200, "/cards/" + a.Key: 200, "/cards/none": 404, "/cards/none/photo": 404, "/proofs": 200, "/proofs.json": 200, "/proofs.js": 200, "/enrol": 200, "/events": 200,
		"/operators": 200, "/terminals/990000-0001": 200, "/terminals/none": 404, "/page.js": 200, "/page.css": 200, "/font.otf": 200} {
		check(path, httptest.NewRequest("GET", path, nil), nil, b2.send("GET", path, nil), status)
	}
}

func numberOf(t testing.TB, i int) string {
	t.Helper()
	n, err := completed(seedPeople[i].first17)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Whoever guesses is slowed down, and keeps nobody out who has a code.
func TestGuessersOfCodes(t *testing.T) {
	s, _ := newServer(t)
	p := newPeer(t, s, "990000-0001")
	for range 60 {
		p.enroll(wire.NewCode())
	}
	if w := p.enroll(wire.NewCode()); code(w) != "E-BUSY" {
		t.Errorf("guesses without end: %s", w.Body)
	}
	if w := p.enroll(p.code()); w.Code != 200 {
		t.Errorf("kept out by guesses: %s", w.Body)
	}
}

func TestHostileRequests(t *testing.T) {
	s, _ := newServer(t)
	p := newPeer(t, s, "990000-0001")
	if got := code(p.do("GET", wire.PathCatalogue, nil)); got != "E-TERMINAL" {
		t.Errorf("not enrolled: %s", got)
	}
	if w := p.enroll(wire.NewCode()); code(w) != "E-PROOF" {
		t.Errorf("no code was made: %s", w.Body)
	}
	if w := p.enroll(p.code()); w.Code != 200 {
		t.Fatal(w.Body)
	}
	other := enrolled(t, s, "990000-0002")

	t.Run("another's key", func(t *testing.T) {
		thief := &peer{t: t, s: s, id: p.id, key: other.key, profile: wire.P256, cert: p.cert}
		if got := code(thief.do("GET", wire.PathCatalogue, nil)); got != "E-AUTH" {
			t.Errorf("%s", got)
		}
	})
	t.Run("replay", func(t *testing.T) {
		r := p.request("GET", wire.PathCatalogue, nil)
		for i, want := range []string{"", "E-REPLAY"} {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r.Clone(context.Background()))
			if got := code(w); got != want {
				t.Errorf("time %d: %q", i, got)
			}
		}
	})
	t.Run("tampered body", func(t *testing.T) {
		p.tamper = func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"challenge":"x"}`)) }
		defer func() { p.tamper = nil }()
		if got := code(p.do("POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: "y"})); got != "E-AUTH" {
			t.Errorf("%s", got)
		}
	})
	t.Run("another path", func(t *testing.T) {
		p.tamper = func(r *http.Request) { r.URL.Path = wire.PathHello }
		defer func() { p.tamper = nil }()
		if got := code(p.do("POST", wire.PathCodeCheck, wire.CodeCheck{})); got != "E-AUTH" {
			t.Errorf("%s", got)
		}
	})
	t.Run("another's batch", func(t *testing.T) {
		b := other.batch(other.record(wire.TypeAudit, "", wire.AuditEntry{Event: "e"}))
		if got := code(p.do("POST", wire.PathPush, b)); got != "E-BATCH" {
			t.Errorf("%s", got)
		}
	})
	t.Run("huge body", func(t *testing.T) {
		r := p.request("POST", wire.PathHello, nil)
		r.Body = io.NopCloser(io.LimitReader(zeros{}, 1<<30))
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if code(w) != "E-TOO-LARGE" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("bomb", func(t *testing.T) {
		if _, err := unpack("gzip", bomb(t), 1<<20); err == nil {
			t.Error("a gzip bomb was unpacked")
		}
	})
	t.Run("paths", func(t *testing.T) {
		for _, path := range []string{"/v1/blobs/..%2f..%2fca.key", "/v1/blobs/../ca.key", "/verify/'%20OR%201=1--", "/verify/<script>", "/nothing"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.Path, r.URL.RawPath = strings.ReplaceAll(path, "%2f", "/"), path
			s.Handler().ServeHTTP(w, r)
			if w.Code < 300 || strings.Contains(w.Body.String(), "PRIVATE KEY") || strings.Contains(w.Body.String(), "<script>") {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
	t.Run("names are words, not markup", func(t *testing.T) {
		id := uuid.NewString()
		b := p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "<script>alert(1)</script>", ReceiptCode: "r'); DROP TABLE cases;--", State: "S", At: time.Now()}))
		if w := p.do("POST", wire.PathPush, b); w.Code != 200 {
			t.Fatal(w.Body)
		}
		w := (&loginRig{Server: s, t: t}).account("wang", staff.Viewer).send("GET", "/overview.json", nil)
		if strings.Contains(w.Body.String(), "<script>") || !strings.Contains(w.Body.String(), "DROP TABLE") {
			t.Errorf("%s", w.Body)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPushIsExactlyOnce(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	id := uuid.NewString()
	first := p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: time.Now()}),
		p.record(wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: time.Now()}))
	for range 3 {
		if w := p.do("POST", wire.PathPush, first); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	all, err := s.Cases(context.Background(), 10)
	if err != nil || len(all) != 1 || all[0].Times != 1 || all[0].State != "CLOSED" {
		t.Errorf("%+v %v", all, err)
	}
	tallied(t, s)
	// a gap is refused, and so is another history
	p.record(wire.TypeAudit, "", wire.AuditEntry{Event: "skipped"})
	gap := p.batch(p.record(wire.TypeAudit, "", wire.AuditEntry{Event: "after"}))
	if got := code(p.do("POST", wire.PathPush, gap)); got != "E-GAP" {
		t.Errorf("gap: %s", got)
	}
	p.last = first.Records[0].Header
	fork := p.batch(p.record(wire.TypeCaseState, id, wire.CaseState{State: "OTHER", At: time.Now()}))
	if got := code(p.do("POST", wire.PathPush, fork)); got != "E-FORK" {
		t.Errorf("fork: %s", got)
	}
	// what cannot be understood is kept in quarantine and does not block
	p.last = first.Records[1].Header
	odd := p.batch(p.record("no.such.type", id, map[string]int{"x": 1}), p.record(wire.TypeCaseState, id, map[string]int{"state": 7}))
	w := p.do("POST", wire.PathPush, odd)
	var ack wire.Ack
	if err := json.Unmarshal(w.Body.Bytes(), &ack); err != nil || ack.High != 4 || ack.Outcomes[0].Status != wire.Quarantined || ack.Outcomes[1].Status != wire.Quarantined {
		t.Errorf("%s", w.Body)
	}
	if !wire.Verify(&s.keys.sign.PublicKey, ack.SigningBytes(), ack.Signature) {
		t.Error("ack is not signed")
	}
	p.last = odd.Records[1].Header
	rated := p.batch(p.record(wire.TypeRating, id, wire.Rating{Level: "5", At: time.Now()}), p.record(wire.TypeRating, id, wire.Rating{At: time.Now()}))
	for range 2 {
		if w := p.do("POST", wire.PathPush, rated); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	if sum := tallied(t, s); sum != (Tally{Records: 6, Quarantined: 2, Cases: 1, Ratings: 1}) {
		t.Errorf("%+v", sum)
	}
}

// tallied is what the overview counts, which is what there is.
func tallied(t *testing.T, s *Server) (sum Tally) {
	t.Helper()
	n, err := s.Received(t.Context())
	if err == nil {
		err = s.store.View(t.Context(), func(tx Tx) (err error) { sum, err = tx.Tallies(); return err })
	}
	if want := (Tally{int64(n.Records), int64(n.Quarantined), int64(n.Cases), int64(n.Ratings), int64(n.Documents)}); err != nil || sum != want {
		t.Errorf("counted %+v, there are %+v, %v", sum, want, err)
	}
	return sum
}

// TestWhatATerminalShowsIsInTheDocument reads the codes off the engine's source: whoever is shown one looks it up.
func TestWhatATerminalShowsIsInTheDocument(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "service", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	document, shown := string(errorCodes()), regexp.MustCompile(`"(E-[A-Z0-9-]*[A-Z0-9]-?)"`)
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range shown.FindAllStringSubmatch(string(src), -1) {
			found++
			code := m[1]
			if strings.HasSuffix(code, "-") {
				code += "*"
			}
			if !strings.Contains(document, "`"+code+"`") {
				t.Errorf("%s: %s is shown and not in docs/error-codes.md", f, code)
			}
		}
	}
	if found < 50 {
		t.Fatalf("only %d codes found: the search is broken", found)
	}
}

func TestErrorCodesDocumentIsNotStale(t *testing.T) {
	want := errorCodes()
	path := filepath.Join("..", "docs", "error-codes.md")
	got, err := os.ReadFile(path)
	if os.Getenv("BUDAYANG_UPDATE") != "" {
		err = os.WriteFile(path, want, 0o644)
		got = want
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/error-codes.md is stale (BUDAYANG_UPDATE=1 go test ./platform writes it): %v", err)
	}
	seen := map[string]bool{}
	for _, e := range Registry {
		if seen[e.Code] || !ascii(e.Code) || e.Meaning == "" || e.Then == "" {
			t.Errorf("entry %+v", e)
		}
		seen[e.Code] = true
	}
}

func ascii(s string) bool {
	for _, r := range s {
		if !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
			return false
		}
	}
	return strings.HasPrefix(s, "E-")
}

func FuzzAuthHeader(f *testing.F) {
	f.Add(`BUDAYANG-P256 terminal="990000-0001",time="1",nonce="0123456789abcdef",signature="AAAA"`)
	f.Add(`BUDAYANG-P256 terminal="a",terminal="b"`)
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, h string) {
		c, err := parseAuth(h)
		if err == nil && (!terminalID.MatchString(c.terminal) || len(c.signature) == 0) {
			t.Errorf("%q was accepted as %+v", h, c)
		}
	})
}

func FuzzPushBody(f *testing.F) {
	f.Add([]byte(`{"v":1,"terminal":"990000-0001","epoch":1,"lane":"tx","records":[{"v":1,"seq":1,"body":{}}]}`))
	f.Add([]byte(`{"records":[null]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var batch wire.Batch
		if decode(b, &batch) != nil {
			return
		}
		if _, err := checkBatch(batch); err == nil {
			for _, r := range batch.Records {
				_, _ = interpret(r)
			}
			_ = batch.SigningBytes()
		}
	})
}

// What a camera leaves behind a picture is no fault of it; what was cut short is no picture, a preview within it or not.
func TestFaceCameWhole(t *testing.T) {
	whole, preview := aPhoto(t, 200, 200), aPhoto(t, 64, 64)
	nested := slices.Concat(whole[:2], []byte{0xff, 0xe1, byte((len(preview) + 2) >> 8), byte(len(preview) + 2)}, preview, whole[2:])
	scan := bytes.LastIndex(whole, []byte(markJPEGScan))
	for _, c := range []struct {
		what string
		b    []byte
		is   bool
	}{
		{"whole", whole, true},
		{"with a camera's zeros behind it", slices.Concat(whole, make([]byte, 700)), true},
		{"with a preview", nested, true},
		{"without its last byte", whole[:len(whole)-1], false},
		{"half of it", whole[:len(whole)/2], false},
		{"without its scan", slices.Concat(whole[:scan], []byte(markJPEGEnd)), false},
		{"cut, with a preview", nested[:len(nested)-100], false},
		{"as large as it may be", slices.Concat(whole, make([]byte, faceBytes-len(whole))), true},
		{"a byte larger", slices.Concat(whole, make([]byte, faceBytes-len(whole)+1)), false},
	} {
		if err := checkFace(c.b); (err == nil) != c.is {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func FuzzPictures(f *testing.F) {
	for _, b := range [][]byte{aPhoto(f, photoW, photoH), aPhoto(f, 64, 64), someInk(f, true), someInk(f, false), []byte(markJPEG + markJPEGEnd), []byte("GIF89a")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		photo, face, ink := checkPhoto(b), checkFace(b), checkInk(b)
		if photo == nil && (face != nil || ink == nil) {
			t.Error("a photo that no camera could have made, or that is ink")
		}
	})
}

func FuzzRegisterEntry(f *testing.F) {
	e, err := seededRegister{time.Now}.CardPerson(f.Context(), numberOf(f, 0), "")
	if err != nil {
		f.Fatal(err)
	}
	good, _ := json.Marshal(e)
	f.Add(good)
	f.Add([]byte(`{"number":"1","vouchers":[{"number":"x"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readEntry(b, e.Number)
		if err == nil && (got.Number != e.Number || got.Name == "" || len(got.Vouchers) > entryVouchers) {
			t.Errorf("%+v", got)
		}
	})
}
