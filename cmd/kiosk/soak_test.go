//go:build !release

package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
)

// TestSoak is the short form of make soak: twenty seconds of citizens and faults, then what is promised is judged. BUDAYANG_SOAK=10m takes
// longer.
func TestSoak(t *testing.T) {
	d := 20 * time.Second
	if long := os.Getenv("BUDAYANG_SOAK"); long != "" {
		var err error
		if d, err = time.ParseDuration(long); err != nil {
			t.Fatal(err)
		}
	}
	program, err := exec.LookPath("kiosk") // this test binary, under another name
	if err != nil {
		t.Fatal(err)
	}
	n, err := journey.Soak(t.Context(), journey.SoakOptions{Time: d, Visits: 300, Speed: 100, Seed: uint64(time.Now().Unix()), Program: program, Dir: t.TempDir(), Out: t.Output()})
	if err != nil || n > 0 {
		t.Errorf("%d violations, %v", n, err)
	}
}
