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
	all := []finding{ok("configuration %s", x.file)}
	dir := configDir(local)
	t, err := readTrial(dir)
	if err != nil {
		return local, append(all, warn("delete "+filepath.Join(dir, "state.json")+" to serve with the local file for good", "the platform's configuration: %v", err))
	}
	if t.Bad != "" {
		all = append(all, warn("have the platform's operator correct it and send it anew", "a configuration of the platform was taken back: %s", t.Why))
	}
	if t.Now == 0 {
		return local, all
	}
	c, err := readRevision(local, dir, t.Now)
	if err != nil {
		return local, append(all, bad("have the platform send it anew, or delete "+filepath.Join(dir, "state.json")+" to serve with the local file",
			"configuration %d of the platform cannot be used: %v", t.Now, err))
	}
	return c, append(all, ok("configuration %d of the platform is in force", t.Now))
}

// checkFiles looks at who may change what the terminal believes.
func (x *checkup) checkFiles() []finding {
	var all []finding
	for _, f := range []string{x.file, x.c.Platform.CA} {
		if st, err := os.Stat(f); err == nil && st.Mode().Perm()&0o002 != 0 {
			all = append(all, bad("chmod o-w "+f, "%s can be changed by anybody (mode %04o)", f, st.Mode().Perm()))
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
		all = append(all, warn("rm "+x.c.Platform.CodeFile+": it was used, or will be misused", "a one-time code still lies in %s", x.c.Platform.CodeFile))
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
		return []finding{bad("mkdir -p "+dir+" and give it to the user that runs the terminal", "data directory %s does not exist", dir)}
	case err != nil:
		return []finding{bad("look at the permissions of its parent directories", "data directory %s: %v", dir, err)}
	case !st.IsDir():
		return []finding{bad("move the file away", "data directory %s is a file", dir)}
	}
	var all []finding
	if st.Mode().Perm()&0o077 != 0 {
		all = append(all, bad("chmod 700 "+dir, "data directory %s can be read by others (mode %04o)", dir, st.Mode().Perm()))
	}
	probe := filepath.Join(dir, ".doctor")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		all = append(all, bad("give the directory to the user that runs the terminal, or mount its disk writable", "cannot write in %s: %v", dir, err))
	} else {
		_ = os.Remove(probe)
	}
	all = append(all, checkDisk(dir)...)
	if f := strangers(dir, st); f != "" {
		all = append(all, bad(fmt.Sprintf("chown -R --reference=%s %s: a command was run as root where the terminal's own user belongs", dir, dir),
			"%s does not belong to the owner of %s: the terminal cannot write it", f, dir))
	}
	for _, secret := range []string{c.Platform.CodeFile, filepath.Join(dir, "journal.key"), filepath.Join(dir, "journal.key.tpm"), filepath.Join(dir, uplink.IdentityFile)} {
		st, err := os.Stat(secret)
		switch {
		case err == nil && st.Mode().Perm()&0o077 != 0:
			all = append(all, bad("chmod 600 "+secret, "%s can be read by others (mode %04o)", secret, st.Mode().Perm()))
		case err == nil:
			all = append(all, ok("%s is closed to others", secret))
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
		all = append(all, bad("mount a disk there, or set terminal.data to a directory on one", "%s lies in memory: what is not sent is gone with the power", dir))
	}
	free := disk.Bavail * uint64(disk.Bsize) >> 20
	switch {
	case free < diskFloorMiB:
		all = append(all, bad(fmt.Sprintf("free space on this disk; below %d MiB the terminal takes no new business", diskFloorMiB), "%d MiB free for %s", free, dir))
	case free < diskLowMiB:
		all = append(all, warn("free space on this disk soon", "%d MiB free for %s", free, dir))
	default:
		all = append(all, ok("%d MiB free for %s", free, dir))
	}
	if disk.Files > 0 && disk.Ffree < inodesFloor {
		all = append(all, bad("delete files that are not the terminal's: the disk has room and no entries for more files", "%d files can still be made on the disk of %s", disk.Ffree, dir))
	}
	return all
}

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
		return []finding{bad("install the program anew", "no items can be offered: %v", err)}
	case revision != want:
		return []finding{bad("have the platform send the items anew; meanwhile what came before is offered", "items: release %d does not load: %v", want, err)}
	}
	return []finding{ok("%d items, release %d", len(items), revision)}
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
		all = append(all, warn("timedatectl set-timezone Asia/Shanghai, then restart the terminal", "time zone is %s (%+d min): slips and opening hours follow it", name, east/60))
	} else {
		all = append(all, ok("time zone %s", name))
	}
	switch synced, err := m.sync(); {
	case err != nil:
	case !synced:
		all = append(all, warn("timedatectl set-ntp true, and name a time source in /etc/systemd/timesyncd.conf; until then the platform's signed time is used",
			"nothing sets this machine's clock"))
	default:
		all = append(all, ok("the clock is set by a time source"))
	}
	dogs, _ := filepath.Glob(filepath.Join(m.root, "sys/class/watchdog/watchdog*"))
	if len(dogs) == 0 {
		all = append(all, warn("switch the watchdog on in the firmware or load its module; without one a machine that stands still waits for a person",
			"no hardware watchdog"))
	} else if state := word(filepath.Join(dogs[0], "state")); state == "inactive" {
		all = append(all, warn("set RuntimeWatchdogSec=30s in /etc/systemd/system.conf.d/ (the package brings it) and systemctl daemon-reexec",
			"the hardware watchdog is there and nobody pets it"))
	} else {
		all = append(all, ok("hardware watchdog %s", state))
	}
	if free, known := available(filepath.Join(m.root, "proc/meminfo")); known && free < memoryLowMiB {
		all = append(all, warn("look for what takes the memory (ps aux --sort=-rss)", "%d MiB of memory are available", free))
	}
	if p := process(m.root, "ModemManager"); p != 0 {
		all = append(all, bad("apt purge modemmanager", "ModemManager runs (process %d): it talks to every serial port and disturbs the devices", p))
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
		return []finding{warn("journalctl -u budayang says why; call support if it comes again", "the program ended by %s the last time", word)}
	}
	if l.cause() == causePower {
		return []finding{warn("look at plug, power supply and UPS", "the power was cut while the program ran")}
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
		return []finding{warn("start the terminal inside an X session (docs/technician.md)", "no DISPLAY in this shell")}
	}
	no, local := strings.CutPrefix(display, ":")
	no, _, _ = strings.Cut(no, ".")
	if _, err := strconv.Atoi(no); !local || err != nil {
		return []finding{ok("display %s", display)}
	}
	socket := "/tmp/.X11-unix/X" + no
	for _, at := range []string{socket, "@" + socket} {
		if conn, err := net.DialTimeout("unix", at, time.Second); err == nil {
			_ = conn.Close()
			return []finding{ok("display %s answers", display)}
		}
	}
	return []finding{bad("systemctl status budayang-x says why; systemctl restart budayang-x", "no X server answers at display %s", display)}
}
