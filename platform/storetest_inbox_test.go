package platform

// What every store promises for the way down.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func inboxSuite(t *testing.T, e anEngine) {
	s := e.open(t, e.place(t))
	t.Cleanup(func() { _ = s.Close() })
	do := func(fn func(Tx) error) {
		t.Helper()
		if err := s.Update(context.Background(), fn); err != nil {
			t.Fatal(err)
		}
	}
	same := func(what string, got any, err error, want any) {
		t.Helper()
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); err != nil || g != w {
			t.Errorf("%s: %v: %s, want %s", what, err, g, w)
		}
	}
	order := func(terminal, id string, no uint64) OrderRow {
		return OrderRow{Terminal: terminal, ID: id, Type: wire.MessageCommand, Name: "pause", No: no, By: "o'brien", Sent: moment.Add(time.Duration(no) * time.Second), Expires: moment.Add(time.Hour), Revision: 1 << 40}
	}
	do(func(tx Tx) error {
		return errors.Join(tx.PutOrder(order("T1", "a", 1)), tx.PutOrder(order("T1", "b", 2)), tx.PutOrder(order("T2", "a", 3)))
	})
	ended := order("T1", "a", 5)
	ended.Status, ended.Detail, ended.Blob, ended.Ended = wire.OrderDone, "it's closed", wire.Hash{7}, moment
	do(func(tx Tx) error { return tx.PutOrder(ended) })
	do(func(tx Tx) error {
		got, err := tx.Order("T1", "a")
		same("order", got, err, func() OrderRow { w := ended; w.Sent = order("T1", "a", 1).Sent; return w }())
		open, err := tx.OpenOrders("T1")
		same("open", open, err, []OrderRow{order("T1", "b", 2)})
		all, err := tx.Orders("", 10)
		if err != nil || len(all) != 3 || all[0].Terminal != "T2" {
			t.Errorf("%+v %v", all, err)
		}
		all, err = tx.Orders("T1", 1)
		if err != nil || len(all) != 1 || all[0].ID != "a" {
			t.Errorf("newest: %+v %v", all, err)
		}
		if _, err := tx.Order("T2", "b"); !errors.Is(err, ErrNoRow) {
			t.Errorf("no order: %v", err)
		}
		return nil
	})
	rel := ReleaseRow{Kind: "items", Revision: 3, Body: `{"a":"样"}`, By: "o", Made: moment}
	do(func(tx Tx) error { return tx.PutRelease(rel) })
	do(func(tx Tx) error {
		got, err := tx.ReleaseOf("items", "", 3)
		same("release", got, err, rel)
		if _, err := tx.ReleaseOf("items", "T1", 3); !errors.Is(err, ErrNoRow) {
			t.Errorf("no release: %v", err)
		}
		none, err := tx.Working("T1")
		same("nothing said", none, err, WorkingRow{})
		said := WorkingRow{Applied: wire.Applied{Config: 1, Items: 2, Notices: 3}, Paused: true, Inbox: 1 << 41}
		if err := errors.Join(tx.PutWorking("T1", WorkingRow{Inbox: 1}), tx.PutWorking("T1", said)); err != nil {
			return err
		}
		got2, err := tx.Working("T1")
		same("said", got2, err, said)
		if _, err := tx.Lease("c"); !errors.Is(err, ErrNoRow) {
			t.Errorf("no lease: %v", err)
		}
		l := LeaseRow{Case: "c", Terminal: "T2", Token: 1 << 50, Granted: moment}
		if err := errors.Join(tx.PutLease(LeaseRow{Case: "c", Terminal: "T1", Token: 1, Granted: moment}), tx.PutLease(l)); err != nil {
			return err
		}
		got3, err := tx.Lease("c")
		same("lease", got3, err, l)
		got4, err := tx.Leases([]string{"a", "c", "b"})
		same("leases", got4, err, map[string]LeaseRow{"c": l})
		got4, err = tx.Leases(nil)
		same("no leases", got4, err, map[string]LeaseRow{})
		return nil
	})
	begun := RecordRow{Record: wire.Record{Header: wire.Header{V: 1, Terminal: "T1", Epoch: 2, Lane: wire.LaneTx, Seq: 9, ID: "r", Case: "c", Type: wire.TypeCaseOpened, Wall: moment}, Body: json.RawMessage(`{"a":1}`)}, Outcome: wire.Accepted, Received: moment}
	do(func(tx Tx) error {
		_, err := tx.AddRecords([]RecordRow{begun})
		return errors.Join(err, tx.PutCase(CaseRow{ID: "c", Terminal: "T1", ReceiptCode: "01-1", State: "S", Opened: moment, Updated: moment}))
	})
	do(func(tx Tx) error {
		c, err := tx.CaseByReceipt("01-1")
		same("case", c.ID, err, "c")
		r, err := tx.CaseBegun("c")
		same("begun", r.Seq, err, 9)
		_, err = tx.CaseByReceipt("01-2")
		_, err2 := tx.CaseBegun("d")
		if !errors.Is(err, ErrNoRow) || !errors.Is(err2, ErrNoRow) {
			t.Errorf("%v %v", err, err2)
		}
		return nil
	})
	do(func(tx Tx) error {
		one, two := wire.Hash{1}, wire.Hash{2}
		if err := errors.Join(tx.PutPart("T1", one, 0, []byte("ab"), moment), tx.PutPart("T1", two, 0, []byte("x"), moment.Add(time.Second)),
			tx.PutPart("T1", one, 2, []byte{0, 255}, moment.Add(time.Minute)), tx.PutPart("T2", one, 0, []byte("y"), moment)); err != nil {
			return err
		}
		if err := tx.PutPart("T1", one, 2, []byte("z"), moment); !errors.Is(err, ErrHeld) {
			t.Errorf("a part twice: %v", err)
		}
		n, err := tx.PartsHeld("T1", one)
		same("held", n, err, 4)
		whole, err := tx.Parts("T1", one)
		same("whole", whole, err, []byte{'a', 'b', 0, 255})
		begun, err := tx.PartsBegun("T1")
		same("begun", begun, err, []wire.Hash{two, one})
		if err := tx.DropParts("T1", one); err != nil {
			return err
		}
		n, err = tx.PartsHeld("T1", one)
		same("dropped", n, err, 0)
		n, err = tx.PartsHeld("T2", one)
		same("another's", n, err, 1)
		return nil
	})
}
