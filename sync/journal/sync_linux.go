package journal

// Making a file's bytes durable.

import (
	"errors"
	"os"
	"syscall"
)

// datasync makes what was written durable; unlike fsync it leaves times alone, which would cost the file system a commit.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// full says whether an error means that there is no room.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
