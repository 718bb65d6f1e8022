package platform

// Whatever people, terminals, printers and power cuts do, no case has two cards.

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// printerOf is a terminal as the permits' rules allow one: it prints on a blank only under a permit for it that has not run out, and
// tells of its blanks late or at once.
type printerOf struct {
	*peer
	lease uint64
	told  []wire.Record
}

// worldOfBlanks is what is really so, beside what the platform was told.
type worldOfBlanks struct {
	holder map[string]*printerOf      // case → the terminal that holds it
	state  map[string]wire.BlankState // blank → where it really is
	owner  map[string]string          // blank → case
	at     map[string]*printerOf
	permit map[string]wire.Permit // blank → the permit in hand
}

// fewer has a few histories drawn under the race detector: make unit draws them all without it.
func fewer(t *testing.T) {
	if !raceDetector {
		return
	}
	was := flag.Lookup("rapid.checks").Value.String()
	t.Cleanup(func() { _ = flag.Set("rapid.checks", was) })
	if err := flag.Set("rapid.checks", "15"); err != nil {
		t.Fatal(err)
	}
}

func TestNeverTwoCardsForOneCase(t *testing.T) {
	fewer(t)
	histories := 0
	rapid.Check(t, func(rt *rapid.T) {
		histories++
		box := &mailbox{}
		ahead := time.Duration(0)
		s, err := New(t.Context(), Config{Dir: t.TempDir(), SMS: box, Now: func() time.Time { return time.Now().Add(ahead) },
			Pay: PayConfig{Tariff: Prices{Items: map[string]pay.Fen{"TID": 0}}}})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		terminals := []*printerOf{{peer: enrolled(t, s, "990000-0001")}, {peer: enrolled(t, s, "990000-0002")}}
		w := worldOfBlanks{map[string]*printerOf{}, map[string]wire.BlankState{}, map[string]string{}, map[string]*printerOf{}, map[string]wire.Permit{}}
		var cases []wire.CardApplication
		for _, place := range []int{0, 1} {
			_, a := terminals[0].applies(box, place)
			if err := s.DecideCard(t.Context(), a.Key, 1, true, Operator{Who: "chen"}); err != nil {
				rt.Fatal(err)
			}
			cases, w.holder[a.Key] = append(cases, a), terminals[0]
		}
		flush := func(x *printerOf) {
			if len(x.told) > 0 {
				x.sends(x.told...)
				x.told = nil
			}
		}
		move := func(x *printerOf, blank string, to wire.BlankState) {
			w.state[blank] = to
			r := x.under(x.lease, wire.TypeStock, w.owner[blank], wire.StockMove{Kind: "card", ID: blank, Number: blank, To: to, At: s.now()})
			x.told = append(x.told, r)
		}
		someBlank := func(with wire.BlankState) string {
			var all []string
			for i := range 6 {
				if b := fmt.Sprint("B", i); w.state[b] == with {
					all = append(all, b)
				}
			}
			if len(all) == 0 {
				return ""
			}
			return rapid.SampledFrom(all).Draw(rt, "blank")
		}
		cards := func(caseID string) (n int) {
			for b, owner := range w.owner {
				_, permitted := w.permit[b] // on any other nothing was printed
				if st := w.state[b]; owner == caseID && permitted && (st == wire.BlankPresented || st == wire.BlankTaken || st == wire.BlankSent || st == wire.BlankDoubt || st == wire.BlankRetained) {
					n++ // may exist
				}
			}
			return n
		}
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			a := cases[rapid.IntRange(0, len(cases)-1).Draw(rt, "case")]
			x := w.holder[a.Key]
			switch rapid.SampledFrom([]string{"bind", "permit", "permit elsewhere", "print", "present", "take", "spoil", "retain", "doubt", "decide", "tell", "time"}).Draw(rt, "act") {
			case "bind":
				if b := someBlank(""); b != "" {
					w.owner[b], w.at[b] = a.Key, x
					move(x, b, wire.BlankBound)
				}
			case "permit":
				b := someBlank(wire.BlankBound)
				if b == "" {
					break
				}
				if p, r := x.permit(a.Key, b); r.Code == 200 {
					if w.owner[b] != a.Key && len(w.at[b].told) == 0 {
						rt.Fatalf("%s is %s's, and was permitted to %s", b, w.owner[b], a.Key)
					}
					if w.owner[b] == a.Key {
						w.permit[b] = p
					}
				}
			case "permit elsewhere":
				other := terminals[1]
				if _, r := other.permit(a.Key, fmt.Sprint("B", 7+len(w.owner))); r.Code == 200 {
					rt.Fatal("a terminal that does not hold the case got a permit")
				}
			case "print":
				b := someBlank(wire.BlankBound)
				if p, has := w.permit[b]; b != "" && has && s.now().Before(p.Expires) && p.Key == w.owner[b] {
					if n := cards(p.Key); n > 0 {
						rt.Fatalf("a permit on %s while %d blanks of the case may be cards: %v", b, n, w.state)
					}
					move(w.at[b], b, wire.BlankSent)
				}
			case "present":
				if b := someBlank(wire.BlankSent); b != "" {
					move(w.at[b], b, wire.BlankPresented)
				}
			case "take":
				if b := someBlank(wire.BlankPresented); b != "" {
					move(w.at[b], b, wire.BlankTaken)
				}
			case "spoil":
				if b := someBlank(rapid.SampledFrom([]wire.BlankState{wire.BlankBound, wire.BlankSent}).Draw(rt, "of")); b != "" {
					move(w.at[b], b, wire.BlankSpoiled)
				}
			case "retain":
				if b := someBlank(rapid.SampledFrom([]wire.BlankState{wire.BlankSent, wire.BlankPresented}).Draw(rt, "of")); b != "" {
					move(w.at[b], b, wire.BlankRetained)
				}
			case "doubt": // a power cut
				if b := someBlank(rapid.SampledFrom([]wire.BlankState{wire.BlankBound, wire.BlankSent, wire.BlankPresented}).Draw(rt, "of")); b != "" {
					move(w.at[b], b, wire.BlankDoubt)
				}
			case "decide": // two people
				if b := someBlank(rapid.SampledFrom([]wire.BlankState{wire.BlankDoubt, wire.BlankRetained}).Draw(rt, "of")); b != "" {
					to := rapid.SampledFrom([]wire.BlankState{wire.BlankTaken, wire.BlankSpoiled}).Draw(rt, "to")
					if _, permitted := w.permit[b]; !permitted {
						to = wire.BlankSpoiled
					}
					move(w.at[b], b, to)
				}
			case "tell":
				flush(x)
			case "time":
				ahead += rapid.SampledFrom([]time.Duration{time.Minute, permitLife}).Draw(rt, "passes")
			}
		}
		for _, x := range terminals {
			flush(x)
		}
		for _, a := range cases {
			made := 0
			for b, owner := range w.owner {
				if owner == a.Key && (w.state[b] == wire.BlankTaken || w.state[b] == wire.BlankPresented) {
					made++
				}
			}
			if made > 1 {
				rt.Fatalf("%d cards of one case: %v", made, w.state)
			}
			c, r := w.holder[a.Key].card("GET", "/"+a.Key, nil)
			if r.Code != 200 || (c.State == wire.CardIssued) != (made == 1) {
				rt.Fatalf("%d cards, and the platform says %s", made, c.State)
			}
		}
	})
	t.Logf("%d histories", histories)
}
