package maintain

// The lock-out: wrong codes cost time, over restarts too.

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

const (
	metaTries   = "technician.tries"
	freeTries   = 5                // in a row, before the console is locked
	firstLock   = 15 * time.Minute // doubled by each further lock in a row
	longestLock = 24 * time.Hour
)

// tries is what the journal keeps.
type tries struct {
	Wrong int       `json:"wrong"` // in a row
	Until time.Time `json:"until,omitzero"`
}

// guard counts wrong codes in the journal.
type guard struct{ j *journal.Journal }

func (g guard) read() (t tries, err error) {
	b, err := g.j.Meta(metaTries)
	if errors.Is(err, journal.ErrNotFound) || err == nil && len(b) == 0 {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(b, &t)
}

// locked says until when no code is taken; zero when one is.
func (g guard) locked() (time.Time, error) {
	t, err := g.read()
	now := g.j.Now()
	if err != nil || !now.Before(t.Until) {
		return time.Time{}, err
	}
	if most := now.Add(longestLock); t.Until.After(most) {
		return most, nil // the clock went back
	}
	return t.Until, nil
}

// attempt counts a try as a wrong one, before it is looked at: a plug that is pulled gives nobody a free one.
func (g guard) attempt() error {
	t, err := g.read()
	if err != nil {
		return err
	}
	t.Wrong++
	if t.Wrong%freeTries == 0 {
		t.Until = g.j.Now().Add(t.lock())
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return g.j.Update(func(tx *journal.Tx) error { return tx.SetMeta(metaTries, b) })
}

// lock is how long the console is locked after so many wrong ones.
func (t tries) lock() time.Duration {
	return min(firstLock<<min(t.Wrong/freeTries-1, 10), longestLock)
}

// refused writes down that the try was wrong, and how many are left before the next lock.
func (g guard) refused() (left int, err error) {
	t, err := g.read()
	if err != nil {
		return 0, err
	}
	left = (freeTries - t.Wrong%freeTries) % freeTries
	return left, g.j.Update(func(tx *journal.Tx) error {
		if left == 0 {
			if err := tx.Audit(journal.EventTechnicianLocked, "system", map[string]string{"minutes": fmt.Sprint(int(t.lock().Minutes()))}); err != nil {
				return err
			}
		}
		return tx.Audit(journal.EventTechnicianRefused, "system", map[string]string{"tries": fmt.Sprint(t.Wrong)})
	})
}

// passed forgets the wrong ones.
func (g guard) passed() error {
	return g.j.Update(func(tx *journal.Tx) error { return tx.SetMeta(metaTries, nil) })
}
