package main

// Notices that the platform sent, in the place of those that come with the catalogue.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// metaNotices keeps the release: JSON of wire.NoticesRelease.
const metaNotices = "terminal.notices"

const maxNotices = 50

// loadNotices finds the release that was taken last; nil when there was none.
func loadNotices(j *journal.Journal) (*wire.NoticesRelease, error) {
	b, err := j.Meta(metaNotices)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r wire.NoticesRelease
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

func (t *terminal) notices(_ context.Context, m wire.Message) (uplink.Doing, error) {
	var r wire.NoticesRelease
	if err := json.Unmarshal(m.Body, &r); err != nil || r.Revision <= 0 {
		return refusedOrder("body cannot be read"), nil
	}
	if len(r.Notices) > maxNotices {
		return refusedOrder("%d notices, limit %d", len(r.Notices), maxNotices), nil
	}
	for i, n := range r.Notices {
		for _, l := range service.Languages {
			if n.Text[l] == "" || len(n.Text[l]) > maxWords {
				return refusedOrder("notice %d: wording in %q has %d bytes, expected 1 to %d", i+1, l, len(n.Text[l]), maxWords), nil
			}
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		return uplink.Doing{}, err
	}
	d := doneOrder(fmt.Sprintf("%d notices", len(r.Notices)))
	d.Result.Revision = r.Revision
	d.Also = func(tx *journal.Tx) error {
		t.noticesNow.Store(&r)
		return tx.SetMeta(metaNotices, b)
	}
	return d, nil
}

// shown are the notices whose time is not over.
func shown(all []wire.Notice, now time.Time) (out []service.Text) {
	for _, n := range all {
		if n.Until.IsZero() || now.Before(n.Until) {
			out = append(out, service.Worded(n.Text))
		}
	}
	return out
}
