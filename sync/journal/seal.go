package journal

// Sealing: the key file, data keys, and AES-256-GCM.

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// masterKey wraps data keys. It never seals personal data itself.
type masterKey struct{ aead }

// aead seals with a random 96-bit nonce in front.
type aead struct {
	gcm cipher.AEAD
	raw [32]byte
}

func newAEAD(raw [32]byte) (aead, error) {
	block, err := aes.NewCipher(raw[:])
	if err != nil {
		return aead{}, err
	}
	gcm, err := cipher.NewGCM(block)
	return aead{gcm, raw}, err
}

func (a aead) seal(plain, about []byte) ([]byte, error) {
	nonce := make([]byte, a.gcm.NonceSize(), a.gcm.NonceSize()+len(plain)+a.gcm.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return a.gcm.Seal(nonce, nonce, plain, about), nil
}

func (a aead) open(sealed, about []byte) ([]byte, error) {
	if len(sealed) < a.gcm.NonceSize() {
		return nil, ErrKey
	}
	n := a.gcm.NonceSize()
	plain, err := a.gcm.Open(nil, sealed[:n], sealed[n:], about)
	if err != nil {
		return nil, ErrKey
	}
	return plain, nil
}

// name derives a file name that tells nothing about what it names to whoever lacks the key.
func (a aead) name(of []byte) string {
	m := hmac.New(sha256.New, a.raw[:])
	m.Write([]byte("name"))
	m.Write(of)
	return hex.EncodeToString(m.Sum(nil)[:20])
}

// openKey reads the key file; it is made only together with a new journal.
func openKey(path string, make bool) (masterKey, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && make {
		return newKey(path)
	}
	if err != nil {
		return masterKey{}, fmt.Errorf("%w: %v", ErrKey, err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return masterKey{}, fmt.Errorf("%w: %s can be read by others (mode %04o): chmod 600", ErrKey, path, st.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return masterKey{}, fmt.Errorf("%w: %v", ErrKey, err)
	}
	var raw [32]byte
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != len(raw) {
		return masterKey{}, fmt.Errorf("%w: %s is not 64 hex digits", ErrKey, path)
	}
	copy(raw[:], b)
	a, err := newAEAD(raw)
	return masterKey{a}, err
}

func newKey(path string) (masterKey, error) {
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return masterKey{}, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return masterKey{}, fmt.Errorf("journal key: %w", err)
	}
	_, err = f.WriteString(hex.EncodeToString(raw[:]) + "\n")
	err = errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
	if err != nil {
		return masterKey{}, fmt.Errorf("journal key: %w", err)
	}
	a, err := newAEAD(raw)
	return masterKey{a}, err
}

// commonKey is the name under which records without a case find their data key.
const commonKey = "common"

// dataKey returns a case's data key, making it when it may be made.
func (j *Journal) dataKey(tx *bolt.Tx, id string, may bool) (aead, error) {
	if id == "" {
		id, may = commonKey, tx.Writable()
	}
	keys := tx.Bucket(bucketKeys)
	var raw [32]byte
	if wrapped := keys.Get([]byte(id)); wrapped != nil {
		b, err := j.key.open(wrapped, []byte("data-key "+id))
		if err != nil {
			return aead{}, fmt.Errorf("data key: %w", err)
		}
		copy(raw[:], b)
		clear(b)
		return newAEAD(raw)
	}
	if !may {
		return aead{}, fmt.Errorf("data key: %w", ErrNotFound)
	}
	if _, err := rand.Read(raw[:]); err != nil {
		return aead{}, err
	}
	wrapped, err := j.key.seal(raw[:], []byte("data-key "+id))
	if err != nil {
		return aead{}, err
	}
	if err := keys.Put([]byte(id), wrapped); err != nil {
		return aead{}, err
	}
	return newAEAD(raw)
}

// Seal keeps a personal value of a case, at most 64 KiB.
func (tx *Tx) Seal(caseID, name string, value []byte) error {
	if len(value) > 64<<10 {
		return fmt.Errorf("journal: sealed value %s of %d bytes, limit 64 KiB", name, len(value))
	}
	k, err := tx.j.dataKey(tx.tx, caseID, true)
	if err != nil {
		return err
	}
	sealed, err := k.seal(value, []byte("value "+caseID+"/"+name))
	if err != nil {
		return err
	}
	return tx.tx.Bucket(bucketSealed).Put([]byte(caseID+"/"+name), sealed)
}

// Sealed opens a personal value of a case; [ErrNotFound] when there is none or its key was destroyed.
func (j *Journal) Sealed(caseID, name string) (value []byte, err error) {
	err = j.db.View(func(tx *bolt.Tx) error {
		sealed := tx.Bucket(bucketSealed).Get([]byte(caseID + "/" + name))
		if sealed == nil {
			return fmt.Errorf("sealed value %s: %w", name, ErrNotFound)
		}
		k, err := j.dataKey(tx, caseID, false)
		if err != nil {
			return err
		}
		value, err = k.open(sealed, []byte("value "+caseID+"/"+name))
		return err
	})
	return value, err
}

// Shred destroys the key to a case's sealed values, blobs and record bodies. Records that the platform does not have yet
// forbid it ([ErrState]).
func (j *Journal) Shred(caseID string) error {
	var files []string
	err := j.Update(func(tx *Tx) error {
		if n := tx.waiting(caseID); n > 0 {
			return fmt.Errorf("shred: %d records not acknowledged: %w", n, ErrState)
		}
		if err := tx.tx.Bucket(bucketKeys).Delete([]byte(caseID)); err != nil {
			return err
		}
		prefix := caseID + "/"
		var gone [][]byte
		c := tx.tx.Bucket(bucketSealed).Cursor()
		for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
			gone = append(gone, append([]byte(nil), k...))
		}
		for _, k := range gone {
			if err := tx.tx.Bucket(bucketSealed).Delete(k); err != nil {
				return err
			}
		}
		var err error
		files, err = tx.dropBlobs(caseID)
		if err != nil {
			return err
		}
		return tx.Audit("case.shredded", "system", map[string]string{"case": caseID})
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		_ = os.Remove(f)
	}
	return nil
}
