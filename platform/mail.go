package platform

// The long poll's bell. A message may be told at any server of the fleet, so each server asks the store, twice a second
// and with one cheap question for all its waiting terminals, who got mail; what is told at this server rings at once.

import (
	"context"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

const (
	mailEvery = 500 * time.Millisecond
	// mailWithin is longer than a transaction may last and than servers' clocks may differ, so no message slips between
	// two questions.
	mailWithin = 30 * time.Second
)

// mailRecheck is when a waiting terminal's box is looked at all the same. A measurement that compresses time compresses it too.
var mailRecheck = 20 * time.Second

// mailroom knows which terminals wait here. The zero value is ready.
type mailroom struct {
	mu      sync.Mutex
	waiting map[string]*waiter
	someone chan struct{} // has a token when somebody began to wait
}

type waiter struct {
	bell  chan struct{}
	after uint64 // the lowest of those who wait
	n     int
}

func newMailroom() *mailroom {
	return &mailroom{waiting: map[string]*waiter{}, someone: make(chan struct{}, 1)}
}

// wait registers a terminal that has everything up to a number; bell is closed when there is more. away ends it.
func (m *mailroom) wait(terminal string, after uint64) (bell <-chan struct{}, away func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.waiting[terminal]
	if w == nil {
		w = &waiter{bell: make(chan struct{}), after: after}
		m.waiting[terminal] = w
	}
	w.after = min(w.after, after)
	w.n++
	select {
	case m.someone <- struct{}{}:
	default:
	}
	return w.bell, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if w.n--; w.n == 0 && m.waiting[terminal] == w {
			delete(m.waiting, terminal)
		}
	}
}

func (m *mailroom) ring(terminal string, no uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.waiting[terminal]; w != nil && no > w.after {
		close(w.bell)
		delete(m.waiting, terminal)
	}
}

// wake lets those of a terminal that wait look again, mail or not.
func (m *mailroom) wake(terminal string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.waiting[terminal]; w != nil {
		close(w.bell)
		delete(m.waiting, terminal)
	}
}

func (m *mailroom) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting) == 0
}

// telling is one change of the store that may put messages into inboxes; whoever waits for them at this server hears at once.
func (s *Server) telling(ctx context.Context, change func(Tx) error) error {
	var told []Mail
	err := s.store.Update(ctx, func(tx Tx) error {
		told = told[:0]
		return change(listening{tx, &told})
	})
	if err != nil {
		return err
	}
	for _, m := range told {
		s.mail.ring(m.Terminal, m.No)
	}
	return nil
}

// listening is a transaction that notes whose inbox gets messages.
type listening struct {
	Tx
	told *[]Mail
}

func (l listening) PutMessage(terminal string, m wire.Message) error {
	err := l.Tx.PutMessage(terminal, m)
	if err == nil {
		*l.told = append(*l.told, Mail{terminal, m.No})
	}
	return err
}

// watchMail asks the store while somebody waits, until ctx ends.
func (s *Server) watchMail(ctx context.Context) {
	tick := time.NewTicker(mailEvery)
	defer tick.Stop()
	for {
		if s.mail.empty() {
			select {
			case <-s.mail.someone:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var all []Mail
		if err := s.store.View(ctx, func(tx Tx) (err error) { all, err = tx.Mail(mailWithin); return err }); err != nil {
			if ctx.Err() == nil {
				s.cfg.Log.Warn("looking for mail", "error", err)
			}
			continue
		}
		for _, x := range all {
			s.mail.ring(x.Terminal, x.No)
		}
	}
}
