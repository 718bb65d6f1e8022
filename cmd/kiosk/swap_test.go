//go:build !release

package main

// A board is exchanged: two journals, one record, and the platform that must have all of it once.

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// exchange is a terminal that has something to send, and a bare board beside it: w.cfg is the new board's configuration, old the old
// board's data directory.
func exchange(t *testing.T) (w *ward, old string, ids []string) {
	t.Helper()
	w = newWard(t)
	for range 5 {
		w.record(time.Now, func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "SB-P", Person: "李*雯", Last4: "1234"})
			if err != nil {
				return err
			}
			ids = append(ids, c.ID)
			return tx.SetState(c.ID, journal.Closed, "")
		})
	}
	old = w.cfg.Terminal.Data
	w.swap(`data = "terminal"`, `data = "board2"`)
	w.reload()
	return w, old, ids
}

// carry runs kiosk swap with what is typed.
func (w *ward) carry(typed string, cmd swapCmd) (string, error) {
	var out strings.Builder
	cmd.Config, cmd.Operator = w.file, "op.zhang"
	err := cmd.Run(w.t.Context(), stdio{in: strings.NewReader(typed), out: &out, err: &out})
	return out.String(), err
}

// waits opens the new board's journal and counts.
func (w *ward) waits() uint64 {
	w.t.Helper()
	j, err := journal.Open(journalPath(w.cfg), journalOptions(w.cfg))
	w.must(err)
	defer j.Close()
	g, err := j.Gauge()
	w.must(err)
	return g.Waiting
}

// serves lets the new board serve until everything is acknowledged.
func (w *ward) serves() {
	w.t.Helper()
	c := script.New()
	s := w.start(c, nil)
	w.shows(c, "attract")
	w.until("everything is at the platform", 40*time.Second, func() bool {
		g, err := s.journal.Gauge()
		return err == nil && g.Waiting == 0
	})
	s.end()
}

func (w *ward) atPlatform(ids []string) {
	w.t.Helper()
	for _, id := range ids {
		if n := w.CasesAtPlatform()[id]; n != 1 {
			w.t.Errorf("case %s is %d times at the platform", id, n)
		}
	}
}

func TestABoardIsExchanged(t *testing.T) {
	t.Parallel()
	w, old, ids := exchange(t)
	if out, err := w.carry("\n", swapCmd{From: old}); err == nil || !strings.Contains(out, "7 cases") && !strings.Contains(out, "6 cases") || !there(filepath.Join(old, "journal.db")) || there(w.cfg.Terminal.Data) {
		t.Fatalf("who does not agree has nothing changed: %v\n%s", err, out)
	}
	out, err := w.carry("y\n", swapCmd{From: old})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"journal.db", "journal.db.spill", uplink.IdentityFile} {
		if there(filepath.Join(old, name)) || !there(filepath.Join(old, name+swappedSuffix)) || !there(w.data(name)) {
			t.Errorf("%s: there %v, on the old disk %v", name, there(w.data(name)), there(filepath.Join(old, name)))
		}
	}
	if n := w.waits(); n < 10 {
		t.Errorf("%d records wait", n)
	}
	w.serves()
	w.atPlatform(ids)
	// It stands in the audit chain under the technician's name, and the chain is whole over both boards.
	j, err := openStopped(w.cfg)
	w.must(err)
	var events []string
	rs, _, err := j.Range(1, wire.LaneAudit, 1, 1<<30, 10_000, 1<<30)
	w.must(err)
	for _, r := range rs {
		if bytes.Contains(r.Body, []byte("terminal.board-swapped")) {
			events = append(events, string(r.Body))
		}
	}
	if len(events) != 1 || !strings.Contains(events[0], "op.zhang") || !strings.Contains(events[0], "disabled") {
		t.Errorf("%q", events)
	}
	w.must(wholeRecord(t.Context(), j, w.cfg))
	w.must(j.Close())
	// Done once is done.
	if out, err := w.carry("y\n", swapCmd{From: old}); err == nil {
		t.Errorf("carried twice\n%s", out)
	}
	// The old board begins as one that nobody knows.
	was := w.cfg
	was.Terminal.Data = old
	if _, err := openStopped(was); err == nil {
		t.Error("the old board goes on")
	}
}

// A plug that is pulled after the copy was verified leaves something that the same command brings to its end.
func TestASwapThatIsCutOff(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"copied", "verified", "disabled"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			w, old, ids := exchange(t)
			s := swapCmd{Config: w.file, From: old, Operator: "op.zhang"}
			found, err := s.look(t.Context(), w.cfg)
			w.must(err)
			staging := w.cfg.Terminal.Data + stagingSuffix
			_, err = copyTree(old, staging)
			w.must(err)
			if after != "copied" {
				w.must(s.verify(t.Context(), found, staging))
			}
			if after == "disabled" {
				w.must(disable(old))
			}
			out, err := w.carry("y\n", swapCmd{From: old})
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w.serves()
			w.atPlatform(ids)
		})
	}
}

func TestSwapRefuses(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name  string
		plant func(w *ward, old string)
		want  string
	}{
		{"a board with a record of its own", func(w *ward, _ string) {
			w.must(os.MkdirAll(w.cfg.Terminal.Data, 0o700))
			w.must(os.WriteFile(w.data("journal.db"), nil, 0o600))
		}, "two are never mixed"},
		{"a board that was enrolled anew", func(w *ward, _ string) {
			w.must(os.MkdirAll(w.cfg.Terminal.Data, 0o700))
			w.must(os.WriteFile(w.data(uplink.IdentityFile), nil, 0o600))
		}, "two are never mixed"},
		{"another terminal's disk", func(w *ward, _ string) { w.swap(`id = "`+w.cfg.Terminal.ID, `id = "990000-0099`) }, "is terminal"},
		{"a running terminal", func(w *ward, old string) {
			c := on(w.cfg, old)
			j, err := journal.Open(journalPath(c), journalOptions(c))
			w.must(err)
			w.t.Cleanup(func() { _ = j.Close() })
		}, "stop the terminal"},
		{"a damaged journal", func(w *ward, old string) { w.scribble(filepath.Join(old, "journal.db")) }, "kiosk outbox recover"},
		{"an edited audit chain", func(w *ward, old string) { c := w.cfg; w.cfg = on(c, old); w.edit(editAudit); w.cfg = c }, "kiosk outbox recover"},
		{"another key", func(_ *ward, old string) {
			_ = os.WriteFile(filepath.Join(old, "journal.key"), bytes.Repeat([]byte{7}, 32), 0o600)
		}, "kiosk swap --out"},
		{"no data directory", func(w *ward, old string) {
			w.must(os.Rename(filepath.Join(old, "journal.db"), filepath.Join(old, "x")))
		}, "holds no journal"},
		{"half a data directory", func(w *ward, old string) { w.must(os.Remove(filepath.Join(old, uplink.IdentityFile))) }, "not the whole data directory"},
		{"a link in it", func(w *ward, old string) { w.must(os.Symlink("/etc/passwd", filepath.Join(old, "blobs", "x"))) }, "neither file nor directory"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			w, old, _ := exchange(t)
			w.must(os.MkdirAll(filepath.Join(old, "blobs"), 0o700))
			x.plant(w, old)
			before := names(t, old)
			out, err := w.carry("y\n", swapCmd{From: old})
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, wanted %q\n%s", err, x.want, out)
			}
			if there(w.cfg.Terminal.Data + stagingSuffix) {
				t.Error("half a copy is left")
			}
			if now := names(t, old); !slices.Equal(before, now) {
				t.Errorf("the old disk was changed: %v, was %v", now, before)
			}
		})
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// An old disk that cannot be written is copied when somebody says so, and the chain says that it is to be destroyed.
func TestSwapFromADiskThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w, old, ids := exchange(t)
	out, err := w.carry("", swapCmd{From: old, Leave: true, Yes: true})
	if err != nil || !there(filepath.Join(old, "journal.db")) {
		t.Fatalf("%v\n%s", err, out)
	}
	note, err := readNote(w.cfg.Terminal.Data)
	if err != nil || !note.Left || note.Operator != "op.zhang" || note.Waiting == 0 {
		t.Errorf("%+v %v", note, err)
	}
	w.serves()
	w.atPlatform(ids)
}

// Where the new board was enrolled anew and serves already, what waits on the old disk goes to the platform in a file; the new one goes on.
func TestSwapBesideARecordOfItsOwn(t *testing.T) {
	t.Parallel()
	w, old, ids := exchange(t)
	ids = append(ids, w.onlineOnce(old))
	w.enrolAnew()
	w.serves()
	file := filepath.Join(t.TempDir(), "old.jsonl")
	out, err := w.carry("", swapCmd{From: old, Out: file})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(file)
	w.must(err)
	defer f.Close()
	r, err := w.Platform.Salvage(t.Context(), f, platform.Operator{Who: "test"})
	if err != nil || r.Accepted == 0 || r.Unopened != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	w.atPlatform(ids)
	if _, err := w.carry("", swapCmd{From: old, Out: file}); err == nil {
		t.Error("a file was written over")
	}
	w.serves()
}

// What waits on a disk whose board lives on without a line goes in a signed file.
func TestSwapIntoAFile(t *testing.T) {
	t.Parallel()
	w, old, ids := exchange(t)
	file := filepath.Join(t.TempDir(), "old.bdy")
	out, err := w.carry("", swapCmd{From: old, Out: file})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(file)
	w.must(err)
	var ack bytes.Buffer
	r, err := w.Platform.Import(t.Context(), bytes.NewReader(b), &ack)
	if err != nil || r.Accepted == 0 {
		t.Fatalf("%+v %v", r, err)
	}
	w.atPlatform(ids)
	// The same disk may be carried all the same, and nothing counts twice.
	if out, err := w.carry("y\n", swapCmd{From: old}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.serves()
	w.atPlatform(ids)
}

// onlineOnce lets the old board serve, so that it knows the platform's key, and gives it something more to send.
func (w *ward) onlineOnce(old string) (id string) {
	w.t.Helper()
	was := w.cfg
	w.cfg = on(was, old)
	w.serves()
	w.record(time.Now, func(tx *journal.Tx) error {
		c, err := tx.OpenCase(journal.NewCase{Item: "SB-P"})
		if err != nil {
			return err
		}
		id = c.ID
		return tx.SetState(c.ID, journal.Closed, "")
	})
	w.cfg = was
	return id
}

// enrolAnew resets the terminal at the platform and enrols the new board with keys of its own.
func (w *ward) enrolAnew() {
	w.t.Helper()
	w.must(w.Platform.Reset(w.t.Context(), w.cfg.Terminal.ID, platform.Operator{Who: "test"}))
	code, _, err := w.Platform.IssueCode(w.t.Context(), w.cfg.Terminal.ID, 0, platform.Operator{Who: "test"})
	w.must(err)
	w.must(prepareData(w.cfg.Terminal.Data))
	client, err := uplink.NewClient(w.cfg.Platform.URL, w.cfg.Platform.CA, w.identity())
	w.must(err)
	defer client.Close()
	w.must(client.Enroll(w.t.Context(), "示例区市民之家", "03 号终端", code))
}

// Where the key is lost with the old board, what only the platform can open is written.
func TestSwapWithoutTheKey(t *testing.T) {
	t.Parallel()
	w, old, _ := exchange(t)
	w.onlineOnce(old)
	w.must(os.Remove(filepath.Join(old, "journal.key")))
	file := filepath.Join(t.TempDir(), "old.jsonl")
	out, err := w.carry("", swapCmd{From: old, Out: file})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(file)
	w.must(err)
	defer f.Close()
	r, err := w.Platform.Salvage(t.Context(), f, platform.Operator{Who: "test"})
	if err != nil || r.Accepted == 0 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestSwapAsksWhoItIs(t *testing.T) {
	t.Parallel()
	w, old, _ := exchange(t)
	cmd := swapCmd{Config: w.file, From: old, Operator: "9 !"}
	if err := cmd.Run(t.Context(), stdio{in: strings.NewReader("y\n"), out: os.Stderr, err: os.Stderr}); err == nil || !there(filepath.Join(old, "journal.db")) {
		t.Errorf("%v", err)
	}
}
