package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASticksDiskIsRemovable(t *testing.T) {
	root := t.TempDir()
	for disk, want := range map[string]bool{
		"devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1":             false,
		"devices/pci0000:00/0000:00:14.0/usb2/2-3/2-3:1.0/host6/target6:0:0/6:0:0:0/block/sdb/sdb1": true,
		"devices/pci0000:00/0000:00:1a.0/mmc_host/mmc1/mmc1:0001/block/mmcblk1/mmcblk1p1":           true,
		"devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1/nvme0n1p2":                              false,
		"devices/platform/usbhost/block/sdc":                                                        false,
	} {
		dir := filepath.Join(root, disk)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		mark := "0\n"
		if filepath.Base(filepath.Dir(dir)) == "mmcblk1" {
			mark = "1\n"
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "removable"), []byte(mark), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := removableDisk(dir); got != want {
			t.Errorf("%s: removable is %v", disk, got)
		}
	}
	if _, err := shellUnlock(""); err == nil {
		t.Error("a stick was unlocked by nobody")
	}
	if who, err := shellUnlock("17"); err != nil || who != "technician.17" {
		t.Error(who, err)
	}
}
