package main

// The hall's queue as the engine knows it. What was heard of it last is kept, so that without a link the terminal can give numbers of its
// own: the business's letter, the terminal's number in the hall, and the time of day, "A03-1422". The counter is on disk before a number is
// on the screen; it never goes below the time of day, so that a disk that was set back gives no number twice either. What was given is told
// to the platform when the link is back.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

const (
	metaHall    = "hall-queue"
	hallAsk     = time.Minute        // how often the queues are asked for
	hallGood    = 7 * 24 * time.Hour // for how long what was heard of them counts without a link
	hallPending = 500                // numbers that wait to be told
)

// hallState is what the journal keeps. It names nobody.
type hallState struct {
	Queues []wire.Queue         `json:"queues,omitempty"` // without how many wait
	Heard  time.Time            `json:"heard,omitzero"`
	Day    string               `json:"day,omitempty"`
	Last   map[string]int       `json:"last,omitempty"` // the last count given today, by business
	Own    []wire.TicketRequest `json:"own,omitempty"`  // given without a link, and not told yet
}

// windows implements service.Hall.
type windows struct {
	city
	j   *journal.Journal
	no  string // of the terminal in its hall
	log *slog.Logger

	mu    sync.Mutex
	state hallState
	news  chan struct{} // closed when the queues are others
}

// terminalNumber is what may stand in a number.
var terminalNumber = regexp.MustCompile(`^[0-9A-Za-z]{1,12}$`)

// china is the one time of the country.
var china = time.FixedZone("CST", 8*60*60)

// newWindows reads what the journal has. What cannot be read is forgotten: numbers still do not repeat, for they go by the time of day.
func newWindows(c city, j *journal.Journal, no string, log *slog.Logger) *windows {
	w := &windows{city: c, j: j, no: no, log: log, news: make(chan struct{})}
	if b, err := j.Meta(metaHall); err == nil && json.Unmarshal(b, &w.state) != nil {
		w.state = hallState{}
	}
	return w
}

// keep writes a changed state; the caller holds the lock.
func (w *windows) keep(next hallState) error {
	b, err := json.Marshal(next)
	if err == nil {
		err = w.j.Update(func(tx *journal.Tx) error { return tx.SetMeta(metaHall, b) })
	}
	if err == nil {
		w.state = next
	}
	return err
}

// run hears how the queues stand and tells of numbers that were given without a link, until ctx ends.
func (w *windows) run(ctx context.Context) error {
	tick := time.NewTicker(hallAsk)
	defer tick.Stop()
	for {
		changed := w.Changed()
		if w.Link() == service.LinkUp {
			w.tell(ctx)
			soon, stop := context.WithTimeout(ctx, hallAsk)
			_, _ = w.Queues(soon)
			stop()
		}
		select {
		case <-tick.C:
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// heard keeps what the platform says of its queues, where it is news.
func (w *windows) heard(all []wire.Queue) {
	all = slices.Clone(all)
	for i := range all {
		all[i].Waiting, all[i].Wait = 0, 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	was, _ := json.Marshal(w.state.Queues)
	is, _ := json.Marshal(all)
	if string(was) == string(is) && w.j.Now().Sub(w.state.Heard).Abs() < hallGood/7 {
		return
	}
	next := w.state
	next.Queues, next.Heard = all, w.j.Now()
	if err := w.keep(next); err != nil {
		w.log.Warn("what was heard of the hall's queue is not kept", "error", err)
		return
	}
	close(w.news)
	w.news = make(chan struct{})
}

// News implements service.Hall.
func (w *windows) News() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.news
}

// Known implements service.Hall.
func (w *windows) Known() []service.Queue {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.j.Now().Sub(w.state.Heard) > hallGood {
		return nil
	}
	return queues(w.state.Queues, true)
}

// queues puts them into the engine's words. Without a link nobody knows how many wait.
func queues(all []wire.Queue, stale bool) (out []service.Queue) {
	for _, q := range all {
		if len(q.Windows) == 0 {
			continue
		}
		s := service.Queue{Business: q.Business, Name: service.Worded(q.Name), Items: q.Items, Windows: q.Windows, Waiting: q.Waiting, Wait: seconds(q.Wait)}
		if stale {
			s.Waiting, s.Wait = -1, 0
		}
		out = append(out, s)
	}
	return out
}

// Queues implements service.Hall. A platform that has no queue, or is older, has none to tell of.
func (w *windows) Queues(ctx context.Context) ([]service.Queue, error) {
	if w.Link() == service.LinkDown {
		return w.alone(), nil
	}
	all, err := w.client.Queues(ctx)
	var refused *uplink.StatusError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		w.heard(nil)
		return nil, nil
	case errors.Is(err, uplink.ErrUnreachable):
		w.link.Failed(err)
		return w.alone(), nil
	case err != nil:
		return nil, w.failure(err)
	}
	w.heard(all)
	return queues(all, false), nil
}

// alone are the queues for which the terminal can give numbers by itself.
func (w *windows) alone() []service.Queue {
	if !w.mayGive() {
		return nil
	}
	return w.Known()
}

// mayGive: a terminal whose clock contradicts what it knows could give a number twice.
func (w *windows) mayGive() bool { return terminalNumber.MatchString(w.no) && !w.j.ClockUnsure() }

// Take implements service.Hall. A visit that was given a number without a link keeps it.
func (w *windows) Take(ctx context.Context, q service.TicketQuery) (service.Ticket, error) {
	r := wire.TicketRequest{Key: q.Visit, Business: q.Business, Reason: q.Reason}
	if t, given := w.given(r); given {
		return t, nil
	}
	if w.Link() == service.LinkDown {
		return w.give(r)
	}
	t, err := w.client.Ticket(ctx, r)
	if errors.Is(err, uplink.ErrUnreachable) && ctx.Err() == nil {
		w.link.Failed(err)
		return w.give(r)
	}
	if err != nil {
		return service.Ticket{}, w.failure(err)
	}
	return service.Ticket{Number: t.Number, Name: service.Worded(t.Name), Windows: t.Windows, Ahead: t.Ahead, Wait: seconds(t.Wait), Taken: t.Taken}, nil
}

// given is the number that a visit was given without a link and that is not told yet.
func (w *windows) given(r wire.TicketRequest) (service.Ticket, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, own := range w.state.Own {
		if own.Key == r.Key && own.Business == r.Business {
			return w.ticket(own), true
		}
	}
	return service.Ticket{}, false
}

// ticket is a number of the terminal's own; the caller holds the lock.
func (w *windows) ticket(own wire.TicketRequest) service.Ticket {
	t := service.Ticket{Number: own.Number, Ahead: -1, Taken: own.Taken, Own: true}
	for _, q := range w.state.Queues {
		if q.Business == own.Business {
			t.Name, t.Windows = service.Worded(q.Name), q.Windows
		}
	}
	return t
}

// give makes a number of the terminal's own. It is on disk before it is returned.
func (w *windows) give(r wire.TicketRequest) (service.Ticket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.state.Queues, func(q wire.Queue) bool { return q.Business == r.Business })
	now := w.j.Now().UTC().Truncate(time.Millisecond)
	if i < 0 || !w.mayGive() || len(w.state.Own) >= hallPending {
		return service.Ticket{}, &service.PlatformError{Err: service.ErrLinkDown, Code: "E-LINK"}
	}
	next := w.state
	here := now.In(china)
	next.Last = map[string]int{}
	if next.Day = here.Format(time.DateOnly); next.Day == w.state.Day {
		for b, n := range w.state.Last {
			next.Last[b] = n
		}
	}
	n := max(next.Last[r.Business]+1, here.Hour()*100+here.Minute())
	next.Last[r.Business] = n
	r.Number, r.Taken = fmt.Sprintf("%s%s-%04d", w.state.Queues[i].Letter, w.no, n), now
	next.Own = append(slices.Clone(w.state.Own), r)
	if err := w.keep(next); err != nil {
		return service.Ticket{}, err
	}
	return w.ticket(r), nil
}

// tell tells the platform of the numbers that were given without a link. One that it refuses for good is dropped: its citizen has it on
// paper, and the window that it names.
func (w *windows) tell(ctx context.Context) {
	w.mu.Lock()
	own := slices.Clone(w.state.Own)
	w.mu.Unlock()
	for _, r := range own {
		soon, stop := context.WithTimeout(ctx, hallAsk)
		_, err := w.client.Ticket(soon, r)
		stop()
		var refused *uplink.StatusError
		switch {
		case err == nil:
		case errors.As(err, &refused) && slices.Contains(forGood, refused.Body.Code):
			w.log.Warn("a number that was given without a link is not taken into the queue", "number", r.Number, "code", refused.Body.Code)
		default:
			w.link.Failed(err)
			return // later
		}
		w.mu.Lock()
		next := w.state
		next.Own = slices.DeleteFunc(slices.Clone(w.state.Own), func(o wire.TicketRequest) bool { return o.Number == r.Number && o.Taken.Equal(r.Taken) })
		err = w.keep(next)
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// forGood are refusals that do not change by themselves.
var forGood = []string{"E-KEY-REUSED", "E-NOT-FOUND", "E-MALFORMED"}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }
