// Handing a card over: it comes out, is taken, or goes back in.

package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
)

// handOver pushes the card out and watches it being taken; what is not taken is drawn back.
func (m *making) handOver(ctx context.Context) error {
	j := m.j
	j.e.reached("deliver.before")
	for try := 1; ; try++ {
		res, err := m.motor(ctx, "present", devices.CardMove{Act: devices.CardEject},
			func() error { return m.moveBlank("presented", "") },
			func(res devices.MoveResult) journal.Outcome {
				out := moveOutcome(res)
				if res.Outcome == devices.MoveUnknown {
					out.Case, out.Why = journal.Manual, "not known whether the card came out"
					out.Also = func(tx *journal.Tx) error { return m.doubt(tx, "present") }
				}
				return out
			})
		switch {
		case err != nil:
			return err
		case res.Outcome == devices.MoveUnknown:
			j.kase.State = journal.Manual
			return m.told("card-unknown", "E-CARD-PRESENT", res.Detail)
		case res.Outcome == devices.MoveNotDone && try < j.e.t.PrintTries && pause(ctx, j.e.t.IssuePause):
			continue
		case res.Outcome == devices.MoveNotDone:
			if err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error { return m.doubt(tx, "present") }); err != nil {
				return err
			}
			return m.desk("the card does not come out", "card-inside", "E-CARD-PRESENT", errors.New(res.Detail))
		}
		break
	}
	for _, phase := range []struct {
		urgent bool
		limit  time.Duration
	}{{false, j.e.t.Take}, {true, j.e.t.TakeUrgent}} {
		p := j.page()
		p.Back, p.Exit = false, false
		taken, err := j.until(ctx, phase.limit, TakeOutput{Page: p, Urgent: phase.urgent, Card: true}, func(ctx context.Context) bool {
			return j.e.cardAt(ctx) == devices.CardNone
		})
		if taken {
			return m.taken()
		}
		if err != nil {
			break // stopping: what is not taken goes back in
		}
	}
	return m.takeBack(ctx)
}

// doubt: nobody knows where the blank is.
func (m *making) doubt(tx *journal.Tx, why string) error {
	if m.blank.State == "in-doubt" || !m.blank.State.May("in-doubt") {
		return nil
	}
	return m.move(tx, "in-doubt", why)
}

// taken: the citizen has the card.
func (m *making) taken() error {
	err := m.j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		if err := m.move(tx, "taken", ""); err != nil {
			return err
		}
		return tx.SetState(m.j.kase.ID, journal.Delivered, "taken")
	})
	if err != nil {
		return fmt.Errorf("card was taken: %w", err)
	}
	m.j.kase.State = journal.Delivered
	m.j.e.reached("card.taken")
	return nil
}

// takeBack draws a card that was not taken into the bin. It may have been taken in the last moment.
func (m *making) takeBack(ctx context.Context) error {
	j := m.j
	res, err := m.motor(context.WithoutCancel(ctx), "take-back", devices.CardMove{Act: devices.CardRetain}, func() error { return nil },
		func(res devices.MoveResult) journal.Outcome {
			out := moveOutcome(res)
			switch {
			case res.Outcome == devices.MoveDone:
				out.Case, out.Why = journal.Retained, "not taken"
				out.Also = func(tx *journal.Tx) error { return m.move(tx, "retained", "not taken") }
			case res.Outcome == devices.MoveNotDone && res.At == devices.CardNone:
				out.Case, out.Why = journal.Delivered, "taken in the last moment"
				out.Also = func(tx *journal.Tx) error { return m.move(tx, "taken", "last moment") }
			default:
				out.Case, out.Why = journal.Manual, "not known where the card is"
				out.Also = func(tx *journal.Tx) error { return m.doubt(tx, "take back") }
			}
			return out
		})
	if err != nil {
		return err
	}
	switch {
	case res.Outcome == devices.MoveDone:
		j.kase.State = journal.Retained
		j.e.audit(journal.EventOutputLeft, "citizen", map[string]string{"case": j.kase.ID})
	case res.Outcome == devices.MoveNotDone && res.At == devices.CardNone:
		j.kase.State = journal.Delivered
		return nil
	default:
		j.kase.State = journal.Manual
		return m.told("card-unknown", "E-CARD-BACK", res.Detail)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if j.gone != nil {
		return j.gone
	}
	return ErrTimedOut
}
