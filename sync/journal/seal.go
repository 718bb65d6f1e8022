package journal

// Sealing: the key that wraps data keys, data keys, and what they seal.

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// masterKey is the vault's: it wraps data keys and names blobs. It never seals personal data itself.
type masterKey struct{ aead }

// aead seals in the journal's profile and opens in any.
type aead struct {
	cipher wire.Cipher
	raw    [32]byte
}

func (a aead) seal(plain, about []byte) ([]byte, error) {
	return wire.SealBytes(a.cipher, &a.raw, plain, about)
}

func (a aead) open(sealed, about []byte) ([]byte, error) {
	plain, err := wire.OpenBytes(&a.raw, sealed, about)
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

// openKey gets the key; it is made only together with a new journal.
func openKey(opt Options, make bool) (masterKey, error) {
	raw, err := opt.Vault.Key()
	if errors.Is(err, fs.ErrNotExist) && make {
		if _, err := rand.Read(raw[:]); err != nil {
			return masterKey{}, err
		}
		if err := opt.Vault.Keep(raw); err != nil {
			return masterKey{}, fmt.Errorf("journal key: %w", err)
		}
	} else if err != nil {
		return masterKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return masterKey{aead{opt.Cipher, raw}}, nil
}

// A data key's entry is its generation (4 bytes) and, unless it was destroyed, the wrapped key. What is sealed for a case
// after its key was destroyed gets a key of the next generation; what the destroyed one sealed stays closed.

// epochKey is the name under which records without a case, and the audit chain, find their data key.
func epochKey(epoch uint32) string { return fmt.Sprintf("epoch-%d", epoch) }

// dataKey returns the key that seals for id, made when there is none, and its generation.
func (tx *Tx) dataKey(id string) (aead, uint32, error) {
	keys := tx.bucket(bucketKeys)
	entry := keys.Get([]byte(id))
	gen := uint32(0)
	if len(entry) >= 4 {
		gen = binary.BigEndian.Uint32(entry)
	}
	if len(entry) > 4 {
		// Whoever reads this change in the spill must be able to open what it sealed.
		tx.note(op{opPut, keys.no, "", []byte(id), entry})
		k, err := tx.j.keyOf(tx.tx, id, gen)
		return k, gen, err
	}
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return aead{}, 0, err
	}
	entry, err := tx.wrap(id, gen, raw[:])
	if err != nil {
		return aead{}, 0, err
	}
	if err := keys.Put([]byte(id), entry); err != nil {
		return aead{}, 0, err
	}
	return aead{tx.j.opt.Cipher, raw}, gen, nil
}

// keyOf returns the key of a generation, [ErrNotFound] when it was destroyed.
func (j *Journal) keyOf(tx *bolt.Tx, id string, gen uint32) (aead, error) {
	entry := tx.Bucket(bucketKeys).Get([]byte(id))
	if len(entry) <= 4 || binary.BigEndian.Uint32(entry) != gen {
		return aead{}, fmt.Errorf("data key: %w", ErrNotFound)
	}
	local, _ := splitKey(entry)
	b, err := j.key.open(local, fmt.Appendf(nil, "data-key %s %d", id, gen))
	if err != nil {
		return aead{}, fmt.Errorf("data key: %w", err)
	}
	if len(b) != 32 {
		return aead{}, fmt.Errorf("data key: %w", ErrDamaged)
	}
	k := aead{j.opt.Cipher, [32]byte(b)}
	clear(b)
	return k, nil
}

// currentKey returns the key that sealed values and blobs of a case have.
func (j *Journal) currentKey(tx *bolt.Tx, id string) (aead, error) {
	entry := tx.Bucket(bucketKeys).Get([]byte(id))
	if len(entry) < 4 {
		return aead{}, fmt.Errorf("data key: %w", ErrNotFound)
	}
	return j.keyOf(tx, id, binary.BigEndian.Uint32(entry))
}

// Seal keeps a personal value of a case, at most 64 KiB.
func (tx *Tx) Seal(caseID, name string, value []byte) error {
	if len(value) > 64<<10 {
		return fmt.Errorf("journal: sealed value %s of %d bytes, limit 64 KiB", name, len(value))
	}
	if _, err := tx.Case(caseID); err != nil {
		return err
	}
	k, _, err := tx.dataKey(caseID)
	if err != nil {
		return err
	}
	sealed, err := k.seal(value, []byte("value "+caseID+"/"+name))
	if err != nil {
		return err
	}
	return tx.bucket(bucketSealed).Put([]byte(caseID+"/"+name), sealed)
}

// Sealed opens a personal value of a case; [ErrNotFound] when there is none or its key was destroyed.
func (j *Journal) Sealed(caseID, name string) (value []byte, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		sealed := tx.Bucket(bucketSealed).Get([]byte(caseID + "/" + name))
		if sealed == nil {
			return fmt.Errorf("sealed value %s: %w", name, ErrNotFound)
		}
		k, err := j.currentKey(tx, caseID)
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
	err := j.Update(func(tx *Tx) error {
		if n := tx.waiting(caseID); n > 0 {
			return fmt.Errorf("shred: %d records not acknowledged: %w", n, ErrState)
		}
		if _, err := tx.Case(caseID); err != nil {
			return err
		}
		if err := tx.dropBlobs(caseID); err != nil {
			return err
		}
		if err := tx.destroyKey(caseID); err != nil {
			return err
		}
		prefix := caseID + "/"
		var gone [][]byte
		c := tx.tx.Bucket(bucketSealed).Cursor()
		for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
			gone = append(gone, append([]byte(nil), k...))
		}
		for _, k := range gone {
			if err := tx.bucket(bucketSealed).Delete(k); err != nil {
				return err
			}
		}
		if err := tx.Audit(EventCaseShredded, "system", map[string]string{"case": caseID}); err != nil {
			return err
		}
		tx.j.crash(crashShredding)
		return nil
	})
	if err != nil {
		return err
	}
	j.writing.Lock()
	j.spill.stale = true // until it is begun anew it has the destroyed key, wrapped
	j.writing.Unlock()
	j.crash(crashShredded)
	return nil
}
