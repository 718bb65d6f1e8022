//go:build lab

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gousb"
)

// What every other test of the lab leans on.
func TestLabMachineIsWhole(t *testing.T) {
	Inside(t)
	version, err := os.ReadFile("/proc/version")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", strings.TrimSpace(string(version)))
	if modules, err := os.ReadFile("/proc/modules"); err == nil {
		var names []string
		for line := range strings.Lines(string(modules)) {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
		}
		t.Logf("drivers: %s", strings.Join(names, " "))
	}
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

// The figures of memory are worth something: what C keeps is seen, and what it gives back is not counted.
func TestLabMemoryIsCounted(t *testing.T) {
	Inside(t)
	for range 5 { // what is made once, and for threads
		_ = gousb.NewContext().Close()
	}
	before := Used(t)
	var all []*gousb.Context
	for range 5 {
		all = append(all, gousb.NewContext())
	}
	during := Used(t)
	for _, c := range all {
		_ = c.Close()
	}
	after := Used(t)
	t.Logf("before, with five lists of devices open, and after: %+v, %+v, %+v", before, during, after)
	if before.C == 0 || during.C < before.C+20 || after.C > before.C+20 || after.Files > before.Files {
		t.Errorf("C had %d KiB, then %d, then %d", before.C, during.C, after.C)
	}
}
