package main

import (
	"fmt"
	"syscall"
)

// noCores keeps a crash from writing the visit in memory to the disk.
func noCores() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("switch core files off: %w", err)
	}
	return nil
}
