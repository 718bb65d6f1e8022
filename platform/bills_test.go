package platform

// Bills as a terminal sees them, before a channel behind a socket.

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/nontax"
	"github.com/budayang/kiosk/platform/pay/paysim"
	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/sync/wire"
)

// till is a platform and a channel.
type till struct {
	t     *testing.T
	sim   *paysim.Server
	s     *Server
	box   *mailbox
	ahead atomic.Int64 // ns that the platform's clock and the channel's are ahead
}

func (x *till) now() time.Time { return time.Now().Add(time.Duration(x.ahead.Load())) }

func newTill(t *testing.T) *till { t.Helper(); return newTillWith(t, false) }

// newTillWith is one whose channel issues e-bills besides, or not.
func newTillWith(t *testing.T, ebills bool) *till {
	t.Helper()
	x := &till{t: t, box: &mailbox{}}
	own, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := smx509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	peerKey, err := smx509.MarshalPKIXPublicKey(&theirs.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	x.sim = paysim.New(x.now, "990000", theirs, &own.PublicKey)
	channel := httptest.NewServer(x.sim)
	t.Cleanup(channel.Close)
	c, err := nontax.New(nontax.Config{URL: channel.URL + "/nontax/v1", ID: "990000", Now: x.now,
		Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), PeerKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: peerKey})})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: t.TempDir(), SMS: x.box, Now: x.now, Pay: PayConfig{
		Channels: map[string]pay.Channel{"nontax": c}, Use: "nontax", Cash: both("2 号窗口", "window 2"),
		Tariff: Prices{Items: map[string]pay.Fen{"TID": 1000}, Half: []string{numberOf(t, 2)}, Exempt: []string{numberOf(t, 4)}}}}
	if ebills {
		cfg.Pay.EBills, cfg.Pay.EBooks, cfg.Pay.Site = c, true, "ebill.example.cn"
	}
	if storeOfTests != nil {
		cfg.Store = storeOfTests(t)
	}
	if x.s, err = New(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.s.Close() })
	return x
}

func (x *till) terminal(id string) *peer {
	x.t.Helper()
	p := newPeer(x.t, x.s, id)
	p.enroll(p.code())
	return p
}

func (p *peer) bill(method, path string, in any, status int) (b wire.Bill) {
	p.t.Helper()
	w := p.do(method, wire.PathBills+path, in)
	if w.Code != status {
		p.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	_ = json.Unmarshal(w.Body.Bytes(), &b)
	return b
}

// until asks for a bill until it is in a state, while the clock goes on.
func (x *till) until(p *peer, number string, state wire.BillState, refunds ...string) wire.Bill {
	x.t.Helper()
	var b wire.Bill
	for range 400 {
		b = p.bill("GET", "/"+number, nil, 200)
		var got []string
		for _, f := range b.Refunds {
			got = append(got, f.Why+" "+f.State)
		}
		if b.State == state && slices.Equal(got, refunds) {
			return b
		}
		x.ahead.Add(int64(2 * time.Second))
		if _, err := x.s.settler.Turn(context.Background()); err != nil {
			x.t.Fatal(err)
		}
	}
	x.t.Fatalf("%+v, expected %s with refunds %v", b, state, refunds)
	return b
}

func (x *till) order(b wire.Bill) string { return b.QR[strings.LastIndexByte(b.QR, '/')+1:] }

func TestABillFromAskingToPaid(t *testing.T) {
	x := newTill(t)
	p, other := x.terminal("990000-0001"), x.terminal("990000-0002")
	id := uuid.NewString()
	p.sends(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "TID", ReceiptCode: "01-1", State: "SUBMITTED", At: time.Now()}))
	b := p.bill("POST", "", wire.BillRequest{Case: id, Item: "TID"}, 200)
	if b.State != wire.BillOpen || b.Amount != 1000 || b.Reason != "standard" || b.QR == "" || b.Cash["zh"] == "" || len(b.Number) != 20 {
		t.Fatalf("%+v", b)
	}
	if again := p.bill("POST", "", wire.BillRequest{Case: id, Item: "TID"}, 200); again.Number != b.Number || again.QR != b.QR {
		t.Errorf("asked again: %+v", again)
	}
	p.bill("POST", "", wire.BillRequest{Case: id, Item: "other"}, 404)
	other.bill("POST", "", wire.BillRequest{Case: id, Item: "TID"}, 404)
	other.bill("GET", "/"+b.Number, nil, 404)
	other.bill("POST", "/"+b.Number+"/cancel", struct{}{}, 404)
	if err := x.sim.Pay(x.order(b), 0); err != nil {
		t.Fatal(err)
	}
	got := x.until(p, b.Number, wire.BillPaid)
	if got.QR != "" || got.Paid.IsZero() {
		t.Errorf("%+v", got)
	}
	if after := p.bill("POST", "/"+b.Number+"/cancel", struct{}{}, 200); after.State != wire.BillPaid {
		t.Errorf("cancelled after it was paid: %+v", after)
	}
	// The case's record says that nothing will be issued.
	p.sends(p.record(wire.TypeCaseState, id, wire.CaseState{State: wire.CaseRefundDue, At: time.Now()}))
	x.until(p, b.Number, wire.BillReturned, "unissued done")
	p.sends(p.record(wire.TypeCaseState, id, wire.CaseState{State: wire.CaseRefundDue, At: time.Now()}))
	x.until(p, b.Number, wire.BillReturned, "unissued done")
}

func TestAmounts(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	for i, c := range []struct {
		person int
		name   string
		amount int64
		reason string
		state  wire.BillState
	}{{0, "王建国", 1000, "standard", wire.BillOpen}, {2, "赵䶮", 500, "half", wire.BillOpen}, {4, "陈桂芳", 0, "exempt", wire.BillPaid}} {
		b := p.bill("POST", "", wire.BillRequest{Case: uuid.NewString(), Item: "TID", Token: p.proven(x.box, c.person, c.name)}, 200)
		if b.Amount != c.amount || b.Reason != c.reason || b.State != c.state || (b.QR != "") != (c.amount > 0) {
			t.Errorf("%d: %+v", i, b)
		}
	}
	p.bill("POST", "", wire.BillRequest{Case: "c", Item: "TID", Token: "wrong"}, 403)
	// The exemption is found after the bill was made: the old bill ends first.
	id := uuid.NewString()
	old := p.bill("POST", "", wire.BillRequest{Case: id, Item: "TID"}, 200)
	proven := p.proven(x.box, 4, "陈桂芳")
	if b := p.bill("POST", "", wire.BillRequest{Case: id, Item: "TID", Token: proven}, 200); b.Number != old.Number || b.State != wire.BillClosing || b.Why != "amount" || b.QR != "" {
		t.Errorf("%+v", b)
	}
	x.until(p, old.Number, wire.BillClosed)
	if b := p.bill("POST", "", wire.BillRequest{Case: id, Item: "TID", Token: proven}, 200); b.Number == old.Number || b.State != wire.BillPaid || b.Amount != 0 {
		t.Errorf("%+v", b)
	}
}

func TestCancelledAndPaidLate(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	b := p.bill("POST", "", wire.BillRequest{Case: "c", Item: "TID"}, 200)
	order := x.order(b)
	if got := p.bill("POST", "/"+b.Number+"/cancel", struct{}{}, 200); got.State != wire.BillClosing || got.QR != "" {
		t.Errorf("%+v", got)
	}
	x.until(p, b.Number, wire.BillClosed)
	if err := x.sim.PayAnyway(order, 0); err != nil {
		t.Fatal(err)
	}
	x.until(p, b.Number, wire.BillClosed, "late done")
}

// TestTwoServersSettleOneBill: both run the job, a notice comes to either, and the citizen pays twice.
func TestTwoServersSettleOneBill(t *testing.T) {
	x := newTill(t)
	second := *x.s.settler // on the same store
	second.Owner = "second"
	p := x.terminal("990000-0001")
	b := p.bill("POST", "", wire.BillRequest{Case: "c", Item: "TID"}, 200)
	for range 2 {
		if err := x.sim.PayAnyway(x.order(b), 0); err != nil {
			t.Fatal(err)
		}
	}
	x.sim.Steer(func(f *paysim.Faults) { f.LoseAfter, f.Busy = 3, 2 })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			if _, err := second.Turn(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}()
	x.until(p, b.Number, wire.BillPaid, "twice done")
	<-done
	if r := x.sim.Refunds(); len(r) != 1 {
		t.Errorf("%+v", r)
	}
	if broken := x.sim.Breaches(); len(broken) > 0 {
		t.Error(broken)
	}
}

func TestNoticesOfAChannel(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	b := p.bill("POST", "", wire.BillRequest{Case: "c", Item: "TID"}, 200)
	if err := x.sim.Pay(x.order(b), 0); err != nil {
		t.Fatal(err)
	}
	send := func(n paysim.Notice, forged bool, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		x.s.Handler().ServeHTTP(w, x.sim.Request(n, "http://platform.invalid"+path, forged))
		return w
	}
	if w := send(x.sim.Forge(x.order(b), 1000), true, "/pay/nontax/notice"); w.Code != 401 {
		t.Errorf("forged: %d", w.Code)
	}
	if got := p.bill("GET", "/"+b.Number, nil, 200); got.State != wire.BillOpen {
		t.Errorf("%+v", got)
	}
	for range 3 {
		if w := send(x.sim.Notices()[0], false, "/pay/nontax/notice"); w.Code != 200 || !strings.Contains(w.Body.String(), "SUCCESS") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if got := p.bill("GET", "/"+b.Number, nil, 200); got.State != wire.BillPaid || len(got.Refunds) != 0 {
		t.Errorf("%+v", got)
	}
	if w := send(x.sim.Forge("99000026010100000001"+"01", 1), false, "/pay/nontax/notice"); w.Code != 200 {
		t.Errorf("about a bill that is not known: %d", w.Code)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/pay/nontax/notice", strings.NewReader(strings.Repeat("x", noticeBytes+1)))
	x.s.Handler().ServeHTTP(w, r)
	if w.Code != 413 {
		t.Errorf("too long: %d", w.Code)
	}
}

func TestStatementsAreComparedOnce(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	s := x.s
	b := p.bill("POST", "", wire.BillRequest{Case: "c", Item: "TID"}, 200)
	order := x.order(b)
	x.until(p, b.Number, wire.BillClosed) // its time ends
	x.ahead.Add(int64(5 * time.Hour))
	for range 5 {
		if _, err := s.settler.Turn(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	// Hours later somebody pays, and no notice comes.
	if err := x.sim.PayAnyway(order, 0); err != nil {
		t.Fatal(err)
	}
	day := pay.Day(x.now())
	x.ahead.Add(int64(40 * time.Hour))
	for range 2 {
		if err := s.Compare(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var row StatementRow
	if err := s.store.View(context.Background(), func(tx Tx) (err error) { row, err = tx.Statement("nontax", day); return err }); err != nil {
		t.Fatal(err)
	}
	if len(row.Differences) != 1 || row.Differences[0].Kind != pay.DiffTheirs {
		t.Errorf("%+v", row)
	}
	x.until(p, b.Number, wire.BillClosed, "late done")
}

// TestBlanksOfTerminals: where every card stands is known, and a number that comes twice is an alarm.
func TestBlanksOfTerminals(t *testing.T) {
	x := newTill(t)
	p, other := x.terminal("990000-0001"), x.terminal("990000-0002")
	sum := wire.StockBalance{Loaded: 2, Remaining: 1, Reserved: 1}
	move := func(q *peer, id, number string, to wire.BlankState, b wire.StockBalance) wire.Outcome {
		return q.sends(q.record(wire.TypeStock, "", wire.StockMove{Kind: "card", ID: id, Number: number, To: to, Balance: b, At: time.Now()}))[0]
	}
	for _, to := range []wire.BlankState{wire.BlankBound, wire.BlankSent} {
		if o := move(p, "b1", "G1", to, sum); o.Status != wire.Accepted {
			t.Errorf("%+v", o)
		}
	}
	if o := move(p, "b1", "G1", wire.BlankTaken, wire.StockBalance{Loaded: 2}); o.Status != wire.Quarantined || o.Reason != "stock does not balance" {
		t.Errorf("%+v", o)
	}
	if o := move(p, "b1", "G1", "lost", sum); o.Status != wire.Quarantined {
		t.Errorf("%+v", o)
	}
	if o := move(other, "b9", "G1", wire.BlankBound, sum); o.Status != wire.Accepted {
		t.Errorf("%+v", o)
	}
	if err := x.s.store.View(context.Background(), func(tx Tx) error {
		b, err := tx.Blank("card", "G1")
		if b.Terminal != "990000-0001" || b.State != "sent" {
			t.Errorf("%+v", b)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	all, err := x.s.SecurityEvents(context.Background(), 100)
	if err != nil || !slices.ContainsFunc(all, func(e SecurityEvent) bool { return e.Event == "blank.twice" && e.Terminal == "990000-0002" }) {
		t.Errorf("no alarm: %+v, %v", all, err)
	}
}

func TestBillsOnPostgres(t *testing.T) {
	c := pgtest.Start(t)
	storeOfTests = func(t testing.TB) Store { return opened(t, OpenPostgres, c.Database(t)) }
	defer func() { storeOfTests = nil }()
	t.Run("paid", TestABillFromAskingToPaid)
	t.Run("two servers", TestTwoServersSettleOneBill)
	t.Run("late", TestCancelledAndPaidLate)
	t.Run("statement", TestStatementsAreComparedOnce)
	t.Run("e-bills", TestBooksOfEBillsAreCompared)
	t.Run("e-bill", TestTheTerminalHearsOfTheEBill)
	t.Run("two servers and an e-bill", TestTwoServersAskForOneEBill)
}

func TestChannelsThatCannotBe(t *testing.T) {
	for name, c := range map[string]PayConfig{
		"name":     {Channels: map[string]pay.Channel{"a/b": nil}},
		"unknown":  {Use: "x"},
		"district": {District: "99"},
		"site":     {Site: "票据 查验"},
		"life":     {Life: time.Second},
	} {
		dir := t.TempDir()
		if s, err := New(context.Background(), Config{Dir: filepath.Join(dir, "p"), Pay: c}); err == nil {
			_ = s.Close()
			t.Errorf("%s passes", name)
		}
	}
}
