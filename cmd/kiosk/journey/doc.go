//go:build !release

// Package journey plays a citizen at the real terminal: it puts up a display, a platform and peripherals, starts `kiosk
// run` as a process of its own, and then looks at the screen and touches it, step by step, until the visit is over.
//
// Nothing reaches into the terminal: fingers are X events, cards and paper are on the other side of a serial line or of
// IPP, the link is a TCP connection that can be cut, and a power cut is a killed process. The only thing the terminal is
// asked through its probe is where its buttons are.
//
// [Play] runs one [Journey] on a [Stage] and leaves pictures, papers and a summary in a directory.
package journey
