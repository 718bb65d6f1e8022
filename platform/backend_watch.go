package platform

// Which back ends work. One server of the fleet at a time asks them; what it finds, and what operators switched, is in
// the store, so that every server refuses and every terminal greys the same items. A terminal beats every three seconds
// and then fetches the changed catalogue: five and a half seconds at most until a dead back end is known leave it time.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

const (
	probeEvery   = 2 * time.Second
	probeTimeout = 1500 * time.Millisecond
	probeAgain   = 500 * time.Millisecond // a second try before a back end counts as down
	watchLease   = 3 * probeEvery
)

// backendsSetting names the states in the store.
const backendsSetting = "backends"

// BackendState is what is known of one back end.
type BackendState struct {
	Items []string  `json:"items"`
	Off   bool      `json:"off"`  // switched off by an operator
	Down  bool      `json:"down"` // does not answer as it must
	Since time.Time `json:"since"`
}

// Works: it is on and answers.
func (b BackendState) Works() bool { return !b.Off && !b.Down }

func backendStates(tx Tx) (map[string]BackendState, error) {
	all := map[string]BackendState{}
	v, err := tx.Setting(backendsSetting)
	if errors.Is(err, ErrNoRow) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal([]byte(v), &all)
}

// putBackendStates writes states with a new revision of the catalogue, so that terminals fetch it.
func putBackendStates(tx Tx, all map[string]BackendState) error {
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if err := tx.PutSetting(backendsSetting, string(b)); err != nil {
		return err
	}
	c, err := storedCatalogue(tx)
	if errors.Is(err, ErrNoRow) {
		return nil // the server that opens this store first will make one
	}
	if err != nil {
		return err
	}
	c.Revision++
	return putCatalogue(tx, c)
}

// Backends are the known states by name.
func Backends(ctx context.Context, s Store) (all map[string]BackendState, err error) {
	err = s.View(ctx, func(tx Tx) error { all, err = backendStates(tx); return err })
	return all, err
}

// SwitchBackend takes a back end out of use, or into use again, at every server at once.
func SwitchBackend(ctx context.Context, s Store, name string, off bool, now time.Time) error {
	return s.Update(ctx, func(tx Tx) error {
		all, err := backendStates(tx)
		if err != nil {
			return err
		}
		b, known := all[name]
		if !known {
			return fmt.Errorf("back end %.40q: %w", name, ErrNoRow)
		}
		if b.Off == off {
			return nil
		}
		b.Off, b.Since = off, now.UTC().Truncate(time.Millisecond)
		all[name] = b
		return putBackendStates(tx, all)
	})
}

// backendWorks refuses a back end that is down or off.
func (s *Server) backendWorks(ctx context.Context, name string) error {
	return s.store.View(ctx, func(tx Tx) error {
		all, err := backendStates(tx)
		if err == nil && !all[name].Works() {
			return errBackend
		}
		return err
	})
}

// greyed puts what back ends do not do now over a catalogue. What an operator greyed by hand stays as it is.
func greyed(tx Tx, c *wire.Catalogue) error {
	all, err := backendStates(tx)
	if err != nil {
		return err
	}
	for _, b := range all {
		if b.Works() {
			continue
		}
		why := both("办理系统暂时无法连接,请稍后再试或到窗口办理", "The office's system cannot be reached now; please try later or ask at the window")
		if b.Off {
			why = both("办理系统维护中,请稍后再试或到窗口办理", "The office's system is being maintained; please try later or ask at the window")
		}
		for _, item := range b.Items {
			if a, named := c.Items[item]; named && !a.Available {
				continue
			}
			if c.Items == nil {
				c.Items = map[string]wire.Avail{}
			}
			c.Items[item] = wire.Avail{Why: why}
		}
	}
	return nil
}

// watchBackends asks while it is this server's turn, until ctx ends.
func (s *Server) watchBackends(ctx context.Context) {
	me := token()
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = s.store.Update(end, func(tx Tx) error { return tx.Release("backends", me) }) // else it runs out by itself
	}()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		if err := s.watchOnce(ctx, me); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("watching back ends", "error", err)
		}
		select {
		case <-tick.C:
		case <-s.doubt:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) watchOnce(ctx context.Context, me string) error {
	mine, now := false, s.now()
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		// The lease is renewed by giving it back and taking it in one transaction.
		if err := tx.Release("backends", me); err != nil {
			return err
		}
		mine, err = tx.Claim("backends", me, now, now.Add(watchLease))
		return err
	})
	if err != nil || !mine {
		return err
	}
	down := make([]bool, len(s.backends))
	var wg sync.WaitGroup
	for i, b := range s.backends {
		wg.Go(func() { down[i] = !s.answers(ctx, b) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.store.Update(ctx, func(tx Tx) error {
		was, err := backendStates(tx)
		if err != nil {
			return err
		}
		all := map[string]BackendState{}
		for i, b := range s.backends {
			st := was[b.cfg.Name]
			if st.Since.IsZero() || st.Down != down[i] {
				st.Since = s.now()
			}
			st.Down, st.Items = down[i], slices.Clone(b.cfg.Items)
			all[b.cfg.Name] = st
		}
		if reflect.DeepEqual(was, all) {
			return nil
		}
		return putBackendStates(tx, all)
	})
}

// answers: a probe is answered as it must be, at the second try at the latest.
func (s *Server) answers(ctx context.Context, b *backend) bool {
	for try := range 2 {
		if try > 0 {
			t := time.NewTimer(probeAgain)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return false
			}
		}
		_, err := b.ask(ctx, probeTimeout, map[string]bool{"probe": true}, "probe")
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			s.cfg.Log.Warn("probe", "try", try+1, "error", err)
		}
	}
	return false
}
