package platform

// Who asks: the Authorization header of every request, replays, and the limits on guessing.

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
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
	rest, found := strings.CutPrefix(h, wire.AuthScheme+" ")
	if !found || len(h) > 1024 {
		return c, errors.New("no " + wire.AuthScheme + " header")
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

// authenticated lets a request through when its terminal is known and signed it, freshly and for the first time. The handler
// gets the body, whole and unpacked.
func (s *Server) authenticated(limit int, h func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := parseAuth(r.Header.Get("Authorization"))
		if err != nil {
			s.refuse(w, errAuth, err.Error())
			return
		}
		var t Terminal
		err = s.store.View(r.Context(), func(tx Tx) (err error) { t, err = tx.Terminal(c.terminal); return err })
		if errors.Is(err, ErrNoRow) {
			s.refuse(w, errUnknownTerminal, "terminal is not enrolled")
			return
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		if d := s.now().Sub(time.UnixMilli(c.milli)).Abs(); d > wire.MaxSkew {
			s.refuse(w, errClock, fmt.Sprintf("request is %v off the platform's clock", d.Round(time.Second)))
			return
		}
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
		if err != nil {
			s.refuse(w, errTooLarge, fmt.Sprintf("body is larger than %d bytes or incomplete", limit))
			return
		}
		pub, err := x509.ParsePKIXPublicKey(t.PublicKey)
		if err != nil {
			s.fail(w, err)
			return
		}
		if !verify(pub, wire.RequestSigningBytes(r.Method, r.URL.RequestURI(), c.milli, c.nonce, sha256.Sum256(raw)), c.signature) {
			s.refuse(w, errAuth, "signature does not verify")
			return
		}
		fresh, err := s.firstSeen(r.Context(), c.terminal, c.nonce)
		if err != nil {
			s.fail(w, err)
			return
		}
		if !fresh {
			s.refuse(w, errReplay, "request was seen before")
			return
		}
		body, err := unpack(r.Header.Get("Content-Encoding"), raw, limit)
		if err != nil {
			s.refuse(w, errTooLarge, err.Error())
			return
		}
		h(w, r.WithContext(context.WithValue(r.Context(), caller{}, c.terminal)), body)
	}
}

func verify(pub any, b, signature []byte) bool {
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	sum := sha256.Sum256(b)
	return ecdsa.VerifyASN1(key, sum[:], signature)
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

// proven checks the enrolment's proof.
func proven(e wire.Enroll, secret []byte) bool {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%s\n%s\n", e.Terminal, e.Nonce)
	m.Write(e.PublicKey)
	return hmac.Equal(m.Sum(nil), e.Proof[:])
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
