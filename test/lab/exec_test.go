//go:build !lab

package lab

// What exec makes of a command's end, from the host. It needs what install.sh lab installs.

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a shell command in the machine and returns output and exit code.
func run(t *testing.T, script string, env ...string) (string, int) {
	t.Helper()
	here, err := filepath.Abs("exec")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(here, "sh", "-c", script)
	cmd.Env = append(os.Environ(), append([]string{"LAB_MODULES="}, env...)...)
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

func TestEveryBadEndIsAFailure(t *testing.T) {
	if os.Getenv("BUDAYANG_LAB_SELF") == "" {
		t.Skip("make lab runs this")
	}
	for _, c := range []struct {
		name, script string
		env          []string
		code         int
		says         string
	}{
		{"works", `echo "a  b"; echo c >&2`, nil, 0, "a  b\nc\n"},
		{"exit code", "exit 7", nil, 7, ""},
		{"kernel panic", "echo c >/proc/sysrq-trigger", nil, 125, "Kernel panic"},
		{"too long", "echo began; sleep 600", []string{"LAB_TIMEOUT=30"}, 125, "began"}, // it is up in 4 s on an idle host
		{"no such driver", "true", []string{"LAB_MODULES=no-such"}, 125, "no-such does not load"},
		{"switched off by the command", "echo o >/proc/sysrq-trigger; sleep 20", nil, 125, "without an answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := run(t, c.script, c.env...)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit code %d, expected %d with %q; said:\n%s", code, c.code, c.says, out)
			}
		})
	}
}
