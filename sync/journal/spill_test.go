package journal_test

// The spill: what a database loses is found in it, and what it lost itself is told.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// held is what must not be lost: cases with their states, effects, sealed values, and records that wait, by id.
type held struct {
	Cases   map[string]journal.State
	Effects map[string]journal.EffectState
	Sealed  map[string]string
	Waiting map[string]string
}

func holds(t testing.TB, j *journal.Journal) held {
	t.Helper()
	h := held{map[string]journal.State{}, map[string]journal.EffectState{}, map[string]string{}, map[string]string{}}
	cases, err := j.Cases(nil)
	must(t, err)
	for _, c := range cases {
		h.Cases[c.ID] = c.State
		all, err := j.Effects(c.ID)
		must(t, err)
		for _, e := range all {
			h.Effects[e.EffectName.String()] = e.State
		}
		if v, err := j.Sealed(c.ID, "phone"); err == nil {
			h.Sealed[c.ID] = string(v)
		}
	}
	for _, lane := range wire.Lanes {
		all, err := j.Pending(lane, 1<<20, 1<<30)
		must(t, err)
		for _, r := range all {
			h.Waiting[r.ID] = string(r.Body)
		}
	}
	return h
}

// lost lists what is in a and not in b.
func lost(a, b held) (all []string) {
	for id, s := range a.Cases {
		if b.Cases[id] != s {
			all = append(all, fmt.Sprintf("case %s is %q, was %q", id, b.Cases[id], s))
		}
	}
	for id, s := range a.Effects {
		if b.Effects[id] != s {
			all = append(all, fmt.Sprintf("effect %s is %q, was %q", id, b.Effects[id], s))
		}
	}
	for id, s := range a.Sealed {
		if b.Sealed[id] != s {
			all = append(all, "sealed value of "+id)
		}
	}
	for id, s := range a.Waiting {
		if b.Waiting[id] != s {
			all = append(all, "record "+id)
		}
	}
	slices.Sort(all)
	return all
}

// work does what a visit does, n times, and acknowledges some of it.
func work(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	for i := range n {
		c := openCase(t, j)
		h, err := j.PutBlob(fmt.Appendf(nil, "ink of %s", c.ID))
		must(t, err)
		must(t, j.Update(func(tx *journal.Tx) error {
			return errors.Join(tx.Seal(c.ID, "phone", []byte("1380000"+c.ReceiptCode)), tx.KeepBlob(c.ID, "ink", h), tx.UploadBlob(c.ID, h))
		}))
		out := journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
		if i%3 == 1 {
			out = journal.Outcome{State: journal.EffectFailed, Case: journal.PrintFailed}
		}
		func() {
			defer func() { _ = recover() }()
			_, err := j.Do(context.Background(), journal.Intent{EffectName: name(c.ID, 1), Kind: "k", Case: journal.Printing},
				func(context.Context, func(k, v string) error) journal.Outcome {
					if i%5 == 4 {
						panic("driver")
					}
					return out
				})
			must(t, err)
		}()
		if i%4 == 2 {
			ack(t, j, wire.LaneTx, 7)
		}
	}
}

func destroy(t testing.TB, path string) {
	t.Helper()
	must(t, os.WriteFile(path, bytes.Repeat([]byte("not a page "), 4000), 0o600))
}

// recovered recovers a journal that does not open, and opens it.
func recovered(t testing.TB, j *journaltest.Journal) (journal.Recovered, *journaltest.Journal) {
	t.Helper()
	_, err := journal.Open(j.Path, j.Opt)
	wants(t, err, journal.ErrDamaged)
	if err == nil || !strings.Contains(err.Error(), "kiosk outbox recover") {
		t.Fatalf("the error does not say what to do: %v", err)
	}
	r, err := journal.Recover(t.Context(), j.Path, j.Opt)
	must(t, err)
	return r, journaltest.OpenAt(t, j.Path, j.Opt)
}

func audited(t testing.TB, j *journal.Journal, event string) (found []wire.AuditEntry) {
	t.Helper()
	all, err := j.Pending(wire.LaneAudit, 1<<20, 1<<30)
	must(t, err)
	for _, r := range all {
		var e wire.AuditEntry
		must(t, json.Unmarshal(r.Body, &e))
		if string(e.Event) == event {
			found = append(found, e)
		}
	}
	return found
}

func TestALostDatabaseIsMadeAnewFromItsSpill(t *testing.T) {
	for what, damage := range map[string]func(t *testing.T, path string){
		"noise": func(t *testing.T, path string) { destroy(t, path) },
		"gone":  func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"empty": func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
		"half":  func(t *testing.T, path string) { must(t, os.Truncate(path, 20<<10)) },
	} {
		t.Run(what, func(t *testing.T) {
			j := journaltest.Open(t, opt)
			work(t, j.Journal, 12)
			j.Reopen() // a checkpoint
			work(t, j.Journal, 12)
			before := holds(t, j.Journal)
			last := openCase(t, j.Journal)
			before.Cases[last.ID] = journal.Submitted
			j.Shut()
			damage(t, j.Path)
			r, again := recovered(t, j)
			if all := lost(before, holds(t, again.Journal)); len(all) > 0 {
				t.Errorf("lost: %s", all)
			}
			if !r.Whole || len(r.Kept) == 0 || r.Cases != len(before.Cases) {
				t.Errorf("%+v", r)
			}
			if e := audited(t, again.Journal, "journal.recovered"); len(e) != 1 || e[0].Fields["whole"] != "true" {
				t.Errorf("%+v", e)
			}
			if s := status(t, again.Journal, wire.LaneTx); s.Epoch != 2 {
				t.Errorf("%+v", s)
			}
			// Codes that were printed, and perhaps lost, are not given again.
			if c := openCase(t, again.Journal); c.ReceiptCode < last.ReceiptCode[:len(last.ReceiptCode)-6]+"001" {
				t.Errorf("code %s after %s", c.ReceiptCode, last.ReceiptCode)
			}
			work(t, again.Journal, 2)
		})
	}
}

// What is missing from the spill is told, and everything else is found: before the hole and behind it.
func TestAHoleInTheSpillIsToldAndSteppedOver(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 3)
	j.Reopen()
	var ids []string
	var ends []int64
	for range 20 {
		c := openCase(t, j.Journal)
		ids = append(ids, c.ID)
		ends = append(ends, journal.SpillEnd(j.Journal))
	}
	j.Shut()
	whole, err := os.ReadFile(j.Path + journal.SpillSuffix)
	must(t, err)
	db, err := os.ReadFile(j.Path)
	must(t, err)
	for _, c := range []struct {
		what    string
		damage  func(b []byte)
		gone    []string
		missing int
	}{
		{"one frame zeroed", func(b []byte) { clear(b[ends[9]:ends[10]]) }, ids[10:11], 1},
		{"one bit", func(b []byte) { b[ends[4]+700] ^= 4 }, ids[5:6], 1},
		{"a sector", func(b []byte) { clear(b[(ends[9]+900)/512*512:][:512]) }, nil, -1},
		{"the last frame", func(b []byte) { clear(b[ends[18]:ends[19]]) }, ids[19:], 0},
		{"the last frame's end", func(b []byte) { clear(b[ends[19]-64 : ends[19]]) }, ids[19:], 0},
	} {
		bad := bytes.Clone(whole)
		c.damage(bad)
		must(t, os.WriteFile(j.Path+journal.SpillSuffix, bad, 0o600))
		// The first pages are left: they tell how far the database had come.
		torn := bytes.Clone(db)
		clear(torn[8192:])
		must(t, os.WriteFile(j.Path, torn, 0o600))
		r, again := recovered(t, j)
		for _, id := range ids {
			_, err := again.Case(id)
			if gone := slices.Contains(c.gone, id); c.missing >= 0 && (err != nil) != gone {
				t.Errorf("%s: case %d: %v", c.what, slices.Index(ids, id), err)
			}
		}
		if r.Whole || c.missing >= 0 && len(r.Missing) != c.missing || c.missing == 0 && !r.Behind {
			t.Errorf("%s: %+v", c.what, r)
		}
		if e := audited(t, again.Journal, "journal.recovered"); len(e) != 1 || e[0].Fields["whole"] != "false" {
			t.Errorf("%s: %+v", c.what, e)
		}
		again.Shut()
	}
}

// Wherever the spill ends, what lies before is recovered, and nothing else is made up.
func TestASpillCutAnywhere(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 2)
	j.Reopen()
	type point struct {
		end  int64
		held held
	}
	all := []point{{journal.SpillEnd(j.Journal), holds(t, j.Journal)}}
	for range 6 {
		work(t, j.Journal, 1)
		all = append(all, point{journal.SpillEnd(j.Journal), holds(t, j.Journal)})
	}
	j.Shut()
	whole, err := os.ReadFile(j.Path + journal.SpillSuffix)
	must(t, err)
	for at := all[0].end; at <= all[len(all)-1].end+4096; at += 1733 {
		must(t, os.WriteFile(j.Path+journal.SpillSuffix, whole[:at], 0o600))
		destroy(t, j.Path)
		_, again := recovered(t, j)
		have := holds(t, again.Journal)
		for _, p := range slices.Backward(all) {
			if p.end <= at {
				if all := lost(held{Sealed: p.held.Sealed}, have); len(all) > 0 {
					t.Errorf("cut at %d: %s", at, all)
				}
				for id := range p.held.Cases {
					if _, there := have.Cases[id]; !there {
						t.Errorf("cut at %d: case %s is lost", at, id)
					}
				}
				break
			}
		}
		again.Shut()
	}
	// The checkpoint itself cut: nothing, or what its parts hold, and never called whole.
	for at := int64(0); at < all[0].end; at += 509 {
		must(t, os.WriteFile(j.Path+journal.SpillSuffix, whole[:at], 0o600))
		destroy(t, j.Path)
		r, err := journal.Recover(t.Context(), j.Path, j.Opt)
		if err == nil && r.Whole || err != nil && !errors.Is(err, journal.ErrNoSpill) {
			t.Errorf("cut at %d: %+v, %v", at, r, err)
		}
	}
	must(t, os.WriteFile(j.Path+journal.SpillSuffix, whole, 0o600))
	destroy(t, j.Path)
	recovered(t, j)
}

func TestAnOlderDatabaseIsBroughtForward(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 4)
	j.Reopen()
	old, err := os.ReadFile(j.Path)
	must(t, err)
	work(t, j.Journal, 8)
	before := holds(t, j.Journal)
	j.Shut()
	must(t, os.WriteFile(j.Path, old, 0o600))
	again := journaltest.OpenAt(t, j.Path, j.Opt)
	if all := lost(before, holds(t, again.Journal)); len(all) > 0 {
		t.Errorf("lost: %s", all)
	}
	if e := audited(t, again.Journal, "journal.rolled-forward"); len(e) != 1 {
		t.Errorf("%+v", e)
	}
	// Older than the spill's checkpoint: it cannot be brought forward, and says so.
	before = holds(t, again.Journal)
	again.Reopen()
	again.Shut()
	must(t, os.WriteFile(j.Path, old, 0o600))
	_, last := recovered(t, j)
	if all := lost(before, holds(t, last.Journal)); len(all) > 0 {
		t.Errorf("lost: %s", all)
	}
}

func TestASpillThatDoesNotKeepUpIsTold(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 2)
	old, err := os.ReadFile(j.Path + journal.SpillSuffix)
	must(t, err)
	work(t, j.Journal, 3)
	for what, damage := range map[string]func(path string) error{
		"behind":  func(path string) error { return os.WriteFile(path, old, 0o600) },
		"missing": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("noise"), 0o600) },
	} {
		before := holds(t, j.Journal)
		must(t, j.Close())
		must(t, damage(j.Path+journal.SpillSuffix))
		j.Journal, err = journal.Open(j.Path, j.Opt)
		must(t, err)
		if all := lost(before, holds(t, j.Journal)); len(all) > 0 {
			t.Errorf("%s: lost: %s", what, all)
		}
		e := audited(t, j.Journal, "spill.differs")
		if len(e) == 0 || e[len(e)-1].Fields["spill"] != what {
			t.Errorf("%s: %+v", what, e)
		}
	}
}

// A power cut may take frames that nobody waited for, and no others.
func TestWhatASpillMayLackAfterAPowerCut(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 2) // ends with an effect
	sure := journal.SpillEnd(j.Journal)
	for range 3 {
		openCase(t, j.Journal)
	}
	cut := func(from int64) {
		t.Helper()
		before := holds(t, j.Journal)
		j.Shut()
		b, err := os.ReadFile(j.Path + journal.SpillSuffix)
		must(t, err)
		clear(b[from:])
		must(t, os.WriteFile(j.Path+journal.SpillSuffix, b, 0o600))
		j = journaltest.OpenAt(t, j.Path, j.Opt)
		if all := lost(before, holds(t, j.Journal)); len(all) > 0 {
			t.Errorf("lost: %s", all)
		}
	}
	cut(sure)
	if e := audited(t, j.Journal, "spill.differs"); len(e) > 0 {
		t.Errorf("a tail that nobody waited for is called a fault: %+v", e)
	}
	at := journal.SpillEnd(j.Journal)
	work(t, j.Journal, 1)
	openCase(t, j.Journal)
	cut(at)
	if e := audited(t, j.Journal, "spill.differs"); len(e) != 1 || e[0].Fields["spill"] != "behind" {
		t.Errorf("an effect's frame was lost and nobody told: %+v", e)
	}
}

// What nobody waits for is durable soon all the same.
func TestTheSpillCatchesUpByItself(t *testing.T) {
	j := journaltest.Open(t, opt)
	openCase(t, j.Journal)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		last, sure := journal.SpillSure(j.Journal)
		if last > 0 && sure == last {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("change %d, durable up to %d", last, sure)
		}
	}
}

func TestAForeignSpillIsNotTaken(t *testing.T) {
	a, b := journaltest.Open(t, opt), journaltest.Open(t, opt)
	work(t, a.Journal, 2)
	work(t, b.Journal, 2)
	a.Shut()
	b.Shut()
	foreign, err := os.ReadFile(b.Path + journal.SpillSuffix)
	must(t, err)
	own, err := os.ReadFile(a.Path + journal.SpillSuffix)
	must(t, err)
	must(t, os.WriteFile(a.Path+journal.SpillSuffix, foreign, 0o600))
	_, err = journal.Open(a.Path, a.Opt)
	wants(t, err, journal.ErrDamaged)
	_, err = journal.Recover(t.Context(), a.Path, a.Opt)
	wants(t, err, journal.ErrKey)
	must(t, os.WriteFile(a.Path+journal.SpillSuffix, own, 0o600))
	journaltest.OpenAt(t, a.Path, a.Opt)
}

func TestTheSpillStaysSmall(t *testing.T) {
	j := journaltest.Open(t, opt)
	size := func() int64 {
		st, err := os.Stat(j.Path + journal.SpillSuffix)
		must(t, err)
		return st.Size()
	}
	big := strings.Repeat("x", 30<<10)
	most := int64(0)
	for range 400 {
		must(t, j.Update(func(tx *journal.Tx) error {
			_, err := tx.Emit(wire.LaneCtl, "", wire.TypeDevices, 1, big)
			return err
		}))
		ackAll(t, j.Journal)
		most = max(most, size())
	}
	if most > 2<<20 {
		t.Errorf("%d bytes although nothing ever waited", most)
	}
}

// A destroyed key must not live on in the spill.
func TestTheSpillLetsGoOfDestroyedKeys(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	must(t, j.Update(func(tx *journal.Tx) error { return tx.Seal(c.ID, "phone", []byte("1")) }))
	must(t, set(j.Journal, c.ID, journal.Closed))
	ackAll(t, j.Journal)
	wrapped := journal.WrappedKey(j.Journal, c.ID)
	has := func() bool {
		b, err := os.ReadFile(j.Path + journal.SpillSuffix)
		must(t, err)
		return bytes.Contains(b, wrapped)
	}
	if len(wrapped) < 32 || !has() {
		t.Fatal("the key was never in the spill")
	}
	must(t, j.Shred(c.ID))
	ackAll(t, j.Journal)
	j.Reopen()
	if has() {
		t.Error("the wrapped key is still in the spill")
	}
}

// An epoch of a long backlog is more than one frame holds.
func TestAChangeTooBigForAFrame(t *testing.T) {
	j := journaltest.Open(t, opt)
	big := strings.Repeat("x", 60<<10)
	for range 30 {
		must(t, j.Update(func(tx *journal.Tx) error {
			_, err := tx.Emit(wire.LaneCtl, "", wire.TypeDevices, 1, big)
			return err
		}))
	}
	must(t, j.NewEpoch(2))
	before := holds(t, j.Journal)
	j.Shut()
	destroy(t, j.Path)
	r, again := recovered(t, j)
	if all := lost(before, holds(t, again.Journal)); len(all) > 0 || !r.Whole || r.Epoch != 3 {
		t.Errorf("%+v, lost: %s", r, all)
	}
}
