//go:build !release

package main

// benchCommands show and test the terminal without hardware.
type benchCommands struct {
	Demo demoCmd `cmd:"" help:"Run the terminal with an embedded platform and simulated peripherals."`
	Sim  simCmd  `cmd:"" help:"Simulate peripherals on the wire, and steer their faults."`
}
