package uplink

// The hall's queue.

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/budayang/kiosk/sync/wire"
)

// Queues are those of the terminal's site. A [StatusError] of 404: the platform has none.
func (c *Client) Queues(ctx context.Context) ([]wire.Queue, error) {
	var out wire.Queues
	if err := c.call(ctx, http.MethodGet, wire.PathTickets, nil, nil, &out, false); err != nil {
		return nil, err
	}
	return out.Queues, checkQueues(out.Queues)
}

// maxWait is the longest guess that is believed, in seconds: a day.
const maxWait = 24 * 60 * 60

func checkQueues(all []wire.Queue) error {
	if len(all) > wire.MaxQueues {
		return fmt.Errorf("%w: %d queues", ErrGarbled, len(all))
	}
	for _, q := range all {
		if !short(q.Business) || len(q.Letter) != 1 || q.Letter[0] < 'A' || q.Letter[0] > 'Z' || q.Waiting < 0 || q.Wait < 0 || q.Wait > maxWait || len(q.Items) > 64 ||
			!shown(q.Name, q.Windows) {
			return fmt.Errorf("%w: a queue that cannot be shown", ErrGarbled)
		}
	}
	return nil
}

// Ticket takes a number, or finds the one that was taken for the same visit and business today.
func (c *Client) Ticket(ctx context.Context, r wire.TicketRequest) (t wire.Ticket, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathTickets, nil, r, &t, false); err != nil {
		return t, err
	}
	return t, checkTicket(t, r)
}

func checkTicket(t wire.Ticket, r wire.TicketRequest) error {
	if t.Key != r.Key || t.Business != r.Business || r.Number != "" && t.Number != r.Number || !short(t.Number) || t.Ahead < 0 || t.Wait < 0 || t.Wait > maxWait || !shown(t.Name, t.Windows) {
		return fmt.Errorf("%w: another number than asked for, or one that cannot be shown", ErrGarbled)
	}
	return nil
}

// short says whether a text fits, and has nothing in it that a screen or a slip would not show.
func short(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= wire.MaxTicketText && !strings.ContainsFunc(s, unicode.IsControl)
}

// shown says whether a queue's name and windows fit a screen and a slip.
func shown(name map[string]string, windows []string) bool {
	if len(windows) > 64 || name["zh"] == "" || name["en"] == "" {
		return false
	}
	for _, n := range name {
		if utf8.RuneCountInString(n) > wire.MaxTicketName || strings.ContainsFunc(n, unicode.IsControl) {
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
