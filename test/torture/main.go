// Torture tries to make terminals lose or double what they promised.
//
//	go run ./test/torture -t 10m            (make torture T=10m)
//
// Some two hundred terminals, the real journal on real files and the real uplink over TLS, are carried by worker processes
// and serve citizens: a case, a payment, a print, the end. Before them stands the real platform in processes of its own, and
// between them a gateway that spoils the traffic. For the given time everything is done to them that happens in the field:
// workers are killed, disks lose power and what was not synced, lie about what they synced, run full, are set back to an old image
// or cloned, clocks jump, earlier versions come back, servers die, the platform is restored from an old backup. Then all is healed, the outboxes
// drain, and the oracle compares what the screens promised with what the platform holds: see oracle.go for the rules.
//
// A worker writes its promises to a pipe after the journal's commit and never before, so that what the parent heard is
// exactly what a citizen could have seen. Half of the workers keep their machines on disks that lose power (package disk).
//
// The last line is "violations: N"; the exit code is 1 unless N is 0. The seed is printed and can be given again; it steers
// the faults, not the scheduler of the machine, so that a run is alike and not the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/budayang/kiosk/test/torture/disk"
)

// options of a run.
type options struct {
	time      time.Duration
	drain     time.Duration
	terminals int
	workers   int
	servers   int
	every     time.Duration
	seed      uint64
	platform  string
	store     string
	dir       string
	keep      bool
	restore   bool
	lies      int
	all       bool
	only      string
	site      *site // nil is this machine
	houses    bool
	outage    func() // takes a store away that is not SQLite, and gives it back; nil never does
}

// may says whether a fault is one of those that were asked for.
func (o options) may(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

func main() { os.Exit(program(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// program runs one of the harness's three parts: the parent, a worker, a disk.
func program(args []string, in io.Reader, out, complaints io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(args) > 0 && args[0] == "worker":
		err = runWorker(ctx, in, out)
	case len(args) == 3 && args[0] == "disk":
		var seed uint64
		if seed, err = strconv.ParseUint(args[2], 10, 64); err == nil {
			err = disk.Serve(args[1], disk.New(seed), in, out)
		}
	default:
		var o options
		if o, err = parse(args, complaints); errors.Is(err, flag.ErrHelp) {
			return 2
		}
		if err == nil {
			var n int
			if n, err = tortureOn(ctx, o, out); err == nil && n > 0 {
				return 1
			}
		}
	}
	if err != nil {
		fmt.Fprintln(complaints, "torture:", err)
		return 2
	}
	return 0
}

func parse(args []string, complaints io.Writer) (o options, err error) {
	f := flag.NewFlagSet("torture", flag.ContinueOnError)
	f.SetOutput(complaints)
	f.DurationVar(&o.time, "t", time.Minute, "how long to torture")
	f.DurationVar(&o.drain, "drain", 3*time.Minute, "how long the outboxes may take to drain afterwards")
	f.IntVar(&o.terminals, "terminals", 200, "how many terminals")
	f.IntVar(&o.workers, "workers", 8, "how many worker processes carry them; every second one on disks that lose power")
	f.IntVar(&o.servers, "servers", 1, "how many platform servers; more than one needs a store that they can share")
	f.DurationVar(&o.every, "every", 5*time.Second, "mean time between two citizens at one terminal")
	f.Uint64Var(&o.seed, "seed", rand.Uint64N(1e9), "seed of the faults")
	f.StringVar(&o.platform, "platform", "bin/platform", "the platform's program")
	f.StringVar(&o.store, "store", "", `URL of the platform's store, or "postgres" for one of its own that is killed as well, or "cluster" for three nodes that fail over, in namespaces; empty is SQLite in its directory`)
	f.StringVar(&o.dir, "dir", "", "where everything lives; empty makes a temporary directory")
	f.BoolVar(&o.keep, "keep", false, "keep the directory")
	f.BoolVar(&o.houses, "houses", false, "terminals and platform in network namespaces of their own, on a slow, lossy line that is cut (SQLite; with -store cluster always)")
	f.BoolVar(&o.restore, "restore", true, "restore the platform from old backups too (SQLite only)")
	f.IntVar(&o.lies, "lies", 2, "weight of disks that say they synced and did not (power cuts have 6)")
	f.BoolVar(&o.all, "all", false, "a fault that did not happen is a violation: the run was too short to show anything of it")
	f.StringVar(&o.only, "only", "", "only these faults of machines and nodes, with commas between; empty is all")
	if err = f.Parse(args); err != nil {
		return o, flag.ErrHelp
	}
	if o.houses && o.store != "" && o.store != "cluster" {
		return o, errors.New("in houses the store is SQLite or the cluster")
	}
	if f.NArg() > 0 || o.terminals < 1 || o.workers < 1 || o.servers < 1 {
		return o, errors.New("terminals, workers and servers are positive, and there are no other arguments")
	}
	return o, nil
}
