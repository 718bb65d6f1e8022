package journal_test

// How fast a durable change is, as a ratio to what the disk and a bare bbolt can do with the same bytes in the same run.

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// dirtied is how many bytes this process has caused to be written to disks, 0 where the system does not tell.
func dirtied() (n int64) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// BenchmarkBacklog writes what a terminal writes in thirty days without a platform, 70 cases a day, and then drains it: bytes
// of database and spill for each case, before, after, and after a compaction; then what is written while nothing happens.
func BenchmarkBacklog(b *testing.B) {
	for b.Loop() {
		j := journaltest.Open(b, journal.Options{})
		size := func() (n int64) {
			for _, path := range []string{j.Path, j.Path + journal.SpillSuffix} {
				st, err := os.Stat(path)
				must(b, err)
				n += st.Size()
			}
			return n
		}
		const cases = 30 * 70
		for range cases {
			c := openCase(b, j.Journal)
			_, err := j.Do(b.Context(), journal.Intent{EffectName: name(c.ID, 1), Kind: "k", Case: journal.Printing},
				func(context.Context, func(k, v string) error) journal.Outcome {
					return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
				})
			must(b, err)
			must(b, set(j.Journal, c.ID, journal.Closed))
		}
		full := size()
		began := time.Now()
		j.Reopen()
		b.ReportMetric(time.Since(began).Seconds(), "open-s")
		ackAll(b, j.Journal)
		all, err := j.Cases(nil)
		must(b, err)
		for _, c := range all {
			must(b, j.Shred(c.ID))
		}
		ackAll(b, j.Journal)
		_, _, err = j.Trim(time.Now().Add(time.Hour))
		must(b, err)
		b.ReportMetric(float64(full)/cases, "bytes/case")
		b.ReportMetric(float64(full)/(1<<20), "full-MiB")
		b.ReportMetric(float64(size())/(1<<20), "drained-MiB")
		_, _, err = j.Compact()
		must(b, err)
		b.ReportMetric(float64(size())/(1<<20), "compacted-MiB")
		before := dirtied()
		time.Sleep(2 * time.Second)
		b.ReportMetric(float64(dirtied()-before)/2, "idle-disk-bytes/s")
		j.Shut()
	}
}

// BenchmarkIdleDay writes what a terminal writes in a day on which nobody comes and no platform is there: a look of telemetry every
// five minutes and a signed head of the audit chain every hour; beside it the same values as plain JSON into a bare bbolt, as often.
// A terminal's journal holds the cases of a month by then.
func BenchmarkIdleDay(b *testing.B) {
	const looks, heads = 288, 24
	key, err := wire.NewKey(wire.P256)
	must(b, err)
	sign := func(m []byte) ([]byte, error) { return wire.Sign(key, m) }
	look := wire.Telemetry{Devices: map[wire.Term]wire.Term{}, Waiting: 120, Oldest: 3600, Journal: 30 << 20, Quota: 1 << 30, Disk: 50 << 30, Memory: 90 << 20, Up: 86_400, Routines: 40}
	for _, role := range []string{"id-reader", "receipt-printer", "document-printer", "camera", "code-scanner"} {
		look.Devices[wire.TermOf(role)] = wire.TermOf("")
	}
	for b.Loop() {
		j := journaltest.Open(b, journal.Options{})
		for range 30 * 70 {
			openCase(b, j.Journal)
		}
		plain, err := bolt.Open(filepath.Join(b.TempDir(), "plain.db"), 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType, InitialMmapSize: 64 << 20})
		must(b, err)
		must(b, plain.Update(func(tx *bolt.Tx) error {
			if _, err := tx.CreateBucket([]byte("tel")); err != nil {
				return err
			}
			_, err := tx.CreateBucket([]byte("audit"))
			return err
		}))
		bytes, ours, theirs := 0, int64(0), int64(0)
		put := func(bucket string, v any) {
			raw, err := json.Marshal(v)
			must(b, err)
			bytes += len(raw)
			before := dirtied()
			must(b, plain.Update(func(tx *bolt.Tx) error {
				k := tx.Bucket([]byte(bucket))
				n, err := k.NextSequence()
				if err != nil {
					return err
				}
				return k.Put(binary.BigEndian.AppendUint64(nil, n), raw)
			}))
			theirs += dirtied() - before
		}
		for i := range looks {
			before := dirtied()
			must(b, j.Update(func(tx *journal.Tx) error { return tx.Tell(look) }))
			ours += dirtied() - before
			put("tel", wire.Sample{Seq: uint64(i + 1), Wall: time.Now(), Telemetry: look})
			if i%(looks/heads) != 0 {
				continue
			}
			before = dirtied()
			h, err := j.SignHead("hour", sign)
			must(b, err)
			ours += dirtied() - before
			put("audit", h)
		}
		// The spill that nobody waits for comes to the disk within 100 ms.
		before := dirtied()
		time.Sleep(300 * time.Millisecond)
		ours += dirtied() - before
		must(b, plain.Close())
		b.ReportMetric(float64(bytes)/1024, "value-KiB/day")
		b.ReportMetric(float64(ours)/1024, "disk-KiB/day")
		b.ReportMetric(float64(theirs)/1024, "plain-disk-KiB/day")
		b.ReportMetric(float64(ours)/float64(theirs), "of-plain")
		j.Shut()
	}
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

	// The journal's own work beside the database: the same bytes appended to a log, durable.
	plain, err := os.OpenFile(filepath.Join(dir, "plain"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(b, err)
	defer plain.Close()

	var ours, bare, logged, sqlite, disk time.Duration
	var oursWritten, bareWritten int64
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
		before := dirtied()
		timed(&ours, func() error {
			return caseUpdate(j.Journal, c.ID, n)
		})
		after := dirtied()
		oursWritten += after - before
		timed(&logged, func() error {
			_, err := plain.Write(value)
			return errors.Join(err, plain.Sync())
		})
		before = dirtied()
		timed(&bare, func() error {
			return db.Update(func(tx *bolt.Tx) error {
				return tx.Bucket([]byte("b")).Put(binary.BigEndian.AppendUint64(nil, n), value)
			})
		})
		bareWritten += dirtied() - before
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
	b.ReportMetric(per(ours)/per(bare+logged), "of-bbolt+log")
	b.ReportMetric(float64(oursWritten)/float64(n), "disk-bytes/update")
	b.ReportMetric(float64(bareWritten)/float64(n), "bbolt-disk-bytes/update")
	b.ReportMetric(float64(oursWritten)/float64(n)/float64(len(value)), "disk-bytes/value-byte")
	b.ReportMetric(float64(oursWritten)/float64(max(1, bareWritten)), "disk-bytes/bbolt's")
	b.ReportMetric(per(ours)/per(sqlite), "of-sqlite")
	b.ReportMetric(per(ours)/per(disk), "of-2fsync")
}
