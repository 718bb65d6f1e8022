package journal_test

// The sum: a database is what its changes left, or says that it is not.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

const pageSize = 4096

// image is what a journal's files were after a change, and what it held then.
type image struct {
	db, spill []byte
	sum       [32]byte
	held      held
}

// images is a journal in memory, closed, and what its files were after each of its changes.
func images(t *testing.T) (j *journaltest.Journal, all []image) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	j = journaltest.OpenAt(t, filepath.Join(dir, "journal.db"), journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key")})
	work(t, j.Journal, 2)
	c := openCase(t, j.Journal)
	for i := range 24 {
		must(t, j.Update(func(tx *journal.Tx) error {
			switch i % 3 {
			case 0:
				return tx.Seal(c.ID, "phone", bytes.Repeat([]byte{byte(i)}, 1500))
			case 1:
				return tx.SetMeta("note", fmt.Appendf(nil, "%d", i))
			}
			return tx.Audit(journal.EventCardLeft, "citizen", nil)
		}))
		var m image
		var err error
		m.db, err = os.ReadFile(j.Path)
		must(t, err)
		m.db = bytes.TrimRight(m.db, "\x00")
		m.db = append(m.db, make([]byte, pageSize-len(m.db)%pageSize)...)
		m.spill, err = os.ReadFile(j.Path + journal.SpillSuffix)
		must(t, err)
		m.sum, _, err = journal.Digest(j.Journal)
		must(t, err)
		m.held = holds(t, j.Journal)
		all = append(all, m)
	}
	j.Shut()
	return j, all
}

// page is a page that is whole, or nil.
func (m image) page(n int) []byte {
	if (n+1)*pageSize > len(m.db) {
		return nil
	}
	p := m.db[n*pageSize : (n+1)*pageSize]
	if binary.NativeEndian.Uint64(p) != uint64(n) {
		return nil
	}
	return p
}

// bySum says that only the sum noticed something, up to which change the database said that it had come, and how far its spill had.
func bySum(err error) (change, spill uint64, is bool) {
	_, text, is := strings.Cut(fmt.Sprint(err), "it does not hold what its changes put into it ")
	if is {
		var base uint64
		_, err := fmt.Sscanf(text, "(change %d; its spill goes from %d to %d)", &change, &base, &spill)
		is = err == nil
	}
	return change, spill, is
}

// A disk confirms a page and does not keep it: what lies there is the page's older self, as sound as any. Every page of a database is
// replaced by every older self that it had, one at a time; each time nothing is missing, or the journal is damaged and made anew.
func TestAPageThatIsItsOlderSelfIsFound(t *testing.T) {
	made, quiet, found := 0, 0, 0
	// Where entries lie is chance, and with it whether there is one that only the sum can find.
	for try := 0; found == 0 && try < 30; try++ {
		m, q, f := olderSelves(t)
		made, quiet, found = made+m, quiet+q, found+f
	}
	t.Logf("%d older selves, %d where nothing is, %d of the others found by the sum alone", made, quiet, found)
	if found == 0 {
		t.Errorf("of %d older selves none was found by the sum: what was tried?", made)
	}
}

func olderSelves(t *testing.T) (made, quiet, found int) {
	t.Helper()
	j, all := images(t)
	last := all[len(all)-1]
	for n := 2; n < len(last.db)/pageSize; n++ {
		tried := [][]byte{last.page(n)}
		for _, m := range all {
			self := m.page(n)
			if self == nil || slices.ContainsFunc(tried, func(p []byte) bool { return bytes.Equal(p, self) }) {
				continue
			}
			made, tried = made+1, append(tried, self)
			old := bytes.Clone(last.db)
			copy(old[n*pageSize:], self)
			put(t, j, old, last.spill)
			opened, err := journal.Open(j.Path, j.Opt)
			if err == nil {
				quiet++
				if is, _, err := journal.Digest(opened); err != nil || is != last.sum {
					t.Errorf("page %d is its older self, and nobody noticed: lost %q (%v)", n, lost(last.held, holds(t, opened)), err)
				}
				must(t, opened.Close())
				continue
			}
			if _, _, is := bySum(err); is {
				found++
			}
			if !survives(t, j, last.held) {
				t.Errorf("page %d: %v, and not damaged when it was looked at again", n, err)
			}
		}
	}
	return made, quiet, found
}

// When the latest meta pages are what the disk did not keep, pages that were used again since may be newer than their tree. What the
// spill does not reach then is not called whole: the database shows that there was more.
func TestAPageThatIsItsNewerSelfIsFound(t *testing.T) {
	made, found, more := 0, 0, 0
	for try := 0; more == 0 && try < 30; try++ {
		m, f, n := newerSelves(t)
		made, found, more = made+m, found+f, more+n
	}
	t.Logf("%d newer selves, %d found by the sum alone, %d of them beyond the spill", made, found, more)
	if more == 0 {
		t.Errorf("of %d newer selves none was beyond the spill: what was tried?", made)
	}
}

func newerSelves(t *testing.T) (made, found, more int) {
	t.Helper()
	j, all := images(t)
	for i, m := range all[:len(all)-2] {
		for n := 2; n < len(m.db)/pageSize; n++ {
			self := all[i+2].page(n)
			if self == nil || bytes.Equal(self, m.page(n)) {
				continue
			}
			made++
			db := bytes.Clone(m.db)
			copy(db[n*pageSize:], self)
			put(t, j, db, m.spill)
			opened, err := journal.Open(j.Path, j.Opt)
			if err == nil {
				if is, _, err := journal.Digest(opened); err != nil || is != m.sum {
					t.Errorf("image %d, page %d is its newer self, and nobody noticed: lost %q (%v)", i, n, lost(m.held, holds(t, opened)), err)
				}
				must(t, opened.Close())
				continue
			}
			change, spill, is := bySum(err)
			if !is {
				continue
			}
			found++
			r, err := journal.Recover(t.Context(), j.Path, j.Opt)
			if err != nil || change > spill && (r.Whole || !r.Behind || len(r.Lost) == 0) {
				t.Errorf("image %d, page %d: change %d, the spill had %d: %+v, %v", i, n, change, spill, r, err)
			}
			if change > spill {
				more++
			}
		}
	}
	return made, found, more
}

// tamper changes a closed journal's database as an editor does.
func tamper(t *testing.T, path string, do func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, errors.Join(db.Update(do), db.Close()))
}

// A database that somebody edited is used as it is, says so once, and tells which records the edit took away.
func TestAnEditedDatabaseIsTold(t *testing.T) {
	dir, o, _ := auditedJournal(t)
	path := filepath.Join(dir, "j.db")
	tamper(t, path, func(tx *bolt.Tx) error { return errors.Join(cut(19, 26)(tx), ledger(tx, 18)) })
	// The power goes when that is about to be told: it is told the next time.
	var copied string
	again := o
	again.Crash = func(point string) {
		if point != "change.spilled" || copied != "" {
			return
		}
		copied = t.TempDir()
		for _, name := range []string{"j.db", "j.db.spill", "key"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(copied, name), b, 0o600))
		}
	}
	j := journaltest.OpenAt(t, path, again)
	told := func(j *journaltest.Journal, want ...string) {
		t.Helper()
		e := audited(t, j.Journal, "journal.differs")
		if len(e) != 1 || e[0].Fields["by"] != "hand" || e[0].Fields["change"] == "" {
			t.Errorf("told: %+v", e)
		}
		if got := lostPlaces(t, j.Journal); !slices.Equal(got, want) {
			t.Errorf("lost: %q, want %q", got, want)
		}
	}
	told(j, "audit/1/19-26")
	kept, err := filepath.Glob(path + journal.SpillSuffix + ".damaged-*")
	if err != nil || len(kept) != 1 {
		t.Errorf("the spill that knows better is not kept: %q, %v", kept, err)
	}
	j.Reopen()
	told(j, "audit/1/19-26")

	if copied == "" {
		t.Fatal("nothing was spilled")
	}
	o.KeyFile, o.BlobDir = filepath.Join(copied, "key"), filepath.Join(copied, "blobs")
	j = journaltest.OpenAt(t, filepath.Join(copied, "j.db"), o)
	var all []string
	for _, lane := range wire.Lanes {
		head := uint64(0)
		if lane == wire.LaneAudit {
			head = 18
		}
		all = append(all, fmt.Sprintf("%s/1/%d-", lane, head+1))
	}
	told(j, all...)
	j.Reopen()
	told(j, all...)
}

// When the spill is gone as well, nobody can tell who did it, or what is missing; that is said.
func TestAnEditedDatabaseWithoutASpillIsTold(t *testing.T) {
	for name, gone := range map[string]func(path string) error{
		"missing": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("noise"), 0o600) },
	} {
		j := journaltest.Open(t, opt)
		c := openCase(t, j.Journal)
		must(t, j.Update(func(tx *journal.Tx) error { return tx.SetMeta("note", []byte("1")) }))
		j.Shut()
		tamper(t, j.Path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Delete([]byte("note")) })
		must(t, gone(j.Path+journal.SpillSuffix))
		again := journaltest.OpenAt(t, j.Path, j.Opt)
		if e := audited(t, again.Journal, "journal.differs"); len(e) != 1 || e[0].Fields["by"] != "unknown" {
			t.Errorf("%s: %+v", name, e)
		}
		if got := lostPlaces(t, again.Journal); !slices.Contains(got, "tx/1/2-") || len(got) != len(wire.Lanes) {
			t.Errorf("%s: lost %q", name, got)
		}
		_, err := again.Case(c.ID)
		must(t, err)
	}
}

// A program that keeps no sum may have been put back for a while, and may have lost power. Nothing of that is damage.
func TestAnOlderProgramsJournalIsTaken(t *testing.T) {
	for name, prepare := range map[string]func(j *journaltest.Journal, db []byte){
		"closed": func(*journaltest.Journal, []byte) {},
		"behind its spill": func(j *journaltest.Journal, db []byte) {
			must(t, journal.MadeByAnOlderProgram(j.Path))
			must(t, os.WriteFile(j.Path, db, 0o600))
			tamper(t, j.Path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("sum")).SetSequence(7) })
		},
		"from before there was one": func(j *journaltest.Journal, _ []byte) {
			tamper(t, j.Path, func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("sum")) })
		},
	} {
		j := journaltest.Open(t, opt)
		work(t, j.Journal, 3)
		j.Reopen()
		work(t, j.Journal, 2)
		db, err := os.ReadFile(j.Path)
		must(t, err)
		openCase(t, j.Journal)
		before := holds(t, j.Journal)
		j.Shut()
		if name == "closed" {
			must(t, journal.MadeByAnOlderProgram(j.Path))
		}
		prepare(j, db)
		again := journaltest.OpenAt(t, j.Path, j.Opt)
		if all := lost(before, holds(t, again.Journal)); len(all) > 0 {
			t.Errorf("%s: lost %q", name, all)
		}
		for _, event := range []string{"journal.differs", "records.lost", "spill.differs", "journal.rolled-forward"} {
			if e := audited(t, again.Journal, event); len(e) > 0 {
				t.Errorf("%s: %s %+v", name, event, e)
			}
		}
		again.Reopen()
	}
}
