package pay

// The port to a payment channel.

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// A Channel takes money and pays it back. The platform knows no more of it than this. An act that is called again with the same
// number is the same act: the channel does it once. Any error but those named here means that nobody knows whether the act was
// done.
type Channel interface {
	// Create makes an order and returns the text of its code. ErrRefused: certainly none was made.
	Create(ctx context.Context, o Order) (qr string, err error)
	// Query tells of an order. ErrAbsent: the channel knows none of this number; it may come to know it when a phone scans the
	// code, so that it does not mean that nobody will pay.
	Query(ctx context.Context, number string) (Standing, error)
	// Close makes an order unpayable. ErrPaid: it was paid. ErrAbsent as with Query. ErrRefused: not now.
	Close(ctx context.Context, number string) error
	// Refund pays a whole payment back. ErrRefused: certainly not done.
	Refund(ctx context.Context, r RefundOrder) (RefundStanding, error)
	// QueryRefund tells of a refund. ErrAbsent: the channel knows none of this number and will do none by itself. A [Refusal] that
	// ended: the channel keeps the refund under its number and will not pay. Any other refusal is of the question and says nothing of
	// the refund.
	QueryRefund(ctx context.Context, attempt, number string) (RefundStanding, error)
	// Statement is the channel's own book of a day ("2006-01-02", its time). ErrAbsent: not made yet.
	Statement(ctx context.Context, day string) ([]Line, error)
	// Notice reads what the channel sent by itself, after checking its signature: ErrForged.
	Notice(header http.Header, body []byte) (Notice, error)
}

// Errors of channels.
var (
	ErrAbsent  = errors.New("the channel knows no such number")
	ErrPaid    = errors.New("the order was paid")
	ErrRefused = errors.New("the channel refused")
	ErrForged  = errors.New("not signed by the channel")
)

// A Refusal is an ErrRefused with the channel's word for it.
type Refusal struct {
	Code string
	// Ended: the channel keeps what was asked for under its number, and it came to nothing. To ask again takes another number.
	Ended bool
}

func (r *Refusal) Error() string        { return "the channel refused: " + r.Code }
func (r *Refusal) Is(target error) bool { return target == ErrRefused }

// Order is what a channel is asked for.
type Order struct {
	Number  string // ≤ 32 of [0-9A-Za-z]
	Amount  Fen    // > 0
	Subject string // what the citizen sees in the phone; names nobody
	Expires time.Time
}

// RefundOrder pays a payment back.
type RefundOrder struct {
	Number      string
	Attempt     string
	Transaction string
	Amount      Fen // of the refund
	Of          Fen // the payment's own
	Why         string
}

// OrderState is a channel's word for an order.
type OrderState string

// Order states.
const (
	OrderWaiting OrderState = "waiting" // nobody paid yet, somebody may be typing a password
	OrderPaid    OrderState = "paid"
	OrderClosed  OrderState = "closed"
)

// Standing is what a channel says of an order.
type Standing struct {
	State    OrderState
	Payments []Received
}

// Received is a payment as a channel tells it.
type Received struct {
	Transaction string
	Amount      Fen
	At          time.Time
}

// RefundStanding is a channel's word for a refund.
type RefundStanding string

// Refund standings.
const (
	RefundWorking  RefundStanding = "working"
	RefundPaidBack RefundStanding = "done"
	RefundDenied   RefundStanding = "refused"
)

// Notice is what a channel sent by itself: of an order, or of a refund.
type Notice struct {
	ID             string // the channel's
	Number         string // attempt
	Standing       Standing
	Refund         string // number of a refund; "" when it is about an order
	RefundStanding RefundStanding
	Ack            []byte // what the channel wants to hear when the notice is on disk
	AckType        string // its content type
}

// Line is one line of a statement.
type Line struct {
	Refund      string // number of the refund; "" for a payment
	Attempt     string
	Transaction string
	Amount      Fen
	At          time.Time
	Odd         string `json:",omitempty"` // the channel's word for a line that is neither a payment nor a refund
}
