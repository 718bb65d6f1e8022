//go:build !race

package fingersim

// each is how many fingers of each person are compared.
const each = 2
