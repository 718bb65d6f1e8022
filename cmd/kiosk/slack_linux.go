//go:build cgo

package main

// Timer slack of the terminal: how late the kernel may wake it, so that one waking serves several timers.

/*
#include <string.h>
#include <sys/prctl.h>

// Fyne looks for events 60 times a second, and each time Go's monitor thread wakes with it and sleeps 20 microseconds at a
// time until all is quiet: hundreds of wakings a second on a page that nobody touches, more than the page itself costs. 2 ms
// are an eighth of a frame, and nothing on a terminal's wires is timed more finely. A thread has its slack from the one that
// started it, so it must be said before Go starts its first.
__attribute__((constructor)) static void slack(int argc, char **argv) {
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		prctl(PR_SET_TIMERSLACK, 2000000UL, 0UL, 0UL, 0UL);
}
*/
import "C"
