package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// versionCmd is `kiosk version`.
type versionCmd struct{}

// Run prints program, Go and the libraries that matter to a support engineer.
func (versionCmd) Run(io stdio) error {
	fmt.Fprintf(io.out, "kiosk %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "fyne.io/fyne/v2", "go.etcd.io/bbolt", "github.com/tarm/serial", "github.com/OpenPrinting/goipp":
			fmt.Fprintf(io.out, "  %s %s\n", m.Path, m.Version)
		}
	}
	return nil
}

// buildTime is when the source that this program was made of was last changed; zero when it does not say.
func buildTime() (t time.Time) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ = time.Parse(time.RFC3339, s.Value)
		}
	}
	return t
}
