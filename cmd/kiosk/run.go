package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// runCmd is `kiosk run`.
type runCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	Log    string `enum:"debug,info,warn,error" default:"info"`
}

// environment is what Fyne, Go and the C library read before main begins: one pixel is one unit, sizes come from our theme alone; the
// texture cache lives eleven seconds, the shortest life that does not walk every object at every tick, so that drawn
// strings are soon forgotten. What Go's collector or the C library's free takes back is overwritten, whoever used it: OpenGL in
// software has its textures there, decoders and the HTTP client their buffers.
var environment = map[string]string{
	"FYNE_DISABLE_DPI_DETECTION": "1",
	"FYNE_SCALE":                 "1",
	"FYNE_CACHE":                 "11s",
	"GOMEMLIMIT":                 "400MiB",
	"GODEBUG":                    "clobberfree=1",
	"GLIBC_TUNABLES":             "glibc.malloc.perturb=165",
}

// withEnvironment replaces this process by itself when the environment is not as it must be.
func withEnvironment() error {
	changed := false
	for k, v := range environment {
		if os.Getenv(k) == "" {
			changed = true
			if err := os.Setenv(k, v); err != nil {
				return err
			}
		}
	}
	if lang := os.Getenv("LANG"); lang == "" || lang == "C" || lang == "POSIX" {
		changed = true
		_ = os.Setenv("LANG", "C.UTF-8")
	}
	if !changed {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, os.Environ())
}

// Run serves citizens until it is told to stop.
func (r runCmd) Run(ctx context.Context, io stdio) error {
	if _, err := config.Load(r.Config); err != nil {
		return err
	}
	if os.Getenv("DISPLAY") == "" {
		return refuse("run.no-display")
	}
	if err := withEnvironment(); err != nil {
		return refuseBy(err, "run.environment")
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.Log)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: level}))
	if err := noCores(); err != nil {
		return err
	}
	// Not before the process is the one that stays: every start with a configuration that is on trial counts.
	c, err := loadConfig(r.Config, log)
	if err != nil {
		return err
	}
	if err := prepareData(c.Terminal.Data); err != nil {
		return err
	}
	t, err := newTerminal(c, log, crashHook())
	if err != nil {
		return err
	}
	// Behind the journal's lock: a second program, refused, did not begin.
	t.lives = livesOf(c)
	if t.cause, err = t.lives.begin(); err != nil {
		return errors.Join(err, t.journal.Close())
	}
	return t.run(ctx)
}

// prepareData makes the data directory and refuses one that others can read.
func prepareData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return refuseBy(err, "run.data")
	}
	st, err := os.Stat(dir)
	if err != nil {
		return refuseBy(err, "run.data")
	}
	if st.Mode().Perm()&0o077 != 0 {
		return refuse("run.mode", "dir", dir)
	}
	return nil
}

func journalPath(c config.Config) string { return filepath.Join(c.Terminal.Data, "journal.db") }

func journalOptions(c config.Config) journal.Options {
	return journal.Options{
		Terminal: c.Terminal.ID,
		No:       c.Terminal.No,
		Floor:    buildTime(),
		Vault:    vaultOf(c),
		Cipher:   wire.Cipher(c.Seal.Cipher),
	}
}
