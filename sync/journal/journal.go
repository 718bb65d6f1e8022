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
// Bodies of records, sealed values and blobs are encrypted with AES-256-GCM, or with SM4-GCM as a profile; what is sealed says
// with which, so that both open whatever the profile is. Every case has a data key of its own, wrapped by the key in the
// [KeyVault] (a file of mode 0600, or a TPM) and, once [Journal.SealTo] was told it, by the platform's, so that [Salvage]
// needs neither vault nor board. [Journal.Shred] destroys the data key for this terminal, and with it everything personal of
// the case, while chains and ledgers still verify: chains cover a salted hash of a body, and the salt is sealed with the body. Of the
// records a copy that only the platform can open stays until [Journal.BackedUp]. Audit entries and records of no case, which
// carry nothing personal, are sealed with a key of their epoch and outlive the case.
//
// bbolt copies on write: the wrapped key of a shredded case can lie in a free page until that page is used again. The spill
// lets go of it at the next [Journal.Trim], at the latest when the journal is closed.
//
// # On disks
//
// bbolt runs with fsync on. Beside the database lies the spill, a log of what every change put and deleted, begun anew with a
// checkpoint whenever little waits; a change is in both when [Journal.Update] returns. At opening the pages, the chains and
// ledgers, and the spill are held against each other: a database that is behind is brought forward, and if it was by more
// than the one change that a power cut may leave, or if the spill is behind, the audit chain says so. A sum over everything that
// the database holds ([bucketSum]) tells whether it is what its last change left: pages that a disk did not keep are as sound as their
// newer selves. A database that does not open, does not verify or has another sum is reported as [ErrDamaged] and left as it is; [Recover]
// makes one from the spill and tells what is missing. One that was changed by somebody else, or has no spill left to be made from, is
// used as it is, and the audit chain says so (journal.differs). Nothing is ever silently made anew. A new journal is made aside and linked to its name whole, so that an empty file under
// that name is damage too.
//
// [Journal.Trim] forgets what the platform has held for long enough; nothing unacknowledged is ever forgotten.
package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

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
	bucketBlobs   = []byte("blobs")   // keyed hash of the content / case id / name → nothing
	bucketOwned   = []byte("owned")   // case id / name → JSON blobEntry
	bucketOrders  = []byte("orders")  // message id → Order
	bucketEscrow  = []byte("escrow")  // case id / generation → data key that was destroyed here, sealed to the platform
	bucketArchive = []byte("archive") // lane / epoch → bucket: seq → stored; acknowledged records of earlier epochs
)

// Journal is the open record. Its methods may be called from any goroutine.
type Journal struct {
	db      *bolt.DB
	opt     Options
	key     masterKey
	sums    *summer // of whoever holds writing
	doubt   string  // the sum differs, and the audit chain does not say so yet
	started time.Time
	path    string

	// writing is held by whoever changes the database and the spill.
	writing sync.Mutex
	// swap is held by whoever puts another file in the database's place; readers share it.
	swap    sync.RWMutex
	spill   *spill
	failed  error      // the disk failed in the middle of a commit
	lagging bool       // the spill will be made durable soon
	latest  latestCase // kept while writing is held
	closed  bool

	mu      sync.Mutex
	changed chan struct{}
	clock   clock
	acting  map[EffectName]bool     // effects that are being done in this process
	owed    map[EffectName]Outcome  // outcomes for which there was no room
	owing   bool                    // they are tried again soon
	loose   map[wire.Hash]looseBlob // blobs on disk that no change refers to yet
}

// Open opens the journal or makes a new one.
func Open(path string, opt Options) (*Journal, error) {
	opt, err := opt.filled(path)
	if err != nil {
		return nil, err
	}
	fresh := false
	switch st, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		fresh = true
	case err == nil && st.Size() == 0:
		return nil, damaged(path, "the file is empty")
	}
	if fresh {
		if _, err := os.Stat(spillPath(path)); err == nil {
			return nil, damaged(path, "it is gone, and "+spillPath(path)+" is there")
		}
	}
	if err := os.MkdirAll(opt.BlobDir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	key, err := openKey(opt, fresh)
	if err != nil {
		return nil, err
	}
	j := newJournal(path, key, opt)
	if fresh {
		if err := j.create(path); err != nil {
			return nil, fmt.Errorf("new journal: %w", err)
		}
		opt.Log.Warn("no journal was there: a new one was made", "path", path)
	}
	if j.db, err = openBolt(path, opt.MaxSize); err != nil {
		return nil, err
	}
	if err := j.begin(); err != nil {
		_ = j.shut()
		return nil, err
	}
	return j, nil
}

// begin makes what was opened fit for use.
func (j *Journal) begin() error {
	if err := j.prepare(); err != nil {
		return err
	}
	if err := j.holdsTogether(); err != nil {
		return err
	}
	if err := j.readFloor(); err != nil {
		return err
	}
	if err := j.openSpill(); err != nil {
		return err
	}
	return errors.Join(j.sweepBlobs(), j.keepEmergency())
}

// holdsTogether refuses a database whose pages are sound and whose contents contradict each other: a disk that kept old
// pages leaves one.
func (j *Journal) holdsTogether() error {
	r, err := j.verify(context.Background(), false)
	if err == nil && len(r.Problems) > 0 {
		err = errors.New(r.Problems[0])
	}
	if err != nil {
		return damaged(j.path, err)
	}
	return nil
}

func newJournal(path string, key masterKey, opt Options) *Journal {
	j := &Journal{opt: opt, key: key, path: path, started: time.Now(), changed: make(chan struct{}),
		acting: map[EffectName]bool{}, loose: map[wire.Hash]looseBlob{}}
	j.sums = j.summer()
	return j
}

// filled puts defaults where nothing is said.
func (opt Options) filled(path string) (Options, error) {
	if opt.Terminal == "" {
		return opt, errors.New("journal: no terminal id")
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
	if opt.DiskFloor == 0 {
		opt.DiskFloor = defaultFloor
	}
	if opt.Emergency == 0 {
		opt.Emergency = defaultEmergency
	}
	if opt.Boot == "" {
		opt.Boot = uuid.NewString()
	}
	if opt.BlobDir == "" {
		opt.BlobDir = path + ".blobs"
	}
	if opt.Vault == nil && opt.KeyFile == "" {
		return opt, errors.New("journal: no key file")
	}
	if opt.Vault == nil {
		opt.Vault = FileVault(opt.KeyFile)
	}
	if !opt.Cipher.Known() {
		return opt, fmt.Errorf("journal: cipher %.20q is not known", string(opt.Cipher))
	}
	return opt, nil
}

// create makes an empty journal aside and links it to its name whole; a crash leaves either nothing there or all of it.
func (j *Journal) create(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := f.Close(); err != nil {
		return err
	}
	if j.db, err = openBolt(f.Name(), j.opt.MaxSize); err != nil {
		return err
	}
	if err := errors.Join(j.prepare(), j.db.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// prepare makes the buckets of a new journal and checks that the key fits an old one.
func (j *Journal) prepare() error {
	ready, counted := false, false
	err := j.view(func(tx *bolt.Tx) (err error) {
		if ready, err = j.furnished(tx); ready {
			counted = tx.Bucket(bucketSure) != nil && tx.Bucket(bucketSum) != nil
		}
		return err
	})
	switch {
	case err != nil || counted:
		return err
	case ready: // made before there were these counters
		return j.db.Update(func(tx *bolt.Tx) error {
			for _, b := range [][]byte{bucketSure, bucketSum} {
				if _, err := tx.CreateBucketIfNotExists(b); err != nil {
					return err
				}
			}
			return j.sums.set(tx)
		})
	}
	return j.db.Update(j.furnish)
}

// furnished says whether everything is there that every journal has. Nothing at all is a new one; a journal of the first
// version lacks the lineage and what came with it; anything else that is missing is damage.
func (j *Journal) furnished(tx *bolt.Tx) (bool, error) {
	if k, _ := tx.Cursor().First(); k == nil {
		return false, nil
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return false, damaged(j.path, "its settings are missing")
	}
	sealed := meta.Get([]byte(metaKeyProof))
	if sealed == nil {
		return false, damaged(j.path, "the proof of its key is missing")
	}
	if _, err := j.key.open(sealed, []byte(j.opt.Terminal)); err != nil {
		if j.opensSomething(tx) {
			return false, damaged(j.path, "the proof of its key is not what was written")
		}
		return false, fmt.Errorf("%w (journal of another terminal, or %s is not its own)", ErrKey, j.opt.Vault)
	}
	change := tx.Bucket(bucketChange)
	if len(meta.Get([]byte(metaLineage))) != lineageSize {
		if change != nil {
			return false, damaged(j.path, "its lineage is missing")
		}
		return false, nil
	}
	for _, name := range append([][]byte{bucketChange}, spilled...) {
		if tx.Bucket(name) == nil {
			return false, damaged(j.path, fmt.Sprintf("its %s are missing", name))
		}
	}
	for _, l := range wire.Lanes {
		if tx.Bucket(bucketRecords).Bucket([]byte(l)) == nil {
			return false, damaged(j.path, fmt.Sprintf("its lane %s is missing", l))
		}
	}
	return true, nil
}

// opensSomething says whether the key opens a record of this terminal: then it is the right one, whatever its proof says.
func (j *Journal) opensSomething(tx *bolt.Tx) bool {
	records := tx.Bucket(bucketRecords)
	if records == nil || tx.Bucket(bucketKeys) == nil {
		return false
	}
	audit := records.Bucket([]byte(wire.LaneAudit))
	if audit == nil {
		return false
	}
	_, v := audit.Cursor().Last()
	var s stored
	if v == nil || decode(v, &s) != nil || s.Terminal != j.opt.Terminal {
		return false
	}
	_, err := j.openRecord(tx, s)
	return err == nil
}

// furnish makes what every journal has.
func (j *Journal) furnish(tx *bolt.Tx) error {
	for _, b := range append([][]byte{bucketChange, bucketSure, bucketSum}, spilled...) {
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
	lineage := make([]byte, lineageSize)
	if _, err := rand.Read(lineage); err != nil {
		return err
	}
	if err := meta.Put([]byte(metaLineage), lineage); err != nil {
		return err
	}
	if meta.Get([]byte(metaKeyProof)) != nil {
		return j.sums.set(tx)
	}
	sealed, err := j.key.seal([]byte("budayang"), []byte(j.opt.Terminal))
	if err != nil {
		return err
	}
	if err := meta.Put([]byte(metaKeyProof), sealed); err != nil {
		return err
	}
	return j.sums.set(tx)
}

// metaLineage is random and tells a journal from every other one; its spill names it.
const (
	metaLineage = "lineage"
	lineageSize = 16
)

// metaKeyProof is sealed with the vault's key, so that a wrong key is noticed at once.
const metaKeyProof = "key-proof"

// metaReceipts counts receipt codes.
const metaReceipts = "receipt-counter"

// Close closes the files.
func (j *Journal) Close() error {
	return errors.Join(j.tidySpill(), j.shut())
}

func (j *Journal) shut() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.closed = true
	return errors.Join(j.db.Close(), j.spill.close())
}

// view reads. It must not be called from inside itself.
func (j *Journal) view(do func(tx *bolt.Tx) error) error {
	j.swap.RLock()
	defer j.swap.RUnlock()
	return j.db.View(do)
}

// settled is view of what is on the disk, for what leaves the machine: bbolt shows a reader a change whose last sync is under way, or
// failed. Was it sent and then lost to a power cut, the platform would hold more than we do, which looks like a disk that was set back.
func (j *Journal) settled(do func(tx *bolt.Tx) error) error {
	j.writing.Lock()
	j.swap.RLock()
	defer j.swap.RUnlock()
	tx, err := (*bolt.Tx)(nil), j.failed
	if err == nil {
		tx, err = j.db.Begin(false)
	}
	j.writing.Unlock()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return do(tx)
}

// Changed is closed after the next change.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// crash marks a named point at which tests kill the process.
func (j *Journal) crash(point string) {
	if j.opt.Crash != nil {
		j.opt.Crash(point)
	}
}

// Crash points, in the order in which a print passes them.
const (
	crashBlobPut        = "blob.put"
	crashSpilled        = "change.spilled"
	crashCommitted      = "change.committed"
	crashCaseOpened     = "case.opened"
	crashStateSet       = "state.set"
	crashEffectIntended = "effect.intended"
	crashEffectNoted    = "effect.noted"
	crashEffectActed    = "effect.acted"
	crashEffectEnding   = "effect.ending"
	crashEffectEnded    = "effect.ended"
	crashAcked          = "outbox.acked"
	crashRewound        = "outbox.rewound"
	crashEpoch          = "epoch.began"
	crashShredding      = "case.shredding"
	crashShredded       = "case.shredded"
)

// CrashPoints are the names with which Options.Crash is called. case.opened, state.set, effect.ending, outbox.acked,
// outbox.rewound, epoch.began, case.shredding and change.spilled lie inside a transaction, before its commit; the others after one.
func CrashPoints() []string {
	return []string{crashBlobPut, crashSpilled, crashCommitted, crashCaseOpened, crashStateSet, crashEffectIntended, crashEffectNoted, crashEffectActed,
		crashEffectEnding, crashEffectEnded, crashAcked, crashRewound, crashEpoch, crashShredding, crashShredded}
}

// SetMeta keeps a small named value.
func (tx *Tx) SetMeta(key string, value []byte) error {
	if key == "" || key == metaKeyProof || key == metaReceipts || key == metaLineage || key == metaSealKey || key == metaBackedUp ||
		key == metaKnown || key == metaFix || key == metaLeft || key == metaAcked || key == metaSum || strings.HasPrefix(key, metaStock) {
		return fmt.Errorf("journal: meta key %q is not to be used", key)
	}
	return tx.bucket(bucketMeta).Put([]byte(key), value)
}

// Size is what of the quota is used, and the quota, both in bytes.
func (j *Journal) Size() (used, quota int64) {
	_ = j.view(func(tx *bolt.Tx) error {
		used = tx.Size() - j.free()
		return nil
	})
	return used, j.opt.MaxSize
}

// Meta returns a small named value, [ErrNotFound] when there is none.
func (j *Journal) Meta(key string) (value []byte, err error) {
	err = j.view(func(tx *bolt.Tx) error {
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
