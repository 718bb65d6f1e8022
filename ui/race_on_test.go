//go:build race

package ui

// underRace: drawing every variant of every screen takes minutes with the race detector, and draws nothing else than without: make unit plays
// them all without it.
const underRace = true
