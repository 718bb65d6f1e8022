package journal_test

// The platform's copy: it opens without the terminal, and the terminal cannot open it.

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

func sealKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	must(t, err)
	return k
}

func TestUnsentRecordsOutliveTheBoard(t *testing.T) {
	j := journaltest.Open(t, opt)
	private := sealKey(t)
	work(t, j.Journal, 3)
	must(t, j.SealTo(private.PublicKey().Bytes())) // what was written before is sealed to it too
	j.Reopen()
	work(t, j.Journal, 3) // and it is remembered
	want := holds(t, j.Journal).Waiting
	j.Shut()
	must(t, os.Remove(j.Opt.KeyFile))
	got := map[string]string{}
	left, err := journal.Salvage(j.Path, func(s wire.SealedRecord) error {
		if _, err := s.Open(sealKey(t)); !errors.Is(err, wire.ErrSealed) {
			t.Errorf("another key: %v", err)
		}
		moved := s
		moved.Seq++
		if _, err := moved.Open(private); !errors.Is(err, wire.ErrSealed) {
			t.Errorf("another place: %v", err)
		}
		r, err := s.Open(private)
		got[r.ID] = string(r.Body)
		return err
	})
	must(t, err)
	if left != 0 || len(got) != len(want) {
		t.Errorf("%d left, %d of %d records", left, len(got), len(want))
	}
	for id, body := range want {
		if got[id] != body {
			t.Errorf("record %s: %q", id, got[id])
		}
	}
}

func TestSalvageCountsWhatThePlatformCannotOpen(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 2)
	n := len(holds(t, j.Journal).Waiting)
	j.Shut()
	left, err := journal.Salvage(j.Path, func(wire.SealedRecord) error { return nil })
	if err != nil || left != n {
		t.Errorf("%d left of %d, %v", left, n, err)
	}
	destroy(t, j.Path)
	_, err = journal.Salvage(j.Path, nil)
	wants(t, err, journal.ErrDamaged)
	recovered(t, j)
}

func TestWhatWasShreddedOnlyThePlatformOpensUntilItsBackupHoldsIt(t *testing.T) {
	j := journaltest.Open(t, opt)
	private := sealKey(t)
	must(t, j.SealTo(private.PublicKey().Bytes()))
	c := openCase(t, j.Journal)
	must(t, j.Update(func(tx *journal.Tx) error { return tx.Seal(c.ID, "phone", []byte("1")) }))
	must(t, set(j.Journal, c.ID, journal.Closed))
	ackAll(t, j.Journal)
	must(t, j.Shred(c.ID))
	ackAll(t, j.Journal)
	copies, err := j.SealedCopies(wire.LaneTx, 0, 100)
	must(t, err)
	if len(copies) != 2 {
		t.Fatalf("%d copies", len(copies))
	}
	for _, s := range copies {
		if r, err := s.Open(private); err != nil || r.Case != c.ID {
			t.Errorf("%+v, %v", r, err)
		}
	}
	// What this terminal has of the key it cannot open: everything with its bytes is sealed to the platform.
	if bytes.Contains(journal.WrappedKey(j.Journal, c.ID), copies[0].Key) || len(journal.WrappedKey(j.Journal, c.ID)) != 4 {
		t.Error("the key is still there")
	}
	s := status(t, j.Journal, wire.LaneTx)
	wants(t, j.BackedUp(wire.LaneTx, 2, wire.LanePoint{Seq: 1, Hash: s.HeadHash}), journal.ErrState)
	wants(t, j.BackedUp(wire.LaneTx, 1, wire.LanePoint{Seq: s.Head + 1, Hash: s.HeadHash}), journal.ErrState)
	wants(t, j.BackedUp(wire.LaneTx, 1, wire.LanePoint{Seq: s.Head, Hash: wire.Hash{1}}), journal.ErrFork)
	must(t, j.BackedUp(wire.LaneTx, 1, wire.LanePoint{Seq: 1, Hash: copies[0].Header.Hash()}))
	if left, err := j.SealedCopies(wire.LaneTx, 0, 100); err != nil || len(left) != 2 {
		t.Errorf("%d copies, %v although the backup lacks one", len(left), err)
	}
	// Nor is it trimmed before.
	if records, _, err := j.Trim(time.Now().Add(time.Hour)); err != nil || records != 0 {
		t.Errorf("%d trimmed, %v", records, err)
	}
	if left, err := j.SealedCopies(wire.LaneTx, 1, 100); err != nil || len(left) != 1 {
		t.Errorf("%d copies, %v after trimming", len(left), err)
	}
	must(t, j.BackedUp(wire.LaneTx, 1, wire.LanePoint{Seq: s.Head, Hash: s.HeadHash}))
	if left, err := j.SealedCopies(wire.LaneTx, 0, 100); err != nil || len(left) != 0 {
		t.Errorf("%d copies, %v", len(left), err)
	}
	ackAll(t, j.Journal)
	j.Reopen()
	for _, file := range []string{j.Path + journal.SpillSuffix} {
		b, err := os.ReadFile(file)
		must(t, err)
		if bytes.Contains(b, copies[0].Key) {
			t.Error("the platform's copy is still in the spill")
		}
	}
}

func TestANewSealKey(t *testing.T) {
	j := journaltest.Open(t, opt)
	old, now := sealKey(t), sealKey(t)
	must(t, j.SealTo(old.PublicKey().Bytes()))
	openCase(t, j.Journal)
	must(t, j.SealTo(now.PublicKey().Bytes()))
	must(t, j.SealTo(now.PublicKey().Bytes()))
	copies, err := j.SealedCopies(wire.LaneTx, 0, 10)
	if err != nil || len(copies) != 1 {
		t.Fatalf("%d, %v", len(copies), err)
	}
	if _, err := copies[0].Open(now); err != nil {
		t.Error(err)
	}
	if _, err := copies[0].Open(old); !errors.Is(err, wire.ErrSealed) {
		t.Error(err)
	}
	if j.SealTo([]byte("short")) == nil || j.SealTo(make([]byte, 32)) == nil {
		t.Error("a key that is none was taken")
	}
}
