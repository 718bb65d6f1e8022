package sim

import (
	"testing"
)

// BenchmarkInterpreter shows how much faster the interpreter is than the fastest line it hangs on: below 1 it, and not the
// line, would set the pace of a paced journey.
func BenchmarkInterpreter(b *testing.B) {
	g, err := newGlyphs(nil)
	if err != nil {
		b.Fatal(err)
	}
	row := make([]byte, 72)
	job := []byte("\x1b@\x1c&\xca\xdc\xc0\xed\xbb\xd8\xd6\xb4 No. 42\n\x1dv0\x00\x48\x00\x18\x00")
	for range 24 {
		job = append(job, row...)
	}
	job = append(job, "\x1dV\x00"...)
	b.SetBytes(int64(len(job)))
	for b.Loop() {
		e := newEscpos(heads["epson"], g, &tape{in: job})
		for e.command() == nil {
		}
	}
	const wire = 230400 / 10
	b.ReportMetric(float64(len(job))*float64(b.N)/b.Elapsed().Seconds()/wire, "x-wire-at-230400")
}
