package wire

// Ciphers at rest: what a terminal seals, and the platform opens.
//
//	AES-256-GCM   nonce (12 bytes), ciphertext, tag (16 bytes); the key as it is
//	SM4-GCM       "BDYSM4-1", then the same; the key is 16 bytes of HKDF-SM3 (RFC 5869) of the data key, without salt, info
//	              "budayang-sm4-gcm-v1"
//
// What is sealed says by itself which of the two it is, so that a terminal whose profile was changed opens what it sealed
// before. GB/T 32907 is SM4, GB/T 32905 SM3; RFC 8998 has SM4 in GCM.

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"errors"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// Cipher names how a terminal seals at rest.
type Cipher string

// Ciphers.
const (
	AES256GCM Cipher = "aes-256-gcm"
	SM4GCM    Cipher = "sm4-gcm"
)

// Known says whether the cipher is one of ours; "" is [AES256GCM].
func (c Cipher) Known() bool { return c == "" || c == AES256GCM || c == SM4GCM }

// markSM4 begins what is sealed in profile [SM4GCM]. A nonce of the other profile never begins so.
var markSM4 = []byte("BDYSM4-1")

const (
	nonceSize = 12
	tagSize   = 16
)

// Sealing is by how much a cipher makes what it seals longer, in bytes.
func (c Cipher) Sealing() int {
	if c == SM4GCM {
		return len(markSM4) + nonceSize + tagSize
	}
	return nonceSize + tagSize
}

// SealedBy tells from the first bytes of what is sealed which cipher did it.
func SealedBy(sealed []byte) Cipher {
	if bytes.HasPrefix(sealed, markSM4) {
		return SM4GCM
	}
	return AES256GCM
}

// errNotOpened: wrong key, or not what was sealed. It says nothing more on purpose.
var errNotOpened = errors.New("it does not open with this key")

// SealBytes seals under a 32-byte key, bound to what it is about.
func SealBytes(c Cipher, key *[32]byte, plain, about []byte) ([]byte, error) {
	gcm, err := c.gcm(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, c.Sealing()+len(plain))
	if c == SM4GCM {
		out = append(out, markSM4...)
	}
	var nonce [nonceSize]byte
	for first := true; first || bytes.HasPrefix(nonce[:], markSM4); first = false {
		if _, err := rand.Read(nonce[:]); err != nil {
			return nil, err
		}
	}
	return gcm.Seal(append(out, nonce[:]...), nonce[:], plain, about), nil
}

// OpenBytes opens what [SealBytes] sealed, in whichever profile.
func OpenBytes(key *[32]byte, sealed, about []byte) ([]byte, error) {
	c := SealedBy(sealed)
	if c == SM4GCM {
		sealed = sealed[len(markSM4):]
	}
	if len(sealed) < nonceSize+tagSize {
		return nil, errNotOpened
	}
	gcm, err := c.gcm(key)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, sealed[:nonceSize], sealed[nonceSize:], about)
	if err != nil {
		return nil, errNotOpened
	}
	return plain, nil
}

func (c Cipher) gcm(key *[32]byte) (cipher.AEAD, error) {
	var block cipher.Block
	var err error
	if c == SM4GCM {
		var short []byte
		if short, err = hkdf.Key(sm3.New, key[:], nil, "budayang-sm4-gcm-v1", sm4.BlockSize); err != nil {
			return nil, err
		}
		block, err = sm4.NewCipher(short)
		clear(short)
	} else {
		block, err = aes.NewCipher(key[:])
	}
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
