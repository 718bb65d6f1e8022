// Package model has the sync protocol's model (docs/protocol/sync.pml) checked by Spin: the rules that hold must hold, and the
// rules that are known to lose records must be seen to lose them, so that the model demonstrably can fail.
package model

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSyncProtocol(t *testing.T) {
	for _, c := range []struct {
		what  string
		flags []string
		holds bool
		full  bool // takes minutes
	}{
		{"disks are set back and cloned", []string{"-DBACKUP=0"}, true, false},
		{"the platform is set back", []string{"-DDISK=0"}, true, false},
		{"both", nil, true, true},
		{"sequence only, nothing is set back", []string{"-DHASH=0", "-DDISK=0", "-DBACKUP=0"}, true, false},
		{"sequence only, disks are set back", []string{"-DHASH=0", "-DBACKUP=0"}, false, false},
		{"a new epoch leaves behind what was acknowledged, the platform is set back", []string{"-DRESEND=0", "-DDISK=0"}, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.full && os.Getenv("BUDAYANG_MODEL_FULL") == "" {
				t.Skip("takes minutes: make model FULL=1")
			}
			out := check(t, c.flags)
			m := regexp.MustCompile(`errors: (\d+)\s+(\d+) states, stored`).FindStringSubmatch(out)
			if m == nil {
				t.Fatalf("Spin says %s", out)
			}
			t.Logf("errors %s, states %s", m[1], m[2])
			switch {
			case c.holds && (m[1] != "0" || strings.Contains(out, "Search not completed") || strings.Contains(out, "max search depth too small")):
				t.Errorf("a rule that must hold does not, or was not checked wholly: %s", out)
			case !c.holds && !strings.Contains(out, "assertion violated"):
				t.Errorf("a rule that loses records was not caught: %s", out)
			}
		})
	}
}

// check makes Spin's verifier for a variant and runs it.
func check(t *testing.T, flags []string) string {
	t.Helper()
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("BUDAYANG_REQUIRE_PEERS") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	model, err := filepath.Abs(filepath.Join("..", "..", "docs", "protocol", "sync.pml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	run("spin", append(append([]string{"-a"}, flags...), model)...)
	run("gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DNOFAIR", "-o", "pan", "pan.c")
	return run("./pan", "-E", "-m200000")
}
