package platform

// A terminal that was permitted to print and says nothing more: its blank comes to the desk, two people decide, and whatever it says when
// it comes back doubles nothing.

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// died is a till with a paid application that its terminal was permitted to print on B1, and of which it said nothing since. heard: the
// platform knows the blank's id at the terminal.
type died struct {
	*till
	l       *loginRig
	p       *peer
	key     string
	receipt string
	bill    wire.Bill
	at      time.Time // of its last word
}

func newDied(t *testing.T, heard bool) *died {
	t.Helper()
	x := newTill(t)
	p := x.terminal("990000-0001")
	_, a := p.applies(x.box, 0)
	x.decide(a.Key, true)
	d := &died{till: x, l: &loginRig{Server: x.s, t: t}, p: p, key: a.Key, receipt: a.Receipt, at: time.Now()}
	d.bill = x.pays(p, a.Key)
	if heard {
		d.says(wire.BlankBound, 0)
	}
	if _, w := p.permit(a.Key, "B1"); w.Code != 200 {
		t.Fatal(w.Body)
	}
	p.sends(p.record(wire.TypeCaseState, a.Key, wire.CaseState{State: "PRINTING", At: time.Now()}))
	return d
}

// says is the terminal's word of what happened so long after its last one.
func (d *died) says(to wire.BlankState, after time.Duration) wire.Outcome {
	d.t.Helper()
	return d.p.sends(d.p.record(wire.TypeStock, d.key, wire.StockMove{Kind: "card", ID: "id-B1", Number: "B1", To: to, At: d.at.Add(after)}))[0]
}

func (d *died) sweep() {
	d.t.Helper()
	for range 2 { // twice is once
		if err := d.s.doubtSilent(context.Background()); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *died) card() (c CardRow) {
	d.t.Helper()
	if err := d.s.store.View(context.Background(), func(tx Tx) (err error) { c, err = tx.Card(d.key); return err }); err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *died) doubts(want ...string) {
	d.t.Helper()
	var all []DoubtRow
	if err := d.s.store.View(context.Background(), func(tx Tx) (err error) { all, err = tx.Doubts(9); return err }); err != nil {
		d.t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, r.ID+" "+r.State)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		d.t.Errorf("on the desk: %q, expected %q", got, want)
	}
}

// decides is the word of two people.
func (d *died) decides(id, act, money string) {
	d.t.Helper()
	v, err := d.s.Propose(d.t.Context(), VerdictRow{Kind: aboutBlank, Ref: d.p.id + "/card/" + id, Act: act, Money: money}, Operator{"chen", "终端已报废，机内已查"})
	if err == nil {
		err = d.s.Confirm(d.t.Context(), v, Operator{Who: "bai"})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestASilentTerminalsCardComesToTheDesk(t *testing.T) {
	for _, heard := range []bool{true, false} {
		d := newDied(t, heard)
		id := map[bool]string{true: "id-B1", false: "unheard-B1"}[heard]
		d.ahead.Add(int64(silentFor - time.Minute))
		d.sweep()
		d.doubts()
		if c := d.card(); c.State != wire.CardPrinting {
			t.Errorf("before its time: %+v", c)
		}
		d.ahead.Add(int64(2 * time.Minute))
		d.sweep()
		d.doubts(id + " in-doubt")
		if c := d.card(); c.State != wire.CardDoubt || c.Blank != "B1" {
			t.Errorf("%+v", c)
		}
		if all := d.l.said("card.silent", ""); len(all) != 1 || all[0].Terminal != d.p.id || !strings.Contains(all[0].Why, "B1") {
			t.Errorf("%+v", all)
		}
		list := d.l.account("chen", staff.Clerk).send("GET", "/desk", nil).Body.String()
		for _, has := range []string{"B1", "终端失联", words("state", "PRINTING"), "¥ 10.00 " + words("bill", "paid"), `value="taken"`, `value="spoiled again"`} {
			if !strings.Contains(list, has) {
				t.Errorf("the page lacks %q", has)
			}
		}
		if _, w := d.p.permit(d.key, "B1"); code(w) != "E-CARD-STATE" {
			t.Errorf("%s", w.Body)
		}
		// It was the line. What the terminal says counts, and nobody needs to decide.
		for i, to := range []wire.BlankState{wire.BlankBound, wire.BlankSent, wire.BlankPresented, wire.BlankTaken} {
			d.says(to, time.Duration(i+1)*time.Second)
		}
		d.doubts()
		if c := d.card(); c.State != wire.CardIssued {
			t.Errorf("%+v", c)
		}
		d.ahead.Add(int64(2 * silentFor))
		d.sweep()
		d.doubts()
	}
}

// A terminal that goes silent once more, in the middle of what it catches up with, is on the desk once more.
func TestATerminalGoesSilentAgain(t *testing.T) {
	d := newDied(t, false)
	d.ahead.Add(int64(2 * silentFor))
	d.sweep()
	d.doubts("unheard-B1 in-doubt")
	d.says(wire.BlankBound, time.Second)
	d.says(wire.BlankSent, 2*time.Second)
	d.doubts()
	d.ahead.Add(int64(2 * silentFor))
	d.sweep()
	d.doubts("id-B1 in-doubt")
}

func TestATerminalThatWasPutOutIsSilentAtOnce(t *testing.T) {
	for name, put := range map[string]func(*Server, context.Context, string, Operator) error{"revoked": (*Server).Revoke, "replaced": (*Server).Reset} {
		d := newDied(t, true)
		d.sweep()
		d.doubts()
		if err := put(d.s, t.Context(), d.p.id, Operator{"bai", "被盗"}); err != nil {
			t.Fatal(err)
		}
		d.sweep()
		d.doubts("id-B1 in-doubt")
		d.decides("id-B1", "spoiled", "again")
		d.doubts()
		if c := d.card(); c.State != wire.CardApproved || c.Blank != "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// Two people said that it was spoiled; the citizen has the card from another terminal; then the dead one comes back.
func TestADeadTerminalComesBackAndNothingIsDoubled(t *testing.T) {
	for _, heard := range []bool{true, false} {
		d := newDied(t, heard)
		id := map[bool]string{true: "id-B1", false: "unheard-B1"}[heard]
		other := d.terminal("990000-0002")
		d.ahead.Add(int64(2 * silentFor))
		d.sweep()
		d.decides(id, "spoiled", "again")
		d.doubts()
		if c := d.card(); c.State != wire.CardApproved || c.Blank != "" {
			t.Fatalf("%+v", c)
		}
		// The order waits for the terminal; it names the blank as the terminal knows it.
		var order wire.BlankVerdict
		box := d.p.inbox()
		if len(box) != 1 || json.Unmarshal(box[0].Body, &order) != nil || order.Number != "B1" || order.ID != map[bool]string{true: "id-B1"}[heard] || order.To != wire.BlankSpoiled {
			t.Fatalf("%+v", box)
		}
		l, w := other.lease(d.receipt, other.proven(d.box, 0, seedPeople[0].name))
		if w.Code != 200 {
			t.Fatal(w.Body)
		}
		if _, w := other.permit(d.key, "B1"); code(w) != "E-BLANK" {
			t.Errorf("the spoiled blank: %s", w.Body)
		}
		if _, w := other.permit(d.key, "B9"); w.Code != 200 {
			t.Fatal(w.Body)
		}
		out := other.sends(other.under(l.Token, wire.TypeLease, d.key, l.Grant),
			other.under(l.Token, wire.TypeStock, d.key, wire.StockMove{Kind: "card", ID: "9", Number: "B9", To: wire.BlankTaken, At: time.Now().Add(3 * silentFor)}))
		if out[1].Status != wire.Accepted {
			t.Fatalf("%+v", out)
		}
		// It says what it had not said, and what it found at its restart.
		for i, to := range []wire.BlankState{wire.BlankBound, wire.BlankSent, wire.BlankDoubt} {
			if o := d.says(to, time.Duration(i+1)*time.Second); o.Status == wire.Accepted {
				t.Errorf("the case is another terminal's now, and its former one moves it: %+v", o)
			}
		}
		d.says(wire.BlankDoubt, 4*silentFor)
		d.says(wire.BlankSpoiled, 4*silentFor+time.Minute) // it carried the order out
		d.doubts()
		if c := d.card(); c.State != wire.CardIssued || c.Blank != "B9" {
			t.Errorf("%+v", c)
		}
		if _, w := d.p.permit(d.key, "B2"); w.Code == 200 {
			t.Error("a second card was permitted")
		}
	}
}

// The same terminal goes on with the case: what happened before the verdict does not undo it.
func TestWhatIsOlderThanAVerdictUndoesNothing(t *testing.T) {
	for _, heard := range []bool{true, false} {
		id := map[bool]string{true: "id-B1", false: "unheard-B1"}[heard]
		d := newDied(t, heard)
		d.ahead.Add(int64(2 * silentFor))
		d.sweep()
		d.decides(id, "taken", "")
		if c := d.card(); c.State != wire.CardIssued {
			t.Fatalf("%+v", c)
		}
		d.says(wire.BlankSent, time.Second)
		d.says(wire.BlankDoubt, 2*time.Second)
		d.doubts()
		if c := d.card(); c.State != wire.CardIssued {
			t.Errorf("%+v", c)
		}
		d.says(wire.BlankTaken, 3*silentFor)
		d.doubts()
		if c := d.card(); c.State != wire.CardIssued {
			t.Errorf("%+v", c)
		}
		// But a card that somebody has, and that two people had called spoiled, is told.
		e := newDied(t, heard)
		e.ahead.Add(int64(2 * silentFor))
		e.sweep()
		e.decides(id, "spoiled", "again")
		e.says(wire.BlankTaken, 3*time.Second)
		if c := e.card(); c.State != wire.CardDoubt {
			t.Errorf("%+v", c)
		}
		if all := e.l.said("card.twice", ""); len(all) != 1 {
			t.Errorf("%+v", all)
		}
		if _, w := e.p.permit(e.key, "B2"); code(w) != "E-CARD-STATE" {
			t.Errorf("a second card: %s", w.Body)
		}
	}
}

// Money goes back at once, and once.
func TestASilentTerminalsMoneyGoesBackOnce(t *testing.T) {
	d := newDied(t, true)
	d.ahead.Add(int64(2 * silentFor))
	d.sweep()
	d.decides("id-B1", "spoiled", "return")
	d.until(d.p, d.bill.Number, wire.BillReturned, "unissued done")
	if c := d.card(); c.State != wire.CardEnded || !c.Ended {
		t.Errorf("%+v", c)
	}
	// The terminal comes back and carries the order out.
	d.says(wire.BlankDoubt, 3*silentFor)
	d.says(wire.BlankSpoiled, 3*silentFor+time.Second)
	d.p.sends(d.p.record(wire.TypeCaseState, d.key, wire.CaseState{State: wire.CaseRefundDue, At: time.Now().Add(3 * silentFor)}))
	for range 20 {
		d.ahead.Add(int64(2 * time.Second))
		if _, err := d.s.settler.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.doubts()
	returned := pay.Fen(0)
	for _, o := range d.sim.Orders() {
		for _, m := range o.Payments {
			returned += pay.Fen(m.Returned)
		}
	}
	if returned != 1000 {
		t.Errorf("%d fen went back, expected 1000", returned)
	}
	if c := d.card(); c.State != wire.CardEnded {
		t.Errorf("%+v", c)
	}
}
