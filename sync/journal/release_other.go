//go:build !unix

package journal

// Releasing a file with which bbolt gave up.

import (
	"errors"
	"io/fs"
	"os"
)

func release(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}

// holdFile relies on the open file keeping others out.
func holdFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}
