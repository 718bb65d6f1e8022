//go:build !linux || !(amd64 || arm64 || loong64 || riscv64)

package camera

import (
	"fmt"

	"github.com/budayang/kiosk/devices"
)

func openV4L2(path string, _ Options) (source, error) {
	return nil, fmt.Errorf("%s: %w: no Video4Linux on this kind of machine", path, devices.ErrUnusable)
}

// A Node is a camera of this machine.
type Node struct{ Path, Name string }

// Nodes lists the cameras of this machine: none are known here.
func Nodes() []Node { return nil }
