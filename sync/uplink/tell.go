package uplink

// Telling the journal what time it is: as the client estimates it, and as the platform signed it.

import "context"

// tellTime is called after a hello. The platform is asked for a signed time when the journal contradicts the machine's clock;
// one that tells none leaves the journal as it is.
func (u *Uplink) tellTime(ctx context.Context) error {
	j, c := u.opt.Journal, u.opt.Client
	if j.ClockUnsure() {
		if err := u.askTime(ctx); err != nil {
			u.opt.Log.Debug("signed time", "error", err)
		}
	}
	n := c.clock.signed.Load()
	if n == u.signed {
		j.SetClockOffset(c.Offset())
		return nil
	}
	if err := j.TrustTime(c.clock.latest.Load().now()); err != nil {
		return err
	}
	c.Floor(j.Known())
	u.signed = n
	return nil
}

// askTime asks at most every few seconds, however often hellos come.
func (u *Uplink) askTime(ctx context.Context) error {
	c := u.opt.Client
	ms, last := c.now().UnixMilli(), c.clock.asked.Load()
	if ms >= last && ms-last <= askAgain.Milliseconds() || !c.clock.asked.CompareAndSwap(last, ms) {
		return nil
	}
	return c.AskTime(ctx)
}
