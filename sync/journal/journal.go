// Package journal is the terminal's record: cases, acts on the world, and what waits for the platform, in one bbolt file.
//
// Everything that belongs together changes in one transaction ([Journal.Update]): the case, the effect's outcome, the record
// for the platform, the audit entry. Only after the commit does a screen or a printer say so.
//
// There is one way to touch the world, [Journal.Do]: the intent is on disk before the act, the outcome after it. After a
// restart [Journal.Settle] asks what became of intents without outcome and never acts; what nobody can say stays unknown and
// is a person's to decide.
//
// # At rest
//
// Bodies of records, sealed values and blobs are encrypted with AES-256-GCM. Every case has a data key of its own, wrapped by
// the key file's key (mode 0600); [Journal.Shred] destroys the data key, and with it everything personal of the case, while
// chains and ledgers still verify: chains cover a salted hash of a body, and the salt is sealed with the body.
//
// # On disks
//
// bbolt runs with fsync on. A file that does not open or does not verify is reported as [ErrDamaged] and left as it is;
// nothing is ever silently made anew.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/budayang/kiosk/sync/wire"
)

// reserve is what new business leaves free, so that what was begun can be finished.
const reserve = 8 << 20

// Buckets.
var (
	bucketMeta    = []byte("meta")    // name → value
	bucketCases   = []byte("cases")   // case id → JSON
	bucketCodes   = []byte("codes")   // receipt code → case id
	bucketKeys    = []byte("keys")    // case id → wrapped data key
	bucketSealed  = []byte("sealed")  // case id / name → sealed value
	bucketEffects = []byte("effects") // case id / step / attempt → JSON
	bucketLanes   = []byte("lanes")   // lane → JSON laneState
	bucketRecords = []byte("records") // lane → bucket: seq → stored
	bucketWaiting = []byte("waiting") // case id → number of records not acknowledged
	bucketBlobs   = []byte("blobs")   // hash → JSON blobEntry
	bucketOwned   = []byte("owned")   // case id / name → blob hash
)

// Journal is the open record. Its methods may be called from any goroutine.
type Journal struct {
	db      *bolt.DB
	opt     Options
	key     masterKey
	started time.Time

	mu      sync.Mutex
	changed chan struct{}
	offset  time.Duration
}

// Open opens the journal or makes a new one.
func Open(path string, opt Options) (*Journal, error) {
	if opt.Terminal == "" {
		return nil, errors.New("journal: no terminal id")
	}
	if opt.No == "" {
		opt.No = "00"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.MaxSize == 0 {
		opt.MaxSize = 256 << 20
	}
	if opt.Boot == "" {
		opt.Boot = uuid.NewString()
	}
	if opt.BlobDir == "" {
		opt.BlobDir = path + ".blobs"
	}
	if opt.KeyFile == "" {
		return nil, errors.New("journal: no key file")
	}
	fresh := false
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		fresh = true
	}
	if err := os.MkdirAll(opt.BlobDir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	key, err := openKey(opt.KeyFile, fresh)
	if err != nil {
		return nil, err
	}
	db, err := openBolt(path, opt.MaxSize)
	if err != nil {
		return nil, err
	}
	j := &Journal{db: db, opt: opt, key: key, started: time.Now(), changed: make(chan struct{})}
	if err := j.prepare(); err != nil {
		_ = db.Close()
		return nil, err
	}
	return j, nil
}

// openBolt turns every way in which bbolt refuses or dies on a file into one of our errors.
func openBolt(path string, size int64) (db *bolt.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: %s: %v; keep the file and call support", ErrDamaged, path, r)
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         2 * time.Second,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: 64 << 20,
		MaxSize:         int(size),
	})
	switch {
	case err == nil:
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("journal: %w", err)
	default:
		return nil, fmt.Errorf("%w: %s: %v; keep the file and call support", ErrDamaged, path, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		var first error
		for e := range tx.Check() {
			if first == nil {
				first = e
			}
		}
		return first
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("%w: %s: %v; keep the file and call support", ErrDamaged, path, err)
	}
	return db, nil
}

// prepare makes the buckets of a new journal and checks that the key fits an old one.
func (j *Journal) prepare() error {
	return j.db.Update(func(tx *bolt.Tx) error {
		for _, b := range [][]byte{bucketMeta, bucketCases, bucketCodes, bucketKeys, bucketSealed, bucketEffects, bucketLanes,
			bucketRecords, bucketWaiting, bucketBlobs, bucketOwned} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return fmt.Errorf("journal: %w", err)
			}
		}
		for _, l := range wire.Lanes {
			if _, err := tx.Bucket(bucketRecords).CreateBucketIfNotExists([]byte(l)); err != nil {
				return fmt.Errorf("journal: %w", err)
			}
		}
		meta := tx.Bucket(bucketMeta)
		if sealed := meta.Get([]byte(metaKeyProof)); sealed != nil {
			if _, err := j.key.open(sealed, []byte(j.opt.Terminal)); err != nil {
				return fmt.Errorf("%w (journal of another terminal, or key file %s is not its own)", ErrKey, j.opt.KeyFile)
			}
			return nil
		}
		sealed, err := j.key.seal([]byte("budayang"), []byte(j.opt.Terminal))
		if err != nil {
			return err
		}
		return meta.Put([]byte(metaKeyProof), sealed)
	})
}

// metaKeyProof is sealed with the key file's key, so that a wrong key is noticed at once.
const metaKeyProof = "key-proof"

// Close closes the file.
func (j *Journal) Close() error { return j.db.Close() }

// Tx is one change of the record. It is good only inside [Journal.Update].
type Tx struct {
	j  *Journal
	tx *bolt.Tx
}

// Update makes one change: all of fn, or nothing. When it returns nil, the change is on disk.
func (j *Journal) Update(fn func(tx *Tx) error) error {
	err := j.db.Update(func(tx *bolt.Tx) error { return fn(&Tx{j, tx}) })
	if err != nil {
		if errors.Is(err, bolterrors.ErrMaxSizeReached) {
			return fmt.Errorf("%w: %v", ErrFull, err)
		}
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
	j.changed = make(chan struct{})
	return nil
}

// Changed is closed after the next change.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// SetClockOffset says how far the platform's clock is ahead of this machine's; records carry it.
func (j *Journal) SetClockOffset(d time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.offset = d
}

func (j *Journal) clockOffset() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.offset
}

// now is the terminal's clock at the resolution of the wire.
func (j *Journal) now() time.Time { return j.opt.Now().UTC().Truncate(time.Millisecond) }

// crash marks a named point at which tests kill the process.
func (j *Journal) crash(point string) {
	if j.opt.Crash != nil {
		j.opt.Crash(point)
	}
}

// Crash points, in the order in which a print passes them.
const (
	crashCaseOpened     = "case.opened"
	crashEffectIntended = "effect.intended"
	crashEffectNoted    = "effect.noted"
	crashEffectActed    = "effect.acted"
	crashEffectEnded    = "effect.ended"
	crashStateSet       = "state.set"
	crashBlobPut        = "blob.put"
	crashAcked          = "outbox.acked"
)

// CrashPoints are the names with which Options.Crash is called. Points inside a transaction come before its commit.
func CrashPoints() []string {
	return []string{crashCaseOpened, crashStateSet, crashBlobPut, crashEffectIntended, crashEffectNoted, crashEffectActed,
		crashEffectEnded, crashAcked}
}

// Full says whether new business would eat into the reserve.
func (j *Journal) Full() bool {
	st, err := os.Stat(j.db.Path())
	if err != nil {
		return true
	}
	if st.Size() < j.opt.MaxSize-reserve {
		return false
	}
	free := int64(j.db.Stats().FreePageN) * int64(j.db.Info().PageSize)
	return free < reserve
}

// SetMeta keeps a small named value.
func (tx *Tx) SetMeta(key string, value []byte) error {
	if key == "" || key == metaKeyProof {
		return fmt.Errorf("journal: meta key %q is not to be used", key)
	}
	return tx.tx.Bucket(bucketMeta).Put([]byte(key), value)
}

// Meta returns a small named value, [ErrNotFound] when there is none.
func (j *Journal) Meta(key string) (value []byte, err error) {
	err = j.db.View(func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketMeta).Get([]byte(key))
		if v == nil {
			return fmt.Errorf("meta %q: %w", key, ErrNotFound)
		}
		value = append([]byte(nil), v...)
		return nil
	})
	return value, err
}

// syncDir makes a directory's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
