//go:build !race

package pay_test

const raceDetector = false
