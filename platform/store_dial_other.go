//go:build !linux

package platform

import "syscall"

// givesUp leaves it to the system when to end a connection whose bytes nobody confirms.
func givesUp(_, _ string, _ syscall.RawConn) error { return nil }
