package service_test

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// TestBoothHistories plays random histories of citizens, payments, printers, dispensers, power cuts and operators, and then counts:
//
//	every payment is for a card that its citizen has, goes back, or stands on somebody's list
//	every blank is in one state, and where the machine has it
//	no case ever has two cards, and none is printed again after nobody knew
//
// BOOTH_HISTORIES says how many, BOOTH_SEED which one alone.
func TestBoothHistories(t *testing.T) {
	n, from := 40, uint64(1)
	if v, err := strconv.Atoi(os.Getenv("BOOTH_HISTORIES")); err == nil {
		n = v
	}
	if v, err := strconv.ParseUint(os.Getenv("BOOTH_SEED"), 10, 64); err == nil {
		n, from = 1, v
	}
	ends := map[journal.State]int{}
	crashes := 0
	for seed := from; seed < from+uint64(n); seed++ {
		synctest.Test(t, func(t *testing.T) {
			h := &history{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 7)), w: boothWorld(t, 8)}
			h.play()
			for _, c := range h.w.cases() {
				ends[c.State]++
			}
			crashes += h.crashes
		})
		if t.Failed() {
			t.Fatalf("BOOTH_SEED=%d plays it again", seed)
		}
	}
	t.Logf("%d histories, %d power cuts, cases ended %v", n, crashes, ends)
}

// history is one random history.
type history struct {
	t       *testing.T
	seed    uint64
	rnd     *rand.Rand
	w       *world
	crashes int
	paid    map[string]int  // payments by bill
	later   []string        // bills that a phone still holds
	printed map[string]bool // jobs that came out as a card
	unknown map[string]bool // cases of whose print nobody knows, until a person looked
	seen    []string
}

// chance is true p times of 100.
func (h *history) chance(p int) bool { return h.rnd.IntN(100) < p }

func (h *history) play() {
	h.paid, h.unknown, h.printed = map[string]int{}, map[string]bool{}, map[string]bool{}
	w := h.w
	w.booth.office.auto = h.chance(70)
	w.booth.printer.print = func(n int) (devices.PrintResult, bool) {
		id, _, _ := strings.Cut(w.booth.printer.jobs[n-1], "/")
		if h.unknown[id] {
			h.t.Errorf("seed %d: printed again after nobody knew", h.seed)
		}
		switch {
		case h.chance(12):
			return devices.PrintResult{Outcome: devices.PrintFailed, Detail: "ribbon"}, true
		case h.chance(6):
			return devices.PrintResult{Outcome: devices.PrintNotSent, Detail: "cover"}, true
		case h.chance(6):
			h.unknown[id] = true
			return devices.PrintResult{Outcome: devices.PrintUnknown}, true
		}
		h.printed[w.booth.printer.jobs[n-1]] = true
		return devices.PrintResult{}, false
	}
	w.booth.printer.knows = func(name string) bool { return h.printed[name] }
	w.booth.eye.read = func(_ int, text string) (string, error) {
		switch {
		case h.chance(5):
			return "", devices.ErrCodeUnreadable
		case h.chance(2):
			return text + "7", nil
		}
		return text, nil
	}
	w.booth.cards.move = func(_ int, m devices.CardMove) (devices.MoveResult, bool) {
		if h.chance(5) {
			return devices.MoveResult{Outcome: devices.MoveUnknown, At: devices.CardUnknown}, true
		}
		if m.Act == devices.CardDispense && h.chance(8) {
			return devices.MoveResult{Outcome: devices.MoveNotDone, At: devices.CardNone, Detail: "refused"}, true
		}
		return devices.MoveResult{}, false
	}
	for range 2 + h.rnd.IntN(5) {
		w.booth.cards.takes = h.chance(85)
		w.booth.cards.noChip = 0
		if h.chance(8) {
			w.booth.cards.noChip = 1
		}
		w.till.fee = []int64{1000, 1000, 1000, 500, 0}[h.rnd.IntN(5)]
		if h.chance(60) {
			w.booth.office.decide(service.StandingApproved, "")
		} else if h.chance(20) {
			w.booth.office.decide(service.StandingRejected, "no")
		}
		h.visit()
		h.phones()
		w.engine.AskBills(h.t.Context())
		if h.chance(50) {
			h.operators()
		}
	}
	time.Sleep(4 * time.Hour)
	for range 4 {
		w.engine.AskBills(h.t.Context())
	}
	h.count()
}

// visit is one citizen's, with power that may fail.
func (h *history) visit() {
	w := h.w
	left := -1
	if h.chance(35) {
		left = h.rnd.IntN(25)
	}
	w.reached = func(string) {
		if left--; left == -1 {
			h.crashes++
			runtime.Goexit()
		}
	}
	ctx, stop := context.WithCancel(h.t.Context())
	c := &wanderer{h: h, stop: stop}
	ended := make(chan struct{})
	died := true
	go func() {
		defer close(ended)
		_ = w.engine.Serve(ctx, c)
		died = false
	}()
	<-ended
	stop()
	w.reached = nil
	if !died {
		return
	}
	if err := w.journal.Close(); err != nil {
		h.t.Fatal(err)
	}
	for role := range w.set.used {
		w.set.used[role] = false
	}
	w.booth.printer.settle = devices.PrintResult{Outcome: []devices.PrintOutcome{devices.PrintUnknown, devices.PrintUnknown, devices.PrintConfirmed}[h.rnd.IntN(3)]}
	w.start()
	if _, err := w.engine.Recover(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// pay is one phone that pays a bill, whatever became of it: the platform sends back what comes late or twice.
func (h *history) pay(number string) {
	h.w.till.mu.Lock()
	defer h.w.till.mu.Unlock()
	b := h.w.till.find(number)
	if b == nil || b.Amount == 0 {
		return
	}
	h.w.till.age(b)
	h.paid[number]++
	switch b.State {
	case service.BillOpen:
		paidNow(b)
	case service.BillPaid:
		b.Refunds = append(b.Refunds, service.BillRefund{Why: "twice", State: "done"})
	default:
		b.State, b.Refunds = service.BillReturned, append(b.Refunds, service.BillRefund{Why: "late", State: "done"})
	}
}

// phones pay what their owners walked away with.
func (h *history) phones() {
	for _, n := range h.later {
		time.Sleep(time.Duration(h.rnd.IntN(400)) * time.Second)
		h.pay(n)
	}
	h.later = nil
}

// operators look where blanks are, and decide cases.
func (h *history) operators() {
	w := h.w
	d := w.booth.cards
	blanks, err := w.journal.Blanks(func(b journal.Blank) bool { return b.State == wire.BlankDoubt })
	if err != nil {
		h.t.Fatal(err)
	}
	for _, b := range blanks {
		delete(h.unknown, b.Case)
		to := wire.BlankSpoiled
		for _, n := range d.taken {
			if b.Number != "" && strings.EqualFold(n, b.Number) {
				to = wire.BlankTaken
			}
		}
		if b.Number == "" && d.at == devices.CardNone && h.chance(30) {
			to = wire.BlankSpoiled
		}
		err := w.journal.Update(func(tx *journal.Tx) error {
			if _, err := tx.MoveBlank(b.Kind, b.ID, to, journal.BlankMove{Why: "looked", By: "chen", Second: "li"}); err != nil {
				return err
			}
			c, err := tx.Case(b.Case)
			if err != nil || !c.State.Desk() {
				return err
			}
			if to == wire.BlankTaken && c.State.May(journal.Delivered) {
				return tx.SetState(c.ID, journal.Delivered, "found taken")
			}
			if _, paid := c.Steps["pay"]; paid && c.State.May(journal.RefundDue) && h.chance(50) {
				return tx.SetState(c.ID, journal.RefundDue, "desk")
			}
			if c.State.May(journal.ReissueDue) {
				return tx.SetState(c.ID, journal.ReissueDue, "desk")
			}
			return nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	// The technician takes out what stands in the path.
	if d.at != devices.CardNone {
		d.bin, d.path, d.at = append(d.bin, d.path), "", devices.CardNone
	}
}

// count is the end: money, blanks, cards.
func (h *history) count() {
	w, t := h.w, h.t
	cases := map[string]journal.Case{}
	for _, c := range w.cases() {
		cases[c.ID] = c
	}
	blanks, err := w.journal.Blanks(nil)
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]int{} // cards that a case's citizen has, by the ledger
	may := map[string]int{} // or may have
	state := map[string]wire.BlankState{}
	for _, b := range blanks {
		if b.Number != "" {
			if _, twice := state[b.Number]; twice {
				t.Errorf("seed %d: blank %s twice in the ledger", h.seed, b.Number)
			}
			state[b.Number] = b.State
		}
		switch b.State {
		case wire.BlankTaken:
			has[b.Case]++
			may[b.Case]++
		case wire.BlankPresented, wire.BlankSent, wire.BlankDoubt, wire.BlankRetained:
			may[b.Case]++
		}
	}
	for id, n := range may {
		if n > 1 {
			t.Errorf("seed %d: case %s has, or may have, %d cards", h.seed, cases[id].ReceiptCode, n)
		}
	}
	// What the machine handed out, the ledger knows as taken, or as doubtful.
	for _, n := range w.booth.cards.taken {
		if s := state[strings.ToUpper(n)]; s != wire.BlankTaken && s != wire.BlankDoubt {
			t.Errorf("seed %d: blank %s was taken and is %q in the ledger", h.seed, n, s)
		}
	}
	physical := map[string]int{}
	for _, job := range w.booth.printer.jobs {
		id, _, _ := strings.Cut(job, "/")
		physical[id]++
	}
	handed := map[string]int{}
	for _, b := range blanks {
		for _, n := range w.booth.cards.taken {
			if strings.EqualFold(n, b.Number) {
				handed[b.Case]++
			}
		}
	}
	for id, n := range handed {
		if n > 1 {
			t.Errorf("seed %d: case %s was given %d cards", h.seed, cases[id].ReceiptCode, n)
		}
	}
	// Money.
	byBill := map[string]string{}
	for id, number := range w.till.cases {
		byBill[number] = id
	}
	var in, issued, back, held int64
	for _, b := range w.till.bills {
		n := h.paid[b.Number]
		in += b.Amount * int64(n)
		returned := 0
		for _, r := range b.Refunds {
			if r.Why == "late" || r.Why == "twice" {
				returned++
			}
		}
		back += b.Amount * int64(returned)
		switch n - returned {
		case 0:
			continue
		case 1:
		default:
			t.Errorf("seed %d: bill %s was paid %d times, %d go back", h.seed, b.Number, n, returned)
			continue
		}
		c := cases[byBill[b.Number]]
		switch {
		case has[c.ID] == 1 && (c.State == journal.Closed || c.State == journal.Delivered || c.State.Desk()):
			issued += b.Amount
		case c.State == journal.RefundDue || c.State == journal.Refunding || c.State == journal.Refunded:
			back += b.Amount
		case c.State == journal.Paid, c.State.Desk(), c.State == journal.Bound, c.State == journal.Reserved, c.State == journal.Approved:
			held += b.Amount
		default:
			t.Errorf("seed %d: %s was paid and its case is %s, %d cards", h.seed, b.Number, c.State, has[c.ID])
		}
	}
	if in != issued+back+held {
		t.Errorf("seed %d: %d fen came, %d for cards, %d back, %d held", h.seed, in, issued, back, held)
	}
}

// wanderer is a citizen who does anything.
type wanderer struct {
	h     *history
	stop  func()
	homes int
	began bool
}

func (c *wanderer) Tell(service.View) {}

func (c *wanderer) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	h := c.h
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	h.seen = append(h.seen, p.Name())
	wait := func() (service.Answer, error) { <-ctx.Done(); return nil, context.Cause(ctx) }
	go1 := func(a service.Answer) (service.Answer, error) {
		if h.chance(3) {
			return nil, []error{service.ErrLeft, service.ErrTimedOut}[h.rnd.IntN(2)]
		}
		return a, nil
	}
	switch p := p.(type) {
	case service.Attract:
		if c.began {
			c.stop()
			return wait()
		}
		c.began = true
		return service.Next{}, nil
	case service.Home:
		if c.homes++; c.homes > 1 {
			return nil, service.ErrLeft
		}
		for _, tile := range p.Tiles {
			if tile.Code == "TID" && !tile.Ready {
				return nil, service.ErrLeft
			}
		}
		return service.ItemChosen{Code: "TID"}, nil
	case service.Consent:
		if !p.Otherwise.IsZero() {
			return service.Cancelled{}, nil
		}
		return go1(service.Next{})
	case service.PlaceCard:
		h.w.reader.put(true)
		return wait()
	case service.EnterCode:
		h.w.reader.put(false)
		return service.Entered{Value: "123456"}, nil
	case service.Choose:
		return go1(service.Chosen{ID: map[bool]string{true: "self", false: "kept"}[p.Options[0].ID == "self"]})
	case service.Form:
		return go1(service.Filled{Values: map[string]string{"phone": ""}})
	case service.Ink:
		return service.Drawn{PNG: append([]byte(nil), ink(h.t)...), Strokes: 3}, nil
	case service.Review, service.Trouble:
		return go1(service.Next{})
	case service.AwaitDecision:
		if h.chance(60) {
			go func() { time.Sleep(time.Minute); h.w.booth.office.decide(service.StandingApproved, "") }()
			return wait()
		}
		return service.Cancelled{}, nil
	case service.Pay:
		return c.pay(ctx, p, wait)
	case service.Done:
		return service.Rated{}, nil
	}
	return wait()
}

func (c *wanderer) pay(_ context.Context, p service.Pay, wait func() (service.Answer, error)) (service.Answer, error) {
	h := c.h
	soon := func(n int) {
		for range n {
			go func() { time.Sleep(5 * time.Second); h.pay(p.Number) }()
		}
	}
	switch h.rnd.IntN(8) {
	case 0: // walks away with the code in the phone
		h.later = append(h.later, p.Number)
		return nil, service.ErrTimedOut
	case 1: // walks away
		return nil, service.ErrLeft
	case 2: // cancels, and pays all the same
		h.later = append(h.later, p.Number)
		return service.Cancelled{}, nil
	case 3:
		soon(2) // two phones
	default:
		soon(1)
	}
	return wait()
}
