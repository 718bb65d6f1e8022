package uplink

// Telemetry goes when nothing else waits and nothing went wrong; what it comes to holds nothing up.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// After a refusal telemetry waits; a platform that does not know it is asked again an hour later.
const (
	samplesAgain   = time.Minute
	samplesUnknown = time.Hour
)

// Tell sends samples and returns the sequence of the last one that is held.
func (c *Client) Tell(ctx context.Context, s wire.Samples) (held wire.SamplesHeld, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathTelemetry, nil, s, &held, true); err != nil {
		return held, err
	}
	if last := s.Samples[len(s.Samples)-1].Seq; held.High < last {
		return held, fmt.Errorf("%w: telemetry held up to %d of %d", ErrGarbled, held.High, last)
	}
	return held, nil
}

// pushSamples sends the oldest telemetry. It reports whether there is more.
func (u *Uplink) pushSamples(ctx context.Context) (more bool) {
	now := time.Now()
	if now.Before(u.samplesHold) || u.State() != Up {
		return false
	}
	all, err := u.opt.Journal.Told(wire.MaxSamples)
	if err != nil || len(all) == 0 {
		return false
	}
	lanes, err := u.opt.Journal.Lanes()
	if err != nil {
		return false
	}
	s := wire.Samples{V: wire.Version, Terminal: u.opt.Client.id.Terminal, Epoch: lanes[0].Epoch, Samples: all}
	err = u.bounded(ctx, callTime, func(ctx context.Context) error { _, err := u.opt.Client.Tell(ctx, s); return err })
	var refused *StatusError
	switch {
	case err == nil:
		err = u.opt.Journal.Forget(all[len(all)-1].Seq)
		if err == nil {
			return len(all) == wire.MaxSamples
		}
		u.samplesHold = now.Add(samplesAgain)
	case errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed):
		u.samplesHold = now.Add(samplesUnknown)
	case errors.As(err, &refused) && refused.RetryAfter > 0:
		u.samplesHold = now.Add(max(samplesAgain, refused.RetryAfter))
	default:
		u.samplesHold = now.Add(samplesAgain)
	}
	if ctx.Err() == nil {
		u.opt.Log.Debug("telemetry", "error", err)
	}
	return false
}
