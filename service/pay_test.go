package service_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// fakeTill is the platform's side of money in memory.
type fakeTill struct {
	mu    sync.Mutex
	bills []*service.Bill
	cases map[string]string // case → its bill that counts
	fee   int64
	dead  bool // nobody answers
	slow  bool // bills end a while after they are told to
	asked int
	made  map[string]int // bills by case
	ways  []service.Option
}

func newTill() *fakeTill {
	return &fakeTill{fee: 1000, cases: map[string]string{}, made: map[string]int{}}
}

func (f *fakeTill) find(number string) *service.Bill {
	for _, b := range f.bills {
		if b.Number == number {
			return b
		}
	}
	return nil
}

// age ends bills whose time is over, two seconds late, as a channel does.
func (f *fakeTill) age(b *service.Bill) {
	if b.State == service.BillOpen && now().After(b.Expires) {
		b.State, b.Why, b.QR = service.BillClosing, "expired", ""
	}
	if b.State == service.BillClosing && !f.slow && now().After(b.Expires.Add(2*time.Second)) {
		b.State = service.BillClosed
	}
}

func (f *fakeTill) Bill(_ context.Context, caseID, _ string, _ service.Token) (service.Bill, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return service.Bill{}, service.ErrLinkDown
	}
	if b := f.find(f.cases[caseID]); b != nil {
		f.age(b)
		if b.State == service.BillOpen && b.Amount != f.fee {
			b.State, b.Why, b.QR = service.BillClosed, "amount", ""
		}
		if b.State != service.BillClosed && b.State != service.BillReturned {
			return *b, nil
		}
	}
	b := &service.Bill{Number: fmt.Sprintf("%020d", len(f.bills)+1), Amount: f.fee, Reason: "standard", State: service.BillOpen, QR: "https://pay/1", Expires: now().Add(5 * time.Minute)}
	if f.fee == 0 {
		b.State, b.Reason, b.QR = service.BillPaid, "exempt", ""
	}
	if len(f.ways) > 0 {
		b.Ways, b.Way = f.ways, f.ways[0].ID
	}
	f.bills = append(f.bills, b)
	f.cases[caseID] = b.Number
	f.made[caseID]++
	return *b, nil
}

func (f *fakeTill) BillNow(_ context.Context, number string) (service.Bill, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.dead {
		return service.Bill{}, service.ErrLinkDown
	}
	b := f.find(number)
	f.age(b)
	out := *b
	out.Refunds = slices.Clone(b.Refunds)
	return out, nil
}

func (f *fakeTill) BillAfter(ctx context.Context, number string, _ service.BillState, _ time.Duration) (service.Bill, error) {
	return f.BillNow(ctx, number)
}

func (f *fakeTill) CancelBill(_ context.Context, number string) (service.Bill, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return service.Bill{}, service.ErrLinkDown
	}
	b := f.find(number)
	if b.State == service.BillOpen {
		b.State, b.Why, b.QR = service.BillClosed, "cancelled", ""
		if f.slow {
			b.State = service.BillClosing
		}
	}
	return *b, nil
}

// PayWay implements service.WayChooser.
func (f *fakeTill) PayWay(_ context.Context, number, way string) (service.Bill, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return service.Bill{}, service.ErrLinkDown
	}
	b := f.find(number)
	if f.age(b); b.State == service.BillOpen {
		b.Way, b.QR = way, "https://pay/"+way
	}
	return *b, nil
}

// with changes the newest bill.
func (f *fakeTill) with(change func(*service.Bill)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f.bills[len(f.bills)-1])
}

func (f *fakeTill) set(change func()) { f.mu.Lock(); defer f.mu.Unlock(); change() }

func paidNow(b *service.Bill) { b.State, b.QR = service.BillPaid, "" }

// feeItem is an item that is only paid.
const feeItem = `code: FEE
schema: 1
zone: social
icon: certificate
order: 90
name: {zh: 工本费, en: Fee}
hint: {zh: 缴费, en: Pay a fee}
level: L3
hours: always
offline: none
retention: 24h
outputs: [receipt]
consumables:
  - {device: receipt-printer, sheets: 1}
steps:
  - consent:
      bar: {zh: 核验身份, en: Identity}
      scope: identity
      title: {zh: 先核验您的身份, en: "First, we check your identity"}
      lines:
        - {zh: 一, en: one}
  - identify: {}
  - verify: {digits: 6}
  - review:
      bar: {zh: 核对, en: Check}
      title: {zh: 请核对, en: Please check}
      notice: {zh: 不能返回, en: No way back}
  - pay:
      bar: {zh: 交费, en: Pay}
      title: {zh: 请用手机扫码交费, en: Scan to pay}
  - receipt: {}
  - rate:
      title: {zh: 办好了, en: Done}
`

// payingCards is paying with an item that sets a card aside.
func payingCards(t *testing.T, name string, cards int, fn func(t *testing.T, w *world)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			more, err := service.Load(fstest.MapFS{"FEE.yaml": {Data: []byte(strings.Replace(feeItem, "  - pay:\n", "  - pay:\n      reserve: {card: 1}\n", 1))}})
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			if err := w.journal.Close(); err != nil {
				t.Fatal(err)
			}
			w.till, w.more = newTill(), more
			w.start()
			if cards > 0 {
				if err := w.journal.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock("card", cards, "chen"); return err }); err != nil {
					t.Fatal(err)
				}
			}
			fn(t, w)
		})
	})
}

func (w *world) cardsFree() uint64 {
	w.t.Helper()
	b, err := w.journal.StockBalance("card")
	if err != nil || b.Check() != nil {
		w.t.Errorf("%+v, %v", b, err)
	}
	return b.Remaining
}

// TestCardsAreSetAsideBeforeTheBill: nobody is asked for money for a card that may not be there.
func TestCardsAreSetAsideBeforeTheBill(t *testing.T) {
	payingCards(t, "none left", 0, func(t *testing.T, w *world) {
		for _, tile := range w.engine.Tiles() {
			if tile.Code == "FEE" && (tile.Ready || tile.Why.ID != "svc.why.no-stock") {
				t.Errorf("%+v", tile)
			}
		}
	})
	payingCards(t, "set aside, and kept when paid", 1, func(t *testing.T, w *world) {
		var free uint64
		told := false
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", script.Look(func(p service.Prompt) { free, told = w.cardsFree(), p.(service.Pay).Reserved }, after(10*time.Second, func() { w.till.with(paidNow) }))),
			script.On("done", script.Rate("5")),
		}, leave())...)
		if free != 0 || w.cardsFree() != 0 || !told {
			t.Errorf("%d free while paying, %d after; the citizen is told: %v", free, w.cardsFree(), told)
		}
		if !slices.Contains(w.states(), journal.Reserved) {
			t.Errorf("states %v", w.states())
		}
	})
	payingCards(t, "given back when cancelled", 1, func(t *testing.T, w *world) {
		w.play(lines(w.toPay(), one(script.On("pay", script.Reply(service.Cancelled{}))), leave())...)
		if w.cardsFree() != 1 {
			t.Error("the card stays set aside")
		}
	})
}

func paying(t *testing.T, name string, fn func(t *testing.T, w *world)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			more, err := service.Load(fstest.MapFS{"FEE.yaml": {Data: []byte(feeItem)}})
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			if err := w.journal.Close(); err != nil {
				t.Fatal(err)
			}
			w.till, w.more = newTill(), more
			w.start()
			fn(t, w)
		})
	})
}

// toPay is the way to the code.
func (w *world) toPay() []script.Line {
	return lines(start("FEE"), w.identified(), one(script.On("review", script.Next())))
}

// after does something while a prompt stands, which something else then ends.
func after(d time.Duration, do func()) script.Do {
	return script.Then(func() {
		go func() {
			time.Sleep(d)
			do()
		}()
	}, script.Wait())
}

func (w *world) states() []journal.State {
	w.t.Helper()
	var all []journal.State
	for _, h := range w.cases()[0].History {
		all = append(all, h.State)
	}
	return all
}

func (w *world) payEffect(state journal.EffectState) journal.Effect {
	w.t.Helper()
	all, err := w.journal.Effects(w.cases()[0].ID)
	if err != nil || len(all) == 0 {
		w.t.Fatalf("%+v, %v", all, err)
	}
	var e journal.Effect
	for _, x := range all {
		if x.Kind == "pay" {
			e = x
		}
	}
	if e.State != state {
		w.t.Errorf("effect %+v, expected %s", e, state)
	}
	return e
}

func TestPay(t *testing.T) {
	paying(t, "paid", func(t *testing.T, w *world) {
		var shown service.Pay
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", script.Look(func(p service.Prompt) { shown = p.(service.Pay) }, after(40*time.Second, func() { w.till.with(paidNow) }))),
			script.On("done", script.Rate("5")),
		}, leave())...)
		w.one(journal.Closed)
		want := []journal.State{journal.Submitted, journal.Accepted, journal.BillCreated, journal.PayPending, journal.Paid, journal.Closed}
		if got := w.states(); !slices.Equal(got, want) {
			t.Errorf("states %v", got)
		}
		if shown.Amount != "10.00" || shown.QR != "https://pay/1" || shown.Number == "" || shown.Until.IsZero() || shown.Page.Back {
			t.Errorf("%+v", shown)
		}
		if e := w.payEffect(journal.EffectDone); e.Number != shown.Number {
			t.Errorf("%+v", e)
		}
	})
	paying(t, "changes the channel, pays at both, and is told", func(t *testing.T, w *world) {
		w.till.ways = []service.Option{{ID: "wechat", Label: service.Text{}}, {ID: "alipay", Label: service.Text{}}}
		var first, second service.Pay
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", script.Look(func(p service.Prompt) { first = p.(service.Pay) }, script.Reply(service.Chosen{ID: "cash"}))),
			script.On("pay", script.Reply(service.Chosen{ID: "alipay"})),
			script.On("pay", script.Look(func(p service.Prompt) { second = p.(service.Pay) }, after(40*time.Second, func() {
				w.till.with(func(b *service.Bill) {
					paidNow(b)
					b.Refunds = []service.BillRefund{{Why: "twice", State: "asked", Amount: 1000}}
				})
			}))),
			script.On("done", script.Rate("5")),
		}, leave())...)
		w.one(journal.Closed)
		if first.Way != "wechat" || len(first.Ways) != 2 || second.Way != "alipay" || second.QR != "https://pay/alipay" || second.Number != first.Number {
			t.Errorf("%+v, then %+v", first, second)
		}
		if slip := strings.Join(w.roll.texts(), "\n"); !strings.Contains(slip, "原路退回") {
			t.Errorf("the receipt does not tell of it: %s", slip)
		}
	})
	paying(t, "the link is down when the channel is changed: the code stays", func(t *testing.T, w *world) {
		w.till.ways = []service.Option{{ID: "wechat"}, {ID: "alipay"}}
		var last service.Pay
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", script.Then(func() { w.till.set(func() { w.till.dead = true }) }, script.Reply(service.Chosen{ID: "alipay"}))),
			script.On("pay", script.Look(func(p service.Prompt) { last = p.(service.Pay) }, after(20*time.Second, func() {
				w.till.set(func() { w.till.dead = false })
				w.till.with(paidNow)
			}))),
			script.On("done", script.Rate("5")),
		}, leave())...)
		if w.one(journal.Closed); last.QR != "https://pay/1" || last.Way != "wechat" {
			t.Errorf("%+v", last)
		}
	})
	paying(t, "nothing to pay", func(t *testing.T, w *world) {
		w.till.fee = 0
		w.play(lines(w.toPay(), one(script.On("done", script.Rate("5"))), leave())...)
		w.one(journal.Closed)
		w.payEffect(journal.EffectDone)
	})
	paying(t, "cancelled", func(t *testing.T, w *world) {
		w.play(lines(w.toPay(), one(script.On("pay", script.Reply(service.Cancelled{}))), leave())...)
		w.one(journal.Cancelled)
		w.payEffect(journal.EffectFailed)
	})
	paying(t, "cancelled and paid meanwhile", func(t *testing.T, w *world) {
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", script.Then(func() { w.till.with(paidNow) }, script.Reply(service.Cancelled{}))),
			script.On("done", script.Rate("5")),
		}, leave())...)
		w.one(journal.Closed)
		w.payEffect(journal.EffectDone)
	})
	paying(t, "the code's time ends", func(t *testing.T, w *world) {
		began := time.Now()
		w.play(lines(w.toPay(), []script.Line{script.On("pay", script.Wait()), script.Maybe("wait", script.Wait()), script.On("trouble", script.Next())}, leave())...)
		w.one(journal.Expired)
		w.payEffect(journal.EffectFailed)
		if took := time.Since(began); took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("took %v", took)
		}
	})
	paying(t, "said to have paid, and it comes", func(t *testing.T, w *world) {
		confirming := false
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", script.Next()),
			script.On("pay", script.Look(func(p service.Prompt) { confirming = p.(service.Pay).Confirming }, after(10*time.Second, func() { w.till.with(paidNow) }))),
			script.On("done", script.Rate("5")),
		}, leave())...)
		if w.one(journal.Closed); !confirming {
			t.Error("the screen does not say that it is being confirmed")
		}
	})
	paying(t, "the link is down when the bill is asked for", func(t *testing.T, w *world) {
		w.till.dead = true
		w.play(lines(w.toPay(), []script.Line{script.Maybe("wait", script.Wait()), script.On("trouble", script.Next())}, leave())...)
		w.one(journal.Cancelled)
		w.payEffect(journal.EffectFailed)
	})
	paying(t, "the amount changes", func(t *testing.T, w *world) {
		changed := false
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", after(10*time.Second, func() {
				w.till.with(func(b *service.Bill) { b.State, b.Why, b.QR = service.BillClosed, "amount", "" })
				w.till.set(func() { w.till.fee = 500 })
			})),
			script.On("pay", script.Look(func(p service.Prompt) {
				x := p.(service.Pay)
				changed = x.Changed && x.Amount == "5.00"
			}, after(10*time.Second, func() { w.till.with(paidNow) }))),
			script.On("done", script.Rate("5")),
		}, leave())...)
		if w.one(journal.Closed); !changed {
			t.Error("the new amount is not shown as one")
		}
	})
	paying(t, "another amount came", func(t *testing.T, w *world) {
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", after(10*time.Second, func() { w.till.with(func(b *service.Bill) { b.State, b.QR = service.BillDisputed, "" }) })),
			script.On("trouble", script.Next()),
		}, leave())...)
		w.one(journal.Manual)
		w.payEffect(journal.EffectUnknown)
	})
}

// TestResultOfAPaymentIsNotKnown: nothing is heard from the code on the screen until long after (F5).
func TestResultOfAPaymentIsNotKnown(t *testing.T) {
	for name, end := range map[string]struct {
		bill func(*service.Bill)
		to   journal.State
		as   journal.EffectState
	}{
		"paid":     {paidNow, journal.Closed, journal.EffectDone},
		"not paid": {func(b *service.Bill) { b.State, b.Why = service.BillClosed, "expired" }, journal.Expired, journal.EffectFailed},
		"disputed": {func(b *service.Bill) { b.State = service.BillDisputed }, journal.PayUnknown, journal.EffectUnknown},
	} {
		paying(t, name, func(t *testing.T, w *world) {
			var trouble service.Trouble
			w.play(lines(w.toPay(), []script.Line{
				script.On("pay", after(10*time.Second, func() { w.till.set(func() { w.till.dead = true }) })),
				script.Maybe("wait", script.Wait()),
				script.On("trouble", script.Look(func(p service.Prompt) { trouble = p.(service.Trouble) }, script.Next())),
			}, leave())...)
			w.one(journal.PayUnknown)
			w.payEffect(journal.EffectUnknown)
			if trouble.What.ID != "svc.trouble.pay-unknown.what" || !trouble.Printed {
				t.Errorf("%+v", trouble)
			}
			w.engine.AskBills(t.Context())
			w.one(journal.PayUnknown)
			w.till.set(func() { w.till.dead = false })
			w.till.with(end.bill)
			for range 3 {
				w.engine.AskBills(t.Context())
			}
			w.one(end.to)
			w.payEffect(end.as)
			for caseID, n := range w.till.made {
				if n != 1 {
					t.Errorf("%d bills of case %s", n, caseID)
				}
			}
		})
	}
}

// TestWalksAwayWhilePaying: the screen is wiped, the case stays, and what becomes of it is heard later (F10).
func TestWalksAwayWhilePaying(t *testing.T) {
	paying(t, "and had paid", func(t *testing.T, w *world) {
		c := w.play(lines(w.toPay(), one(script.On("pay", script.Leave())))...)
		if seen := c.Seen(); !slices.Contains(seen, "ended") || slices.Contains(seen, "trouble") {
			t.Errorf("seen %v", seen)
		}
		w.one(journal.PayUnknown)
		w.till.with(paidNow)
		w.engine.AskBills(t.Context())
		w.one(journal.Closed)
		w.payEffect(journal.EffectDone)
	})
	paying(t, "and does not pay", func(t *testing.T, w *world) {
		w.play(lines(w.toPay(), one(script.On("pay", script.TimeOut())))...)
		w.one(journal.PayUnknown)
		time.Sleep(10 * time.Minute)
		for range 2 {
			w.engine.AskBills(t.Context())
		}
		w.one(journal.Expired)
		w.payEffect(journal.EffectFailed)
	})
}

// TestPaidLateAtTheTerminal: the money comes after the case ended, and goes back (F6); the channel may refuse that (F43).
func TestPaidLateAtTheTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		refund string
		to     journal.State
	}{"goes back": {"done", journal.Closed}, "is refused": {"refused", journal.RefundFailed}, "is asked for": {"asked", journal.Refunding}} {
		paying(t, name, func(t *testing.T, w *world) {
			w.play(lines(w.toPay(), one(script.On("pay", script.Reply(service.Cancelled{}))), leave())...)
			w.one(journal.Cancelled)
			w.engine.AskBills(t.Context())
			w.one(journal.Cancelled)
			w.till.with(func(b *service.Bill) { b.Refunds = []service.BillRefund{{Why: "late", State: c.refund}} })
			for range 6 {
				w.engine.AskBills(t.Context())
			}
			w.one(c.to)
			if !slices.Contains(w.states(), journal.PaidLate) {
				t.Errorf("states %v", w.states())
			}
		})
	}
	paying(t, "much later nobody asks", func(t *testing.T, w *world) {
		w.play(lines(w.toPay(), one(script.On("pay", script.Reply(service.Cancelled{}))), leave())...)
		time.Sleep(4 * time.Hour)
		w.engine.AskBills(t.Context())
		asked := w.till.asked
		w.engine.AskBills(t.Context())
		if w.till.asked != asked {
			t.Error("asked for ever")
		}
	})
}

// TestReturnedByThePlatform: a person decides that money goes back, and the case follows what becomes of it.
func TestReturnedByThePlatform(t *testing.T) {
	paying(t, "done", func(t *testing.T, w *world) {
		w.play(lines(w.toPay(), []script.Line{
			script.On("pay", after(time.Second, func() { w.till.with(func(b *service.Bill) { b.State, b.QR = service.BillDisputed, "" }) })),
			script.On("trouble", script.Next()),
		}, leave())...)
		k := w.one(journal.Manual)
		if err := w.journal.Update(func(tx *journal.Tx) error { return tx.SetState(k.ID, journal.RefundDue, "desk") }); err != nil {
			t.Fatal(err)
		}
		w.till.with(func(b *service.Bill) {
			b.State, b.Refunds = service.BillReturned, []service.BillRefund{{Why: "unissued", State: "done"}}
		})
		for range 3 {
			w.engine.AskBills(t.Context())
		}
		w.one(journal.Closed)
	})
}

// TestPowerCutWhilePaying: after the restart the platform is asked, and no second bill is made (F4).
func TestPowerCutWhilePaying(t *testing.T) {
	for _, tc := range []struct {
		name, point string
		bill        func(*service.Bill)
		dead        bool
		at          journal.State // after the restart
		then        journal.State // when the platform was asked again
		effect      journal.EffectState
	}{
		{"before the bill", "commit.after", nil, false, journal.Closed, journal.Closed, ""},
		{"bill made, code not shown", "pay.billed", nil, false, journal.Cancelled, journal.Cancelled, journal.EffectFailed},
		{"code shown, still open", "pay.asked", nil, false, journal.PayUnknown, journal.PayUnknown, journal.EffectUnknown},
		{"code shown, paid", "pay.asked", paidNow, false, journal.Closed, journal.Closed, journal.EffectDone},
		{"code shown, closed", "pay.asked", func(b *service.Bill) { b.State, b.Why = service.BillClosed, "expired" }, false, journal.Cancelled, journal.Cancelled, journal.EffectFailed},
		{"code shown, paid, no link at the start", "pay.asked", paidNow, true, journal.PayUnknown, journal.Closed, journal.EffectDone},
		{"outcome not written", "pay.shown", paidNow, false, journal.Closed, journal.Closed, journal.EffectDone},
	} {
		paying(t, tc.name, func(t *testing.T, w *world) {
			point := tc.point
			asking := script.On("pay", after(5*time.Second, func() { w.till.with(paidNow) }))
			if point == "pay.asked" {
				asking = script.On("pay", func(context.Context, service.Prompt) (service.Answer, error) { runtime.Goexit(); return nil, nil })
			}
			w.reached = func(p string) {
				if p == point {
					runtime.Goexit()
				}
			}
			c := script.New(append(w.toPay(), asking, script.On("done", script.Rate("5")))...)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = w.engine.Serve(ctx, c)
			}()
			time.Sleep(time.Minute)
			stop()
			<-ended
			w.reached = nil
			if err := w.journal.Close(); err != nil {
				t.Fatal(err)
			}
			made := len(w.till.bills)
			if tc.bill != nil {
				w.till.with(tc.bill)
			}
			w.till.set(func() { w.till.dead = tc.dead })
			w.start()
			if _, err := w.engine.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.one(tc.at)
			w.till.set(func() { w.till.dead = false })
			for range 3 {
				w.engine.AskBills(t.Context())
			}
			w.one(tc.then)
			if tc.effect != "" {
				w.payEffect(tc.effect)
			}
			if len(w.till.bills) != made {
				t.Errorf("%d bills after the restart, %d before", len(w.till.bills), made)
			}
		})
	}
}

func TestNothingIsPaidWithoutACashier(t *testing.T) {
	paying(t, "not ready", func(t *testing.T, w *world) {
		if err := w.journal.Close(); err != nil {
			t.Fatal(err)
		}
		w.till = nil
		w.start()
		for _, tile := range w.engine.Tiles() {
			if tile.Code == "FEE" && (tile.Ready || tile.Why.ID != "svc.why.no-pay") {
				t.Errorf("%+v", tile)
			}
		}
	})
}
