package journal

// Compaction: a file that grew while the platform could not be reached, and has drained since, becomes small again.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// compactFloor is the size below which a file is never worth copying.
const compactFloor = 16 << 20

// worthCompacting says that most of a big file is free.
func (j *Journal) worthCompacting() bool {
	worth := false
	_ = j.view(func(tx *bolt.Tx) error {
		worth = tx.Size() > compactFloor && j.free() > tx.Size()/4*3
		return nil
	})
	return worth
}

// Compact copies the database into a new file without what is free, checks the copy and puts it in the old one's place.
// Changes wait meanwhile. It returns both sizes in bytes. [Journal.Trim] does it by itself when most of a big file is free.
func (j *Journal) Compact() (before, after int64, err error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.writable(); err != nil {
		return 0, 0, err
	}
	if before, after, err = j.swapCompacted(); err != nil {
		return before, after, fmt.Errorf("compact: %w", err)
	}
	// bbolt counts its transactions anew: the spill must be told.
	return before, after, j.checkpoint()
}

func (j *Journal) swapCompacted() (before, after int64, err error) {
	j.swap.Lock()
	defer j.swap.Unlock()
	fresh := j.path + ".compact"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	defer func() { _ = os.Remove(fresh) }()
	if before, after, err = copyCompacted(j.db, fresh); err != nil {
		return before, after, err
	}
	if err := suspect(fresh); err != nil {
		return before, after, err
	}
	if err := os.Rename(fresh, j.path); err != nil {
		return before, after, err
	}
	// From here on the old file has no name: what cannot go on in the new one must stop.
	db, err := openBolt(j.path, j.opt.MaxSize)
	if err == nil {
		err = syncDir(filepath.Dir(j.path))
	}
	if err != nil {
		j.failed = fmt.Errorf("%w: after compacting: %w", ErrDisk, err)
		return before, after, j.failed
	}
	old := j.db
	j.db = db
	return before, after, old.Close()
}

func copyCompacted(src *bolt.DB, to string) (before, after int64, err error) {
	dst, err := bolt.Open(to, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return 0, 0, err
	}
	dst.AllocSize = growth
	err = errors.Join(bolt.Compact(dst, src, 1<<20), dst.Sync(), dst.Close())
	for path, size := range map[string]*int64{src.Path(): &before, to: &after} {
		if st, serr := os.Stat(path); serr == nil {
			*size = st.Size()
		}
	}
	return before, after, err
}
