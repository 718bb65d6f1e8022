package journal

// What tests look at from inside.

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
)

// SpillEnd is where the next frame goes.
func SpillEnd(j *Journal) int64 {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.spill.end
}

// WrappedKey is a case's data key as it lies in the file.
func WrappedKey(j *Journal, id string) (b []byte) {
	_ = j.db.View(func(tx *bolt.Tx) error {
		b = bytes.Clone(tx.Bucket(bucketKeys).Get([]byte(id)))
		return nil
	})
	return b
}
