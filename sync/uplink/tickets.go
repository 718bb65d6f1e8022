package uplink

// The hall's queue.

import (
	"context"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/budayang/kiosk/sync/wire"
)

// Queues are those of the terminal's site. A [StatusError] of 404: the platform has none.
func (c *Client) Queues(ctx context.Context) ([]wire.Queue, error) {
	var out wire.Queues
	if err := c.call(ctx, http.MethodGet, wire.PathTickets, nil, nil, &out, false); err != nil {
		return nil, err
	}
	if len(out.Queues) > wire.MaxQueues {
		return nil, fmt.Errorf("%w: %d queues", ErrGarbled, len(out.Queues))
	}
	for _, q := range out.Queues {
		if !short(q.Business) || len(q.Letter) != 1 || q.Letter[0] < 'A' || q.Letter[0] > 'Z' || q.Waiting < 0 || q.Wait < 0 || len(q.Items) > 64 || !shown(q.Name, q.Windows) {
			return nil, fmt.Errorf("%w: a queue that cannot be shown", ErrGarbled)
		}
	}
	return out.Queues, nil
}

// Ticket takes a number, or finds the one that was taken for the same visit and business today.
func (c *Client) Ticket(ctx context.Context, r wire.TicketRequest) (t wire.Ticket, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathTickets, nil, r, &t, false); err != nil {
		return t, err
	}
	if t.Key != r.Key || t.Business != r.Business || r.Number != "" && t.Number != r.Number || !short(t.Number) || t.Ahead < 0 || t.Wait < 0 || !shown(t.Name, t.Windows) {
		return wire.Ticket{}, fmt.Errorf("%w: another number than asked for, or one that cannot be shown", ErrGarbled)
	}
	return t, nil
}

func short(s string) bool { return s != "" && utf8.RuneCountInString(s) <= wire.MaxTicketText }

// shown says whether a queue's name and windows fit a screen and a slip.
func shown(name map[string]string, windows []string) bool {
	if len(windows) > 64 || name["zh"] == "" || name["en"] == "" {
		return false
	}
	for _, n := range name {
		if utf8.RuneCountInString(n) > wire.MaxTicketName {
			return false
		}
	}
	for _, w := range windows {
		if !short(w) {
			return false
		}
	}
	return true
}
