package pay_test

// E-bills: what must hold of them at the end of a history, and the ways of one by hand.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/paysim"
)

// issuing is a simulator that issues e-bills.
type issuing interface{ EBills() []paysim.EBill }

// ebillDecided lets a person decide about an e-bill that was refused, if there is one.
func (w *world) ebillDecided(a pay.Account) bool {
	if a.EBill == nil || a.EBill.State != pay.EBillRefused && a.EBill.State != pay.EBillRedRefused {
		return false
	}
	again := w.pick(2) > 0
	w.say("a person decides about the e-bill of %s, which is %s: again %t", a.Bill.Number, a.EBill.State, again)
	w.change(a.Bill.Number, func(a *pay.Account) {
		var err error
		if again {
			if err = w.rules.EBillAgain(a, "operator1", w.now); errors.Is(err, pay.ErrMove) && a.EBill.Issued.Number == "" {
				return // what a person had made, a person cancels
			}
		} else {
			err = w.rules.EBillDone(a, "a receipt on paper", "operator1", w.now)
		}
		if err != nil {
			w.fail("e-bill of %s: %v", a.Bill.Number, err)
		}
	})
	return true
}

// judgeEBills compares the platform's accounts with the issuer's books.
func (w *world) judgeEBills() {
	if !w.rules.EBills {
		return
	}
	there := map[string]paysim.EBill{}
	for _, e := range w.sim.(issuing).EBills() {
		there[e.Number] = e
	}
	for _, a := range w.store.all() {
		number, e, k := a.Bill.Number, a.EBill, a.Kept()
		is, issued := there[number]
		delete(there, number)
		desk := slices.ContainsFunc(a.Matters, func(m pay.Matter) bool { return m.Ref == number && m.Ended.IsZero() })
		told := desk || slices.ContainsFunc(a.Matters, func(m pay.Matter) bool { return m.Ref == number && m.Kind == pay.MatterAgainst })
		switch {
		case k == nil || a.Bill.Amount == 0:
			if e != nil || issued {
				w.fail("bill %s has no payment that pays it, and an e-bill", number)
			}
			continue
		case e == nil:
			w.fail("bill %s is paid and no e-bill is wanted", number)
			continue
		case issued && (is.Transaction != k.Transaction || is.Amount != int64(k.Amount)):
			w.fail("the e-bill of %s is of %s, %d fen", number, is.Transaction, is.Amount)
		case issued && is.Payer != payerName:
			w.fail("the e-bill of %s is for another payer, or for nobody", number)
		case issued && e.Issued.Number != is.Issued.Serial && !told:
			w.fail("the issuer has an e-bill of %s, and it is booked as %+v", number, *e)
		case !issued && e.Issued.Number != "":
			w.fail("the e-bill of %s is booked as %+v, and the issuer has none", number, *e)
		}
		wants := map[pay.EBillState]bool{pay.EBillIssued: issued && is.Red == nil, pay.EBillRefused: !issued && desk, pay.EBillDropped: !issued,
			pay.EBillRed: !issued || is.Red != nil || told, pay.EBillRedRefused: desk, pay.EBillByHand: !issued || told}
		if byHand := slices.ContainsFunc(a.Matters, func(m pay.Matter) bool { return m.Kind == pay.MatterRed && m.How == "a receipt on paper" }); byHand {
			wants[pay.EBillRed] = true // a person cancelled it
		}
		if holds, final := wants[e.State]; !holds {
			w.fail("e-bill of %s is %s in the end (%t); the issuer has %+v, on the desk: %t", number, e.State, final, is, desk)
		}
		states := map[pay.BillState][]pay.EBillState{pay.BillPaid: {pay.EBillIssued, pay.EBillRefused, pay.EBillByHand},
			pay.BillReturned:  {pay.EBillDropped, pay.EBillRed, pay.EBillRedRefused},
			pay.BillReturning: {pay.EBillIssued, pay.EBillDropped, pay.EBillByHand}}
		if !slices.Contains(states[a.Bill.State], e.State) {
			w.fail("bill %s is %s, and its e-bill %s", number, a.Bill.State, e.State)
		}
	}
	for number := range there {
		w.fail("e-bill %s is of no bill", number)
	}
}

// issuedDays are the days in the issuer's books.
func (w *world) issuedDays() (days []string) {
	for _, e := range w.sim.(issuing).EBills() {
		days = append(days, pay.Day(e.Issued.At))
		if e.Red != nil {
			days = append(days, pay.Day(e.Red.At))
		}
	}
	slices.Sort(days)
	return slices.Compact(days)
}

// compareEBills compares the issuer's books twice: after the first time nothing differs but what a person was told of.
func (w *world) compareEBills(settle func()) {
	if _, shows := w.settler.EBills.(pay.EBillBook); !w.rules.EBills || !shows {
		return
	}
	w.now = w.now.Add(49 * time.Hour)
	for _, again := range []bool{false, true} {
		for _, day := range w.issuedDays() {
			list, err := w.settler.ReconcileEBills(w.ctx, day)
			if err != nil {
				w.fail("book of %s: %v", day, err)
			}
			for _, d := range list {
				w.say("difference: %s %+v", d.Kind, *d.EBill)
				a := w.account(d.EBill.Bill)
				told := slices.ContainsFunc(a.Matters, func(m pay.Matter) bool { return m.Ref == a.Bill.Number && m.Kind == pay.MatterAgainst })
				if again && !told {
					w.fail("the book of %s still differs: %s %+v", day, d.Kind, *d.EBill)
				}
			}
		}
		settle()
	}
}

// paidBill is a history of one bill that is paid.
func paidBill(t *testing.T) (w *world, bill string) {
	t.Helper()
	w = newWorld(func(n int) int { return 0 }, flaw{})
	w.bill("a")
	bill = w.cases["a"][0]
	w.turn(t)
	w.look()
	if err := w.sim.Pay(w.shown[0], 0); err != nil {
		t.Fatal(err)
	}
	return w, bill
}

func (w *world) turn(t *testing.T) {
	t.Helper()
	for range 20 {
		if _, err := w.settler.Turn(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
}

func (w *world) wait(t *testing.T, bill string, state pay.EBillState, most time.Duration) pay.EBill {
	t.Helper()
	for end := w.now.Add(most); ; {
		w.turn(t)
		a := w.account(bill)
		if a.EBill != nil && a.EBill.State == state {
			return *a.EBill
		}
		if w.now.After(end) {
			t.Fatalf("e-bill is %+v after %s, expected %s; matters %+v", a.EBill, most, state, a.Matters)
		}
		w.now = w.now.Add(time.Minute)
	}
}

func (w *world) desk(bill string) (kinds []string) {
	for _, m := range w.account(bill).Matters {
		if m.Ended.IsZero() {
			kinds = append(kinds, m.Kind)
		}
	}
	return kinds
}

func TestAnEBillFromPaidToRed(t *testing.T) {
	w, bill := paidBill(t)
	e := w.wait(t, bill, pay.EBillIssued, time.Minute)
	if !e.Issued.Plain() || e.Issued.Code != "99010126" || len(e.Issued.Number) != 10 || len(e.Issued.Check) != 6 || e.Acts != 1 || !e.Due.IsZero() {
		t.Errorf("%+v", e)
	}
	w.change(bill, func(a *pay.Account) {
		if err := w.rules.Return(a, a.Kept().Transaction, "unissued", "", w.now); err != nil {
			t.Error(err)
		}
	})
	red := w.wait(t, bill, pay.EBillRed, time.Hour)
	if red.Issued != e.Issued || !red.Red.Plain() || red.Red.Number == e.Issued.Number {
		t.Errorf("%+v", red)
	}
	if b := w.sim.Breaches(); len(b) > 0 {
		t.Error(b)
	}
}

// TestAPayerIsAskedForLast: a name that cannot be read now is no refusal and no e-bill without one; a wrong one is a person's.
func TestAPayerIsAskedForLast(t *testing.T) {
	w, bill := paidBill(t)
	asked, name := 0, payerName
	w.settler.Payer = func(_ context.Context, of string) (pay.Payer, error) {
		if asked++; of != bill {
			t.Errorf("payer of %s", of)
		}
		if asked == 1 {
			return pay.Payer{}, errors.New("the store is away")
		}
		return pay.PayerOf(name), nil
	}
	e := w.wait(t, bill, pay.EBillIssued, time.Hour)
	if all := w.sim.(issuing).EBills(); e.Acts != 2 || asked != 2 || len(all) != 1 || all[0].Payer != payerName {
		t.Errorf("%+v, asked %d times, %d e-bills", e, asked, len(all))
	}
	w, bill = paidBill(t)
	w.sim.Steer(func(f *paysim.Faults) { f.Payer = "另一人" })
	w.wait(t, bill, pay.EBillRefused, time.Hour)
	if got := w.desk(bill); !slices.Equal(got, []string{pay.MatterEBill}) {
		t.Errorf("%v", got)
	}
	w, bill = paidBill(t)
	w.settler.Payer = func(context.Context, string) (pay.Payer, error) { return pay.Payer{}, nil } // erased by then
	w.sim.Steer(func(f *paysim.Faults) { f.Payer = "另一人" })
	w.wait(t, bill, pay.EBillIssued, time.Hour)
	if all := w.sim.(issuing).EBills(); all[0].Payer != "" {
		t.Error("a payer that nobody knows is named")
	}
}

func TestPayersTellNothing(t *testing.T) {
	p := pay.PayerOf(payerName)
	if p.Reveal() != payerName {
		t.Error("the name is lost")
	}
	order := pay.EBillOrder{Number: "1", Payer: p}
	said, _ := json.Marshal(order)
	for _, s := range []string{fmt.Sprint(p), fmt.Sprintf("%v %+v %#v %s", order, order, order, order), fmt.Sprintf("%+v", &order), string(said)} {
		if strings.Contains(s, payerName) || strings.Contains(s, "测试") {
			t.Error("a payer's name is printed")
		}
	}
	for what, name := range map[string]string{"empty": "", "long": strings.Repeat("王", 101), "broken": "王\xff", "two lines": "王\n五", "padded": " 王五"} {
		if pay.PayerOf(name).Reveal() != "" {
			t.Errorf("%s: is a name", what)
		}
	}
}

// TestAnEBillWaitsForItsMoney: it is paid and settled all the same, and a person hears of it only after the longest holidays.
func TestAnEBillWaitsForItsMoney(t *testing.T) {
	w, bill := paidBill(t)
	w.sim.Steer(func(f *paysim.Faults) { f.Arrives = 30 * time.Hour })
	w.wait(t, bill, pay.EBillDue, time.Hour)
	if a := w.account(bill); a.Bill.State != pay.BillPaid || len(w.desk(bill)) > 0 {
		t.Errorf("%+v", a)
	}
	w.wait(t, bill, pay.EBillIssued, 32*time.Hour)
	w, bill = paidBill(t)
	w.sim.Steer(func(f *paysim.Faults) { f.Arrives = 30 * 24 * time.Hour })
	w.turn(t)
	w.now = w.now.Add(10*24*time.Hour + time.Hour)
	w.turn(t)
	if got := w.desk(bill); !slices.Equal(got, []string{pay.MatterEBillLate}) {
		t.Errorf("%v", got)
	}
	w.now = w.now.Add(21 * 24 * time.Hour)
	w.wait(t, bill, pay.EBillIssued, time.Hour)
	if got := w.desk(bill); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// TestALostEBillIsAskedAbout: the answer is lost after the e-bill was issued; none is issued again.
func TestALostEBillIsAskedAbout(t *testing.T) {
	w, bill := paidBill(t)
	w.sim.Steer(func(f *paysim.Faults) { f.LoseEBill = 3 })
	e := w.wait(t, bill, pay.EBillIssued, 10*time.Minute)
	if e.Acts != 1 || len(w.sim.(issuing).EBills()) != 1 || len(w.sim.Breaches()) > 0 {
		t.Errorf("%+v, %v", e, w.sim.Breaches())
	}
}

// TestAnIssuerThatIsAway: nobody knows, a person is told after an hour, and it ends by itself.
func TestAnIssuerThatIsAway(t *testing.T) {
	w, bill := paidBill(t)
	issuer := w.settler.EBills
	w.settler.EBills = nil
	w.turn(t)
	w.now = w.now.Add(90 * time.Minute)
	w.turn(t)
	if got := w.desk(bill); !slices.Equal(got, []string{pay.MatterEBillLate}) {
		t.Errorf("%v", got)
	}
	w.settler.EBills = issuer
	w.wait(t, bill, pay.EBillIssued, 2*time.Hour)
	if got := w.desk(bill); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

func TestARefusedEBillIsAPersons(t *testing.T) {
	w, bill := paidBill(t)
	w.sim.Steer(func(f *paysim.Faults) { f.RefuseEBill = 1 })
	w.wait(t, bill, pay.EBillRefused, time.Hour)
	if got := w.desk(bill); !slices.Equal(got, []string{pay.MatterEBill}) {
		t.Errorf("%v", got)
	}
	w.change(bill, func(a *pay.Account) {
		if err := w.rules.EBillAgain(a, "", w.now); !errors.Is(err, pay.ErrMove) {
			t.Errorf("by nobody: %v", err)
		}
		if err := w.rules.EBillAgain(a, "operator1", w.now); err != nil {
			t.Error(err)
		}
		if err := w.rules.EBillAgain(a, "operator1", w.now); !errors.Is(err, pay.ErrMove) {
			t.Errorf("twice: %v", err)
		}
	})
	w.wait(t, bill, pay.EBillIssued, time.Hour)
	if got := w.desk(bill); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

func (w *world) goesBack(t *testing.T, bill string) {
	t.Helper()
	w.change(bill, func(a *pay.Account) {
		if err := w.rules.Return(a, a.Kept().Transaction, "unissued", "", w.now); err != nil {
			t.Error(err)
		}
	})
}

// byHand decides about a bill's e-bill: it may not be asked for again (none: may), and is done elsewhere.
func (w *world) byHand(t *testing.T, bill string, again error) {
	t.Helper()
	w.change(bill, func(a *pay.Account) {
		if again != nil {
			if err := w.rules.EBillAgain(a, "operator1", w.now); !errors.Is(err, again) {
				t.Errorf("asked for again: %v", err)
			}
		}
		if err := w.rules.EBillDone(a, "a receipt on paper", "operator1", w.now); err != nil {
			t.Error(err)
		}
	})
	if got := w.desk(bill); len(got) > 0 {
		t.Errorf("still on the desk: %v", got)
	}
}

func TestARefusedRedEBillIsAPersons(t *testing.T) {
	w, bill := paidBill(t)
	w.wait(t, bill, pay.EBillIssued, time.Minute)
	w.sim.Steer(func(f *paysim.Faults) { f.RefuseEBill = 1 })
	w.goesBack(t, bill)
	w.wait(t, bill, pay.EBillRedRefused, time.Hour)
	if got := w.desk(bill); !slices.Equal(got, []string{pay.MatterRed}) {
		t.Errorf("%v", got)
	}
	w.byHand(t, bill, nil)
	w.wait(t, bill, pay.EBillRed, time.Minute)
}

// TestWhatAPersonHadMadeAPersonCancels: the issuer knows nothing of it.
func TestWhatAPersonHadMadeAPersonCancels(t *testing.T) {
	w, bill := paidBill(t)
	w.sim.Steer(func(f *paysim.Faults) { f.RefuseEBill = 1 })
	w.wait(t, bill, pay.EBillRefused, time.Hour)
	w.byHand(t, bill, nil)
	w.wait(t, bill, pay.EBillByHand, time.Minute)
	w.goesBack(t, bill)
	w.wait(t, bill, pay.EBillRedRefused, time.Hour)
	if got := w.desk(bill); !slices.Equal(got, []string{pay.MatterRed}) {
		t.Errorf("%v", got)
	}
	w.byHand(t, bill, pay.ErrMove)
	w.wait(t, bill, pay.EBillRed, time.Minute)
	if all := w.sim.(issuing).EBills(); len(all) > 0 || len(w.sim.Breaches()) > 0 {
		t.Errorf("%+v, %v", all, w.sim.Breaches())
	}
}

// TestNobodyWaitsForTheIssuer: acts of the issuer's are handed to Beside, and a bill is settled while they hang.
func TestNobodyWaitsForTheIssuer(t *testing.T) {
	w, bill := paidBill(t)
	var held []func(context.Context)
	w.settler.Beside = func(do func(context.Context)) bool { held = append(held, do); return true }
	for n := 0; len(held) == 0 && n < 100; n++ {
		if _, err := w.settler.Turn(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
	if a := w.account(bill); len(held) != 1 || a.Bill.State != pay.BillPaid || a.EBill.State != pay.EBillAsked || !a.EBill.Doubt {
		t.Fatalf("%d acts held, %+v", len(held), a.EBill)
	}
	held[0](w.ctx)
	if a := w.account(bill); a.EBill.State != pay.EBillIssued {
		t.Errorf("%+v", a.EBill)
	}
}

// TestAnActBesideOutlivesWhoFoundIt: a request that found the act ends first; the act runs under the context that it was given.
func TestAnActBesideOutlivesWhoFoundIt(t *testing.T) {
	w, bill := paidBill(t)
	w.settler.EBills = issuer{EBillIssuer: w.settler.EBills, issue: func(i pay.EBillIssuer, ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
		if err := ctx.Err(); err != nil {
			return pay.EBillStanding{}, err
		}
		return i.IssueEBill(ctx, o)
	}}
	var held []func(context.Context)
	w.settler.Beside = func(do func(context.Context)) bool { held = append(held, do); return true }
	for n := 0; len(held) == 0 && n < 100; n++ {
		request, end := context.WithCancel(w.ctx)
		_, err := w.settler.One(request, bill)
		end()
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
	if len(held) != 1 {
		t.Fatalf("%d acts held", len(held))
	}
	held[0](w.ctx)
	if e := w.account(bill).EBill; e.State != pay.EBillIssued || e.Acts != 1 {
		t.Errorf("%+v", e)
	}
}

// TestAnEBillThatIsHeardLate: the request is done long after it was given up with its payment: the e-bill is found, and cancelled.
func TestAnEBillThatIsHeardLate(t *testing.T) {
	w, bill := paidBill(t)
	var held []func(context.Context)
	w.settler.Beside = func(do func(context.Context)) bool { held = append(held, do); return true }
	for n := 0; len(held) == 0 && n < 100; n++ {
		if _, err := w.settler.Turn(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
	w.sim.Steer(func(f *paysim.Faults) { f.Park = 1 })
	held[0](w.ctx)
	w.settler.Beside = nil
	w.change(bill, func(a *pay.Account) {
		if err := w.rules.Return(a, a.Kept().Transaction, "unissued", "", w.now); err != nil {
			t.Error(err)
		}
	})
	w.wait(t, bill, pay.EBillDropped, time.Hour)
	w.now = w.now.Add(5 * time.Hour)
	w.turn(t)
	w.sim.RunParked()
	if e := w.wait(t, bill, pay.EBillRed, 2*time.Hour); !e.Red.Plain() || len(w.sim.(issuing).EBills()) != 1 {
		t.Errorf("%+v", e)
	}
}

// TestPairs: what the list of a day says of a bill and its e-bill, and of which it says that it should be there.
func TestPairs(t *testing.T) {
	rules, paid := pay.House(), time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		bill pay.BillState
		is   pay.EBillState // "" none
		pair string
		late bool // eleven days later
	}{
		{pay.BillPaid, "", pay.PairMissing, true},
		{pay.BillPaid, pay.EBillDue, pay.PairAsked, true},
		{pay.BillPaid, pay.EBillAsked, pay.PairAsked, true},
		{pay.BillPaid, pay.EBillIssued, pay.PairIssued, false},
		{pay.BillPaid, pay.EBillRefused, pay.PairRefused, false},
		{pay.BillPaid, pay.EBillByHand, pay.PairByHand, false},
		{pay.BillReturning, pay.EBillIssued, pay.PairIssued, false},
		{pay.BillReturned, "", pay.PairMissing, true},
		{pay.BillReturned, pay.EBillIssued, pay.PairMissing, true},
		{pay.BillReturned, pay.EBillDropped, pay.PairNone, false},
		{pay.BillReturned, pay.EBillRedDue, pay.PairAsked, true},
		{pay.BillReturned, pay.EBillRedAsked, pay.PairAsked, true},
		{pay.BillReturned, pay.EBillRedRefused, pay.PairRefused, false},
		{pay.BillReturned, pay.EBillRed, pay.PairRed, false},
	} {
		a := &pay.Account{Bill: pay.Bill{State: c.bill, Paid: paid}}
		if c.is != "" {
			a.EBill = &pay.EBill{State: c.is, Since: paid}
		}
		if pair, late := rules.Pair(a, paid.Add(9*24*time.Hour)); pair != c.pair || late {
			t.Errorf("%s, e-bill %q, after nine days: %s, late %t", c.bill, c.is, pair, late)
		}
		if pair, late := rules.Pair(a, paid.Add(11*24*time.Hour)); pair != c.pair || late != c.late {
			t.Errorf("%s, e-bill %q, after eleven days: %s, late %t", c.bill, c.is, pair, late)
		}
	}
}

// TestNoEBillForNothing: what costs nothing has no e-bill, nor has what nobody issues one for.
func TestNoEBillForNothing(t *testing.T) {
	for name, set := range map[string]struct {
		ebills bool
		amount pay.Fen
	}{"free": {true, 0}, "not set up": {false, 1000}} {
		rules := pay.House()
		rules.EBills = set.ebills
		now := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
		b := pay.Bill{Number: pay.BillNumber("990000", now, 1), Case: "c", Item: "i", Reason: "standard", Amount: set.amount, Expires: now.Add(time.Minute)}
		if set.amount > 0 {
			b.Channel = channelName
		}
		a, err := rules.NewAccount(b, now)
		if err != nil {
			t.Fatal(err)
		}
		if set.amount > 0 {
			rules.Tend(a, now)
			rules.Receive(a, a.Attempts[0].Number, pay.Received{Transaction: "42", Amount: set.amount, At: now}, now)
		}
		if a.Bill.State != pay.BillPaid || a.EBill != nil {
			t.Errorf("%s: %+v, %+v", name, a.Bill, a.EBill)
		}
	}
}

// issuer is one with an answer changed.
type issuer struct {
	pay.EBillIssuer
	issue func(pay.EBillIssuer, context.Context, pay.EBillOrder) (pay.EBillStanding, error)
	query func(pay.EBillIssuer, context.Context, pay.EBillOrder) (pay.EBillStanding, error)
	red   func(pay.EBillIssuer, context.Context, pay.EBillOrder, string) (pay.EBillStanding, error)
}

func (i issuer) IssueEBill(ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
	if i.issue != nil {
		return i.issue(i.EBillIssuer, ctx, o)
	}
	return i.EBillIssuer.IssueEBill(ctx, o)
}

func (i issuer) QueryEBill(ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
	if i.query != nil {
		return i.query(i.EBillIssuer, ctx, o)
	}
	return i.EBillIssuer.QueryEBill(ctx, o)
}

func (i issuer) CancelEBill(ctx context.Context, o pay.EBillOrder, why string) (pay.EBillStanding, error) {
	if i.red != nil {
		return i.red(i.EBillIssuer, ctx, o, why)
	}
	return i.EBillIssuer.CancelEBill(ctx, o, why)
}

// ebillFlaws are broken at the port.
var ebillFlaws = []flaw{
	{name: "an e-bill without an answer is asked for again", ebills: func(i pay.EBillIssuer) pay.EBillIssuer {
		return issuer{EBillIssuer: i, issue: func(i pay.EBillIssuer, ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
			s, err := i.IssueEBill(ctx, o)
			if err != nil {
				err = pay.ErrNotYet
			}
			return s, err
		}}
	}},
	{name: "an e-bill that was issued is denied", ebills: func(i pay.EBillIssuer) pay.EBillIssuer {
		return issuer{EBillIssuer: i, query: func(i pay.EBillIssuer, ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
			s, err := i.QueryEBill(ctx, o)
			if err == nil && s.State == pay.EBillMade {
				return pay.EBillStanding{}, pay.ErrAbsent
			}
			return s, err
		}}
	}},
	{name: "a red e-bill is made for nothing", ebills: func(i pay.EBillIssuer) pay.EBillIssuer {
		return issuer{EBillIssuer: i, issue: func(i pay.EBillIssuer, ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
			s, err := i.IssueEBill(ctx, o)
			if err == nil {
				_, _ = i.CancelEBill(ctx, o, "")
			}
			return s, err
		}}
	}},
	{name: "a red e-bill counts as made when it was asked for", ebills: func(i pay.EBillIssuer) pay.EBillIssuer {
		return issuer{EBillIssuer: i, red: func(i pay.EBillIssuer, ctx context.Context, o pay.EBillOrder, _ string) (pay.EBillStanding, error) {
			s, err := i.QueryEBill(ctx, o)
			s.State, s.Red = pay.EBillCanceled, s.Issued
			return s, err
		}}
	}},
	{name: "an e-bill names nobody", ebills: func(i pay.EBillIssuer) pay.EBillIssuer {
		return issuer{EBillIssuer: i, issue: func(i pay.EBillIssuer, ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
			o.Payer = pay.Payer{}
			return i.IssueEBill(ctx, o)
		}}
	}},
	{name: "an e-bill is asked for under another number", ebills: func(i pay.EBillIssuer) pay.EBillIssuer {
		return issuer{EBillIssuer: i, issue: func(i pay.EBillIssuer, ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
			o.Number += "9"
			return i.IssueEBill(ctx, o)
		}}
	}},
	{name: "no e-bill is asked for", world: func(w *world) { w.settler.EBills = nil }},
	{name: "a refund leaves the e-bill", rule: true},
}

func init() { flaws = append(flaws, ebillFlaws...) }

// TestABookOfEBills: what the issuer made without our hearing of it is booked, also where nobody asks any more; the rest is a person's.
func TestABookOfEBills(t *testing.T) {
	compared := func(w *world, day string) (kinds []string) {
		t.Helper()
		list, err := w.settler.ReconcileEBills(w.ctx, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			kinds = append(kinds, d.Kind)
		}
		return kinds
	}
	w, bill := paidBill(t)
	e := w.wait(t, bill, pay.EBillIssued, time.Minute)
	day := pay.Day(e.Issued.At)
	if _, err := w.settler.ReconcileEBills(w.ctx, day); !errors.Is(err, pay.ErrAbsent) {
		t.Errorf("the day is not over: %v", err)
	}
	w.now = w.now.Add(48 * time.Hour)
	if got := compared(w, day); len(got) > 0 {
		t.Errorf("%v", got)
	}

	// It is left out, and stands on the desk until a person has cleared it up.
	w.sim.Steer(func(f *paysim.Faults) { f.Omit = []string{e.Issued.Number} })
	for range 2 {
		if got, on := compared(w, day), w.desk(bill); !slices.Equal(got, []string{pay.DiffOurs}) || !slices.Equal(on, []string{pay.MatterEBook}) {
			t.Errorf("%v, on the desk %v", got, on)
		}
	}
	w.change(bill, func(a *pay.Account) {
		if err := w.rules.Noted(a, pay.MatterEBook, bill, "it stands in the book of the day after", "operator1", w.now); err != nil || a.OnDesk() {
			t.Errorf("%v, %+v", err, a.Matters)
		}
	})

	// Another amount, another number, twice, and one of no bill: nothing of ours changes.
	w.sim.Steer(func(f *paysim.Faults) { f.Omit, f.Miscount = nil, []string{e.Issued.Number} })
	if got, on := compared(w, day), w.desk(bill); !slices.Equal(got, []string{pay.DiffAmount}) || !slices.Equal(on, []string{pay.MatterAgainst}) {
		t.Errorf("%v, on the desk %v", got, on)
	}
	w.sim.Steer(func(f *paysim.Faults) { f.Miscount = nil })
	w.settler.EBills = bookOf{w.settler.EBills, func(all []pay.EBillLine) []pay.EBillLine {
		other, nobodys := all[0], all[0]
		other.Paper.Number, nobodys.Bill = "0000009999", "nobody's"
		return []pay.EBillLine{other, all[0], nobodys}
	}}
	if got := compared(w, day); !slices.Equal(got, []string{pay.DiffPaper, pay.DiffDoubled, pay.DiffTheirs}) {
		t.Errorf("%v", got)
	}
	if a := w.account(bill); a.EBill.Issued != e.Issued || a.EBill.State != pay.EBillIssued {
		t.Errorf("%+v", a.EBill)
	}

	// The issuer refused, and after everybody had stopped asking it issued after all.
	w, bill = paidBill(t)
	w.sim.Steer(func(f *paysim.Faults) { f.RefuseEBill = 1 })
	w.wait(t, bill, pay.EBillRefused, time.Hour)
	w.now = w.now.Add(w.rules.EBillWatch + time.Hour)
	w.turn(t)
	if a := w.account(bill); !a.EBill.Due.IsZero() {
		t.Fatalf("it is still asked about: %+v", a.EBill)
	}
	paid := w.account(bill)
	k := paid.Kept()
	if _, err := w.settler.EBills.IssueEBill(w.ctx, pay.EBillOrder{Number: bill, Attempt: k.Attempt, Transaction: k.Transaction, Amount: k.Amount, Paid: k.At}); err != nil {
		t.Fatal(err)
	}
	day = pay.Day(w.now)
	w.now = w.now.Add(48 * time.Hour)
	if got, on := compared(w, day), w.desk(bill); !slices.Equal(got, []string{pay.DiffTheirs}) || len(on) > 0 || w.account(bill).EBill.State != pay.EBillIssued {
		t.Errorf("%v, on the desk %v, %+v", got, on, w.account(bill).EBill)
	}
	if got := compared(w, day); len(got) > 0 {
		t.Errorf("again: %v", got)
	}

	// A red one that nobody asked for.
	if _, err := w.settler.EBills.CancelEBill(w.ctx, pay.EBillOrder{Number: bill, Amount: k.Amount}, "at the issuer's desk"); err != nil {
		t.Fatal(err)
	}
	day = pay.Day(w.now)
	w.now = w.now.Add(48 * time.Hour)
	if got, on := compared(w, day), w.desk(bill); !slices.Equal(got, []string{pay.DiffTheirs}) || !slices.Equal(on, []string{pay.MatterAgainst}) {
		t.Errorf("%v, on the desk %v", got, on)
	}
}

// bookOf is an issuer whose book somebody wrote in.
type bookOf struct {
	pay.EBillIssuer
	write func([]pay.EBillLine) []pay.EBillLine
}

func (b bookOf) EBillsOf(ctx context.Context, day string) ([]pay.EBillLine, error) {
	all, err := b.EBillIssuer.(pay.EBillBook).EBillsOf(ctx, day)
	return b.write(all), err
}
