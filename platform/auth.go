package platform

// Who asks: the Authorization header of every request, replays, and the limits on guessing.

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// credentials are what an Authorization header says.
type credentials struct {
	profile         wire.Profile
	terminal, nonce string
	milli           int64
	signature       []byte
}

var (
	authField  = regexp.MustCompile(`^([a-z]+)="([^"\\]*)"$`)
	terminalID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{2,31}$`)
	hexNonce   = regexp.MustCompile(`^[0-9a-f]{16,64}$`)
)

// parseAuth reads `BUDAYANG-P256 terminal="…",time="…",nonce="…",signature="…"`.
func parseAuth(h string) (c credentials, err error) {
	scheme, rest, _ := strings.Cut(h, " ")
	switch scheme {
	case wire.AuthScheme:
		c.profile = wire.P256
	case wire.AuthSchemeSM2:
		c.profile = wire.SM2
	}
	if c.profile == "" || len(h) > 1024 {
		return c, errors.New("no " + wire.AuthScheme + " or " + wire.AuthSchemeSM2 + " header")
	}
	seen := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		m := authField.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return c, errors.New("malformed field")
		}
		if _, twice := seen[m[1]]; twice {
			return c, errors.New("field given twice")
		}
		seen[m[1]] = m[2]
	}
	c.terminal, c.nonce = seen["terminal"], seen["nonce"]
	if !terminalID.MatchString(c.terminal) || !hexNonce.MatchString(c.nonce) {
		return c, errors.New("malformed terminal or nonce")
	}
	if c.milli, err = strconv.ParseInt(seen["time"], 10, 64); err != nil {
		return c, errors.New("malformed time")
	}
	if c.signature, err = base64.StdEncoding.DecodeString(seen["signature"]); err != nil || len(c.signature) == 0 {
		return c, errors.New("malformed signature")
	}
	return c, nil
}

// caller is the terminal whose request this is.
type caller struct{}

func terminalOf(ctx context.Context) string { t, _ := ctx.Value(caller{}).(string); return t }

// signing is when the request was signed, by the terminal's clock as it corrects it.
type signing struct{}

func signedAt(ctx context.Context) time.Time { t, _ := ctx.Value(signing{}).(time.Time); return t }

// authenticated lets a request through when it comes over the terminal's own TLS certificate, and the terminal is known, in
// good standing, and signed it, freshly and for the first time. The handler gets the body, whole and unpacked.
func (s *Server) authenticated(limit int, h func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return s.admitted(limit, false, func(w http.ResponseWriter, r *http.Request, body []byte) {
		fresh, err := s.firstSeen(r.Context(), nonceOf(r.Context()))
		if err == nil && !fresh {
			err = errReplay
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		h(w, r, body)
	})
}

// authenticatedWithin is authenticated but for one thing: that the request was not seen before is found out in the transaction in
// which the handler does what it does, by calling [Server.spend]. So a request costs one commit less, and nothing is changed by
// one that is seen again.
func (s *Server) authenticatedWithin(limit int, h func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return s.admitted(limit, false, h)
}

// nonceKey is where the context has what makes a request unlike any other.
type nonceKey struct{}

func nonceOf(ctx context.Context) string { n, _ := ctx.Value(nonceKey{}).(string); return n }

// spend notes a request in the transaction that does what it asks for. What did not come as a request, such as a file, has
// nothing to spend.
func (s *Server) spend(ctx context.Context, tx Tx) error {
	n := nonceOf(ctx)
	if n == "" {
		return nil
	}
	fresh, err := tx.UseNonce(n, s.now().Add(2*wire.MaxSkew))
	if err == nil && !fresh {
		err = errReplay
	}
	return err
}

// admitted leaves the question whether the request was seen before to its handler; renewing lets certificates through that have expired, are unknown to the store, or missing: the
// known key's signature must do.
func (s *Server) admitted(limit int, renewing bool, h func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Values("Authorization")) > 1 {
			s.refuse(w, errAuth, "more than one Authorization header")
			return
		}
		c, err := parseAuth(r.Header.Get("Authorization"))
		if err != nil {
			s.refuse(w, errAuth, err.Error())
			return
		}
		var who known
		err = s.store.View(r.Context(), func(tx Tx) (err error) { who, err = s.lookUp(tx, r, c.terminal); return err })
		if errors.Is(err, ErrNoRow) {
			s.refuse(w, errUnknownTerminal, "terminal is not enrolled")
			return
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		if e, why := s.certificateFits(who, c.terminal, renewing); e != nil {
			s.refuse(w, e, why)
			return
		}
		if d := s.now().Sub(time.UnixMilli(c.milli)).Abs(); d > wire.MaxSkew {
			s.refuse(w, errClock, fmt.Sprintf("request is %v off the platform's clock", d.Round(time.Second)))
			return
		}
		patient(w, r.ContentLength, limit)
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
		if err != nil {
			s.refuse(w, errTooLarge, fmt.Sprintf("body is larger than %d bytes or incomplete", limit))
			return
		}
		signed := wire.RequestSigningBytes(r.Method, r.URL.RequestURI(), c.milli, c.nonce, sha256.Sum256(raw))
		next, fits := who.signed(c, signed)
		if !fits {
			s.refuse(w, errAuth, "signature does not verify")
			return
		}
		if e, why := who.admissible(); e != nil {
			s.refuse(w, e, why)
			return
		}
		if next && !renewing {
			if err := s.promote(r.Context(), c.terminal); err != nil {
				s.fail(w, err)
				return
			}
		}
		body, err := unpack(r.Header.Get("Content-Encoding"), raw, limit)
		if err != nil {
			s.refuse(w, errTooLarge, err.Error())
			return
		}
		ctx := context.WithValue(context.WithValue(r.Context(), caller{}, c.terminal), nonceKey{}, c.terminal+" "+c.nonce)
		ctx = context.WithValue(ctx, signing{}, time.UnixMilli(c.milli))
		h(w, r.WithContext(ctx), body)
	}
}

// slowest line on which a terminal may send what is within its limit, in bytes per second; the terminal waits as long.
const slowest = 8 << 10

// patient gives a terminal whose certificate fits the time that a slow line needs; a stranger has the server's.
func patient(w http.ResponseWriter, length int64, limit int) {
	more := time.Duration(max(0, min(length, int64(limit)))/slowest) * time.Second
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(readTime + more)) // a recorder in a test has no deadlines
	_ = c.SetWriteDeadline(time.Now().Add(writeTime + more))
}

// known is what the store says of whoever sends a request.
type known struct {
	terminal Terminal
	standing Standing
	leaf     *x509.Certificate // shown; nil at a gateway or when none was
	leafErr  error
	row      CertificateRow // leaf's, zero when the store does not know it
}

func (s *Server) lookUp(tx Tx, r *http.Request, terminal string) (k known, err error) {
	if k.terminal, err = tx.Terminal(terminal); err != nil {
		return k, err
	}
	if k.standing, err = tx.Standing(terminal); errors.Is(err, ErrNoRow) {
		k.standing, err = Standing{Terminal: terminal, State: Active, Profile: wire.P256}, nil
	}
	if err != nil {
		return k, err
	}
	if k.leaf, k.leafErr = s.leaf(r); k.leaf == nil {
		return k, nil
	}
	if k.row, err = tx.Certificate(fingerprint(k.leaf.Raw)); errors.Is(err, ErrNoRow) {
		err = nil
	}
	return k, err
}

// certificateFits judges the client certificate, before a byte of the body is read.
func (s *Server) certificateFits(k known, terminal string, renewing bool) (*APIError, string) {
	switch {
	case s.cfg.Gateway, k.leaf == nil && renewing:
		return nil, ""
	case k.leafErr != nil:
		return errCert, k.leafErr.Error()
	}
	if err := s.keys.ours(k.leaf, terminal); err != nil {
		return errCert, err.Error()
	}
	if renewing {
		return nil, ""
	}
	now := s.now()
	switch {
	case k.row.Terminal != terminal:
		return errCert, "client certificate was not issued to this terminal"
	case !k.row.Withdrawn.IsZero():
		return errCert, "client certificate was withdrawn"
	case now.After(k.leaf.NotAfter) || now.Before(k.leaf.NotBefore):
		return errCertExpired, "client certificate is not valid now"
	}
	return nil, ""
}

// signed says whether the request is signed with the terminal's key, or with the one that is to follow it.
func (k known) signed(c credentials, b []byte) (next, fits bool) {
	if pub, p, err := wire.ParsePublicKey(k.terminal.PublicKey); err == nil && p == c.profile && wire.Verify(pub, b, c.signature) {
		return false, true
	}
	if len(k.standing.NextKey) == 0 {
		return false, false
	}
	pub, p, err := wire.ParsePublicKey(k.standing.NextKey)
	return true, err == nil && p == c.profile && wire.Verify(pub, b, c.signature)
}

// admissible is the standing, said only to whoever has the key.
func (k known) admissible() (*APIError, string) {
	switch k.standing.State {
	case Active:
		return nil, ""
	case Revoked:
		return errRevoked, "terminal was put out by an operator"
	}
	return errUnknownTerminal, "terminal was reset and is not enrolled"
}

// unpack takes gzip off, and never makes more than the limit out of it.
func unpack(encoding string, raw []byte, limit int) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return raw, nil
	case "gzip":
		z, err := gzip.NewReader(strings.NewReader(string(raw)))
		if err != nil {
			return nil, errors.New("body is not gzip")
		}
		b, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
		if err != nil {
			return nil, errors.New("body is broken gzip")
		}
		if len(b) > limit {
			return nil, fmt.Errorf("body is larger than %d bytes", limit)
		}
		return b, nil
	}
	return nil, fmt.Errorf("encoding %.20q is not understood", encoding)
}

// limiter counts per key in a window.
type limiter struct {
	mu     sync.Mutex
	counts map[string]int
	until  time.Time
}

func (l *limiter) allow(key string, most int, window time.Duration, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.until) || l.counts == nil {
		l.counts, l.until = map[string]int{}, now.Add(window)
	}
	l.counts[key]++
	return l.counts[key] <= most
}
