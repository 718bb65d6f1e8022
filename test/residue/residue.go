//go:build linux

// Package residue looks for bytes in the whole memory of a process: what a face left anywhere in it, whoever forgot it there.
// It is for tests; what they look for is kept in disguise, so that nobody finds the search itself.
package residue

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disguise is what every byte is combined with.
const disguise = 0xA5

// Disguise changes bytes into their disguise, or back, in place.
func Disguise(b []byte) {
	for i := range b {
		b[i] ^= disguise
	}
}

// A Needle is something to look for.
type Needle struct {
	Name   string
	hidden []byte
}

// New disguises a copy of b. Short or dull needles would be found where they are not: b must have 16 bytes and 8 different ones.
func New(name string, b []byte) (Needle, error) {
	different := map[byte]bool{}
	for _, c := range b {
		different[c] = true
	}
	if len(b) < 16 || len(different) < 8 {
		return Needle{}, fmt.Errorf("residue: %s: %d bytes, %d different", name, len(b), len(different))
	}
	n := Needle{name, make([]byte, len(b))}
	for i, c := range b {
		n.hidden[i] = c ^ disguise
	}
	return n, nil
}

// In tells whether b has it.
func (n Needle) In(b []byte) bool {
	plain := bytes.Clone(n.hidden)
	Disguise(plain)
	defer clear(plain)
	return bytes.Contains(b, plain)
}

// Liveliest is the piece of so many bytes, beginning at multiples of step, with the most different ones.
func Liveliest(b []byte, length, step int) []byte {
	var best []byte
	most := 0
	for at := 0; at+length <= len(b); at += step {
		var seen [256]bool
		n := 0
		for _, c := range b[at : at+length] {
			if !seen[c] {
				seen[c] = true
				n++
			}
		}
		if n > most {
			best, most = b[at:at+length], n
		}
	}
	return best
}

// A Hit is where a needle was found.
type Hit struct {
	Needle  string
	Address uint64
	Mapping string // a line of /proc/PID/maps
}

// GoHeap tells whether it lies where Go's allocator puts things on Linux: in a mapping without a name, below those of the C library.
func (h Hit) GoHeap() bool {
	name := len(strings.Fields(h.Mapping)) > 5 && !strings.Contains(h.Mapping, "[anon: Go:")
	return !name && h.Address>>40 < 0x7E
}

const (
	window = 1 << 20
	// Larger mappings are room that was set aside (the race detector's shadow), not memory.
	largest = 16 << 30
)

// Search looks through all memory that a process can write, and returns the first hit of each needle in each mapping. The process may go on
// meanwhile: what it moves may be missed.
func Search(pid int, needles []Needle) (hits []Hit, searched int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, 0, fmt.Errorf("residue: %w", err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, 0, fmt.Errorf("residue: %w", err)
	}
	defer mem.Close()
	most := 0
	for _, n := range needles {
		most = max(most, len(n.hidden))
	}
	// Outside of Go's heap, and left out of the search.
	room, err := unix.Mmap(-1, 0, window+most, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, 0, fmt.Errorf("residue: %w", err)
	}
	defer func() { clear(room); err = errors.Join(err, unix.Munmap(room)) }()
	own := uint64(uintptr(unsafe.Pointer(&room[0])))
	for in := bufio.NewScanner(bytes.NewReader(maps)); in.Scan(); {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(in.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			return hits, searched, fmt.Errorf("residue: %q: %w", in.Text(), err)
		}
		if !strings.HasPrefix(rights, "rw") || to-from > largest || pid == os.Getpid() && from <= own && own < to && to-from < 4*window {
			continue
		}
		var found []string
		for at := from; at < to; at += window {
			b := room[:min(uint64(window+most), to-at)]
			if pid == os.Getpid() && at < own+uint64(len(room)) && own < at+uint64(len(b)) {
				continue
			}
			n, err := mem.ReadAt(b, int64(at))
			if n == 0 && err != nil && !errors.Is(err, io.EOF) {
				continue // not there after all
			}
			searched += int64(min(n, window))
			Disguise(b[:n])
			for _, w := range needles {
				if i := bytes.Index(b[:n], w.hidden); i >= 0 && !slices.Contains(found, w.Name) {
					found = append(found, w.Name)
					hits = append(hits, Hit{w.Name, at + uint64(i), in.Text()})
				}
			}
		}
	}
	return hits, searched, nil
}
