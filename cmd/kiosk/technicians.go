package main

// The technicians who may use the console at the screen.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service/maintain"
)

// technicianCmd is `kiosk technician`.
type technicianCmd struct {
	Add    technicianAddCmd    `cmd:"" help:"Let a technician use the console; the PIN is read from the keyboard or a pipe."`
	Remove technicianRemoveCmd `cmd:"" help:"Put a technician out; at once, also at a running terminal."`
	List   technicianListCmd   `cmd:"" default:"withargs" help:"List the technicians."`
}

// technicianFlags are what every subcommand of technician takes.
type technicianFlags struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
}

func (f technicianFlags) keeper() (maintain.File, error) {
	c, err := config.Load(f.Config)
	if err != nil {
		return maintain.File{}, err
	}
	return keeper(c.Terminal.Data), prepareData(c.Terminal.Data)
}

type technicianAddCmd struct {
	technicianFlags
	Code     string `arg:"" help:"Service code: 4 to 8 digits."`
	Operator string `required:"" help:"Who it is in the audit chain, such as op.zhang."`
	Name     string `required:"" help:"Who it is on the screen."`
}

// Run adds.
func (c technicianAddCmd) Run(_ context.Context, io stdio) error {
	k, err := c.keeper()
	if err != nil {
		return err
	}
	pin, err := askSecret(io, "PIN (6 to 12 digits, it is not shown): ")
	if err != nil {
		return err
	}
	if err := k.Add(maintain.Technician{Code: c.Code, Operator: c.Operator, Name: c.Name}, pin); err != nil {
		return err
	}
	if err := likeDirectory(k.Path); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s may use the console with service code %s\n", c.Operator, c.Code)
	return nil
}

type technicianRemoveCmd struct {
	technicianFlags
	Code string `arg:"" help:"Service code."`
}

// Run removes.
func (c technicianRemoveCmd) Run() error {
	k, err := c.keeper()
	if err == nil {
		err = k.Remove(c.Code)
	}
	if err == nil {
		err = likeDirectory(k.Path)
	}
	return err
}

type technicianListCmd struct{ technicianFlags }

// Run lists.
func (c technicianListCmd) Run(io stdio) error {
	k, err := c.keeper()
	if err != nil {
		return err
	}
	all, err := k.List()
	for _, t := range all {
		fmt.Fprintf(io.out, "%-8s %-20s %s\n", t.Code, t.Operator, t.Name)
	}
	return err
}

// likeDirectory gives a file that root wrote to the directory's owner, who must read it.
func likeDirectory(path string) error {
	st, err := os.Stat(filepath.Dir(path))
	if err != nil || os.Getuid() != 0 {
		return err
	}
	if s, known := st.Sys().(*syscall.Stat_t); known {
		return os.Chown(path, int(s.Uid), int(s.Gid))
	}
	return nil
}

// askSecret reads one line. On a keyboard it is not shown.
func askSecret(io stdio, prompt string) (string, error) {
	if f, is := io.in.(*os.File); is {
		if old, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			fmt.Fprint(io.err, prompt)
			hidden := *old
			hidden.Lflag &^= unix.ECHO
			if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &hidden); err != nil {
				return "", fmt.Errorf("keyboard: %w", err)
			}
			defer func() {
				_ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, old)
				fmt.Fprintln(io.err)
			}()
		}
	}
	s := bufio.NewScanner(io.in)
	s.Buffer(make([]byte, 256), 256)
	if !s.Scan() {
		return "", errors.New("nothing was given: type it, or send it through a pipe")
	}
	return strings.TrimSpace(s.Text()), nil
}
