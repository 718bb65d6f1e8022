// Package lab is a virtual machine with Debian's real kernel in which tests meet the kernel's own drivers: vhci-hcd with USB
// devices written in Go behind it, usblp, cdc-acm, ftdi_sio, uvcvideo, vivid. `image` makes it, `exec` runs a command in it
// (made for go test -exec), `init` is its first process.
//
// Tests for it carry the build tag lab and lie beside what they test. In the machine a missing device fails; outside of it such
// a test fails too ([Inside]), so that no run without hardware looks like one with it.
package lab

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Inside ends the test unless it runs in the machine.
func Inside(t testing.TB) {
	t.Helper()
	if os.Getenv("BUDAYANG_LAB") == "" {
		t.Fatal(`this is not the lab's machine: go test -exec "$PWD/test/lab/exec" -tags ci,lab …, or make lab`)
	}
}

// Use is what the test's process has open, running and resident.
type Use struct {
	Files, Routines, KiB, Heap int // KiB resident, and KiB of Go's heap in use
}

// Used collects garbage and looks.
func Used(t testing.TB) (u Use) {
	t.Helper()
	runtime.GC()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS:") {
			_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &u.KiB)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Files, u.Routines, u.Heap = len(open), runtime.NumGoroutine(), int(m.HeapAlloc>>10)
	return u
}

// Growth is what the process used at moments of a run that does the same again and again.
type Growth struct {
	at   []int
	uses []Use
}

// Look takes note of what is used after so many cycles. What ends by itself a moment later has half a second for it.
func (g *Growth) Look(t testing.TB, cycle int) {
	t.Helper()
	u := Used(t)
	for range 25 {
		if len(g.uses) == 0 || u.Files <= g.uses[0].Files && u.Routines <= g.uses[0].Routines {
			break
		}
		time.Sleep(20 * time.Millisecond)
		u = Used(t)
	}
	g.at, g.uses = append(g.at, cycle), append(g.uses, u)
}

// Judge logs first and last figures and their slopes, and fails the test if descriptors or goroutines are more than at the
// beginning, or resident memory by more than kib.
func (g *Growth) Judge(t testing.TB, kib int) {
	t.Helper()
	if len(g.uses) < 2 {
		t.Fatal("nothing to compare")
	}
	first, last := g.uses[0], g.uses[len(g.uses)-1]
	for _, f := range []struct {
		name string
		of   func(Use) int
		most int
	}{{"descriptors", func(u Use) int { return u.Files }, 0}, {"goroutines", func(u Use) int { return u.Routines }, 0}, {"resident KiB", func(u Use) int { return u.KiB }, kib}, {"KiB of heap", func(u Use) int { return u.Heap }, kib}} {
		var n, x, y, xx, xy float64
		for i, u := range g.uses {
			a, b := float64(g.at[i]), float64(f.of(u))
			n, x, y, xx, xy = n+1, x+a, y+b, xx+a*a, xy+a*b
		}
		most := slices.MaxFunc(g.uses, func(a, b Use) int { return f.of(a) - f.of(b) })
		t.Logf("%d cycles: %s %d at first, %d at last, %d at most; slope %+.3f a thousand cycles", g.at[len(g.at)-1]-g.at[0], f.name, f.of(first), f.of(last), f.of(most),
			1000*(n*xy-x*y)/(n*xx-x*x))
		var all []int
		for _, u := range g.uses {
			all = append(all, f.of(u))
		}
		t.Logf("%s every so often: %v", f.name, all)
		if f.of(last) > f.of(first)+f.most {
			t.Errorf("%s grow: %d to %d", f.name, f.of(first), f.of(last))
		}
	}
}
