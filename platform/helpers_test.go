package platform

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
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

// bytesOf is a body as it is sent.
func bytesOf(t testing.TB, in any) []byte {
	t.Helper()
	switch v := in.(type) {
	case nil:
		return nil
	case []byte:
		return v
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reader(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
