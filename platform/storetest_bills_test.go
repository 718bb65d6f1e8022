package platform

// What every store promises of bills.

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/platform/pay"
)

// clean texts are what an adapter lets through: PostgreSQL takes no NUL.
func clean(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func billSuite(t *testing.T, e anEngine) {
	ctx := context.Background()
	place := e.place(t)
	a, b := e.open(t, place), e.open(t, place) // two servers
	t.Cleanup(func() { _ = errors.Join(a.Close(), b.Close()) })
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
	later := func(d time.Duration) time.Time { return moment.Add(d) }
	bill := func(n int, caseID string) *pay.Account {
		return &pay.Account{Bill: pay.Bill{Number: pay.BillNumber("990000", moment, uint64(n)), Case: caseID, Terminal: "T1", Item: "'; DROP TABLE bills;--",
			Channel: "nontax", Amount: 1000, Reason: "standard", State: pay.BillOpen, Made: later(time.Duration(n) * time.Second), Expires: later(time.Hour)}}
	}

	t.Run("what is not there", func(t *testing.T) {
		view(t, a, func(tx Tx) error {
			_, e1 := tx.Bill("x")
			_, e2 := tx.BillOfPayment("nontax", "x")
			_, e3 := tx.Statement("nontax", "2026-11-24")
			for _, err := range []error{e1, e2, e3} {
				if !errors.Is(err, ErrNoRow) {
					t.Error(err)
				}
			}
			return nil
		})
		if err := a.Update(ctx, func(tx Tx) error { return tx.PutBill(bill(999, "x"), moment) }); !errors.Is(err, ErrNoRow) {
			t.Errorf("a bill that is not there is written: %v", err)
		}
	})

	t.Run("keeps all of an account", func(t *testing.T) {
		x := bill(1, "c1")
		update(t, a, func(tx Tx) error { return tx.AddBill(x, later(2*time.Second)) })
		if err := a.Update(ctx, func(tx Tx) error { return tx.AddBill(x, moment) }); !errors.Is(err, ErrHeld) {
			t.Errorf("a number was given twice: %v", err)
		}
		n := x.Bill.Number
		x.Bill.State, x.Bill.Why, x.Bill.Paid = pay.BillPaid, pay.WhyExpired, later(time.Minute)
		x.Attempts = []pay.Attempt{{Number: n + "01", State: pay.AttemptClosed, Acts: 2, Looks: 7, Due: later(time.Second), Made: moment, Code: "C"},
			{Number: n + "02", State: pay.AttemptPaid, QR: "https://付", Doubt: true, Made: later(time.Minute)}}
		x.Payments = []pay.Payment{{Transaction: "z", Attempt: n + "02", Amount: 1000, At: later(1), Seen: later(time.Minute), Use: pay.UseKept},
			{Transaction: "a", Attempt: n + "01", Amount: 1, At: later(time.Minute), Seen: later(time.Hour), Use: pay.UseWrong}}
		x.Payments[0].At = later(time.Millisecond)
		x.Refunds = []pay.Refund{{Number: "R" + n + "01aaaaaa1", Transaction: "a", Attempt: n + "01", Amount: 1, Why: "wrong", State: pay.RefundAsked, Doubt: true, Acts: 1, Looks: 3, Due: later(time.Minute), Made: moment, Code: "N"}}
		x.Matters = []pay.Matter{{Kind: pay.MatterAmount, Ref: "a", Opened: moment, Ended: later(time.Hour), How: "goes back", By: "op"}, {Kind: pay.MatterUnknown, Ref: n + "01", Opened: later(time.Second)}}
		x.EBill = &pay.EBill{State: pay.EBillRedAsked, Issued: pay.Issued{Code: "99010126", Number: "0000000007", Check: "a1b2c3", At: later(time.Minute), URL: "https://e.example/7"},
			Red: pay.Issued{Code: "99010126", Number: "0000000008", Check: "d4", At: later(time.Hour)}, Doubt: true, Acts: 3, Looks: 2, Due: later(1000 * time.Hour), Since: moment,
			Heard: later(2 * time.Second), Code: "N"}
		for range 2 { // again, and as it is
			update(t, b, func(tx Tx) error { return tx.PutBill(x, time.Time{}) })
		}
		view(t, a, func(tx Tx) error {
			got, err := tx.Bill(n)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(got, x) {
				t.Errorf("got\n%+v\nwant\n%+v", got, x)
			}
			all, err := tx.BillsOf("c1")
			if err != nil || len(all) != 1 || all[0] != x.Bill {
				t.Errorf("%+v, %v", all, err)
			}
			lines, err := tx.PaymentsOf("nontax", pay.Day(moment))
			if err != nil || len(lines) != 2 || lines[0] != (pay.Line{Attempt: n + "01", Transaction: "a", Amount: 1, At: later(time.Minute)}) {
				t.Errorf("%+v, %v", lines, err)
			}
			if at, err := tx.BillOfPayment("nontax", "z"); at != n || err != nil {
				t.Errorf("%s, %v", at, err)
			}
			if desk, err := tx.BillsOnDesk(10); err != nil || !slices.Equal(desk, []string{n}) {
				t.Errorf("%v, %v", desk, err)
			}
			return nil
		})
	})

	t.Run("a payment belongs to one bill", func(t *testing.T) {
		x := bill(2, "c2")
		update(t, a, func(tx Tx) error { return tx.AddBill(x, time.Time{}) })
		x.Payments = []pay.Payment{{Transaction: "z", Attempt: x.Bill.Number + "01", Amount: 1000, At: moment, Seen: moment, Use: pay.UseKept}}
		if err := a.Update(ctx, func(tx Tx) error { return tx.PutBill(x, time.Time{}) }); !errors.Is(err, ErrHeld) {
			t.Errorf("booked twice: %v", err)
		}
	})

	t.Run("bills of a case stand in order", func(t *testing.T) {
		update(t, a, func(tx Tx) error {
			return errors.Join(tx.AddBill(bill(12, "c3"), time.Time{}), tx.AddBill(bill(10, "c3"), time.Time{}), tx.AddBill(bill(11, "c3"), time.Time{}))
		})
		view(t, b, func(tx Tx) error {
			all, err := tx.BillsOf("c3")
			if err != nil || len(all) != 3 || all[0].Number != bill(10, "").Bill.Number || all[2].Number != bill(12, "").Bill.Number {
				t.Errorf("%+v, %v", all, err)
			}
			return nil
		})
	})

	t.Run("a bill is leased to one server until it ends", func(t *testing.T) {
		take := func(s Store, owner string, at, until time.Duration, most int) (got []string) {
			update(t, s, func(tx Tx) (err error) { got, err = tx.TakeBills(owner, later(at), later(until), most); return err })
			return got
		}
		var want []string
		update(t, a, func(tx Tx) error {
			want = nil
			for n := 20; n < 24; n++ {
				x := bill(n, "c4")
				want = append(want, x.Bill.Number)
				if err := tx.AddBill(x, later(time.Duration(n)*time.Minute)); err != nil {
					return err
				}
			}
			return nil
		})
		if got := take(a, "A", 19*time.Minute, time.Hour, 9); len(got) != 0 {
			t.Errorf("taken too early: %v", got)
		}
		if got := take(a, "A", 22*time.Minute, time.Hour, 2); !slices.Equal(got, want[:2]) {
			t.Errorf("%v", got)
		}
		if got := take(b, "B", 22*time.Minute, time.Hour, 9); !slices.Equal(got, want[2:3]) {
			t.Errorf("%v", got)
		}
		update(t, b, func(tx Tx) error { return tx.GiveBill("B", want[0]) }) // not its own
		if got := take(b, "B", 22*time.Minute, time.Hour, 9); len(got) != 0 {
			t.Errorf("given back by another: %v", got)
		}
		update(t, a, func(tx Tx) error { return tx.GiveBill("A", want[0]) })
		if got := take(b, "B", 22*time.Minute, time.Hour, 9); !slices.Equal(got, want[:1]) {
			t.Errorf("%v", got)
		}
		if got := take(b, "B", time.Hour, 2*time.Hour, 9); !slices.Equal(got, want) {
			t.Errorf("a dead server's lease stays: %v", got)
		}
	})

	t.Run("an e-bill wakes its bill though an older server wrote that nothing is due", func(t *testing.T) {
		x := bill(30, "c4b")
		x.EBill = &pay.EBill{State: pay.EBillAsked, Doubt: true, Since: moment, Due: later(time.Second)}
		update(t, a, func(tx Tx) error { return tx.AddBill(x, later(time.Minute)) })
		take := func(owner string, at time.Duration) (got []string) {
			update(t, b, func(tx Tx) (err error) {
				if got, err = tx.TakeBills(owner, later(at), later(at+time.Second), 9); err != nil {
					return err
				}
				return tx.GiveBill(owner, x.Bill.Number)
			})
			return slices.DeleteFunc(got, func(n string) bool { return n != x.Bill.Number })
		}
		if got := take("A", 500*time.Millisecond); len(got) != 0 {
			t.Error("taken too early")
		}
		old := *x
		old.EBill = nil // as one that knows nothing of it writes the account
		update(t, a, func(tx Tx) error { return tx.PutBill(&old, time.Time{}) })
		if got := take("A", 2*time.Second); len(got) != 1 {
			t.Errorf("its e-bill is due, and %v is taken", got)
		}
		x.EBill.Due = time.Time{}
		update(t, a, func(tx Tx) error { return tx.PutBill(x, time.Time{}) })
		if got := take("A", time.Hour); len(got) != 0 {
			t.Error("taken for nothing")
		}
	})

	t.Run("two servers never lease the same", func(t *testing.T) {
		update(t, a, func(tx Tx) error {
			for n := 100; n < 140; n++ {
				if err := tx.AddBill(bill(n, "c5"), moment); err != nil {
					return err
				}
			}
			return nil
		})
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for range 4 {
					var mine []string
					err := []Store{a, b}[i%2].Update(ctx, func(tx Tx) (err error) {
						mine, err = tx.TakeBills(fmt.Sprint(i), later(time.Second), later(time.Hour), 3)
						return err
					})
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					for _, n := range mine {
						got[n]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for n, times := range got {
			if times > 1 {
				t.Errorf("%s leased %d times", n, times)
			}
		}
		if len(got) != 40 {
			t.Errorf("%d of 40 leased", len(got))
		}
	})

	t.Run("what was paid in a time", func(t *testing.T) {
		day := later(1000 * time.Hour)
		update(t, a, func(tx Tx) error {
			for n, paid := range []time.Duration{2 * time.Second, 0, time.Second, -time.Millisecond, time.Minute} {
				x := bill(60+n, "c6")
				x.Bill.State, x.Bill.Paid = pay.BillPaid, day.Add(paid)
				if n == 2 {
					x.Bill.Amount = 0
				}
				if err := tx.AddBill(x, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		})
		view(t, b, func(tx Tx) error {
			got, err := tx.BillsPaid(day, day.Add(time.Minute))
			if want := []string{bill(61, "").Bill.Number, bill(60, "").Bill.Number}; err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
			return nil
		})
	})

	t.Run("what was issued on a day", func(t *testing.T) {
		day := later(3000 * time.Hour)
		paper := func(n int, d time.Duration) pay.Issued {
			return pay.Issued{Code: "99010126", Number: fmt.Sprintf("%010d", n), Check: "a1b2c3", At: day.Add(d), URL: "https://e.example/7"}
		}
		update(t, a, func(tx Tx) error {
			for n, e := range []pay.EBill{
				{State: pay.EBillIssued, Issued: paper(0, 0)}, {State: pay.EBillRed, Issued: paper(1, -time.Second), Red: paper(11, time.Second)},
				{State: pay.EBillRed, Issued: paper(2, time.Second), Red: paper(12, 2*time.Second)}, {State: pay.EBillIssued, Issued: paper(3, time.Minute)},
				{State: pay.EBillAsked}, {State: pay.EBillRed, Issued: paper(5, -time.Hour)},
			} {
				x := bill(70+n, "c7")
				x.EBill = &e
				if err := tx.AddBill(x, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		})
		line := func(n int, red bool, p pay.Issued) pay.EBillLine {
			p.URL = ""
			return pay.EBillLine{Bill: bill(70+n, "").Bill.Number, Amount: 1000, Red: red, Paper: p}
		}
		view(t, b, func(tx Tx) error {
			got, err := tx.EBillsIssued(day, day.Add(time.Minute))
			want := []pay.EBillLine{line(0, false, paper(0, 0)), line(1, true, paper(11, time.Second)), line(2, false, paper(2, time.Second)), line(2, true, paper(12, 2*time.Second))}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
			return nil
		})
	})

	t.Run("statements", func(t *testing.T) {
		want := StatementRow{Channel: "nontax", Day: "2026-11-24", Made: moment, Differences: []pay.Difference{{Kind: pay.DiffOurs, Line: pay.Line{Transaction: "a", Amount: 1, At: moment}, Booked: 1},
			{Kind: pay.DiffPaper, EBill: &pay.EBillLine{Bill: "1", Amount: 1000, Red: true, Paper: pay.Issued{Code: "99010126", Number: "7", Check: "a", At: moment}}, Booked: 1000}}}
		update(t, a, func(tx Tx) error {
			return errors.Join(tx.PutStatement(StatementRow{Channel: "nontax", Day: "2026-11-24"}), tx.PutStatement(want))
		})
		view(t, b, func(tx Tx) error {
			if got, err := tx.Statement("nontax", "2026-11-24"); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v", got, err)
			}
			return nil
		})
	})

	t.Run("a blank's number is one blank's", func(t *testing.T) {
		x := BlankRow{Kind: "card", Number: "G1", Terminal: "T1", ID: "b1", Case: "c", State: "bound", At: moment}
		update(t, a, func(tx Tx) error { return tx.PutBlank(x) })
		x.State, x.At = "taken", later(time.Second)
		update(t, b, func(tx Tx) error { return tx.PutBlank(x) })
		for _, y := range []BlankRow{{Kind: "card", Number: "G1", Terminal: "T2", ID: "b1"}, {Kind: "card", Number: "G1", Terminal: "T1", ID: "b2"}} {
			if err := a.Update(ctx, func(tx Tx) error { return tx.PutBlank(y) }); !errors.Is(err, ErrHeld) {
				t.Errorf("%+v: %v", y, err)
			}
		}
		view(t, a, func(tx Tx) error {
			if got, err := tx.Blank("card", "G1"); err != nil || got != x {
				t.Errorf("%+v, %v", got, err)
			}
			return nil
		})
	})

	t.Run("whatever an account holds comes back", func(t *testing.T) {
		n := 500
		rapid.Check(t, func(r *rapid.T) {
			n++
			x := bill(n, rapid.StringN(0, 20, 40).Filter(clean).Draw(r, "case"))
			x.Bill.Number = fmt.Sprintf("%020d", n)
			text := rapid.StringN(0, 10, 40).Filter(clean)
			when := rapid.Custom(func(r *rapid.T) time.Time {
				return moment.Add(time.Duration(rapid.Int64Range(0, 1e9).Draw(r, "ms")) * time.Millisecond)
			})
			for i := range rapid.IntRange(0, 4).Draw(r, "attempts") {
				x.Attempts = append(x.Attempts, pay.Attempt{Number: fmt.Sprintf("%s%02d", x.Bill.Number, i), State: pay.AttemptOpen, QR: text.Draw(r, "qr"), Doubt: rapid.Bool().Draw(r, "doubt"), Made: when.Draw(r, "made"), Code: text.Draw(r, "code")})
			}
			for i := range rapid.IntRange(0, 4).Draw(r, "payments") {
				x.Payments = append(x.Payments, pay.Payment{Transaction: fmt.Sprintf("%d-%d", n, i), Attempt: text.Draw(r, "attempt"), Amount: pay.Fen(rapid.Int64Range(0, int64(pay.MaxAmount)).Draw(r, "amount")), At: when.Draw(r, "at"), Seen: when.Draw(r, "seen"), Use: pay.UseLate})
			}
			for i := range rapid.IntRange(0, 3).Draw(r, "matters") {
				x.Matters = append(x.Matters, pay.Matter{Kind: text.Draw(r, "kind"), Ref: fmt.Sprint(i), Opened: when.Draw(r, "opened"), Ended: when.Draw(r, "ended"), How: text.Draw(r, "how")})
			}
			if rapid.Bool().Draw(r, "ebill") {
				paper := rapid.Custom(func(r *rapid.T) pay.Issued {
					return pay.Issued{Code: text.Draw(r, "code"), Number: text.Draw(r, "number"), Check: text.Draw(r, "check"), At: when.Draw(r, "at"), URL: text.Draw(r, "url")}
				})
				x.EBill = &pay.EBill{State: pay.EBillState(text.Draw(r, "state")), Issued: paper.Draw(r, "issued"), Red: paper.Draw(r, "red"), Doubt: rapid.Bool().Draw(r, "doubt"),
					Acts: rapid.IntRange(0, 9).Draw(r, "acts"), Looks: rapid.IntRange(0, 9).Draw(r, "looks"), Due: when.Draw(r, "due"), Since: when.Draw(r, "since"), Code: text.Draw(r, "refusal")}
			}
			if err := a.Update(ctx, func(tx Tx) error { return tx.AddBill(x, time.Time{}) }); err != nil {
				r.Fatal(err)
			}
			if err := b.View(ctx, func(tx Tx) error {
				got, err := tx.Bill(x.Bill.Number)
				if err == nil && !reflect.DeepEqual(got, x) {
					r.Errorf("got\n%+v\nwant\n%+v", got, x)
				}
				return err
			}); err != nil {
				r.Fatal(err)
			}
		})
	})
}
