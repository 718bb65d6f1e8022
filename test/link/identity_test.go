package link

// Who a terminal is, between the real uplink and the real server over real TLS.

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

func (x *terminal) enrolled(t *testing.T, c *city) *terminal {
	t.Helper()
	if err := x.client.Enroll(t.Context(), "s", "n", c.code(t, x.id.Terminal)); err != nil {
		t.Fatal(err)
	}
	return x
}

func codeOf(err error) string {
	var refused *uplink.StatusError
	if errors.As(err, &refused) {
		return refused.Body.Code
	}
	return ""
}

// The whole way in the Chinese profile: enrolment, requests, batches, acks, documents.
func TestSM2TerminalsAreServed(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, t.TempDir(), "990000-0003")
	if err := x.id.UseProfile(wire.SM2); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		x.open(t, "12345")
	}
	x.run(t)
	eventually(t, "outbox empty", x.drained)
	number := complete(t, people[1][1])
	tok := x.verified(t, c, people[1][0], number)
	if _, err := x.client.Issue(t.Context(), wire.DocumentRequest{Key: "k", Kind: "SB-P", Token: tok}); err != nil {
		t.Error(err)
	}
	if x.id.Profile() != wire.SM2 {
		t.Error("another profile was used")
	}
	if err := x.id.UseProfile(wire.P256); err == nil {
		t.Error("an enrolled terminal changed its profile")
	}
}

// A revoked terminal falls back to what works offline, keeps its records, and goes on after a new enrolment beside it.
func TestRevokedTerminalLosesNothing(t *testing.T) {
	c := newCity(t)
	dir := t.TempDir()
	x := newTerminal(t, c, dir, "990000-0003").enrolled(t, c)
	x.run(t)
	x.open(t, "before")
	eventually(t, "outbox empty", x.drained)
	if err := c.Revoke(t.Context(), "990000-0003", platform.Operator{Who: "test"}); err != nil {
		t.Fatal(err)
	}
	x.open(t, "while-it-is-out")
	eventually(t, "link down", func() bool { return x.link.State() == uplink.Down && x.link.Refused() != "" })
	if x.drained() {
		t.Error("a revoked terminal delivered")
	}
	if err := c.Reset(t.Context(), "990000-0003", platform.Operator{Who: "test"}); err != nil {
		t.Fatal(err)
	}
	// As `kiosk enroll --new-keys` beside the running terminal.
	id, err := uplink.LoadIdentity(dir, "990000-0003")
	if err != nil {
		t.Fatal(err)
	}
	beside, err := uplink.NewClient(c.url, c.ca, id)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	if err := beside.EnrollAnew(t.Context(), "s", "n", c.code(t, "990000-0003")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "outbox empty again", x.drained)
	got, err := c.Received(t.Context())
	if err != nil || got.Cases != 2 || got.Duplicates != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A certificate that is renewed while keys are rotated leaves the terminal with one that the platform does not know.
func TestRenewalAndRotationTakeTurns(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, t.TempDir(), "990000-0003").enrolled(t, c)
	x.run(t)
	for range 12 {
		rotated := make(chan error, 1)
		go func() { rotated <- x.link.Rotate(t.Context()) }()
		for going := true; going; {
			select {
			case err := <-rotated:
				if err != nil {
					t.Fatal(err)
				}
				going = false
			default:
				if err := x.client.Renew(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		x.open(t, "x")
		eventually(t, "outbox empty", x.drained)
	}
}

func TestKeysAreRotatedUnderLoad(t *testing.T) {
	c := newCity(t)
	dir := t.TempDir()
	x := newTerminal(t, c, dir, "990000-0003").enrolled(t, c)
	x.run(t)
	for i := range 3 {
		x.open(t, "x")
		before, _ := os.ReadFile(filepath.Join(dir, uplink.IdentityFile))
		if err := x.link.Rotate(t.Context()); err != nil {
			t.Fatalf("rotation %d: %v", i, err)
		}
		if after, _ := os.ReadFile(filepath.Join(dir, uplink.IdentityFile)); string(after) == string(before) {
			t.Error("the keys are the same")
		}
		x.open(t, "y")
		eventually(t, "outbox empty", x.drained)
		// What was there before is worth nothing any more.
		old := filepath.Join(t.TempDir(), "old")
		if err := os.MkdirAll(old, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(old, uplink.IdentityFile), before, 0o600); err != nil {
			t.Fatal(err)
		}
		id, err := uplink.LoadIdentity(old, "990000-0003")
		if err != nil {
			t.Fatal(err)
		}
		thief, err := uplink.NewClient(c.url, c.ca, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := thief.Catalogue(t.Context()); codeOf(err) != "E-CERT" {
			t.Errorf("the old keys: %v", err)
		}
		thief.Close()
	}
	got, err := c.Received(t.Context())
	if err != nil || got.Cases != 6 || got.Duplicates != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// The answer to a rotation is lost: the terminal finishes it at its next start.
func TestRotationIsFinishedAfterACut(t *testing.T) {
	c := newCity(t)
	dir := t.TempDir()
	x := newTerminal(t, c, dir, "990000-0003").enrolled(t, c)
	c.Misbehave("half")
	if err := x.link.Rotate(t.Context()); err == nil {
		t.Fatal("half an answer was taken")
	}
	c.Misbehave("")
	x.gone = true
	x.client.Close()
	_ = x.Close()
	x = newTerminal(t, c, dir, "990000-0003")
	x.open(t, "after")
	x.run(t)
	eventually(t, "outbox empty", x.drained)
	eventually(t, "rotated", func() bool {
		all, err := c.SecurityEvents(t.Context(), 100)
		if err != nil {
			return false
		}
		for _, e := range all {
			if e.Event == "terminal.rotated" {
				return true
			}
		}
		return false
	})
}

// Certificates are renewed in time by the terminal itself, and also after they expired.
func TestCertificatesRenewThemselves(t *testing.T) {
	c := newCityWith(t, platform.Config{CertLife: 3 * time.Second})
	dir := t.TempDir()
	x := newTerminal(t, c, dir, "990000-0003").enrolled(t, c)
	_, first := x.id.Certified()
	eventually(t, "expiry", func() bool { return time.Now().After(first) })
	if _, err := x.client.Catalogue(t.Context()); codeOf(err) != "E-CERT-EXPIRED" {
		t.Errorf("after expiry: %v", err)
	}
	x.open(t, "while-expired")
	x.run(t)
	eventually(t, "outbox empty", x.drained)
	if _, until := x.id.Certified(); !until.After(first) {
		t.Error("the certificate is still the first")
	}
}

func TestADeadClockIsSetByThePlatformAlone(t *testing.T) {
	far := 30 * 365 * 24 * time.Hour
	for name, wrong := range map[string]time.Duration{"1996": -far, "a day slow": -24 * time.Hour, "four minutes fast": 4 * time.Minute, "2056": far} {
		t.Run(name, func(t *testing.T) {
			// The platform's clock is off instead of the terminal's: that is the same thing between the two.
			c := newCityWith(t, platform.Config{Now: func() time.Time { return time.Now().Add(-wrong) }})
			x := newTerminal(t, c, t.TempDir(), "990000-0003")
			x.open(t, "first")
			x.run(t)
			eventually(t, "outbox empty", x.drained)
			if off := (x.client.Offset() + wrong).Abs(); off > 5*time.Second {
				t.Errorf("clock is %v off", off)
			}
			// A time that is known to have been is a floor for what is believed.
			x.client.Floor(x.client.Now().Add(time.Hour))
			if err := x.client.AskTime(t.Context()); !errors.Is(err, uplink.ErrClock) {
				t.Errorf("a time before the floor: %v", err)
			}
		})
	}
}

func TestNobodyElseTellsTheTime(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c, t.TempDir(), "990000-0003").enrolled(t, c)
	defer x.Close()
	other := newCityWith(t, platform.Config{Now: func() time.Time { return time.Now().Add(24 * time.Hour) }})
	client, err := uplink.NewClient(other.url, c.ca, x.id)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.AskTime(t.Context()); !errors.Is(err, uplink.ErrUnreachable) || client.Offset() != 0 {
		t.Errorf("another authority's platform told the time: %v, %v", err, client.Offset())
	}
}

// Over real TLS: a certificate is asked for and not demanded; what needs none works without, the rest is refused by name.
func TestTLS(t *testing.T) {
	c := newCity(t)
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer tr.CloseIdleConnections()
	for path, want := range map[string]int{"/healthz": 200, "/openapi.yaml": 200, "/login": 200, "/overview.json": 401, "/verify/SBP-990000-20260101-000001": 404,
		wire.PathTime + "?nonce=0123456789abcdef": 200, wire.PathCatalogue: 401, wire.PathPull: 401} {
		resp, err := (&http.Client{Transport: tr}).Get(c.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	old := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}}
	defer old.CloseIdleConnections()
	if resp, err := (&http.Client{Transport: old}).Get(c.url + "/healthz"); err == nil {
		_ = resp.Body.Close()
		t.Error("TLS 1.1 was spoken")
	}
}

// The platform's log names no secret and no person, whatever happens.
func TestLogsNameNoSecret(t *testing.T) {
	var log syncBuffer
	c := newCityWith(t, platform.Config{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	code := c.code(t, "990000-0003")
	x := newTerminal(t, c, t.TempDir(), "990000-0003")
	defer x.Close()
	if err := x.client.Enroll(t.Context(), "s", "n", code); err != nil {
		t.Fatal(err)
	}
	number := complete(t, people[1][1])
	tok := x.verified(t, c, people[1][0], number)
	for range 3 {
		_, _ = x.client.CheckCode(t.Context(), wire.CodeCheck{Challenge: "x", Code: c.phone.last()})
		_, _ = x.client.Query(t.Context(), number, wire.Query{Token: tok})
		_, _ = x.client.Issue(t.Context(), wire.DocumentRequest{Key: "k", Kind: number, Token: tok})
	}
	_ = c.Revoke(t.Context(), "990000-0003", platform.Operator{Who: "test"})
	_, _ = x.client.Query(t.Context(), number, wire.Query{Token: tok})
	said := log.String()
	if !strings.Contains(said, "E-NOT-FOUND") {
		t.Errorf("nothing was logged: %s", said)
	}
	for what, secret := range map[string]string{"code": code, "number": number, "name": people[1][0], "token": tok, "one-time code": c.phone.last(), "phone": "13800000002"} {
		if strings.Contains(said, secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *syncBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }
