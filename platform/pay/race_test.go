//go:build race

package pay_test

// raceDetector: histories take minutes under it. make unit plays them all without it too.
const raceDetector = true
