// The step that takes money: the platform makes the bill and knows the channels; the terminal shows the code, asks, and writes
// down what became of it.

package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// A Cashier is the platform's side of money. Errors are those of [Platform].
type Cashier interface {
	// Bill asks for the bill of a case: the same one however often, until it certainly takes no money.
	Bill(ctx context.Context, caseID, item string, token Token) (Bill, error)
	// BillNow says how a bill stands.
	BillNow(ctx context.Context, number string) (Bill, error)
	// BillAfter is BillNow once the state is another, after wait at the latest; a platform that cannot hold an answer back answers at
	// once.
	BillAfter(ctx context.Context, number string, state BillState, wait time.Duration) (Bill, error)
	// CancelBill ends a bill; the answer says whether it was paid meanwhile.
	CancelBill(ctx context.Context, number string) (Bill, error)
}

// A WayChooser is a Cashier with several payment channels.
type WayChooser interface {
	// PayWay asks for a bill's code at another channel, one of the bill's Ways. The answer is the bill as it stands, with or without it.
	PayWay(ctx context.Context, number, way string) (Bill, error)
}

// BillState is where a bill stands.
type BillState string

// Bill states.
const (
	BillOpen      BillState = "open"
	BillClosing   BillState = "closing" // may still turn out to be paid
	BillClosed    BillState = "closed"  // not paid, and cannot be
	BillPaid      BillState = "paid"
	BillDisputed  BillState = "disputed" // a person decides
	BillReturning BillState = "returning"
	BillReturned  BillState = "returned"
)

// Bill is a bill as the platform tells it.
type Bill struct {
	Number  string
	Amount  int64  // fen, ≥ 0
	Reason  string // standard, half, exempt
	State   BillState
	Why     string // closed: cancelled, expired, amount, refused
	QR      string
	Way     string   // channel of the code
	Ways    []Option // channels between which the citizen may choose; empty: there is no choice
	Expires time.Time
	Cash    Text
	Refunds []BillRefund
	EBill   *EBill // nil: there is none, or nobody says anything of one
}

// EBillState is where an e-bill stands.
type EBillState string

// E-bill states. One that is cancelled is shown to nobody: its money went back.
const (
	EBillComing EBillState = "coming" // when the money has arrived
	EBillIssued EBillState = "issued"
	EBillDesk   EBillState = "desk" // to be had at the counter
)

// EBill is the fiscal receipt of what was paid (财政电子票据), as its issuer made it.
type EBill struct {
	State               EBillState
	Code, Number, Check string // 票据代码, 票据号码, 校验码
	QR                  string // address of its picture, "" when there is none
	Site                string // where it is looked up, "" when nobody says
}

// BillRefund is money that goes back.
type BillRefund struct {
	Why, State string // late, twice, unissued, wrong; due, asked, done, refused, by-hand
	Amount     int64  // fen
}

const kindPay = "pay"

// payIntent is what stands in the journal before a bill is asked for.
type payIntent struct {
	Item string `json:"item"`
}

// billNote is the note of the effect that names its bill.
const billNote = "bill"

// billStep is what stands in the case once it has a bill.
type billStep struct {
	Number  string    `json:"number"`
	Amount  int64     `json:"amount"` // fen
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
}

// step is the bill as it stands in its case.
func (b Bill) step() billStep { return billStep{b.Number, b.Amount, b.Reason, b.Expires} }

// payStep takes the fee of an item. Where no step before it opened the case, it does.
type payStep struct {
	Settings `yaml:",inline"`
	Title    Words          `yaml:"title"`
	Reserve  map[string]int `yaml:"reserve"` // counted stock that is set aside before the bill: {card: 1, ribbon: 1}
}

func (s *payStep) check() error {
	for kind, n := range s.Reserve {
		if !stockForm.MatchString(kind) || n < 1 || n > 10 {
			return fmt.Errorf("reserve %q: %d, expected a kind of stock and 1 to 10", kind, n)
		}
	}
	return s.Title.check("title", true)
}

var stockForm = regexp.MustCompile(`^[a-z][a-z-]{0,15}$`)

// Ready: platform and cashier must be there, and what will be set aside.
func (s *payStep) Ready(sc Scene) Text {
	switch {
	case !sc.Pays:
		return T("svc.why.no-pay")
	case sc.ClockUnsure: // a payment belongs to its day
		return T("svc.why.clock")
	}
	if why := s.miscounted(sc); !why.IsZero() {
		return why
	}
	for kind, n := range s.Reserve {
		if sc.Stock == nil || sc.Stock(kind) < uint64(n) {
			return T("svc.why.no-stock")
		}
	}
	return onlineWhy(sc)
}

// ready is what must be there for somebody whose stock may be set aside already.
func (s *payStep) ready(sc Scene) Text {
	if !sc.Pays {
		return T("svc.why.no-pay")
	}
	if why := s.miscounted(sc); !why.IsZero() {
		return why
	}
	return onlineWhy(sc)
}

// miscounted keeps anybody from paying for what is not made now.
func (s *payStep) miscounted(sc Scene) Text {
	return countWhy(sc, slices.Collect(maps.Keys(s.Reserve))...)
}

// before says whether a case that goes on was paid in another visit, here or at another terminal. A payment of which nobody knew is asked
// about first, and a code that can still be paid is shown again.
func (s *payStep) before(ctx context.Context, j *Journey) (paid bool, err error) {
	if !j.skipped {
		return false, nil
	}
	switch j.kase.State {
	case journal.Paid, journal.ReissueDue:
		known, stop := context.WithTimeout(ctx, knowBill)
		defer stop()
		j.paidBy(j.e.billOf(known, j.kase, j.v.token))
		return true, nil
	case journal.PayUnknown:
	default:
		return false, nil
	}
	b, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.pay"), func(ctx context.Context) (Bill, error) {
		j.e.AskBills(ctx)
		if c, err := j.e.cfg.Journal.Case(j.kase.ID); err == nil {
			j.kase = c
		}
		if j.kase.State != journal.PayUnknown && j.kase.State != journal.Paid {
			return Bill{}, nil // it certainly was not paid
		}
		return j.e.billOf(ctx, j.kase, j.v.token)
	})
	switch {
	case errors.Is(err, errGivenUp), errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut), ctx.Err() != nil:
		return false, err
	case err == nil && b.State == BillPaid && j.kase.State == journal.PayUnknown:
		j.state(journal.Paid, "bill "+b.Number)
	case err == nil && j.kase.State == journal.PayUnknown && j.e.payable(j.kase.ID, b):
		return s.again(ctx, j, b)
	case j.kase.State == journal.PayFailed, j.kase.State == journal.Expired:
		j.free()
		return false, refer("pay-expired", "E-PAY-EXPIRED", nil)
	}
	if j.kase.State != journal.Paid {
		return false, refer("pay-unknown", "E-PAY-UNKNOWN", err, "number", j.kase.ReceiptCode)
	}
	j.paidBy(b, err)
	return true, nil
}

// paidBy keeps the bill for the receipt. Where the platform does not name it, the one that stands in the case does.
func (j *Journey) paidBy(b Bill, err error) {
	if j.print.bill = b.step(); err != nil || b.State != BillPaid {
		j.print.bill = billStep{}
		_ = json.Unmarshal(j.kase.Steps[kindPay], &j.print.bill) // there is none of another terminal's bill: the slip does without
	}
}

// knowBill bounds the question what a case was paid with.
const knowBill = 5 * time.Second

// again shows a bill's code to a citizen who left it and has come back. What was intended is intended still: no bill and no effect is made.
func (s *payStep) again(ctx context.Context, j *Journey, b Bill) (paid bool, err error) {
	if why := s.ready(j.e.scene(j.item)); !why.IsZero() {
		return false, &Referral{What: why, Means: T("svc.trouble.not-ready.means"), Do: T("svc.trouble.not-ready.do"), Code: "E-NOT-READY"}
	}
	if err := s.reserve(j); err != nil {
		return false, err
	}
	p := payment{step: s, j: j, bill: b, shown: true}
	p.err = p.show(ctx)
	j.e.owing.add(j.kase.ID)
	if p.bill.State != BillOpen && p.bill.State != BillClosing {
		j.e.AskBills(context.WithoutCancel(ctx)) // the effect that showed it first, where it was this terminal's
	}
	if c, err := j.e.cfg.Journal.Case(j.kase.ID); err == nil {
		j.kase = c
	}
	if j.kase.State == journal.PayUnknown { // it was another's
		switch p.bill.State {
		case BillPaid:
			j.state(journal.Paid, "bill "+p.bill.Number)
		case BillClosed:
			j.state(journal.PayFailed, ascii(p.bill.Why))
		}
	}
	if j.kase.State == journal.Paid {
		j.print.bill = p.bill.step()
		return true, nil
	}
	return false, p.ended()
}

// mostBills bounds how often another bill follows because the amount changed.
const mostBills = 3

// Run asks for the bill and waits for the money. Whoever leaves leaves the case behind; what becomes of it is asked later.
func (s *payStep) Run(ctx context.Context, j *Journey) error {
	switch known, err := s.before(ctx, j); {
	case err != nil:
		return err
	case known:
		return nil
	}
	ready := s.Ready
	if j.opened {
		ready = s.ready // its stock may be set aside already
	}
	if why := ready(j.e.scene(j.item)); !why.IsZero() {
		return &Referral{What: why, Means: T("svc.trouble.not-ready.means"), Do: T("svc.trouble.not-ready.do"), Code: "E-NOT-READY"}
	}
	if !j.opened {
		if err := j.open(journal.Accepted, "fee", nil); err != nil {
			return err
		}
	}
	if err := s.reserve(j); err != nil {
		return err
	}
	from, err := j.nextAttempt(kindPay)
	if err != nil {
		return fmt.Errorf("pay: %w", err)
	}
	for n := from; ; n++ {
		p := payment{step: s, j: j, changed: n > from}
		_, err := j.e.cfg.Journal.Do(ctx, journal.Intent{EffectName: journal.EffectName{Case: j.kase.ID, Step: kindPay, Attempt: n},
			Kind: kindPay, Case: journal.BillCreated, Body: payIntent{j.item.Code}}, p.act)
		if c, cerr := j.e.cfg.Journal.Case(j.kase.ID); cerr == nil {
			j.kase = c
		}
		j.e.owing.add(j.kase.ID)
		if err != nil {
			return fmt.Errorf("pay: %w", err)
		}
		switch {
		case p.bill.State == BillPaid:
			j.print.bill = p.bill.step()
			return nil
		case p.bill.Why == "amount" && p.bill.State == BillClosed && p.err == nil && n < from+mostBills-1:
			continue
		}
		return p.ended()
	}
}

// reserve sets aside what the item will use up, before anybody is asked for money.
func (s *payStep) reserve(j *Journey) error {
	if len(s.Reserve) == 0 {
		return nil
	}
	err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		if err := tx.ReserveStock(j.kase.ID, s.Reserve, j.e.now().Add(j.e.t.PayReserve)); err != nil {
			return err
		}
		if j.kase.State == journal.Reserved || !j.kase.State.May(journal.Reserved) {
			return nil // it was before, in another visit
		}
		return tx.SetState(j.kase.ID, journal.Reserved, "set aside")
	})
	if errors.Is(err, journal.ErrStock) {
		if j.kase.State != journal.Approved && j.kase.State.May(journal.Cancelled) { // what was approved waits for stock
			j.state(journal.Cancelled, "nothing left to set aside")
		}
		return &Referral{What: T("svc.why.no-stock"), Means: T("svc.trouble.not-ready.means"), Do: T("svc.trouble.not-ready.do"), Code: "E-NO-STOCK"}
	}
	if err != nil {
		return fmt.Errorf("reserve: %w", err)
	}
	if c, err := j.e.cfg.Journal.Case(j.kase.ID); err == nil {
		j.kase = c
	}
	j.e.reached("pay.reserved")
	return nil
}

// free gives back what was set aside for a case that ends without it.
func (j *Journey) free() {
	err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error { _, err := tx.FreeStock(j.kase.ID); return err })
	if err != nil {
		j.e.log.Error("stock", "case", j.kase.ID, "err", err)
	}
}

// payment is one bill before one citizen.
type payment struct {
	step    *payStep
	j       *Journey
	changed bool
	bill    Bill
	shown   bool  // the code was on the screen
	err     error // why nobody waits any more
}

// act is the effect: from the bill to what became of it.
func (p *payment) act(ctx context.Context, note func(k, v string) error) journal.Outcome {
	j := p.j
	if p.err = p.create(ctx); p.err != nil {
		// Whatever the platform made, nobody saw a code of it: no money can move.
		return journal.Outcome{State: journal.EffectFailed, Detail: "no bill", Case: journal.Cancelled, Why: "no bill"}
	}
	j.e.reached("pay.billed")
	if p.err = note(billNote, p.bill.Number); p.err == nil {
		p.err = j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
			err := tx.RecordStep(j.kase.ID, kindPay, p.bill.step())
			if err == nil && p.bill.State == BillOpen {
				err = tx.SetState(j.kase.ID, journal.PayPending, "bill "+p.bill.Number)
			}
			return err
		})
	}
	if p.err != nil {
		return journal.Outcome{State: journal.EffectFailed, Detail: "bill could not be kept, nor shown", Case: journal.Cancelled, Why: "not shown"}
	}
	if p.bill.State == BillOpen {
		p.shown = true
		p.err = p.show(ctx)
		j.e.reached("pay.shown")
	}
	return outcomeOf(p.bill, p.shown)
}

// outcomeOf says what the journal keeps of a bill.
func outcomeOf(b Bill, shown bool) journal.Outcome {
	switch b.State {
	case BillPaid:
		out := journal.Outcome{State: journal.EffectDone, Number: b.Number, Case: journal.Paid, Why: "bill " + b.Number}
		return out
	case BillClosed:
		to := journal.PayFailed
		if !shown {
			to = journal.Cancelled
		}
		return journal.Outcome{State: journal.EffectFailed, Number: b.Number, Detail: ascii(b.Why), Case: to, Why: b.Why}
	case BillDisputed:
		return journal.Outcome{State: journal.EffectUnknown, Number: b.Number, Detail: "another amount came", Case: journal.Manual, Why: "another amount was paid than asked for"}
	case BillReturning, BillReturned:
		return journal.Outcome{State: journal.EffectFailed, Number: b.Number, Detail: "paid, and goes back", Case: journal.Manual, Why: "the payment goes back"}
	}
	if !shown {
		return journal.Outcome{State: journal.EffectFailed, Number: b.Number, Detail: "code was not shown", Case: journal.Cancelled, Why: "code was not shown"}
	}
	return journal.Outcome{State: journal.EffectUnknown, Number: b.Number, Detail: "not known whether it was paid", Case: journal.PayUnknown, Why: "not known whether it was paid"}
}

// create asks for the bill and waits for its code. Asking again gives the same bill.
func (p *payment) create(ctx context.Context) (err error) {
	j, c := p.j, p.j.e.cfg.Cashier
	for try := 1; ; try++ {
		p.bill, err = await(ctx, j, j.e.t.Cancel, T("svc.wait.bill"), func(ctx context.Context) (Bill, error) {
			b, err := c.Bill(ctx, j.kase.ID, j.item.Code, j.v.token)
			// The bill before ends first, or the channel has not given the code yet.
			for err == nil && (b.State == BillClosing || b.State == BillOpen && b.QR == "") && pause(ctx, j.e.t.PayPoll) {
				if b.State == BillClosing {
					b, err = c.Bill(ctx, j.kase.ID, j.item.Code, j.v.token)
				} else {
					b, err = c.BillNow(ctx, b.Number)
				}
			}
			if err == nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			return b, err
		})
		passing := errors.Is(err, ErrLinkDown) || errors.Is(err, ErrPlatformBusy) || errors.Is(err, ErrInProgress) || errors.Is(err, ErrPlatform)
		if err == nil || !passing || try >= j.e.t.IssueTries || !pause(ctx, j.e.t.IssuePause) {
			return err
		}
	}
}

// show keeps the code on the screen until the platform knows, the citizen gives up, or its time is over. What is left in bill is
// the platform's last word.
func (p *payment) show(ctx context.Context) error {
	j := p.j
	confirming := false
	for p.bill.State == BillOpen && j.e.now().Before(p.bill.Expires) {
		askCtx, came := context.WithCancelCause(ctx)
		var polling sync.WaitGroup
		var last Bill
		polling.Go(func() { last = p.follow(askCtx, p.bill.Expires); came(errCame) })
		page := j.page()
		page.Back = false
		a, err := j.c.Ask(askCtx, Pay{Page: page, Title: p.step.Title.Text(), Amount: yuan(p.bill.Amount), Reason: reasonText(p.bill.Reason),
			QR: p.bill.QR, Way: p.bill.Way, Ways: p.bill.Ways, Number: p.bill.Number, Cash: p.bill.Cash, Until: p.bill.Expires, Confirming: confirming, Changed: p.changed,
			Reserved: len(p.step.Reserve) > 0})
		came(nil)
		polling.Wait()
		p.bill = last
		switch {
		case p.bill.State != BillOpen, ctx.Err() == nil && errors.Is(context.Cause(askCtx), errCame):
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, ErrBack):
			return err // nobody is there; the screen is wiped, and the bill is asked about later
		case err == nil:
			switch a := a.(type) {
			case Next:
				confirming = true
				continue
			case Chosen:
				p.over(ctx, a.ID)
				continue
			case Cancelled:
			default:
				return fmt.Errorf("%w: %T to pay", ErrAnswer, a)
			}
			fallthrough
		default:
			return p.cancel(ctx)
		}
	}
	if p.bill.State == BillOpen || p.bill.State == BillClosing {
		_, err := p.confirm(ctx, func(ctx context.Context) (Bill, error) { return p.bill, nil })
		return err
	}
	return nil
}

// over asks for the code of another channel. Without an answer the one on the screen stays: whichever is paid pays the bill.
func (p *payment) over(ctx context.Context, way string) {
	c, can := p.j.e.cfg.Cashier.(WayChooser)
	if !can || !slices.ContainsFunc(p.bill.Ways, func(o Option) bool { return o.ID == way }) {
		return
	}
	b, err := await(ctx, p.j, p.j.e.t.Cancel, T("svc.wait.bill"), func(ctx context.Context) (Bill, error) {
		b, err := c.PayWay(ctx, p.bill.Number, way)
		for err == nil && b.State == BillOpen && b.QR == "" && pause(ctx, p.j.e.t.PayPoll) {
			b, err = p.j.e.cfg.Cashier.BillNow(ctx, b.Number)
		}
		return b, err
	})
	if err == nil && (b.State != BillOpen || b.QR != "") {
		p.bill = b
	}
}

// askBill asks what the receipt must say of the bill: whether something of what the citizen paid goes back, as it was paid twice, at two
// channels or after a code had ended (the platform pays back by itself), and whether its e-bill is issued by now. Nobody waits for that.
func (j *Journey) askBill(ctx context.Context) {
	if j.e.cfg.Cashier == nil || j.print.bill.Number == "" || j.print.bill.Amount == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	b, err := j.e.cfg.Cashier.BillNow(ctx, j.print.bill.Number)
	if err != nil {
		return
	}
	j.print.back = 0
	for _, f := range b.Refunds {
		if f.Why == "twice" || f.Why == "late" {
			j.print.back += f.Amount
		}
	}
	j.print.ebill = b.EBill
}

// follow asks until the bill is not open any more, its time is over, or ctx ends, and returns the last that was heard.
func (p *payment) follow(ctx context.Context, until time.Time) Bill {
	last := p.bill
	for left := until.Sub(p.j.e.now()); left > 0; left = until.Sub(p.j.e.now()) {
		asked := time.Now()
		b, err := p.j.e.cfg.Cashier.BillAfter(ctx, last.Number, last.State, min(p.j.e.t.Held, left))
		if err == nil { // else nobody knows; the code stays, as the money may be moving
			if b.QR == "" {
				b.QR = last.QR
			}
			if last = b; last.State != BillOpen {
				break
			}
		}
		if !p.j.e.unhurried(ctx, asked) {
			break
		}
	}
	return last
}

// unhurried pauses before a question is asked again: one that was asked long ago, and whose answer was held back, is asked at once.
func (e *Engine) unhurried(ctx context.Context, asked time.Time) bool {
	return pause(ctx, max(0, e.t.PayPoll-time.Since(asked)))
}

// cancel ends the bill for a citizen who does not want to pay.
func (p *payment) cancel(ctx context.Context) error {
	b, err := p.confirm(ctx, func(ctx context.Context) (Bill, error) { return p.j.e.cfg.Cashier.CancelBill(ctx, p.bill.Number) })
	if err == nil && b.State == BillClosed {
		return errGivenUp
	}
	return err
}

// confirm waits for the platform's last word of a bill that ends.
func (p *payment) confirm(ctx context.Context, first func(context.Context) (Bill, error)) (Bill, error) {
	j := p.j
	limit, stop := context.WithTimeout(ctx, j.e.t.PayConfirm)
	defer stop()
	b, err := await(limit, j, j.e.t.Quiet, T("svc.wait.pay"), func(ctx context.Context) (Bill, error) {
		asked := time.Now()
		b, err := first(ctx)
		for (err != nil || b.State == BillOpen || b.State == BillClosing) && j.e.unhurried(ctx, asked) {
			if asked = time.Now(); err != nil {
				b, err = first(ctx)
			} else {
				b, err = j.e.cfg.Cashier.BillAfter(ctx, p.bill.Number, b.State, j.e.t.PayConfirm)
			}
		}
		return b, err
	})
	if err == nil {
		p.bill = b
	}
	switch {
	case ctx.Err() != nil:
		return p.bill, ctx.Err()
	case errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut):
		return p.bill, err
	}
	return p.bill, nil // what is not known stands in the bill
}

// ended says to the citizen, or to whoever comes back, how it ended.
func (p *payment) ended() error {
	j := p.j
	err := p.told()
	switch j.kase.State {
	case journal.Cancelled, journal.Expired, journal.PayFailed:
		j.free() // else it is freed when its time is over
	}
	return err
}

func (p *payment) told() error {
	j := p.j
	switch {
	case errors.Is(p.err, ErrLeft), errors.Is(p.err, ErrTimedOut), errors.Is(p.err, context.Canceled):
		return p.err
	case j.kase.State == journal.PayFailed && errors.Is(p.err, errGivenUp):
		j.state(journal.Cancelled, "citizen")
		return errGivenUp
	case j.kase.State == journal.PayFailed && p.bill.Why == "expired":
		j.state(journal.Expired, "not paid in time")
		return refer("pay-expired", "E-PAY-EXPIRED", nil)
	case j.kase.State == journal.PayFailed:
		j.state(journal.Cancelled, "not paid")
		return refer("pay-failed", "E-PAY-FAILED", nil)
	case j.kase.State == journal.Cancelled, j.kase.State == journal.Expired:
		switch {
		case errors.Is(p.err, errGivenUp):
			return errGivenUp
		case j.kase.State == journal.Expired:
			return refer("pay-expired", "E-PAY-EXPIRED", nil)
		}
		return refer("no-bill", "E-NO-BILL", p.err)
	}
	return refer("pay-unknown", "E-PAY-UNKNOWN", p.err, "number", p.bill.Number)
}

// yuan is an amount as people write it.
func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func reasonText(r string) Text {
	switch r {
	case "half":
		return T("svc.pay.reason.half")
	case "exempt":
		return T("svc.pay.reason.exempt")
	}
	return T("svc.pay.reason.standard")
}

// makes says whether the item has an output after its payment.
func (it *Item) makes() bool {
	return slices.ContainsFunc(it.Steps, func(n Named) bool { return n.Kind == "print" || n.Kind == "card" })
}

// makesCard says whether the output is a card, for which a citizen may come back.
func (it *Item) makesCard() bool {
	return slices.ContainsFunc(it.Steps, func(n Named) bool { return n.Kind == "card" })
}

// settlePay asks what became of a bill that a restart interrupted. It never makes one: without a number no code was on a screen.
func (e *Engine) settlePay(ctx context.Context, ef journal.Effect) journal.Outcome {
	c, err := e.cfg.Journal.Case(ef.Case)
	shown := err != nil || c.State != journal.BillCreated
	number := ef.Notes[billNote]
	if number == "" {
		return outcomeOf(Bill{}, shown)
	}
	e.owing.add(ef.Case)
	b := Bill{Number: number, State: BillOpen}
	if e.cfg.Cashier != nil {
		ctx, stop := context.WithTimeout(ctx, e.t.PayConfirm)
		defer stop()
		if now, err := e.cfg.Cashier.BillNow(ctx, number); err == nil {
			b = now
		}
	}
	return outcomeOf(b, shown)
}
