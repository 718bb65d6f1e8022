package journal

// Room: what each lane may hold, when new business stops, and the file that is given up so that begun work can be finished.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

const (
	// defaultFloor of free disk below which new business stops.
	defaultFloor = 100 << 20
	// defaultEmergency is the size of the file that is given up when the disk is almost full.
	defaultEmergency = 16 << 20
	// breath is how much room a change may need: a step of the database, one of the spill and a checkpoint.
	breath = growth + 2*step
)

// share is how much of the quota what waits in a lane may take before new business stops, in hundredths. Nothing in these
// lanes is ever dropped: what was begun may go over it.
var share = map[wire.Lane]int64{wire.LanePay: 20, wire.LaneCtl: 10, wire.LaneTx: 50, wire.LaneAudit: 30}

// reserve is what new business leaves free, so that what was begun can be finished.
func reserve(size int64) int64 { return min(8<<20, size/4) }

// Full says whether new business must wait: the quota, a lane's share of it, or the disk has come to its red line.
func (j *Journal) Full() bool {
	full := true
	_ = j.view(func(tx *bolt.Tx) error {
		full = j.full(tx)
		return nil
	})
	return full
}

// full: the disk is at its floor; or a lane is over its share; or the file has grown to the reserve, and what is free inside
// it is less than a third of the quota. Less may be there in crumbs only: big values need pages in a row.
func (j *Journal) full(tx *bolt.Tx) bool {
	if freeRoom(filepath.Dir(j.path)) < j.opt.DiskFloor {
		return true
	}
	for lane, part := range share {
		if st, err := readLane(tx, lane); err == nil && st.Bytes > j.opt.MaxSize/100*part {
			return true
		}
	}
	if tx.Size() <= j.opt.MaxSize-growth-reserve(j.opt.MaxSize) {
		return false
	}
	return j.free() < j.opt.MaxSize/3
}

// free is how many bytes inside the file can be used again, for the next change at the latest.
func (j *Journal) free() int64 {
	st := j.db.Stats()
	return int64(st.FreePageN+st.PendingPageN) * int64(j.db.Info().PageSize)
}

func emergencyPath(path string) string { return path + ".emergency" }

// keepEmergency makes the emergency file when there is room for it and for business beside it.
func (j *Journal) keepEmergency() error {
	path := emergencyPath(j.path)
	if st, err := os.Stat(path); err == nil && st.Size() == j.opt.Emergency {
		return nil
	}
	if freeRoom(filepath.Dir(path)) < j.opt.DiskFloor+2*j.opt.Emergency {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("journal: emergency file: %w", err)
	}
	err = errors.Join(takeRoom(f, j.opt.Emergency), f.Close())
	if err != nil {
		_ = os.Remove(path)
		j.opt.Log.Warn("no emergency file", "error", err)
	}
	return nil
}

// breathe gives the emergency file up when the next change might find no room.
func (j *Journal) breathe() {
	if freeRoom(filepath.Dir(j.path)) > breath {
		return
	}
	if err := os.Remove(emergencyPath(j.path)); err == nil {
		j.opt.Log.Error("the disk is full: the emergency file was given up, new business stops", "bytes", j.opt.Emergency)
	} else if !errors.Is(err, fs.ErrNotExist) {
		j.opt.Log.Error("emergency file", "error", err)
	}
}
