package pay

// E-bills (财政电子票据): the fiscal receipt of a non-tax fee, which its issuer makes once the money has arrived. There is one for the
// payment that pays a bill, under the bill's number, and none for a payment that goes back at once or for nothing. When the payment
// went back, a red one (红字票据) cancels it (冲红).

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// An EBillIssuer issues e-bills. A channel that does is one besides ([Channel]). An act that is called again with the same number is
// the same act. Any error but those named here means that nobody knows whether it was done.
type EBillIssuer interface {
	// IssueEBill asks for the e-bill of a paid bill. [ErrNotYet]: none yet, the money has not arrived at the issuer. [ErrRefused]: it
	// issues none.
	IssueEBill(ctx context.Context, o EBillOrder) (EBillStanding, error)
	// QueryEBill tells of one. [ErrAbsent]: there is none of this number. ErrRefused is of the question and says nothing of the e-bill.
	QueryEBill(ctx context.Context, o EBillOrder) (EBillStanding, error)
	// CancelEBill has a red one made. ErrRefused: it was not.
	CancelEBill(ctx context.Context, o EBillOrder, why string) (EBillStanding, error)
}

// ErrNotYet: the issuer will not issue before the money has arrived, and has not issued.
var ErrNotYet = errors.New("the money has not arrived yet")

// Payer is a payer's name as it stands on an e-bill (缴款人). It is shown to nobody who prints it by accident: only [Payer.Reveal] tells it.
type Payer struct{ name string }

// maxPayer bounds a payer's name, in characters.
const maxPayer = 100

// PayerOf is a name of at most 100 characters, none of them a control character; any other is not known.
func PayerOf(name string) Payer {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxPayer || strings.ContainsFunc(name, unicode.IsControl) || strings.TrimSpace(name) != name {
		return Payer{}
	}
	return Payer{name}
}

// Reveal is the name, "" when it is not known: then the issuer goes by the order.
func (p Payer) Reveal() string { return p.name }

// String implements fmt.Stringer, and tells nothing.
func (Payer) String() string { return "payer" }

// GoString implements fmt.GoStringer, and tells nothing.
func (Payer) GoString() string { return "payer" }

// EBillOrder says which payment an e-bill is for.
type EBillOrder struct {
	Number      string // the bill's
	Attempt     string
	Transaction string
	Amount      Fen
	Subject     string
	Paid        time.Time // by the channel's clock
	Payer       Payer     // of the e-bill itself, not of questions about one; of no task: it is looked up when the issuer is asked
}

// Issued is an e-bill, or a red one, as people need it to have it checked (查验). The issuer decides the lengths: eight digits of code, ten of
// number and six characters to check it are usual.
type Issued struct {
	Code   string    `json:"code"`          // 票据代码
	Number string    `json:"number"`        // 票据号码
	Check  string    `json:"check"`         // 校验码
	At     time.Time `json:"at"`            // 开票时间
	URL    string    `json:"url,omitempty"` // of its picture, "" when the issuer gives none
}

// maxEBillURL bounds an address that must fit the code on a slip.
const maxEBillURL = 300

// Plain says whether an e-bill can be booked and shown.
func (i Issued) Plain() bool {
	for _, s := range []string{i.Code, i.Number, i.Check} {
		if !Plain(s, 32) {
			return false
		}
	}
	if i.URL != "" {
		u, err := url.Parse(i.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || !Plain(i.URL, maxEBillURL) {
			return false
		}
	}
	return i.At.Year() >= 2000 && i.At.Year() < 2100
}

// same says whether two are the same paper, however their times are written.
func (i Issued) same(o Issued) bool {
	return i.Code == o.Code && i.Number == o.Number && i.Check == o.Check
}

// EBillWord is an issuer's word for an e-bill.
type EBillWord string

// An issuer's words.
const (
	EBillWorking  EBillWord = "working" // being made, or the red one is
	EBillMade     EBillWord = "issued"
	EBillCanceled EBillWord = "red" // by a red one
)

// EBillStanding is what an issuer says of an e-bill.
type EBillStanding struct {
	State  EBillWord
	Issued Issued // of issued and red
	Red    Issued // of red
}

// EBillState is what is known of a payment's e-bill.
type EBillState string

// E-bill states.
const (
	EBillDue        EBillState = "due"         // certainly not issued
	EBillAsked      EBillState = "asked"       // the issuer was asked for it and may have issued it
	EBillIssued     EBillState = "issued"      //
	EBillRefused    EBillState = "refused"     // the issuer does not: a person decides
	EBillByHand     EBillState = "by-hand"     // a person had a receipt made elsewhere
	EBillDropped    EBillState = "dropped"     // its payment goes back before it was issued
	EBillRedDue     EBillState = "red-due"     // certainly not cancelled
	EBillRedAsked   EBillState = "red-asked"   // the issuer was asked for the red one and may have made it
	EBillRedRefused EBillState = "red-refused" // the issuer does not: a person decides
	EBillRed        EBillState = "red"         // cancelled
)

// An EBill is the e-bill of the payment that pays a bill.
type EBill struct {
	State  EBillState `json:"state"`
	Issued Issued     `json:"issued,omitzero"`
	Red    Issued     `json:"red,omitzero"` // also of one that a person had cancelled: zero then
	Doubt  bool       `json:"doubt"`        // an act's answer is missing: ask before anything else
	Acts   int        `json:"acts"`
	Looks  int        `json:"looks"`
	Due    time.Time  `json:"due"`
	Since  time.Time  `json:"since"`          // it, or its red one, is wanted
	Heard  time.Time  `json:"heard"`          // the issuer's last word; zero: none
	Code   string     `json:"code,omitempty"` // the issuer's word for a refusal
}

// ebillMoves are the moves of e-bills. What an older question hears of one that is issued moves nothing.
func ebillMoves() table[EBillState] {
	return table[EBillState]{
		EBillDue:        {eventAsk: EBillAsked, eventMade: EBillIssued, eventAbsent: EBillDue, eventWaiting: EBillAsked, eventRefused: EBillRefused, eventReturn: EBillDropped},
		EBillAsked:      {eventMade: EBillIssued, eventAbsent: EBillDue, eventWaiting: EBillAsked, eventRefused: EBillRefused},
		EBillIssued:     {eventMade: EBillIssued, eventAbsent: EBillIssued, eventWaiting: EBillIssued, eventRefused: EBillIssued, eventBack: EBillRedDue},
		EBillRefused:    {eventMade: EBillIssued, eventAbsent: EBillRefused, eventWaiting: EBillRefused, eventRefused: EBillRefused, eventByHand: EBillByHand, eventAgain: EBillDue, eventReturn: EBillDropped},
		EBillByHand:     {eventAbsent: EBillByHand, eventWaiting: EBillByHand, eventRefused: EBillByHand, eventBack: EBillRedRefused},
		EBillDropped:    {eventMade: EBillIssued, eventAbsent: EBillDropped, eventWaiting: EBillDropped, eventRefused: EBillDropped},
		EBillRedDue:     {eventAsk: EBillRedAsked, eventMade: EBillRedDue, eventWaiting: EBillRedAsked, eventRefused: EBillRedRefused, eventRed: EBillRed},
		EBillRedAsked:   {eventMade: EBillRedDue, eventWaiting: EBillRedAsked, eventRefused: EBillRedRefused, eventRed: EBillRed},
		EBillRedRefused: {eventMade: EBillRedRefused, eventWaiting: EBillRedRefused, eventRefused: EBillRedRefused, eventByHand: EBillRed, eventAgain: EBillRedDue, eventRed: EBillRed},
		EBillRed:        {eventMade: EBillRed, eventWaiting: EBillRed, eventRefused: EBillRed, eventRed: EBillRed},
	}
}

// ebillPause is the wait before look n (from 0) at an e-bill: soon while the citizen stands there, then every half hour, as money may take
// days to arrive. It is longer than an act may take.
func ebillPause(n int) time.Duration { return min(10*time.Second<<min(n, 8), 30*time.Minute) }

// wantEBill notes that a payment pays the bill.
func (r Rules) wantEBill(a *Account, now time.Time) {
	if r.EBills && a.EBill == nil && a.Bill.Amount > 0 {
		a.EBill = &EBill{State: EBillDue, Since: now, Due: now}
	}
}

// followEBill brings an e-bill to where its payment went.
func (r Rules) followEBill(a *Account, now time.Time) {
	e := a.EBill
	if e == nil || a.Bill.State != BillReturning && a.Bill.State != BillReturned {
		return
	}
	if to, ok := r.ebills.move(e.State, eventReturn); ok && !e.Doubt {
		e.State, e.Since, e.Looks, e.Due = to, now, 0, time.Time{}
		if e.Acts > 0 { // an earlier request may be heard yet
			e.Due = now
		}
		a.endMatter(MatterEBill, a.Bill.Number, "its payment goes back", "", now)
	}
	if a.Bill.State != BillReturned {
		return
	}
	if to, ok := r.ebills.move(e.State, eventBack); ok {
		e.State, e.Since, e.Looks, e.Due, e.Doubt, e.Code, e.Heard = to, now, 0, now, false, "", time.Time{}
		if to == EBillRedRefused { // what a person had made, a person cancels
			e.Due = time.Time{}
			a.matter(MatterRed, a.Bill.Number, now)
		}
	}
}

// tendEBill says what is to be done at the issuer now, or nil, and notes it.
func (r Rules) tendEBill(a *Account, now time.Time) *Task {
	e, k := a.EBill, a.Kept()
	if e == nil || k == nil || e.Due.IsZero() || now.Before(e.Due) {
		return nil
	}
	task := &Task{Act: ActQueryEBill, Bill: a.Bill.Number, Channel: a.ChannelOf(k.Attempt), Number: a.Bill.Number,
		EBill: EBillOrder{Number: a.Bill.Number, Attempt: k.Attempt, Transaction: k.Transaction, Amount: k.Amount, Subject: a.Bill.Item, Paid: k.At}}
	if to, ok := r.ebills.move(e.State, eventAsk); ok && !e.Doubt {
		task.Act = ActEBill
		if e.State == EBillRedDue {
			task.Act = ActRedEBill
		}
		e.State, e.Doubt, e.Code = to, true, ""
		e.Acts++
	}
	task.Acts = e.Acts
	e.Due = now.Add(ebillPause(e.Looks))
	e.Looks++
	switch e.State {
	case EBillDropped, EBillRefused, EBillByHand, EBillRedRefused: // an earlier request may be heard yet
		if now.After(e.Since.Add(r.EBillWatch)) {
			e.Due = time.Time{}
		}
	}
	return task
}

// heardEBill books the answer to a task about an e-bill.
func (r Rules) heardEBill(a *Account, task Task, got Answer, now time.Time) {
	e := a.EBill
	if e == nil {
		return
	}
	newest := task.Acts == e.Acts // else what is said of none, or of a refusal, is too old
	refusal := (*Refusal)(nil)
	errors.As(got.Err, &refusal)
	switch {
	case got.Err == nil:
		e.Heard = now
		r.ebillStood(a, got.EBill, newest, now)
	case !newest:
	case errors.Is(got.Err, ErrNotYet) && task.Act == ActEBill:
		e.Heard, e.Doubt = now, false
		r.ebillStep(a, eventAbsent, now)
	case errors.Is(got.Err, ErrAbsent) && task.Act == ActQueryEBill:
		e.Heard, e.Doubt = now, false
		if e.State == EBillAsked && e.Code != "" {
			r.ebillStep(a, eventRefused, now) // it was asked for, refused, and is not there
			break
		}
		if r.ebillStep(a, eventAbsent, now); e.State == EBillDue {
			e.Due = now
		}
	case refusal != nil && task.Act != ActQueryEBill:
		// An earlier request may have been heard: it is asked about once more.
		e.Heard, e.Code, e.Due = now, refusal.Code, now.Add(ebillPause(0))
	}
	r.followEBill(a, now)
}

// ebillStood books what the issuer says of an e-bill, in whatever order and however often it says it.
func (r Rules) ebillStood(a *Account, s EBillStanding, newest bool, now time.Time) {
	e := a.EBill
	if s.State == EBillWorking {
		if newest {
			r.ebillStep(a, eventWaiting, now)
		}
		return
	}
	if e.Issued.Number != "" && !e.Issued.same(s.Issued) {
		a.matter(MatterAgainst, a.Bill.Number, now) // two e-bills of one payment: the first stands
		return
	}
	if s.State == EBillCanceled {
		if r.ebillStep(a, eventRed, now); e.State == EBillRed {
			e.Issued, e.Red, e.Doubt, e.Due = s.Issued, s.Red, false, time.Time{}
			a.endMatter(MatterRed, a.Bill.Number, "the issuer cancelled it after all", "", now)
		}
		return
	}
	if e.State == EBillByHand {
		r.ebillStep(a, eventMade, now)
		return
	}
	e.Issued = s.Issued
	switch e.State {
	case EBillRedDue, EBillRedAsked, EBillRedRefused, EBillRed:
		if !newest || e.State == EBillRed || e.State == EBillRedRefused {
			return
		}
		e.Doubt = false
		if e.Code != "" { // the red one was asked for, refused, and is not there
			r.ebillStep(a, eventRefused, now)
			return
		}
		r.ebillStep(a, eventMade, now)
		e.Due = now
	default:
		r.ebillStep(a, eventMade, now)
	}
}

// ebillStep moves an e-bill; what the table does not hold contradicts what is booked.
func (r Rules) ebillStep(a *Account, event string, now time.Time) {
	e, number := a.EBill, a.Bill.Number
	to, ok := r.ebills.move(e.State, event)
	if !ok {
		a.matter(MatterAgainst, number, now)
		return
	}
	was := e.State
	e.State = to
	switch to {
	case EBillIssued:
		e.Doubt, e.Due, e.Code = false, time.Time{}, ""
		a.endMatter(MatterEBill, number, "the issuer issued it after all", "", now)
	case EBillRefused, EBillRedRefused:
		if e.Doubt = false; was != to {
			e.Since, e.Looks, e.Due = now, 0, now.Add(ebillPause(0))
			a.matter(map[EBillState]string{EBillRefused: MatterEBill, EBillRedRefused: MatterRed}[to], number, now)
		}
	}
}

// How a paid bill and its e-bill go together, for the list of a day.
const (
	PairMissing = "missing" // none is wanted, or it stands though its payment went back
	PairAsked   = "asked"   // it, or the red one, is wanted and comes
	PairIssued  = "issued"
	PairRefused = "refused" // it, or the red one: on the desk
	PairByHand  = "by-hand"
	PairRed     = "red"
	PairNone    = "none" // its payment went back, or is about to, before it was issued
)

// Pair says how a bill that was paid and its e-bill go together, and whether what is not there should be by now.
func (r Rules) Pair(a *Account, now time.Time) (pair string, late bool) {
	e := a.EBill
	if e == nil {
		return PairMissing, now.After(a.Bill.Paid.Add(r.EBillAfter))
	}
	late = now.After(e.Since.Add(r.EBillAfter))
	switch e.State {
	case EBillIssued, EBillByHand:
		if a.Bill.State == BillReturned {
			return PairMissing, late
		}
		return map[EBillState]string{EBillIssued: PairIssued, EBillByHand: PairByHand}[e.State], false
	case EBillRefused, EBillRedRefused:
		return PairRefused, false
	case EBillRed:
		return PairRed, false
	case EBillDropped:
		return PairNone, false
	}
	return PairAsked, late
}

// EBillAgain has an e-bill, or its red one, asked for again that the issuer refused. by is the operator.
func (r Rules) EBillAgain(a *Account, by string, now time.Time) error {
	e := a.EBill
	if e == nil || by == "" || e.State == EBillRedRefused && e.Issued.Number == "" {
		return fmt.Errorf("e-bill of %s: %w", a.Bill.Number, ErrMove)
	}
	to, ok := r.ebills.move(e.State, eventAgain)
	if !ok {
		return fmt.Errorf("e-bill of %s is %s: %w", a.Bill.Number, e.State, ErrMove)
	}
	for _, kind := range []string{MatterEBill, MatterRed} {
		a.endMatter(kind, a.Bill.Number, "asked for again", by, now)
	}
	e.State, e.Doubt, e.Looks, e.Due, e.Since, e.Heard, e.Code = to, true, 0, now, now, time.Time{}, ""
	return nil
}

// EBillDone notes that a person had a receipt made elsewhere, or the e-bill cancelled, where the issuer refused to.
func (r Rules) EBillDone(a *Account, how, by string, now time.Time) error {
	e := a.EBill
	if e == nil || by == "" {
		return fmt.Errorf("e-bill of %s: %w", a.Bill.Number, ErrMove)
	}
	to, ok := r.ebills.move(e.State, eventByHand)
	if !ok {
		return fmt.Errorf("e-bill of %s is %s: %w", a.Bill.Number, e.State, ErrMove)
	}
	if e.State, e.Doubt = to, false; to == EBillRed {
		e.Due = time.Time{}
	}
	for _, kind := range []string{MatterEBill, MatterRed} {
		a.endMatter(kind, a.Bill.Number, how, by, now)
	}
	return nil
}

// ebillLate says whether a person must be told that nobody knows, or that the money does not arrive.
func (r Rules) ebillLate(a *Account, now time.Time) bool {
	e := a.EBill
	if e == nil {
		return false
	}
	switch e.State {
	case EBillDue, EBillAsked, EBillRedDue, EBillRedAsked:
	default:
		return false
	}
	heard := e.Since
	if e.Heard.After(heard) {
		heard = e.Heard
	}
	return now.After(e.Since.Add(r.EBillAfter)) || e.Doubt && now.After(heard.Add(r.RefundAfter))
}
