package conform

// A test terminal: its keys, its line, and requests that may be wrong on purpose.

import (
	"bytes"
	"compress/gzip"
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
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// session is one run.
type session struct {
	cfg         Config
	base        *url.URL
	bare        *http.Client // shows no certificate
	mine, other *terminal
	offset      time.Duration // platform's clock minus ours, once it was asked
	seen        watch
	person      verified
	// faces and fingers are where they are once they were asked about.
	faces, fingers *comparing
}

// watch remembers what was wrong with answers of any kind, at most a few of each.
type watch struct {
	mu                sync.Mutex // one request may be held back while another is sent
	answers, refusals int
	badErrors         []string
	badDates          []string
}

// terminal is one of the test terminals.
type terminal struct {
	s        *session
	id, code string
	tlsKey   *ecdsa.PrivateKey
	key      crypto.Signer
	platform *ecdsa.PublicKey // signs for this terminal; nil until it is enrolled
	http     *http.Client
	epoch    uint32
	places   map[wire.Lane]wire.LanePoint
}

func newSession(c Config, base *url.URL) (*session, error) {
	s := &session{cfg: c, base: base}
	s.bare = s.client(nil)
	var err error
	if s.mine, err = s.terminal(c.Enrolments[0]); err == nil {
		s.other, err = s.terminal(c.Enrolments[1])
	}
	return s, err
}

func (s *session) close() {
	s.bare.CloseIdleConnections()
	for _, t := range []*terminal{s.mine, s.other} {
		if t.http != nil {
			t.http.CloseIdleConnections()
		}
	}
}

func (s *session) client(cert *tls.Certificate) *http.Client {
	t := &tls.Config{RootCAs: s.cfg.Roots, MinVersion: tls.VersionTLS12}
	if cert != nil {
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return &http.Client{Timeout: s.cfg.Patience, Transport: &http.Transport{DialContext: s.cfg.Dial, TLSClientConfig: t, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *session) terminal(e Enrolment) (*terminal, error) {
	t := &terminal{s: s, id: e.Terminal, code: e.Code, epoch: 1, places: map[wire.Lane]wire.LanePoint{}}
	return t, t.newKeys()
}

func (t *terminal) newKeys() (err error) {
	if t.tlsKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	t.key = t.tlsKey
	if t.s.cfg.Profile != wire.P256 {
		t.key, err = wire.NewKey(t.s.cfg.Profile)
	}
	return err
}

// ready skips what needs an enrolled terminal.
func (s *session) ready() error {
	if s.mine.http == nil || s.other.http == nil {
		return skip("the test terminals are not enrolled")
	}
	return nil
}

func nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// ask is what the terminal wants certified.
func (t *terminal) ask() (k wire.Keys, err error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: t.id}}, t.tlsKey)
	if err != nil {
		return k, err
	}
	k = wire.Keys{Nonce: nonce(), CSR: csr, Profile: t.s.cfg.Profile}
	if k.Profile != wire.P256 {
		if k.SignKey, err = wire.MarshalPublicKey(t.key); err != nil {
			return k, err
		}
		k.SignProof, err = wire.Sign(t.key, k.SigningBytes(t.id))
	}
	return k, err
}

// introduction is an enrolment under a code's proof.
func (t *terminal) introduction(code string) (e wire.Enroll, err error) {
	e = wire.Enroll{Terminal: t.id, Site: "conformance", Name: "conformance"}
	if e.Keys, err = t.ask(); err != nil {
		return e, err
	}
	key, err := wire.CodeKey(t.id, code)
	if err != nil {
		return e, err
	}
	e.Proof = ed25519.Sign(key, e.SigningBytes())
	return e, nil
}

// signingKey is the key of a signing certificate that the authority vouches for.
func (s *session) signingKey(der []byte) (*ecdsa.PublicKey, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("signing_cert is not a certificate")
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: s.cfg.Roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, errors.New("signing_cert is not by the authority")
	}
	if !named(c, wire.NameSigning) {
		return nil, errors.New("signing_cert is not named " + wire.NameSigning)
	}
	k, is := c.PublicKey.(*ecdsa.PublicKey)
	if !is || k.Curve != elliptic.P256() {
		return nil, errors.New("signing_cert's key is not on P-256")
	}
	return k, nil
}

func named(c *x509.Certificate, name string) bool {
	for _, u := range c.URIs {
		if u.String() == name {
			return true
		}
	}
	return false
}

// accept examines the answer of an enrolment or a renewal and goes over to its certificate.
func (t *terminal) accept(a answer, k wire.Keys) error {
	var out wire.Enrolled
	if err := a.read(&out); err != nil {
		return err
	}
	signing, err := t.s.signingKey(out.SigningCert)
	if err != nil {
		return err
	}
	switch {
	case !wire.Verify(signing, out.SigningBytes(), out.Signature):
		return errors.New("an answer whose signature does not verify")
	case out.Terminal != t.id || out.Nonce != k.Nonce || out.Profile != k.Profile:
		return errors.New("an answer for another terminal, nonce or profile")
	case len(out.SealKey) != 32:
		return fmt.Errorf("a seal_key of %d bytes", len(out.SealKey))
	}
	pub, p, err := wire.ParsePublicKey(out.PlatformKey)
	if err != nil || p != k.Profile {
		return errors.New("a platform_key that is not of the terminal's profile")
	}
	leaf, err := x509.ParseCertificate(out.Certificate)
	if err != nil {
		return errors.New("a certificate that cannot be read")
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: t.s.cfg.Roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return errors.New("a certificate that is not by the authority, or not for a client")
	}
	if !named(leaf, wire.NameTerminal+t.id) || !t.tlsKey.PublicKey.Equal(leaf.PublicKey) {
		return errors.New("a certificate of another name or key")
	}
	t.platform = pub
	t.http = t.s.client(&tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: t.tlsKey, Leaf: leaf})
	return nil
}

// request is one that a terminal sends; the zero value of a field is what is right.
type request struct {
	method, path string
	body         any // []byte goes as it is
	kind         string
	zip          bool
	off          time.Duration // off the right time
	nonce        string
	unsigned     bool
	bare         bool                // no client certificate
	tamper       func(*http.Request) // after the signature
}

// answer is what came.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (t *terminal) post(ctx context.Context, path string, body any) (answer, error) {
	return t.send(ctx, request{method: "POST", path: path, body: body})
}

func (t *terminal) get(ctx context.Context, path string) (answer, error) {
	return t.send(ctx, request{method: "GET", path: path})
}

// send sends a request, and again when the platform says that it is busy.
func (t *terminal) send(ctx context.Context, q request) (a answer, err error) {
	for try := 0; ; try++ {
		if a, err = t.once(ctx, q); err != nil || a.code() != "E-BUSY" || try == 5 {
			return a, err
		}
		var e wire.Error
		_ = json.Unmarshal(a.body, &e)
		select {
		case <-time.After(max(100*time.Millisecond, min(time.Duration(e.RetryAfterMS)*time.Millisecond, 30*time.Second))):
		case <-ctx.Done():
			return a, context.Cause(ctx)
		}
	}
}

func (t *terminal) once(ctx context.Context, q request) (answer, error) {
	body, is := q.body.([]byte)
	if !is && q.body != nil {
		var err error
		if body, err = json.Marshal(q.body); err != nil {
			return answer{}, err
		}
	}
	if q.zip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body)
		_ = z.Close()
		body = b.Bytes()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, strings.TrimSuffix(t.s.base.String(), "/")+q.path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if q.kind == "" {
		q.kind = "application/json"
	}
	r.Header.Set("Content-Type", q.kind)
	if q.zip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	if q.nonce == "" {
		q.nonce = nonce()
	}
	if !q.unsigned {
		ms := time.Now().Add(t.s.offset + q.off).UnixMilli()
		sig, err := wire.Sign(t.key, wire.RequestSigningBytes(q.method, r.URL.RequestURI(), ms, q.nonce, sha256.Sum256(body)))
		if err != nil {
			return answer{}, err
		}
		r.Header.Set("Authorization", fmt.Sprintf(`%s terminal="%s",time="%d",nonce="%s",signature="%s"`,
			t.s.cfg.Profile.Scheme(), t.id, ms, q.nonce, base64.StdEncoding.EncodeToString(sig)))
	}
	if q.tamper != nil {
		q.tamper(r)
	}
	c := t.http
	if c == nil || q.bare {
		c = t.s.bare
	}
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, noAnswer(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxAnswerBytes+1))
	if err != nil {
		return answer{}, noAnswer(err)
	}
	a := answer{resp.StatusCode, resp.Header, raw}
	t.s.seen.note(q, a, time.Now().Add(t.s.offset))
	return a, nil
}

var errNoAnswer = errors.New("no answer")

// noAnswer takes the address out of an error: it may carry a query.
func noAnswer(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("%w: %w", errNoAnswer, err)
}

// note looks at what every answer must have, whatever was asked.
func (w *watch) note(q request, a answer, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers++
	what := q.method + " " + strings.SplitN(q.path, "?", 2)[0]
	d, err := http.ParseTime(a.header.Get("Date"))
	if off := now.Sub(d).Abs(); (err != nil || off > time.Minute) && len(w.badDates) < 3 {
		w.badDates = append(w.badDates, fmt.Sprintf("%s: Date %.40q", what, a.header.Get("Date")))
	}
	if a.status/100 == 2 || q.method == http.MethodHead {
		return
	}
	w.refusals++
	if status, known := registry[a.code()]; (!known || status != a.status || !a.json()) && len(w.badErrors) < 3 {
		w.badErrors = append(w.badErrors, what+": "+a.String())
	}
}

func (a answer) json() bool {
	mt, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return mt == "application/json"
}

// code is the registered error of an answer that is not 2xx.
func (a answer) code() string {
	var e wire.Error
	if a.status/100 == 2 || json.Unmarshal(a.body, &e) != nil {
		return ""
	}
	return e.Code
}

// String is short and shows nothing of a body but an error's code.
func (a answer) String() string {
	if a.status/100 == 2 {
		return fmt.Sprintf("HTTP %d", a.status)
	}
	if c := a.code(); c != "" {
		return fmt.Sprintf("HTTP %d %.40q", a.status, c)
	}
	return fmt.Sprintf("HTTP %d without an error code", a.status)
}

// read decodes an answer of 200.
func (a answer) read(v any) error {
	switch {
	case a.status != http.StatusOK:
		return errors.New(a.String())
	case len(a.body) > wire.MaxAnswerBytes:
		return fmt.Errorf("an answer of more than %d bytes", wire.MaxAnswerBytes)
	case !a.json():
		return fmt.Errorf("content type %.60q", a.header.Get("Content-Type"))
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return errors.New("an answer that cannot be read as JSON of its schema")
	}
	return nil
}

// refused is nil when the answer is one of these errors.
func refused(a answer, err error, codes ...string) error {
	if err != nil {
		return err
	}
	for _, c := range codes {
		if a.code() == c && a.status == registry[c] {
			return nil
		}
	}
	return errors.New(a.String())
}
