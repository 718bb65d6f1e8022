package wire

// Signature profiles: with what terminals and platform sign requests, batches, acks, messages and documents.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// A Profile is a signature algorithm with its digest. Signatures are ASN.1 (r, s) in both.
type Profile string

// Profiles. TLS and its certificates are P-256 in both: the Chinese algorithms sign what travels inside, and protect the
// line itself where a city's gateway does that.
const (
	P256 Profile = "p256-sha256" // ECDSA on P-256 over SHA-256 (FIPS 186-5); the default
	SM2  Profile = "sm2-sm3"     // GB/T 32918.2 over SM3 (GB/T 32905), user id "1234567812345678" (GB/T 35276)
)

// Known says whether a profile is one of ours.
func (p Profile) Known() bool { return p == P256 || p == SM2 }

// Scheme begins an Authorization header in this profile.
func (p Profile) Scheme() string {
	if p == SM2 {
		return AuthSchemeSM2
	}
	return AuthScheme
}

// NewKey makes a key of a profile.
func NewKey(p Profile) (crypto.Signer, error) {
	switch p {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case SM2:
		return sm2.GenerateKey(rand.Reader)
	}
	return nil, fmt.Errorf("signature profile %.20q is not known", string(p))
}

// Sign signs bytes with a key of either profile.
func Sign(key crypto.Signer, b []byte) ([]byte, error) {
	if k, is := key.(*sm2.PrivateKey); is {
		return k.Sign(rand.Reader, b, sm2.NewSM2SignerOption(true, nil))
	}
	sum := sha256.Sum256(b)
	return key.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// Verify says whether a signature is the key's, in the key's own profile.
func Verify(pub *ecdsa.PublicKey, b, signature []byte) bool {
	switch {
	case pub == nil || len(signature) == 0 || len(signature) > 80:
		return false
	case pub.Curve == sm2.P256():
		return sm2.VerifyASN1WithSM2(pub, nil, b, signature)
	}
	sum := sha256.Sum256(b)
	return ecdsa.VerifyASN1(pub, sum[:], signature)
}

var errNotAKey = errors.New("not a public key on P-256 or SM2's curve")

// ParsePublicKey reads PKIX DER and says of which profile the key is.
func ParsePublicKey(der []byte) (*ecdsa.PublicKey, Profile, error) {
	if len(der) > 256 {
		return nil, "", errNotAKey
	}
	k, err := smx509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, "", errNotAKey
	}
	key, is := k.(*ecdsa.PublicKey)
	switch {
	case is && key.Curve == elliptic.P256():
		return key, P256, nil
	case is && key.Curve == sm2.P256():
		return key, SM2, nil
	}
	return nil, "", errNotAKey
}

// MarshalPublicKey writes the PKIX DER of a signer's public half.
func MarshalPublicKey(key crypto.Signer) ([]byte, error) {
	if _, is := key.(*sm2.PrivateKey); is {
		return smx509.MarshalPKIXPublicKey(key.Public())
	}
	return x509.MarshalPKIXPublicKey(key.Public())
}

// MarshalPrivateKey writes PKCS #8.
func MarshalPrivateKey(key crypto.Signer) ([]byte, error) { return smx509.MarshalPKCS8PrivateKey(key) }

// ParsePrivateKey reads PKCS #8 of either profile.
func ParsePrivateKey(der []byte) (crypto.Signer, Profile, error) {
	k, err := smx509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, "", fmt.Errorf("private key: %w", err)
	}
	switch key := k.(type) {
	case *sm2.PrivateKey:
		return key, SM2, nil
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return key, P256, nil
		}
	}
	return nil, "", errors.New("private key: neither on P-256 nor on SM2's curve")
}
