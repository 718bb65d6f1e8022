package maintain

// The console, driven by a script: who comes in and who does not, what they may do, and what stays written of it.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
)

// roll prints slips and says how they came out.
type roll struct {
	mu      sync.Mutex
	res     devices.PrintResult
	settled devices.PrintResult
	asked   []string
	texts   []string
}

func (r *roll) Probe(context.Context) (devices.Status, error) { return r.status(), nil }
func (r *roll) Close() error                                  { return nil }
func (r *roll) status() devices.Status {
	return devices.Status{Role: devices.RoleReceiptPrinter, Connection: devices.ConnectionOnline, Identity: devices.Identity{Model: "head"}}
}
func (r *roll) Print(_ context.Context, job devices.ReceiptJob) devices.PrintResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, fmt.Sprint(job.Slip.Blocks))
	return r.res
}
func (r *roll) Settle(_ context.Context, id string) devices.PrintResult {
	r.asked = append(r.asked, id)
	return r.settled
}
func (r *roll) Output(context.Context) (devices.Media, error) {
	return devices.MediaNotSupported, nil
}

// reel is a card printer of which only the ribbon is asked.
type reel struct{ says devices.CardSupplies }

func (r *reel) Probe(context.Context) (devices.Status, error)              { return devices.Status{}, nil }
func (r *reel) Close() error                                               { return nil }
func (r *reel) Supplies(context.Context) (devices.CardSupplies, error)     { return r.says, nil }
func (r *reel) Print(context.Context, devices.CardJob) devices.PrintResult { panic("prints no card") }
func (r *reel) Settle(context.Context, string, map[string]string) devices.PrintResult {
	panic("asked for a card")
}

// bench is a set of one slip printer, and of a card printer where one is there.
type bench struct {
	roll    *roll
	changed chan struct{}
	reel    *reel
}

func (b bench) Status(r devices.Role) devices.Status {
	if r == devices.RoleReceiptPrinter {
		return b.roll.status()
	}
	return devices.Status{Role: r, Connection: devices.ConnectionNoDevice}
}
func (b bench) Use(r devices.Role) (devices.Device, func(), error) {
	if r == devices.RoleCardPrinter && b.reel != nil {
		return b.reel, func() {}, nil
	}
	if r != devices.RoleReceiptPrinter {
		return nil, nil, devices.ErrNoDevice
	}
	return b.roll, func() {}, nil
}
func (b bench) Report(devices.Status)    {}
func (b bench) Changed() <-chan struct{} { return b.changed }

// hand answers prompts one after the other, by the prompt's name.
type hand struct {
	t     *testing.T
	lines []line
	seen  []string
	last  service.Prompt
}

type line struct {
	prompt string
	answer any // service.Answer or error
}

func pick(prompt, id string) line { return line{prompt, service.Chosen{ID: id}} }
func back(prompt string) line     { return line{prompt, service.ErrBack} }
func fill(pairs ...string) line {
	v := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v[pairs[i]] = pairs[i+1]
	}
	return line{"form", service.Filled{Values: v}}
}
func come(code, pin string) line { return fill("code", code, "pin", pin) }

func (h *hand) Tell(service.View) {}
func (h *hand) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	if p.Name() == "wait" { // what is awaited ends it
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	h.seen, h.last = append(h.seen, p.Name()), p
	if len(h.lines) == 0 { // nobody touches the screen
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	l := h.lines[0]
	h.lines = h.lines[1:]
	if l.prompt != p.Name() {
		h.t.Errorf("asked %s where %s was expected: %+v", p.Name(), l.prompt, p)
		return nil, service.ErrLeft
	}
	if err, is := l.answer.(error); is {
		return nil, err
	}
	return l.answer.(service.Answer), nil
}

// site is a console with two technicians.
type site struct {
	*Console
	t    *testing.T
	j    *journaltest.Journal
	roll *roll
	reel *reel
	now  time.Time
	did  []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, now: time.Date(2026, 11, 29, 9, 0, 0, 0, time.Local), roll: &roll{res: devices.PrintResult{Outcome: devices.PrintConfirmed, By: "fence"}},
		reel: &reel{devices.CardSupplies{Ribbon: devices.SupplyFull, RibbonLeft: 250, Printed: 4000}}}
	s.j = journaltest.Open(t, journal.Options{Now: func() time.Time { return s.now }})
	f := File{filepath.Join(t.TempDir(), KeeperFile)}
	for _, p := range []Technician{{Code: "1001", Operator: "op.zhang", Name: "张工"}, {Code: "1002", Operator: "op.li", Name: "李工"}} {
		if err := f.Add(p, "48151"+p.Code); err != nil {
			t.Fatal(err)
		}
	}
	s.Console = New(Config{Journal: s.j.Journal, Devices: bench{roll: s.roll, changed: make(chan struct{}), reel: s.reel}, Keeper: f, Desk: desk.New(s.j.Journal, desk.Options{}), Place: "示例 03", Version: "test",
		Roles:   []Device{{devices.RoleReceiptPrinter, "usb:1:2", "escpos"}},
		Network: func(context.Context) []Finding { return []Finding{{GradeBad, literal("no line"), literal("mend it")}} },
		Verify:  func(context.Context) ([]string, error) { return nil, nil },
		Bundle: func(_ context.Context, who string) (string, error) {
			s.did = append(s.did, "bundle "+who)
			return "/x", nil
		},
		Export:  func(context.Context, string) (string, error) { return "", errors.New("no stick") },
		Send:    func(context.Context) error { return nil },
		Log:     func() []string { return []string{"a", "b"} },
		Restart: func() { s.did = append(s.did, "restart") },
		Stay:    time.Minute, Try: time.Second})
	return s
}

func (s *site) attend(lines ...line) *hand {
	s.t.Helper()
	h := &hand{t: s.t, lines: lines}
	if err := s.Attend(s.t.Context(), h); err != nil {
		s.t.Fatal(err)
	}
	if len(h.lines) > 0 {
		s.t.Errorf("not asked: %v; seen %v", h.lines, h.seen)
	}
	return h
}

// events are the audit chain's lines.
func (s *site) events() (all []string) {
	s.t.Helper()
	records, err := s.j.Pending("audit", 1000, 1<<20)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range records {
		var e struct {
			Event  string            `json:"event"`
			Who    string            `json:"who"`
			Fields map[string]string `json:"fields"`
		}
		if err := json.Unmarshal(r.Body, &e); err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(e.Event, "technician.") || strings.HasPrefix(e.Event, "stock.") || strings.HasPrefix(e.Event, "shift.") || strings.HasPrefix(e.Event, "desk.") {
			f := e.Fields["why"] + e.Fields["action"] + e.Fields["minutes"]
			all = append(all, strings.TrimSpace(e.Event+" "+e.Who+" "+f+" "+e.Fields["result"]))
		}
	}
	return all
}

func (s *site) wrote(want ...string) {
	s.t.Helper()
	got := s.events()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("audit chain:\n%s\nexpected:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestATechnicianComesInWorksAndResumes(t *testing.T) {
	s := newSite(t)
	s.attend(come("1001", "481511001"), pick("tech-home", "test.receipt-printer"), pick("tech-told", "understood"),
		pick("tech-home", "supplies"), pick("tech-supplies", "slip"), pick("tech-supply", "load"), fill("n", "400"), back("tech-supply"), back("tech-supplies"),
		pick("tech-home", "network"), back("tech-network"),
		pick("tech-home", "logs"), pick("tech-logs", "verify"), pick("tech-told", "understood"), pick("tech-logs", "bundle"), pick("tech-told", "understood"), back("tech-logs"),
		pick("tech-home", "board"), pick("tech-board", "export"), pick("tech-told", "understood"), back("tech-board"),
		pick("tech-home", "settle"), pick("tech-settle", "print"), pick("tech-told", "understood"), pick("tech-settle", "shift"), pick("tech-sure", "yes"), pick("tech-told", "understood"), back("tech-settle"),
		pick("tech-home", "found"), back("tech-found"),
		pick("tech-home", "resume"))
	s.wrote("technician.entered op.zhang", "technician.acted op.zhang test ok", "stock.changed op.zhang loaded", "technician.acted op.zhang network bad",
		"technician.acted op.zhang verify whole", "technician.acted op.zhang bundle ok", "technician.acted op.zhang export failed",
		"technician.acted op.zhang settle ok", "stock.changed op.zhang shift", "shift.slip op.zhang  printed", "technician.left op.zhang resumed")
	b, err := s.j.StockBalance(journal.StockSlip)
	if err != nil || b.Loaded != 399 || b.Issued != 1 || b.Remaining != 398 { // the settlement slip was issued in the shift that ended, its own in the next
		t.Errorf("%+v %v", b, err)
	}
	if len(s.roll.texts) != 3 || !strings.Contains(s.roll.texts[1], "日终对账") || !strings.Contains(s.roll.texts[1], "op.zhang") {
		t.Errorf("slips %q", s.roll.texts)
	}
	if o, err := s.Closed(); o != nil || err != nil {
		t.Errorf("closed %v %v", o, err)
	}
	if strings.Join(s.did, " ") != "bundle op.zhang" {
		t.Errorf("did %v", s.did)
	}
}

func TestWhoLeavesWithoutResumingLeavesItClosed(t *testing.T) {
	s := newSite(t)
	s.attend(come("1001", "481511001"), pick("tech-home", "leave"))
	if o, err := s.Closed(); err != nil || o == nil || o.Code != "E-MAINTENANCE" {
		t.Fatalf("%v %v", o, err)
	}
	s.j.Reopen() // over restarts too
	s.Console = New(Config{Journal: s.j.Journal, Devices: s.cfg.Devices, Keeper: s.cfg.Keeper, Desk: desk.New(s.j.Journal, desk.Options{}), Stay: 50 * time.Millisecond})
	if o, err := s.Closed(); err != nil || o == nil {
		t.Fatalf("%v %v", o, err)
	}
	// whoever then goes away without a word leaves it as it was
	s.attend(come("1002", "481511002"))
	if o, err := s.Closed(); err != nil || o == nil {
		t.Fatalf("after leaving idle: %v %v", o, err)
	}
	s.attend(come("1002", "481511002"), pick("tech-home", "resume"))
	if o, err := s.Closed(); err != nil || o != nil {
		t.Fatalf("%v %v", o, err)
	}
	s.wrote("technician.entered op.zhang", "technician.left op.zhang closed", "technician.entered op.li", "technician.left op.li idle", "technician.entered op.li", "technician.left op.li resumed")
}

func TestWrongCodesLockTheConsole(t *testing.T) {
	s := newSite(t)
	var lines []line
	for range freeTries {
		lines = append(lines, come("1001", "000001"))
	}
	s.attend(append(lines, pick("tech-locked", "understood"))...)
	s.attend(pick("tech-locked", "understood")) // the right one is not even asked for
	s.j.Reopen()
	s.Console.guard = guard{s.j.Journal}
	s.cfg.Journal = s.j.Journal
	s.attend(pick("tech-locked", "understood"))
	s.now = s.now.Add(firstLock + time.Second)
	for range freeTries {
		lines = append(lines, come("9999", "481511001"))
	}
	s.attend(append(lines[freeTries:], pick("tech-locked", "understood"))...)
	s.now = s.now.Add(firstLock + time.Second)
	s.attend(pick("tech-locked", "understood")) // twice as long now
	s.now = s.now.Add(firstLock)
	s.attend(come("1001", "000001"), come("1001", "481511001"), pick("tech-home", "resume"))
	if tr, err := s.guard.read(); err != nil || tr.Wrong != 0 {
		t.Errorf("%+v %v", tr, err)
	}
	locks := 0
	for _, e := range s.events() {
		if strings.HasPrefix(e, "technician.locked") {
			locks++
		}
	}
	if locks != 2 {
		t.Errorf("%d locks in %v", locks, s.events())
	}
}

// A try counts before it is looked at.
func TestAPulledPlugGivesNoFreeTry(t *testing.T) {
	s := newSite(t)
	for range freeTries {
		if err := s.guard.attempt(); err != nil {
			t.Fatal(err)
		}
	}
	if until, err := s.guard.locked(); err != nil || until.IsZero() {
		t.Errorf("%v %v", until, err)
	}
}

func TestNobodyTouchesTheConsole(t *testing.T) {
	s := newSite(t)
	s.cfg.Stay = 30 * time.Millisecond
	// Whoever forgets that the terminal is in maintenance, on whatever page, gives it back to the citizens.
	for _, on := range [][]line{{}, {pick("tech-home", "supplies")}, {pick("tech-home", "logs")}} {
		s.attend(append([]line{come("1001", "481511001")}, on...)...)
		if o, err := s.Closed(); o != nil || err != nil {
			t.Errorf("closed %v %v", o, err)
		}
		if s.Attended() {
			t.Error("a technician is said to be there")
		}
	}
	s.wrote("technician.entered op.zhang", "technician.left op.zhang idle", "technician.entered op.zhang", "technician.left op.zhang idle",
		"technician.entered op.zhang", "technician.left op.zhang idle")
}

func TestTheDeskAsksForTwoWhereMoneyMoves(t *testing.T) {
	s := newSite(t)
	var code string
	if err := s.j.Update(func(tx *journal.Tx) error {
		c, err := tx.OpenCase(journal.NewCase{Item: "TID"})
		for _, to := range []journal.State{journal.Accepted, journal.BillCreated, journal.PayPending, journal.PayUnknown} {
			err = errors.Join(err, tx.SetState(c.ID, to, "test"))
		}
		code = c.ReceiptCode
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.attend(come("1001", "481511001"), pick("tech-home", "desk"), pick("tech-desk", code), pick("tech-case", "not-paid"), pick("tech-reason", "statement-checked"),
		come("1001", "481511001"), // the same person is no second
		come("1002", "481511002"), pick("tech-told", "understood"), back("tech-desk"), pick("tech-home", "resume"))
	v, err := s.cfg.Desk.Find(code)
	if err != nil || v.State != journal.Cancelled || len(v.Decisions) != 1 || v.Decisions[0].Second != "op.li" {
		t.Errorf("%+v %v", v, err)
	}
}

// What the desk's words do not say is written on the screen, and sealed with the case.
func TestANoteAtTheDesk(t *testing.T) {
	s := newSite(t)
	var code string
	if err := s.j.Update(func(tx *journal.Tx) error {
		c, err := tx.OpenCase(journal.NewCase{Item: "SB-P"})
		for _, to := range []journal.State{journal.Accepted, journal.Printing, journal.PrintUnknown} {
			err = errors.Join(err, tx.SetState(c.ID, to, "test"))
		}
		code = c.ReceiptCode
		return err
	}); err != nil {
		t.Fatal(err)
	}
	open := []line{come("1001", "481511001"), pick("tech-home", "desk"), pick("tech-desk", code)}
	s.attend(append(open, pick("tech-case", "note"), pick("tech-reason", "other"), back("form"), // thought better of it
		pick("tech-desk", code), pick("tech-case", "note"), pick("tech-reason", "citizen-absent"), fill("note", " 电话没有人接 "), pick("tech-told", "understood"),
		pick("tech-desk", code), pick("tech-case", "not-printed"), pick("tech-reason", "other"), fill("note", "切刀没有动"), pick("tech-told", "understood"),
		back("tech-desk"), pick("tech-home", "resume"))...)
	v, err := s.cfg.Desk.Find(code)
	if err != nil || v.State != journal.ReissueDue || len(v.Decisions) != 2 {
		t.Fatalf("%+v %v", v, err)
	}
	for i, want := range []string{"电话没有人接", "切刀没有动"} {
		if got, err := s.cfg.Desk.NoteOf(code, v.Decisions[i].ID); err != nil || string(got) != want {
			t.Errorf("note %d: %q %v", i, got, err)
		}
	}
}

func TestRestart(t *testing.T) {
	s := newSite(t)
	s.attend(come("1001", "481511001"), pick("tech-home", "restart"), pick("tech-sure", "yes"))
	if strings.Join(s.did, "") != "restart" {
		t.Error(s.did)
	}
}

func TestStockThatCannotBeIsRefused(t *testing.T) {
	s := newSite(t)
	h := s.attend(come("1001", "481511001"), pick("tech-home", "supplies"), pick("tech-supplies", "card"), pick("tech-supply", "remove"), fill("n", "3"), pick("tech-told", "understood"),
		back("tech-supply"), back("tech-supplies"), pick("tech-home", "resume"))
	if b, err := s.j.StockBalance(journal.StockCard); err != nil || b.Loaded != 0 {
		t.Errorf("%+v %v %v", b, err, h.seen)
	}
}

// What lies there differs from what the ledger says: the technician counts, the ledger follows, and the chain says who did it.
func TestATechnicianCountsWhatIsThere(t *testing.T) {
	s := newSite(t)
	s.attend(come("1001", "481511001"), pick("tech-home", "supplies"), pick("tech-supplies", "sheet"), pick("tech-supply", "load"), fill("n", "500"),
		pick("tech-supply", "count"), fill("n", "493"), back("tech-supply"), back("tech-supplies"), pick("tech-home", "resume"))
	b, err := s.j.StockBalance(journal.StockSheet)
	if err != nil || b.Remaining != 493 || b.Loaded != b.Issued+b.Spoiled+b.Retained+b.InDoubt+b.Reserved+b.Remaining {
		t.Errorf("%+v %v", b, err)
	}
	s.wrote("technician.entered op.zhang", "stock.changed op.zhang loaded", "stock.changed op.zhang counted", "technician.left op.zhang resumed")
}

// A count of blanks that is off closes the making of cards; a second technician and a reason open it again.
func TestACountThatIsOffIsClearedByTwo(t *testing.T) {
	s := newSite(t)
	s.attend(come("1001", "481511001"), pick("tech-home", "supplies"), pick("tech-supplies", "card"), pick("tech-supply", "load"), fill("n", "50"),
		pick("tech-supply", "count"), fill("n", "48"), pick("tech-told", "understood"), back("tech-supply"), back("tech-supplies"), pick("tech-home", "resume"))
	if d, err := service.DriftOf(s.j.Journal, journal.StockCard); err != nil || !d.Locked || d.Found != 48 || d.Ledger != 50 || d.By != "op.zhang" {
		t.Fatalf("%+v %v", d, err)
	}
	h := s.attend(come("1002", "481511002"), pick("tech-home", "resume"))
	home, _ := h.last.(Panel)
	if home.ID != "home" || len(home.Rows) != 2 || home.Rows[0].ID != "supplies" || home.Rows[0].Grade != GradeBad || home.Rows[0].Detail.Args["found"] != "48" {
		t.Errorf("first page %+v", home.Rows)
	}
	locked := []line{come("1001", "481511001"), pick("tech-home", "supplies"), pick("tech-supplies", "card"), pick("tech-supply", "clear"), pick("tech-reason", "reported")}
	s.attend(append(locked, fill("code", "1001", "pin", "481511001"), back("form"), // the same person, who then goes back
		back("tech-supply"), back("tech-supplies"), pick("tech-home", "resume"))...)
	if d, err := service.DriftOf(s.j.Journal, journal.StockCard); err != nil || !d.Locked {
		t.Fatalf("one person cleared it: %+v %v", d, err)
	}
	s.attend(append(locked, fill("code", "1002", "pin", "481511002"), pick("tech-told", "understood"),
		back("tech-supply"), back("tech-supplies"), pick("tech-home", "resume"))...)
	if d, err := service.DriftOf(s.j.Journal, journal.StockCard); err != nil || d.Locked {
		t.Errorf("%+v %v", d, err)
	}
	if all := strings.Join(s.events(), "\n"); strings.Count(all, "stock.locked op.zhang") != 1 || strings.Count(all, "stock.cleared op.zhang") != 1 {
		t.Errorf("audit chain:\n%s", all)
	}
}

func TestTechniciansFile(t *testing.T) {
	f := File{filepath.Join(t.TempDir(), KeeperFile)}
	if f.Any() {
		t.Error("somebody in no file")
	}
	good := Technician{Code: "1001", Operator: "op.zhang", Name: "张工"}
	for _, x := range []struct {
		t    Technician
		pin  string
		want error
	}{
		{Technician{Code: "12", Operator: "op.a", Name: "x"}, "481516", ErrCode}, {good, "123456", ErrPIN}, {good, "987654", ErrPIN}, {good, "000000", ErrPIN}, {good, "12a456", ErrPIN},
		{good, "48151", ErrPIN}, {Technician{Code: "1001", Operator: "1", Name: "x"}, "481516", ErrOperator}, {good, "481516", nil}, {good, "481517", ErrTaken},
	} {
		if err := f.Add(x.t, x.pin); !errors.Is(err, x.want) {
			t.Errorf("%+v %s: %v, expected %v", x.t, x.pin, err, x.want)
		}
	}
	b, err := os.ReadFile(f.Path)
	if err != nil || strings.Contains(string(b), "481516") {
		t.Errorf("%v %s", err, b)
	}
	for _, x := range []struct{ code, pin, want string }{{"1001", "481516", "op.zhang"}, {"1001", "481517", ""}, {"1002", "481516", ""}, {"", "", ""}} {
		if who, err := f.Check(x.code, x.pin); err != nil || who.Operator != x.want {
			t.Errorf("%s %s: %+v %v", x.code, x.pin, who, err)
		}
	}
	if err := os.Chmod(f.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Check("1001", "481516"); err == nil {
		t.Error("a file that others can read was used")
	}
	if err := os.Chmod(f.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("1002"); !errors.Is(err, ErrNobody) {
		t.Error(err)
	}
	if err := f.Remove("1001"); err != nil || f.Any() {
		t.Errorf("%v", err)
	}
}

func FuzzTechnicians(f *testing.F) {
	f.Add([]byte(`[{"code":"1001","operator":"op.zhang","name":"张工","pin":"$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHQ$AAAA"}]`))
	f.Add([]byte(`[{"code":"1001"},{"code":"1001"}]`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parse(b)
		if err == nil && len(all) > MostTechnicians {
			t.Error("too many")
		}
	})
}

// Every text that the console says is worded in both languages, and no other is.
func TestEveryTextIsWorded(t *testing.T) {
	literalID := regexp.MustCompile(`service\.T\("(tech\.[a-z0-9.-]*[a-z0-9])"`)
	used := map[string]bool{}
	files, _ := filepath.Glob("*.go")
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literalID.FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
		}
	}
	for _, s := range journal.States() {
		used["tech.case."+string(s)] = true
	}
	for _, a := range desk.Actions() {
		used["tech.may."+string(a)] = true
		for _, r := range desk.Reasons(a) {
			used["tech.reason."+string(r)] = true
		}
	}
	for _, r := range service.CountReasons() {
		used["tech.reason."+string(r)] = true
	}
	used["tech.enter.wrong-"+byCode], used["tech.enter.wrong-"+byCard] = true, true
	for _, k := range []devices.CardKind{devices.CardResident, devices.CardHMT, devices.CardForeignPR2017, devices.CardForeignPR2023} {
		used["tech.kind."+string(k)] = true
	}
	for _, c := range []devices.Cover{devices.CoverNotSupported, devices.CoverUnknown, devices.CoverClosed, devices.CoverOpen} {
		used["tech.door."+string(c)] = true
	}
	for _, c := range []devices.Contact{devices.ContactNotSupported, devices.ContactUnknown, devices.ContactQuiet, devices.ContactTripped} {
		used["tech.contact."+string(c)] = true
	}
	used["tech.said.door"], used["tech.said.no-door"] = true, true
	for _, p := range []devices.Power{devices.PowerNotSupported, devices.PowerUnknown, devices.PowerGood, devices.PowerEngaged, devices.PowerLow, devices.PowerFailed} {
		used["tech.power."+string(p)] = true
	}
	for _, id := range []string{"supplies", "network", "logs", "found", "settle", "restart", "desk", "board", "bundle", "export"} {
		used["tech."+id] = true
	}
	for _, k := range kinds {
		used["tech.stock."+k], used["tech.supply."+k] = true, true
	}
	for _, what := range []string{journal.SaysLess, journal.SaysMore, journal.SaysUsedMore, journal.SaysUsedLess, journal.SaysOtherUnit} {
		used["tech.meter."+what], used["tech.meter."+what+".hint"] = true, true
		if contradictionNames[what] == "" {
			t.Errorf("%s has no words on a slip", what)
		}
	}
	for _, s := range []journal.SlipState{journal.SlipDue, journal.SlipPrinted, journal.SlipUnknown} {
		used["tech.slip."+string(s)] = true
	}
	for _, k := range []string{"load", "remove", "count"} {
		used["tech.stock."+k], used["tech.stock."+k+".hint"] = true, true
	}
	for _, g := range []Grade{GradeOK, GradeWarn, GradeBad} {
		used["tech.grade."+string(g)] = true
	}
	for _, w := range []devices.Unready{devices.UnreadyNoDevice, devices.UnreadyStarting, devices.UnreadyFraud, devices.UnreadyBroken, devices.UnreadyJammed,
		devices.UnreadyCoverOpen, devices.UnreadyPaperOut, devices.UnreadyTonerOut, devices.UnreadyOffline} {
		used["tech.state."+string(w)] = true
	}
	for _, lang := range service.Languages {
		b, err := fs.ReadFile(assets.FS, "lang/"+lang+".maintain.json")
		if err != nil {
			t.Fatal(err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(b, &words); err != nil {
			t.Fatal(err)
		}
		for id := range used {
			if words[id] == "" {
				t.Errorf("%s: %s has no words", lang, id)
			}
		}
		for id := range words {
			if !used[id] && !strings.HasPrefix(id, "tech.role.") {
				t.Errorf("%s: nobody says %s", lang, id)
			}
		}
	}
}
