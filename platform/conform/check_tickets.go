package conform

// The hall's queue, which a platform may have or not: only the site "conformance" is asked about, where the test terminals stand.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

var ticketChecks = []Check{
	{"queue", "404 where there is no queue; else kinds of business, each with a letter of its own, words and windows", "The hall's queue", checkQueue},
	{"ticket", "the same number for the same visit and business, another one for another visit or terminal, E-NOT-FOUND for another business, E-MALFORMED without a key", "The hall's queue", checkTicket},
	{"ticket-own", "a number that the terminal gave by itself is taken as it is, and once", "The hall's queue", checkOwnTicket},
}

// queues are those of the site; where there are none the check is skipped.
func (s *session) queues(ctx context.Context) ([]wire.Queue, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	a, err := s.mine.get(ctx, wire.PathTickets)
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusNotFound {
		return nil, skip("the platform has no queue")
	}
	var q wire.Queues
	if err := a.read(&q); err != nil {
		return nil, err
	}
	if len(q.Queues) == 0 {
		return nil, skip("the site \"conformance\" has no queue")
	}
	return q.Queues, nil
}

var queueLetter = regexp.MustCompile(`^[A-Z]$`)

func checkQueue(ctx context.Context, s *session) error {
	all, err := s.queues(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, q := range all {
		if !queueLetter.MatchString(q.Letter) || seen[q.Letter] || q.Business == "" || !worded(q.Name) || len(q.Windows) == 0 || q.Waiting < 0 || q.Wait < 0 {
			return fmt.Errorf("business %.40q: its letter is not one of A to Z or another's, or it has no words or no window", q.Business)
		}
		seen[q.Letter] = true
	}
	return nil
}

func readTicket(a answer, err error) (t wire.Ticket, _ error) {
	if err != nil {
		return t, err
	}
	return t, a.read(&t)
}

func checkTicket(ctx context.Context, s *session) error {
	all, err := s.queues(ctx)
	if err != nil {
		return err
	}
	q := wire.TicketRequest{Key: newID(), Business: all[0].Business, Reason: wire.CardExcluded}
	first, err := readTicket(s.mine.post(ctx, wire.PathTickets, q))
	if err != nil {
		return err
	}
	if first.Key != q.Key || first.Business != q.Business || first.Number == "" || first.Day == "" || !worded(first.Name) || len(first.Windows) == 0 || first.Taken.IsZero() || first.Ahead < 0 {
		return fmt.Errorf("number %.40q is of something else, or lacks its day, words, windows or time", first.Number)
	}
	again, err := readTicket(s.mine.post(ctx, wire.PathTickets, q))
	if err != nil {
		return err
	}
	if again.Number != first.Number || !again.Taken.Equal(first.Taken) {
		return fmt.Errorf("asked again, %.40q became %.40q", first.Number, again.Number)
	}
	elsewhere, err := readTicket(s.other.post(ctx, wire.PathTickets, q))
	if err != nil {
		return err
	}
	q.Key = newID()
	later, err := readTicket(s.mine.post(ctx, wire.PathTickets, q))
	if err != nil {
		return err
	}
	if later.Number == first.Number || elsewhere.Number == first.Number || later.Number == elsewhere.Number {
		return fmt.Errorf("three visits have the numbers %.40q, %.40q and %.40q", first.Number, elsewhere.Number, later.Number)
	}
	unknown := q
	unknown.Business = "conform-unknown"
	a, err := s.mine.post(ctx, wire.PathTickets, unknown)
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("another business: %w", err)
	}
	q.Key = ""
	a, err = s.mine.post(ctx, wire.PathTickets, q)
	return refused(a, err, "E-MALFORMED")
}

func checkOwnTicket(ctx context.Context, s *session) error {
	all, err := s.queues(ctx)
	if err != nil {
		return err
	}
	// Of a test terminal's own, and of this run: another run on the same day gives another number.
	q := wire.TicketRequest{Key: newID(), Business: all[0].Business, Taken: time.Now().Add(s.offset).UTC()}
	q.Number = all[0].Letter + q.Key[len(q.Key)-8:] + "-01"
	for range 2 {
		t, err := readTicket(s.mine.post(ctx, wire.PathTickets, q))
		if err != nil {
			return err
		}
		if t.Number != q.Number {
			return fmt.Errorf("%.40q became %.40q", q.Number, t.Number)
		}
	}
	q.Key = newID()
	a, err := s.mine.post(ctx, wire.PathTickets, q)
	if err != nil {
		return err
	}
	if a.status < 400 || a.code() == "" {
		return errors.New("two visits have the same number")
	}
	return nil
}
