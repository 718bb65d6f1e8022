// Package pay is what the platform knows about money, without a database and without a wire: bills, the orders made for them
// at a channel, the payments that came, and what goes back.
//
// A bill (缴款码) is a government's claim on one case. For a bill the platform makes orders at a payment channel, one alive at a
// time; each order has a code that a phone scans. Who wants to pay through another channel gets an order there ([Rules.Over]) while
// the one before is closed; if both are paid, one pays the bill and the other goes back. A payment is a fact that only the channel can report, by an answer, a notice
// or the statement of a day; it is booked once, whenever and however often it is told. [Rules.Receive] judges it: it pays the
// bill, or it came late, or twice, or with another amount. Money that is not kept goes back or to a person, never both, and
// nothing but a booked payment can cause a refund: an order that a channel calls closed says nothing of money.
//
// What is not known is a state. Every act at a channel is written down before it is done ([Settler]); if its answer is lost the
// channel is asked before the act is done again, under the same number. The moves are tables ([Rules]), the port to a channel is
// [Channel], the comparison with its books is [Reconcile]. The fiscal receipt of what was paid comes from an [EBillIssuer], after and beside all
// that: neither a payment nor a card waits for it.
package pay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fen is money in hundredths of a yuan. All amounts of this package are from 0 to MaxAmount.
type Fen int64

// MaxAmount bounds a bill: one million yuan.
const MaxAmount Fen = 100_000_000

// String is "10.00".
func (f Fen) String() string {
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	return fmt.Sprintf("%s%d.%02d", sign, f/100, f%100)
}

// China is the one time of the country's channels; it has no summer time.
var China = time.FixedZone("CST", 8*60*60)

// Day is the settlement day of a time, "2026-11-29": the channel's own day of the payment, whenever it was heard of.
func Day(t time.Time) string { return t.In(China).Format(time.DateOnly) }

// BillState is where a bill stands.
type BillState string

// Bill states.
const (
	BillOpen      BillState = "open"      // may be paid
	BillClosing   BillState = "closing"   // nobody shall pay it any more; the channel has not yet confirmed that nobody can
	BillClosed    BillState = "closed"    // not paid, and no order of it can be paid
	BillPaid      BillState = "paid"      // the money is there, or none was asked for
	BillDisputed  BillState = "disputed"  // another amount came than was asked for: a person decides
	BillReturning BillState = "returning" // its payment goes back
	BillReturned  BillState = "returned"  // its payment went back
)

// Why a bill is closed.
const (
	WhyCancelled = "cancelled" // by the citizen or the desk: what still comes goes back
	WhyExpired   = "expired"
	WhyAmount    = "amount"  // the amount changed: another bill follows
	WhyRefused   = "refused" // the channel makes no order for it
)

// A Bill is the claim on one case.
type Bill struct {
	Number   string    `json:"number"` // 20 digits
	Case     string    `json:"case"`
	Terminal string    `json:"terminal"`
	Item     string    `json:"item"`
	Channel  string    `json:"channel"` // "" when there is nothing to pay
	Amount   Fen       `json:"amount"`
	Reason   string    `json:"reason"` // of the amount: "standard", "half", "exempt"
	State    BillState `json:"state"`
	Why      string    `json:"why,omitempty"` // it is closed
	Made     time.Time `json:"made"`
	Expires  time.Time `json:"expires"` // orders cannot be paid after it
	Paid     time.Time `json:"paid"`    // by the channel's clock; zero when unpaid
}

// AttemptState is what is known of an order at a channel.
type AttemptState string

// Attempt states.
const (
	AttemptIntended AttemptState = "intended" // certainly not at the channel
	AttemptAsked    AttemptState = "asked"    // the channel was asked for it and may hold it
	AttemptOpen     AttemptState = "open"     // its code is known; it may be paid
	AttemptClosing  AttemptState = "closing"  // it shall be closed; it may still be paid
	AttemptClosed   AttemptState = "closed"   // the channel says that it cannot be paid
	AttemptRefused  AttemptState = "refused"  // the channel said that it makes none
	AttemptPaid     AttemptState = "paid"
)

// An Attempt is one order at a channel.
type Attempt struct {
	Number string `json:"number"` // the bill's and two digits: the channel's out_trade_no
	// Channel is where the order is made; "" is the bill's.
	Channel string       `json:"channel,omitempty"`
	State   AttemptState `json:"state"`
	QR      string       `json:"qr,omitempty"` // text of the code
	Doubt   bool         `json:"doubt"`        // an act's answer is missing: ask before anything else
	Acts    int          `json:"acts"`         // begun; an answer to something older does not end the doubt about the newest
	Looks   int          `json:"looks"`        // questions since the last change
	Due     time.Time    `json:"due"`          // of the next look; zero: none
	Made    time.Time    `json:"made"`
	Code    string       `json:"code,omitempty"` // the channel's word for a refusal
}

// Use is what became of a payment.
type Use string

// Uses.
const (
	UseKept  Use = "kept"  // it pays its bill
	UseLate  Use = "late"  // its bill was closed: it goes back
	UseTwice Use = "twice" // its bill was paid: it goes back
	UseWrong Use = "wrong" // another amount than the bill's: a person decides
)

// A Payment is money that a channel says it took.
type Payment struct {
	Transaction string    `json:"transaction"` // the channel's number, unique there
	Attempt     string    `json:"attempt"`
	Amount      Fen       `json:"amount"`
	At          time.Time `json:"at"`   // by the channel's clock
	Seen        time.Time `json:"seen"` // by ours
	Use         Use       `json:"use"`
}

// RefundState is what is known of money that goes back.
type RefundState string

// Refund states.
const (
	RefundDue     RefundState = "due"     // certainly not at the channel
	RefundAsked   RefundState = "asked"   // the channel was asked for it and may be doing it
	RefundDone    RefundState = "done"    // the channel says that it paid back
	RefundRefused RefundState = "refused" // the channel says that it does not pay back: a person decides
	RefundByHand  RefundState = "by-hand" // a person paid back
)

// A Refund pays one payment back, whole.
type Refund struct {
	Number      string      `json:"number"`
	Transaction string      `json:"transaction"`
	Attempt     string      `json:"attempt"`
	Amount      Fen         `json:"amount"`
	Why         string      `json:"why"` // a Use, or the word of who ordered it
	State       RefundState `json:"state"`
	Doubt       bool        `json:"doubt"`
	Acts        int         `json:"acts"`
	Looks       int         `json:"looks"`
	Due         time.Time   `json:"due"`
	Made        time.Time   `json:"made"`
	Code        string      `json:"code,omitempty"`
}

// Kinds of [Matter].
const (
	MatterAmount    = "amount"           // a payment of another amount
	MatterRefund    = "refund-refused"   // the channel does not pay back
	MatterUnknown   = "unknown"          // the channel has not said for too long; ends by itself when it does
	MatterAgainst   = "contradiction"    // the channel says what cannot be
	MatterStatement = "not-in-statement" // booked here, and not in the statement of its day
	MatterEBill     = "ebill-refused"    // the issuer issues no e-bill for a paid bill
	MatterRed       = "red-refused"      // an e-bill is not cancelled though its payment went back
	MatterEBillLate = "ebill-late"       // the issuer has not issued, or cancelled, for too long; ends by itself when it does
	MatterEBook     = "not-in-ebook"     // an e-bill, or its red one, that is booked here and is not in the issuer's book of its day
)

// A Matter is what a person must look at.
type Matter struct {
	Kind   string    `json:"kind"`
	Ref    string    `json:"ref"` // number of an attempt, a refund or a bill, or a transaction
	Opened time.Time `json:"opened"`
	Ended  time.Time `json:"ended"` // zero: open
	How    string    `json:"how,omitempty"`
	By     string    `json:"by,omitempty"` // operator, or "" when it ended by itself
}

// An Account is a bill with all that belongs to it. It changes as a whole.
type Account struct {
	Bill     Bill      `json:"bill"`
	Attempts []Attempt `json:"attempts"`
	Payments []Payment `json:"payments"`
	Refunds  []Refund  `json:"refunds"`
	Matters  []Matter  `json:"matters"`
	EBill    *EBill    `json:"ebill,omitempty"` // of the payment that pays the bill; nil: none is wanted
}

// billDigits is the length of a bill's number.
const billDigits = 20

// BillOf is the bill that an attempt's or a refund's number belongs to; false when the number is not one of ours.
func BillOf(number string) (string, bool) {
	if len(number) > 0 && number[0] == 'R' {
		number = number[1:]
	}
	if len(number) < billDigits+2 || len(number) > 31 {
		return "", false
	}
	for _, c := range number[:billDigits+2] {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return number[:billDigits], true
}

// BillNumber makes a 缴款码: the district (6 digits), the day in China, the second of the day and a count. As the second goes
// on while a database that was set back counts again, a number is not given twice.
func BillNumber(district string, now time.Time, count uint64) string {
	t := now.In(China)
	second := t.Hour()*3600 + t.Minute()*60 + t.Second()
	return fmt.Sprintf("%06.6s%s%05d%03d", district, t.Format("060102"), second, count%1000)
}

func attemptNumber(bill string, n int) string { return fmt.Sprintf("%s%02d", bill, n) }

// refundNumber is the same for the same payment and try, whatever else is booked: a platform that lost its newest rows asks for
// the same refund again. At most 31 characters.
func refundNumber(p Payment, try int) string {
	sum := sha256.Sum256([]byte(p.Transaction))
	return fmt.Sprintf("R%s%s%d", p.Attempt, hex.EncodeToString(sum[:])[:6], try)
}

// Attempt finds an order by its number.
func (a *Account) Attempt(number string) *Attempt {
	for i := range a.Attempts {
		if a.Attempts[i].Number == number {
			return &a.Attempts[i]
		}
	}
	return nil
}

// Refund finds a refund by its number.
func (a *Account) Refund(number string) *Refund {
	for i := range a.Refunds {
		if a.Refunds[i].Number == number {
			return &a.Refunds[i]
		}
	}
	return nil
}

// Payment finds a payment by the channel's number; the first, if two channels gave the same.
func (a *Account) Payment(transaction string) *Payment {
	for i := range a.Payments {
		if a.Payments[i].Transaction == transaction {
			return &a.Payments[i]
		}
	}
	return nil
}

// paymentAt finds a payment by the number that the channel of an attempt gave it: another channel may give the same.
func (a *Account) paymentAt(attempt, transaction string) *Payment {
	for i, p := range a.Payments {
		if p.Transaction == transaction && a.ChannelOf(p.Attempt) == a.ChannelOf(attempt) {
			return &a.Payments[i]
		}
	}
	return nil
}

// Kept is the payment that pays the bill, or nil.
func (a *Account) Kept() *Payment {
	for i := range a.Payments {
		if a.Payments[i].Use == UseKept {
			return &a.Payments[i]
		}
	}
	return nil
}

// Live is the newest attempt, if it may still be paid.
func (a *Account) Live() *Attempt {
	if len(a.Attempts) == 0 {
		return nil
	}
	if t := &a.Attempts[len(a.Attempts)-1]; t.alive() {
		return t
	}
	return nil
}

// ChannelOf is the channel of an attempt, or of a refund of one's payment.
func (a *Account) ChannelOf(number string) string {
	if f := a.Refund(number); f != nil {
		number = f.Attempt
	}
	if t := a.Attempt(number); t != nil && t.Channel != "" {
		return t.Channel
	}
	return a.Bill.Channel
}

// alive: it may still be paid.
func (t Attempt) alive() bool {
	switch t.State {
	case AttemptIntended, AttemptAsked, AttemptOpen, AttemptClosing:
		return true
	}
	return false
}

// Payable says whether any attempt may still be paid: the newest, or one at another channel that is being closed.
func (a *Account) Payable() bool { return slices.ContainsFunc(a.Attempts, Attempt.alive) }

// OnDesk: a person must look at the account.
func (a *Account) OnDesk() bool {
	for _, m := range a.Matters {
		if m.Ended.IsZero() {
			return true
		}
	}
	return false
}

func (a *Account) matter(kind, ref string, now time.Time) {
	for _, m := range a.Matters {
		if m.Kind == kind && m.Ref == ref && (m.Ended.IsZero() || kind == MatterAgainst) {
			return
		}
	}
	a.Matters = append(a.Matters, Matter{Kind: kind, Ref: ref, Opened: now})
}

func (a *Account) endMatter(kind, ref, how, by string, now time.Time) (ended bool) {
	for i, m := range a.Matters {
		if m.Kind == kind && m.Ref == ref && m.Ended.IsZero() {
			a.Matters[i].Ended, a.Matters[i].How, a.Matters[i].By = now, how, by
			ended = true
		}
	}
	return ended
}

// ParseYuan reads an amount as channels write it in text: yuan with at most two digits after the point, "10", "10.5", "0.01".
func ParseYuan(s string) (Fen, error) {
	whole, part, point := strings.Cut(s, ".")
	if point && part == "" || len(part) > 2 || whole == "" || len(whole) > 9 {
		return 0, fmt.Errorf("amount %.20q is not like 10.00", s)
	}
	var f Fen
	for _, c := range whole + (part + "00")[:2] {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("amount %.20q is not like 10.00", s)
		}
		f = f*10 + Fen(c-'0')
	}
	if f > MaxAmount {
		return 0, fmt.Errorf("amount %.20q is above %s", s, MaxAmount)
	}
	return f, nil
}

// Plain says whether a channel's text can be booked and shown as a number or a code: 1 to most bytes of visible ASCII.
func Plain(s string, most int) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}
