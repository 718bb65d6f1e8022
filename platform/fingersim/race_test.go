//go:build race

package fingersim

// each is how many fingers of each person are compared: the race detector makes minutes of two.
const each = 1
