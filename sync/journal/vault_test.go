package journal_test

// Where the key lies, and with which cipher it seals.

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// Whatever the profile is changed to, everything that was sealed before opens here and, with its key, at the platform.
func TestOldDataOpensAfterAChangeOfProfile(t *testing.T) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	must(t, err)
	j := journaltest.Open(t, opt)
	must(t, j.SealTo(private.PublicKey().Bytes()))
	var ids []string
	var blobs []wire.Hash
	for _, c := range []wire.Cipher{"", wire.SM4GCM, wire.AES256GCM, wire.SM4GCM} {
		j.Opt.Cipher = c
		j.Reopen()
		h, err := j.PutBlob([]byte("ink " + c))
		must(t, err)
		id := openCase(t, j.Journal).ID
		must(t, j.Update(func(tx *journal.Tx) error {
			// A case of the time before goes on as well.
			for _, old := range ids {
				if err := tx.Seal(old, "again", []byte(c)); err != nil {
					return err
				}
			}
			return errors.Join(tx.Seal(id, "phone", []byte("1380000000"+c)), tx.KeepBlob(id, "ink", h))
		}))
		ids, blobs = append(ids, id), append(blobs, h)
	}
	j.Reopen()
	for i, id := range ids {
		v, err := j.Sealed(id, "phone")
		if err != nil || !strings.HasPrefix(string(v), "1380000000") {
			t.Errorf("case %d: %q, %v", i, v, err)
		}
		if b, err := j.Blob(blobs[i]); err != nil || !strings.HasPrefix(string(b), "ink ") {
			t.Errorf("blob %d: %q, %v", i, b, err)
		}
	}
	copies, err := j.SealedCopies(wire.LaneTx, 0, 100)
	must(t, err)
	seen := map[wire.Cipher]int{}
	for _, s := range copies {
		if _, err := s.Open(private); err != nil {
			t.Errorf("%d: %v", s.Seq, err)
		}
		seen[wire.SealedBy(s.Sealed)]++
	}
	if seen[wire.AES256GCM] != 2 || seen[wire.SM4GCM] != 2 {
		t.Errorf("sealed by %v", seen)
	}
	must(t, j.Shred(ackedAndClosed(t, j.Journal, ids[1])))
	if _, err := j.Sealed(ids[1], "phone"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("shredded: %v", err)
	}
	bad := j.Opt
	bad.Cipher = "des"
	if _, err := journal.Open(j.Path+"2", bad); err == nil {
		t.Error("a cipher that is none")
	}
}

func ackedAndClosed(t *testing.T, j *journal.Journal, id string) string {
	t.Helper()
	must(t, set(j, id, journal.Closed))
	ackAll(t, j)
	return id
}

// broken is a vault that cannot be opened now.
type broken struct{ journal.KeyVault }

var errBroken = errors.New("the vault does not answer")

func (broken) Key() (key [32]byte, err error) { return key, errBroken }
func (broken) String() string                 { return "broken" }

func TestAVaultThatDoesNotAnswerMakesNoNewKey(t *testing.T) {
	dir := t.TempDir()
	o := journal.Options{Terminal: "990000-0003", Vault: broken{}}
	if _, err := journal.Open(filepath.Join(dir, "journal.db"), o); !errors.Is(err, journal.ErrKey) || !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a journal was made: %v", err)
	}
}

func TestAKeyIsMovedOnceAndForgottenOnlyThen(t *testing.T) {
	dir := t.TempDir()
	from, to := journal.FileVault(filepath.Join(dir, "a")), journal.FileVault(filepath.Join(dir, "b"))
	forget := func() error { return journal.ForgetFile(string(from)) }
	wants(t, journal.MoveKey(from, to, forget), fs.ErrNotExist)
	must(t, from.Keep([32]byte{1}))
	wants(t, from.Keep([32]byte{2}), fs.ErrExist)
	// Cut short before the first was forgotten.
	cut := errors.New("cut")
	wants(t, journal.MoveKey(from, to, func() error { return cut }), cut)
	must(t, journal.MoveKey(from, to, forget))
	must(t, journal.MoveKey(from, to, forget))
	if key, err := to.Key(); err != nil || key != [32]byte{1} {
		t.Errorf("%v, %v", key, err)
	}
	if _, err := from.Key(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	must(t, from.Keep([32]byte{9}))
	wants(t, journal.MoveKey(from, to, forget), journal.ErrMoved)
	if _, err := from.Key(); err != nil {
		t.Error("a key that is nowhere else was forgotten")
	}
}
