package pay_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/nontax"
	"github.com/budayang/kiosk/platform/pay/paysim"
)

// hall is one bill before a channel that is reached over a socket.
type hall struct {
	t       *testing.T
	now     time.Time    // for the test alone
	clock   atomic.Int64 // the same for servers, in ns
	sim     *paysim.Server
	store   *memory
	settler *pay.Settler
	bill    string
	count   uint64
}

func newHall(t *testing.T, begin time.Time) *hall {
	t.Helper()
	h := &hall{t: t}
	h.set(begin)
	k := keys()
	clock := func() time.Time { return time.Unix(0, h.clock.Load()).UTC() }
	h.sim = paysim.New(clock, "990000", k.peer, &k.own.PublicKey)
	server := httptest.NewServer(h.sim)
	t.Cleanup(server.Close)
	c, err := nontax.New(nontax.Config{URL: server.URL + "/nontax/v1", ID: "990000", Key: k.pem, PeerKey: k.peerPEM, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	h.store = &memory{rows: map[string][]byte{}, leases: map[string]time.Time{}, rules: pay.House()}
	h.settler = &pay.Settler{Rules: pay.House(), Accounts: h.store, Channels: map[string]pay.Channel{channelName: c}, Owner: "one", Now: clock,
		Timeout: 400 * time.Millisecond}
	h.open(1000)
	return h
}

func (h *hall) set(to time.Time) {
	h.now = to
	h.clock.Store(to.UnixNano())
}

// open makes a bill that can be paid for five minutes.
func (h *hall) open(amount pay.Fen) {
	h.t.Helper()
	h.count++
	b := pay.Bill{Number: pay.BillNumber("990000", h.now, h.count), Case: "c", Channel: channelName, Amount: amount, Reason: "standard", Expires: h.now.Add(5 * time.Minute)}
	w := &world{ctx: context.Background(), store: h.store}
	if err := w.put(pay.House(), b, h.now); err != nil {
		h.t.Fatal(err)
	}
	h.bill = b.Number
}

func (h *hall) account() pay.Account {
	h.t.Helper()
	return (&world{ctx: context.Background(), store: h.store}).account(h.bill)
}

func (h *hall) change(fn func(*pay.Account)) {
	h.t.Helper()
	if err := h.store.Change(context.Background(), h.bill, func(a *pay.Account) error { fn(a); return nil }); err != nil {
		h.t.Fatal(err)
	}
}

// wait lets time pass in steps, with all turns that are due.
func (h *hall) wait(d time.Duration) {
	h.t.Helper()
	step := 20 * time.Second
	if d <= time.Minute {
		step = 2 * time.Second
	}
	for end := h.now.Add(d); ; h.set(h.now.Add(min(step, end.Sub(h.now)))) {
		if _, err := h.settler.Turn(context.Background()); err != nil {
			h.t.Fatal(err)
		}
		if !h.now.Before(end) {
			return
		}
	}
}

func (h *hall) want(state pay.BillState, uses ...pay.Use) {
	h.t.Helper()
	a := h.account()
	var got []pay.Use
	for _, p := range a.Payments {
		got = append(got, p.Use)
	}
	if a.Bill.State != state || !slices.Equal(got, uses) {
		h.t.Errorf("bill is %s with payments %v, expected %s with %v", a.Bill.State, got, state, uses)
	}
	if b := h.sim.Breaches(); len(b) > 0 {
		h.t.Error(b)
	}
}

// order is the bill's newest order, once its code is known.
func (h *hall) order() string {
	h.t.Helper()
	a := h.account()
	for n := 0; n < 10 && (a.Live() == nil || a.Live().QR == ""); n++ {
		h.wait(2 * time.Second)
		a = h.account()
	}
	if t := a.Live(); t == nil || t.State != pay.AttemptOpen || t.QR == "" {
		h.t.Fatalf("no code to show: %+v", a)
	}
	return a.Live().Number
}

var noon = time.Date(2026, 11, 29, 4, 0, 0, 0, time.UTC)

func TestPaid(t *testing.T) {
	h := newHall(t, noon)
	if err := h.sim.Pay(h.order(), 0); err != nil {
		t.Fatal(err)
	}
	h.wait(5 * time.Second)
	h.want(pay.BillPaid, pay.UseKept)
}

func TestNothingToPayIsPaidAtOnce(t *testing.T) {
	a, err := pay.House().NewAccount(pay.Bill{Number: pay.BillNumber("990000", noon, 7), Case: "c", Reason: "exempt", Expires: noon.Add(time.Minute)}, noon)
	if err != nil || a.Bill.State != pay.BillPaid || len(a.Attempts) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	if task := pay.House().Tend(a, noon.Add(time.Hour)); task != nil {
		t.Errorf("a channel is asked %+v for nothing", task)
	}
}

func TestBillsThatAreNone(t *testing.T) {
	good := pay.Bill{Number: pay.BillNumber("990000", noon, 7), Case: "c", Reason: "standard", Channel: "x", Amount: 1000, Expires: noon.Add(time.Minute)}
	for name, spoil := range map[string]func(*pay.Bill){
		"number":          func(b *pay.Bill) { b.Number = "12" },
		"letters":         func(b *pay.Bill) { b.Number = "9900002611290000000a" },
		"negative":        func(b *pay.Bill) { b.Amount = -1 },
		"too much":        func(b *pay.Bill) { b.Amount = pay.MaxAmount + 1 },
		"no case":         func(b *pay.Bill) { b.Case = "" },
		"no reason":       func(b *pay.Bill) { b.Reason = "" },
		"no channel":      func(b *pay.Bill) { b.Channel = "" },
		"channel for nil": func(b *pay.Bill) { b.Amount = 0 },
		"over already":    func(b *pay.Bill) { b.Expires = noon },
		"for too long":    func(b *pay.Bill) { b.Expires = noon.Add(pay.MaxLife + 1) },
	} {
		b := good
		spoil(&b)
		if _, err := pay.House().NewAccount(b, noon); !errors.Is(err, pay.ErrBill) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pay.House().NewAccount(good, noon); err != nil {
		t.Error(err)
	}
}

func TestWithoutAnAnswerTheChannelIsAsked(t *testing.T) {
	for name, fault := range map[string]func(*paysim.Faults){
		"cut before": func(f *paysim.Faults) { f.LoseBefore = 3 },
		"cut after":  func(f *paysim.Faults) { f.LoseAfter = 3 },
		"parked":     func(f *paysim.Faults) { f.Park = 2 },
		"busy":       func(f *paysim.Faults) { f.Busy = 3 },
		"garbage":    func(f *paysim.Faults) { f.Garbage = 2 },
		"unsigned":   func(f *paysim.Faults) { f.Unsigned = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t, noon)
			h.sim.Steer(fault)
			h.wait(30 * time.Second)
			if err := h.sim.Pay(h.order(), 0); err != nil {
				t.Fatal(err)
			}
			h.sim.Steer(fault)
			h.wait(40 * time.Second)
			h.want(pay.BillPaid, pay.UseKept)
			if n := len(h.sim.Orders()); n != 1 {
				t.Errorf("%d orders at the channel", n)
			}
		})
	}
	t.Run("slower than we wait", func(t *testing.T) {
		h := newHall(t, noon)
		h.sim.Steer(func(f *paysim.Faults) { f.Slow = time.Second })
		h.wait(0)
		a := h.account()
		if x := a.Live(); x == nil || x.State != pay.AttemptAsked || !x.Doubt {
			t.Errorf("%+v", a.Attempts)
		}
		h.sim.Steer(func(f *paysim.Faults) { f.Slow = 0 })
		h.order()
		h.want(pay.BillOpen)
	})
}

func TestAPersonIsToldWhenTheChannelDoesNotSay(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	h.sim.Steer(func(f *paysim.Faults) { f.LoseBefore = 1 << 20 })
	h.wait(25 * time.Minute)
	h.want(pay.BillClosing)
	if a := h.account(); !a.OnDesk() {
		t.Error("unknown for 20 minutes and on nobody's desk")
	}
	h.sim.Steer(func(f *paysim.Faults) { f.LoseBefore = 0 })
	if err := h.sim.PayAnyway(order, 0); err != nil {
		t.Fatal(err)
	}
	h.wait(10 * time.Minute)
	h.want(pay.BillPaid, pay.UseKept) // who walked away while paying has paid
	if a := h.account(); a.OnDesk() {
		t.Errorf("known, and still on the desk: %+v", a.Matters)
	}
}

func TestLatePaymentGoesBack(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	h.change(func(a *pay.Account) { pay.House().End(a, pay.WhyCancelled, h.now) })
	h.wait(10 * time.Second)
	h.want(pay.BillClosed)
	if len(h.account().Refunds) != 0 {
		t.Error("a closed order made a refund")
	}
	if err := h.sim.PayAnyway(order, 0); err != nil {
		t.Fatal(err)
	}
	h.wait(15 * time.Minute)
	h.want(pay.BillClosed, pay.UseLate)
	if r := h.sim.Refunds(); len(r) != 1 || r[0].State != "done" || r[0].Amount != 1000 {
		t.Errorf("%+v", r)
	}
}

func TestSecondPaymentGoesBack(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	for range 2 {
		if err := h.sim.PayAnyway(order, 0); err != nil {
			t.Fatal(err)
		}
	}
	h.wait(10 * time.Second)
	h.want(pay.BillPaid, pay.UseKept, pay.UseTwice)
	if r := h.sim.Refunds(); len(r) != 1 || r[0].State != "done" {
		t.Errorf("%+v", r)
	}
}

func TestAnotherAmountIsForAPerson(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	if err := h.sim.PayAnyway(order, 1); err != nil {
		t.Fatal(err)
	}
	h.wait(10 * time.Second)
	h.want(pay.BillDisputed, pay.UseWrong)
	a := h.account()
	if !a.OnDesk() || len(a.Refunds) != 0 || a.Live() != nil {
		t.Errorf("%+v", a)
	}
	h.change(func(a *pay.Account) {
		if err := pay.House().Return(a, a.Payments[0].Transaction, "amount", "operator1", h.now); err != nil {
			t.Error(err)
		}
	})
	h.wait(10 * time.Second)
	if r := h.sim.Refunds(); len(r) != 1 || r[0].Amount != 1 {
		t.Errorf("%+v", r)
	}
	if a := h.account(); a.OnDesk() {
		t.Errorf("%+v", a.Matters)
	}
}

func TestAChangedAmountMakesAnotherBillAfterTheOldIsClosed(t *testing.T) {
	h := newHall(t, noon)
	old := h.order()
	first := h.bill
	h.change(func(a *pay.Account) { pay.House().End(a, pay.WhyAmount, h.now) })
	if _, free := pay.Stands([]pay.Bill{h.account().Bill}); free {
		t.Error("another bill may be made while the old one can be paid")
	}
	h.wait(10 * time.Second)
	if _, free := pay.Stands([]pay.Bill{h.account().Bill}); !free {
		t.Error("no bill may be made though the old one is closed")
	}
	h.open(500)
	if err := h.sim.Pay(h.order(), 0); err != nil {
		t.Fatal(err)
	}
	if err := h.sim.PayAnyway(old, 0); err != nil {
		t.Fatal(err)
	}
	h.wait(15 * time.Minute)
	h.want(pay.BillPaid, pay.UseKept)
	h.bill = first
	h.want(pay.BillClosed, pay.UseLate)
}

func TestARefusedRefundIsForAPerson(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	for range 2 {
		if err := h.sim.PayAnyway(order, 0); err != nil {
			t.Fatal(err)
		}
	}
	h.sim.Steer(func(f *paysim.Faults) { f.RefuseRefund = 2 })
	h.wait(30 * time.Minute)
	a := h.account()
	if len(a.Refunds) != 1 || a.Refunds[0].State != pay.RefundRefused || a.Refunds[0].Code != "NOT_ENOUGH" || !a.OnDesk() {
		t.Fatalf("%+v", a)
	}
	// A person orders it again. The channel kept the number and its refusal, so that it goes on under a new one; it is refused again, and
	// paid by hand.
	h.change(func(a *pay.Account) {
		if err := pay.House().Return(a, a.Refunds[0].Transaction, "twice", "operator1", h.now); err != nil {
			t.Error(err)
		}
	})
	h.wait(time.Minute)
	a = h.account()
	if len(a.Refunds) != 2 || a.Refunds[1].State != pay.RefundRefused || a.Refunds[1].Number == a.Refunds[0].Number {
		t.Fatalf("%+v", a.Refunds)
	}
	h.change(func(a *pay.Account) {
		if err := pay.House().PaidByHand(a, a.Refunds[1].Number, "transfer", "", h.now); !errors.Is(err, pay.ErrMove) {
			t.Error("paid by hand by nobody")
		}
		if err := pay.House().PaidByHand(a, a.Refunds[1].Number, "transfer", "operator2", h.now); err != nil {
			t.Error(err)
		}
	})
	if a := h.account(); a.OnDesk() {
		t.Errorf("%+v", a.Matters)
	}
}

// TestARefusedQuestionSaysNothingOfTheRefund: who counted it as a refusal would pay back by hand what the channel pays back as well.
func TestARefusedQuestionSaysNothingOfTheRefund(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	for range 2 {
		if err := h.sim.PayAnyway(order, 0); err != nil {
			t.Fatal(err)
		}
	}
	h.sim.Steer(func(f *paysim.Faults) { f.SlowRefunds = 20 * time.Minute })
	h.wait(10 * time.Second)
	if a := h.account(); len(a.Refunds) != 1 || a.Refunds[0].State != pay.RefundAsked {
		t.Fatalf("%+v", a.Refunds)
	}
	h.sim.Steer(func(f *paysim.Faults) { f.Denied = 1 })
	h.wait(10 * time.Minute)
	if a := h.account(); a.Refunds[0].State != pay.RefundAsked || a.OnDesk() {
		t.Fatalf("%+v %+v", a.Refunds, a.Matters)
	}
	h.wait(20 * time.Minute)
	if a := h.account(); a.Refunds[0].State != pay.RefundDone {
		t.Errorf("%+v", a.Refunds)
	}
}

// TestARefundOrderedAgainKeepsItsNumber: the channel kept nothing of the refused one, and would take another number for another refund.
func TestARefundOrderedAgainKeepsItsNumber(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	for range 2 {
		if err := h.sim.PayAnyway(order, 0); err != nil {
			t.Fatal(err)
		}
	}
	for h.account().Refunds == nil {
		h.wait(time.Second)
	}
	if a := h.account(); a.Refunds[0].State != pay.RefundDone {
		t.Fatalf("%+v", a.Refunds)
	}
	// Another bill, whose refund may not be asked for.
	h.open(1000)
	order = h.order()
	h.change(func(a *pay.Account) { pay.House().End(a, pay.WhyCancelled, h.now) })
	h.wait(10 * time.Second)
	if err := h.sim.PayAnyway(order, 0); err != nil {
		t.Fatal(err)
	}
	var task *pay.Task
	for task == nil || task.Act != pay.ActRefund {
		h.change(func(a *pay.Account) { task = pay.House().Tend(a, h.now) })
		if task != nil && task.Act == pay.ActRefund {
			h.sim.Steer(func(f *paysim.Faults) { f.Denied = 1 })
		}
		if task != nil {
			got := h.settler.Do(context.Background(), *task)
			h.change(func(a *pay.Account) { pay.House().Heard(a, *task, got, h.now) })
		}
		h.set(h.now.Add(time.Minute))
	}
	a := h.account()
	if len(a.Refunds) != 1 || a.Refunds[0].State != pay.RefundRefused || !a.OnDesk() {
		t.Fatalf("%+v", a)
	}
	h.set(h.now.Add(48 * time.Hour))
	h.change(func(a *pay.Account) {
		if err := pay.House().Return(a, a.Refunds[0].Transaction, "desk", "operator1", h.now); err != nil {
			t.Error(err)
		}
	})
	if a := h.account(); a.OnDesk() {
		t.Errorf("ordered a moment ago, and a person is told that it takes long: %+v", a.Matters)
	}
	h.wait(time.Minute)
	again := h.account()
	if len(again.Refunds) != 1 || again.Refunds[0].Number != a.Refunds[0].Number || again.Refunds[0].State != pay.RefundDone || again.OnDesk() {
		t.Errorf("%+v %+v", again.Refunds, again.Matters)
	}
	h.want(pay.BillClosed, pay.UseLate)
}

func TestAnOrderThatExistsOnlyWhenScanned(t *testing.T) {
	h := newHall(t, noon)
	h.sim.Steer(func(f *paysim.Faults) { f.Unborn = true })
	order := h.order()
	h.wait(time.Minute) // the channel knows none of this number, and that means nothing
	h.want(pay.BillOpen)
	if err := h.sim.Pay(order, 0); err != nil {
		t.Fatal(err)
	}
	h.wait(time.Minute)
	h.want(pay.BillPaid, pay.UseKept)

	h.open(1000)
	h.order()
	h.change(func(a *pay.Account) { pay.House().End(a, pay.WhyCancelled, h.now) })
	h.wait(4 * time.Minute)
	h.want(pay.BillClosing) // somebody may still scan it
	h.wait(10 * time.Minute)
	h.want(pay.BillClosed)
}

func TestRefusedOrdersEndTheBill(t *testing.T) {
	h := newHall(t, noon)
	h.sim.Steer(func(f *paysim.Faults) { f.RefuseOrders = 3 })
	h.wait(time.Minute)
	h.want(pay.BillClosed)
	if a := h.account(); a.Bill.Why != pay.WhyRefused || a.Attempts[0].Code != "MERCHANT_LIMIT" {
		t.Errorf("%+v", a)
	}
}

// TestAPaymentBelongsToItsDay: paid a second before midnight in China, heard of after it.
func TestAPaymentBelongsToItsDay(t *testing.T) {
	h := newHall(t, time.Date(2026, 11, 29, 15, 59, 50, 0, time.UTC))
	order := h.order()
	h.set(time.Date(2026, 11, 29, 15, 59, 59, 0, time.UTC))
	if err := h.sim.Pay(order, 0); err != nil {
		t.Fatal(err)
	}
	h.set(h.now.Add(30 * time.Second))
	h.wait(2 * time.Second)
	h.want(pay.BillPaid, pay.UseKept)
	if a := h.account(); pay.Day(a.Bill.Paid) != "2026-11-29" || pay.Day(h.now) != "2026-11-30" {
		t.Errorf("paid on %s, heard of on %s", pay.Day(a.Bill.Paid), pay.Day(h.now))
	}
	if _, err := h.settler.Reconcile(context.Background(), channelName, "2026-11-30"); !errors.Is(err, pay.ErrAbsent) {
		t.Errorf("a statement of a day that is not over: %v", err)
	}
	h.set(h.now.Add(24 * time.Hour))
	for _, day := range []string{"2026-11-29", "2026-11-30"} {
		if list, err := h.settler.Reconcile(context.Background(), channelName, day); err != nil || len(list) != 0 {
			t.Errorf("%s: %v, %v", day, list, err)
		}
	}
}

func TestTheStatementFindsWhatWasForgottenAndWhatIsMissing(t *testing.T) {
	h := newHall(t, noon)
	late := h.order()
	h.change(func(a *pay.Account) { pay.House().End(a, pay.WhyCancelled, h.now) })
	h.wait(4 * time.Hour) // nobody asks about it any more
	if err := h.sim.PayAnyway(late, 0); err != nil {
		t.Fatal(err)
	}
	h.wait(time.Hour)
	h.want(pay.BillClosed)
	forgotten := h.bill
	h.open(1000)
	if err := h.sim.Pay(h.order(), 0); err != nil {
		t.Fatal(err)
	}
	h.wait(5 * time.Second)
	missing := h.account().Payments[0].Transaction
	h.sim.Steer(func(f *paysim.Faults) { f.Omit = []string{missing} })
	h.set(h.now.Add(24 * time.Hour))
	list, err := h.settler.Reconcile(context.Background(), channelName, "2026-11-29")
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if a := h.account(); !a.OnDesk() || a.Bill.State != pay.BillPaid {
		t.Errorf("%+v", a)
	}
	h.bill = forgotten
	h.wait(time.Minute)
	h.want(pay.BillClosed, pay.UseLate)
	if list, err = h.settler.Reconcile(context.Background(), channelName, "2026-11-29"); err != nil || len(list) != 1 || list[0].Kind != pay.DiffOurs {
		t.Errorf("a second time: %+v, %v", list, err)
	}
}

func TestDifferences(t *testing.T) {
	line := func(transaction string, amount pay.Fen) pay.Line {
		return pay.Line{Transaction: transaction, Amount: amount}
	}
	ours := []pay.Line{line("a", 1), line("b", 2), line("c", 3)}
	known := func(l pay.Line) (pay.Line, bool) {
		i := slices.IndexFunc(ours, func(o pay.Line) bool { return o.Transaction == l.Transaction && l.Refund == "" })
		if i < 0 {
			return pay.Line{}, false
		}
		return ours[i], true
	}
	var got []string
	for _, d := range pay.Reconcile([]pay.Line{line("a", 1), line("a", 1), line("b", 5), line("d", 4), {Refund: "R", Transaction: "a", Amount: 1},
		{Transaction: "e", Amount: 9, Odd: "GIFT"}}, ours, known) {
		got = append(got, d.Kind+" "+d.Line.Refund+d.Line.Transaction)
	}
	if want := []string{"doubled a", "amount b", "ours c", "theirs d", "odd e", "theirs Ra"}; !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}

// TestWhoChangesTheChannelForgetsNoOrder: the order before was made and its code never came; it is being given up when the citizen goes over
// to another channel.
func TestWhoChangesTheChannelForgetsNoOrder(t *testing.T) {
	rules := pay.House()
	a, err := rules.NewAccount(pay.Bill{Number: pay.BillNumber("990000", noon, 7), Case: "c", Reason: "standard", Channel: "x", Amount: 1000, Expires: noon.Add(time.Minute)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	hear := func(act pay.Act, got pay.Answer) {
		t.Helper()
		task := rules.Tend(a, noon)
		if task == nil || task.Act != act {
			t.Fatalf("%+v", task)
		}
		rules.Heard(a, *task, got, noon)
	}
	hear(pay.ActCreate, pay.Answer{Err: errors.New("cannot be read")})
	a.Attempts[0].Due = noon
	hear(pay.ActQuery, pay.Answer{Standing: pay.Standing{State: pay.OrderWaiting}})
	hear(pay.ActCreate, pay.Answer{Err: &pay.Refusal{Code: "MERCHANT_LIMIT"}})
	if err := rules.Over(a, "y", noon); err != nil {
		t.Fatal(err)
	}
	rules.End(a, pay.WhyCancelled, noon)
	if a.Attempts[0].State != pay.AttemptClosing || a.Bill.State != pay.BillClosing || !a.Payable() {
		t.Errorf("%+v", a)
	}
}

// TestAStatementThatPaysBackAnotherAmount: what went back in part is not booked as gone back.
func TestAStatementThatPaysBackAnotherAmount(t *testing.T) {
	rules := pay.House()
	a, err := rules.NewAccount(pay.Bill{Number: pay.BillNumber("990000", noon, 7), Case: "c", Reason: "standard", Channel: "x", Amount: 1000, Expires: noon.Add(time.Minute)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	order := a.Bill.Number + "01"
	if err := rules.Over(a, "x", noon); err != nil {
		t.Fatal(err)
	}
	rules.Receive(a, order, pay.Received{Transaction: "42", Amount: 1000, At: noon}, noon)
	if err := rules.Return(a, "42", "unissued", "", noon); err != nil {
		t.Fatal(err)
	}
	line := pay.Line{Refund: a.Refunds[0].Number, Attempt: order, Transaction: "42", Amount: 400, At: noon}
	rules.Differs(a, pay.Difference{Kind: pay.DiffTheirs, Line: line}, noon)
	if a.Refunds[0].State == pay.RefundDone || a.Bill.State == pay.BillReturned || !a.OnDesk() {
		t.Errorf("%+v", a)
	}
	line.Amount = 1000
	rules.Differs(a, pay.Difference{Kind: pay.DiffTheirs, Line: line}, noon)
	if a.Refunds[0].State != pay.RefundDone || a.Bill.State != pay.BillReturned {
		t.Errorf("%+v", a)
	}
}

func TestTables(t *testing.T) {
	bills, attempts, refunds, ebills := pay.House().Moves()
	for name, c := range map[string]struct {
		rows         [][3]string
		states, ends []string
	}{
		"bills":    {bills, []string{"open", "closing", "closed", "paid", "disputed", "returning", "returned"}, []string{"disputed", "returned"}},
		"attempts": {attempts, []string{"intended", "asked", "open", "closing", "closed", "refused", "paid"}, nil},
		"refunds":  {refunds, []string{"due", "asked", "done", "refused", "by-hand"}, []string{"by-hand"}},
		"e-bills":  {ebills, []string{"due", "asked", "issued", "refused", "by-hand", "dropped", "red-due", "red-asked", "red-refused", "red"}, nil},
	} {
		from, to := map[string]bool{}, map[string]bool{c.states[0]: true}
		for _, r := range c.rows {
			from[r[0]], to[r[2]] = true, true
			if !slices.Contains(c.states, r[0]) || !slices.Contains(c.states, r[2]) {
				t.Errorf("%s: unknown state in %v", name, r)
			}
			if r[0] == "paid" && name == "attempts" && r[2] != "paid" {
				t.Errorf("a paid attempt becomes %s", r[2])
			}
			if r[1] == "closed" && r[2] == "paid" && r[0] != "paid" {
				t.Errorf("%s: closed means paid", name)
			}
		}
		for _, s := range c.states {
			if !from[s] && !slices.Contains(c.ends, s) {
				t.Errorf("%s: nothing leaves %s", name, s)
			}
			if !to[s] {
				t.Errorf("%s: nothing leads to %s", name, s)
			}
		}
	}
	// What the issuer says it has issued is known, whatever was known before.
	for _, s := range []string{"due", "asked", "refused", "dropped"} {
		if !slices.Contains(ebills, [3]string{s, "made", "issued"}) {
			t.Errorf("an e-bill that is %s and was issued has no place", s)
		}
	}
	// Money that a channel reports is booked in every state of an attempt.
	for _, s := range []string{"intended", "asked", "open", "closing", "closed", "refused", "paid"} {
		if !slices.Contains(attempts, [3]string{s, "paid", "paid"}) {
			t.Errorf("a payment of an attempt that is %s has no place", s)
		}
	}
}

func TestNumbers(t *testing.T) {
	b := pay.BillNumber("990000", noon, 1234)
	if b != "99000026112943200234" {
		t.Errorf("bill %s", b)
	}
	for number, want := range map[string]string{
		b + "01": b, "R" + b + "01abcdef1": b, b: "", "": "", "R": "", "Rx": "", b[:19] + "x01": "", b + "0123456789abc": "",
	} {
		if got, ok := pay.BillOf(number); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", number, got, ok)
		}
	}
	for amount, want := range map[pay.Fen]string{0: "0.00", 5: "0.05", 1000: "10.00", -150: "-1.50"} {
		if amount.String() != want {
			t.Errorf("%d: %s", amount, amount)
		}
	}
}

func TestNotices(t *testing.T) {
	h := newHall(t, noon)
	order := h.order()
	if err := h.sim.Pay(order, 0); err != nil {
		t.Fatal(err)
	}
	w := &world{ctx: context.Background(), store: h.store, settler: h.settler, rules: pay.House(), now: h.now}
	n := h.sim.Notices()[0]
	w.told(h.sim.Request(n, "http://platform.invalid/", true), channelName) // forged
	h.want(pay.BillOpen)
	w.told(h.sim.Request(h.sim.Forge(order, 1000), "http://platform.invalid/", true), channelName)
	h.want(pay.BillOpen)
	old := h.sim.Request(n, "http://platform.invalid/", false)
	h.set(h.now.Add(10 * time.Minute))
	w.told(old, channelName) // told again long after it was signed
	if a := h.account(); len(a.Payments) != 0 {
		t.Error("an old signature is believed")
	}
	for range 3 {
		w.told(h.sim.Request(n, "http://platform.invalid/", false), channelName)
	}
	h.want(pay.BillPaid, pay.UseKept)
	if w.problem != nil {
		t.Error(w.problem)
	}
}

// TestTwoServers: a lease ran out while its server waited for an answer; both act, and the channel acts once.
func TestTwoServers(t *testing.T) {
	h := newHall(t, noon)
	ctx := context.Background()
	order := h.order()
	for range 2 {
		if err := h.sim.PayAnyway(order, 0); err != nil {
			t.Fatal(err)
		}
	}
	var first *pay.Task
	for first == nil || first.Act != pay.ActRefund {
		h.change(func(a *pay.Account) { first = pay.House().Tend(a, h.now) })
		if first != nil && first.Act != pay.ActRefund {
			got := h.settler.Do(ctx, *first)
			h.change(func(a *pay.Account) { pay.House().Heard(a, *first, got, h.now) })
		}
		h.set(h.now.Add(time.Second))
	}
	got := h.settler.Do(ctx, *first)
	h.wait(time.Minute) // the other server finds the intent and asks
	h.change(func(a *pay.Account) { pay.House().Heard(a, *first, got, h.now) })
	h.want(pay.BillPaid, pay.UseKept, pay.UseTwice)
	if r := h.sim.Refunds(); len(r) != 1 {
		t.Errorf("%+v", r)
	}
}
