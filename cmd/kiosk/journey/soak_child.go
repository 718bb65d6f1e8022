//go:build !release

package journey

// The terminal of a soak: a process of its own, its citizens behind a socket, and what it takes of the machine.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// hall is where a terminal without a window finds its citizens.
type hall struct {
	path     string
	listener net.Listener
	lines    chan Asking

	mu   sync.Mutex
	conn net.Conn
}

func openHall(path string) (*hall, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	h := &hall{path: path, listener: l, lines: make(chan Asking, 1024)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.conn = c
			h.mu.Unlock()
			go func() {
				in := json.NewDecoder(bufio.NewReader(c))
				for {
					var a Asking
					if in.Decode(&a) != nil {
						return
					}
					h.lines <- a
				}
			}()
		}
	}()
	return h, nil
}

func (h *hall) say(s Saying) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != nil {
		_ = json.NewEncoder(h.conn).Encode(s)
	}
}

// until gives what the terminal says for a while.
func (h *hall) until(d time.Duration) iter.Seq[Asking] {
	return func(yield func(Asking) bool) {
		end := time.After(d)
		for {
			select {
			case a := <-h.lines:
				if !yield(a) {
					return
				}
			case <-end:
				return
			}
		}
	}
}

func (h *hall) close() {
	_ = h.listener.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != nil {
		_ = h.conn.Close()
	}
}

// standIn is the terminal's process.
type standIn struct {
	cmd   *exec.Cmd
	gone  chan struct{}
	err   error // how it ended; after gone
	words *tail
	log   *os.File
	pprof string
}

// ProfileEnv names a loopback address at which go tool pprof finds the terminal.
const ProfileEnv = "BUDAYANG_PPROF"

func startStandIn(opt SoakOptions, config, hall string) (*standIn, error) {
	if opt.Program == "" {
		var err error
		if opt.Program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("soak: %w", err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	t := &standIn{gone: make(chan struct{}), words: &tail{}, pprof: l.Addr().String()}
	_ = l.Close()
	if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	if t.log, err = os.Create(filepath.Join(opt.Dir, "terminal.log")); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	t.cmd = exec.Command(opt.Program, append(opt.Args, "stand-in", "--config", config, "--hall", hall)...)
	t.cmd.Env = append(os.Environ(), ProfileEnv+"="+t.pprof, "GOMEMLIMIT=400MiB")
	out := io.MultiWriter(t.words, t.log)
	t.cmd.Stdout, t.cmd.Stderr = out, out
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	go func() {
		t.err = t.cmd.Wait()
		close(t.gone)
	}()
	return t, nil
}

// stop ends it in good order.
func (t *standIn) stop() error {
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-t.gone:
		if t.err != nil {
			return fmt.Errorf("%w: %s", t.err, t.words)
		}
		return nil
	case <-time.After(30 * time.Second):
		_ = t.cmd.Process.Signal(syscall.SIGQUIT)
		return errors.New("it did not stop within 30 s of SIGTERM; its goroutines are in terminal.log")
	}
}

func (t *standIn) kill() {
	_ = t.cmd.Process.Kill()
	<-t.gone
	_ = t.log.Close()
}

// A sample is what the terminal takes at a moment at which nobody stands in front of it.
type sample struct {
	at       time.Time
	visits   int
	rss      int // KiB that are its own
	heap     int // KiB in use after a collection
	files    int
	routines int
	cpu      time.Duration // since its start
}

func (s sample) String() string {
	return fmt.Sprintf("own memory %d KiB, heap %d KiB, descriptors %d, goroutines %d", s.rss, s.heap, s.files, s.routines)
}

var (
	heapInUse = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)`)
	allRoutes = regexp.MustCompile(`^goroutine profile: total (\d+)`)
)

// look takes a sample.
func (t *standIn) look(ctx context.Context) (s sample, err error) {
	ask := func(what string, find *regexp.Regexp) int {
		if err != nil {
			return 0
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		var r *http.Request
		if r, err = http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.pprof+"/debug/pprof/"+what, nil); err != nil {
			return 0
		}
		r.Close = true
		var a *http.Response
		if a, err = http.DefaultClient.Do(r); err != nil {
			return 0
		}
		defer a.Body.Close()
		b, rerr := io.ReadAll(io.LimitReader(a.Body, 64<<20))
		m := find.FindSubmatch(b)
		if err = rerr; err == nil && m == nil {
			err = fmt.Errorf("no %v in %s", find, what)
		}
		if err != nil {
			return 0
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	s.heap = ask("heap?gc=1&debug=1", heapInUse) >> 10
	time.Sleep(20 * time.Millisecond) // its connection goes
	s.routines = ask("goroutine?debug=1", allRoutes)
	if err != nil {
		return s, err
	}
	time.Sleep(20 * time.Millisecond)
	proc := fmt.Sprintf("/proc/%d", t.cmd.Process.Pid)
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return s, err
	}
	status, err := os.ReadFile(proc + "/status")
	for line := range strings.Lines(string(status)) {
		if rest, is := strings.CutPrefix(line, "RssAnon:"); is {
			s.rss, _ = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	if stat, serr := os.ReadFile(proc + "/stat"); serr == nil {
		if f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])); len(f) > 12 {
			user, _ := strconv.Atoi(f[11])
			system, _ := strconv.Atoi(f[12])
			s.cpu = time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	s.at, s.files = time.Now(), len(files)
	return s, err
}
