package service_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/slip"
	"github.com/budayang/kiosk/sync/journal"
)

// The synthetic citizen: a district that does not exist.
const citizenName = "张三丰"

func citizenNumber(t testing.TB) string {
	t.Helper()
	n, err := idnum.Complete("99000019900307123")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fakeSet is a terminal's devices in memory.
type fakeSet struct {
	mu      sync.Mutex
	status  map[devices.Role]devices.Status
	devs    map[devices.Role]devices.Device
	used    map[devices.Role]bool
	changed chan struct{}
}

func newSet() *fakeSet {
	return &fakeSet{
		status: map[devices.Role]devices.Status{}, devs: map[devices.Role]devices.Device{}, used: map[devices.Role]bool{},
		changed: make(chan struct{}),
	}
}

func (s *fakeSet) add(role devices.Role, dev devices.Device) {
	s.mu.Lock()
	s.devs[role] = dev
	s.mu.Unlock()
	s.Report(devices.Status{Role: role, Connection: devices.ConnectionOnline, Paper: devices.SupplyFull, Media: devices.MediaNotSupported})
}

func (s *fakeSet) change(role devices.Role, fn func(*devices.Status)) {
	st := s.Status(role)
	fn(&st)
	s.Report(st)
}

func (s *fakeSet) Status(r devices.Role) devices.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.status[r]; ok {
		return st
	}
	return devices.Status{Role: r, Connection: devices.ConnectionNoDevice}
}

func (s *fakeSet) Use(r devices.Role) (devices.Device, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.devs[r] == nil || s.status[r].Connection != devices.ConnectionOnline:
		return nil, nil, devices.ErrNoDevice
	case s.used[r]:
		return nil, nil, devices.ErrBusy
	}
	s.used[r] = true
	return s.devs[r], func() { s.mu.Lock(); s.used[r] = false; s.mu.Unlock() }, nil
}

func (s *fakeSet) Report(st devices.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[st.Role] = st
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakeSet) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

type device struct{}

func (device) Probe(context.Context) (devices.Status, error) { return devices.Status{}, nil }
func (device) Close() error                                  { return nil }

// fakeReader reads what lies on it.
type fakeReader struct {
	device
	mu    sync.Mutex
	lies  bool
	make  func() (*devices.IDCard, error) // what a read of the lying card gives
	reads int
}

func (r *fakeReader) put(on bool) { r.mu.Lock(); r.lies = on; r.mu.Unlock() }

func (r *fakeReader) present() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.lies }

func (r *fakeReader) Read(ctx context.Context, on func(devices.ReadEvent)) (*devices.IDCard, error) {
	for !r.present() {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	on(devices.ReadFound)
	if err := sleep(ctx, 300*time.Millisecond); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.reads++
	r.mu.Unlock()
	return r.make()
}

func (r *fakeReader) Present(context.Context) (devices.Media, error) {
	if r.present() {
		return devices.MediaPresent, nil
	}
	return devices.MediaNotPresent, nil
}

func (r *fakeReader) AwaitRemoval(ctx context.Context) error {
	for r.present() {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fakePages prints documents and remembers every job it was ever given.
type fakePages struct {
	device
	mu     sync.Mutex
	jobs   []string
	bytes  [][]byte
	print  func(n int, job devices.DocumentJob) devices.PrintResult // nil prints
	settle devices.PrintResult
	asked  []string // names settled
}

func (p *fakePages) Print(ctx context.Context, job devices.DocumentJob) devices.PrintResult {
	p.mu.Lock()
	p.jobs, p.bytes = append(p.jobs, job.Name), append(p.bytes, slices.Clone(job.PDF))
	n := len(p.jobs)
	p.mu.Unlock()
	if err := job.Note("job-id", "17"); err != nil {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Detail: "note"}
	}
	for i := range job.Sheets {
		if sleep(ctx, time.Second) != nil {
			return devices.PrintResult{Outcome: devices.PrintUnknown}
		}
		job.Progress(i + 1)
	}
	if p.print != nil {
		return p.print(n, job)
	}
	return devices.PrintResult{Outcome: devices.PrintConfirmed, By: "ipp", Sheets: job.Sheets}
}

func (p *fakePages) Settle(_ context.Context, name string, _ int, notes map[string]string) devices.PrintResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, name+" job "+notes["job-id"])
	return p.settle
}

func (p *fakePages) count() int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.jobs) }

// fakeRoll prints slips.
type fakeRoll struct {
	device
	mu    sync.Mutex
	slips []slip.Slip
	ids   []string
	print func(n int) devices.PrintResult
}

func (p *fakeRoll) Print(_ context.Context, job devices.ReceiptJob) devices.PrintResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slips, p.ids = append(p.slips, job.Slip), append(p.ids, job.ID)
	if p.print != nil {
		return p.print(len(p.slips))
	}
	return devices.PrintResult{Outcome: devices.PrintConfirmed, By: "process-id"}
}

func (p *fakeRoll) Settle(context.Context, string) devices.PrintResult {
	return devices.PrintResult{Outcome: devices.PrintUnknown}
}

func (p *fakeRoll) Output(context.Context) (devices.Media, error) {
	return devices.MediaNotSupported, nil
}

// text is everything a slip says.
func text(s slip.Slip) string {
	var b strings.Builder
	for _, bl := range s.Blocks {
		switch bl := bl.(type) {
		case slip.Text:
			b.WriteString(bl.Text + "\n")
		case slip.Table:
			for _, r := range bl.Rows {
				b.WriteString(strings.Join(r, "\t") + "\n")
			}
		case slip.QR:
			b.WriteString("QR " + bl.Data + "\n")
		}
	}
	return b.String()
}

func (p *fakeRoll) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, s := range p.slips {
		out = append(out, text(s))
	}
	return out
}

// fakePlatform answers as it is told.
type fakePlatform struct {
	fakeStaff
	fakeFingers
	who     service.Person // to whom a code was sent last
	mu      sync.Mutex
	link    service.Link
	changed chan struct{}
	cat     service.Catalogue
	send    error
	codes   int
	query   func(ctx context.Context) (service.Found, error)
	issue   func(n int, key string) (service.Document, error)
	issues  []string
}

func newPlatform() *fakePlatform {
	opt := func(id, zh, en string) service.Option {
		return service.Option{ID: id, Label: service.Worded(map[string]string{"zh": zh, "en": en})}
	}
	return &fakePlatform{
		link: service.LinkUp, changed: make(chan struct{}),
		cat: service.Catalogue{
			RatingForm: "2020-1", Phone: "12345",
			Levels: []service.Option{
				opt("5", "非常满意", "Very good"), opt("4", "满意", "Good"), opt("3", "基本满意", "Fair"), opt("2", "不满意", "Poor"), opt("1", "非常不满意", "Very poor"),
			},
			Hotline: []service.Option{opt("road", "道路", "Roads"), opt("water", "供水", "Water")},
		},
	}
}

func (p *fakePlatform) set(l service.Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = l
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *fakePlatform) Link() service.Link { p.mu.Lock(); defer p.mu.Unlock(); return p.link }
func (p *fakePlatform) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}
func (p *fakePlatform) Catalogue() service.Catalogue { p.mu.Lock(); defer p.mu.Unlock(); return p.cat }

func (p *fakePlatform) SendCode(_ context.Context, _ string, who service.Person) (service.Challenge, error) {
	p.who = who
	if p.send != nil {
		return service.Challenge{}, p.send
	}
	p.codes++
	return service.Challenge{ID: "c", Phone: "138****0001", Until: now().Add(5 * time.Minute), Tries: 3}, nil
}

func (p *fakePlatform) CheckCode(_ context.Context, _, code string) (service.Token, error) {
	if code != "123456" {
		return service.Token{}, &service.PlatformError{Err: service.ErrWrongCode, Code: "E-CODE-WRONG"}
	}
	return service.Token{Value: "token", Until: now().Add(10 * time.Minute)}, nil
}

func (p *fakePlatform) Query(ctx context.Context, _, _ string, _ service.Token, _ map[string]string) (service.Found, error) {
	if p.query != nil {
		return p.query(ctx)
	}
	w := func(zh string) service.Text { return service.Worded(map[string]string{"zh": zh, "en": zh}) }
	return service.Found{Title: w("社保信息"), AsOf: now(), Sections: []service.Section{{
		Rows: []service.Row{{Label: w("个人账户余额"), Plain: "48231.07", Masked: "****", Private: true}, {Label: w("参保状态"), Plain: "参保缴费"}},
	}}}, nil
}

func (p *fakePlatform) Issue(_ context.Context, _, key string, _ service.Token, _ map[string]string) (service.Document, error) {
	p.mu.Lock()
	p.issues = append(p.issues, key)
	n := len(p.issues)
	p.mu.Unlock()
	if p.issue != nil {
		return p.issue(n, key)
	}
	return document(), nil
}

func document() service.Document {
	pdf := []byte("%PDF-1.7 three pages for the test")
	sum := sha256.Sum256(pdf)
	return service.Document{Number: "SB2025000001", Pages: 3, SHA256: hex.EncodeToString(sum[:]), PDF: pdf, Verify: "https://example.invalid/v/SB2025000001"}
}

// now is the bubble's clock, moved to where cards are valid.
func now() time.Time { return time.Now().Add(26 * 365 * 24 * time.Hour) }

// world is a terminal in memory, with a real journal.
type world struct {
	t       testing.TB
	dir     string
	set     *fakeSet
	reader  *fakeReader
	pages   *fakePages
	roll    *fakeRoll
	plat    *fakePlatform
	journal *journal.Journal
	engine  *service.Engine
	till    *fakeTill     // set before start where something is paid
	booth   *booth        // set before start where cards are made
	hall    *fakeHall     // set before start where there is a queue
	more    service.Items // beside the items of the assets
	wrong   time.Duration // of the machine's clock
	reached func(string)
	sound   func() // ends every test
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir(), set: newSet(), reader: &fakeReader{}, pages: &fakePages{}, roll: &fakeRoll{}, plat: newPlatform()}
	number := citizenNumber(t)
	w.reader.make = func() (*devices.IDCard, error) { return card(number), nil }
	w.set.add(devices.RoleIDReader, w.reader)
	w.set.add(devices.RoleDocumentPrinter, w.pages)
	w.set.add(devices.RoleReceiptPrinter, w.roll)
	w.start()
	w.sound = w.verify
	t.Cleanup(func() { w.sound(); _ = w.journal.Close() })
	return w
}

func card(number string) *devices.IDCard {
	return &devices.IDCard{
		Kind: devices.CardResident, Name: citizenName, Number: number, Sex: '1', Address: "测试省样例市虚构路1号",
		ValidFrom: time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC), ValidTo: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
		Photo: []byte{1, 2, 3},
	}
}

func items(t testing.TB) service.Items {
	t.Helper()
	sub, err := fs.Sub(assets.FS, "items")
	if err != nil {
		t.Fatal(err)
	}
	is, err := service.Load(sub)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// start opens the journal and makes an engine, as the program does after a restart.
func (w *world) start() {
	w.t.Helper()
	j, err := journal.Open(filepath.Join(w.dir, "journal.db"), journal.Options{
		Terminal: "T-TEST", No: "03", KeyFile: filepath.Join(w.dir, "key"), Now: func() time.Time { return now().Add(w.wrong) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = j
	cfg := service.Config{
		Items: append(items(w.t), w.more...), Journal: j, Devices: w.set, Platform: w.plat, Now: now,
		Site: service.Site{Name: service.Words{"zh": "样例市民之家", "en": "Sample Citizens' House"}, Terminal: "03"},
		Reached: func(p string) {
			if w.reached != nil {
				w.reached(p)
			}
		},
	}
	if w.till != nil {
		cfg.Cashier = w.till
	}
	if w.hall != nil {
		cfg.Hall = w.hall
	}
	if w.booth != nil {
		cfg.Office, cfg.TerminalID, cfg.CardCheck = w.booth.office, "T-TEST", w.booth.eye != nil
		cfg.Timeouts.Hold = 200 * time.Millisecond // every picture looked at costs real time
		cfg.Timeouts.Unfetched = 30 * time.Hour    // an idle terminal of a week costs real time too
	}
	if w.engine, err = service.New(cfg); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) verify() {
	w.t.Helper()
	r, err := w.journal.Verify(context.Background())
	if err != nil || len(r.Problems) > 0 {
		w.t.Errorf("journal: %v, problems %q", err, r.Problems)
	}
}

// play runs a script to its end.
func (w *world) play(lines ...script.Line) *script.Citizen {
	w.t.Helper()
	c := script.New(lines...)
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	c.Done = stop
	if err := w.engine.Serve(ctx, c); !errors.Is(err, context.Canceled) {
		w.t.Fatalf("serve: %v\nseen: %v", err, c.Seen())
	}
	if c.Left() > 0 {
		w.t.Fatalf("%d lines of the script were not reached; seen: %v", c.Left(), c.Seen())
	}
	return c
}

func (w *world) cases() []journal.Case {
	w.t.Helper()
	cs, err := w.journal.Cases(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return cs
}

// one is the only case there is, in a state.
func (w *world) one(state journal.State) journal.Case {
	w.t.Helper()
	cs := w.cases()
	if len(cs) != 1 || cs[0].State != state {
		w.t.Fatalf("cases %+v, expected one that is %s", cs, state)
	}
	return cs[0]
}

// records are the bodies of all waiting records of a type.
func (w *world) records(typ string) (bodies []string) {
	w.t.Helper()
	for _, lane := range []string{"tx", "audit"} {
		rs, err := w.journal.Pending(journalLane(lane), 200, 1<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range rs {
			if r.Type == typ {
				bodies = append(bodies, string(r.Body))
			}
		}
	}
	return bodies
}

// put lays the card down while the prompt waits for it.
func (w *world) put() script.Do { return script.Then(func() { w.reader.put(true) }, script.Wait()) }

// identified is the way of a citizen who takes the card off again once it was read.
func (w *world) identified() []script.Line {
	return []script.Line{
		script.On("consent", script.Next()), script.On("identify", w.put()),
		script.On("verify", script.Then(func() { w.reader.put(false) }, script.Enter("123456"))),
	}
}

func ink(t testing.TB) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 64, 32))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	img.Set(5, 5, color.Black)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
