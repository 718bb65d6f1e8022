package wire

// Bills: what a case costs, and whether it is paid. The terminal holds no key of a payment channel and never speaks to one.

import (
	"strings"
	"time"
)

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
	// EBill is the fiscal receipt of what was paid (财政电子票据); nil: there is none, or the platform says nothing of it.
	EBill *EBill `json:"ebill,omitempty"`
}

// EBillState is where an e-bill stands. A terminal takes one that it does not know for coming.
type EBillState string

// E-bill states.
const (
	EBillComing EBillState = "coming" // it is issued when the money has arrived
	EBillIssued EBillState = "issued"
	EBillRed    EBillState = "red"  // cancelled by a red one, as the money went back
	EBillDesk   EBillState = "desk" // its issuer does not issue it: to be had at the counter
)

// EBill is an e-bill. Its fields are the issuer's.
type EBill struct {
	State  EBillState `json:"state"`
	Code   string     `json:"code,omitempty"`   // 票据代码
	Number string     `json:"number,omitempty"` // 票据号码
	Check  string     `json:"check,omitempty"`  // 校验码
	Issued time.Time  `json:"issued,omitzero"`
	QR     string     `json:"qr,omitempty"`   // address of its picture, to be shown as a code
	Site   string     `json:"site,omitempty"` // where anybody looks up one that is issued, by code, number and check code
}

// Shown says whether a terminal can show an e-bill: one that is issued has code, number and check code, each of at most 32 visible ASCII
// characters, and its address is one of the web.
func (e EBill) Shown() bool {
	for _, s := range []string{e.Code, e.Number, e.Check} {
		if !visible(s, 32) || s == "" && (e.State == EBillIssued || e.State == EBillRed) {
			return false
		}
	}
	return (e.QR == "" || Web(e.QR)) && Site(e.Site)
}

// Web says whether an address of the web fits a code on a slip: at most 300 visible ASCII characters.
func Web(s string) bool {
	return visible(s, 300) && (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://"))
}

// Site says whether an address can be printed and typed: at most 80 visible ASCII characters, or none.
func Site(s string) bool { return visible(s, 80) }

func visible(s string, most int) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(s) <= most
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
