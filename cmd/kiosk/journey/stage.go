//go:build !release

package journey

// The stage: everything around the terminal, and the terminal as a process of its own.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/sync/journal"
)

// Options of [Play].
type Options struct {
	Dir           string // where pictures, papers and the summary go
	Program       string // the kiosk program; "" is this one
	Width, Height int    // pixels; 0 is 1080 by 1920
	Language      string // "" is "zh"
	NoPictures    bool
	Pictures      [][]byte // JPEGs; a camera on the network shows them. nil: a file does, which the terminal has in memory
	// USB hangs ID reader and slip printer on USB, where the kernel lets a program offer devices (test/lab). "split" and "joined"
	// are the reader's two framings; "" leaves both on serial lines.
	USB string
	// Camera is what the configuration says of the camera, as TOML; "" shows somebody who sits well before a white wall.
	Camera string
	// PageTime is how long a sheet and a card take in the printers; 0 is what such printers take.
	PageTime time.Duration
	// Slow is how many times longer than usual everything may take, on a machine that is emulated; 0 is 1.
	Slow int
	Log  io.Writer // the terminal's own words; nil keeps them in Dir/terminal.log only
}

// A Stage is one journey's world.
type Stage struct {
	opt     Options
	journey Journey
	sum     *Summary

	world   *World
	display *Display
	link    *Link
	props   *sim.Bench
	probe   string
	config  string

	mu        sync.Mutex
	child     *exec.Cmd
	gone      chan struct{} // closed when the child ended
	words     *tail
	counts    map[string]int
	timers    sync.WaitGroup
	stopping  context.CancelFunc
	stopped   context.Context
	codes     int // one-time codes used so far
	shots     int
	stoodFrom time.Time // since when the screen stands
	acting    string    // the screen that the citizen is acting at
	logFile   *os.File
}

// open sets a stage up; beside is the world of a terminal in the same hall, or nil.
func open(ctx context.Context, j Journey, opt Options, sum *Summary, beside *World) (s *Stage, err error) {
	if opt.Width == 0 {
		opt.Width, opt.Height = 1080, 1920
	}
	opt.Slow = max(opt.Slow, 1)
	if opt.Language == "" {
		opt.Language = "zh"
	}
	if opt.Program == "" {
		if opt.Program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("stage: %w", err)
		}
	}
	s = &Stage{opt: opt, journey: j, sum: sum, counts: map[string]int{}, words: &tail{}}
	s.stopped, s.stopping = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			_ = s.close(context.WithoutCancel(ctx))
		}
	}()
	run, err := os.MkdirTemp("", "budayang-")
	if err != nil {
		return s, fmt.Errorf("stage: %w", err)
	}
	world := WorldOptions{Dir: run, Papers: opt.Dir, Camera: opt.Camera, Pictures: opt.Pictures, NetCamera: opt.Pictures != nil, PageTime: opt.PageTime, Beside: beside, Fee: j.Fee, Fingers: j.Fingers}
	if opt.USB != "" {
		world.ReaderUSB = &sim.USBOptions{Split: opt.USB == "split", Port: 1}
		world.ReceiptUSB = &sim.USBOptions{Serial: "P-1", Port: 2}
	}
	if s.world, err = NewWorld(ctx, world); err != nil {
		return s, err
	}
	s.link, s.props, s.codes = s.world.Link, s.world.Props, len(s.world.Codes())
	if s.display, err = OpenDisplay(ctx, opt.Width, opt.Height, opt.Slow); err != nil {
		return s, err
	}
	s.probe = filepath.Join(run, "probe")
	s.config = filepath.Join(run, "terminal.toml")
	patience := Patience{Warn: "40s", End: "60s"}
	if j.Quick {
		patience = Patience{Warn: "4s", End: "24s"}
	}
	if opt.Slow > 1 {
		patience = Patience{Warn: "4m", End: "5m"}
	}
	if j.Bare {
		if err = s.linkPorts(); err != nil {
			return s, err
		}
	} else if err = s.world.WriteConfig(s.config, opt.Width, opt.Height, opt.Language, patience); err != nil {
		return s, err
	}
	if s.logFile, err = os.Create(filepath.Join(opt.Dir, "terminal.log")); err != nil {
		return s, fmt.Errorf("stage: %w", err)
	}
	if j.Blanks {
		if err = s.world.LoadBlanks(); err != nil {
			return s, err
		}
	}
	return s, s.start(j.Crash)
}

// slow is how long something may take here that takes d elsewhere.
func (s *Stage) slow(d time.Duration) time.Duration { return time.Duration(s.opt.Slow) * d }

// start runs the terminal; crash arms a crash point.
func (s *Stage) start(crash string) error {
	args := []string{"run", "--config", s.config}
	if _, err := os.Stat(s.config); err != nil {
		args = []string{"provision", "--screen", "--config", s.config, "--data", filepath.Dir(s.world.JournalPath()), "--serial-dir", s.portsDir(), "--language", s.opt.Language}
	}
	c := exec.Command(s.opt.Program, args...)
	c.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "FYNE_") || strings.HasPrefix(e, CrashEnv) || strings.HasPrefix(e, "XDG_")
	}), "DISPLAY="+s.display.Name, fmt.Sprintf("BUDAYANG_PROVISION_SIZE=%dx%d", s.opt.Width, s.opt.Height), ProbeEnv+"="+s.probe, "LIBGL_ALWAYS_SOFTWARE=1")
	if crash != "" {
		c.Env = append(c.Env, CrashEnv+"="+crash)
	}
	out := io.MultiWriter(append([]io.Writer{s.words, s.logFile}, some(s.opt.Log)...)...)
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := c.Start(); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	gone := make(chan struct{})
	s.mu.Lock()
	s.child, s.gone = c, gone
	s.mu.Unlock()
	s.timers.Go(func() {
		_ = c.Wait()
		close(gone)
	})
	return nil
}

// Look asks the terminal what is on its screen.
func (s *Stage) Look() (Screen, error) { return Look(s.probe) }

// Photograph writes what is on the screen as a PNG file.
func (s *Stage) Photograph(ctx context.Context, file string) error {
	return s.display.Photograph(ctx, file)
}

// Process is the number of the terminal's process.
func (s *Stage) Process() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child.Process.Pid
}

// Dir is where the terminal's configuration, journal and all else lie, until the stage is closed.
func (s *Stage) Dir() string { return filepath.Dir(s.config) }

// portsDir is where serial ports have names that stay, as udev would give them.
func (s *Stage) portsDir() string { return filepath.Join(filepath.Dir(s.config), "ports") }

// linkPorts names the ports of reader and slip printer.
func (s *Stage) linkPorts() error {
	if err := os.MkdirAll(s.portsDir(), 0o755); err != nil {
		return err
	}
	for name, uri := range map[string]string{"usb-reader": s.props.Reader.URI(), "usb-slips": s.props.Receipt.URI()} {
		path, _, _ := strings.Cut(strings.TrimPrefix(uri, "serial:"), "?")
		if err := os.Symlink(path, filepath.Join(s.portsDir(), name)); err != nil {
			return err
		}
	}
	return nil
}

func some(w io.Writer) []io.Writer {
	if w == nil {
		return nil
	}
	return []io.Writer{w}
}

func (s *Stage) died() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// restart starts a terminal that died at its crash point once more.
func (s *Stage) restart(ctx context.Context) error {
	if s.journey.Crash == "" || s.sum.Kills > 0 {
		return fmt.Errorf("the terminal died: %s", s.lastWords())
	}
	s.sum.Kills++
	s.Note("the terminal died at its crash point and was started again")
	if err := s.start(""); err != nil {
		return err
	}
	_, err := s.await(ctx, func(n Screen) bool { return n.Screen != "" })
	return err
}

func (s *Stage) lastWords() string { return s.words.String() }

// Note writes down what happened around the terminal.
func (s *Stage) Note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Notes = append(s.sum.Notes, time.Now().Format("15:04:05.000")+" "+what)
}

func (s *Stage) count(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[key]
}

func (s *Stage) bump(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[key]++
}

// later does something after a while, unless the stage is closed before.
func (s *Stage) later(d time.Duration, do func()) {
	s.timers.Go(func() {
		if sleep(s.stopped, d) == nil {
			do()
		}
	})
}

// Code waits for the next one-time code that the platform sent, as the citizen's phone would show it.
func (s *Stage) Code(ctx context.Context) (string, error) {
	deadline := time.Now().Add(s.slow(15 * time.Second))
	for {
		if codes := s.world.Codes(); len(codes) > s.codes {
			s.codes = len(codes)
			return codes[len(codes)-1], nil
		}
		if time.Now().After(deadline) {
			return "", errors.New("no one-time code came within 15 s")
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return "", err
		}
	}
}

// drain waits until the platform holds what the terminal wrote: no new record for a while, and every case known to have
// been opened is there. Whether all is acknowledged, the journal says afterwards.
func (s *Stage) drain(ctx context.Context) error {
	deadline := time.Now().Add(s.slow(drainPatience))
	calm := s.slow(3 * time.Second)
	if s.journey.After != nil {
		calm = 8 * time.Second // the link comes back first
	}
	records, quiet := -1, time.Now()
	for time.Now().Before(deadline) {
		if s.died() {
			if err := s.restart(ctx); err != nil {
				return err
			}
			records = -1
		}
		n := s.world.Records()
		if n != records {
			records, quiet = n, time.Now()
		}
		if time.Since(quiet) > calm && s.link.Up() && n > 0 {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// close stops the terminal, reads its journal, and takes the stage down.
func (s *Stage) close(ctx context.Context) error {
	var errs []error
	s.stopping()
	s.mu.Lock()
	child, gone := s.child, s.gone
	s.mu.Unlock()
	if child != nil {
		_ = child.Process.Signal(syscall.SIGTERM)
		select {
		case <-gone:
		case <-time.After(s.slow(15 * time.Second)):
			errs = append(errs, errors.New("the terminal did not stop within 15 s of SIGTERM"))
			_ = child.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
			select {
			case <-gone:
			case <-time.After(3 * time.Second):
				_ = child.Process.Kill()
			}
		}
	}
	s.timers.Wait()
	if s.world != nil {
		errs = append(errs, s.read(ctx), s.world.Close())
	}
	if s.display != nil {
		s.display.Close()
	}
	if s.logFile != nil {
		_ = s.logFile.Close()
	}
	return errors.Join(errs...)
}

// read fills the summary from the terminal's journal and the platform.
func (s *Stage) read(ctx context.Context) error {
	path := s.world.JournalPath()
	if _, err := os.Stat(path); err != nil {
		return nil // the terminal never came that far
	}
	j, err := journal.Open(path, s.world.JournalOptions())
	if err != nil {
		return fmt.Errorf("journal after the journey: %w", err)
	}
	errs := []error{s.sum.readJournal(j, s.world.CasesAtPlatform()), s.sum.readStock(j, s.world.Cards.State(), s.world.Props.CardPrinter.State().Ribbon)}
	report, err := j.Verify(ctx)
	s.sum.Verify = report.Problems
	errs = append(errs, err, j.Close())
	s.world.Count(&s.sum.Totals)
	s.sum.Money, s.sum.EBills = s.world.Money(), s.world.EBills()
	s.sum.Papers = s.world.PaperFiles()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.opt.Dir, "journal.db"), raw, 0o600)
	}
	return errors.Join(append(errs, err)...)
}

// tail keeps the last words of a process.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - 4096; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.buf.String())
}
