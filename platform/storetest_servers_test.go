package platform

// What every store promises to several servers, for batches, and for bytes that nobody chose well.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/wire"
)

func recordAt(terminal string, seq uint64, id string, body string) RecordRow {
	r := RecordRow{Record: wire.Record{Header: wire.Header{V: 1, Terminal: terminal, Epoch: 1, Lane: wire.LaneTx, Seq: seq, ID: id, Type: "t", Schema: 1, Wall: moment}, Body: json.RawMessage(body)},
		Outcome: wire.Accepted, Received: moment}
	r.BodyHash = wire.HashBody(r.Salt, r.Body)
	r.Hash = r.Header.Hash()
	return r
}

func serverRows(t *testing.T, e anEngine) {
	// both handles are servers of one platform
	place := e.place(t)
	a, b := e.open(t, place), e.open(t, place)
	t.Cleanup(func() { _ = errors.Join(a.Close(), b.Close()) })
	update := func(t *testing.T, s Store, fn func(Tx) error) {
		t.Helper()
		if err := s.Update(context.Background(), fn); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a nonce is fresh once, at whichever server", func(t *testing.T) {
		var fresh atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				var ok bool
				s := []Store{a, b}[i%2]
				if err := s.Update(context.Background(), func(tx Tx) (err error) { ok, err = tx.UseNonce("T1 n", moment); return err }); err != nil {
					t.Error(err)
				}
				if ok {
					fresh.Add(1)
				}
			})
		}
		wg.Wait()
		if n := fresh.Load(); n != 1 {
			t.Errorf("fresh %d times", n)
		}
	})
	t.Run("a limit counts hits at all servers, in windows", func(t *testing.T) {
		for i, c := range []struct {
			s    Store
			at   time.Duration
			want int
		}{{a, 0, 1}, {b, time.Second, 2}, {a, 59 * time.Second, 3}, {b, time.Minute, 1}, {a, 61 * time.Second, 2}} {
			update(t, c.s, func(tx Tx) error {
				now := moment.Add(c.at)
				n, err := tx.Hit("k", now, now.Add(time.Minute))
				if n != c.want {
					t.Errorf("hit %d: %d, want %d", i, n, c.want)
				}
				return err
			})
		}
	})
	t.Run("a claim is one owner's until it ends", func(t *testing.T) {
		claim := func(s Store, owner string, at time.Duration) (ok bool) {
			update(t, s, func(tx Tx) (err error) {
				ok, err = tx.Claim("k", owner, moment.Add(at), moment.Add(at+time.Minute))
				return err
			})
			return ok
		}
		release := func(s Store, owner string) { update(t, s, func(tx Tx) error { return tx.Release("k", owner) }) }
		if !claim(a, "A", 0) || claim(b, "B", time.Second) {
			t.Error("claimed twice")
		}
		release(b, "B") // not its own
		if claim(b, "B", 2*time.Second) {
			t.Error("given back by another")
		}
		if !claim(b, "B", time.Minute) {
			t.Error("a dead server's claim stays")
		}
		release(a, "A")
		if claim(a, "A", 61*time.Second) {
			t.Error("given back by its former owner")
		}
		release(b, "B")
		if !claim(a, "A", 62*time.Second) {
			t.Error("stays after it was given back")
		}
	})
	t.Run("mail told at one server is seen at another", func(t *testing.T) {
		update(t, a, func(tx Tx) error {
			return errors.Join(tx.PutMessage("T1", wire.Message{No: 1, ID: "1", Signature: []byte("s")}), tx.PutMessage("T1", wire.Message{No: 2, ID: "2", Signature: []byte("s")}),
				tx.PutMessage("T2", wire.Message{No: 7, ID: "7", Signature: []byte("s")}))
		})
		err := b.View(context.Background(), func(tx Tx) error {
			all, err := tx.Mail(time.Hour)
			got := map[string]uint64{}
			for _, m := range all {
				got[m.Terminal] = m.No
			}
			if !reflect.DeepEqual(got, map[string]uint64{"T1": 2, "T2": 7}) {
				t.Errorf("%v", got)
			}
			if err != nil {
				return err
			}
			if all, err = tx.Mail(-time.Hour); len(all) > 0 {
				t.Errorf("old mail: %v", all)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("sweeping forgets what ran out, and only that", func(t *testing.T) {
		update(t, a, func(tx Tx) error {
			_, e1 := tx.UseNonce("old", moment)
			_, e2 := tx.UseNonce("new", moment.Add(2*time.Hour))
			return errors.Join(e1, e2, tx.PutCode(CodeRow{Challenge: "old", Until: moment.Add(-24 * time.Hour)}), tx.PutCode(CodeRow{Challenge: "new", Until: moment.Add(-23 * time.Hour)}),
				tx.PutToken(TokenRow{Token: "old", Until: moment}))
		})
		update(t, b, func(tx Tx) error { return tx.Sweep(moment.Add(time.Hour)) })
		update(t, a, func(tx Tx) error {
			if fresh, err := tx.UseNonce("old", moment); !fresh || err != nil {
				t.Errorf("old nonce: %v %v", fresh, err)
			}
			if fresh, err := tx.UseNonce("new", moment); fresh || err != nil {
				t.Errorf("new nonce: %v %v", fresh, err)
			}
			if _, err := tx.Code("old"); !errors.Is(err, ErrNoRow) {
				t.Errorf("old code: %v", err)
			}
			_, err := tx.Code("new")
			return err
		})
	})
}

func foreignBytes(t *testing.T, e anEngine) {
	t.Run("bytes that nobody chose well", func(t *testing.T) {
		s := e.open(t, e.place(t))
		t.Cleanup(func() { _ = s.Close() })
		bad := "a\x00b\xff'\"\\?$1%s𠮷"
		bodies := []string{` {"a" : "<b>&" , "n":1e400}`, `"\u0000\ud800"`, "\"\xff\xfe\"", `null`, ``}
		for i, body := range bodies {
			r := recordAt(bad, uint64(i+1), uuid.NewString(), body)
			r.Case, r.Type, r.Reason = bad, bad, bad
			r.Hash = r.Header.Hash()
			err := s.Update(t.Context(), func(tx Tx) error {
				added, err := tx.AddRecords([]RecordRow{r})
				if err == nil && !added[0] {
					t.Errorf("body %d was not added", i)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			err = s.View(t.Context(), func(tx Tx) error {
				got, err := tx.RecordAt(bad, 1, wire.LaneTx, uint64(i+1))
				if string(got.Body) != body || wire.HashBody(got.Salt, got.Body) != got.BodyHash {
					t.Errorf("body %q came back as %q", body, got.Body)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		err := s.Update(t.Context(), func(tx Tx) error {
			return errors.Join(tx.OpenCases([]CaseRow{{ID: bad, Item: bad, State: bad, Person: bad, Times: 1}}), tx.PutEffects([]EffectRow{{Name: bad, Detail: bad}}),
				tx.PutRatings([]RatingRow{{Record: bad, Level: bad}}), tx.PutHotlines([]HotlineRow{{Record: bad, Phone: bad}}), tx.PutTerminal(Terminal{ID: bad, Software: bad, PublicKey: []byte{0}}))
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.View(t.Context(), func(tx Tx) error { _, err := tx.Case(bad); return err })
		if err != nil {
			t.Errorf("the case cannot be found again: %v", err)
		}
	})
}

func batches(t *testing.T, e anEngine) {
	t.Run("what is kept beside its lane", func(t *testing.T) {
		s := e.open(t, e.place(t))
		t.Cleanup(func() { _ = s.Close() })
		ours, theirs, others := recordAt("T", 1, uuid.NewString(), "{}"), recordAt("T", 1, uuid.NewString(), `{"state":"CLOSED"}`), recordAt("T", 1, uuid.NewString(), "{}")
		theirs.Beside, others.Beside = true, true
		theirs.Case, theirs.Type, theirs.Hash = uuid.NewString(), wire.TypeCaseState, theirs.Header.Hash()
		err := s.Update(t.Context(), func(tx Tx) error {
			for i, rs := range [][]RecordRow{{ours}, {theirs, others}, {theirs}} {
				added, err := tx.AddRecords(rs)
				if err != nil {
					return err
				}
				for _, a := range added {
					if a != (i < 2) {
						t.Errorf("list %d: %v", i, added)
					}
				}
			}
			known, err := tx.Known([]string{ours.ID, theirs.ID, others.ID})
			if err != nil || len(known) != 3 {
				t.Errorf("known %v", known)
			}
			at, err := tx.RecordAt("T", 1, wire.LaneTx, 1)
			if err != nil || at.ID != ours.ID {
				t.Errorf("at its place lies %s, want %s: %v", at.ID, ours.ID, err)
			}
			held, err := tx.Held("T", 1, wire.LaneTx, 1, 1)
			if err != nil || len(held) != 1 || held[1] != ours.Hash {
				t.Errorf("held %v", held)
			}
			told, err := tx.CaseRecords([]string{theirs.Case})
			if err != nil || len(told) != 1 || told[0].ID != theirs.ID {
				t.Errorf("%d records tell of its case", len(told))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("what is in a list twice, or held", func(t *testing.T) {
		s := e.open(t, e.place(t))
		t.Cleanup(func() { _ = s.Close() })
		one, two := uuid.NewString(), uuid.NewString()
		err := s.Update(t.Context(), func(tx Tx) error {
			added, err := tx.AddRecords([]RecordRow{recordAt("T", 1, one, "{}"), recordAt("T", 2, one, "{}"), recordAt("T", 3, two, "{}")})
			if want := []bool{true, false, true}; err == nil && !reflect.DeepEqual(added, want) {
				t.Errorf("%v, want %v", added, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Update(t.Context(), func(tx Tx) error {
			added, err := tx.AddRecords([]RecordRow{recordAt("T", 3, uuid.NewString(), "{}"), recordAt("U", 9, two, "{}"), recordAt("T", 4, uuid.NewString(), "{}")})
			if want := []bool{false, false, true}; err == nil && !reflect.DeepEqual(added, want) {
				t.Errorf("%v, want %v", added, want)
			}
			if err != nil {
				return err
			}
			if none, err := tx.AddRecords(nil); len(none) > 0 || err != nil {
				t.Errorf("nothing: %v %v", none, err)
			}
			held, err := tx.Held("T", 1, wire.LaneTx, 2, 4)
			if want := map[uint64]wire.Hash{3: recordAt("T", 3, two, "{}").Hash}; len(held) != 2 || held[3] != want[3] {
				t.Errorf("held %v", held)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("what is given once", func(t *testing.T) {
		s := e.open(t, e.place(t))
		t.Cleanup(func() { _ = s.Close() })
		for name, put := range map[string]func(Tx) error{
			"document": func(tx Tx) error {
				return tx.PutDocument(DocumentRow{Document: wire.Document{Key: "k", Number: "n", PDF: []byte("p"), Signature: []byte("s")}})
			},
			"message": func(tx Tx) error { return tx.PutMessage("T", wire.Message{No: 1, Signature: []byte("s")}) },
			"token":   func(tx Tx) error { return tx.PutToken(TokenRow{Token: "t"}) },
		} {
			for i, want := range []error{nil, ErrHeld} {
				if err := s.Update(t.Context(), put); !errors.Is(err, want) {
					t.Errorf("%s, time %d: %v", name, i, err)
				}
			}
		}
	})
	// However records of cases are spread over batches, what is known in the end is what one after the other would tell.
	t.Run("lists tell the same as one by one", func(t *testing.T) {
		s := e.open(t, e.place(t))
		t.Cleanup(func() { _ = s.Close() })
		run := 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			type event struct {
				open bool
				row  CaseRow
			}
			want := map[string]CaseRow{}
			var cuts [][]event
			n := 0
			for range rapid.IntRange(1, 4).Draw(t, "batches") {
				var batch []event
				for range rapid.IntRange(0, 6).Draw(t, "events") {
					n++
					ev := event{rapid.Bool().Draw(t, "open"), CaseRow{ID: fmt.Sprintf("%d-%d", run, rapid.IntRange(0, 2).Draw(t, "case")), Terminal: "T",
						State: fmt.Sprint("s", n), Opened: moment.Add(time.Duration(n) * time.Second), Updated: moment.Add(time.Duration(n) * time.Second)}}
					if ev.open {
						ev.row.Item, ev.row.Times = fmt.Sprint("i", n), 1
					}
					batch = append(batch, ev)
					c, known := want[ev.row.ID]
					switch {
					case !known:
						c = ev.row
					case ev.open:
						times := c.Times + 1
						state, updated := c.State, c.Updated
						c = ev.row
						c.Times, c.State, c.Updated = times, state, updated
					default:
						c.State, c.Updated = ev.row.State, ev.row.Updated
					}
					want[ev.row.ID] = c
				}
				cuts = append(cuts, batch)
			}
			for _, batch := range cuts {
				var c changes
				for _, ev := range batch {
					if ev.open {
						c.opened = append(c.opened, ev.row)
					} else {
						c.moved = append(c.moved, ev.row)
					}
				}
				if err := s.Update(context.Background(), c.write); err != nil {
					t.Fatal(err)
				}
			}
			for id, w := range want {
				var got CaseRow
				if err := s.View(context.Background(), func(tx Tx) (err error) { got, err = tx.Case(id); return err }); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, w) {
					t.Fatalf("%+v, want %+v", got, w)
				}
			}
		})
	})
}
