package platform

// The platform's keys: an authority for TLS and for terminals, a key of each signature profile that signs acks, messages and
// documents, and a certificate for PDFs.

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

type keys struct {
	caPEM  []byte
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	roots  *x509.CertPool
	sign   *ecdsa.PrivateKey
	public map[wire.Profile][]byte // PKIX DER of sign and sm2
	sm2    crypto.Signer
	pdf    *x509.Certificate
	seal   *ecdh.PrivateKey

	mu      sync.Mutex
	hosts   []string
	tls     *tls.Certificate // the server's
	signing *x509.Certificate
}

// Files of the signing keys in the data directory.
const (
	signKeyFile = "sign.key"
	sm2KeyFile  = "sign-sm2.key"
)

func openKeys(dir string, hosts []string, now time.Time) (k *keys, err error) {
	k = &keys{}
	if k.caKey, err = p256(filepath.Join(dir, "ca.key")); err != nil {
		return nil, err
	}
	caFile := filepath.Join(dir, "ca.pem")
	if k.caPEM, err = os.ReadFile(caFile); errors.Is(err, fs.ErrNotExist) {
		t := certTemplate("Budayang platform authority", now, 20)
		t.IsCA, t.BasicConstraintsValid = true, true
		t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		der, cerr := x509.CreateCertificate(rand.Reader, t, t, &k.caKey.PublicKey, k.caKey)
		if cerr != nil {
			return nil, cerr
		}
		k.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if err = create(caFile, k.caPEM, 0o644); err == nil {
			k.caPEM, err = os.ReadFile(caFile) // another process may have been first
		}
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(k.caPEM)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", caFile)
	}
	if k.ca, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, err
	}
	if k.sign, err = p256(filepath.Join(dir, signKeyFile)); err != nil {
		return nil, err
	}
	if k.sm2, err = sm2Key(filepath.Join(dir, sm2KeyFile)); err != nil {
		return nil, err
	}
	k.public = map[wire.Profile][]byte{}
	for p, key := range map[wire.Profile]crypto.Signer{wire.P256: k.sign, wire.SM2: k.sm2} {
		if k.public[p], err = wire.MarshalPublicKey(key); err != nil {
			return nil, err
		}
	}
	if k.pdf, err = k.certify(certTemplate("Budayang e-seal SPECIMEN", now, 5), &k.sign.PublicKey); err != nil {
		return nil, err
	}
	k.hosts, k.roots = hosts, x509.NewCertPool()
	k.roots.AddCert(k.ca)
	if _, err = k.server(now); err != nil {
		return nil, err
	}
	k.seal, err = x25519(filepath.Join(dir, "seal.key"))
	return k, err
}

// shortLife is that of certificates which the platform makes for itself, and remakes when half of it is over; only the
// authority is kept.
const shortLife = 180 * 24 * time.Hour

func fresh(c *x509.Certificate, now time.Time) bool {
	return c != nil && now.After(c.NotBefore) && c.NotAfter.Sub(now) > shortLife/2
}

// server is the TLS certificate.
func (k *keys) server(now time.Time) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tls != nil && fresh(k.tls.Leaf, now) {
		return k.tls, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := certTemplate("Budayang platform", now, 0)
	t.NotAfter = now.Add(shortLife)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames, t.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, h := range k.hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	cert, err := k.certify(t, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	k.tls = &tls.Certificate{Certificate: [][]byte{cert.Raw, k.ca.Raw}, PrivateKey: key, Leaf: cert}
	return k.tls, nil
}

// signingCert says of the signing key that it is the platform's.
func (k *keys) signingCert(now time.Time) (*x509.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if fresh(k.signing, now) {
		return k.signing, nil
	}
	t := certTemplate("Budayang platform signing key", now, 0)
	t.NotAfter = now.Add(shortLife)
	t.URIs = []*url.URL{{Scheme: "urn", Opaque: strings.TrimPrefix(wire.NameSigning, "urn:")}}
	cert, err := k.certify(t, &k.sign.PublicKey)
	if err != nil {
		return nil, err
	}
	k.signing = cert
	return cert, nil
}

func (k *keys) certify(t *x509.Certificate, pub any) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, k.ca, pub, k.caKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func certTemplate(name string, now time.Time, years int) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Budayang"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(years, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
}

// p256 reads a key file of mode 0600, or makes it.
func p256(path string) (*ecdsa.PrivateKey, error) {
	b, err := readOrMake(path, func() ([]byte, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(key)
	})
	k, err := readKey(b, err)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not a P-256 key", path)
	}
	return key, nil
}

func x25519(path string) (*ecdh.PrivateKey, error) {
	b, err := readOrMake(path, func() ([]byte, error) {
		key, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(key)
	})
	k, err := readKey(b, err)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := k.(*ecdh.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an X25519 key", path)
	}
	return key, nil
}

// readSecret refuses a file that others can read.
func readSecret(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 it, and think of it as known to them", path)
	}
	return os.ReadFile(path)
}

func readKey(b []byte, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("not PEM")
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

// readOrMake reads a secret key's file, and makes it first where there is none. Of servers that start together on one
// directory all get the key of whichever was first.
func readOrMake(path string, fresh func() (der []byte, err error)) ([]byte, error) {
	b, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	der, err := fresh()
	if err == nil {
		err = create(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		return nil, err
	}
	return readSecret(path)
}

// create makes a file whole and durable. One that is there already stays as it is.
func create(path string, b []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// signature signs bytes with the platform's key of a profile.
func (k *keys) signature(p wire.Profile, b []byte) ([]byte, error) {
	if p == wire.SM2 {
		return wire.Sign(k.sm2, b)
	}
	return wire.Sign(k.sign, b)
}

// publicKeys are those that sign, one of each profile.
func (k *keys) publicKeys() []*ecdsa.PublicKey {
	return []*ecdsa.PublicKey{&k.sign.PublicKey, k.sm2.Public().(*ecdsa.PublicKey)}
}

// signed says whether a signature is ours, in either profile.
func (k *keys) signed(b, signature []byte) bool { return signedByOne(k.publicKeys(), b, signature) }

// sm2Key reads a key file of mode 0600, or makes it.
func sm2Key(path string) (crypto.Signer, error) {
	b, err := readOrMake(path, func() ([]byte, error) {
		key, err := wire.NewKey(wire.SM2)
		if err != nil {
			return nil, err
		}
		return wire.MarshalPrivateKey(key)
	})
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", path)
	}
	key, p, err := wire.ParsePrivateKey(block.Bytes)
	if err != nil || p != wire.SM2 {
		return nil, fmt.Errorf("%s: not an SM2 key", path)
	}
	return key, nil
}
