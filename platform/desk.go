package platform

// The desk: what no program can know, two people say. One proposes what became of a blank or of money, another confirms it. A verdict
// about a blank goes to its terminal as an order; the terminal's ledger moves, and its record moves the application on. A terminal
// that was revoked, or has been silent for long, cannot do it: its blank is settled here.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// What a verdict is about; its Ref.
const (
	aboutBlank = "blank" // TERMINAL/KIND/ID
	aboutMoney = "money" // BILL/KIND/REF of a matter
)

// Acts about money.
const (
	actReturn = "return"  // the payment, or one whose refund was refused, goes back through the channel
	actByHand = "by-hand" // it was paid back by hand
	actNoted  = "noted"   // a contradiction or a missing line was cleared up
	actAgain  = "again"   // the e-bill, or its red one, is asked for once more
	actDone   = "done"    // a receipt was made elsewhere, or the e-bill cancelled at its issuer's
)

// States of a verdict.
const (
	verdictOpen      = "open"
	verdictConfirmed = "confirmed"
	verdictRefused   = "refused"
	verdictOvertaken = "overtaken" // what it was about changed before the second person came
)

// ErrSecond: whoever proposed cannot confirm.
var ErrSecond = fmt.Errorf("%w: 须由另一人确认 somebody else must confirm it", ErrDecision)

// choice is what one may say of a blank or of money. Money is "" but where a blank carries no card.
type choice struct{ Act, Money string }

// blankChoices are what may have become of a blank, by where it stands, and of its case: one without a card is made once more, or the
// money that was paid goes back, or a case that nobody paid for ends. A blank whose number nobody read carries no card.
func blankChoices(d DoubtRow, paid bool) []choice {
	cardless := func(to wire.BlankState) []choice {
		ends := wire.VerdictEnd
		if paid {
			ends = wire.VerdictReturn
		}
		return []choice{{string(to), wire.VerdictAgain}, {string(to), ends}}
	}
	taken, retained := choice{Act: string(wire.BlankTaken)}, choice{Act: string(wire.BlankRetained)}
	switch {
	case d.State == string(wire.BlankRetained):
		return append([]choice{taken}, cardless(wire.BlankSpoiled)...)
	case d.State != string(wire.BlankDoubt):
		return nil
	case d.Number == "":
		return append(cardless(wire.BlankSpoiled), cardless(wire.BlankBack)...)
	}
	return append([]choice{taken, retained}, cardless(wire.BlankSpoiled)...)
}

// moneyChoices are what may be done about a matter of a bill. One that is not known ends by itself when the channel says.
func moneyChoices(kind string) []choice {
	switch kind {
	case pay.MatterAmount, matterKept:
		return []choice{{Act: actReturn}}
	case pay.MatterRefund:
		return []choice{{Act: actReturn}, {Act: actByHand}}
	case pay.MatterEBill, pay.MatterRed:
		return []choice{{Act: actAgain}, {Act: actDone}}
	case pay.MatterAgainst, pay.MatterStatement, pay.MatterEBook:
		return []choice{{Act: actNoted}}
	}
	return nil
}

func doubtRef(d DoubtRow) string                 { return d.Terminal + "/" + d.Kind + "/" + d.ID }
func matterRef(bill string, m pay.Matter) string { return bill + "/" + m.Kind + "/" + m.Ref }

func doubtOf(tx Tx, ref string) (DoubtRow, error) {
	part := strings.Split(ref, "/")
	if len(part) != 3 {
		return DoubtRow{}, ErrNoRow
	}
	return tx.Doubt(part[0], part[1], part[2])
}

// matterOf finds a bill's open matter.
func matterOf(tx Tx, ref string) (*pay.Account, pay.Matter, error) {
	part := strings.SplitN(ref, "/", 3)
	if len(part) != 3 {
		return nil, pay.Matter{}, ErrNoRow
	}
	a, err := tx.Bill(part[0])
	if err != nil {
		return nil, pay.Matter{}, err
	}
	for _, m := range a.Matters {
		if m.Kind == part[1] && m.Ref == part[2] && m.Ended.IsZero() {
			return a, m, nil
		}
	}
	if m, kept := keptMatter(a, part[2]); kept && part[1] == matterKept {
		return a, m, nil
	}
	return nil, pay.Matter{}, ErrNoRow
}

// seenDoubt is what the first person saw: the second decides about the same, or about nothing.
func seenDoubt(d DoubtRow) string { return d.State + " " + d.Number + " " + when(d.Since) }

// paidFor says whether money is kept for a case.
func paidFor(tx Tx, caseID string) (paid bool, err error) {
	bills, err := tx.BillsOf(caseID)
	for _, b := range bills {
		paid = paid || b.State == pay.BillPaid && b.Amount > 0
	}
	return paid, err
}

// verdictsLooked is how many of the newest verdicts about a thing are looked at.
const verdictsLooked = 20

// orderOf is the order that went out about a blank as it still stands. ErrNoRow: none did. binds says that the terminal has done it, or
// may do it yet, so that nobody says anything else of the blank meanwhile.
func orderOf(tx Tx, d DoubtRow, all []VerdictRow) (o OrderRow, binds bool, err error) {
	for _, v := range all {
		if v.Message == "" || v.Seen != seenDoubt(d) {
			continue
		}
		if o, err = tx.Order(d.Terminal, v.Message); err != nil {
			return o, false, err
		}
		is, err := standing(tx, d.Terminal)
		waits := o.Status == "" || wire.OrderStatus(o.Status) == wire.OrderDone
		return o, waits && is.State != Revoked, err
	}
	return o, false, ErrNoRow
}

// Propose notes what one person says of a blank or of money; nothing moves. Money is "" but where a blank carries no card.
func (s *Server) Propose(ctx context.Context, v VerdictRow, by Operator) (id string, err error) {
	if strings.TrimSpace(by.Why) == "" {
		return "", fmt.Errorf("%w: 须写明理由 it needs a reason", ErrDecision)
	}
	made, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	v.ID, v.By, v.Why, v.Made, v.State = made.String(), by.Who, clip(by.Why, 200), s.now(), verdictOpen
	err = s.store.Update(ctx, func(tx Tx) error {
		seen, err := mayVerdict(tx, v)
		if err != nil {
			return err
		}
		v.Seen = seen
		if err := tx.AddVerdict(v); errors.Is(err, ErrHeld) {
			return ErrDecided
		} else if err != nil {
			return err
		}
		return addEvent(tx, SecurityEvent{At: v.Made, Event: "desk.proposed", Code: v.Act, Who: v.By, Why: about(v.Ref, v.Why)})
	})
	return v.ID, err
}

// mayVerdict says what the verdict is about as it stands, if it may be given.
func mayVerdict(tx Tx, v VerdictRow) (seen string, err error) {
	var may []choice
	switch v.Kind {
	case aboutBlank:
		d, err := doubtOf(tx, v.Ref)
		if err != nil {
			return "", err
		}
		paid, err := paidFor(tx, d.Case)
		if err != nil {
			return "", err
		}
		about, err := tx.VerdictsAbout(v.Kind, v.Ref, verdictsLooked)
		if err != nil {
			return "", err
		}
		if _, binds, err := orderOf(tx, d, about); ignoreNoRow(err) != nil {
			return "", err
		} else if binds {
			return "", fmt.Errorf("%w: 已通知终端，请等待其答复 its terminal was told and has not answered yet", ErrDecision)
		}
		may, seen = blankChoices(d, paid), seenDoubt(d)
	case aboutMoney:
		_, m, err := matterOf(tx, v.Ref)
		if err != nil {
			return "", err
		}
		may, seen = moneyChoices(m.Kind), m.Kind+" "+when(m.Opened)
	}
	if !slices.Contains(may, choice{v.Act, v.Money}) {
		return "", fmt.Errorf("%w: 不能这样处理，请重新选择 choose again: this cannot be said of it as it stands", ErrDecision)
	}
	return seen, nil
}

// overtaken says whether what a proposal is about has changed since.
func overtaken(tx Tx, v VerdictRow) (bool, error) {
	seen, err := mayVerdict(tx, v)
	if errors.Is(err, ErrNoRow) || errors.Is(err, ErrDecision) {
		return true, nil
	}
	return seen != v.Seen, err
}

// overtake ends a proposal that was overtaken; second is who noticed, "" the platform.
func (s *Server) overtake(tx Tx, v VerdictRow, second string) error {
	v.State, v.Second, v.Ended = verdictOvertaken, second, s.now()
	return errors.Join(tx.PutVerdict(v), addEvent(tx, SecurityEvent{At: v.Ended, Event: "desk.overtaken", Code: v.Act, Who: second, Why: about(v.Ref, "of "+v.By+": "+v.Why)}))
}

// sweepVerdicts ends the proposals that were overtaken.
func (s *Server) sweepVerdicts(ctx context.Context) error {
	var over []VerdictRow
	err := s.store.View(ctx, func(tx Tx) error {
		over = nil
		all, err := tx.OpenVerdicts(deskShown)
		if err != nil {
			return err
		}
		for _, v := range all {
			if is, err := overtaken(tx, v); err != nil {
				return err
			} else if is {
				over = append(over, v)
			}
		}
		return nil
	})
	for _, v := range over {
		err = errors.Join(err, s.store.Update(ctx, func(tx Tx) error {
			v, err := tx.Verdict(v.ID)
			if err != nil || v.State != verdictOpen {
				return err
			}
			if is, err := overtaken(tx, v); err != nil || !is {
				return err
			}
			return s.overtake(tx, v, "")
		}))
	}
	return err
}

// Confirm carries out what another person proposed. [ErrSecond]: the same person. [ErrDecided]: somebody was first, or what it is about
// has changed since.
func (s *Server) Confirm(ctx context.Context, id string, by Operator) error {
	over := false
	err := s.telling(ctx, func(tx Tx) error {
		v, err := tx.Verdict(id)
		if err != nil {
			return err
		}
		if v.State != verdictOpen {
			return ErrDecided
		}
		if v.By == by.Who {
			return ErrSecond
		}
		if over, err = overtaken(tx, v); err != nil {
			return err
		}
		if over {
			return s.overtake(tx, v, by.Who)
		}
		v.State, v.Second, v.Ended = verdictConfirmed, by.Who, s.now()
		if v.Kind == aboutBlank {
			v.Message, err = s.settleBlank(tx, v)
		} else {
			err = s.settleMoney(tx, v)
		}
		if err != nil {
			return err
		}
		return errors.Join(tx.PutVerdict(v), addEvent(tx, SecurityEvent{At: v.Ended, Event: "desk.confirmed", Code: v.Act, Who: v.Second, Why: about(v.Ref, "with "+v.By+": "+v.Why)}))
	})
	if err == nil && over {
		return ErrDecided
	}
	return err
}

// Refuse ends a proposal; whoever proposed may take it back.
func (s *Server) Refuse(ctx context.Context, id string, by Operator) error {
	return s.store.Update(ctx, func(tx Tx) error {
		v, err := tx.Verdict(id)
		if err != nil {
			return err
		}
		if v.State != verdictOpen {
			return ErrDecided
		}
		v.State, v.Second, v.Ended = verdictRefused, by.Who, s.now()
		return errors.Join(tx.PutVerdict(v), addEvent(tx, SecurityEvent{At: v.Ended, Event: "desk.refused", Code: v.Act, Who: by.Who, Why: about(v.Ref, by.Why)}))
	})
}

// settleBlank orders the terminal to move its ledger; message is the order's id.
func (s *Server) settleBlank(tx Tx, v VerdictRow) (message string, err error) {
	d, err := doubtOf(tx, v.Ref)
	if err != nil {
		return "", err
	}
	is, err := standing(tx, d.Terminal)
	if err != nil {
		return "", err
	}
	silent, err := s.silent(tx, d.Terminal)
	if err != nil {
		return "", err
	}
	order := wire.BlankVerdict{Kind: d.Kind, ID: ownID(d), Number: d.Number, Case: d.Case, To: wire.BlankState(v.Act), Money: v.Money, By: v.By, Second: v.Second, Why: v.Why}
	if is.State != Revoked {
		message, err = s.send(tx, OrderRow{Terminal: d.Terminal, Type: wire.MessageBlank, Name: v.Act, By: v.By + "+" + v.Second}, order)
		if err != nil || !silent {
			return message, err
		}
	}
	// Nobody waits for that terminal: what was decided counts here at once, and there once it comes back.
	now := s.now()
	d.State, d.Since = v.Act, now
	if err := tx.FollowDoubt(d); err != nil {
		return "", err
	}
	if d.Number != "" {
		b := BlankRow{Kind: d.Kind, Number: d.Number, Terminal: d.Terminal, ID: d.ID, Case: d.Case, State: v.Act, At: now}
		if ownID(d) != "" {
			err = tx.PutBlank(b)
		}
		if err := errors.Join(err, followBlank(tx, b)); err != nil {
			return "", err
		}
	}
	if v.Money == wire.VerdictReturn || v.Money == wire.VerdictEnd {
		ended := CaseRow{ID: d.Case, State: wire.CaseRefundDue, Updated: now}
		if err := endCards(tx, []CaseRow{ended}); err != nil {
			return "", err
		}
		if v.Money == wire.VerdictReturn {
			if err := s.returnMoney(tx, []CaseRow{ended}); err != nil {
				return "", err
			}
		}
	}
	return message, s.endBills(tx, []string{d.Case})
}

// settleMoney does what was decided about a bill.
func (s *Server) settleMoney(tx Tx, v VerdictRow) error {
	a, m, err := matterOf(tx, v.Ref)
	if err != nil {
		return err
	}
	who, now := v.By+"+"+v.Second, s.now()
	switch v.Act {
	case actReturn:
		transaction := m.Ref
		if f := a.Refund(m.Ref); f != nil {
			transaction = f.Transaction
		}
		err = s.settler.Rules.Return(a, transaction, "desk", who, now)
	case actByHand:
		err = s.settler.Rules.PaidByHand(a, m.Ref, "by hand", who, now)
	case actAgain:
		err = s.settler.Rules.EBillAgain(a, who, now)
	case actDone:
		err = s.settler.Rules.EBillDone(a, "by hand", who, now)
	case actNoted:
		err = s.settler.Rules.Noted(a, m.Kind, m.Ref, "cleared up", who, now)
	}
	if errors.Is(err, pay.ErrMove) {
		return ErrDecided
	}
	if err != nil {
		return err
	}
	return tx.PutBill(a, s.settler.Rules.Wake(a))
}

// followDoubt keeps what the record says of a blank that somebody must look for.
func followDoubt(tx Tx, b BlankRow) error {
	return tx.FollowDoubt(DoubtRow{Terminal: b.Terminal, Kind: b.Kind, ID: b.ID, Number: b.Number, Case: b.Case, State: b.State, Since: b.At.UTC().Truncate(time.Millisecond)})
}

func ignoreNoRow(err error) error {
	if errors.Is(err, ErrNoRow) {
		return nil
	}
	return err
}
