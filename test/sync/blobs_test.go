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
	// What a cut left: an odd beginning.
	const odd = 1<<20 - 5
	if st, err := x.client.PutPart(t.Context(), h, 0, len(data), data[:odd]); err != nil || st.Offset != odd {
		t.Fatal(st, err)
	}
	c.stop()
	c.start()
	if _, err := x.client.PutPart(t.Context(), h, 0, len(data), data[:odd]); err == nil {
		t.Error("the restart forgot what had arrived")
	}
	if err := x.client.PutBlob(t.Context(), h, data); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(c.dir, "blobs", h.String()))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// Held already, by another terminal: nothing is sent.
	if err := y.client.PutBlob(t.Context(), h, data); err != nil {
		t.Error(err)
	}
	// A beginning of something else is found out at the end and begun anew.
	data[0]++
	h = sha256.Sum256(data)
	if _, err := x.client.PutPart(t.Context(), h, 0, len(data), make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	var refused *uplink.StatusError
	if err := x.client.PutBlob(t.Context(), h, data); !errors.As(err, &refused) || refused.Body.Code != "E-BLOB" || refused.Status != http.StatusUnprocessableEntity {
		t.Errorf("%v", err)
	}
	if err := x.client.PutBlob(t.Context(), h, data); err != nil {
		t.Error(err)
	}
	// A terminal does not fill the disk with beginnings: only the last few go on.
	begun := make([]wire.Hash, 9)
	for i := range begun {
		begun[i] = sha256.Sum256(append(bytes.Clone(data), byte(i)))
		if _, err := x.client.PutPart(t.Context(), begun[i], 0, len(data)+1, data[:1000]); err != nil {
			t.Fatal(err)
		}
	}
	left := 0
	for _, sum := range begun {
		if st, err := x.client.PutPart(t.Context(), sum, 1000, len(data)+1, data[1000:2000]); err == nil && st.Offset == 2000 {
			left++
		}
	}
	if left != 4 {
		t.Errorf("%d beginnings are left", left)
	}
	if _, err := x.client.PutPart(t.Context(), h, 5, 10, data[:3]); err != nil {
		t.Error("a part of what is held", err)
	}
	h[0]++
	if _, err := x.client.PutPart(t.Context(), h, 5, 10, data[:3]); !errors.As(err, &refused) || refused.Body.Code != "E-OFFSET" {
		t.Errorf("%v", err)
	}
}
