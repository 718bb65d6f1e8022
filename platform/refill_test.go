package platform

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

// lose takes records out of the store, as a restore from an old copy does.
func lose(t *testing.T, s *Server, q string, args ...any) {
	t.Helper()
	if err := s.store.Update(t.Context(), func(tx Tx) error { return tx.(*sqlTx).exec(q, args...) }); err != nil {
		t.Fatal(err)
	}
}

func TestARefillMustFitBetweenItsNeighbours(t *testing.T) {
	s, _ := newServer(t)
	p, q := newPeer(t, s, "990000-0001"), newPeer(t, s, "990000-0002")
	p.enroll(p.code())
	q.enroll(q.code())
	var all []wire.Record
	for range 6 {
		all = append(all, p.record(wire.TypeCaseOpened, uuid.NewString(), wire.CaseOpened{Item: "i", ReceiptCode: uuid.NewString(), State: "SUBMITTED", At: time.Now()}))
	}
	p.sends(all...)
	lose(t, s, `DELETE FROM records WHERE seq IN (3, 4)`)
	lose(t, s, `DELETE FROM cases WHERE id IN (?, ?)`, all[2].Case, all[3].Case)

	refill := func(p *peer, b wire.Batch) string { t.Helper(); return code(p.do("POST", wire.PathRefill, b)) }
	other := p.record(wire.TypeAudit, "", wire.AuditEntry{Event: "another history"})
	other.Seq, other.Prev = 3, all[1].Header.Hash()
	unsigned := p.batch(all[2], all[3])
	unsigned.Signature = q.sign(unsigned.SigningBytes())
	for what, c := range map[string]struct {
		by   *peer
		b    wire.Batch
		want string
	}{
		"another history before 4": {p, p.batch(all[3], all[4]), ""}, // 3 is not held: what can be compared fits
		"unsigned":                 {p, unsigned, "E-BATCH"},
		"another terminal's":       {q, p.batch(all[2], all[3]), "E-BATCH"},
	} {
		if got := refill(c.by, c.b); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	lose(t, s, `DELETE FROM records WHERE seq = 4`)
	lose(t, s, `DELETE FROM cases WHERE id = ?`, all[3].Case)
	if got := refill(p, p.batch(other)); got != "" { // 4 is not held either, so that nobody can tell yet
		t.Errorf("%q", got)
	}
	if got := refill(p, p.batch(all[2], all[3])); got != "E-FORK" {
		t.Errorf("over another history: %q", got)
	}
	lose(t, s, `DELETE FROM records WHERE seq = 3`)
	w := p.do("POST", wire.PathRefill, p.batch(all[1:5]...))
	var a wire.Ack
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.High != 5 || len(a.Outcomes) != 4 ||
		a.Outcomes[0].Status != wire.Duplicate || a.Outcomes[1].Status != wire.Accepted || a.Outcomes[3].Status != wire.Duplicate {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	beyond := p.record(wire.TypeAudit, "", wire.AuditEntry{Event: "e"})
	beyond.Seq, beyond.Prev = 7, all[5].Header.Hash()
	if got := refill(p, p.batch(beyond)); got != "E-GAP" {
		t.Errorf("what continues a lane: %q", got)
	}
	later := all[5]
	later.Epoch = 2
	b := wire.Batch{V: 1, Terminal: p.id, Epoch: 2, Lane: wire.LaneTx, Records: []wire.Record{later}}
	b.Signature = p.sign(b.SigningBytes())
	if got := refill(p, b); got != "E-FORK" {
		t.Errorf("an epoch that is not known: %q", got)
	}
	cases, err := s.Cases(t.Context(), 10)
	if err != nil || len(cases) != 6 {
		t.Errorf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		if c.Times != 1 {
			t.Errorf("case opened %d times", c.Times)
		}
	}
	// Nothing moved: the lane goes on where it stood.
	p.last = all[5].Header
	if out := p.sends(p.record(wire.TypeAudit, "", wire.AuditEntry{Event: "next"})); out[0].Status != wire.Accepted || out[0].Seq != 7 {
		t.Errorf("%+v", out)
	}
}

// A range that an operator asks for may hold earlier words about cases that have long ended: the last word stays the last, about
// a case and about an effect. What is filled in behind the held ones is the last word itself.
func TestARefillDoesNotMoveACaseBack(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) {
			s, err := New(t.Context(), Config{Dir: t.TempDir(), Store: e.open(t, e.place(t))})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			p := enrolled(t, s, "990000-0001")
			id := uuid.NewString()
			at := time.Now().UTC().Truncate(time.Millisecond)
			state := func(name string) wire.Record {
				return p.record(wire.TypeCaseState, id, wire.CaseState{State: name, At: at})
			}
			effect := func(name string) wire.Record {
				return p.record(wire.TypeEffect, id, wire.EffectOutcome{Effect: id + "/print/0001", Kind: "print-document", State: name, At: at})
			}
			all := []wire.Record{
				p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "i", ReceiptCode: "03-20261129-000001", State: "SUBMITTED", At: at}),
				state("PRINTING"), effect("unknown"), state("PRINT_UNKNOWN"), effect("done"), state("PRINTED"), state("CLOSED"),
			}
			p.sends(all...)
			is := func(wantState, wantEffect string) {
				t.Helper()
				err := s.store.View(t.Context(), func(tx Tx) error {
					c, err := tx.Case(id)
					if err != nil || c.State != wantState || c.Times != 1 {
						t.Errorf("case is %s, opened %d times, want %s: %v", c.State, c.Times, wantState, err)
					}
					var got string
					if err := tx.(*sqlTx).row(`SELECT state FROM effects WHERE name = ?`, []any{id + "/print/0001"}, &got); err != nil || got != wantEffect {
						t.Errorf("effect is %q, want %q: %v", got, wantEffect, err)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
			is("CLOSED", "done")
			lose(t, s, `DELETE FROM records WHERE seq IN (2, 3, 4)`)
			if got := code(p.do("POST", wire.PathRefill, p.batch(all[1:4]...))); got != "" {
				t.Fatal(got)
			}
			is("CLOSED", "done")
			// The end of a lane was lost with what it told, and a later record of another case came since.
			other := p.record(wire.TypeCaseOpened, uuid.NewString(), wire.CaseOpened{Item: "i", ReceiptCode: "03-20261129-000002", State: "SUBMITTED", At: at})
			p.sends(other)
			lose(t, s, `DELETE FROM records WHERE seq IN (5, 6, 7)`)
			lose(t, s, `UPDATE cases SET state = 'PRINT_UNKNOWN' WHERE id = ?`, id)
			lose(t, s, `UPDATE effects SET state = 'unknown'`)
			if got := code(p.do("POST", wire.PathRefill, p.batch(all[4:7]...))); got != "" {
				t.Fatal(got)
			}
			is("CLOSED", "done")
		})
	}
}

func TestTheOrderInWhichRecordsWereWritten(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	r := func(name, terminal string, lease uint64, epoch uint32, seq uint64, boot string, mono int64, wall time.Duration) RecordRow {
		return RecordRow{Record: wire.Record{Header: wire.Header{ID: name, Terminal: terminal, Lease: lease, Epoch: epoch, Seq: seq, Boot: boot, Mono: mono, Wall: at.Add(wall)}}}
	}
	for name, all := range map[string][]RecordRow{ // as they were written
		"a clock that was set back between two runs": {r("d", "T", 0, 1, 1, "x", 5, time.Hour), r("c", "T", 0, 1, 2, "y", 1, 0), r("b", "T", 0, 1, 3, "y", 2, time.Minute)},
		"the beginning came again in a later epoch":  {r("a", "T", 0, 3, 1, "x", 1, 0), r("b", "T", 0, 3, 2, "x", 2, 0), r("c", "T", 0, 1, 9, "x", 3, 0), r("d", "T", 0, 1, 10, "y", 0, time.Second)},
		"at one moment of one run":                   {r("a", "T", 0, 2, 1, "x", 1, 0), r("b", "T", 0, 1, 9, "x", 1, 0)},
		"a case that went to another terminal":       {r("z", "T", 0, 1, 700, "x", 9, time.Hour), r("y", "U", 1, 1, 3, "u", 1, 0), r("x", "T", 2, 1, 701, "x", 99, time.Minute)},
	} {
		for range 10 {
			mixed := slices.Clone(all)
			rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			for i, got := range asWritten(mixed) {
				if got.ID != all[i].ID {
					t.Errorf("%s: at %d is %s, want %s", name, i, got.ID, all[i].ID)
				}
			}
		}
	}
}
