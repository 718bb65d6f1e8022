// The driver against an independent printer: ippeveprinter of OpenPrinting, from Debian's cups-ipp-utils.
//
// ippeveprinter registers itself through D-Bus and Avahi even when told not to. Each test has its own bus in a temporary
// directory and its own avahi-daemon in a mount namespace (that daemon's paths are compiled in), so that neither a
// system's own daemons nor another test that runs at the same time are touched. All processes die with the test.

package document

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// A bus is a private D-Bus with an Avahi on it.
type bus struct {
	dir string
	env []string
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth><auth>ANONYMOUS</auth><allow_anonymous/>
  <policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
`

const avahiConfig = `[server]
host-name=budayang-%d
use-ipv6=no
allow-interfaces=lo
[publish]
publish-workstation=no
publish-hinfo=no
`

// needPeer finds the programs, or skips; with BUDAYANG_REQUIRE_PEERS=1 a missing one is a failure.
func needPeer(t *testing.T) {
	t.Helper()
	for program, pkg := range map[string]string{"ippeveprinter": "cups-ipp-utils", "dbus-daemon": "dbus", "avahi-daemon": "avahi-daemon", "unshare": "util-linux"} {
		if _, err := lookPath(program); err == nil {
			continue
		}
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatalf("%s is missing: install %s", program, pkg)
		}
		t.Skipf("%s is missing: install %s", program, pkg)
	}
}

// lookPath also looks where users who are not root have no path.
func lookPath(program string) (string, error) {
	if p, err := exec.LookPath(program); err == nil {
		return p, nil
	}
	return exec.LookPath("/usr/sbin/" + program)
}

// begin starts a program that is killed, with its children, at the end of the test.
func begin(t *testing.T, env []string, program string, args ...string) (process *os.Process, output string) {
	t.Helper()
	path, err := lookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("%s said:\n%s", program, said[max(0, len(said)-4000):])
		}
	})
	return cmd.Process, log.Name()
}

// eventually waits for something another process does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("no %s within 20 s", what)
}

func newBus(t *testing.T) *bus {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "bus")
	b := &bus{dir: dir, env: []string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + socket}}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	begin(t, b.env, "dbus-daemon", "--config-file="+write("bus.conf", fmt.Sprintf(busConfig, socket)), "--nofork", "--nopidfile")
	eventually(t, "bus", func() bool { _, err := os.Stat(socket); return err == nil })

	// A bare chroot's root is no mount and cannot be made private; its /run/avahi-daemon is nobody else's.
	unshare := []string{"--mount", "--propagation", "unchanged"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	avahi, _ := lookPath("avahi-daemon")
	_, log := begin(t, b.env, "unshare", append(unshare, "sh", "-c",
		`mkdir -p /run/avahi-daemon; if mount --make-rprivate / 2>/dev/null; then mount -t tmpfs tmpfs /run/avahi-daemon; fi
exec "$0" -f "$1" --no-rlimits --no-chroot --no-drop-root`,
		avahi, write("avahi.conf", fmt.Sprintf(avahiConfig, os.Getpid())))...)
	eventually(t, "avahi-daemon", func() bool {
		said, _ := os.ReadFile(log)
		return bytes.Contains(said, []byte("Server startup complete"))
	})
	return b
}

// A peer is a running ippeveprinter.
type peer struct {
	uri     string
	dir     string // what its print command is told through files
	conf    string
	process *os.Process
}

// command is the peer's print command. It counts its runs, then does what the test says in DIR/act.
const command = `#!/bin/sh
DIR='%s'
echo "$IPP_JOB_ID $CONTENT_TYPE" >> "$DIR/runs"
cp "$1" "$DIR/document"
. "$DIR/act"
`

// acts of the print command.
const (
	actPrint = `echo "ATTR: job-impressions-completed=1" >&2; exit 0`
	actFail  = `echo "ERROR: cannot print" >&2; exit 1`
	// actEmpty runs out of paper until DIR/refilled exists.
	actEmpty = `echo "STATE: +media-empty-error" >&2
while [ ! -e "$DIR/refilled" ]; do sleep 0.05; done
echo "STATE: -media-empty-error" >&2
` + actPrint
	actHang = `sleep 60`
	// actNothing says that it completed, and that nothing came out.
	actNothing = `exit 0`
)

func (b *bus) printer(t *testing.T, act string) *peer { return b.kind(t, "testdata/a4.conf", act) }

// kind starts a printer with the attributes of a file.
func (b *bus) kind(t *testing.T, conf, act string) *peer {
	t.Helper()
	pr := &peer{dir: t.TempDir(), conf: conf}
	pr.act(t, act)
	script := filepath.Join(pr.dir, "command")
	if err := os.WriteFile(script, fmt.Appendf(nil, command, pr.dir), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	pr.uri = "ipp://localhost:" + strconv.Itoa(port) + "/ipp/print"
	pr.start(t, b, port, script)
	return pr
}

func (pr *peer) start(t *testing.T, b *bus, port int, script string) {
	t.Helper()
	pr.process, _ = begin(t, b.env, "ippeveprinter", "-vv", "-a", pr.conf, "-p", strconv.Itoa(port), "-n", "localhost",
		"-r", "off", "-d", t.TempDir(), "-k", "-c", script, fmt.Sprintf("Kiosk A4 %d", port))
	eventually(t, "printer", func() bool {
		if strings.Contains(pr.conf, "card") {
			p, err := OpenCards(t.Context(), pr.uri, quick())
			return err == nil && p.Close() == nil
		}
		p, err := Open(t.Context(), pr.uri, quick())
		return err == nil && p.Close() == nil
	})
}

func (pr *peer) act(t *testing.T, act string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(pr.dir, "act"), []byte(act), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (pr *peer) open(t *testing.T) *Printer {
	t.Helper()
	opt := quick()
	opt.Poll, opt.EndWait, opt.Timeout = 50*time.Millisecond, 3*time.Second, 10*time.Second
	p, err := Open(t.Context(), pr.uri, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// runs is how often the peer's engine was started.
func (pr *peer) runs(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(pr.dir, "runs"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(data), "\n")
}

func (pr *peer) kill(t *testing.T) {
	t.Helper()
	if err := pr.process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimSuffix(strings.TrimPrefix(pr.uri, "ipp://"), "/ipp/print")
	eventually(t, "end of the printer", func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

func TestPeer(t *testing.T) {
	needPeer(t)
	b := newBus(t)
	for name, test := range map[string]func(*testing.T){
		"prints": func(t *testing.T) {
			pr := b.printer(t, actPrint)
			p := pr.open(t)
			st, err := p.Probe(t.Context())
			if err != nil || st.Unready() != devices.UnreadyNot || st.Paper != devices.SupplyFull || st.Identity.Serial == "" {
				t.Errorf("%+v, %v", st, err)
			}
			job := document(&ledger{})
			job.PDF = append(bytes.Repeat(page, 5000), "%%EOF"...)
			want(t, p.Print(t.Context(), job), devices.PrintConfirmed, "", "")
			got, err := os.ReadFile(filepath.Join(pr.dir, "document"))
			if err != nil || !bytes.Equal(got, job.PDF) {
				t.Errorf("the document arrived changed: %d of %d bytes, %v", len(got), len(job.PDF), err)
			}
		},
		"never twice": func(t *testing.T) {
			pr := b.printer(t, actPrint)
			l := &ledger{}
			want(t, pr.open(t).Print(t.Context(), document(l)), devices.PrintConfirmed, "", "")
			want(t, pr.open(t).Print(t.Context(), document(&ledger{})), devices.PrintConfirmed, "", "")
			want(t, pr.open(t).Settle(t.Context(), jobName, 1, l.notes), devices.PrintConfirmed, "", "")
			if n := pr.runs(t); n != 1 {
				t.Errorf("printed %d times", n)
			}
		},
		"engine fails": func(t *testing.T) {
			pr := b.printer(t, actFail)
			res := pr.open(t).Print(t.Context(), document(&ledger{}))
			want(t, res, devices.PrintFailed, "", "aborted")
			if res.Sheets != 0 {
				t.Errorf("%d sheets", res.Sheets)
			}
		},
		"completed without a sheet": func(t *testing.T) {
			pr := b.printer(t, actNothing)
			p := pr.open(t)
			p.opt.EndWait = 200 * time.Millisecond
			want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintUnknown, "", "0 of 1")
		},
		"paper runs out and is refilled": func(t *testing.T) {
			pr := b.printer(t, actEmpty)
			p := pr.open(t)
			job := document(&ledger{})
			var told []string
			job.Hindered = func(why devices.Unready) {
				told = append(told, string(why))
				if why == devices.UnreadyPaperOut {
					if err := os.WriteFile(filepath.Join(pr.dir, "refilled"), nil, 0o600); err != nil {
						t.Error(err)
					}
				}
			}
			want(t, p.Print(t.Context(), job), devices.PrintConfirmed, "", "")
			if strings.Join(told, ",") != "paper-out," {
				t.Errorf("told %q", told)
			}
		},
		"paper runs out and nobody comes": func(t *testing.T) {
			pr := b.printer(t, actEmpty)
			p := pr.open(t)
			p.opt.EndWait = 300 * time.Millisecond
			l := &ledger{}
			// The engine waits for paper in spite of Cancel-Job: nobody can say that nothing will come out.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			job := document(l)
			job.Hindered = func(devices.Unready) { cancel() }
			want(t, p.Print(ctx, job), devices.PrintUnknown, devices.UnreadyPaperOut, "processing-to-stop-point")
			if err := os.WriteFile(filepath.Join(pr.dir, "refilled"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			want(t, p.Settle(t.Context(), jobName, 1, l.notes), devices.PrintUnknown, "", "canceled")
		},
		"printer dies before the document": func(t *testing.T) {
			pr := b.printer(t, actPrint)
			l := &ledger{then: func(key string) {
				if key == NoteJobUUID {
					pr.kill(t)
				}
			}}
			want(t, pr.open(t).Print(t.Context(), document(l)), devices.PrintNotSent, devices.UnreadyNoDevice, "Send-Document")
			if pr.runs(t) != 0 {
				t.Error("printed")
			}
		},
		"printer dies while it prints": func(t *testing.T) {
			pr := b.printer(t, actHang)
			job := document(&ledger{})
			p := pr.open(t)
			p.opt.EndWait = 200 * time.Millisecond
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			job.Hindered = func(devices.Unready) { cancel() }
			result := make(chan devices.PrintResult, 1)
			go func() { result <- p.Print(ctx, job) }()
			eventually(t, "print", func() bool { return pr.runs(t) > 0 })
			pr.kill(t)
			want(t, <-result, devices.PrintUnknown, devices.UnreadyNoDevice, "time is up")
		},
		"terminal dies before the document": func(t *testing.T) {
			pr := b.printer(t, actPrint)
			l := &ledger{}
			if _, err := pr.open(t).create(t.Context(), asTask(document(l))); err != nil {
				t.Fatal(err)
			}
			// The next life finds the intent and the notes, and settles.
			p := pr.open(t)
			want(t, p.Settle(t.Context(), jobName, 1, l.notes), devices.PrintNotSent, "", "canceled")
			if pr.runs(t) != 0 {
				t.Error("printed")
			}
			again := document(&ledger{})
			again.Name = jobName[:len(jobName)-1] + "2"
			want(t, p.Print(t.Context(), again), devices.PrintConfirmed, "", "")
		},
		"terminal and printer die": func(t *testing.T) {
			pr := b.printer(t, actPrint)
			l := &ledger{}
			want(t, pr.open(t).Print(t.Context(), document(l)), devices.PrintConfirmed, "", "")
			other := b.printer(t, actPrint) // it has forgotten everything
			want(t, other.open(t).Settle(t.Context(), jobName, 1, l.notes), devices.PrintUnknown, "", "does not know the job")
			want(t, other.open(t).Settle(t.Context(), jobName, 1, nil), devices.PrintNotSent, "", "never sent")
		},
		"only what it advertises": func(t *testing.T) {
			pr := b.printer(t, actPrint)
			p := pr.open(t)
			got, err := p.attributes(t.Context(), []string{"all"})
			if err != nil || len(got) < 40 {
				t.Fatalf("%d attributes, %v", len(got), err)
			}
			if isQueue(got) {
				t.Error("a printer was taken for a CUPS queue")
			}
			if _, err := p.job(t.Context(), 4711); err != errForgotten {
				t.Errorf("a job that never was: %v", err)
			}
			_, err = p.ask(t.Context(), p.newRequest(goipp.OpHoldJob, goipp.MakeAttr("job-id", goipp.TagInteger, goipp.Integer(1))))
			if err == nil || !strings.Contains(err.Error(), "Hold-Job: server-error-operation-not-supported") {
				t.Errorf("Hold-Job: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}
