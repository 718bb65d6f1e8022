package sim

// How many pages a PDF has, as far as a printer that draws nothing must know.

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strconv"
)

var (
	pdfObject = regexp.MustCompile(`(?s)\b(\d+) \d+ obj\b(.*?)\bendobj`)
	pdfPages  = regexp.MustCompile(`/Type\s*/Pages\b`)
	pdfPage   = regexp.MustCompile(`/Type\s*/Page\b`)
	pdfCount  = regexp.MustCompile(`/Count\s+(\d+)`)
	pdfStream = regexp.MustCompile(`(?s)/Type\s*/ObjStm\b.*?stream\r?\n(.*?)\r?\nendstream`)
)

// mostPages is what the printer believes of one document.
const mostPages = 10000

// countPages counts pages; false says that the data is no PDF with pages. An object that an incremental update
// repeats (a signature does) counts once.
func countPages(data []byte) (int, bool) {
	if !bytes.HasPrefix(data, []byte("%PDF-")) || !bytes.Contains(data, []byte("%%EOF")) {
		return 0, false
	}
	seen := map[string]bool{}
	tree := 0
	for _, o := range pdfObject.FindAllSubmatch(data, -1) {
		switch {
		case pdfPages.Match(o[2]):
			tree = max(tree, counted(o[2]))
		case pdfPage.Match(o[2]):
			seen[string(o[1])] = true
		}
	}
	inner := 0
	for _, s := range pdfStream.FindAllSubmatch(data, 16) {
		z, err := zlib.NewReader(bytes.NewReader(s[1]))
		if err != nil {
			continue
		}
		plain, _ := io.ReadAll(io.LimitReader(z, 16<<20))
		inner += len(pdfPage.FindAll(plain, mostPages))
		tree = max(tree, counted(plain))
	}
	n := len(seen) + inner
	if tree > 0 {
		n = tree
	}
	return n, n > 0 && n <= mostPages
}

func counted(object []byte) int {
	best := 0
	for _, m := range pdfCount.FindAllSubmatch(object, -1) {
		if n, err := strconv.Atoi(string(m[1])); err == nil && n <= mostPages {
			best = max(best, n)
		}
	}
	return best
}
