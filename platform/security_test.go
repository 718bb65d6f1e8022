package platform

// How many security events are kept, and for how long.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestSecurityEventsDoNotGrowForEver(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) {
			now := moment
			store := e.open(t, e.place(t))
			s, err := New(t.Context(), Config{Dir: t.TempDir(), Store: store, Now: func() time.Time { return now }, EventsFor: 10 * 24 * time.Hour, EventsMost: 20})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			add := func(event string, n int) {
				t.Helper()
				err := store.Update(context.Background(), func(tx Tx) (err error) {
					for i := range n {
						err = errors.Join(err, addEvent(tx, SecurityEvent{At: now, Event: event, Why: fmt.Sprint(i)}))
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			count := func(refusals, others, gone int) {
				t.Helper()
				n, err := s.TrimSecurityEvents(context.Background())
				if err != nil || n != gone {
					t.Errorf("%d went, %v, want %d", n, err, gone)
				}
				err = store.View(context.Background(), func(tx Tx) error {
					r, o, err := tx.CountSecurityEvents()
					if r != refusals || o != others {
						t.Errorf("%d refusals and %d others are left, want %d and %d", r, o, refusals, others)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
			add("terminal.revoked", 3)
			now = now.Add(24 * time.Hour)
			add("refused", DropMost+50) // a stranger who never gives up
			count(20, 3, DropMost+30)
			add(EventGone, 19)
			count(20, 20, 2)
			now = now.Add(9*24*time.Hour + time.Hour)
			count(20, 19, 1)
			now = now.Add(24 * time.Hour)
			count(0, 0, 39)
		})
	}
}
