package uplink

// The clock: a terminal whose own is dead gets the time from the platform, and does not believe just anybody.
//
// Small corrections come from the Date of ordinary answers. A clock that is far off — the platform refuses requests, its
// certificate seems not to be valid, or an answer's Date is minutes away — is set only by a time that the platform signed for
// our own question, with a key that the terminal's authority certified, and never to before the floor: the latest time that
// is known to have been.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// ErrClock: the time that was offered cannot be right.
var ErrClock = errors.New("platform's time is not believable")

const (
	// drift is how far an unsigned Date may move the clock.
	drift = time.Minute
	// slowest round trip of which half may be off.
	slowestTime = 10 * time.Second
	// askAgain keeps a platform that tells no time from being asked before every request.
	askAgain = 5 * time.Second
)

// clock is what is known of time.
type clock struct {
	offset  atomic.Int64 // platform's clock minus ours, nanoseconds
	floor   atomic.Int64 // it is not earlier than this, unix milliseconds
	doubted atomic.Bool
	asked   atomic.Int64 // when the time was last asked for, unix milliseconds of our own clock
	signed  atomic.Int64 // how often a signed time was believed
	latest  atomic.Pointer[signedTime]
}

// signedTime is a time that the platform signed, and when it was right by a clock that does not jump.
type signedTime struct {
	time  time.Time
	right time.Time // with Go's monotonic reading
}

// now is the time by it.
func (s signedTime) now() time.Time { return s.time.Add(time.Since(s.right)) }

// Offset is the platform's clock minus this machine's, as far as it is known.
func (c *Client) Offset() time.Duration { return time.Duration(c.clock.offset.Load()) }

// Floor tells the client of a time that has certainly been, from a journal or the program's build. It only ever rises.
func (c *Client) Floor(t time.Time) {
	for ms := t.UnixMilli(); ; {
		had := c.clock.floor.Load()
		if ms <= had || c.clock.floor.CompareAndSwap(had, ms) {
			return
		}
	}
}

// lowest is the time before which it cannot be.
func (c *Client) lowest() time.Time {
	t := time.UnixMilli(c.clock.floor.Load())
	if from, _ := c.id.Certified(); from.After(t) {
		return from
	}
	return t
}

// Now is the best that is known of the time.
func (c *Client) Now() time.Time {
	t := c.now().Add(c.Offset())
	if low := c.lowest(); t.Before(low) {
		return low
	}
	return t
}

// sync notes the platform's clock; the Date header is good to a second, so small differences are none.
func (c *Client) sync(server, began time.Time) {
	end := c.now()
	off := server.Sub(began.Add(end.Sub(began) / 2))
	if (off - c.Offset()).Abs() > drift {
		c.clock.doubted.Store(true)
		return
	}
	if off.Abs() < 2*time.Second {
		off = 0
	}
	c.clock.offset.Store(int64(off))
}

// doubt looks at why a connection failed: a certificate that seems not to be valid at this time may be our clock's fault.
func (c *Client) doubt(err error) {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		c.clock.doubted.Store(true)
	}
}

// settle asks for the time when the clock is doubted. What comes of it is seen at the request that follows.
func (c *Client) settle(ctx context.Context) {
	ms, last := c.now().UnixMilli(), c.clock.asked.Load()
	if c.clock.doubted.Load() && (ms-last > askAgain.Milliseconds() || ms < last) && c.clock.asked.CompareAndSwap(last, ms) {
		_ = c.AskTime(ctx)
	}
}

// AskTime sets the offset by a signed time.
func (c *Client) AskTime(ctx context.Context) error {
	// The certificate is checked in everything but its time, which is what we do not know yet: authority, name and use.
	line := c.dial(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, VerifyConnection: c.timeless}, lineIdle)
	defer line.CloseIdleConnections()
	n := nonce()
	u := c.base.JoinPath(wire.PathTime)
	u.RawQuery = url.Values{"nonce": {n}}.Encode()
	ctx, cancel := context.WithTimeout(ctx, slowestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	began, since := c.now(), time.Now()
	resp, err := line.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, bare(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	took := time.Since(since) // the machine's clock may be set meanwhile
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: time: status %d", ErrGarbled, resp.StatusCode)
	}
	var said wire.Now
	if err := json.Unmarshal(raw, &said); err != nil || said.Nonce != n {
		return fmt.Errorf("%w: time", ErrGarbled)
	}
	return c.believe(said, resp.TLS, began, took)
}

// believe takes a time that was said, if it can be right.
func (c *Client) believe(said wire.Now, over *tls.ConnectionState, began time.Time, took time.Duration) error {
	if err := signedByPlatform(said.SigningCert, c.roots, said.Time, said.SigningBytes(), said.Signature); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	leaf := over.PeerCertificates[0]
	switch {
	case took < 0 || took > slowestTime:
		return fmt.Errorf("%w: it took %v", ErrClock, took)
	case said.Time.Before(c.lowest()):
		return fmt.Errorf("%w: %s is before %s, which has been", ErrClock, said.Time.Format(time.DateOnly), c.lowest().Format(time.DateOnly))
	case said.Time.Before(leaf.NotBefore) || said.Time.After(leaf.NotAfter):
		return fmt.Errorf("%w: its own certificate is not valid then", ErrClock)
	}
	c.clock.offset.Store(int64(said.Time.Sub(began.Add(took / 2))))
	c.clock.latest.Store(&signedTime{said.Time.Add(took / 2), time.Now()})
	c.clock.doubted.Store(false)
	c.clock.signed.Add(1)
	return nil
}

// timeless checks the platform's certificate at the time of its own beginning.
func (c *Client) timeless(over tls.ConnectionState) error {
	leaf := over.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, p := range over.PeerCertificates[1:] {
		between.AddCert(p)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: c.roots, Intermediates: between, DNSName: c.base.Hostname(), CurrentTime: leaf.NotBefore.Add(time.Second)})
	return err
}
