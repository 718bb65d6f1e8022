//go:build !cgo || !lab

package lab

func inC() int { return 0 }
