// Platform is the city's central platform as a program of its own: no window, no cgo.
//
//	platform serve --listen :8443 --data DIR
//	platform serve … --store postgres://platform@db/city --store-password-file FILE --blobs 's3://blobs?endpoint=https://s3'
//	platform ca --data DIR                    the authority's PEM, for the terminals
//	platform enroll --data DIR TERMINAL       a one-time code with which a terminal is enrolled
//	platform terminals | refusals --data DIR  who may come in; who was let in, put out, refused
//	platform revoke | reset --data DIR TERMINAL
//	platform send --data DIR TERMINAL pause|resume|restart|…
//	platform orders --data DIR                what terminals were told and answered
//	platform import --data DIR FILE…          files of terminals without a line
//	platform salvage --data DIR FILE          what a lost board had not delivered
//	platform backup make | announce           a copy of the store; what a backup holds, told to the terminals
//	platform audit verify --data DIR          the audit chains of all terminals
//	platform conform URL --ca PEM --terminals FILE   any platform held to the terminals' contract
//	platform operator add | list | change     who signs in at the pages, and as what
//	platform pay desk | statement | return | by-hand | confirm | refuse | channels | ebills | ebill   money that a person must look at
//	platform backend list | off | on          the city's systems behind the platform
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "devel"

type commands struct {
	Serve     serveCmd     `cmd:"" help:"Serve terminals."`
	Audit     auditCmd     `cmd:"" help:"Look at the audit chains of the terminals."`
	Backup    backupCmd    `cmd:"" help:"Backups: make one, tell terminals what one holds."`
	Backend   backendCmd   `cmd:"" help:"Back ends: list, off, on."`
	CA        caCmd        `cmd:"" name:"ca" help:"Print the authority that terminals must trust."`
	Enroll    enrollCmd    `cmd:"" help:"Make a one-time code with which a terminal is enrolled."`
	Conform   conformCmd   `cmd:"" help:"Hold any city's platform to the contract that terminals rely on."`
	Terminals terminalsCmd `cmd:"" help:"List terminals, their standing and their certificates."`
	Revoke    revokeCmd    `cmd:"" help:"Put a terminal out, at once and on every server."`
	Reset     resetCmd     `cmd:"" help:"Forget a terminal's keys, so that it can be enrolled again."`
	Refusals  refusalsCmd  `cmd:"" help:"Show who was let in, put out and refused."`
	Send      sendCmd      `cmd:"" help:"Tell a terminal to do something, or give it a configuration, items or notices."`
	Orders    ordersCmd    `cmd:"" help:"Show what terminals were told and what they answered."`
	Import    importCmd    `cmd:"" help:"Take files of terminals without a line, and write their acks."`
	Salvage   salvageCmd   `cmd:"" help:"Take what a terminal with a lost board or key had not delivered."`
	Pay       payCmd       `cmd:"" help:"Money that a person must look at, payment channels, and e-bills. What moves money wants two people."`
	Operator  operatorCmd  `cmd:"" help:"Accounts of the pages: add, list, change."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// stdio is where a command talks.
type stdio struct{ out, err io.Writer }

func main() { os.Exit(run()) }

// run runs one command line and returns its exit code: 0 done, 1 failed, 2 misused.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parser, err := kong.New(&c, kong.Name("platform"), kong.Description("Budayang's central platform."), kong.UsageOnError(),
		kong.Bind(stdio{os.Stdout, os.Stderr}), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		return 2
	}
	k, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		return 2
	}
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		return 1
	}
	return 0
}
