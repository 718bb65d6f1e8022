package platform

// The platform as the second witness: what a terminal had shown and has no more is told, with its places.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func TestATerminalThatComesBackWithLessIsAForkAndIsTold(t *testing.T) {
	// Each step is a hello: a run, how long it has lasted, an epoch, where lane tx stands, and where it was left.
	type hello struct {
		boot  string
		ms    int64
		epoch uint32
		seq   uint64
		left  []wire.Left
	}
	left := func(epoch uint32, seq uint64) (all []wire.Left) {
		for _, l := range wire.Lanes {
			at := uint64(0)
			if l == wire.LaneTx {
				at = seq
			}
			all = append(all, wire.Left{Epoch: epoch, Lane: l, Seq: at})
		}
		return all
	}
	for name, c := range map[string]struct {
		before []hello
		then   hello
		epoch  uint32 // that is ordered then
		told   string // "" nothing
	}{
		"it goes on":                        {[]hello{{"a", 1, 1, 16, nil}}, hello{"b", 1, 1, 16, nil}, 1, ""},
		"set back":                          {[]hello{{"a", 1, 1, 16, nil}}, hello{"b", 1, 1, 8, nil}, 2, "lane tx, epoch 1: from 9 on gone from the terminal, known up to 16, held up to 0, perhaps also from 1 on"},
		"set back twice":                    {[]hello{{"a", 1, 1, 16, nil}, {"b", 1, 1, 8, nil}, {"b", 2, 2, 5, left(1, 8)}}, hello{"c", 1, 1, 8, nil}, 3, "lane tx, epoch 2: from 1 on gone from the terminal, known up to 5, held up to 0"},
		"set back twice, never heard since": {[]hello{{"a", 1, 1, 16, nil}, {"b", 1, 1, 8, nil}}, hello{"c", 1, 1, 8, nil}, 2, "lane tx, epoch 2: from 1 on gone from the terminal, known up to 0, held up to 0"},
		"the order was lost on the way":     {[]hello{{"a", 1, 1, 16, nil}, {"b", 1, 1, 8, nil}}, hello{"b", 2, 1, 8, nil}, 2, ""},
		"told once":                         {[]hello{{"a", 1, 1, 16, nil}, {"b", 1, 1, 8, nil}}, hello{"b", 2, 2, 1, left(1, 8)}, 2, ""},
		"delivered late":                    {[]hello{{"a", 1, 1, 8, nil}, {"a", 3, 1, 16, nil}}, hello{"a", 2, 1, 12, nil}, 1, ""},
		"delivered late, of the run before": {[]hello{{"a", 3, 1, 12, nil}, {"b", 1, 1, 16, nil}}, hello{"a", 2, 1, 8, nil}, 1, ""},
		"a clone of the run before":         {[]hello{{"a", 3, 1, 12, nil}, {"b", 1, 1, 16, nil}}, hello{"a", 4, 1, 12, nil}, 2, "lane tx, epoch 1: from 13 on gone from the terminal, known up to 16, held up to 0, perhaps also from 1 on"},
		"a new disk":                        {[]hello{{"a", 1, 1, 16, nil}}, hello{"b", 1, 1, 0, nil}, 2, "lane tx, epoch 1: from 1 on gone from the terminal, known up to 16, held up to 0"},
		"recovered, and lost a tail":        {[]hello{{"a", 1, 1, 16, nil}}, hello{"b", 1, 2, 12, left(1, 12)}, 3, "lane tx, epoch 1: from 13 on gone from the terminal, known up to 16, held up to 0, perhaps also from 1 on"},
		"recovered, and lost nothing":       {[]hello{{"a", 1, 1, 16, nil}}, hello{"b", 1, 2, 16, left(1, 16)}, 3, ""},
		"it skipped the epoch it was in":    {[]hello{{"a", 1, 1, 5, nil}, {"a", 2, 2, 7, left(1, 5)}}, hello{"b", 1, 4, 2, left(1, 3)}, 5, "lane tx, epoch 2: from 1 on gone from the terminal, known up to 7, held up to 0"},
		"nobody knows any more":             {[]hello{{"a", 1, 1, 5, nil}}, hello{"b", 1, 9, 2, left(8, 3)}, 10, ""},
		"a program that names no run":       {[]hello{{"", 0, 1, 16, nil}}, hello{"", 0, 1, 8, nil}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newServer(t)
			p := enrolled(t, s, "990000-0001")
			say := func(h hello) (w wire.Welcome) {
				t.Helper()
				out := p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: h.epoch, Boot: h.boot, MS: h.ms, Left: h.left, Compared: true,
					Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: h.seq}}})
				if err := json.Unmarshal(out.Body.Bytes(), &w); err != nil || out.Code != http.StatusOK {
					t.Fatalf("%d %s", out.Code, out.Body)
				}
				return w
			}
			for _, h := range c.before {
				say(h)
			}
			already := gone(t, s)
			if w := say(c.then); w.Epoch != c.epoch {
				t.Errorf("epoch %d is ordered, want %d", w.Epoch, c.epoch)
			}
			told := gone(t, s)[len(already):]
			// Of the other lanes only what was never shown can be gone.
			rest := slices.DeleteFunc(slices.Clone(told), func(g string) bool { return g == c.told })
			want := 4 // and of the epochs since, when it is back in an earlier one
			if last := c.before[len(c.before)-1].epoch; last > c.then.epoch {
				want += 4 * int(last-c.then.epoch)
			}
			if c.told == "" && len(told) > 0 || c.told != "" && (len(told) != want || len(rest) != want-1) || strings.Contains(strings.Join(rest, ""), "known up to 1") {
				t.Errorf("told %q, want %q", told, c.told)
			}
		})
	}
}

// A disk that was set back, wrote as far as before and was then recovered shows places that it had shown, and fewer changes: what lay
// there the first time may be lost.
func TestALaneThatGrewAgainToWhereItWasIsNotTrusted(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	say := func(boot string, epoch uint32, change uint64, left []wire.Left) {
		t.Helper()
		if out := p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: epoch, Boot: boot, MS: 1, Compared: true, Change: change, Left: left,
			Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: 12}}}); out.Code != http.StatusOK {
			t.Fatalf("%d %s", out.Code, out.Body)
		}
	}
	say("a", 1, 90, nil)
	var left []wire.Left
	for _, l := range wire.Lanes {
		left = append(left, wire.Left{Epoch: 1, Lane: l, Seq: map[bool]uint64{true: 12}[l == wire.LaneTx], Change: 80})
	}
	say("b", 2, 85, left)
	if told := gone(t, s); !slices.Contains(told, "lane tx, epoch 1: from 13 on gone from the terminal, known up to 12, held up to 0, perhaps also from 1 on") {
		t.Errorf("told %q", told)
	}
}

// What is told of an epoch that was ordered and never heard of does not stand for a comparison: a disk that was set back and has grown
// again still has to be shown what lay there, also when the first answer was lost.
func TestAnEpochThatWasNeverHeardOfHidesNoLoss(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	say := func(boot string, ms int64, epoch uint32, hash byte, compared bool, left ...wire.Left) (w wire.Welcome) {
		t.Helper()
		out := p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: epoch, Boot: boot, MS: ms, Compared: compared, Left: left,
			Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: 1, Hash: wire.Hash{hash}}}})
		if err := json.Unmarshal(out.Body.Bytes(), &w); err != nil || out.Code != http.StatusOK {
			t.Fatalf("%d %s", out.Code, out.Body)
		}
		return w
	}
	var left []wire.Left
	for _, l := range wire.Lanes {
		at := uint64(0)
		if l == wire.LaneTx {
			at = 1
		}
		left = append(left, wire.Left{Epoch: 1, Lane: l, Seq: at})
	}
	say("a", 1, 1, 7, false)
	say("a", 2, 1, 7, true)
	if w := say("b", 1, 2, 7, false, left...); w.Epoch != 3 { // recovered, in an epoch of its own
		t.Fatalf("epoch %d is ordered", w.Epoch)
	}
	say("c", 1, 1, 8, false) // set back, another record at the same place; the answer is lost
	if all := strings.Join(gone(t, s), "\n"); !strings.Contains(all, "lane tx, epoch 3: from 1 on gone") {
		t.Errorf("told: %q", all)
	}
	if w := say("c", 2, 1, 8, false); w.Shown[wire.LaneTx].Hash != (wire.Hash{7}) {
		t.Errorf("shown before: %+v, want what the first disk had", w.Shown[wire.LaneTx])
	}
}

// The last word of a run that was killed may come after the first of the next: it waited for the store.
func TestTheLastHelloOfARunThatIsOverOrdersNothing(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	hello := func(boot string, ms int64, seq uint64) *http.Request {
		t.Helper()
		time.Sleep(10 * time.Millisecond) // signed times are whole milliseconds
		body, err := json.Marshal(wire.Hello{Terminal: p.id, Epoch: 1, Boot: boot, MS: ms, Compared: true, Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: seq}}})
		if err != nil {
			t.Fatal(err)
		}
		return p.request(http.MethodPost, wire.PathHello, body)
	}
	deliver := func(r *http.Request) (w wire.Welcome) {
		t.Helper()
		out := httptest.NewRecorder()
		s.Handler().ServeHTTP(out, r)
		if err := json.Unmarshal(out.Body.Bytes(), &w); err != nil || out.Code != http.StatusOK {
			t.Fatalf("%d %s", out.Code, out.Body)
		}
		return w
	}
	deliver(hello("a", 1, 8))
	for _, run := range []string{"a", "never heard"} {
		late := hello(run, 5, 12)
		deliver(hello("b", int64(len(run)), 16))
		out := httptest.NewRecorder()
		s.Handler().ServeHTTP(out, late)
		if got := code(out); got != "E-CLOCK" || len(gone(t, s)) > 0 {
			t.Errorf("run %s: %q, %q", run, got, gone(t, s))
		}
	}
	if w := deliver(hello("c", 1, 12)); w.Epoch != 2 {
		t.Errorf("a disk that was set back: epoch %d is ordered", w.Epoch)
	}
}

// A disk that was set back may meet the platform with a clock that lags behind what the platform last heard from it. Until its hello
// has been compared it is told nothing that it could go on from, so that the trace of what it lost is not written over.
func TestAClockThatLagsHidesNoLoss(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	say := func(ahead time.Duration, boot string, seq uint64) *httptest.ResponseRecorder {
		t.Helper()
		p.ahead = ahead
		return p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: 1, Boot: boot, MS: 1,
			Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: seq}, wire.LaneAudit: {Seq: seq}}})
	}
	say(0, "a", 16)
	if got := code(say(-5*time.Second, "b", 9)); got != "E-CLOCK" {
		t.Errorf("a hello from before the last one: %q", got)
	}
	var w wire.Welcome
	if err := json.Unmarshal(say(time.Second, "b", 9).Body.Bytes(), &w); err != nil || w.Epoch != 2 {
		t.Errorf("epoch %d is ordered, %v", w.Epoch, err)
	}
	if told := gone(t, s); !slices.Contains(told, "lane tx, epoch 1: from 10 on gone from the terminal, known up to 16, held up to 0, perhaps also from 1 on") {
		t.Errorf("%q", told)
	}
}

// A change that is about no record is seen to be gone too, by the number of changes.
func TestFewerChangesAreAForkToo(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	hello := func(boot string, epoch uint32, change uint64, left ...wire.Left) (w wire.Welcome) {
		t.Helper()
		out := p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: epoch, Boot: boot, MS: 1, Change: change, Left: left, Compared: true,
			Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: 8}}})
		if err := json.Unmarshal(out.Body.Bytes(), &w); err != nil || out.Code != http.StatusOK {
			t.Fatalf("%d %s", out.Code, out.Body)
		}
		return w
	}
	hello("a", 1, 90)
	hello("b", 1, 90)
	if w := hello("c", 1, 91); w.Epoch != 1 || len(gone(t, s)) > 0 {
		t.Errorf("epoch %d, %q", w.Epoch, gone(t, s))
	}
	if w := hello("d", 1, 89); w.Epoch != 2 || len(gone(t, s)) != 4 {
		t.Errorf("epoch %d, %q", w.Epoch, gone(t, s))
	}
	// A recovered journal has had changes since; it tells how many it had when it left the epoch.
	hello("d", 2, 95)
	var left []wire.Left
	for _, l := range wire.Lanes {
		left = append(left, wire.Left{Epoch: 2, Lane: l, Seq: 8, Change: 94})
	}
	if w := hello("e", 3, 99, left...); w.Epoch != 4 || len(gone(t, s)) != 8 {
		t.Errorf("epoch %d, %q", w.Epoch, gone(t, s))
	}
}

// gone are the events about records that are gone, oldest first.
func gone(t *testing.T, s *Server) (all []string) {
	t.Helper()
	events, err := s.SecurityEvents(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Event == EventGone {
			all = append([]string{e.Why}, all...)
		}
	}
	return all
}

// What was delivered after the last hello is known as well, and the event says up to where it is held.
func TestWhatWasDeliveredCountsAsShown(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	hello := func(boot string, seq uint64) {
		t.Helper()
		w := p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: 1, Boot: boot, MS: 1,
			Lanes: map[wire.Lane]wire.LanePoint{wire.LaneAudit: {Seq: seq}}})
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	hello("a", 0)
	a := &auditLane{peer: p, epoch: 1}
	a.push(a.add(wire.TypeAudit, line()), a.add(wire.TypeAudit, line()))
	hello("b", 1)
	if got, want := gone(t, s), "lane audit, epoch 1: from 2 on gone from the terminal, known up to 2, held up to 2"; len(got) != 4 || !slices.Contains(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The last epoch there can be is the last.
func TestEpochsEnd(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	hello := func(epoch uint32) string {
		return code(p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: epoch, Lanes: map[wire.Lane]wire.LanePoint{}}))
	}
	for _, epoch := range []uint32{wire.MaxEpoch, wire.MaxEpoch + 1, 1<<32 - 1} {
		if got := hello(epoch); got != "E-EPOCH" {
			t.Errorf("epoch %d: %q", epoch, got)
		}
	}
	if got := hello(1); got != "" {
		t.Errorf("afterwards: %q", got)
	}
	if got := hello(wire.MaxEpoch - 1); got != "" {
		t.Errorf("the last but one: %q", got)
	}
}

// An answer may get lost, and with it what the terminal was to compare: it is shown again until the terminal has compared.
func TestWhatWasShownIsShownUntilItIsCompared(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	hello := func(boot string, seq uint64, compared bool) uint64 {
		t.Helper()
		var w wire.Welcome
		out := p.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: p.id, Epoch: 1, Boot: boot, MS: 1, Compared: compared,
			Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: seq}}})
		if err := json.Unmarshal(out.Body.Bytes(), &w); err != nil || out.Code != http.StatusOK {
			t.Fatalf("%d %s", out.Code, out.Body)
		}
		return w.Shown[wire.LaneTx].Seq
	}
	hello("a", 16, true)
	for i, step := range []struct {
		seq      uint64
		compared bool
		want     uint64
	}{{20, false, 16}, {21, false, 16}, {22, true, 16}, {23, true, 22}} {
		if got := hello("b", step.seq, step.compared); got != step.want {
			t.Errorf("hello %d: %d was shown before, want %d", i, got, step.want)
		}
	}
}
