package platform

// Back ends: the city's systems that answer queries, behind HTTP and one of the signature profiles in use. The platform
// talks to them, never a terminal. One that is down or switched off is refused at once and greys its items.

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// BackendConfig is one back end. Keys are PEM; the secret is what the profile shares with it.
type BackendConfig struct {
	Name     string   // for operators: ASCII letters, digits, "-"
	URL      string   // https://host/path; queries go to URL/query/SERVICE, probes to URL/probe
	Services []string // that it answers, as terminals name them
	Items    []string // greyed while it does not work
	Profile  string   // ProfileRIO, ProfileEnvelope or ProfileCanonical
	ID       string   // x-tif-paasid, appCode, or the caller's number
	Serial   string   // canonical only: serial number of our key
	Secret   []byte   // RIO: token; envelope: appSecret
	Key      []byte   // envelope: our SM2 key; canonical: our SM2 or P-256 key (PKCS #8)
	PeerKey  []byte   // its public key (PKIX), of the same kind
	CA       []byte   // authorities of its certificate; nil trusts the system's
	Timeout  time.Duration
}

// Bounds of one call.
const (
	backendTimeout = 8 * time.Second
	backendAnswer  = 1 << 20
)

// Errors of back ends.
var (
	errBackendRefused = errors.New("back end refused the request's signature or time")
	errBackendForged  = errors.New("back end's answer is not signed as it must be")
	errBackendFailed  = errors.New("back end failed")
)

var backendName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

type backend struct {
	cfg     BackendConfig
	url     *url.URL
	profile profile
	client  *http.Client
	now     func() time.Time
}

func newBackend(cfg BackendConfig, now func() time.Time) (*backend, error) {
	fail := func(what string) error { return fmt.Errorf("back end %.40q: %s", cfg.Name, what) }
	u, err := url.Parse(cfg.URL)
	switch {
	case !backendName.MatchString(cfg.Name):
		return nil, fail("name must be of a-z, 0-9 and -, at most 32")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "":
		return nil, fail("url must be like https://host/path")
	case len(cfg.Services) == 0:
		return nil, fail("it answers no service")
	}
	p, err := newProfile(cfg)
	if err != nil {
		return nil, fail(err.Error())
	}
	roots := (*x509.CertPool)(nil)
	if cfg.CA != nil {
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(cfg.CA) {
			return nil, fail("its authority is not a PEM certificate")
		}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = backendTimeout
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &backend{cfg: cfg, url: u, profile: p, client: client, now: now}, nil
}

// ask posts a signed body and returns the opened answer. A person whom the back end does not know is errNoRecord.
func (b *backend) ask(ctx context.Context, limit time.Duration, body any, path ...string) ([]byte, error) {
	plain, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	to := b.url.JoinPath(path...)
	header, sealed, err := b.profile.seal(http.MethodPost, to, plain, b.now())
	if err != nil {
		return nil, fmt.Errorf("back end %s: %w", b.cfg.Name, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(sealed))
	if err != nil {
		return nil, fmt.Errorf("back end %s: %w", b.cfg.Name, err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := b.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("back end %s: %w: %w", b.cfg.Name, errBackendFailed, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, backendAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("back end %s: %w: %w", b.cfg.Name, errBackendFailed, err)
	case len(raw) > backendAnswer:
		return nil, fmt.Errorf("back end %s: %w: answer of more than %d bytes", b.cfg.Name, errBackendFailed, backendAnswer)
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden, b.profile.refused(res.StatusCode, raw):
		return nil, fmt.Errorf("back end %s: %w", b.cfg.Name, errBackendRefused)
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNotFound:
		return nil, fmt.Errorf("back end %s: %w: status %d", b.cfg.Name, errBackendFailed, res.StatusCode)
	}
	answer, err := b.profile.open(res.Header, raw, b.now())
	if err != nil {
		return nil, fmt.Errorf("back end %s: %w", b.cfg.Name, err)
	}
	if res.StatusCode == http.StatusNotFound {
		return nil, errNoRecord
	}
	return answer, nil
}

// personQuery is what a back end is asked.
type personQuery struct {
	Service string            `json:"service"`
	Number  string            `json:"number"`
	Name    string            `json:"name"`
	Params  map[string]string `json:"params,omitempty"`
}

func (b *backend) query(ctx context.Context, service string, c CitizenRow, params map[string]string) (wire.Answer, error) {
	raw, err := b.ask(ctx, b.cfg.Timeout, personQuery{service, c.Number, c.Name, params}, "query", service)
	if err != nil {
		return wire.Answer{}, err
	}
	a, err := readAnswer(raw)
	if err != nil {
		return a, fmt.Errorf("back end %s: %w: %w", b.cfg.Name, errBackendFailed, err)
	}
	if a.AsOf.IsZero() {
		a.AsOf = b.now().UTC().Truncate(time.Millisecond)
	}
	return a, nil
}

// Bounds of an answer that a terminal can show.
const (
	mostSections = 50
	mostRows     = 200
	mostText     = 2000
)

// readAnswer believes an answer only when a terminal can show all of it.
func readAnswer(raw []byte) (a wire.Answer, err error) {
	if err := json.Unmarshal(raw, &a); err != nil {
		return wire.Answer{}, errors.New("answer cannot be read")
	}
	words := func(m map[string]string) bool {
		return m["zh"] != "" && m["en"] != "" && len(m["zh"]) <= mostText && len(m["en"]) <= mostText
	}
	if !words(a.Title) || len(a.Sections) > mostSections {
		return wire.Answer{}, errors.New("answer has no title in both languages, or too many sections")
	}
	for _, s := range a.Sections {
		if len(s.Title) > 0 && !words(s.Title) || len(s.Rows) > mostRows {
			return wire.Answer{}, errors.New("section is not titled in both languages, or has too many rows")
		}
		for _, r := range s.Rows {
			switch {
			case !words(r.Label) || len(r.Value) > mostText || len(r.Masked) > mostText:
				return wire.Answer{}, errors.New("row is not labelled in both languages, or too long")
			case r.Private && r.Masked == "":
				return wire.Answer{}, errors.New("private value without its masked form")
			}
		}
	}
	return a, nil
}

// backendOf finds who answers a service.
func (s *Server) backendOf(service string) *backend {
	for _, b := range s.backends {
		for _, x := range b.cfg.Services {
			if x == service {
				return b
			}
		}
	}
	return nil
}

// askBackend answers a terminal's query from a back end.
func (s *Server) askBackend(ctx context.Context, b *backend, service string, q wire.Query) (wire.Answer, error) {
	if err := s.backendWorks(ctx, b.cfg.Name); err != nil {
		return wire.Answer{}, err
	}
	c, err := s.citizenOf(ctx, q.Token, q.Visit)
	if err != nil {
		return wire.Answer{}, err
	}
	a, err := b.query(ctx, service, c, q.Params)
	if err == nil || errors.Is(err, errNoRecord) || ctx.Err() != nil {
		return a, err
	}
	s.cfg.Log.Warn("query", "error", err) // names no person
	select {
	case s.doubt <- struct{}{}: // look at it now
	default:
	}
	return a, errBackend
}
