package wire

// Sealed records: what a terminal keeps of a record so that the platform, and nobody else, can open it.

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"
)

// SealedRecord is a record whose body is sealed with a data key, and that key sealed to the platform's X25519 key. It needs
// nothing of the terminal that wrote it: neither its key file nor its board.
type SealedRecord struct {
	Header
	KeyID  string `json:"key_id"` // the case, or "epoch-N" for records of none
	Gen    uint32 `json:"gen"`    // generation of the data key
	Key    []byte `json:"key"`    // HPKE (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM
	Sealed []byte `json:"sealed"` // salt (32 bytes) and body, as [SealBytes] seals
}

// ErrSealed: a sealed record does not open with this key, or is not what was sealed.
var ErrSealed = errors.New("sealed record does not open")

func sealInfo(terminal, keyID string, gen uint32) []byte {
	return fmt.Appendf(nil, "budayang-data-key-v1 %s %s %d", terminal, keyID, gen)
}

// RecordAAD binds a sealed body to its place.
func RecordAAD(h Header) []byte {
	return fmt.Appendf(nil, "record %s|%d|%s|%d|%s", h.Terminal, h.Epoch, h.Lane, h.Seq, h.ID)
}

// SealDataKey seals a terminal's data key to the platform's X25519 public key (32 bytes).
func SealDataKey(public []byte, terminal, keyID string, gen uint32, key []byte) ([]byte, error) {
	pub, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("platform's seal key: %w", err)
	}
	to, err := hpke.NewDHKEMPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("platform's seal key: %w", err)
	}
	return hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), sealInfo(terminal, keyID, gen), key)
}

// Open opens a sealed record with the platform's private key and checks it against its header; [ErrSealed] when it does not
// open.
func (s SealedRecord) Open(private *ecdh.PrivateKey) (Record, error) {
	if len(s.Sealed) > MaxRecordBody+1024 || len(s.Key) > 1024 {
		return Record{}, fmt.Errorf("%w: %d bytes", ErrSealed, len(s.Sealed))
	}
	priv, err := hpke.NewDHKEMPrivateKey(private)
	if err != nil {
		return Record{}, err
	}
	key, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), sealInfo(s.Terminal, s.KeyID, s.Gen), s.Key)
	if err != nil {
		return Record{}, fmt.Errorf("%w: its key: %w", ErrSealed, err)
	}
	defer clear(key)
	if len(key) != 32 {
		return Record{}, fmt.Errorf("%w: its key has %d bytes", ErrSealed, len(key))
	}
	plain, err := OpenBytes((*[32]byte)(key), s.Sealed, RecordAAD(s.Header))
	if err != nil || len(plain) < len(Hash{}) {
		return Record{}, ErrSealed
	}
	r := Record{Header: s.Header, Body: plain[len(Hash{}):]}
	copy(r.Salt[:], plain)
	if err := r.Check(r.Prev); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	return r, nil
}
