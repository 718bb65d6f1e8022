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
	"strconv"
	"sync/atomic"
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
	base   *url.URL
	id     *Identity
	http   *http.Client
	now    func() time.Time
	offset atomic.Int64 // platform's clock minus ours, nanoseconds
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
	return &Client{base: u, id: id, now: time.Now, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: wire.MaxInboxWait + 10*time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   4,
			ForceAttemptHTTP2:     true,
		},
	}}, nil
}

// Offset is the platform's clock minus this machine's, as the last answer showed it.
func (c *Client) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Now is the platform's clock as it is known here.
func (c *Client) Now() time.Time { return c.now().Add(c.Offset()) }

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

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
	began := c.now()
	if path != wire.PathEnroll {
		if err := c.id.authorize(req, body, began.Add(c.Offset())); err != nil {
			return err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
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
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil && path != wire.PathPull {
		c.sync(t, began)
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp, raw)
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

// sync notes the platform's clock; the Date header is good to a second, so small differences are none.
func (c *Client) sync(server, began time.Time) {
	end := c.now()
	off := server.Sub(began.Add(end.Sub(began) / 2))
	if off.Abs() < 2*time.Second {
		off = 0
	}
	c.offset.Store(int64(off))
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

// Enroll introduces the terminal with the shared secret and keeps the platform's keys.
func (c *Client) Enroll(ctx context.Context, site, name string, secret []byte) error {
	req, err := c.id.enrolment(site, name, secret)
	if err != nil {
		return err
	}
	var out wire.Enrolled
	if err := c.call(ctx, http.MethodPost, wire.PathEnroll, nil, req, &out, false); err != nil {
		return err
	}
	if out.Terminal != c.id.Terminal {
		return fmt.Errorf("%w: enrolled as %q", ErrGarbled, out.Terminal)
	}
	return c.id.accept(out)
}

// Hello compares what both sides hold.
func (c *Client) Hello(ctx context.Context, h wire.Hello) (w wire.Welcome, err error) {
	err = c.call(ctx, http.MethodPost, wire.PathHello, nil, h, &w, false)
	return w, err
}

// Push sends a batch, which is signed here, and returns the ack, whose signature was verified.
func (c *Client) Push(ctx context.Context, b wire.Batch) (a wire.Ack, err error) {
	if b.Signature, err = c.id.sign(b.SigningBytes()); err != nil {
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

// Catalogue fetches what changes without a new program.
func (c *Client) Catalogue(ctx context.Context) (out wire.Catalogue, err error) {
	err = c.call(ctx, http.MethodGet, wire.PathCatalogue, nil, nil, &out, false)
	return out, err
}
