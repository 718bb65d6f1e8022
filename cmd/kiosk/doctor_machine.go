package main

// The doctor's look at the machine itself: files and their rights, the disk, the clock, what systemd and the kernel say.

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/uplink"
)

// inForce is the configuration that a running terminal uses: the platform's where it sent one. Looking changes nothing.
func (x *checkup) inForce(local config.Config) (config.Config, []finding) {
	all := []finding{ok("config", "file", x.file)}
	dir := configDir(local)
	t, err := readTrial(dir)
	if err != nil {
		return local, append(all, warn(mend("config.state", "path", filepath.Join(dir, "state.json")), "config.state").because(err))
	}
	if t.Bad != "" {
		all = append(all, warn(mend("config.back"), "config.back", "reason", t.Why))
	}
	if t.Now == 0 {
		return local, all
	}
	c, err := readRevision(local, dir, t.Now)
	if err != nil {
		return local, append(all, bad(mend("config.unusable", "path", filepath.Join(dir, "state.json")), "config.unusable", "revision", fmt.Sprint(t.Now)).because(err))
	}
	return c, append(all, ok("config.in-force", "revision", fmt.Sprint(t.Now)))
}

// checkFiles looks at who may change what the terminal believes.
func (x *checkup) checkFiles() []finding {
	var all []finding
	for _, f := range []string{x.file, x.c.Platform.CA} {
		if st, err := os.Stat(f); err == nil && st.Mode().Perm()&0o002 != 0 {
			all = append(all, bad(mend("chmod-world", "path", f), "world-writable", "path", f, "mode", octal(st)))
		}
	}
	if x.c.Platform.CodeFile == "" {
		return all
	}
	if _, err := os.Stat(x.c.Platform.CodeFile); err != nil {
		return all
	}
	if _, err := os.Stat(filepath.Join(x.c.Terminal.Data, uplink.IdentityFile)); err != nil {
		return all // not enrolled yet; looking makes no keys
	}
	if id, err := uplink.LoadIdentity(x.c.Terminal.Data, x.c.Terminal.ID); err == nil && id.Enrolled() {
		all = append(all, warn(mend("code-left", "path", x.c.Platform.CodeFile), "code-left", "path", x.c.Platform.CodeFile))
	}
	return all
}

// Limits of room on the data directory's disk.
const (
	diskFloorMiB = 100 // below it the journal takes no new business
	diskLowMiB   = 1024
	inodesFloor  = 1000
)

// checkData looks at the data directory, its space, its owner and the modes of secret files.
func checkData(c config.Config) []finding {
	dir := c.Terminal.Data
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []finding{bad(mend("data.make", "dir", dir), "data.none", "dir", dir)}
	case err != nil:
		return []finding{bad(mend("data.parents"), "data.error", "dir", dir).because(err)}
	case !st.IsDir():
		return []finding{bad(mend("data.file"), "data.file", "dir", dir)}
	}
	var all []finding
	if st.Mode().Perm()&0o077 != 0 {
		all = append(all, bad(mend("data.chmod", "dir", dir), "data.open", "dir", dir, "mode", octal(st)))
	}
	probe := filepath.Join(dir, ".doctor")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		all = append(all, bad(mend("data.write"), "data.write", "dir", dir).because(err))
	} else {
		_ = os.Remove(probe)
	}
	all = append(all, checkDisk(dir)...)
	if f := strangers(dir, st); f != "" {
		all = append(all, bad(mend("data.owner", "dir", dir), "data.owner", "path", f, "dir", dir))
	}
	for _, secret := range []string{c.Platform.CodeFile, filepath.Join(dir, "journal.key"), filepath.Join(dir, "journal.key.tpm"), filepath.Join(dir, uplink.IdentityFile)} {
		st, err := os.Stat(secret)
		switch {
		case err == nil && st.Mode().Perm()&0o077 != 0:
			all = append(all, bad(mend("secret", "path", secret), "secret.open", "path", secret, "mode", octal(st)))
		case err == nil:
			all = append(all, ok("secret.closed", "path", secret))
		}
	}
	return all
}

func checkDisk(dir string) []finding {
	var disk syscall.Statfs_t
	if syscall.Statfs(dir, &disk) != nil {
		return nil
	}
	var all []finding
	if int64(disk.Type) == unix.TMPFS_MAGIC || int64(disk.Type) == unix.RAMFS_MAGIC {
		all = append(all, bad(mend("disk.memory"), "disk.memory", "dir", dir))
	}
	free := disk.Bavail * uint64(disk.Bsize) >> 20
	switch {
	case free < diskFloorMiB:
		all = append(all, bad(mend("disk.floor", "floor", fmt.Sprint(diskFloorMiB)), "disk.free", "mib", fmt.Sprint(free), "dir", dir))
	case free < diskLowMiB:
		all = append(all, warn(mend("disk.low"), "disk.free", "mib", fmt.Sprint(free), "dir", dir))
	default:
		all = append(all, ok("disk.free", "mib", fmt.Sprint(free), "dir", dir))
	}
	if disk.Files > 0 && disk.Ffree < inodesFloor {
		all = append(all, bad(mend("disk.inodes"), "disk.inodes", "count", fmt.Sprint(disk.Ffree), "dir", dir))
	}
	return all
}

// octal is a file's mode as chmod has it.
func octal(st fs.FileInfo) string { return fmt.Sprintf("%04o", st.Mode().Perm()) }

// strangers is the first file in the data directory that its owner does not own; "" when there is none.
func strangers(dir string, st fs.FileInfo) (found string) {
	owner, known := st.Sys().(*syscall.Stat_t)
	if !known {
		return ""
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		i, err := e.Info()
		if err != nil {
			continue
		}
		if s, known := i.Sys().(*syscall.Stat_t); known && s.Uid != owner.Uid {
			return filepath.Join(dir, e.Name())
		}
	}
	return ""
}

// checkItems reads what is offered.
func checkItems(c config.Config) []finding {
	s := shelf{filepath.Join(c.Terminal.Data, "items"), slog.New(slog.DiscardHandler)}
	want := s.state().Now
	items, revision, err := s.offered()
	switch {
	case len(items) == 0:
		return []finding{bad(mend("items.install"), "items.none").because(err)}
	case revision != want:
		return []finding{bad(mend("items.anew"), "items.release", "release", fmt.Sprint(want)).because(err)}
	}
	return []finding{ok("items", "count", fmt.Sprint(len(items)), "release", fmt.Sprint(revision))}
}

// machine is what the doctor knows of the machine; tests make others.
type machine struct {
	root string                                // of /proc and /sys
	zone func() (name string, seconds int)     // east of Greenwich
	sync func() (synchronised bool, err error) // by the kernel's own word
}

func theMachine() machine {
	return machine{root: "/", zone: func() (string, int) { return time.Now().Zone() },
		sync: func() (bool, error) {
			var t unix.Timex
			state, err := unix.Adjtimex(&t)
			return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, err
		}}
}

// chinaOffset is China Standard Time, in seconds east of Greenwich: the one time of every hall.
const chinaOffset = 8 * 3600

// memoryLowMiB is what must be available for the screen and a certificate's pages.
const memoryLowMiB = 200

// checkMachine looks at clock, watchdog, memory, and at programs that get into the terminal's way.
func checkMachine(c config.Config, m machine) []finding {
	var all []finding
	if name, east := m.zone(); east != chinaOffset {
		all = append(all, warn(mend("zone"), "zone.other", "zone", name, "minutes", fmt.Sprintf("%+d", east/60)))
	} else {
		all = append(all, ok("zone", "zone", name))
	}
	switch synced, err := m.sync(); {
	case err != nil:
	case !synced:
		all = append(all, warn(mend("clock.source"), "clock.unset"))
	default:
		all = append(all, ok("clock.set"))
	}
	dogs, _ := filepath.Glob(filepath.Join(m.root, "sys/class/watchdog/watchdog*"))
	if len(dogs) == 0 {
		all = append(all, warn(mend("watchdog.none"), "watchdog.none"))
	} else if state := word(filepath.Join(dogs[0], "state")); state == "inactive" {
		all = append(all, warn(mend("watchdog.idle"), "watchdog.idle"))
	} else {
		all = append(all, ok("watchdog", "state", state))
	}
	if free, known := available(filepath.Join(m.root, "proc/meminfo")); known && free < memoryLowMiB {
		all = append(all, warn(mend("memory"), "memory", "mib", fmt.Sprint(free)))
	}
	if p := process(m.root, "ModemManager"); p != 0 {
		all = append(all, bad(mend("modemmanager"), "modemmanager", "process", fmt.Sprint(p)))
	}
	return append(all, checkEnd(c)...)
}

// checkEnd tells how the program ended the last time, if badly.
func checkEnd(c config.Config) []finding {
	l := livesOf(c)
	if _, err := os.Stat(l.path()); err != nil {
		return nil
	}
	if word := l.managerSays(); word != "" {
		return []finding{warn(mend("end.manager"), "end.manager", "word", word)}
	}
	if l.cause() == causePower {
		return []finding{warn(mend("end.power"), "end.power")}
	}
	return nil
}

func word(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// available reads the kernel's MemAvailable, in MiB.
func available(meminfo string) (mib int, known bool) {
	b, err := os.ReadFile(meminfo)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
			kib, err := strconv.Atoi(f[1])
			return kib >> 10, err == nil
		}
	}
	return 0, false
}

// process is the number of a running program by its name, 0 when there is none.
func process(root, name string) int {
	all, _ := filepath.Glob(filepath.Join(root, "proc/[0-9]*/comm"))
	for _, f := range all {
		if word(f) == name {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			return n
		}
	}
	return 0
}

// checkDisplay looks whether an X server answers at a local display.
func checkDisplay(display string) []finding {
	if display == "" {
		return []finding{warn(mend("display.none"), "display.none")}
	}
	no, local := strings.CutPrefix(display, ":")
	no, _, _ = strings.Cut(no, ".")
	if _, err := strconv.Atoi(no); !local || err != nil {
		return []finding{ok("display", "display", display)}
	}
	socket := "/tmp/.X11-unix/X" + no
	for _, at := range []string{socket, "@" + socket} {
		if conn, err := net.DialTimeout("unix", at, time.Second); err == nil {
			_ = conn.Close()
			return []finding{ok("display.answers", "display", display)}
		}
	}
	return []finding{bad(mend("display.x"), "display.silent", "display", display)}
}
