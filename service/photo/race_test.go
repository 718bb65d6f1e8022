//go:build race

package photo

// The race detector makes the models ten times slower, and nothing here runs beside anything.
const every = 6
