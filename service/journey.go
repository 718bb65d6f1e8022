// A journey: one item being done for one citizen, step by step, back and forth until the commit point.

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// ErrAnswer: a Citizen answered a prompt with what its comment does not allow.
var ErrAnswer = errors.New("answer does not fit the prompt")

// errGivenUp: the citizen cancelled waiting; the item ends, the visit goes on.
var errGivenUp = errors.New("the citizen gave up waiting")

// A Journey is one item being done. Steps work on it.
type Journey struct {
	e       *Engine
	c       Citizen
	v       *visit
	item    *Item
	labels  []Text
	barAt   []int
	step    int
	began   time.Time
	asked   bool              // the running step has asked something
	answers map[string]string // by field id; memory only until the case is open
	ink     []byte
	chance  Chance // what the office says of a card
	last4   string // of whoever showed a voucher and no card: with it their case is found again
	shot    shot   // the photo for it
	// faceless: whoever is there was asked to be compared by face, and was not proved by it.
	faceless bool
	skipTo   string // kind of the step with which a resumed case goes on
	skipped  bool   // the case was begun in another visit
	found    Found
	opened   bool
	kase     journal.Case
	stages   stages
	print    printed
	gone     error // ErrLeft or ErrTimedOut, once the case is open and nobody is there any more
}

// printed is what the print step leaves to the steps after it.
type printed struct {
	number string
	label  Text // of the number; zero: a certificate's
	bill   billStep
	back   int64  // fen that goes back of what was paid twice
	ebill  *EBill // of what was paid, nil while nobody says anything of one
	verify string
	until  time.Time // of the card's validity
}

// run does one item. Beside what ends the visit it returns nil, and ErrBack when the citizen went back before the first
// step.
func (e *Engine) run(ctx context.Context, c Citizen, v *visit, it *Item) error {
	j := &Journey{e: e, c: c, v: v, item: it, began: e.now(), answers: map[string]string{}}
	j.labels, j.barAt = it.bar()
	defer j.wipe()
	if ok, why := e.Ready(it); !ok {
		return j.trouble(ctx, &Referral{What: why, Means: T("svc.trouble.not-ready.means"), Do: T("svc.trouble.not-ready.do"), Code: "E-NOT-READY"})
	}
	err := j.steps(ctx)
	if err == nil {
		j.finish()
		return nil
	}
	return j.ended(ctx, err)
}

// steps runs the steps; going back pops the last one that asked.
func (j *Journey) steps(ctx context.Context) error {
	var asked []int
	for j.step = 0; j.step < len(j.item.Steps); {
		n := j.item.Steps[j.step]
		j.asked = false
		err := n.Step.Run(ctx, j)
		switch {
		case err == nil && j.skipTo != "":
			j.skip()
			asked = nil
		case err == nil:
			switch k := kinds[n.Kind]; {
			case k.floor && j.asked:
				asked = nil
			case k.back && j.asked:
				asked = append(asked, j.step)
			}
			j.step++
		case errors.Is(err, ErrBack) && !j.opened:
			if len(asked) == 0 {
				return ErrBack
			}
			j.step = asked[len(asked)-1]
			asked = asked[:len(asked)-1]
		default:
			return err
		}
	}
	return nil
}

// skip goes on with the step of a kind: what stands before it was done in another visit.
func (j *Journey) skip() {
	for j.step < len(j.item.Steps) && j.item.Steps[j.step].Kind != j.skipTo {
		j.step++
	}
	j.skipTo, j.skipped = "", true
}

// ended says what an item that did not succeed leaves: nothing before the commit point, a case on the desk or a closed one
// after it.
func (j *Journey) ended(ctx context.Context, err error) error {
	var r *Referral
	switch {
	case errors.Is(err, errGivenUp), errors.Is(err, ErrBack) && !j.opened:
		return nil
	case errors.As(err, &r):
		j.e.log.WarnContext(ctx, "item ended", "item", j.item.Code, "step", j.stepName(), "code", r.Code, "cause", r.Cause)
		err := j.trouble(ctx, r)
		j.finish()
		return err
	case errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut):
		if !j.opened {
			j.abandoned(err)
		}
		j.finish()
		return err
	case ctx.Err() != nil:
		j.finish()
		return ctx.Err()
	case errors.Is(err, ErrAnswer):
		j.finish()
		return err
	}
	j.e.log.ErrorContext(ctx, "item failed", "item", j.item.Code, "step", j.stepName(), "err", err)
	if j.opened {
		j.state(journal.Manual, "internal")
	}
	return j.trouble(ctx, refer("internal", "E-KIOSK", err))
}

// abandoned counts that somebody walked away, without saying who.
func (j *Journey) abandoned(err error) {
	why := "left"
	if errors.Is(err, ErrTimedOut) {
		why = "timed-out"
	}
	j.e.audit(journal.EventVisitAbandoned, "citizen", map[string]string{"item": j.item.Code, "step": j.stepName(), "why": why})
}

func (j *Journey) stepName() string {
	if j.step < len(j.item.Steps) {
		return j.item.Steps[j.step].Name
	}
	return "end"
}

// finish closes the case when nothing is owed any more.
func (j *Journey) finish() {
	if !j.opened {
		return
	}
	switch j.kase.State {
	case journal.Paid:
		if !j.item.makes() {
			j.state(journal.Closed, "paid")
		}
	case journal.Accepted:
		if j.item.makesCard() {
			return // its citizen left before an official looked, and comes back
		}
		fallthrough
	case journal.Delivered:
		j.state(journal.Closed, "done")
		if c, err := j.e.cfg.Journal.Case(j.kase.ID); err == nil {
			j.e.dropDocument(c)
		}
	}
}

// wipe forgets the answers.
func (j *Journey) wipe() {
	j.wipePictures()
	clear(j.answers)
	j.found, j.chance, j.last4 = Found{}, Chance{}, ""
}

// page frames a prompt of the running step.
func (j *Journey) page() Page {
	p := Page{Item: j.item.Code, Steps: j.labels, At: -1, Back: !j.opened, Exit: true}
	if j.step < len(j.barAt) {
		p.At = j.barAt[j.step]
	}
	return p
}

// ask puts a prompt and wants an answer of one type.
func ask[A Answer](ctx context.Context, j *Journey, p Prompt) (A, error) {
	j.asked = true
	a, err := j.c.Ask(ctx, p)
	if err != nil {
		var none A
		return none, err
	}
	v, ok := a.(A)
	if !ok {
		return v, fmt.Errorf("%w: %T to %s", ErrAnswer, a, p.Name())
	}
	return v, nil
}

// errCame ends a prompt whose answer came from elsewhere.
var errCame = errors.New("it came")

// await calls the platform. After a quiet second the citizen sees that something takes time, and after fifteen may give
// up. The call has ended when await returns.
func await[V any](ctx context.Context, j *Journey, quiet time.Duration, title Text, call func(context.Context) (V, error)) (V, error) {
	callCtx, stop := context.WithTimeout(ctx, j.e.t.Call)
	defer stop()
	askCtx, came := context.WithCancelCause(ctx)
	defer came(nil)
	var (
		value V
		err   error
		none  V
		done  = make(chan struct{})
	)
	go func() {
		value, err = call(callCtx)
		close(done)
		came(errCame)
	}()
	patience := time.NewTimer(quiet)
	defer patience.Stop()
	select {
	case <-done:
		return value, err
	case <-patience.C:
	}
	page := j.page()
	page.Back = false
	_, stopped := j.c.Ask(askCtx, Wait{Page: page, Title: title, Hint: T("svc.wait.hint"), CancelAfter: max(0, j.e.t.Cancel-quiet)})
	select {
	case <-done:
		return value, err
	default:
	}
	stop()
	<-done
	if stopped == nil || errors.Is(stopped, ErrBack) {
		return none, errGivenUp
	}
	return none, stopped
}

// open is the commit point: the answers become a case. also runs in the same transaction.
func (j *Journey) open(state journal.State, why string, also func(tx *journal.Tx, c journal.Case) error) error {
	name, _, last4 := j.v.masked()
	last4 = or(last4, j.last4)
	j.e.reached("commit.before")
	var opened journal.Case
	err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		c, err := tx.OpenCase(journal.NewCase{
			Item: j.item.Code, ItemHash: j.item.Hash, Schema: j.item.Schema, Visit: j.v.id,
			Person: name, Last4: last4, Details: maps.Clone(j.answers),
		})
		if err != nil {
			return err
		}
		if also != nil {
			if err := also(tx, c); err != nil {
				return err
			}
		}
		if state != journal.Submitted {
			if err := tx.SetState(c.ID, state, why); err != nil {
				return err
			}
			c.State = state
		}
		opened = c
		return nil
	})
	if errors.Is(err, journal.ErrFull) {
		return refer("full", "E-FULL", err)
	}
	if err != nil {
		return fmt.Errorf("open case: %w", err)
	}
	j.kase, j.opened = opened, true
	j.e.reached("commit.after")
	return nil
}

// state moves the case. A state that cannot be written is an alarm, not a reason to stop serving.
func (j *Journey) state(to journal.State, why string) {
	err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error { return tx.SetState(j.kase.ID, to, why) })
	if err != nil {
		j.e.log.Error("case state", "case", j.kase.ID, "from", j.kase.State, "to", to, "err", err)
		return
	}
	j.kase.State = to
}

// audit writes one line of the audit chain; it carries no personal data.
func (e *Engine) audit(event journal.Event, who string, fields map[string]string) {
	err := e.cfg.Journal.Update(func(tx *journal.Tx) error { return tx.Audit(event, who, fields) })
	if err != nil {
		e.log.Error("audit", "event", event, "err", err)
	}
}

// language is the citizen's, for slips.
func (j *Journey) language() string {
	if s, ok := j.c.(Speaker); ok {
		return s.Language()
	}
	return "zh"
}

func (j *Journey) say(t Text) string { return j.e.messages.Say(j.language(), t) }
