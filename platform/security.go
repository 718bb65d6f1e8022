package platform

// What was refused, and who was let in or put out, is kept where an operator sees it. An attacker can cause many refusals, but
// neither many rows nor many lines of log: equal ones within a minute are summed up.

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
)

// answerWriter remembers what a request was refused with.
type answerWriter struct {
	http.ResponseWriter
	refused *APIError
	claimed string // who an enrolment says it is; other requests say so in their header
}

// Unwrap is for http.ResponseController.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// unremarkable refusals belong to ordinary service and are not kept.
var unremarkable = map[*APIError]bool{errNoRecord: true, errNoPhone: true, errNoStaff: true, errVouched: true, errCodeWrong: true, errCodeExpired: true, errGap: true,
	errInProgress: true, errGlyph: true, errPicture: true, errCardRefused: true, errCardOpen: true, errBackend: true, errBusy: true, errInternal: true}

const (
	watchWindow = time.Minute
	watchMost   = 256 // different refusals told apart in a window
)

// refusal is what makes two refusals equal.
type refusal struct{ code, terminal, peer, route, who string }

// asker is where a page's middleware says who asks, for the record of what is refused.
type asker struct{ account string }

type askerKey struct{}

// claimWho notes whose account a request is about.
func claimWho(r *http.Request, account string) {
	if a, is := r.Context().Value(askerKey{}).(*asker); is {
		a.account = account
	}
}

// watch sums refusals up.
type watch struct {
	mu    sync.Mutex
	began time.Time
	again map[refusal]int // beyond the first, which was written at once
}

// see notes a refusal. It returns the events to write: the first of its kind in the window, and what the last window summed up.
func (w *watch) see(r refusal, now time.Time) (events []SecurityEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.began).Abs() > watchWindow {
		events = w.sumUp(now)
		w.began, w.again = now, map[refusal]int{}
	}
	if _, seen := w.again[r]; !seen && len(w.again) >= watchMost {
		r = refusal{code: r.code, route: "many"}
	}
	if _, seen := w.again[r]; seen {
		w.again[r]++
		return events
	}
	w.again[r] = 0
	return append(events, event(r, now, 1))
}

// sumUp is what the window saw again.
func (w *watch) sumUp(now time.Time) (events []SecurityEvent) {
	for r, n := range w.again {
		if n > 0 {
			events = append(events, event(r, now, n))
		}
	}
	w.again = nil
	return events
}

func event(r refusal, now time.Time, n int) SecurityEvent {
	return SecurityEvent{At: now, Event: "refused", Code: r.code, Terminal: r.terminal, Peer: r.peer, Route: r.route, Who: r.who, Count: n}
}

// note keeps a refusal. The terminal is who the request claims to be from.
func (s *Server) note(r *http.Request, e *APIError, claimed string) {
	if unremarkable[e] {
		return
	}
	if c, err := parseAuth(r.Header.Get("Authorization")); err == nil {
		claimed = c.terminal
	}
	route := r.Pattern
	if route == "" || route == "/" {
		route = "none"
	}
	who := ""
	if a, is := r.Context().Value(askerKey{}).(*asker); is {
		who = a.account
	}
	events := s.watch.see(refusal{e.Code, claimed, peerOf(r), route, who}, s.now())
	for _, ev := range events {
		s.cfg.Log.Warn("refused", "code", ev.Code, "terminal", ev.Terminal, "peer", ev.Peer, "route", ev.Route, "who", ev.Who, "count", ev.Count)
	}
	s.keep(r.Context(), events...)
}

// keep writes events, whatever became of the request that caused them.
func (s *Server) keep(ctx context.Context, events ...SecurityEvent) {
	if len(events) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := s.store.Update(ctx, func(tx Tx) error {
		for _, e := range events {
			if err := addEvent(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.cfg.Log.Error("security event could not be kept", "error", err)
	}
}

func addEvent(tx Tx, e SecurityEvent) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	e.ID, e.Count = id.String(), max(1, e.Count)
	return tx.AddSecurityEvent(e)
}

// claim notes who an enrolment says it is.
func claim(w http.ResponseWriter, terminal string) {
	if a, is := w.(*answerWriter); is {
		a.claimed = terminal
	}
}

// peerOf is the address at the other end of the connection. Headers that name another one are anybody's to write.
func peerOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// What is kept of security events unless the configuration says otherwise. The years in which a court or an auditor asks are
// covered by the terminals' audit chains; this is what an operator looks at.
const (
	eventsFor  = 400 * 24 * time.Hour
	eventsMost = 1_000_000
)

// sweepEvents forgets security events that are too old or too many, every hour, until ctx ends.
func (s *Server) sweepEvents(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if n, err := s.TrimSecurityEvents(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("sweeping security events", "error", err)
		} else if n > 0 {
			s.cfg.Log.Info("old security events were forgotten", "count", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// TrimSecurityEvents forgets security events that are older than the configuration keeps them, and the oldest of those that are too
// many. Refusals are counted apart: whoever is refused again and again must not push out what else happened. It tells how many went.
func (s *Server) TrimSecurityEvents(ctx context.Context) (n int, err error) {
	before := s.now().Add(-s.cfg.EventsFor)
	for {
		var refusals, others int
		err := s.store.View(ctx, func(tx Tx) (err error) { refusals, others, err = tx.CountSecurityEvents(); return err })
		if err != nil {
			return n, err
		}
		gone := 0
		err = s.store.Update(ctx, func(tx Tx) (err error) {
			gone, err = tx.DropSecurityEvents(before, max(0, refusals-s.cfg.EventsMost), max(0, others-s.cfg.EventsMost))
			return err
		})
		if n += gone; err != nil || gone < DropMost {
			return n, err
		}
	}
}

// SecurityEvents are the newest first.
func (s *Server) SecurityEvents(ctx context.Context, newest int) (all []SecurityEvent, err error) {
	err = s.store.View(ctx, func(tx Tx) error { all, err = tx.SecurityEvents(newest); return err })
	return all, err
}
