package pay_test

// The rules broken one at a time: random histories that do not notice would prove nothing.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

// hand is a channel with one answer changed.
type hand struct {
	pay.Channel
	create      func(pay.Channel, context.Context, pay.Order) (string, error)
	query       func(pay.Channel, context.Context, string) (pay.Standing, error)
	close       func(pay.Channel, context.Context, string) error
	refund      func(pay.Channel, context.Context, pay.RefundOrder) (pay.RefundStanding, error)
	queryRefund func(pay.Channel, context.Context, string, string) (pay.RefundStanding, error)
	notice      func(pay.Channel, http.Header, []byte) (pay.Notice, error)
}

func (h hand) Create(ctx context.Context, o pay.Order) (string, error) {
	if h.create != nil {
		return h.create(h.Channel, ctx, o)
	}
	return h.Channel.Create(ctx, o)
}

func (h hand) Query(ctx context.Context, n string) (pay.Standing, error) {
	if h.query != nil {
		return h.query(h.Channel, ctx, n)
	}
	return h.Channel.Query(ctx, n)
}

func (h hand) Close(ctx context.Context, n string) error {
	if h.close != nil {
		return h.close(h.Channel, ctx, n)
	}
	return h.Channel.Close(ctx, n)
}

func (h hand) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundStanding, error) {
	if h.refund != nil {
		return h.refund(h.Channel, ctx, r)
	}
	return h.Channel.Refund(ctx, r)
}

func (h hand) QueryRefund(ctx context.Context, a, n string) (pay.RefundStanding, error) {
	if h.queryRefund != nil {
		return h.queryRefund(h.Channel, ctx, a, n)
	}
	return h.Channel.QueryRefund(ctx, a, n)
}

func (h hand) Notice(header http.Header, b []byte) (pay.Notice, error) {
	if h.notice != nil {
		return h.notice(h.Channel, header, b)
	}
	return h.Channel.Notice(header, b)
}

// flaws are rules broken one at a time. Every one must be noticed.
var flaws = []flaw{
	{name: "late payments are ignored", rule: true},
	{name: "second payments are kept", rule: true},
	{name: "any amount is right", rule: true},
	{name: "what crosses a cancelling is kept", rule: true},
	{name: "unknown to the channel means closed", rule: true},
	{name: "a refused refund counts as done", rule: true},
	{name: "a refund under way counts as done", rule: true},
	{name: "an expired bill counts as closed at once", rule: true},
	{name: "an order without an answer counts as refused", channel: func(c pay.Channel) pay.Channel {
		return hand{Channel: c, create: func(c pay.Channel, ctx context.Context, o pay.Order) (string, error) {
			qr, err := c.Create(ctx, o)
			if err != nil {
				err = &pay.Refusal{Code: "?"}
			}
			return qr, err
		}}
	}},
	{name: "a closing without an answer counts as closed", channel: func(c pay.Channel) pay.Channel {
		return hand{Channel: c, close: func(c pay.Channel, ctx context.Context, n string) error {
			if err := c.Close(ctx, n); errors.Is(err, pay.ErrPaid) {
				return err
			}
			return nil
		}}
	}},
	{name: "a refund without an answer gets a new number", channel: func(c pay.Channel) pay.Channel {
		var n atomic.Int64 // the settler asks from several goroutines
		return hand{Channel: c, refund: func(c pay.Channel, ctx context.Context, r pay.RefundOrder) (pay.RefundStanding, error) {
			r.Number = fmt.Sprintf("%s%d", r.Number, n.Add(1))
			s, err := c.Refund(ctx, r)
			if err != nil && !errors.Is(err, pay.ErrRefused) {
				err = pay.ErrAbsent
			}
			return s, err
		}}
	}},
	{name: "a refund is repeated without asking", channel: func(c pay.Channel) pay.Channel {
		return hand{Channel: c, queryRefund: func(pay.Channel, context.Context, string, string) (pay.RefundStanding, error) {
			return "", pay.ErrAbsent
		}}
	}},
	{name: "an order is repeated without asking", channel: func(c pay.Channel) pay.Channel {
		return hand{Channel: c, query: func(c pay.Channel, ctx context.Context, n string) (pay.Standing, error) {
			if mathrand.IntN(2) == 0 {
				return pay.Standing{}, pay.ErrAbsent
			}
			return c.Query(ctx, n)
		}}
	}},
	{name: "a closed order makes a refund", channel: func(c pay.Channel) pay.Channel {
		return hand{Channel: c, query: func(c pay.Channel, ctx context.Context, n string) (pay.Standing, error) {
			s, err := c.Query(ctx, n)
			if err == nil && s.State == pay.OrderClosed {
				_, _ = c.Refund(ctx, pay.RefundOrder{Number: "R" + n, Attempt: n, Transaction: "none", Amount: 1000, Of: 1000})
			}
			return s, err
		}}
	}},
	{name: "forged notices are believed", channel: func(c pay.Channel) pay.Channel {
		return hand{Channel: c, notice: func(c pay.Channel, h http.Header, b []byte) (pay.Notice, error) {
			n, err := c.Notice(h, b)
			if errors.Is(err, pay.ErrForged) {
				var got struct {
					Order struct {
						Number   string
						Payments []pay.Received
					}
				}
				err = json.Unmarshal(b, &got)
				n = pay.Notice{Number: got.Order.Number, Standing: pay.Standing{State: pay.OrderPaid, Payments: got.Order.Payments}}
			}
			return n, err
		}}
	}},
	{name: "a notice told twice is two payments", channel: func(c pay.Channel) pay.Channel {
		n := 0
		return hand{Channel: c, notice: func(c pay.Channel, h http.Header, b []byte) (pay.Notice, error) {
			got, err := c.Notice(h, b)
			for i := range got.Standing.Payments {
				n++
				got.Standing.Payments[i].Transaction += fmt.Sprintf("-%d", n)
			}
			return got, err
		}}
	}},
	{name: "a new bill does not wait for the old", world: func(w *world) { w.carefree = true }},
	{name: "closed orders are never asked about and the statement is not read", world: func(w *world) {
		w.rules.Watch, w.settler.Rules.Watch, w.store.rules.Watch = -24*time.Hour, -24*time.Hour, -24*time.Hour
		w.nobooks = true
	}},
}

// TestEveryBrokenRuleIsNoticed breaks the rules one at a time: histories that notice nothing would prove nothing.
func TestEveryBrokenRuleIsNoticed(t *testing.T) {
	if raceDetector {
		t.Skip("the same without it, by make unit")
	}
	most := uint64(3000)
	for _, f := range flaws {
		t.Run(f.name, func(t *testing.T) {
			for seed := range most {
				if _, err := history(seeded(seed), f); err != nil {
					t.Logf("history %d: %v", seed, err)
					return
				}
			}
			t.Errorf("%d histories notice nothing", most)
		})
	}
}
