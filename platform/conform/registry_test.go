package conform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The table here is the document's, so that neither grows without the other.
func TestRegistryIsTheDocuments(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "error-codes.md"))
	if err != nil {
		t.Fatal(err)
	}
	printed, _, _ := strings.Cut(string(doc), "## What a terminal shows")
	for code, status := range registry {
		if !strings.Contains(printed, fmt.Sprintf("| `%s` | %d |", code, status)) {
			t.Errorf("%s %d is not in the document", code, status)
		}
	}
	if n := strings.Count(printed, "\n| `E-"); n != len(registry) {
		t.Errorf("%d codes in the document, %d here", n, len(registry))
	}
}
