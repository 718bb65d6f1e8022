//go:build !race

package conform_test

// each: one wrong city of so many is held to the contract.
const each = 1
