package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
)

// desktop is a bench with a card reader and a code scanner beside the slip printer.
type desktop struct {
	bench
	reader  *glass
	scanner *gun
}

func (d desktop) Status(r devices.Role) devices.Status {
	if r == devices.RoleIDReader || r == devices.RoleCodeScanner {
		return devices.Status{Role: r, Connection: devices.ConnectionOnline}
	}
	return d.bench.Status(r)
}

func (d desktop) Use(r devices.Role) (devices.Device, func(), error) {
	switch r {
	case devices.RoleIDReader:
		return d.reader, func() {}, nil
	case devices.RoleCodeScanner:
		return d.scanner, func() {}, nil
	}
	return d.bench.Use(r)
}

// glass is a reader on which numbers are put, and unreadable cards.
type glass struct {
	devices.IDReader
	cards chan string
}

func (g *glass) Read(ctx context.Context, _ func(devices.ReadEvent)) (*devices.IDCard, error) {
	select {
	case n := <-g.cards:
		if n == "" {
			return nil, devices.ErrCardUnreadable
		}
		return &devices.IDCard{Number: n, Name: "王小明"}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type gun struct {
	devices.CodeScanner
	codes chan string
}

func (g *gun) Scan(ctx context.Context) (devices.Code, error) {
	select {
	case c := <-g.codes:
		return devices.Code{Data: []byte(c)}, nil
	case <-ctx.Done():
		return devices.Code{}, ctx.Err()
	}
}

// cardSite is a site whose first technician has a card, and whose second is named by the configuration, with a code badge.
func cardSite(t *testing.T) (*site, desktop, Staff) {
	t.Helper()
	s := newSite(t)
	d := desktop{s.cfg.Devices.(bench), &glass{cards: make(chan string, 4)}, &gun{codes: make(chan string, 4)}}
	f := s.cfg.Keeper.(File)
	if err := f.SetCard("1001", newBadge("id", []byte("990000199001010010"))); err != nil {
		t.Fatal(err)
	}
	all, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	named := all[1]
	named.Code, named.Operator = "2001", "op.chen"
	key := NewCardKey()
	named.Card = key.Mark(newBadge("code", []byte("a badge of 32 characters or more")))
	staff := Staff{File: f, Named: []Technician{named}, Key: key}
	cfg := s.cfg
	cfg.Devices, cfg.Keeper = d, staff
	s.Console = New(cfg)
	return s, d, staff
}

const cardPIN = "481511001"

// shown is a hand that shows a card or a code when it is asked who it is.
type shown struct {
	*hand
	do func() // at the next form that asks for a code
}

func (h *shown) Ask(ctx context.Context, p service.Prompt) (service.Answer, error) {
	if f, is := p.(service.Form); is && h.do != nil && f.Fields[0].ID == "code" {
		h.seen = append(h.seen, "door")
		do := h.do
		h.do = nil
		do()
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return h.hand.Ask(ctx, p)
}

func (s *site) shows(do func(), lines ...line) *shown {
	s.t.Helper()
	h := &shown{&hand{t: s.t, lines: lines}, do}
	if err := s.Attend(s.t.Context(), h); err != nil {
		s.t.Fatal(err)
	}
	if len(h.lines) > 0 {
		s.t.Errorf("not asked: %v; seen %v", h.lines, h.seen)
	}
	return h
}

func TestACardInThePlaceOfACode(t *testing.T) {
	s, d, _ := cardSite(t)
	// an unreadable card and somebody's bar code are passed over
	h := s.shows(func() { d.reader.cards <- ""; d.scanner.codes <- "short"; d.reader.cards <- "990000199001010010" }, fill("pin", cardPIN), pick("tech-home", "resume"))
	if f := h.seen; strings.Join(f, " ") != "door form tech-home" {
		t.Errorf("seen %v", f)
	}
	s.shows(func() { d.scanner.codes <- "a badge of 32 characters or more" }, fill("pin", "481511002"), pick("tech-home", "resume"))
	// a code is typed all the same, also after a card that was taken back
	s.attend(come("1001", cardPIN), pick("tech-home", "resume"))
	s.shows(func() { d.reader.cards <- "990000199001010010" }, back("form"), come("1001", cardPIN), pick("tech-home", "resume"))
	s.wrote("technician.entered op.zhang", "technician.left op.zhang resumed", "technician.entered op.chen", "technician.left op.chen resumed",
		"technician.entered op.zhang", "technician.left op.zhang resumed", "technician.entered op.zhang", "technician.left op.zhang resumed")
	by := []string{}
	records, err := s.j.Pending("audit", 1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if strings.Contains(string(r.Body), "990000199001010010") || strings.Contains(string(r.Body), "badge of 32") {
			t.Errorf("the number stands in the chain: %s", r.Body)
		}
		var e struct{ Fields map[string]string }
		if err := json.Unmarshal(r.Body, &e); err == nil && e.Fields["by"] != "" {
			by = append(by, e.Fields["by"])
		}
	}
	if strings.Join(by, " ") != "card card code code" {
		t.Errorf("by %v", by)
	}
}

// Cards and codes that are wrong count together, and a card alone opens nothing.
func TestWrongCardsLockTheConsole(t *testing.T) {
	s, d, _ := cardSite(t)
	for range freeTries - 2 {
		s.shows(func() { d.reader.cards <- "990000198001010018" }, fill("pin", cardPIN), line{"form", service.ErrLeft}) // nobody's card, somebody's PIN
	}
	s.shows(func() { d.reader.cards <- "990000199001010010" }, fill("pin", "000001"), line{"form", service.ErrLeft})
	s.shows(func() { d.reader.cards <- "990000199001010010" }, fill("pin", "481511002"), pick("tech-locked", "understood")) // another's PIN
	s.attend(pick("tech-locked", "understood"))
	s.now = s.now.Add(firstLock + time.Second)
	s.shows(func() { d.reader.cards <- "990000199001010010" }, fill("pin", cardPIN), pick("tech-home", "resume"))
}

// Nothing but a mark is kept, and the mark is another for another key, another kind of card, another number.
func TestMarks(t *testing.T) {
	s, _, staff := cardSite(t)
	dir := filepath.Dir(staff.File.Path)
	for _, f := range []string{KeeperFile, KeyFile} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil || strings.Contains(string(b), "990000199001010010") {
			t.Errorf("%s: %v, or the number is in it", f, err)
		}
		if st, err := os.Stat(filepath.Join(dir, f)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, st.Mode(), err)
		}
	}
	one, two := NewCardKey(), NewCardKey()
	marks := map[string]bool{}
	for _, m := range []string{one.Mark(newBadge("id", []byte("1"))), one.Mark(newBadge("code", []byte("1"))), one.Mark(newBadge("id", []byte("2"))), two.Mark(newBadge("id", []byte("1")))} {
		if marks[m] || !mark(m) {
			t.Errorf("mark %q", m)
		}
		marks[m] = true
	}
	if again := one.Mark(newBadge("id", []byte("1"))); !marks[again] {
		t.Error("the same key makes another mark of the same card")
	}
	back, err := ParseCardKey(one.String())
	if err != nil || back != one {
		t.Errorf("%v %v", back, err)
	}
	for _, bad := range []string{"", "0a", strings.Repeat("z", 32), strings.Repeat("0a", 17)} {
		if _, err := ParseCardKey(bad); !errors.Is(err, ErrCard) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	b := newBadge("id", []byte("990000199001010010"))
	if text := fmt.Sprintf("%v %+v %s %#v %x", *b, *b, *b, *b, *b); strings.Contains(text, "99") {
		t.Errorf("shown: %s", text)
	}
	if _, err := json.Marshal(b); err == nil {
		t.Error("a badge was marshalled")
	}
	secret := b.secret
	b.Wipe()
	if strings.Trim(string(secret), "\x00") != "" {
		t.Error("not wiped")
	}
	// whose it is already is nobody else's, and a card can be taken away
	if err := staff.File.SetCard("1002", newBadge("id", []byte("990000199001010010"))); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	if err := staff.File.SetCard("9999", newBadge("id", []byte("1"))); !errors.Is(err, ErrNobody) {
		t.Errorf("%v", err)
	}
	if err := staff.File.SetCard("1001", nil); err != nil {
		t.Error(err)
	}
	if who, err := staff.CheckCard(newBadge("id", []byte("990000199001010010")), cardPIN); err != nil || who.Operator != "" {
		t.Errorf("a card that was taken away: %v %v", who, err)
	}
	_ = s
}

// Whoever is named by the configuration comes in with code and PIN as well; a code that stands twice is the file's.
func TestStaff(t *testing.T) {
	_, _, staff := cardSite(t)
	twice := staff.Named[0]
	twice.Code = "1001"
	staff.Named = append(staff.Named, twice)
	for _, x := range []struct{ code, pin, want string }{{"2001", "481511002", "op.chen"}, {"1001", cardPIN, "op.zhang"}, {"1001", "481511002", ""}, {"3001", cardPIN, ""}} {
		if who, err := staff.Check(x.code, x.pin); err != nil || who.Operator != x.want {
			t.Errorf("%+v: %v %v", x, who, err)
		}
	}
	if !staff.Any() || !staff.Cards() || (Staff{File: File{filepath.Join(t.TempDir(), KeeperFile)}}).Any() {
		t.Error("who is there")
	}
	for _, bad := range []Technician{{Code: "1", Operator: "op.a"}, {Code: "1001", Operator: "9"}, {Code: "1001", Operator: "op.a", Card: "0A"}} {
		if bad.Valid() == nil {
			t.Errorf("%+v", bad)
		}
	}
}

// Where nobody has a card no reader is touched, and a prompt that ends lets the readers go.
func TestReadersAreLetGo(t *testing.T) {
	s := newSite(t)
	if came, stop := s.reading(t.Context()); came != nil || stop() != nil {
		t.Error("a reader was asked for a card that nobody has")
	}
	s, d, _ := cardSite(t)
	var wait sync.WaitGroup
	for range 20 {
		_, stop := s.reading(t.Context())
		wait.Go(func() { stop().Wipe() })
		wait.Wait()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if b, err := ReadBadge(ctx, d); b != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v %v", b, err)
	}
	if _, err := ReadBadge(t.Context(), bench{roll: &roll{}}); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("%v", err)
	}
}
