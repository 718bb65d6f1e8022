package journal

// Effects: the one way to touch the world.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// String is the effect's unique name, "case/step/attempt". Printers and platforms find an act again by it.
func (n EffectName) String() string { return fmt.Sprintf("%s/%s/%04d", n.Case, n.Step, n.Attempt) }

// Do writes the intent, acts, and writes the outcome.
//
// An effect that has an outcome is not done again: its recorded outcome is returned. One that was intended and has no
// outcome is not done either: [ErrUnsettled]. Attempt n+1 is refused ([ErrState]) unless attempt n certainly came to
// nothing (not sent, failed). act may note facts that must survive a crash; a note that cannot be written is an error to act,
// which must then not go on. An act that panics leaves the effect without outcome.
//
// An outcome for which there is no room ([ErrFull]) is written after the first change for which there is room again; until then, or
// until a restart asks, the effect is unsettled.
//
// What happened is recorded even when the case's state does not allow the state that the outcome asks for: the effect gets its
// outcome, the case keeps its state, and Do returns the effect together with [ErrState]. A ctx that has ended already is
// returned before anything is intended; after that act alone decides what its end means.
func (j *Journal) Do(ctx context.Context, in Intent, act func(ctx context.Context, note func(k, v string) error) Outcome) (Effect, error) {
	if ctx.Err() != nil {
		return Effect{}, fmt.Errorf("effect %s: %w", in.Step, context.Cause(ctx))
	}
	if in.Step == "" || strings.Contains(in.EffectName.Case+in.Step, "/") {
		return Effect{}, fmt.Errorf("effect %q: not a name: %w", in.Step, ErrState)
	}
	body, err := json.Marshal(in.Body)
	if err != nil {
		return Effect{}, fmt.Errorf("effect %s: %w", in.Step, err)
	}
	var old *Effect
	e := Effect{EffectName: in.EffectName, Kind: in.Kind, State: EffectIntended, Intent: body, Intended: j.now()}
	err = j.Update(func(tx *Tx) error {
		switch was, err := readEffect(tx.tx, in.EffectName); {
		case err == nil && was.State != EffectIntended:
			old = &was
			return nil
		case err == nil:
			old = &was
			return ErrUnsettled
		case !errors.Is(err, ErrNotFound):
			return err
		}
		if err := tx.mayAttempt(in.EffectName); err != nil {
			return err
		}
		if _, err := tx.Case(in.EffectName.Case); err != nil {
			return err
		}
		if err := tx.putEffect(e); err != nil {
			return err
		}
		if in.Case != "" {
			if err := tx.SetState(in.EffectName.Case, in.Case, ""); err != nil {
				return err
			}
		}
		j.setActing(in.EffectName, true)
		return nil
	})
	if old == nil {
		defer j.setActing(in.EffectName, false)
	}
	if err != nil {
		if old != nil {
			return *old, fmt.Errorf("effect %s: %w", in.EffectName, err)
		}
		return Effect{}, fmt.Errorf("effect %s: %w", in.EffectName, err)
	}
	if old != nil {
		return *old, nil
	}
	j.crash(crashEffectIntended)
	note := func(k, v string) error {
		err := j.Update(func(tx *Tx) error {
			e, err := readEffect(tx.tx, in.EffectName)
			if err != nil {
				return err
			}
			if e.State != EffectIntended {
				return fmt.Errorf("note after the outcome: %w", ErrState)
			}
			if e.Notes == nil {
				e.Notes = map[string]string{}
			}
			e.Notes[k] = v
			return tx.putEffect(e)
		})
		if err == nil {
			j.crash(crashEffectNoted)
		}
		return err
	}
	out := act(ctx, note)
	j.crash(crashEffectActed)
	ended, err := j.end(in.EffectName, out, false)
	if err == nil {
		j.crash(crashEffectEnded)
	}
	if errors.Is(err, ErrFull) {
		j.owe(in.EffectName, out)
	}
	return ended, err
}

// owedAgain is how often an outcome for which there was no room is tried again where nothing else changes.
const owedAgain = 2 * time.Second

// owe keeps an outcome for which there was no room. It is known here and nowhere else: the first change for which there is room
// again is followed by it, and where none comes it is tried by itself.
func (j *Journal) owe(name EffectName, out Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.owed == nil {
		j.owed = map[EffectName]Outcome{}
	}
	j.owed[name] = out
	if !j.owing {
		j.owing = true
		time.AfterFunc(owedAgain, j.tryOwed)
	}
}

// tryOwed tries once, and once more later when there is still no room.
func (j *Journal) tryOwed() {
	j.mu.Lock()
	j.owing = false
	j.mu.Unlock()
	j.writing.Lock()
	over := j.closed || j.failed != nil
	j.writing.Unlock()
	if !over {
		j.payOwed()
	}
}

// payOwed writes outcomes that are owed, one change each, until there is no room again.
func (j *Journal) payOwed() {
	for {
		var name EffectName
		var out Outcome
		j.mu.Lock()
		found := false
		for name, out = range j.owed {
			found = true
			delete(j.owed, name)
			break
		}
		j.mu.Unlock()
		if !found {
			return
		}
		if _, err := j.end(name, out, true); errors.Is(err, ErrFull) {
			j.owe(name, out)
			return
		} else if err != nil {
			j.opt.Log.Error("an outcome that was owed", "effect", name.String(), "error", err)
		}
	}
}

// setActing marks an effect as being done here, so that Settle leaves it to whoever does it.
func (j *Journal) setActing(n EffectName, is bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if is {
		j.acting[n] = true
	} else {
		delete(j.acting, n)
	}
}

func (j *Journal) isActing(n EffectName) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.acting[n]
}

// mayAttempt allows a first attempt, and a later one only after the one before came to nothing.
func (tx *Tx) mayAttempt(n EffectName) error {
	if n.Attempt < 1 {
		return fmt.Errorf("attempt %d: %w", n.Attempt, ErrState)
	}
	if n.Attempt == 1 {
		return nil
	}
	before, err := readEffect(tx.tx, EffectName{n.Case, n.Step, n.Attempt - 1})
	if err != nil {
		return fmt.Errorf("attempt %d without the one before: %w", n.Attempt, ErrState)
	}
	if before.State != EffectNotSent && before.State != EffectFailed {
		return fmt.Errorf("attempt %d after one that is %s: %w", n.Attempt, before.State, ErrState)
	}
	return nil
}

// end writes an outcome. An outcome that was written before stays.
func (j *Journal) end(name EffectName, out Outcome, settled bool) (Effect, error) {
	return j.endFrom(EffectIntended, name, out, settled)
}

// endFrom writes an outcome over the state that an effect must have for that.
func (j *Journal) endFrom(from EffectState, name EffectName, out Outcome, settled bool) (e Effect, err error) {
	if out.State == "" || out.State == EffectIntended {
		out.State, out.Detail = EffectUnknown, strings.TrimSpace("no outcome was given "+out.Detail)
	}
	e, err = j.tryEnd(from, name, out, settled)
	if !errors.Is(err, ErrState) || out.Case == "" {
		return e, err
	}
	refused := err
	j.opt.Log.Error("outcome does not fit the case's state", "effect", name.String(), "state", string(out.Case))
	also := out.Also
	out.Also = func(tx *Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return tx.Audit(EventEffectStateRefused, wire.WhoSystem, map[string]string{"case": name.Case, "effect": name.String(), "to": string(out.Case)})
	}
	without := out
	without.Case = ""
	if e, err = j.tryEnd(from, name, without, settled); err != nil {
		return e, err
	}
	return e, refused
}

func (j *Journal) tryEnd(from EffectState, name EffectName, out Outcome, settled bool) (e Effect, err error) {
	err = j.Update(func(tx *Tx) error {
		e, err = readEffect(tx.tx, name)
		if err != nil {
			return err
		}
		if e.State != from {
			return nil
		}
		e.State, e.Detail, e.Number, e.Settled, e.Ended = out.State, out.Detail, out.Number, settled, j.now()
		if err := tx.putEffect(e); err != nil {
			return err
		}
		if out.Also != nil {
			if err := out.Also(tx); err != nil {
				return err
			}
		}
		if out.Case != "" {
			if err := tx.SetState(name.Case, out.Case, out.Why); err != nil {
				return err
			}
		}
		_, err := tx.Emit(wire.LaneTx, name.Case, wire.TypeEffect, 1, wire.EffectOutcome{Effect: name.String(), Kind: e.Kind,
			State: string(e.State), Detail: e.Detail, Number: e.Number, Settled: settled, At: e.Ended})
		tx.j.crash(crashEffectEnding)
		return err
	})
	if err != nil {
		return e, fmt.Errorf("effect %s: outcome: %w", name, err)
	}
	return e, nil
}

// Settle asks what became of every effect without outcome. by holds a settler for each kind; an effect whose kind has none
// becomes unknown. Settlers ask and never act. When ctx ends, what is left stays unsettled and its error is returned; so does
// an effect whose settler could not say because ctx ended. Effects that are being done in this process are left alone. An
// outcome that cannot be written does not keep the others from being settled; all such errors are returned together.
func (j *Journal) Settle(ctx context.Context, by map[string]Settler) ([]Settled, error) {
	open, err := j.effects(func(e Effect) bool { return e.State == EffectIntended })
	if err != nil {
		return nil, err
	}
	var all []Settled
	var failed []error
	for _, e := range open {
		if ctx.Err() != nil {
			return all, errors.Join(append(failed, context.Cause(ctx))...)
		}
		if j.isActing(e.EffectName) {
			continue
		}
		out := Outcome{State: EffectUnknown, Detail: "nobody can be asked", Case: Manual, Why: "effect of unknown kind"}
		if settler := by[e.Kind]; settler != nil {
			out = settler(ctx, e)
		}
		if ctx.Err() != nil && (out.State == "" || out.State == EffectIntended || out.State == EffectUnknown) {
			return all, errors.Join(append(failed, context.Cause(ctx))...)
		}
		ended, err := j.end(e.EffectName, out, true)
		if err != nil {
			failed = append(failed, err)
			if !errors.Is(err, ErrState) {
				continue
			}
		}
		c, err := j.Case(e.Case)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		all = append(all, Settled{ended, ended.State, c.State})
	}
	return all, errors.Join(failed...)
}

// Resettle asks again about the effects of a kind whose outcome is unknown. An answer that is still unknown changes nothing; a
// certain one becomes the effect's outcome, once, and what a person decided meanwhile stays. Like Settle it asks and never acts.
func (j *Journal) Resettle(ctx context.Context, kind string, ask Settler) ([]Settled, error) {
	open, err := j.effects(func(e Effect) bool { return e.Kind == kind && e.State == EffectUnknown })
	if err != nil {
		return nil, err
	}
	var all []Settled
	var failed []error
	for _, e := range open {
		if ctx.Err() != nil {
			return all, errors.Join(append(failed, context.Cause(ctx))...)
		}
		out := ask(ctx, e)
		if out.State == "" || out.State == EffectIntended || out.State == EffectUnknown {
			continue
		}
		ended, err := j.endFrom(EffectUnknown, e.EffectName, out, true)
		if err != nil {
			failed = append(failed, err)
			if !errors.Is(err, ErrState) {
				continue
			}
		}
		c, err := j.Case(e.Case)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		all = append(all, Settled{ended, ended.State, c.State})
	}
	return all, errors.Join(failed...)
}

func (tx *Tx) putEffect(e Effect) error {
	b, err := encode(e)
	if err != nil {
		return err
	}
	return tx.bucket(bucketEffects).Put([]byte(e.EffectName.String()), b)
}

func readEffect(tx *bolt.Tx, n EffectName) (Effect, error) {
	b := tx.Bucket(bucketEffects).Get([]byte(n.String()))
	if b == nil {
		return Effect{}, fmt.Errorf("effect: %w", ErrNotFound)
	}
	var e Effect
	if err := decode(b, &e); err != nil {
		return Effect{}, fmt.Errorf("effect %s: %w", n, errors.Join(ErrDamaged, err))
	}
	e.Notes = maps.Clone(e.Notes)
	return e, nil
}

func (j *Journal) effects(match func(Effect) bool) (all []Effect, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketEffects).ForEach(func(k, v []byte) error {
			var e Effect
			if err := decode(v, &e); err != nil {
				return fmt.Errorf("effect %s: %w", k, errors.Join(ErrDamaged, err))
			}
			if match(e) {
				all = append(all, e)
			}
			return nil
		})
	})
	return all, err
}

// Effects returns a case's effects, by step and attempt.
func (j *Journal) Effects(caseID string) (all []Effect, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		all, err = effectsOf(tx, caseID)
		return err
	})
	return all, err
}

func effectsOf(tx *bolt.Tx, caseID string) (all []Effect, err error) {
	prefix := caseID + "/"
	c := tx.Bucket(bucketEffects).Cursor()
	for k, v := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, v = c.Next() {
		var e Effect
		if err := decode(v, &e); err != nil {
			return nil, fmt.Errorf("effect %s: %w", k, errors.Join(ErrDamaged, err))
		}
		all = append(all, e)
	}
	return all, nil
}
