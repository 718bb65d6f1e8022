package link

// Nobody gets in: attempts over a real line, each refused by the server itself and to be seen by an operator afterwards. The
// intruder is written from the protocol's document; what it holds was enrolled by it, stolen, or made by it.

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// intruder is whoever speaks the protocol with keys and a certificate of its choice.
type intruder struct {
	t    *testing.T
	c    *city
	id   string
	key  *ecdsa.PrivateKey
	cert []byte // shown in TLS; nil shows none
	off  time.Duration
}

func newIntruder(t *testing.T, c *city, id string) *intruder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &intruder{t: t, c: c, id: id, key: key}
}

// admitted is one that its city let in with a code.
func admitted(t *testing.T, c *city, id string) *intruder {
	t.Helper()
	x := newIntruder(t, c, id)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: id}}, x.key)
	if err != nil {
		t.Fatal(err)
	}
	e := wire.Enroll{Terminal: id, Site: "s", Name: "n", Keys: wire.Keys{Nonce: nonceOf(), CSR: csr, Profile: wire.P256}}
	key, err := wire.CodeKey(id, c.code(t, id))
	if err != nil {
		t.Fatal(err)
	}
	e.Proof = ed25519.Sign(key, e.SigningBytes())
	var in wire.Enrolled
	if got := x.send(x.request("POST", wire.PathEnroll, e), &in); got != "" {
		t.Fatal(got)
	}
	x.cert = in.Certificate
	return x
}

func nonceOf() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// asked is a request that can be sent again as it is.
type asked struct {
	method, path string
	header       http.Header
	body         []byte
}

// request is signed with the intruder's key.
func (x *intruder) request(method, path string, in any) asked {
	x.t.Helper()
	body, is := in.([]byte)
	if !is && in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			x.t.Fatal(err)
		}
	}
	ms, nonce := time.Now().Add(x.off).UnixMilli(), nonceOf()
	sig, err := wire.Sign(x.key, wire.RequestSigningBytes(method, path, ms, nonce, sha256.Sum256(body)))
	if err != nil {
		x.t.Fatal(err)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	h.Set("Authorization", fmt.Sprintf(`%s terminal="%s",time="%d",nonce="%s",signature="%s"`, wire.AuthScheme, x.id, ms, nonce, base64.StdEncoding.EncodeToString(sig)))
	return asked{method, path, h, body}
}

// send tells with which code it was refused; "" when it was not.
func (x *intruder) send(a asked, out any) string {
	x.t.Helper()
	pem, err := os.ReadFile(x.c.ca)
	if err != nil {
		x.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	with := &tls.Config{RootCAs: roots, Time: func() time.Time { return time.Now().Add(x.off) }}
	if x.cert != nil {
		with.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{x.cert}, PrivateKey: x.key}, nil
		}
	}
	tr := &http.Transport{TLSClientConfig: with}
	defer tr.CloseIdleConnections()
	at, err := url.Parse(x.c.url)
	if err != nil {
		x.t.Fatal(err)
	}
	path, query, _ := strings.Cut(a.path, "?")
	at.Opaque, at.RawQuery = "//"+at.Host+path, query // as it is spelt
	req := (&http.Request{Method: a.method, URL: at, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body))}).WithContext(x.t.Context())
	resp, err := tr.RoundTrip(req)
	if err != nil {
		x.t.Fatalf("%s %s: %v", a.method, a.path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		x.t.Fatal(err)
	}
	if resp.StatusCode < 400 {
		if out != nil {
			if err := json.Unmarshal(raw, out); err != nil {
				x.t.Fatal(err)
			}
		}
		return ""
	}
	var e wire.Error
	if json.Unmarshal(raw, &e) != nil || e.Code == "" {
		return resp.Status
	}
	return e.Code
}

// batch is a signed batch of the tx lane, from its beginning.
func (x *intruder) batch(typ, caseID string, body any) wire.Batch {
	x.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	r := wire.Record{Header: wire.Header{V: wire.Version, Terminal: x.id, Epoch: 1, Lane: wire.LaneTx, Seq: 1, ID: uuid.Must(uuid.NewV7()).String(), Case: caseID,
		Type: typ, Schema: 1, Wall: time.Now().UTC().Truncate(time.Millisecond), Boot: "b"}, Body: b}
	r.BodyHash = wire.HashBody(r.Salt, r.Body)
	out := wire.Batch{V: wire.Version, Terminal: x.id, Epoch: 1, Lane: wire.LaneTx, Records: []wire.Record{r}}
	if out.Signature, err = wire.Sign(x.key, out.SigningBytes()); err != nil {
		x.t.Fatal(err)
	}
	return out
}

func TestNobodyGetsIn(t *testing.T) {
	var mu sync.Mutex
	shift := time.Duration(0)
	c := newCityWith(t, platform.Config{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(shift) }})
	elsewhere := newCity(t)
	at := time.Now()
	victim, thief := admitted(t, c, "990000-0001"), admitted(t, c, "990000-0002")
	if got := victim.send(victim.request("GET", wire.PathCatalogue, nil), nil); got != "" {
		t.Fatalf("the terminal itself: %s", got)
	}
	caseID := uuid.NewString()
	opened := victim.batch(wire.TypeCaseOpened, caseID, wire.CaseOpened{Item: "i", ReceiptCode: "r", State: "SUBMITTED", At: at})
	pushed := victim.request("POST", wire.PathPush, opened)
	if got := victim.send(pushed, nil); got != "" {
		t.Fatalf("its first batch: %s", got)
	}
	var sent wire.CodeSent
	ask := wire.CodeRequest{Person: wire.PersonRef{Name: people[1][0], Number: complete(t, people[1][1])}, Visit: "v"}
	if got := victim.send(victim.request("POST", wire.PathCode, ask), &sent); got != "" {
		t.Fatal(got)
	}
	var tok wire.CodeChecked
	if got := victim.send(victim.request("POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: c.phone.last()}), &tok); got != "" {
		t.Fatal(got)
	}
	use := func(x *intruder) asked {
		return x.request("POST", wire.PathQuery+"sb-info", wire.Query{Token: tok.Token, Visit: "v"})
	}

	far := admitted(t, elsewhere, "990000-0001")
	far.c = c
	selfMade := newIntruder(t, c, "990000-0001")
	self, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "990000-0001"}, NotBefore: at.Add(-time.Hour),
		NotAfter: at.Add(time.Hour), IsCA: true, BasicConstraintsValid: true}, &x509.Certificate{Subject: pkix.Name{CommonName: "990000-0001"}}, &selfMade.key.PublicKey, selfMade.key)
	if err != nil {
		t.Fatal(err)
	}
	selfMade.cert = self
	bare := &intruder{t: t, c: c, id: victim.id, key: victim.key}
	disguised := &intruder{t: t, c: c, id: victim.id, key: thief.key, cert: thief.cert}
	injected := &intruder{t: t, c: c, id: "x' OR '1'='1", key: thief.key, cert: thief.cert}

	for _, a := range []struct {
		what     string
		by       *intruder
		send     asked
		want     string
		recorded string // which terminal the record names
	}{
		{"a certificate of another city's authority", far, far.request("GET", wire.PathCatalogue, nil), "E-CERT", victim.id},
		{"a certificate of one's own making", selfMade, selfMade.request("GET", wire.PathCatalogue, nil), "E-CERT", victim.id},
		{"the right key without a certificate", bare, bare.request("GET", wire.PathCatalogue, nil), "E-CERT", victim.id},
		{"another terminal's certificate and key", disguised, disguised.request("GET", wire.PathCatalogue, nil), "E-CERT", victim.id},
		{"a stolen token", thief, use(thief), "E-TOKEN", thief.id},
		{"a batch once more, as it was", victim, pushed, "E-REPLAY", victim.id},
		{"another terminal's batch", thief, thief.request("POST", wire.PathPush, opened), "E-BATCH", thief.id},
		{"a hello of another terminal", thief, thief.request("POST", wire.PathHello, wire.Hello{Terminal: victim.id, Epoch: 1}), "E-MALFORMED", thief.id},
		{"a path out of the blobs", thief, thief.request("GET", wire.PathBlobs+"..%2f..%2fca.key", nil), "E-MALFORMED", thief.id},
		{"a statement as a terminal", injected, injected.request("GET", wire.PathCatalogue, nil), "E-AUTH", ""},
		{"a statement as a service", thief, thief.request("POST", wire.PathQuery+"x'%3BDROP%20TABLE%20cases--", wire.Query{Token: "t", Visit: "v"}), "E-NOT-FOUND", thief.id},
		{"a statement as a receipt code", thief, thief.request("POST", wire.PathLeases, wire.LeaseRequest{ReceiptCode: "' OR 1=1 --", Token: "t"}), "E-TOKEN", thief.id},
		{"more than a body may hold", thief, thief.request("POST", wire.PathHello, bytes.Repeat([]byte(" "), 40<<20)), "E-TOO-LARGE", thief.id},
	} {
		t.Run(a.what, func(t *testing.T) {
			a.by.t = t
			if got := a.by.send(a.send, nil); got != a.want {
				t.Errorf("%q, want %s", got, a.want)
			}
			c.kept(t, a.want, a.recorded)
		})
	}
	t.Run("another terminal's case", func(t *testing.T) {
		thief.t = t
		var ack wire.Ack
		b := thief.batch(wire.TypeCaseState, caseID, wire.CaseState{State: "CLOSED", At: at})
		if got := thief.send(thief.request("POST", wire.PathPush, b), &ack); got != "" || len(ack.Outcomes) != 1 || ack.Outcomes[0].Status != wire.Quarantined {
			t.Errorf("%q %+v", got, ack.Outcomes)
		}
		all, err := c.Cases(t.Context(), 10)
		if err != nil || len(all) != 1 || all[0].State != "SUBMITTED" || all[0].Terminal != victim.id {
			t.Errorf("%+v, %v", all, err)
		}
		events, err := c.SecurityEvents(t.Context(), 1000)
		if err != nil || !strings.Contains(fmt.Sprint(events), "case of another terminal") {
			t.Errorf("it is not among the security events: %v", err)
		}
	})
	t.Run("files", func(t *testing.T) {
		var out bytes.Buffer
		stick := newTerminal(t, elsewhere, t.TempDir(), "990000-0003")
		t.Cleanup(func() { _ = stick.Close() })
		if err := stick.client.Enroll(t.Context(), "s", "n", elsewhere.code(t, "990000-0003")); err != nil {
			t.Fatal(err)
		}
		if _, err := stick.files().Export(&out, wire.MaxFileBytes, "technician.1", "removable"); err != nil {
			t.Fatal(err)
		}
		ours := newTerminal(t, c, t.TempDir(), "990000-0003")
		t.Cleanup(func() { _ = ours.Close() })
		if err := ours.client.Enroll(t.Context(), "s", "n", c.code(t, "990000-0003")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Import(t.Context(), &out, io.Discard); err == nil {
			t.Error("another city's file was taken")
		}
		c.kept(t, platform.CodeFile, "990000-0003")
		// One of a terminal that was put out.
		out.Reset()
		if _, err := ours.files().Export(&out, wire.MaxFileBytes, "technician.1", "removable"); err != nil {
			t.Fatal(err)
		}
		if err := c.Revoke(t.Context(), "990000-0003", platform.Operator{Who: "chen", Why: "stolen"}); err != nil {
			t.Fatal(err)
		}
		before := len(c.refusals(t, platform.CodeFile, "990000-0003"))
		if _, err := c.Import(t.Context(), &out, io.Discard); err == nil {
			t.Error("a revoked terminal's file was taken")
		}
		if n := len(c.refusals(t, platform.CodeFile, "990000-0003")); n != before+1 {
			t.Errorf("%d refusals of files are kept, were %d", n, before)
		}
	})
	t.Run("revoked", func(t *testing.T) {
		thief.t = t
		if err := c.Revoke(t.Context(), thief.id, platform.Operator{Who: "chen", Why: "stolen"}); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{wire.PathCatalogue, wire.PathPull + "?after=0&wait=0"} {
			if got := thief.send(thief.request("GET", path, nil), nil); got != "E-REVOKED" && got != "E-CERT" {
				t.Errorf("%s: %q", path, got)
			}
		}
		if len(c.refusals(t, "E-REVOKED", thief.id))+len(c.refusals(t, "E-CERT", thief.id)) == 0 {
			t.Error("it is not among the security events")
		}
	})
	t.Run("expired", func(t *testing.T) {
		victim.t = t
		mu.Lock()
		shift = 2 * 365 * 24 * time.Hour
		victim.off = shift
		mu.Unlock()
		if got := victim.send(victim.request("GET", wire.PathCatalogue, nil), nil); got != "E-CERT-EXPIRED" {
			t.Errorf("%q", got)
		}
		c.kept(t, "E-CERT-EXPIRED", victim.id)
	})
}

// refusals are the security events of a code about a terminal.
func (c *city) refusals(t *testing.T, code, terminal string) (some []platform.SecurityEvent) {
	t.Helper()
	all, err := c.SecurityEvents(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Event == "refused" && e.Code == code && e.Terminal == terminal {
			some = append(some, e)
		}
	}
	return some
}

// kept wants a refusal among the security events.
func (c *city) kept(t *testing.T, code, terminal string) {
	t.Helper()
	if len(c.refusals(t, code, terminal)) == 0 {
		t.Errorf("%s of %q is not among the security events", code, terminal)
	}
}

func (x *terminal) files() uplink.Files {
	return uplink.Files{Journal: x.Journal, Identity: x.id}
}
