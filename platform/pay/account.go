package pay

// What happens to an account: a new bill, an end, what is to be done next, what was heard.

import (
	"errors"
	"fmt"
	"time"
)

// Errors of accounts.
var (
	// ErrBill: the bill cannot be made like this.
	ErrBill = errors.New("not a bill")
	// ErrMove: the account's state does not allow this.
	ErrMove = errors.New("the account's state does not allow this")
)

// MaxLife bounds the time in which a bill's orders can be paid.
const MaxLife = 2 * time.Hour

// NewAccount begins with a bill. Amount 0 is paid at once, by nothing.
func (r Rules) NewAccount(b Bill, now time.Time) (*Account, error) {
	if _, ours := BillOf(b.Number + "00"); !ours || len(b.Number) != billDigits {
		return nil, fmt.Errorf("number %.32q: %w", b.Number, ErrBill)
	}
	switch {
	case b.Case == "" || b.Reason == "":
		return nil, fmt.Errorf("bill %s: no case or no reason of its amount: %w", b.Number, ErrBill)
	case b.Amount < 0 || b.Amount > MaxAmount:
		return nil, fmt.Errorf("bill %s: amount %s: %w", b.Number, b.Amount, ErrBill)
	case (b.Amount > 0) != (b.Channel != ""):
		return nil, fmt.Errorf("bill %s: a channel without an amount, or an amount without a channel: %w", b.Number, ErrBill)
	case !b.Expires.After(now) || b.Expires.After(now.Add(MaxLife)):
		return nil, fmt.Errorf("bill %s: its time must end within %s: %w", b.Number, MaxLife, ErrBill)
	}
	b.Made, b.State = now, BillOpen
	if b.Amount == 0 {
		b.State, b.Paid = BillPaid, now
	}
	return &Account{Bill: b}, nil
}

// Stands says which of a case's bills, oldest first, is the one that counts, or that a new one may be made: only after every
// earlier one certainly takes no money, or gave it back.
func Stands(bills []Bill) (current *Bill, free bool) {
	for i := range bills {
		switch bills[i].State {
		case BillClosed, BillReturned:
		default:
			return &bills[i], false
		}
	}
	return nil, true
}

// End stops a bill that is not paid: nobody shall pay it any more. It changes nothing at a bill that is paid or ended.
func (r Rules) End(a *Account, why string, now time.Time) {
	if to, ok := r.bills.move(a.Bill.State, eventClose); ok && a.Bill.State != to {
		a.Bill.State, a.Bill.Why = to, why
		r.close(a, now)
	} else if a.Bill.State == BillClosing && a.Bill.Why == WhyExpired && why == WhyCancelled {
		// Walked away, and then cancelled after all: what still comes is not wanted.
		a.Bill.Why = why
	}
}

// mostOver bounds how often a citizen changes the channel of one bill.
const mostOver = 10

// Over makes an order at another channel for a citizen who wants to pay there. The one before is closed; until it is, both can be
// paid, and what comes second goes back. [ErrMove]: the bill is not open, or it was changed too often.
func (r Rules) Over(a *Account, channel string, now time.Time) error {
	if a.Bill.State != BillOpen || a.Bill.Amount == 0 || !now.Before(a.Bill.Expires) || len(a.Attempts) >= mostOver {
		return fmt.Errorf("bill %s is %s: %w", a.Bill.Number, a.Bill.State, ErrMove)
	}
	t := a.Live()
	if t != nil && a.ChannelOf(t.Number) == channel {
		return nil
	}
	if t != nil && t.State != AttemptClosing { // else it is given up already
		was := t.State
		t.State, _ = r.attempts.move(t.State, eventClose)
		t.Doubt, t.Looks, t.Due = was != AttemptIntended, 0, now
		if t.State == AttemptClosed {
			t.Due = time.Time{}
		}
	}
	a.Attempts = append(a.Attempts, Attempt{Number: attemptNumber(a.Bill.Number, len(a.Attempts)+1), Channel: channel, State: AttemptIntended, Made: now, Due: now})
	return nil
}

// close makes sure that no attempt of a bill that is not open stays payable, and closes the bill when none is.
func (r Rules) close(a *Account, now time.Time) {
	if a.Bill.State == BillOpen {
		return
	}
	for i := range a.Attempts {
		t := &a.Attempts[i]
		switch t.State {
		case AttemptIntended, AttemptAsked, AttemptOpen:
			was := t.State
			t.State, _ = r.attempts.move(t.State, eventClose)
			t.Looks, t.Due = 0, now
			t.Doubt = was != AttemptIntended // look a last time, then close at once
			if t.State == AttemptClosed {
				t.Due = time.Time{}
			}
		}
	}
	if a.Bill.State == BillClosing && !a.Payable() {
		a.Bill.State, _ = r.bills.move(a.Bill.State, eventClosed)
	}
}

// Act is what is to be done at a channel.
type Act string

// Acts.
const (
	ActCreate      Act = "create"
	ActQuery       Act = "query"
	ActClose       Act = "close"
	ActRefund      Act = "refund"
	ActQueryRefund Act = "query-refund"
	ActEBill       Act = "ebill"
	ActQueryEBill  Act = "query-ebill"
	ActRedEBill    Act = "red-ebill"
)

// ofEBill: the act is the issuer's, for which nobody waits.
func (t Act) ofEBill() bool { return t == ActEBill || t == ActQueryEBill || t == ActRedEBill }

// A Task is one act at a channel, complete.
type Task struct {
	Act     Act
	Bill    string
	Channel string
	Number  string // of the attempt or refund; of an e-bill, the bill's
	Acts    int    // of it, when this began
	Order   Order
	Refund  RefundOrder
	EBill   EBillOrder
}

// Tend brings an account up to the time and says what is to be done at the channel now, or nil. The task is noted in the account:
// when the account is stored, the intent is.
func (r Rules) Tend(a *Account, now time.Time) *Task {
	if a.Bill.State == BillOpen && !now.Before(a.Bill.Expires) {
		r.End(a, WhyExpired, now)
	}
	if a.Bill.State == BillOpen && a.Live() == nil {
		refused := 0
		for _, t := range a.Attempts {
			if t.State == AttemptRefused {
				refused++
			}
		}
		if refused >= r.MaxRefusals || len(a.Attempts) >= 99 {
			r.End(a, WhyRefused, now)
		} else {
			next := Attempt{Number: attemptNumber(a.Bill.Number, len(a.Attempts)+1), State: AttemptIntended,
				Made: now, Due: now.Add(time.Duration(refused) * 5 * time.Second)}
			if n := len(a.Attempts); n > 0 {
				next.Channel = a.Attempts[n-1].Channel
			}
			a.Attempts = append(a.Attempts, next)
		}
	}
	r.close(a, now)
	r.followEBill(a, now)
	r.remind(a, now)

	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	for i := range a.Refunds {
		f := &a.Refunds[i]
		if !due(f.Due) {
			continue
		}
		p := a.paymentAt(f.Attempt, f.Transaction)
		task := &Task{Act: ActQueryRefund, Bill: a.Bill.Number, Channel: a.ChannelOf(f.Attempt), Number: f.Number,
			Refund: RefundOrder{f.Number, f.Attempt, f.Transaction, f.Amount, p.Amount, f.Why}}
		if f.State == RefundDue && !f.Doubt {
			task.Act = ActRefund
			f.State, _ = r.refunds.move(f.State, eventAsk)
			f.Doubt = true
			f.Acts++
		}
		task.Acts = f.Acts
		f.Due = now.Add(refundPause(f.Looks))
		f.Looks++
		return task
	}
	for i := len(a.Attempts) - 1; i >= 0; i-- { // the newest first: somebody waits for its code
		t := &a.Attempts[i]
		if !due(t.Due) {
			continue
		}
		task := &Task{Act: ActQuery, Bill: a.Bill.Number, Channel: a.ChannelOf(t.Number), Number: t.Number}
		switch {
		case t.State == AttemptIntended, t.State == AttemptAsked && !t.Doubt:
			task.Act, task.Order = ActCreate, Order{Number: t.Number, Amount: a.Bill.Amount, Subject: a.Bill.Item, Expires: a.Bill.Expires}
			t.State, _ = r.attempts.move(AttemptIntended, eventAsk)
			t.Doubt = true
			t.Acts++
		case t.State == AttemptClosing && !t.Doubt:
			task.Act = ActClose
			t.Doubt = true
			t.Acts++
		}
		task.Acts = t.Acts
		t.Looks++
		t.Due = r.next(a, t, now)
		return task
	}
	return r.tendEBill(a, now)
}

// next is when an attempt is looked at again.
func (r Rules) next(a *Account, t *Attempt, now time.Time) time.Time {
	switch t.State {
	case AttemptClosed, AttemptPaid:
		if t.Looks > 0 && now.After(a.Bill.Expires.Add(r.Watch)) {
			return time.Time{}
		}
		return now.Add(slowPause)
	case AttemptRefused:
		return time.Time{}
	}
	return now.Add(pause(t.Looks))
}

// remind tells a person what has been unknown for too long, and takes it back when it is known.
func (r Rules) remind(a *Account, now time.Time) {
	waits := func(number string) bool {
		if t := a.Attempt(number); t != nil {
			return t.alive() && now.After(a.Bill.Expires.Add(r.UnknownAfter))
		}
		f := a.Refund(number)
		if f == nil || f.State != RefundDue && f.State != RefundAsked {
			return false
		}
		since := f.Made
		for _, m := range a.Matters { // a person ordered it again
			if m.Kind == MatterRefund && m.Ref == number && m.Ended.After(since) {
				since = m.Ended
			}
		}
		return now.After(since.Add(r.RefundAfter))
	}
	for _, m := range a.Matters {
		if m.Kind == MatterUnknown && m.Ended.IsZero() && !waits(m.Ref) {
			a.endMatter(MatterUnknown, m.Ref, "the channel said", "", now)
		}
	}
	for _, t := range a.Attempts {
		if waits(t.Number) {
			a.matter(MatterUnknown, t.Number, now)
		}
	}
	for _, f := range a.Refunds {
		if waits(f.Number) {
			a.matter(MatterUnknown, f.Number, now)
		}
	}
	if r.ebillLate(a, now) {
		a.matter(MatterEBillLate, a.Bill.Number, now)
	} else {
		a.endMatter(MatterEBillLate, a.Bill.Number, "the issuer said", "", now)
	}
}

// Wake is when Tend has something to do next; zero: never, unless somebody changes the account.
func (r Rules) Wake(a *Account) (at time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if a.Bill.State == BillOpen {
		sooner(a.Bill.Expires)
		if a.Live() == nil {
			sooner(a.Bill.Made)
		}
	}
	for _, t := range a.Attempts {
		sooner(t.Due)
	}
	for _, f := range a.Refunds {
		sooner(f.Due)
	}
	if a.EBill != nil {
		sooner(a.EBill.Due)
	}
	return at
}

// Answer is what came of a task: one of its fields, or Err.
type Answer struct {
	QR       string
	Standing Standing
	Refund   RefundStanding
	EBill    EBillStanding
	Err      error
}

// Heard books the answer to a task.
func (r Rules) Heard(a *Account, task Task, got Answer, now time.Time) {
	switch task.Act {
	case ActRefund, ActQueryRefund:
		if f := a.Refund(task.Number); f != nil {
			r.heardRefund(a, f, task, got, now)
		}
	case ActEBill, ActQueryEBill, ActRedEBill:
		r.heardEBill(a, task, got, now)
	default:
		if t := a.Attempt(task.Number); t != nil {
			r.heardOrder(a, t, task, got, now)
		}
	}
	r.close(a, now)
	r.remind(a, now)
}

func (r Rules) heardOrder(a *Account, t *Attempt, task Task, got Answer, now time.Time) {
	code := ""
	if refusal := (*Refusal)(nil); errors.As(got.Err, &refusal) {
		code = refusal.Code
	}
	newest := task.Acts == t.Acts // else another act began meanwhile: what is said of none, or of a refusal, is too old
	switch {
	case task.Act == ActQuery && got.Err == nil:
		doubt := t.Doubt
		r.Stood(a, t.Number, got.Standing, now)
		t = a.Attempt(task.Number)
		t.Doubt = t.Doubt || doubt && !newest
	case errors.Is(got.Err, ErrAbsent) && newest:
		r.step(a, t, eventAbsent, now)
		t.Doubt = false
		if t.State == AttemptAsked {
			t.Due = now // a citizen waits for the code
		}
		if t.State == AttemptClosing && !now.Before(a.Bill.Expires.Add(r.Margin)) {
			r.step(a, t, eventLapsed, now)
		}
	case task.Act == ActCreate && got.Err == nil && got.QR != "":
		t.Doubt = t.State == AttemptClosing
		if t.State == AttemptAsked {
			t.QR = got.QR
		}
		r.step(a, t, eventMade, now)
	case task.Act == ActCreate && errors.Is(got.Err, ErrRefused):
		t.Code = code
		if task.Acts == 1 && newest {
			t.Doubt = false
			r.step(a, t, eventRefused, now)
		} else if t.State == AttemptAsked {
			// An earlier request for it may have been heard: it is given up like any other order.
			r.step(a, t, eventClose, now)
			t.Doubt, t.Due = true, now
		}
	case task.Act == ActClose && got.Err == nil:
		t.Doubt = false
		r.step(a, t, eventClosed, now)
	case task.Act == ActClose && errors.Is(got.Err, ErrRefused):
		t.Code = code
		t.Doubt = t.Doubt && !newest // tried again at the next look
	case task.Act == ActClose && errors.Is(got.Err, ErrPaid):
		t.Due = now // by whom and how much only a query tells
	}
}

// step moves an attempt; what the table does not hold contradicts what is booked.
func (r Rules) step(a *Account, t *Attempt, event string, now time.Time) {
	to, ok := r.attempts.move(t.State, event)
	if !ok {
		a.matter(MatterAgainst, t.Number, now)
		return
	}
	if to != t.State {
		t.State, t.Looks = to, 0
		t.Due = r.next(a, t, now)
	}
}

// Stood books what the channel says of an order, in whatever order and however often it says it.
func (r Rules) Stood(a *Account, number string, s Standing, now time.Time) {
	t := a.Attempt(number)
	if t == nil {
		return
	}
	for _, p := range s.Payments {
		r.Receive(a, number, p, now)
	}
	switch s.State {
	case OrderPaid:
		if len(s.Payments) == 0 {
			return // nothing that can be booked: asked again
		}
		t.Doubt = false
	case OrderClosed:
		t.Doubt = false
		r.step(a, t, eventClosed, now)
	case OrderWaiting:
		t.Doubt = false
		if t.State == AttemptPaid || t.State == AttemptRefused {
			break // a channel whose reading copy lags
		}
		r.step(a, t, eventWaiting, now)
		if t.State == AttemptClosing || t.State == AttemptAsked {
			t.Due = now
		}
	}
	r.close(a, now)
}

// Receive books a payment once and judges it.
func (r Rules) Receive(a *Account, number string, p Received, now time.Time) {
	t := a.Attempt(number)
	if t == nil {
		return
	}
	if was := a.paymentAt(number, p.Transaction); was != nil {
		if was.Amount != p.Amount || was.Attempt != number {
			a.matter(MatterAgainst, p.Transaction, now)
		}
		return
	}
	booked := Payment{Transaction: p.Transaction, Attempt: number, Amount: p.Amount, At: p.At, Seen: now}
	wrong, kept := p.Amount != a.Bill.Amount, a.Kept() != nil
	for _, j := range r.judge {
		in := j.in == nil
		for _, s := range j.in {
			in = in || s == a.Bill.State
		}
		if j.wrong && !wrong || j.kept && !kept || !in || j.why != "" && j.why != a.Bill.Why {
			continue
		}
		booked.Use = j.use
		if to, ok := r.bills.move(a.Bill.State, j.bill); ok {
			a.Bill.State = to
		}
		break
	}
	a.Payments = append(a.Payments, booked)
	switch booked.Use {
	case UseKept:
		a.Bill.Paid = p.At
		r.wantEBill(a, now)
	case UseWrong:
		a.matter(MatterAmount, p.Transaction, now)
	default:
		r.refund(a, booked, string(booked.Use), false, now)
	}
	r.step(a, t, eventPaid, now)
	r.close(a, now)
}

// refund orders a payment back, unless it goes or went back already. A refund that was refused is asked for again under its own
// number; ended: the channel said that nothing comes of that number any more.
func (r Rules) refund(a *Account, p Payment, why string, ended bool, now time.Time) {
	try := 1
	var last *Refund
	for i := range a.Refunds {
		if f := &a.Refunds[i]; f.Transaction == p.Transaction && a.ChannelOf(f.Attempt) == a.ChannelOf(p.Attempt) {
			if f.State != RefundRefused {
				return
			}
			last = f
			try++
		}
	}
	if last != nil && !ended { // under the same number, as channels want it, and not before it was asked what became of it
		last.State, _ = r.refunds.move(last.State, eventReturn)
		last.Doubt, last.Looks, last.Due, last.Code = true, 0, now, ""
		return
	}
	a.Refunds = append(a.Refunds, Refund{Number: refundNumber(p, try), Transaction: p.Transaction, Attempt: p.Attempt, Amount: p.Amount,
		Why: why, State: RefundDue, Made: now, Due: now})
}

// Return orders a payment back: the one that pays the bill, or one of a wrong amount, or one whose refund was refused. by is the
// operator, or "" when the rules of the case say so.
func (r Rules) Return(a *Account, transaction, why, by string, now time.Time) error {
	p := a.Payment(transaction)
	if k := a.Kept(); k != nil && k.Transaction == transaction {
		p = k
	}
	if p == nil {
		return fmt.Errorf("payment %.32q: %w", transaction, ErrMove)
	}
	if p.Use == UseKept {
		to, ok := r.bills.move(a.Bill.State, eventReturn)
		if !ok {
			return fmt.Errorf("bill %s is %s: %w", a.Bill.Number, a.Bill.State, ErrMove)
		}
		a.Bill.State = to
	}
	for _, f := range a.Refunds {
		if f.Transaction == transaction && f.State == RefundRefused {
			a.endMatter(MatterRefund, f.Number, "ordered again", by, now)
		}
	}
	r.refund(a, *p, why, false, now)
	r.followEBill(a, now)
	a.endMatter(MatterAmount, transaction, "goes back", by, now)
	return nil
}

// PaidByHand notes that a person paid back what the channel refused to.
func (r Rules) PaidByHand(a *Account, number, how, by string, now time.Time) error {
	f := a.Refund(number)
	if f == nil || by == "" {
		return fmt.Errorf("refund %.32q: %w", number, ErrMove)
	}
	to, ok := r.refunds.move(f.State, eventByHand)
	if !ok {
		return fmt.Errorf("refund %s is %s: %w", number, f.State, ErrMove)
	}
	f.State, f.Due = to, time.Time{}
	a.endMatter(MatterRefund, number, how, by, now)
	r.back(a, f, now)
	return nil
}

func (r Rules) back(a *Account, f *Refund, now time.Time) {
	if k := a.Kept(); k != nil && k == a.paymentAt(f.Attempt, f.Transaction) {
		if to, ok := r.bills.move(a.Bill.State, eventBack); ok {
			a.Bill.State = to
		}
		r.followEBill(a, now)
	}
}

func (r Rules) heardRefund(a *Account, f *Refund, task Task, got Answer, now time.Time) {
	newest := task.Acts == f.Acts
	event := ""
	refusal := (*Refusal)(nil)
	errors.As(got.Err, &refusal)
	if refusal != nil && newest && (task.Act == ActRefund || refusal.Ended) {
		f.Code = refusal.Code
	}
	ended := refusal != nil && refusal.Ended || got.Err == nil && got.Refund == RefundDenied
	if ended && newest && f.State == RefundDue {
		// Ordered again, and the channel kept the number from the time before: nothing comes of it any more.
		f.State, _ = r.refunds.move(f.State, eventRefused)
		f.Doubt, f.Due = false, time.Time{}
		if p := a.paymentAt(f.Attempt, f.Transaction); p != nil {
			r.refund(a, *p, f.Why, true, now)
		}
		return
	}
	switch {
	case errors.Is(got.Err, ErrAbsent) && !newest:
		return
	case errors.Is(got.Err, ErrAbsent) && f.Code != "":
		event = eventRefused // it was asked for twice, refused, and is not there
	case errors.Is(got.Err, ErrAbsent):
		event = eventAbsent
	case errors.Is(got.Err, ErrRefused) && task.Act == ActQueryRefund && !ended:
		return // the question was refused: of the refund nothing is known
	case errors.Is(got.Err, ErrRefused):
		event = eventRefused
		if task.Act == ActRefund && (task.Acts > 1 || !newest) {
			f.Due = now.Add(refundPause(0)) // an earlier request for it may have been heard
			return
		}
	case got.Err != nil:
		return // unknown: Doubt stands, and Due is set
	case got.Refund == RefundPaidBack:
		event = eventMade
	case got.Refund == RefundDenied:
		event = eventRefused
	case got.Refund == RefundWorking:
		event = eventWaiting
	default:
		return
	}
	r.RefundStood(a, f.Number, event, now)
}

// RefundStood books what the channel says of a refund.
func (r Rules) RefundStood(a *Account, number, event string, now time.Time) {
	f := a.Refund(number)
	if f == nil {
		return
	}
	to, ok := r.refunds.move(f.State, event)
	if !ok {
		a.matter(MatterAgainst, number, now)
		return
	}
	f.State = to
	switch to {
	case RefundDone:
		f.Due, f.Doubt = time.Time{}, false
		a.endMatter(MatterRefund, number, "the channel paid back after all", "", now)
		r.back(a, f, now)
	case RefundRefused:
		f.Due, f.Doubt = time.Time{}, false
		a.matter(MatterRefund, number, now)
	case RefundDue:
		f.Doubt = false
	}
}

// Told books a notice that the channel sent by itself.
func (r Rules) Told(a *Account, n Notice, now time.Time) {
	if n.Refund == "" {
		r.Stood(a, n.Number, n.Standing, now)
		r.remind(a, now)
		return
	}
	events := map[RefundStanding]string{RefundPaidBack: eventMade, RefundDenied: eventRefused, RefundWorking: eventWaiting}
	if e, known := events[n.RefundStanding]; known {
		r.RefundStood(a, n.Refund, e, now)
		r.remind(a, now)
	}
}

// Noted ends a matter that moves nothing: a contradiction, or what a channel's or issuer's book lacks, which a person cleared up.
func (r Rules) Noted(a *Account, kind, ref, how, by string, now time.Time) error {
	if by == "" || kind != MatterAgainst && kind != MatterStatement && kind != MatterEBook || !a.endMatter(kind, ref, how, by, now) {
		return fmt.Errorf("matter %.20q of %.40q: %w", kind, ref, ErrMove)
	}
	return nil
}
