package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/staff"
)

// operatorCmd is `platform operator`.
type operatorCmd struct {
	Add    operatorAddCmd    `cmd:"" help:"Make an account for the pages; its password comes from a file or standard input."`
	List   operatorListCmd   `cmd:"" help:"List accounts."`
	Change operatorChangeCmd `cmd:"" help:"Change an account's role or password, put it out or in, unlock it."`
}

// by is who changes an account, and why.
type by struct {
	By  string `help:"Who does this; default the user of this session."`
	Why string `help:"Why; kept beside it."`
}

func (b by) operator() platform.Operator {
	if b.By == "" {
		return platform.Operator{Who: shell(), Why: b.Why}
	}
	return platform.Operator{Who: b.By, Why: b.Why}
}

// passwordOf reads one line: no argument and no environment variable, which others can read.
func passwordOf(file string) (string, error) {
	var b []byte
	var err error
	if file == "" || file == "-" {
		b, err = io.ReadAll(io.LimitReader(os.Stdin, 4<<10))
	} else {
		b, err = readSecret(file)
	}
	if err != nil {
		return "", err
	}
	p := strings.TrimRight(string(b), "\r\n")
	if strings.ContainsAny(p, "\r\n") {
		return "", errors.New("a password is one line")
	}
	return p, nil
}

type operatorAddCmd struct {
	theStore
	by
	Name         string `arg:"" help:"2 to 32 of a-z, 0-9, dot, hyphen and underscore."`
	Role         string `required:"" enum:"viewer,clerk,administrator" help:"viewer, clerk or administrator."`
	PasswordFile string `help:"File with the first password, mode 0600; default: one line of standard input." type:"path"`
}

// Run makes an account.
func (c operatorAddCmd) Run(ctx context.Context, io stdio) error {
	p, err := passwordOf(c.PasswordFile)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	err = platform.AddAccount(ctx, s, platform.NewAccount{Name: c.Name, Role: staff.Role(c.Role), Password: p}, time.Now(), c.operator())
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s may sign in as %s; the password must be changed then\n", c.Name, c.Role)
	return nil
}

type operatorListCmd struct{ theStore }

// Run lists them.
func (c operatorListCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := platform.Accounts(ctx, s)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tROLE\tSTATE\tMADE\tBY\tPASSWORD OF")
	for _, a := range all {
		state := "in use"
		switch {
		case a.Off:
			state = "off"
		case a.MustChange:
			state = "new"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.Role, state, day(a.Made), a.MadeBy, day(a.Changed))
	}
	return w.Flush()
}

type operatorChangeCmd struct {
	theStore
	by
	Name         string `arg:"" help:"The account."`
	Role         string `enum:",viewer,clerk,administrator" default:"" help:"A new role."`
	Off          bool   `xor:"off" help:"Let it in no longer, at once and on every server."`
	On           bool   `xor:"off" help:"Let it in again."`
	Unlock       bool   `help:"Forget wrong tries."`
	PasswordFile string `help:"File with a new password, mode 0600; - is standard input. It must be changed at the next time in."`
}

// Run changes an account and ends its sessions.
func (c operatorChangeCmd) Run(ctx context.Context, io stdio) error {
	change := platform.AccountChange{Unlock: c.Unlock}
	if role := staff.Role(c.Role); role != "" {
		change.Role = &role
	}
	if c.Off || c.On {
		change.Off = &c.Off
	}
	if c.PasswordFile != "" {
		p, err := passwordOf(c.PasswordFile)
		if err != nil {
			return err
		}
		change.Password = &p
	}
	if change == (platform.AccountChange{}) {
		return errors.New("nothing to change: --role, --off, --on, --unlock or --password-file")
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	err = platform.ChangeAccount(ctx, s, c.Name, change, time.Now(), c.operator())
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s is changed\n", c.Name)
	return nil
}
