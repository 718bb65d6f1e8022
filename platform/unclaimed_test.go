package platform

import (
	"context"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// TestNobodyComesForACard: a paid one's money goes back and an unpaid one ends, though the terminal says nothing.
func TestNobodyComesForACard(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	apply := func(place int) string {
		t.Helper()
		_, a := p.applies(x.box, place)
		x.decide(a.Key, true)
		return a.Key
	}
	paid, unpaid, billed, free, printed := apply(0), apply(1), apply(2), apply(4), apply(3)
	b := x.pays(p, paid)
	open := p.bill("POST", "", wire.BillRequest{Case: billed, Item: "TID"}, 200)
	x.pays(p, free)
	x.pays(p, printed)
	if _, w := p.permit(printed, "B1"); w.Code != 200 {
		t.Fatal(w.Body)
	}
	x.until(p, open.Number, wire.BillClosed) // nobody paid
	state := func(key string) (c CardRow) {
		t.Helper()
		if err := x.s.store.View(context.Background(), func(tx Tx) (err error) { c, err = tx.Card(key); return err }); err != nil {
			t.Fatal(err)
		}
		return c
	}
	sweep := func() {
		t.Helper()
		for range 2 { // twice is once
			if err := x.s.endUnclaimed(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	x.ahead.Add(int64(unclaimedFor - 2*time.Hour))
	sweep()
	for _, key := range []string{paid, unpaid, billed, free} {
		if c := state(key); c.State != wire.CardApproved {
			t.Errorf("before its time: %+v", c)
		}
	}
	x.ahead.Add(int64(3 * time.Hour))
	sweep()
	for key, want := range map[string]wire.CardState{paid: wire.CardEnded, free: wire.CardEnded, unpaid: wire.CardApproved, billed: wire.CardApproved, printed: wire.CardPrinting} {
		if c := state(key); c.State != want {
			t.Errorf("%+v, want %s", c, want)
		}
	}
	x.until(p, b.Number, wire.BillReturned, "unissued done")
	x.ahead.Add(int64(unfetchedFor))
	sweep()
	for _, key := range []string{unpaid, billed} {
		if c := state(key); c.State != wire.CardEnded || !c.Ended {
			t.Errorf("%+v", c)
		}
	}
	if c := state(printed); c.State != wire.CardPrinting {
		t.Errorf("of a card that may exist: %+v", c)
	}
	if _, w := p.permit(paid, "B2"); code(w) != "E-CARD-STATE" {
		t.Errorf("%s", w.Body)
	}
	if all := (&loginRig{Server: x.s, t: t}).said("card.unclaimed", ""); len(all) != 4 {
		t.Errorf("%+v", all)
	}
	for _, o := range x.sim.Orders() {
		for _, m := range o.Payments {
			bill, _ := pay.BillOf(o.Number)
			if (m.Returned > 0) != (bill == b.Number) {
				t.Errorf("%+v", m)
			}
		}
	}
}
