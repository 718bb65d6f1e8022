// Generate writes the files that are made from the event and state catalogues. go generate ./sync/wire runs it there.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/budayang/kiosk/sync/wire/catalogue"
)

func main() {
	files, err := catalogue.Generate(catalogue.Events, catalogue.States)
	if err == nil {
		for path, b := range files {
			if err = os.WriteFile(filepath.Join("..", "..", path), b, 0o644); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
