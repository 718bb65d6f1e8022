package service_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// fakeHall is a queue that remembers who has which number.
type fakeHall struct {
	all    []service.Queue
	asking error
	take   func(n int) error // what the nth asking comes to; nil gives a number
	tries  int
	asked  []service.TicketQuery
	given  map[string]string
	own    bool
}

func newHall(items ...string) *fakeHall {
	return &fakeHall{given: map[string]string{}, all: []service.Queue{
		{Business: "social", Name: both("社保业务", "Social insurance"), Items: []string{"SB-Q"}, Windows: []string{"5"}},
		{Business: "household", Name: both("户籍业务", "Household registration"), Items: items, Windows: []string{"3", "4"}, Waiting: 6, Wait: 12 * time.Minute},
	}}
}

func both(zh, en string) service.Text {
	return service.Worded(map[string]string{"zh": zh, "en": en})
}

func (h *fakeHall) Known() []service.Queue { return h.all }

func (h *fakeHall) News() <-chan struct{} { return nil }

func (h *fakeHall) Queues(ctx context.Context) ([]service.Queue, error) {
	if h.asking != nil {
		return nil, h.asking
	}
	return h.all, ctx.Err()
}

func (h *fakeHall) Take(_ context.Context, q service.TicketQuery) (service.Ticket, error) {
	h.tries++
	if h.take != nil {
		if err := h.take(h.tries); err != nil {
			return service.Ticket{}, err
		}
	}
	h.asked = append(h.asked, q)
	key := q.Visit + q.Business
	if h.given[key] == "" {
		h.given[key] = "A00" + string(rune('1'+len(h.given)))
	}
	if h.own {
		return service.Ticket{Number: "A03-1422", Windows: []string{"3", "4"}, Ahead: -1, Taken: now(), Own: true}, nil
	}
	return service.Ticket{Number: h.given[key], Name: both("户籍业务", "Household registration"), Windows: []string{"3", "4"}, Ahead: 6, Wait: 12*time.Minute + time.Second, Taken: now()}, nil
}

// refused is a booth at which the office refuses for a reason, in a hall with a queue.
func refused(t *testing.T, why string, window bool, fn func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := boothWorld(t, 5)
		if err := w.journal.Close(); err != nil {
			t.Fatal(err)
		}
		w.hall = newHall("TID")
		w.start()
		w.booth.office.refused, w.booth.office.window = why, window
		fn(t, w)
	})
}

func TestWhoeverComesForAWindowTakesANumber(t *testing.T) {
	atHall := func(t *testing.T, name string, change func(*fakeHall), fn func(t *testing.T, w *world)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if err := w.journal.Close(); err != nil {
					t.Fatal(err)
				}
				w.hall = newHall("TID")
				change(w.hall)
				w.start()
				fn(t, w)
			})
		})
	}
	offered := func(w *world) bool {
		return slices.ContainsFunc(w.engine.Tiles(), func(x service.Tile) bool { return x.Code == "QUEUE" && x.Ready && x.Offline })
	}
	way := func(seen *service.Queued, options *service.Choose) []script.Line {
		return lines(start("QUEUE"), []script.Line{
			script.On("choose", script.Look(func(p service.Prompt) { *options = p.(service.Choose) }, script.Choose("household"))),
			script.On("ticket", script.Look(func(p service.Prompt) { *seen = p.(service.Queued) }, script.Next()))}, leave())
	}
	atHall(t, "with a link", func(*fakeHall) {}, func(t *testing.T, w *world) {
		var got service.Queued
		var options service.Choose
		if !offered(w) {
			t.Error("no tile")
		}
		w.play(way(&got, &options)...)
		if len(options.Options) != 2 || options.Options[1].Detail.Args["n"] != "6" || options.Options[1].Detail.Args["window"] != "3、4" {
			t.Errorf("%+v", options.Options)
		}
		paper := w.roll.texts()
		if got.Ticket.Number != "A001" || !got.Printed || len(paper) != 1 || !strings.Contains(paper[0], "A001\n") || strings.Contains(paper[0], "为什么") || strings.Contains(paper[0], "直接到") {
			t.Errorf("%+v %q", got, paper)
		}
		if q := w.hall.asked[0]; q.Business != "household" || q.Reason != "" || len(w.cases()) != 0 {
			t.Errorf("%+v", q)
		}
	})
	atHall(t, "without a link: of the terminal's own", func(h *fakeHall) {
		h.own = true
		for i := range h.all {
			h.all[i].Waiting = -1
		}
	}, func(t *testing.T, w *world) {
		var got service.Queued
		var options service.Choose
		w.play(way(&got, &options)...)
		paper := w.roll.texts()
		if _, counted := options.Options[1].Detail.Args["n"]; counted || !got.Ticket.Own || !strings.Contains(paper[0], "请直接到 3、4 号窗口出示") || strings.Contains(paper[0], "前面还有") {
			t.Errorf("%+v %q", options.Options[1], paper)
		}
	})
	atHall(t, "none was to be had", func(h *fakeHall) { h.take = func(int) error { return service.ErrRefused } }, func(t *testing.T, w *world) {
		var seen service.Trouble
		w.play(lines(start("QUEUE"), []script.Line{script.On("choose", script.Choose("household")),
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))}, leave())...)
		if seen.Code != "E-NO-TICKET" || seen.Do.Args["window"] != "3、4" || w.hall.tries != 1 {
			t.Errorf("%+v", seen)
		}
	})
	atHall(t, "where there is no queue there is no tile", func(h *fakeHall) { h.all = nil }, func(t *testing.T, w *world) {
		if slices.ContainsFunc(w.engine.Tiles(), func(x service.Tile) bool { return x.Code == "QUEUE" }) {
			t.Error("a tile")
		}
	})
}

func TestARefusalOffersANumber(t *testing.T) {
	take := func(seen *service.Trouble) script.Line {
		return script.On("trouble", script.Look(func(p service.Prompt) { *seen = p.(service.Trouble) }, script.Reply(service.TakeTicket{})))
	}
	told := func(seen *service.Trouble) script.Line {
		return script.On("trouble", script.Look(func(p service.Prompt) { *seen = p.(service.Trouble) }, script.Next()))
	}
	ticket := func(seen *service.Queued) script.Line {
		return script.On("ticket", script.Look(func(p service.Prompt) { *seen = p.(service.Queued) }, script.Next()))
	}
	t.Run("on paper, with why and what to bring", func(t *testing.T) {
		refused(t, "excluded", true, func(t *testing.T, w *world) {
			var offered service.Trouble
			var got service.Queued
			w.play(lines(w.known(), []script.Line{take(&offered), ticket(&got)}, leave())...)
			if q := offered.Queue; q == nil || q.Business != "household" || q.Waiting != 6 || offered.NoTicket {
				t.Errorf("%+v", offered)
			}
			if got.Ticket.Number != "A001" || !got.Printed || got.Back || got.What.Words["en"] != "why excluded" || got.Do.Words["en"] != "next excluded" {
				t.Errorf("%+v", got)
			}
			if len(w.hall.asked) != 1 || w.hall.asked[0].Reason != "excluded" || w.hall.asked[0].Visit == "" {
				t.Errorf("%+v", w.hall.asked)
			}
			paper := w.roll.texts()
			if len(paper) != 1 {
				t.Fatalf("%q", paper)
			}
			for _, want := range []string{"A001\n", "户籍业务", "3、4", "6 人", "约 13 分钟", "why excluded", "next excluded", "12345"} {
				if !strings.Contains(paper[0], want) {
					t.Errorf("the slip does not say %q:\n%s", want, paper[0])
				}
			}
			if strings.Contains(paper[0], "张") || len(w.cases()) != 0 {
				t.Errorf("%s", paper[0])
			}
		})
	})
	t.Run("the same visit, the same number", func(t *testing.T) {
		refused(t, "excluded", true, func(t *testing.T, w *world) {
			var offered service.Trouble
			var first, second service.Queued
			again := []script.Line{script.On("home", script.Item("TID")), script.On("choose", script.Choose("self")), take(&offered), ticket(&second)}
			w.play(lines(w.known(), []script.Line{take(&offered), ticket(&first)}, again, leave())...)
			if first.Ticket.Number == "" || first.Ticket.Number != second.Ticket.Number {
				t.Errorf("%+v %+v", first.Ticket, second.Ticket)
			}
		})
	})
	t.Run("without paper it stands on the screen", func(t *testing.T) {
		refused(t, "excluded", true, func(t *testing.T, w *world) {
			w.roll.print = func(int) devices.PrintResult { return devices.PrintResult{Outcome: devices.PrintNotSent} }
			var offered service.Trouble
			var got service.Queued
			w.play(lines(w.known(), []script.Line{take(&offered), ticket(&got)}, leave())...)
			if got.Printed || got.Ticket.Number != "A001" {
				t.Errorf("%+v", got)
			}
		})
	})
	for what, change := range map[string]func(w *world){
		"no window helps":         func(w *world) { w.booth.office.window = false },
		"no queue for this item":  func(w *world) { w.hall.all[1].Items = []string{"SB-P"} },
		"an older platform":       func(w *world) { w.hall.all = nil },
		"the queue does not tell": func(w *world) { w.hall.asking = service.ErrPlatform },
	} {
		t.Run("none: "+what, func(t *testing.T) {
			refused(t, "excluded", true, func(t *testing.T, w *world) {
				change(w)
				var seen service.Trouble
				w.play(lines(w.known(), []script.Line{told(&seen)}, leave())...)
				if seen.Queue != nil || seen.What.IsZero() {
					t.Errorf("%+v", seen)
				}
			})
		})
	}
	t.Run("none was to be had: straight to the window", func(t *testing.T) {
		refused(t, "excluded", true, func(t *testing.T, w *world) {
			w.hall.take = func(int) error { return service.ErrPlatformBusy }
			var offered, after service.Trouble
			w.play(lines(w.known(), []script.Line{take(&offered), script.Maybe("wait", script.Wait()), told(&after)}, leave())...)
			if !after.NoTicket || after.Queue == nil || !slices.Equal(after.Queue.Windows, []string{"3", "4"}) || w.hall.tries != 3 || len(w.roll.texts()) != 0 {
				t.Errorf("%+v after %d tries, paper %q", after, w.hall.tries, w.roll.texts())
			}
		})
	})
	t.Run("busy for a moment", func(t *testing.T) {
		refused(t, "excluded", true, func(t *testing.T, w *world) {
			w.hall.take = func(n int) error {
				if n == 1 {
					return service.ErrPlatformBusy
				}
				return nil
			}
			var offered service.Trouble
			var got service.Queued
			w.play(lines(w.known(), []script.Line{take(&offered), script.Maybe("wait", script.Wait()), ticket(&got)}, leave())...)
			if got.Ticket.Number != "A001" {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("a number that nobody offered", func(t *testing.T) {
		refused(t, "under-age", false, func(t *testing.T, w *world) {
			c := script.New(lines(w.known(), []script.Line{script.On("trouble", script.Reply(service.TakeTicket{}))})...)
			if err := w.engine.Serve(t.Context(), c); !errors.Is(err, service.ErrAnswer) || len(w.hall.asked) != 0 {
				t.Errorf("%v, %+v", err, w.hall.asked)
			}
		})
	})
	t.Run("a case that an official rejected", func(t *testing.T) {
		refused(t, "", false, func(t *testing.T, w *world) {
			w.booth.office.auto = false
			var offered service.Trouble
			var got service.Queued
			w.play(lines(w.applies(), []script.Line{
				script.On("decision", after(time.Minute, func() { w.booth.office.decide(service.StandingRejected, "照片不清楚") })), take(&offered), ticket(&got)}, leave())...)
			c := w.one(journal.Rejected)
			paper := w.roll.texts()
			if offered.Queue == nil || got.Ticket.Number != "A001" || len(paper) == 0 || !strings.Contains(paper[len(paper)-1], c.ReceiptCode) || w.hall.asked[0].Reason != "card-rejected" {
				t.Errorf("%+v %+v %q", offered, got, paper)
			}
		})
	})
}
