package journal

// Blobs: larger personal values (a certificate to print, handwriting) as sealed files beside the journal.

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// blobEntry is what the journal knows of a blob.
type blobEntry struct {
	Case   string `json:"case"`
	Size   int    `json:"size"`
	Upload bool   `json:"upload,omitempty"` // goes to the platform
	Sent   bool   `json:"sent,omitempty"`
}

// PutBlob writes a sealed file and returns the hash of what is in it. The file is on disk when PutBlob returns; refer to it
// in an Update afterwards (KeepBlob, UploadBlob). A blob that no Update refers to is removed at the next start.
func (j *Journal) PutBlob(data []byte) (wire.Hash, error) {
	if len(data) > wire.MaxBlobBytes {
		return wire.Hash{}, fmt.Errorf("journal: blob of %d bytes, limit %d", len(data), wire.MaxBlobBytes)
	}
	h := wire.Hash(sha256.Sum256(data))
	path := j.blobPath(h)
	if _, err := os.Stat(path); err == nil {
		return h, nil
	}
	sealed, err := j.key.seal(data, h[:])
	if err != nil {
		return h, err
	}
	f, err := os.CreateTemp(j.opt.BlobDir, "new-*")
	if err != nil {
		return h, fmt.Errorf("journal: blob: %w", err)
	}
	_, err = f.Write(sealed)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(j.opt.BlobDir)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return h, fmt.Errorf("journal: blob: %w", err)
	}
	j.crash(crashBlobPut)
	return h, nil
}

// blobPath names the file by a keyed hash: a name that lets nobody check a guess of what is inside.
func (j *Journal) blobPath(h wire.Hash) string { return filepath.Join(j.opt.BlobDir, j.key.name(h[:])) }

// Blob opens a blob.
func (j *Journal) Blob(h wire.Hash) ([]byte, error) {
	sealed, err := os.ReadFile(j.blobPath(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob: %w", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: blob: %w", err)
	}
	plain, err := j.key.open(sealed, h[:])
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	if wire.Hash(sha256.Sum256(plain)) != h {
		return nil, fmt.Errorf("blob: %w", ErrDamaged)
	}
	return plain, nil
}

// KeepBlob makes a blob a case's, under a name.
func (tx *Tx) KeepBlob(caseID, name string, h wire.Hash) error {
	if err := tx.own(caseID, h, false); err != nil {
		return err
	}
	return tx.tx.Bucket(bucketOwned).Put([]byte(caseID+"/"+name), h[:])
}

// UploadBlob makes a blob a case's and sends it to the platform.
func (tx *Tx) UploadBlob(caseID string, h wire.Hash) error {
	if err := tx.own(caseID, h, true); err != nil {
		return err
	}
	return tx.tx.Bucket(bucketOwned).Put([]byte(caseID+"/upload-"+h.String()[:8]), h[:])
}

func (tx *Tx) own(caseID string, h wire.Hash, upload bool) error {
	st, err := os.Stat(tx.j.blobPath(h))
	if err != nil {
		return fmt.Errorf("blob of case: %w", ErrNotFound)
	}
	return putBlobEntry(tx.tx, h, blobEntry{Case: caseID, Size: int(st.Size()), Upload: upload})
}

func putBlobEntry(tx *bolt.Tx, h wire.Hash, e blobEntry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketBlobs).Put(h[:], b)
}

// CaseBlob opens a case's blob by name.
func (j *Journal) CaseBlob(caseID, name string) ([]byte, error) {
	var h wire.Hash
	err := j.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketOwned).Get([]byte(caseID + "/" + name))
		if len(b) != len(h) {
			return fmt.Errorf("blob %s: %w", name, ErrNotFound)
		}
		copy(h[:], b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return j.Blob(h)
}

// PendingBlobs are the blobs that the platform does not have yet.
func (j *Journal) PendingBlobs() (all []wire.Hash, err error) {
	err = j.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketBlobs).ForEach(func(k, v []byte) error {
			var e blobEntry
			if err := json.Unmarshal(v, &e); err != nil {
				return fmt.Errorf("blob: %w", errors.Join(ErrDamaged, err))
			}
			if e.Upload && !e.Sent {
				all = append(all, wire.Hash(k))
			}
			return nil
		})
	})
	return all, err
}

// BlobSent notes that the platform has a blob.
func (j *Journal) BlobSent(h wire.Hash) error {
	return j.Update(func(tx *Tx) error {
		b := tx.tx.Bucket(bucketBlobs).Get(h[:])
		if b == nil {
			return fmt.Errorf("blob: %w", ErrNotFound)
		}
		var e blobEntry
		if err := json.Unmarshal(b, &e); err != nil {
			return fmt.Errorf("blob: %w", errors.Join(ErrDamaged, err))
		}
		e.Sent = true
		return putBlobEntry(tx.tx, h, e)
	})
}

// DropBlob gives up a case's blob by name once it is of no more use (a certificate that was printed).
func (j *Journal) DropBlob(caseID, name string) error {
	var file string
	err := j.Update(func(tx *Tx) error {
		key := []byte(caseID + "/" + name)
		b := tx.tx.Bucket(bucketOwned).Get(key)
		if len(b) != 32 {
			return nil
		}
		h := wire.Hash(b)
		file = j.blobPath(h)
		if err := tx.tx.Bucket(bucketBlobs).Delete(h[:]); err != nil {
			return err
		}
		return tx.tx.Bucket(bucketOwned).Delete(key)
	})
	if err == nil && file != "" {
		_ = os.Remove(file)
	}
	return err
}

// dropBlobs forgets a case's blobs and returns their files.
func (tx *Tx) dropBlobs(caseID string) (files []string, err error) {
	prefix := caseID + "/"
	var keys [][]byte
	c := tx.tx.Bucket(bucketOwned).Cursor()
	for k, v := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, v = c.Next() {
		keys = append(keys, append([]byte(nil), k...))
		h := wire.Hash(v)
		files = append(files, tx.j.blobPath(h))
		if err := tx.tx.Bucket(bucketBlobs).Delete(h[:]); err != nil {
			return nil, err
		}
	}
	for _, k := range keys {
		if err := tx.tx.Bucket(bucketOwned).Delete(k); err != nil {
			return nil, err
		}
	}
	return files, nil
}
