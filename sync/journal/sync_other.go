//go:build !linux

package journal

// Making a file's bytes durable.

import "os"

func datasync(f *os.File) error { return f.Sync() }

func noRoom(error) bool { return false }
