package journal

// What tests look at from inside.

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"

	bolt "go.etcd.io/bbolt"
)

// SpillEnd is where the next frame goes.
func SpillEnd(j *Journal) int64 {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.spill.end
}

// SpillSure is the last change in the spill, and the last one that the disk confirmed there.
func SpillSure(j *Journal) (last, sure uint64) {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.spill.last, j.spill.sure
}

// Break has the journal know of a disk error, as after a commit whose sync failed.
func Break(j *Journal, err error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.failed = err
}

// WrappedKey is a case's data key as it lies in the file.
func WrappedKey(j *Journal, id string) (b []byte) {
	_ = j.db.View(func(tx *bolt.Tx) error {
		b = bytes.Clone(tx.Bucket(bucketKeys).Get([]byte(id)))
		return nil
	})
	return b
}

// Digest is a hash over everything that the journal's database holds, and the number of its last change.
func Digest(j *Journal) (sum [32]byte, change uint64, err error) {
	h := sha256.New()
	err = j.db.View(func(tx *bolt.Tx) error {
		change = tx.Bucket(bucketChange).Sequence()
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			fmt.Fprintf(h, "bucket %s\n", name)
			return digestBucket(h, b)
		})
	})
	return [32]byte(h.Sum(nil)), change, err
}

// Buckets are the digests of each bucket, to say where a state differs.
func Buckets(j *Journal) (parts map[string]string, err error) {
	parts = map[string]string{}
	err = j.db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			h := sha256.New()
			if err := digestBucket(h, b); err != nil {
				return err
			}
			parts[string(name)] = fmt.Sprintf("%x seq %d", h.Sum(nil)[:8], b.Sequence())
			return nil
		})
	})
	return parts, err
}

func digestBucket(h hash.Hash, b *bolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		fmt.Fprintf(h, "%q %q\n", k, v)
		if v == nil {
			return digestBucket(h, b.Bucket(k))
		}
		return nil
	})
}

// SpillLast is the number of the last change that a spill knows of, and whether it has its checkpoint.
func SpillLast(path string) (uint64, bool) {
	s, err := readSpill(spillPath(path))
	if err != nil {
		return 0, false
	}
	return s.last, s.whole
}

// SpillCases are the cases that whole frames of a spill put.
func SpillCases(path string) (ids []string) {
	s, err := readSpill(spillPath(path))
	if err != nil {
		return nil
	}
	f, err := os.Open(spillPath(path))
	if err != nil {
		return nil
	}
	defer f.Close()
	for _, fr := range append(s.parts, s.changes...) {
		_, payload, err := readFrame(f, fr.at, maxSpill)
		if err != nil {
			continue
		}
		_ = eachOp(payload, func(o op) error {
			if o.kind == opPut && string(spilled[o.bucket]) == string(bucketCases) {
				ids = append(ids, string(o.key))
			}
			return nil
		})
	}
	return ids
}

// Ahead says whether a database's meta pages, or its root, are further than anything in its spill.
func Ahead(path string) bool {
	s, err := readSpill(spillPath(path))
	txid, change := came(path)
	return err == nil && (txid > s.bolt || change > s.last)
}

// WriteSpillTo has the spill written through another file until back is called or another spill takes this one's place.
func WriteSpillTo(j *Journal, f *os.File) (back func()) {
	s, was := j.spill, j.spill.file
	s.file = f
	return func() {
		j.writing.Lock()
		defer j.writing.Unlock()
		s.file = was
	}
}

// Widen lets the file become larger.
func Widen(j *Journal, size int) {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.db.MaxSize = size
}

// MadeByAnOlderProgram makes a closed journal's files what a program leaves that keeps no sum: the database's is not that of the
// latest change, and no frame of the spill tells one.
func MadeByAnOlderProgram(path string) error {
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketSum).SetSequence(tx.Bucket(bucketSum).Sequence() + 1) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	b, err := os.ReadFile(spillPath(path))
	if err != nil {
		return err
	}
	var out []byte
	for at := int64(0); ; {
		fr, payload, err := readFrame(bytes.NewReader(b), at, int64(len(b)))
		if err != nil {
			break
		}
		at += frameHeader + int64(padded(fr.length))
		switch fr.kind {
		case framePart, frameChange:
			var less []byte
			err := eachOp(payload, func(o op) error {
				if !o.isLabel() {
					less = appendOp(less, o)
				}
				return nil
			})
			if err != nil {
				return err
			}
			payload = less
		case frameBulk:
			payload = nil
		}
		if fr.kind != framePart {
			fr.bolt++ // the transaction above was that program's too
		}
		out = appendFrame(out, fr, payload)
	}
	return os.WriteFile(spillPath(path), append(out, make([]byte, 4096)...), 0o600)
}
