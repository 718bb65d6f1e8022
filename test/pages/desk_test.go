package pages

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// doubtful is a terminal with a journal, an uplink and orders, and with a blank of which nobody knows.
func doubtful(t *testing.T, s *platform.Server, base, dir string) (j *journal.Journal, caseID string) {
	t.Helper()
	const name = "990000-0001"
	client, code := terminal(t, s, base, dir, name)
	j = journaltest.Open(t, journal.Options{Terminal: name}).Journal
	orders := &uplink.Orders{Journal: j, Now: client.Now, Handle: map[string]uplink.Handler{wire.MessageBlank: func(_ context.Context, m wire.Message) (uplink.Doing, error) {
		var v wire.BlankVerdict
		if err := json.Unmarshal(m.Body, &v); err != nil {
			return uplink.Doing{}, err
		}
		err := j.Update(func(tx *journal.Tx) error {
			_, err := desk.Blank(tx, desk.Verdict{ID: m.ID, Kind: v.Kind, Blank: v.ID, Number: v.Number, Case: v.Case, To: v.To, Money: v.Money, By: v.By, Second: v.Second, Why: []byte(v.Why)})
			return err
		})
		return uplink.Doing{Result: wire.OrderResult{Status: wire.OrderDone}}, err
	}}}
	link := uplink.New(uplink.Options{Client: client, Journal: j, Site: "s", Name: "n", Code: func() (string, error) { return code, nil }, Message: orders.Message, Expired: orders.Expired})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = link.Run(ctx) }()
	doing := make(chan struct{})
	go func() {
		defer close(doing)
		for ctx.Err() == nil {
			due := orders.Due()
			if _, err := orders.Do(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-due:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { stop(); <-ended; <-doing; client.Close() })
	err := j.Update(func(tx *journal.Tx) error {
		c, err := tx.OpenCase(journal.NewCase{Item: "TID", Person: `<script>window.stolen=1</script><img src=x>`})
		caseID = c.ID
		if err == nil {
			_, err = tx.LoadStock("card", 5, "op.bai")
		}
		if err == nil {
			err = tx.ReserveStock(c.ID, map[string]int{"card": 1}, time.Now().Add(time.Hour))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := j.Blanks(func(b journal.Blank) bool { return b.Case == caseID })
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	err = j.Update(func(tx *journal.Tx) error {
		_, e1 := tx.MoveBlank("card", all[0].ID, wire.BlankBound, journal.BlankMove{Number: "B-0042"})
		_, e2 := tx.MoveBlank("card", all[0].ID, wire.BlankSent, journal.BlankMove{})
		_, e3 := tx.MoveBlank("card", all[0].ID, wire.BlankDoubt, journal.BlankMove{})
		return errors.Join(e1, e2, e3, tx.SetState(caseID, journal.Manual, "test"))
	})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		waiting, err := j.Pending(wire.LanePay, 10, 1<<20)
		if err != nil || time.Now().After(end) {
			t.Fatal("the records do not arrive", err)
		}
		if len(waiting) == 0 {
			return j, caseID
		}
	}
}

// TestTheDeskInABrowser: a blank in doubt comes from a terminal's ledger, two clerks decide, and the ledger moves.
func TestTheDeskInABrowser(t *testing.T) {
	tools(t)
	dir := t.TempDir()
	s, base := city(t, dir, platform.Config{})
	j, caseID := doubtful(t, s, base, dir)
	saw := drive(t, "desk.mjs", base)
	saw.are(t, map[string]any{
		"doubts":       []any{[]any{"B-0042", "去向不明 in doubt"}},
		"choices":      []any{"taken", "retained", "spoiled again", "spoiled end"},
		"markup":       []any{0.0, 0.0, true},
		"unsent":       true,
		"proposer":     []any{"refuse"},
		"second":       []any{"confirm", "refuse"},
		"another site": 401.0, // the browser does not even send the cookie
		"left":         []any{},
	})
	for what, has := range map[string]string{"told": "卡道中取出，已撕裂<script>", "decided": "chen · wang"} {
		if text := saw.text(what); !strings.Contains(text, has) {
			t.Errorf("%s: %q", what, text)
		}
	}
	if b, err := j.StockBalance("card"); err != nil || b.InDoubt != 0 || b.Spoiled != 1 || b.Remaining != 4 {
		t.Errorf("%+v %v", b, err)
	}
	if c, err := j.Case(caseID); err != nil || c.State != journal.Cancelled || len(c.Decisions) != 1 || c.Decisions[0].Operator != "chen" || c.Decisions[0].Second != "wang" {
		t.Errorf("%+v %v", c, err)
	}
}
