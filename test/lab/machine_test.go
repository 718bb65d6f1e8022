//go:build lab

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What every other test of the lab leans on.
func TestLabMachineIsWhole(t *testing.T) {
	Inside(t)
	version, err := os.ReadFile("/proc/version")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", strings.TrimSpace(string(version)))
	for _, path := range []string{
		"/sys/devices/platform/vhci_hcd.0/attach", "/sys/bus/usb/drivers/usblp", "/sys/bus/usb/drivers/cdc_acm",
		"/sys/bus/usb/drivers/ftdi_sio", "/sys/bus/usb/drivers/uvcvideo", "/dev/usbmon0", "/dev/video0",
	} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	// What is written stays in the machine, and the packages' folders can be written all the same.
	if err := os.WriteFile(filepath.Join(t.TempDir(), "x"), nil, 0o600); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile("only-in-the-machine", nil, 0o600); err != nil {
		t.Error(err)
	}
	if now := time.Now(); now.Year() < 2026 {
		t.Errorf("the clock says %v", now)
	}
	if out, err := exec.Command("cat", "/proc/self/mounts").Output(); err != nil || !strings.Contains(string(out), " / overlay ") {
		t.Errorf("the host's files are not behind a layer: %v", err)
	}
}
