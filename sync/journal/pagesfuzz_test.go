package journal

// Reading a database's pages with suspicion, whatever they are.

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func FuzzPages(f *testing.F) {
	path := filepath.Join(f.TempDir(), "j.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 1024, NoSync: true})
	if err != nil {
		f.Fatal(err)
	}
	for n := range uint64(3) {
		err = db.Update(func(tx *bolt.Tx) error {
			for _, name := range []string{"change", "records", "sum"} {
				b, err := tx.CreateBucketIfNotExists([]byte(name))
				if err != nil {
					return err
				}
				if err := b.SetSequence(n + 5); err != nil {
					return err
				}
			}
			inner, err := tx.Bucket([]byte("records")).CreateBucketIfNotExists([]byte("tx"))
			if err != nil {
				return err
			}
			return inner.Put(seqKey(n), make([]byte, 700))
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	whole = bytes.TrimRight(whole, "\x00")
	whole = append(whole, make([]byte, 1024-len(whole)%1024)...)
	if err := checkPages(bytes.NewReader(whole), int64(len(whole))); err != nil {
		f.Fatal(err)
	}
	if n := sequenceOf(bytes.NewReader(whole), int64(len(whole)), bucketChange); n != 7 {
		f.Fatalf("sequence %d, want 7", n)
	}
	f.Add(whole)
	f.Add(whole[:3*1024])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		sound := checkPages(bytes.NewReader(b), int64(len(b))) == nil
		n := sequenceOf(bytes.NewReader(b), int64(len(b)), bucketChange)
		if again := sequenceOf(bytes.NewReader(b), int64(len(b)), bucketChange); again != n {
			t.Errorf("%d, then %d", n, again)
		}
		if !sound {
			return
		}
		// What is called sound bbolt can walk without dying on it.
		path := filepath.Join(t.TempDir(), "j.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, PageSize: 1024})
		if err != nil {
			return
		}
		defer db.Close()
		_ = db.View(func(tx *bolt.Tx) error {
			if b := tx.Bucket(bucketChange); b != nil && b.Sequence() != n {
				t.Errorf("sequence %d, bbolt says %d", n, b.Sequence())
			}
			return nil
		})
	})
}
