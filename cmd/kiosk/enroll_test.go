package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/wire"
)

// city990000 is a command of the scripts: a platform in ./city that listens until it is interrupted, beside a configuration
// t.toml for terminal 990000-0003 and a code for it.
func city990000() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := runCity(ctx, "."); err != nil {
		fmt.Fprintln(os.Stderr, "city:", err)
		return 1
	}
	return 0
}

func runCity(ctx context.Context, dir string) error {
	s, err := platform.New(ctx, platform.Config{Dir: filepath.Join(dir, "city")})
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	code, _, err := s.IssueCode(ctx, "990000-0003", 0, platform.Operator{Who: "test"})
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"ca.pem": string(s.CA()), "code": code + "\n", "wrong": wire.NewCode() + "\n",
		"t.toml": fmt.Sprintf("[terminal]\nid = \"990000-0003\"\nno = \"03\"\nsite = \"Hall\"\ndata = \"data\"\n[platform]\nurl = \"https://%s\"\nca = \"ca.pem\"\n", l.Addr())} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ready"), nil, 0o600); err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

// The code stands neither in the process list nor in what is printed, and on no disk.
func TestCodeIsNowhere(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runCity(ctx, dir) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for range 500 {
		if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
			break
		}
		select {
		case err := <-done:
			t.Fatal(err)
		default:
			syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 20_000})
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "code"))
	if err != nil {
		t.Fatal(err)
	}
	code := strings.TrimSpace(string(b))
	if err := os.Remove(filepath.Join(dir, "code")); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := &exec.Cmd{Path: os.Args[0], Args: []string{"kiosk", "enroll", "--config", filepath.Join(dir, "t.toml")}, Stdout: &said, Stderr: &said, Env: os.Environ()}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// All but the end of the line is there while the process list is read.
	_, _ = io.WriteString(in, code)
	secrets := []string{code, strings.ReplaceAll(code, "-", "")}
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		all, _ := filepath.Glob(pattern)
		if len(all) == 0 {
			t.Error("no process list")
		}
		for _, f := range all {
			b, _ := os.ReadFile(f) // of processes that have ended, nothing
			mustLack(t, f, b, secrets)
		}
	}
	_, _ = io.WriteString(in, "\n")
	_ = in.Close()
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	mustLack(t, "what was printed", said.Bytes(), append(secrets, "PRIVATE"))
	id, err := os.ReadFile(filepath.Join(dir, "data", "identity.json"))
	if err != nil {
		t.Fatal(err)
	}
	key := string(id)[strings.Index(string(id), `"key":"`)+7:]
	key = key[:strings.Index(key, `"`)]
	mustLack(t, "what was printed", said.Bytes(), []string{key})
	_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			b, _ := os.ReadFile(path)
			mustLack(t, path, b, secrets)
		}
		return nil
	})
}

func mustLack(t *testing.T, where string, b []byte, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if len(s) == 0 || bytes.Contains(b, []byte(s)) {
			t.Errorf("%s holds a secret", where)
		}
	}
}
