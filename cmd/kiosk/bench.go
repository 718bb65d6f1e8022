//go:build !release

package main

import "path/filepath"

// benchCommands show and test the terminal without hardware.
type benchCommands struct {
	Demo demoCmd `cmd:""`
	Sim  simCmd  `cmd:""`
	Soak soakCmd `cmd:""`

	StandIn standInCmd `cmd:"" hidden:""`
}

// benchVars are defaults that depend on the machine.
func benchVars() map[string]string {
	return map[string]string{"sim_socket": defaultSimSocket(), "sim_dir": filepath.Dir(defaultSimSocket())}
}
