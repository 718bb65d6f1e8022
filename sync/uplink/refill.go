package uplink

// Refilling: a range that an operator asks for goes again into the very places that the platform left empty.

import (
	"context"
	"errors"
	"net/http"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// wanted notes what was asked for.
func (u *Uplink) wanted(all []wire.Range) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.want = append(u.want, all...)
	if len(u.want) > wire.MaxPast {
		u.want = u.want[:wire.MaxPast]
	}
}

// refill sends a piece of what was asked for, and tells how many records that were.
func (u *Uplink) refill(ctx context.Context) (int, error) {
	u.mu.Lock()
	if len(u.want) == 0 {
		u.mu.Unlock()
		return 0, nil
	}
	w, most := u.want[0], u.most
	u.mu.Unlock()
	records, gone, err := u.opt.Journal.Range(w.Epoch, w.Lane, w.From, w.To, most, batchBytes)
	if gone > 0 {
		u.opt.Log.Error("platform lost records that were destroyed here", "epoch", w.Epoch, "lane", w.Lane, "from", w.From, "count", gone)
	}
	if errors.Is(err, journal.ErrNotFound) || err == nil && len(records) == 0 {
		u.refilled(w, w.To)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	b := wire.Batch{V: wire.Version, Terminal: u.opt.Client.id.Terminal, Epoch: w.Epoch, Lane: w.Lane, Records: records}
	err = u.bounded(ctx, callTime, func(ctx context.Context) error { return u.opt.Client.Refill(ctx, b) })
	var refused *StatusError
	if errors.As(err, &refused) && refused.Status/100 == 4 && refused.RetryAfter == 0 {
		// It does not fit there: a person at the platform asked, and a person sees that it did not come.
		u.opt.Log.Error("platform does not take what it asked for", "epoch", w.Epoch, "lane", w.Lane, "from", w.From, "error", err)
		u.refilled(w, w.To)
		return 0, nil
	}
	if err != nil {
		u.Failed(err)
		return 0, err
	}
	u.refilled(w, records[len(records)-1].Seq)
	return len(records), nil
}

// refilled takes off what was sent.
func (u *Uplink) refilled(w wire.Range, to uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if to >= w.To {
		u.want = u.want[1:]
		return
	}
	u.want[0].From = to + 1
}

// Refill sends a batch of records that were acknowledged before. Its ack moves nothing.
func (c *Client) Refill(ctx context.Context, b wire.Batch) (err error) {
	if b.Signature, err = c.id.Sign(b.SigningBytes()); err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, wire.PathRefill, nil, b, nil, true)
}
