package platform

// Admission: how many requests are worked on at once, and when the others are to come back.

import (
	"context"
	"hash/fnv"
	"net/http"
	"sync"
	"time"
)

// Limits of the gate.
const (
	gatePlaces  = 64              // requests in hand, when the configuration does not say
	gateQueue   = 4               // times as many may wait
	gateWait    = 2 * time.Second // for a place
	gateLongest = 5 * time.Minute
)

// gate admits requests. What it turns away it tells when its turn would come: the length of the queue in the time that
// requests take lately, and as much again spread by the terminal's name, so that a fleet does not come back as one.
type gate struct {
	places int
	now    func() time.Time

	mu      sync.Mutex
	inHand  int
	queue   []chan struct{} // first come, first served
	turned  int             // away, since a place was last free
	average time.Duration   // of a request, moving
}

// enter waits for a place. leave is nil when there is none, and the request is to come back after a while.
func (g *gate) enter(ctx context.Context, name string) (leave func(), after time.Duration) {
	g.mu.Lock()
	if g.inHand < g.places {
		g.inHand++
		g.turned = 0
		g.mu.Unlock()
		return g.leaving(), 0
	}
	if len(g.queue) >= g.places*gateQueue {
		defer g.mu.Unlock()
		return nil, g.later(name)
	}
	turn := make(chan struct{})
	g.queue = append(g.queue, turn)
	g.mu.Unlock()
	t := time.NewTimer(gateWait)
	defer t.Stop()
	select {
	case <-turn:
		return g.leaving(), 0
	case <-t.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, q := range g.queue {
		if q == turn {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			return nil, g.later(name)
		}
	}
	return g.leaving(), 0 // its turn came at the last moment
}

// spare is a place when one is free and nobody waits for it.
func (g *gate) spare() (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inHand >= g.places || len(g.queue) > 0 {
		return nil, false
	}
	g.inHand++
	return g.leaving(), true
}

// later is called with the lock held.
func (g *gate) later(name string) time.Duration {
	g.turned++
	ahead := time.Duration(len(g.queue) + g.turned)
	d := min(max(time.Second, g.average*ahead/time.Duration(g.places)), gateLongest)
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return d + time.Duration(h.Sum64()%uint64(d))
}

// leaving gives the place to the next in the queue.
func (g *gate) leaving() func() {
	began := g.now()
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.average = (g.average*15 + g.now().Sub(began)) / 16
		if len(g.queue) == 0 {
			g.inHand--
			return
		}
		close(g.queue[0])
		g.queue = g.queue[1:]
	}
}

// gated lets a request of a terminal in when its turn has come. Long polls and what a citizen waits for do not queue here:
// they are few, or idle.
func (s *Server) gated(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := parseAuth(r.Header.Get("Authorization"))
		if err != nil {
			s.refuse(w, errAuth, err.Error())
			return
		}
		leave, after := s.gate.enter(r.Context(), c.terminal)
		if leave == nil {
			s.refuseAfter(w, errBusy, "too many requests are being worked on", after)
			return
		}
		defer leave()
		h(w, r)
	}
}
