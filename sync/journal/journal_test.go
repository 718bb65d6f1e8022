package journal_test

// What the record promises: one test for each promise.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

var opt = journal.Options{}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func openCase(t testing.TB, j *journal.Journal) journal.Case {
	t.Helper()
	var c journal.Case
	must(t, j.Update(func(tx *journal.Tx) (err error) {
		c, err = tx.OpenCase(journal.NewCase{Item: "SB-P", Schema: 1, Visit: "v", Person: "张*", Last4: "002X"})
		return err
	}))
	return c
}

func set(j *journal.Journal, id string, to journal.State) error {
	return j.Update(func(tx *journal.Tx) error { return tx.SetState(id, to, "") })
}

// ack acknowledges a lane up to seq as an honest platform would.
func ack(t testing.TB, j *journal.Journal, lane wire.Lane, most int) {
	t.Helper()
	all, err := j.Pending(lane, most, 1<<30)
	must(t, err)
	if len(all) == 0 {
		return
	}
	last := all[len(all)-1]
	must(t, j.Acked(wire.Ack{Terminal: last.Terminal, Epoch: last.Epoch, Lane: lane, High: last.Seq, Hash: last.Header.Hash()}))
}

func ackAll(t testing.TB, j *journal.Journal) {
	t.Helper()
	for _, lane := range wire.Lanes {
		ack(t, j, lane, 1<<20)
	}
}

func status(t testing.TB, j *journal.Journal, lane wire.Lane) journal.LaneStatus {
	t.Helper()
	all, err := j.Lanes()
	must(t, err)
	for _, s := range all {
		if s.Lane == lane {
			return s
		}
	}
	t.Fatalf("no lane %s", lane)
	return journal.LaneStatus{}
}

func name(id string, attempt int) journal.EffectName {
	return journal.EffectName{Case: id, Step: "print", Attempt: attempt}
}

func TestACaseSurvivesARestart(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	must(t, j.Update(func(tx *journal.Tx) error {
		if err := tx.RecordStep(c.ID, "purpose", "loan"); err != nil {
			return err
		}
		if err := tx.Seal(c.ID, "phone", []byte("13800000001")); err != nil {
			return err
		}
		return tx.SetState(c.ID, journal.Accepted, "number given")
	}))
	j.Reopen()
	got, err := j.CaseByReceipt(strings.ToLower(" " + c.ReceiptCode))
	must(t, err)
	if got.ID != c.ID || got.State != journal.Accepted || string(got.Steps["purpose"]) != `"loan"` || len(got.History) != 2 || got.History[1].Why != "number given" {
		t.Errorf("%+v", got)
	}
	if v, err := j.Sealed(c.ID, "phone"); err != nil || string(v) != "13800000001" {
		t.Errorf("sealed %q, %v", v, err)
	}
	recs, err := j.Pending(wire.LaneTx, 10, 1<<20)
	must(t, err)
	if len(recs) != 2 || recs[0].Type != wire.TypeCaseOpened || recs[1].Type != wire.TypeCaseState {
		t.Errorf("records %+v", recs)
	}
}

func TestAChangeIsAllOrNothing(t *testing.T) {
	j := journaltest.Open(t, opt)
	why := errors.New("changed our mind")
	wants(t, j.Update(func(tx *journal.Tx) error {
		if _, err := tx.OpenCase(journal.NewCase{Item: "SB-P"}); err != nil {
			return err
		}
		return why
	}), why)
	func() {
		defer func() { _ = recover() }()
		_ = j.Update(func(tx *journal.Tx) error {
			_, _ = tx.OpenCase(journal.NewCase{Item: "SB-P"})
			panic("bug")
		})
	}()
	r := j.Check()
	if r.Cases != 0 || r.Records != 0 {
		t.Errorf("%+v", r)
	}
	if c := openCase(t, j.Journal); !strings.HasSuffix(c.ReceiptCode, "-000001") {
		t.Errorf("receipt code %s", c.ReceiptCode)
	}
}

func TestStates(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	for _, s := range []struct {
		to journal.State
		ok bool
	}{{journal.Printed, false}, {journal.Accepted, true}, {journal.Accepted, true}, {journal.Submitted, false}, {journal.Printing, true},
		{journal.Delivered, false}, {journal.PrintUnknown, true}, {journal.Printing, false}, {journal.Printed, true},
		{journal.Delivered, true}, {journal.Closed, true}, {journal.Manual, false}} {
		if err := set(j.Journal, c.ID, s.to); (err == nil) != s.ok || err != nil && !errors.Is(err, journal.ErrState) {
			t.Errorf("to %s: %v", s.to, err)
		}
	}
	wants(t, set(j.Journal, "nobody", journal.Closed), journal.ErrNotFound)
}

// F29: a clock set back must not make a code twice.
func TestReceiptCodesAreNeverUsedAgain(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.Local)
	j := journaltest.Open(t, journal.Options{Now: func() time.Time { return now }})
	seen, day := map[string]bool{}, ""
	for i := range 6 {
		now = now.AddDate(0, 0, []int{0, 1, -2, 1, 0, -30}[i])
		day = max(day, now.Format("20060102")) // a clock that was set back is not followed
		c := openCase(t, j.Journal)
		if want := fmt.Sprintf("03-%s-%06d", day, i+1); c.ReceiptCode != want || seen[c.ReceiptCode] {
			t.Errorf("code %s, want %s", c.ReceiptCode, want)
		}
		seen[c.ReceiptCode] = true
		j.Reopen()
	}
}

func TestAnEffectHappensOnce(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	acts := 0
	do := func() (journal.Effect, error) {
		return j.Do(t.Context(), journal.Intent{EffectName: name(c.ID, 1), Kind: "print-document", Case: journal.Printing},
			func(_ context.Context, note func(k, v string) error) journal.Outcome {
				acts++
				e, err := j.Effects(c.ID)
				if err != nil || len(e) != 1 || e[0].State != journal.EffectIntended {
					t.Errorf("intent not on disk before the act: %+v, %v", e, err)
				}
				if err := note("job-id", "17"); err != nil {
					t.Error(err)
				}
				return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
			})
	}
	for range 2 {
		e, err := do()
		if err != nil || e.State != journal.EffectDone || e.Notes["job-id"] != "17" {
			t.Errorf("%+v, %v", e, err)
		}
		j.Reopen()
	}
	if acts != 1 {
		t.Errorf("acted %d times", acts)
	}
	if got, err := j.Case(c.ID); err != nil || got.State != journal.Printed {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAttempts(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	try := func(n int, out journal.EffectState) error {
		_, err := j.Do(t.Context(), journal.Intent{EffectName: name(c.ID, n), Kind: "k"},
			func(context.Context, func(k, v string) error) journal.Outcome { return journal.Outcome{State: out} })
		return err
	}
	wants(t, try(0, journal.EffectDone), journal.ErrState)
	wants(t, try(2, journal.EffectDone), journal.ErrState)
	must(t, try(1, journal.EffectNotSent))
	must(t, try(2, journal.EffectFailed))
	must(t, try(3, "")) // an act that says nothing is unknown
	wants(t, try(4, journal.EffectDone), journal.ErrState)
	all, err := j.Effects(c.ID)
	if err != nil || len(all) != 3 || all[2].State != journal.EffectUnknown {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAPanicLeavesTheEffectOpenUntilSettled(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	in := journal.Intent{EffectName: name(c.ID, 1), Kind: "print-document", Case: journal.Printing}
	func() {
		defer func() { _ = recover() }()
		_, _ = j.Do(t.Context(), in, func(context.Context, func(k, v string) error) journal.Outcome { panic("driver") })
	}()
	never := func(context.Context, func(k, v string) error) journal.Outcome {
		t.Error("acted again")
		return journal.Outcome{}
	}
	e, err := j.Do(t.Context(), in, never)
	wants(t, err, journal.ErrUnsettled)
	if e.State != journal.EffectIntended {
		t.Errorf("%+v", e)
	}
	ctx, stop := context.WithCancel(t.Context())
	got, err := j.Settle(ctx, map[string]journal.Settler{"print-document": func(context.Context, journal.Effect) journal.Outcome {
		stop()
		return journal.Outcome{State: journal.EffectUnknown, Case: journal.PrintUnknown}
	}})
	wants(t, err, context.Canceled)
	if len(got) != 0 {
		t.Errorf("settled although nobody could be asked: %+v", got)
	}
	got, err = j.Settle(t.Context(), map[string]journal.Settler{"print-document": func(_ context.Context, e journal.Effect) journal.Outcome {
		return journal.Outcome{State: journal.EffectDone, Case: journal.Printed, Number: "N1"}
	}})
	if err != nil || len(got) != 1 || got[0].Outcome != journal.EffectDone || got[0].Case != journal.Printed || !got[0].Effect.Settled {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = j.Settle(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("settled twice: %+v, %v", got, err)
	}
}

// TestWhatStayedUnknownIsAskedAgain: a certain answer is taken once, and never over what a person decided.
func TestWhatStayedUnknownIsAskedAgain(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	in := journal.Intent{EffectName: name(c.ID, 1), Kind: "pay", Case: journal.Printing}
	unknown := journal.Outcome{State: journal.EffectUnknown, Case: journal.PrintUnknown}
	if _, err := j.Do(t.Context(), in, func(context.Context, func(k, v string) error) journal.Outcome { return unknown }); err != nil {
		t.Fatal(err)
	}
	asked := 0
	ask := func(out journal.Outcome) []journal.Settled {
		t.Helper()
		got, err := j.Resettle(t.Context(), "pay", func(context.Context, journal.Effect) journal.Outcome { asked++; return out })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, nothing := range []journal.Outcome{unknown, {}, {State: journal.EffectIntended}} {
		if got := ask(nothing); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	}
	if got, err := j.Resettle(t.Context(), "other", func(context.Context, journal.Effect) journal.Outcome {
		t.Error("asked about another kind")
		return unknown
	}); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	done := journal.Outcome{State: journal.EffectDone, Case: journal.Printed, Number: "N1"}
	if got := ask(done); len(got) != 1 || got[0].Outcome != journal.EffectDone || got[0].Case != journal.Printed || !got[0].Effect.Settled {
		t.Errorf("%+v", got)
	}
	if got := ask(journal.Outcome{State: journal.EffectFailed, Case: journal.Manual}); len(got) != 0 || asked != 4 {
		t.Errorf("asked %d times: %+v", asked, got)
	}
}

func TestSettleLeavesAloneWhatIsBeingDone(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	e, err := j.Do(t.Context(), journal.Intent{EffectName: name(c.ID, 1), Kind: "k"}, func(context.Context, func(k, v string) error) journal.Outcome {
		if got, err := j.Settle(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("settled a running act: %+v, %v", got, err)
		}
		return journal.Outcome{State: journal.EffectDone}
	})
	if err != nil || e.State != journal.EffectDone {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestAnOutcomeIsRecordedEvenWhenTheStateDoesNotFit(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	e, err := j.Do(t.Context(), journal.Intent{EffectName: name(c.ID, 1), Kind: "k"}, func(context.Context, func(k, v string) error) journal.Outcome {
		must(t, set(j.Journal, c.ID, journal.Cancelled))
		return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
	})
	wants(t, err, journal.ErrState)
	if e.State != journal.EffectDone {
		t.Errorf("%+v", e)
	}
	if got, err := j.Case(c.ID); err != nil || got.State != journal.Cancelled {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestACancelledActIsNotIntended(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := j.Do(ctx, journal.Intent{EffectName: name(c.ID, 1), Kind: "k"}, nil)
	wants(t, err, context.Canceled)
	if all, err := j.Effects(c.ID); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAcks(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	must(t, set(j.Journal, c.ID, journal.Closed))
	recs, err := j.Pending(wire.LaneTx, 10, 1<<20)
	must(t, err)
	a := wire.Ack{Terminal: "990000-0003", Epoch: 1, Lane: wire.LaneTx, High: 1, Hash: recs[0].Header.Hash()}
	for _, bad := range []struct {
		what string
		ack  wire.Ack
		want error
	}{
		{"another hash", wire.Ack{Epoch: 1, Lane: wire.LaneTx, High: 1, Hash: recs[1].Header.Hash()}, journal.ErrFork},
		{"ahead of us", wire.Ack{Epoch: 1, Lane: wire.LaneTx, High: 3, Hash: recs[1].Header.Hash()}, journal.ErrFork},
		{"a later epoch", wire.Ack{Epoch: 2, Lane: wire.LaneTx, High: 1, Hash: a.Hash}, journal.ErrFork},
		{"an earlier epoch", wire.Ack{Epoch: 0, Lane: wire.LaneTx, High: 1, Hash: a.Hash}, journal.ErrState},
		{"another terminal", wire.Ack{Terminal: "x", Epoch: 1, Lane: wire.LaneTx, High: 1, Hash: a.Hash}, journal.ErrState},
		{"another lane", wire.Ack{Epoch: 1, Lane: "nonsense", High: 1, Hash: a.Hash}, journal.ErrNotFound},
	} {
		if err := j.Acked(bad.ack); !errors.Is(err, bad.want) {
			t.Errorf("%s: %v", bad.what, err)
		}
	}
	if s := status(t, j.Journal, wire.LaneTx); s.Acked != 0 {
		t.Errorf("a wrong ack moved the lane: %+v", s)
	}
	ack(t, j.Journal, wire.LaneTx, 10)
	must(t, j.Acked(a)) // late
	must(t, j.Acked(a)) // twice
	a.Hash[0]++
	wants(t, j.Acked(a), journal.ErrFork)
	if s := status(t, j.Journal, wire.LaneTx); s.Acked != 2 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if ok, err := j.CaseAcked(c.ID); err != nil || ok {
		t.Errorf("acked %v, %v although its audit entry waits", ok, err)
	}
	ackAll(t, j.Journal)
	if ok, err := j.CaseAcked(c.ID); err != nil || !ok {
		t.Errorf("acked %v, %v", ok, err)
	}
}

func TestPendingIsBounded(t *testing.T) {
	j := journaltest.Open(t, opt)
	must(t, j.Update(func(tx *journal.Tx) error {
		for range 10 {
			if _, err := tx.Emit(wire.LaneCtl, "", wire.TypeDevices, 1, strings.Repeat("x", 10_000)); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, c := range []struct{ records, size, want int }{{3, 1 << 20, 3}, {100, 1 << 20, 10}, {100, 25_000, 2}, {100, 1, 1}} {
		if got, err := j.Pending(wire.LaneCtl, c.records, c.size); err != nil || len(got) != c.want {
			t.Errorf("%+v: %d records, %v", c, len(got), err)
		}
	}
	err := j.Update(func(tx *journal.Tx) error {
		_, err := tx.Emit(wire.LaneCtl, "", wire.TypeDevices, 1, strings.Repeat("x", wire.MaxRecordBody))
		return err
	})
	if err == nil {
		t.Error("a body over the limit was taken")
	}
}

// F27: the platform was restored from a backup.
func TestRewind(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	must(t, set(j.Journal, c.ID, journal.Closed))
	recs, err := j.Pending(wire.LaneTx, 10, 1<<20)
	must(t, err)
	ackAll(t, j.Journal)
	wants(t, j.Rewind(wire.LaneTx, wire.LanePoint{Seq: 1, Hash: recs[1].Header.Hash()}), journal.ErrFork)
	must(t, j.Rewind(wire.LaneTx, wire.LanePoint{Seq: 1, Hash: recs[0].Header.Hash()}))
	again, err := j.Pending(wire.LaneTx, 10, 1<<20)
	if err != nil || len(again) != 1 || again[0].ID != recs[1].ID {
		t.Errorf("%+v, %v", again, err)
	}
	if ok, _ := j.CaseAcked(c.ID); ok {
		t.Error("acknowledged although the platform lost a record")
	}
	must(t, j.Rewind(wire.LaneTx, wire.LanePoint{}))
	if s := status(t, j.Journal, wire.LaneTx); s.Acked != 0 || s.Waiting != 2 {
		t.Errorf("%+v", s)
	}
}

func TestNewEpochKeepsIDsAndTheHistory(t *testing.T) {
	j := journaltest.Open(t, opt)
	openCase(t, j.Journal)
	ackAll(t, j.Journal)
	before := j.Check()
	openCase(t, j.Journal)
	unsent, err := j.Pending(wire.LaneTx, 10, 1<<20)
	must(t, err)
	wants(t, j.NewEpoch(1), journal.ErrState)
	must(t, j.NewEpoch(4))
	j.Reopen()
	again, err := j.Pending(wire.LaneTx, 10, 1<<20)
	must(t, err)
	if len(again) != len(unsent) {
		t.Fatalf("%d records instead of %d", len(again), len(unsent))
	}
	prev := wire.Hash{}
	for i, r := range again {
		if r.ID != unsent[i].ID || r.Epoch != 4 || r.Seq != uint64(i+1) || r.Check(prev) != nil || string(r.Body) != string(unsent[i].Body) {
			t.Errorf("%d: %+v", i, r)
		}
		prev = r.Header.Hash()
	}
	if after := j.Check(); after.AuditEntries != before.AuditEntries+2 || after.Records != before.Records+3 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	// A restored disk may be older than codes that were printed.
	if c := openCase(t, j.Journal); !strings.HasSuffix(c.ReceiptCode, "-001003") {
		t.Errorf("receipt code %s", c.ReceiptCode)
	}
}

func TestShred(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	h, err := j.PutBlob([]byte("certificate"))
	must(t, err)
	must(t, j.Update(func(tx *journal.Tx) error {
		return errors.Join(tx.Seal(c.ID, "phone", []byte("1")), tx.KeepBlob(c.ID, "document", h))
	}))
	must(t, set(j.Journal, c.ID, journal.Closed))
	wants(t, j.Shred(c.ID), journal.ErrState)
	ackAll(t, j.Journal)
	for range 2 { // a second time is no error: the sweep may have been cut off
		must(t, j.Shred(c.ID))
		ackAll(t, j.Journal)
		j.Reopen()
	}
	_, err = j.Sealed(c.ID, "phone")
	wants(t, err, journal.ErrNotFound)
	_, err = j.CaseBlob(c.ID, "document")
	wants(t, err, journal.ErrNotFound)
	_, err = j.Blob(h)
	wants(t, err, journal.ErrNotFound)
	if files, err := os.ReadDir(j.Path + ".blobs"); err != nil || len(files) != 0 {
		t.Errorf("files left: %v, %v", files, err)
	}
	// Something late still finds a key, and the old records stay closed without being damage.
	must(t, j.Update(func(tx *journal.Tx) error {
		_, err := tx.Emit(wire.LaneTx, c.ID, wire.TypeRating, 1, wire.Rating{Item: "SB-P"})
		return err
	}))
	if recs, err := j.Pending(wire.LaneTx, 10, 1<<20); err != nil || len(recs) != 1 {
		t.Errorf("%d records, %v", len(recs), err)
	}
	j.Check()
	// A platform that lost what it acknowledged asks for what is gone: only a new epoch goes on.
	must(t, j.Rewind(wire.LaneTx, wire.LanePoint{}))
	_, err = j.Pending(wire.LaneTx, 10, 1<<20)
	wants(t, err, journal.ErrNotFound)
	must(t, j.NewEpoch(2))
	if recs, err := j.Pending(wire.LaneTx, 10, 1<<20); err != nil || len(recs) != 1 || recs[0].Type != wire.TypeRating {
		t.Errorf("%+v, %v", recs, err)
	}
}

func TestTrimForgetsOnlyWhatIsOldHeldAndDestroyed(t *testing.T) {
	now := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	j := journaltest.Open(t, journal.Options{Now: func() time.Time { return now }})
	gone, open := openCase(t, j.Journal), openCase(t, j.Journal)
	must(t, set(j.Journal, gone.ID, journal.Closed))
	if records, cases, err := j.Trim(now.AddDate(1, 0, 0)); err != nil || records+cases != 0 {
		t.Errorf("trimmed %d records, %d cases, %v before they were acknowledged", records, cases, err)
	}
	ackAll(t, j.Journal)
	must(t, j.Shred(gone.ID))
	ackAll(t, j.Journal)
	now = now.AddDate(1, 0, 0)
	recent := openCase(t, j.Journal)
	records, cases, err := j.Trim(now.AddDate(0, -6, 0))
	if err != nil || records == 0 || cases != 1 {
		t.Errorf("trimmed %d records, %d cases, %v", records, cases, err)
	}
	j.Reopen()
	_, err = j.Case(gone.ID)
	wants(t, err, journal.ErrNotFound)
	for _, id := range []string{open.ID, recent.ID} {
		if _, err := j.Case(id); err != nil {
			t.Error(err)
		}
	}
	if recs, err := j.Pending(wire.LaneTx, 10, 1<<20); err != nil || len(recs) != 1 || recs[0].Case != recent.ID {
		t.Errorf("%+v, %v", recs, err)
	}
	ackAll(t, j.Journal)
}

func TestBlobs(t *testing.T) {
	j := journaltest.Open(t, opt)
	a, b := openCase(t, j.Journal), openCase(t, j.Journal)
	ink := []byte("the same handwriting")
	h, err := j.PutBlob(ink)
	must(t, err)
	own := func(id string) {
		must(t, j.Update(func(tx *journal.Tx) error { return errors.Join(tx.KeepBlob(id, "ink", h), tx.UploadBlob(id, h)) }))
	}
	own(a.ID)
	j.Reopen()
	own(b.ID) // not put again: taken from the other case
	if all, err := j.PendingBlobs(); err != nil || len(all) != 1 || all[0] != h {
		t.Errorf("%v, %v", all, err)
	}
	ackAll(t, j.Journal)
	must(t, j.Shred(a.ID))
	if got, err := j.CaseBlob(b.ID, "ink"); err != nil || string(got) != string(ink) {
		t.Errorf("%q, %v: another case's blob went with the first", got, err)
	}
	must(t, j.BlobSent(h))
	if all, err := j.PendingBlobs(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	must(t, j.DropBlob(b.ID, "ink"))
	must(t, j.DropBlob(b.ID, "ink"))
	if got, err := j.Blob(h); err != nil || string(got) != string(ink) {
		t.Errorf("%q, %v: dropped while it is there under another name", got, err)
	}
	wants(t, j.BlobSent(wire.Hash{1}), journal.ErrNotFound)
	_, err = j.PutBlob(make([]byte, wire.MaxBlobBytes+1))
	if err == nil {
		t.Error("a blob over the limit was taken")
	}
	wants(t, j.Update(func(tx *journal.Tx) error { return tx.KeepBlob(b.ID, "x", wire.Hash{1}) }), journal.ErrNotFound)
	// What no change refers to goes at the next start.
	loose, err := j.PutBlob([]byte("given up"))
	must(t, err)
	j.Reopen()
	_, err = j.Blob(loose)
	wants(t, err, journal.ErrNotFound)
	if files, err := os.ReadDir(j.Path + ".blobs"); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestFullLeavesRoomToFinish(t *testing.T) {
	j := journaltest.Open(t, journal.Options{MaxSize: 24 << 20})
	detail := map[string]string{"text": strings.Repeat("x", 20<<10)}
	var last journal.Case
	var err error
	for range 5000 {
		err = j.Update(func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "12345", Details: detail})
			if err == nil {
				last = c
			}
			return err
		})
		if err != nil {
			break
		}
	}
	wants(t, err, journal.ErrFull)
	if !j.Full() {
		t.Errorf("not full: %v", fmt.Sprint(j.Size()))
	}
	if used, quota := j.Size(); used > quota || used < quota/2 {
		t.Errorf("%d of %d used", used, quota)
	}
	must(t, set(j.Journal, last.ID, journal.Printing))
	_, err = j.Do(t.Context(), journal.Intent{EffectName: name(last.ID, 1), Kind: "k"}, func(context.Context, func(k, v string) error) journal.Outcome {
		return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
	})
	must(t, err)
	must(t, set(j.Journal, last.ID, journal.Closed))
	// The quota itself is an error that breaks nothing.
	for range 5000 {
		err = j.Update(func(tx *journal.Tx) error {
			_, err := tx.Emit(wire.LaneCtl, "", "x", 1, detail)
			return err
		})
		if err != nil {
			break
		}
	}
	wants(t, err, journal.ErrFull)
	j.Check()
	// Room comes back when the platform has what waits.
	ackAll(t, j.Journal)
	if _, _, err := j.Trim(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	openCase(t, j.Journal)
}

func TestChanged(t *testing.T) {
	j := journaltest.Open(t, opt)
	changed := j.Changed()
	_ = j.Update(func(*journal.Tx) error { return errors.New("no") })
	select {
	case <-changed:
		t.Error("a change that was rolled back was told")
	default:
	}
	openCase(t, j.Journal)
	<-changed
}

func TestMeta(t *testing.T) {
	j := journaltest.Open(t, opt)
	must(t, j.Update(func(tx *journal.Tx) error { return tx.SetMeta("k", json.RawMessage(`1`)) }))
	j.Reopen()
	if v, err := j.Meta("k"); err != nil || string(v) != "1" {
		t.Errorf("%q, %v", v, err)
	}
	_, err := j.Meta("none")
	wants(t, err, journal.ErrNotFound)
	for _, own := range []string{"", "key-proof", "receipt-counter"} {
		if j.Update(func(tx *journal.Tx) error { return tx.SetMeta(own, nil) }) == nil {
			t.Errorf("meta %q could be overwritten", own)
		}
	}
}

// A power cut takes back a change whose sync is not done; nobody may have sent it by then.
func TestNothingLeavesBeforeItIsOnTheDisk(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	ackAll(t, j.Journal)
	begun, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- j.Update(func(tx *journal.Tx) error {
			close(begun)
			<-goOn
			_, err := tx.Emit(wire.LaneTx, c.ID, wire.TypeRating, 1, wire.Rating{Item: "SB-P", Version: "1", Level: "5"})
			return err
		})
	}()
	<-begun
	type sent struct {
		records []wire.Record
		err     error
	}
	leaves := make(chan sent, 1)
	go func() {
		rs, err := j.Pending(wire.LaneTx, 10, 1<<20)
		leaves <- sent{rs, err}
	}()
	early := false
	select {
	case <-leaves:
		early = true
	case <-time.After(100 * time.Millisecond):
	}
	close(goOn)
	must(t, <-done)
	if early {
		t.Fatal("records leave while a change is under way")
	}
	if s := <-leaves; s.err != nil || len(s.records) != 1 {
		t.Errorf("%d records, %v", len(s.records), s.err)
	}
	broken := fmt.Errorf("%w: sync", journal.ErrDisk)
	journal.Break(j.Journal, broken)
	defer journal.Break(j.Journal, nil)
	_, err := j.Pending(wire.LaneTx, 10, 1<<20)
	wants(t, err, journal.ErrDisk)
	_, _, err = j.Range(1, wire.LaneTx, 1, 10, 10, 1<<20)
	wants(t, err, journal.ErrDisk)
}

// A journal that is written to while it is verified is not called damaged.
func TestAJournalIsVerifiedWhileItIsWritten(t *testing.T) {
	j := journaltest.Open(t, opt)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				openCase(t, j.Journal)
			}
		}
	}()
	for range 60 {
		r, err := j.Verify(t.Context())
		must(t, err)
		if len(r.Problems) > 0 {
			t.Errorf("%q", r.Problems)
			break
		}
	}
	close(stop)
	<-done
}
