package journal

// Making a file's bytes durable.

import (
	"errors"
	"os"
	"syscall"
)

// datasync makes what was written durable; unlike fsync it leaves times alone, which would cost the file system a commit.
func datasync(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	err = c.Control(func(fd uintptr) {
		for {
			if done = syscall.Fdatasync(int(fd)); !errors.Is(done, syscall.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, done)
}

// full says whether an error means that there is no room.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
