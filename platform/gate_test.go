package platform

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func TestTheGateTurnsAwayWhatItCannotServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{places: 2, now: time.Now}
		work := 500 * time.Millisecond
		var mu sync.Mutex
		most, inHand, served := 0, 0, 0
		var away []time.Duration
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				leave, after := g.enter(context.Background(), fmt.Sprint(i))
				mu.Lock()
				if leave == nil {
					away = append(away, after)
					mu.Unlock()
					return
				}
				inHand, served = inHand+1, served+1
				most = max(most, inHand)
				mu.Unlock()
				time.Sleep(work)
				mu.Lock()
				inHand--
				mu.Unlock()
				leave()
			})
		}
		all.Wait()
		if most != 2 || served+len(away) != 40 || len(away) < 30 {
			t.Errorf("%d at once, %d served, %d turned away", most, served, len(away))
		}
		different := map[time.Duration]bool{}
		for _, d := range away {
			different[d] = true
			if d < time.Second || d > 2*gateLongest {
				t.Errorf("come back after %v", d)
			}
		}
		if len(different) < len(away)/2 {
			t.Errorf("%d terminals come back at %d moments", len(away), len(different))
		}
		if leave, _ := g.enter(context.Background(), "later"); leave == nil || len(g.queue) != 0 {
			t.Error("the gate stays shut")
		} else {
			leave()
		}
		if g.inHand != 0 {
			t.Errorf("%d places are lost", g.inHand)
		}
	})
}

func TestABusyPlatformSaysWhenToComeBack(t *testing.T) {
	s, _ := newServer(t)
	p := newPeer(t, s, "990000-0001")
	p.enroll(p.code())
	s.gate.mu.Lock()
	s.gate.inHand = s.gate.places
	s.gate.queue = make([]chan struct{}, s.gate.places*gateQueue)
	s.gate.mu.Unlock()
	w := p.do("POST", wire.PathHello, wire.Hello{Terminal: p.id, Epoch: 1})
	if code(w) != "E-BUSY" || w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := p.do("GET", wire.PathCatalogue, nil); w.Code != 200 {
		t.Error("what a citizen waits for was turned away")
	}
}
