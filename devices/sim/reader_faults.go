package sim

// What can be wrong with a reader, and how each fault changes an answer on its way out.

import (
	"bytes"
	"context"
	"time"
)

const times = "how many times, 0 until cleared"

var readerFaults = []FaultInfo{
	{Name: "silent", About: "the module does not answer"},
	{Name: "unplug", About: "the cable is pulled; clear puts it back"},
	{Name: "self-test-failed", About: "the module answers 60 to everything"},
	{Name: "not-authorised", About: "the module answers 66 to everything"},
	{Name: "select-fails", Value: times, Default: 1, max: 1000, About: "selecting the card answers 81"},
	{Name: "read-fails", Value: times, Default: 1, max: 1000, About: "reading answers 41: the card moved"},
	{Name: "pull-mid-read", Value: times, Default: 1, max: 1000, About: "the card is taken away in the middle of the next read"},
	{Name: "unknown-card", Value: times, Default: 0, max: 1000, About: "what lies there is not an identity card: 40"},
	{Name: "three-lengths", About: "a plain read answers in the form with a fingerprint length"},
	{Name: "noise-before", Value: "bytes of noise", Default: 9, max: 4096, About: "noise comes before every answer"},
	{Name: "noise-inside", Value: times, Default: 0, max: 1000, About: "a byte inside the answer is disturbed"},
	{Name: "wrong-xor", Value: times, Default: 0, max: 1000, About: "the checksum is wrong"},
	{Name: "giant-length", Value: times, Default: 0, max: 1000, About: "the length says FFFF"},
	{Name: "leading-aa", Value: "how many AA too many", Default: 2, max: 4096, About: "answers begin with more AA than they should"},
	{Name: "split", Value: "bytes in a piece", Default: 5, max: 4096, About: "answers come in pieces with pauses"},
	{Name: "stall-after", Value: "bytes that still come", Default: 600, max: 4096, About: "answers stop in the middle"},
	{Name: "baud-mismatch", Value: "the module's baud", Default: 9600, max: 230400, About: "the module runs at another speed"},
}

// noise has the beginnings of preambles in it, so that a reader that resynchronises badly trips.
var noise = []byte{0x00, 0xFF, 0xAA, 0x96, 0x69, 0xAA, 0xAA, 0x96, 0x41}

// splitPause lies between the pieces of a split answer: longer than a UART's, shorter than any patience.
const splitPause = 10 * time.Millisecond

// send lets an answer out, disturbed by what is wrong.
func (r *IDReader) send(ctx context.Context, c *conn, answer []byte) error {
	out := bytes.Clone(answer)
	if r.faults.once("noise-inside") {
		out[len(out)/2] ^= 0x5A
	}
	if r.faults.once("wrong-xor") {
		out[len(out)-1] ^= 0xFF
	}
	if r.faults.once("giant-length") {
		out[5], out[6] = 0xFF, 0xFF
	}
	if n, on := r.faults.value("leading-aa"); on {
		out = append(bytes.Repeat([]byte{0xAA}, n), out...)
	}
	if n, on := r.faults.value("noise-before"); on {
		out = append(bytes.Repeat(noise, n/len(noise)+1)[:n], out...)
	}
	if n, on := r.faults.value("stall-after"); on {
		out = out[:min(n, len(out))]
	}
	piece := len(out)
	if n, on := r.faults.value("split"); on && n > 0 {
		piece = n
	}
	for len(out) > 0 {
		n := min(piece, len(out))
		if _, err := c.Write(out[:n]); err != nil {
			return err
		}
		if out = out[n:]; len(out) > 0 {
			if err := sleep(ctx, splitPause); err != nil {
				return err
			}
		}
	}
	return nil
}
