package link

import (
	"testing"

	"github.com/budayang/kiosk/idnum"
)

func complete(t *testing.T, first17 string) string {
	t.Helper()
	n, err := idnum.Complete(first17)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
