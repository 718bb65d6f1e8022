package nontax

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/budayang/kiosk/platform/pay"
)

const (
	ebillNumber = "99000026112943200234"
	ebillGood   = `{"number":"99000026112943200234","amount":1000,"state":"issued","issued":{"batch":"99010126","serial":"0000000007","check":"a1b2c3","at":"2026-11-29T12:00:00+08:00","url":"https://e.example/p/7"}}`
)

// FuzzEBill: whatever passes, in our words or in a province's, is an e-bill of this bill and amount that can be booked and shown.
func FuzzEBill(f *testing.F) {
	shape := Shape{Data: "sj", Success: "0000", Yuan: true, Time: "20060102150405", Names: map[string]string{"number": "ddh", "amount": "je", "state": "zt", "code": "fhm",
		"issued": "dzpj", "red": "hzpj", "batch": "pjdm", "serial": "pjhm", "check": "jym", "at": "jysj", "url": "pjdz"}, States: map[string]string{"Y": "issued", "H": "red"}}
	if err := shape.check(); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		ebillGood, `{"number":"99000026112943200234","amount":1000,"payer":"司马测试","state":"working"}`, `{"payer":["x"],"state":"issued"}`, `{"number":"99000026112943200234","state":"working"}`,
		`{"number":"99000026112943200234","amount":1000,"state":"red","issued":{"batch":"99010126","serial":"0000000007","check":"a1b2c3","at":"2026-11-29T12:00:00+08:00"},"red":{"batch":"99010126","serial":"0000000008","check":"d4e5f6","at":"2026-11-30T12:00:00+08:00"}}`,
		`{"fhm":"0000","sj":{"ddh":"99000026112943200234","je":"10.00","zt":"Y","dzpj":{"pjdm":99010126,"pjhm":"0000000007","jym":"a1b2c3","jysj":"20261129120000","pjdz":"http://e.example/p"}}}`,
		`{"number":"99000026112943200234","amount":1000,"state":"issued"}`, `{"number":"99000026112943200234","amount":1000,"state":"issued","issued":{"url":"javascript:x"}}`, `[]`, ``, `{"fhm":"4404"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, s := range []Shape{{}, shape} {
			content, _, err := s.ours(raw)
			var got ebill
			if err != nil || json.Unmarshal(content, &got) != nil {
				continue
			}
			is, err := got.standing(ebillNumber, 1000)
			switch {
			case err != nil:
				if is != (pay.EBillStanding{}) {
					t.Errorf("%+v beside an error", is)
				}
			case is.State == pay.EBillWorking:
			case is.State != pay.EBillMade && is.State != pay.EBillCanceled, !is.Issued.Plain(), got.Number != ebillNumber, got.Amount != 1000,
				is.State == pay.EBillCanceled && !is.Red.Plain():
				t.Errorf("%+v", is)
			}
		}
	})
}

func TestEBillsThatAreNotBelieved(t *testing.T) {
	change := func(f func(*ebill)) ebill {
		var e ebill
		if err := json.Unmarshal([]byte(ebillGood), &e); err != nil {
			t.Fatal(err)
		}
		f(&e)
		return e
	}
	if got, err := change(func(*ebill) {}).standing(ebillNumber, 1000); err != nil || got.Issued.Number != "0000000007" {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, e := range map[string]ebill{
		"of another bill":         change(func(e *ebill) { e.Number += "1" }),
		"of another amount":       change(func(e *ebill) { e.Amount++ }),
		"in no state":             change(func(e *ebill) { e.State = "void" }),
		"without itself":          change(func(e *ebill) { e.Issued = nil }),
		"without a check code":    change(func(e *ebill) { e.Issued.Check = "" }),
		"with a number too long":  change(func(e *ebill) { e.Issued.Serial = "123456789012345678901234567890123" }),
		"with words for a number": change(func(e *ebill) { e.Issued.Serial = "第七号" }),
		"without a time":          change(func(e *ebill) { e.Issued.At = e.Issued.At.AddDate(-100, 0, 0) }),
		"with a script":           change(func(e *ebill) { e.Issued.URL = "javascript:alert(1)" }),
		"red without a red one":   change(func(e *ebill) { e.State = "red" }),
	} {
		if got, err := e.standing(ebillNumber, 1000); err == nil || errors.Is(err, pay.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

const bookGood = `{"day":"2026-11-29","ebills":[` + ebillGood + `,{"number":"99000026112943200234","amount":1000,"state":"red","red":{"batch":"99010126","serial":"0000000008","check":"d4e5f6","at":"2026-11-29T12:00:00+08:00"}}]}`

// FuzzEBillBook: whatever passes, in our words or in a province's, is a book of which every line can be booked.
func FuzzEBillBook(f *testing.F) {
	shape := Shape{Data: "sj", Success: "0000", Yuan: true, Time: "20060102150405", Names: map[string]string{"number": "ddh", "amount": "je", "state": "zt", "code": "fhm", "day": "rq",
		"issued": "dzpj", "red": "hzpj", "batch": "pjdm", "serial": "pjhm", "check": "jym", "at": "jysj", "url": "pjdz", "ebills": "pjmx"}, States: map[string]string{"Y": "issued", "H": "red"}}
	if err := shape.check(); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		bookGood, `{"day":"2026-11-29","ebills":[]}`, `{"day":"2026-11-29","ebills":null}`, `{"day":"2026-11-29","ebills":[{}]}`, `{"day":20261129}`, ``, `[]`,
		`{"fhm":"0000","sj":{"rq":"2026-11-29","pjmx":[{"ddh":99000026112943200234,"je":"10.00","zt":"Y","dzpj":{"pjdm":99010126,"pjhm":"0000000007","jym":"a1b2c3","jysj":"20261129120000"}}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, s := range []Shape{{}, shape} {
			content, _, err := s.ours(raw)
			var got book
			if err != nil || json.Unmarshal(content, &got) != nil {
				continue
			}
			all, err := got.lines("2026-11-29")
			if err != nil && all != nil || err == nil && len(all) != len(got.EBills) {
				t.Errorf("%d lines of %d, %v", len(all), len(got.EBills), err)
			}
			for _, l := range all {
				if !l.Paper.Plain() || l.Paper.URL != "" || !pay.Plain(l.Bill, 64) || l.Amount <= 0 || l.Amount > pay.MaxAmount {
					t.Errorf("%+v", l)
				}
			}
		}
	})
}

func TestBooksThatAreNotBelieved(t *testing.T) {
	change := func(f func(*book)) book {
		var b book
		if err := json.Unmarshal([]byte(bookGood), &b); err != nil {
			t.Fatal(err)
		}
		f(&b)
		return b
	}
	if got, err := change(func(*book) {}).lines("2026-11-29"); err != nil || len(got) != 2 || got[0].Red || !got[1].Red || got[1].Paper.Number != "0000000008" || got[0].Amount != 1000 {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, b := range map[string]book{
		"of another day":     change(func(b *book) { b.Day = "2026-11-28" }),
		"of no amount":       change(func(b *book) { b.EBills[0].Amount = 0 }),
		"of a fortune":       change(func(b *book) { b.EBills[0].Amount = 1 << 60 }),
		"being made":         change(func(b *book) { b.EBills[0].State = "working" }),
		"without itself":     change(func(b *book) { b.EBills[0].Issued = nil }),
		"red without a red":  change(func(b *book) { b.EBills[1].Red = nil }),
		"of no bill":         change(func(b *book) { b.EBills[1].Number = "" }),
		"of a bill in words": change(func(b *book) { b.EBills[1].Number = "第七号" }),
	} {
		if got, err := b.lines("2026-11-29"); err == nil || got != nil || errors.Is(err, pay.ErrRefused) || errors.Is(err, pay.ErrAbsent) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
