package journal

// Blobs: larger personal values (a certificate to print, handwriting) as sealed files beside the journal.

import (
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

	"github.com/budayang/kiosk/sync/wire"
)

// A blob's file has a random name and a key of its own. The key is sealed with the case's data key, together with the hash
// of the content: destroying the data key closes the file for ever, and neither a file name nor the journal lets anybody
// check a guess of what is inside.

// blobEntry is what the journal knows of a case's blob.
type blobEntry struct {
	File   string `json:"file"`
	Index  string `json:"index"`  // keyed hash of the content
	Sealed []byte `json:"sealed"` // key (32 bytes) and content hash (32 bytes)
	Size   int    `json:"size"`
	Upload bool   `json:"upload,omitempty"` // goes to the platform
	Sent   bool   `json:"sent,omitempty"`
}

// looseBlob is a blob on disk that no change refers to yet; its key is nowhere else.
type looseBlob struct {
	file string
	size int
	key  [32]byte
}

// PutBlob writes a sealed file and returns the hash of what is in it. The file is on disk when PutBlob returns; refer to it
// in an Update afterwards (KeepBlob, UploadBlob). A blob that no Update refers to is removed at the next start.
func (j *Journal) PutBlob(data []byte) (wire.Hash, error) {
	if len(data) > wire.MaxBlobBytes {
		return wire.Hash{}, fmt.Errorf("journal: blob of %d bytes, limit %d", len(data), wire.MaxBlobBytes)
	}
	h := wire.Hash(sha256.Sum256(data))
	j.mu.Lock()
	_, held := j.loose[h]
	j.mu.Unlock()
	if held {
		return h, nil
	}
	b, err := j.writeBlob(data)
	if err != nil {
		return h, fmt.Errorf("journal: blob: %w", err)
	}
	j.mu.Lock()
	j.loose[h] = b
	j.mu.Unlock()
	j.crash(crashBlobPut)
	return h, nil
}

func (j *Journal) writeBlob(data []byte) (looseBlob, error) {
	b := looseBlob{size: len(data)}
	var name [16]byte
	_, err := rand.Read(name[:])
	if err == nil {
		_, err = rand.Read(b.key[:])
	}
	if err != nil {
		return b, err
	}
	b.file = hex.EncodeToString(name[:])
	sealed, err := aead{j.opt.Cipher, b.key}.seal(data, []byte(b.file))
	if err != nil {
		return b, err
	}
	path := filepath.Join(j.opt.BlobDir, b.file)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return b, err
	}
	_, err = f.Write(sealed)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = syncDir(j.opt.BlobDir)
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return b, err
}

// readBlob opens a file with its key.
func (j *Journal) readBlob(file string, key [32]byte, h wire.Hash) ([]byte, error) {
	sealed, err := os.ReadFile(filepath.Join(j.opt.BlobDir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob: %w", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: blob: %w", err)
	}
	plain, err := aead{j.opt.Cipher, key}.open(sealed, []byte(file))
	if err != nil || wire.Hash(sha256.Sum256(plain)) != h {
		return nil, fmt.Errorf("blob: %w", ErrDamaged)
	}
	return plain, nil
}

func sealedAbout(caseID, name, file string) []byte {
	return []byte("blob " + caseID + "/" + name + " " + file)
}

// openEntry reveals a blob's key and hash.
func (j *Journal) openEntry(tx *bolt.Tx, owned string, e blobEntry) (key [32]byte, h wire.Hash, err error) {
	caseID, name, _ := strings.Cut(owned, "/")
	k, err := j.currentKey(tx, caseID)
	if err != nil {
		return key, h, err
	}
	b, err := k.open(e.Sealed, sealedAbout(caseID, name, e.File))
	if err != nil {
		return key, h, err
	}
	if len(b) != 64 {
		return key, h, ErrDamaged
	}
	copy(key[:], b)
	copy(h[:], b[32:])
	clear(b)
	return key, h, nil
}

// entryOf finds any case's entry of a content, that of one case when caseID is not "".
func (j *Journal) entryOf(tx *bolt.Tx, caseID string, h wire.Hash) (owned string, e blobEntry, err error) {
	prefix := j.key.name(h[:]) + "/" + caseID
	c := tx.Bucket(bucketBlobs).Cursor()
	k, _ := c.Seek([]byte(prefix))
	if k == nil || !strings.HasPrefix(string(k), prefix) {
		return "", e, fmt.Errorf("blob: %w", ErrNotFound)
	}
	_, owned, _ = strings.Cut(string(k), "/")
	e, err = readOwned(tx, owned)
	return owned, e, err
}

func readOwned(tx *bolt.Tx, owned string) (e blobEntry, err error) {
	b := tx.Bucket(bucketOwned).Get([]byte(owned))
	if b == nil {
		return e, fmt.Errorf("blob: %w", ErrNotFound)
	}
	if err := decode(b, &e); err != nil {
		return e, fmt.Errorf("blob: %w", errors.Join(ErrDamaged, err))
	}
	return e, nil
}

func (tx *Tx) putOwned(owned string, e blobEntry) error {
	b, err := encode(e)
	if err != nil {
		return err
	}
	if err := tx.bucket(bucketBlobs).Put([]byte(e.Index+"/"+owned), []byte{1}); err != nil {
		return err
	}
	return tx.bucket(bucketOwned).Put([]byte(owned), b)
}

// Blob opens a blob by the hash of its content.
func (j *Journal) Blob(h wire.Hash) ([]byte, error) {
	j.mu.Lock()
	b, loose := j.loose[h]
	j.mu.Unlock()
	if loose {
		return j.readBlob(b.file, b.key, h)
	}
	var e blobEntry
	var key [32]byte
	err := j.view(func(tx *bolt.Tx) (err error) {
		var owned string
		if owned, e, err = j.entryOf(tx, "", h); err == nil {
			key, _, err = j.openEntry(tx, owned, e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return j.readBlob(e.File, key, h)
}

// KeepBlob makes a blob a case's, under a name. Another blob that the case has under that name is let go.
func (tx *Tx) KeepBlob(caseID, name string, h wire.Hash) error { return tx.own(caseID, name, h, false) }

// UploadBlob makes a blob a case's and sends it to the platform.
func (tx *Tx) UploadBlob(caseID string, h wire.Hash) error {
	return tx.own(caseID, "upload-"+tx.j.key.name(h[:]), h, true)
}

func (tx *Tx) own(caseID, name string, h wire.Hash, upload bool) error {
	if _, err := tx.Case(caseID); err != nil {
		return err
	}
	b, err := tx.claim(caseID, h)
	if err != nil {
		return err
	}
	owned := caseID + "/" + name
	if err := tx.disown(owned); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	k, _, err := tx.dataKey(caseID)
	if err != nil {
		return err
	}
	sealed, err := k.seal(append(append([]byte(nil), b.key[:]...), h[:]...), sealedAbout(caseID, name, b.file))
	if err != nil {
		return err
	}
	return tx.putOwned(owned, blobEntry{File: b.file, Index: tx.j.key.name(h[:]), Sealed: sealed, Size: b.size, Upload: upload})
}

// claim finds the file for a content: the case's own, a loose one, or a copy of another case's, so that no two cases share
// a file or a key.
func (tx *Tx) claim(caseID string, h wire.Hash) (looseBlob, error) {
	j := tx.j
	if owned, e, err := j.entryOf(tx.tx, caseID, h); err == nil {
		key, _, err := j.openEntry(tx.tx, owned, e)
		return looseBlob{e.File, e.Size, key}, err
	}
	j.mu.Lock()
	b, loose := j.loose[h]
	j.mu.Unlock()
	if !loose {
		owned, e, err := j.entryOf(tx.tx, "", h)
		if err != nil {
			return b, err
		}
		key, _, err := j.openEntry(tx.tx, owned, e)
		if err != nil {
			return b, err
		}
		data, err := j.readBlob(e.File, key, h)
		if err != nil {
			return b, err
		}
		b, err = j.writeBlob(data)
		clear(data)
		return b, err
	}
	tx.tx.OnCommit(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.loose[h].file == b.file {
			delete(j.loose, h)
		}
	})
	return b, nil
}

// disown forgets one entry; its file goes after the commit, unless the case has it under another name too.
func (tx *Tx) disown(owned string) error {
	e, err := readOwned(tx.tx, owned)
	if err != nil {
		return err
	}
	if err := tx.bucket(bucketBlobs).Delete([]byte(e.Index + "/" + owned)); err != nil {
		return err
	}
	if err := tx.bucket(bucketOwned).Delete([]byte(owned)); err != nil {
		return err
	}
	caseID, _, _ := strings.Cut(owned, "/")
	prefix := caseID + "/"
	c := tx.tx.Bucket(bucketOwned).Cursor()
	for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
		other, err := readOwned(tx.tx, string(k))
		if err != nil {
			return err
		}
		if other.File == e.File {
			return nil
		}
	}
	path := filepath.Join(tx.j.opt.BlobDir, e.File)
	tx.tx.OnCommit(func() { _ = os.Remove(path) })
	return nil
}

// CaseBlob opens a case's blob by name.
func (j *Journal) CaseBlob(caseID, name string) ([]byte, error) {
	var e blobEntry
	var key [32]byte
	var h wire.Hash
	err := j.view(func(tx *bolt.Tx) (err error) {
		owned := caseID + "/" + name
		if e, err = readOwned(tx, owned); err == nil {
			key, h, err = j.openEntry(tx, owned, e)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return j.readBlob(e.File, key, h)
}

// PendingBlobs are the blobs that the platform does not have yet.
func (j *Journal) PendingBlobs() (all []wire.Hash, err error) {
	seen := map[wire.Hash]bool{}
	err = j.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketOwned).ForEach(func(k, _ []byte) error {
			e, err := readOwned(tx, string(k))
			if err != nil || !e.Upload || e.Sent {
				return err
			}
			_, h, err := j.openEntry(tx, string(k), e)
			if err == nil && !seen[h] {
				seen[h] = true
				all = append(all, h)
			}
			return err
		})
	})
	return all, err
}

// BlobSent notes that the platform has a blob.
func (j *Journal) BlobSent(h wire.Hash) error {
	return j.Update(func(tx *Tx) error {
		prefix := j.key.name(h[:]) + "/"
		var owners []string
		c := tx.tx.Bucket(bucketBlobs).Cursor()
		for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
			owners = append(owners, strings.TrimPrefix(string(k), prefix))
		}
		if len(owners) == 0 {
			return fmt.Errorf("blob: %w", ErrNotFound)
		}
		for _, owned := range owners {
			e, err := readOwned(tx.tx, owned)
			if err != nil {
				return err
			}
			e.Sent = true
			if err := tx.putOwned(owned, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropBlob gives up a case's blob by name once it is of no more use (a certificate that was printed).
func (j *Journal) DropBlob(caseID, name string) error {
	err := j.Update(func(tx *Tx) error { return tx.disown(caseID + "/" + name) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// dropBlobs forgets a case's blobs.
func (tx *Tx) dropBlobs(caseID string) error {
	prefix := caseID + "/"
	var all []string
	c := tx.tx.Bucket(bucketOwned).Cursor()
	for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
		all = append(all, string(k))
	}
	for _, owned := range all {
		if err := tx.disown(owned); err != nil {
			return err
		}
	}
	return nil
}

// sweepBlobs removes files that nothing refers to: their keys are gone.
func (j *Journal) sweepBlobs() error {
	used := map[string]bool{}
	err := j.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketOwned).ForEach(func(k, _ []byte) error {
			e, err := readOwned(tx, string(k))
			used[e.File] = true
			return err
		})
	})
	if err != nil {
		return err
	}
	files, err := os.ReadDir(j.opt.BlobDir)
	if err != nil {
		return fmt.Errorf("journal: blobs: %w", err)
	}
	for _, f := range files {
		if _, err := hex.DecodeString(f.Name()); err != nil || len(f.Name()) != 32 || used[f.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(j.opt.BlobDir, f.Name())); err != nil {
			return fmt.Errorf("journal: blobs: %w", err)
		}
	}
	return nil
}
