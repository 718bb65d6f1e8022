package guidance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
)

// bench is a set with a board and a speaker that remember; the drivers under them are shown on the wire in cmd/kiosk.
type bench struct {
	mu      sync.Mutex
	board   *board // nil: none is plugged in
	busy    bool
	speaker *speaker
	media   map[devices.Role]devices.Media
	changed chan struct{}
}

type board struct {
	devices.Device
	b     *bench
	wired []devices.Light
	on    map[devices.Light]bool
	fails map[devices.Light]int // times
	told  int
}

type speaker struct {
	devices.Device
	mu   sync.Mutex
	said []devices.Tone
	err  error
	slow time.Duration
}

func newBench(lights ...devices.Light) *bench {
	b := &bench{changed: make(chan struct{}), media: map[devices.Role]devices.Media{}, speaker: &speaker{}}
	b.board = &board{b: b, wired: lights, on: map[devices.Light]bool{}, fails: map[devices.Light]int{}}
	return b
}

func (b *bench) Status(r devices.Role) devices.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return devices.Status{Role: r, Media: b.media[r]}
}

func (b *bench) Use(r devices.Role) (devices.Device, func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.busy:
		return nil, nil, devices.ErrBusy
	case r == devices.RoleLights && b.board != nil:
		return b.board, func() {}, nil
	case r == devices.RoleSound && b.speaker != nil:
		return b.speaker, func() {}, nil
	}
	return nil, nil, devices.ErrNoDevice
}

func (b *bench) Report(devices.Status) {}

func (b *bench) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// do changes something, and the set says so.
func (b *bench) do(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) Lights() []devices.Light { return b.wired }

func (b *board) Light(_ context.Context, l devices.Light, on bool) error {
	b.b.mu.Lock()
	defer b.b.mu.Unlock()
	b.told++
	if b.fails[l] > 0 {
		b.fails[l]--
		return devices.ErrSilent
	}
	b.on[l] = on
	return nil
}

func (b *board) Release(context.Context, string) error { return devices.ErrNotWired }

func (b *board) lit() string {
	b.b.mu.Lock()
	defer b.b.mu.Unlock()
	var all []string
	for l, on := range b.on {
		if on {
			all = append(all, string(l))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (s *speaker) Play(ctx context.Context, t devices.Tone) error {
	s.mu.Lock()
	s.said = append(s.said, t)
	slow, err := s.slow, s.err
	s.mu.Unlock()
	select {
	case <-time.After(slow):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *speaker) heard() []devices.Tone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatal(what)
}

// begin runs a guidance beside nobody's screen; stands shows a prompt until the next.
func begin(t *testing.T, b *bench, cfg Config) (stands func(service.Prompt), g *Guidance, end func()) {
	t.Helper()
	cfg.Devices = b
	g = New(cfg)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return g.stands, g, end
}

var all = []devices.Light{"card-dispenser", "card-printer", "document-printer", "fill", "id-reader", "receipt-printer", "status"}

// Each prompt has its lamp, and no other is on.
func TestLampsOfPrompts(t *testing.T) {
	b := newBench(all...)
	stands, _, end := begin(t, b, Config{})
	for _, x := range []struct {
		prompt service.Prompt
		lies   map[devices.Role]devices.Media
		lit    string
	}{
		{service.Attract{}, nil, "status"},
		{service.PlaceCard{}, nil, "id-reader status"},
		{service.Form{}, nil, "status"},
		{service.Pose{}, nil, "fill status"},
		{service.TakeOutput{}, map[devices.Role]devices.Media{devices.RoleDocumentPrinter: devices.MediaPresent}, "document-printer status"},
		{service.TakeOutput{}, map[devices.Role]devices.Media{devices.RoleReceiptPrinter: devices.MediaPresent, devices.RoleDocumentPrinter: devices.MediaNotPresent}, "receipt-printer status"},
		{service.TakeOutput{}, nil, "document-printer receipt-printer status"},
		{service.TakeOutput{Card: true}, nil, "card-dispenser status"},
		{service.Done{}, nil, "status"},
		{service.Done{CardOnGlass: true}, nil, "id-reader status"},
		{service.TakeCard{Urgent: true}, nil, "id-reader status"},
		{technicianPage{}, nil, ""},
		{service.Home{}, nil, "status"},
	} {
		b.do(func() { b.media = maps.Clone(x.lies) })
		stands(x.prompt)
		until(t, x.prompt.Name()+": "+b.board.lit()+", wanted "+x.lit, func() bool { return b.board.lit() == x.lit })
	}
	stands(service.TakeOutput{})
	b.do(func() { b.media = map[devices.Role]devices.Media{devices.RoleReceiptPrinter: devices.MediaPresent} })
	until(t, "what lies changed while the prompt stands", func() bool { return b.board.lit() == "receipt-printer status" })
	end()
	if lit := b.board.lit(); lit != "" {
		t.Errorf("at the end: %s", lit)
	}
}

type technicianPage struct{ service.Form }

func (technicianPage) Name() string { return "tech-home" }

// A terminal that is closed has no lamp on.
func TestClosed(t *testing.T) {
	b := newBench(all...)
	stands, g, _ := begin(t, b, Config{})
	stands(service.Attract{})
	until(t, "open", func() bool { return b.board.lit() == "status" })
	stands(nil)
	g.told(service.OutOfService{})
	until(t, "closed", func() bool { return b.board.lit() == "" })
}

// A card's way out has one lamp, wherever it is wired.
func TestCardExitOfAnotherBoard(t *testing.T) {
	b := newBench("card-printer", "id-reader")
	stands, _, _ := begin(t, b, Config{})
	stands(service.TakeOutput{Card: true})
	until(t, "lit", func() bool { return b.board.lit() == "card-printer" })
}

// A lamp that fails is told again, and takes no other with it; one that is unplugged is told everything anew.
func TestLampsThatFail(t *testing.T) {
	b := newBench(all...)
	b.board.fails["id-reader"] = 1
	b.busy = true
	stands, _, _ := begin(t, b, Config{})
	stands(service.PlaceCard{})
	time.Sleep(20 * time.Millisecond)
	b.do(func() { b.busy = false })
	until(t, "the others", func() bool { return b.board.lit() == "status" })
	until(t, "in the end", func() bool { return b.board.lit() == "id-reader status" })
	old := b.board
	b.do(func() { b.board = nil })
	stands(service.Form{})
	time.Sleep(20 * time.Millisecond)
	b.do(func() { // it comes back as it was
		b.board = &board{b: b, wired: all, on: maps.Clone(old.on), fails: map[devices.Light]int{}}
	})
	until(t, "back", func() bool { return b.board.lit() == "status" })
}

// A board that lost its power in between is lit again without a word from it, and one that is as it should be is left alone meanwhile.
func TestRefresh(t *testing.T) {
	b := newBench("id-reader")
	stands, _, _ := begin(t, b, Config{Refresh: 300 * time.Millisecond})
	stands(service.PlaceCard{})
	until(t, "lit", func() bool { return b.board.lit() == "id-reader" })
	for range 20 {
		b.do(func() {})
	}
	b.mu.Lock()
	told := b.board.told
	b.board.on["id-reader"] = false
	b.mu.Unlock()
	if told > 2 {
		t.Errorf("told %d times", told)
	}
	until(t, "lit again", func() bool { return b.board.lit() == "id-reader" })
}

func TestTones(t *testing.T) {
	b := newBench()
	stands, g, _ := begin(t, b, Config{Repeat: 200 * time.Millisecond})
	hear := func(want ...devices.Tone) {
		t.Helper()
		until(t, "", func() bool { return len(b.speaker.heard()) >= len(want) })
		if got := b.speaker.heard(); !slices.Equal(got, want) {
			t.Fatalf("heard %v, wanted %v", got, want)
		}
		b.speaker.mu.Lock()
		b.speaker.said = nil
		b.speaker.mu.Unlock()
	}
	g.Key()
	hear(devices.ToneKey)
	for _, p := range []service.Prompt{service.Trouble{}, service.PlaceCard{Tries: 1}, service.EnterCode{Wrong: true}, service.Form{Fields: []service.Field{{Problem: service.T("x")}}}} {
		stands(p)
		hear(devices.ToneError)
	}
	g.told(service.CardNote{Event: string(devices.ReadNotACard)})
	hear(devices.ToneError)
	for _, p := range []service.Prompt{service.PlaceCard{}, service.EnterCode{}, service.Form{}, service.Home{}, service.Done{}} {
		stands(p)
	}
	stands(service.TakeCard{})
	hear(devices.ToneTake)
	stands(service.TakeOutput{Urgent: true})
	hear(devices.ToneTake)
	until(t, "it is said again and again", func() bool { return len(b.speaker.heard()) >= 2 })
	stands(nil)
	time.Sleep(20 * time.Millisecond)
	n := len(b.speaker.heard())
	time.Sleep(400 * time.Millisecond)
	if len(b.speaker.heard()) > n {
		t.Error("it goes on after the prompt")
	}
	// Keys that are pressed faster than they sound are not queued, and what matters overtakes them.
	b.speaker.mu.Lock()
	b.speaker.said, b.speaker.slow = nil, 100*time.Millisecond
	b.speaker.mu.Unlock()
	for range 50 {
		g.Key()
	}
	until(t, "the first", func() bool { return len(b.speaker.heard()) == 1 })
	g.Key()
	stands(service.Trouble{})
	until(t, "the error", func() bool { return slices.Contains(b.speaker.heard(), devices.ToneError) })
	if got := b.speaker.heard(); len(got) > 3 {
		t.Errorf("queued: %v", got)
	}
}

// Nothing waits for a device: not for one that is not there, not for one that fails.
func TestWithoutDevices(t *testing.T) {
	for name, b := range map[string]*bench{"none": {changed: make(chan struct{})}, "broken": func() *bench {
		b := newBench("id-reader")
		b.board.fails["id-reader"], b.speaker.err, b.speaker.slow = 1000, errors.New("no"), time.Hour
		return b
	}()} {
		t.Run(name, func(t *testing.T) {
			_, g, end := begin(t, b, Config{})
			c := g.Beside(script.New(script.On("take-card", script.Reply(service.Next{}))))
			if _, err := c.Ask(t.Context(), service.TakeCard{Urgent: true}); err != nil {
				t.Error(err)
			}
			c.Tell(service.Ended{})
			for range 100 {
				g.Key()
			}
			end() // the speaker's hour is not waited for, by nobody
		})
	}
}

type polyglot struct{ service.Citizen }

func (polyglot) Language() string { return "en" }

// What is between citizen and engine changes nothing of the citizen.
func TestBeside(t *testing.T) {
	g := New(Config{Devices: newBench()})
	if s, ok := g.Beside(polyglot{script.New()}).(service.Speaker); !ok || s.Language() != "en" {
		t.Error("a citizen's language is lost")
	}
	c := script.New(script.On("home", script.Leave()))
	if _, err := g.Beside(c).Ask(t.Context(), service.Home{}); !errors.Is(err, service.ErrLeft) {
		t.Errorf("%v", err)
	}
}
