package pay

// The moves as tables, and the times.

import "time"

// Events of bills, attempts and refunds.
const (
	eventAsk     = "ask"     // the channel is being asked
	eventMade    = "made"    // the channel has it
	eventRefused = "refused" // the channel does not do it
	eventWaiting = "waiting" // the channel has the order, unpaid
	eventAbsent  = "absent"  // the channel knows no such number
	eventClose   = "close"   // we want it closed
	eventClosed  = "closed"  // the channel closed it; of a bill: none of its orders can be paid
	eventLapsed  = "lapsed"  // absent well after its own end
	eventPaid    = "paid"
	eventWrong   = "wrong"  // another amount came
	eventReturn  = "return" // its payment shall go back
	eventBack    = "back"   // its payment went back
	eventByHand  = "by-hand"
	eventAgain   = "again" // a person has it asked for once more
	eventRed     = "red"   // of an e-bill: a red one cancels it
)

// A table says what follows a state after an event. What is not in it does not happen: the state stays.
type table[S ~string] map[S]map[string]S

func (t table[S]) move(s S, event string) (S, bool) {
	if to, ok := t[s][event]; ok {
		return to, true
	}
	return s, false
}

// Rules are the moves and the times. [House] are the ones in force.
type Rules struct {
	bills    table[BillState]
	attempts table[AttemptState]
	refunds  table[RefundState]
	ebills   table[EBillState]
	judge    []judgement

	Margin       time.Duration // after an order's end, until one that the channel never knew counts as closed
	Watch        time.Duration // after an order's end, for how long it is still asked about
	UnknownAfter time.Duration // after an order's end, until a person is told that the channel does not say
	RefundAfter  time.Duration // after a refund was ordered, until a person is told
	MaxRefusals  int           // orders refused by the channel until the bill is given up

	EBills     bool          // payments that pay a bill get an e-bill
	EBillAfter time.Duration // after one is wanted, until a person is told that it does not come: money takes days to arrive
	EBillWatch time.Duration // after one was dropped or refused, for how long it is asked about: an earlier request may be heard yet
}

// judgement is one line of the table that judges a payment; the first that fits holds.
type judgement struct {
	wrong bool        // only another amount than the bill's
	kept  bool        // only when another payment is kept
	in    []BillState // only in these states; nil: any
	why   string      // only when the bill closes for this; "": any
	use   Use
	bill  string // event of the bill; "": none
}

// House are the rules in force.
func House() Rules {
	return Rules{
		bills: table[BillState]{
			BillOpen:      {eventClose: BillClosing, eventPaid: BillPaid, eventWrong: BillDisputed},
			BillClosing:   {eventClose: BillClosing, eventClosed: BillClosed, eventPaid: BillPaid, eventWrong: BillDisputed},
			BillClosed:    {eventWrong: BillDisputed},
			BillPaid:      {eventReturn: BillReturning},
			BillDisputed:  {},
			BillReturning: {eventReturn: BillReturning, eventBack: BillReturned},
			BillReturned:  {},
		},
		attempts: table[AttemptState]{
			AttemptIntended: {eventAsk: AttemptAsked, eventClose: AttemptClosed, eventPaid: AttemptPaid},
			AttemptAsked: {eventMade: AttemptOpen, eventRefused: AttemptRefused, eventAbsent: AttemptAsked, eventWaiting: AttemptAsked,
				eventClose: AttemptClosing, eventClosed: AttemptClosed, eventPaid: AttemptPaid},
			AttemptOpen: {eventClose: AttemptClosing, eventClosed: AttemptClosed, eventPaid: AttemptPaid,
				eventAbsent: AttemptOpen, eventWaiting: AttemptOpen},
			AttemptClosing: {eventMade: AttemptClosing, eventRefused: AttemptRefused, eventAbsent: AttemptClosing, eventWaiting: AttemptClosing,
				eventLapsed: AttemptClosed, eventClosed: AttemptClosed, eventPaid: AttemptPaid},
			// Waiting: it came to be when a phone scanned the code late.
			AttemptClosed:  {eventMade: AttemptClosed, eventAbsent: AttemptClosed, eventWaiting: AttemptClosing, eventClosed: AttemptClosed, eventPaid: AttemptPaid},
			AttemptRefused: {eventAbsent: AttemptRefused, eventRefused: AttemptRefused, eventClosed: AttemptRefused, eventPaid: AttemptPaid},
			AttemptPaid:    {eventMade: AttemptPaid, eventPaid: AttemptPaid, eventClosed: AttemptPaid}, // closed: after a refund
		},
		refunds: table[RefundState]{
			RefundDue:     {eventAsk: RefundAsked, eventMade: RefundDone, eventRefused: RefundRefused, eventAbsent: RefundDue, eventWaiting: RefundAsked},
			RefundAsked:   {eventMade: RefundDone, eventRefused: RefundRefused, eventAbsent: RefundDue, eventWaiting: RefundAsked},
			RefundDone:    {eventMade: RefundDone, eventWaiting: RefundDone},
			RefundRefused: {eventRefused: RefundRefused, eventMade: RefundDone, eventByHand: RefundByHand, eventReturn: RefundDue},
			RefundByHand:  {},
		},
		ebills: ebillMoves(),
		judge: []judgement{
			{wrong: true, use: UseWrong, bill: eventWrong},
			{kept: true, use: UseTwice},
			{in: []BillState{BillOpen}, use: UseKept, bill: eventPaid},
			// Who cancelled gets back what crossed the cancelling; who walked away while paying has paid.
			{in: []BillState{BillClosing}, why: WhyExpired, use: UseKept, bill: eventPaid},
			{use: UseLate},
		},
		Margin:       5 * time.Minute,
		Watch:        2 * time.Hour,
		UnknownAfter: 15 * time.Minute,
		RefundAfter:  time.Hour,
		MaxRefusals:  3,
		EBillAfter:   10 * 24 * time.Hour, // the longest holidays and a settlement day
		EBillWatch:   24 * time.Hour,
	}
}

// pause is the wait before look n (from 0): 2 s for half a minute while a citizen stands there, then longer and longer.
func pause(n int) time.Duration {
	if n < 15 {
		return 2 * time.Second
	}
	return min(5*time.Second<<min(n-15, 6), 5*time.Minute)
}

// refundPause is the wait before look n (from 0) at a refund. Channels make them by and by: Alipay wants ten seconds between asking for
// one and asking about it, WeChat Pay a minute between questions.
func refundPause(n int) time.Duration { return min(10*time.Second<<min(n, 5), 5*time.Minute) }

// slowPause is the wait between looks at what is settled.
const slowPause = 10 * time.Minute
