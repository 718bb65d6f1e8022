package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// checker is a test, or one of rapid's.
type checker interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// stand makes a case that went a way.
func stand(t checker, j *journal.Journal, way ...journal.State) journal.Case {
	t.Helper()
	var c journal.Case
	err := j.Update(func(tx *journal.Tx) (err error) {
		c, err = tx.OpenCase(journal.NewCase{Item: "SB-P", Person: "王*明", Last4: "1234"})
		for _, s := range way {
			if err == nil {
				err = tx.SetState(c.ID, s, "test")
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = j.Case(c.ID); err != nil {
		t.Fatal(err)
	}
	return c
}

// unknown makes a case whose print nobody saw the end of.
func unknown(t testing.TB, j *journal.Journal) journal.Case {
	t.Helper()
	c := stand(t, j, journal.Accepted)
	_, err := j.Do(context.Background(), journal.Intent{EffectName: journal.EffectName{Case: c.ID, Step: "print", Attempt: 1}, Kind: "print-document", Case: journal.Printing},
		func(context.Context, func(k, v string) error) journal.Outcome {
			return journal.Outcome{State: journal.EffectUnknown, Case: journal.PrintUnknown, Why: "printer went silent", Number: "N-1"}
		})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = j.Case(c.ID); err != nil {
		t.Fatal(err)
	}
	return c
}

func audits(t testing.TB, j *journal.Journal) (all []wire.AuditEntry) {
	t.Helper()
	rs, err := j.Pending(wire.LaneAudit, 10_000, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		var a wire.AuditEntry
		if err := json.Unmarshal(r.Body, &a); err != nil {
			t.Fatal(err)
		}
		if a.Event == wire.EventDeskDecided {
			all = append(all, a)
		}
	}
	return all
}

func TestDecisions(t *testing.T) {
	for _, tc := range []struct {
		action desk.Action
		reason desk.Reason
		to     journal.State
		effect journal.EffectState
		again  bool // may be attempted again afterwards
	}{
		{desk.Printed, desk.PaperInTray, journal.Retained, journal.EffectDone, false},
		{desk.NotPrinted, desk.TrayEmpty, journal.ReissueDue, journal.EffectFailed, true},
		{desk.Spoiled, desk.PaperJammed, journal.Spoiled, journal.EffectFailed, true},
		{desk.HandOver, desk.PaperWithCitizen, journal.Closed, journal.EffectDone, false},
	} {
		t.Run(string(tc.action), func(t *testing.T) {
			j := journaltest.Open(t, journal.Options{})
			d := desk.New(j.Journal, desk.Options{})
			c := unknown(t, j.Journal)
			list, err := d.List()
			if err != nil || len(list) != 1 || list[0].ReceiptCode != c.ReceiptCode || list[0].Why != "printer went silent" {
				t.Fatalf("%+v %v", list, err)
			}
			v, err := d.Decide(desk.Decision{Receipt: c.ReceiptCode, Action: tc.action, Operator: "op.chen", Reason: tc.reason, Note: []byte("李晓雯 came, 13800000002")})
			if err != nil {
				t.Fatal(err)
			}
			if v.State != tc.to || v.Effects[0].State != tc.effect || v.Again {
				t.Errorf("%+v", v)
			}
			all := audits(t, j.Journal)
			if len(all) != 1 || all[0].Who != "op.chen" || all[0].Fields["action"] != string(tc.action) || all[0].Fields["from"] != "PRINT_UNKNOWN" ||
				all[0].Fields["to"] != string(tc.to) || all[0].Fields["note"] == "" || strings.Contains(all[0].Fields["note"], "13800000002") {
				t.Errorf("%+v", all)
			}
			note, err := j.Note(c.ID, v.Decisions[0].ID)
			if err != nil || string(note) != "李晓雯 came, 13800000002" {
				t.Errorf("%q %v", note, err)
			}
			// The printer may be asked again only when it certainly did not print.
			_, err = j.Do(t.Context(), journal.Intent{EffectName: journal.EffectName{Case: c.ID, Step: "print", Attempt: 2}, Kind: "print-document"},
				func(context.Context, func(k, v string) error) journal.Outcome {
					return journal.Outcome{State: journal.EffectDone}
				})
			if (err == nil) != tc.again {
				t.Errorf("printing again: %v", err)
			}
		})
	}
}

// The same decision sent twice is one decision.
func TestADecisionIsMadeOnce(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	d := desk.New(j.Journal, desk.Options{})
	c := unknown(t, j.Journal)
	want := desk.Decision{ID: "console-7", Receipt: c.ReceiptCode, Action: desk.NotPrinted, Operator: "op.chen", Reason: desk.TrayEmpty}
	first, err := d.Decide(want)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		j.Reopen()
		d = desk.New(j.Journal, desk.Options{})
		v, err := d.Decide(want)
		if err != nil || !v.Again || v.State != first.State || len(v.Decisions) != 1 || len(v.History) != len(first.History) {
			t.Fatalf("%+v %v", v, err)
		}
	}
	// Without an id, the same words as last time are the same decision.
	want.ID = ""
	if v, err := d.Decide(want); err != nil || !v.Again {
		t.Errorf("%+v %v", v, err)
	}
	want.ID, want.Reason = "console-7", desk.PaperJammed
	if _, err := d.Decide(want); !errors.Is(err, desk.ErrDecided) {
		t.Errorf("%v", err)
	}
	if n := len(audits(t, j.Journal)); n != 1 {
		t.Errorf("%d lines of audit", n)
	}
}

func TestRefusals(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	left := errors.New("left the office")
	d := desk.New(j.Journal, desk.Options{Controlled: func(item string) bool { return item == "SB-P" }, Operator: func(id string) error {
		if id == "op.gone" {
			return left
		}
		return nil
	}})
	c := unknown(t, j.Journal)
	paid := stand(t, j.Journal, journal.Accepted, journal.BillCreated, journal.PayPending, journal.Paid, journal.Printing, journal.PrintFailed)
	good := desk.Decision{Receipt: c.ReceiptCode, Action: desk.NotPrinted, Operator: "op.chen", Second: "op.li", Reason: desk.TrayEmpty}
	for what, tc := range map[string]struct {
		change func(w *desk.Decision)
		want   error
	}{
		"nobody":               {func(w *desk.Decision) { w.Operator = "" }, desk.ErrOperator},
		"a name":               {func(w *desk.Decision) { w.Operator = "陈" }, desk.ErrOperator},
		"the system":           {func(w *desk.Decision) { w.Operator = "system" }, desk.ErrOperator},
		"somebody who left":    {func(w *desk.Decision) { w.Operator = "op.gone" }, desk.ErrOperator},
		"second who left":      {func(w *desk.Decision) { w.Second = "op.gone" }, desk.ErrOperator},
		"one person":           {func(w *desk.Decision) { w.Second = "" }, desk.ErrSecond},
		"one person twice":     {func(w *desk.Decision) { w.Second = w.Operator }, desk.ErrSecond},
		"no reason":            {func(w *desk.Decision) { w.Reason = "" }, desk.ErrReason},
		"another's reason":     {func(w *desk.Decision) { w.Reason = desk.StatementChecked }, desk.ErrReason},
		"other without a note": {func(w *desk.Decision) { w.Reason = desk.Other }, desk.ErrReason},
		"a long note":          {func(w *desk.Decision) { w.Note = bytes.Repeat([]byte("x"), journal.MaxNote+1) }, journal.ErrState},
		"no such action":       {func(w *desk.Decision) { w.Action = "print" }, desk.ErrNotNow},
		"not in this state":    {func(w *desk.Decision) { w.Action, w.Reason = desk.WasPaid, desk.StatementChecked }, desk.ErrNotNow},
		"no such case":         {func(w *desk.Decision) { w.Receipt = "03-20200101-999999" }, journal.ErrNotFound},
		"too few digits":       {func(w *desk.Decision) { w.Receipt = "001" }, journal.ErrNotFound},
		"a bad id":             {func(w *desk.Decision) { w.ID = "a/b" }, desk.ErrDecided},
		"money is owed": {func(w *desk.Decision) {
			w.Receipt, w.Action, w.Reason = paid.ReceiptCode, desk.Void, desk.CitizenAbsent
		}, desk.ErrOwed},
	} {
		w := good
		tc.change(&w)
		if _, err := d.Decide(w); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, expected %v", what, err, tc.want)
		}
	}
	if n := len(audits(t, j.Journal)); n != 0 {
		t.Errorf("%d decisions were written", n)
	}
	if now, err := j.Case(c.ID); err != nil || now.State != journal.PrintUnknown || len(now.Decisions) != 0 {
		t.Errorf("%+v %v", now, err)
	}
	if v, err := d.Find(c.ReceiptCode[len(c.ReceiptCode)-6:]); err != nil || v.Case != c.ID {
		t.Errorf("by its last digits: %+v %v", v, err)
	}
}

// While an effect has no outcome at all, the machine has not asked yet; nobody judges before that.
func TestNobodyJudgesWhatWasNotAsked(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	c := stand(t, j.Journal, journal.Accepted)
	func() {
		defer func() { _ = recover() }()
		_, _ = j.Do(t.Context(), journal.Intent{EffectName: journal.EffectName{Case: c.ID, Step: "print", Attempt: 1}, Kind: "print-document", Case: journal.Printing},
			func(context.Context, func(k, v string) error) journal.Outcome { panic("power cut") })
	}()
	if err := j.Update(func(tx *journal.Tx) error { return tx.SetState(c.ID, journal.PrintUnknown, "test") }); err != nil {
		t.Fatal(err)
	}
	d := desk.New(j.Journal, desk.Options{})
	_, err := d.Decide(desk.Decision{Receipt: c.ReceiptCode, Action: desk.NotPrinted, Operator: "op.chen", Reason: desk.TrayEmpty})
	if !errors.Is(err, journal.ErrUnsettled) {
		t.Errorf("%v", err)
	}
}

// ways leads a case from its beginning to a state, by the table.
func ways(t checker, to journal.State) []journal.State {
	t.Helper()
	type step struct {
		at  journal.State
		way []journal.State
	}
	todo, seen := []step{{journal.Submitted, nil}}, map[journal.State]bool{}
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		if s.at == to {
			return s.way
		}
		for _, n := range s.at.Next() {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, step{n, append(slices.Clone(s.way), n)})
			}
		}
	}
	t.Fatalf("no case can come to %s", to)
	return nil
}

// Every state of the desk can be left by a decision, every decision that is offered can be made, and no other.
func TestTheTableHoldsInEveryState(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	d := desk.New(j.Journal, desk.Options{})
	for _, s := range journal.States() {
		leads := 0
		for _, a := range desk.Actions() {
			c := stand(t, j.Journal, ways(t, s)...)
			v, err := d.Find(c.ReceiptCode)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(v.May, func(m desk.Choice) bool { return m.Action == a })
			want := desk.Decision{Receipt: c.ReceiptCode, Action: a, Operator: "op.chen", Second: "op.li", Reason: desk.Other, Note: []byte("seen")}
			got, err := d.Decide(want)
			switch {
			case at < 0 && !errors.Is(err, desk.ErrNotNow) && !errors.Is(err, desk.ErrOwed):
				t.Errorf("%s in %s is not offered and gave %v", a, s, err)
			case at >= 0 && err != nil:
				t.Errorf("%s in %s is offered and gave %v", a, s, err)
			case at >= 0 && got.State != v.May[at].To:
				t.Errorf("%s in %s leads to %s, said %s", a, s, got.State, v.May[at].To)
			}
			if at >= 0 && v.May[at].To != s {
				leads++
			}
		}
		if s.Desk() && leads == 0 {
			t.Errorf("nobody can decide about %s", s)
		}
		if !s.Desk() && leads > 0 {
			t.Errorf("%s is no person's to decide, and %d actions lead out of it", s, leads)
		}
	}
}

// Whatever people decide in whatever order, money that is owed is not forgotten, and the journal verifies.
func TestWhateverIsDecided(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	d := desk.New(j.Journal, desk.Options{})
	var desks []journal.State
	for _, s := range journal.States() {
		if s.Desk() {
			desks = append(desks, s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var way []journal.State
		if rapid.Bool().Draw(t, "paid") {
			way = []journal.State{journal.Accepted, journal.BillCreated, journal.PayPending, journal.Paid, journal.Printing, journal.PrintUnknown}
		} else {
			way = ways(t, rapid.SampledFrom(desks).Draw(t, "state"))
		}
		c := stand(t, j.Journal, way...)
		for range rapid.IntRange(1, 6).Draw(t, "decisions") {
			_, err := d.Decide(desk.Decision{Receipt: c.ReceiptCode, Action: rapid.SampledFrom(desk.Actions()).Draw(t, "action"), Operator: "op.chen",
				Second: "op.li", Reason: desk.Other, Note: []byte("x")})
			if err != nil && !errors.Is(err, desk.ErrNotNow) && !errors.Is(err, desk.ErrOwed) {
				t.Fatal(err)
			}
		}
		now, err := j.Case(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		paid, refunded, given := 0, 0, 0
		for _, e := range now.History {
			switch e.State {
			case journal.Paid:
				paid++
			case journal.Refunded:
				refunded++
			case journal.Delivered:
				given++
			}
		}
		if now.State == journal.Cancelled && paid > 0 && refunded == 0 {
			t.Errorf("voided with the money kept: %+v", now.History)
		}
		if given > 1 {
			t.Errorf("handed over %d times: %+v", given, now.History)
		}
	})
}
