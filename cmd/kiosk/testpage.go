package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
)

// testPage is one A4 page as PDF, in a face that every printer has: what `kiosk devices test document-printer` prints.
func testPage(c config.Config) ([]byte, error) {
	text := fmt.Sprintf("BT /F1 24 Tf 72 760 Td (Budayang test page) Tj /F1 12 Tf 0 -36 Td (Terminal %s, %s) Tj ET 72 700 451 2 re f 72 72 451 2 re f",
		c.Terminal.ID, time.Now().Format(time.DateTime))
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(text), text),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	_, err := fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes(), err
}
