package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kiosk": func() { os.Exit(kiosk()) }, "city": cityMain})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("DISPLAY", "")
		e.Setenv("XDG_RUNTIME_DIR", e.WorkDir)
		return nil
	}})
}
