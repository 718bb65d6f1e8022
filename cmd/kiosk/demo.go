//go:build !release

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
)

// demoCmd is `kiosk demo`.
type demoCmd struct {
	Headless bool
	Out      string `default:"out/demo" type:"path"`
	Journey  string `default:"certificate"`
	Language string `enum:"zh,en" default:"zh"`
	Width    int    `default:"0"`
	Height   int    `default:"0"`
	USB      string `enum:"split,joined," default:""`
	Slow     int    `default:"1"`
	Verbose  bool   `short:"v"`
}

// Run plays journeys, or opens terminal and dock side by side.
func (d demoCmd) Run(ctx context.Context, io stdio) error {
	if d.Journey == "points" {
		for _, p := range journey.Points() {
			fmt.Fprintln(io.out, p)
		}
		return nil
	}
	if d.Journey == "list" {
		for _, j := range journey.Journeys() {
			rare := ""
			if j.Rare {
				rare = io.say("demo.rare")
			}
			fmt.Fprintf(io.out, "%-24s %s %s\n", j.Name, padded(rare, -4), io.bench(j.Tells))
		}
		return nil
	}
	if d.Headless {
		return d.headless(ctx, io)
	}
	if os.Getenv("DISPLAY") == "" {
		return refuse("demo.no-display")
	}
	return d.window(ctx, io)
}

func (d demoCmd) headless(ctx context.Context, io stdio) error {
	all := journey.Journeys()
	if d.Journey != "all" {
		one, err := journey.Find(d.Journey)
		if err != nil {
			return benchRefused(err)
		}
		all = []journey.Journey{one}
	}
	var failed error
	for _, j := range all {
		dir := d.Out
		if d.Journey == "all" {
			dir = filepath.Join(d.Out, j.Name)
		}
		opt := journey.Options{Dir: dir, Width: d.Width, Height: d.Height, Language: d.Language, USB: d.USB, Slow: d.Slow}
		if d.Verbose {
			opt.Log = io.err
		}
		sum, err := journey.Play(ctx, j, opt)
		t := sum.Totals
		word := io.say("demo.ok")
		if err != nil {
			word = io.say("demo.failed")
			failed = errors.Join(failed, fmt.Errorf("journey %s: %w", j.Name, err))
		}
		fmt.Fprintf(io.out, "%-24s %s %8s  %s\n", j.Name, padded(word, -6), sum.Took, io.say("demo.result", "cases", t.Cases, "acknowledged", t.Acknowledged, "duplicates", t.Duplicates,
			"lost", t.Lost, "certificates", t.Certificates, "slips", t.Receipts, "dir", dir))
		sum.WriteTimes(&benchLines{io: io})
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

// window runs the terminal as a process of its own beside the dock.
func (d demoCmd) window(ctx context.Context, io stdio) error {
	if err := withEnvironment(); err != nil {
		return refuseBy(err, "run.environment")
	}
	dir, err := os.MkdirTemp("", "budayang-demo-")
	if err != nil {
		return err
	}
	world, err := journey.NewWorld(ctx, journey.WorldOptions{Dir: dir, Papers: d.Out})
	if err != nil {
		return err
	}
	width, height := d.Width, d.Height
	if width == 0 || height == 0 {
		width, height = 540, 960
	}
	config := filepath.Join(dir, "terminal.toml")
	err = world.WriteConfig(config, width, height, d.Language, journey.Patience{})
	if err == nil {
		err = world.LoadBlanks()
	}
	if err != nil {
		return errors.Join(err, world.Close())
	}
	self, err := os.Executable()
	if err != nil {
		return errors.Join(err, world.Close())
	}
	p := &plug{program: self, config: config, io: io}
	if err := p.in(); err != nil {
		return errors.Join(err, world.Close())
	}
	io.tell("demo.open", "dir", d.Out)
	end := func() error { p.end(); return world.Close() }
	dock := &dock{world: world, plug: p.pull, replug: p.in, running: p.running, right: width + 12, leave: func() { _ = end() }}
	dock.show(ctx)
	return end()
}

// plug is the terminal's power.
type plug struct {
	program, config string
	io              stdio

	mu    sync.Mutex
	child *exec.Cmd
	gone  chan struct{}
}

// in starts the terminal.
func (p *plug) in() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := exec.Command(p.program, "run", "--config", p.config, "--log", "warn")
	c.Stdout, c.Stderr = p.io.out, p.io.err
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := c.Start(); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	gone := make(chan struct{})
	p.child, p.gone = c, gone
	go func() {
		_ = c.Wait()
		close(gone)
	}()
	return nil
}

// pull kills it as a power cut does.
func (p *plug) pull() { p.signal(syscall.SIGKILL) }

// end stops it in an orderly way.
func (p *plug) end() {
	p.signal(syscall.SIGTERM)
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	<-gone
}

func (p *plug) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.child.Process.Signal(s)
}

func (p *plug) running() bool {
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	select {
	case <-gone:
		return false
	default:
		return true
	}
}
