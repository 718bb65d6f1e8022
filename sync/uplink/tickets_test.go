package uplink

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/budayang/kiosk/sync/wire"
)

func aQueue() wire.Queue {
	return wire.Queue{Business: "household", Letter: "A", Name: map[string]string{"zh": "户籍业务", "en": "Household registration"}, Items: []string{"TID"}, Windows: []string{"3"}, Waiting: 2, Wait: 60}
}

func TestQueuesThatCannotBeShown(t *testing.T) {
	if err := checkQueues([]wire.Queue{aQueue()}); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*wire.Queue){
		"letter": func(q *wire.Queue) { q.Letter = "a" }, "no letter": func(q *wire.Queue) { q.Letter = "" }, "business": func(q *wire.Queue) { q.Business = strings.Repeat("字", 33) },
		"no English": func(q *wire.Queue) { delete(q.Name, "en") }, "long name": func(q *wire.Queue) { q.Name["zh"] = strings.Repeat("字", 65) },
		"control": func(q *wire.Queue) { q.Windows = []string{"3\x1b@"} }, "many windows": func(q *wire.Queue) { q.Windows = make([]string, 65) },
		"fewer than nobody": func(q *wire.Queue) { q.Waiting = -1 }, "wait": func(q *wire.Queue) { q.Wait = 1 << 40 },
	} {
		q := aQueue()
		change(&q)
		if err := checkQueues([]wire.Queue{q}); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := checkQueues(make([]wire.Queue, wire.MaxQueues+1)); !errors.Is(err, ErrGarbled) {
		t.Error(err)
	}
	asked := wire.TicketRequest{Key: "visit-0001", Business: "household"}
	good := wire.Ticket{Key: asked.Key, Business: asked.Business, Number: "A001", Name: aQueue().Name, Windows: []string{"3"}}
	if err := checkTicket(good, asked); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*wire.Ticket, *wire.TicketRequest){
		"another visit": func(x *wire.Ticket, _ *wire.TicketRequest) { x.Key = "visit-0002" }, "another business": func(x *wire.Ticket, _ *wire.TicketRequest) { x.Business = "social" },
		"no number": func(x *wire.Ticket, _ *wire.TicketRequest) { x.Number = "" }, "another than its own": func(_ *wire.Ticket, r *wire.TicketRequest) { r.Number = "A03-1422" },
	} {
		x, r := good, asked
		change(&x, &r)
		if err := checkTicket(x, r); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whatever a platform answers: what is believed is short and printable.
func FuzzTickets(f *testing.F) {
	for _, v := range []any{wire.Queues{Queues: []wire.Queue{aQueue()}}, wire.Ticket{Key: "visit-0001", Business: "household", Number: "A001", Name: aQueue().Name, Windows: []string{"3"}}} {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"queues":[{"letter":"A"}]}`))
	f.Add([]byte(`{"key":"visit-0001","business":"household","number":"\u001b@"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		sound := func(all ...string) {
			for _, s := range all {
				if !utf8.ValidString(s) || utf8.RuneCountInString(s) > wire.MaxTicketName || strings.ContainsFunc(s, unicode.IsControl) {
					t.Errorf("believed %q", s)
				}
			}
		}
		var q wire.Queues
		if json.Unmarshal(b, &q) == nil && checkQueues(q.Queues) == nil {
			for _, x := range q.Queues {
				sound(append(x.Windows, x.Business, x.Letter, x.Name["zh"], x.Name["en"])...)
			}
		}
		var x wire.Ticket
		if json.Unmarshal(b, &x) == nil && checkTicket(x, wire.TicketRequest{Key: "visit-0001", Business: "household"}) == nil {
			sound(append(x.Windows, x.Number, x.Name["zh"], x.Name["en"])...)
		}
	})
}
