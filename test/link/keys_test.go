package link

// Who can open what a terminal wrote, from enrolment until the platform's backup holds it, and after its board is dead.

import (
	"bytes"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// sealing is the platform's own key, as its operator has it.
func sealing(t *testing.T, c *city) *ecdh.PrivateKey {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(c.ca), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*ecdh.PrivateKey)
}

// obedient is a terminal that does what the platform says about backups.
func obedient(t *testing.T, c *city) (*terminal, *uplink.Orders) {
	t.Helper()
	x := newTerminal(t, c, t.TempDir(), "990000-0003")
	o := &uplink.Orders{Journal: x.Journal, Handle: map[string]uplink.Handler{wire.MessageBackup: uplink.BackedUp(x.Journal)}}
	x.link = uplink.New(uplink.Options{Client: x.client, Journal: x.Journal, Site: "s", Name: "n", Software: "test", Code: c.codes(x.id.Terminal),
		Message: o.Message, Expired: o.Expired,
		Beat: 50 * time.Millisecond, Base: 20 * time.Millisecond, Cap: 200 * time.Millisecond, PullWait: time.Second})
	return x, o
}

func (x *terminal) copies(t *testing.T, id string) (all []wire.SealedRecord) {
	t.Helper()
	records, err := x.SealedCopies(wire.LaneTx, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Case == id {
			all = append(all, r)
		}
	}
	return all
}

// The promise about erasure: after acknowledgement and retention nobody at the terminal opens a case any more; the platform
// still does, until it has said that its backup holds it; then nobody.
func TestErasureEndsWithThePlatformsBackup(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		store, err := platform.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "platform.db"))
		if err != nil {
			t.Fatal(err)
		}
		erasureEnds(t, store, func() platform.Store {
			file := filepath.Join(t.TempDir(), "backup.db")
			if err := platform.BackUp(t.Context(), store, file); err != nil {
				t.Fatal(err)
			}
			backup, err := platform.OpenSQLiteBackup(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			return backup
		})
	})
	// With PostgreSQL's own tools, read back into another cluster.
	t.Run("postgres", func(t *testing.T) {
		live, spare := pgtest.Start(t), pgtest.Start(t)
		opened := func(place string) platform.Store {
			s, err := platform.OpenPostgres(t.Context(), place)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		name := live.Create(t)
		erasureEnds(t, opened(live.URL(name)), func() platform.Store { return opened(spare.URL(spare.Restore(t, live.Dump(t, name)))) })
	})
}

// erasureEnds plays it over a store; copied backs it up and reads the backup back.
func erasureEnds(t *testing.T, store platform.Store, copied func() platform.Store) {
	c := newCityOn(t, store)
	x, orders := obedient(t, c)
	written := x.open(t, "before-enrolment")
	x.run(t)
	eventually(t, "outbox empty", x.drained)
	if err := x.Update(func(tx *journal.Tx) error { return tx.SetState(written.ID, journal.Closed, "") }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "outbox empty", x.drained)
	if err := x.Shred(written.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "outbox empty", x.drained)
	key := sealing(t, c)
	copies := x.copies(t, written.ID)
	if len(copies) != 3 {
		t.Fatalf("%d copies for the platform", len(copies))
	}
	for _, s := range copies {
		if _, err := s.Open(key); err != nil {
			t.Errorf("the platform's copy of %s/%d: %v", s.Lane, s.Seq, err)
		}
	}

	// The store in use is no backup of itself.
	if _, err := c.AnnounceBackup(t.Context(), store, "test"); !errors.Is(err, platform.ErrBackup) {
		t.Errorf("the live store: %v", err)
	}
	backup := copied()
	defer backup.Close()
	later := x.open(t, "after-the-backup")
	eventually(t, "outbox empty", x.drained)
	r, err := c.AnnounceBackup(t.Context(), backup, "test")
	if err != nil || r.Told != 1 || len(r.Differs) != 0 || r.Taken.IsZero() {
		t.Fatalf("%+v, %v", r, err)
	}
	if again, err := c.AnnounceBackup(t.Context(), backup, "test"); err != nil || again.Told != 0 {
		t.Errorf("the same backup again: %+v, %v", again, err)
	}
	eventually(t, "the message", func() bool {
		if _, err := orders.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(x.copies(t, written.ID)) == 0
	})
	if n := len(x.copies(t, later.ID)); n != 2 {
		t.Errorf("%d copies of what the backup lacks", n)
	}
	eventually(t, "its answer", func() bool {
		all, err := c.Orders(t.Context(), x.id.Terminal, 10)
		return err == nil && len(all) == 1 && all[0].Status == wire.OrderDone
	})
}

// Another platform's backup, and one of another history, end nothing.
func TestABackupThatIsNoneEndsNothing(t *testing.T) {
	store, err := platform.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	other := newCityOn(t, store)
	file := filepath.Join(t.TempDir(), "other.db")
	if err := platform.BackUp(t.Context(), store, file); err != nil {
		t.Fatal(err)
	}
	_ = other
	backup, err := platform.OpenSQLiteBackup(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	c := newCity(t)
	if _, err := c.AnnounceBackup(t.Context(), backup, "test"); !errors.Is(err, platform.ErrBackup) {
		t.Errorf("another platform's: %v", err)
	}
	if err := os.WriteFile(file+".torn", []byte("SQLite format 3\x00 and nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := platform.OpenSQLiteBackup(t.Context(), file+".torn"); !errors.Is(err, platform.ErrBackup) {
		t.Errorf("torn: %v", err)
	}
	x, orders := obedient(t, c)
	kept := x.open(t, "12345")
	x.run(t)
	eventually(t, "outbox empty", x.drained)
	lie := wire.BackedUp{Lanes: map[wire.Lane]wire.EpochPoint{wire.LaneTx: {Epoch: 1, LanePoint: wire.LanePoint{Seq: 1, Hash: wire.Hash{1}}}}}
	if err := c.Tell(t.Context(), x.id.Terminal, wire.MessageBackup, lie, time.Time{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "refused", func() bool {
		if _, err := orders.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := x.Pending(wire.LaneCtl, 1, 1<<20)
		n, lerr := x.Lanes()
		return err == nil && lerr == nil && (len(all) > 0 || n[1].Head > 0)
	})
	if n := len(x.copies(t, kept.ID)); n != 2 {
		t.Errorf("%d copies left", n)
	}
}

// The board is dead: what it had not delivered is read from its disk and taken with the platform's key, once.
func TestADeadBoardsRecordsAreTakenWithThePlatformsKey(t *testing.T) {
	c := newCity(t)
	x, _ := obedient(t, c)
	x.open(t, "delivered")
	stop := x.run(t)
	eventually(t, "outbox empty", x.drained)
	stop()
	x.open(t, "never-delivered")
	x.open(t, "nor-this")
	x.gone = true
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(x.dir, "journal.key")); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	lines := json.NewEncoder(&file)
	n := 0
	left, err := journal.Salvage(filepath.Join(x.dir, "journal.db"), func(s wire.SealedRecord) error { n++; return lines.Encode(s) })
	if err != nil || left != 0 {
		t.Fatalf("%d left, %v", left, err)
	}
	if _, err := c.Salvage(t.Context(), bytes.NewReader(file.Bytes()), platform.Operator{}); !errors.Is(err, platform.ErrFile) {
		t.Errorf("nobody vouched for it: %v", err)
	}
	if err := c.Revoke(t.Context(), x.id.Terminal, platform.Operator{Who: "test"}); err != nil {
		t.Fatal(err)
	}
	by := platform.Operator{Who: "li", Why: "board dead"}
	r, err := c.Salvage(t.Context(), bytes.NewReader(file.Bytes()), by)
	if err != nil || r.Accepted != n || r.Unopened != 0 || len(r.Gap) != 0 {
		t.Fatalf("%+v of %d, %v", r, n, err)
	}
	again, err := c.Salvage(t.Context(), bytes.NewReader(file.Bytes()), by)
	if err != nil || again.Accepted != 0 || again.Duplicate != n {
		t.Errorf("again: %+v, %v", again, err)
	}
	got, err := c.Received(t.Context())
	if err != nil || got.Cases != 3 || got.Quarantined != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	seen, err := c.SecurityEvents(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	vouched := false
	for _, e := range seen {
		vouched = vouched || e.Event == "records.salvaged" && e.Who == "li" && e.Count == n
	}
	if !vouched {
		t.Error("nobody is named for it")
	}
	// Another platform's key opens nothing, and says so.
	strange := newCity(t)
	if r, err := strange.Salvage(t.Context(), bytes.NewReader(file.Bytes()), by); err != nil || r.Unopened != n || r.Accepted != 0 {
		t.Errorf("another platform: %+v, %v", r, err)
	}
}
