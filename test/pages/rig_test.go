package pages

// What the tests share: a city's platform with its people, a terminal's client, and a browser that a script drives.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/uplink"
)

// playwright is the last version that runs on the Node.js of Debian 12 (18).
const playwright = "playwright-core@1.60.0"

// tools are browser and driver; the driver is installed once and kept. On a developer's machine what is missing skips the test.
func tools(t *testing.T) (chromium, from string) {
	t.Helper()
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatalf(format, args...)
		}
		t.Skipf(format, args...)
	}
	for _, tool := range []string{"chromium", "node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing("%s is not installed (deploy/setup/install.sh test)", tool)
		}
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "budayang-peers", playwright)
	if _, err := os.Stat(filepath.Join(dir, "installed")); err == nil {
		return chromium, dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", playwright).CombinedOutput(); err != nil {
		missing("%s cannot be installed: %v\n%s", playwright, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "installed"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return chromium, dir
}

// password is everybody's until the first time in.
const password = "晴天去江边散步看白鹭飞过大桥"

// people are who signs in.
var people = map[string]staff.Role{"chen": staff.Clerk, "wang": staff.Clerk, "li": staff.Administrator}

// city is a platform on a name, as browsers see another site in another name only.
func city(t *testing.T, dir string, cfg platform.Config) (*platform.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "https://localhost:" + l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':')+1:]
	store, err := platform.OpenSQLite(t.Context(), filepath.Join(dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir, cfg.Store = filepath.Join(dir, "platform"), store
	s, err := platform.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done; _ = s.Close() })
	for name, role := range people {
		if err := platform.AddAccount(ctx, store, platform.NewAccount{Name: name, Role: role, Password: password}, time.Now(), platform.Operator{Who: "shell:test"}); err != nil {
			t.Fatal(err)
		}
	}
	return s, base
}

// terminal is a client that is not enrolled yet, with the code that lets it in.
func terminal(t *testing.T, s *platform.Server, base, dir, name string) (client *uplink.Client, code string) {
	t.Helper()
	dir = filepath.Join(dir, name)
	ca := filepath.Join(dir, "ca.pem")
	code, _, err := s.IssueCode(t.Context(), name, 0, platform.Operator{Who: "test"})
	if err = errors.Join(err, os.MkdirAll(dir, 0o700), os.WriteFile(ca, s.CA(), 0o600)); err != nil {
		t.Fatal(err)
	}
	id, err := uplink.LoadIdentity(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	if client, err = uplink.NewClient(base, ca, id); err != nil {
		t.Fatal(err)
	}
	return client, code
}

// seen is what a script saw, under its names, in its order.
type seen map[string][]any

// text is the one text under a name, "" when there is none.
func (s seen) text(what string) string {
	if len(s[what]) == 0 {
		return ""
	}
	text, _ := s[what][0].(string)
	return text
}

// are compares what was seen once each.
func (s seen) are(t *testing.T, want map[string]any) {
	t.Helper()
	for what, is := range want {
		if len(s[what]) != 1 || !reflect.DeepEqual(s[what][0], is) {
			t.Errorf("%s: %v, want %v", what, s[what], is)
		}
	}
}

// drive runs a script in Chromium and returns what it saw. No page may show a dialogue or fail in a script.
func drive(t *testing.T, script, base string, env ...string) seen {
	t.Helper()
	chromium, from := tools(t)
	pictures := os.Getenv("BUDAYANG_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	run, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	cmd := exec.CommandContext(run, "node", script, base, pictures, "chen="+password, "wang="+password, "li="+password)
	cmd.Env = append(append(os.Environ(), "CHROMIUM="+chromium, "PLAYWRIGHT_FROM="+from+"/"), env...)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, trouble.Bytes())
	}
	saw := seen{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var x struct {
			What string
			Is   any
		}
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatalf("%s", lines.Bytes())
		}
		saw[x.What] = append(saw[x.What], x.Is)
	}
	for _, what := range []string{"dialog", "script error"} {
		if len(saw[what]) > 0 {
			t.Errorf("%s: %v", what, saw[what])
		}
	}
	return saw
}
