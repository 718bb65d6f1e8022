package platform

// E-bills as a terminal and the desk see them, with their issuer behind a socket.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/paysim"
	"github.com/budayang/kiosk/sync/wire"
)

// ebill asks for a bill until its e-bill is in a state, while the clock goes on.
func (x *till) ebill(p *peer, number string, state wire.EBillState) wire.Bill {
	x.t.Helper()
	var b wire.Bill
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if b = p.bill("GET", "/"+number, nil, 200); b.EBill != nil && b.EBill.State == state {
			return b
		}
		x.ahead.Add(int64(2 * time.Second))
		if _, err := x.s.settler.Turn(context.Background()); err != nil {
			x.t.Fatal(err)
		}
	}
	x.t.Fatalf("%+v, e-bill %+v, expected %s", b, b.EBill, state)
	return b
}

func (x *till) paid(p *peer, id string) wire.Bill {
	x.t.Helper()
	p.sends(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "TID", ReceiptCode: "01-1", State: "SUBMITTED", At: time.Now()}))
	b := p.bill("POST", "", wire.BillRequest{Case: id, Item: "TID"}, 200)
	if b.EBill != nil {
		x.t.Errorf("nobody has paid: %+v", b.EBill)
	}
	for end := time.Now().Add(10 * time.Second); b.QR == "" && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		b = p.bill("GET", "/"+b.Number, nil, 200) // another server fetches its code
	}
	if err := x.sim.Pay(x.order(b), 0); err != nil {
		x.t.Fatal(err)
	}
	return x.until(p, b.Number, wire.BillPaid)
}

func TestTheTerminalHearsOfTheEBill(t *testing.T) {
	x := newTillWith(t, true)
	p, id := x.terminal("990000-0001"), uuid.NewString()
	x.sim.Steer(func(f *paysim.Faults) { f.Arrives, f.LoseEBill = 10*time.Minute, 1 })
	b := x.paid(p, id)
	if b.EBill == nil || b.EBill.State != wire.EBillComing || b.EBill.Number != "" || b.EBill.Site != "ebill.example.cn" || !b.EBill.Shown() {
		t.Fatalf("%+v", b.EBill)
	}
	got := x.ebill(p, b.Number, wire.EBillIssued)
	if e := got.EBill; !e.Shown() || len(e.Code) != 8 || len(e.Number) != 10 || len(e.Check) != 6 || e.QR == "" || e.Issued.IsZero() || got.State != wire.BillPaid {
		t.Errorf("%+v", e)
	}
	// The case's record says that nothing will be issued: the money goes back, and a red one cancels the e-bill.
	p.sends(p.record(wire.TypeCaseState, id, wire.CaseState{State: wire.CaseRefundDue, At: time.Now()}))
	red := x.ebill(p, b.Number, wire.EBillRed)
	if red.State != wire.BillReturned || red.EBill.Number != got.EBill.Number {
		t.Errorf("%+v", red)
	}
	all := x.sim.EBills()
	if len(all) != 1 || all[0].Red == nil || all[0].Number != b.Number || len(x.sim.Breaches()) > 0 {
		t.Errorf("%+v, %v", all, x.sim.Breaches())
	}
}

// TestTwoServersAskForOneEBill: both run the job, and answers are lost.
func TestTwoServersAskForOneEBill(t *testing.T) {
	x := newTillWith(t, true)
	x.sim.Steer(func(f *paysim.Faults) { f.LoseEBill = 2 })
	p := x.terminal("990000-0001")
	other := *x.s.settler
	other.Owner = "another"
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			_, _ = other.Turn(context.Background())
			time.Sleep(2 * time.Millisecond)
		}
	}()
	b := x.paid(p, uuid.NewString())
	x.ebill(p, b.Number, wire.EBillIssued)
	<-done
	if all := x.sim.EBills(); len(all) != 1 || len(x.sim.Breaches()) > 0 {
		t.Errorf("%+v, %v", all, x.sim.Breaches())
	}
}

// TestASlowIssuerHoldsNothingUp: bills are paid while every question about e-bills hangs.
func TestASlowIssuerHoldsNothingUp(t *testing.T) {
	x := newTillWith(t, true)
	x.sim.Steer(func(f *paysim.Faults) { f.SlowEBill = time.Minute })
	p := x.terminal("990000-0001")
	began := time.Now()
	for range ebillsAtOnce + 2 {
		if b := x.paid(p, uuid.NewString()); b.EBill == nil || b.EBill.State != wire.EBillComing {
			t.Errorf("%+v", b.EBill)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%s for bills of which nobody waits for an e-bill", took)
	}
}

// TestAnOlderServerForgetsNoEBill: one that knows of no e-bills writes the bill again and again, with nothing due.
func TestAnOlderServerForgetsNoEBill(t *testing.T) {
	x := newTillWith(t, true)
	x.sim.Steer(func(f *paysim.Faults) { f.Arrives = 10 * time.Minute })
	p := x.terminal("990000-0001")
	b := x.paid(p, uuid.NewString())
	for n := 0; b.EBill == nil || b.EBill.State != wire.EBillIssued; n++ {
		if n > 2000 {
			t.Fatalf("%+v", b.EBill)
		}
		if err := x.s.store.Update(context.Background(), func(tx Tx) error {
			a, err := tx.Bill(b.Number)
			if err != nil {
				return err
			}
			a.EBill = nil
			return tx.PutBill(a, time.Time{})
		}); err != nil {
			t.Fatal(err)
		}
		x.ahead.Add(int64(2 * time.Second))
		if _, err := x.s.settler.Turn(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
		b = p.bill("GET", "/"+b.Number, nil, 200)
	}
	if b := x.sim.Breaches(); len(b) > 0 {
		t.Error(b)
	}
}

// TestAnActBesideEndsWithTheServer: not with the request that found it, and Close waits for it.
func TestAnActBesideEndsWithTheServer(t *testing.T) {
	x := newTillWith(t, true)
	began, ended := make(chan struct{}), make(chan struct{})
	if !x.s.beside(1)(func(ctx context.Context) { close(began); <-ctx.Done(); close(ended) }) {
		t.Fatal("no place for one act")
	}
	<-began
	select {
	case <-ended:
		t.Error("it ended by itself")
	case <-time.After(20 * time.Millisecond):
	}
	if err := x.s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("Close did not wait for it")
	}
}

// TestARefusedEBillLiesOnTheDesk: two people have it asked for once more.
func TestARefusedEBillLiesOnTheDesk(t *testing.T) {
	x := newTillWith(t, true)
	x.sim.Steer(func(f *paysim.Faults) { f.RefuseEBill = 1 })
	p := x.terminal("990000-0001")
	b := x.paid(p, uuid.NewString())
	x.ebill(p, b.Number, wire.EBillDesk)
	desk, err := BillsOnDesk(context.Background(), x.s.store)
	if err != nil || len(desk) != 1 || !slices.ContainsFunc(desk[0].Matters, func(m pay.Matter) bool { return m.Kind == pay.MatterEBill && m.Ended.IsZero() }) {
		t.Fatalf("%+v, %v", desk, err)
	}
	if err := x.s.store.Update(context.Background(), func(tx Tx) error {
		return x.s.settleMoney(tx, VerdictRow{Ref: matterRef(b.Number, pay.Matter{Kind: pay.MatterEBill, Ref: b.Number}), Act: actAgain, By: "chen", Second: "bai"})
	}); err != nil {
		t.Fatal(err)
	}
	x.ebill(p, b.Number, wire.EBillIssued)
	if desk, err := BillsOnDesk(context.Background(), x.s.store); err != nil || len(desk) > 0 {
		t.Errorf("%+v, %v", desk, err)
	}
}

// TestEBillsForWhoeverComesBack: a person sees those of their own applications, and nobody without a proof.
func TestEBillsForWhoeverComesBack(t *testing.T) {
	x := newTillWith(t, true)
	p := x.terminal("990000-0001")
	b := x.paid(p, uuid.NewString())
	x.ebill(p, b.Number, wire.EBillIssued)
	// The application that the bill's case is: whose it is says the platform's own row.
	mine := CardRow{Key: b.Case, Kind: "TID", Number: "TID-1", Receipt: "01-1", Terminal: "990000-0001", Person: x.s.keys.pseudonym(numberOf(t, 0)), State: wire.CardIssued,
		Made: time.Now(), Changed: time.Now(), Decided: time.Now()}
	if err := x.s.store.Update(context.Background(), func(tx Tx) error { return tx.AddCard(mine) }); err != nil {
		t.Fatal(err)
	}
	ask := func(person int, name string) (a wire.Answer) {
		t.Helper()
		w := p.do("POST", wire.PathQuery+ebillService, wire.Query{Token: p.proven(x.box, person, name), Visit: "v"})
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	paper := x.sim.EBills()[0].Issued
	text := fmt.Sprint(ask(0, "王建国"))
	for _, want := range []string{b.Number, paper.Batch, paper.Serial, paper.Check, "01-1", "ebill.example.cn", "临时居民身份证"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
	if other := fmt.Sprint(ask(2, "赵䶮")); strings.Contains(other, paper.Serial) || strings.Contains(other, b.Number) {
		t.Errorf("somebody else sees %s", other)
	}
	if w := p.do("POST", wire.PathQuery+ebillService, wire.Query{Token: "wrong", Visit: "v"}); w.Code != 403 {
		t.Errorf("without a proof: %d %s", w.Code, w.Body)
	}
}

// TestAGuardianFindsTheChildsEBill: who applied does, with the name on the card; another guardian does not.
func TestAGuardianFindsTheChildsEBill(t *testing.T) {
	x := newTillWith(t, true)
	p := x.terminal("990000-0001")
	b := x.paid(p, uuid.NewString())
	x.ebill(p, b.Number, wire.EBillIssued)
	row := CardRow{Key: b.Case, Kind: "TID", Number: "TID-1", Receipt: "01-1", Terminal: "990000-0001", Person: x.s.keys.pseudonym(numberOf(t, 5)),
		Applicant: x.s.keys.pseudonym(numberOf(t, 0)), Masked: "王*明", State: wire.CardIssued, Made: time.Now(), Changed: time.Now(), Decided: time.Now()}
	if err := x.s.store.Update(context.Background(), func(tx Tx) error { return tx.AddCard(row) }); err != nil {
		t.Fatal(err)
	}
	serial := x.sim.EBills()[0].Issued.Serial
	for _, c := range []struct {
		who   int
		sees  bool
		sayso string
	}{{0, true, "the guardian who applied"}, {2, false, "another guardian"}} {
		a, err := x.s.ebillAnswer(context.Background(), numberOf(t, c.who))
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(a)
		if strings.Contains(text, serial) != c.sees || strings.Contains(text, "王*明") != c.sees || c.sees && len(a.Sections) != 1 {
			t.Errorf("%s sees %s", c.sayso, text)
		}
	}
	if a, err := x.s.ebillAnswer(context.Background(), numberOf(t, 5)); err != nil || len(a.Sections) != 1 || !strings.Contains(fmt.Sprint(a), serial) {
		t.Errorf("the child itself sees %+v, %v", a, err)
	}
}

// TestTheEBillNamesWhoTheFeeIsFor: the holder of the card, whoever applied; nobody once what is sealed of the application was erased. The
// name is in no log and not beside the bill.
func TestTheEBillNamesWhoTheFeeIsFor(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		place, child int
		erased       bool
		payer        string
	}{
		"one's own":        {place: 2, payer: seedPeople[2].name},
		"a child's":        {place: 1, child: 5, payer: seedPeople[5].name},
		"erased by then":   {place: 0, erased: true},
		"beyond the BMP's": {place: 3, payer: seedPeople[3].name},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTillWith(t, true)
			x.sim.Steer(func(f *paysim.Faults) { f.Arrives = time.Hour })
			p := x.terminal("990000-0001")
			a := application(t, uuid.NewString(), p.proven(x.box, c.place, seedPeople[c.place].name), c.place)
			if c.child > 0 {
				a.Child, a.Voucher = numberOf(t, c.child), SeedVoucher(c.child)
			}
			p.sends(p.record(wire.TypeCaseOpened, a.Key, wire.CaseOpened{Item: "TID", ReceiptCode: a.Receipt, State: "SUBMITTED", At: time.Now()}))
			if _, w := p.card("POST", "", a); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			x.decide(a.Key, true)
			b := x.pays(p, a.Key)
			if c.erased {
				if err := x.s.store.Update(ctx, func(tx Tx) error { return tx.DropCardSecret(a.Key, secretPerson) }); err != nil {
					t.Fatal(err)
				}
			}
			// A server of whose log all is seen, whose answers are lost.
			x.sim.Steer(func(f *paysim.Faults) { f.Arrives, f.LoseEBill = 0, 1 })
			loud, log := *x.s.settler, &strings.Builder{}
			loud.Owner, loud.Beside = "loud", nil
			loud.Log = func(bill string, err error) { fmt.Fprintf(log, "%s %+v\n", bill, err) }
			for n := 0; len(x.sim.EBills()) == 0 && n < 1000; n++ {
				x.ahead.Add(int64(20 * time.Second))
				if _, err := loud.One(ctx, b.Number); err != nil {
					t.Fatal(err)
				}
			}
			x.ebill(p, b.Number, wire.EBillIssued)
			all := x.sim.EBills()
			if len(all) != 1 || all[0].Payer != c.payer || len(x.sim.Breaches()) > 0 {
				t.Errorf("%d e-bills, payer as expected: %t, %v", len(all), len(all) == 1 && all[0].Payer == c.payer, x.sim.Breaches())
			}
			var account *pay.Account
			if err := x.s.store.View(ctx, func(tx Tx) (err error) { account, err = tx.Bill(b.Number); return err }); err != nil {
				t.Fatal(err)
			}
			kept, err := json.Marshal(account)
			if err != nil {
				t.Fatal(err)
			}
			if c.payer != "" && (strings.Contains(log.String(), c.payer) || strings.Contains(string(kept), c.payer)) {
				t.Error("the payer's name is in the log or beside the bill")
			}
			if c.child == 0 {
				return
			}
			if a, err := x.s.ebillAnswer(ctx, numberOf(t, c.place)); err != nil || len(a.Sections) != 1 || !strings.Contains(fmt.Sprint(a), idnum.MaskName(c.payer)) || strings.Contains(fmt.Sprint(a), c.payer) {
				t.Errorf("the guardian sees %+v, %v", a, err)
			}
		})
	}
}

// TestBooksOfEBillsAreCompared: what the issuer's book leaves out lies on the desk until a person clears it up, and the list is kept.
func TestBooksOfEBillsAreCompared(t *testing.T) {
	x := newTillWith(t, true)
	p := x.terminal("990000-0001")
	b := x.paid(p, uuid.NewString())
	other := x.paid(p, uuid.NewString())
	x.ebill(p, b.Number, wire.EBillIssued)
	x.ebill(p, other.Number, wire.EBillIssued)
	serial, day := "", ""
	for _, e := range x.sim.EBills() {
		if e.Number == b.Number {
			serial, day = e.Issued.Serial, pay.Day(e.Issued.At)
		}
	}
	x.sim.Steer(func(f *paysim.Faults) { f.Omit = []string{serial} })
	x.ahead.Add(int64(40 * time.Hour))
	row, err := StatementRow{}, ErrNoRow
	for end := time.Now().Add(20 * time.Second); errors.Is(err, ErrNoRow) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err := x.s.Compare(context.Background()); err != nil { // nothing, while the server's own is under way
			t.Fatal(err)
		}
		row, err = StatementOf(context.Background(), x.s.store, EBillBook, day)
	}
	if err != nil || len(row.Differences) != 1 || row.Differences[0].Kind != pay.DiffOurs || row.Differences[0].EBill == nil {
		t.Fatalf("%+v, %v", row, err)
	}
	if l := row.Differences[0].EBill; l.Bill != b.Number || l.Paper.Number != serial || l.Amount != pay.Fen(b.Amount) || l.Red {
		t.Errorf("%+v", l)
	}
	all, err := BillsOnDesk(context.Background(), x.s.store)
	if err != nil || len(all) != 1 || all[0].Bill.Number != b.Number || all[0].Matters[0].Kind != pay.MatterEBook {
		t.Fatalf("%+v, %v", all, err)
	}
	x.s.cfg.Pay.EBills = nil
	if err := x.s.openPay(); err == nil {
		t.Error("a book of nobody is compared")
	}
}

// TestWhereNobodyIssuesEBills: the item is greyed, and the query is not there.
func TestWhereNobodyIssuesEBills(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	var c wire.Catalogue
	if err := json.Unmarshal(p.do("GET", wire.PathCatalogue, nil).Body.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if a, named := c.Items[ebillItem]; !named || a.Available || a.Why["zh"] == "" || a.Why["en"] == "" {
		t.Errorf("%+v", c.Items)
	}
	if w := p.do("POST", wire.PathQuery+ebillService, wire.Query{Token: "x", Visit: "v"}); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if b := x.paid(p, uuid.NewString()); b.EBill != nil {
		t.Errorf("%+v", b.EBill)
	}
}
