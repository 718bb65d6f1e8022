package sync

// Images of what lies on a disk: a journal with its blobs, or a platform's directory.

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readTree reads every file beside path whose name begins with path's, and everything below.
func readTree(t testing.TB, path string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(filepath.Dir(path), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(p, path) {
			return err
		}
		all[p], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// writeTree puts an image in the place of what is there.
func writeTree(t testing.TB, path string, image map[string][]byte) {
	t.Helper()
	for p := range readTree(t, path) {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	for p, b := range image {
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
