package main

// The harness itself under test: in its short form nothing is lost, and a protocol that is broken on purpose is caught.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/test/cluster"
)

// The test binary is also the worker and the disk that a run starts.
func TestMain(m *testing.M) {
	if os.Getenv("BUDAYANG_TORTURE") != "" {
		os.Exit(program(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// build makes a program with tags.
func build(t *testing.T, name, pkg, tags string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-tags", tags, "-o", path, pkg)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v: %s", pkg, err, out)
	}
	return path
}

// tortured runs once and wants nothing lost, nothing doubled, and every fault to have happened.
func tortured(t *testing.T, o options) {
	t.Helper()
	o.drain, o.every, o.restore, o.lies, o.all, o.keep = 3*time.Minute, 2*time.Second, true, 4, true, true
	o.seed, o.platform, o.dir = uint64(time.Now().UnixNano()), build(t, "platform", "./cmd/platform", ""), t.TempDir()
	var said bytes.Buffer
	n, err := torture(context.Background(), o, &said)
	t.Log(said.String())
	if err != nil || n != 0 || !strings.HasSuffix(said.String(), "\nviolations: 0\n") {
		t.Errorf("%d violations, %v", n, err)
	}
}

func TestNothingIsLostAndNothingTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	tortured(t, options{time: 80 * time.Second, terminals: 32, workers: 4, servers: 1})
}

// The same with two servers on one PostgreSQL, which is killed as well.
func TestNothingIsLostOnPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	pg := pgtest.Start(t)
	t.Setenv("PGPASSFILE", pg.PassFile())
	tortured(t, options{time: 60 * time.Second, terminals: 24, workers: 4, servers: 2, store: pg.Address(pg.Create(t)),
		outage: func() { pg.Kill(t); pg.Resume(t) }})
}

// The terminals in one network namespace and the platform in another, with delay, loss and partitions between them.
func TestNothingIsLostBetweenTwoHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	if err := cluster.Usable(); err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" && !errors.Is(err, cluster.ErrMayNot) {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	o := options{time: 25 * time.Second, drain: 3 * time.Minute, terminals: 16, workers: 2, servers: 1, every: 2 * time.Second, houses: true,
		seed: uint64(time.Now().UnixNano()), platform: build(t, "platform", "./cmd/platform", ""), dir: t.TempDir(), keep: true}
	var said bytes.Buffer
	n, err := tortureOn(context.Background(), o, &said)
	t.Log(said.String())
	if err != nil || n != 0 || !strings.HasSuffix(said.String(), "\nviolations: 0\n") {
		t.Errorf("%d violations, %v", n, err)
	}
}

// A build in which both sides compare sequences and no hashes forgets records that were never delivered, once a disk was set
// back and grew past the place that the platform knows. The oracle must see that.
func TestABrokenAckRuleIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	broken := build(t, "torture", "./test/torture", "brokenack")
	city := build(t, "platform", "./cmd/platform", "brokenack")
	for seed := range 6 {
		cmd := exec.Command(broken, "-t", "25s", "-terminals", "16", "-workers", "1", "-every", "800ms", "-drain", "60s", "-restore=false", "-lies", "0",
			"-only", "image,rollback", "-seed", fmt.Sprint(seed+1), "-platform", city, "-dir", t.TempDir())
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 1 {
			t.Fatalf("%v: %s", err, out)
		}
		if cmd.ProcessState.ExitCode() == 1 && strings.Contains(string(out), "was promised and is not held") {
			return
		}
	}
	t.Error("nothing was noticed in six runs")
}
