package main

// Whether a directory lies on a medium that somebody can pull out and carry away.

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// removable asks the kernel about the disk below a directory: marked removable, or on a USB bus (which many sticks and all
// external disks do not admit to otherwise). What has no disk below it (tmpfs, a network) cannot be carried away.
func removable(dir string) bool {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return false
	}
	link := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	disk, err := filepath.EvalSymlinks(link)
	return err == nil && removableDisk(disk)
}

// removableDisk looks at a disk's or a partition's directory in sysfs.
func removableDisk(disk string) bool {
	for _, d := range []string{disk, filepath.Dir(disk)} {
		if b, err := os.ReadFile(filepath.Join(d, "removable")); err == nil && string(bytes.TrimSpace(b)) == "1" {
			return true
		}
	}
	for part := range strings.SplitSeq(disk, "/") {
		if n, found := strings.CutPrefix(part, "usb"); found && n != "" && strings.Trim(n, "0123456789") == "" {
			return true
		}
	}
	return false
}
