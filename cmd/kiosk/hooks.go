//go:build !release

package main

// Hooks for tests and demonstrations, left out of release builds: the probe that says where the screen's buttons are, crash
// points, and profiles.

import (
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // served by serveProfiles only
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/ui"
)

// serveProbe answers on the socket that the environment names, if it names one.
func serveProbe(screen *ui.Terminal, log *slog.Logger) (stop func()) {
	serveProfiles(log)
	path := os.Getenv(journey.ProbeEnv)
	if path == "" {
		return func() {}
	}
	c, err := journey.ServeProbe(path, func() any { return screen.Probe() }, func() { armed.Store(true) })
	if err != nil {
		log.Error("probe", "error", err)
		return func() {}
	}
	return func() { _ = c.Close() }
}

// serveProfiles lets go tool pprof find this process where the environment says, before anything is on the screen.
func serveProfiles(log *slog.Logger) {
	at := os.Getenv(journey.ProfileEnv)
	if at == "" {
		return
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		log.Error("profiles", "error", err)
		return
	}
	go func() { log.Error("profiles", "error", http.Serve(l, nil)) }()
}

// armed says that a journey has come to where the crash point counts.
var armed atomic.Bool

// crashHook kills this process without a word, as a power cut would, at the point that the environment names ("point" or
// "point:3" for its third passing).
func crashHook() func(string) {
	point, count, _ := strings.Cut(os.Getenv(journey.CrashEnv), ":")
	if point == "" {
		return nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		n = 1
	}
	var passed atomic.Int32
	return func(at string) {
		if at == point && armed.Load() && int(passed.Add(1)) == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}
