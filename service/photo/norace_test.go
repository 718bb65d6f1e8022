//go:build !race

package photo

// every how many derived pictures are judged: all of them.
const every = 1
