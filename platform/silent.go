package platform

// Cards whose terminal says nothing more. It was permitted to print one, and died, was stolen or replaced, or lost its line: whether the
// card exists, no program can know. After a while the blank stands on the desk, in doubt, and nothing else is permitted for the case.
// Whatever the terminal says when it comes back is older or newer than what two people said by then, and counts accordingly.

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// silentFor is how long a terminal may say nothing of a card that it was permitted to print.
const silentFor = time.Hour

// unheard begins the id of a blank of which the terminal never told, and which is known by its permit alone.
const unheard = "unheard-"

// toldByItsID is the state of such a blank once its terminal told of it: it is followed under its own id.
const toldByItsID = "told"

// doubtSilent puts cards on the desk of which their terminals have said nothing for too long, or will say nothing.
func (s *Server) doubtSilent(ctx context.Context) error {
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		late, err := tx.CardsBefore(wire.CardPrinting, now.Add(-s.cfg.Pay.Silent), cardsAtOnce)
		if err != nil {
			return err
		}
		all, err := tx.CardsIn(wire.CardPrinting, cardsAtOnce)
		if err != nil {
			return err
		}
		done := map[string]bool{}
		for _, c := range late {
			done[c.Key] = true
			if err := doubtCard(tx, c, now, "its terminal says nothing of it"); err != nil {
				return err
			}
		}
		for _, c := range all {
			if done[c.Key] {
				continue
			}
			is, err := standing(tx, c.Terminal)
			if err != nil {
				return err
			}
			if !putOut(is) {
				continue
			}
			if err := doubtCard(tx, c, now, "its terminal is "+is.State); err != nil {
				return err
			}
		}
		return nil
	})
}

// putOut says whether a terminal was put out, or its keys forgotten: what it does nobody hears.
func putOut(is Standing) bool { return is.State == Revoked || is.State == Reset }

// doubtCard puts a permitted blank on the desk. It stands there since its last known moment, so that whatever its terminal says of it
// later counts.
func doubtCard(tx Tx, c CardRow, now time.Time, why string) error {
	kind := cardKinds[c.Kind]
	d := DoubtRow{Terminal: c.Terminal, Kind: kind, ID: unheard + c.Blank, Number: c.Blank, Case: c.Key, State: string(wire.BlankDoubt), Since: c.Changed}
	b, err := tx.Blank(kind, c.Blank)
	if err == nil && b.Terminal == c.Terminal && b.Case == c.Key {
		d.ID, d.Since = b.ID, b.At
	}
	if ignoreNoRow(err) != nil {
		return err
	}
	d.Since = d.Since.UTC().Truncate(time.Millisecond)
	c.State, c.Changed = wire.CardDoubt, now
	return errors.Join(tx.FollowDoubt(d), tx.PutCard(c),
		addEvent(tx, SecurityEvent{At: now, Event: "card.silent", Terminal: c.Terminal, Why: about(c.Number, why+", blank "+c.Blank)}))
}

// silent says whether nobody can count on a terminal to carry a verdict out soon.
func (s *Server) silent(tx Tx, terminal string) (bool, error) {
	is, err := standing(tx, terminal)
	if err != nil || putOut(is) {
		return true, err
	}
	t, err := tx.Terminal(terminal)
	return err == nil && s.now().Sub(t.Seen) >= s.cfg.Pay.Silent, err
}

// overruled says whether what a terminal tells of a blank comes too late: it happened before two people said what became of it. That
// somebody has the card always counts. A blank that was known by its permit alone is known by its own id from here on.
func overruled(tx Tx, b BlankRow) (bool, error) {
	ids := []string{b.ID}
	if b.Number != "" {
		ids = append(ids, unheard+b.Number)
	}
	for _, id := range ids {
		d, err := tx.Doubt(b.Terminal, b.Kind, id)
		if errors.Is(err, ErrNoRow) {
			continue
		}
		if err != nil {
			return false, err
		}
		switch open := d.State == string(wire.BlankDoubt) || d.State == string(wire.BlankRetained); {
		case open && id != b.ID:
			d.State = toldByItsID
			if err := tx.FollowDoubt(d); err != nil {
				return false, err
			}
		case !open && d.State != toldByItsID && b.At.Before(d.Since) && !handedOver(b):
			return true, nil
		}
	}
	return false, nil
}

// handedOver says whether somebody may have the card by what the terminal tells.
func handedOver(b BlankRow) bool {
	return slices.Contains([]string{string(wire.BlankPresented), string(wire.BlankTaken)}, b.State)
}

// ownID is a blank's id at its terminal, "" for one that is known by its permit alone.
func ownID(d DoubtRow) string {
	if strings.HasPrefix(d.ID, unheard) {
		return ""
	}
	return d.ID
}
