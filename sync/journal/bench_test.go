package journal_test

// How fast a durable change is, as a ratio to what the disk and a bare bbolt can do with the same bytes in the same run.

import (
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	_ "modernc.org/sqlite"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// caseUpdate is one durable change of a case: a step's result and a record for the platform.
func caseUpdate(j *journal.Journal, id string, n uint64) error {
	return j.Update(func(tx *journal.Tx) error {
		if err := tx.RecordStep(id, "step", n); err != nil {
			return err
		}
		_, err := tx.Emit(wire.LaneTx, id, wire.TypeCaseState, 1, wire.CaseState{State: "ACCEPTED", Why: "bench", At: time.Now()})
		return err
	})
}

// written is how many bytes of values caseUpdate puts, read from the file: the case, the last record, the lane's head and the
// case's counter.
func written(b *testing.B, j *journaltest.Journal, id string) (n int) {
	b.Helper()
	must(b, caseUpdate(j.Journal, id, 1))
	must(b, j.Close())
	db, err := bolt.Open(j.Path, 0o600, &bolt.Options{ReadOnly: true})
	must(b, err)
	must(b, db.View(func(tx *bolt.Tx) error {
		_, last := tx.Bucket([]byte("records")).Bucket([]byte(wire.LaneTx)).Cursor().Last()
		n = len(last) + len(tx.Bucket([]byte("cases")).Get([]byte(id))) + len(tx.Bucket([]byte("lanes")).Get([]byte(wire.LaneTx))) +
			len(tx.Bucket([]byte("waiting")).Get([]byte(id)))
		return nil
	}))
	must(b, db.Close())
	j.Journal, err = journal.Open(j.Path, j.Opt)
	must(b, err)
	return n
}

// BenchmarkCaseUpdate alternates one durable case update of the journal with a bare bbolt Update, an SQLite commit
// (WAL, synchronous=FULL) and two bare fsyncs of 4 KiB, so that all see the same disk at the same time, and reports how many
// of each a second would hold and the journal's ratio to the others.
func BenchmarkCaseUpdate(b *testing.B) {
	j := journaltest.Open(b, journal.Options{})
	c := openCase(b, j.Journal)
	dir := b.TempDir()

	db, err := bolt.Open(filepath.Join(dir, "bare.db"), 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType, InitialMmapSize: 64 << 20})
	must(b, err)
	defer db.Close()
	must(b, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err }))

	lite, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "lite.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	must(b, err)
	defer lite.Close()
	lite.SetMaxOpenConns(1)
	_, err = lite.Exec("CREATE TABLE r (seq INTEGER PRIMARY KEY, body BLOB)")
	must(b, err)

	raw, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_WRONLY, 0o600)
	must(b, err)
	defer raw.Close()
	page, value := make([]byte, 4096), make([]byte, written(b, j, c.ID))
	_, _ = rand.Read(value)

	var ours, bare, sqlite, disk time.Duration
	timed := func(sum *time.Duration, do func() error) {
		began := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		*sum += time.Since(began)
	}
	n := uint64(0)
	for b.Loop() {
		n++
		timed(&ours, func() error {
			return caseUpdate(j.Journal, c.ID, n)
		})
		timed(&bare, func() error {
			return db.Update(func(tx *bolt.Tx) error {
				return tx.Bucket([]byte("b")).Put(binary.BigEndian.AppendUint64(nil, n), value)
			})
		})
		timed(&sqlite, func() error {
			_, err := lite.Exec("INSERT INTO r VALUES (?, ?)", n, value)
			return err
		})
		timed(&disk, func() error {
			for i := range int64(2) {
				if _, err := raw.WriteAt(page, i*4096); err != nil {
					return err
				}
				if err := raw.Sync(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	per := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
	b.ReportMetric(float64(len(value)), "value-bytes")
	b.ReportMetric(per(ours), "updates/s")
	b.ReportMetric(per(bare), "bbolt/s")
	b.ReportMetric(per(sqlite), "sqlite/s")
	b.ReportMetric(per(disk), "2fsync/s")
	b.ReportMetric(per(ours)/per(bare), "of-bbolt")
	b.ReportMetric(per(ours)/per(sqlite), "of-sqlite")
	b.ReportMetric(per(ours)/per(disk), "of-2fsync")
}
