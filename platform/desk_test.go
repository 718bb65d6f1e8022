package platform

// The desk: two people, one after the other, about what no program knows.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/paysim"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// doubted is a paid application whose blank nobody knows the fate of.
func doubted(t *testing.T) (x *till, p *peer, key string, l *loginRig) {
	t.Helper()
	x = newTill(t)
	p = x.terminal("990000-0001")
	_, a := p.applies(x.box, 0)
	x.decide(a.Key, true)
	x.pays(p, a.Key)
	if _, w := p.permit(a.Key, "B1"); w.Code != 200 {
		t.Fatal(w.Body)
	}
	p.sends(p.record(wire.TypeCaseState, a.Key, wire.CaseState{State: "MANUAL", At: time.Now()}))
	p.blank(a.Key, "B1", wire.BlankSent)
	p.blank(a.Key, "B1", wire.BlankDoubt)
	return x, p, a.Key, &loginRig{Server: x.s, t: t}
}

const blankRef = "990000-0001/card/id-B1"

func propose(act string) url.Values {
	return url.Values{"kind": {"blank"}, "ref": {blankRef}, "act": {act}, "why": {"在回收箱中找到，未打印"}}
}

// open is the one proposal that waits.
func (l *loginRig) open() VerdictRow {
	l.t.Helper()
	var all []VerdictRow
	if err := l.store.View(l.t.Context(), func(tx Tx) (err error) { all, err = tx.OpenVerdicts(9); return err }); err != nil || len(all) != 1 {
		l.t.Fatalf("%+v %v", all, err)
	}
	return all[0]
}

func TestTwoPeopleSayWhatBecameOfABlank(t *testing.T) {
	x, p, key, l := doubted(t)
	viewer, chen, bai := l.account("wang", staff.Viewer), l.account("chen", staff.Clerk), l.account("bai", staff.Clerk)
	if w := viewer.send("GET", "/desk", nil); w.Code != 403 {
		t.Errorf("%d", w.Code)
	}
	list := chen.send("GET", "/desk", nil).Body.String()
	for _, has := range []string{"B1", "去向不明", "¥ 10.00 已缴费 paid", "转人工 with a person", `value="spoiled return"`, `value="spoiled again"`, `value="taken"`, `value="retained"`} {
		if !strings.Contains(list, has) {
			t.Errorf("the page lacks %q", has)
		}
	}
	for _, not := range []string{`value="spoiled end"`, `value="back`, numberOf(t, 0)} {
		if strings.Contains(list, not) {
			t.Errorf("the page has %q", not)
		}
	}
	foreign := *chen
	foreign.site = "cross-site"
	for what, c := range map[string]struct {
		by     *browser
		form   url.Values
		status int
	}{
		"from another site":   {&foreign, propose("taken"), 403},
		"as a viewer":         {viewer, propose("taken"), 403},
		"no act":              {chen, propose(""), 400},
		"an unknown act":      {chen, propose("eaten"), 400},
		"no word on money":    {chen, propose("spoiled"), 400},
		"an end that is paid": {chen, propose("spoiled end"), 400},
		"money for a card":    {chen, propose("taken return"), 400},
		"without a reason":    {chen, url.Values{"kind": {"blank"}, "ref": {blankRef}, "act": {"taken"}, "why": {"x"}}, 400},
		"another blank":       {chen, url.Values{"kind": {"blank"}, "ref": {"990000-0001/card/none"}, "act": {"taken"}, "why": {"看过了没有"}}, 404},
		"another kind":        {chen, url.Values{"kind": {"x"}, "ref": {blankRef}, "act": {"taken"}, "why": {"看过了没有"}}, 400},
	} {
		if w := c.by.send("POST", "/desk", c.form); w.Code != c.status {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	if w := chen.send("POST", "/desk", propose("spoiled return")); w.Code != 303 {
		t.Fatal(w.Body)
	}
	if w := bai.send("POST", "/desk", propose("taken")); w.Code != 409 {
		t.Errorf("a second proposal: %d %s", w.Code, w.Body)
	}
	v := l.open()
	confirm := url.Values{"act": {"confirm"}}
	if w := chen.send("POST", "/desk/"+v.ID, confirm); w.Code != 400 || !strings.Contains(w.Body.String(), "另一人") {
		t.Errorf("the same person: %d %s", w.Code, w.Body)
	}
	if w := viewer.send("POST", "/desk/"+v.ID, confirm); w.Code != 403 {
		t.Errorf("%d", w.Code)
	}
	if box := p.inbox(); len(box) != 0 {
		t.Fatalf("ordered by one person: %+v", box)
	}
	if w := bai.send("POST", "/desk/"+v.ID, confirm); w.Code != 303 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := bai.send("POST", "/desk/"+v.ID, confirm); w.Code != 409 {
		t.Errorf("confirmed twice: %d", w.Code)
	}
	var order wire.BlankVerdict
	box := p.inbox()
	if len(box) != 1 || box[0].Type != wire.MessageBlank || json.Unmarshal(box[0].Body, &order) != nil {
		t.Fatalf("%+v", box)
	}
	want := wire.BlankVerdict{Kind: "card", ID: "id-B1", Number: "B1", Case: key, To: wire.BlankSpoiled, Money: wire.VerdictReturn, By: "chen", Second: "bai", Why: "在回收箱中找到，未打印"}
	if order != want {
		t.Errorf("%+v", order)
	}
	// Until the terminal has answered nobody says anything else of it.
	if list := chen.send("GET", "/desk", nil).Body.String(); strings.Contains(list, `name="ref"`) || !strings.Contains(list, "等待其答复") {
		t.Errorf("%s", list)
	}
	if w := chen.send("POST", "/desk", propose("taken")); w.Code != 400 || !strings.Contains(w.Body.String(), "已通知终端") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// Nothing has moved: the terminal's ledger does, and says so.
	if got, _ := p.card("GET", "/"+key, nil); got.State != wire.CardDoubt {
		t.Errorf("%+v", got)
	}
	p.blank(key, "B1", wire.BlankSpoiled)
	p.sends(p.record(wire.TypeCaseState, key, wire.CaseState{State: wire.CaseRefundDue, At: time.Now()}))
	if got, _ := p.card("GET", "/"+key, nil); got.State != wire.CardEnded {
		t.Errorf("%+v", got)
	}
	b := p.bill("POST", "", wire.BillRequest{Case: key, Item: "TID"}, 200)
	x.until(p, b.Number, wire.BillReturned, "unissued done")
	if list := chen.send("GET", "/desk", nil).Body.String(); strings.Contains(list, `name="ref"`) || !strings.Contains(list, "chen · bai") {
		t.Errorf("%s", list)
	}
	for event, who := range map[string]string{"desk.proposed": "chen", "desk.confirmed": "bai"} {
		if all := l.said(event, "spoiled"); len(all) != 1 || all[0].Who != who {
			t.Errorf("%s: %+v", event, all)
		}
	}
}

func (p *peer) inbox() (all []wire.Message) {
	p.t.Helper()
	if err := p.s.store.View(context.Background(), func(tx Tx) (err error) { all, err = tx.Inbox(p.id, 0, 9); return err }); err != nil {
		p.t.Fatal(err)
	}
	return all
}

func TestAProposalIsTakenBackOrOvertaken(t *testing.T) {
	_, p, key, l := doubted(t)
	chen, bai := Operator{Who: "chen", Why: "看到在箱中"}, Operator{Who: "bai", Why: "箱中没有"}
	ctx := t.Context()
	v := VerdictRow{Kind: aboutBlank, Ref: blankRef, Act: "retained"}
	for _, by := range []Operator{chen, bai} { // taken back, refused
		id, err := l.Propose(ctx, v, chen)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Refuse(ctx, id, by); err != nil {
			t.Fatal(err)
		}
		if err := l.Confirm(ctx, id, bai); !errors.Is(err, ErrDecided) {
			t.Errorf("%v", err)
		}
	}
	id, err := l.Propose(ctx, v, chen)
	if err != nil {
		t.Fatal(err)
	}
	p.blank(key, "B1", wire.BlankRetained) // it was found meanwhile
	if err := l.Confirm(ctx, id, bai); !errors.Is(err, ErrDecided) {
		t.Errorf("%v", err)
	}
	if box := p.inbox(); len(box) != 0 {
		t.Errorf("%+v", box)
	}
	if all := l.said("desk.overtaken", "retained"); len(all) != 1 || all[0].Who != "bai" {
		t.Errorf("%+v", all)
	}
	if id, err = l.Propose(ctx, VerdictRow{Kind: aboutBlank, Ref: blankRef, Act: "taken"}, bai); err != nil {
		t.Fatal(err)
	}
	if err := l.Confirm(ctx, id, Operator{Who: "chen"}); err != nil {
		t.Error(err)
	}
	if box := p.inbox(); len(box) != 1 {
		t.Errorf("%+v", box)
	}
}

// TestAnOrderBindsUntilItsAnswer: what a terminal may still do is not said otherwise; what it did not do is.
func TestAnOrderBindsUntilItsAnswer(t *testing.T) {
	_, p, _, l := doubted(t)
	chen, v := Operator{"chen", "看到在箱中"}, VerdictRow{Kind: aboutBlank, Ref: blankRef, Act: "taken"}
	again := func(ok bool) (id string) {
		t.Helper()
		id, err := l.Propose(t.Context(), v, chen)
		if ok != (err == nil) || err != nil && !errors.Is(err, ErrDecision) {
			t.Errorf("%v", err)
		}
		return id
	}
	if err := l.Confirm(t.Context(), again(true), Operator{Who: "bai"}); err != nil {
		t.Fatal(err)
	}
	answered := func(status wire.OrderStatus) {
		t.Helper()
		id := p.inbox()[0].ID
		if err := l.store.Update(t.Context(), func(tx Tx) error {
			o, err := tx.Order(p.id, id)
			o.Status = status
			return errors.Join(err, tx.PutOrder(o))
		}); err != nil {
			t.Fatal(err)
		}
	}
	again(false)
	answered(wire.OrderDone) // its record is under way
	again(false)
	answered(wire.OrderRefused)
	if err := l.Refuse(t.Context(), again(true), chen); err != nil {
		t.Fatal(err)
	}
	answered("")
	if err := l.Revoke(t.Context(), p.id, Operator{"bai", "被盗"}); err != nil {
		t.Fatal(err)
	}
	again(true)
}

// TestWhatIsOverIsNotLeftOpen: nobody looks at a proposal about a blank that was found.
func TestWhatIsOverIsNotLeftOpen(t *testing.T) {
	_, p, key, l := doubted(t)
	v := VerdictRow{Kind: aboutBlank, Ref: blankRef, Act: "retained"}
	if _, err := l.Propose(t.Context(), v, Operator{"chen", "看到在箱中"}); err != nil {
		t.Fatal(err)
	}
	left := func(want int) {
		t.Helper()
		if err := l.sweepVerdicts(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = l.store.View(t.Context(), func(tx Tx) error {
			if all, err := tx.OpenVerdicts(9); err != nil || len(all) != want {
				t.Errorf("%+v %v", all, err)
			}
			return nil
		})
	}
	left(1)
	p.blank(key, "B1", wire.BlankTaken)
	left(0)
	if all := l.said("desk.overtaken", "retained"); len(all) != 1 || all[0].Who != "" {
		t.Errorf("%+v", all)
	}
}

// TestOneOfManySecondsDecides: they confirm and refuse at the same moment, and one order goes out at the most.
func TestOneOfManySecondsDecides(t *testing.T) {
	for _, seconds := range []struct{ confirm, refuse int }{{6, 0}, {3, 3}} {
		_, p, _, l := doubted(t)
		id, err := l.Propose(t.Context(), VerdictRow{Kind: aboutBlank, Ref: blankRef, Act: "taken"}, Operator{"chen", "办事人已取走"})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		act := func(confirm bool, who string) {
			by := Operator{who, "箱中没有"}
			if confirm {
				ended <- l.Confirm(t.Context(), id, by)
			} else {
				ended <- l.Refuse(t.Context(), id, by)
			}
		}
		n := seconds.confirm + seconds.refuse
		for i := range n {
			go act(i < seconds.confirm, fmt.Sprintf("clerk%d", i))
		}
		done := 0
		for range n {
			if err := <-ended; err == nil {
				done++
			} else if !errors.Is(err, ErrDecided) {
				t.Error(err)
			}
		}
		box := p.inbox()
		_ = l.store.View(t.Context(), func(tx Tx) error {
			v, err := tx.Verdict(id)
			want := map[string]int{verdictConfirmed: 1}[v.State]
			if err != nil || done != 1 || len(box) != want || (v.Message != "") != (want == 1) {
				t.Errorf("%d decided, %d ordered: %+v %v", done, len(box), v, err)
			}
			return nil
		})
	}
}

// TestNoCharacterIsCut: a reason of sixty characters is longer than what an event holds.
func TestNoCharacterIsCut(t *testing.T) {
	_, _, _, l := doubted(t)
	f := propose("taken")
	f.Set("why", strings.Repeat("证", 60))
	if w := l.account("chen", staff.Clerk).send("POST", "/desk", f); w.Code != 303 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if all := l.said("desk.proposed", "taken"); len(all) != 1 || !utf8.ValidString(all[0].Why) || len(all[0].Why) < 190 {
		t.Errorf("%+v", all)
	}
	for in, want := range map[string]string{"证件": "证", "abcd": "abcd", "abcdef": "abcde", "abc证": "abc", "": ""} {
		if got := clip(in, 5); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// TestABlankNobodyReadIsStockAgain: one that never came out has no number, and no card.
func TestABlankNobodyReadIsStockAgain(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	_, a := p.applies(x.box, 4) // pays nothing
	x.decide(a.Key, true)
	p.sends(p.record(wire.TypeStock, a.Key, wire.StockMove{Kind: "card", ID: "u1", From: wire.BlankDrawn, To: wire.BlankDoubt, At: time.Now()}))
	l := &loginRig{Server: x.s, t: t}
	ref := "990000-0001/card/u1"
	if _, err := l.Propose(t.Context(), VerdictRow{Kind: aboutBlank, Ref: ref, Act: "taken"}, Operator{"chen", "没有看到"}); !errors.Is(err, ErrDecision) {
		t.Errorf("a card without a number: %v", err)
	}
	if _, err := l.Propose(t.Context(), VerdictRow{Kind: aboutBlank, Ref: ref, Act: "back", Money: "return"}, Operator{"chen", "没有看到"}); !errors.Is(err, ErrDecision) {
		t.Errorf("money that nobody paid: %v", err)
	}
	id, err := l.Propose(t.Context(), VerdictRow{Kind: aboutBlank, Ref: ref, Act: "back", Money: "end"}, Operator{"chen", "没有看到"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Confirm(t.Context(), id, Operator{Who: "bai"}); err != nil {
		t.Fatal(err)
	}
	// What is older than the settled state changes nothing when it comes again.
	at := time.Now().Add(time.Minute)
	p.sends(p.record(wire.TypeStock, a.Key, wire.StockMove{Kind: "card", ID: "u1", From: wire.BlankDoubt, To: wire.BlankBack, At: at}))
	if err := l.store.Update(t.Context(), func(tx Tx) error {
		return tx.FollowDoubt(DoubtRow{Terminal: p.id, Kind: "card", ID: "u1", Case: a.Key, State: "in-doubt", Since: at.Add(-time.Second)})
	}); err != nil {
		t.Fatal(err)
	}
	_ = l.store.View(t.Context(), func(tx Tx) error {
		if all, err := tx.Doubts(9); err != nil || len(all) != 0 {
			t.Errorf("%+v %v", all, err)
		}
		return nil
	})
}

// TestARevokedTerminalsBlankIsSettledHere: it was stolen, and nobody will move its ledger.
func TestARevokedTerminalsBlankIsSettledHere(t *testing.T) {
	x, p, key, l := doubted(t)
	b := p.bill("POST", "", wire.BillRequest{Case: key, Item: "TID"}, 200)
	if err := l.Revoke(t.Context(), p.id, Operator{"bai", "被盗"}); err != nil {
		t.Fatal(err)
	}
	id, err := l.Propose(t.Context(), VerdictRow{Kind: aboutBlank, Ref: blankRef, Act: "spoiled", Money: "return"}, Operator{"chen", "终端被盗"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Confirm(t.Context(), id, Operator{Who: "bai"}); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		x.ahead.Add(int64(2 * time.Second))
		if _, err := x.s.settler.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.store.View(t.Context(), func(tx Tx) error {
		c, err := tx.Card(key)
		if err != nil || c.State != wire.CardEnded || !c.Ended {
			t.Errorf("%+v %v", c, err)
		}
		a, err := tx.Bill(b.Number)
		if err != nil || a.Bill.State != pay.BillReturned {
			t.Errorf("%+v %v", a, err)
		}
		if all, err := tx.Doubts(9); err != nil || len(all) != 0 {
			t.Errorf("%+v %v", all, err)
		}
		return nil
	})
}

// TestTwoPeopleDecideAboutMoney: a refund that the channel refused is ordered again, refused again, and paid by hand.
func TestTwoPeopleDecideAboutMoney(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	l := &loginRig{Server: x.s, t: t}
	chen, bai := l.account("chen", staff.Clerk), l.account("bai", staff.Clerk)
	_, a := p.applies(x.box, 0)
	x.decide(a.Key, true)
	b := x.pays(p, a.Key)
	x.sim.Steer(func(f *paysim.Faults) { f.RefuseRefund = 2 })
	p.sends(p.record(wire.TypeCaseState, a.Key, wire.CaseState{State: wire.CaseRefundDue, At: time.Now()}))
	x.until(p, b.Number, wire.BillReturning, "unissued refused")
	decide := func(act string) {
		t.Helper()
		var ref string
		_ = l.store.View(t.Context(), func(tx Tx) error {
			is, err := tx.Bill(b.Number)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range is.Matters {
				if m.Ended.IsZero() {
					ref = matterRef(b.Number, m)
				}
			}
			return nil
		})
		if list := chen.send("GET", "/desk", nil).Body.String(); !strings.Contains(list, ref) {
			t.Errorf("%s is not on the page", ref)
		}
		if w := chen.send("POST", "/desk", url.Values{"kind": {"money"}, "ref": {ref}, "act": {act}, "why": {"已与支付机构核对"}}); w.Code != 303 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := bai.send("POST", "/desk/"+l.open().ID, url.Values{"act": {"confirm"}}); w.Code != 303 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	decide(actReturn)
	x.until(p, b.Number, wire.BillReturning, "unissued refused", "unissued refused") // under another number: the channel kept the first
	decide(actByHand)
	x.until(p, b.Number, wire.BillReturned, "unissued refused", "unissued by-hand")
	for _, o := range x.sim.Orders() {
		for _, pd := range o.Payments {
			if pd.Returned != 0 {
				t.Errorf("%+v", pd)
			}
		}
	}
}

// TestTwoPeopleDecideAboutMoneyAtAShell: the same rows as the page's, and neither alone is enough.
func TestTwoPeopleDecideAboutMoneyAtAShell(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	l := &loginRig{Server: x.s, t: t}
	bai := l.account("bai", staff.Clerk)
	d := NewMoneyDesk(l.store, nil)
	ctx := t.Context()
	_, a := p.applies(x.box, 0)
	x.decide(a.Key, true)
	b := x.pays(p, a.Key)
	payment := func() string {
		t.Helper()
		var tx string
		for _, o := range x.sim.Orders() {
			for _, pd := range o.Payments {
				tx = pd.Transaction
			}
		}
		return tx
	}()
	second := func(id string) {
		t.Helper()
		before := p.bill("GET", "/"+b.Number, nil, 200)
		if err := d.Confirm(ctx, id, "op.chen"); !errors.Is(err, ErrSecond) {
			t.Errorf("whoever proposed confirms: %v", err)
		}
		if is := p.bill("GET", "/"+b.Number, nil, 200); is.State != before.State || !slices.Equal(is.Refunds, before.Refunds) {
			t.Errorf("one person alone moved money: %+v, then %+v", before, is)
		}
		if err := d.Confirm(ctx, id, "op.bai"); err != nil {
			t.Fatal(err)
		}
		if err := d.Confirm(ctx, id, "op.li"); !errors.Is(err, ErrDecided) {
			t.Errorf("confirmed twice: %v", err)
		}
	}
	for _, bad := range []struct{ bill, payment, who, why string }{{b.Number, "nobody's", "op.chen", "x"}, {"99000026112900009999", payment, "op.chen", "x"},
		{b.Number, payment, "", "x"}, {b.Number, payment, "op.chen", " "}} {
		if _, err := d.ProposeReturn(ctx, bad.bill, bad.payment, bad.who, bad.why); err == nil {
			t.Errorf("proposed: %+v", bad)
		}
	}
	// Of a payment with which nothing is wrong: proposed, seen at the page, taken back, proposed again and confirmed there.
	id, err := d.ProposeReturn(ctx, b.Number, payment, "op.chen", "entered by mistake")
	if err != nil {
		t.Fatal(err)
	}
	if open, err := d.Open(ctx); err != nil || len(open) != 1 || open[0].By != "op.chen" {
		t.Errorf("%+v %v", open, err)
	}
	if _, err := d.ProposeReturn(ctx, b.Number, payment, "op.bai", "the same"); !errors.Is(err, ErrDecided) {
		t.Errorf("proposed twice: %v", err)
	}
	if list := bai.send("GET", "/desk", nil).Body.String(); !strings.Contains(list, "/desk/"+id) {
		t.Error("the proposal is not on the page")
	}
	if err := d.Refuse(ctx, id, "op.chen", "taken back"); err != nil {
		t.Fatal(err)
	}
	x.sim.Steer(func(f *paysim.Faults) { f.RefuseRefund = 2 })
	if _, err = d.ProposeReturn(ctx, b.Number, payment, "op.chen", "the citizen asked for it"); err != nil {
		t.Fatal(err)
	}
	if w := bai.send("POST", "/desk/"+l.open().ID, url.Values{"act": {"confirm"}}); w.Code != 303 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	x.until(p, b.Number, wire.BillReturning, "desk refused")
	if id, err = d.ProposeReturn(ctx, b.Number, payment, "op.chen", "channel says try again"); err != nil {
		t.Fatal(err)
	}
	second(id)
	x.until(p, b.Number, wire.BillReturning, "desk refused", "desk refused")
	var refund string
	_ = l.store.View(ctx, func(tx Tx) error {
		is, err := tx.Bill(b.Number)
		for _, m := range is.Matters {
			if m.Ended.IsZero() {
				refund = m.Ref
			}
		}
		return err
	})
	if id, err = d.ProposeByHand(ctx, refund, "op.chen", "cash at the window"); err != nil {
		t.Fatal(err)
	}
	second(id)
	x.until(p, b.Number, wire.BillReturned, "desk refused", "desk by-hand")
	if _, err := d.ProposeByHand(ctx, refund, "op.chen", "cash at the window"); !errors.Is(err, ErrNoRow) {
		t.Errorf("paid by hand twice: %v", err)
	}
}

// TestContradictionsAreClearedUp: what a channel says wrongly ends when two people looked.
func TestContradictionsAreClearedUp(t *testing.T) {
	r, now := pay.House(), time.Now()
	a, err := r.NewAccount(pay.Bill{Number: "99000026112900001001", Case: "c", Channel: "n", Amount: 1000, Reason: "standard", Expires: now.Add(time.Minute)}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.Differs(a, pay.Difference{Kind: pay.DiffOurs, Line: pay.Line{Attempt: a.Bill.Number + "01", Transaction: "42", Amount: 1000}}, now)
	if !a.OnDesk() {
		t.Fatal("not on the desk")
	}
	for _, bad := range []error{r.Noted(a, pay.MatterStatement, "42", "x", "", now), r.Noted(a, pay.MatterAmount, "42", "x", "chen", now), r.Noted(a, pay.MatterStatement, "43", "x", "chen", now)} {
		if !errors.Is(bad, pay.ErrMove) {
			t.Errorf("%v", bad)
		}
	}
	if err := r.Noted(a, pay.MatterStatement, "42", "the channel sent it a day later", "chen+bai", now); err != nil || a.OnDesk() {
		t.Error(err)
	}
}
