// Package journaltest opens journals for tests and ends every test by verifying them: a test that leaves a journal whose
// chains, ledgers, blobs or pages do not hold together fails, whatever it was about.
package journaltest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/budayang/kiosk/sync/journal"
)

// Journal is a journal of a test. Reopen closes and opens it, as a restart does.
type Journal struct {
	*journal.Journal
	Path string
	Opt  journal.Options
	t    testing.TB
}

// Open makes a journal in a directory of the test's; opt's empty fields are filled in.
func Open(t testing.TB, opt journal.Options) *Journal {
	t.Helper()
	dir := t.TempDir()
	if opt.Terminal == "" {
		opt.Terminal = "990000-0003"
	}
	if opt.No == "" {
		opt.No = "03"
	}
	if opt.KeyFile == "" {
		opt.KeyFile = filepath.Join(dir, "journal.key")
	}
	return OpenAt(t, filepath.Join(dir, "journal.db"), opt)
}

// OpenAt opens the journal at a path.
func OpenAt(t testing.TB, path string, opt journal.Options) *Journal {
	t.Helper()
	j := &Journal{Path: path, Opt: opt, t: t}
	j.open()
	t.Cleanup(func() {
		if j.Journal == nil {
			return
		}
		j.Check()
		if err := j.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return j
}

func (j *Journal) open() {
	j.t.Helper()
	opened, err := journal.Open(j.Path, j.Opt)
	if err != nil {
		j.t.Fatalf("open: %v", err)
	}
	j.Journal = opened
}

// Reopen closes and opens the journal.
func (j *Journal) Reopen() {
	j.t.Helper()
	if err := j.Close(); err != nil {
		j.t.Fatalf("close: %v", err)
	}
	j.open()
}

// Shut closes the journal for good, after verifying it.
func (j *Journal) Shut() {
	j.t.Helper()
	j.Check()
	if err := j.Close(); err != nil {
		j.t.Errorf("close: %v", err)
	}
	j.Journal = nil
}

// Check verifies the journal.
func (j *Journal) Check() journal.VerifyReport {
	j.t.Helper()
	r, err := Sound(j.Journal)
	if err != nil {
		j.t.Errorf("journal: %v", err)
	}
	return r
}

// Sound verifies a journal and returns its problems as one error.
func Sound(j *journal.Journal) (journal.VerifyReport, error) {
	r, err := j.Verify(context.Background())
	for _, p := range r.Problems {
		err = errors.Join(err, errors.New(p))
	}
	return r, err
}
