package platform

// The hall's queue: numbers over the line, the window's page, and what every order of events must leave true.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// hallOf is a queue of two kinds of business at a site, called at three windows.
func hallOf(site string) QueueConfig {
	return QueueConfig{
		Businesses: []Business{
			{Code: "household", Letter: "A", Name: both("户籍业务", "Household registration"), Items: []string{"TID"}},
			{Code: "social", Letter: "B", Name: both("社保业务", "Social insurance"), Items: []string{"SB-P", "SB-Q"}},
		},
		Windows: []Window{{Site: site, Name: "3", Businesses: []string{"household"}}, {Site: site, Name: "4", Businesses: []string{"household", "social"}},
			{Site: site, Name: "5", Businesses: []string{"social"}}},
	}
}

func ticketSuite(t *testing.T, e anEngine) {
	ctx := context.Background()
	place := e.place(t)
	a, b := e.open(t, place), e.open(t, place) // two servers
	t.Cleanup(func() { _ = errors.Join(a.Close(), b.Close()) })
	row := TicketRow{Site: "示例区'; DROP TABLE tickets;--", Day: "2026-11-30", Number: "A001", Business: "household", Terminal: "T1", Visit: "v1", Reason: "excluded", State: ticketWaiting, Taken: moment}
	must := func(s Store, fn func(Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	must(a, func(tx Tx) error { return tx.AddTicket(row) })
	t.Run("all of a row, once", func(t *testing.T) {
		must(b, func(tx Tx) error {
			if got, err := tx.Ticket(row.Site, row.Day, "A001"); err != nil || got != row {
				t.Errorf("%+v %v", got, err)
			}
			if _, err := tx.Ticket(row.Site, "2026-12-01", "A001"); !errors.Is(err, ErrNoRow) {
				t.Error(err)
			}
			if err := tx.PutTicket(TicketRow{Site: row.Site, Day: row.Day, Number: "A009"}); !errors.Is(err, ErrNoRow) {
				t.Error(err)
			}
			return nil
		})
		for what, change := range map[string]func(*TicketRow){
			"the number": func(r *TicketRow) { r.Visit = "v2" },
			"the visit":  func(r *TicketRow) { r.Number = "A002" },
		} {
			twice := row
			change(&twice)
			if err := b.Update(ctx, func(tx Tx) error { return tx.AddTicket(twice) }); !errors.Is(err, ErrHeld) {
				t.Errorf("%s twice: %v", what, err)
			}
		}
		for _, change := range []func(*TicketRow){func(r *TicketRow) { r.Day = "2026-12-01" }, func(r *TicketRow) { r.Site, r.Visit = "elsewhere", "v2" },
			func(r *TicketRow) { r.Number, r.Business = "B001", "social" }} {
			other := row
			change(&other)
			must(a, func(tx Tx) error { return tx.AddTicket(other) })
		}
	})
	t.Run("goes on, and is found", func(t *testing.T) {
		done := row
		done.State, done.Window, done.By, done.Calls, done.Called, done.Ended = ticketDone, "3", "chen", 2, moment.Add(time.Minute), moment.Add(2*time.Minute)
		must(b, func(tx Tx) error { return tx.PutTicket(done) })
		must(a, func(tx Tx) error {
			all, e1 := tx.Tickets(row.Site, row.Day, "", 9)
			waits, e2 := tx.Tickets(row.Site, row.Day, ticketWaiting, 9)
			called, e3 := tx.CalledLately(row.Site, row.Day, "household", 9)
			none, e4 := tx.CalledLately(row.Site, row.Day, "social", 9)
			visit, e5 := tx.TicketsOfVisit(row.Day, "T1", "v1")
			n, e6 := tx.TicketsOf(row.Day, "T1")
			if err := errors.Join(e1, e2, e3, e4, e5, e6); err != nil || len(all) != 2 || all[0] != done || len(waits) != 1 || waits[0].Number != "B001" ||
				len(called) != 1 || called[0] != done || len(none) != 0 || len(visit) != 2 || n != 3 {
				t.Errorf("%+v %+v %+v %+v %+v %d %v", all, waits, called, none, visit, n, err)
			}
			return nil
		})
		must(b, func(tx Tx) error { return tx.DropTickets("2026-12-01") })
		must(a, func(tx Tx) error {
			if n, err := tx.TicketsOf(row.Day, "T1"); n != 0 || err != nil {
				t.Errorf("%d %v", n, err)
			}
			n, err := tx.TicketsOf("2026-12-01", "T1")
			if n != 1 {
				t.Errorf("of the day itself: %d", n)
			}
			return err
		})
	})
	t.Run("many at once", func(t *testing.T) {
		const site, terminals, each = "大厅", 6, 12
		var servers []*Server
		for _, s := range []Store{a, b} {
			servers = append(servers, &Server{store: s, cfg: Config{Queue: hallOf(site), Now: func() time.Time { return moment }}})
		}
		numbers, keys := sync.Map{}, sync.Map{}
		var wg sync.WaitGroup
		for n := range terminals {
			wg.Go(func() {
				for v := range each {
					q := TicketTake{Site: site, Terminal: fmt.Sprint("T", n), TicketRequest: wire.TicketRequest{Key: fmt.Sprint("visit-0", v/2), Business: "household"}}
					var got wire.Ticket
					var err error
					for range 50 { // a store that is too busy says so, and the terminal asks again under its key
						if got, err = (plainQueue{servers[(n+v)%2]}).Take(ctx, q); !errors.Is(err, ErrConflict) {
							break
						}
					}
					if err != nil {
						t.Error(err)
						return
					}
					key := q.Terminal + q.Key
					if was, again := keys.LoadOrStore(key, got.Number); again && was != got.Number {
						t.Errorf("%s got %s and %s", key, was, got.Number)
					}
					if other, held := numbers.LoadOrStore(got.Number, key); held && other != key {
						t.Errorf("%s went to %s and %s", got.Number, other, key)
					}
				}
			})
		}
		wg.Wait()
		for n := 1; n <= terminals*each/2; n++ {
			if _, is := numbers.Load(fmt.Sprintf("A%03d", n)); !is {
				t.Errorf("A%03d is missing", n)
			}
		}
		// Windows call at once: nobody is called twice.
		var calls sync.Map
		for i := range 4 {
			wg.Go(func() {
				seen := Call{Site: site, Window: []string{"3", "4"}[i%2], Act: callNext}
				for range 8 {
					got, err := servers[i%2].CallTicket(ctx, seen, Operator{Who: fmt.Sprint("clerk", i)})
					switch {
					case errors.Is(err, ErrDecided), errors.Is(err, ErrConflict):
						err = servers[i%2].store.View(ctx, func(tx Tx) error {
							here, err := atWindow(tx, site, chinaDay(moment), seen.Window)
							seen.Number, seen.Calls = here.Number, here.Calls
							return err
						})
						if err != nil {
							t.Error(err)
						}
						continue
					case err != nil:
						t.Error(err)
						return
					}
					if by, twice := calls.LoadOrStore(got.Number, i); twice {
						t.Errorf("%s was called by %d and %d", got.Number, by, i)
					}
					seen.Number, seen.Calls = got.Number, got.Calls
				}
			})
		}
		wg.Wait()
	})
}

// ticket asks for a number.
func (p *peer) ticket(q wire.TicketRequest, status int) (out wire.Ticket) {
	p.t.Helper()
	w := p.do("POST", wire.PathTickets, q)
	if w.Code != status {
		p.t.Fatalf("%+v: %d %s", q, w.Code, w.Body)
	}
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return out
}

func (p *peer) queues(status int) []wire.Queue {
	p.t.Helper()
	w := p.do("GET", wire.PathTickets, nil)
	var out wire.Queues
	if w.Code != status || status == 200 && json.Unmarshal(w.Body.Bytes(), &out) != nil {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return out.Queues
}

func TestNumbersOverTheLine(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	q := wire.TicketRequest{Key: uuid.NewString(), Business: "household", Reason: wire.CardExcluded}
	p.queues(404)
	p.ticket(q, 404)
	var site string
	_ = s.store.View(t.Context(), func(tx Tx) error { is, err := tx.Terminal(p.id); site = is.Site; return err })
	s.cfg.Queue = hallOf("another hall")
	if all := p.queues(200); len(all) != 0 {
		t.Errorf("of another hall: %+v", all)
	}
	s.cfg.Queue = hallOf(site)
	if all := p.queues(200); len(all) != 2 || all[0].Letter != "A" || !slices.Equal(all[0].Windows, []string{"3", "4"}) || !slices.Equal(all[0].Items, []string{"TID"}) || all[0].Waiting != 0 || all[0].Wait != 0 {
		t.Errorf("%+v", all)
	}
	first := p.ticket(q, 200)
	if first.Number != "A001" || first.Ahead != 0 || first.Key != q.Key || first.Day != chinaDay(time.Now()) || first.Name["en"] != "Household registration" || !slices.Equal(first.Windows, []string{"3", "4"}) {
		t.Errorf("%+v", first)
	}
	if again := p.ticket(q, 200); again.Number != first.Number || !again.Taken.Equal(first.Taken) {
		t.Errorf("%+v", again)
	}
	social := p.ticket(wire.TicketRequest{Key: q.Key, Business: "social"}, 200)
	other := enrolled(t, s, "990000-0002")
	second := other.ticket(q, 200) // the same key at another terminal is another visit
	if social.Number != "B001" || second.Number != "A002" || second.Ahead != 1 || p.queues(200)[0].Waiting != 2 {
		t.Errorf("%+v %+v", social, second)
	}
	own := wire.TicketRequest{Key: uuid.NewString(), Business: "household", Number: "A01-01", Taken: time.Now().Add(-time.Minute)}
	if got := p.ticket(own, 200); got.Number != own.Number || got.Ahead != 0 {
		t.Errorf("taken without a link, before the others: %+v", got)
	}
	lost := wire.TicketRequest{Key: uuid.NewString(), Business: "household"}
	ghost := p.ticket(lost, 200) // whose answer is lost
	lost.Number, lost.Taken = "A01-1422", time.Now()
	if got := p.ticket(lost, 200); got.Number != lost.Number || p.queues(200)[0].Waiting != 4 {
		t.Errorf("%+v in place of %s, %d wait", got, ghost.Number, p.queues(200)[0].Waiting)
	}
	other2 := lost
	other2.Number = "A01-1423"
	p.ticket(other2, 422) // two of its own for one visit
	twice := own
	twice.Key = uuid.NewString()
	p.ticket(twice, 422)
	for what, bad := range map[string]wire.TicketRequest{
		"no key":         {Business: "household"},
		"a long key":     {Key: strings.Repeat("k", 65), Business: "household"},
		"a reason":       {Key: q.Key, Business: "household", Reason: "<script>"},
		"a number":       {Key: q.Key, Business: "household", Number: "A1", Taken: time.Now()},
		"no time":        {Key: q.Key, Business: "household", Number: "A01-02"},
		"another letter": {Key: q.Key, Business: "social", Number: "A01-02", Taken: time.Now()},
		"hostile number": {Key: q.Key, Business: "household", Number: "A01-02\n", Taken: time.Now()},
	} {
		if w := p.do("POST", wire.PathTickets, bad); code(w) != "E-MALFORMED" {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	p.ticket(wire.TicketRequest{Key: q.Key, Business: "heating"}, 404)
	for n := 0; ; n++ { // somebody plays with the button
		w := p.do("POST", wire.PathTickets, wire.TicketRequest{Key: uuid.NewString(), Business: "household"})
		if w.Code == 503 && w.Header().Get("Retry-After") != "" {
			break
		}
		if w.Code != 200 || n > ticketsAtOnce {
			t.Fatalf("%d numbers at once: %d %s", n, w.Code, w.Body)
		}
	}
}

// Whatever a terminal asks with: what is taken is short, of few characters, and names a number of its own with its time.
func FuzzTicketBody(f *testing.F) {
	f.Add([]byte(`{"key":"visit-0001","business":"household","reason":"excluded"}`))
	f.Add([]byte(`{"key":"visit-0001","business":"household","number":"A03-1422","taken":"2026-11-30T04:00:00Z"}`))
	f.Add([]byte(`{"key":"visit-0001","business":"household","number":"A03-1422"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q wire.TicketRequest
		if decode(b, &q) != nil || !goodTicket(q) {
			return
		}
		for _, r := range q.Key + q.Business + q.Reason + q.Number {
			if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
				t.Fatalf("%q in %s", r, b)
			}
		}
		if len(q.Key) > 64 || len(q.Business) > wire.MaxTicketText || len(q.Reason) > wire.MaxTicketText || len(q.Number) > wire.MaxTicketText || q.Number != "" && q.Taken.IsZero() {
			t.Fatalf("%s", b)
		}
	})
}

// A refusal says whether a window helps.
func TestARefusalNamesTheWindow(t *testing.T) {
	for why := range cardWords {
		c := refusedChance(why)
		if toWindow := strings.Contains(c.Next["zh"], "窗口"); c.Window != toWindow && why != wire.CardNotSigned {
			t.Errorf("%s: window %v, and its words say %s", why, c.Window, c.Next["zh"])
		}
		if c.Window && words("reason", why) == why {
			t.Errorf("%s has no words for the window's page", why)
		}
	}
}

func TestAQueueThatIsNotWellSetUp(t *testing.T) {
	if err := hallOf("大厅").check(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*QueueConfig){
		"a letter twice":    func(c *QueueConfig) { c.Businesses[1].Letter = "A" },
		"no letter":         func(c *QueueConfig) { c.Businesses[1].Letter = "é" },
		"a code twice":      func(c *QueueConfig) { c.Businesses[1].Code = "household" },
		"no English":        func(c *QueueConfig) { c.Businesses[0].Name = map[string]string{"zh": "户籍"} },
		"a window twice":    func(c *QueueConfig) { c.Windows[1].Name = "3" },
		"a window's site":   func(c *QueueConfig) { c.Windows[0].Site = "" },
		"unknown business":  func(c *QueueConfig) { c.Windows[0].Businesses = []string{"heating"} },
		"window for nobody": func(c *QueueConfig) { c.Windows[0].Businesses = nil },
	} {
		c := hallOf("大厅")
		change(&c)
		if c.check() == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// queueRig is a server with a queue and a clock of its own.
func queueRig(t testing.TB) (*loginRig, string) {
	l := newLoginRig(t)
	l.cfg.Queue = hallOf("示例区市民之家")
	return l, "示例区市民之家"
}

func (l *loginRig) takes(site, visit, business string) wire.Ticket {
	l.t.Helper()
	out, err := plainQueue{l.Server}.Take(l.t.Context(), TicketTake{Site: site, Terminal: "T1", TicketRequest: wire.TicketRequest{Key: visit, Business: business, Reason: wire.CardExcluded}})
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func TestAWindowCallsFromItsPage(t *testing.T) {
	l, site := queueRig(t)
	viewer, clerk := l.account("wang", staff.Viewer), l.account("chen", staff.Clerk)
	at := site + "/3"
	page := "/queue?at=" + url.QueryEscape(at)
	press := func(act, number, calls string, status int) {
		t.Helper()
		if w := clerk.send("POST", "/queue", url.Values{"at": {at}, "act": {act}, "number": {number}, "calls": {calls}}); w.Code != status {
			t.Fatalf("%s %s: %d %s", act, number, w.Code, w.Body)
		}
	}
	shows := func(all ...string) {
		t.Helper()
		w := clerk.send("GET", page, nil)
		for _, want := range all {
			if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Fatalf("%q is missing: %d %s", want, w.Code, w.Body)
			}
		}
	}
	for path, status := range map[string]int{"/queue": 200, page: 200, "/queue?at=nowhere": 404} {
		if w := clerk.send("GET", path, nil); w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
		if w := viewer.send("GET", path, nil); w.Code != 403 {
			t.Errorf("%s for a viewer: %d", path, w.Code)
		}
	}
	foreign := *clerk
	foreign.site = "cross-site"
	if w := foreign.send("POST", "/queue", url.Values{"at": {at}, "act": {"next"}, "calls": {"0"}}); w.Code != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
	shows("Nobody is at the window")
	press("next", "", "0", 303) // nobody waits
	l.takes(site, "visit-001", "household")
	l.later(3 * time.Minute)
	l.takes(site, "visit-002", "household")
	l.takes(site, "visit-003", "social") // not this window's
	shows("A001", "户籍情况需核对", "3:00")
	l.later(2 * time.Minute)
	press("next", "", "0", 303)
	shows(`id="here">A001`, "call 1")
	press("next", "", "0", 409) // the same page, pressed twice
	press("again", "A001", "1", 303)
	press("again", "A001", "1", 409)
	shows("call 2")
	l.later(4 * time.Minute)
	press("next", "A001", "2", 303)
	shows(`id="here">A002`)
	press("absent", "A002", "1", 303)
	shows("Nobody is at the window", "Came after all")
	press("done", "", "0", 409)
	press("back", "A001", "", 409)
	press("back", "A002", "", 303)
	press("next", "", "0", 303)
	shows(`id="here">A002`, "call 2")
	press("done", "A002", "2", 303)
	press("dance", "", "0", 400)
	// A001 waited 5 minutes and A002 6: until the first call.
	shows("<td>全部 All</td><td>1</td><td>2</td><td>2</td><td>0</td><td class=\"\">5:30</td><td class=\"\">6:00</td><td class=\"\">6:00</td>", "窗口 Window 3")
	l.later(21 * time.Minute)
	shows(`<td class="bad">27:00</td>`)
	if all := l.said("queue.called", "next"); len(all) != 3 || all[0].Who != "chen" || !strings.HasPrefix(all[0].Why, "A00") {
		t.Errorf("%+v", all)
	}
	// The page loads itself anew; that is no use of the session.
	w := clerk.send("GET", page, nil)
	_, anew, _ := strings.Cut(w.Header().Get("Refresh"), "url=")
	for range 3 {
		l.later(20 * time.Minute)
		w = clerk.send("GET", anew, nil)
	}
	if w.Code != 303 || w.Header().Get("Location") != "/login" {
		t.Errorf("an hour later: %d", w.Code)
	}
	// The day turns in China: yesterday's numbers are nobody's, and A001 is given again.
	at0 := time.UnixMilli(l.now.Load()).In(chinaTime)
	l.later(time.Date(at0.Year(), at0.Month(), at0.Day()+1, 0, 0, 0, 0, chinaTime).Sub(at0))
	if got := l.takes(site, "visit-001", "household"); got.Number != "A001" || got.Ahead != 0 {
		t.Errorf("%+v", got)
	}
	if err := l.sweepTickets(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAGuessIsMadeOfTheLastCalls(t *testing.T) {
	at := func(min float64) time.Time { return moment.Add(time.Duration(min * float64(time.Minute))) }
	call := func(taken, called float64) TicketRow { return TicketRow{Taken: at(taken), Called: at(called)} }
	for _, c := range []struct {
		what   string
		called []TicketRow // newest first
		ahead  int
		now    float64
		want   time.Duration
	}{
		{"nobody was called", nil, 5, 0, 0},
		{"one call says nothing", []TicketRow{call(0, 1)}, 5, 2, 0},
		{"4 minutes each, two ahead", []TicketRow{call(0, 8), call(0, 4), call(0, 0)}, 2, 8, 12 * time.Minute},
		{"a minute of it is over", []TicketRow{call(0, 8), call(0, 4), call(0, 0)}, 2, 9, 11 * time.Minute},
		{"a window that had nobody to call is not slow", []TicketRow{call(58, 60), call(0, 4), call(0, 0)}, 0, 60, 3 * time.Minute},
		{"never nothing", []TicketRow{call(0, 8), call(0, 4)}, 0, 100, time.Minute},
	} {
		if got := waitOf(c.called, c.ahead, at(c.now)); got != c.want {
			t.Errorf("%s: %s, expected %s", c.what, got, c.want)
		}
	}
}

// Whatever happens in which order: numbers are given once and without gaps, a visit has one, nobody is called who came later while
// somebody of the window's waits, nobody is at two windows, and what the page counts adds up.
func TestEveryOrderOfTheQueue(t *testing.T) {
	l, _ := queueRig(t)
	var run atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		site := fmt.Sprint("hall ", run.Add(1))
		l.cfg.Queue = hallOf(site)
		p := plainQueue{l.Server}
		given := map[string]string{} // day, terminal, visit, business → number
		holder := map[string]string{}
		count := map[string]int{}
		type seen struct {
			number string
			calls  int
		}
		windows := map[string]seen{}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				terminal, visit := rapid.SampledFrom([]string{"T1", "T2"}).Draw(t, "terminal"), fmt.Sprintf("visit-%03d", rapid.IntRange(0, 12).Draw(t, "visit"))
				business := rapid.SampledFrom([]string{"household", "social"}).Draw(t, "business")
				day := chinaDay(l.Server.now())
				got, err := p.Take(context.Background(), TicketTake{Site: site, Terminal: site + terminal, TicketRequest: wire.TicketRequest{Key: visit, Business: business}})
				if err != nil {
					t.Fatal(err)
				}
				key := fmt.Sprint(day, terminal, visit, business)
				if was, held := given[key]; held {
					if was != got.Number {
						t.Fatalf("%s has %s and %s", key, was, got.Number)
					}
					return
				}
				letter := map[string]string{"household": "A", "social": "B"}[business]
				count[day+letter]++
				if want := fmt.Sprintf("%s%03d", letter, count[day+letter]); got.Number != want || got.Day != day {
					t.Fatalf("%+v, expected %s of %s", got, want, day)
				}
				if other := holder[day+got.Number]; other != "" {
					t.Fatalf("%s is of %s and %s", got.Number, other, key)
				}
				given[key], holder[day+got.Number] = got.Number, key
			},
			"call": func(t *rapid.T) {
				window := rapid.SampledFrom([]string{"3", "4", "5"}).Draw(t, "window")
				act := rapid.SampledFrom([]string{callNext, callNext, callAgain, callDone, callAbsent}).Draw(t, "act")
				var before []TicketRow
				day := chinaDay(l.Server.now())
				read := func() (all []TicketRow) {
					if err := l.store.View(context.Background(), func(tx Tx) (err error) { all, err = tx.Tickets(site, day, "", 999); return err }); err != nil {
						t.Fatal(err)
					}
					return all
				}
				before = read()
				w := windows[day+window]
				stale := rapid.IntRange(0, 4).Draw(t, "stale") == 0
				c := Call{Site: site, Window: window, Act: act, Number: w.number, Calls: w.calls}
				if stale {
					c.Calls += 7
				}
				row, err := l.CallTicket(context.Background(), c, Operator{Who: "chen"})
				if stale || w.number == "" && act != callNext {
					if !errors.Is(err, ErrDecided) {
						t.Fatalf("%+v: %v", c, err)
					}
					if !slices.Equal(before, read()) {
						t.Fatal("a refused call changed something")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				place, _ := l.cfg.Queue.window(site, window)
				switch act {
				case callNext:
					var first TicketRow
					for _, x := range before {
						if x.State == ticketWaiting && slices.Contains(place.Businesses, x.Business) {
							first = x
							break
						}
					}
					if row.Number != first.Number {
						t.Fatalf("called %q, and %q waits longest", row.Number, first.Number)
					}
					windows[day+window] = seen{row.Number, row.Calls}
				case callAgain:
					windows[day+window] = seen{row.Number, row.Calls}
				default:
					windows[day+window] = seen{}
				}
				at := map[string]int{}
				for _, x := range read() {
					if x.State == ticketCalled {
						at[x.Window]++
					}
				}
				for w, n := range at {
					if n > 1 {
						t.Fatalf("%d people at window %s", n, w)
					}
				}
			},
			"time goes on": func(t *rapid.T) { l.later(time.Duration(rapid.Int64Range(1, 600).Draw(t, "seconds")) * time.Second) },
			"the day ends": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "really") == 0 {
					l.later(20 * time.Hour)
				}
			},
			"": func(t *rapid.T) {
				var all []TicketRow
				if err := l.store.View(context.Background(), func(tx Tx) (err error) { all, err = tx.Tickets(site, chinaDay(l.Server.now()), "", 999); return err }); err != nil {
					t.Fatal(err)
				}
				sum, n := waitsOf(all, l.Server.now()), 0
				for _, g := range byKey(all, l.Server.now(), func(t TicketRow) string { return t.Business }) {
					n += g.Waiting + g.Called
				}
				back := 0
				for _, x := range all {
					if x.State == ticketWaiting && !x.Called.IsZero() {
						back++
					}
				}
				if sum.Waiting+sum.Called-back != len(all) || n != sum.Waiting+sum.Called || sum.Mean > sum.Longest {
					t.Fatalf("%+v of %d", sum, len(all))
				}
			},
		})
	})
}
