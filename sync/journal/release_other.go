//go:build !unix

package journal

// Releasing a file with which bbolt gave up.

import "os"

func release(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}
