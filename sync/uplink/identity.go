package uplink

// Identity: the terminal's keys, its certificate, and whom it trusts. All of it is one file of mode 0600, replaced whole, so
// that key, certificate and trust never come from different days.

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// IdentityFile is the file's name in the data directory.
const IdentityFile = "identity.json"

// ErrProfile: an enrolled terminal keeps its signature profile.
var ErrProfile = errors.New("signature profile of an enrolled terminal")

// ErrNotEnrolled: the platform does not know this terminal's key.
var ErrNotEnrolled = errors.New("terminal is not enrolled")

// Identity is who the terminal is. Its methods may be called from any goroutine.
type Identity struct {
	Terminal string
	path     string

	mu  sync.Mutex // over changes
	now atomic.Pointer[credentials]
}

// credentials belong together and never change.
type credentials struct {
	profile wire.Profile
	tls     crypto.Signer
	sign    crypto.Signer
	cert    *tls.Certificate // nil until enrolled
	trusted *ecdsa.PublicKey // the platform's key, nil until enrolled
	file    onDisk
	next    *onDisk // keys that were sent for a rotation whose answer is not known
}

// onDisk is the file. Keys are PKCS #8.
type onDisk struct {
	Terminal    string       `json:"terminal"`
	Profile     wire.Profile `json:"profile"`
	Key         []byte       `json:"key"`                // P-256: speaks TLS
	SignKey     []byte       `json:"sign_key,omitempty"` // signs; absent where Key does
	Certificate []byte       `json:"certificate,omitempty"`
	PlatformKey []byte       `json:"platform_key,omitempty"`
	SealKey     []byte       `json:"seal_key,omitempty"`
	Past        [][]byte     `json:"past,omitempty"` // public keys that signed before a rotation, PKIX; the audit chain carries their signatures
	Next        *onDisk      `json:"next,omitempty"`
}

// LoadIdentity reads the identity from a directory, and makes keys when there are none.
func LoadIdentity(dir, terminal string) (*Identity, error) {
	id := &Identity{Terminal: terminal, path: filepath.Join(dir, IdentityFile)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	st, err := os.Stat(id.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return id, id.begin(wire.P256)
	case err != nil:
		return nil, fmt.Errorf("identity: %w", err)
	case st.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("identity %s can be read by others: chmod 600 it", id.path)
	case st.Size() > 64<<10:
		return nil, fmt.Errorf("identity %s is %d bytes long", id.path, st.Size())
	}
	return id, id.Reload()
}

// Reload reads the file again: another process may have enrolled the terminal.
func (id *Identity) Reload() error {
	id.mu.Lock()
	defer id.mu.Unlock()
	b, err := os.ReadFile(id.path)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	var f onDisk
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("identity %s: %w", id.path, err)
	}
	if f.Terminal != id.Terminal {
		return fmt.Errorf("identity %s is terminal %s's, this is %s", id.path, f.Terminal, id.Terminal)
	}
	c, err := f.credentials()
	if err != nil {
		return fmt.Errorf("identity %s: %w", id.path, err)
	}
	id.now.Store(c)
	return nil
}

func (f onDisk) credentials() (*credentials, error) {
	c := &credentials{profile: f.Profile, file: f, next: f.Next}
	var p wire.Profile
	var err error
	if c.tls, p, err = wire.ParsePrivateKey(f.Key); err != nil {
		return nil, err
	}
	if p != wire.P256 {
		return nil, errors.New("key for TLS is not P-256")
	}
	c.sign = c.tls
	if len(f.SignKey) > 0 {
		if c.sign, p, err = wire.ParsePrivateKey(f.SignKey); err != nil {
			return nil, err
		}
	}
	if p != f.Profile {
		return nil, fmt.Errorf("key is of profile %s, expected %q", p, f.Profile)
	}
	if len(f.Certificate) == 0 && len(f.PlatformKey) == 0 {
		return c, nil
	}
	leaf, err := x509.ParseCertificate(f.Certificate)
	if err != nil {
		return nil, err
	}
	if pub, is := leaf.PublicKey.(*ecdsa.PublicKey); !is || !pub.Equal(c.tls.Public()) {
		return nil, errors.New("certificate is not for this key")
	}
	c.cert = &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: c.tls, Leaf: leaf}
	if c.trusted, p, err = wire.ParsePublicKey(f.PlatformKey); err != nil {
		return nil, fmt.Errorf("platform key: %w", err)
	}
	if p != f.Profile {
		return nil, fmt.Errorf("platform key is of profile %s, expected %s", p, f.Profile)
	}
	return c, nil
}

// newKeys makes keys of a profile.
func newKeys(terminal string, p wire.Profile) (f onDisk, err error) {
	f = onDisk{Terminal: terminal, Profile: p}
	key, err := wire.NewKey(wire.P256)
	if err != nil {
		return f, err
	}
	if f.Key, err = wire.MarshalPrivateKey(key); err != nil || p == wire.P256 {
		return f, err
	}
	if key, err = wire.NewKey(p); err != nil {
		return f, err
	}
	f.SignKey, err = wire.MarshalPrivateKey(key)
	return f, err
}

// begin makes new keys in the place of whatever there was.
func (id *Identity) begin(p wire.Profile) error {
	f, err := newKeys(id.Terminal, p)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if was := id.now.Load(); was != nil {
		c, err := f.credentials()
		if err == nil {
			f.Past, err = past(was, c)
		}
		if err != nil {
			return fmt.Errorf("identity: %w", err)
		}
	}
	return id.keep(f)
}

// keep writes the file and takes it as what is true.
func (id *Identity) keep(f onDisk) error {
	id.mu.Lock()
	defer id.mu.Unlock()
	c, err := f.credentials()
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if err := writeFile(id.path, b); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	id.now.Store(c)
	return nil
}

// UseProfile makes keys of another signature profile; an enrolled terminal keeps its own until it is enrolled anew.
func (id *Identity) UseProfile(p wire.Profile) error {
	switch {
	case !p.Known():
		return fmt.Errorf("signature profile %.20q is not known", string(p))
	case p == id.now.Load().profile:
		return nil
	case id.Enrolled():
		return fmt.Errorf("%w: terminal is enrolled in profile %s: reset it at the platform, remove %s and enrol it again to use %s", ErrProfile, id.now.Load().profile, id.path, p)
	}
	return id.begin(p)
}

// writeFile replaces a secret file whole: written aside, synced, renamed, its directory synced.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Enrolled says whether the platform let this key in once.
func (id *Identity) Enrolled() bool { return id.now.Load().trusted != nil }

// Profile is the signature profile.
func (id *Identity) Profile() wire.Profile { return id.now.Load().profile }

// SealKey is the platform's X25519 key, nil until enrolled.
func (id *Identity) SealKey() []byte { return id.now.Load().file.SealKey }

// Certified is when the certificate begins and ends; zero until enrolled.
func (id *Identity) Certified() (from, until time.Time) {
	if c := id.now.Load().cert; c != nil {
		return c.Leaf.NotBefore, c.Leaf.NotAfter
	}
	return from, until
}

// renewalDue says whether a third of the certificate's life is over, or a rotation was begun and not finished.
func (id *Identity) renewalDue(now time.Time) bool {
	c := id.now.Load()
	return c.cert != nil && (c.next != nil || now.After(c.cert.Leaf.NotBefore.Add(c.cert.Leaf.NotAfter.Sub(c.cert.Leaf.NotBefore)/3)))
}

// verify checks the platform's signature.
func (id *Identity) verify(b, signature []byte) error {
	key := id.now.Load().trusted
	if key == nil {
		return ErrNotEnrolled
	}
	if !wire.Verify(key, b, signature) {
		return wire.ErrSignature
	}
	return nil
}

// ask makes a request for certificates of keys, with a new nonce.
func (c *credentials) ask(terminal string) (k wire.Keys, err error) {
	k = wire.Keys{Nonce: nonce(), Profile: c.profile}
	k.CSR, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: terminal}}, c.tls)
	if err != nil || c.profile == wire.P256 {
		return k, err
	}
	if k.SignKey, err = wire.MarshalPublicKey(c.sign); err != nil {
		return k, err
	}
	k.SignProof, err = wire.Sign(c.sign, k.SigningBytes(terminal))
	return k, err
}

// enrolment is the request that introduces this terminal.
func (id *Identity) enrolment(site, name, code string) (e wire.Enroll, err error) {
	key, err := wire.CodeKey(id.Terminal, code)
	if err != nil {
		return e, err
	}
	e = wire.Enroll{Terminal: id.Terminal, Site: site, Name: name}
	if e.Keys, err = id.now.Load().ask(id.Terminal); err != nil {
		return e, err
	}
	e.Proof = ed25519.Sign(key, e.SigningBytes())
	return e, nil
}

// accept checks an answer against the authorities that the terminal was given, and keeps it for the keys it was asked for.
func (id *Identity) accept(e wire.Enrolled, asked wire.Keys, roots *x509.CertPool, f onDisk) error {
	if e.Terminal != id.Terminal || e.Nonce != asked.Nonce || e.Profile != asked.Profile {
		return fmt.Errorf("%w: enrolled as %q in profile %q", ErrGarbled, e.Terminal, string(e.Profile))
	}
	if err := signedByPlatform(e.SigningCert, roots, e.Time, e.SigningBytes(), e.Signature); err != nil {
		return err
	}
	f.Certificate, f.PlatformKey, f.SealKey, f.Next = e.Certificate, e.PlatformKey, e.SealKey, nil
	c, err := f.credentials()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	if c.file.Past, err = past(id.now.Load(), c); err != nil {
		return err
	}
	f.Past = c.file.Past
	_, err = c.cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: e.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return fmt.Errorf("%w: certificate: %w", ErrGarbled, err)
	}
	return id.keep(f)
}

// signedByPlatform checks a signature by a key that an authority of ours calls the platform's signing key, at the time that
// is under the signature.
func signedByPlatform(cert []byte, roots *x509.CertPool, at time.Time, b, signature []byte) error {
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		return fmt.Errorf("%w: signing certificate", ErrGarbled)
	}
	named := false
	for _, u := range c.URIs {
		named = named || u.String() == wire.NameSigning
	}
	pub, is := c.PublicKey.(*ecdsa.PublicKey)
	if !named || !is {
		return fmt.Errorf("%w: signing certificate is for something else", wire.ErrSignature)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return fmt.Errorf("%w: signing certificate: %w", wire.ErrSignature, err)
	}
	if !wire.Verify(pub, b, signature) {
		return wire.ErrSignature
	}
	return nil
}

// past are the public keys that signed before: those of before, and the present one when another takes its place.
func past(was, is *credentials) ([][]byte, error) {
	a, err := wire.MarshalPublicKey(was.sign)
	if err != nil {
		return nil, err
	}
	b, err := wire.MarshalPublicKey(is.sign)
	if err != nil || bytes.Equal(a, b) {
		return was.file.Past, err
	}
	return append(slices.Clone(was.file.Past), a), nil
}

func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// authorize signs a request.
func (c *credentials) authorize(r *http.Request, terminal string, body []byte, now time.Time) error {
	n, ms := nonce(), now.UnixMilli()
	sig, err := wire.Sign(c.sign, wire.RequestSigningBytes(r.Method, r.URL.RequestURI(), ms, n, sha256.Sum256(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", fmt.Sprintf(`%s terminal="%s",time="%d",nonce="%s",signature="%s"`,
		c.profile.Scheme(), terminal, ms, n, base64.StdEncoding.EncodeToString(sig)))
	return nil
}
