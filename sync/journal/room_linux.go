package journal

// Room on the disk.

import (
	"math"
	"os"
	"syscall"
)

// freeRoom is how many bytes can still be written beside a file; unknown is plenty.
func freeRoom(dir string) int64 {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil || st.Bsize <= 0 {
		return math.MaxInt64
	}
	return int64(min(st.Bavail, uint64(math.MaxInt64/st.Bsize))) * st.Bsize
}

// takeRoom gives a file real blocks.
func takeRoom(f *os.File, size int64) error {
	return syscall.Fallocate(int(f.Fd()), 0, 0, size)
}
