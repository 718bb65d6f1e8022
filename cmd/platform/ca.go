package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// caCmd is `platform ca`.
type caCmd struct {
	Data string `required:"" help:"The platform's data directory." type:"path"`
}

// Run prints the PEM that was made at the first start.
func (c caCmd) Run(io stdio) error {
	b, err := os.ReadFile(filepath.Join(c.Data, "ca.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no authority in %s yet: platform serve makes it at its first start", c.Data)
	}
	if err != nil {
		return err
	}
	_, err = io.out.Write(b)
	return err
}
