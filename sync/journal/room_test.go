package journal_test

// Room: compaction, shares of lanes, telemetry.

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

func TestADrainedFileBecomesSmallAgain(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 3)
	size := func() int64 {
		st, err := os.Stat(j.Path)
		must(t, err)
		return st.Size()
	}
	big := strings.Repeat("x", 60<<10)
	for range 20 { // many records in one change: the backlog, not the time it takes, is what counts
		must(t, j.Update(func(tx *journal.Tx) error {
			for range 15 {
				if _, err := tx.Emit(wire.LaneCtl, "", wire.TypeDevices, 1, big); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	grown := size()
	ackAll(t, j.Journal)
	before := holds(t, j.Journal)
	_, _, err := j.Trim(time.Now().Add(time.Hour))
	must(t, err)
	if grown < 20<<20 || size() > grown/4 {
		t.Errorf("%d bytes, %d before", size(), grown)
	}
	if all := lost(before, holds(t, j.Journal)); len(all) > 0 {
		t.Errorf("lost: %s", all)
	}
	j.Check()
	work(t, j.Journal, 2)
	before = holds(t, j.Journal)
	j.Reopen()
	if all := lost(before, holds(t, j.Journal)); len(all) > 0 || len(audited(t, j.Journal, "spill.differs")) > 0 {
		t.Errorf("lost after the restart: %s", all)
	}
}

func TestALaneOverItsShareStopsNewBusinessAndNothingElse(t *testing.T) {
	j := journaltest.Open(t, journal.Options{MaxSize: 24 << 20})
	c := openCase(t, j.Journal)
	big := strings.Repeat("x", 60<<10)
	for range 40 { // 40 records of 80 KB are more than a tenth
		must(t, j.Update(func(tx *journal.Tx) error {
			_, err := tx.Emit(wire.LaneCtl, "", wire.TypeDevices, 1, big)
			return err
		}))
	}
	if !j.Full() {
		t.Error("not full")
	}
	wants(t, j.Update(func(tx *journal.Tx) error { _, err := tx.OpenCase(journal.NewCase{Item: "x"}); return err }), journal.ErrFull)
	must(t, set(j.Journal, c.ID, journal.Closed))
	ackAll(t, j.Journal)
	if j.Full() {
		t.Error("full although nothing waits")
	}
	openCase(t, j.Journal)
}

func TestTelemetryIsARing(t *testing.T) {
	j := journaltest.Open(t, opt)
	for i := range 12 {
		must(t, j.Update(func(tx *journal.Tx) error {
			for n := range 100 {
				if err := tx.Tell(wire.Telemetry{Routines: uint64(i*100 + n)}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	all, err := j.Told(5000)
	must(t, err)
	if len(all) != 1000 || all[0].Telemetry.Routines != 200 || all[999].Telemetry.Routines != 1199 || all[0].Seq != 201 {
		t.Fatalf("%d, first %+v", len(all), all[0])
	}
	must(t, j.Forget(all[899].Seq))
	j.Reopen()
	if all, err = j.Told(10); err != nil || len(all) != 10 || all[0].Telemetry.Routines != 1100 {
		t.Errorf("%d, %v", len(all), err)
	}
	_, err = j.PutBlob([]byte("ink"))
	must(t, err)
	openCase(t, j.Journal)
	g, err := j.Gauge()
	must(t, err)
	if g.Waiting == 0 || g.Used <= 0 || g.Quota <= g.Used || g.Oldest < 0 || g.Disk <= 0 {
		t.Errorf("%+v", g)
	}
}

// An outcome for which there was no room is not left to the next restart: it follows the first change that finds room, and comes by
// itself where there is none.
func TestAnOutcomeWithoutRoomIsWrittenLater(t *testing.T) {
	t.Run("with the next change", func(t *testing.T) {
		outcomeWithoutRoom(t, func(j *journaltest.Journal) {
			ackAll(t, j.Journal)
			if _, _, err := j.Trim(time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			openCase(t, j.Journal)
		})
	})
	t.Run("by itself", func(t *testing.T) {
		outcomeWithoutRoom(t, func(j *journaltest.Journal) {
			before, err := j.Change()
			must(t, err)
			journal.Widen(j.Journal, 64<<20)
			for range 200 {
				if now, err := j.Change(); err != nil || now != before {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	})
}

func outcomeWithoutRoom(t *testing.T, room func(*journaltest.Journal)) {
	t.Helper()
	j := journaltest.Open(t, journal.Options{MaxSize: 24 << 20})
	var cases []journal.Case
	for range 20 {
		cases = append(cases, openCase(t, j.Journal))
	}
	big := strings.Repeat("x", 60<<10)
	fill := func() {
		for {
			err := j.Update(func(tx *journal.Tx) error {
				_, err := tx.Emit(wire.LaneCtl, "", wire.TypeDevices, 1, big)
				return err
			})
			if err != nil {
				wants(t, err, journal.ErrFull)
				return
			}
		}
	}
	// Pages in a row that an outcome needs may be left by chance; then the next one has less.
	var c journal.Case
	err := error(nil)
	for len(cases) > 0 && err == nil {
		c, cases = cases[0], cases[1:]
		_, err = j.Do(t.Context(), journal.Intent{EffectName: name(c.ID, 1), Kind: "k", Case: journal.Printing},
			func(context.Context, func(k, v string) error) journal.Outcome {
				fill()
				return journal.Outcome{State: journal.EffectDone, Detail: big, Case: journal.Printed}
			})
	}
	wants(t, err, journal.ErrFull)
	is := func(want journal.EffectState) {
		t.Helper()
		all, err := j.Effects(c.ID)
		if err != nil || len(all) != 1 || all[0].State != want {
			t.Errorf("%+v, %v, want %s", all, err, want)
		}
	}
	is(journal.EffectIntended)
	room(j)
	is(journal.EffectDone)
	if got, err := j.Case(c.ID); err != nil || got.State != journal.Printed {
		t.Errorf("%+v, %v", got, err)
	}
}

// A full disk may refuse even the word that a change did not happen. Then the change's frame is cut off; where that fails too,
// nobody says that it did not happen.
func TestWhatDidNotHappenIsNotReadLater(t *testing.T) {
	for name, c := range map[string]struct {
		open func(spill string) (*os.File, error)
		want error
	}{
		"no word, but it can be cut": {func(spill string) (*os.File, error) { return os.OpenFile(spill, os.O_RDWR|os.O_APPEND, 0) }, journal.ErrFull},
		"nothing":                    {func(string) (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }, journal.ErrDisk},
	} {
		t.Run(name, func(t *testing.T) {
			var j *journaltest.Journal
			var back func()
			refuse := false
			j = journaltest.Open(t, journal.Options{MaxSize: 24 << 20, Crash: func(point string) {
				if !refuse || point != "change.spilled" {
					return
				}
				refuse = false
				f, err := c.open(j.Path + journal.SpillSuffix)
				must(t, err)
				back = journal.WriteSpillTo(j.Journal, f)
			}})
			kept := openCase(t, j.Journal)
			var last string
			var err error
			for round := 0; err == nil; round++ { // until there is no room; a change of half a megabyte stands whole in the spill
				refuse = true
				err = j.Update(func(tx *journal.Tx) error {
					for i := range 8 {
						last = fmt.Sprint("v", round, "-", i)
						if err := tx.Seal(kept.ID, last, make([]byte, 60<<10)); err != nil {
							return err
						}
					}
					return nil
				})
				if err == nil {
					back()
				}
			}
			wants(t, err, c.want)
			if back == nil {
				t.Fatal("the spill was not reached")
			}
			// The database is lost, and the record made anew from the spill alone.
			spill, err := os.ReadFile(j.Path + journal.SpillSuffix)
			must(t, err)
			_ = j.Close()
			if c.want != journal.ErrFull {
				j.Journal = nil
				return
			}
			must(t, os.Remove(j.Path))
			must(t, os.WriteFile(j.Path+journal.SpillSuffix, spill, 0o600))
			r, err := journal.Recover(t.Context(), j.Path, j.Opt)
			if err == nil && r.Changes == 0 {
				t.Error("there was no change behind the checkpoint")
			}
			must(t, err)
			j.Journal, err = journal.Open(j.Path, j.Opt)
			must(t, err)
			if _, err := j.Sealed(kept.ID, "v0-7"); err != nil {
				t.Errorf("what happened: %v", err)
			}
			if _, err := j.Sealed(kept.ID, last); err == nil {
				t.Error("what did not happen is read")
			}
		})
	}
}
