package uplink

// Receiving: the platform's inbox.

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// pull waits for inbox messages and hands them over in order, each once.
func (u *Uplink) pull(ctx context.Context) error {
	if u.State() == Down {
		return u.until(ctx, u.Changed(), time.Second)
	}
	var last uint64
	if b, err := u.opt.Journal.Meta(metaInbox); err == nil {
		if last, err = strconv.ParseUint(string(b), 10, 64); err != nil {
			return fmt.Errorf("inbox number: %w", err)
		}
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
	for _, m := range in.Messages {
		if m.No <= last {
			continue // came twice
		}
		if m.No != last+1 {
			return fmt.Errorf("%w: message %d after %d", ErrGarbled, m.No, last)
		}
		if u.opt.Message != nil && (m.Expires.IsZero() || time.Now().Add(u.opt.Client.Offset()).Before(m.Expires)) {
			if err := u.opt.Message(ctx, m); err != nil {
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
