//go:build !release

package main

import "path/filepath"

// benchCommands show and test the terminal without hardware.
type benchCommands struct {
	Demo demoCmd `cmd:"" help:"Run the terminal with an embedded platform and simulated peripherals."`
	Sim  simCmd  `cmd:"" help:"Simulate peripherals on the wire, and steer their faults."`
	Soak soakCmd `cmd:"" help:"Run one terminal for long under load while its devices fail; the last line is \"violations: N\"."`

	StandIn standInCmd `cmd:"" hidden:"" help:"The terminal of soak."`
}

// benchVars are defaults that depend on the machine.
func benchVars() map[string]string {
	return map[string]string{"sim_socket": defaultSimSocket(), "sim_dir": filepath.Dir(defaultSimSocket())}
}
