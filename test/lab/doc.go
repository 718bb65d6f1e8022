// Package lab is a virtual machine with Debian's real kernel in which tests meet the kernel's own drivers: vhci-hcd with USB
// devices written in Go behind it, usblp, cdc-acm, ftdi_sio, uvcvideo, vivid. `image` makes it, `exec` runs a command in it
// (made for go test -exec), `init` is its first process.
//
// Tests for it carry the build tag lab and lie beside what they test. In the machine a missing device fails; outside of it such
// a test fails too ([Inside]), so that no run without hardware looks like one with it.
package lab

import (
	"os"
	"testing"
)

// Inside ends the test unless it runs in the machine.
func Inside(t testing.TB) {
	t.Helper()
	if os.Getenv("BUDAYANG_LAB") == "" {
		t.Fatal(`this is not the lab's machine: go test -exec "$PWD/test/lab/exec" -tags ci,lab …, or make lab`)
	}
}
