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
	Run        runCmd        `cmd:"" help:"Serve citizens."`
	Enroll     enrollCmd     `cmd:"" help:"Introduce this terminal to the platform with a one-time code."`
	Devices    devicesCmd    `cmd:"" help:"List, probe and test the devices of this terminal."`
	Outbox     outboxCmd     `cmd:"" help:"Show what waits for the platform; carry it in files; recover it."`
	Key        keyCmd        `cmd:"" help:"Show where the journal's key lies; move it into the TPM or back."`
	Swap       swapCmd       `cmd:"" help:"Carry what the old board's disk holds to this board."`
	Desk       deskCmd       `cmd:"" help:"Show and decide the cases that a person must decide."`
	Technician technicianCmd `cmd:"" help:"Say who may use the technician's console at the screen."`
	Stock      stockCmd      `cmd:"" help:"Count blank cards: load, count, balance of a shift, what became of those in doubt."`
	Clock      clockCmd      `cmd:"" help:"Show what time it is held to be; say that the machine's clock is right."`
	Provision  provisionCmd  `cmd:"" help:"Bring a bare machine into service: screen, time, platform, devices, supplies, report."`
	Doctor     doctorCmd     `cmd:"" help:"Say what is wrong with this machine and how to mend it."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	benchCommands
}

// stdio is where a command talks; tests replace it.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

func main() { os.Exit(kiosk()) }

// kiosk runs one command line and returns its exit code: 0 done, 1 failed, 2 misused, 75 to be started again.
func kiosk() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	code := -1
	parser, err := kong.New(&c,
		kong.Name("kiosk"),
		kong.Description("Budayang, the self-service terminal that never closes."),
		kong.UsageOnError(),
		kong.Vars(benchVars()),
		kong.Exit(func(n int) { code = n; panic(exit{}) }),
		kong.Bind(stdio{os.Stdin, os.Stdout, os.Stderr}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kiosk:", err)
		return 2
	}
	k, err := parse(parser, os.Args[1:], &code)
	if code >= 0 {
		return code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kiosk:", err)
		return 2
	}
	return exitCode(os.Stderr, k.Run())
}

// exitCode says why the program ends, and gives its exit code: 75 when it is to be started again.
func exitCode(out io.Writer, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errRestart):
		return exitRestart
	}
	fmt.Fprintln(out, "kiosk:", err)
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
