package lab

import (
	"strings"
	"testing"
)

// What a thousand cycles leave is told from what an allocator does.
func TestGrowthIsSeen(t *testing.T) {
	run := func(change func(cycle int, u *Use)) *Growth {
		var g Growth
		for cycle := 100; cycle <= 1000; cycle += 45 {
			u := Use{Files: 6, Routines: 2, Threads: 8, Heap: 200, C: 90, Anonymous: 9000, Resident: 17000}
			u.Anonymous += cycle * 7919 % 200 // what allocators do
			u.Heap += cycle * 7919 % 5
			change(cycle, &u)
			g.at, g.uses = append(g.at, cycle), append(g.uses, u)
		}
		return &g
	}
	for _, c := range []struct {
		name   string
		change func(int, *Use)
		says   string
	}{
		{"nothing", func(int, *Use) {}, ""},
		{"more once", func(n int, u *Use) {
			if n == 550 {
				u.Anonymous, u.Files, u.Routines = 30000, 9, 9
			}
		}, ""},
		{"a step of an allocator's", func(n int, u *Use) {
			if n > 500 {
				u.Anonymous += 256
			}
		}, ""},
		{"code is read in", func(n int, u *Use) { u.Resident += 3 * n; u.Threads += n / 500 }, ""},
		{"a descriptor at the end", func(n int, u *Use) { u.Files += n / 1000 }, "descriptors grow: 6 to 7"},
		{"a goroutine at the end", func(n int, u *Use) { u.Routines += n / 1000 }, "goroutines grow: 2 to 3"},
		{"an eighth of a KiB a cycle in Go", func(n int, u *Use) { u.Heap += n / 8 }, "alive in Go grow"},
		{"an eighth of a KiB a cycle in C", func(n int, u *Use) { u.C += n / 8 }, "alive in C grow"},
		{"a KiB and a half a cycle somewhere", func(n int, u *Use) { u.Anonymous += n * 3 / 2 }, "anonymous KiB resident grow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			grew := run(c.change).grew()
			if c.says == "" && len(grew) > 0 || c.says != "" && (len(grew) != 1 || !strings.Contains(grew[0], c.says)) {
				t.Errorf("says %q, expected %q", grew, c.says)
			}
		})
	}
}
