package journal_test

// Damage, systematically: the database cut at every page, with one bit turned over, read-only, on a disk without room.

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
)

// survives opens a damaged journal, recovers it when it says that it is damaged, and wants everything back. It tells whether
// recovering was needed.
func survives(t *testing.T, j *journaltest.Journal, before held) (damaged bool) {
	t.Helper()
	opened, err := journal.Open(j.Path, j.Opt)
	if err != nil {
		wants(t, err, journal.ErrDamaged)
		if _, err := journal.Recover(t.Context(), j.Path, j.Opt); err != nil {
			t.Errorf("recover: %v", err)
			return true
		}
		if opened, err = journal.Open(j.Path, j.Opt); err != nil {
			t.Errorf("after recovery: %v", err)
			return true
		}
		damaged = true
	}
	if all := lost(before, holds(t, opened)); len(all) > 0 {
		t.Errorf("damaged %v, lost: %s", damaged, all)
	}
	if _, err := journaltest.Sound(opened); err != nil {
		t.Error(err)
	}
	must(t, opened.Close())
	return damaged
}

// inMemory is a worked journal whose files are in memory, its contents, and what it holds.
func inMemory(t *testing.T) (j *journaltest.Journal, db, spill []byte, before held) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	j = journaltest.OpenAt(t, filepath.Join(dir, "journal.db"), journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key")})
	work(t, j.Journal, 10)
	j.Reopen()
	work(t, j.Journal, 10)
	before = holds(t, j.Journal)
	j.Shut()
	db, err = os.ReadFile(j.Path)
	must(t, err)
	spill, err = os.ReadFile(j.Path + journal.SpillSuffix)
	must(t, err)
	return j, db, spill, before
}

func put(t *testing.T, j *journaltest.Journal, db, spill []byte) {
	t.Helper()
	old, err := filepath.Glob(j.Path + "*.damaged-*")
	must(t, err)
	for _, f := range old {
		must(t, os.Remove(f))
	}
	must(t, os.WriteFile(j.Path, db, 0o600))
	must(t, os.WriteFile(j.Path+journal.SpillSuffix, spill, 0o600))
}

func TestADatabaseCutAtEveryPage(t *testing.T) {
	j, db, spill, before := inMemory(t)
	cut := 0
	for at := 0; at < len(bytes.TrimRight(db, "\x00")); at += 4096 {
		put(t, j, db[:at], spill)
		if !survives(t, j, before) {
			t.Errorf("cut at %d: opened as if nothing had happened", at)
		}
		cut++
	}
	if cut < 20 {
		t.Errorf("only %d cuts", cut)
	}
}

func TestADatabaseWithOneBitTurnedOver(t *testing.T) {
	j, db, spill, before := inMemory(t)
	rnd := rand.New(rand.NewPCG(4, 2))
	seen := 0
	bits := states(t, 300)
	for range bits {
		at := rnd.IntN(len(bytes.TrimRight(db, "\x00")) * 8)
		bad := bytes.Clone(db)
		bad[at/8] ^= 1 << (at % 8)
		put(t, j, bad, spill)
		if survives(t, j, before) {
			seen++
		}
		if t.Failed() {
			t.Fatalf("bit %d of byte %d", at%8, at/8)
		}
	}
	t.Logf("%d of %d turned bits were seen at opening; the others lie where nothing is", seen, bits)
	if seen < bits/20 {
		t.Errorf("only %d of %d were seen", seen, bits)
	}
}

func TestASpillWithOneBitTurnedOverCostsNothingBesideASoundDatabase(t *testing.T) {
	j, db, spill, before := inMemory(t)
	rnd := rand.New(rand.NewPCG(4, 3))
	for range 60 {
		at := rnd.IntN(len(bytes.TrimRight(spill, "\x00")) * 8)
		bad := bytes.Clone(spill)
		bad[at/8] ^= 1 << (at % 8)
		put(t, j, db, bad)
		if survives(t, j, before) {
			t.Errorf("bit %d: a sound database was called damaged", at)
		}
	}
}

// A read-only file system (what ext4 becomes after an error) is told as such, and nothing is called damaged.
func TestAReadOnlyDisk(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("mounting needs root on Linux")
	}
	j, _, _, before := inMemory(t)
	dir := filepath.Dir(j.Path)
	ro := t.TempDir()
	if out, err := exec.Command("mount", "--bind", dir, ro).CombinedOutput(); err != nil {
		t.Skipf("mount: %v %s", err, out)
	}
	defer func() { _ = syscall.Unmount(ro, 0) }()
	if out, err := exec.Command("mount", "-o", "remount,ro,bind", ro).CombinedOutput(); err != nil {
		t.Skipf("remount: %v %s", err, out)
	}
	o := j.Opt
	o.KeyFile = filepath.Join(ro, "key")
	_, err := journal.Open(filepath.Join(ro, "journal.db"), o)
	if err == nil || errors.Is(err, journal.ErrDamaged) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("%v", err)
	}
	if survives(t, j, before) {
		t.Error("damaged by being looked at")
	}
}

// A disk without room: what was done stays, what cannot be done is ErrFull, and with room again everything goes on.
func TestAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("mounting needs root on Linux")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	j := journaltest.OpenAt(t, filepath.Join(dir, "journal.db"), journal.Options{Terminal: "990000-0003", No: "03",
		KeyFile: filepath.Join(dir, "key"), DiskFloor: 1 << 20, Emergency: 1 << 20})
	t.Cleanup(func() { // before the check that ends the test needs the directory
		if j.Journal != nil {
			j.Shut()
		}
	})
	detail := make([]byte, 20<<10)
	var ids []string
	var err error
	for range 2000 {
		err = j.Update(func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "x"})
			if err != nil {
				return err
			}
			ids = append(ids, c.ID)
			return tx.Seal(c.ID, "v", detail)
		})
		if err != nil {
			break
		}
	}
	wants(t, err, journal.ErrFull)
	if !j.Full() {
		t.Error("not full")
	}
	// What was begun is finished.
	for _, id := range ids[len(ids)-5:] {
		must(t, set(j.Journal, id, journal.Closed))
	}
	// Then even that has no room: an error, and nothing half.
	for i := range 2000 {
		err = j.Update(func(tx *journal.Tx) error { return tx.Seal(ids[i%len(ids)], "w"+ids[i/len(ids)], detail) })
		if err != nil {
			break
		}
	}
	wants(t, err, journal.ErrFull)
	before := holds(t, j.Journal)
	j.Check()
	if err := j.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	if out, err := exec.Command("mount", "-o", "remount,size=64m", dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v %s", err, out)
	}
	j.Journal, err = journal.Open(j.Path, j.Opt)
	must(t, err)
	if all := lost(before, holds(t, j.Journal)); len(all) > 0 {
		t.Errorf("lost: %s", all)
	}
	if j.Full() {
		t.Error("still full")
	}
	openCase(t, j.Journal)
}
