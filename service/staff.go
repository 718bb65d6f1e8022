// A member of staff vouches for the person: the way "staff" of a verify step.

package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Staff is a [Platform] whose city has people who come to a terminal and compare the person with their document. Nobody signs in here:
// they answer at a page of the platform, with the number that stands on this screen. Errors are those of [Platform] and ErrNoStaff.
type Staff interface {
	// StaffThere tells whether somebody can be called now. A platform that knows nothing of it: false.
	StaffThere(ctx context.Context) (bool, error)
	// CallStaff calls somebody for the person, in the place of a call that is open. ErrLocked: too often.
	CallStaff(ctx context.Context, visit string, who Person, shown Shown) (StaffCall, error)
	// StaffCallAfter tells how a call stands once it is no longer open, after wait at the latest.
	StaffCallAfter(ctx context.Context, id string, wait time.Duration) (StaffCall, error)
	// CancelStaffCall takes a call back.
	CancelStaffCall(ctx context.Context, id string) error
}

// Errors of calls for staff.
var (
	ErrNoStaff = errors.New("no member of staff can be called")
	// ErrVouched: whoever vouched has approved the application; for its card somebody else must.
	ErrVouched = errors.New("whoever vouched has approved the application")
)

// Shown is what the person has shown to the terminal, for whoever comes.
type Shown string

// What can be shown.
const (
	ShownCard    Shown = "card"
	ShownVoucher Shown = "voucher"
	ShownNumber  Shown = "number" // it was typed
)

// StaffCallState is where a call stands.
type StaffCallState string

// States of a call.
const (
	StaffOpen      StaffCallState = "open"
	StaffConfirmed StaffCallState = "confirmed"
	StaffRefused   StaffCallState = "refused"
	StaffEnded     StaffCallState = "ended" // nobody came in time, or the call was taken back
)

// StaffCall is a call for a member of staff.
type StaffCall struct {
	ID     string
	Number string // for the screen; in the answer to CallStaff
	State  StaffCallState
	Until  time.Time
	Why    Text  // refused
	Token  Token // confirmed
}

// shown is what whoever is there has shown.
func (v *visit) shown() Shown {
	switch {
	case v.voucher != "":
		return ShownVoucher
	case v.card != nil && v.card.Name != "":
		return ShownCard
	}
	return ShownNumber
}

// staffAsk is how long the platform may take to say whether somebody can be called; the citizen waits for it before the ways are shown.
const staffAsk = 3 * time.Second

// staffThere tells whether the way can be offered. It is asked each time: people come and go.
func staffThere(ctx context.Context, j *Journey, _ *verifyStep) bool {
	p, can := j.e.cfg.Platform.(Staff)
	if !can {
		return false
	}
	ctx, stop := context.WithTimeout(ctx, staffAsk)
	defer stop()
	there, err := p.StaffThere(ctx)
	return err == nil && there
}

// proveByStaff calls somebody, shows the call's number and waits for their word.
func proveByStaff(ctx context.Context, j *Journey, _ *verifyStep, others bool) error {
	p, can := j.e.cfg.Platform.(Staff)
	if !can {
		return &wayOver{told: refer("no-staff", "E-NO-STAFF", nil)}
	}
	call, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.staff"), func(ctx context.Context) (StaffCall, error) {
		return p.CallStaff(ctx, j.v.id, j.v.person(), j.v.shown())
	})
	switch {
	case errors.Is(err, ErrNoStaff):
		return &wayOver{told: refer("no-staff", "E-NO-STAFF", err)}
	case errors.Is(err, ErrLocked):
		return &wayOver{told: refer("staff-locked", "E-STAFF-LOCKED", err)}
	case err != nil:
		return platformTrouble(err)
	}
	end, err := awaitStaff(ctx, j, p, call, others)
	if end.State == StaffOpen {
		// The citizen went, or wants another way: nobody need come. Their screen does not wait for it, the visit's end does.
		undo, stop := context.WithTimeout(context.WithoutCancel(ctx), staffAsk)
		_ = p.CancelStaffCall(undo, call.ID) // else it ends by itself
		stop()
	}
	if err != nil {
		return err
	}
	switch end.State {
	case StaffConfirmed:
		j.v.token = end.Token
		return nil
	case StaffRefused:
		r := refer("staff-refused", "E-STAFF", nil)
		if !end.Why.IsZero() {
			r.What = end.Why
		}
		return &wayOver{told: r, again: true}
	}
	return &wayOver{told: refer("staff-nobody", "E-STAFF", nil), again: true}
}

// awaitStaff shows the number until the call has an end. The call that it returns is open when the citizen answered first.
func awaitStaff(ctx context.Context, j *Journey, p Staff, call StaffCall, others bool) (StaffCall, error) {
	askCtx, came := context.WithCancelCause(ctx)
	defer came(nil)
	var beside sync.WaitGroup
	end := call
	beside.Go(func() {
		for askCtx.Err() == nil {
			asked := time.Now()
			now, err := p.StaffCallAfter(askCtx, call.ID, j.e.t.Held)
			switch {
			case err == nil && now.State != StaffOpen:
				end = now
				came(errCame)
				return
			case errors.Is(err, ErrRefused) && askCtx.Err() == nil, !j.e.now().Before(call.Until.Add(staffAsk)):
				// The platform knows of no such call, or does not answer: it is over here too.
				end.State = StaffEnded
				came(errCame)
				return
			}
			j.e.unhurried(askCtx, asked)
		}
	})
	a, err := ask[Answer](askCtx, j, AwaitStaff{Page: j.page(), Number: call.Number, Until: call.Until, Others: others})
	came(nil)
	beside.Wait()
	switch {
	case ctx.Err() != nil:
		return end, ctx.Err()
	case end.State != StaffOpen && !errors.Is(err, ErrLeft) && !errors.Is(err, ErrTimedOut):
		return end, nil
	case err != nil:
		return end, err
	}
	if _, other := a.(Cancelled); !other {
		return end, fmt.Errorf("%w: %T to staff", ErrAnswer, a)
	}
	return end, errAnotherWay
}
