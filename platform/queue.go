package platform

// The hall's queue (取号、叫号): numbers that terminals give to whoever must go to a window. A hall that has a system of its own for it
// answers behind [QueueSystem]; without one this is a plain queue of our own, whose window page is in page_queue.go.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/budayang/kiosk/sync/wire"
)

// A QueueSystem gives numbers. A day is that of China.
type QueueSystem interface {
	// Queues are those of a site as they stand; none: the site has no queue.
	Queues(ctx context.Context, site string) ([]wire.Queue, error)
	// Take gives a number: the same one for the same terminal, key, business and day. errNotFound: there is no such business at the site.
	Take(ctx context.Context, t TicketTake) (wire.Ticket, error)
}

// TicketTake asks for a number.
type TicketTake struct {
	wire.TicketRequest
	Site, Terminal string
}

// QueueConfig is the plain queue: kinds of business, and the windows that call them. Without windows there is none.
type QueueConfig struct {
	Businesses []Business
	Windows    []Window
}

// Business is what people come for.
type Business struct {
	Code   string            // "household": a-z, 0-9 and -
	Letter string            // A to Z, of one business only: its numbers begin with it
	Name   map[string]string // in zh and en
	Items  []string          // codes of the items whose citizens belong here
}

// Window calls numbers.
type Window struct {
	Site       string // as its terminals were enrolled
	Name       string // "3"
	Businesses []string
}

// States of a ticket.
const (
	ticketWaiting = "waiting"
	ticketCalled  = "called"
	ticketDone    = "done"
	ticketAbsent  = "absent" // was called and did not come
)

// Bounds of the plain queue.
const (
	ticketsOfTerminal = 500 // numbers that one terminal gives on a day
	ticketsAtOnce     = 20  // in a minute
	ticketsShown      = 5000
	ticketsKept       = 90 * 24 * time.Hour
	callsLooked       = 10 // the newest calls that a guess is made of
)

// Of waiting, as halls are measured (reference/domain.md, S6): the mean of a day, the longest, and when somebody should look.
const (
	waitMean    = 14 * time.Minute
	waitLongest = 30 * time.Minute
	waitAlarm   = 20 * time.Minute
)

var (
	businessCode = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	ticketReason = regexp.MustCompile(`^[a-z0-9-]{0,32}$`)
	// ownNumber is one that a terminal gave by itself: the business's letter, the terminal's number, a count.
	ownNumber = regexp.MustCompile(`^[A-Z][0-9A-Za-z]{1,12}-[0-9]{2,4}$`)
)

func short(s string, most int) bool {
	return s != "" && utf8.RuneCountInString(s) <= most && printable(s) && strings.TrimSpace(s) == s
}

// check says what is wrong with a configuration.
func (c QueueConfig) check() error {
	codes, letters := map[string]bool{}, map[string]bool{}
	for _, b := range c.Businesses {
		switch {
		case !businessCode.MatchString(b.Code) || codes[b.Code]:
			return fmt.Errorf("queue: business %.40q: its code must be of a-z, 0-9 and -, at most 32, and no other's", b.Code)
		case len(b.Letter) != 1 || b.Letter[0] < 'A' || b.Letter[0] > 'Z' || letters[b.Letter]:
			return fmt.Errorf("queue: business %s: letter %.8q must be one of A to Z, and no other's", b.Code, b.Letter)
		case !short(b.Name["zh"], wire.MaxTicketName) || !short(b.Name["en"], wire.MaxTicketName):
			return fmt.Errorf("queue: business %s: it needs a name in zh and en, at most %d characters each", b.Code, wire.MaxTicketName)
		}
		codes[b.Code], letters[b.Letter] = true, true
	}
	seen := map[[2]string]bool{}
	for _, w := range c.Windows {
		key := [2]string{w.Site, w.Name}
		if !short(w.Site, 200) || !short(w.Name, wire.MaxTicketText) || seen[key] || len(w.Businesses) == 0 {
			return fmt.Errorf("queue: window %.40q of %.40q: it needs a site, a name that no other window there has, and a business", w.Name, w.Site)
		}
		seen[key] = true
		for _, b := range w.Businesses {
			if !codes[b] {
				return fmt.Errorf("queue: window %s of %s: there is no business %.40q", w.Name, w.Site, b)
			}
		}
	}
	return nil
}

// at are the businesses of a site, and the windows that call each.
func (c QueueConfig) at(site string) (all []Business, windows map[string][]string) {
	windows = map[string][]string{}
	for _, w := range c.Windows {
		if w.Site == site {
			for _, b := range w.Businesses {
				windows[b] = append(windows[b], w.Name)
			}
		}
	}
	for _, b := range c.Businesses {
		if len(windows[b.Code]) > 0 {
			all = append(all, b)
		}
	}
	return all, windows
}

// window finds a window.
func (c QueueConfig) window(site, name string) (Window, bool) {
	i := slices.IndexFunc(c.Windows, func(w Window) bool { return w.Site == site && w.Name == name })
	if i < 0 {
		return Window{}, false
	}
	return c.Windows[i], true
}

// hall is the queue in force; nil when there is none.
func (s *Server) hall() QueueSystem {
	switch {
	case s.cfg.Hall != nil:
		return s.cfg.Hall
	case len(s.cfg.Queue.Windows) > 0:
		return plainQueue{s}
	}
	return nil
}

// chinaDay is the day of a time in China.
func chinaDay(t time.Time) string { return t.In(chinaTime).Format(time.DateOnly) }

// plainQueue is the queue of our own.
type plainQueue struct{ s *Server }

// Queues implements QueueSystem.
func (p plainQueue) Queues(ctx context.Context, site string) (all []wire.Queue, err error) {
	businesses, windows := p.s.cfg.Queue.at(site)
	if len(businesses) == 0 {
		return nil, nil
	}
	now := p.s.now()
	err = p.s.store.View(ctx, func(tx Tx) error {
		all = nil
		waiting, err := tx.Tickets(site, chinaDay(now), ticketWaiting, ticketsShown)
		if err != nil {
			return err
		}
		for _, b := range businesses {
			q := wire.Queue{Business: b.Code, Letter: b.Letter, Name: b.Name, Items: b.Items, Windows: windows[b.Code]}
			for _, t := range waiting {
				if t.Business == b.Code {
					q.Waiting++
				}
			}
			if q.Wait, err = guess(tx, site, chinaDay(now), b.Code, q.Waiting, now); err != nil {
				return err
			}
			all = append(all, q)
		}
		return nil
	})
	return all, err
}

// guess says for how many seconds somebody will wait with so many ahead; 0: it cannot be said.
func guess(tx Tx, site, day, business string, ahead int, now time.Time) (int64, error) {
	called, err := tx.CalledLately(site, day, business, callsLooked+1)
	return int64(waitOf(called, ahead, now) / time.Second), err
}

// waitOf guesses from the newest calls, newest first. From call to call counts only while somebody waited: from the call before, or from
// when the called one took the number if that was later.
func waitOf(called []TicketRow, ahead int, now time.Time) time.Duration {
	var sum time.Duration
	n := 0
	for i := 0; i+1 < len(called); i++ {
		free := called[i+1].Called
		if called[i].Taken.After(free) {
			free = called[i].Taken
		}
		if d := called[i].Called.Sub(free); d >= 0 {
			sum += d
			n++
		}
	}
	if n == 0 {
		return 0
	}
	wait := sum / time.Duration(n) * time.Duration(ahead+1)
	return max(time.Minute, wait-min(now.Sub(called[0].Called), sum/time.Duration(n)))
}

// Take implements QueueSystem.
func (p plainQueue) Take(ctx context.Context, t TicketTake) (out wire.Ticket, err error) {
	businesses, windows := p.s.cfg.Queue.at(t.Site)
	i := slices.IndexFunc(businesses, func(b Business) bool { return b.Code == t.Business })
	if i < 0 {
		return out, errNotFound
	}
	b, now := businesses[i], p.s.now()
	if t.Number != "" && t.Number[:1] != b.Letter {
		return out, errMalformed
	}
	taken := now
	if t.Number != "" {
		// Of a number that was given without a link its day counts, not the day on which that is told.
		if taken = t.Taken.UTC().Truncate(time.Millisecond); taken.After(now) || now.Sub(taken) > ticketsKept {
			taken = now
		}
	}
	day := chinaDay(taken)
	var row TicketRow
	ahead, wait := 0, int64(0)
	err = p.s.store.Update(ctx, func(tx Tx) (err error) {
		if row, err = p.row(tx, t, b, day, taken); err != nil {
			return err
		}
		if row.State != ticketWaiting {
			ahead, wait = 0, 0
			return nil
		}
		if ahead, err = before(tx, row); err != nil {
			return err
		}
		wait, err = guess(tx, t.Site, day, b.Code, ahead, now)
		return err
	})
	if err != nil {
		return out, err
	}
	return wire.Ticket{Key: row.Visit, Business: row.Business, Number: row.Number, Day: row.Day, Name: b.Name, Windows: windows[b.Code], Ahead: ahead, Wait: wait, Taken: row.Taken}, nil
}

// row finds the visit's number, or gives one.
func (p plainQueue) row(tx Tx, t TicketTake, b Business, day string, taken time.Time) (TicketRow, error) {
	held, err := tx.TicketsOfVisit(day, t.Terminal, t.Key)
	if err != nil {
		return TicketRow{}, err
	}
	for _, h := range held {
		if h.Business == b.Code {
			if t.Number == "" || t.Number == h.Number {
				return h, nil
			}
			if ownNumber.MatchString(h.Number) || h.State == ticketDone {
				return h, errKeyReused
			}
			// The answer with this number never reached the terminal, which gave one of its own: nobody has the other.
			if err := tx.RenameTicket(h, t.Number, taken); errors.Is(err, ErrHeld) {
				return h, errKeyReused
			} else if err != nil {
				return h, err
			}
			return tx.Ticket(h.Site, h.Day, t.Number)
		}
	}
	if len(held) >= wire.TicketsOfVisit {
		return TicketRow{}, errBusy
	}
	if n, err := tx.TicketsOf(day, t.Terminal); err != nil {
		return TicketRow{}, err
	} else if n >= ticketsOfTerminal {
		return TicketRow{}, errBusy
	}
	row := TicketRow{Site: t.Site, Day: day, Number: t.Number, Business: b.Code, Terminal: t.Terminal, Visit: t.Key, Reason: t.Reason, State: ticketWaiting, Taken: taken}
	if row.Number == "" {
		n, err := tx.Next("ticket " + day + " " + b.Letter + " " + t.Site)
		if err != nil {
			return row, err
		}
		row.Number = fmt.Sprintf("%s%03d", b.Letter, n)
	}
	err = tx.AddTicket(row)
	if errors.Is(err, ErrHeld) {
		err = errKeyReused // another visit's: a terminal gave the same number twice
	}
	return row, err
}

// before counts who is called before a ticket that waits.
func before(tx Tx, row TicketRow) (n int, err error) {
	all, err := tx.Tickets(row.Site, row.Day, ticketWaiting, ticketsShown)
	for _, t := range all {
		if t.Number == row.Number {
			break
		}
		if t.Business == row.Business {
			n++
		}
	}
	return n, err
}

func goodTicket(t wire.TicketRequest) bool {
	return caseKey.MatchString(t.Key) && businessCode.MatchString(t.Business) && ticketReason.MatchString(t.Reason) &&
		(t.Number == "" || ownNumber.MatchString(t.Number) && !t.Taken.IsZero())
}

// queues answers how the queues of the terminal's site stand.
func (s *Server) queues(w http.ResponseWriter, r *http.Request, _ []byte) {
	h := s.hall()
	if h == nil {
		s.refuse(w, errNotFound, "there is no queue")
		return
	}
	var site string
	err := s.store.View(r.Context(), func(tx Tx) error {
		t, err := tx.Terminal(terminalOf(r.Context()))
		site = t.Site
		return err
	})
	var all []wire.Queue
	if err == nil {
		all, err = h.Queues(r.Context(), site)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	if all == nil {
		all = []wire.Queue{}
	}
	answer(w, http.StatusOK, wire.Queues{Queues: all})
}

// takeTicket gives a number.
func (s *Server) takeTicket(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.TicketRequest
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	h := s.hall()
	if h == nil {
		s.refuse(w, errNotFound, "there is no queue")
		return
	}
	if !goodTicket(q) {
		s.refuse(w, errMalformed, "key, business, reason or number is not as it must be")
		return
	}
	t := TicketTake{TicketRequest: q, Terminal: terminalOf(r.Context())}
	err := s.store.View(r.Context(), func(tx Tx) error {
		is, err := tx.Terminal(t.Terminal)
		t.Site = is.Site
		return err
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	if ok, err := s.allowed(r.Context(), &s.tickets, "ticket "+t.Terminal, ticketsAtOnce, time.Minute); err != nil {
		s.fail(w, err)
		return
	} else if !ok {
		s.refuseAfter(w, errBusy, "too many numbers at once", time.Minute)
		return
	}
	out, err := h.Take(r.Context(), t)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, out)
}

// sweepTickets forgets old numbers.
func (s *Server) sweepTickets(ctx context.Context) error {
	day := chinaDay(s.now().Add(-ticketsKept))
	return s.store.Update(ctx, func(tx Tx) error { return tx.DropTickets(day) })
}

// Acts of a window.
const (
	callNext   = "next"   // the one at the window is done, and the next is called
	callAgain  = "again"  // the one that was called is called once more
	callDone   = "done"   // the one at the window is done
	callAbsent = "absent" // did not come
	callBack   = "back"   // came after all: waits again, at the place that the number gives
)

// Call is one act of a window. Number and Calls are what whoever acts sees there ("" and 0: nobody): [ErrDecided] when it is another
// by now, so that a page that was pressed twice does not call two.
type Call struct {
	Site, Window, Act, Number string
	Calls                     int
}

// CallTicket does it. ErrNoRow: there is no such window or number, or nobody waits.
func (s *Server) CallTicket(ctx context.Context, c Call, by Operator) (row TicketRow, err error) {
	w, known := s.cfg.Queue.window(c.Site, c.Window)
	if !known {
		return row, ErrNoRow
	}
	now := s.now()
	day := chinaDay(now)
	err = s.store.Update(ctx, func(tx Tx) error {
		row = TicketRow{}
		here, err := atWindow(tx, c.Site, day, c.Window)
		if err != nil {
			return err
		}
		if c.Act == callBack {
			t, err := tx.Ticket(c.Site, day, c.Number)
			switch {
			case err != nil:
				return err
			case t.State != ticketAbsent:
				return ErrDecided
			}
			t.State, t.Ended = ticketWaiting, time.Time{}
			row = t
			return s.called(tx, t, c, by)
		}
		if here.Number != c.Number || here.Calls != c.Calls {
			return ErrDecided
		}
		switch c.Act {
		case callNext:
			if here.Number != "" {
				here.State, here.Ended = ticketDone, now
				if err := tx.PutTicket(here); err != nil {
					return err
				}
			}
			if row, err = firstOf(tx, c.Site, day, w.Businesses); err != nil {
				return err
			}
			if row.Number == "" {
				return nil // nobody waits
			}
			row.State, row.Window, row.By = ticketCalled, w.Name, by.Who
			if row.Calls++; row.Called.IsZero() {
				row.Called = now
			}
			return s.called(tx, row, c, by)
		case callAgain, callDone, callAbsent:
			if here.Number == "" {
				return ErrDecided
			}
			row = here
			switch c.Act {
			case callAgain:
				row.Calls++
			case callDone:
				row.State, row.Ended = ticketDone, now
			case callAbsent:
				row.State, row.Ended = ticketAbsent, now
			}
			return s.called(tx, row, c, by)
		}
		return fmt.Errorf("%w: 没有这个操作 there is no such act", ErrDecision)
	})
	return row, err
}

// called keeps what became of a number, and who did it.
func (s *Server) called(tx Tx, t TicketRow, c Call, by Operator) error {
	return errors.Join(tx.PutTicket(t), addEvent(tx, SecurityEvent{At: s.now(), Event: "queue.called", Code: c.Act, Terminal: t.Terminal, Who: by.Who,
		Why: about(t.Number, c.Window)}))
}

// atWindow is who was called to a window and is there; the zero row when nobody is.
func atWindow(tx Tx, site, day, window string) (TicketRow, error) {
	all, err := tx.Tickets(site, day, ticketCalled, ticketsShown)
	for _, t := range all {
		if t.Window == window {
			return t, err
		}
	}
	return TicketRow{}, err
}

// firstOf is who waits longest for one of some kinds of business; the zero row when nobody does.
func firstOf(tx Tx, site, day string, businesses []string) (TicketRow, error) {
	all, err := tx.Tickets(site, day, ticketWaiting, ticketsShown)
	for _, t := range all {
		if slices.Contains(businesses, t.Business) {
			return t, err
		}
	}
	return TicketRow{}, err
}

// waits are what was waited on a day until the first call.
type waits struct {
	Waiting, Called, Done, Absent int
	Mean, Longest                 time.Duration // of those who were called
	Now                           time.Duration // the longest of those who still wait
	Served                        time.Duration // mean time at the window of those who are done
}

// SlowMean says that the mean is beyond what halls are measured by.
func (w waits) SlowMean() bool { return w.Mean > waitMean }

// SlowLongest says the same of the longest wait.
func (w waits) SlowLongest() bool { return w.Longest > waitLongest }

// Late says that somebody waits so long now that somebody should look.
func (w waits) Late() bool { return w.Now > waitAlarm }

// waitsOf sums up tickets.
func waitsOf(all []TicketRow, now time.Time) (w waits) {
	var mean, served time.Duration
	for _, t := range all {
		if t.State == ticketWaiting {
			w.Waiting++
			w.Now = max(w.Now, now.Sub(t.Taken))
		}
		if t.Called.IsZero() {
			continue
		}
		w.Called++
		d := max(0, t.Called.Sub(t.Taken))
		mean += d
		w.Longest = max(w.Longest, d)
		switch t.State {
		case ticketDone:
			w.Done++
			served += max(0, t.Ended.Sub(t.Called))
		case ticketAbsent:
			w.Absent++
		}
	}
	if w.Called > 0 {
		w.Mean = mean / time.Duration(w.Called)
	}
	if w.Done > 0 {
		w.Served = served / time.Duration(w.Done)
	}
	return w
}

// byKey sums up tickets in groups, in the order of the groups' names.
func byKey(all []TicketRow, now time.Time, of func(TicketRow) string) (out []groupWaits) {
	groups := map[string][]TicketRow{}
	for _, t := range all {
		if k := of(t); k != "" {
			groups[k] = append(groups[k], t)
		}
	}
	for k, g := range groups {
		out = append(out, groupWaits{k, waitsOf(g, now)})
	}
	slices.SortFunc(out, func(a, b groupWaits) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

type groupWaits struct {
	Key string
	waits
}
