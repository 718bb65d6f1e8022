package platform

// How bills are settled: the channels are set up, asked and heard, their statements are compared with what is booked, and people decide
// what is left.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

const (
	billLife     = 5 * time.Minute
	settleEvery  = time.Second
	noticeBytes  = 64 << 10
	statementAt  = 10 * time.Hour // of the day after, in China: channels make them in the morning
	statementFor = 7              // days for which a statement is tried
)

var channelName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

func (s *Server) openPay() error {
	p := &s.cfg.Pay
	for name := range p.Channels {
		if !channelName.MatchString(name) {
			return fmt.Errorf("payment channel %.40q: name must be of a-z, 0-9 and -, at most 32", name)
		}
	}
	if p.Use != "" && p.Channels[p.Use] == nil {
		return fmt.Errorf("payment channel %.40q is not set up", p.Use)
	}
	for _, w := range p.Offer {
		if p.Channels[w.Channel] == nil || w.Words["zh"] == "" || w.Words["en"] == "" {
			return fmt.Errorf("payment channel %.40q is offered and not set up, or has no name in zh and en", w.Channel)
		}
	}
	p.Unclaimed, p.Unfetched = cmp.Or(p.Unclaimed, unclaimedFor), cmp.Or(p.Unfetched, unfetchedFor)
	p.Silent = cmp.Or(p.Silent, silentFor)
	p.District, p.Life = cmp.Or(p.District, "990000"), cmp.Or(p.Life, billLife)
	if p.Life < time.Minute || p.Life > pay.MaxLife || !regexp.MustCompile(`^\d{6}$`).MatchString(p.District) {
		return fmt.Errorf("bills live from a minute to %s, and begin with six digits", pay.MaxLife)
	}
	if !wire.Site(p.Site) {
		return errors.New("the site where e-bills are looked up must be at most 80 visible characters, like pjcy.example.cn")
	}
	if _, shows := p.EBills.(pay.EBillBook); p.EBooks && !shows {
		return errors.New("the issuer of e-bills shows no book")
	}
	rules := pay.House()
	rules.EBills = p.EBills != nil
	s.settler = &pay.Settler{Rules: rules, Accounts: billAccounts{s.store}, Channels: p.Channels, Owner: token(), Now: s.now, Changed: s.rang,
		EBills: p.EBills, Payer: s.payer,
		Log: func(bill string, err error) { s.cfg.Log.Warn("payment channel", "bill", bill, "error", err) }}
	if !p.inTurn {
		s.settler.Beside = s.beside(ebillsAtOnce)
	}
	return nil
}

// ebillsAtOnce is how many questions to the issuer of e-bills are under way at once.
const ebillsAtOnce = 4

// beside does acts that nobody may wait for, so many at once; what is too much is not done. An act ends with the server, not with the
// request that found it.
func (s *Server) beside(most int) func(func(context.Context)) bool {
	free := make(chan struct{}, most)
	return func(do func(context.Context)) bool {
		select {
		case free <- struct{}{}:
		default:
			return false
		}
		s.working.Go(func() {
			defer func() { <-free }()
			do(s.life)
		})
		return true
	}
}

// billAccounts are the store's accounts for the settler.
type billAccounts struct{ s Store }

func (b billAccounts) Change(ctx context.Context, number string, fn func(*pay.Account) error) error {
	return b.s.Update(ctx, func(tx Tx) error { return changeBill(tx, number, fn) })
}

func changeBill(tx Tx, number string, fn func(*pay.Account) error) error {
	a, err := tx.Bill(number)
	if errors.Is(err, ErrNoRow) {
		return pay.ErrNoBill
	}
	if err != nil {
		return err
	}
	if err := fn(a); err != nil {
		return err
	}
	return tx.PutBill(a, pay.House().Wake(a))
}

func (b billAccounts) Take(ctx context.Context, owner string, now, until time.Time, most int) (all []string, err error) {
	err = b.s.Update(ctx, func(tx Tx) (err error) { all, err = tx.TakeBills(owner, now, until, most); return err })
	return all, err
}

func (b billAccounts) Give(ctx context.Context, owner, number string) error {
	return b.s.Update(ctx, func(tx Tx) error { return tx.GiveBill(owner, number) })
}

func (b billAccounts) Lines(ctx context.Context, channel, day string) (all []pay.Line, err error) {
	err = b.s.View(ctx, func(tx Tx) (err error) { all, err = tx.PaymentsOf(channel, day); return err })
	return all, err
}

func (b billAccounts) Booked(ctx context.Context, channel string, l pay.Line) (is pay.Line, ok bool, err error) {
	err = b.s.View(ctx, func(tx Tx) error {
		is, ok = pay.Line{}, false
		number, ours := pay.BillOf(cmp.Or(l.Refund, l.Attempt))
		if l.Refund == "" {
			at, err := tx.BillOfPayment(channel, l.Transaction)
			if errors.Is(err, ErrNoRow) {
				return nil
			}
			if err != nil {
				return err
			}
			number, ours = at, true
		}
		if !ours {
			return nil
		}
		a, err := tx.Bill(number)
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		if err == nil {
			is, ok = a.Booked(l)
		}
		return err
	})
	return is, ok, err
}

// EBillLines implements [pay.Accounts].
func (b billAccounts) EBillLines(ctx context.Context, day string) (all []pay.EBillLine, err error) {
	from, err := time.ParseInLocation(time.DateOnly, day, pay.China)
	if err != nil {
		return nil, err
	}
	err = b.s.View(ctx, func(tx Tx) (err error) { all, err = tx.EBillsIssued(from, from.AddDate(0, 0, 1)); return err })
	return all, err
}

// BookedEBill implements [pay.Accounts].
func (b billAccounts) BookedEBill(ctx context.Context, l pay.EBillLine) (is pay.EBillLine, ok bool, err error) {
	err = b.s.View(ctx, func(tx Tx) error {
		a, err := tx.Bill(l.Bill)
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		if err == nil {
			is, ok = a.BookedEBill(l)
		}
		return err
	})
	return is, ok, err
}

// notice takes what a channel says by itself. It is acknowledged when it is on disk.
func (s *Server) notice(w http.ResponseWriter, r *http.Request) {
	c := s.cfg.Pay.Channels[r.PathValue("channel")]
	if c == nil {
		s.fail(w, errNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, noticeBytes))
	if err != nil {
		s.fail(w, errTooLarge)
		return
	}
	n, err := c.Notice(r.Header, body)
	if errors.Is(err, pay.ErrForged) {
		s.refuse(w, errAuth, "not signed by the channel")
		return
	}
	if err != nil {
		s.cfg.Log.Warn("notice of a payment channel", "channel", r.PathValue("channel"), "error", err)
		s.refuse(w, errMalformed, "the notice cannot be read")
		return
	}
	number, ours := pay.BillOf(cmp.Or(n.Number, n.Refund))
	if ours {
		err = s.store.Update(r.Context(), func(tx Tx) error {
			a, err := tx.Bill(number)
			if err == nil && a.ChannelOf(cmp.Or(n.Refund, n.Number)) != r.PathValue("channel") {
				err = ErrNoRow // another channel's word is worth nothing here
			}
			if err != nil {
				return err
			}
			s.settler.Rules.Told(a, n, s.now())
			return tx.PutBill(a, s.settler.Rules.Wake(a))
		})
		s.bells.wake(number)
	}
	if err != nil && !errors.Is(err, ErrNoRow) {
		s.fail(w, err)
		return
	}
	if !ours || err != nil {
		// The statement of the day tells of it too; the channel must not send it for ever.
		s.cfg.Log.Error("notice about a bill that is not known", "channel", r.PathValue("channel"))
	}
	w.Header().Set("Content-Type", n.AckType)
	_, _ = w.Write(n.Ack)
}

// settle does what bills want done, until ctx ends. Every server does; a bill is leased by its row.
func (s *Server) settle(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		n, err := s.settler.Turn(ctx)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("settling bills", "error", err)
		}
		if n > 0 && err == nil {
			if ctx.Err() != nil {
				return
			}
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// compareStatements fetches channels' books of past days and compares them, one server at a time, until ctx ends.
func (s *Server) compareStatements(ctx context.Context) {
	tick := time.NewTicker(15 * time.Minute)
	defer tick.Stop()
	for {
		if err := s.Compare(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("statements of payment channels", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// EBillBook is the [StatementRow]'s channel where the book is of e-bills. No channel can be called so.
const EBillBook = "e-bills/book"

// Compare fetches the statements, and the issuer's books of e-bills, of the last week that are not compared yet.
func (s *Server) Compare(ctx context.Context) error {
	me, now := token(), s.now()
	var mine bool
	if err := s.store.Update(ctx, func(tx Tx) (err error) {
		mine, err = tx.Claim("statements", me, now, now.Add(10*time.Minute))
		return err
	}); err != nil || !mine {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = s.store.Update(end, func(tx Tx) error { return tx.Release("statements", me) }) // else it runs out by itself
	}()
	books := map[string]func(context.Context, string) ([]pay.Difference, error){}
	for name := range s.cfg.Pay.Channels {
		books[name] = func(ctx context.Context, day string) ([]pay.Difference, error) {
			return s.settler.Reconcile(ctx, name, day)
		}
	}
	if s.cfg.Pay.EBooks {
		books[EBillBook] = s.settler.ReconcileEBills
	}
	var failed error
	for name, compare := range books {
		for back := statementFor; back >= 1; back-- {
			day := pay.Day(now.Add(-statementAt - time.Duration(back)*24*time.Hour))
			err := s.store.View(ctx, func(tx Tx) error { _, err := tx.Statement(name, day); return err })
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrNoRow) {
				return err
			}
			list, err := compare(ctx, day)
			if errors.Is(err, pay.ErrAbsent) {
				continue
			}
			if err == nil {
				row := StatementRow{Channel: name, Day: day, Made: s.now(), Differences: list}
				err = s.store.Update(ctx, func(tx Tx) error { return tx.PutStatement(row) })
			}
			if len(list) > 0 {
				s.cfg.Log.Error("a statement differs", "channel", name, "day", day, "differences", len(list))
			}
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// BillsOnDesk are the accounts with open matters, the oldest matter first, at most 1,000.
func BillsOnDesk(ctx context.Context, s Store) (all []*pay.Account, err error) {
	err = s.View(ctx, func(tx Tx) error {
		all = nil
		numbers, err := tx.BillsOnDesk(1000)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			a, err := tx.Bill(n)
			if err != nil {
				return err
			}
			all = append(all, a)
		}
		return nil
	})
	return all, err
}

// BillsPaidOn are the accounts of what was paid on a day of China, like 2026-11-29, the oldest first.
func BillsPaidOn(ctx context.Context, s Store, day string) (all []*pay.Account, err error) {
	from, err := time.ParseInLocation(time.DateOnly, day, pay.China)
	if err != nil {
		return nil, fmt.Errorf("day %.20q is not like 2026-11-29", day)
	}
	var numbers []string
	if err := s.View(ctx, func(tx Tx) (err error) { numbers, err = tx.BillsPaid(from, from.AddDate(0, 0, 1)); return err }); err != nil {
		return nil, err
	}
	for part := range slices.Chunk(numbers, 100) {
		var some []*pay.Account
		if err := s.View(ctx, func(tx Tx) error {
			some = nil
			for _, n := range part {
				a, err := tx.Bill(n)
				if err != nil {
					return err
				}
				some = append(some, a)
			}
			return nil
		}); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// StatementOf is what the comparison of a day came to. [ErrNoRow]: not compared yet.
func StatementOf(ctx context.Context, s Store, channel, day string) (row StatementRow, err error) {
	err = s.View(ctx, func(tx Tx) (err error) { row, err = tx.Statement(channel, day); return err })
	return row, err
}

// ChangeBill is a person's decision about a bill; operator is who decided.
func ChangeBill(ctx context.Context, s Store, number, operator string, fn func(*pay.Account, time.Time) error, now time.Time) error {
	if !wire.Operator(operator) {
		return fmt.Errorf("operator %.40q is not a name", operator)
	}
	return s.Update(ctx, func(tx Tx) error {
		err := changeBill(tx, number, func(a *pay.Account) error { return fn(a, now.UTC().Truncate(time.Millisecond)) })
		if err != nil {
			return err
		}
		return addEvent(tx, SecurityEvent{At: now.UTC().Truncate(time.Millisecond), Event: "bill.decided", Who: operator, Why: "bill " + number})
	})
}
