package uplink_test

// Whom a terminal believes: answers to enrolment and time that are not the platform's change nothing.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// another signs with a key that is not the platform's.
func another(t *testing.T, b []byte) (sig, der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	sig, err = ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return sig, der, key
}

func TestEnrolmentAnswersThatLie(t *testing.T) {
	for what, twist := range map[string]func(c *city, e *wire.Enrolled){
		"another platform's key, unsigned": func(_ *city, e *wire.Enrolled) { _, e.PlatformKey, _ = another(t, nil) },
		"signed by a key of no certificate": func(_ *city, e *wire.Enrolled) {
			_, e.PlatformKey, _ = another(t, nil)
			e.Signature, _, _ = another(t, e.SigningBytes())
		},
		// A gateway holds a certificate of the same authority for its TLS; that does not make it the platform.
		"signed with a certificate for something else": func(c *city, e *wire.Enrolled) {
			e.SigningCert = c.certify(wire.NameTerminal+"990000-0009", &c.key.PublicKey)
			e.Signature = c.sign(e.SigningBytes())
		},
		"another terminal":      func(c *city, e *wire.Enrolled) { e.Terminal = "990000-0009"; e.Signature = c.sign(e.SigningBytes()) },
		"an answer of yore":     func(c *city, e *wire.Enrolled) { e.Nonce = "0123456789abcdef"; e.Signature = c.sign(e.SigningBytes()) },
		"another profile":       func(c *city, e *wire.Enrolled) { e.Profile = wire.SM2; e.Signature = c.sign(e.SigningBytes()) },
		"no certificate":        func(c *city, e *wire.Enrolled) { e.Certificate = nil; e.Signature = c.sign(e.SigningBytes()) },
		"no signing certifcate": func(_ *city, e *wire.Enrolled) { e.SigningCert = nil },
		"a time outside its certificate": func(c *city, e *wire.Enrolled) {
			e.Time = e.Time.AddDate(2, 0, 0)
			e.Signature = c.sign(e.SigningBytes())
		},
		"a certificate of another key": func(c *city, e *wire.Enrolled) {
			_, _, key := another(t, nil)
			e.Certificate = c.certify(wire.NameTerminal+terminalID, &key.PublicKey)
			e.Signature = c.sign(e.SigningBytes())
		},
	} {
		t.Run(what, func(t *testing.T) {
			c := newCity(t)
			client := newClient(t, c.server)
			c.change(func(answer any) {
				if e, is := answer.(*wire.Enrolled); is {
					twist(c, e)
				}
			})
			if err := client.Enroll(t.Context(), "s", "n", wire.NewCode()); err == nil {
				t.Error("it was believed")
			}
			if err := client.Renew(t.Context()); !errors.Is(err, uplink.ErrNotEnrolled) {
				t.Errorf("something was kept: %v", err)
			}
			c.change(nil)
			if err := client.Enroll(t.Context(), "s", "n", wire.NewCode()); err != nil {
				t.Errorf("the truth: %v", err)
			}
		})
	}
}

func TestTimesThatLie(t *testing.T) {
	for what, twist := range map[string]func(c *city, n *wire.Now){
		"another question's": func(c *city, n *wire.Now) { n.Nonce = "0123456789abcdef"; n.Signature = c.sign(n.SigningBytes()) },
		"unsigned":           func(_ *city, n *wire.Now) { n.Signature = nil },
		"moved":              func(_ *city, n *wire.Now) { n.Time = n.Time.Add(time.Hour) },
		"another key's":      func(_ *city, n *wire.Now) { n.Signature, _, _ = another(t, n.SigningBytes()) },
		"before the floor": func(c *city, n *wire.Now) {
			n.Time = n.Time.Add(-30 * time.Minute)
			n.Signature = c.sign(n.SigningBytes())
		},
		"after its certificate": func(c *city, n *wire.Now) {
			n.Time = n.Time.AddDate(1, 0, 0)
			n.Signature = c.sign(n.SigningBytes())
		},
		"no certificate": func(_ *city, n *wire.Now) { n.SigningCert = nil },
		"a terminal's":   func(c *city, n *wire.Now) { n.SigningCert = c.certify(wire.NameTerminal+terminalID, &c.key.PublicKey) },
	} {
		t.Run(what, func(t *testing.T) {
			c := newCity(t)
			client := newClient(t, c.server)
			client.Floor(time.Now().Add(-time.Minute))
			c.change(func(answer any) {
				if n, is := answer.(*wire.Now); is {
					twist(c, n)
				}
			})
			if err := client.AskTime(t.Context()); err == nil || client.Offset() != 0 {
				t.Errorf("it was believed: %v, %v", err, client.Offset())
			}
			c.change(nil)
			if err := client.AskTime(t.Context()); err != nil {
				t.Errorf("the truth: %v", err)
			}
		})
	}
	for what, evil := range hostile {
		t.Run(what, func(t *testing.T) {
			c := newCity(t)
			client := newClient(t, c.server)
			c.be(evil)
			if err := client.AskTime(t.Context()); err == nil || client.Offset() != 0 {
				t.Errorf("it was believed: %v", err)
			}
		})
	}
}

// An ordinary answer's Date moves the clock by little, and otherwise only raises a doubt that a signed time settles.
func TestADateHeaderIsNotBelieved(t *testing.T) {
	c := newCity(t)
	client := newClient(t, c.server)
	if err := client.Enroll(t.Context(), "s", "n", wire.NewCode()); err != nil {
		t.Fatal(err)
	}
	date := time.Now().Add(48 * time.Hour)
	c.be(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
		return false
	})
	for range 3 {
		if _, err := client.Catalogue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if off := client.Offset(); off.Abs() > 2*time.Second {
		t.Errorf("an unsigned date moved the clock by %v", off)
	}
	date = time.Now().Add(20 * time.Second)
	if _, err := client.Catalogue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if off := client.Offset(); off < 15*time.Second || off > 25*time.Second {
		t.Errorf("a small correction was not taken: %v", off)
	}
}

func TestFloorOnlyRises(t *testing.T) {
	client := newClient(t, newCity(t).server)
	high := time.Now().Add(time.Hour)
	client.Floor(high)
	client.Floor(high.Add(-2 * time.Hour))
	if client.Now().Before(high.Truncate(time.Millisecond)) {
		t.Error("the floor fell")
	}
}

// A link whose terminal is not let in is down, says why, and comes back when it is let in again.
func TestNotLetIn(t *testing.T) {
	for _, code := range []string{"E-REVOKED", "E-TERMINAL", "E-AUTH", "E-CERT", "E-CERT-EXPIRED"} {
		t.Run(code, func(t *testing.T) {
			c := newCity(t)
			x := newTerminal(t, c)
			x.run(t)
			eventually(t, "link up", func() bool { return x.link.State() == uplink.Up })
			c.be(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusForbidden)
				_ = json.NewEncoder(w).Encode(wire.Error{Code: code})
				return true
			})
			eventually(t, "link down", func() bool { return x.link.State() == uplink.Down && x.link.Refused() == code })
			c.be(nil)
			eventually(t, "link up again", func() bool { return x.link.State() == uplink.Up && x.link.Refused() == "" })
		})
	}
}

func TestCertificateIsRenewedInTime(t *testing.T) {
	c := newCity(t)
	c.life = time.Minute // begins an hour ago: more than a third is over
	x := newTerminal(t, c)
	x.run(t)
	eventually(t, "a renewal", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.renewals > 0 })
}

// Codes are kept from the command line and from errors.
func TestErrorsHoldNoCode(t *testing.T) {
	c := newCity(t)
	client := newClient(t, c.server)
	code := wire.NewCode()
	c.be(hostile["a portal's refusal"])
	if err := client.Enroll(t.Context(), "s", "n", code); err == nil || strings.Contains(err.Error(), code) {
		t.Errorf("%v", err)
	}
	if err := client.Enroll(t.Context(), "s", "n", code[:20]); !errors.Is(err, wire.ErrCode) || strings.Contains(err.Error(), code[:20]) {
		t.Errorf("%v", err)
	}
}
