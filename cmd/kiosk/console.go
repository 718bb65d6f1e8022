package main

// The technician's console, wired to this program: its log, its network, its files.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/sync/uplink"
)

// keeper knows the technicians of this terminal.
func keeper(dir string) maintain.File {
	return maintain.File{Path: filepath.Join(dir, maintain.KeeperFile)}
}

// staff are the technicians of this terminal's own file, and those that its configuration names.
func staff(c config.Config) maintain.Staff {
	named, key := c.Technicians.Staff()
	return maintain.Staff{File: keeper(c.Terminal.Data), Named: named, Key: key}
}

// newConsole makes the console of a terminal whose journal, devices and uplink are there.
func (t *terminal) newConsole() *maintain.Console {
	var all []maintain.Device
	for _, r := range roles(t.cfg) {
		all = append(all, maintain.Device{Role: r, Where: t.cfg.Device[r].URI, Driver: t.cfg.Device[r].Driver})
	}
	return maintain.New(maintain.Config{Journal: t.journal, Devices: t.sup, Roles: all, Desk: desk.New(t.journal, desk.Options{}), Keeper: staff(t.cfg),
		Tolerances: t.cfg.Tolerances(),
		Place:      t.cfg.Terminal.Site + " " + t.cfg.Terminal.Name, Version: version,
		Network: func(ctx context.Context) []maintain.Finding {
			return consoleFindings(append(append(checkIdentity(t.cfg, time.Now()), checkPlatform(ctx, t.cfg)...), checkLetIn(ctx, t.cfg)...))
		},
		Log: func() []string { return strings.Split(strings.TrimSpace(string(masked(t.ring.bytes()))), "\n") },
		Verify: func(ctx context.Context) ([]string, error) {
			r, err := t.audit.verify(ctx)
			return r.Problems, err
		},
		Bundle: func(ctx context.Context, _ string) (string, error) { return t.writeSupport(ctx) },
		Export: t.exportToStick, Send: t.sendAll,
		Found: func() (lines []string) {
			for _, f := range discover() {
				lines = append(lines, f.String())
			}
			return lines
		},
		Reset: t.sup.Reset,
		Page:  func() ([]byte, error) { return testPage(t.cfg) },
		Restart: func() {
			t.again.Store(true)
			t.orders.Again(0)
		},
		Logger: t.log})
}

// askConsole is what the screen calls when somebody wants the console.
func (t *terminal) askConsole() {
	t.console.Ask()
	t.orders.Again(0)
}

func consoleFindings(all []finding) (out []maintain.Finding) {
	for _, f := range all {
		out = append(out, maintain.Finding{Grade: maintain.Grade(f.Grade), What: f.What, Mend: f.Mend})
	}
	return out
}

// sendAll waits until the uplink has brought everything to the platform.
func (t *terminal) sendAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if t.link.State() == uplink.Down {
			return errors.New("the platform cannot be reached")
		}
		g, err := t.journal.Gauge()
		if err != nil || g.Waiting+g.Pictures == 0 {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxExport is the largest file on a stick, in bytes.
const maxExport = 64 << 20

// exportToStick writes what waits for the platform onto the one removable medium that is mounted.
func (t *terminal) exportToStick(_ context.Context, who string) (string, error) {
	dir, err := stick("/proc/mounts")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s.bdy", t.cfg.Terminal.ID, time.Now().UTC().Format("20060102T150405")))
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	files := uplink.Files{Journal: t.journal, Identity: t.audit.id, Software: "budayang " + version, Orders: t.orders}
	_, err = files.Export(out, maxExport, who, "removable")
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}

// stick is where a removable medium is mounted, by the kernel's list.
func stick(mounts string) (string, error) {
	b, err := os.ReadFile(mounts)
	if err != nil {
		return "", err
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t").Replace(f[1])
		if (strings.HasPrefix(at, "/media/") || strings.HasPrefix(at, "/mnt/") || strings.HasPrefix(at, "/run/media/")) && removable(at) {
			all = append(all, at)
		}
	}
	switch len(all) {
	case 0:
		return "", fmt.Errorf("%w: none is (docs/technician.md, the rule for USB storage)", maintain.ErrNoMedium)
	case 1:
		return all[0], nil
	}
	return "", fmt.Errorf("%w: %d are; leave one", maintain.ErrNoMedium, len(all))
}
