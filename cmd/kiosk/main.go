// Kiosk is the self-service terminal of a government hall.
//
// kiosk run serves citizens from a configuration file, kiosk enroll introduces the terminal to its platform; the other subcommands are for the people who keep it: devices,
// outbox and doctor look at a machine, demo and sim (left out of release builds) show and test it without hardware.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "devel"

// commands are the subcommands; each has a file of its own.
type commands struct {
	Run        runCmd        `cmd:""`
	Enroll     enrollCmd     `cmd:""`
	Devices    devicesCmd    `cmd:""`
	Outbox     outboxCmd     `cmd:""`
	Key        keyCmd        `cmd:""`
	Swap       swapCmd       `cmd:""`
	Desk       deskCmd       `cmd:""`
	Technician technicianCmd `cmd:""`
	Stock      stockCmd      `cmd:""`
	Clock      clockCmd      `cmd:""`
	Provision  provisionCmd  `cmd:""`
	Doctor     doctorCmd     `cmd:""`
	Version    versionCmd    `cmd:""`
	benchCommands

	Lang string `enum:"zh,en,auto" default:"auto"`
}

// stdio is where a command talks; tests replace it.
type stdio struct {
	in       io.Reader
	out, err io.Writer
	lang     string // "zh" or "en"; "" is English
}

func main() { os.Exit(kiosk()) }

func kiosk() int { return commandLine(os.Args[1:], shellOf(os.Args[1:])) }

// commandLine runs one command line and returns its exit code: 0 done, 1 failed, 2 misused, 75 to be started again.
func commandLine(args []string, io stdio) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	code := -1
	parser, err := kong.New(&c,
		kong.Name("kiosk"),
		kong.UsageOnError(),
		kong.Help(helpPrinter(io.language())),
		kong.Writers(io.out, io.err),
		kong.Vars(benchVars()),
		kong.Exit(func(n int) { code = n; panic(exit{}) }),
		kong.Bind(io),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintln(io.err, "kiosk:", err)
		return 2
	}
	wordHelp(parser.Model.Node, io.language())
	k, err := parse(parser, args, &code)
	if code >= 0 {
		return code
	}
	if err != nil {
		fmt.Fprintln(io.err, "kiosk:", io.word(misused(err)))
		return 2
	}
	return exitCode(io, k.Run())
}

// exitCode says why the program ends, and gives its exit code: 75 when it is to be started again.
func exitCode(io stdio, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errRestart):
		return exitRestart
	}
	fmt.Fprintln(io.err, "kiosk:", io.fault(err))
	return 1
}

// exit unwinds the parser after --help.
type exit struct{}

func parse(p *kong.Kong, args []string, code *int) (k *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exit); !ok {
				panic(r)
			}
			*code = max(*code, 0)
		}
	}()
	return p.Parse(args)
}
