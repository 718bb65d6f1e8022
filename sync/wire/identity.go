package wire

// Who a terminal is: enrolment, renewal, and the platform's time.

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// Names in certificates (URI subject alternative names) say what a certificate is for, so that none passes for another.
const (
	NameSigning  = "urn:budayang:signing"   // the platform's key that signs
	NameTerminal = "urn:budayang:terminal:" // with the terminal's id
)

// Enroll introduces a terminal. Every field is under Proof.
type Enroll struct {
	Terminal string `json:"terminal"`
	Site     string `json:"site"`
	Name     string `json:"name"`
	Keys
	Proof []byte `json:"proof"` // Ed25519 by [CodeKey] over SigningBytes
}

// Keys are what a terminal wants certified.
type Keys struct {
	Nonce     string  `json:"nonce"`                // 16 to 64 hex digits, new for each request
	CSR       []byte  `json:"csr"`                  // PKCS #10 DER, P-256: the key that speaks TLS
	Profile   Profile `json:"profile"`              // of the key that signs requests and batches
	SignKey   []byte  `json:"sign_key,omitempty"`   // PKIX DER; absent in profile P256, where the CSR's key signs
	SignProof []byte  `json:"sign_proof,omitempty"` // by SignKey over SigningBytes: whoever asks holds it
}

func sum(b []byte) Hash { return sha256.Sum256(b) }

// SigningBytes is what SignKey signs.
func (k Keys) SigningBytes(terminal string) []byte {
	return fmt.Appendf(nil, "budayang-keys-v1\n%s\n%s\n%s\n%s\n%s\n", terminal, k.Nonce, sum(k.CSR), k.Profile, sum(k.SignKey))
}

// SigningBytes is what the code's key signs.
func (e Enroll) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-enroll-v2\n%s\n%s\n%s\n", sum(e.Keys.SigningBytes(e.Terminal)), sum([]byte(e.Site)), sum([]byte(e.Name)))
}

// Renew asks for a new certificate, for the same keys or for new ones. It travels in a request signed with the known key; the
// client certificate may have expired.
type Renew struct {
	Keys
}

// Enrolled answers both: the terminal's certificate, and whom to trust.
type Enrolled struct {
	Terminal    string    `json:"terminal"`
	Nonce       string    `json:"nonce"`        // the request's
	Certificate []byte    `json:"certificate"`  // DER, for TLS; by the platform's authority
	Profile     Profile   `json:"profile"`      // of PlatformKey and of this terminal
	PlatformKey []byte    `json:"platform_key"` // PKIX DER: signs acks, inbox messages and documents for this terminal
	SealKey     []byte    `json:"seal_key"`     // X25519 public key: copies of personal data are sealed to it
	Time        time.Time `json:"time"`
	SigningCert []byte    `json:"signing_cert"` // DER, by the platform's authority, named [NameSigning]; P-256
	Signature   []byte    `json:"signature"`    // by SigningCert's key over SigningBytes
}

// SigningBytes is what the platform signs, so that nobody between can put another platform's keys into the answer.
func (e Enrolled) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-enrolled-v2\n%s\n%s\n%s\n%s\n%s\n%s\n%d\n",
		e.Terminal, e.Nonce, sum(e.Certificate), e.Profile, sum(e.PlatformKey), sum(e.SealKey), e.Time.UnixMilli())
}

// Now is the platform's time, signed for one question: what a terminal with a dead clock may believe.
type Now struct {
	Time        time.Time `json:"time"`
	Nonce       string    `json:"nonce"`
	SigningCert []byte    `json:"signing_cert"`
	Signature   []byte    `json:"signature"`
}

// SigningBytes is what the platform signs.
func (n Now) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-time-v1\n%s\n%d\n", n.Nonce, n.Time.UnixMilli())
}
