// What is no longer needed is destroyed: the certificate's file once it was delivered, the keys to a case's personal data
// once the platform holds everything and the item's retention is over.

package service

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
)

// swept marks a case whose personal data is gone.
const swept = "swept"

// defaultRetention is for cases whose item is no longer in the catalogue.
const defaultRetention = 24 * time.Hour

// dropDocument forgets a delivered certificate's file.
func (e *Engine) dropDocument(c journal.Case) {
	if _, issued := c.Steps["issue"]; !issued {
		return
	}
	if err := e.cfg.Journal.DropBlob(c.ID, "document"); err != nil {
		e.log.Error("drop document", "case", c.ID, "err", err)
	}
}

// Sweep destroys the keys to personal data of cases that have ended or went on at another terminal, are wholly acknowledged, and whose item's retention
// is over at a time that has certainly been. It tells how many. Call it now and then; a case that cannot be swept yet waits for
// the next time.
func (e *Engine) Sweep(ctx context.Context, now time.Time) (int, error) {
	pictures, err := e.cfg.Journal.PendingBlobs()
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	if len(pictures) > 0 {
		// A picture on its way belongs to some case; none is worth losing it.
		return 0, nil
	}
	due, err := e.cfg.Journal.Cases(func(c journal.Case) bool {
		_, done := c.Steps[swept]
		return (c.State.Final() || desk.HasMoved(c)) && !done && now.Sub(c.Updated) >= e.Retention(c)
	})
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	n := 0
	for _, c := range due {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		acked, err := e.cfg.Journal.CaseAcked(c.ID)
		if err != nil {
			return n, fmt.Errorf("sweep: %w", err)
		}
		if !acked {
			continue
		}
		if err := e.cfg.Journal.Shred(c.ID); err != nil {
			return n, fmt.Errorf("sweep: %w", err)
		}
		err = e.cfg.Journal.Update(func(tx *journal.Tx) error { return tx.RecordStep(c.ID, swept, json.RawMessage(`true`)) })
		if err != nil {
			return n, fmt.Errorf("sweep: %w", err)
		}
		n++
	}
	return n, nil
}

// Retention is how long a case's personal data stays after its end: what the item says that the case was begun with.
func (e *Engine) Retention(c journal.Case) time.Duration {
	if it, ok := e.pinned(c.Item, c.ItemHash); ok {
		return it.Retention
	}
	return defaultRetention
}
