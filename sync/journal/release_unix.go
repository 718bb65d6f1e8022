//go:build unix

package journal

// Releasing a file with which bbolt gave up.

import (
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
