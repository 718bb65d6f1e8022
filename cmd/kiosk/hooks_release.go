//go:build release

package main

import (
	"log/slog"

	"github.com/budayang/kiosk/ui"
)

func serveProbe(*ui.Terminal, *slog.Logger) (stop func()) { return func() {} }

func crashHook() func(string) { return nil }
