// Whatever a printer answers: bounded, no panic, no word out of place.

package document

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// nested is an answer with collections in collections.
func nested(depth int) []byte {
	b := []byte{2, 0, 0, 0, 0, 0, 0, 1, byte(goipp.TagPrinterGroup)}
	value := func(tag goipp.Tag, name, v string) {
		b = append(b, byte(tag))
		b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
		b = append(b, name...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
	}
	value(goipp.TagBeginCollection, "media-col", "")
	for range depth - 1 {
		value(goipp.TagMemberName, "", "m")
		value(goipp.TagBeginCollection, "", "")
	}
	for range depth {
		value(goipp.TagEndCollection, "", "")
	}
	return append(b, byte(goipp.TagEnd))
}

func TestBoundsOfAnAnswer(t *testing.T) {
	if _, err := decode(nested(maxDepth)); err != nil {
		t.Errorf("depth %d: %v", maxDepth, err)
	}
	header := []byte{2, 0, 0, 0, 0, 0, 0, 1, byte(goipp.TagPrinterGroup)}
	for name, data := range map[string][]byte{
		"empty":          {},
		"no end":         header,
		"too deep":       nested(maxDepth + 1),
		"very deep":      nested(100_000),
		"unclosed":       append(slices.Clone(header), bytes.Repeat([]byte{byte(goipp.TagBeginCollection), 0, 0, 0, 0}, 200_000)...),
		"too many":       append(slices.Clone(header), bytes.Repeat([]byte{byte(goipp.TagKeyword), 0, 1, 'x', 0, 0}, maxValues+1)...),
		"many groups":    append(slices.Clone(header), append(bytes.Repeat([]byte{byte(goipp.TagJobGroup)}, maxValues+1), byte(goipp.TagEnd))...),
		"length lies":    append(slices.Clone(header), byte(goipp.TagKeyword), 0xff, 0xff, 'x'),
		"value cut":      append(slices.Clone(header), byte(goipp.TagKeyword), 0, 1, 'x', 0, 9, 'y'),
		"no group":       {2, 0, 0, 0, 0, 0, 0, 1, byte(goipp.TagKeyword), 0, 1, 'x', 0, 1, 'y', 3},
		"integer of two": append(slices.Clone(header), byte(goipp.TagInteger), 0, 1, 'x', 0, 2, 1, 2, 3),
	} {
		if _, err := decode(data); !errors.Is(err, devices.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	fp := &fake{state: printerStopped, reasons: []string{"media-empty-error"}, formats: []string{"application/pdf"}, ready: []string{A4}, whichAll: true}
	m := goipp.NewResponse(goipp.DefaultVersion, goipp.StatusOk, 1)
	m.Printer = fp.printer()
	m.Printer.Add(goipp.MakeAttrCollection("media-col-default", integer("media-top-margin", 635)))
	job := fakeJob{id: 17, name: jobName}
	job.complete(1)
	m.Job = job.attributes()
	good, err := m.EncodeBytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(nested(3))
	f.Add(nested(17))
	f.Add([]byte("\x01\x01\x05\x03\x00\x00\x00\x01\x03"))
	f.Add([]byte("<html>"))
	p := &Printer{opt: Options{Media: A4}}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readAnswer(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, devices.ErrProtocol) {
				t.Fatalf("error without a sentinel: %v", err)
			}
			return
		}
		st := p.statusOf(group(m, goipp.TagPrinterGroup))
		if len(st.Reasons) > maxReasons+3 || len(st.Identity.Serial) > 127 || len(st.Identity.Model) > 127 {
			t.Fatalf("status is not bounded: %+v", st)
		}
		if st.Connection == "" || st.Paper == "" || st.Toner == "" || st.Cover == "" {
			t.Fatalf("status without words: %+v", st)
		}
		_ = wrongSubstitution(m)
		for _, g := range groups(m, goipp.TagJobGroup) {
			j := readJob(g)
			for _, way := range []trace{traceLost, traceUnsent, traceBegun} {
				res := j.verdict(1, way)
				if res.Outcome == devices.PrintConfirmed && (j.state != jobCompleted || !j.counts(1) || !j.has("job-completed-successfully")) {
					t.Fatalf("%+v was confirmed", j)
				}
				if res.Outcome == devices.PrintNotSent && (j.printed() > 0 || way == traceBegun) {
					t.Fatalf("%+v is not sent", j)
				}
				if res.Outcome == devices.PrintFailed && j.printed() >= 1 {
					t.Fatalf("%+v failed", j)
				}
			}
		}
	})
}

// BenchmarkAnswer reads a printer's attributes with our bounds; "of-decoder" is the time by that of the bare decoder,
// which has none.
func BenchmarkAnswer(b *testing.B) {
	fp := &fake{state: printerIdle, formats: []string{"application/pdf"}, ready: []string{A4}, whichAll: true}
	m := goipp.NewResponse(goipp.DefaultVersion, goipp.StatusOk, 1)
	for range 20 { // as many values as a large printer has
		for _, a := range fp.printer() {
			m.Printer.Add(a)
		}
	}
	data, err := m.EncodeBytes()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	var ours, bare time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := readAnswer(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
		between := time.Now()
		var m goipp.Message
		if err := m.DecodeBytes(data); err != nil {
			b.Fatal(err)
		}
		ours += between.Sub(start)
		bare += time.Since(between)
	}
	b.ReportMetric(float64(ours)/float64(bare), "of-decoder")
}
