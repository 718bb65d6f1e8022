package uplink_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

func command(no uint64, id, name string) wire.Message {
	b, _ := json.Marshal(wire.Command{Name: name})
	return wire.Message{No: no, ID: id, Type: wire.MessageCommand, Expires: time.Now().Add(time.Hour), Body: b}
}

// results are the answers that wait for the platform.
func results(t *testing.T, j *journal.Journal) (all []wire.OrderResult) {
	t.Helper()
	rs, err := j.Pending(wire.LaneCtl, 200, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		var b wire.OrderResult
		if err := json.Unmarshal(r.Body, &b); err != nil || r.Type != wire.TypeResult {
			t.Fatal(r.Type, err)
		}
		all = append(all, b)
	}
	return all
}

func TestAnOrderIsDoneOnce(t *testing.T) {
	j := journaltest.Open(t, journal.Options{Terminal: terminalID})
	done := 0
	end := errors.New("end")
	trouble := errors.New("not now")
	o := &uplink.Orders{Journal: j.Journal, Handle: map[string]uplink.Handler{
		"command/pause": func(context.Context, wire.Message) (uplink.Doing, error) {
			done++
			return uplink.Doing{Result: wire.OrderResult{Status: wire.OrderDone, Detail: "first"},
				Also: func(tx *journal.Tx) error { return tx.SetMeta("paused", []byte{1}) }}, nil
		},
		"command/restart": func(context.Context, wire.Message) (uplink.Doing, error) {
			return uplink.Doing{Result: wire.OrderResult{Status: wire.OrderDone}, End: end}, nil
		},
		"command/logs":   func(context.Context, wire.Message) (uplink.Doing, error) { return uplink.Doing{}, trouble },
		"command/resync": func(context.Context, wire.Message) (uplink.Doing, error) { return uplink.Doing{Later: true}, nil },
	}}
	ctx := t.Context()
	send := func(m wire.Message) {
		t.Helper()
		if err := o.Message(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	due := o.Due()
	send(command(1, "a", "pause"))
	send(command(1, "a", "pause")) // came twice before it was done
	select {
	case <-due:
	default:
		t.Error("nobody was told that an order came")
	}
	if e, err := o.Do(ctx); e != nil || err != nil || done != 1 {
		t.Fatal(e, err, done)
	}
	if b, err := j.Meta("paused"); err != nil || len(b) != 1 {
		t.Error("what belongs together did not change together", err)
	}
	send(command(9, "a", "pause")) // and once more under another number, after it was done
	if e, err := o.Do(ctx); e != nil || err != nil || done != 1 {
		t.Error("an order that came again was done again", e, err, done)
	}
	got := results(t, j.Journal)
	if len(got) != 2 || got[0].Again || !got[1].Again || got[1].Detail != "first" || !got[0].At.Equal(got[1].At) {
		t.Errorf("%+v", got)
	}

	send(command(2, "b", "dance"))
	send(command(3, "c", "logs"))
	send(command(4, "d", "resync"))
	late := command(5, "e", "pause")
	late.Expires = time.Now().Add(-time.Second)
	send(late)
	if err := o.Expired(ctx, wire.Message{No: 6, ID: "f", Type: wire.MessageCommand, Body: json.RawMessage(`{"name":"pause"}`)}); err != nil {
		t.Fatal(err)
	}
	send(wire.Message{No: 7, ID: "g", Type: "hymn", Body: json.RawMessage(`1`)})
	send(wire.Message{No: 8, ID: "", Type: "nameless"}) // left, without blocking the inbox
	send(command(10, "h", "restart"))
	send(command(11, "i", "pause"))
	e, err := o.Do(ctx)
	if !errors.Is(e, end) || !errors.Is(err, trouble) || done != 1 {
		t.Error(e, err, done)
	}
	var statuses []string
	for _, r := range results(t, j.Journal)[2:] {
		statuses = append(statuses, r.Message+" "+r.Name+" "+string(r.Status))
	}
	if want := []string{"f pause expired", "b dance unknown", "e pause expired", "g  unknown", "h restart done"}; !slices.Equal(statuses, want) {
		t.Errorf("%q, want %q", statuses, want)
	}
	// After the restart: what waited goes on, what ended is over.
	j.Reopen()
	o.Journal = j.Journal
	if e, err := o.Do(ctx); e != nil || !errors.Is(err, trouble) || done != 2 {
		t.Error(e, err, done)
	}
	waiting, err := j.Orders()
	if err != nil || len(waiting) != 2 || waiting[0].ID != "c" || waiting[1].ID != "d" {
		t.Errorf("%+v %v", waiting, err)
	}
	if n, err := j.TrimOrders(time.Now().Add(time.Hour)); err != nil || n != 7 {
		t.Errorf("%d forgotten, %v", n, err)
	}
	if waiting, _ := j.Orders(); len(waiting) != 2 {
		t.Error("an order that waits was forgotten")
	}
}

func TestExpiredMessagesAreHandedOverAsSuch(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	got := make(chan string, 9)
	x.opt.Message = func(_ context.Context, m wire.Message) error { got <- "in time " + m.Type; return nil }
	x.opt.Expired = func(_ context.Context, m wire.Message) error { got <- "late " + m.Type; return nil }
	x.run(t)
	c.tell("a", time.Now().Add(-time.Minute))
	c.tell("b", time.Now().Add(time.Hour))
	for _, want := range []string{"late a", "in time b"} {
		if m := <-got; m != want {
			t.Errorf("%s, want %s", m, want)
		}
	}
}
