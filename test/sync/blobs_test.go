package sync

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// A large picture goes on where a restart of the platform left it.
func TestALargePictureGoesOnWhereItWasCut(t *testing.T) {
	c := newCity(t)
	x, y := newTerminal(t, c, "990000-0003"), newTerminal(t, c, "990000-0004")
	data := make([]byte, 3<<20+17)
	_, _ = rand.Read(data)
	h := wire.Hash(sha256.Sum256(data))
	part := filepath.Join(c.dir, "parts", x.id.Terminal+"."+h.String())
	if err := os.MkdirAll(filepath.Dir(part), 0o700); err != nil {
		t.Fatal(err)
	}
	// What a cut left: an odd beginning.
	if err := os.WriteFile(part, data[:1<<20+5], 0o600); err != nil {
		t.Fatal(err)
	}
	c.stop()
	c.start()
	if err := x.client.PutBlob(t.Context(), h, data); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(c.dir, "blobs", h.String()))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := os.Stat(part); err == nil {
		t.Error("the part was left")
	}
	// Held already, by another terminal: nothing is sent.
	if err := y.client.PutBlob(t.Context(), h, data); err != nil {
		t.Error(err)
	}
	// A beginning of something else is found out at the end and begun anew.
	data[0]++
	h = sha256.Sum256(data)
	part = filepath.Join(c.dir, "parts", x.id.Terminal+"."+h.String())
	if err := os.WriteFile(part, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *uplink.StatusError
	if err := x.client.PutBlob(t.Context(), h, data); !errors.As(err, &refused) || refused.Body.Code != "E-BLOB" || refused.Status != http.StatusUnprocessableEntity {
		t.Errorf("%v", err)
	}
	if err := x.client.PutBlob(t.Context(), h, data); err != nil {
		t.Error(err)
	}
	// A terminal does not fill the disk with beginnings.
	for i := range 9 {
		b := append(bytes.Clone(data), byte(i))
		sum := wire.Hash(sha256.Sum256(b))
		if _, err := x.client.PutPart(t.Context(), sum, 0, len(b), b[:1000]); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(c.dir, "parts")); err != nil || len(left) > 4 {
		t.Errorf("%d parts, %v", len(left), err)
	}
	if _, err := x.client.PutPart(t.Context(), h, 5, 10, data[:3]); err != nil {
		t.Error("a part of what is held", err)
	}
	h[0]++
	if _, err := x.client.PutPart(t.Context(), h, 5, 10, data[:3]); !errors.As(err, &refused) || refused.Body.Code != "E-OFFSET" {
		t.Errorf("%v", err)
	}
}
