//go:build !release

package journey

// The display: an X server without a screen, a window manager, a finger and a camera.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Display is an X server with a window manager.
type Display struct {
	Name          string // ":99"
	Width, Height int
	slow          time.Duration // how many times longer everything may take
	server        *exec.Cmd
	manager       *exec.Cmd
}

// OpenDisplay starts Xvfb with matchbox on a free display number. slow is how many times longer than usual it may take.
func OpenDisplay(ctx context.Context, width, height, slow int) (*Display, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("display: %w", err)
	}
	defer r.Close()
	d := &Display{Width: width, Height: height, slow: time.Duration(max(slow, 1))}
	d.server = exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height),
		"-nolisten", "tcp", "-nocursor", "-s", "0", "-dpms", "-noreset")
	d.server.ExtraFiles = []*os.File{w}
	d.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	err = d.server.Start()
	w.Close()
	if err != nil {
		return nil, fmt.Errorf("display: Xvfb: %w (deploy/setup/install.sh run installs it)", err)
	}
	number := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(r, 64)).ReadString('\n')
		number <- strings.TrimSpace(line)
	}()
	select {
	case n := <-number:
		if _, err := strconv.Atoi(n); err != nil {
			d.Close()
			return nil, errors.New("display: Xvfb did not start")
		}
		d.Name = ":" + n
	case <-time.After(d.slow * 20 * time.Second):
		d.Close()
		return nil, errors.New("display: Xvfb did not start within 20 s")
	case <-ctx.Done():
		d.Close()
		return nil, context.Cause(ctx)
	}
	d.manager = exec.Command("matchbox-window-manager", "-use_titlebar", "no")
	d.manager.Env = append(os.Environ(), "DISPLAY="+d.Name)
	d.manager.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := d.manager.Start(); err != nil {
		d.Close()
		return nil, fmt.Errorf("display: matchbox-window-manager: %w (deploy/setup/install.sh run installs it)", err)
	}
	return d, nil
}

// Close ends the window manager and the X server.
func (d *Display) Close() {
	for _, c := range []*exec.Cmd{d.manager, d.server} {
		if c != nil && c.Process != nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
}

// Press touches the screen for as long as a finger does, with a little jitter, at x, y.
func (d *Display) Press(ctx context.Context, x, y int) error {
	return d.xdo(ctx, "mousemove", strconv.Itoa(x), strconv.Itoa(y), "mousedown", "1", "sleep", "0.05",
		"mousemove_relative", "--", "2", "-1", "sleep", "0.02", "mouseup", "1")
}

// Stroke draws with a finger along the points.
func (d *Display) Stroke(ctx context.Context, points [][2]int) error {
	if len(points) == 0 {
		return nil
	}
	args := []string{"mousemove", strconv.Itoa(points[0][0]), strconv.Itoa(points[0][1]), "mousedown", "1"}
	for _, p := range points[1:] {
		args = append(args, "sleep", "0.03", "mousemove", strconv.Itoa(p[0]), strconv.Itoa(p[1]))
	}
	return d.xdo(ctx, append(args, "sleep", "0.03", "mouseup", "1")...)
}

func (d *Display) xdo(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, d.slow*10*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "xdotool", args...)
	c.Env = append(os.Environ(), "DISPLAY="+d.Name)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("touch: %w: %s", err, out)
	}
	return nil
}

// Photograph writes what the display shows as a PNG file.
func (d *Display) Photograph(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, d.slow*20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "import", "-silent", "-window", "root", "-define", "png:compression-level=6", file)
	c.Env = append(os.Environ(), "DISPLAY="+d.Name)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("photograph: %w: %s", err, out)
	}
	return nil
}
