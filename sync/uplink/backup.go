package uplink

// Keys and the platform: whose key data keys are sealed to, and when the platform needs no copy here any more.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// sealTo has the journal seal its data keys to the platform's key too. A key that the journal does not take is said once and
// does not keep the terminal from serving: what it writes then outlives its board no more than it did before.
func (u *Uplink) sealTo() {
	key := u.opt.Client.id.SealKey()
	u.mu.Lock()
	known := bytes.Equal(key, u.sealed)
	u.sealed = key
	u.mu.Unlock()
	if known || len(key) == 0 {
		return
	}
	err := u.opt.Journal.SealTo(key)
	if err == nil {
		return
	}
	u.opt.Log.Error("data keys could not be sealed to the platform's key", "error", err)
	if errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrDisk) {
		u.mu.Lock()
		u.sealed = nil // tried again at the next beat
		u.mu.Unlock()
	}
}

// BackedUp makes the handler of [wire.MessageBackup]: what the platform's backup holds is forgotten here for good. A lane
// whose place is not ours (of an earlier epoch, or of records whose acknowledgement is still on its way) is left as it is until
// the next such message; one whose hash is not ours is refused, because then the backup is of another history.
func BackedUp(j *journal.Journal) Handler {
	return func(_ context.Context, m wire.Message) (Doing, error) {
		refused := func(why string) (Doing, error) {
			return Doing{Result: wire.OrderResult{Status: wire.OrderRefused, Detail: why}}, nil
		}
		b, err := wire.ReadBackedUp(m.Body)
		if err != nil {
			return refused("body cannot be read")
		}
		var taken, left []string
		for _, lane := range wire.Lanes {
			p, is := b.Lanes[lane]
			if !is {
				continue
			}
			switch err := j.BackedUp(lane, p.Epoch, p.LanePoint); {
			case err == nil:
				taken = append(taken, fmt.Sprintf("%s %d", lane, p.Seq))
			case errors.Is(err, journal.ErrFork):
				return refused(fmt.Sprintf("lane %s: the backup holds another history at %d", lane, p.Seq))
			case errors.Is(err, journal.ErrState), errors.Is(err, journal.ErrNotFound):
				left = append(left, string(lane))
			default:
				return Doing{}, err
			}
		}
		detail := "held: " + strings.Join(taken, ", ")
		if len(left) > 0 {
			detail += "; left as they are: " + strings.Join(left, ", ")
		}
		return Doing{Result: wire.OrderResult{Status: wire.OrderDone, Detail: detail}}, nil
	}
}
