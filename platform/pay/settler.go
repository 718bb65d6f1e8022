package pay

// The job that does what accounts want done. Any number of servers run it on one store: an account is leased by its row, and
// an act that two do at once after a lease ran out is one act for the channel, as its number is the same.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Accounts is the store that a settler needs.
type Accounts interface {
	// Change loads a bill's account, runs fn, and stores what fn left, in one serialisable transaction; an error of fn is
	// returned and nothing is stored. fn may run again. ErrNoBill.
	Change(ctx context.Context, bill string, fn func(*Account) error) error
	// Take leases accounts whose time has come to owner until a time, the most overdue first.
	Take(ctx context.Context, owner string, now, until time.Time, most int) (bills []string, err error)
	// Give ends a lease.
	Give(ctx context.Context, owner, bill string) error
	// Lines are a channel's payments of a day, as booked.
	Lines(ctx context.Context, channel, day string) ([]Line, error)
	// Booked finds our line for one of a statement, on whatever day it is booked.
	Booked(ctx context.Context, channel string, l Line) (Line, bool, error)
	// EBillLines are the e-bills and red ones that were issued on a day, as booked.
	EBillLines(ctx context.Context, day string) ([]EBillLine, error)
	// BookedEBill finds our line for one of the issuer's book, on whatever day it is booked.
	BookedEBill(ctx context.Context, l EBillLine) (EBillLine, bool, error)
}

// ErrNoBill: there is no such bill.
var ErrNoBill = errors.New("no such bill")

// Settler does what accounts want done.
type Settler struct {
	Rules    Rules
	Accounts Accounts
	Channels map[string]Channel
	EBills   EBillIssuer // nil: nobody issues e-bills
	// Payer is who a bill is for, asked when its e-bill is; the zero Payer when that is not known. nil: it never is.
	Payer func(ctx context.Context, bill string) (Payer, error)
	// Beside does an act that nobody may wait for, later or at once, under a context of its own: the one that found the act may be a
	// request's, and end with it. false: it cannot now, and the act is asked about later. nil does it at once.
	Beside  func(func(context.Context)) bool
	Owner   string // of leases, unique among servers
	Now     func() time.Time
	Timeout time.Duration // of one act at a channel; 0 is 8 s
	Lease   time.Duration // of an account; longer than one act takes. 0 is 30 s
	Log     func(bill string, err error)
	// Changed hears of every account after a change, nil nobody.
	Changed func(*Account)
}

const (
	actTimeout   = 8 * time.Second
	accountLease = 30 * time.Second
	takeMost     = 16 // accounts of one turn
	mostActs     = 8  // acts of one account in one turn
)

// Turn does what is due now, at most once through, and returns how many accounts it tended. Its error is the store's; a
// channel's is an answer.
func (s *Settler) Turn(ctx context.Context) (int, error) {
	now := s.Now()
	lease := s.Lease
	if lease == 0 {
		lease = accountLease
	}
	bills, err := s.Accounts.Take(ctx, s.Owner, now, now.Add(lease), takeMost)
	if err != nil {
		return 0, err
	}
	errs := make([]error, len(bills))
	var wg sync.WaitGroup
	for i, b := range bills {
		wg.Go(func() {
			until := now.Add(lease)
			for n := 0; n < mostActs && s.Now().Before(until.Add(-lease/2)); n++ {
				more, err := s.One(ctx, b)
				if err != nil || !more {
					errs[i] = err
					break
				}
			}
			errs[i] = errors.Join(errs[i], s.Accounts.Give(ctx, s.Owner, b))
		})
	}
	wg.Wait()
	return len(bills), errors.Join(errs...)
}

// One does one task of an account, if there is one: the intent is stored, the channel is asked, the answer is stored.
func (s *Settler) One(ctx context.Context, bill string) (did bool, err error) {
	var task *Task
	if err := s.change(ctx, bill, func(a *Account) error {
		task = s.Rules.Tend(a, s.Now())
		return nil
	}); err != nil || task == nil {
		return false, err
	}
	if task.Act.ofEBill() && s.Beside != nil {
		s.Beside(func(own context.Context) {
			if err := s.finish(own, *task); err != nil && s.Log != nil {
				s.Log(bill, err)
			}
		})
		return true, nil
	}
	return true, s.finish(ctx, *task)
}

// finish does a task and stores the answer.
func (s *Settler) finish(ctx context.Context, task Task) error {
	got := s.Do(ctx, task)
	if got.Err != nil && s.Log != nil {
		s.Log(task.Bill, fmt.Errorf("%s %s: %w", task.Act, task.Number, got.Err))
	}
	// The answer is kept even when ctx ended meanwhile: it may not be had again.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
	defer cancel()
	return s.change(keep, task.Bill, func(a *Account) error {
		s.Rules.Heard(a, task, got, s.Now())
		return nil
	})
}

func (s *Settler) change(ctx context.Context, bill string, fn func(*Account) error) error {
	var after Account
	err := s.Accounts.Change(ctx, bill, func(a *Account) error {
		if err := fn(a); err != nil {
			return err
		}
		after = *a
		return nil
	})
	if err == nil && s.Changed != nil {
		s.Changed(&after)
	}
	return err
}

// Do asks a channel.
func (s *Settler) Do(ctx context.Context, t Task) (got Answer) {
	c := s.Channels[t.Channel]
	if t.Act.ofEBill() {
		if s.EBills == nil {
			return Answer{Err: errors.New("nobody is set up to issue e-bills")}
		}
	} else if c == nil {
		return Answer{Err: fmt.Errorf("channel %.32q is not set up", t.Channel)}
	}
	limit := s.Timeout
	if limit == 0 {
		limit = actTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch t.Act {
	case ActCreate:
		got.QR, got.Err = c.Create(ctx, t.Order)
	case ActQuery:
		got.Standing, got.Err = c.Query(ctx, t.Number)
	case ActClose:
		got.Err = c.Close(ctx, t.Number)
	case ActRefund:
		got.Refund, got.Err = c.Refund(ctx, t.Refund)
	case ActQueryRefund:
		got.Refund, got.Err = c.QueryRefund(ctx, t.Refund.Attempt, t.Number)
	case ActEBill:
		o := t.EBill
		if s.Payer != nil {
			if o.Payer, got.Err = s.Payer(ctx, t.Bill); got.Err != nil {
				return got // nothing was asked; the next question tells
			}
		}
		got.EBill, got.Err = s.EBills.IssueEBill(ctx, o)
	case ActQueryEBill:
		got.EBill, got.Err = s.EBills.QueryEBill(ctx, t.EBill)
	case ActRedEBill:
		got.EBill, got.Err = s.EBills.CancelEBill(ctx, t.EBill, "refund")
	}
	return got
}

// Reconcile compares a channel's statement of a day with the accounts and books what differs. It may be run again: what was
// booked is no difference any more. ErrAbsent: there is no statement yet.
func (s *Settler) Reconcile(ctx context.Context, channel, day string) ([]Difference, error) {
	c := s.Channels[channel]
	if c == nil {
		return nil, fmt.Errorf("channel %.32q is not set up", channel)
	}
	statement, err := c.Statement(ctx, day)
	if err != nil {
		return nil, fmt.Errorf("statement of %s: %w", day, err)
	}
	ours, err := s.Accounts.Lines(ctx, channel, day)
	if err != nil {
		return nil, err
	}
	var failed error
	list := Reconcile(statement, ours, func(l Line) (Line, bool) {
		is, ok, err := s.Accounts.Booked(ctx, channel, l)
		failed = errors.Join(failed, err)
		return is, ok
	})
	if failed != nil {
		return nil, failed
	}
	for _, d := range list {
		number := d.Line.Attempt
		if number == "" {
			number = d.Line.Refund
		}
		bill, ours := BillOf(number)
		if !ours {
			continue // not a number of ours: only the list tells of it
		}
		err := s.change(ctx, bill, func(a *Account) error {
			if l := d.Line; a.Attempt(l.Attempt) != nil && a.ChannelOf(l.Attempt) != channel {
				return nil // another channel's order under this number: only the list tells of it
			}
			s.Rules.Differs(a, d, s.Now())
			return nil
		})
		if err != nil && !errors.Is(err, ErrNoBill) {
			failed = errors.Join(failed, err)
		}
	}
	return list, failed
}
