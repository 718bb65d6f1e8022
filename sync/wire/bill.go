package wire

// Bills: what a case costs, and whether it is paid. The terminal holds no key of a payment channel and never speaks to one.

import "time"

// PathBills is where a terminal asks for a case's bill: POST BillRequest → Bill, the same one until it is closed or its payment
// went back; GET {number} → Bill; POST {number}/cancel → Bill; POST {number}/way BillWay → Bill.
const PathBills = "/v1/bills"

// BillRequest asks for the bill of a case. Asking again gives the bill there is.
type BillRequest struct {
	Case  string `json:"case"`
	Item  string `json:"item"`
	Token string `json:"token,omitempty"` // of CodeChecked; the amount may depend on the person
}

// BillState is where a bill stands. Money may still move at a bill that is open or closing.
type BillState string

// Bill states.
const (
	BillOpen      BillState = "open"      // may be paid; QR is empty until the channel gave the code
	BillClosing   BillState = "closing"   // being closed; it may turn out to be paid
	BillClosed    BillState = "closed"    // not paid, and cannot be
	BillPaid      BillState = "paid"      // the money is there, or there was nothing to pay
	BillDisputed  BillState = "disputed"  // a person at the platform decides
	BillReturning BillState = "returning" // the payment goes back
	BillReturned  BillState = "returned"  // the payment went back
)

// Bill is what the platform says of a bill.
type Bill struct {
	Number string    `json:"number"` // 缴款码
	Case   string    `json:"case"`
	Item   string    `json:"item"`
	Amount int64     `json:"amount"` // fen
	Reason string    `json:"reason"` // of the amount: standard, half, exempt
	State  BillState `json:"state"`
	Why    string    `json:"why,omitempty"` // it is closed: cancelled, expired, amount, refused
	QR     string    `json:"qr,omitempty"`  // text of the code, while it may be paid
	// Ways are those between which the citizen may choose while the bill is open, Way the one that QR belongs to.
	Way     string    `json:"way,omitempty"`
	Ways    []PayWay  `json:"ways,omitempty"`
	Expires time.Time `json:"expires"`
	Paid    time.Time `json:"paid,omitzero"` // by the channel's clock
	// Unknown: the channel has not said for long what became of it; a person looks.
	Unknown bool         `json:"unknown,omitempty"`
	Refunds []BillRefund `json:"refunds,omitempty"`
	// Cash says where the fee is taken in cash, in Chinese and English.
	Cash map[string]string `json:"cash,omitempty"`
}

// PayWay is a payment channel as citizens know it.
type PayWay struct {
	Way   string            `json:"way"`
	Words map[string]string `json:"words"` // by language
}

// BillWay asks for a code of another channel. The one before is closed; if both are paid, one payment goes back.
type BillWay struct {
	Way string `json:"way"`
}

// BillRefund is money that goes back: what came late or twice, by itself, and what a person or the case's record orders.
type BillRefund struct {
	Number string `json:"number"`
	Why    string `json:"why"` // late, twice, unissued, wrong
	Amount int64  `json:"amount"`
	State  string `json:"state"` // due, asked, done, refused, by-hand
}

// CaseRefundDue is the state of a case whose record orders its payment back.
const CaseRefundDue = "REFUND_DUE"
