package platform

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// givesUp ends a connection whose bytes nobody confirms; by itself Linux tries for a quarter of an hour.
func givesUp(_, _ string, raw syscall.RawConn) error {
	var err error
	cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lineDead.Milliseconds()))
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOPROTOOPT) {
		err = nil // a Unix socket, whose other side is this machine
	}
	return errors.Join(cerr, err)
}
