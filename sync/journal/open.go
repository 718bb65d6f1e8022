package journal

// Opening the file: every way in which bbolt refuses a file, or dies on one, becomes an error that says what to do.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
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
	if st, err := os.Stat(path); err == nil && st.Size() > 0 {
		if err := suspect(path); err != nil {
			return nil, err
		}
	}
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
	case isSystem(err):
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

// isSystem says that the system refused something; bbolt's own complaints are about what is in the file.
func isSystem(err error) bool {
	var refused *fs.PathError
	var errno syscall.Errno
	return errors.As(err, &refused) || errors.As(err, &errno)
}

// suspect checks a file's pages under the lock that bbolt takes.
func suspect(path string) error {
	f, err := holdFile(path)
	for deadline := time.Now().Add(lockWait); errors.Is(err, ErrLocked) && time.Now().Before(deadline); {
		time.Sleep(lockWait / 30)
		f, err = holdFile(path)
	}
	if err != nil || f == nil {
		return err
	}
	defer release(f)
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := checkPages(f, st.Size()); err != nil {
		return damaged(path, err)
	}
	return nil
}

// sound lets bbolt check its own pages.
func sound(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		var first error
		for e := range tx.Check() {
			if first == nil {
				first = e
			}
		}
		return first
	})
}
