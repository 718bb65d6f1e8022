package paysim

// What tests of adapters need on both sides of a wire: keys, and the channel's server under its own names.

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Keys are those of a synthetic merchant, of a channel that signs with RSA, and of a stranger.
type Keys struct{ Own, Peer, Stranger *rsa.PrivateKey }

// RSA are keys made once for a process.
var RSA = sync.OnceValue(func() (k Keys) {
	for _, to := range []**rsa.PrivateKey{&k.Own, &k.Peer, &k.Stranger} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err) // no randomness: nothing can be tested
		}
		*to = key
	}
	return k
})

// PrivatePEM is a key as a merchant keeps it (PKCS #8).
func PrivatePEM(k *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return inPEM("PRIVATE KEY", der, err)
}

// PublicPEM is a key as a channel publishes it (PKIX).
func PublicPEM(k *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	return inPEM("PUBLIC KEY", der, err)
}

// CertificatePEM is a certificate for a key, signed by the key itself, good for an hour and for these names.
func CertificatePEM(k *rsa.PrivateKey, serial int64, names ...string) []byte {
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Issuer: pkix.Name{CommonName: "Synthetic"}, Subject: pkix.Name{CommonName: "Synthetic"},
		NotAfter: time.Now().Add(time.Hour), DNSNames: names, IsCA: true, BasicConstraintsValid: true, SignatureAlgorithm: x509.SHA256WithRSA}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	return inPEM("CERTIFICATE", der, err)
}

func inPEM(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Serve puts a handler behind TLS under names of a channel's, until the server is closed. The way leads to it whatever host is called, and
// trusts nobody else.
func Serve(h http.Handler, names ...string) (*httptest.Server, *http.Transport) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	own := CertificatePEM(key, 1, names...)
	pair, err := tls.X509KeyPair(own, PrivatePEM(key))
	if err != nil {
		panic(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(own)
	return s, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		}}
}
