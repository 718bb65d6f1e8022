package main

// The hall's queue as the engine knows it.

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// windows implements service.Hall.
type windows struct{ city }

// Queues implements service.Hall. A platform that has no queue, or is older, has none to tell of.
func (h windows) Queues(ctx context.Context) ([]service.Queue, error) {
	all, err := h.client.Queues(ctx)
	var refused *uplink.StatusError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, h.failure(err)
	}
	var out []service.Queue
	for _, q := range all {
		if len(q.Windows) > 0 {
			out = append(out, service.Queue{Business: q.Business, Name: service.Worded(q.Name), Items: q.Items, Windows: q.Windows, Waiting: q.Waiting, Wait: seconds(q.Wait)})
		}
	}
	return out, nil
}

// Take implements service.Hall.
func (h windows) Take(ctx context.Context, q service.TicketQuery) (service.Ticket, error) {
	t, err := h.client.Ticket(ctx, wire.TicketRequest{Key: q.Visit, Business: q.Business, Reason: q.Reason})
	if err != nil {
		return service.Ticket{}, h.failure(err)
	}
	return service.Ticket{Number: t.Number, Name: service.Worded(t.Name), Windows: t.Windows, Ahead: t.Ahead, Wait: seconds(t.Wait), Taken: t.Taken}, nil
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }
