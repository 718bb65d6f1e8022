package uplink

// The client: one method for each call of the platform's API.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// ErrUnreachable: no answer came at all.
var ErrUnreachable = errors.New("platform cannot be reached")

// ErrGarbled: an answer came that is not the protocol's (HTML, half a body, too much of it).
var ErrGarbled = errors.New("platform's answer cannot be understood")

// StatusError is an answer that is not 2xx.
type StatusError struct {
	Status     int
	Body       wire.Error // Code is "" when the body was not the protocol's
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	if e.Body.Code == "" {
		return fmt.Sprintf("platform answers %d", e.Status)
	}
	return fmt.Sprintf("platform answers %d %s", e.Status, e.Body.Code)
}

// Client speaks with one platform. Its methods may be called from any goroutine.
type Client struct {
	base  *url.URL
	id    *Identity
	roots *x509.CertPool
	now   func() time.Time
	clock clock
	proxy *url.URL // nil speaks with the platform directly

	mu     sync.Mutex
	line   *line
	visits *line // for what is asked for a person who stands there: see [Client.Forget]

	// certifying is held from asking for a certificate to having it: of two that are asked for at once the platform keeps the one that it
	// gave last, and the other one is worth nothing.
	certifying sync.Mutex
}

// line is connections that are spoken over with one certificate. The buffers of a connection hold what went through it last, in both
// directions, as long as it is there.
type line struct {
	who  *credentials
	http *http.Client
}

// NewClient trusts exactly the authorities in the PEM file ca.
func NewClient(base, ca string, id *Identity) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" {
		return nil, fmt.Errorf("platform address %q: expected https://…", base)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("platform authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("platform authority: %s holds no certificate", ca)
	}
	return &Client{base: u, id: id, roots: roots, now: time.Now}, nil
}

// ofVisits are what is asked for a person, with what is known of them in question or answer.
var ofVisits = []string{wire.PathCode, wire.PathFaces, wire.PathFingers, wire.PathProofs, wire.PathQuery, wire.PathDocuments, wire.PathCards}

// How long connections are kept of which nobody needs anything.
const (
	lineIdle   = 90 * time.Second
	visitsIdle = 10 * time.Second // also of one that was busy when its visit ended
)

// speaker is the line for a path, of the present certificate. After a renewal the old line's connections are let go, as each was opened
// with the certificate of its day.
func (c *Client) speaker(path string) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, idle := &c.line, lineIdle
	if slices.ContainsFunc(ofVisits, func(of string) bool { return strings.HasPrefix(path, of) }) {
		at, idle = &c.visits, visitsIdle
	}
	who := c.id.now.Load()
	if *at != nil && (*at).who == who {
		return *at
	}
	(*at).end()
	*at = &line{who: who, http: c.dial(&tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12, Time: c.Now,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if who.cert == nil {
				return &tls.Certificate{}, nil
			}
			return who.cert, nil
		}}, idle)}
	return *at
}

// end lets a line's connections go, those that are busy when they are not any more.
func (l *line) end() {
	if l != nil {
		l.http.CloseIdleConnections()
	}
}

// Forget lets the connections go over which something was asked for a person, when their visit is over.
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visits.end()
	c.visits = nil
}

func (c *Client) dial(t *tls.Config, idle time.Duration) *http.Client {
	var proxy func(*http.Request) (*url.URL, error)
	if c.proxy != nil {
		proxy = http.ProxyURL(c.proxy)
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                 proxy,
			TLSClientConfig:       t,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: wire.MaxInboxWait + 10*time.Second,
			IdleConnTimeout:       idle,
			MaxIdleConnsPerHost:   4,
			ForceAttemptHTTP2:     true,
		},
	}
}

// reconnect lets the connections go that were opened with an earlier certificate.
func (c *Client) reconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range []**line{&c.line, &c.visits} {
		(*at).end()
		*at = nil
	}
}

// UseProxy has every connection made through an HTTP proxy, which sees host and port of the platform and nothing else: TLS is spoken
// with the platform itself. Call it before anything else.
func (c *Client) UseProxy(u *url.URL) { c.proxy = u }

// UseClock makes the client take the time from elsewhere than the machine's clock. Call it before anything else.
func (c *Client) UseClock(now func() time.Time) { c.now = now }

// Close lets idle connections go.
func (c *Client) Close() { c.reconnect() }

// call sends one request and decodes its answer into out (nil ignores it).
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any, zip bool) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return c.send(ctx, method, path, query, body, "application/json", out, zip)
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, body []byte, kind string, out any, zip bool) error {
	if zip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body)
		if err := z.Close(); err != nil {
			return err
		}
		body = b.Bytes()
	}
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Accept", "application/json")
	if zip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	c.settle(ctx)
	l, began := c.speaker(path), c.now()
	if path != wire.PathEnroll {
		if err := l.who.authorize(req, c.id.Terminal, body, c.Now()); err != nil {
			return err
		}
	}
	resp, err := l.http.Do(req)
	if err != nil {
		c.doubt(err)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %w", ErrUnreachable, bare(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxAnswerBytes+1))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%w: half a body: %w", ErrGarbled, bare(err))
	case len(raw) > wire.MaxAnswerBytes:
		return fmt.Errorf("%w: more than %d bytes", ErrGarbled, wire.MaxAnswerBytes)
	}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil && !query.Has(holding) {
		c.sync(t, began)
	}
	if resp.StatusCode/100 != 2 {
		err := refusal(resp, raw)
		c.heed(err)
		return err
	}
	if out == nil {
		return nil
	}
	if mt, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mt != "application/json" {
		return fmt.Errorf("%w: %q instead of JSON", ErrGarbled, mt)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	return nil
}

// bare takes the address out of an error: it may carry a query.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func refusal(resp *http.Response, raw []byte) error {
	e := &StatusError{Status: resp.StatusCode}
	if json.Unmarshal(raw, &e.Body) != nil || len(e.Body.Code) > 64 {
		e.Body = wire.Error{}
	}
	e.RetryAfter = time.Duration(e.Body.RetryAfterMS) * time.Millisecond
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && e.RetryAfter == 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	e.RetryAfter = max(0, min(e.RetryAfter, time.Hour))
	return e
}

// heed acts on refusals that are about certificate or clock.
func (c *Client) heed(err error) {
	var refused *StatusError
	if !errors.As(err, &refused) {
		return
	}
	switch refused.Body.Code {
	case "E-CERT", "E-CERT-EXPIRED", "E-TERMINAL", "E-AUTH":
		_ = c.id.Reload() // a technician may have enrolled the terminal again beside us
		c.reconnect()
	case "E-CLOCK":
		c.clock.doubted.Store(true)
	}
}

// Enroll introduces the terminal with a one-time code, and keeps its certificate and the platform's keys. A code that was
// used by these same keys works again until it ends: the answer may have been lost.
func (c *Client) Enroll(ctx context.Context, site, name, code string) error {
	req, err := c.id.enrolment(site, name, code)
	if err != nil {
		return err
	}
	var out wire.Enrolled
	file := c.id.now.Load().file
	if err := c.call(ctx, http.MethodPost, wire.PathEnroll, nil, req, &out, false); err != nil {
		return err
	}
	return c.id.accept(out, req.Keys, c.roots, file)
}

// EnrollAnew is Enroll with new keys. The old ones come back when the platform refuses; when no answer came the new ones stay,
// as they may have been let in.
func (c *Client) EnrollAnew(ctx context.Context, site, name, code string) error {
	old := c.id.now.Load()
	if err := c.id.begin(old.profile); err != nil {
		return err
	}
	err := c.Enroll(ctx, site, name, code)
	var refused *StatusError
	if errors.As(err, &refused) {
		return errors.Join(err, c.id.keep(old.file))
	}
	return err
}

// Renew has the same keys certified anew; a rotation that was begun is finished instead.
func (c *Client) Renew(ctx context.Context) error {
	c.certifying.Lock()
	defer c.certifying.Unlock()
	return c.renew(ctx)
}

// renewDue is Renew where it is due, also when whoever had the certificate under way has ended.
func (c *Client) renewDue(ctx context.Context) (renewed bool, err error) {
	c.certifying.Lock()
	defer c.certifying.Unlock()
	if !c.id.renewalDue(c.Now()) {
		return false, nil
	}
	return true, c.renew(ctx)
}

func (c *Client) renew(ctx context.Context) error {
	who := c.id.now.Load()
	if who.cert == nil {
		return ErrNotEnrolled
	}
	file := who.file
	if who.next != nil {
		file = *who.next
	}
	return c.certify(ctx, file)
}

// Rotate replaces the terminal's keys. The new ones are on disk before the platform hears of them, and the old ones are good
// until the first request that the new ones sign: whatever is cut short in between can be finished by [Client.Renew].
func (c *Client) Rotate(ctx context.Context) error {
	c.certifying.Lock()
	defer c.certifying.Unlock()
	who := c.id.now.Load()
	if who.cert == nil {
		return ErrNotEnrolled
	}
	if who.next != nil {
		return c.renew(ctx)
	}
	next, err := newKeys(c.id.Terminal, who.profile)
	if err != nil {
		return err
	}
	file := who.file
	file.Next = &next
	if err := c.id.keep(file); err != nil {
		return err
	}
	return c.certify(ctx, next)
}

func (c *Client) certify(ctx context.Context, f onDisk) error {
	keys, err := f.credentials()
	if err != nil {
		return err
	}
	q, err := keys.ask(c.id.Terminal)
	if err != nil {
		return err
	}
	var out wire.Enrolled
	if err := c.call(ctx, http.MethodPost, wire.PathRenew, nil, wire.Renew{Keys: q}, &out, false); err != nil {
		return err
	}
	return c.id.accept(out, q, c.roots, f)
}

// Hello compares what both sides hold.
func (c *Client) Hello(ctx context.Context, h wire.Hello) (w wire.Welcome, err error) {
	err = c.call(ctx, http.MethodPost, wire.PathHello, nil, h, &w, false)
	return w, err
}

// Push sends a batch, which is signed here, and returns the ack, whose signature was verified.
func (c *Client) Push(ctx context.Context, b wire.Batch) (a wire.Ack, err error) {
	if b.Signature, err = wire.Sign(c.id.now.Load().sign, b.SigningBytes()); err != nil {
		return a, err
	}
	if err := c.call(ctx, http.MethodPost, wire.PathPush, nil, b, &a, true); err != nil {
		return a, err
	}
	if a.Terminal != b.Terminal || a.Lane != b.Lane {
		return a, fmt.Errorf("%w: ack of %s/%s for a batch of %s/%s", ErrGarbled, a.Terminal, a.Lane, b.Terminal, b.Lane)
	}
	if err := c.id.verify(a.SigningBytes(), a.Signature); err != nil {
		return a, fmt.Errorf("ack: %w", err)
	}
	return a, nil
}

// Pull waits at most so long for inbox messages after a number.
func (c *Client) Pull(ctx context.Context, after uint64, wait time.Duration) (in wire.Inbox, err error) {
	q := url.Values{"after": {strconv.FormatUint(after, 10)}, "wait": {strconv.Itoa(int(wait.Seconds()))}}
	if err := c.call(ctx, http.MethodGet, wire.PathPull, q, nil, &in, false); err != nil {
		return in, err
	}
	for _, m := range in.Messages {
		if err := c.id.verify(m.SigningBytes(c.id.Terminal), m.Signature); err != nil {
			return in, fmt.Errorf("message %d: %w", m.No, err)
		}
	}
	return in, nil
}

// PutBlob uploads a blob; sending one that the platform has is no error.
func (c *Client) PutBlob(ctx context.Context, h wire.Hash, data []byte) error {
	if len(data) > wire.MaxBlobPart {
		return c.putParts(ctx, h, data)
	}
	return c.send(ctx, http.MethodPut, wire.PathBlobs+h.String(), nil, data, "application/octet-stream", nil, false)
}

// SendCode has a one-time code sent to the person's registered phone.
func (c *Client) SendCode(ctx context.Context, r wire.CodeRequest) (s wire.CodeSent, err error) {
	err = c.call(ctx, http.MethodPost, wire.PathCode, nil, r, &s, false)
	return s, err
}

// CheckCode tries a code.
func (c *Client) CheckCode(ctx context.Context, r wire.CodeCheck) (s wire.CodeChecked, err error) {
	err = c.call(ctx, http.MethodPost, wire.PathCodeCheck, nil, r, &s, false)
	return s, err
}

// Query asks a back end.
func (c *Client) Query(ctx context.Context, service string, q wire.Query) (a wire.Answer, err error) {
	err = c.call(ctx, http.MethodPost, wire.PathQuery+url.PathEscape(service), nil, q, &a, false)
	return a, err
}

// ErrForged: a document's signature or hash does not verify, or it is another than was asked for.
var ErrForged = errors.New("document does not verify")

// Issue has a document issued and verifies it.
func (c *Client) Issue(ctx context.Context, r wire.DocumentRequest) (d wire.Document, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathDocuments, nil, r, &d, false); err != nil {
		return d, err
	}
	switch {
	case sha256.Sum256(d.PDF) != d.SHA256:
		return d, fmt.Errorf("%w: hash of the bytes", ErrForged)
	case d.Key != r.Key || d.Kind != r.Kind:
		return d, fmt.Errorf("%w: another document than asked for", ErrForged)
	case d.Pages < 1 || d.Pages > 100 || d.Number == "":
		return d, fmt.Errorf("%w: %d pages", ErrForged, d.Pages)
	}
	if err := c.id.verify(d.SigningBytes(), d.Signature); err != nil {
		return d, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return d, nil
}

// Lease asks for a case that was begun elsewhere and verifies the grant.
func (c *Client) Lease(ctx context.Context, r wire.LeaseRequest) (l wire.Lease, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathLeases, nil, r, &l, false); err != nil {
		return l, err
	}
	if l.Terminal != c.id.Terminal || l.Opened.ReceiptCode != r.ReceiptCode || l.Token == 0 {
		return l, fmt.Errorf("%w: another lease than asked for", ErrForged)
	}
	if err := c.id.verify(l.SigningBytes(), l.Signature); err != nil {
		return l, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return l, nil
}

// Bill asks for the bill of a case: the same one until it is closed or its payment went back.
func (c *Client) Bill(ctx context.Context, r wire.BillRequest) (b wire.Bill, err error) {
	return c.bill(ctx, http.MethodPost, "", nil, r, func(b wire.Bill) bool { return b.Case == r.Case && b.Item == r.Item })
}

// BillNow says how a bill stands.
func (c *Client) BillNow(ctx context.Context, number string) (wire.Bill, error) {
	return c.bill(ctx, http.MethodGet, "/"+url.PathEscape(number), nil, nil, func(b wire.Bill) bool { return b.Number == number })
}

// BillAfter says how a bill stands once its state is another, after wait at the latest. A platform that does not hold answers back
// says it at once.
func (c *Client) BillAfter(ctx context.Context, number string, state wire.BillState, wait time.Duration) (wire.Bill, error) {
	return c.bill(ctx, http.MethodGet, "/"+url.PathEscape(number), while(string(state), wait), nil, func(b wire.Bill) bool { return b.Number == number })
}

// while asks for an answer that is held back while a state lasts, in whole seconds.
func while(state string, wait time.Duration) url.Values {
	return url.Values{"while": {state}, holding: {strconv.Itoa(int(min(wait, wire.MaxInboxWait) / time.Second))}}
}

// holding is in the query of what the platform may answer late: such an answer's Date says little of the time when it was asked.
const holding = "wait"

// CancelBill ends a bill; the answer says whether it was paid meanwhile.
func (c *Client) CancelBill(ctx context.Context, number string) (wire.Bill, error) {
	return c.bill(ctx, http.MethodPost, "/"+url.PathEscape(number)+"/cancel", nil, struct{}{}, func(b wire.Bill) bool { return b.Number == number })
}

// PayWay asks for a bill's code at another channel.
func (c *Client) PayWay(ctx context.Context, number, way string) (wire.Bill, error) {
	return c.bill(ctx, http.MethodPost, "/"+url.PathEscape(number)+"/way", nil, wire.BillWay{Way: way}, func(b wire.Bill) bool { return b.Number == number })
}

// bill believes an answer only when it is about what was asked and can be shown.
func (c *Client) bill(ctx context.Context, method, path string, query url.Values, in any, about func(wire.Bill) bool) (b wire.Bill, err error) {
	if err := c.call(ctx, method, wire.PathBills+path, query, in, &b, false); err != nil {
		return b, err
	}
	switch b.State {
	case wire.BillOpen, wire.BillClosing, wire.BillClosed, wire.BillPaid, wire.BillDisputed, wire.BillReturning, wire.BillReturned:
	default:
		return wire.Bill{}, fmt.Errorf("%w: bill in state %.20q", ErrGarbled, b.State)
	}
	if b.Number == "" || len(b.Number) > 32 || b.Amount < 0 || len(b.QR) > 1024 || len(b.Ways) > 8 || !about(b) {
		return wire.Bill{}, fmt.Errorf("%w: another bill than asked for, or one that cannot be shown", ErrGarbled)
	}
	return b, nil
}

// Catalogue fetches what changes without a new program.
func (c *Client) Catalogue(ctx context.Context) (out wire.Catalogue, err error) {
	err = c.call(ctx, http.MethodGet, wire.PathCatalogue, nil, nil, &out, false)
	return out, err
}
