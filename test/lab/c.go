//go:build cgo && lab

package lab

// #include <malloc.h>
import "C"

// inC gives what C's allocator keeps back to the kernel, and returns how many KiB of it are given out, over all of its arenas.
func inC() int {
	C.malloc_trim(0)
	m := C.mallinfo2()
	return int((m.uordblks + m.hblkhd) >> 10)
}
