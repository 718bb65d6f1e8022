// The motors of a card dispenser as effects, and where a blank is in the ledger.

package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
)

// moveIntent is what stands in the journal before a motor of the dispenser turns.
type moveIntent struct {
	Act   devices.CardAct      `json:"act"`
	To    devices.CardPosition `json:"to,omitempty"`
	Kind  string               `json:"kind"`  // of stock
	Blank string               `json:"blank"` // id in the ledger
}

// moveBlank writes down where the blank is.
func (m *making) moveBlank(to journal.BlankState, why string) error {
	return m.j.e.cfg.Journal.Update(func(tx *journal.Tx) error { return m.move(tx, to, why) })
}

func (m *making) move(tx *journal.Tx, to journal.BlankState, why string) error {
	b, err := tx.MoveBlank(m.blank.Kind, m.blank.ID, to, journal.BlankMove{Why: why})
	if err == nil {
		m.blank = b
	}
	return err
}

// motor does one act of the dispenser as an effect. before runs when the command is about to go out, after with what became of it.
func (m *making) motor(ctx context.Context, step string, move devices.CardMove, before func() error, after func(devices.MoveResult) journal.Outcome) (devices.MoveResult, error) {
	j := m.j
	ctx, stop := graceful(ctx, j.e.t.Call, j.e.t.Grace)
	defer stop()
	attempt, err := j.nextAttempt(step)
	if err != nil {
		return devices.MoveResult{}, err
	}
	res := devices.MoveResult{Outcome: devices.MoveNotDone}
	_, err = j.e.cfg.Journal.Do(ctx, journal.Intent{EffectName: journal.EffectName{Case: j.kase.ID, Step: step, Attempt: attempt},
		Kind: kindMoveCard, Body: moveIntent{move.Act, move.To, m.blank.Kind, m.blank.ID}},
		func(ctx context.Context, note func(k, v string) error) journal.Outcome {
			move.Began = func(from devices.CardPosition) error {
				if err := note("from", string(from)); err != nil {
					return err
				}
				if err := before(); err != nil {
					return err
				}
				j.e.reached(step + ".began")
				return nil
			}
			res = j.e.moveCard(ctx, move)
			j.e.reached(step + ".acted")
			return after(res)
		})
	if err == nil {
		j.e.reached(step + ".after")
	}
	if err != nil {
		return res, fmt.Errorf("%s card: %w", step, err)
	}
	return res, nil
}

// moveOutcome says what the journal keeps of an act.
func moveOutcome(res devices.MoveResult) journal.Outcome {
	out := journal.Outcome{State: journal.EffectUnknown, Detail: ascii(res.Detail)}
	switch res.Outcome {
	case devices.MoveDone:
		out.State = journal.EffectDone
	case devices.MoveNotDone:
		out.State = journal.EffectNotSent
	}
	return out
}

// moveCard uses the dispenser for one act.
func (e *Engine) moveCard(ctx context.Context, move devices.CardMove) devices.MoveResult {
	d, release, err := e.dispenser()
	if err != nil {
		return devices.MoveResult{Outcome: devices.MoveNotDone, At: devices.CardUnknown, Why: devices.UnreadyNoDevice, Detail: err.Error()}
	}
	defer release()
	return d.Move(ctx, move)
}

func (e *Engine) dispenser() (devices.CardDispenser, func(), error) {
	dev, release, err := e.cfg.Devices.Use(devices.RoleCardDispenser)
	if err != nil {
		return nil, nil, err
	}
	d, ok := dev.(devices.CardDispenser)
	if !ok {
		release()
		return nil, nil, errors.New("device gives out no cards")
	}
	return d, release, nil
}

// nextAttempt is the attempt of a step that follows the ones in the journal.
func (j *Journey) nextAttempt(step string) (int, error) {
	all, err := j.e.cfg.Journal.Effects(j.kase.ID)
	n := 1
	for _, e := range all {
		if e.Step == step {
			n = max(n, e.Attempt+1)
		}
	}
	return n, err
}

// cardAt is where the dispenser sees the card.
func (e *Engine) cardAt(ctx context.Context) devices.CardPosition {
	d, release, err := e.dispenser()
	if err != nil {
		return devices.CardUnknown
	}
	defer release()
	st, err := d.Stock(ctx)
	if err != nil {
		return devices.CardUnknown
	}
	return st.At
}

// settleMove asks the dispenser what became of an act that a restart interrupted. The blank is in doubt in any case; so is the case,
// unless nothing moved.
func (e *Engine) settleMove(ctx, up context.Context, ef journal.Effect) journal.Outcome {
	var in moveIntent
	res := devices.MoveResult{Outcome: devices.MoveUnknown, Detail: "intent cannot be read"}
	if json.Unmarshal(ef.Intent, &in) == nil {
		if ef.Notes["from"] == "" {
			return journal.Outcome{State: journal.EffectNotSent, Detail: "the motor was never told"}
		}
		dev, release, err := e.awaitDevice(up, devices.RoleCardDispenser)
		if err != nil {
			res.Detail = err.Error()
		} else {
			defer release()
			if d, ok := dev.(devices.CardDispenser); ok {
				ctx, stop := context.WithTimeout(ctx, e.t.DeviceUp)
				defer stop()
				res = d.Settle(ctx, devices.CardMove{Act: in.Act, To: in.To, From: devices.CardPosition(ef.Notes["from"])})
			}
		}
	}
	out := moveOutcome(res)
	if c, err := e.cfg.Journal.Case(ef.Case); err == nil && c.State.May(journal.Manual) {
		out.Case, out.Why = journal.Manual, "interrupted while a card moved"
	}
	return out
}
