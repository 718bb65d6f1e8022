package platform

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/budayang/kiosk/idnum"
)

func completed(first17 string) (string, error) { return idnum.Complete(first17) }

// bomb is a small gzip of 64 MiB of zeros.
func bomb(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	chunk := make([]byte, 1<<20)
	for range 64 {
		if _, err := z.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
