//go:build race

package service

// raceDetector: the models take minutes under it.
const raceDetector = true
