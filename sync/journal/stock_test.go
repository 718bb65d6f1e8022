package journal_test

// Counted stock over random work, people and restarts, beside the places where the cards really lie.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// hall is a journal and the truth about its cards, which only its motors and people change.
type hall struct {
	j      *journal.Journal
	path   string
	opt    journal.Options
	hopper int
	where  map[string]string // blank → path, mouth, citizen, bin
	cases  []string
	number int
	closed int // issued and spoiled in shifts that ended
	now    time.Time
}

func (h *hall) open(t *rapid.T) {
	j, err := journal.Open(h.path, h.opt)
	if err != nil {
		t.Fatal(err)
	}
	h.j = j
}

// cut is a power cut: what was under way is in doubt after it.
func (h *hall) cut(t *rapid.T) {
	if err := h.j.Close(); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	if err := h.j.Update(func(tx *journal.Tx) error { _, err := tx.DoubtStock(); return err }); err != nil {
		t.Fatal(err)
	}
}

func (h *hall) blanks(t *rapid.T, match func(journal.Blank) bool) []journal.Blank {
	all, err := h.j.Blanks(match)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var errCut = errors.New("power cut before the change was whole")

// act writes a move and then turns the motor; the power may go before the change, between the two, or after.
func (h *hall) act(t *rapid.T, b journal.Blank, to wire.BlankState, number string, motor func()) {
	when := rapid.IntRange(0, 11).Draw(t, "cut")
	err := h.j.Update(func(tx *journal.Tx) error {
		if _, err := tx.MoveBlank(b.Kind, b.ID, to, journal.BlankMove{Number: number}); err != nil {
			return err
		}
		if when == 0 {
			return errCut
		}
		return nil
	})
	switch {
	case when == 0 && errors.Is(err, errCut):
		h.cut(t)
		return
	case err != nil:
		t.Fatalf("%s to %s: %v", b.State, to, err)
	case when == 1:
		h.cut(t)
		return
	}
	motor()
	if when == 2 {
		h.cut(t)
	}
}

func (h *hall) check(t *rapid.T) {
	sum, err := h.j.StockBalance("card")
	if err != nil {
		t.Fatal(err)
	}
	if err := sum.Check(); err != nil {
		t.Fatal(err)
	}
	places := map[string]int{}
	perCase := map[string]int{}
	for _, b := range h.blanks(t, nil) {
		at := h.where[b.ID]
		if at != "" {
			places[at]++
		}
		if at == "citizen" {
			perCase[b.Case]++
			if s := b.State; s != wire.BlankTaken && s != wire.BlankPresented && s != wire.BlankDoubt {
				t.Fatalf("a citizen has a card that is %s", s)
			}
		}
		if at == "" && (b.State == wire.BlankTaken || b.State == wire.BlankPresented || b.State == wire.BlankSent || b.State == wire.BlankBound) {
			t.Fatalf("a card that is %s still lies in the hopper", b.State)
		}
	}
	for c, n := range perCase {
		if n > 1 {
			t.Fatalf("%d cards for case %s", n, c)
		}
	}
	if out := places["path"] + places["mouth"] + places["citizen"] + places["bin"]; out > h.closed+int(sum.Reserved+sum.Issued+sum.Spoiled+sum.Retained+sum.InDoubt) {
		t.Fatalf("%d cards left the hopper, the ledger knows of fewer: %+v", out, sum)
	}
}

func TestEveryCardIsSomewhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "stock")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		h := &hall{path: filepath.Join(dir, "j.db"), where: map[string]string{}, now: time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)}
		h.opt = journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key"), Now: func() time.Time { return h.now }}
		h.open(t)
		defer func() { _ = h.j.Close() }()
		in := func(states ...wire.BlankState) func(journal.Blank) bool {
			return func(b journal.Blank) bool {
				for _, s := range states {
					if b.State == s {
						return true
					}
				}
				return false
			}
		}
		some := func(t *rapid.T, states ...wire.BlankState) journal.Blank {
			all := h.blanks(t, in(states...))
			if len(all) == 0 {
				t.Skip("none")
			}
			return rapid.SampledFrom(all).Draw(t, "blank")
		}
		// resolve is two people who look where a card is.
		resolve := func(t *rapid.T, b journal.Blank) {
			to := wire.BlankBack
			switch h.where[b.ID] {
			case "citizen":
				to = wire.BlankTaken
			case "bin":
				to = wire.BlankRetained
			case "path", "mouth":
				to = wire.BlankSpoiled
				h.where[b.ID] = "bin"
			}
			alone := h.j.Update(func(tx *journal.Tx) error {
				_, err := tx.MoveBlank(b.Kind, b.ID, to, journal.BlankMove{By: "chen", Second: "chen"})
				return err
			})
			if !errors.Is(alone, journal.ErrState) {
				t.Fatalf("one person alone resolves: %v", alone)
			}
			if err := h.j.Update(func(tx *journal.Tx) error {
				_, err := tx.MoveBlank(b.Kind, b.ID, to, journal.BlankMove{By: "chen", Second: "bai"})
				return err
			}); err != nil {
				t.Fatalf("%s at %q to %s: %v", b.State, h.where[b.ID], to, err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"load": func(t *rapid.T) {
				n := rapid.IntRange(1, 4).Draw(t, "n")
				if err := h.j.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock("card", n, "chen"); return err }); err != nil {
					t.Fatal(err)
				}
				h.hopper += n
			},
			"reserve": func(t *rapid.T) {
				id := ""
				if len(h.cases) > 0 && rapid.Bool().Draw(t, "again") {
					id = rapid.SampledFrom(h.cases).Draw(t, "case")
				}
				err := h.j.Update(func(tx *journal.Tx) error {
					if id == "" {
						c, err := tx.OpenCase(journal.NewCase{Item: "TID"})
						if err != nil {
							return err
						}
						id = c.ID
					}
					return tx.ReserveStock(id, map[string]int{"card": 1}, h.now.Add(10*time.Minute))
				})
				switch {
				case err == nil:
					h.cases = append(h.cases, id)
				case !errors.Is(err, journal.ErrStock) && !errors.Is(err, journal.ErrState):
					t.Fatal(err)
				}
			},
			"expire": func(t *rapid.T) {
				h.now = h.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
				if err := h.j.Update(func(tx *journal.Tx) error { _, err := tx.FreeStock(""); return err }); err != nil {
					t.Fatal(err)
				}
			},
			"draw": func(t *rapid.T) {
				b := some(t, wire.BlankReserved)
				h.act(t, b, wire.BlankDrawn, "", func() { h.hopper--; h.where[b.ID] = "path" })
			},
			"refused": func(t *rapid.T) { // the dispenser was told, and certainly moved nothing
				b := some(t, wire.BlankReserved)
				h.act(t, b, wire.BlankDrawn, "", func() {})
				if b.State = wire.BlankDrawn; len(h.blanks(t, func(x journal.Blank) bool { return x.ID == b.ID && x.State == b.State })) == 1 {
					h.act(t, b, wire.BlankBack, "", func() {})
				}
			},
			"bind": func(t *rapid.T) {
				b := some(t, wire.BlankDrawn)
				h.number++
				h.act(t, b, wire.BlankBound, fmt.Sprintf("G%07d", h.number), func() {})
			},
			"send": func(t *rapid.T) { h.act(t, some(t, wire.BlankBound), wire.BlankSent, "", func() {}) },
			"present": func(t *rapid.T) {
				b := some(t, wire.BlankSent)
				h.act(t, b, wire.BlankPresented, "", func() { h.where[b.ID] = "mouth" })
			},
			"take": func(t *rapid.T) {
				b := some(t, wire.BlankPresented)
				h.where[b.ID] = "citizen" // the citizen does not wait for the journal
				h.act(t, b, wire.BlankTaken, "", func() {})
			},
			"retract": func(t *rapid.T) {
				b := some(t, wire.BlankPresented)
				h.act(t, b, wire.BlankRetained, "", func() { h.where[b.ID] = "bin" })
			},
			"spoil": func(t *rapid.T) {
				b := some(t, wire.BlankDrawn, wire.BlankBound, wire.BlankSent)
				h.act(t, b, wire.BlankSpoiled, "", func() { h.where[b.ID] = "bin" })
			},
			"cut": func(t *rapid.T) { h.cut(t) },
			"look": func(t *rapid.T) {
				b := some(t, wire.BlankDoubt)
				if h.where[b.ID] == "" && b.Number != "" {
					t.Fatalf("blank %+v has a number and lies in the hopper", b)
				}
				resolve(t, b)
			},
			"shift": func(t *rapid.T) {
				if err := h.j.Update(func(tx *journal.Tx) error {
					ended, err := tx.CloseShift("card", "chen")
					if err == nil {
						err = ended.Check()
					}
					h.closed += int(ended.Issued + ended.Spoiled)
					return err
				}); err != nil {
					t.Fatal(err)
				}
			},
			"": h.check,
		})
		// At the end everything is looked at, and what is left in the hopper is what the ledger says.
		h.cut(t)
		for _, b := range h.blanks(t, in(wire.BlankDoubt)) {
			resolve(t, b)
		}
		sum, err := h.j.StockBalance("card")
		if err != nil || sum.Check() != nil || sum.InDoubt != 0 || int(sum.Remaining+sum.Reserved) != h.hopper {
			t.Fatalf("%+v, %v; in the hopper %d", sum, err, h.hopper)
		}
		if r, err := h.j.Verify(t.Context()); err != nil || len(r.Problems) > 0 {
			t.Fatalf("%v %v", err, r.Problems)
		}
	})
}

func TestStock(t *testing.T) {
	j := journaltest.Open(t, opt)
	c := openCase(t, j.Journal)
	other := openCase(t, j.Journal)
	change := func(want error, fn func(*journal.Tx) error) {
		t.Helper()
		err := j.Update(fn)
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Fatalf("%v, expected %v", err, want)
		}
	}
	soon := time.Now().Add(time.Hour)
	reserve := func(want error, id string) {
		t.Helper()
		change(want, func(tx *journal.Tx) error {
			return tx.ReserveStock(id, map[string]int{"card": 1, "ribbon": 1}, soon)
		})
	}
	reserve(journal.ErrStock, c.ID)
	change(journal.ErrStock, func(tx *journal.Tx) error { _, err := tx.LoadStock("card", 2, "not a name"); return err })
	change(journal.ErrStock, func(tx *journal.Tx) error { _, err := tx.LoadStock("card", -1, "chen"); return err })
	change(nil, func(tx *journal.Tx) error { _, err := tx.LoadStock("card", 2, "chen"); return err })
	reserve(journal.ErrStock, c.ID) // no ribbon: nothing is set aside
	if b, err := j.StockBalance("card"); err != nil || b.Remaining != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	change(nil, func(tx *journal.Tx) error { _, err := tx.LoadStock("ribbon", 5, "chen"); return err })
	reserve(nil, c.ID)
	reserve(nil, c.ID) // again: the same
	reserve(nil, other.ID)
	if b, err := j.StockBalance("card"); err != nil || b.Remaining != 0 || b.Reserved != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	cards, err := j.Blanks(func(b journal.Blank) bool { return b.Kind == "card" })
	if err != nil || len(cards) != 2 {
		t.Fatalf("%+v, %v", cards, err)
	}
	move := func(want error, n int, to wire.BlankState, m journal.BlankMove) {
		t.Helper()
		change(want, func(tx *journal.Tx) error { _, err := tx.MoveBlank("card", cards[n].ID, to, m); return err })
	}
	move(journal.ErrState, 0, wire.BlankSent, journal.BlankMove{})
	move(journal.ErrState, 0, wire.BlankBound, journal.BlankMove{})
	move(journal.ErrStock, 0, wire.BlankBound, journal.BlankMove{Number: "a b"})
	move(nil, 0, wire.BlankBound, journal.BlankMove{Number: "G0000001"})
	move(journal.ErrStock, 1, wire.BlankBound, journal.BlankMove{Number: "G0000001"})
	move(nil, 0, wire.BlankSent, journal.BlankMove{})
	move(nil, 0, wire.BlankSent, journal.BlankMove{})
	move(nil, 0, wire.BlankPresented, journal.BlankMove{})
	move(nil, 0, wire.BlankTaken, journal.BlankMove{})
	move(journal.ErrState, 0, wire.BlankSpoiled, journal.BlankMove{})
	reserve(journal.ErrState, c.ID) // never two cards for one case
	change(journal.ErrNotFound, func(tx *journal.Tx) error {
		_, err := tx.MoveBlank("card", "none", wire.BlankSent, journal.BlankMove{})
		return err
	})
	change(nil, func(tx *journal.Tx) error { _, err := tx.FreeStock(other.ID); return err })
	var ended wire.StockBalance
	change(nil, func(tx *journal.Tx) (err error) { ended, err = tx.CloseShift("card", "chen"); return err })
	if want := (wire.StockBalance{Loaded: 2, Remaining: 1, Issued: 1}); ended != want {
		t.Errorf("%+v", ended)
	}
	change(nil, func(tx *journal.Tx) error { _, err := tx.CountStock("card", 0, "chen"); return err })
	if b, err := j.StockBalance("card"); err != nil || b != (wire.StockBalance{}) {
		t.Errorf("%+v, %v", b, err)
	}
	if err := j.Update(func(tx *journal.Tx) error { return tx.SetMeta("stock/total/card", []byte("{}")) }); err == nil {
		t.Error("the ledger is anybody's to write")
	}
}
