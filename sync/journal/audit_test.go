package journal_test

// The audit chain under somebody's hands: copies of a journal are cut, edited, exchanged and reordered, and every one of
// these is found.

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// stamp stands in for a key: what it signs ends with the seal.
func stamp(b []byte) ([]byte, error) { return append([]byte("seal "), b...), nil }

func stamped(h wire.AuditHead) error {
	if !bytes.Equal(h.Signature, append([]byte("seal "), h.SigningBytes()...)) {
		return wire.ErrSignature
	}
	return nil
}

func note(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	for range n {
		if err := j.Update(func(tx *journal.Tx) error { return tx.Audit(journal.EventCardLeft, "citizen", nil) }); err != nil {
			t.Fatal(err)
		}
	}
}

// audited is a closed journal of 24 entries with heads behind the 8th and the 20th, its last head, and a signed
// acknowledgement up to 15.
func auditedJournal(t *testing.T) (dir string, opt journal.Options, head wire.AuditHead) {
	t.Helper()
	dir = t.TempDir()
	opt = journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key"), BlobDir: filepath.Join(dir, "blobs")}
	j := journaltest.OpenAt(t, filepath.Join(dir, "j.db"), opt)
	note(t, j.Journal, 8)
	if _, err := j.SignHead("hour", stamp); err != nil {
		t.Fatal(err)
	}
	note(t, j.Journal, 12)
	some, err := j.Pending(wire.LaneAudit, 15, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	last := some[len(some)-1].Header
	if err := j.Acked(wire.Ack{Terminal: opt.Terminal, Epoch: 1, Lane: wire.LaneAudit, High: last.Seq, Hash: last.Hash(), Signature: []byte("platform")}); err != nil {
		t.Fatal(err)
	}
	if head, err = j.SignHead("stop", stamp); err != nil {
		t.Fatal(err)
	}
	note(t, j.Journal, 4)
	j.Shut()
	return dir, opt, head
}

// claims are what the witnesses say of a journal.
func claims(t *testing.T, j *journal.Journal, head wire.AuditHead) []wire.Claim {
	t.Helper()
	a, err := j.AuditAck()
	if err != nil {
		t.Fatal(err)
	}
	return []wire.Claim{{Epoch: head.Epoch, Seq: head.Seq, Hash: head.Hash, By: "head"}, {Epoch: a.Epoch, Seq: a.High, Hash: a.Hash, By: "ack"}}
}

func TestAWholeAuditChain(t *testing.T) {
	dir, opt, head := auditedJournal(t)
	j := journaltest.OpenAt(t, filepath.Join(dir, "j.db"), opt)
	r, err := j.VerifyAudit(t.Context(), stamped, claims(t, j.Journal, head))
	if err != nil || len(r.Problems) > 0 {
		t.Fatalf("%v %v", err, r.Problems)
	}
	if r.Entries != 24 || r.Heads != 2 || r.Head.Seq != 26 || r.LastHead.IsZero() {
		t.Errorf("%+v", r)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := j.VerifyAudit(ctx, stamped, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A new epoch and a trim leave a chain that verifies.
func TestAnAuditChainGoesOn(t *testing.T) {
	dir, opt, head := auditedJournal(t)
	later := time.Now().Add(time.Hour)
	opt.Now = func() time.Time { return later }
	j := journaltest.OpenAt(t, filepath.Join(dir, "j.db"), opt)
	said := claims(t, j.Journal, head)
	check := func(what string, epochs int) {
		t.Helper()
		r, err := j.VerifyAudit(t.Context(), stamped, said)
		if err != nil || len(r.Problems) > 0 || r.Epochs != epochs {
			t.Fatalf("%s: %v %+v", what, err, r)
		}
	}
	if _, _, err := j.Trim(later.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	check("trimmed", 1)
	if err := j.NewEpoch(2); err != nil {
		t.Fatal(err)
	}
	check("new epoch", 2)
	note(t, j.Journal, 3)
	if _, err := j.SignHead("hour", stamp); err != nil {
		t.Fatal(err)
	}
	check("signed again", 2)
}

// lane gives the stored records of the audit lane to a tamperer.
func lane(tx *bolt.Tx) *bolt.Bucket {
	return tx.Bucket([]byte("records")).Bucket([]byte(wire.LaneAudit))
}

// bare is a stored value without its checksum; a tamperer who leaves the checksum away is believed as an older program is.
func bare(v []byte) []byte {
	if len(v) > 5 && v[0] == 1 {
		return v[5:]
	}
	return v
}

func seqAt(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// ledger makes the lane's own account agree with where the tamperer let it end.
func ledger(tx *bolt.Tx, head uint64) error {
	var st map[string]any
	b := tx.Bucket([]byte("lanes"))
	if err := json.Unmarshal(bare(b.Get([]byte(wire.LaneAudit))), &st); err != nil {
		return err
	}
	var h wire.Header
	if err := json.Unmarshal(bare(lane(tx).Get(seqAt(head))), &h); err != nil {
		return err
	}
	st["head"], st["head_hash"] = head, h.Hash()
	raw, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return b.Put([]byte(wire.LaneAudit), raw)
}

func cut(from, to uint64) func(tx *bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		for n := from; n <= to; n++ {
			if err := lane(tx).Delete(seqAt(n)); err != nil {
				return err
			}
		}
		return nil
	}
}

// edit changes one stored record as JSON.
func edit(n uint64, change func(r map[string]any)) func(tx *bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		var r map[string]any
		d := json.NewDecoder(bytes.NewReader(bare(lane(tx).Get(seqAt(n)))))
		d.UseNumber()
		if err := d.Decode(&r); err != nil {
			return err
		}
		change(r)
		raw, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return lane(tx).Put(seqAt(n), raw)
	}
}

func TestTamperingWithTheAuditChainIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(tx *bolt.Tx) error
		want string
	}{
		"cut at the end": {func(tx *bolt.Tx) error { return errors.Join(cut(19, 26)(tx), ledger(tx, 18)) }, "cut off"},
		"cut behind the acknowledged": {func(tx *bolt.Tx) error {
			return errors.Join(cut(15, 26)(tx), ledger(tx, 14))
		}, "ack went to 15"},
		"cut without the ledger": {cut(25, 26), "the ledger says 26"},
		"cut in the middle":      {cut(10, 10), "follows 9"},
		"cut at the beginning":   {cut(1, 3), "cut off at the beginning"},
		"time edited":            {edit(5, func(r map[string]any) { r["wall"] = "2026-01-02T03:04:05Z" }), "does not continue"},
		"case edited":            {edit(5, func(r map[string]any) { r["case"] = "x" }), "does not continue"},
		"body edited":            {edit(12, func(r map[string]any) { r["sealed"] = "AAAA" }), "cannot be read"},
		"body exchanged": {func(tx *bolt.Tx) error {
			var a, b map[string]any
			if err := errors.Join(json.Unmarshal(bare(lane(tx).Get(seqAt(3))), &a), json.Unmarshal(bare(lane(tx).Get(seqAt(4))), &b)); err != nil {
				return err
			}
			return edit(3, func(r map[string]any) { r["sealed"] = b["sealed"] })(tx)
		}, "cannot be read"},
		"two exchanged": {func(tx *bolt.Tx) error {
			a, b := bytes.Clone(lane(tx).Get(seqAt(6))), bytes.Clone(lane(tx).Get(seqAt(7)))
			return errors.Join(lane(tx).Put(seqAt(6), b), lane(tx).Put(seqAt(7), a))
		}, "out of order"},
		"two exchanged and renumbered": {func(tx *bolt.Tx) error {
			a, b := bytes.Clone(lane(tx).Get(seqAt(6))), bytes.Clone(lane(tx).Get(seqAt(7)))
			err := errors.Join(lane(tx).Put(seqAt(6), b), lane(tx).Put(seqAt(7), a))
			return errors.Join(err, edit(6, func(r map[string]any) { r["seq"] = 6 })(tx), edit(7, func(r map[string]any) { r["seq"] = 7 })(tx))
		}, "cannot be read"},
		"one twice":    {func(tx *bolt.Tx) error { return lane(tx).Put(seqAt(8), bytes.Clone(lane(tx).Get(seqAt(7)))) }, "out of order"},
		"not a record": {func(tx *bolt.Tx) error { return lane(tx).Put(seqAt(8), []byte("{")) }, "not a record"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, opt, head := auditedJournal(t)
			path := filepath.Join(dir, "j.db")
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(tc.do), db.Close()); err != nil {
				t.Fatal(err)
			}
			j, err := journal.Open(path, opt)
			if errors.Is(err, journal.ErrDamaged) && strings.Contains(err.Error(), "lane audit") {
				return // not even opened: what hangs together badly by itself needs no witness
			}
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			if e := audited(t, j, "journal.differs"); len(e) != 1 || e[0].Fields["by"] != "hand" {
				t.Errorf("told: %+v", e)
			}
			r, err := j.VerifyAudit(t.Context(), stamped, claims(t, j, head))
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(r.Problems, "\n"); !strings.Contains(all, tc.want) {
				t.Errorf("found:\n%s\nexpected %q", all, tc.want)
			}
		})
	}
}

// An older copy of the journal that goes on writing, as long as the real one or longer: chain and ledger hold together, and
// every signature is its own; only the witnesses know.
func TestAnExchangedAuditChainIsFound(t *testing.T) {
	dir := t.TempDir()
	opt := journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key"), BlobDir: filepath.Join(dir, "blobs")}
	path := filepath.Join(dir, "j.db")
	j, err := journal.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	note(t, j, 5)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if j, err = journal.Open(path, opt); err != nil {
		t.Fatal(err)
	}
	note(t, j, 5)
	head, err := j.SignHead("stop", stamp)
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "copy.db")
	if err := os.WriteFile(copied, old, 0o600); err != nil {
		t.Fatal(err)
	}
	opt.BlobDir = filepath.Join(dir, "copy.blobs")
	if j, err = journal.Open(copied, opt); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	note(t, j, 9)
	if _, err := j.SignHead("stop", stamp); err != nil {
		t.Fatal(err)
	}
	said := []wire.Claim{{Epoch: 1, Seq: head.Seq, Hash: head.Hash, By: "the head"}}
	r, err := j.VerifyAudit(t.Context(), stamped, said)
	if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "another than the head") {
		t.Errorf("%v %v", err, r.Problems)
	}
	if r, err := j.VerifyAudit(t.Context(), stamped, nil); err != nil || len(r.Problems) != 0 {
		t.Errorf("without a witness: %v %v", err, r.Problems)
	}
}

// A head that somebody else signed, or that was moved, is found.
func TestAForgedAuditHeadIsFound(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	note(t, j.Journal, 2)
	if _, err := j.SignHead("hour", func(b []byte) ([]byte, error) { return []byte("another's"), nil }); err != nil {
		t.Fatal(err)
	}
	r, err := j.VerifyAudit(t.Context(), stamped, nil)
	if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "signature") {
		t.Errorf("%v %v", err, r.Problems)
	}
	no := errors.New("the key is gone")
	if _, err := j.SignHead("hour", func([]byte) ([]byte, error) { return nil, no }); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
}
