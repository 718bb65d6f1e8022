package platform

// What every store promises, whatever stands behind the port.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func TestStores(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) { storeSuite(t, e) })
	}
}

// moment has the milliseconds that a store must keep.
var moment = time.Date(2026, 11, 24, 3, 4, 5, 678e6, time.UTC)

func storeSuite(t *testing.T, e anEngine) {
	ctx := context.Background()
	begin := func(t *testing.T) Store {
		s := e.open(t, e.place(t))
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	update := func(t *testing.T, s Store, fn func(Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	view := func(t *testing.T, s Store, fn func(Tx) error) {
		t.Helper()
		if err := s.View(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	record := func(seq uint64, id string) RecordRow {
		r := RecordRow{Record: wire.Record{Header: wire.Header{V: 1, Terminal: "T1", Epoch: 1, Lane: wire.LaneTx, Seq: seq, ID: id, Case: "c", Type: "case.opened", Schema: 1, Wall: moment}, Body: json.RawMessage(`{"a":1}`)},
			Outcome: wire.Accepted, Received: moment}
		r.Hash = r.Header.Hash()
		return r
	}

	t.Run("what is not there", func(t *testing.T) {
		s := begin(t)
		view(t, s, func(tx Tx) error {
			for name, ask := range map[string]func() error{
				"terminal": func() error { _, err := tx.Terminal("x"); return err },
				"record":   func() error { _, err := tx.RecordAt("x", 1, wire.LaneTx, 1); return err },
				"case":     func() error { _, err := tx.Case("x"); return err },
				"document": func() error { _, err := tx.Document("x"); return err },
				"number":   func() error { _, err := tx.DocumentByNumber("x"); return err },
				"citizen":  func() error { _, err := tx.Citizen("x"); return err },
				"code":     func() error { _, err := tx.Code("x"); return err },
				"token":    func() error { _, err := tx.Token("x"); return err },
				"setting":  func() error { _, err := tx.Setting("x"); return err },
			} {
				if err := ask(); !errors.Is(err, ErrNoRow) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if l, err := tx.Lane("x", wire.LaneTx); err != nil || l.Epoch != 1 || l.Seq != 0 || l.Hash != (wire.Hash{}) {
				t.Errorf("lane: %+v, %v", l, err)
			}
			if n, err := tx.InboxLast("x"); err != nil || n != 0 {
				t.Errorf("inbox: %d, %v", n, err)
			}
			return nil
		})
	})

	t.Run("identities", func(t *testing.T) { identitySuite(t, e) })
	t.Run("the way down", func(t *testing.T) { inboxSuite(t, e) })
	t.Run("accounts", func(t *testing.T) { accountSuite(t, e) })
	t.Run("telemetry", func(t *testing.T) { telemetrySuite(t, e) })
	t.Run("bills", func(t *testing.T) { billSuite(t, e) })
	t.Run("cards", func(t *testing.T) { cardSuite(t, e) })
	t.Run("desk", func(t *testing.T) { deskSuite(t, e) })
	t.Run("staff", func(t *testing.T) { proofSuite(t, e) })
	t.Run("tickets", func(t *testing.T) { ticketSuite(t, e) })

	t.Run("keeps all of a row, and stays after closing", func(t *testing.T) {
		place := e.place(t)
		s := e.open(t, place)
		term := Terminal{ID: "T1", Site: "示例区", Name: "03 号 '\"; DROP TABLE cases", PublicKey: []byte{0, 1, 255}, Epoch: 3, Enrolled: moment, Seen: moment.Add(time.Minute), Software: "v1",
			Status: []wire.TerminalRoleStatus{{Role: "id-reader"}},
			Shown:  Shown{Epoch: 3, Change: 7, Lanes: map[wire.Lane]wire.LanePoint{wire.LaneTx: {Seq: 1 << 40, Hash: wire.Hash{3}}}, Runs: []Run{{"b", 17}}}, Filled: true}
		lane := LaneRow{Epoch: 3, Seq: 1 << 40, Hash: wire.Hash{1, 2}}
		c := CaseRow{ID: "c", Terminal: "T1", Item: "SB-P", ReceiptCode: "03-1", State: "done", Person: "𠮷*美", Last4: "0221", Opened: moment, Updated: moment, Times: 1}
		doc := DocumentRow{Document: wire.Document{Number: "SBP-1", Kind: "SB-P", Key: "k", Pages: 2, SHA256: wire.Hash{9}, PDF: bytes.Repeat([]byte{0, 0xff}, 1<<19), Verify: "https://x/1", Issued: moment, Signature: []byte("s")},
			Request: wire.Hash{8}, Person: "王*国", Terminal: "T1"}
		code := CodeRow{Challenge: "h", Terminal: "T1", Visit: "v", Number: "n", Code: "hash", Until: moment, Made: moment, Tries: 2}
		token := TokenRow{Token: "t", Terminal: "T1", Visit: "v", Number: "n", Until: moment, Way: WayStaff, By: "chen"}
		citizen := CitizenRow{Number: "n", Name: "赵䶮", Phone: "13800000001"}
		msg := wire.Message{No: 7, ID: "m", Type: "notice", Expires: moment, Body: json.RawMessage(`{"a":"b"}`), Signature: []byte{1}}
		update(t, s, func(tx Tx) error {
			if ok, err := tx.AddRecords([]RecordRow{record(1, "r1")}); err != nil || !ok[0] {
				t.Errorf("record: %v, %v", ok, err)
			}
			return errors.Join(tx.PutTerminal(term), tx.PutLane("T1", wire.LaneTx, lane), tx.PutCase(c), tx.PutDocument(doc), tx.PutCode(code),
				tx.PutToken(token), tx.PutCitizen(citizen), tx.PutMessage("T1", msg), tx.PutSetting("a", "1"), tx.PutSetting("a", "2"))
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = e.open(t, place)
		defer s.Close()
		view(t, s, func(tx Tx) error {
			same := func(what string, got any, err error, want any) {
				t.Helper()
				g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want)
				if err != nil || g != w {
					t.Errorf("%s: %v: %.300s, want %.300s", what, err, g, w)
				}
			}
			gotTerm, err := tx.Terminal("T1")
			same("terminal", gotTerm, err, term)
			gotLane, err := tx.Lane("T1", wire.LaneTx)
			same("lane", gotLane, err, lane)
			gotCase, err := tx.Case("c")
			same("case", gotCase, err, c)
			gotDoc, err := tx.Document("k")
			same("document", gotDoc, err, doc)
			gotDoc, err = tx.DocumentByNumber("SBP-1")
			same("document by number", gotDoc, err, doc)
			gotCode, err := tx.Code("h")
			same("code", gotCode, err, code)
			gotToken, err := tx.Token("t")
			same("token", gotToken, err, token)
			gotCitizen, err := tx.Citizen("n")
			same("citizen", gotCitizen, err, citizen)
			gotRecord, err := tx.RecordAt("T1", 1, wire.LaneTx, 1)
			same("record", gotRecord, err, record(1, "r1"))
			if h := gotRecord.Header.Hash(); h != gotRecord.Hash {
				t.Error("the record that was kept does not hash to its own hash")
			}
			box, err := tx.Inbox("T1", 6, 10)
			same("inbox", box, err, []wire.Message{msg})
			v, err := tx.Setting("a")
			same("setting", v, err, "2")
			return nil
		})
	})

	t.Run("a change is whole or not at all", func(t *testing.T) {
		s := begin(t)
		no := errors.New("no")
		err := s.Update(ctx, func(tx Tx) error {
			if err := tx.PutCase(CaseRow{ID: "c"}); err != nil {
				return err
			}
			if _, err := tx.Next("n"); err != nil {
				return err
			}
			return no
		})
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
		update(t, s, func(tx Tx) error {
			if _, err := tx.Case("c"); !errors.Is(err, ErrNoRow) {
				t.Errorf("half a change stayed: %v", err)
			}
			if n, err := tx.Next("n"); n != 1 || err != nil {
				t.Errorf("counter %d, %v", n, err)
			}
			return nil
		})
	})

	t.Run("a record is kept once", func(t *testing.T) {
		s := begin(t)
		first := record(1, "r1")
		update(t, s, func(tx Tx) error { _, err := tx.AddRecords([]RecordRow{first}); return err })
		for name, again := range map[string]RecordRow{"same": first, "same id at another place": record(2, "r1"), "same place with another id": record(1, "r2")} {
			update(t, s, func(tx Tx) error {
				added, err := tx.AddRecords([]RecordRow{again})
				if err == nil && added[0] {
					t.Errorf("%s: added", name)
				}
				return err
			})
		}
		view(t, s, func(tx Tx) error {
			if c, err := tx.Count(); err != nil || c.Records != 1 {
				t.Errorf("%+v, %v", c, err)
			}
			return nil
		})
	})

	t.Run("a document's key and number are given once", func(t *testing.T) {
		s := begin(t)
		update(t, s, func(tx Tx) error {
			return tx.PutDocument(DocumentRow{Document: wire.Document{Key: "k", Number: "1", PDF: []byte("%PDF"), Signature: []byte("s")}})
		})
		for _, d := range []wire.Document{{Key: "k", Number: "2"}, {Key: "l", Number: "1"}} {
			d.PDF, d.Signature = []byte("%PDF"), []byte("s")
			if err := s.Update(ctx, func(tx Tx) error { return tx.PutDocument(DocumentRow{Document: d}) }); err == nil {
				t.Errorf("a second document %+v", d)
			}
		}
	})

	t.Run("ratings and requests are kept once, effects take the last word", func(t *testing.T) {
		s := begin(t)
		for range 2 {
			update(t, s, func(tx Tx) error {
				return errors.Join(tx.PutCase(CaseRow{ID: "c", Times: 1, Opened: moment}), tx.PutRatings([]RatingRow{{Record: "r", Case: "c", Level: "4", At: moment}, {Record: "q", Case: "d", At: moment}}),
					tx.PutHotlines([]HotlineRow{{Record: "h", At: moment}, {Record: "h", At: moment}}), tx.PutEffects([]EffectRow{{Name: "e", State: "intended", At: moment}, {Name: "e", State: "ended", At: moment}}))
			})
		}
		view(t, s, func(tx Tx) error {
			c, err := tx.Count()
			if err != nil || c.Ratings != 1 || c.Hotline != 1 || c.Cases != 1 || c.Duplicates != 0 {
				t.Errorf("%+v, %v", c, err) // a skipped rating is no rating
			}
			all, err := tx.Cases(10)
			if err != nil || len(all) != 1 || all[0].Rating != "4" {
				t.Errorf("%+v, %v", all, err)
			}
			return nil
		})
	})

	t.Run("what is counted adds up", func(t *testing.T) {
		s := begin(t)
		view(t, s, func(tx Tx) error {
			if sum, err := tx.Tallies(); err != nil || sum != (Tally{}) {
				t.Errorf("%+v, %v", sum, err)
			}
			return nil
		})
		for range 2 {
			update(t, s, func(tx Tx) error {
				return errors.Join(tx.Tally("T1", Tally{1, 2, 3, 4, 5}), tx.Tally("T2", Tally{Records: 1 << 40}), tx.Tally("T3", Tally{}))
			})
		}
		view(t, s, func(tx Tx) error {
			sum, err := tx.Tallies()
			if want := (Tally{2 + 2<<40, 4, 6, 8, 10}); err != nil || sum != want {
				t.Errorf("%+v, want %+v, %v", sum, want, err)
			}
			return nil
		})
	})

	t.Run("owners of cases", func(t *testing.T) {
		s := begin(t)
		ids := []string{"none"}
		update(t, s, func(tx Tx) error {
			ids = ids[:1]
			for i := range 5 {
				id := fmt.Sprintf("c%d", i)
				if err := tx.PutCase(CaseRow{ID: id, Terminal: fmt.Sprintf("T%d", i%2)}); err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return nil
		})
		view(t, s, func(tx Tx) error {
			got, err := tx.CaseOwners(ids)
			if err != nil || fmt.Sprint(got) != "map[c0:T0 c1:T1 c2:T0 c3:T1 c4:T0]" {
				t.Errorf("%v, %v", got, err)
			}
			if got, err := tx.CaseOwners(nil); err != nil || len(got) != 0 {
				t.Errorf("%v, %v", got, err)
			}
			return nil
		})
	})

	t.Run("newest cases first", func(t *testing.T) {
		s := begin(t)
		update(t, s, func(tx Tx) error {
			for i := range 5 {
				if err := tx.PutCase(CaseRow{ID: fmt.Sprint(i), Opened: moment.Add(time.Duration(i%3) * time.Hour)}); err != nil {
					return err
				}
			}
			return nil
		})
		view(t, s, func(tx Tx) error {
			all, err := tx.Cases(3)
			got := ""
			for _, c := range all {
				got += c.ID
			}
			if got != "241" {
				t.Errorf("order %q", got)
			}
			return err
		})
	})

	t.Run("inbox in order, from where the terminal stands", func(t *testing.T) {
		s := begin(t)
		update(t, s, func(tx Tx) error {
			for _, n := range []uint64{3, 1, 2} {
				if err := tx.PutMessage("T1", wire.Message{No: n, ID: fmt.Sprint(n), Signature: []byte("s")}); err != nil {
					return err
				}
			}
			return tx.PutMessage("T2", wire.Message{No: 9, Signature: []byte("s")})
		})
		view(t, s, func(tx Tx) error {
			box, err := tx.Inbox("T1", 1, 1)
			if err != nil || len(box) != 1 || box[0].No != 2 {
				t.Errorf("%+v, %v", box, err)
			}
			if n, err := tx.InboxLast("T1"); n != 3 || err != nil {
				t.Errorf("last %d, %v", n, err)
			}
			return nil
		})
		if err := s.Update(ctx, func(tx Tx) error { return tx.PutMessage("T1", wire.Message{No: 3, Signature: []byte("s")}) }); err == nil {
			t.Error("a number was given twice")
		}
	})

	t.Run("codes in the last hour", func(t *testing.T) {
		s := begin(t)
		update(t, s, func(tx Tx) error {
			for i := range 4 {
				if err := tx.PutCode(CodeRow{Challenge: fmt.Sprint(i), Number: "n", Made: moment.Add(time.Duration(i) * time.Hour)}); err != nil {
					return err
				}
			}
			n, err := tx.CodesSince("n", moment.Add(90*time.Minute))
			if n != 2 {
				t.Errorf("%d codes", n)
			}
			return err
		})
	})

	t.Run("changes at the same time do not lose each other", func(t *testing.T) {
		s := begin(t)
		const hands, each = 8, 10
		var wg sync.WaitGroup
		for range hands {
			wg.Go(func() {
				for range each {
					if err := s.Update(ctx, func(tx Tx) error { _, err := tx.Next("n"); return err }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		update(t, s, func(tx Tx) error {
			n, err := tx.Next("n")
			if n != hands*each+1 {
				t.Errorf("counted to %d", n)
			}
			return err
		})
	})

	t.Run("a caller that gives up", func(t *testing.T) {
		s := begin(t)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Update(gone, func(tx Tx) error { return tx.PutSetting("a", "1") }); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		update(t, s, func(tx Tx) error { return tx.PutSetting("a", "2") })
	})

	serverRows(t, e)
	foreignBytes(t, e)
	batches(t, e)
}
