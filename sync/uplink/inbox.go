package uplink

// Receiving: the platform's inbox.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// pull waits for inbox messages and hands them over in order, each once.
func (u *Uplink) pull(ctx context.Context) error {
	if u.State() == Down {
		return u.until(ctx, u.Changed(), time.Second)
	}
	last, _, err := lastMessage(u.opt.Journal)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, u.opt.PullWait+callTime)
	defer cancel()
	began := time.Now()
	in, err := u.opt.Client.Pull(wait, last, u.opt.PullWait)
	if err != nil {
		return err
	}
	if len(in.Messages) == 0 && time.Since(began) < min(u.opt.Beat, u.opt.PullWait) {
		// An answer that did not wait: something in between cuts the long poll short.
		return u.until(ctx, nil, u.opt.Beat)
	}
	t := taker{journal: u.opt.Journal, now: u.opt.Client.Now, message: u.opt.Message, expired: u.opt.Expired}
	_, err = t.take(ctx, last, in.Messages)
	return err
}

// lastMessage is the number of the last message that was handled, 0 before the first, and its id.
func lastMessage(j *journal.Journal) (last uint64, id string, err error) {
	b, err := j.Meta(metaInbox)
	if errors.Is(err, journal.ErrNotFound) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	no, id, _ := strings.Cut(string(b), " ")
	if last, err = strconv.ParseUint(no, 10, 64); err != nil {
		return 0, "", fmt.Errorf("inbox number: %w", err)
	}
	return last, id, nil
}

// taker hands messages over, whichever way they came.
type taker struct {
	journal          *journal.Journal
	now              func() time.Time // the platform's clock
	message, expired func(context.Context, wire.Message) error
}

// take hands messages over that follow the last one, in order, and notes each when it was handled.
func (t taker) take(ctx context.Context, last uint64, all []wire.Message) (uint64, error) {
	for _, m := range all {
		if m.No <= last {
			continue // came twice
		}
		if m.No != last+1 {
			return last, fmt.Errorf("%w: message %d after %d", ErrGarbled, m.No, last)
		}
		handle := t.message
		if !m.Expires.IsZero() && !t.now().Before(m.Expires) {
			handle = t.expired
		}
		if handle != nil {
			if err := handle(ctx, m); err != nil {
				return last, fmt.Errorf("message %d: %w", m.No, err)
			}
		}
		err := t.journal.Update(func(tx *journal.Tx) error {
			return tx.SetMeta(metaInbox, fmt.Appendf(nil, "%d %s", m.No, m.ID))
		})
		if err != nil {
			return last, err
		}
		last = m.No
	}
	return last, nil
}
