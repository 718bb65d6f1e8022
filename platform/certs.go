package platform

// Client certificates: issued by the platform's own authority, checked against it on every request.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

const (
	// certLife exceeds the longest outage; terminals renew after a third of it.
	certLife = 90 * 24 * time.Hour
	// renewalLimit is how long after its certificate's end a terminal may still renew with the key that is known. Whoever was
	// away longer is looked at by a person.
	renewalLimit = 180 * 24 * time.Hour
	// clockSlack is how far before its issue a certificate begins, for clocks that are slow.
	clockSlack = 24 * time.Hour
)

func fingerprint(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// asked is what a terminal wants certified, after every check that needs no store.
type asked struct {
	wire.Keys
	tls  crypto.PublicKey
	sign []byte // PKIX DER of the key that signs requests
}

// keys names both keys.
func (a asked) keys() string {
	der, _ := x509.MarshalPKIXPublicKey(a.tls)
	return fingerprint(append(slices.Clone(a.sign), der...))
}

var errKeys = errors.New("keys are not as they must be")

// examine checks the form of a request for a certificate, and that whoever asks holds both keys.
func examine(terminal string, k wire.Keys) (a asked, err error) {
	if !hexNonce.MatchString(k.Nonce) || len(k.CSR) > 4096 || !k.Profile.Known() {
		return a, errKeys
	}
	csr, err := x509.ParseCertificateRequest(k.CSR)
	if err != nil || csr.CheckSignature() != nil {
		return a, errKeys
	}
	pub, is := csr.PublicKey.(*ecdsa.PublicKey)
	if !is || pub.Curve != elliptic.P256() {
		return a, errKeys
	}
	a = asked{Keys: k, tls: pub}
	if k.Profile == wire.P256 {
		if len(k.SignKey) > 0 || len(k.SignProof) > 0 {
			return a, errKeys
		}
		a.sign, err = x509.MarshalPKIXPublicKey(pub)
		return a, err
	}
	sign, p, err := wire.ParsePublicKey(k.SignKey)
	if err != nil || p != k.Profile || !wire.Verify(sign, k.SigningBytes(terminal), k.SignProof) {
		return a, errKeys
	}
	a.sign = k.SignKey
	return a, nil
}

// clientCertificate is a certificate for a terminal's TLS key. Nothing of the request but the key goes into it.
func (k *keys) clientCertificate(terminal string, pub crypto.PublicKey, now time.Time, life time.Duration) (*x509.Certificate, error) {
	t := certTemplate(terminal, now, 0)
	t.NotBefore, t.NotAfter = now.Add(-clockSlack), now.Add(life)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	t.URIs = []*url.URL{{Scheme: "urn", Opaque: wire.NameTerminal[len("urn:"):] + terminal}}
	return k.certify(t, pub)
}

// leaf is the client certificate of a request; nil where TLS ends at a gateway.
func (s *Server) leaf(r *http.Request) (*x509.Certificate, error) {
	if s.cfg.Gateway {
		return nil, nil
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, errors.New("no client certificate was shown")
	}
	return r.TLS.PeerCertificates[0], nil
}

// ours checks a certificate against the authority, and that it is for this terminal; not its time.
func (k *keys) ours(c *x509.Certificate, terminal string) error {
	_, err := c.Verify(x509.VerifyOptions{Roots: k.roots, CurrentTime: c.NotAfter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return errors.New("client certificate is not by the platform's authority, or not for a client")
	}
	for _, u := range c.URIs {
		if u.String() == wire.NameTerminal+terminal {
			return nil
		}
	}
	return errors.New("client certificate is another terminal's")
}
