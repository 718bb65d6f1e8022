package service_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// warden is a caretaker that does what a test says.
type warden struct {
	mu     sync.Mutex
	due    chan struct{}
	closed *service.OutOfService
	do     func() error
	turns  int
}

func newWarden() *warden { return &warden{due: make(chan struct{})} }

func (w *warden) Due() <-chan struct{} { w.mu.Lock(); defer w.mu.Unlock(); return w.due }

func (w *warden) Tend(context.Context) (*service.OutOfService, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turns++
	if w.do != nil {
		return w.closed, w.do()
	}
	return w.closed, nil
}

// say changes what Tend answers, and rings.
func (w *warden) say(closed *service.OutOfService, do func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed, w.do = closed, do
	close(w.due)
	w.due = make(chan struct{})
}

func (w *world) withCaretaker(c service.Caretaker) {
	w.t.Helper()
	e, err := service.New(service.Config{Items: items(w.t), Journal: w.journal, Devices: w.set, Platform: w.plat, Now: now, Caretaker: c})
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine = e
}

func TestAPausedTerminalSaysSoAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, care := newWorld(t), newWarden()
		w.withCaretaker(care)
		resume := make(chan struct{})
		go func() {
			<-resume
			synctest.Wait()
			care.say(nil, nil)
		}()
		c := w.play(
			// The pause comes while somebody is being served: it waits.
			script.On("attract", script.Next()),
			script.On("home", script.Then(func() {
				care.say(service.Paused(service.Words{"zh": "停电检修", "en": "Maintenance"}), nil)
				synctest.Wait()
			}, script.Then(func() { close(resume) }, script.Leave()))),
			script.On("attract", script.Next()),
			script.On("home", script.Leave()),
		)
		seen := strings.Join(c.Seen(), " ")
		if seen != "attract home ended out-of-service attract home ended attract" {
			t.Errorf("seen %s", seen)
		}
		i := slices.IndexFunc(c.Told(), func(v service.View) bool { return v.Name() == "out-of-service" })
		if out := c.Told()[i].(service.OutOfService); out.Code != "E-PAUSED" || out.Why.Words["en"] != "Maintenance" {
			t.Errorf("%+v", out)
		}
	})
}

func TestWhatIsDueEndsTheAttractScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, care := newWorld(t), newWarden()
		w.withCaretaker(care)
		enough := errors.New("restart")
		c := script.New(script.On("attract", script.Then(func() { care.say(nil, func() error { return enough }) }, script.Wait())))
		if err := w.engine.Serve(t.Context(), c); !errors.Is(err, enough) {
			t.Errorf("serve: %v", err)
		}
	})
}

// An item that is exchanged while a case of its is open leaves the case its own retention.
func TestACaseKeepsTheItemItWasBegunWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := items(t)
		first := *all[0]
		newer := first
		newer.Hash[0]++
		newer.Retention = first.Retention + 1000
		if err := w.engine.SetItems(service.Items{&newer}, service.Items{&first}); err != nil {
			t.Fatal(err)
		}
		if got := len(w.engine.Tiles()); got != 1 {
			t.Errorf("%d tiles", got)
		}
		for hash, want := range map[[32]byte]*service.Item{first.Hash: &first, newer.Hash: &newer, {9}: &newer} {
			if got := w.engine.Retention(journal.Case{Item: first.Code, ItemHash: hash}); got != want.Retention {
				t.Errorf("retention %v, want %v", got, want.Retention)
			}
		}
		if w.engine.SetItems(nil, all) == nil {
			t.Error("nothing can be offered")
		}
		if len(w.engine.Items()) != 1 {
			t.Error("a refused exchange changed what is offered")
		}
	})
}

// visitor is a technician who asks once.
type visitor struct {
	asked  bool
	closed *service.OutOfService
	seen   int
}

func (v *visitor) Asked() bool {
	was := v.asked
	v.asked = false
	return was
}
func (v *visitor) Attend(ctx context.Context, c service.Citizen) error {
	v.seen++
	_, err := c.Ask(ctx, service.Choose{Page: service.Page{At: -1}})
	v.closed = nil
	return err
}
func (v *visitor) Closed() (*service.OutOfService, error) { return v.closed, nil }

func TestATechnicianHasTheTerminalBetweenVisits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tech := newWorld(t), &visitor{asked: true, closed: &service.OutOfService{Code: "E-MAINTENANCE"}}
		e, err := service.New(service.Config{Items: items(t), Journal: w.journal, Devices: w.set, Platform: w.plat, Now: now, Caretaker: newWarden(), Technician: tech})
		if err != nil {
			t.Fatal(err)
		}
		w.engine = e
		// The visitor resumes: nothing closed is shown, and the next one is served.
		c := w.play(lines([]script.Line{script.On("choose", script.Choose("x"))}, start("GUIDE"), []script.Line{script.Maybe("choose", script.Leave())})...)
		if seen := c.Seen(); tech.seen != 1 || seen[0] != "choose" || !slices.Contains(seen, "ended") || slices.Contains(seen, "out-of-service") {
			t.Errorf("attended %d times, seen %v", tech.seen, seen)
		}
	})
}
