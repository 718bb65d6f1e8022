package journal_test

// Random work with restarts, faults of the platform and new epochs: whatever the order, the journal verifies, loses nothing
// and does nothing twice.

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// machine is a journal with a model of what must be in it and of an honest platform.
type machine struct {
	j     *journal.Journal
	path  string
	opt   journal.Options
	cases []string
	state map[string]journal.State
	acts  map[string]int // effect → times acted
	held  map[string]int // record id → times the platform took it as new
	epoch uint32
}

func (m *machine) open(t *rapid.T) {
	j, err := journal.Open(m.path, m.opt)
	if err != nil {
		t.Fatal(err)
	}
	m.j = j
}

func (m *machine) some(t *rapid.T) string {
	if len(m.cases) == 0 {
		t.Skip("no case yet")
	}
	return rapid.SampledFrom(m.cases).Draw(t, "case")
}

func TestWhateverHappensTheJournalHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &machine{path: filepath.Join(dir, "j.db"), state: map[string]journal.State{}, acts: map[string]int{}, held: map[string]int{}, epoch: 1,
			opt: journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key")}}
		m.open(t)
		defer func() { _ = m.j.Close() }()
		states := []journal.State{journal.Accepted, journal.Printing, journal.Printed, journal.Delivered, journal.Closed,
			journal.PrintUnknown, journal.PrintFailed, journal.Manual, journal.Cancelled}
		outcomes := []journal.EffectState{journal.EffectDone, journal.EffectFailed, journal.EffectNotSent, journal.EffectUnknown, "panic"}
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				err := m.j.Update(func(tx *journal.Tx) error {
					c, err := tx.OpenCase(journal.NewCase{Item: "x"})
					m.cases, m.state[c.ID] = append(m.cases, c.ID), journal.Submitted
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			},
			"set": func(t *rapid.T) {
				id, to := m.some(t), rapid.SampledFrom(states).Draw(t, "to")
				switch err := set(m.j, id, to); {
				case err == nil:
					m.state[id] = to
				case !errors.Is(err, journal.ErrState):
					t.Fatal(err)
				}
			},
			"do": func(t *rapid.T) {
				n := journal.EffectName{Case: m.some(t), Step: rapid.SampledFrom([]string{"print", "slip"}).Draw(t, "step"), Attempt: rapid.IntRange(1, 3).Draw(t, "attempt")}
				out := rapid.SampledFrom(outcomes).Draw(t, "outcome")
				defer func() { _ = recover() }()
				_, err := m.j.Do(context.Background(), journal.Intent{EffectName: n, Kind: "k"}, func(_ context.Context, note func(k, v string) error) journal.Outcome {
					m.acts[n.String()]++
					if err := note("k", "v"); err != nil {
						t.Fatal(err)
					}
					if out == "panic" {
						panic("driver")
					}
					return journal.Outcome{State: out}
				})
				if err != nil && !errors.Is(err, journal.ErrState) && !errors.Is(err, journal.ErrUnsettled) {
					t.Fatal(err)
				}
			},
			"settle": func(t *rapid.T) {
				_, err := m.j.Settle(context.Background(), map[string]journal.Settler{"k": func(context.Context, journal.Effect) journal.Outcome {
					return journal.Outcome{State: rapid.SampledFrom(outcomes[:4]).Draw(t, "settled")}
				}})
				if err != nil {
					t.Fatal(err)
				}
			},
			"blob": func(t *rapid.T) {
				id := m.some(t)
				h, err := m.j.PutBlob([]byte(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "content")))
				if err == nil && rapid.Bool().Draw(t, "keep") {
					err = m.j.Update(func(tx *journal.Tx) error {
						return errors.Join(tx.KeepBlob(id, rapid.SampledFrom([]string{"ink", "doc"}).Draw(t, "name"), h), tx.UploadBlob(id, h))
					})
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			"send": func(t *rapid.T) {
				lane := rapid.SampledFrom(wire.Lanes).Draw(t, "lane")
				recs, err := m.j.Pending(lane, rapid.IntRange(1, 20).Draw(t, "most"), 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				if len(recs) == 0 {
					return
				}
				for i, r := range recs {
					if i > 0 && r.Check(recs[i-1].Header.Hash()) != nil || r.Epoch != m.epoch {
						t.Fatalf("record %d does not follow", i)
					}
					m.held[r.ID]++
				}
				last := recs[len(recs)-1]
				if rapid.Bool().Draw(t, "ack lost") {
					return
				}
				if err := m.j.Acked(wire.Ack{Epoch: last.Epoch, Lane: lane, High: last.Seq, Hash: last.Header.Hash()}); err != nil {
					t.Fatal(err)
				}
			},
			"epoch": func(t *rapid.T) {
				m.epoch++
				if err := m.j.NewEpoch(m.epoch); err != nil {
					t.Fatal(err)
				}
			},
			"shred": func(t *rapid.T) {
				id := m.some(t)
				acked, err := m.j.CaseAcked(id)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.j.Shred(id); (err == nil) != acked {
					t.Fatalf("shred: %v, acked %v", err, acked)
				}
			},
			"restart": func(t *rapid.T) {
				if err := m.j.Close(); err != nil {
					t.Fatal(err)
				}
				m.open(t)
			},
			"": func(t *rapid.T) {
				r, err := journaltest.Sound(m.j)
				if err != nil {
					t.Fatal(err)
				}
				if r.Cases != len(m.cases) || r.Effects != len(m.acts) {
					t.Fatalf("%+v, want %d cases, %d effects", r, len(m.cases), len(m.acts))
				}
				for n, acts := range m.acts {
					if acts != 1 {
						t.Fatalf("%s acted %d times", n, acts)
					}
				}
				codes := map[string]bool{}
				all, err := m.j.Cases(nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range all {
					if c.State != m.state[c.ID] || codes[c.ReceiptCode] || !slices.Contains(m.cases, c.ID) {
						t.Fatalf("%+v, want %s", c, m.state[c.ID])
					}
					codes[c.ReceiptCode] = true
				}
			},
		})
	})
}
