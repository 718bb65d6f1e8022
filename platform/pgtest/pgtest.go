// Package pgtest starts a PostgreSQL of a test's own: a new cluster in a directory that ends with the test, on a Unix
// socket that nobody else sees, with password authentication through a passfile as at a site, and with fsync on, so that
// what tests measure and kill is the real thing.
//
//	c := pgtest.Start(t)         // skips when PostgreSQL is not installed; fails with BUDAYANG_REQUIRE_PEERS=1
//	url := c.Database(t)         // an empty database
//	c.Kill(t); c.Resume(t)       // as at a power cut
//	b := c.Standby(t, "b")       // follows c, under the name that synchronous_standby_names knows; b.Promote(t) makes it the primary
//
// PostgreSQL refuses to run as root; then it runs as the user postgres, or nobody.
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds every wait for PostgreSQL, on a machine that others keep busy.
const patience = 2 * time.Minute

// Cluster is one PostgreSQL server.
type Cluster struct {
	Dir string // holds data, socket, passfile and log

	bin      string
	as       *syscall.SysProcAttr
	settings []string
	server   *exec.Cmd
	ended    chan error
	next     atomic.Int32
}

// Start makes a cluster and runs it until the test ends. settings are "name=value" for postgresql.conf.
func Start(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	bin := Need(t)
	c := &Cluster{bin: bin, settings: settings}
	c.settle(t)
	secret := make([]byte, 16)
	_, _ = rand.Read(secret)
	password := hex.EncodeToString(secret)
	c.write(t, "pw", password+"\n", 0o644) // read by initdb, then gone
	c.write(t, "pgpass", "*:*:*:*:"+password+"\n", 0o600)
	c.run(t, "initdb", "-D", c.data(), "-U", "budayang", "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", "--pwfile="+filepath.Join(c.Dir, "pw"))
	if err := os.Remove(filepath.Join(c.Dir, "pw")); err != nil {
		t.Fatal(err)
	}
	c.Resume(t)
	t.Cleanup(func() { c.end(syscall.SIGQUIT) })
	return c
}

// settle gives the cluster a directory, and a user if this is root.
func (c *Cluster) settle(t testing.TB) {
	t.Helper()
	// Not t.TempDir: a socket's path is short, and the other user must get in.
	dir, err := os.MkdirTemp("", "budayang-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c.Dir = dir
	if os.Geteuid() != 0 {
		return
	}
	uid, gid, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	c.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// Standby makes and runs a copy of the cluster that follows it under a name, with the same password.
func (c *Cluster) Standby(t testing.TB, name string) *Cluster {
	t.Helper()
	b := &Cluster{bin: c.bin}
	b.settle(t)
	secret, err := os.ReadFile(c.PassFile())
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "pgpass", string(secret), 0o600)
	if b.as != nil {
		if err := os.Chown(b.PassFile(), int(b.as.Credential.Uid), int(b.as.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	b.run(t, "pg_basebackup", "-D", b.data(), "-c", "fast", "-X", "stream", "-R",
		"-d", fmt.Sprintf("host=%s user=budayang passfile=%s application_name=%s", c.Dir, b.PassFile(), name))
	b.Resume(t)
	t.Cleanup(func() { b.end(syscall.SIGQUIT) })
	return b
}

// Promote makes a standby a primary.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	c.run(t, "pg_ctl", "promote", "-w", "-D", c.data())
}

// Need returns where PostgreSQL's programs are. Without them it skips t, and fails it with BUDAYANG_REQUIRE_PEERS=1. A test
// that shares a parent's cluster asks for itself before it asks the parent.
func Need(t testing.TB) string {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return bin
}

func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errors.New("PostgreSQL is not installed: deploy/setup/install.sh test")
	}
	return filepath.Dir(path), nil
}

func (c *Cluster) data() string { return filepath.Join(c.Dir, "data") }

func (c *Cluster) write(t testing.TB, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) run(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = c.as, c.Dir, append(os.Environ(), "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// Resume starts the server again after [Cluster.Kill] or [Cluster.Stop].
func (c *Cluster) Resume(t testing.TB) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		c.launch(t)
		err := c.answers(end)
		if err == nil {
			return
		}
		// After a kill the children of the old server hold its shared memory for a moment longer, and a new one gives up.
		text, _ := os.ReadFile(filepath.Join(c.Dir, "log"))
		if !errors.Is(err, errEnded) || !strings.Contains(string(text), "still in use") || time.Now().After(end) {
			t.Fatalf("postgres: %v: %s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *Cluster) launch(t testing.TB) {
	t.Helper()
	args := []string{"-D", c.data(), "-c", "listen_addresses=", "-c", "unix_socket_directories=" + c.Dir}
	for _, s := range c.settings {
		args = append(args, "-c", s)
	}
	log, err := os.OpenFile(filepath.Join(c.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	c.server = exec.Command(filepath.Join(c.bin, "postgres"), args...)
	c.server.SysProcAttr, c.server.Dir, c.server.Stdout, c.server.Stderr = c.as, c.Dir, log, log
	if err := c.server.Start(); err != nil {
		t.Fatal(err)
	}
	c.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan<- error) { ended <- cmd.Wait() }(c.server, c.ended)
}

var errEnded = errors.New("ended")

func (c *Cluster) answers(end time.Time) error {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := c.ask(ctx, "postgres", "SELECT 1")
		cancel()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case err := <-c.ended:
			c.ended <- err
			return fmt.Errorf("%w: %w", errEnded, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server with all its processes at once, without a shutdown: what it did not sync stays unsynced in its own
// hands, and it must recover.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	if err := c.end(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// Stop shuts the server down, cutting connections.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	if err := c.end(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) end(sig syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	_ = c.server.Process.Signal(sig)
	select {
	case <-c.ended:
		c.server = nil
		return nil
	case <-time.After(patience):
		_ = c.server.Process.Kill()
		return fmt.Errorf("postgres did not end within %v", patience)
	}
}

// Address of a database as at a site: without a password, and without a word where to find it.
func (c *Cluster) Address(database string) string {
	return fmt.Sprintf("postgres://budayang@/%s?host=%s", database, c.Dir)
}

// URL is [Cluster.Address] with the passfile.
func (c *Cluster) URL(database string) string {
	return c.Address(database) + "&passfile=" + c.PassFile()
}

// PassFile is the file with the password, as PGPASSFILE takes it.
func (c *Cluster) PassFile() string { return filepath.Join(c.Dir, "pgpass") }

// Database makes an empty database and returns its URL.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	return c.URL(c.Create(t))
}

// Create makes an empty database and returns its name.
func (c *Cluster) Create(t testing.TB) string {
	t.Helper()
	return c.Copy(t, "template1")
}

// Copy makes a database like another, to which nobody is connected, and returns its name.
func (c *Cluster) Copy(t testing.TB, like string) string {
	t.Helper()
	name := fmt.Sprintf("t%d", c.next.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.ask(ctx, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+like); err != nil {
		t.Fatal(err)
	}
	return name
}

func (c *Cluster) ask(ctx context.Context, database, q string) error {
	conn, err := pgx.Connect(ctx, c.URL(database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, q)
	return errors.Join(err, conn.Close(ctx))
}

// unprivileged finds a user that PostgreSQL may run as.
func unprivileged() (uid, gid int, err error) {
	b, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return 0, 0, err
	}
	for _, want := range []string{"postgres", "nobody"} {
		for line := range strings.Lines(string(b)) {
			if f := strings.Split(strings.TrimSpace(line), ":"); len(f) > 3 && f[0] == want {
				if _, err := fmt.Sscan(f[2]+" "+f[3], &uid, &gid); err == nil && uid != 0 {
					return uid, gid, nil
				}
			}
		}
	}
	return 0, 0, errors.New("no user postgres or nobody to run PostgreSQL as")
}

// Dump writes a database into a file with pg_dump, as an operator does, and returns its bytes.
func (c *Cluster) Dump(t testing.TB, database string) []byte {
	t.Helper()
	file := filepath.Join(c.Dir, "dump")
	c.run(t, "pg_dump", "-Fc", "-f", file, "-d", c.line(t, database))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Restore makes a database of what Dump wrote, here or in another cluster, and returns its name.
func (c *Cluster) Restore(t testing.TB, dump []byte) (database string) {
	t.Helper()
	database = c.Create(t)
	c.write(t, "restored", string(dump), 0o644)
	c.run(t, "pg_restore", "--no-owner", "--exit-on-error", "-d", c.line(t, database), filepath.Join(c.Dir, "restored"))
	return database
}

// line is a connection string for PostgreSQL's own tools, with the password in a file that their user may read.
func (c *Cluster) line(t testing.TB, database string) string {
	t.Helper()
	secret, err := os.ReadFile(c.PassFile())
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "toolpass", string(secret), 0o600)
	file := filepath.Join(c.Dir, "toolpass")
	if c.as != nil {
		if err := os.Chown(file, int(c.as.Credential.Uid), int(c.as.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("host=%s user=budayang dbname=%s passfile=%s", c.Dir, database, file)
}

// CPU is the processor time that the server and its processes have used since it was started.
func (c *Cluster) CPU(t testing.TB) (sum time.Duration) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		// proc(5): pid (comm) state ppid … utime stime cutime cstime in hundredths of a second
		pid, rest, _ := strings.Cut(string(b), " (")
		fields := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
		if own := strconv.Itoa(c.server.Process.Pid); len(fields) < 15 || pid != own && fields[1] != own {
			continue
		}
		own := []string{fields[11], fields[12]}
		if pid == strconv.Itoa(c.server.Process.Pid) {
			own = fields[11:15] // with those that ended
		}
		for _, f := range own {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}
