package main

// Processes: what a program and all that it started use, read from /proc.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond of /proc/PID/stat; Linux has shown 100 to programs on every machine for decades.
const ticksPerSecond = 100

// family is a started program with all its processes.
type family struct {
	name string
	cmd  *exec.Cmd
	gone chan struct{}
	log  *bytes.Buffer
}

// start runs a program in a session of its own, by which its processes are found again.
func start(name string, env []string, program string, args ...string) (*family, error) {
	f := &family{name: name, cmd: exec.Command(program, args...), gone: make(chan struct{}), log: &bytes.Buffer{}}
	f.cmd.Env = env
	f.cmd.Stdout, f.cmd.Stderr = f.log, f.log
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	f.cmd.WaitDelay = 3 * time.Second
	if err := f.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = f.cmd.Wait()
		close(f.gone)
	}()
	return f, nil
}

// died is an error when the program has ended.
func (f *family) died() error {
	select {
	case <-f.gone:
		return fmt.Errorf("%s ended: %s", f.name, bytes.TrimSpace(f.log.Bytes()))
	default:
		return nil
	}
}

// stat is what matters of /proc/PID/stat.
type stat struct{ pid, parent, session, ticks int }

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return stat{}, errors.New("stat: too short")
	}
	n := func(i int) int { v, _ := strconv.Atoi(fields[i]); return v }
	return stat{pid: pid, parent: n(1), session: n(3), ticks: n(11) + n(12)}, nil
}

// members are the processes of the family: those that descend from the first, and those of its session that were orphaned.
func (f *family) members() []stat {
	entries, _ := os.ReadDir("/proc")
	var all []stat
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if s, err := readStat(pid); err == nil {
				all = append(all, s)
			}
		}
	}
	root := f.cmd.Process.Pid
	in := map[int]bool{}
	for grew := true; grew; {
		grew = false
		for _, s := range all {
			if !in[s.pid] && (s.pid == root || s.session == root || in[s.parent]) {
				in[s.pid], grew = true, true
			}
		}
	}
	return slices.DeleteFunc(all, func(s stat) bool { return !in[s.pid] })
}

// cpu is the processor time of the family so far.
func (f *family) cpu() time.Duration {
	ticks := 0
	for _, s := range f.members() {
		ticks += s.ticks
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// pss is the family's memory in MB, pages that are shared counted by their share.
func (f *family) pss() float64 {
	kb := 0
	for _, s := range f.members() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.pid))
		if err != nil {
			continue
		}
		for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); {
			if rest, ok := strings.CutPrefix(in.Text(), "Pss:"); ok {
				n, _ := strconv.Atoi(strings.Fields(rest)[0])
				kb += n
			}
		}
	}
	return float64(kb) / 1024
}

// stop ends the family: politely, and after a while by force.
func (f *family) stop() {
	members := f.members()
	_ = f.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-f.gone:
	case <-time.After(5 * time.Second):
	}
	root := f.cmd.Process.Pid
	for _, s := range members {
		if now, err := readStat(s.pid); err == nil && (now.session == root || s.pid == root || now.parent == s.parent) {
			_ = syscall.Kill(s.pid, syscall.SIGKILL)
		}
	}
	<-f.gone
}

// finger touches the screen by X events: one xdotool that reads what to do, so that no start of a process is timed.
type finger struct {
	cmd *exec.Cmd
	in  interface {
		Write([]byte) (int, error)
		Close() error
	}
}

func newFinger() (*finger, error) {
	f := &finger{cmd: exec.Command("xdotool", "-")}
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := f.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	f.in = in
	return f, f.cmd.Start()
}

func (f *finger) do(format string, args ...any) error {
	if _, err := fmt.Fprintf(f.in, format+"\n", args...); err != nil {
		return fmt.Errorf("xdotool: %w", err)
	}
	return nil
}

func (f *finger) close() {
	_ = f.in.Close()
	_ = f.cmd.Wait()
}
