//go:build !release

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices/sim"
)

// simCmd is `kiosk sim`.
type simCmd struct {
	Start  simStartCmd  `cmd:"" default:"withargs"`
	Fault  simFaultCmd  `cmd:""`
	Clear  simClearCmd  `cmd:""`
	Faults simFaultsCmd `cmd:""`
	Card   simCardCmd   `cmd:""`
	Take   simTakeCmd   `cmd:""`
	State  simStateCmd  `cmd:""`
}

// simSocket is where a running sim is found.
type simSocket struct {
	Socket string `short:"s" default:"${sim_socket}" type:"path"`
}

func (s simSocket) dial() (*sim.Client, error) {
	c, err := sim.Dial(s.Socket)
	if err != nil {
		return nil, refuseBy(err, "sim.none", "socket", s.Socket)
	}
	return c, nil
}

// defaultSimSocket is in the user's runtime directory.
func defaultSimSocket() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "budayang-sim", sim.SocketName)
}

// simStartCmd is `kiosk sim`.
type simStartCmd struct {
	Dir  string `default:"${sim_dir}" type:"path"`
	Out  string `default:"out/sim" type:"path"`
	Head string `default:"kp628e"`
}

// Run serves until it is interrupted.
func (c simStartCmd) Run(ctx context.Context, io stdio) error {
	if !slices.Contains(sim.Heads(), c.Head) {
		return refuse("sim.head", "head", c.Head, "all", strings.Join(sim.Heads(), ", "))
	}
	for _, d := range []string{c.Dir, c.Out} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	b, err := sim.StartBench(sim.BenchOptions{Dir: c.Dir, Out: c.Out,
		Receipt: sim.ReceiptOptions{Head: c.Head, Font: assets.Font("wide-regular.ttf")}})
	if err != nil {
		return err
	}
	uris := b.URIs()
	for _, d := range sim.Devices() {
		fmt.Fprintf(io.out, "[device.%s]\nuri = %q\n\n", d, uris[d])
	}
	io.tell("sim.socket", "path", b.Socket())
	<-ctx.Done()
	return b.Close()
}

// simFaultCmd is `kiosk sim fault`.
type simFaultCmd struct {
	simSocket
	Device string `arg:""`
	Fault  string `arg:""`
	Value  string `arg:"" optional:""`
}

// Run breaks one device.
func (c simFaultCmd) Run() error {
	x, err := c.dial()
	if err != nil {
		return err
	}
	return joinRefused(x.Fault(c.Device, c.Fault, c.Value), x.Close())
}

// simClearCmd is `kiosk sim clear`.
type simClearCmd struct {
	simSocket
	Device string `arg:""`
	Fault  string `arg:"" optional:""`
}

// Run mends one device.
func (c simClearCmd) Run() error {
	x, err := c.dial()
	if err != nil {
		return err
	}
	if c.Fault == "" {
		err = x.Clear(c.Device)
	} else {
		err = x.ClearFault(c.Device, c.Fault)
	}
	return joinRefused(err, x.Close())
}

// simFaultsCmd is `kiosk sim faults`.
type simFaultsCmd struct {
	Device string `arg:"" optional:""`
}

// Run lists faults; no sim need run.
func (c simFaultsCmd) Run(io stdio) error {
	devices := sim.Devices()
	if c.Device != "" {
		devices = []string{c.Device}
	}
	for _, d := range devices {
		all, err := sim.Faults(d)
		if err != nil {
			return benchRefused(err)
		}
		fmt.Fprintln(io.out, d)
		for _, f := range all {
			value := ""
			if f.Value != "" {
				value = " " + io.say("sim.value", "value", io.bench(f.Value), "default", f.Default)
			}
			fmt.Fprintf(io.out, "  %-20s %s%s\n", f.Name, io.bench(f.About), value)
		}
	}
	io.tell("sim.heads", "all", strings.Join(sim.Heads(), ", "))
	return nil
}

// simCardCmd is `kiosk sim card`.
type simCardCmd struct {
	simSocket
	Name string `arg:"" optional:""`
}

// Run puts a card down or takes it away.
func (c simCardCmd) Run(io stdio) error {
	x, err := c.dial()
	if err != nil {
		return err
	}
	if c.Name == "" {
		return joinRefused(x.TakeCard(), x.Close())
	}
	return joinRefused(x.PutCard(c.Name), x.Close())
}

// simTakeCmd is `kiosk sim take`.
type simTakeCmd struct{ simSocket }

// Run takes papers.
func (c simTakeCmd) Run() error {
	x, err := c.dial()
	if err != nil {
		return err
	}
	return joinRefused(x.TakeOutput(), x.Close())
}

// simStateCmd is `kiosk sim state`.
type simStateCmd struct{ simSocket }

// Run prints the state.
func (c simStateCmd) Run(io stdio) error {
	x, err := c.dial()
	if err != nil {
		return err
	}
	s, err := x.State()
	if err == nil {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		err = e.Encode(s)
	}
	return joinRefused(err, x.Close())
}
