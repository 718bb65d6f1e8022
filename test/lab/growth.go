package lab

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// Use is what the test's process has open, running and in memory.
type Use struct {
	Files, Routines, Threads int
	Heap                     int // KiB that Go's collector finds alive
	C                        int // KiB that C's allocator has given out and not got back; 0 outside of the lab's build
	Anonymous                int // KiB resident that no file backs: heaps, stacks, what allocators keep
	Resident                 int // KiB resident, code that was read in among them
}

// Used collects garbage, gives what both allocators keep back to the kernel, and looks. What is left is alive, or lies between what
// is: a figure that does the same at each cycle comes out the same.
func Used(t testing.TB) (u Use) {
	t.Helper()
	runtime.GC() // what a finalizer still held goes at the second one
	debug.FreeOSMemory()
	u.C = inC()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	// The page tables are walked for it; the counters of /proc/self/status are behind by some pages of each thread.
	pages, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(pages) + string(status)) {
		for key, to := range map[string]*int{"Rss:": &u.Resident, "Anonymous:": &u.Anonymous, "Threads:": &u.Threads} {
			if rest, ok := strings.CutPrefix(line, key); ok {
				_, _ = fmt.Sscan(rest, to)
			}
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

// Look takes note of what is used after so many cycles. What ends by itself a moment later has time for it.
func (g *Growth) Look(t testing.TB, cycle int) {
	t.Helper()
	u := Used(t)
	if len(g.uses) == 0 {
		for range 10 {
			time.Sleep(20 * time.Millisecond)
			v := Used(t)
			v.Files, v.Routines = min(u.Files, v.Files), min(u.Routines, v.Routines)
			u = v
		}
	}
	for end := time.Now().Add(5 * time.Second); len(g.uses) > 0 && time.Now().Before(end) && (u.Files > g.uses[0].Files || u.Routines > g.uses[0].Routines); {
		time.Sleep(20 * time.Millisecond)
		u = Used(t)
	}
	g.at, g.uses = append(g.at, cycle), append(g.uses, u)
}

// figures are what is looked at. Descriptors and goroutines must be no more at the last look than at the first. Memory in KiB may
// be more by so much, from the median of the first third of the looks to that of the last third: over a thousand cycles these lie
// some 650 cycles apart, so that a leak of 0.1 KiB a cycle in Go or C, or of 0.8 KiB a cycle anywhere, is seen. What is allowed is
// for allocators that lay the same things otherwise, and for lists of the test's own. Fewer than enough cycles say nothing of memory.
var figures = []struct {
	name string
	of   func(Use) int
	most int // KiB, 0 at the last look, or only told where it is less than 0
}{
	{"descriptors", func(u Use) int { return u.Files }, 0},
	{"goroutines", func(u Use) int { return u.Routines }, 0},
	{"threads", func(u Use) int { return u.Threads }, -1},
	{"KiB alive in Go", func(u Use) int { return u.Heap }, 64},
	{"KiB alive in C", func(u Use) int { return u.C }, 32},
	{"anonymous KiB resident", func(u Use) int { return u.Anonymous }, 512},
	{"KiB resident", func(u Use) int { return u.Resident }, -1},
}

// enough cycles between first and last look to judge memory by.
const enough = 500

// Judge logs every figure, and fails the test if descriptors, goroutines or (after [enough] cycles) memory grow.
func (g *Growth) Judge(t testing.TB) {
	t.Helper()
	if len(g.uses) < 3 {
		t.Fatal("nothing to compare")
	}
	for _, line := range g.told() {
		t.Log(line)
	}
	for _, line := range g.grew() {
		t.Error(line)
	}
}

func (g *Growth) all(of func(Use) int) (all []int) {
	for _, u := range g.uses {
		all = append(all, of(u))
	}
	return all
}

// thirds are the medians of the first third of the looks and of the last.
func thirds(all []int) (first, last int) {
	n := max(1, len(all)/3)
	return median(all[:n]), median(all[len(all)-n:])
}

func median[T cmp.Ordered](all []T) T {
	s := slices.Sorted(slices.Values(all))
	return s[len(s)/2]
}

func (g *Growth) told() (lines []string) {
	for _, f := range figures {
		all := g.all(f.of)
		first, last := thirds(all)
		lines = append(lines, fmt.Sprintf("%d cycles: %s %d at first, %d at last, %d at most; first third %d, last third %d: %v", g.at[len(g.at)-1]-g.at[0],
			f.name, all[0], all[len(all)-1], slices.Max(all), first, last, all))
	}
	return lines
}

func (g *Growth) grew() (lines []string) {
	cycles := g.at[len(g.at)-1] - g.at[0]
	for _, f := range figures {
		all := g.all(f.of)
		first, last := thirds(all)
		switch {
		case f.most == 0 && all[len(all)-1] > all[0]:
			lines = append(lines, fmt.Sprintf("%s grow: %d to %d", f.name, all[0], all[len(all)-1]))
		case f.most > 0 && cycles >= enough && last-first > f.most:
			lines = append(lines, fmt.Sprintf("%s grow by %d, from %d to %d, limit %d", f.name, last-first, first, last, f.most))
		}
	}
	return lines
}
