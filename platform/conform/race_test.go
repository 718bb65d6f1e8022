//go:build race

package conform_test

// each: one wrong city of so many is held to the contract: one takes ten times as long to compute here. make unit holds them all without it.
const each = 4
