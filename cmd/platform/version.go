package main

import (
	"fmt"
	"runtime"
)

// versionCmd is `platform version`.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(io stdio) error {
	_, err := fmt.Fprintf(io.out, "platform %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
