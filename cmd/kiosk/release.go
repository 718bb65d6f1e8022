//go:build release

package main

// benchCommands are left out of what is installed at a site.
type benchCommands struct{}

func benchVars() map[string]string { return nil }
