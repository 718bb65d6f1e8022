package main

// The technicians who may use the console at the screen.

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/maintain"
)

// technicianCmd is `kiosk technician`.
type technicianCmd struct {
	Add    technicianAddCmd    `cmd:""`
	Remove technicianRemoveCmd `cmd:""`
	Card   technicianCardCmd   `cmd:""`
	Show   technicianShowCmd   `cmd:""`
	List   technicianListCmd   `cmd:"" default:"withargs"`
}

// technicianFlags are what every subcommand of technician takes.
type technicianFlags struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
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
	Code     string `arg:""`
	Operator string `required:""`
	Name     string `required:""`
}

// Run adds.
func (c technicianAddCmd) Run(_ context.Context, io stdio) error {
	k, err := c.keeper()
	if err != nil {
		return err
	}
	pin, err := askSecret(io, io.say("technician.ask"))
	if err != nil {
		return err
	}
	if err := k.Add(maintain.Technician{Code: c.Code, Operator: c.Operator, Name: c.Name}, pin); err != nil {
		return err
	}
	if err := likeDirectory(k.Path); err != nil {
		return err
	}
	io.tell("technician.added", "who", c.Operator, "code", c.Code)
	return nil
}

type technicianRemoveCmd struct {
	technicianFlags
	Code string `arg:""`
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
		card := ""
		if t.Card != "" {
			card = "  " + io.say("technician.card")
		}
		fmt.Fprintf(io.out, "%-8s %-20s %s%s\n", t.Code, t.Operator, t.Name, card)
	}
	return err
}

// technicianCardCmd is `kiosk technician card`.
type technicianCardCmd struct {
	technicianFlags
	Code   string `arg:""`
	Remove bool
	Reader devices.Role  `default:"id-reader"`
	Wait   time.Duration `default:"30s"`
}

// Run reads the card and keeps its mark; its number is nowhere.
func (c technicianCardCmd) Run(ctx context.Context, io stdio) error {
	k, err := c.keeper()
	if err != nil {
		return err
	}
	var badge *maintain.Badge
	if !c.Remove {
		if badge, err = readBadge(ctx, io, c.Config, c.Reader, c.Wait); err != nil {
			return err
		}
		defer badge.Wipe()
	}
	if err := k.SetCard(c.Code, badge); err != nil {
		return err
	}
	for _, path := range []string{k.Path, filepath.Join(filepath.Dir(k.Path), maintain.KeyFile)} {
		if _, err := os.Stat(path); err == nil {
			if err := likeDirectory(path); err != nil {
				return err
			}
		}
	}
	if c.Remove {
		io.tell("technician.no-card", "code", c.Code)
	} else {
		io.tell("technician.has-card", "code", c.Code)
	}
	return nil
}

// readBadge waits for a card at one reader of a terminal that is not running.
func readBadge(ctx context.Context, io stdio, file string, role devices.Role, limit time.Duration) (*maintain.Badge, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dev, err := openDevice(ctx, c, role)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	fmt.Fprintln(io.err, io.say("technician.show"))
	return maintain.BadgeAt(ctx, dev)
}

// technicianShowCmd is `kiosk technician show`.
type technicianShowCmd struct {
	technicianFlags
	Code    string `arg:""`
	Card    bool
	Reader  devices.Role `default:"id-reader"`
	CardKey string
	Wait    time.Duration `default:"30s"`
}

// Run writes the part of a configuration that names the technician: hashed PIN, mark of the card.
func (s technicianShowCmd) Run(ctx context.Context, io stdio) error {
	k, err := s.keeper()
	if err != nil {
		return err
	}
	all, err := k.List()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(t maintain.Technician) bool { return t.Code == s.Code })
	if i < 0 {
		return maintain.ErrNobody
	}
	t := all[i]
	t.Card = ""
	if s.Card {
		c, err := config.Load(s.Config)
		if err != nil {
			return err
		}
		text := cmp.Or(s.CardKey, c.Technicians.CardKey)
		key := maintain.NewCardKey()
		if text != "" {
			if key, err = maintain.ParseCardKey(text); err != nil {
				return err
			}
		}
		badge, err := readBadge(ctx, io, s.Config, s.Reader, s.Wait)
		if err != nil {
			return err
		}
		defer badge.Wipe()
		t.Card = key.Mark(badge)
		if text == "" {
			fmt.Fprintf(io.out, "[technicians]\ncard_key = %s\n\n", quote(key.String()))
		}
	}
	fmt.Fprintf(io.out, "[[technicians.person]]\ncode = %s\noperator = %s\nname = %s\npin = %s\n", quote(t.Code), quote(t.Operator), quote(t.Name), quote(t.PIN))
	if t.Card != "" {
		fmt.Fprintf(io.out, "card = %s\n", quote(t.Card))
	}
	return nil
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
				return "", refuseBy(err, "keyboard")
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
		return "", refuse("technician.nothing")
	}
	return strings.TrimSpace(s.Text()), nil
}
