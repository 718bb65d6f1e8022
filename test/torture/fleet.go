package main

// The fleet: worker processes, their disks and gateways, and the machines they carry.

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// unit is one machine as the parent knows it.
type unit struct {
	start
	name    string
	crew    *crew
	ever    bool // it has been up once
	heard   chan []string
	image   *image
	mu      sync.Mutex
	epoch   uint32
	acked   uint64
	waiting uint64
	pending uint32 // the epoch in which its disk was set back, until a higher one shows that it was noticed
	logs    []string
	failed  atomic.Bool // its journal takes nothing until it is opened again
}

// image is a copy of a machine's disk.
type image struct {
	dir      string
	promises int
	epoch    uint32
	head     uint64 // records of all lanes in this epoch
}

// crew is one worker process with what surrounds it.
type crew struct {
	no      int
	run     *run
	gateway *gateway
	disk    *power // nil: a plain directory
	units   []*unit
	clones  []*unit

	cmd   *exec.Cmd
	mu    sync.Mutex
	died  time.Time // when the worker was killed last
	in    io.WriteCloser
	ended chan struct{} // the worker's last word was heard
}

// power is the process that serves a disk.
type power struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader
	dir     string
}

func self(arg ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, arg...)
	cmd.Env = append(os.Environ(), "BUDAYANG_TORTURE="+arg[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, nil
}

func newPower(dir string, seed uint64) (*power, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	cmd, err := self("disk", dir, fmt.Sprint(seed))
	if err != nil {
		return nil, err
	}
	p := &power{cmd: cmd, dir: dir}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := p.answers.ReadString('\n'); err != nil || line != "mounted\n" {
		return nil, errors.Join(fmt.Errorf("disk %s says %q: %w", dir, line, err), cmd.Wait())
	}
	return p, nil
}

// order returns what the disk's answer counts.
func (p *power) order(what string) (int, error) {
	if _, err := fmt.Fprintln(p.in, what); err != nil {
		return 0, err
	}
	line, err := p.answers.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, found := strings.CutPrefix(strings.TrimSpace(line), "ok ")
	if !found {
		return 0, fmt.Errorf("disk answers %q", line)
	}
	return strconv.Atoi(n)
}

func (p *power) close() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}

// launch starts the worker process and all its machines.
func (c *crew) launch() error {
	cmd, err := self("worker")
	if err != nil {
		return err
	}
	// A worker whose disk has no power dies loudly, of a bus error in its memory map.
	complaints, err := os.OpenFile(filepath.Join(c.run.dir, fmt.Sprintf("worker-%d.log", c.no)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer complaints.Close()
	cmd.Stderr = complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	in, err := cmd.StdinPipe()
	if err == nil && c.run.opt.site != nil {
		err = c.run.opt.site.hall.Start(cmd)
	} else if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.in = in
	c.mu.Unlock()
	c.cmd, c.ended = cmd, make(chan struct{})
	go c.listen(out, c.ended)
	for _, u := range c.units {
		if err := c.begin(u); err != nil {
			return err
		}
	}
	return nil
}

// listen hears a worker until its end.
func (c *crew) listen(out io.Reader, ended chan struct{}) {
	defer close(ended)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // half a line was never said
		}
		word := strings.Fields(line)
		if len(word) < 2 {
			continue
		}
		c.run.oracle.hear(word)
		u := c.run.unit(word[1])
		if u == nil {
			continue
		}
		switch word[0] {
		case "up", "damaged", "unstarted", "verified", "absent", "recovered", "unrecoverable", "keeps", "paused":
			u.tell(word)
		case "down", "waits":
			u.note(word)
			u.tell(word)
		case "failed":
			u.failed.Store(true)
		case "log", "trouble", "problem":
			u.log(strings.Join(word, " "))
			if c.run.opt.site != nil {
				c.run.opt.site.hear(c.run, u, word)
			}
		}
	}
}

func (u *unit) tell(word []string) {
	select {
	case u.heard <- word:
	default:
	}
}

func (u *unit) note(word []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(word) < 5 {
		return
	}
	epoch, _ := strconv.ParseUint(word[2], 10, 32)
	u.epoch = uint32(epoch)
	u.acked, _ = strconv.ParseUint(word[3], 10, 64)
	u.waiting, _ = strconv.ParseUint(word[4], 10, 64)
	if u.epoch > u.pending {
		u.pending = 0
	}
}

func (u *unit) log(line string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.logs = append(u.logs, time.Now().Format("15:04:05.000 ")+line)
	if len(u.logs) > 60 {
		u.logs = u.logs[len(u.logs)-40:]
	}
}

func (c *crew) order(o order) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.in.Write(append(b, '\n'))
	return err
}

// ask sends an order and waits for one of some words; every order is answered unless the worker dies.
func (c *crew) ask(u *unit, o order, words ...string) ([]string, error) {
	for len(u.heard) > 0 {
		<-u.heard
	}
	o.Machine = u.name
	if err := c.order(o); err != nil {
		return nil, err
	}
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	for {
		select {
		case word := <-u.heard:
			for _, w := range words {
				if word[0] == w {
					return word, nil
				}
			}
		case <-c.ended:
			return nil, fmt.Errorf("worker %d died of %s %s", c.no, o.Do, u.name)
		case <-limit.C:
			_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it shows on standard error where it stands
			<-c.ended
			return nil, fmt.Errorf("worker %d does not answer %s %s", c.no, o.Do, u.name)
		}
	}
}

// watchdog starts the machines again whose journal takes nothing any more.
func (c *crew) watchdog() error {
	for _, u := range slices.Concat(c.units, c.clones) {
		if !u.failed.Swap(false) {
			continue
		}
		word, err := c.ask(u, order{Do: "report"}, "waits", "absent")
		if err != nil {
			return err
		}
		if word[0] == "absent" {
			continue
		}
		c.run.did("watchdog")
		if err := errors.Join(c.stop(u), c.begin(u)); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a machine. A journal that is damaged, which only a lying disk may leave, is made anew from its spill; where there is
// none either, a new disk is put in. Both are losses that were noticed.
func (c *crew) begin(u *unit) error {
	mended := false
	for try := 0; ; try++ {
		s := u.start
		s.Fresh, s.Calm = !u.ever, c.run.calm.Load()
		word, err := c.ask(u, order{Do: "start", Start: &s}, "up", "damaged", "unstarted")
		switch {
		case err != nil:
			return err
		case word[0] == "up":
			u.ever = true
			u.failed.Store(false)
			if c.disk == nil || !c.run.lied(c) {
				return nil
			}
			if ok, err := c.verified(u); ok || err != nil {
				return err
			}
			if err := c.stop(u); err != nil {
				return err
			}
			if mended, err = c.mend(u, "it opens and does not verify", mended); err != nil {
				return err
			}
		case word[0] == "damaged":
			if mended, err = c.mend(u, word[2], mended); err != nil {
				return err
			}
		case try > 20:
			return fmt.Errorf("%s does not start: %s", u.name, word[2])
		default:
			time.Sleep(300 * time.Millisecond)
		}
	}
}

// mend recovers a stopped machine's journal, once; what cannot be recovered is replaced.
func (c *crew) mend(u *unit, why string, again bool) (bool, error) {
	if c.disk == nil || !c.run.lied(c) {
		c.run.violation("journal of %s is damaged although its disk is honest: %s", u.name, why)
	}
	if again {
		u.mu.Lock()
		said := strings.Join(u.logs, "\n    ")
		u.mu.Unlock()
		c.run.violation("journal of %s was recovered and is damaged: %s\n    %s", u.name, why, said)
		return false, c.replace(u)
	}
	word, err := c.ask(u, order{Do: "recover", Start: &u.start}, "recovered", "unrecoverable")
	if err != nil {
		return false, err
	}
	u.log(strings.Join(word, " "))
	if word[0] != "recovered" {
		return false, c.replace(u)
	}
	c.run.did("recovered")
	c.run.oracle.swap(u.name)
	return true, nil
}

// verified asks a machine to verify its journal after its disk lied: what opens need not be whole.
func (c *crew) verified(u *unit) (bool, error) {
	c.run.oracle.forgive(u.name, true)
	defer c.run.oracle.forgive(u.name, false)
	word, err := c.ask(u, order{Do: "verify"}, "verified", "absent")
	return err == nil && word[0] == "verified" && word[4] == "0", err
}

// replace puts a new disk into a machine whose journal neither opens nor can be recovered.
func (c *crew) replace(u *unit) error {
	c.run.did("replaced")
	c.run.oracle.lost(u.name, loss{how: "replaced"})
	c.run.oracle.swap(u.name)
	u.image, u.ever = nil, false
	old := fmt.Sprintf("%s.damaged-%d", u.Dir, time.Now().UnixNano())
	if err := os.Rename(u.Dir, old); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(old), u.install())
}

// stop ends a machine in good order.
func (c *crew) stop(u *unit) error {
	_, err := c.ask(u, order{Do: "stop"}, "down", "absent")
	return err
}

// kill ends the worker as kill -9 does, and waits until everything it said was heard.
func (c *crew) kill() {
	c.mu.Lock()
	c.died = time.Now()
	c.mu.Unlock()
	_ = c.cmd.Process.Kill()
	<-c.ended
	_ = c.cmd.Wait()
	_ = c.in.Close()
}

// shut ends the worker in good order.
func (c *crew) shut() error {
	_ = c.in.Close()
	select {
	case <-c.ended:
	case <-time.After(60 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
	return c.cmd.Wait()
}

// copyDir copies a machine's disk; the machine is stopped.
func copyDir(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(dst, 0o700)
		}
		return copyFile(path, dst)
	})
	return errors.Join(err, syncDir(filepath.Dir(to)))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close(), syncDir(filepath.Dir(to)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
