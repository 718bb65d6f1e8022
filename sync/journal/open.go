package journal

// Opening the file: every way in which bbolt refuses a file, or dies on one, becomes an error that says what to do.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// growth is how much the file grows at once. bbolt refuses a page when the file would exceed the quota with one such step
// added, so that this much of the quota is never used.
const growth = 1 << 20

// lockWait is how long another process may hold the file before we give up.
const lockWait = 1500 * time.Millisecond

func damaged(path string, why any) error {
	return fmt.Errorf("%w: %s: %v; the file was left as it is: copy the directory away, run kiosk outbox recover, and call support", ErrDamaged, path, why)
}

func openBolt(path string, size int64) (db *bolt.DB, err error) {
	var file *os.File // to release the lock when bbolt gives up with it
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			release(file)
			db, err = nil, damaged(path, r)
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         lockWait,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: 64 << 20,
		MaxSize:         int(size),
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			f, err = os.OpenFile(name, flag, mode)
			file = f
			return f, err
		},
	})
	switch {
	case err == nil:
		db.AllocSize = growth
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s: is the kiosk running already?", ErrLocked, path)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("journal: %w", err)
	default:
		release(file)
		return nil, damaged(path, err)
	}
	if err := sound(db); err != nil {
		_ = db.Close()
		return nil, damaged(path, err)
	}
	return db, nil
}

// sound reads every key and value in this goroutine, where a fault of a page that lies outside the file is a panic that can
// be caught, and only then lets bbolt check its pages in a goroutine of its own, where it would end the process.
func sound(db *bolt.DB) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("page: %v", r)
		}
	}()
	return db.View(func(tx *bolt.Tx) error {
		st, err := os.Stat(db.Path())
		if err != nil {
			return err
		}
		if st.Size() < tx.Size() {
			return fmt.Errorf("%d bytes long, its pages need %d", st.Size(), tx.Size())
		}
		err = tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return walk(b, 1) })
		if err != nil {
			return err
		}
		var first error
		for e := range tx.Check() {
			if first == nil {
				first = e
			}
		}
		return first
	})
}

// walk touches everything in a bucket. The journal nests buckets two deep.
func walk(b *bolt.Bucket, depth int) error {
	if b == nil || depth > 2 {
		return errors.New("buckets nest deeper than a journal's")
	}
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return walk(b.Bucket(k), depth+1)
		}
		if len(k) == 0 {
			return errors.New("empty key")
		}
		touched := k[len(k)-1]
		if len(v) > 0 {
			touched ^= v[len(v)-1]
		}
		_ = touched
		return nil
	})
}
