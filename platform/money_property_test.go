package platform

// Money, blanks and cards together: citizens, phones, a channel at its worst, terminals, printers, power cuts, people at the desk and
// a platform that is started again, at random. At the end the channel's books, the world and the platform must agree:
//
//	money in = fees of cards that were issued + what went back
//	every blank is in one state, the one it really is in
//	no case has two cards, and none a card that nobody paid for
//	what was paid and kept has one e-bill, what went back has none or one that a red one cancelled, or a person is told
//
// The same histories must notice each of the lies that a store is made to tell.

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/paysim"
	"github.com/budayang/kiosk/sync/wire"
)

// liar is a store that says or keeps one thing wrongly.
type liar struct {
	Store
	lie func(Tx) Tx
}

func (l liar) Update(ctx context.Context, fn func(Tx) error) error {
	return l.Store.Update(ctx, func(tx Tx) error { return fn(l.lie(tx)) })
}

func (l liar) View(ctx context.Context, fn func(Tx) error) error {
	return l.Store.View(ctx, func(tx Tx) error { return fn(l.lie(tx)) })
}

type (
	paidTx      struct{ Tx }
	unreturned  struct{ Tx }
	keptTwice   struct{ Tx }
	unbound     struct{ Tx }
	undoubted   struct{ Tx }
	unrequested struct{ Tx }
	unreceipted struct{ Tx }
	uncancelled struct{ Tx }
)

func (t paidTx) BillsOf(id string) ([]pay.Bill, error) {
	all, err := t.Tx.BillsOf(id)
	for i := range all {
		all[i].State = pay.BillPaid
	}
	return all, err
}

func dropRefunds(a *pay.Account, why string, state pay.BillState) *pay.Account {
	b := *a
	b.Refunds = slices.DeleteFunc(slices.Clone(a.Refunds), func(f pay.Refund) bool { return f.Why == why })
	if len(b.Refunds) != len(a.Refunds) && state != "" {
		b.Bill.State = state
	}
	return &b
}

func (t unreturned) PutBill(a *pay.Account, due time.Time) error {
	return t.Tx.PutBill(dropRefunds(a, "unissued", pay.BillPaid), due)
}

func (t keptTwice) PutBill(a *pay.Account, due time.Time) error {
	return t.Tx.PutBill(dropRefunds(dropRefunds(a, "twice", ""), "late", ""), due)
}

func (t unbound) Card(key string) (CardRow, error) {
	c, err := t.Tx.Card(key)
	if c.State == wire.CardPrinting {
		c.Blank = ""
	}
	return c, err
}

func (t undoubted) PutCard(c CardRow) error {
	if c.State == wire.CardDoubt {
		c.State, c.Blank = wire.CardApproved, ""
	}
	return t.Tx.PutCard(c)
}

func (t unrequested) PutMessage(terminal string, m wire.Message) error {
	if m.Type == wire.MessageBlank {
		m.Body = []byte(strings.Replace(string(m.Body), `"to":"spoiled"`, `"to":"taken"`, 1))
	}
	return t.Tx.PutMessage(terminal, m)
}

func (t unreceipted) PutBill(a *pay.Account, due time.Time) error {
	b := *a
	b.EBill = nil
	return t.Tx.PutBill(&b, due)
}

func (t uncancelled) Bill(number string) (*pay.Account, error) {
	a, err := t.Tx.Bill(number)
	if err == nil && a.Bill.State == pay.BillReturned {
		a.EBill = nil
	}
	return a, err
}

// lies are told one at a time.
var lies = map[string]func(Tx) Tx{
	"every bill is paid":                      func(tx Tx) Tx { return paidTx{tx} },
	"what was paid for no card stays":         func(tx Tx) Tx { return unreturned{tx} },
	"what was paid twice or late stays":       func(tx Tx) Tx { return keptTwice{tx} },
	"a card under way forgets its blank":      func(tx Tx) Tx { return unbound{tx} },
	"a card in doubt is one that is approved": func(tx Tx) Tx { return undoubted{tx} },
	"a verdict arrives as another":            func(tx Tx) Tx { return unrequested{tx} },
	"an e-bill that is wanted is forgotten":   func(tx Tx) Tx { return unreceipted{tx} },
	"an e-bill outlives its payment":          func(tx Tx) Tx { return uncancelled{tx} },
}

// piece is a blank as it really is.
type piece struct {
	number, owner string
	state         wire.BlankState
	printed       bool
	permit        wire.Permit
}

type moneyWorld struct {
	t     *testing.T
	rnd   *rand.Rand
	x     *till
	p     *peer
	cfg   Config
	cases []wire.CardApplication
	ended map[string]bool
	piece []*piece
	told  []wire.Record
	box   uint64 // of the inbox, done
	trace []string
	wrong error
}

func (w *moneyWorld) fail(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

func (w *moneyWorld) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *moneyWorld) chance(p int) bool { return w.rnd.IntN(100) < p }

func (w *moneyWorld) tell(typ, caseID string, body any) {
	w.told = append(w.told, w.p.record(typ, caseID, body))
}

func (w *moneyWorld) flush() {
	if len(w.told) == 0 {
		return
	}
	if r := w.p.do("POST", wire.PathPush, w.p.batch(w.told...)); r.Code != 200 {
		w.fail("records are refused: %d %s", r.Code, r.Body)
	}
	w.told = nil
}

func (w *moneyWorld) move(b *piece, to wire.BlankState) {
	w.say("%s of %.4s is %s", b.number, b.owner, to)
	b.state = to
	w.tell(wire.TypeStock, b.owner, wire.StockMove{Kind: "card", ID: "id-" + b.number, Number: b.number, To: to, At: w.x.now()})
}

// alive is a case's blank that may still become, or carries, a card: the terminal's ledger sets aside no other meanwhile.
func (w *moneyWorld) alive(key string) *piece {
	for _, b := range w.piece {
		if b.owner == key && b.state != wire.BlankSpoiled {
			return b
		}
	}
	return nil
}

func (w *moneyWorld) bill(key string) (b wire.Bill, ok bool) {
	r := w.p.do("POST", wire.PathBills, wire.BillRequest{Case: key, Item: "TID"})
	if r.Code != 200 {
		return b, false
	}
	return b, json.Unmarshal(r.Body.Bytes(), &b) == nil
}

func (w *moneyWorld) settle(n int, step time.Duration) {
	for range n {
		w.x.ahead.Add(int64(step))
		if _, err := w.x.s.settler.Turn(context.Background()); err != nil {
			w.fail("settling: %v", err)
		}
	}
}

// restart is the platform's power cut.
func (w *moneyWorld) restart() {
	_ = w.x.s.Close()
	w.start()
}

func (w *moneyWorld) start() {
	store, err := OpenSQLite(context.Background(), filepath.Join(w.cfg.Dir, "store.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := w.cfg
	cfg.Store = store
	if l, lies := w.cfg.Store.(liar); lies {
		l.Store, cfg.Store = store, nil
		cfg.Store = l
	}
	if w.x.s, err = New(context.Background(), cfg); err != nil {
		w.t.Fatal(err)
	}
	w.p.s = w.x.s
}

// orders does what the platform ordered: the terminal moves its ledger and the case.
func (w *moneyWorld) orders() {
	var all []wire.Message
	if err := w.x.s.store.View(context.Background(), func(tx Tx) (err error) { all, err = tx.Inbox(w.p.id, w.box, 50); return err }); err != nil {
		w.fail("%v", err)
	}
	for _, m := range all {
		w.box = m.No
		var v wire.BlankVerdict
		if m.Type != wire.MessageBlank || json.Unmarshal(m.Body, &v) != nil {
			continue
		}
		for _, b := range w.piece {
			if b.number != v.Number || b.state != wire.BlankDoubt && b.state != wire.BlankRetained {
				continue
			}
			w.move(b, v.To)
			if v.Money == wire.VerdictReturn || v.Money == wire.VerdictEnd {
				w.end(b.owner, map[string]string{wire.VerdictReturn: wire.CaseRefundDue, wire.VerdictEnd: "CANCELLED"}[v.Money])
			}
		}
	}
}

func (w *moneyWorld) end(key, state string) {
	if w.ended[key] {
		return
	}
	w.say("case %.4s ends: %s", key, state)
	w.ended[key] = true
	w.tell(wire.TypeCaseState, key, wire.CaseState{State: state, At: w.x.now()})
}

// desk lets two people say what really is of one blank.
func (w *moneyWorld) desk() {
	var all []DoubtRow
	if err := w.x.s.store.View(context.Background(), func(tx Tx) (err error) { all, err = tx.Doubts(50); return err }); err != nil {
		w.fail("%v", err)
	}
	for _, d := range all {
		for _, b := range w.piece {
			if b.number != d.Number || string(b.state) != d.State {
				continue
			}
			v := VerdictRow{Kind: aboutBlank, Ref: doubtRef(d), Act: string(wire.BlankSpoiled)}
			paid := false
			_ = w.x.s.store.View(context.Background(), func(tx Tx) (err error) { paid, err = paidFor(tx, d.Case); return err })
			switch {
			case b.printed && w.chance(60): // it is a good card, and the citizen gets it at the counter
				v.Act = string(wire.BlankTaken)
			case w.chance(50) && !w.ended[d.Case]:
				v.Money = wire.VerdictAgain
			default:
				v.Money = map[bool]string{true: wire.VerdictReturn, false: wire.VerdictEnd}[paid]
			}
			id, err := w.x.s.Propose(context.Background(), v, Operator{"chen", "looked into the bin"})
			if err != nil {
				w.say("proposing %s %s: %v", v.Act, v.Money, err)
				continue
			}
			w.say("two people say of %s: %s %s: %v", d.Number, v.Act, v.Money, w.x.s.Confirm(context.Background(), id, Operator{Who: "bai"}))
			return
		}
	}
}

// accounts are the bills of all cases.
func (w *moneyWorld) accounts() (all []*pay.Account) {
	if err := w.x.s.store.View(context.Background(), func(tx Tx) error {
		all = nil
		for _, c := range w.cases {
			bills, err := tx.BillsOf(c.Key)
			if err != nil {
				return err
			}
			for _, b := range bills {
				a, err := tx.Bill(b.Number)
				if err != nil {
					return err
				}
				all = append(all, a)
			}
		}
		return nil
	}); err != nil {
		w.fail("%v", err)
	}
	return all
}

// ebillDesk lets a person decide about an e-bill that its issuer refused.
func (w *moneyWorld) ebillDesk() {
	for _, a := range w.accounts() {
		if e := a.EBill; e == nil || e.State != pay.EBillRefused && e.State != pay.EBillRedRefused {
			continue
		}
		again := w.chance(60)
		err := ChangeBill(context.Background(), w.x.s.store, a.Bill.Number, "chen", func(a *pay.Account, now time.Time) error {
			if again {
				return w.x.s.settler.Rules.EBillAgain(a, "chen", now)
			}
			return w.x.s.settler.Rules.EBillDone(a, "on paper", "chen", now)
		}, w.x.now())
		w.say("a person decides about the e-bill of %s, again %t: %v", a.Bill.Number, again, err)
	}
}

// ebillsRest waits until nothing is asked of the issuer any more: acts there are done beside.
func (w *moneyWorld) ebillsRest() {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		rest := true
		for _, a := range w.accounts() {
			rest = rest && (a.EBill == nil || a.EBill.Due.IsZero())
		}
		if rest {
			return
		}
		w.settle(1, 31*time.Minute)
		time.Sleep(2 * time.Millisecond)
	}
}

// judgeEBills compares bills with the issuer's books.
func (w *moneyWorld) judgeEBills() {
	there := map[string]paysim.EBill{}
	for _, e := range w.x.sim.EBills() {
		there[e.Number] = e
	}
	for _, a := range w.accounts() {
		number, e := a.Bill.Number, a.EBill
		is, issued := there[number]
		delete(there, number)
		desk := slices.ContainsFunc(a.Matters, func(m pay.Matter) bool { return m.Ref == number && m.Ended.IsZero() })
		byHand := e != nil && e.State == pay.EBillByHand || slices.ContainsFunc(a.Matters, func(m pay.Matter) bool { return m.How == "on paper" })
		switch {
		case a.Kept() == nil || a.Bill.Amount == 0:
			if e != nil || issued {
				w.fail("bill %s, which nothing pays, has an e-bill", number)
			}
		case e == nil:
			w.fail("bill %s is %s and no e-bill is wanted", number, a.Bill.State)
		case desk, byHand:
		case a.Bill.State == pay.BillPaid && (!issued || is.Red != nil || e.State != pay.EBillIssued || e.Issued.Number != is.Issued.Serial):
			w.fail("bill %s is paid, its e-bill %s; the issuer has %+v", number, e.State, is)
		case a.Bill.State == pay.BillReturned && issued && (is.Red == nil || e.State != pay.EBillRed), a.Bill.State == pay.BillReturned && !issued && e.State != pay.EBillDropped:
			w.fail("bill %s went back, its e-bill is %s; the issuer has %+v", number, e.State, is)
		}
	}
	for number := range there {
		w.fail("e-bill %s is of no bill", number)
	}
}

func (w *moneyWorld) step() {
	a := w.cases[w.rnd.IntN(len(w.cases))]
	b := w.alive(a.Key)
	sim := w.x.sim
	switch w.rnd.IntN(24) {
	case 0, 1:
		if is, ok := w.bill(a.Key); ok {
			w.say("bill %s of %.4s is %s", is.Number, a.Key, is.State)
		}
	case 2, 3, 4:
		if all := sim.Orders(); len(all) > 0 {
			o := all[w.rnd.IntN(len(all))]
			w.say("a phone pays %s: %v", o.Number, sim.Pay(o.Number, 0))
		}
	case 5:
		if all := sim.Orders(); len(all) > 0 && w.chance(40) {
			o := all[w.rnd.IntN(len(all))]
			w.say("a phone pays %s whatever it is: %v", o.Number, sim.PayAnyway(o.Number, 0))
		}
	case 6, 7, 8:
		w.settle(1+w.rnd.IntN(8), []time.Duration{2 * time.Second, 20 * time.Second, 3 * time.Minute}[w.rnd.IntN(3)])
	case 9, 10:
		if b == nil && !w.ended[a.Key] {
			b = &piece{number: fmt.Sprintf("B%d", len(w.piece)), owner: a.Key}
			w.piece = append(w.piece, b)
			w.move(b, wire.BlankBound)
		}
	case 11, 12, 13:
		if b != nil && b.state == wire.BlankBound {
			p, r := w.p.permit(a.Key, b.number)
			w.say("permit for %s: %d", b.number, r.Code)
			if r.Code == 200 {
				b.permit = p
			}
		}
		if b != nil && b.state == wire.BlankBound && b.permit.Key == a.Key && w.x.now().Before(b.permit.Expires) && w.chance(80) {
			for _, other := range w.piece {
				if other != b && other.owner == a.Key && other.printed && other.state != wire.BlankSpoiled {
					w.fail("case %.4s has %s, and %s is printed", a.Key, other.number, b.number)
				}
			}
			w.move(b, wire.BlankSent)
			b.printed = w.chance(85)
		}
	case 14, 15:
		switch {
		case b != nil && b.state == wire.BlankSent && b.printed:
			w.move(b, wire.BlankPresented)
		case b != nil && b.state == wire.BlankPresented:
			w.move(b, wire.BlankTaken)
			w.end(a.Key, "CLOSED")
		}
	case 16: // a ribbon tears, nobody takes it, the power fails
		if b != nil {
			switch {
			case b.state == wire.BlankSent && !b.printed, b.state == wire.BlankBound:
				w.move(b, []wire.BlankState{wire.BlankSpoiled, wire.BlankDoubt}[w.rnd.IntN(2)])
			case b.state == wire.BlankSent, b.state == wire.BlankPresented:
				w.move(b, []wire.BlankState{wire.BlankRetained, wire.BlankDoubt}[w.rnd.IntN(2)])
			}
		}
	case 17:
		w.flush()
	case 18:
		w.flush()
		w.desk()
		w.orders()
		w.flush()
		w.ebillDesk()
	case 19:
		if w.chance(30) {
			w.say("the platform starts again")
			w.restart()
		}
	case 20: // nobody comes for it
		if b == nil && w.chance(25) {
			if is, ok := w.bill(a.Key); ok && is.State == wire.BillPaid {
				w.end(a.Key, wire.CaseRefundDue)
			}
		}
	case 21:
		sim.Steer(func(f *paysim.Faults) {
			switch w.rnd.IntN(6) {
			case 0:
				f.LoseAfter++
			case 1:
				f.LoseBefore++
			case 2:
				f.Park++
			case 3:
				f.Unborn = !f.Unborn
			case 4:
				f.SlowRefunds = time.Duration(w.rnd.IntN(2)) * 10 * time.Minute
			case 5:
				f.Busy++
			}
		})
	case 22, 23:
		sim.Steer(func(f *paysim.Faults) {
			switch w.rnd.IntN(4) {
			case 0:
				f.Arrives = time.Duration(w.rnd.IntN(3)) * time.Hour
			case 1:
				f.LoseEBill++
			case 2:
				f.RefuseEBill++
			case 3:
				f.Making = time.Duration(w.rnd.IntN(2)) * 10 * time.Minute
			}
		})
	}
}

// last brings all to rest: what is under way is found by people, and what nobody comes for ends.
func (w *moneyWorld) last() {
	w.x.sim.Steer(func(f *paysim.Faults) { *f = paysim.Faults{} })
	w.x.sim.RunParked()
	for _, b := range w.piece {
		switch b.state {
		case wire.BlankBound, wire.BlankSent:
			w.move(b, wire.BlankDoubt)
		case wire.BlankPresented:
			w.move(b, wire.BlankRetained)
		}
	}
	w.flush()
	w.settle(40, 30*time.Second)
	for range 4 * len(w.piece) {
		w.desk()
		w.orders()
		w.flush()
	}
	w.settle(60, time.Minute)
	// What was paid to a code that had ended long before stands in the channel's books of the days.
	w.x.ahead.Add(int64(40 * time.Hour))
	w.compare()
	w.settle(60, time.Minute)
	w.x.ahead.Add(int64(unfetchedFor + unclaimedFor))
	if err := w.x.s.endUnclaimed(context.Background()); err != nil {
		w.fail("%v", err)
	}
	w.settle(60, 2*time.Minute)
	w.ebillsRest()
}

// compare compares the channel's books of each day on which it took money. The server's own comparison may be under way, with days of
// before, and then ours does nothing.
func (w *moneyWorld) compare() {
	days := map[string]bool{}
	for _, o := range w.x.sim.Orders() {
		for _, p := range o.Payments {
			days[pay.Day(p.At)] = true
		}
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err := w.x.s.Compare(context.Background()); err != nil {
			w.fail("comparing: %v", err)
			return
		}
		done := true
		for day := range days {
			_, err := StatementOf(context.Background(), w.x.s.store, "nontax", day)
			_, bookErr := StatementOf(context.Background(), w.x.s.store, EBillBook, day)
			done = done && err == nil && bookErr == nil
		}
		if done {
			return
		}
	}
	w.fail("the channel's books are not compared")
}

// judge counts.
func (w *moneyWorld) judge() {
	issued := map[string]int{}
	for _, b := range w.piece {
		if b.state == wire.BlankTaken {
			if !b.printed {
				w.fail("%s was handed over and carries nothing", b.number)
			}
			issued[b.owner]++
		}
		row, err := BlankRow{}, error(nil)
		if err = w.x.s.store.View(context.Background(), func(tx Tx) (err error) { row, err = tx.Blank("card", b.number); return err }); err != nil || row.State != string(b.state) || row.Case != b.owner {
			w.fail("%s is %s, and the platform holds %+v %v", b.number, b.state, row, err)
		}
		if b.state == wire.BlankDoubt || b.state == wire.BlankRetained {
			w.fail("%s is still %s", b.number, b.state)
		}
	}
	var in, back, fees int64
	kept := map[string]int64{}
	for _, o := range w.x.sim.Orders() {
		number, _ := pay.BillOf(o.Number)
		caseID := ""
		_ = w.x.s.store.View(context.Background(), func(tx Tx) error {
			a, err := tx.Bill(number)
			if err == nil {
				caseID = a.Bill.Case
			}
			return err
		})
		for _, p := range o.Payments {
			in, back = in+p.Amount, back+p.Returned
			kept[caseID] += p.Amount - p.Returned
		}
	}
	for _, a := range w.cases {
		n := issued[a.Key]
		fees += int64(n) * 1000
		if n > 1 {
			w.fail("case %.4s has %d cards", a.Key, n)
		}
		if kept[a.Key] != int64(n)*1000 {
			w.fail("case %.4s has %d cards, and %d fen of it are kept", a.Key, n, kept[a.Key])
		}
	}
	if in != fees+back {
		w.fail("%d fen came in, %d for cards, %d went back", in, fees, back)
	}
	w.judgeEBills()
	if b := w.x.sim.Breaches(); len(b) > 0 {
		w.fail("%s", b[0])
	}
}

// moneyHistory plays one; the error says what did not hold.
func moneyHistory(t *testing.T, seed uint64, lie func(Tx) Tx) (w *moneyWorld) {
	t.Helper()
	x := newTillWith(t, true)
	w = &moneyWorld{t: t, rnd: rand.New(rand.NewPCG(seed, 11)), x: x, ended: map[string]bool{}, cfg: x.s.cfg}
	_ = x.s.Close()
	w.cfg.Dir, w.cfg.Pay.inTurn = t.TempDir(), true
	w.p = newPeer(t, nil, "990000-0001")
	if lie != nil {
		w.cfg.Store = liar{lie: lie}
	}
	w.start()
	t.Cleanup(func() { _ = w.x.s.Close() })
	w.p.enroll(w.p.code())
	for _, place := range []int{0, 1} {
		a := application(t, uuid.NewString(), w.p.proven(x.box, place, seedPeople[place].name), place)
		w.p.sends(w.p.record(wire.TypeCaseOpened, a.Key, wire.CaseOpened{Item: "TID", ReceiptCode: a.Receipt, State: "SUBMITTED", At: time.Now()}))
		if _, r := w.p.card("POST", "", a); r.Code != 200 {
			t.Fatal(r.Body)
		}
		x.decide(a.Key, true)
		w.cases = append(w.cases, a)
	}
	for range 60 + w.rnd.IntN(80) {
		w.step()
		if w.wrong != nil {
			return w
		}
	}
	w.last()
	w.judge()
	return w
}

// TestMoneyAndCards: MONEY_HISTORIES says how many, MONEY_SEED repeats one.
func TestMoneyAndCards(t *testing.T) {
	n, from := uint64(25), uint64(0)
	if testing.Short() || raceDetector {
		n = 5
	}
	if v, err := strconv.ParseUint(os.Getenv("MONEY_HISTORIES"), 10, 32); err == nil {
		n = v
	}
	if v, err := strconv.ParseUint(os.Getenv("MONEY_SEED"), 10, 32); err == nil {
		n, from = 1, v
	}
	cards, payments, verdicts, ebills, red := 0, 0, 0, 0, 0
	for seed := from; seed < from+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := moneyHistory(t, seed, nil)
			if w.wrong != nil {
				t.Fatalf("seed %d: %v\n%s", seed, w.wrong, strings.Join(w.trace, "\n"))
			}
			for _, b := range w.piece {
				if b.state == wire.BlankTaken {
					cards++
				}
			}
			for _, o := range w.x.sim.Orders() {
				payments += len(o.Payments)
			}
			for _, e := range w.x.sim.EBills() {
				if ebills++; e.Red != nil {
					red++
				}
			}
			for _, line := range w.trace {
				if strings.HasPrefix(line, "two people say") {
					verdicts++
				}
			}
		})
	}
	t.Logf("%d histories, %d cards, %d payments, %d verdicts, %d e-bills, %d of them red", n, cards, payments, verdicts, ebills, red)
	if n >= 20 && (cards < 5 || payments < 20 || verdicts < 5 || ebills < 15 || red < 5) {
		t.Error("the histories are too tame")
	}
}

// TestEveryLieOfAStoreIsNoticed: histories that notice nothing would prove nothing.
func TestEveryLieOfAStoreIsNoticed(t *testing.T) {
	if raceDetector {
		t.Skip("the same without it, by make unit")
	}
	const most = 60
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(most) {
				if w := moneyHistory(t, seed, lie); w.wrong != nil {
					t.Logf("history %d: %v", seed, w.wrong)
					return
				}
			}
			t.Errorf("%d histories notice nothing", most)
		})
	}
}
