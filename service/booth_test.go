package service_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// booth is what a terminal has that makes cards: an office, a printer, a dispenser, and a town that both terminals share.
type booth struct {
	office  *fakeOffice
	printer *fakeCardPrinter
	cards   *fakeDispenser
	eye     *fakeEye // reads printed cards; nil where nothing does
}

// fakeOffice is the platform's side of cards in memory. What became of blanks it learns from the terminals' records only.
type fakeOffice struct {
	mu       sync.Mutex
	cases    map[string]*application
	auto     bool
	refused  string
	window   bool // a window of the hall helps whom it refuses
	photo    bool
	other    int // so many comparisons find somebody else
	blanks   map[string]wire.BlankState
	worlds   []*world
	applied  int
	token    string   // of the last application
	agreed   bool     // of the last application: to the comparison of a face
	vouched  string   // a token by whoever approved
	permits  []string // blanks that were allowed
	photos   [][]byte // that went out with permits, and came in with applications and comparisons
	tamper   func(*service.Permit)
	dead     bool
	moved    map[string]bool // cases of which whoever asks is told that another terminal has them
	lease    uint64
	children []string
	vouchers []string // that eligibility was asked with
	photoLen int
	checks   []service.Check
	stands   journal.State // of a case that goes on; "" is what the last terminal wrote
}

type application struct {
	key, receipt string
	state        service.StandingState
	why          service.Text
	blank        string // that was allowed
	child        string
}

func newOffice() *fakeOffice {
	return &fakeOffice{cases: map[string]*application{}, auto: true, photo: true, blanks: map[string]wire.BlankState{}}
}

// hear takes what the terminals have written and acknowledges it.
func (f *fakeOffice) hear() {
	for _, w := range f.worlds {
		for _, lane := range []wire.Lane{wire.LanePay, wire.LaneTx, wire.LaneAudit} {
			for {
				rs, err := w.journal.Pending(lane, 100, 1<<20)
				if err != nil || len(rs) == 0 {
					break
				}
				for _, r := range rs {
					var m wire.StockMove
					if r.Type == wire.TypeStock && json.Unmarshal(r.Body, &m) == nil && m.ID != "" {
						f.blanks[m.Number] = m.To
						if a := f.cases[r.Case]; a != nil && m.Number != "" && m.Number == a.blank && m.To == wire.BlankSpoiled {
							a.state, a.blank = service.StandingApproved, ""
						}
						if a := f.cases[r.Case]; a != nil && (m.To == wire.BlankPresented || m.To == wire.BlankTaken) {
							a.state = service.StandingIssued
						}
					}
				}
				last := rs[len(rs)-1]
				if err := w.journal.Acked(wire.Ack{Epoch: last.Epoch, Lane: lane, High: last.Seq, Hash: last.Header.Hash(), Terminal: last.Terminal}); err != nil {
					panic(err)
				}
			}
		}
	}
}

func (f *fakeOffice) Face(_ context.Context, _ string, _ service.Person, picture []byte, _ time.Time) (service.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.photos = append(f.photos, picture)
	if f.other > 0 {
		f.other--
		return service.Token{}, service.ErrOtherFace
	}
	return service.Token{Value: "face", Until: now().Add(10 * time.Minute)}, nil
}

func (f *fakeOffice) standing(a *application) service.Standing {
	return service.Standing{Key: a.key, Number: "TID-1", Receipt: a.receipt, State: a.state, Why: a.why, Wait: 3 * time.Minute}
}

func (f *fakeOffice) Chance(_ context.Context, q service.ChanceQuery) (service.Chance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hear()
	f.vouchers = append(f.vouchers, q.Voucher)
	for _, a := range f.cases {
		if a.child == q.Child && a.state != service.StandingIssued && a.state != service.StandingRejected && a.state != service.StandingEnded {
			s := f.standing(a)
			return service.Chance{Existing: &s}, nil
		}
	}
	w := func(s string) service.Text { return service.Worded(map[string]string{"zh": s, "en": s}) }
	if f.refused == "no-voucher" && q.Voucher != "" {
		return service.Chance{Voucher: q.Voucher, Photo: f.photo}, nil
	}
	if f.refused != "" {
		return service.Chance{Refused: f.refused, Why: w("why " + f.refused), Next: w("next " + f.refused), Window: f.window}, nil
	}
	if q.Child != "" {
		f.children = append(f.children, q.Child)
	}
	return service.Chance{Voucher: strings.Repeat("1", 22), Phone: "138****0001", Photo: f.photo,
		Rows: []service.Row{{Label: w("姓名"), Plain: citizenName, Masked: "张*丰", Private: true}, {Label: w("出生"), Plain: "1990-03-07", Masked: "****-**-**", Private: true},
			{Label: w("公民身份号码"), Plain: citizenNumber(f.worlds[0].t), Masked: "9900**********", Private: true}}}, nil
}

func (f *fakeOffice) Apply(_ context.Context, a service.Application) (service.Standing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return service.Standing{}, service.ErrLinkDown
	}
	if len(a.Signature) == 0 || a.Receipt == "" || a.Voucher == "" {
		return service.Standing{}, service.ErrRefused
	}
	if has := f.cases[a.Key]; has != nil {
		return f.standing(has), nil
	}
	f.applied++
	f.token, f.agreed = a.Token.Value, a.FaceAgreed
	f.photoLen, f.checks = len(a.Photo), a.Checks
	f.photos = append(f.photos, a.Photo, a.Signature)
	c := &application{key: a.Key, receipt: a.Receipt, state: service.StandingWaiting, child: a.Child}
	if f.auto {
		c.state = service.StandingApproved
	}
	f.cases[a.Key] = c
	return f.standing(c), nil
}

func (f *fakeOffice) Standing(_ context.Context, key string) (service.Standing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hear()
	if f.dead || f.cases[key] == nil {
		return service.Standing{}, service.ErrLinkDown
	}
	if f.moved[key] {
		return service.Standing{}, &service.PlatformError{Err: service.ErrMoved, Code: "E-MOVED"}
	}
	return f.standing(f.cases[key]), nil
}

func (f *fakeOffice) StandingAfter(ctx context.Context, key string, _ service.StandingState, _ time.Duration) (service.Standing, error) {
	return f.Standing(ctx, key)
}

// decide is the official.
func (f *fakeOffice) decide(to service.StandingState, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.cases {
		if a.state == service.StandingWaiting {
			a.state, a.why = to, service.Worded(map[string]string{"zh": why, "en": why})
		}
	}
}

func (f *fakeOffice) Permit(_ context.Context, key, _, blank string) (service.Permit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hear()
	a := f.cases[key]
	switch {
	case f.dead:
		return service.Permit{}, service.ErrLinkDown
	case a == nil, a.blank != "" && a.blank != blank, a.state != service.StandingApproved && a.state != service.StandingPrinting:
		return service.Permit{}, service.ErrNoPermit
	}
	a.blank, a.state = blank, service.StandingPrinting
	f.permits = append(f.permits, blank)
	p := service.Permit{ID: fmt.Sprintf("permit-%d", len(f.permits)), Key: key, Kind: "TID", Terminal: "T-TEST", Blank: blank, Expires: now().Add(5 * time.Minute),
		Card: service.CardFace{Name: citizenName, Sex: "男", Nation: "汉", Born: "1990-03-07", Address: "测试省样例市虚构路1号", Number: "990000199003071231",
			From: now(), Until: now().AddDate(0, 3, 0), Authority: "样例市公安局"},
		Photo: slices.Clone(portrait()), Verify: "https://example.invalid/v/" + blank}
	if f.tamper != nil {
		f.tamper(&p)
	}
	f.photos = append(f.photos, p.Photo)
	return p, nil
}

func (f *fakeOffice) Resume(_ context.Context, receipt string, token service.Token) (service.Resumed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hear()
	if f.vouched == token.Value {
		return service.Resumed{}, &service.PlatformError{Err: service.ErrVouched, Code: "E-VOUCHED"}
	}
	for _, a := range f.cases {
		if a.receipt != receipt {
			continue
		}
		// The state is what the last terminal wrote.
		var c journal.Case
		for _, w := range f.worlds {
			if k, err := w.journal.Case(a.key); err == nil && k.Updated.After(c.Updated) {
				c = k
			}
		}
		if len(c.Last4) != 4 { // the platform holds it against the number of whoever asks
			break
		}
		f.lease++
		l := wire.Lease{State: string(cmp.Or(f.stands, c.State)), Opened: wire.CaseOpened{Item: c.Item, ItemHash: c.ItemHash, Schema: c.Schema, ReceiptCode: c.ReceiptCode,
			Person: c.Person, Last4: c.Last4, At: c.Opened}}
		l.Grant = wire.Grant{Case: c.ID, Terminal: "T-TEST", Token: f.lease, Granted: now()}
		return service.Resumed{Key: c.ID, Adopt: func(tx *journal.Tx) (journal.Case, error) { return tx.AdoptCase(l) }}, nil
	}
	return service.Resumed{}, service.ErrNoRecord
}

// fakeDispenser has a hopper of numbered blanks, a path for one card and a bin.
type fakeDispenser struct {
	device
	mu     sync.Mutex
	hopper []string
	path   string // number of the card in it
	at     devices.CardPosition
	bin    []string
	full   bool // so is the bin
	takes  bool // somebody takes what lies at the mouth
	taken  []string
	began  []devices.CardAct
	move   func(n int, m devices.CardMove) (devices.MoveResult, bool) // what happens instead
	settle *devices.MoveResult
	noChip int // so many numbers cannot be read
}

func newDispenser(n int) *fakeDispenser {
	d := &fakeDispenser{at: devices.CardNone, takes: true}
	for i := range n {
		d.hopper = append(d.hopper, fmt.Sprintf("e004015%09x", i+1))
	}
	return d
}

func (d *fakeDispenser) Stock(context.Context) (devices.CardStock, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at == devices.CardMouth && d.takes {
		d.taken, d.path, d.at = append(d.taken, d.path), "", devices.CardNone
	}
	bin := devices.SupplyLow
	if d.full {
		bin = devices.SupplyFull
	}
	return devices.CardStock{At: d.at, Hopper: devices.SupplyFull, Bin: bin, Retained: len(d.bin)}, nil
}

func (d *fakeDispenser) CardNumber(context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.noChip > 0 {
		d.noChip--
		return "", devices.ErrCardUnreadable
	}
	if d.at != devices.CardReader {
		return "", devices.ErrCardUnreadable
	}
	return d.path, nil
}

func (d *fakeDispenser) Move(ctx context.Context, m devices.CardMove) devices.MoveResult {
	d.mu.Lock()
	defer d.mu.Unlock()
	if (m.Act == devices.CardDispense) != (d.at == devices.CardNone) || m.Act == devices.CardDispense && len(d.hopper) == 0 {
		return devices.MoveResult{Outcome: devices.MoveNotDone, At: d.at, Why: devices.UnreadyPaperOut}
	}
	if err := m.Began(d.at); err != nil {
		return devices.MoveResult{Outcome: devices.MoveNotDone, At: d.at}
	}
	d.began = append(d.began, m.Act)
	if d.move != nil {
		if res, instead := d.move(len(d.began), m); instead {
			return res
		}
	}
	switch m.Act {
	case devices.CardDispense:
		d.path, d.hopper, d.at = d.hopper[0], d.hopper[1:], m.To
	case devices.CardEject:
		d.at = devices.CardMouth
	case devices.CardRetain:
		d.bin, d.path, d.at = append(d.bin, d.path), "", devices.CardNone
	}
	return devices.MoveResult{Outcome: devices.MoveDone, At: d.at}
}

func (d *fakeDispenser) Settle(context.Context, devices.CardMove) devices.MoveResult {
	if d.settle != nil {
		return *d.settle
	}
	return devices.MoveResult{Outcome: devices.MoveUnknown, At: d.at}
}

// fakeCardPrinter prints on the card in the dispenser's path.
type fakeCardPrinter struct {
	device
	mu       sync.Mutex
	d        *fakeDispenser
	jobs     []string
	on       []string // numbers of the blanks that were printed
	faces    []*image.Gray
	given    []*image.Gray // as they were handed in
	print    func(n int) (devices.PrintResult, bool)
	knows    func(name string) bool // jobs that settle may confirm; nil: any
	settle   devices.PrintResult
	asked    []string
	printed  int
	ribbon   int
	miscount int
}

func (p *fakeCardPrinter) Supplies(context.Context) (devices.CardSupplies, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := devices.CardSupplies{Ribbon: devices.SupplyFull, RibbonLeft: p.ribbon, Hopper: devices.SupplyFull, HopperLeft: -1, Exit: devices.MediaNotPresent, Printed: p.printed}
	if p.ribbon == 0 {
		s.Ribbon = devices.SupplyOut
	}
	return s, nil
}

func (p *fakeCardPrinter) Print(ctx context.Context, job devices.CardJob) devices.PrintResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := job.Note("job-id", "17"); err != nil {
		return devices.PrintResult{Outcome: devices.PrintNotSent}
	}
	p.jobs = append(p.jobs, job.Name)
	if p.print != nil {
		if res, instead := p.print(len(p.jobs)); instead {
			return res
		}
	}
	face := job.Face.(*image.Gray)
	p.given = append(p.given, face)
	kept := image.NewGray(face.Rect)
	copy(kept.Pix, face.Pix)
	p.d.mu.Lock()
	p.on, p.faces = append(p.on, p.d.path), append(p.faces, kept)
	p.d.mu.Unlock()
	p.ribbon--
	p.printed += 1 + p.miscount
	return devices.PrintResult{Outcome: devices.PrintConfirmed, By: "ipp", Sheets: 1}
}

func (p *fakeCardPrinter) Settle(_ context.Context, name string, notes map[string]string) devices.PrintResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, name+" job "+notes["job-id"])
	if p.settle.Outcome == devices.PrintConfirmed && p.knows != nil && !p.knows(name) {
		return devices.PrintResult{Outcome: devices.PrintUnknown}
	}
	return p.settle
}

// fakeScanner is shown one code after the other, two seconds apart.
type fakeScanner struct {
	device
	mu      sync.Mutex
	after   time.Duration // before the first; 0 means two seconds
	codes   []string
	looking bool
}

func (s *fakeScanner) Scan(ctx context.Context) (devices.Code, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking = true
	defer func() { s.looking = false }()
	if len(s.codes) == 0 {
		<-ctx.Done()
		return devices.Code{}, ctx.Err()
	}
	wait := max(s.after, 2*time.Second)
	s.after = 0
	if err := sleep(ctx, wait); err != nil {
		return devices.Code{}, err
	}
	code := s.codes[0]
	s.codes = s.codes[1:]
	return devices.Code{Data: []byte(code)}, nil
}

// fakeEye reads the code of the card that was printed last, whose text it knows from the blank.
type fakeEye struct {
	device
	p     *fakeCardPrinter
	mu    sync.Mutex
	reads int
	read  func(n int, text string) (string, error) // what is read instead
}

func (e *fakeEye) Scan(ctx context.Context) (devices.Code, error) {
	if err := sleep(ctx, 150*time.Millisecond); err != nil {
		return devices.Code{}, err
	}
	e.p.mu.Lock()
	text := ""
	if n := len(e.p.on); n > 0 {
		text = "https://example.invalid/v/" + strings.ToUpper(e.p.on[n-1])
	}
	e.p.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.reads++; e.read != nil {
		text, err = e.read(e.reads, text)
	}
	return devices.Code{Data: []byte(text)}, err
}

// boothWorld is a terminal that makes cards, with n blanks loaded.
func boothWorld(t testing.TB, n int) *world {
	w := newWorld(t)
	if err := w.journal.Close(); err != nil {
		t.Fatal(err)
	}
	w.till = newTill()
	d := newDispenser(n)
	p := &fakeCardPrinter{d: d, ribbon: 100, settle: devices.PrintResult{Outcome: devices.PrintUnknown}}
	w.booth = &booth{newOffice(), p, d, &fakeEye{p: p}}
	w.booth.office.worlds = []*world{w}
	w.addBooth()
	w.start()
	if err := w.journal.Update(func(tx *journal.Tx) error { return loadCards(tx, n) }); err != nil {
		t.Fatal(err)
	}
	was := w.sound
	w.sound = func() { was(); w.counted() }
	return w
}

// loadCards notes blanks and the ribbon that the printer has.
func loadCards(tx *journal.Tx, n int) error {
	_, err := tx.LoadStock("card", n, "chen")
	_, rerr := tx.LoadStock(journal.StockRibbon, 100, "chen")
	return errors.Join(err, rerr)
}

func (w *world) addBooth() {
	w.set.add(devices.RoleCamera, &fakeCamera{})
	w.set.add(devices.RoleCardPrinter, w.booth.printer)
	w.set.add(devices.RoleCardDispenser, w.booth.cards)
	if w.booth.eye != nil {
		w.set.add(devices.RoleCardCheck, w.booth.eye)
	}
	w.set.change(devices.RoleCardDispenser, func(s *devices.Status) { s.Media = devices.MediaNotPresent })
}

// counted wants ledger and machine to agree, as far as the ledger claims to know.
func (w *world) counted() {
	w.t.Helper()
	b, err := w.journal.StockBalance("card")
	if err != nil || b.Check() != nil {
		w.t.Errorf("balance %+v, %v", b, err)
	}
	w.ribbonCounted()
	d := w.booth.cards
	seen := map[string]bool{}
	for _, n := range w.booth.printer.on {
		if seen[n] {
			w.t.Errorf("blank %s was printed twice", n)
		}
		seen[n] = true
	}
	for _, n := range d.taken {
		if !seen[n] {
			w.t.Errorf("blank %s was handed out and never printed", n)
		}
	}
	if int(b.Issued) > len(d.taken) {
		w.t.Errorf("%d issued, %d taken", b.Issued, len(d.taken))
	}
	cards := map[string]int{}
	for _, job := range w.booth.printer.jobs {
		k, _, _ := strings.Cut(job, "/")
		cards[k]++
	}
}

func makingCards(t *testing.T, name string, fn func(t *testing.T, w *world)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { fn(t, boothWorld(t, 5)) })
	})
}

// known is the way to where the office is asked, by the code on the phone.
func (w *world) known() []script.Line {
	return lines(start("TID"), []script.Line{
		script.On("consent", script.Next()), script.On("identify", w.put()),
		script.On("consent", script.Then(func() { w.reader.put(false) }, script.Reply(service.Cancelled{}))),
		script.On("verify", script.Enter("123456")), script.On("choose", script.Choose("self")),
	})
}

// applies is the way to the decision.
func (w *world) applies() []script.Line {
	return lines(w.known(), []script.Line{
		script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")),
		script.On("ink", script.Draw(ink(w.t))), script.On("review", script.Next()),
	})
}

// pays scans the code after ten seconds.
func (w *world) pays() script.Line {
	return script.On("pay", after(10*time.Second, func() { w.till.with(paidNow) }))
}

func (w *world) blank(state wire.BlankState) int {
	w.t.Helper()
	all, err := w.journal.Blanks(func(b journal.Blank) bool { return b.Kind == "card" && b.State == state })
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all)
}

func TestTemporaryID(t *testing.T) {
	makingCards(t, "applied for, approved, paid, printed, taken", func(t *testing.T, w *world) {
		c := w.play(lines(w.applies(), []script.Line{w.pays(), script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
		want := []journal.State{journal.Submitted, journal.Accepted, journal.AuditWait, journal.Approved, journal.Reserved, journal.BillCreated, journal.PayPending,
			journal.Paid, journal.Bound, journal.Printing, journal.Printed, journal.Delivered, journal.Closed}
		if got := w.states(); !slices.Equal(got, want) {
			t.Errorf("states %v\nexpected %v", got, want)
		}
		if w.blank("taken") != 1 || len(w.booth.cards.taken) != 1 || len(w.booth.printer.on) != 1 || len(w.booth.office.permits) != 1 {
			t.Errorf("%d taken in the ledger, %v at the machine, printed on %v, permits %v", w.blank("taken"), w.booth.cards.taken, w.booth.printer.on, w.booth.office.permits)
		}
		if slips := w.roll.texts(); len(slips) != 1 || !strings.Contains(slips[0], "有效期至\t"+now().AddDate(0, 3, 0).In(time.FixedZone("", 8*3600)).Format("2006.01.02")) ||
			!strings.Contains(slips[0], "¥ 10.00") || !strings.Contains(slips[0], w.till.bills[0].Number) {
			t.Errorf("slips %q", slips)
		}
		if m := w.booth.printer.faces[0]; m.Rect.Dx() != devices.CardWidth || m.Rect.Dy() != devices.CardHeight {
			t.Errorf("face of %v", m.Rect)
		}
		if !slices.Contains(c.Seen(), "pay") || slices.Contains(c.Seen(), "decision") {
			t.Errorf("seen %v", c.Seen())
		}
	})
	makingCards(t, "an official looks, and the citizen waits", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		var seen service.AwaitDecision
		w.play(lines(w.applies(), []script.Line{
			script.On("decision", script.Look(func(p service.Prompt) { seen = p.(service.AwaitDecision) },
				after(3*time.Minute, func() { w.booth.office.decide(service.StandingApproved, "") }))),
			w.pays(), script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		k := w.one(journal.Closed)
		if seen.Receipt != k.ReceiptCode || seen.Wait != 3*time.Minute || seen.Number != "TID-1" {
			t.Errorf("told %+v", seen)
		}
		if slips := w.roll.texts(); len(slips) != 2 || !strings.Contains(slips[0], "QR "+k.ReceiptCode) || strings.Contains(slips[0], citizenNumber(t)) {
			t.Errorf("slips %q", slips)
		}
	})
	makingCards(t, "rejected with a reason", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		var seen service.Trouble
		w.play(lines(w.applies(), []script.Line{
			script.On("decision", after(time.Minute, func() { w.booth.office.decide(service.StandingRejected, "照片不清楚") })),
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))}, leave())...)
		w.one(journal.Rejected)
		if seen.Means.Words["zh"] != "照片不清楚" || len(w.till.bills) != 0 || w.cardsFree() != 5 {
			t.Errorf("told %+v, %d bills, %d free", seen, len(w.till.bills), w.cardsFree())
		}
	})
}

// TestWhatACardNeedsBeforeItIsOffered: whatever is missing stands on the tile, and when it is there again the tile is open.
func TestWhatACardNeedsBeforeItIsOffered(t *testing.T) {
	status := func(role devices.Role, fn func(*devices.Status)) func(*world) {
		return func(w *world) { w.set.change(role, fn) }
	}
	gone := func(s *devices.Status) { s.Connection = devices.ConnectionNoDevice }
	count := func(n uint64) func(*world) {
		return func(w *world) {
			if err := w.journal.Update(func(tx *journal.Tx) error { _, err := tx.CountStock("card", n, "chen"); return err }); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		lacks func(*world)
		why   string
		mend  func(*world)
	}{
		"one blank":         {count(1), "svc.why.no-stock", count(2)},
		"no camera":         {status(devices.RoleCamera, gone), "svc.why.camera.no-device", status(devices.RoleCamera, func(s *devices.Status) { s.Connection = devices.ConnectionOnline })},
		"a printer's cover": {status(devices.RoleCardPrinter, func(s *devices.Status) { s.Cover = devices.CoverOpen }), "svc.why.card-printer.cover-open", status(devices.RoleCardPrinter, func(s *devices.Status) { s.Cover = devices.CoverClosed })},
		"no dispenser":      {status(devices.RoleCardDispenser, gone), "svc.why.card-dispenser.no-device", status(devices.RoleCardDispenser, func(s *devices.Status) { s.Connection = devices.ConnectionOnline })},
		"nobody to read it": {status(devices.RoleCardCheck, gone), "svc.why.card-check.no-device", status(devices.RoleCardCheck, func(s *devices.Status) { s.Connection = devices.ConnectionOnline })},
		"a card in the path": {status(devices.RoleCardDispenser, func(s *devices.Status) { s.Media = devices.MediaPresent }), "svc.why.card-path",
			status(devices.RoleCardDispenser, func(s *devices.Status) { s.Media = devices.MediaNotPresent })},
		"a full bin": {status(devices.RoleCardDispenser, func(s *devices.Status) { s.Reasons = []string{"hopper-low", devices.ReasonBinFull} }), "svc.why.card-bin",
			status(devices.RoleCardDispenser, func(s *devices.Status) { s.Reasons = []string{"hopper-low"} })},
		"no link": {func(w *world) { w.plat.set(service.LinkDown) }, "svc.why.link-down", func(w *world) { w.plat.set(service.LinkUp) }},
		"the right to make cards": {func(w *world) {
			w.plat.cat.Unavailable = map[string]service.Text{"TID": service.T("svc.why.backend-down")}
		}, "svc.why.backend-down", func(w *world) { w.plat.cat.Unavailable = nil }},
		"a right clock": {func(w *world) { w.wrong = -24 * time.Hour }, "svc.why.clock", func(w *world) {
			if err := w.journal.TrustTime(now()); err != nil {
				w.t.Fatal(err)
			}
		}},
	} {
		makingCards(t, name, func(t *testing.T, w *world) {
			if tile := w.tid(); !tile.Ready {
				t.Fatalf("before: %+v", tile)
			}
			c.lacks(w)
			if tile := w.tid(); tile.Ready || tile.Why.ID != c.why {
				t.Errorf("tile %+v, expected %s", tile, c.why)
			}
			c.mend(w)
			if tile := w.tid(); !tile.Ready {
				t.Errorf("mended: %+v", tile)
			}
		})
	}
}
