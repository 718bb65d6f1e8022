//go:build release

package camera

import (
	"fmt"

	"github.com/budayang/kiosk/devices"
)

// Schemes are the URI schemes that cameras are found by.
func Schemes() []string { return []string{"v4l2", "http", "https"} }

func openFile(string, Options) (source, error) {
	return nil, fmt.Errorf("%w: a release takes no pictures from files", devices.ErrUnusable)
}
