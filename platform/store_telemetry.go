package platform

// The part of the store port for telemetry: the latest of each terminal, and a bounded history.

import (
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// TelemetryRows keeps samples.
type TelemetryRows interface {
	// LatestSample is a terminal's last one, and LatestSamples are those of all terminals, by id.
	LatestSample(terminal string) (SampleRow, error)
	LatestSamples() ([]SampleRow, error)
	Samples(terminal string, newest int) ([]SampleRow, error) // newest first
	// PutSamples adds samples of one terminal and epoch, forgets those that are more than keep behind the last, and those of
	// other epochs. The last one becomes the latest.
	PutSamples(rows []SampleRow, keep uint64) error
}

// SampleRow is one sample.
type SampleRow struct {
	Terminal string
	Epoch    uint32
	wire.Sample
	Received time.Time
	Lost     uint64 // of this epoch, up to here
}
