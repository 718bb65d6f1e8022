package uplink

// Receiving: the platform's inbox.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// pull waits for inbox messages and hands them over in order, each once.
func (u *Uplink) pull(ctx context.Context) error {
	if u.State() == Down {
		return u.until(ctx, u.Changed(), time.Second)
	}
	last, err := u.lastMessage()
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
	return u.take(ctx, last, in.Messages)
}

// lastMessage is the number of the last message that was handled, 0 before the first.
func (u *Uplink) lastMessage() (uint64, error) {
	b, err := u.opt.Journal.Meta(metaInbox)
	if errors.Is(err, journal.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	last, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("inbox number: %w", err)
	}
	return last, nil
}

// take hands messages over that follow the last one, in order, and notes each when it was handled.
func (u *Uplink) take(ctx context.Context, last uint64, all []wire.Message) error {
	for _, m := range all {
		if m.No <= last {
			continue // came twice
		}
		if m.No != last+1 {
			return fmt.Errorf("%w: message %d after %d", ErrGarbled, m.No, last)
		}
		handle := u.opt.Message
		if !m.Expires.IsZero() && !u.opt.Client.Now().Before(m.Expires) {
			handle = u.opt.Expired
		}
		if handle != nil {
			if err := handle(ctx, m); err != nil {
				return fmt.Errorf("message %d: %w", m.No, err)
			}
		}
		last = m.No
		err := u.opt.Journal.Update(func(tx *journal.Tx) error {
			return tx.SetMeta(metaInbox, strconv.AppendUint(nil, last, 10))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
