package wire

// Backups: how the platform says what it would still have after a disaster.

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// BackedUp is the body of a message of [MessageBackup]: a backup of the platform, read back and compared with what the
// platform holds, has each lane up to here. From then on the terminal needs no copy of it, not even one that only the
// platform can open. A lane of which the backup has nothing is not in it.
type BackedUp struct {
	Taken time.Time           `json:"taken"` // when the newest record in the backup had come to the platform; zero when none had
	Lanes map[Lane]EpochPoint `json:"lanes"`
}

// EpochPoint is a place in a lane of some epoch.
type EpochPoint struct {
	Epoch uint32 `json:"epoch"`
	LanePoint
}

// ErrBackedUp: a body that says what a backup holds cannot be read.
var ErrBackedUp = errors.New("what the backup holds cannot be read")

// ReadBackedUp reads the body of such a message. A lane that is not one, or a place in no epoch, is refused with
// [ErrBackedUp]: what follows from the message cannot be taken back.
func ReadBackedUp(body []byte) (b BackedUp, err error) {
	if len(body) > 16<<10 {
		return BackedUp{}, fmt.Errorf("%w: %d bytes", ErrBackedUp, len(body))
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return BackedUp{}, fmt.Errorf("%w: %w", ErrBackedUp, err)
	}
	for lane, p := range b.Lanes {
		if !slices.Contains(Lanes, lane) || p.Epoch == 0 || p.Seq == 0 {
			return BackedUp{}, fmt.Errorf("%w: lane %.20q at %d/%d", ErrBackedUp, lane, p.Epoch, p.Seq)
		}
	}
	return b, nil
}
