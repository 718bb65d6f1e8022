// Package paysim is a payment channel at its worst, on the other side of the wire: an HTTP server with orders, phones that
// pay, refunds and books, that loses answers after it acted, acts long after it was asked, knows an order only when its code is
// scanned, takes money for what was closed, takes it twice, refuses to pay back, and sends notices late, doubled, out of order
// and forged. It is steered while it runs, by [Books.Steer] and the phones of [Books]. It shares no code with the platform's adapters.
package paysim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Order is an order in the channel's books. Amounts are in fen.
type Order struct {
	Number   string
	Amount   int64
	Subject  string
	Expires  time.Time
	Closed   bool
	Payments []Payment
	unborn   bool // the channel denies it until a phone scans the code
}

// Payment is money that the channel took.
type Payment struct {
	Transaction string
	Order       string
	Amount      int64
	At          time.Time
	Returned    int64
}

// Refund is money that the channel gives back.
type Refund struct {
	Number, Order, Transaction string
	Amount                     int64
	State                      string // "working", "done", "refused"
	Code                       string
	At                         time.Time
	done                       time.Time // when a working one ends
	fails                      bool      // and that it ends refused
}

// Faults are how the channel misbehaves; counts are used up one by one.
type Faults struct {
	LoseBefore   int           // requests cut before anything was done
	LoseAfter    int           // requests cut after it was done
	Park         int           // requests cut, and done only when RunParked is called
	Slow         time.Duration // before every answer
	Busy         int           // requests answered with 500 and nothing done
	Unborn       bool          // orders do not exist until scanned
	RefuseOrders int
	RefuseRefund int
	SlowRefunds  time.Duration // refunds are "working" for so long
	FailSlow     int           // of them end refused
	Lag          time.Duration // a query does not know payments younger than this
	Garbage      int           // answers that are no JSON, signed
	Unsigned     int           // answers without a valid signature
	Omit         []string      // transactions, and numbers of e-bills, that the statement and the book leave out
	Miscount     []string      // numbers of e-bills that stand in the book with another amount
	Denied       int           // requests that the caller may not make, whatever they are about
	Paying       int           // closes that come while somebody types a password (WeChat Pay)
	Invalid      int           // orders that are called invalid, made before or not (WeChat Pay)

	Arrives     time.Duration // after a payment, until its money is there and an e-bill is issued
	RefuseEBill int           // e-bills, or red ones, that are refused
	Payer       string        // who pays everything, as the issuer knows it: an e-bill for another is refused. "" it knows nobody
	LoseEBill   int           // answers about e-bills lost after the act
	SlowEBill   time.Duration // before every answer about an e-bill
	Making      time.Duration // an e-bill, or a red one, is being made for so long
}

// Books are what the channel knows. All methods may be called at any time.
type Books struct {
	Now func() time.Time

	mu      sync.Mutex
	faults  Faults
	orders  map[string]*Order
	refunds map[string]*Refund
	ebills  map[string]*EBill
	count   int
	late    bool // orders do not exist until scanned, always
	single  bool // an order is paid once and no more, as where its number is the payment's
	parked  []func()
	changed func(order, refund string) // told after each change that a notice tells of
	notices []Notice
	opens   time.Duration // after a day's end, until its statement is made
	states  bool          // a statement holds every refund that was accepted, with its state of then
	forgets bool          // a refund that was refused for want of money leaves nothing behind: its number may be used again
	retries bool          // a refund that failed is tried anew when it is asked for again

	// breaches are requests that a careful caller never makes: the same act again without having asked what became of the
	// first, money back that never came, more money back than came.
	breaches []string
	asked    map[string]bool // acts since the last question, by number
}

// Notice is a notice on its way: it may be delivered at any time, again, or never.
type Notice struct {
	Order, Refund string
	body          []byte
}

// Notices are all notices so far, oldest first: told in any order, again, or not at all.
func (b *Books) Notices() []Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.notices)
}

func (b *Books) keep(n Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notices = append(b.notices, n)
}

func (b *Books) breach(format string, args ...any) {
	b.breaches = append(b.breaches, fmt.Sprintf(format, args...))
}

// Breaches are the requests so far that a careful caller never makes.
func (b *Books) Breaches() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.breaches)
}

// repeats notes an act; the lock is held.
func (b *Books) repeats(act, number string) {
	if b.asked[act+number] {
		b.breach("%s %s again without asking", act, number)
	}
	b.asked[act+number] = true
}

// NewBooks are empty books. now is the channel's clock.
func NewBooks(now func() time.Time) *Books {
	return &Books{Now: now, orders: map[string]*Order{}, refunds: map[string]*Refund{}, ebills: map[string]*EBill{}, asked: map[string]bool{}}
}

// StartAt makes the channel count its payments from n, so that two channels' numbers differ.
func (b *Books) StartAt(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count = n
}

// Steer changes how the channel misbehaves.
func (b *Books) Steer(change func(*Faults)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.faults)
}

// Scan opens the order of a code in a phone: the channel knows it from here on.
func (b *Books) Scan(number string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.orders[number]
	switch {
	case o == nil:
		return fmt.Errorf("no code of order %s was given out", number)
	case !b.Now().Before(o.Expires):
		return fmt.Errorf("the code of order %s is too old", number)
	}
	o.unborn = false
	return nil
}

// Pay pays an order that is open, as a phone does. amount 0 is what the order asks for.
func (b *Books) Pay(number string, amount int64) error {
	if err := b.Scan(number); err != nil {
		return err
	}
	b.mu.Lock()
	o := b.orders[number]
	if o.Closed || len(o.Payments) > 0 {
		b.mu.Unlock()
		return fmt.Errorf("order %s is closed or paid", number)
	}
	b.take(o, amount)
	b.mu.Unlock()
	b.tell(number, "")
	return nil
}

// PayAnyway pays an order though it is closed, paid or too old: the phone stood at the password when that happened.
func (b *Books) PayAnyway(number string, amount int64) error {
	b.mu.Lock()
	o := b.orders[number]
	if o == nil {
		b.mu.Unlock()
		return fmt.Errorf("no order %s", number)
	}
	if b.single && len(o.Payments) > 0 {
		b.mu.Unlock()
		return fmt.Errorf("order %s is paid", number)
	}
	o.unborn = false
	b.take(o, amount)
	b.mu.Unlock()
	b.tell(number, "")
	return nil
}

func (b *Books) take(o *Order, amount int64) {
	if amount == 0 {
		amount = o.Amount
	}
	b.count++
	o.Payments = append(o.Payments, Payment{fmt.Sprintf("42%s%08d", b.Now().UTC().Format("20060102"), b.count), o.Number, amount, b.Now(), 0})
}

// CloseByItself closes an unpaid order, as channels do when they like.
func (b *Books) CloseByItself(number string) {
	b.mu.Lock()
	o := b.orders[number]
	did := o != nil && !o.unborn && len(o.Payments) == 0
	if did {
		o.Closed = true
	}
	b.mu.Unlock()
	if did {
		b.tell(number, "")
	}
}

// RunParked does what was asked for in requests that were cut.
func (b *Books) RunParked() {
	b.mu.Lock()
	all := b.parked
	b.parked = nil
	b.mu.Unlock()
	for _, do := range all {
		do()
	}
}

// Orders are all orders, by number.
func (b *Books) Orders() (all []Order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.orders {
		c := *o
		c.Payments = slices.Clone(o.Payments)
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y Order) int { return cmpString(x.Number, y.Number) })
	return all
}

// Refunds are all refunds, by number.
func (b *Books) Refunds() (all []Refund) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.refunds {
		all = append(all, *b.aged(r))
	}
	slices.SortFunc(all, func(x, y Refund) int { return cmpString(x.Number, y.Number) })
	return all
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Payable: somebody with the code could still pay the order.
func (o Order) Payable(now time.Time) bool {
	return !o.Closed && len(o.Payments) == 0 && now.Before(o.Expires)
}

func (b *Books) tell(order, refund string) {
	if b.changed != nil {
		b.changed(order, refund)
	}
}

// What the dialects do to the books. A result's code is the channel's word; "" is success.

func (b *Books) create(number string, amount int64, subject string, expires time.Time) (qr, code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.faults.RefuseOrders > 0 {
		b.faults.RefuseOrders--
		return "", "MERCHANT_LIMIT"
	}
	if o := b.orders[number]; o != nil {
		switch {
		case o.Amount != amount || o.Subject != subject:
			return "", "NUMBER_REUSED"
		case len(o.Payments) > 0:
			return "", "ORDER_PAID"
		case o.Closed:
			return "", "ORDER_CLOSED"
		}
		return codeOf(number), ""
	}
	if amount <= 0 || !b.Now().Before(expires) {
		return "", "PARAM_ERROR"
	}
	b.orders[number] = &Order{Number: number, Amount: amount, Subject: subject, Expires: expires, unborn: b.faults.Unborn || b.late}
	return codeOf(number), ""
}

func codeOf(number string) string { return "https://pay.sim.invalid/c/" + number }

func (b *Books) query(number string) (o Order, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.orders[number]
	if x == nil || x.unborn {
		return o, false
	}
	o = *x
	o.Payments = nil
	for _, p := range x.Payments {
		if b.Now().Sub(p.At) >= b.faults.Lag {
			o.Payments = append(o.Payments, p)
		}
	}
	return o, true
}

func (b *Books) close(number string) (code string) {
	b.mu.Lock()
	o := b.orders[number]
	switch {
	case o == nil || o.unborn:
		code = "ORDER_NOT_EXIST"
	case len(o.Payments) > 0:
		code = "ORDER_PAID"
	default:
		o.Closed = true
	}
	b.mu.Unlock()
	if code == "" {
		b.tell(number, "")
	}
	return code
}

func (b *Books) refund(number, order, transaction string, amount int64) (r Refund, code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if was := b.refunds[number]; was != nil && !(b.retries && b.aged(was).State == "refused") {
		if was.Transaction != transaction || was.Amount != amount {
			return r, "NUMBER_REUSED"
		}
		return *b.aged(was), ""
	}
	var p *Payment
	if o := b.orders[order]; o != nil {
		for i := range o.Payments {
			if o.Payments[i].Transaction == transaction {
				p = &o.Payments[i]
			}
		}
	}
	r = Refund{Number: number, Order: order, Transaction: transaction, Amount: amount, At: b.Now(), State: "done"}
	switch {
	case p == nil:
		b.breach("refund %s of a payment that never came", number)
		return r, "TRANSACTION_NOT_EXIST"
	case p.Returned+amount > p.Amount:
		b.breach("refund %s of more than was paid", number)
		return r, "AMOUNT_OVER"
	case b.faults.RefuseRefund > 0:
		b.faults.RefuseRefund--
		r.State, r.Code = "refused", "NOT_ENOUGH"
		if b.forgets {
			return r, ""
		}
	case b.faults.SlowRefunds > 0:
		r.State, r.done, r.fails = "working", b.Now().Add(b.faults.SlowRefunds), b.faults.FailSlow > 0
		b.faults.FailSlow = max(0, b.faults.FailSlow-1)
		p.Returned += amount
	default:
		p.Returned += amount
	}
	b.refunds[number] = &r
	return r, ""
}

// aged ends a working refund when its time has come. The lock is held.
func (b *Books) aged(r *Refund) *Refund {
	if r.State != "working" || b.Now().Before(r.done) {
		return r
	}
	r.State = "done"
	if r.fails {
		r.State, r.Code = "refused", "ACCOUNT_ABNORMAL"
		for i, p := range b.orders[r.Order].Payments {
			if p.Transaction == r.Transaction {
				b.orders[r.Order].Payments[i].Returned -= r.Amount
			}
		}
	}
	return r
}

func (b *Books) queryRefund(number string) (r Refund, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.refunds[number]
	if x == nil {
		return r, false
	}
	return *b.aged(x), true
}

// line is one line of the books of a day.
type line struct {
	refund, order, transaction string
	amount                     int64
	at                         time.Time
	state                      string // of a refund
}

var china = time.FixedZone("CST", 8*3600)

// statement is made some hours after the day is over.
func (b *Books) statement(day string) (all []line, made bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	begin, err := time.ParseInLocation(time.DateOnly, day, china)
	if err != nil || b.Now().Before(begin.Add(24*time.Hour+b.opens)) {
		return nil, false
	}
	for _, o := range b.orders {
		for _, p := range o.Payments {
			if p.At.In(china).Format(time.DateOnly) == day && !slices.Contains(b.faults.Omit, p.Transaction) {
				all = append(all, line{"", o.Number, p.Transaction, p.Amount, p.At, ""})
			}
		}
	}
	for _, r := range b.refunds {
		if state := b.aged(r).State; (state == "done" || b.states) && r.At.In(china).Format(time.DateOnly) == day {
			all = append(all, line{r.Number, r.Order, r.Transaction, r.Amount, r.At, state})
		}
	}
	slices.SortFunc(all, func(x, y line) int { return cmpString(x.transaction+x.refund, y.transaction+y.refund) })
	return all, true
}

// fate is what happens to one request.
type fate struct {
	before, park, busy, denied, after, garbage, unsigned bool
	slow                                                 time.Duration
}

// draw uses up at most one fault.
func (b *Books) draw() (f fate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f.slow = b.faults.Slow
	for _, x := range []struct {
		left *int
		is   *bool
	}{
		{&b.faults.LoseBefore, &f.before}, {&b.faults.Park, &f.park}, {&b.faults.Busy, &f.busy}, {&b.faults.Denied, &f.denied}, {&b.faults.LoseAfter, &f.after},
		{&b.faults.Garbage, &f.garbage}, {&b.faults.Unsigned, &f.unsigned},
	} {
		if *x.left > 0 {
			*x.left--
			*x.is = true
			break
		}
	}
	return f
}

// use uses up one of a fault's count.
func (b *Books) use(of func(*Faults) *int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := of(&b.faults)
	if *left == 0 {
		return false
	}
	*left--
	return true
}

// later keeps an act that is done when RunParked is called.
func (b *Books) later(act func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parked = append(b.parked, act)
}

// wait is the channel's slowness.
func (f fate) wait(ctx context.Context) {
	if f.slow > 0 {
		select {
		case <-time.After(f.slow):
		case <-ctx.Done():
		}
	}
}
