// Package outbound is how the platform calls a payment channel whose SDK makes the requests: to one host only, without
// redirects, and with answers that end at a bound.
package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client makes a client that sends what the SDK asks of the channel's public address to base instead ("https://host", a gateway of
// the city's, or a simulator); base "" leaves the address as it is. Answers are at most so many bytes: what is longer fails while it
// is read. A redirect is an answer like any other. next nil is a transport of its own, so that nothing else shares its settings.
func Client(base string, next http.RoundTripper, most int64, limit time.Duration) (*http.Client, error) {
	t := transport{next: next, most: most}
	if next == nil {
		own := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
		own.MaxResponseHeaderBytes = 64 << 10
		t.next = own
	}
	if base != "" {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
			return nil, errors.New("url must be like https://host")
		}
		t.base = u
	}
	return &http.Client{Transport: t, Timeout: limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

type transport struct {
	base *url.URL
	next http.RoundTripper
	most int64
}

// ErrLong: the answer is longer than any that the channel's papers allow.
var ErrLong = errors.New("the answer is too long")

// RoundTrip sends one request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.base != nil {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host, r.Host = t.base.Scheme, t.base.Host, ""
	}
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%.60q is not https", r.URL.Host)
	}
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = &bounded{res.Body, t.most}
	return res, nil
}

type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrLong
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrLong
	}
	return n, err
}

// ReadAll reads a whole answer of at most so many bytes.
func ReadAll(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = ErrLong
	}
	return b, err
}
