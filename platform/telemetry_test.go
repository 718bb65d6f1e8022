package platform

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

func samples(p *peer, epoch uint32, seqs ...uint64) wire.Samples {
	s := wire.Samples{V: 1, Terminal: p.id, Epoch: epoch}
	for _, n := range seqs {
		s.Samples = append(s.Samples, wire.Sample{Seq: n, Wall: time.Now().UTC().Truncate(time.Millisecond), Telemetry: wire.Telemetry{Waiting: n, Disk: 5 << 30}})
	}
	return s
}

func TestTelemetryIsTakenAndItsLossCounted(t *testing.T) {
	s, _ := newServer(t)
	p, other := enrolled(t, s, "990000-0001"), enrolled(t, s, "990000-0002")
	for _, c := range []struct {
		epoch      uint32
		seqs       []uint64
		high, lost uint64
		code       string
	}{
		{1, []uint64{4, 5}, 5, 0, ""}, // what was before the first is not known
		{1, []uint64{4, 5}, 5, 0, ""}, // the same again
		{1, []uint64{5, 6, 9}, 9, 2, ""},
		{1, []uint64{20}, 20, 12, ""},
		{2, []uint64{1}, 0, 0, "E-FORK"}, // an epoch that was not ordered
		{1, []uint64{3, 2}, 0, 0, "E-MALFORMED"},
		{1, nil, 0, 0, "E-MALFORMED"},
	} {
		w := p.do("POST", wire.PathTelemetry, samples(p, c.epoch, c.seqs...))
		var held wire.SamplesHeld
		if got := code(w); got != c.code || c.code == "" && (json.Unmarshal(w.Body.Bytes(), &held) != nil || held != wire.SamplesHeld{High: c.high, Lost: c.lost}) {
			t.Errorf("%d/%v: %d %s", c.epoch, c.seqs, w.Code, w.Body)
		}
	}
	if got := code(p.do("POST", wire.PathTelemetry, samples(other, 1, 1))); got != "E-MALFORMED" {
		t.Errorf("another terminal's: %s", got)
	}
	if got := code(open(s, "POST", wire.PathTelemetry, samples(p, 1, 30))); got != "E-AUTH" {
		t.Errorf("unsigned: %s", got)
	}
	// A day of it is kept and no more.
	for n := uint64(100); n < 800; n += 100 {
		var seqs []uint64
		for i := range uint64(100) {
			seqs = append(seqs, n+i)
		}
		if w := p.do("POST", wire.PathTelemetry, samples(p, 1, seqs...)); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	if err := s.store.View(t.Context(), func(tx Tx) error {
		all, err := tx.Samples(p.id, 10_000)
		if len(all) != samplesKept || all[0].Seq != 799 || all[0].Lost != 12+79 {
			t.Errorf("%d, last %+v", len(all), all[0])
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b := (&loginRig{Server: s, t: t}).account("wang", staff.Viewer)
	var o overview
	if w := b.send("GET", "/overview.json", nil); json.Unmarshal(w.Body.Bytes(), &o) != nil || o.Terminals[0].Sample == nil || o.Terminals[0].Sample.Waiting != 799 ||
		o.Terminals[0].Sample.Lost != 91 || o.Terminals[0].Sample.Disk != 5<<10 || o.Terminals[1].Sample != nil {
		t.Errorf("%s", w.Body)
	}
	if w := b.send("GET", "/terminals/990000-0001", nil); !strings.Contains(w.Body.String(), "<td>799</td>") || !strings.Contains(w.Body.String(), "<td>91</td>") {
		t.Errorf("%s", w.Body)
	}
}

// While somebody waits for a place there is none for telemetry.
func TestTelemetryGoesLast(t *testing.T) {
	s, _ := newServer(t)
	p := enrolled(t, s, "990000-0001")
	s.gate.places = 1
	leave, _ := s.gate.enter(t.Context(), "somebody")
	w := p.do("POST", wire.PathTelemetry, samples(p, 1, 1))
	if code(w) != "E-BUSY" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	leave()
	if w := p.do("POST", wire.PathTelemetry, samples(p, 1, 1)); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
