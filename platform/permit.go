package platform

// Permits: one card on one blank at one terminal, and what became of it.

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// permitLife is how long a permit may be used. A terminal prints at once or not at all.
const permitLife = 5 * time.Minute

var blankNumber = regexp.MustCompile(`^[0-9A-Z][0-9A-Z-]{0,31}$`)

func (s *Server) cardPermit(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.PermitRequest
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	if !blankNumber.MatchString(q.Blank) {
		s.refuse(w, errMalformed, "blank's number is not as it must be")
		return
	}
	p, err := s.permit(r.Context(), r.PathValue("key"), q.Blank)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, p)
}

// unbegun are the states of a blank on which nothing was printed.
var unbegun = []wire.BlankState{wire.BlankReserved, wire.BlankDrawn, wire.BlankBound}

// permit gives the permission to print, or the one that was given. All that it rests on is read in the transaction that keeps it.
func (s *Server) permit(ctx context.Context, key, blank string) (p wire.Permit, err error) {
	terminal, now := terminalOf(ctx), s.now()
	id, err := uuid.NewV7()
	if err != nil {
		return p, err
	}
	free, err := s.costsNothing(ctx, key)
	if err != nil {
		return p, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		p = wire.Permit{}
		c, err := s.cardFor(tx, key, terminal)
		if err != nil {
			return err
		}
		if c.Ended || c.State != wire.CardApproved && c.State != wire.CardPrinting {
			return errCardState
		}
		kind := cardKinds[c.Kind]
		row, err := tx.Permit(kind, blank)
		switch {
		case err == nil && (row.Card != key || c.Blank != blank):
			return errBlank // another case's, or this case's former one
		case errors.Is(err, ErrNoRow) && c.Blank != "":
			return errBlank // the former one's fate is not known, or it carries the card
		case err != nil && !errors.Is(err, ErrNoRow):
			return err
		}
		told, err := tx.Blank(kind, blank)
		if err == nil && (told.Terminal != terminal || told.Case != key || !slices.Contains(unbegun, wire.BlankState(told.State))) {
			return errBlank
		}
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		secret, err := s.openPerson(tx, key)
		if err != nil {
			return err
		}
		if err := settled(tx, c, free); err != nil {
			return err
		}
		if row.ID == "" || !now.Before(row.Expires) || row.Terminal != terminal {
			row = PermitRow{Kind: kind, Blank: blank, Card: key, ID: id.String(), Terminal: terminal, Given: now, Expires: now.Add(permitLife), Starts: cardStarts(now)}
			if err := tx.PutPermit(row); err != nil {
				return err
			}
			c.State, c.Blank, c.Until, c.Terminal, c.Changed = wire.CardPrinting, blank, cardEnds(row.Starts), terminal, now
			if err := tx.PutCard(c); err != nil {
				return err
			}
			if err := addEvent(tx, SecurityEvent{At: now, Event: "card.permit", Terminal: terminal, Why: about(c.Number, "blank "+blank)}); err != nil {
				return err
			}
		}
		p = wire.Permit{ID: row.ID, Key: key, Kind: c.Kind, Terminal: terminal, Blank: blank, Expires: row.Expires, Card: secret.Card, Verify: s.cfg.BaseURL + "/verify/" + c.Number + "?p=" + permitMark(row)}
		p.Card.From, p.Card.Until = row.Starts, cardEnds(row.Starts)
		if p.Photo, err = s.openCard(tx, key, secretPhoto); err != nil {
			return err
		}
		profile, err := profileOf(tx, terminal)
		if err != nil {
			return err
		}
		p.Signature, err = s.keys.signature(profile, p.SigningBytes())
		return err
	})
	return p, err
}

// permitMark is what the code on a card says of its permit: no two permits have the same, so that a card that was printed under another
// one is told from the card that counts.
func permitMark(p PermitRow) string { return p.ID[max(0, len(p.ID)-12):] }

// cardStarts is the day of issue, from its first moment in China.
func cardStarts(now time.Time) time.Time {
	y, m, d := now.In(chinaTime).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, chinaTime).UTC()
}

// cardEnds is the last second of a card: of the same day three months later, or of that month's last day where it lacks the day.
func cardEnds(from time.Time) time.Time {
	y, m, d := from.In(chinaTime).Date()
	last := time.Date(y, m+cardValid+1, 0, 0, 0, 0, 0, chinaTime).Day()
	return time.Date(y, m+cardValid, min(d, last), 23, 59, 59, 0, chinaTime).UTC()
}

// settled says that the case is paid, or that nothing is to be paid and no bill says otherwise.
func settled(tx Tx, c CardRow, free bool) error {
	bills, err := tx.BillsOf(c.Key)
	if err != nil {
		return err
	}
	if is, none := pay.Stands(bills); !none {
		free = is.State == pay.BillPaid && is.Item == c.Kind
	}
	if !free {
		return errUnpaid
	}
	return nil
}

// costsNothing asks the tariff about the person whose card it would be. It may be anybody's program: it is asked outside of transactions.
func (s *Server) costsNothing(ctx context.Context, key string) (bool, error) {
	if s.cfg.Pay.Tariff == nil {
		return true, nil
	}
	kind, who, err := s.cardPerson(ctx, key)
	if err != nil {
		return false, err
	}
	amount, _, err := s.cfg.Pay.Tariff.Fee(ctx, kind, who)
	if errors.Is(err, ErrNoRow) {
		return true, nil
	}
	return amount == 0, err
}

// cardPerson is whose card it would be, for the tariff.
func (s *Server) cardPerson(ctx context.Context, key string) (kind string, who CitizenRow, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		c, err := s.cardFor(tx, key, terminalOf(ctx))
		if err != nil {
			return err
		}
		p, err := s.openPerson(tx, key)
		kind, who = c.Kind, CitizenRow{Number: p.Card.Number, Name: p.Card.Name}
		return err
	})
	return kind, who, err
}

// followBlank moves an application on by what a terminal says of the blank that it was permitted on.
func followBlank(tx Tx, b BlankRow) error {
	state := wire.BlankState(b.State)
	made := state == wire.BlankSent || state == wire.BlankPresented || state == wire.BlankTaken
	alarm := func(event, why string) error {
		return addEvent(tx, SecurityEvent{At: b.At, Event: event, Terminal: b.Terminal, Why: why})
	}
	p, err := tx.Permit(b.Kind, b.Number)
	if errors.Is(err, ErrNoRow) {
		if !made || b.Case == "" {
			return nil
		}
		if c, err := tx.Card(b.Case); err == nil && cardKinds[c.Kind] == b.Kind {
			// A card may exist: no other is permitted.
			if c.State == wire.CardWaiting || c.State == wire.CardApproved || c.State == wire.CardPrinting {
				c.State, c.Changed = wire.CardDoubt, b.At
				if err := tx.PutCard(c); err != nil {
					return err
				}
			}
			return alarm("card.unpermitted", about(c.Number, "printed without a permit, blank "+b.Number))
		} else if !errors.Is(err, ErrNoRow) {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	c, err := tx.Card(p.Card)
	if err != nil {
		return err
	}
	if b.Case != c.Key {
		return alarm("card.blank", about(c.Number, "its blank is told of under another case, blank "+b.Number))
	}
	if c.Blank != b.Number {
		if state != wire.BlankPresented && state != wire.BlankTaken {
			return nil // a former one, whose end is known
		}
		c.State, c.Changed = wire.CardDoubt, b.At
		return errors.Join(tx.PutCard(c), alarm("card.twice", about(c.Number, "a former blank carries a card, blank "+b.Number)))
	}
	was := c.State
	switch state {
	case wire.BlankPresented, wire.BlankTaken:
		c.State = wire.CardIssued
	case wire.BlankRetained, wire.BlankDoubt:
		c.State = wire.CardDoubt
	case wire.BlankSpoiled:
		c.State, c.Blank, c.Until = wire.CardApproved, "", time.Time{}
		if c.Ended {
			c.State = wire.CardEnded
		}
	case wire.BlankBound, wire.BlankSent:
		if c.State != wire.CardDoubt {
			return nil
		}
		c.State = wire.CardPrinting // its terminal was silent, and goes on
	default:
		return nil
	}
	c.Changed = b.At
	if state == wire.BlankTaken && c.Erased.IsZero() {
		if err := eraseCard(tx, &c, b.At); err != nil {
			return err
		}
	}
	if err := tx.PutCard(c); err != nil {
		return err
	}
	if c.Ended && c.State == wire.CardIssued && was != wire.CardIssued {
		return alarm("card.after-end", about(c.Number, "its case had ended, blank "+b.Number))
	}
	return nil
}

// eraseCard forgets the pictures; what the card said stays sealed.
func eraseCard(tx Tx, c *CardRow, now time.Time) error {
	c.Erased = now
	return errors.Join(tx.DropCardSecret(c.Key, secretPhoto), tx.DropCardSecret(c.Key, secretInk))
}

// endCards ends the applications of cases that have ended.
func endCards(tx Tx, moved []CaseRow) error {
	var ids []string
	for _, m := range moved {
		if m.State == wire.CaseRefundDue || slices.Contains(over, m.State) {
			ids = append(ids, m.ID)
		}
	}
	all, err := tx.CardsAmong(ids)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Ended {
			continue
		}
		c.Ended = true
		if c.State == wire.CardWaiting || c.State == wire.CardApproved {
			c.State = wire.CardEnded
		}
		for _, m := range moved {
			if m.ID == c.Key {
				c.Changed = m.Updated
			}
		}
		if err := tx.PutCard(c); err != nil {
			return err
		}
	}
	return nil
}

// After how long pictures of applications go that ended without a card, or whose card nobody is known to have taken.
const (
	picturesFor = 30 * 24 * time.Hour
	cardsAtOnce = 100
)

// sweepCards erases the pictures of what is over.
func (s *Server) sweepCards(ctx context.Context) error {
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		for _, state := range []wire.CardState{wire.CardRejected, wire.CardEnded, wire.CardIssued} {
			all, err := tx.CardsKept(state, now.Add(-picturesFor), cardsAtOnce)
			if err != nil {
				return err
			}
			for _, c := range all {
				if err := errors.Join(eraseCard(tx, &c, now), tx.PutCard(c)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
