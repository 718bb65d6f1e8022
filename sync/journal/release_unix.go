//go:build unix

package journal

// Releasing a file with which bbolt gave up.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// release unlocks and closes. Closing alone would not unlock: the memory map that bbolt left behind holds the file open.
func release(f *os.File) {
	if f == nil {
		return
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}

// holdFile takes the lock that bbolt takes, so that nobody opens a file meanwhile; nil when there is no file.
func holdFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s: is the kiosk running?", ErrLocked, path)
	}
	return f, nil
}
