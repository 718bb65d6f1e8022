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

// takeBack draws a card that was not taken into the bin. It may have been taken in the last moment. One that the dispenser does not draw
// back, because the bin is full, lies where anybody can take it: nobody is served until it is gone ([Engine.mouthClosed]).
func (m *making) takeBack(ctx context.Context) error {
	for try := 1; ; try++ {
		res, err := m.drawBack(ctx)
		if err != nil || res.Outcome != devices.MoveNotDone || res.At != devices.CardMouth {
			return err
		}
		if try < m.j.e.t.PrintTries && pause(ctx, m.j.e.t.IssuePause) {
			continue
		}
		return m.left(ctx, res)
	}
}

// left leaves a card in the mouth that cannot be drawn back: whoever takes it is not seen, and two people say where it went.
func (m *making) left(ctx context.Context, res devices.MoveResult) error {
	j := m.j
	if err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		if err := m.doubt(tx, "left in the mouth"); err != nil {
			return err
		}
		return tx.SetState(j.kase.ID, journal.Manual, "not taken, and not drawn back: it lies in the mouth")
	}); err != nil {
		return fmt.Errorf("card in the mouth: %w", err)
	}
	j.kase.State = journal.Manual
	what := "refused"
	if j.e.binFull(ctx) {
		what = devices.ReasonBinFull
	}
	j.e.audit(journal.EventCardMouth, "system", map[string]string{"what": what, "case": j.kase.ID})
	j.e.log.ErrorContext(ctx, "a card that was not taken lies in the mouth and cannot be drawn back", "case", j.kase.ID, "why", what, "detail", res.Detail)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case j.gone != nil:
		return j.gone
	}
	return ErrTimedOut
}

// drawBack is one try to draw the card into the bin.
func (m *making) drawBack(ctx context.Context) (devices.MoveResult, error) {
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
			case res.Outcome == devices.MoveNotDone && res.At == devices.CardMouth: // it lies there, and is tried again or left
			default:
				out.Case, out.Why = journal.Manual, "not known where the card is"
				out.Also = func(tx *journal.Tx) error { return m.doubt(tx, "take back") }
			}
			return out
		})
	if err != nil {
		return res, err
	}
	switch {
	case res.Outcome == devices.MoveDone:
		j.kase.State = journal.Retained
		j.e.audit(journal.EventOutputLeft, "citizen", map[string]string{"case": j.kase.ID})
	case res.Outcome == devices.MoveNotDone && res.At == devices.CardNone:
		j.kase.State = journal.Delivered
		return res, nil
	case res.Outcome == devices.MoveNotDone && res.At == devices.CardMouth:
		return res, nil
	default:
		j.kase.State = journal.Manual
		return res, m.told("card-unknown", "E-CARD-BACK", res.Detail)
	}
	switch {
	case ctx.Err() != nil:
		return res, ctx.Err()
	case j.gone != nil:
		return res, j.gone
	}
	return res, ErrTimedOut
}

// binFull asks the dispenser whether anything more fits into its bin.
func (e *Engine) binFull(ctx context.Context) bool {
	d, release, err := e.dispenser()
	if err != nil {
		return false
	}
	defer release()
	st, err := d.Stock(ctx)
	return err == nil && st.Bin == devices.SupplyFull
}

// mouthClosed says that a card lies in the dispenser's mouth while nobody is served: whoever comes could take it, and it bears a person's
// data. The status is looked at first, so that a dispenser is not asked between any two visits.
func (e *Engine) mouthClosed(ctx context.Context) *OutOfService {
	if e.cfg.Devices.Status(devices.RoleCardDispenser).Media != devices.MediaPresent || e.cardAt(ctx) != devices.CardMouth {
		return nil
	}
	return &OutOfService{Why: T("svc.out.card-mouth"), Code: "E-CARD-MOUTH"}
}
