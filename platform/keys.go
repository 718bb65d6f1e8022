package platform

// The platform's keys: an authority for TLS, a key that signs acks, messages and documents, and a certificate for PDFs.

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type keys struct {
	caPEM  []byte
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	tls    tls.Certificate
	sign   *ecdsa.PrivateKey
	public []byte // PKIX DER of sign
	pdf    *x509.Certificate
	seal   *ecdh.PrivateKey
}

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
		err = os.WriteFile(caFile, k.caPEM, 0o644)
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
	if k.sign, err = p256(filepath.Join(dir, "sign.key")); err != nil {
		return nil, err
	}
	if k.public, err = x509.MarshalPKIXPublicKey(&k.sign.PublicKey); err != nil {
		return nil, err
	}
	if k.pdf, err = k.certify(certTemplate("Budayang e-seal SPECIMEN", now, 5), &k.sign.PublicKey); err != nil {
		return nil, err
	}
	if err = k.server(hosts, now); err != nil {
		return nil, err
	}
	k.seal, err = x25519(filepath.Join(dir, "seal.key"))
	return k, err
}

// server makes the TLS certificate anew at each start; only the authority is kept.
func (k *keys) server(hosts []string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := certTemplate("Budayang platform", now, 1)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames, t.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	cert, err := k.certify(t, &key.PublicKey)
	if err != nil {
		return err
	}
	k.tls = tls.Certificate{Certificate: [][]byte{cert.Raw, k.ca.Raw}, PrivateKey: key, Leaf: cert}
	return nil
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
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return key, writeKey(path, key)
	}
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
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return key, writeKey(path, key)
	}
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

func writeKey(path string, key any) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// signature signs bytes with the platform's key.
func (k *keys) signature(b []byte) ([]byte, error) {
	sum := sha256.Sum256(b)
	return k.sign.Sign(rand.Reader, sum[:], crypto.SHA256)
}
