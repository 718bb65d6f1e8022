package wire

// Enrolment codes: what a technician types once so that a terminal may introduce itself.

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
)

// ErrCode: the code cannot be right; it was mistyped.
var ErrCode = errors.New("enrolment code is mistyped: 28 letters and digits in seven groups of four")

// symbols are Crockford's: no I, L, O or U.
const symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	codeRandom = 26 // symbols of 5 bits: 130 bits
	codeLength = 28 // with two check symbols
)

// NewCode makes a code: 26 random symbols and two that catch mistyping, in groups of four ("7K3M-0PQZ-…").
func NewCode() string {
	b := make([]byte, codeRandom)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = symbols[b[i]%32]
	}
	whole := string(b) + codeCheck(string(b))
	var groups []string
	for i := 0; i < codeLength; i += 4 {
		groups = append(groups, whole[i:i+4])
	}
	return strings.Join(groups, "-")
}

func codeCheck(random string) string {
	sum := sha256.Sum256([]byte("budayang-enrol-check\n" + random))
	return string([]byte{symbols[sum[0]%32], symbols[sum[1]%32]})
}

// CodeKey is the key that a code stands for, at this terminal only. The platform keeps its public half and nothing else: what
// is in its database enrols nobody. The terminal signs with it what it asks for, so that whoever stands between, be it where
// TLS ends, can neither read the code nor put another key into the request.
func CodeKey(terminal, code string) (ed25519.PrivateKey, error) {
	if len(code) > 200 {
		return nil, ErrCode
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(code) {
		switch r {
		case '-', ' ', '\t', '\r', '\n':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if r > 0x7f || !strings.ContainsRune(symbols, r) {
			return nil, ErrCode
		}
		b.WriteRune(r)
	}
	whole := b.String()
	if len(whole) != codeLength || whole[codeRandom:] != codeCheck(whole[:codeRandom]) {
		return nil, ErrCode
	}
	seed := sha256.Sum256([]byte("budayang-enrol-code-v1\n" + terminal + "\n" + whole))
	return ed25519.NewKeyFromSeed(seed[:]), nil
}
