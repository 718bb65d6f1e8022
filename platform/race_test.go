//go:build race

package platform

// raceDetector: histories take minutes under it. make unit plays them all without it too.
const raceDetector = true
