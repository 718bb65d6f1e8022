package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSoundCards(t *testing.T) {
	list := filepath.Join(t.TempDir(), "cards")
	if err := os.WriteFile(list, []byte(` 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7d10000 irq 33
 1 [Device_1       ]: USB-Audio - USB Audio Device
--- no soundcards ---
 2 [no card; rm -rf]: x
`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := soundCards(list); !slices.Equal(got, []string{"PCH", "Device_1"}) {
		t.Errorf("%q", got)
	}
	if got := soundCards("/does/not/exist"); got != nil {
		t.Errorf("%q", got)
	}
}
